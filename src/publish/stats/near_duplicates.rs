//! Near-duplicates: messages whose words are about those of a later message of the same role.
//!
//! Two messages are near-duplicates if the Jaccard index of their sets of words (between white space) is 0.8 or more. Which may
//! be is told by MinHash (A. Broder, "On the resemblance and containment of documents", 1997) in 16 bands of 5 rows, which
//! meets 99.8 % of the pairs at 0.8 and more of those above; whether they are is counted. Each message is compared with
//! the earlier ones that have found no later one yet, so the share is that of the messages which would go if the last of those
//! alike stayed.

use super::sketch::{Hashes, Method, is_in, joined};
use serde::Serialize;
use std::collections::HashMap;

/// The least Jaccard index of near-duplicates.
const THRESHOLD: f64 = 0.8;
const BANDS: usize = 16;
const ROWS: usize = 5;

/// What is held at most, in words of 4 bytes: 32 MB with the table of bands.
const HELD: usize = 1 << 22;

/// Beside its words a message has its bands, in the table and in itself.
const OVERHEAD: usize = 96;

/// No message: the end of a chain.
const NONE: u32 = u32::MAX;

/// How many messages are near-duplicates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NearDuplicates {
    /// The least Jaccard index of the words of two messages that are near-duplicates.
    pub threshold: f64,
    /// The share of messages that have a later near-duplicate, to four decimals; none where no message has words.
    pub share: Option<f64>,
    /// The messages that were looked for among all later ones.
    pub messages: u64,
    /// Whether these are all, or an even part of them.
    pub method: Method,
}

/// Messages that later ones are compared with.
#[derive(Debug)]
pub(super) struct Likeness {
    bound: usize,
    level: u32,
    messages: Vec<Message>,
    held: usize,
    /// The last message of each band, which knows the one before it there.
    last: HashMap<u64, u32, Hashes>,
}

#[derive(Debug)]
struct Message {
    key: u64,
    /// Sorted, each once; empty where it has a later near-duplicate.
    words: Box<[u32]>,
    bands: [u64; BANDS],
    before: [u32; BANDS],
}

impl Message {
    fn is_alike(&self) -> bool {
        self.words.is_empty()
    }
}

impl Default for Likeness {
    fn default() -> Self {
        Self { bound: HELD, level: 0, messages: Vec::new(), held: 0, last: HashMap::default() }
    }
}

impl Likeness {
    /// Adds a message by the hashes of its words, with a key of its own that says whether it belongs to an even part of all.
    pub fn add(&mut self, key: u64, words: &[u64]) {
        let mut words: Vec<u32> = words.iter().map(|word| *word as u32).collect();
        words.sort_unstable();
        words.dedup();
        if words.is_empty() {
            return;
        }
        let bands = bands(&words);
        self.find(&words, &bands);
        if is_in(key, self.level) {
            self.insert(Message { key, words: words.into(), bands, before: [NONE; BANDS] });
        }
        while self.held > self.bound {
            self.thin();
        }
    }

    /// Marks the messages that this one is a near-duplicate of, and takes those that are marked out of the chains on the way.
    fn find(&mut self, words: &[u32], bands: &[u64; BANDS]) {
        for (band, value) in bands.iter().enumerate() {
            let Some(last) = self.last.get_mut(value) else { continue };
            let (mut first, mut kept, mut at) = (NONE, NONE, *last);
            while at != NONE {
                let message = &mut self.messages[at as usize];
                let before = message.before[band];
                if !message.is_alike() && are_alike(&message.words, words) {
                    message.words = Box::default();
                }
                if !message.is_alike() {
                    match kept {
                        NONE => first = at,
                        _ => self.messages[kept as usize].before[band] = at,
                    }
                    kept = at;
                }
                at = before;
            }
            match kept {
                NONE => (),
                _ => self.messages[kept as usize].before[band] = NONE,
            }
            *last = first;
        }
    }

    fn insert(&mut self, mut message: Message) {
        let number = self.messages.len() as u32;
        for (value, before) in message.bands.iter().zip(&mut message.before) {
            *before = self.last.insert(*value, number).unwrap_or(NONE);
        }
        self.held += message.words.len() + OVERHEAD;
        self.messages.push(message);
    }

    /// Leaves half of the messages.
    fn thin(&mut self) {
        self.level += 1;
        self.held = 0;
        self.last.clear();
        for message in std::mem::take(&mut self.messages) {
            if !is_in(message.key, self.level) {
                continue;
            }
            if message.is_alike() {
                self.held += OVERHEAD;
                self.messages.push(message);
            } else {
                self.insert(message);
            }
        }
    }

    pub fn found(&self) -> NearDuplicates {
        let alike = self.messages.iter().filter(|message| message.is_alike()).count();
        let count = self.messages.len();
        let share = (count > 0).then(|| super::rounded(alike as f64 / count as f64));
        NearDuplicates { threshold: THRESHOLD, share, messages: count as u64, method: Method::of(self.level) }
    }
}

/// The bands of a set: each mixes the least words under five permutations of all 16-bit numbers, of which half permute the
/// lower half of a word and half the upper one. Processors do eight of them at once, or more.
fn bands(words: &[u32]) -> [u64; BANDS] {
    let mut least = [i16::MAX; BANDS * ROWS];
    for word in words {
        let halves = [*word as i16, (*word >> 16) as i16];
        for (half, (least, permutations)) in halves.iter().zip(least.chunks_exact_mut(HALF).zip(&PERMUTATIONS)) {
            for ((least, factor), shift) in least.iter_mut().zip(&permutations.0).zip(&permutations.1) {
                *least = (*least).min(half.wrapping_mul(*factor).wrapping_add(*shift));
            }
        }
    }
    let mut rows = least.chunks_exact(ROWS);
    std::array::from_fn(|band| {
        let rows = rows.next().unwrap_or_default();
        rows.iter().fold(band as u64, |mixed, least| joined(mixed, *least as u64))
    })
}

