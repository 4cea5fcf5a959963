//! Places in a run: which conversation, which turn, which attempt, and the order among them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// Position of a language in `run.target_languages`, from 0.
    LanguageIndex(u16)
}
number! {
    /// At most `run.batch_size` consecutive slots of one language, from 0.
    Wave(u32)
}
number! {
    /// A turn of a conversation, from 1, as the outputs count them.
    TurnIndex(u16)
}
number! {
    /// How often a question of this turn was asked before and rejected, from 0.
    Attempt(u16)
}
number! {
    /// A moment of the graph's logical clock: an event, not a duration.
    Tick(u64)
}

/// The place of one conversation in a run: its language, and its number among the conversations of that language.
/// Ordered by language, then number: the order in which conversations stand in the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Slot {
    /// The language of the conversation.
    pub language: LanguageIndex,
    /// Number of the conversation within its language, from 0; replacements of dropped ones count on.
    pub index: u32,
}

/// Which numbers are a run's own: every `step`th from `first` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// The lowest of them.
    pub first: u32,
    /// From one to the next; never 0.
    pub step: u32,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { first: 0, step: 1 }
    }
}

impl Numbers {
    /// The number at a position, from 0.
    pub fn at(self, position: u32) -> u32 {
        self.first.saturating_add(position.saturating_mul(self.step))
    }

    /// The position of a number that is one of them.
    pub fn position(self, number: u32) -> u32 {
        number.saturating_sub(self.first) / self.step
    }
}

/// A part of a run that is made apart from the others: of so many the one of this index, whose conversations are every `count`th.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    /// Which one, from 0; below `count`.
    pub index: u32,
    /// How many there are, 1 or more.
    pub count: u32,
}

impl Shard {
    /// How many of so many conversations it makes.
    pub fn share(self, total: u32) -> u32 {
        total / self.count + u32::from(self.index < total % self.count)
    }

    /// The numbers of its conversations and waves.
    pub fn numbers(self) -> Numbers {
        Numbers { first: self.index, step: self.count }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match parsed {
            Some((index, count)) if index < count => Ok(Self { index, count }),
            _ => {
                Err(format!("`{text}` is no shard: write I/N, such as 0/8 for the first of eight and 7/8 for the last"))
            }
        }
    }
}

/// The order of proposals in the lockstep semantics: compared field by field, from the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Rank {
    /// Languages come one after the other.
    pub language: LanguageIndex,
    /// Waves of a language come one after the other.
    pub wave: Wave,
    /// Conversations of a wave take turns together.
    pub turn: TurnIndex,
    /// Rejected questions are asked again after all questions of the round.
    pub attempt: Attempt,
    /// Within a round the lower slot is first.
    pub index: u32,
}

impl Rank {
    /// Above the rank of every question.
    pub const END: Rank = Rank::lowest(LanguageIndex(u16::MAX), Wave(u32::MAX));

    /// Below the rank of every question of this wave and above those of the waves before.
    pub const fn lowest(language: LanguageIndex, wave: Wave) -> Self {
        Rank { language, wave, turn: TurnIndex(0), attempt: Attempt(0), index: 0 }
    }

    /// The slot whose question this rank belongs to.
    pub fn slot(self) -> Slot {
        Slot { language: self.language, index: self.index }
    }
}

/// The id of a conversation in every output.
pub fn conversation_id(run_id: &str, languages: &[Arc<str>], slot: Slot) -> String {
    format!("{}-{:04}", conversation_prefix(run_id, languages, slot.language), slot.index)
}

/// What the ids of a run's conversations in one language have before their number. Conversations of two prefixes never share
/// an id.
pub fn conversation_prefix<L: AsRef<str>>(run_id: &str, languages: &[L], language: LanguageIndex) -> String {
    match languages {
        [_] => run_id.to_owned(),
        several => format!("{run_id}-{}", language_tag(several[usize::from(language.0)].as_ref())),
    }
}

/// A language's name in identifiers and file names: lower-case letters and digits of any script, all else `-`.
pub fn language_tag(language: &str) -> String {
    let dashed = language.to_lowercase().replace(|letter: char| !letter.is_alphanumeric(), "-");
    let tag = dashed.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    if tag.is_empty() { "lang".into() } else { tag }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_share_all_conversations_out() {
        for (total, count) in [(1000, 8), (5, 8), (0, 3), (7, 1)] {
            let shards = (0..count).map(|index| Shard { index, count });
            let mut numbers: Vec<_> = shards
                .flat_map(|shard| (0..shard.share(total)).map(move |position| shard.numbers().at(position)))
                .collect();
            numbers.sort_unstable();
            assert_eq!(numbers, Vec::from_iter(0..total), "{total} over {count}");
        }
        assert_eq!("7/8".parse(), Ok(Shard { index: 7, count: 8 }));
        for text in ["8/8", "0/0", "3", "-1/4", "a/b", "1/2/3", ""] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn tags_are_short_and_plain() {
        for (language, tag) in [("en", "en"), ("Pt_BR", "pt-br"), (" Saudi  Arabic ", "saudi-arabic"), ("--", "lang")] {
            assert_eq!(language_tag(language), tag);
        }
    }
}
