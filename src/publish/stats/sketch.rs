//! What grows with a dataset in memory that does not: exact up to a bound, and an even part of it beyond.
//!
//! Adaptive sampling (M. Wegman; P. Flajolet, "On adaptive sampling", Computing 43, 1990): what is counted has a hash of 64
//! bits. Where more is held than the bound, only hashes whose first bit is 0 stay, then those whose first two are, and so on:
//! at level `l` an even 2^-l of all. It is exact as long as the level is 0, does not depend on the order, and tells a number of
//! distinct hashes with a standard error of 1.2 / √bound beyond.

use serde::Serialize;
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use xxhash_rust::xxh3::xxh3_64;

/// The hash of a text: the same on every machine.
pub(super) fn hash(text: &str) -> u64 {
    xxh3_64(text.as_bytes())
}

/// The hashes of a text's words, which stand between white space.
pub(super) fn words(text: &str) -> Vec<u64> {
    text.split_whitespace().map(hash).collect()
}

/// The hash of a sequence, from that of its beginning and that of its last part: the halves of a product, as wyhash mixes.
pub(super) fn joined(beginning: u64, last: u64) -> u64 {
    let product = u128::from(beginning ^ 0xa076_1d64_78bd_642f) * u128::from(last ^ 0xe703_7ed1_a0b4_28db);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Whether a hash belongs to the part of this level.
pub(super) fn is_in(hash: u64, level: u32) -> bool {
    hash.leading_zeros() >= level
}

/// How a number was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// All of the dataset was counted.
    Exact,
    /// An even part of the dataset stands for all of it.
    AdaptiveSampling,
}

impl Method {
    pub(super) fn of(level: u32) -> Self {
        if level == 0 { Self::Exact } else { Self::AdaptiveSampling }
    }
}

/// The number of distinct hashes.
#[derive(Debug)]
pub(super) struct Distinct {
    level: u32,
    bound: usize,
    kept: HashSet<u64, Hashes>,
}

impl Distinct {
    /// One that holds so many hashes at most.
    pub fn within(bound: usize) -> Self {
        Self { level: 0, bound, kept: HashSet::default() }
    }

    pub fn insert(&mut self, hash: u64) {
        if is_in(hash, self.level) && self.kept.insert(hash) {
            while self.kept.len() > self.bound {
                self.level += 1;
                let level = self.level;
                self.kept.retain(|hash| is_in(*hash, level));
            }
        }
    }

    /// How many there are, about, where the level is not 0.
    pub fn count(&self) -> u64 {
        (self.kept.len() as u64) << self.level
    }

    pub fn method(&self) -> Method {
        Method::of(self.level)
    }
}

/// Builds hashers for keys that are hashes.
pub(super) type Hashes = BuildHasherDefault<Spread>;

/// A hasher for what is a hash already: a product, as tables read both ends of it.
#[derive(Debug, Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(bound: usize, distinct: u64, times: u64) -> (u64, Method) {
        let mut counter = Distinct::within(bound);
        (0..distinct * times).for_each(|number| counter.insert(hash(&(number % distinct).to_string())));
        assert!(counter.kept.len() <= bound);
        (counter.count(), counter.method())
    }

    #[test]
    fn few_are_counted_and_many_are_estimated() {
        assert_eq!(counted(1_000, 0, 0), (0, Method::Exact));
        assert_eq!(counted(1_000, 1_000, 3), (1_000, Method::Exact));
        let (about, method) = counted(10_000, 300_000, 2);
        // The standard error is 1.2 %.
        assert!(about.abs_diff(300_000) < 9_000, "{about}");
        assert_eq!(method, Method::AdaptiveSampling);
    }

    #[test]
    fn a_sequence_is_not_its_reverse() {
        let (one, other) = (hash("the"), hash("café"));
        assert_ne!(joined(one, other), joined(other, one));
        assert_ne!(joined(joined(one, other), one), joined(one, joined(other, one)));
    }
}
