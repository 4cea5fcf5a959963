//! How alike two questions are in their words: the Jaccard index of their shingles, and the bands by which those that may be
//! alike meet (MinHash with locality-sensitive hashing; Broder 1997, Indyk and Motwani 1998).

use super::normalisation::Normalisation;
use super::script::{Script, is_unspaced};
use super::sketch::{Similarity, Sketch};
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What the words of a question are compared by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shingles {
    /// Hashes of its shingles, in order, each once.
    shingles: Box<[u32]>,
    /// One hash of 24 bits for each band of its signature; none where it has no shingle.
    bands: Box<[u32]>,
}

impl Shingles {
    /// The hashes at which it meets others, by band.
    pub fn bands(&self) -> &[u32] {
        &self.bands
    }

    /// Whether two questions meet in a band.
    pub fn meets(&self, other: &Self) -> bool {
        self.bands.iter().zip(&other.bands).any(|(one, other)| one == other)
    }
}

/// From which Jaccard index on two questions are near-duplicates, and how candidates are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinHash {
    threshold: Similarity,
    bands: usize,
    rows: usize,
}

/// The thresholds that there are bands for.
pub const THRESHOLDS: std::ops::RangeInclusive<f64> = 0.5..=1.0;

/// Pairs at the threshold meet in a band with at least this probability, and more alike ones more often.
const RECALL: f64 = 0.98;

/// At most so many bands, and so many rows of each: a settled question takes seven bytes for every band.
const MOST: usize = 16;

impl MinHash {
    /// For a threshold out of [`THRESHOLDS`]. Of the bandings whose recall at the threshold is 0.98 or more, the one with the most
    /// rows: it has the fewest candidates that are not alike.
    pub fn new(threshold: f64) -> Self {
        let bands = |rows: usize| ((1.0 - RECALL).ln() / (1.0 - threshold.powi(rows as i32)).ln()).ceil().max(1.0);
        let rows = (1..=MOST).rev().find(|rows| bands(*rows) <= MOST as f64).unwrap_or(1);
        Self { threshold: Similarity::of(threshold), bands: bands(rows) as usize, rows }
    }

    /// From which similarity on two questions are near-duplicates.
    pub fn threshold(&self) -> Similarity {
        self.threshold
    }

    /// Bands of a signature.
    pub fn bands(&self) -> usize {
        self.bands
    }

    /// What this question is compared by.
    pub fn sketch(&self, text: &str) -> Sketch {
        Sketch::of_words(text, self.shingles(text))
    }

    /// What the words of this question are compared by.
    fn shingles(&self, text: &str) -> Shingles {
        let shingles = shingles(text);
        let signature = self.signature(&shingles);
        let band = |(band, rows): (usize, &[u32])| {
            let bytes: Vec<u8> = rows.iter().flat_map(|row| row.to_le_bytes()).collect();
            xxh3_64_with_seed(&bytes, band as u64) as u32 >> 8
        };
        let bands = if shingles.is_empty() {
            Box::default()
        } else {
            signature.chunks(self.rows).enumerate().map(band).collect()
        };
        Shingles { shingles, bands }
    }

    /// How alike two questions are, where that is the threshold or more.
    pub fn alike(&self, one: &Shingles, other: &Shingles) -> Option<Similarity> {
        self.index(&one.shingles, &other.shingles)
    }

    /// The same for a question in its words.
    pub fn alike_text(&self, one: &Shingles, other: &str) -> Option<Similarity> {
        self.index(&one.shingles, &shingles(other))
    }

    /// The Jaccard index, where that is the threshold or more.
    fn index(&self, one: &[u32], other: &[u32]) -> Option<Similarity> {
        let shared = shared(one, other) as u64;
        let all = (one.len() + other.len()) as u64 - shared;
        let similarity = Similarity((1_000_000 * shared).checked_div(all)? as u32);
        (similarity >= self.threshold).then_some(similarity)
    }

    /// For each row the smallest value of a permutation of the shingles.
    fn signature(&self, shingles: &[u32]) -> Vec<u32> {
        let rows: Vec<(u32, u32)> = PERMUTATIONS[..self.bands * self.rows].to_vec();
        let mut smallest = vec![u32::MAX; rows.len()];
        for shingle in shingles {
            for (smallest, (factor, summand)) in smallest.iter_mut().zip(&rows) {
                *smallest = (*smallest).min(shingle.wrapping_mul(*factor).wrapping_add(*summand));
            }
        }
        smallest
    }
}

/// Factors, which are odd, and summands: every multiplication with addition is a permutation of the 32-bit numbers.
static PERMUTATIONS: [(u32, u32); MOST * MOST] = permutations();

/// Drawn by SplitMix64 (Steele, Lea and Flood 2014).
const fn permutations() -> [(u32, u32); MOST * MOST] {
    let mut drawn = [(0, 0); MOST * MOST];
    let (mut state, mut at) = (0u64, 0);
    while at < drawn.len() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        drawn[at] = (mixed as u32 | 1, (mixed >> 32) as u32);
        at += 1;
    }
    drawn
}

