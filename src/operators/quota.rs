//! How many conversations are open, and which one opens next: the arithmetic behind `slots`.

use super::watermark::Watermark;
use crate::words::{
    Attempt, Conversation, Coverage, DropReason, Ending, LanguageIndex, Rank, Slot, TurnIndex, Used, Wave,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a run is to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Conversations to accept in every language.
    pub total: u32,
    /// How many languages.
    pub languages: u16,
    /// Conversations under way at a time, and of a wave at most.
    pub batch_size: u32,
    /// Waves from one whose end a conversation knows to its own; at least 1.
    pub lookahead: u32,
}

impl Target {
    /// Drops in a row after which a language is given up.
    fn patience(self) -> u32 {
        (2 * self.batch_size).max(16)
    }

    /// Waves of a language when nothing is dropped.
    fn waves(self) -> u32 {
        self.total.div_ceil(self.batch_size)
    }

    /// The first wave of a later language that may open at the end of this wave.
    fn first_wave_after(self, (language, wave): Place) -> Option<Place> {
        let ahead = u64::from(wave.0) + u64::from(self.lookahead);
        let waves = u64::from(self.waves());
        if u64::from(wave.0) >= waves || ahead < waves {
            return None;
        }
        let later = u64::from(language.0) + ahead / waves;
        (later < u64::from(self.languages)).then(|| (LanguageIndex(later as u16), Wave((ahead % waves) as u32)))
    }
}

/// A wave of a language.
type Place = (LanguageIndex, Wave);

/// A conversation to begin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    /// Its place.
    pub slot: Slot,
    /// The wave it belongs to.
    pub wave: Wave,
    /// What was used as of the end of the wave `lookahead` waves before its own.
    pub coverage: Arc<Coverage>,
}

impl Opening {
    /// Rank of its first question.
    pub fn first_rank(&self) -> Rank {
        let Slot { language, index } = self.slot;
        Rank { language, wave: self.wave, turn: TurnIndex(1), attempt: Attempt(0), index }
    }
}

/// What became of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// It counts.
    Accepted,
    /// It does not; a replacement is due.
    Dropped {
        /// The `drop_reason` of the outputs.
        reason: String,
        /// What happened, for people.
        detail: String,
    },
    /// The run stopped before it was complete.
    Interrupted,
}

/// The end of a conversation, as the quota sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its place.
    pub slot: Slot,
    /// The wave it belongs to.
    pub wave: Wave,
    /// What became of it.
    pub fate: Fate,
    /// What its accepted questions used.
    pub used: Vec<Used>,
    /// Questions of it that were rejected as duplicates.
    pub duplicates: u32,
}

impl From<&Conversation> for Outcome {
    fn from(conversation: &Conversation) -> Self {
        let fate = match &conversation.ending {
            Some(Ending::Completed) => Fate::Accepted,
            Some(Ending::Dropped(reason)) => {
                let detail = match reason {
                    DropReason::DedupExhausted => "every attempt at a question was a duplicate".into(),
                    DropReason::Failed(failure) => failure.to_string(),
                };
                Fate::Dropped { reason: reason.as_str().into(), detail }
            }
            Some(Ending::Interrupted) | None => Fate::Interrupted,
        };
        Self {
            slot: conversation.slot,
            wave: conversation.wave,
            fate,
            used: conversation.turns.iter().map(|turn| turn.question.used.clone()).collect(),
            duplicates: conversation.duplicates(),
        }
    }
}

