//! How many conversations are open, and which one opens next: the arithmetic behind `slots`.

use super::news::News;
use super::tally::{Completion, Progress, Tally};
use super::watermark::Watermark;
use crate::domain::{Attempt, Coverage, LanguageIndex, Numbers, Rank, Slot, TurnIndex, Used, Wave};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a run is to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Conversations to accept in every language.
    pub total: u32,
    /// Number of languages, each with a quota of its own.
    pub languages: u16,
    /// Conversations of a wave at most.
    pub batch_size: u32,
    /// Conversations under way at a time; at least 1. It decides how fast a run is, never what it makes.
    pub concurrency: u32,
    /// Waves from one whose end a conversation knows to its own; at least 1.
    pub lookahead: u32,
}

impl Target {
    /// Drops in a row after which a language is given up.
    fn give_up_after(self) -> u32 {
        (2 * self.batch_size).max(16)
    }

    /// Waves of a language when nothing is dropped.
    fn waves(self) -> u32 {
        self.total.div_ceil(self.batch_size)
    }

    /// The first wave of a later language that may open at the end of this wave.
    fn first_wave_after(self, (language, wave): LanguageWave) -> Option<LanguageWave> {
        let ahead = u64::from(wave.0) + u64::from(self.lookahead);
        let waves = u64::from(self.waves());
        if u64::from(wave.0) >= waves || ahead < waves {
            return None;
        }
        let later = u64::from(language.0) + ahead / waves;
        (later < u64::from(self.languages)).then(|| (LanguageIndex(later as u16), Wave((ahead % waves) as u32)))
    }
}

/// Which conversations and waves of a language are the run's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Numbering {
    /// The numbers of its conversations.
    pub slots: Numbers,
    /// The numbers of its waves.
    pub waves: Numbers,
}

/// A wave of a language; inside of [`Quota`] by its position among those of the run, outside by its number.
pub(super) type LanguageWave = (LanguageIndex, Wave);

/// A conversation to begin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    /// The slot it is opened for.
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

/// Decides which conversations there are, and which opens next, so that exactly `total` are accepted in every language.
///
/// Conversations come in waves. How many a wave has, and what they know of the others, depends on how the wave
/// `lookahead` waves before has ended, and on nothing that happens later. So replacements of dropped conversations
/// open `lookahead` waves after them; when there are less waves than that in a language, the next ones overlap with it.
#[derive(Debug, Clone)]
pub struct Quota {
    target: Target,
    /// By language.
    numbering: Vec<Numbering>,
    stopped: bool,
    tally: Tally,
    /// How many slots each language has so far. Those of [`Batch`] are positions too.
    slots: Vec<u32>,
    /// Waves that may open and have not ended; none is empty.
    waves: BTreeMap<LanguageWave, Batch>,
    /// Those of them with conversations to open.
    unopened: BTreeSet<LanguageWave>,
    /// The wave that is next to end.
    at: LanguageWave,
    coverage: Arc<Coverage>,
    /// What other processes have not been told.
    news: Vec<News>,
}

/// The conversations of a wave.
#[derive(Debug, Clone)]
struct Batch {
    slots: std::ops::Range<u32>,
    /// The next one to open.
    next: u32,
    coverage: Arc<Coverage>,
    /// Those that are settled and not counted.
    outcomes: BTreeMap<Slot, Completion>,
    /// What those that are counted used.
    used: Vec<Used>,
    /// The next one to count.
    uncounted: u32,
}

impl Quota {
    /// A quota of conversations, on top of what earlier runs covered.
    pub fn new(target: Target, coverage: Coverage) -> Self {
        let numbering = vec![Numbering::default(); usize::from(target.languages)];
        Self::numbered(target, numbering, coverage, [])
    }

