//! The meaning of a run, written as a loop: one conversation after the other, round by round, wave by wave.
//! Shares with the graph only the stages, the words, and how coverage grows.

use super::load::Load;
use dlgforge::domain::*;
use dlgforge::operators::{InFlight, Opening};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a run comes to.
#[derive(Debug, Default, PartialEq)]
pub struct Made {
    /// In slot order.
    pub conversations: Vec<InFlight>,
    /// Per language: opened, accepted, dropped.
    pub languages: Vec<(u32, u32, u32)>,
    pub duplicates: u64,
    pub drops: BTreeMap<String, u32>,
}

struct Lockstep<'a> {
    load: &'a Load,
    asked: BTreeSet<Fingerprint>,
    /// What near-duplicates are found by, of all that was accepted, with its rank.
    accepted: Vec<(Rank, Arc<Sketch>)>,
    coverage: Coverage,
    /// By language and wave, the coverage at its end.
    snapshots: BTreeMap<(u32, u32), Arc<Coverage>>,
    outcome: Made,
}

/// A language at the end of one of its waves.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    opened: u32,
    accepted: u32,
    dropped: u32,
    consecutive_drops: u32,
    given_up: bool,
}

/// Runs everything, in order.
pub fn oracle(load: &Load) -> Made {
    let (asked, coverage) = (load.earlier(), load.coverage());
    let sketch = |text: &String| Some((Rank::default(), load.sketch(text)?));
    let accepted = load.asked_before().iter().filter_map(sketch).collect();
    let mut run = Lockstep { load, asked, accepted, coverage, snapshots: BTreeMap::new(), outcome: Made::default() };
    for language in 0..load.languages {
        let Progress { opened, accepted, dropped, .. } = run.language(language);
        run.outcome.languages.push((opened, accepted, dropped));
    }
    run.outcome
}