/// How far a language is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// Conversations accepted.
    pub accepted: u32,
    /// Conversations dropped.
    pub dropped: u32,
    /// Conversations opened.
    pub opened: u32,
    /// Drops since the last acceptance.
    drought: u32,
    given_up: bool,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// By language, in order.
    pub languages: Vec<Progress>,
    /// Questions rejected as duplicates.
    pub duplicates: u64,
    /// Conversations that the run's stop cut short.
    pub interrupted: u32,
    /// Drops by reason.
    pub drops: BTreeMap<String, u32>,
    /// What happened to the conversation dropped last.
    pub last_drop: Option<String>,
    /// Conversations that have ended and wait for the watermark.
    pub held: u32,
    /// The most of them at a time: how far the run was ahead of its watermark.
    pub lag: u32,
    /// Verdicts that changed.
    pub rollbacks: u64,
    /// Model calls that came to nothing by it.
    pub wasted: u64,
}

impl Tally {
    /// Conversations accepted in all languages.
    pub fn accepted(&self) -> u32 {
        self.languages.iter().map(|language| language.accepted).sum()
    }

    /// Conversations dropped in all languages.
    pub fn dropped(&self) -> u32 {
        self.languages.iter().map(|language| language.dropped).sum()
    }
}

/// A language that could not be completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortfall {
    /// Which.
    pub language: LanguageIndex,
    /// Conversations accepted.
    pub accepted: u32,
    /// Conversations dropped.
    pub dropped: u32,
    /// Drops in a row after which it was given up; 0 when it was not given up.
    pub drought: u32,
}

/// Decides which conversations there are, and which opens next, so that exactly `total` are accepted in every language.
///
/// Conversations come in waves. How many a wave has, and what they know of the others, depends on how the wave
/// `lookahead` waves before has ended, and on nothing that happens later. So replacements of dropped conversations
/// open `lookahead` waves after them; when there are less waves than that in a language, the next ones overlap with it.
#[derive(Debug, Clone)]
pub struct Quota {
    target: Target,
    stopped: bool,
    tally: Tally,
    /// Slots of each language so far.
    slots: Vec<u32>,
    /// Waves that may open and have not ended; none is empty.
    waves: BTreeMap<Place, Batch>,
    /// Those of them with conversations to open.
    unopened: BTreeSet<Place>,
    /// The wave that is next to end.
    at: Place,
    coverage: Arc<Coverage>,
}

/// The conversations of a wave.
#[derive(Debug, Clone)]
struct Batch {
    slots: std::ops::Range<u32>,
    /// The next one to open.
    next: u32,
    coverage: Arc<Coverage>,
    outcomes: BTreeMap<Slot, Outcome>,
}

impl Quota {
    /// A quota of conversations, on top of what earlier runs covered.
    pub fn new(target: Target, coverage: Coverage) -> Self {
        let languages = usize::from(target.languages);
        let mut quota = Self {
            target,
            stopped: false,
            tally: Tally { languages: vec![Progress::default(); languages], ..Tally::default() },
            slots: vec![0; languages],
            waves: BTreeMap::new(),
            unopened: BTreeSet::new(),
            at: Place::default(),
            coverage: coverage.into(),
        };
        let waves = (0..target.languages).flat_map(|language| (0..target.waves()).map(move |wave| (language, wave)));
        for (language, wave) in waves.take(target.lookahead as usize) {
            quota.admit((LanguageIndex(language), Wave(wave)));
        }
        quota.end_waves();
        quota
    }

    /// How far the run is.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Takes note of how far the homes are ahead.
    pub fn observe(&mut self, homes: &Watermark) {
        let tally = &mut self.tally;
        tally.held = homes.reports().map(|report| report.held).sum();
        tally.lag = tally.lag.max(tally.held);
        tally.rollbacks = homes.reports().map(|report| report.rollbacks).sum();
        tally.wasted = homes.reports().map(|report| report.wasted).sum();
    }

    /// Whether everything has ended and nothing more will open.
    pub fn is_met(&self) -> bool {
        self.at.0.0 >= self.target.languages
    }