    /// A quota of the conversations that have these numbers in each language, on top of what others have made for the same
    /// target. What those have used is in the coverage.
    pub fn numbered(
        target: Target,
        numbering: Vec<Numbering>,
        coverage: Coverage,
        others: impl IntoIterator<Item = Completion>,
    ) -> Self {
        let languages = usize::from(target.languages);
        let mut tally = Tally { languages: vec![Progress::default(); languages], ..Tally::default() };
        others.into_iter().for_each(|completion| tally.count(completion));
        tally.languages.iter_mut().for_each(|progress| progress.consecutive_drops = 0);
        let mut quota = Self {
            target,
            numbering,
            stopped: false,
            tally,
            slots: vec![0; languages],
            waves: BTreeMap::new(),
            unopened: BTreeSet::new(),
            at: LanguageWave::default(),
            coverage: coverage.into(),
            news: Vec::new(),
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
        self.tally.observe(homes);
    }

    /// Whether everything has ended and nothing more will open.
    pub fn is_met(&self) -> bool {
        self.at.0.0 >= self.target.languages
    }

    /// Opens nothing more. What has not opened stays wanted: a run that stops is not complete.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Takes note of conversations that were settled before, the first ones in slot order; the first that has no
    /// place here, if any: it belongs to a run with another target.
    pub fn restore(&mut self, outcomes: impl IntoIterator<Item = Completion>) -> Option<Slot> {
        for outcome in outcomes {
            let opening = self.open(0);
            if opening.is_none_or(|opening| (opening.slot, opening.wave) != (outcome.slot, outcome.wave)) {
                return Some(outcome.slot);
            }
            self.end(outcome);
            self.news.clear();
        }
        None
    }

    /// What another process must be told first.
    pub(super) fn beginning(&self) -> impl Iterator<Item = News> {
        let admitted =
            self.waves.iter().map(|(wave, batch)| News::Admitted(self.told(*wave), Some(batch.coverage.clone())));
        std::iter::once(News::Began(self.coverage.clone())).chain(admitted)
    }

    /// What there is to tell other processes since the last time.
    pub(super) fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// The first slot that is not settled, unless its language gets no more.
    pub fn due(&self) -> Slot {
        let language = self.at.0;
        let slots = self.slots.get(usize::from(language.0)).copied().unwrap_or_default();
        self.slot(language, self.waves.get(&self.at).map_or(slots, |batch| batch.uncounted))
    }

    /// The numbers of the conversations of each language.
    pub fn numbers(&self) -> Vec<Numbers> {
        self.numbering.iter().map(|numbering| numbering.slots).collect()
    }

    fn numbering(&self, language: LanguageIndex) -> Numbering {
        self.numbering.get(usize::from(language.0)).copied().unwrap_or_default()
    }

    /// The slot at a position.
    fn slot(&self, language: LanguageIndex, position: u32) -> Slot {
        Slot { language, index: self.numbering(language).slots.at(position) }
    }

    /// A wave by its number.
    fn told(&self, (language, wave): LanguageWave) -> LanguageWave {
        (language, Wave(self.numbering(language).waves.at(wave.0)))
    }

    /// The conversation of a wave that is next to open.
    fn opening(&self, place: LanguageWave) -> Option<Opening> {
        let batch = self.waves.get(&place)?;
        let (slot, (_, wave)) = (self.slot(place.0, batch.next), self.told(place));
        Some(Opening { slot, wave, coverage: batch.coverage.clone() })
    }

    /// The lowest rank of a conversation that has not opened; [`Rank::END`] when all have.
    pub fn unopened(&self) -> Rank {
        if self.is_met() {
            return Rank::END;
        }
        let (language, wave) = self.at;
        let (language, wave) = self.told((language, Wave(wave.0 + self.target.lookahead)));
        let unknown = Rank::lowest(language, wave);
        let known = self.unopened.first().and_then(|place| self.opening(*place)).map(|opening| opening.first_rank());
        known.map_or(unknown, |known| known.min(unknown))
    }

    /// The next conversation to open; none when as many are `active` as may be, or when there is none.
    pub fn open(&mut self, active: u32) -> Option<Opening> {
        if self.stopped || active >= self.target.concurrency {
            return None;
        }
        let place = *self.unopened.first()?;
        let opening = self.opening(place)?;
        let batch = self.waves.get_mut(&place)?;
        batch.next += 1;
        if batch.next == batch.slots.end {
            self.unopened.remove(&place);
        }
        self.tally.languages[usize::from(place.0.0)].opened += 1;
        Some(opening)
    }

    /// Takes note of a settled conversation.
    pub fn end(&mut self, outcome: Completion) {
        let language = outcome.slot.language;
        let wave = Wave(self.numbering(language).waves.position(outcome.wave.0));
        if let Some(batch) = self.waves.get_mut(&(language, wave)) {
            batch.outcomes.insert(outcome.slot, outcome);
        }
        self.end_waves();
    }

    /// Counts settled conversations in slot order, and ends waves in order, as far as all their conversations are settled.
    fn end_waves(&mut self) {
        while !self.is_met() {
            let (language, numbering) = (self.at.0, self.numbering(self.at.0));
            // Without a batch nobody wants more of the language, or others have made it.
            if let Some(batch) = self.waves.get_mut(&self.at) {
                let slot = |position| Slot { language, index: numbering.slots.at(position) };
                while let Some(mut outcome) = batch.outcomes.remove(&slot(batch.uncounted)) {
                    batch.used.append(&mut outcome.used);
                    batch.uncounted += 1;
                    self.tally.count(outcome);
                }
                if batch.uncounted < batch.slots.end {
                    return;
                }
            }
            let used = self.waves.remove(&self.at).map(|batch| batch.used).unwrap_or_default();
            let coverage = Arc::make_mut(&mut self.coverage);
            used.iter().for_each(|used| coverage.add(used));
            self.news.push(News::Ended(self.told(self.at), used));
            self.admit_after(self.at);
            self.at = match self.at {
                (language, _) if self.is_over() => (LanguageIndex(language.0 + 1), Wave(0)),
                (language, wave) => (language, Wave(wave.0 + 1)),
            };
        }
    }

    /// Admits the waves that waited for the end of this one.
    fn admit_after(&mut self, (language, wave): LanguageWave) {
        let progress = &mut self.tally.languages[usize::from(language.0)];
        progress.given_up |= progress.consecutive_drops >= self.target.give_up_after();
        let next = (language, Wave(wave.0 + self.target.lookahead));
        let later = self.target.first_wave_after((language, wave));
        [Some(next), later].into_iter().flatten().for_each(|place| self.admit(place));
    }

    /// Gives a wave as many conversations as are still wanted if all that are open are accepted.
    fn admit(&mut self, place: LanguageWave) {
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
            let (outcomes, used) = (BTreeMap::new(), Vec::new());
            let batch = Batch { slots: next..next + size, next, coverage, outcomes, used, uncounted: next };
            self.waves.insert(place, batch);
            self.news.push(News::Admitted(self.told(place), None));
            self.unopened.insert(place);
        }
    }

    /// Whether the language whose wave has just ended has all it will get.
    fn is_over(&self) -> bool {
        let (language, wave) = self.at;
        let progress = &self.tally.languages[usize::from(language.0)];
        let enough = progress.accepted >= self.target.total || progress.given_up;
        let of_it = (language, Wave(0))..=(language, Wave(u32::MAX));
        enough && wave.0 + 1 >= self.target.waves() && self.waves.range(of_it).next().is_none()
    }
}

impl Batch {
    fn len(&self) -> u32 {
        self.slots.len() as u32
    }
}

#[cfg(test)]
mod tests;
