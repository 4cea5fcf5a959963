//! Which questions have which mode, and which conversations which register, so that shares are met over the run and not
//! only in expectation.
//!
//! Slots of a language are planned in blocks, one after the other. At every place where it may stand a mode gains its share,
//! and where it is given a turn it loses one: whatever has gained most and may stand there is next. What takes more than one
//! turn comes first. So what was given is near its share all the time, and within one of it over a block.

use super::draw::{self, Purpose};
use super::{Options, turns};
use crate::domain::{Conversation, LanguageIndex, QuestionMode, Register, Slot};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Slots of a language that are planned together.
const BLOCK: u32 = 1000;

/// Blocks that are kept: those of the conversations under way, as far as they are near each other.
const KEPT: usize = 128;

/// What the shares give to the conversation of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Given {
    /// The mode of each turn; none where it is drawn as everywhere else.
    modes: Vec<Option<QuestionMode>>,
    /// How the person writes; none where that is left open.
    register: Option<Register>,
}

/// Blocks by language and number.
type Blocks = BTreeMap<(u16, u32), Arc<Vec<Given>>>;

/// What shares give to slots: a function of the options and the slot, of which the blocks last used are kept.
#[derive(Debug, Clone, Default)]
pub(super) struct Quotas {
    known: Arc<Mutex<Blocks>>,
}

impl Quotas {
    /// The mode that the question being asked is given; none where it is drawn as everywhere else.
    pub fn mode(&self, options: &Options, conversation: &Conversation) -> Option<QuestionMode> {
        if options.modes.is_empty() {
            return None;
        }
        let at = conversation.turns.len();
        let given = self.block(options, conversation.slot);
        let mode = *given[(conversation.slot.index % BLOCK) as usize].modes.get(at)?;
        // After a rejected question the usual modes turn to something else.
        mode.filter(|mode| conversation.round.attempt.0 == 0 || !mode.is_usual())
    }

    /// How the person of a slot writes; none where that is left open.
    pub fn register(&self, options: &Options, slot: Slot) -> Option<Register> {
        if options.style.registers.is_empty() {
            return None;
        }
        self.block(options, slot)[(slot.index % BLOCK) as usize].register
    }

    fn block(&self, options: &Options, slot: Slot) -> Arc<Vec<Given>> {
        let key = (slot.language.0, slot.index / BLOCK);
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known().get(&key).cloned();
        found.unwrap_or_else(|| {
            let made = Arc::new(made(options, slot.language, key.1));
            let mut known = known();
            if known.len() >= KEPT {
                known.pop_first();
            }
            known.entry(key).or_insert(made).clone()
        })
    }
}

/// A block from nothing.
fn made(options: &Options, language: LanguageIndex, number: u32) -> Vec<Given> {
    let stream = draw::stream(options.seed, Purpose::Quotas, &[language.0.into(), number.into()]);
    let mut block = Block {
        options,
        single: Credits::default(),
        underspecified: Credits::default(),
        sharded: Credits::default(),
        registers: Credits::default(),
        stream,
    };
    let first = number * BLOCK;
    let slots = first..first.saturating_add(BLOCK);
    let mut given: Vec<Given> = slots.map(|index| block.given(Slot { language, index })).collect();
    block.settle(&mut given);
    given
}

/// What shares have gained over what they were given; the key without a name is that of all that has no share.
#[derive(Debug)]
struct Credits<T>(BTreeMap<Option<T>, f64>);

impl<T> Default for Credits<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Ord + Copy> Credits<T> {
    /// Every share gains what it is; what has no share gains the rest.
    fn gain(&mut self, shares: impl Iterator<Item = (T, f64)>) {
        let mut rest = 1.0;
        for (key, share) in shares {
            *self.0.entry(Some(key)).or_default() += share;
            rest -= share;
        }
        *self.0.entry(None).or_default() += rest;
    }

    /// What has gained most of those that may be given, of equals any; it loses one.
    fn give(&mut self, may: impl Fn(T) -> bool, stream: &mut impl Rng) -> Option<T> {
        let able = self.0.iter().filter(|(key, _)| key.is_none_or(&may));
        let most = able.clone().map(|(_, credit)| *credit).fold(f64::NEG_INFINITY, f64::max);
        let equal: Vec<Option<T>> = able.filter(|(_, credit)| **credit > most - 1e-9).map(|(key, _)| *key).collect();
        let given = equal.get(stream.random_range(0..equal.len().max(1))).copied().flatten();
        self.lose(given);
        given
    }

    fn lose(&mut self, key: Option<T>) {
        *self.0.entry(key).or_default() -= 1.0;
    }

    /// What is given in place of what was: whatever of that which may be given has gained more than one over it, else the same.
    fn exchange(&mut self, held: Option<T>, may: impl Fn(T) -> bool) -> Option<T> {
        let credit = self.0.get(&held).copied().unwrap_or_default();
        let able = self.0.iter().filter(|(key, other)| key.is_none_or(&may) && **other > credit + 1.0 + 1e-9);
        let Some((most, _)) = able.max_by(|one, other| one.1.total_cmp(other.1)) else { return held };
        let most = *most;
        *self.0.entry(held).or_default() += 1.0;
        self.lose(most);
        most
    }
}

