//! The home of conversations: what one worker knows of those that are not final, and how verdicts move them.
//!
//! A conversation runs ahead on verdicts that may still change. The home keeps its path, every question it asked in
//! order; when the verdict on one of them changes, it takes back what came after and sends the conversation on from
//! there.

use super::InFlight;
use super::events::Event;
use super::watermark::Report;
use crate::domain::{
    Attempt, ChunkIndex, Conversation, DropReason, Failure, Fingerprint, NearDuplicate, Observer, Outcome, Question,
    Rank, Round, Ruling, Sketch, Slot, Tick, TooClose, TurnIndex,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Where a conversation goes from its home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Its question stands: to be answered.
    Accepted,
    /// Its question was a duplicate: to ask again.
    Rejected,
    /// It has ended, completed or dropped.
    Ended,
}

/// Whether a claim won, by the rank and the fingerprint of its question; verdicts of one tick are applied in this order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verdict {
    /// Rank of the claim.
    pub rank: Rank,
    /// Which question it claims.
    pub fingerprint: Fingerprint,
    /// Whether it stands, or what it is a duplicate of.
    pub ruling: Ruling,
}

/// How often a turn is begun anew, for either reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retries {
    /// Most questions after the first that are asked because one was a duplicate.
    pub duplicates: u16,
    /// Most turns that are made again because the judge rejected one.
    pub regenerations: u16,
}

/// A claim to make (+1) or to withdraw (-1).
pub type Change = ((Fingerprint, Rank, Option<Arc<Sketch>>), isize);

/// The conversations of one worker.
#[derive(Debug)]
pub struct Home {
    worker: usize,
    retries: Retries,
    paths: BTreeMap<Slot, Path>,
    /// For every conversation that has not come to its end, the lowest rank whose verdict it may still await.
    bounds: BTreeSet<Rank>,
    /// How many of them the run's stop has cut short.
    cut: u32,
    /// Conversations that have ended because they were dropped, and are not final.
    dropped: BTreeSet<Slot>,
    /// Changes decided and not sent, then the lowest rank of those sent at a tick whose verdicts are not all in.
    decided: Vec<Change>,
    sent: VecDeque<(Tick, Rank)>,
    moves: Vec<(Route, InFlight)>,
    /// Whether there is something to report beside the changes.
    news: bool,
    watermark: Rank,
    registered: u64,
    rollbacks: u64,
    wasted: u64,
    observer: Observer<Event>,
}

#[derive(Debug)]
struct Path {
    /// As of its last question; with all its turns once it has ended.
    conversation: InFlight,
    steps: Vec<Step>,
    status: Status,
}

/// What a conversation is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    /// It goes on.
    Going,
    /// The run's stop has cut it short: it goes on when the run does.
    Cut,
    /// It has come to its end.
    Ended,
}

/// A question on a path. None but the last can be without a verdict.
#[derive(Debug)]
struct Step {
    turn: TurnIndex,
    attempt: Attempt,
    fingerprint: Fingerprint,
    question: Arc<Question>,
    ruling: Option<Ruling>,
}

impl Step {
    /// A question as it comes: one that has too much in common with a held-out text is rejected whatever others ask.
    fn of(turn: TurnIndex, attempt: Attempt, question: Arc<Question>) -> Self {
        let ruling = question.held_out.clone().map(Ruling::HeldOut);
        Self { turn, attempt, fingerprint: question.fingerprint, question, ruling }
    }

    /// Whether its question stands; none without a verdict.
    fn won(&self) -> Option<bool> {
        self.ruling.as_ref().map(|ruling| *ruling == Ruling::Stands)
    }

    /// Its question, where it was rejected because of what it is too close to.
    fn near_duplicate(&self) -> Option<NearDuplicate> {
        let (question, neighbour) = match self.ruling.as_ref()? {
            Ruling::TooClose(neighbour) => {
                (self.question.sketch.as_ref()?.text.clone(), TooClose::Question(neighbour.clone()))
            }
            Ruling::HeldOut(overlap) => {
                (self.question.reply.user_message.as_str().into(), TooClose::HeldOut(overlap.clone()))
            }
            Ruling::Stands | Ruling::Duplicate => return None,
        };
        Some(NearDuplicate { attempt: self.attempt, question, neighbour })
    }

