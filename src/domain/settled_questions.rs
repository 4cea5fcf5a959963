//! Questions that no other may be too close to, and which of them one is too close to.
//!
//! They are many and never leave, so they are held compactly: of each its words, its rank, and for every band of its signature
//! seven bytes, or its vector.

use super::cosine::{Cosine, Signs, Vector};
use super::minhash::MinHash;
use super::sketch::{Compared, Measure, Neighbour, Similarity, Sketch};
use super::slot::Rank;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

/// Questions that are accepted for good. The number of one is how many came before it.
#[derive(Debug)]
pub struct SettledQuestions {
    index: Index,
    questions: Questions,
}

/// How near ones are found.
#[derive(Debug)]
enum Index {
    /// For every band, the hashes of the questions at it.
    Bands(MinHash, Vec<Hashes>),
    /// The vector of each.
    Vectors(Cosine, Vectors),
}

impl SettledQuestions {
    /// No question is settled yet.
    pub fn new(measure: Measure) -> Self {
        // Words are looked at wherever two questions meet, and told only where those with vectors are close.
        let (index, is_packed) = match measure {
            Measure::MinHash(minhash) => {
                (Index::Bands(minhash, (0..minhash.bands()).map(|_| Hashes::default()).collect()), false)
            }
            Measure::Cosine(cosine) => (Index::Vectors(cosine, Vectors::default()), true),
        };
        Self { index, questions: Questions { is_packed, ..Questions::default() } }
    }

    /// All of them, with their ranks.
    pub fn iter(&self) -> impl Iterator<Item = (Rank, Compared)> {
        self.questions.iter().enumerate().map(|(number, (rank, text))| {
            let vector = match &self.index {
                Index::Bands(..) => None,
                Index::Vectors(_, vectors) => Some(Vector::from(vectors.values(number))),
            };
            (rank, Compared { text: text.into(), vector })
        })
    }

    /// Adds a question that is accepted for good.
    pub fn insert(&mut self, rank: Rank, sketch: &Sketch) {
        let number = self.questions.len() as u32;
        match &mut self.index {
            Index::Bands(_, bands) => {
                for (hashes, hash) in bands.iter_mut().zip(sketch.bands()) {
                    hashes.insert(*hash, number);
                }
            }
            Index::Vectors(_, vectors) => {
                let Some((vector, signs)) = sketch.vector() else { return };
                vectors.push(vector, signs);
            }
        }
        self.questions.push(rank, &sketch.text);
    }

    /// The lowest of those below this rank that the question is too close to.
    pub fn lowest(&self, rank: Rank, sketch: &Sketch) -> Option<Neighbour> {
        match &self.index {
            Index::Bands(minhash, bands) => {
                let shingles = sketch.shingles()?;
                let mut met = BTreeSet::new();
                for (hashes, hash) in bands.iter().zip(sketch.bands()) {
                    hashes.find(*hash, |number| _ = met.insert(number));
                }
                let near = met.into_iter().filter_map(|number| {
                    let (of, text) = self.questions.get(number as usize);
                    let similarity = if of < rank { minhash.alike_text(shingles, &text)? } else { return None };
                    Some(Neighbour { rank: of, similarity, text: text.into() })
                });
                near.min()
            }
            Index::Vectors(cosine, vectors) => {
                let (vector, signs) = sketch.vector()?;
                let near = vectors.near(*cosine, vector, signs).filter_map(|(number, similarity)| {
                    let (of, text) = self.questions.get(number);
                    (of < rank).then(|| Neighbour { rank: of, similarity, text: text.into() })
                });
                near.min()
            }
        }
    }
}

/// Vectors of one length by their number, so many one behind the other in a block: all are looked through by their signs.
#[derive(Debug, Default)]
struct Vectors {
    length: usize,
    blocks: Vec<VectorBlock>,
}

#[derive(Debug, Default)]
struct VectorBlock {
    signs: Vec<Signs>,
    values: Vec<i8>,
}

impl Vectors {
    fn push(&mut self, vector: &Vector, signs: &Signs) {
        self.length = vector.values().len();
        if self.blocks.last().is_none_or(|last| last.signs.len() == BLOCK) {
            self.blocks.push(VectorBlock::default());
        }
        let Some(VectorBlock { signs: all, values }) = self.blocks.last_mut() else { return };
        all.push(*signs);
        values.extend_from_slice(vector.values());
        if all.len() == BLOCK {
            all.shrink_to_fit();
            values.shrink_to_fit();
        }
    }

    fn values(&self, number: usize) -> &[i8] {
        let at = number % BLOCK * self.length;
        &self.blocks[number / BLOCK].values[at..at + self.length]
    }