/// A block while it is planned.
struct Block<'a, R> {
    options: &'a Options,
    /// Of the modes that take one turn.
    single: Credits<QuestionMode>,
    /// Of the mode that takes two turns.
    underspecified: Credits<QuestionMode>,
    /// Of the mode that takes whole conversations.
    sharded: Credits<QuestionMode>,
    registers: Credits<Register>,
    stream: R,
}

impl<R: Rng> Block<'_, R> {
    fn given(&mut self, slot: Slot) -> Given {
        let count = turns::count(&self.options.turns, self.options.seed, slot);
        self.registers.gain(self.options.style.registers.iter().map(|(register, share)| (*register, *share)));
        let register = self.registers.give(|_| true, &mut self.stream);
        Given { modes: self.conversation(count), register }
    }

    fn conversation(&mut self, count: u16) -> Vec<Option<QuestionMode>> {
        let mut modes = vec![None; usize::from(count)];
        let mut order: Vec<u16> = (1..=count).collect();
        order.shuffle(&mut self.stream);
        if self.is_sharded(count) {
            modes.fill(Some(QuestionMode::Sharded));
        }
        for turn in &order {
            self.leave_open(&mut modes, *turn);
        }
        for turn in order {
            let (options, at) = (self.options, usize::from(turn) - 1);
            let may = |mode| is_possible(options, mode, turn, count);
            self.single.gain(options.modes.iter().map(|(mode, share)| (*mode, *share)).filter(|(mode, _)| may(*mode)));
            match modes[at] {
                Some(_) => self.single.lose(None),
                None => modes[at] = self.single.give(may, &mut self.stream),
            }
        }
        modes
    }

    fn is_sharded(&mut self, count: u16) -> bool {
        const MODE: QuestionMode = QuestionMode::Sharded;
        let share = self.options.modes.get(&MODE).filter(|_| count > 1 && !is_opened(self.options));
        let Some(share) = share else { return false };
        self.sharded.gain([(MODE, *share)].into_iter());
        self.sharded.give(|_| true, &mut self.stream).is_some()
    }

    /// Makes a turn underspecified, and the next one tell what it left open, where that is due and neither has a mode.
    fn leave_open(&mut self, modes: &mut [Option<QuestionMode>], turn: u16) {
        const MODE: QuestionMode = QuestionMode::Underspecified;
        let at = usize::from(turn) - 1;
        let is_opening = turn == 1 && is_opened(self.options);
        let Some(share) = self.options.modes.get(&MODE).filter(|_| at + 1 < modes.len() && !is_opening) else { return };
        self.underspecified.gain([(MODE, *share)].into_iter());
        let is_free = modes[at].is_none() && modes[at + 1].is_none();
        if self.underspecified.give(|_| is_free, &mut self.stream).is_some() {
            (modes[at], modes[at + 1]) = (Some(MODE), Some(QuestionMode::Clarification));
        }
    }

    /// Gives turns another mode, from the last one back, where what has gained more than one over what it was given may stand.
    fn settle(&mut self, given: &mut [Given]) {
        for Given { modes, .. } in given.iter_mut().rev() {
            let count = modes.len() as u16;
            for (held, turn) in modes.iter_mut().zip(1..) {
                let may = |mode| is_possible(self.options, mode, turn, count);
                if held.is_none_or(may) {
                    *held = self.single.exchange(*held, may);
                }
            }
        }
    }
}

/// Whether a question of the settings opens every conversation.
fn is_opened(options: &Options) -> bool {
    !options.question.trim().is_empty()
}