impl Lockstep<'_> {
    fn language(&mut self, language: u16) -> Progress {
        let Load { total, batch_size, lookahead, .. } = *self.load;
        let mut ends: Vec<Progress> = Vec::new();
        for wave in 0u32.. {
            let now = ends.last().copied().unwrap_or_default();
            let known = wave.checked_sub(lookahead).map_or(Progress::default(), |basis| ends[basis as usize]);
            // Slots opened since what is known may all be accepted yet.
            let open = now.opened - known.opened;
            let wanted = if known.given_up { 0 } else { total.saturating_sub(known.accepted + open) };
            if wave >= total.div_ceil(batch_size) && wanted == 0 && open == 0 {
                return now;
            }
            let end = self.wave(language, wave, now, wanted.min(batch_size));
            ends.push(end);
            self.snapshots.insert((language.into(), wave), Arc::new(self.coverage.clone()));
        }
        unreachable!("waves have no end")
    }

    fn wave(&mut self, language: u16, wave: u32, mut progress: Progress, size: u32) -> Progress {
        let first = progress.opened;
        let mut conversations: Vec<_> = (first..first + size)
            .map(|index| {
                let slot = Slot { language: LanguageIndex(language), index };
                let opening = Opening { slot, wave: Wave(wave), coverage: self.basis(language.into(), wave) };
                InFlight::new(self.load.open(&opening), opening.coverage)
            })
            .collect();
        for _ in 0..self.load.turns {
            self.turn(conversations.iter_mut().filter(|conversation| conversation.outcome.is_none()).collect());
        }
        for conversation in conversations {
            progress.opened += 1;
            conversation.turns.iter().for_each(|turn| self.coverage.add(&turn.question.used));
            match &conversation.outcome {
                Some(Outcome::Completed) => {
                    (progress.accepted, progress.consecutive_drops) = (progress.accepted + 1, 0)
                }
                Some(Outcome::Dropped(reason)) => {
                    (progress.dropped, progress.consecutive_drops) =
                        (progress.dropped + 1, progress.consecutive_drops + 1);
                    *self.outcome.drops.entry(reason.as_str().into()).or_default() += 1;
                }
                outcome => panic!("ended as {outcome:?}"),
            }
            self.outcome.conversations.push(conversation);
        }
        progress.given_up |= progress.consecutive_drops >= (2 * self.load.batch_size).max(16);
        progress
    }

    /// What a conversation of this wave knows of those before.
    fn basis(&self, language: u32, wave: u32) -> Arc<Coverage> {
        let Load { total, batch_size, lookahead, .. } = *self.load;
        let waves = total.div_ceil(batch_size);
        let basis = match wave.checked_sub(lookahead) {
            Some(basis) => Some((language, basis)),
            None => (language * waves + wave).checked_sub(lookahead).map(|nominal| (nominal / waves, nominal % waves)),
        };
        basis.map_or_else(|| Arc::new(self.load.coverage()), |basis| self.snapshots[&basis].clone())
    }

    /// All these conversations ask, in slot order, and those rejected ask again.
    fn turn(&mut self, mut asking: Vec<&mut InFlight>) {
        for attempt in 0.. {
            let mut rejected = Vec::new();
            for conversation in asking {
                conversation.round.attempt = Attempt(attempt);
                match self.load.ask(conversation) {
                    Err(failure) => {
                        conversation.round.question = None;
                        self.end(conversation, failure.into());
                    }
                    Ok(question) => {
                        let ruling = self.rule(&question, conversation.rank());
                        let asked: Arc<str> = question.reply.user_message.as_str().into();
                        conversation.round.question = Some(Arc::new(question));
                        if ruling == Ruling::Stands {
                            if self.answer(conversation) {
                                rejected.push(conversation);
                            }
                        } else {
                            let mut reason = DropReason::DedupExhausted;
                            let too_close = match ruling {
                                Ruling::TooClose(neighbour) => Some(TooClose::Question(neighbour)),
                                Ruling::HeldOut(overlap) => Some(TooClose::HeldOut(overlap)),
                                Ruling::Stands | Ruling::Duplicate => None,
                            };
                            if let Some(neighbour) = too_close {
                                let attempt = Attempt(attempt);
                                let near = NearDuplicate { attempt, question: asked, neighbour };
                                conversation.round.near_duplicates.push(near.clone());
                                reason = DropReason::NearDuplicateExhausted(near);
                            }
                            self.outcome.duplicates += 1;
                            let duplicates = usize::from(attempt) - conversation.round.regenerated.len();
                            if duplicates < self.load.retries.into() {
                                avoid(&mut conversation.round);
                                rejected.push(conversation);
                            } else {
                                self.end(conversation, Outcome::Dropped(reason));
                            }
                        }
                    }
                }
            }
            if rejected.is_empty() {
                return;
            }
            asking = rejected;
        }
    }

    /// Whether a question stands beside all that were accepted before it.
    fn rule(&mut self, question: &Question, rank: Rank) -> Ruling {
        if let Some(overlap) = &question.held_out {
            return Ruling::HeldOut(overlap.clone());
        }
        let fingerprint = Fingerprint::of(&question.reply.user_message, Normalisation::default());
        if self.asked.contains(&fingerprint) {
            return Ruling::Duplicate;
        }
        if let Some((measure, sketch)) = self.load.measure().zip(question.sketch.clone()) {
            let near = self.accepted.iter().filter_map(|(rank, other)| {
                let similarity = measure.near(&sketch, other)?;
                Some(Neighbour { rank: *rank, similarity, text: other.text.clone() })
            });
            if let Some(lowest) = near.min() {
                return Ruling::TooClose(lowest);
            }
            self.accepted.push((rank, sketch));
        }
        self.asked.insert(fingerprint);
        Ruling::Stands
    }

    /// The question stands. Whether the turn is to be made once more.
    fn answer(&mut self, conversation: &mut InFlight) -> bool {
        match self.load.answer(conversation) {
            Err(failure) => {
                self.end(conversation, failure.into());
                return false;
            }
            Ok(answer) => conversation.round.answer = Some(answer),
        }
        let judgement = match self.load.judge(conversation) {
            Err(failure) => {
                conversation.outcome = Some(Outcome::Dropped(DropReason::Failed(failure)));
                return false;
            }
            Ok(Judged::Nothing) => None,
            Ok(Judged::Turn(judgement)) => Some(judgement),
            Ok(Judged::Repaired(repaired)) => {
                conversation.round.answer = Some(repaired.answer);
                conversation.round.rejected = repaired.rejected;
                match repaired.judged {
                    Judged::Turn(judgement) => Some(judgement),
                    _ => None,
                }
            }
            Ok(Judged::Conversation(judgement)) => {
                conversation.judgement = Some(judgement);
                None
            }
            Ok(Judged::Regenerate(judgement)) => {
                let near_duplicates = conversation.round.near_duplicates.clone();
                let mut turn = turn(conversation, Some(judgement));
                let regenerated = std::mem::take(&mut turn.regenerated);
                let chunks = turn.question.used.chunk.into_iter().chain(std::mem::take(&mut conversation.round.avoid));
                let avoid = chunks.collect::<BTreeSet<_>>().into_iter().collect();
                let regenerated = regenerated.into_iter().chain([Arc::new(turn)]).collect();
                conversation.round = Round { avoid, near_duplicates, regenerated, ..Round::default() };
                return true;
            }
        };
        let turn = turn(conversation, judgement);
        conversation.round = Round::default();
        conversation.turns.push(Arc::new(turn));
        if conversation.turns.len() == usize::from(conversation.target_turns) {
            conversation.outcome = Some(Outcome::Completed);
        }
        false
    }

    /// The conversation ends here; it may be judged as a whole.
    fn end(&self, conversation: &mut InFlight, outcome: Outcome) {
        conversation.outcome = Some(outcome);
        match self.load.judge(conversation) {
            Ok(Judged::Conversation(judgement)) => conversation.judgement = Some(judgement),
            Err(failure) if conversation.outcome == Some(Outcome::Completed) => {
                conversation.outcome = Some(failure.into());
            }
            Ok(_) | Err(_) => {}
        }
    }
}

/// What the round has come to.
fn turn(conversation: &mut InFlight, judgement: Option<Judgement>) -> Turn {
    let index = conversation.turn_index();
    let Round { attempt, near_duplicates, question, answer, rejected, regenerated, .. } = conversation.round.clone();
    let (question, answer) = (question.expect("it was asked"), answer.expect("it was answered"));
    Turn { index, attempt, question, answer, judgement, rejected, regenerated, near_duplicates }
}

/// The question of the round was rejected: what is left of its reply comes next.
fn avoid(round: &mut Round) {
    let rejected = round.question.take();
    let chunk = rejected.as_ref().and_then(|question| question.used.chunk);
    round.question = rejected.and_then(|question| question.next()).map(Arc::new);
    round.avoid = round.avoid.drain(..).chain(chunk).collect::<BTreeSet<_>>().into_iter().collect();
}