    /// The numbers of those that are near-duplicates of this one, and how alike they are.
    fn near(&self, cosine: Cosine, vector: &Vector, signs: &Signs) -> impl Iterator<Item = (usize, Similarity)> {
        let all = self.blocks.iter().flat_map(|block| &block.signs).enumerate();
        all.filter_map(move |(number, other)| {
            if !cosine.may_be(signs, other) {
                return None;
            }
            cosine.alike(vector.values(), self.values(number)).map(|similarity| (number, similarity))
        })
    }
}

/// Numbers of questions by a hash, in runs that are sorted and grow by merging: nothing lies free, and nothing points anywhere.
#[derive(Debug, Default)]
struct Hashes {
    /// In order, each run at least twice as long as the next.
    runs: Vec<Vec<Entry>>,
    /// The latest ones, in the order in which they came.
    latest: Vec<Entry>,
}

/// A hash of three bytes before the number of a question: its bytes are in the order of the two.
type Entry = [u8; 7];

fn entry(hash: u32, number: u32) -> Entry {
    let ([_, a, b, c], [d, e, f, g]) = (hash.to_be_bytes(), number.to_be_bytes());
    [a, b, c, d, e, f, g]
}

fn number(&[.., a, b, c, d]: &Entry) -> u32 {
    u32::from_be_bytes([a, b, c, d])
}

/// So many hashes are looked through one by one before they are sorted.
const LATEST: usize = 128;

impl Hashes {
    fn insert(&mut self, hash: u32, number: u32) {
        self.latest.push(entry(hash, number));
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
        let (first, last) = (entry(hash, 0), entry(hash, u32::MAX));
        let has = |entry: &&Entry| (first..=last).contains(*entry);
        self.latest.iter().filter(has).for_each(|entry| found(number(entry)));
        for run in &self.runs {
            let from = run.partition_point(|entry| *entry < first);
            run[from..].iter().take_while(has).for_each(|entry| found(number(entry)));
        }
    }
}

fn merged<'a>(mut one: &'a [Entry], mut other: &'a [Entry]) -> Vec<Entry> {
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
struct Questions {
    full: Vec<Full>,
    latest: Block,
    /// The different ranks but for the index, and the number of each.
    rounds: Vec<Rank>,
    numbers: HashMap<Rank, u32>,
    /// Whether a block is compressed when it is full. One of its questions is then read in a tenth of a millisecond.
    is_packed: bool,
}

#[derive(Debug)]
enum Full {
    Plain(Block),
    /// Its rows, in MessagePack and compressed.
    Packed(Vec<u8>),
}

#[derive(Debug, Default)]
struct Block {
    texts: String,
    /// Of each the number of its rank, the index of that, and where its text ends.
    entries: Vec<(u32, u32, u32)>,
}

/// The number of a rank, the index of that, and the text.
type Row<T> = (u32, u32, T);

/// Questions of a block.
const BLOCK: usize = 1 << 10;

impl Questions {
    fn len(&self) -> usize {
        self.full.len() * BLOCK + self.latest.entries.len()
    }

    fn push(&mut self, rank: Rank, text: &str) {
        let round = Rank { index: 0, ..rank };
        let number = *self.numbers.entry(round).or_insert_with(|| {
            self.rounds.push(round);
            self.rounds.len() as u32 - 1
        });
        let Block { texts, entries } = &mut self.latest;
        texts.push_str(text);
        entries.push((number, rank.index, texts.len() as u32));
        if entries.len() == BLOCK {
            let block = std::mem::take(&mut self.latest);
            self.full.push(if self.is_packed { Full::Packed(block.packed()) } else { Full::Plain(block.shrunk()) });
        }
    }

    fn get(&self, number: usize) -> (Rank, Cow<'_, str>) {
        let (at, block) = (number % BLOCK, self.full.get(number / BLOCK));
        let (round, index, text) = match block {
            None => self.latest.row(at),
            Some(Full::Plain(block)) => block.row(at),
            Some(Full::Packed(packed)) => unpacked(packed).swap_remove(at),
        };
        (Rank { index, ..self.rounds[round as usize] }, text)
    }

    fn iter(&self) -> impl Iterator<Item = (Rank, Cow<'_, str>)> {
        let full = self.full.iter().flat_map(|block| match block {
            Full::Plain(block) => block.rows().collect(),
            Full::Packed(packed) => unpacked(packed),
        });
        let rank = |(round, index, text)| (Rank { index, ..self.rounds[round as usize] }, text);
        full.chain(self.latest.rows()).map(rank)
    }
}