/// Whether a turn of a conversation of so many may have a mode that takes one turn, whatever the others have.
fn is_possible(options: &Options, mode: QuestionMode, turn: u16, count: u16) -> bool {
    match mode {
        QuestionMode::Sharded | QuestionMode::Underspecified | QuestionMode::Clarification => false,
        QuestionMode::Unanswerable => turn > 1 || !is_opened(options),
        _ => (2..=count).contains(&turn),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::plan::{Distribution, Style, TurnOptions, fixtures};

    fn options(modes: &[(QuestionMode, f64)], seed: u64, min: u16, max: u16) -> Options {
        let turns = TurnOptions { min, max, distribution: Distribution::Poisson, mean: None };
        Options { seed, turns, modes: modes.iter().copied().collect(), ..fixtures::options() }
    }

    /// Every new mode, and one of the old.
    const MANY: [(QuestionMode, f64); 7] = [
        (QuestionMode::Followup, 0.3),
        (QuestionMode::Unanswerable, 0.05),
        (QuestionMode::Underspecified, 0.07),
        (QuestionMode::Sharded, 0.1),
        (QuestionMode::Nonstandalone, 0.111),
        (QuestionMode::Correction, 0.04),
        (QuestionMode::Challenge, 0.025),
    ];

    /// How far a mode is from its share over the first slots, as the documentation says what a share is a share of.
    fn off(options: &Options, block: &[Given], mode: QuestionMode) -> f64 {
        let given = block.iter().flat_map(|given| &given.modes).filter(|one| **one == Some(mode)).count() as f64;
        let places: u16 = block
            .iter()
            .map(|given| {
                let count = given.modes.len() as u16;
                match mode {
                    QuestionMode::Sharded => u16::from(count > 1),
                    QuestionMode::Underspecified => count - 1,
                    _ => (1..=count).filter(|turn| is_possible(options, mode, *turn, count)).count() as u16,
                }
            })
            .sum();
        let given = match mode {
            QuestionMode::Sharded => block.iter().filter(|given| given.modes[0] == Some(mode)).count() as f64,
            _ => given,
        };
        (given - options.modes[&mode] * f64::from(places)).abs()
    }

    #[test]
    fn every_share_is_met_within_one_over_a_thousand_conversations() {
        let full = [(QuestionMode::Underspecified, 0.2), (QuestionMode::Correction, 0.3), (QuestionMode::Fresh, 0.3)];
        let bounds = [(2, 6), (1, 5), (3, 3), (2, 2), (4, 9)];
        for (seed, (min, max)) in (0..20).zip(bounds.into_iter().cycle()) {
            for modes in [&MANY[..], &[(QuestionMode::Unanswerable, 1.0)], &[(QuestionMode::Correction, 0.5)], &full] {
                let options = options(modes, seed, min, max);
                for number in [0, 7] {
                    let block = made(&options, LanguageIndex(1), number);
                    assert_eq!(block.len(), 1000);
                    for (mode, _) in modes {
                        let off = off(&options, &block, *mode);
                        assert!(off <= 1.0 + 1e-6, "{mode:?} is {off} off with seed {seed} and {min} to {max} turns");
                    }
                }
            }
        }
    }

    #[test]
    fn every_share_is_nearly_met_on_the_way() {
        let options = options(&MANY, 3, 2, 6);
        let block = made(&options, LanguageIndex(0), 0);
        for slots in 1..=block.len() {
            for (mode, _) in MANY {
                let off = off(&options, &block[..slots], mode);
                assert!(off <= 4.0, "{mode:?} is {off} off over {slots} slots");
            }
        }
    }

    #[test]
    fn modes_stand_where_they_can() {
        let options = options(&MANY, 9, 1, 5);
        let mut sharded = 0;
        for given in made(&options, LanguageIndex(0), 0) {
            let modes: Vec<_> = given.modes.iter().map(|mode| mode.unwrap_or_default()).collect();
            sharded += usize::from(modes[0] == QuestionMode::Sharded);
            if modes[0] == QuestionMode::Sharded {
                assert!(modes.len() > 1 && modes.iter().all(|mode| *mode == QuestionMode::Sharded));
                continue;
            }
            assert!(!modes.contains(&QuestionMode::Sharded) && !modes[0].goes_on(), "{modes:?}");
            assert_ne!(modes.last(), Some(&QuestionMode::Underspecified));
            for pair in modes.windows(2) {
                let clarifies = pair[1] == QuestionMode::Clarification;
                assert_eq!(pair[0] == QuestionMode::Underspecified, clarifies, "{modes:?}");
            }
        }
        assert!(sharded > 50);
    }

    #[test]
    fn no_turn_of_a_conversation_is_preferred() {
        let options = options(&[(QuestionMode::Correction, 0.5), (QuestionMode::Challenge, 0.5)], 1, 3, 3);
        let block = made(&options, LanguageIndex(0), 0);
        let corrected = block.iter().filter(|given| given.modes[1] == Some(QuestionMode::Correction)).count();
        assert!((420..580).contains(&corrected), "{corrected} of 1000 in the second turn");
    }

    #[test]
    fn registers_are_met_within_one() {
        let registers = BTreeMap::from([(Register::Terse, 0.21), (Register::Typos, 0.1), (Register::Formal, 0.333)]);
        let style = Style { registers: registers.clone(), ..Style::default() };
        let options = Options { style, ..fixtures::options() };
        let block = made(&options, LanguageIndex(0), 3);
        for (register, share) in registers {
            let given = block.iter().filter(|given| given.register == Some(register)).count() as f64;
            assert!((given - share * 1000.0).abs() <= 1.0, "{register:?}: {given}");
        }
    }

    #[test]
    fn what_is_given_depends_on_the_slot_alone() {
        let options = options(&MANY, 5, 2, 4);
        let mode = |quotas: &Quotas, index| quotas.mode(&options, &fixtures::conversation(index, 1));
        let forward = Quotas::default();
        let forward: Vec<_> = (0..3000).map(|index| mode(&forward, index)).collect();
        let backward = Quotas::default();
        let mut backward: Vec<_> = (0..3000).rev().map(|index| mode(&backward, index)).collect();
        backward.reverse();
        assert_eq!(forward, backward);
        let distinct: std::collections::BTreeSet<_> = forward.iter().collect();
        assert!(distinct.len() >= 6, "{distinct:?}");
        assert_ne!(forward[..1000], forward[1000..2000]);
        let bare = Quotas::default();
        assert_eq!(bare.mode(&fixtures::options(), &fixtures::conversation(0, 1)), None);
        assert!(bare.known.lock().unwrap().is_empty());
    }
}
