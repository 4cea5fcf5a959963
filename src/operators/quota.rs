//! How many conversations are open, and which one opens next: the arithmetic behind `slots`.

use crate::words::{Conversation, Coverage, DropReason, Ending, LanguageIndex, Slot, Used, Wave};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Waves that may be open at a time: a straggler holds back at most so many waves behind it, and with them memory.
const LOOKAHEAD: u32 = 16;

/// Drops in a row after which a language is given up.
fn patience(batch_size: u32) -> u32 {
    (2 * batch_size).max(16)
}

/// A conversation to begin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    /// Its place.
    pub slot: Slot,
    /// The wave it belongs to.
    pub wave: Wave,
    /// What settled conversations had used when its wave opened.
    pub coverage: Arc<Coverage>,
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
    active: u32,
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

/// Decides which conversation opens next, so that `total` are accepted in every language and `batch_size` are under
/// way at any time. Languages overlap: when the rest of one is under way, the next one opens.
#[derive(Debug, Clone)]
pub struct Quota {
    total: u32,
    batch_size: u32,
    patience: u32,
    stopped: bool,
    tally: Tally,
    finished: BTreeMap<Slot, Vec<Used>>,
    floor: Slot,
    coverage: Coverage,
    snapshots: BTreeMap<LanguageIndex, (Wave, Arc<Coverage>)>,
}

impl Quota {
    /// A quota of `total` conversations in each of so many languages, on top of what earlier runs covered.
    pub fn new(total: u32, languages: u16, batch_size: u32, coverage: Coverage) -> Self {
        let mut quota = Self {
            total,
            batch_size,
            patience: patience(batch_size),
            stopped: false,
            tally: Tally { languages: vec![Progress::default(); usize::from(languages)], ..Tally::default() },
            finished: BTreeMap::new(),
            floor: Slot::default(),
            coverage,
            snapshots: BTreeMap::new(),
        };
        quota.raise_floor();
        quota
    }

    /// How far the run is.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The lowest slot that is not finished, past the last language when all are.
    pub fn floor(&self) -> Slot {
        self.floor
    }

    /// Whether everything is finished and nothing more will open.
    pub fn is_met(&self) -> bool {
        usize::from(self.floor.language.0) == self.tally.languages.len()
    }

    /// Opens nothing more.
    pub fn stop(&mut self) {
        self.stopped = true;
        self.raise_floor();
    }

    /// The next conversation to open; none while all seats are taken, or when there is nothing to open.
    pub fn open(&mut self) -> Option<Opening> {
        let active: u32 = self.tally.languages.iter().map(|language| language.active).sum();
        let held = active as usize + self.finished.len();
        if active >= self.batch_size || held >= (LOOKAHEAD * self.batch_size) as usize {
            return None;
        }
        let at = (0..self.tally.languages.len()).find(|at| self.wants(*at))?;
        let language = &mut self.tally.languages[at];
        let slot = Slot { language: LanguageIndex(at as u16), index: language.opened };
        language.opened += 1;
        language.active += 1;
        let wave = slot.wave(self.batch_size);
        Some(Opening { slot, wave, coverage: self.snapshot(slot.language, wave) })
    }

    /// Takes note of a finished conversation.
    pub fn end(&mut self, outcome: Outcome) {
        let language = &mut self.tally.languages[usize::from(outcome.slot.language.0)];
        language.active -= 1;
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
        self.finished.insert(outcome.slot, outcome.used);
        self.raise_floor();
    }

    /// The languages that fell short.
    pub fn shortfalls(total: u32, batch_size: u32, tally: &Tally) -> Vec<Shortfall> {
        let patience = patience(batch_size);
        let short = |(at, language): (usize, &Progress)| {
            (language.accepted < total).then_some(Shortfall {
                language: LanguageIndex(at as u16),
                accepted: language.accepted,
                dropped: language.dropped,
                drought: if language.drought >= patience { language.drought } else { 0 },
            })
        };
        tally.languages.iter().enumerate().filter_map(short).collect()
    }

    fn wants(&self, at: usize) -> bool {
        let language = &self.tally.languages[at];
        !self.stopped && language.drought < self.patience && language.accepted + language.active < self.total
    }

    fn snapshot(&mut self, language: LanguageIndex, wave: Wave) -> Arc<Coverage> {
        match self.snapshots.get(&language) {
            Some((of, snapshot)) if *of == wave => snapshot.clone(),
            _ => {
                let snapshot = Arc::new(self.coverage.clone());
                self.snapshots.insert(language, (wave, snapshot.clone()));
                snapshot
            }
        }
    }

