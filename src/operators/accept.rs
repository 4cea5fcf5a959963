//! `accept`: the home of a conversation while its question is judged by `dedup`.

use super::Flow;
use super::clock::{Clock, Nudge};
use super::dedup::{Claim, Verdict};
use crate::words::{Attempt, Conversation, DropReason, Ending, Failure, Fingerprint, Question, Rank, Round};
use std::collections::BTreeMap;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::vec::Partition;
use timely::dataflow::operators::{Capability, ConnectLoop, Feedback};
use timely::progress::Antichain;
use timely::progress::operate::FrontierInterest;

/// What `accept` hands on.
pub struct Accepted<'scope> {
    /// Conversations whose question stands: to be answered.
    pub accepted: Flow<'scope, Conversation>,
    /// Conversations whose question was a duplicate: to ask again.
    pub rejected: Flow<'scope, Conversation>,
    /// Conversations that end here.
    pub ended: Flow<'scope, Conversation>,
    /// Claims for `dedup`.
    pub claims: Flow<'scope, Claim>,
}

/// Where a conversation goes from here: the outputs, in the order of [`Accepted`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Accepted,
    Rejected,
    Ended,
}

/// Claims the question of every conversation that comes in, and sends it on by the verdict: accepted; rejected with
/// its next attempt; or, after `retries` further attempts, ended as a drop. `asked` must be at its home worker.
pub fn accept<'scope>(
    asked: Flow<'scope, (Conversation, Result<Question, Failure>)>,
    verdicts: Flow<'scope, Verdict>,
    retries: Attempt,
) -> Accepted<'scope> {
    let scope = asked.scope();
    let peers = scope.peers() as u64;
    let (nudge_loop, nudges) = scope.feedback::<Vec<Nudge>>(1);

    // Claims and nudges are stamped with the clock, not with the time of what caused them: were they connected to the
    // inputs, the loop through `dedup` would hold its own clock.
    let apart: Vec<(usize, Antichain<u64>)> = Vec::new();
    let along = [(0, Antichain::from_elem(0))];
    let mut builder = OperatorBuilder::new("accept".into(), scope);
    let mut asked = builder.new_input(asked, Pipeline);
    let home = Exchange::new(move |((_, (proposal, _)), _, _): &Verdict| proposal.rank.slot().home(peers));
    let mut verdicts = builder.new_input_connection(verdicts, home, apart.clone());
    let mut nudges = builder.new_input_connection(nudges, Exchange::new(|(worker, _): &Nudge| *worker), apart.clone());
    builder.set_notify_for(0, FrontierInterest::Always);
    let (ruled, ruled_stream) = builder.new_output_connection::<Vec<(Way, Conversation)>, _>(along);
    let (claims, claims_stream) = builder.new_output_connection::<Vec<Claim>, _>(apart.clone());
    let (nudged, nudged_stream) = builder.new_output_connection::<Vec<Nudge>, _>(apart);
    let mut ruled = OutputBuilder::from(ruled);
    let (claims, nudged) = (OutputBuilder::from(claims), OutputBuilder::from(nudged));

    builder.build(move |capabilities| {
        let mut clock = Clock::new(capabilities, claims, nudged, scope.index() as u64, peers);
        let mut home = Home { retries, waiting: BTreeMap::new(), claims: Vec::new() };
        move |frontiers| {
            let mut ruled = ruled.activate();
            asked.for_each(|capability, conversations| {
                for (conversation, question) in conversations.drain(..) {
                    let capability = capability.retain_least(0).expect("a message has a time");
                    if let Some((capability, decided)) = home.ask(capability, conversation, question) {
                        ruled.session(&capability).give(decided);
                    }
                }
            });
            verdicts.for_each(|_, verdicts| {
                for ((_, (proposal, won)), _, diff) in verdicts.drain(..) {
                    if let Some((capability, decided)) = (diff > 0).then(|| home.rule(proposal.rank, won)).flatten() {
                        ruled.session(&capability).give(decided);
                    }
                }
            });
            nudges.for_each(|_, ticks| ticks.drain(..).for_each(|(_, tick)| clock.catch_up(tick)));
            clock.send(&mut home.claims);
            if frontiers[0].is_empty() {
                clock.end();
            }
        }
    });
    nudged_stream.connect_loop(nudge_loop);
    let mut ways = ruled_stream.partition(3, |(way, conversation)| (way as u64, conversation)).into_iter();
    match (ways.next(), ways.next(), ways.next()) {
        (Some(accepted), Some(rejected), Some(ended)) => Accepted { accepted, rejected, ended, claims: claims_stream },
        _ => unreachable!("partition returns as many streams as it is asked for"),
    }
}

/// The conversations of one worker that wait for a verdict.
struct Home {
    retries: Attempt,
    waiting: BTreeMap<Rank, (Capability<u64>, Conversation)>,
    claims: Vec<(Fingerprint, Rank)>,
}

type Decided = Option<(Capability<u64>, (Way, Conversation))>;

impl Home {
    fn ask(
        &mut self,
        capability: Capability<u64>,
        mut conversation: Conversation,
        question: Result<Question, Failure>,
    ) -> Decided {
        match question {
            Ok(question) => {
                let rank = conversation.rank();
                self.claims.push((Fingerprint::of(&question.reply.user_message), rank));
                conversation.round.question = Some(question);
                self.waiting.insert(rank, (capability, conversation));
                None
            }
            Err(failure) => {
                conversation.ending = Some(failure.into());
                Some((capability, (Way::Ended, conversation)))
            }
        }
    }

    fn rule(&mut self, rank: Rank, won: bool) -> Decided {
        let (capability, mut conversation) = self.waiting.remove(&rank)?;
        let way = if won {
            Way::Accepted
        } else if conversation.round.attempt < self.retries {
            conversation.round = next_attempt(conversation.round);
            Way::Rejected
        } else {
            conversation.ending = Some(Ending::Dropped(DropReason::DedupExhausted));
            Way::Ended
        };
        Some((capability, (way, conversation)))
    }
}

fn next_attempt(rejected: Round) -> Round {
    let mut avoid = rejected.avoid;
    avoid.extend(rejected.question.and_then(|question| question.used.source));
    avoid.sort_unstable();
    avoid.dedup();
    Round { attempt: Attempt(rejected.attempt.0 + 1), avoid, ..Round::default() }
}