    /// A change to its claim, at this rank; none of what is rejected without one.
    fn change(&self, rank: Rank, diff: isize) -> Option<Change> {
        let has_claim = self.question.held_out.is_none();
        has_claim.then(|| ((self.fingerprint, rank, self.question.sketch.clone()), diff))
    }
}

impl Path {
    /// The lowest rank that has no verdict yet: of the last question, or of the next one, which may be one of the same turn as long
    /// as that may be made again.
    fn bound(&self, retries: Retries) -> Option<Rank> {
        let (turn, attempt) = match self.steps.last().map(|last| (last.turn, last.attempt, last.won())) {
            None => (TurnIndex(1), Attempt(0)),
            Some((turn, attempt, None)) => (turn, attempt),
            Some((turn, attempt, Some(false))) => (turn, Attempt(attempt.0 + 1)),
            Some((turn, attempt, Some(true))) if self.count(true) <= retries.regenerations.into() => {
                (turn, Attempt(attempt.0 + 1))
            }
            Some((turn, _, Some(true))) => (TurnIndex(turn.0 + 1), Attempt(0)),
        };
        (self.status != Status::Ended).then(|| self.conversation.rank_at(turn, attempt))
    }

    /// Questions of the last turn that have this verdict.
    fn count(&self, won: bool) -> usize {
        let last = self.steps.last().map(|step| step.turn);
        self.steps
            .iter()
            .rev()
            .take_while(|step| Some(step.turn) == last)
            .filter(|step| step.won() == Some(won))
            .count()
    }

    /// Whether it has ended, and no verdict on one of its questions can change.
    fn is_final(&self, watermark: Rank) -> bool {
        let asked = self.steps.last().map_or(0, |step| step.turn.0);
        self.status == Status::Ended && self.conversation.rank_at(TurnIndex(asked + 1), Attempt(0)) < watermark
    }

    /// Model calls that come to nothing when all after this step, and what followed from it, is taken back.
    fn calls_after(&self, step: usize) -> u64 {
        let Step { turn, attempt, .. } = self.steps[step];
        let asked = self.steps[step + 1..].iter().map(|step| step.question.calls);
        let turns = self.conversation.turns.iter().flat_map(|turn| turn.regenerated.iter().chain([turn]));
        let turns = turns.chain(&self.conversation.round.regenerated);
        let answered = turns.filter(|made| (made.index, made.attempt) >= (turn, attempt)).map(|made| made.calls());
        // Nobody is called for a candidate.
        let calls = |step: &Step| step.won().is_some_and(|won| won || step.question.candidates.is_empty());
        let in_flight = self.status == Status::Going && self.steps.last().is_some_and(calls);
        asked.chain(answered).map(u64::from).sum::<u64>() + u64::from(in_flight)
    }

    /// Questions from this step on whose verdict is this one.
    fn verdicts_from(&self, step: usize, won: bool) -> u32 {
        self.steps[step..].iter().filter(|step| step.won() == Some(won)).count() as u32
    }

    /// Takes back all after this step. The changes withdraw its claims.
    fn roll_back(&mut self, step: usize) -> impl Iterator<Item = Change> {
        let Step { turn, attempt, .. } = self.steps[step];
        let conversation = &mut self.conversation;
        conversation.epoch.advance();
        let at = usize::from(turn.0) - 1;
        let Conversation { turns, round, .. } = &mut conversation.conversation;
        if let Some(made) = turns.get(at) {
            round.regenerated.clone_from(&made.regenerated);
        }
        round.regenerated.retain(|made| made.attempt < attempt);
        turns.truncate(at);
        conversation.outcome = None;
        conversation.judgement = None;
        self.status = Status::Going;
        let taken_back = self.steps.drain(step + 1..);
        taken_back.filter_map(|step| step.change(conversation.rank_at(step.turn, step.attempt), -1))
    }

    /// Whether another question is asked where the last one is a duplicate.
    fn is_asked_again(&self, retries: Retries) -> bool {
        self.count(false) <= retries.duplicates.into()
    }