    /// Opens nothing more.
    pub fn stop(&mut self) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        for place in std::mem::take(&mut self.unopened) {
            if let Some(batch) = self.waves.get_mut(&place) {
                batch.slots.end = batch.next;
            }
        }
        self.waves.retain(|_, batch| !batch.slots.is_empty());
        self.end_waves();
    }

    /// The lowest rank of a conversation that has not opened; [`Rank::END`] when all have.
    pub fn unopened(&self) -> Rank {
        if self.is_met() || self.stopped {
            return Rank::END;
        }
        let (language, wave) = self.at;
        let unknown = Rank::lowest(language, Wave(wave.0 + self.target.lookahead));
        let known = self.unopened.first().map(|place| self.waves[place].opening(*place).first_rank());
        known.map_or(unknown, |known| known.min(unknown))
    }

    /// The next conversation to open; none when so many are `active` that all seats are taken, or when there is none.
    pub fn open(&mut self, active: u32) -> Option<Opening> {
        if active >= self.target.batch_size {
            return None;
        }
        let place = *self.unopened.first()?;
        let batch = self.waves.get_mut(&place)?;
        let opening = batch.opening(place);
        batch.next += 1;
        if batch.next == batch.slots.end {
            self.unopened.remove(&place);
        }
        self.tally.languages[usize::from(place.0.0)].opened += 1;
        Some(opening)
    }

    /// Takes note of a settled conversation.
    pub fn end(&mut self, outcome: Outcome) {
        if let Some(batch) = self.waves.get_mut(&(outcome.slot.language, outcome.wave)) {
            batch.outcomes.insert(outcome.slot, outcome);
        }
        self.end_waves();
    }

    /// The languages that fell short of so many conversations.
    pub fn shortfalls(total: u32, tally: &Tally) -> Vec<Shortfall> {
        let short = |(at, language): (usize, &Progress)| {
            (language.accepted < total).then_some(Shortfall {
                language: LanguageIndex(at as u16),
                accepted: language.accepted,
                dropped: language.dropped,
                drought: if language.given_up { language.drought } else { 0 },
            })
        };
        tally.languages.iter().enumerate().filter_map(short).collect()
    }

    /// Ends waves in order, as far as all their conversations are settled.
    fn end_waves(&mut self) {
        while !self.is_met() {
            let admitted = self.at.1.0 >= self.target.waves().min(self.target.lookahead) || self.stopped;
            match self.waves.get(&self.at) {
                Some(batch) if batch.outcomes.len() < batch.slots.len() => return,
                None if !admitted => return,
                _ => {}
            }
            let outcomes = self.waves.remove(&self.at).map(|batch| batch.outcomes).unwrap_or_default();
            outcomes.into_values().for_each(|outcome| self.count(outcome));
            self.admit_after(self.at);
            self.at = match self.at {
                (language, _) if self.is_over() => (LanguageIndex(language.0 + 1), Wave(0)),
                (language, wave) => (language, Wave(wave.0 + 1)),
            };
        }
    }

    fn count(&mut self, outcome: Outcome) {
        let language = &mut self.tally.languages[usize::from(outcome.slot.language.0)];
        match outcome.fate {
            Fate::Accepted => {
                language.accepted += 1;
                language.drought = 0;
            }
            Fate::Dropped { reason, detail } => {
                language.dropped += 1;
                language.drought += 1;
                *self.tally.drops.entry(reason).or_default() += 1;
                self.tally.last_drop = Some(detail);
            }
            Fate::Interrupted => self.tally.interrupted += 1,
        }
        self.tally.duplicates += u64::from(outcome.duplicates);
        let coverage = Arc::make_mut(&mut self.coverage);
        outcome.used.iter().for_each(|used| coverage.add(used));
    }

    /// Admits the waves that waited for the end of this one.
    fn admit_after(&mut self, (language, wave): Place) {
        let progress = &mut self.tally.languages[usize::from(language.0)];
        progress.given_up |= progress.drought >= self.target.patience();
        if self.stopped {
            return;
        }
        let next = (language, Wave(wave.0 + self.target.lookahead));
        let later = self.target.first_wave_after((language, wave));
        [Some(next), later].into_iter().flatten().for_each(|place| self.admit(place));
    }

    /// Gives a wave as many conversations as are still wanted if all that are open are accepted.
    fn admit(&mut self, place: Place) {
        let language = usize::from(place.0.0);
        let progress = &self.tally.languages[language];
        let open: u32 =
            self.waves.range((place.0, Wave(0))..=(place.0, Wave(u32::MAX))).map(|(_, batch)| batch.len()).sum();
        let wanted = if progress.given_up { 0 } else { self.target.total.saturating_sub(progress.accepted + open) };
        let size = wanted.min(self.target.batch_size);
        if size > 0 {
            let next = self.slots[language];
            self.slots[language] += size;
            let coverage = self.coverage.clone();
            let batch = Batch { slots: next..next + size, next, coverage, outcomes: BTreeMap::new() };
            self.waves.insert(place, batch);
            self.unopened.insert(place);
        }
    }

    /// Whether the language whose wave has just ended has all it will get.
    fn is_over(&self) -> bool {
        let (language, wave) = self.at;
        let progress = &self.tally.languages[usize::from(language.0)];
        let enough = progress.accepted >= self.target.total || progress.given_up || self.stopped;
        let of_it = (language, Wave(0))..=(language, Wave(u32::MAX));
        enough && wave.0 + 1 >= self.target.waves() && self.waves.range(of_it).next().is_none()
    }
}

