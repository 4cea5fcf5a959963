//! The settled questions of one worker, and which of them a question is too close to.
//!
//! They are many and never leave, so they are held compactly: of each its words, its rank, and for every band of its signature
//! eight bytes.

use crate::domain::{MinHash, Neighbour, Rank, Sketch};
use std::collections::BTreeSet;

/// Questions that are accepted for good. The number of one is how many came before it.
#[derive(Debug)]
pub struct SettledQuestions {
    minhash: MinHash,
    /// For every band, the hashes of the questions at it.
    bands: Vec<Hashes>,
    questions: Questions,
}

impl SettledQuestions {
    /// No question is settled yet.
    pub fn new(minhash: MinHash) -> Self {
        let bands = (0..minhash.bands()).map(|_| Hashes::default()).collect();
        Self { minhash, bands, questions: Questions::default() }
    }

    /// All of them, with their ranks.
    pub fn iter(&self) -> impl Iterator<Item = (Rank, &str)> {
        (0..self.questions.len()).map(|number| self.questions.get(number))
    }

    /// Adds a question that is accepted for good.
    pub fn insert(&mut self, rank: Rank, sketch: &Sketch) {
        let number = self.questions.len() as u32;
        self.questions.push(rank, &sketch.text);
        for (hashes, hash) in self.bands.iter_mut().zip(sketch.bands()) {
            hashes.insert(*hash, number);
        }
    }

    /// The lowest of those below this rank that the question is too close to.
    pub fn lowest(&self, rank: Rank, sketch: &Sketch) -> Option<Neighbour> {
        let mut met = BTreeSet::new();
        for (hashes, hash) in self.bands.iter().zip(sketch.bands()) {
            hashes.find(*hash, |number| _ = met.insert(number));
        }
        let near = met.into_iter().filter_map(|number| {
            let (of, text) = self.questions.get(number as usize);
            let similarity = if of < rank { self.minhash.near_text(sketch, text)? } else { return None };
            Some(Neighbour { rank: of, similarity, text: text.into() })
        });
        near.min()
    }
}

/// Numbers of questions by a hash, in runs that are sorted and grow by merging: nothing lies free, and nothing points anywhere.
#[derive(Debug, Default)]
struct Hashes {
    /// Hash and number, in order, each run at least twice as long as the next.
    runs: Vec<Vec<u64>>,
    /// The latest ones, in the order in which they came.
    latest: Vec<u64>,
}

/// So many hashes are looked through one by one before they are sorted.
const LATEST: usize = 128;

impl Hashes {
    fn insert(&mut self, hash: u32, number: u32) {
        self.latest.push(u64::from(hash) << 32 | u64::from(number));
        if self.latest.len() == LATEST {
            let mut run = std::mem::take(&mut self.latest);
            run.sort_unstable();
            while let Some(before) = self.runs.pop_if(|before| before.len() < 2 * run.len()) {
                run = merged(&before, &run);
            }
            self.runs.push(run);
        }
    }

    fn find(&self, hash: u32, mut found: impl FnMut(u32)) {
        let has = |entry: &&u64| (**entry >> 32) as u32 == hash;
        self.latest.iter().filter(has).for_each(|entry| found(*entry as u32));
        for run in &self.runs {
            let from = run.partition_point(|entry| ((*entry >> 32) as u32) < hash);
            run[from..].iter().take_while(has).for_each(|entry| found(*entry as u32));
        }
    }
}

fn merged<'a>(mut one: &'a [u64], mut other: &'a [u64]) -> Vec<u64> {
    let mut merged = Vec::with_capacity(one.len() + other.len());
    while let (Some(first), Some(second)) = (one.first(), other.first()) {
        let (lower, rest) = if first < second { (first, &mut one) } else { (second, &mut other) };
        merged.push(*lower);
        *rest = &rest[1..];
    }
    merged.extend_from_slice(one);
    merged.extend_from_slice(other);
    merged
}

