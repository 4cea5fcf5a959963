//! Splits of a dataset: which conversations are trained on, and which are kept apart to validate or test.
//!
//! Where a conversation belongs follows from names and shares alone, by a hash, and from nothing that an export counts: documents
//! and conversations that come later move none that are there. A larger share takes more, and gives nothing back but to a split
//! whose name comes earlier in the alphabet.

use super::Dialogue;
use std::collections::BTreeSet;
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// By what conversations are split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SplitBy {
    /// By the documents and pages that the assistant was shown: none is in conversations of two splits.
    #[default]
    Document,
    /// By the conversation itself: a document may be in conversations of any split.
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
    /// # use dlgforge::publish::split::Split;
    /// let split = Split::parse("train=0.9,validation=0.05,test=0.05").unwrap();
    /// assert_eq!(split.names(), ["train", "validation", "test"]);
    /// assert!(Split::parse("train=0.9,test=0.2").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, SplitError> {
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
        Ok(Self { names: parts.into_iter().map(|(name, _)| name.to_owned()).collect(), ends })
    }

    /// The names of the splits, in the order of the text.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Where a conversation belongs. By documents, one that was shown none goes by its own id.
    pub fn assign(&self, by: SplitBy, dialogue: &Dialogue<'_>) -> Assigned {
        let sources: BTreeSet<&str> = match by {
            SplitBy::Document => dialogue.turns.iter().flat_map(|turn| turn.sources.iter().copied()).collect(),
            SplitBy::Conversation => BTreeSet::new(),
        };
        let mut splits = sources.into_iter().map(|source| self.of(source, DOCUMENTS));
        match splits.next() {
            None => Assigned::Split(self.of(dialogue.id, CONVERSATIONS)),
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
    use super::super::Exchange;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const USUAL: &str = "train=0.9,validation=0.05,test=0.05";

    /// A conversation that was shown the documents of these numbers, one a turn.
    fn shown(id: &str, documents: &[usize], check: impl FnOnce(&Dialogue<'_>)) {
        let name = |number: &usize| match number % 3 {
            0 => format!("fr/été-{number}.md"),
            1 => format!("ar/وثيقة-{number}.md"),
            _ => format!("https://docs.example/{number}"),
        };
        let names: Vec<_> = documents.iter().map(name).collect();
        let turn = |name| Exchange { sources: vec![name], ..Exchange::default() };
        let turns = names.iter().map(|name| turn(name.as_str())).collect();
        check(&Dialogue { id, turns, ..Dialogue::default() });
    }

    fn assigned(split: &Split, by: SplitBy, id: &str, documents: &[usize]) -> Assigned {
        let mut told = Assigned::LeftOut;
        shown(id, documents, |dialogue| told = split.assign(by, dialogue));
        told
    }

    #[test]
    fn shares_are_read() {
        let split = Split::parse(" train = 0.9 , test=1e-1").unwrap();
        assert_eq!(split.names(), ["train", "test"]);
        assert!(Split::parse(&(0..10).map(|at| format!("s{at}=0.1")).collect::<Vec<_>>().join(",")).is_ok());
        assert_eq!(assigned(&Split::parse("all=1").unwrap(), SplitBy::Document, "c", &[1, 2, 3]), Assigned::Split(0));
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
            assert_eq!(Split::parse(text).unwrap_err().to_string(), says, "{text}");
        }
        let many = (0..17).map(|at| format!("s{at}=0.05")).collect::<Vec<_>>().join(",");
        assert_eq!(Split::parse(&many), Err(SplitError::Many(17)));
    }

    #[test]
    fn names_fall_where_they_always_fell() {
        let split = Split::parse(USUAL).unwrap();
        let ids: Vec<_> = (0..60).map(|at| format!("c{at}")).collect();
        let of = |by, documents: &dyn Fn(usize) -> Vec<usize>| -> Vec<_> {
            let told = ids.iter().enumerate().map(|(at, id)| (at, assigned(&split, by, id, &documents(at))));
            told.filter(|(_, assigned)| *assigned != Assigned::Split(0)).collect()
        };
        let [one, two] = [1, 2].map(Assigned::Split);
        let (ids, documents) = (of(SplitBy::Conversation, &|at| vec![at]), of(SplitBy::Document, &|at| vec![at]));
        assert_eq!(
            ids,
            [(5, two), (7, one), (11, one), (20, one), (32, two), (33, two), (42, two), (48, one), (49, one)]
        );
        assert_eq!(documents, [(7, one), (12, one), (13, one), (26, one), (27, one), (30, two), (42, one)]);
        assert_eq!(of(SplitBy::Document, &|_| vec![]), of(SplitBy::Conversation, &|_| vec![]), "those shown none");
    }

    #[test]
    fn shares_are_near_what_was_asked() {
        const NAMES: usize = 20_000;
        let split = Split::parse(USUAL).unwrap();
        for by in [SplitBy::Document, SplitBy::Conversation] {
            let mut counts = [0_f64; 3];
            for name in 0..NAMES {
                let Assigned::Split(at) = assigned(&split, by, &name.to_string(), &[name]) else {
                    panic!("one document")
                };
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
        let [one, other] = [USUAL, "test=0.05,train=0.9,validation=0.05"].map(|text| Split::parse(text).unwrap());
        for name in 0..500 {
            let [one, other] = [&one, &other].map(|split| match assigned(split, SplitBy::Document, "c", &[name]) {
                Assigned::Split(at) => split.names()[at].clone(),
                Assigned::LeftOut => String::new(),
            });
            assert_eq!(one, other);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_document_is_in_two_splits(conversations in prop::collection::vec(prop::collection::vec(0..200_usize, 0..4), 0..200)) {
            let split = Split::parse("train=0.5,validation=0.25,test=0.25").unwrap();
            let mut of = BTreeMap::new();
            let mut kept = 0;
            for (at, documents) in conversations.iter().enumerate() {
                let Assigned::Split(split) = assigned(&split, SplitBy::Document, &at.to_string(), documents) else {
                    // It would put a document into two splits.
                    let alone: BTreeSet<_> = documents
                        .iter()
                        .map(|document| format!("{:?}", assigned(&split, SplitBy::Document, "", &[*document])))
                        .collect();
                    prop_assert!(alone.len() > 1);
                    continue;
                };
                kept += 1;
                for document in documents {
                    prop_assert_eq!(*of.entry(*document).or_insert(split), split);
                }
            }
            let of_one = conversations.iter().filter(|documents| documents.len() < 2).count();
            prop_assert!(kept >= of_one, "those with one document are all kept");
        }
    }
}