impl Batch {
    fn len(&self) -> u32 {
        self.slots.len() as u32
    }

    fn opening(&self, (language, wave): Place) -> Opening {
        Opening { slot: Slot { language, index: self.next }, wave, coverage: self.coverage.clone() }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const TARGET: Target = Target { total: 5, languages: 2, batch_size: 3, lookahead: 2 };

    fn quota(target: Target) -> Quota {
        Quota::new(target, Coverage::default())
    }

    fn outcome(opening: &Opening, fate: Fate) -> Outcome {
        Outcome { slot: opening.slot, wave: opening.wave, fate, used: vec![], duplicates: 0 }
    }

    fn dropped() -> Fate {
        Fate::Dropped { reason: "dedup_exhausted".into(), detail: String::new() }
    }

    fn all(quota: &mut Quota) -> Vec<Opening> {
        std::iter::from_fn(|| quota.open(0)).collect()
    }

    /// Ends the conversations of a quota, all that can be open at a time, in an order of its own; what came of each slot,
    /// with its wave and the questions known when it opened.
    fn run(target: Target, order: usize, fate: impl Fn(Slot) -> Fate) -> (Quota, BTreeMap<Slot, (Wave, usize)>) {
        let (mut quota, mut open, mut opened) = (quota(target), Vec::new(), BTreeMap::new());
        let mut number = 0;
        while !quota.is_met() {
            open.extend(all(&mut quota));
            let mut lowest = quota.unopened();
            let opening: Opening = open.swap_remove((order * number + number / 3) % open.len());
            number += 1;
            let used =
                vec![Used { chunk: None, source: None, question: "q".into(), seed: Some(("t".into(), "q".into())) }];
            opened.insert(
                opening.slot,
                (opening.wave, opening.coverage.seed_topics.get("t").copied().unwrap_or(0) as usize),
            );
            quota.end(Outcome { used, ..outcome(&opening, fate(opening.slot)) });
            assert!(quota.unopened() >= lowest, "what is not open yet never comes before what is");
            lowest = quota.unopened();
            assert!(open.iter().all(|opening| !all(&mut quota.clone()).contains(opening)), "{lowest:?}");
        }
        (quota, opened)
    }

    #[test]
    fn replaces_what_is_dropped_until_the_total_is_accepted() {
        let fate = |slot: Slot| if slot.index % 3 == 1 { dropped() } else { Fate::Accepted };
        let (quota, opened) = run(TARGET, 0, fate);
        assert_eq!(quota.tally().languages.iter().map(|language| language.accepted).collect::<Vec<_>>(), [5, 5]);
        assert_eq!(quota.tally().dropped() as usize, opened.len() - 10);
        assert_eq!(quota.unopened(), Rank::END);
        assert!(Quota::shortfalls(5, quota.tally()).is_empty());
    }

    #[test]
    fn which_conversations_there_are_and_what_they_know_does_not_depend_on_the_order_of_their_ends() {
        let fate =
            |slot: Slot| if (slot.index * 7 + u32::from(slot.language.0)) % 5 < 2 { dropped() } else { Fate::Accepted };
        for (batch_size, lookahead) in [(1, 1), (3, 2), (2, 16), (4, 3), (16, 1)] {
            let target = Target { total: 9, languages: 3, batch_size, lookahead };
            let (quota, opened) = run(target, 0, fate);
            for order in 1..20 {
                let (other, also) = run(target, order, fate);
                assert_eq!((other.tally(), &also), (quota.tally(), &opened), "{target:?}");
            }
        }
    }

    #[test]
    fn waves_open_and_know_by_the_wave_one_lookahead_before() {
        let mut quota = quota(Target { total: 9, languages: 2, batch_size: 3, lookahead: 2 });
        let place = |opening: &Opening| (opening.slot.language.0, opening.wave.0, opening.slot.index);
        let first = all(&mut quota);
        assert_eq!(
            first.iter().map(place).collect::<Vec<_>>(),
            [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 3), (0, 1, 4), (0, 1, 5)]
        );
        assert_eq!(quota.unopened(), Rank::lowest(LanguageIndex(0), Wave(2)));
        quota.end(outcome(&first[1], dropped()));
        quota.end(outcome(&first[0], Fate::Accepted));
        assert!(quota.open(0).is_none(), "the first wave has not ended");
        quota.end(outcome(&first[2], Fate::Accepted));
        let third = all(&mut quota);
        assert_eq!(third.iter().map(place).collect::<Vec<_>>(), [(0, 2, 6), (0, 2, 7), (0, 2, 8)]);
        first[3..].iter().for_each(|opening| quota.end(outcome(opening, Fate::Accepted)));
        let fourth = all(&mut quota);
        assert_eq!(
            fourth.iter().map(place).collect::<Vec<_>>(),
            [(0, 3, 9), (1, 0, 0), (1, 0, 1), (1, 0, 2)],
            "a replacement, and the next language"
        );
    }