    fn raise_floor(&mut self) {
        while let Some(language) = self.tally.languages.get(usize::from(self.floor.language.0)) {
            if let Some(used) = self.finished.remove(&self.floor) {
                used.iter().for_each(|used| self.coverage.add(used));
                self.floor.index += 1;
            } else if language.active == 0
                && self.floor.index == language.opened
                && !self.wants(usize::from(self.floor.language.0))
            {
                self.floor = Slot { language: LanguageIndex(self.floor.language.0 + 1), index: 0 };
            } else {
                return;
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn outcome(slot: Slot, fate: Fate) -> Outcome {
        Outcome { slot, fate, used: vec![], duplicates: 0 }
    }

    fn dropped() -> Fate {
        Fate::Dropped { reason: "dedup_exhausted".into(), detail: String::new() }
    }

    #[test]
    fn replaces_what_is_dropped_until_the_total_is_accepted() {
        let mut quota = Quota::new(5, 2, 3, Coverage::default());
        let mut open: Vec<Slot> = Vec::new();
        let mut ended = 0;
        while !quota.is_met() {
            open.extend(std::iter::from_fn(|| quota.open()).map(|opening| opening.slot));
            assert!(open.len() <= 3 && !open.is_empty());
            let slot = open.swap_remove(ended % open.len());
            ended += 1;
            quota.end(outcome(slot, if ended % 3 == 0 { dropped() } else { Fate::Accepted }));
        }
        assert_eq!(quota.tally().languages.iter().map(|language| language.accepted).collect::<Vec<_>>(), [5, 5]);
        assert_eq!(quota.tally().dropped(), ended as u32 - 10);
        assert_eq!(quota.floor(), Slot { language: LanguageIndex(2), index: 0 });
        assert!(Quota::shortfalls(5, 3, quota.tally()).is_empty());
    }

    #[test]
    fn gives_a_language_up_after_a_drought_and_goes_on_with_the_next() {
        let mut quota = Quota::new(4, 2, 1, Coverage::default());
        while let Some(opening) = quota.open() {
            let fate = if opening.slot.language.0 == 0 { dropped() } else { Fate::Accepted };
            quota.end(outcome(opening.slot, fate));
        }
        assert!(quota.is_met());
        let shortfall = Shortfall { language: LanguageIndex(0), accepted: 0, dropped: 16, drought: 16 };
        assert_eq!(Quota::shortfalls(4, 1, quota.tally()), [shortfall]);
        assert_eq!(quota.tally().languages[1].accepted, 4);
    }

    #[test]
    fn the_floor_waits_for_the_lowest_slot_and_the_window_for_the_floor() {
        let mut quota = Quota::new(1000, 1, 2, Coverage::default());
        let straggler = quota.open().map(|opening| opening.slot).unwrap();
        let mut others = 0;
        while let Some(opening) = quota.open() {
            quota.end(outcome(opening.slot, Fate::Accepted));
            others += 1;
        }
        assert_eq!((others, quota.floor()), (LOOKAHEAD * 2 - 1, straggler));
        quota.end(outcome(straggler, Fate::Accepted));
        assert_eq!(quota.floor().index, LOOKAHEAD * 2);
        assert!(quota.open().is_some());
    }

    #[test]
    fn a_stop_opens_nothing_more_and_ends_when_the_last_flight_has_landed() {
        let mut quota = Quota::new(10, 2, 2, Coverage::default());
        let slots: Vec<Slot> = std::iter::from_fn(|| quota.open()).map(|opening| opening.slot).collect();
        quota.stop();
        assert!(quota.open().is_none() && !quota.is_met());
        for slot in slots {
            quota.end(outcome(slot, Fate::Interrupted));
        }
        assert!(quota.is_met());
        assert_eq!(quota.tally().interrupted, 2);
    }

    #[test]
    fn a_wave_sees_one_snapshot_of_what_was_settled_when_it_opened() {
        let used = |question: &str| Used { chunk: None, source: None, question: question.into(), seed: None };
        let mut quota = Quota::new(4, 1, 2, Coverage::default());
        let first = quota.open().unwrap();
        let end = |opening: &Opening, question| Outcome {
            used: vec![used(question)],
            ..outcome(opening.slot, Fate::Accepted)
        };
        quota.end(end(&first, "one?"));
        let second = quota.open().unwrap();
        assert!(second.coverage.recent.is_empty(), "same wave, same snapshot");
        let third = quota.open().unwrap();
        assert_eq!(third.coverage.recent, ["one?".into()]);
    }
}