/// Ranks and texts by their number, so many one behind the other in a block that takes no more than they do.
#[derive(Debug, Default)]
struct Questions(Vec<Block>);

#[derive(Debug, Default)]
struct Block {
    texts: String,
    /// Of each its rank, and where its text ends.
    ends: Vec<(Rank, u32)>,
}

/// Questions of a block.
const BLOCK: usize = 1 << 14;

impl Questions {
    fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * BLOCK + last.ends.len())
    }

    fn push(&mut self, rank: Rank, text: &str) {
        if self.0.last().is_none_or(|last| last.ends.len() == BLOCK) {
            self.0.push(Block::default());
        }
        let Some(Block { texts, ends }) = self.0.last_mut() else { return };
        texts.push_str(text);
        ends.push((rank, texts.len() as u32));
        if ends.len() == BLOCK {
            texts.shrink_to_fit();
        }
    }

    fn get(&self, number: usize) -> (Rank, &str) {
        let Block { texts, ends } = &self.0[number / BLOCK];
        let at = number % BLOCK;
        let from = at.checked_sub(1).map_or(0, |before| ends[before].1 as usize);
        (ends[at].0, &texts[from..ends[at].1 as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Attempt, LanguageIndex, Similarity, TurnIndex, Wave};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    fn rank(index: u32) -> Rank {
        Rank { language: LanguageIndex(0), wave: Wave(0), turn: TurnIndex(1), attempt: Attempt(0), index }
    }

    #[test]
    fn the_lowest_that_is_too_close_and_ranks_below_is_found() {
        let minhash = MinHash::new(0.8);
        let mut settled = SettledQuestions::new(minhash);
        let words = [
            "How often must the brakes of a road bicycle be looked after",
            "How often must the brakes of a road bicycle be looked over",
        ];
        for (index, text) in [(7, words[0]), (3, words[1]), (5, "Which tea suits a cold night in the mountains")] {
            settled.insert(rank(index), &minhash.sketch(text));
        }
        let asked = minhash.sketch("how often must the BRAKES of a road bicycle be looked after?");
        let found = |index| settled.lowest(rank(index), &asked).map(|near| (near.rank.index, near.similarity));
        let (same, other) = (Similarity(1_000_000), minhash.near(&asked, &minhash.sketch(words[1])));
        let other = other.unwrap_or(Similarity(0));
        assert!(other > Similarity(800_000) && other < same, "{other:?}");
        assert_eq!([3, 4, 8].map(found), [None, Some((3, other)), Some((3, other))]);
        assert_eq!(settled.iter().map(|(rank, _)| rank.index).collect::<Vec<_>>(), [7, 3, 5]);
    }

    #[test]
    fn every_hash_is_found_however_many_there_are() {
        let (mut hashes, mut draws) = (Hashes::default(), ChaCha8Rng::seed_from_u64(5));
        let mut all = Vec::new();
        for number in 0..20_000 {
            let hash = draws.next_u32() % 5_000;
            hashes.insert(hash, number);
            all.push((hash, number));
        }
        assert!(hashes.runs.len() < 12, "{}", hashes.runs.len());
        for hash in 0..5_000 {
            let mut found = Vec::new();
            hashes.find(hash, |number| found.push(number));
            found.sort_unstable();
            let expected: Vec<u32> = all.iter().filter(|(of, _)| *of == hash).map(|(_, number)| *number).collect();
            assert_eq!(found, expected, "{hash}");
        }
    }

    #[test]
    fn texts_are_as_they_were() {
        let mut questions = Questions::default();
        let text = |number: usize| "é".repeat(number % 7);
        for number in 0..2 * BLOCK + 7 {
            assert_eq!(questions.len(), number);
            questions.push(rank(number as u32), &text(number));
        }
        assert!((0..questions.len()).all(|number| questions.get(number) == (rank(number as u32), &text(number))));
    }
}