    /// The conversation, sent on by the verdict on its last question.
    fn follow(&self, retries: Retries) -> Option<(Route, InFlight)> {
        let last = self.steps.last()?;
        let mut conversation = self.conversation.clone();
        let of_turn = || self.steps.iter().filter(|step| step.turn == last.turn);
        let regenerated = std::mem::take(&mut conversation.round.regenerated);
        let near_duplicates: Vec<_> = of_turn().filter_map(Step::near_duplicate).collect();
        let round = Round { near_duplicates, regenerated, ..Round::default() };
        let attempt = last.attempt;
        let (route, round) = if last.won()? {
            let avoid = avoid(of_turn().filter(|step| step.attempt < attempt));
            (Route::Accepted, Round { attempt, avoid, question: Some(last.question.clone()), ..round })
        } else if self.is_asked_again(retries) {
            let (attempt, question) = (Attempt(attempt.0 + 1), last.question.next().map(Arc::new));
            (Route::Rejected, Round { attempt, avoid: avoid(of_turn()), question, ..round })
        } else {
            let reason = last.near_duplicate().map(DropReason::NearDuplicateExhausted);
            conversation.outcome = Some(Outcome::Dropped(reason.unwrap_or(DropReason::DedupExhausted)));
            let avoid = avoid(of_turn().filter(|step| step.attempt < attempt));
            (Route::Ended, Round { attempt, avoid, question: Some(last.question.clone()), ..round })
        };
        conversation.round = round;
        Some((route, conversation))
    }
}

/// Passages of rejected questions, in order.
fn avoid<'a>(rejected: impl Iterator<Item = &'a Step>) -> Vec<ChunkIndex> {
    let chunks: BTreeSet<_> = rejected.filter_map(|step| step.question.used.chunk).collect();
    chunks.into_iter().collect()
}

impl Home {
    /// An empty home. Turns are begun anew so often at most.
    pub fn new(worker: usize, retries: Retries, observer: Observer<Event>) -> Self {
        Self {
            worker,
            retries,
            paths: BTreeMap::new(),
            bounds: BTreeSet::new(),
            cut: 0,
            dropped: BTreeSet::new(),
            decided: Vec::new(),
            sent: VecDeque::new(),
            moves: Vec::new(),
            news: false,
            watermark: Rank::default(),
            registered: 0,
            rollbacks: 0,
            wasted: 0,
            observer,
        }
    }

    /// A conversation has opened. It must be registered before its first question comes.
    pub fn register(&mut self, conversation: InFlight) {
        self.registered += 1;
        let slot = conversation.slot;
        let path = Path { conversation, steps: Vec::new(), status: Status::Going };
        self.bounds.extend(path.bound(self.retries));
        self.paths.insert(slot, path);
    }

    /// A conversation has asked, or failed to.
    pub fn ask(&mut self, mut conversation: InFlight, question: Result<Question, Failure>) {
        let Some(path) = current(&mut self.paths, &conversation) else { return };
        match question {
            Ok(question) => {
                let (turn, attempt) = (conversation.turn_index(), conversation.round.attempt);
                let step = Step::of(turn, attempt, question.into());
                let claim = step.change(conversation.rank(), 1);
                self.news |= claim.is_none();
                path.conversation = conversation;
                // The bound was this question's rank before it came, or that of one in its last turn's place.
                let before = path.bound(self.retries);
                path.steps.push(step);
                let after = path.bound(self.retries);
                if before != after {
                    if let Some(before) = before {
                        self.bounds.remove(&before);
                    }
                    self.bounds.extend(after);
                }
                match claim {
                    Some(claim) => self.decided.push(claim),
                    None => {
                        let (slot, again) = (path.conversation.slot, path.is_asked_again(self.retries));
                        self.observer.tell(|| Event::Rejected { slot, turn, attempt, again });
                        self.moves.extend(path.follow(self.retries));
                    }
                }
            }
            Err(failure) => {
                // A candidate that was not asked is nobody's.
                conversation.round.question = None;
                conversation.outcome = Some(failure.into());
                self.moves.push((Route::Ended, conversation));
            }
        }
    }

    /// A conversation has ended, for all we know, or was cut short: then nothing above it can become final.
    pub fn end(&mut self, conversation: &InFlight) {
        let Some(path) = current(&mut self.paths, conversation) else { return };
        path.conversation.turns.clone_from(&conversation.turns);
        self.news = true;
        if conversation.outcome == Some(Outcome::Interrupted) {
            path.status = Status::Cut;
            self.cut += 1;
        } else if let Some(bound) = path.bound(self.retries) {
            self.bounds.remove(&bound);
            path.status = Status::Ended;
            if matches!(conversation.outcome, Some(Outcome::Dropped(_))) {
                self.dropped.insert(conversation.slot);
            }
        }
    }