/// The permutations of half of a word.
const HALF: usize = BANDS * ROWS / 2;

/// For each half odd factors and any shifts, from a fixed sequence (SplitMix64).
const PERMUTATIONS: [([i16; HALF], [i16; HALF]); 2] = {
    let mut permutations = [([0; HALF], [0; HALF]); 2];
    let (mut at, mut state) = (0, 0u64);
    while at < 2 * HALF {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mixed = mixed ^ (mixed >> 31);
        permutations[at / HALF].0[at % HALF] = (mixed >> 32) as i16 | 1;
        permutations[at / HALF].1[at % HALF] = mixed as i16;
        at += 1;
    }
    permutations
};

/// Whether two sorted sets, of which none is empty, are near-duplicates.
fn are_alike(one: &[u32], other: &[u32]) -> bool {
    let (few, many) = if one.len() < other.len() { (one, other) } else { (other, one) };
    // The Jaccard index is s / (m + n - s) where s are shared of m and n: as long as at most so many are not shared, it may do.
    let needed = (THRESHOLD / (1.0 + THRESHOLD) * (few.len() + many.len()) as f64 - 1e-9).ceil() as usize;
    let Some(mut spare) = few.len().checked_sub(needed) else { return false };
    let mut at = 0;
    for word in few {
        while many.get(at).is_some_and(|next| next < word) {
            at += 1;
        }
        if many.get(at) != Some(word) {
            let Some(fewer) = spare.checked_sub(1) else { return false };
            spare = fewer;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::sketch::{hash, words};
    use super::*;
    use rand::{RngExt, SeedableRng};
    use std::collections::BTreeSet;

    fn found(bound: usize, messages: &[String]) -> NearDuplicates {
        let mut likeness = Likeness { bound, ..Likeness::default() };
        for (at, text) in messages.iter().enumerate() {
            likeness.add(hash(&at.to_string()), &words(text));
        }
        assert!(likeness.held <= bound);
        likeness.found()
    }

    /// Messages of 8 to 60 words of a small vocabulary, every other one an earlier message with some words changed.
    fn messages(count: usize) -> Vec<String> {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(2);
        let mut messages: Vec<Vec<u32>> = Vec::new();
        for number in 0..count {
            let mut words: Vec<u32> = match number % 2 {
                0 => (0..random.random_range(8..60)).map(|_| random.random_range(0..900)).collect(),
                _ => messages[random.random_range(0..number)].clone(),
            };
            if number % 2 == 1 {
                let changed = words.len() * random.random_range(0..30) / 100;
                (0..changed).for_each(|at| words[at] = random.random_range(0..900));
            }
            messages.push(words);
        }
        let text = |words: &Vec<u32>| words.iter().map(|word| format!("كلمة{word}")).collect::<Vec<_>>().join(" ");
        messages.iter().map(text).collect()
    }

    #[test]
    fn what_is_found_is_what_comparing_all_pairs_finds() {
        let messages = messages(1_200);
        let sets: Vec<BTreeSet<&str>> = messages.iter().map(|text| text.split(' ').collect()).collect();
        let alike = |one: &BTreeSet<&str>, other: &BTreeSet<&str>| {
            let shared = one.intersection(other).count();
            shared as f64 / (one.len() + other.len() - shared) as f64 >= THRESHOLD
        };
        let later = |at: &usize| sets[at + 1..].iter().any(|later| alike(&sets[*at], later));
        let expected = (0..sets.len()).filter(later).count() as f64 / sets.len() as f64;
        let share = found(HELD, &messages).share.expect("a share");
        assert!(expected > 0.2 && (share - expected).abs() < 0.005, "{share} for {expected}");
    }

    #[test]
    fn four_of_five_words_are_enough() {
        let set = |range: std::ops::Range<u32>| range.collect::<Vec<_>>();
        for (one, other, expected) in [
            (set(0..9), set(1..10), true),
            (set(0..4), set(0..5), true),
            (set(0..5), set(1..6), false),
            (set(0..8), set(0..10), true),
            (set(0..79), set(0..100), false),
            (set(0..1), set(1..2), false),
        ] {
            assert_eq!((are_alike(&one, &other), are_alike(&other, &one)), (expected, expected), "{one:?} {other:?}");
        }
    }

    #[test]
    fn an_even_part_tells_about_the_same_share() {
        let messages = messages(4_000);
        let (all, part) = (found(HELD, &messages), found(100_000, &messages));
        assert_eq!((all.method, all.messages), (Method::Exact, 4_000));
        assert!(part.method == Method::AdaptiveSampling && part.messages < 1_500, "{part:?}");
        let (all, part) = (all.share.expect("a share"), part.share.expect("a share"));
        assert!((all - part).abs() < 0.06, "{all} {part}");
    }

    #[test]
    fn of_equal_messages_the_last_stays() {
        let messages = vec!["Où est la gare ?".to_owned(); 5_000];
        assert_eq!(found(HELD, &messages).share, Some(super::super::rounded(4_999.0 / 5_000.0)));
        assert_eq!(found(HELD, &[String::new()]).share, None);
    }
}
