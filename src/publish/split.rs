//! Splits of a dataset: which conversations are trained on, and which are kept apart to validate or test.
//!
//! Where a conversation belongs follows from names and shares alone, by a hash, and from nothing that an export counts: documents
//! and conversations that come later move none that are there. A larger share takes more, and gives nothing back but to a split
//! whose name comes earlier in the alphabet.

use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// By what conversations are split.
///
/// A conversation is shown many documents. Of 1,000 conversations of two to four turns over 634 pages, seven pages to a conversation,
/// these were in each split:
///
/// | shares | by | train | validation | test | left out |
/// |---|---|---|---|---|---|
/// | 0.9, 0.05, 0.05 | documents | 438 | 0 | 3 | 559 |
/// | | documents held out | 438 | 120 | 442 | 0 |
/// | | conversations | 914 | 45 | 41 | 0 |
/// | 0.98, 0.01, 0.01 | documents | 688 | 0 | 1 | 311 |
/// | | documents held out | 688 | 18 | 294 | 0 |
/// | | conversations | 983 | 9 | 8 | 0 |
///
/// No rule that looks at one conversation at a time leaves fewer out with every document in one split: a conversation of one document
/// says where that document is, and one of two splits' documents can be in neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SplitBy {
    /// By the documents and pages that the assistant was shown: none was shown in two splits, and a conversation that was shown some
    /// of different splits is left out. Shares are of documents.
    #[default]
    Document,
    /// By the documents too, but a conversation that was shown some of different splits is in that which is named last, and nothing
    /// is left out: a document that belongs to a split was shown in none of those named before it. Each conversation of a later
    /// split was shown one document at least that no earlier split has seen; its others may have been shown there too. Shares are of
    /// documents; those of conversations are larger for splits named later.
    HeldOut,
    /// By the conversation itself: a document may have been shown in any split. Shares are of conversations.
    Conversation,
}

/// Where a conversation belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assigned {
    /// To the split of this number, in the order of [`Split::names`].
    Split(usize),
    /// Nowhere: it was shown documents of different splits.
    LeftOut,
}

/// Splits by name, each with its share.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    by: SplitBy,
    names: Vec<String>,
    /// Where the share of a split ends, as a part of one, in the order of names in the alphabet, and the split's number.
    ends: Vec<(f64, usize)>,
}

/// What is wrong with the text of a split.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SplitError {
    /// A part is not a name and a share.
    #[error("read the split `{0}`: write a name and a share, such as `test=0.05`")]
    Part(String),
    /// A name can't be one of a split.
    #[error("read the split `{0}`: its name has to be of a-z, 0-9 and _")]
    Name(String),
    /// A name occurs twice.
    #[error("read the split `{0}`: its name occurs twice; give each its own")]
    Twice(String),
    /// A share is no part of one.
    #[error("read the split `{0}`: its share has to be above 0 and at most 1")]
    Share(String),
    /// The shares do not make one together.
    #[error("read the splits: their shares make {0} together; they have to make 1")]
    Sum(f64),
    /// There are too many.
    #[error("read the splits: there are {0}; at most {most} are possible", most = Split::MOST)]
    Many(usize),
}

/// What the hashes begin with. The values are arbitrary and must not change, or else every dataset would be split anew.
const DOCUMENTS: u64 = 0x646f_6375_6d65_6e74;
const CONVERSATIONS: u64 = 0x636f_6e76_6572_7361;

impl Split {
    /// The most splits there may be.
    pub const MOST: usize = 16;

    /// The splits that a text such as `train=0.9,validation=0.05,test=0.05` tells, with shares that make 1 together.
    ///
    /// ```
    /// # use dlgforge::publish::split::{Split, SplitBy};
    /// let split = Split::parse("train=0.9,validation=0.05,test=0.05", SplitBy::Document).unwrap();
    /// assert_eq!(split.names().collect::<Vec<_>>(), ["train", "validation", "test"]);
    /// assert!(Split::parse("train=0.9,test=0.2", SplitBy::Document).is_err());
    /// ```
    pub fn parse(text: &str, by: SplitBy) -> Result<Self, SplitError> {
        const NEARLY: f64 = 1e-9;
        let parts = text.split(',').map(part).collect::<Result<Vec<_>, _>>()?;
        if parts.len() > Self::MOST {
            return Err(SplitError::Many(parts.len()));
        }
        let mut order: Vec<usize> = (0..parts.len()).collect();
        order.sort_by_key(|index| parts[*index].0);
        if let Some(two) = order.windows(2).find(|two| parts[two[0]].0 == parts[two[1]].0) {
            return Err(SplitError::Twice(parts[two[0]].0.to_owned()));
        }
        let mut end = 0.0;
        let mut ends = Vec::new();
        for index in order {
            end += parts[index].1;
            ends.push((end, index));
        }
        if (end - 1.0).abs() > NEARLY {
            return Err(SplitError::Sum(end));
        }
        Ok(Self { by, names: parts.into_iter().map(|(name, _)| name.to_owned()).collect(), ends })
    }