/// Hashes of a question's shingles, in order, each once: of its words, and of every three characters in a row, of two where they
/// begin with a script whose characters tell as much as words elsewhere. Case, punctuation, vowel signs and white space make none.
fn shingles(text: &str) -> Box<[u32]> {
    let text = Normalisation::Full.of(text);
    if text.is_empty() {
        return Box::default();
    }
    let mut hashes: Vec<u32> = text.unicode_words().map(|word| xxh3_64_with_seed(word.as_bytes(), 1) as u32).collect();
    let padded = format!(" {text} ");
    let characters: Vec<(usize, char)> = padded.char_indices().collect();
    for (at, (from, first)) in characters.iter().enumerate() {
        let length = if is_dense(*first) { 2 } else { 3 };
        let to = match characters.get(at + length) {
            Some((to, _)) => *to,
            None if at + length == characters.len() => padded.len(),
            None => continue,
        };
        hashes.push(xxh3_64_with_seed(&padded.as_bytes()[*from..to], 0) as u32);
    }
    hashes.sort_unstable();
    hashes.dedup();
    hashes.into()
}

/// Whether a character of this script is a syllable, a word, or of a script without spaces.
fn is_dense(character: char) -> bool {
    if character.is_ascii() {
        return false;
    }
    let dense = |script| matches!(script, Script::Han | Script::Japanese | Script::Hangul);
    is_unspaced(character) || Script::of(character).is_some_and(dense)
}

/// How many numbers two lists in order share.
fn shared(one: &[u32], other: &[u32]) -> usize {
    let (mut at, mut other_at, mut shared) = (0, 0, 0);
    while let (Some(left), Some(right)) = (one.get(at), other.get(other_at)) {
        at += usize::from(left <= right);
        other_at += usize::from(right <= left);
        shared += usize::from(left == right);
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn alike(one: &str, other: &str) -> f64 {
        let minhash = MinHash { threshold: Similarity(0), ..MinHash::new(0.8) };
        minhash.index(&shingles(one), &shingles(other)).map_or(0.0, Similarity::share)
    }

    #[test]
    fn the_banding_has_its_recall() {
        let bandings = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0].map(|threshold| {
            let MinHash { bands, rows, .. } = MinHash::new(threshold);
            assert!(1.0 - (1.0 - f64::powi(threshold, rows as i32)).powi(bands as i32) >= RECALL, "{threshold}");
            (bands, rows)
        });
        assert_eq!(bandings, [(14, 2), (9, 2), (15, 4), (13, 6), (16, 14), (7, 16), (1, 16)]);
    }

    /// Of pairs whose index is just the threshold, the share that meets in a band.
    #[test]
    fn what_is_alike_meets() {
        for threshold in [0.6, 0.8, 0.9] {
            let minhash = MinHash::new(threshold);
            let share = |of: u32| (f64::from(of) * threshold).round() as u32;
            let (mut met, pairs) = (0, 4_000u32);
            for pair in 0..pairs {
                let shingle = |number: u32| xxh3_64_with_seed(&number.to_le_bytes(), u64::from(pair) + 9) as u32;
                // Of 90 shingles the pair shares so many that their index is the threshold.
                let of = |range: std::ops::Range<u32>| {
                    let shingles: BTreeSet<u32> = range.map(shingle).collect();
                    let shingles: Box<[u32]> = shingles.into_iter().collect();
                    let rows = minhash.signature(&shingles);
                    rows.chunks(minhash.rows).map(<[u32]>::to_vec).collect::<Vec<_>>()
                };
                let own = (90 - share(90)) / 2;
                let (one, other) = (of(0..90 - own), of(90 - own - share(90)..90));
                met += u32::from(one.iter().zip(&other).any(|(one, other)| one == other));
            }
            let recall = f64::from(met) / f64::from(pairs);
            assert!(recall > RECALL - 0.01, "{threshold}: {recall}");
        }
    }

    #[test]
    fn shingles_suit_every_script() {
        for (one, other, least, most) in [
            ("What is the capital of France?", "what's the capital of france", 0.7, 0.95),
            ("About the valve, what does the manual say?", "What does the manual say about the valve?", 0.85, 1.0),
            ("When was the bridge in Lyon built?", "When was the bridge in Paris built?", 0.6, 0.75),
            ("How often must backups be tested?", "Which tea is good for a cold night?", 0.0, 0.15),
            ("ما هو الضغط المسموح به لإطارات الطرق؟", "ما هُوَ الضَّغط المسموح به لإطارات الطريق؟", 0.7, 0.95),
            ("轮胎的允许压力范围是多少？", "轮胎的许可压力范围是多少？", 0.55, 0.85),
            ("轮胎的允许压力范围是多少？", "水的沸点是多少？", 0.0, 0.35),
            ("この橋はいつ建てられましたか。", "この橋はいつ建てられたのですか。", 0.55, 0.9),
            ("ยางรถยนต์ควรมีแรงดันเท่าไร", "ยางรถยนต์ต้องมีแรงดันเท่าไร", 0.6, 0.95),
            ("타이어의 허용 압력은 얼마입니까?", "타이어의 허용 압력은 얼마인가요?", 0.55, 0.95),
        ] {
            let alike = alike(one, other);
            assert!((least..=most).contains(&alike), "{one:?} and {other:?}: {alike}");
        }
        assert_eq!(alike("", ""), 0.0, "nothing is like nothing");
        assert_eq!(alike("Why C++?", "why  c++"), 1.0);
    }

    /// They are the same on every machine and in every release: a run that goes on asks what it would have asked.
    #[test]
    fn sketches_are_pinned() {
        let sketch = MinHash::new(0.8).shingles("What is a WAL?");
        assert_eq!((sketch.shingles.len(), &sketch.bands()[..2]), (17, &[10_186_021, 12_270_173][..]));
    }
}