    /// Applies all verdicts of a tick, then tells how low one of a later tick may be. Ticks close in turn.
    pub fn close(&mut self, tick: Tick, mut verdicts: Vec<Verdict>) -> Report {
        verdicts.sort_unstable();
        verdicts.into_iter().for_each(|verdict| self.apply(verdict));
        self.sent.retain(|(at, _)| *at > tick);
        let pending = self.decided.iter().map(|((_, rank, _), _)| rank).chain(self.sent.iter().map(|(_, rank)| rank));
        let bound = pending.chain(self.bounds.first()).min().copied().unwrap_or(Rank::END);
        Report {
            worker: self.worker,
            tick,
            bound,
            registered: self.registered,
            open: self.bounds.len() as u32 - self.cut,
            held: (self.paths.len() - self.bounds.len()) as u32,
            dropped: self.dropped.len() as u32,
            rollbacks: self.rollbacks,
            wasted: self.wasted,
        }
    }

    /// Moves the conversation of a claim by the verdict on it.
    fn apply(&mut self, Verdict { rank, fingerprint, ruling }: Verdict) {
        let Some(path) = self.paths.get_mut(&rank.slot()) else { return };
        let place = (rank.turn, rank.attempt, fingerprint);
        // Not there: the claim was withdrawn meanwhile.
        let Some(at) = path.steps.iter().position(|step| (step.turn, step.attempt, step.fingerprint) == place) else {
            return;
        };
        let before = path.steps[at].won();
        if path.steps[at].ruling.as_ref() == Some(&ruling) {
            return;
        }
        assert!(rank >= self.watermark, "a final verdict changed: {rank:?} is below {:?}", self.watermark);
        if let Some(bound) = path.bound(self.retries) {
            self.bounds.remove(&bound);
        }
        let Rank { turn, attempt, .. } = rank;
        if before.is_some() {
            let calls = path.calls_after(at);
            self.rollbacks += 1;
            self.wasted += calls;
            self.observer.tell(|| {
                let [accepted, rejected] = [true, false].map(|won| path.verdicts_from(at, won));
                Event::RolledBack { slot: rank.slot(), turn, attempt, accepted, rejected, calls }
            });
            self.cut -= u32::from(path.status == Status::Cut);
            self.dropped.remove(&rank.slot());
            self.decided.extend(path.roll_back(at));
        }
        let won = ruling == Ruling::Stands;
        path.steps[at].ruling = Some(ruling);
        self.observer.tell(|| match won {
            true => Event::Accepted { slot: rank.slot(), turn, attempt },
            false => Event::Rejected { slot: rank.slot(), turn, attempt, again: path.is_asked_again(self.retries) },
        });
        self.bounds.extend(path.bound(self.retries));
        self.moves.extend(path.follow(self.retries));
    }

    /// What ranks below is final: its conversations leave.
    pub fn settle(&mut self, watermark: Rank) {
        assert!(watermark >= self.watermark, "the watermark went back: {watermark:?} after {:?}", self.watermark);
        self.watermark = watermark;
        while let Some(first) = self.paths.first_entry().filter(|first| first.get().is_final(watermark)) {
            self.dropped.remove(first.key());
            first.remove();
        }
    }

    /// Whether everything is final.
    pub fn is_settled(&self) -> bool {
        self.watermark == Rank::END
    }

    /// The changes to send at this tick; none when there is nothing to tell.
    pub fn changes(&mut self, tick: Tick) -> Option<std::vec::Drain<'_, Change>> {
        if !std::mem::take(&mut self.news) && self.decided.is_empty() {
            return None;
        }
        self.sent.extend(self.decided.iter().map(|((_, rank, _), _)| *rank).min().map(|lowest| (tick, lowest)));
        Some(self.decided.drain(..))
    }

    /// The conversations to send on.
    pub fn moves(&mut self) -> std::vec::Drain<'_, (Route, InFlight)> {
        self.moves.drain(..)
    }
}

/// The path of a conversation, if this is its present epoch.
fn current<'a>(paths: &'a mut BTreeMap<Slot, Path>, conversation: &InFlight) -> Option<&'a mut Path> {
    paths.get_mut(&conversation.slot).filter(|path| path.conversation.epoch == conversation.epoch)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