    /// The names of the splits, in the order of the text.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Where a conversation of this id belongs that was shown these documents, once each or more often. By documents, one that
    /// was shown none goes by its id.
    pub fn assign<'a>(&self, id: &str, documents: impl IntoIterator<Item = &'a str>) -> Assigned {
        let mut splits = documents.into_iter().map(|document| self.of(document, DOCUMENTS));
        match splits.next().filter(|_| self.by != SplitBy::Conversation) {
            None => Assigned::Split(self.of(id, CONVERSATIONS)),
            Some(split) if self.by == SplitBy::HeldOut => Assigned::Split(splits.fold(split, usize::max)),
            Some(split) if splits.all(|other| other == split) => Assigned::Split(split),
            Some(_) => Assigned::LeftOut,
        }
    }

    /// The split that a name's hash falls into.
    fn of(&self, name: &str, seed: u64) -> usize {
        // The 53 bits that a float holds.
        let place = (xxh3_64_with_seed(name.as_bytes(), seed) >> 11) as f64 / (1_u64 << 53) as f64;
        let within = self.ends.iter().find(|(end, _)| place < *end);
        // The shares may end a rounding below one.
        within.or(self.ends.last()).map_or(0, |(_, split)| *split)
    }
}

fn part(text: &str) -> Result<(&str, f64), SplitError> {
    let text = text.trim();
    let (name, share) = text.split_once('=').ok_or_else(|| SplitError::Part(text.to_owned()))?;
    let (name, share) = (name.trim(), share.trim());
    // Readers of the Hub take no other names of splits.
    let fits = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_';
    if name.is_empty() || !name.chars().all(fits) {
        return Err(SplitError::Name(text.to_owned()));
    }
    let part = |share: &f64| *share > 0.0 && *share <= 1.0;
    let share = share.parse().ok().filter(part).ok_or_else(|| SplitError::Share(text.to_owned()))?;
    Ok((name, share))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    const USUAL: &str = "train=0.9,validation=0.05,test=0.05";

    /// Where a conversation belongs that was shown the documents of these numbers.
    fn assigned(split: &Split, id: &str, documents: &[usize]) -> Assigned {
        let name = |number: &usize| match number % 3 {
            0 => format!("fr/été-{number}.md"),
            1 => format!("ar/وثيقة-{number}.md"),
            _ => format!("https://docs.example/{number}"),
        };
        let names: Vec<_> = documents.iter().map(name).collect();
        split.assign(id, names.iter().map(String::as_str))
    }

    fn split(text: &str) -> Split {
        Split::parse(text, SplitBy::Document).unwrap()
    }

    #[test]
    fn shares_are_read() {
        let told = split(" train = 0.9 , test=1e-1");
        assert_eq!(told.names().collect::<Vec<_>>(), ["train", "test"]);
        assert_eq!(split(&(0..10).map(|at| format!("s{at}=0.1")).collect::<Vec<_>>().join(",")).names().count(), 10);
        assert_eq!(assigned(&split("all=1"), "c", &[1, 2, 3]), Assigned::Split(0));
    }

    #[test]
    fn what_can_not_be_is_refused() {
        for (text, says) in [
            ("", "read the split ``: write a name and a share, such as `test=0.05`"),
            ("train=0.9,test", "read the split `test`: write a name and a share, such as `test=0.05`"),
            ("train=0.9,", "read the split ``: write a name and a share, such as `test=0.05`"),
            ("Train=1", "read the split `Train=1`: its name has to be of a-z, 0-9 and _"),
            ("test-a=1", "read the split `test-a=1`: its name has to be of a-z, 0-9 and _"),
            ("=1", "read the split `=1`: its name has to be of a-z, 0-9 and _"),
            ("a=0.5,a=0.5", "read the split `a`: its name occurs twice; give each its own"),
            ("a=0,b=1", "read the split `a=0`: its share has to be above 0 and at most 1"),
            ("a=90%", "read the split `a=90%`: its share has to be above 0 and at most 1"),
            ("a=nan", "read the split `a=nan`: its share has to be above 0 and at most 1"),
            ("a=0.5,b=0.25", "read the splits: their shares make 0.75 together; they have to make 1"),
        ] {
            assert_eq!(Split::parse(text, SplitBy::Document).unwrap_err().to_string(), says, "{text}");
        }
        let many = (0..17).map(|at| format!("s{at}=0.05")).collect::<Vec<_>>().join(",");
        assert_eq!(Split::parse(&many, SplitBy::Document), Err(SplitError::Many(17)));
    }

    #[test]
    fn names_fall_where_they_always_fell() {
        let of = |by, shown: fn(usize) -> Vec<usize>| -> Vec<_> {
            let split = Split::parse(USUAL, by).unwrap();
            let told = (0..60).map(|at| (at, assigned(&split, &format!("c{at}"), &shown(at))));
            told.filter(|(_, assigned)| *assigned != Assigned::Split(0)).collect()
        };
        let [one, two] = [1, 2].map(Assigned::Split);
        let ids = [(5, two), (7, one), (11, one), (20, one), (32, two), (33, two), (42, two), (48, one), (49, one)];
        let documents = [(7, one), (12, one), (13, one), (26, one), (27, one), (30, two), (42, one)];
        assert_eq!(of(SplitBy::Conversation, |at| vec![at]), ids);
        assert_eq!(of(SplitBy::Document, |at| vec![at, at]), documents);
        assert_eq!(of(SplitBy::Document, |_| vec![]), ids, "what was shown nothing");
    }

    #[test]
    fn shares_are_near_what_was_asked() {
        const NAMES: usize = 20_000;
        for by in [SplitBy::Document, SplitBy::Conversation] {
            let split = Split::parse(USUAL, by).unwrap();
            let mut counts = [0_f64; 3];
            for name in 0..NAMES {
                let Assigned::Split(at) = assigned(&split, &name.to_string(), &[name]) else { panic!("one document") };
                counts[at] += 1.0 / NAMES as f64;
            }
            // Four standard deviations.
            for (count, share) in counts.into_iter().zip([0.9_f64, 0.05, 0.05]) {
                assert!((count - share).abs() < 4.0 * (share * (1.0 - share) / NAMES as f64).sqrt(), "{counts:?}");
            }
        }
    }

    #[test]
    fn the_order_of_the_text_moves_nothing() {
        let splits = [USUAL, "test=0.05,train=0.9,validation=0.05"].map(split);
        for name in 0..500 {
            let [one, other] = splits.each_ref().map(|split| match assigned(split, "c", &[name]) {
                Assigned::Split(at) => split.names().nth(at).map(str::to_owned),
                Assigned::LeftOut => None,
            });
            assert!(one.is_some() && one == other);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn documents_are_in_one_split_or_held_out(
            shown in prop::collection::vec(prop::collection::vec(0..200_usize, 0..4), 0..200),
        ) {
            let [strict, held_out] = [SplitBy::Document, SplitBy::HeldOut]
                .map(|by| Split::parse("train=0.5,validation=0.25,test=0.25", by).unwrap());
            let number = |split: &Split, id: &str, documents: &[usize]| match assigned(split, id, documents) {
                Assigned::Split(number) => Some(number),
                Assigned::LeftOut => None,
            };
            let mut split_of = BTreeMap::new();
            for (at, documents) in shown.iter().enumerate() {
                let own: BTreeSet<_> = documents.iter().map(|one| number(&strict, "", &[*one]).unwrap()).collect();
                let id = at.to_string();
                let [strict, held_out] = [&strict, &held_out].map(|split| number(split, &id, documents));
                if let Some(split) = strict {
                    for document in documents {
                        prop_assert_eq!(*split_of.entry(*document).or_insert(split), split);
                    }
                    prop_assert_eq!(held_out, strict);
                } else {
                    prop_assert!(own.len() > 1, "none is left out without need");
                    prop_assert!(own.iter().all(|split| *split <= held_out.unwrap()), "what is held out is not shown before");
                    prop_assert!(own.contains(&held_out.unwrap()));
                }
            }
        }

        #[test]
        fn order_and_repetition_move_nothing(shown in prop::collection::vec(0..1000_usize, 0..4)) {
            for by in [SplitBy::Document, SplitBy::HeldOut, SplitBy::Conversation] {
                let split = Split::parse(USUAL, by).unwrap();
                let before = assigned(&split, "c", &shown);
                let mut again: Vec<_> = shown.iter().chain(&shown).copied().collect();
                again.reverse();
                prop_assert_eq!(before, assigned(&split, "c", &again));
            }
        }
    }
}
