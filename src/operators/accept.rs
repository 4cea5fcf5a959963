//! `accept`: brings conversations, claims and verdicts together at the home of each conversation.

use super::clock::{Clock, Nudge};
use super::dedup::{Claim, Verdict};
use super::events::Event;
use super::home::{self, Home, Retries, Route};
use super::watermark::Report;
use super::{Flow, InFlight};
use crate::domain::{Failure, Observer, Question, Rank, Tick};
use std::collections::BTreeMap;
use std::sync::Arc;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::vec::Partition;
use timely::dataflow::operators::{ConnectLoop, Feedback};
use timely::progress::Antichain;
use timely::progress::operate::FrontierInterest;

/// The streams that `accept` reads.
pub struct Inputs<'scope> {
    /// Conversations as they open, at their home worker.
    pub opened: Flow<'scope, InFlight>,
    /// Conversations that have asked, each with its question or why there is none.
    pub asked: Flow<'scope, (InFlight, Result<Question, Failure>)>,
    /// Conversations that have ended, completed or dropped.
    pub ended: Flow<'scope, Arc<InFlight>>,
    /// Verdicts on the claims that conversations made.
    pub verdicts: Flow<'scope, Verdict>,
    /// The watermark, at every worker.
    pub watermarks: Flow<'scope, Rank>,
}

/// The streams that `accept` makes.
pub struct Outputs<'scope> {
    /// Conversations whose question stands: to be answered.
    pub accepted: Flow<'scope, InFlight>,
    /// Conversations whose question was a duplicate: to ask again.
    pub rejected: Flow<'scope, InFlight>,
    /// Conversations that end here.
    pub dropped: Flow<'scope, InFlight>,
    /// Claims for `dedup`, and their withdrawals.
    pub claims: Flow<'scope, Claim>,
    /// What each home tells after every tick.
    pub reports: Flow<'scope, Report>,
}

/// The input whose frontier tells which ticks have all their verdicts.
const VERDICTS: usize = 3;

/// Claims the question of every conversation that asked, and sends it on by the verdict: accepted; rejected with its
/// next attempt; or, after so many, dropped. When a verdict changes, what came of it is taken back
/// and the conversation goes on from there. The observer hears of every verdict and every roll-back. Ends when the watermark is
/// [`Rank::END`].
pub fn accept<'scope>(inputs: Inputs<'scope>, retries: Retries, observer: Observer<Event>) -> Outputs<'scope> {
    let scope = inputs.asked.scope();
    let (index, peers) = (scope.index(), scope.peers() as u64);
    let (nudge_loop, nudges) = scope.feedback::<Vec<Nudge>>(1);

    // Nothing that leaves is stamped with the time of what caused it: were outputs connected to inputs, the loop through
    // `dedup` would hold its own clock.
    let apart: Vec<(usize, Antichain<u64>)> = Vec::new();
    let home_of = Exchange::new(|((_, (claimant, _)), _, _): &Verdict| claimant.home);
    let worker_of = Exchange::new(|(worker, _): &Nudge| *worker);
    let mut builder = OperatorBuilder::new("accept".into(), scope);
    let mut opened = builder.new_input_connection(inputs.opened, Pipeline, apart.clone());
    let mut asked = builder.new_input_connection(inputs.asked, Pipeline, apart.clone());
    let mut ended = builder.new_input_connection(inputs.ended, Pipeline, apart.clone());
    let mut verdicts = builder.new_input_connection(inputs.verdicts, home_of, apart.clone());
    let mut watermarks = builder.new_input_connection(inputs.watermarks, Pipeline, apart.clone());
    let mut nudges = builder.new_input_connection(nudges, worker_of, apart.clone());
    builder.set_notify_for(VERDICTS, FrontierInterest::Always);
    let (moves, moves_stream) = builder.new_output_connection::<Vec<(Route, InFlight)>, _>(apart.clone());
    let (reports, reports_stream) = builder.new_output_connection::<Vec<Report>, _>(apart.clone());
    let (claims, claims_stream) = builder.new_output_connection::<Vec<Claim>, _>(apart.clone());
    let (nudged, nudged_stream) = builder.new_output_connection::<Vec<Nudge>, _>(apart);
    let (mut moves, mut reports) = (OutputBuilder::from(moves), OutputBuilder::from(reports));
    let (claims, nudged) = (OutputBuilder::from(claims), OutputBuilder::from(nudged));

    builder.build(move |capabilities| {
        let [moving, reporting, claiming, nudging] =
            <[_; 4]>::try_from(capabilities).unwrap_or_else(|_| unreachable!("every output has a capability"));
        let clock = Clock::new((claiming, claims), (nudging, nudged), index as u64, peers);
        let mut at_work = Some((moving, reporting, clock));
        let mut home = Home::new(index, retries, observer);
        let mut pending = PendingVerdicts::default();
        move |frontiers| {
            opened.for_each(|_, batch| batch.drain(..).for_each(|conversation| home.register(conversation)));
            asked.for_each(|_, batch| batch.drain(..).for_each(|(conversation, asked)| home.ask(conversation, asked)));
            ended.for_each(|_, batch| batch.drain(..).for_each(|conversation| home.end(&conversation)));
            verdicts.for_each(|_, batch| batch.drain(..).for_each(|verdict| pending.stash(verdict)));
            watermarks.for_each(|_, batch| batch.drain(..).for_each(|watermark| home.settle(watermark)));
            let mut reached = 0;
            nudges.for_each(|_, batch| reached = batch.drain(..).map(|(_, tick)| tick).fold(reached, u64::max));
            if home.is_settled() {
                at_work = None;
            }
            let Some((moving, reporting, clock)) = &mut at_work else { return };
            clock.catch_up(reached);
            // The loop of the verdicts adds one to every time.
            let closed = frontiers[VERDICTS].frontier().first().map_or(0, |time| time.saturating_sub(1));
            let mut reports = reports.activate();
            for (tick, verdicts) in pending.close(closed) {
                reports.session(reporting).give(home.close(tick, verdicts));
            }
            if let Some(changes) = home.changes(clock.now()) {
                clock.send(changes);
            }
            moves.activate().session(moving).give_iterator(home.moves());
        }
    });
    nudged_stream.connect_loop(nudge_loop);
    let mut routes = moves_stream.partition(3, |(route, conversation)| (route as u64, conversation)).into_iter();
    match (routes.next(), routes.next(), routes.next()) {
        (Some(accepted), Some(rejected), Some(dropped)) => {
            Outputs { accepted, rejected, dropped, claims: claims_stream, reports: reports_stream }
        }
        _ => unreachable!("partition returns as many streams as it is asked for"),
    }
}

/// Verdicts of ticks that may have more to come. A message holds verdicts of later ticks than its own time: they wait
/// here by theirs.
#[derive(Default)]
struct PendingVerdicts {
    open: BTreeMap<u64, Vec<home::Verdict>>,
    /// The first tick that is not closed.
    next: u64,
}

impl PendingVerdicts {
    fn stash(&mut self, ((fingerprint, (claimant, ruling)), tick, diff): Verdict) {
        if diff > 0 {
            self.open.entry(tick).or_default().push(home::Verdict { rank: claimant.rank, fingerprint, ruling });
        }
    }

    /// All ticks below `closed` that were open, one after the other, with their verdicts.
    fn close(&mut self, closed: u64) -> impl Iterator<Item = (Tick, Vec<home::Verdict>)> {
        std::iter::from_fn(move || {
            let tick = Some(self.next).filter(|tick| *tick < closed)?;
            self.next += 1;
            Some((Tick(tick), self.open.remove(&tick).unwrap_or_default()))
        })
    }
}