impl Block {
    fn row(&self, at: usize) -> Row<Cow<'_, str>> {
        let from = at.checked_sub(1).map_or(0, |before| self.entries[before].2 as usize);
        let (round, index, to) = self.entries[at];
        (round, index, self.texts[from..to as usize].into())
    }

    fn rows(&self) -> impl Iterator<Item = Row<Cow<'_, str>>> {
        (0..self.entries.len()).map(|at| self.row(at))
    }

    fn shrunk(mut self) -> Self {
        self.texts.shrink_to_fit();
        self.entries.shrink_to_fit();
        self
    }

    fn packed(&self) -> Vec<u8> {
        let rows = rmp_serde::to_vec(&self.rows().collect::<Vec<_>>()).expect("numbers and texts can be written");
        let mut packed = zstd::bulk::compress(&rows, 9).expect("memory is all that it needs");
        packed.shrink_to_fit();
        packed
    }
}

fn unpacked(packed: &[u8]) -> Vec<Row<Cow<'static, str>>> {
    let rows = zstd::stream::decode_all(packed).expect("it was packed here");
    rmp_serde::from_slice(&rows).expect("it was written here")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
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
        let measure = Measure::MinHash(minhash);
        let mut settled = SettledQuestions::new(measure);
        let words = [
            "How often must the brakes of a road bicycle be looked after",
            "How often must the brakes of a road bicycle be looked over",
        ];
        for (index, text) in [(7, words[0]), (3, words[1]), (5, "Which tea suits a cold night in the mountains")] {
            settled.insert(rank(index), &minhash.sketch(text));
        }
        let asked = minhash.sketch("how often must the BRAKES of a road bicycle be looked after?");
        let found = |index| settled.lowest(rank(index), &asked).map(|near| (near.rank.index, near.similarity));
        let (same, other) = (Similarity(1_000_000), measure.near(&asked, &minhash.sketch(words[1])));
        let other = other.unwrap_or(Similarity(0));
        assert!(other > Similarity(800_000) && other < same, "{other:?}");
        assert_eq!([3, 4, 8].map(found), [None, Some((3, other)), Some((3, other))]);
        assert_eq!(settled.iter().map(|(rank, _)| rank.index).collect::<Vec<_>>(), [7, 3, 5]);
    }

    #[test]
    fn vectors_are_found_however_many_there_are() {
        let cosine = Cosine::new(0.9);
        let mut settled = SettledQuestions::new(Measure::Cosine(cosine));
        let mut draws = ChaCha8Rng::seed_from_u64(6);
        let drawn: Vec<Vec<f32>> =
            (0..BLOCK + 100).map(|_| (0..64).map(|_| draws.next_u32() as i32 as f32).collect()).collect();
        for (index, vector) in (0..).zip(&drawn) {
            settled.insert(rank(index), &Sketch::of_vector(&index.to_string(), Vector::of(vector)));
        }
        for index in [0, 5, BLOCK, BLOCK + 99] {
            let near: Vec<f32> = drawn[index].iter().zip(&drawn[7]).map(|(one, other)| 9.0 * one + other).collect();
            let asked = Sketch::of_vector("?", Vector::of(&near));
            let found = settled.lowest(Rank::END, &asked).unwrap();
            assert_eq!((found.rank, &*found.text), (rank(index as u32), &*index.to_string()));
            assert!(found.similarity > Similarity(980_000) && settled.lowest(rank(index as u32), &asked).is_none());
        }
        let (of, held) = settled.iter().nth(BLOCK + 7).unwrap();
        assert_eq!((of, held.vector), (rank(BLOCK as u32 + 7), Some(Vector::of(&drawn[BLOCK + 7]))));
    }

    #[test]
    fn every_hash_is_found_however_many_there_are() {
        let (mut hashes, mut draws) = (Hashes::default(), ChaCha8Rng::seed_from_u64(5));
        let mut all = Vec::new();
        for number in 0..20_000 {
            let hash = 3_000 * (draws.next_u32() % 5_000);
            hashes.insert(hash, number);
            all.push((hash, number));
        }
        assert!(hashes.runs.len() < 12, "{}", hashes.runs.len());
        for hash in 0..5_000 {
            let mut found = Vec::new();
            hashes.find(3_000 * hash, |number| found.push(number));
            found.sort_unstable();
            let expected: Vec<u32> =
                all.iter().filter(|(of, _)| *of == 3_000 * hash).map(|(_, number)| *number).collect();
            assert_eq!(found, expected, "{hash}");
        }
    }

    #[test]
    fn texts_are_as_they_were() {
        for is_packed in [false, true] {
            let mut questions = Questions { is_packed, ..Questions::default() };
            let row = |number: usize| (rank(number as u32), Cow::from("é".repeat(number % 7)));
            for number in 0..2 * BLOCK + 7 {
                assert_eq!(questions.len(), number);
                questions.push(row(number).0, &row(number).1);
            }
            let numbers = [0, 1, BLOCK - 1, BLOCK, 2 * BLOCK - 1, 2 * BLOCK, 2 * BLOCK + 6];
            assert_eq!(numbers.map(|number| questions.get(number)), numbers.map(row));
            assert!(questions.iter().eq((0..questions.len()).map(row)));
        }
    }
}