    #[test]
    fn gives_a_language_up_after_a_drought_and_goes_on_with_the_next() {
        let fate = |slot: Slot| if slot.language.0 == 0 { dropped() } else { Fate::Accepted };
        let (quota, opened) = run(Target { total: 4, languages: 2, batch_size: 1, lookahead: 1 }, 0, fate);
        let shortfall = Shortfall { language: LanguageIndex(0), accepted: 0, dropped: 16, drought: 16 };
        assert_eq!(Quota::shortfalls(4, quota.tally()), [shortfall]);
        assert_eq!((quota.tally().languages[1].accepted, opened.len()), (4, 20));
    }

    #[test]
    fn opens_no_more_than_there_are_seats() {
        let mut quota = quota(TARGET);
        assert!(quota.open(3).is_none() && quota.open(2).is_some());
    }

    #[test]
    fn a_stop_opens_nothing_more_and_ends_when_the_last_flight_has_landed() {
        let mut quota = quota(Target { total: 10, batch_size: 2, ..TARGET });
        let open = [quota.open(0), quota.open(1), quota.open(0)].map(Option::unwrap);
        quota.stop();
        assert!(quota.open(0).is_none() && !quota.is_met());
        assert_eq!(quota.unopened(), Rank::END);
        open.iter().for_each(|opening| quota.end(outcome(opening, Fate::Interrupted)));
        assert!(quota.is_met());
        assert_eq!(quota.tally().interrupted, 3);
    }
}
