//! Distinct-n: how many of the n-grams of a role's messages are different ones.
//!
//! J. Li et al., "A diversity-promoting objective function for neural conversation models" (2016), counted as `ngram_diversity_score`
//! of PyPI's `diversity` 0.3 does, which adds them up: the messages are one text with a space between two of them, words are
//! what stands between single spaces, and n-grams go on across messages.

use super::sketch::{Distinct, Method, hash, joined};
use rayon::prelude::*;
use serde::Serialize;

/// N-grams that are held of each length, at most: 8 MB, and a standard error of 0.12 % beyond.
const HELD: usize = 1 << 20;

/// The share of n-grams that are different ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DistinctShare {
    /// The number of different ones by the number of all, 0 to 1, to four decimals; none where there is no n-gram.
    pub share: Option<f64>,
    /// The number of different n-grams.
    pub distinct: u64,
    /// The number of all n-grams.
    pub total: u64,
    /// Whether the different ones were counted or estimated.
    pub method: Method,
    /// The relative standard error of an estimate; 0 where they were counted.
    pub standard_error: f64,
}

/// Counts n-grams of 1, 2 and 3 words.
#[derive(Debug)]
pub(super) struct Ngrams {
    distinct: [Distinct; 3],
    words: u64,
    /// The last two words.
    recent: Vec<u64>,
}

impl Default for Ngrams {
    fn default() -> Self {
        Self { distinct: std::array::from_fn(|_| Distinct::within(HELD)), words: 0, recent: Vec::new() }
    }
}

impl Ngrams {
    /// Counts the messages that come next.
    pub fn add(&mut self, messages: &[&str]) {
        let known = self.recent.len();
        let mut words = std::mem::take(&mut self.recent);
        let hashes: Vec<Vec<u64>> = messages.par_iter().map(|text| text.split(' ').map(hash).collect()).collect();
        words.extend(hashes.iter().flatten());
        self.words += (words.len() - known) as u64;
        self.distinct.par_iter_mut().enumerate().for_each(|(longer, distinct)| {
            let ends = words.windows(longer + 1).skip((known).saturating_sub(longer));
            ends.for_each(|gram| distinct.insert(gram[1..].iter().fold(gram[0], |one, next| joined(one, *next))));
        });
        self.recent = words.split_off(words.len().saturating_sub(2));
    }

    /// The shares for 1, 2 and 3 words.
    pub fn shares(&self) -> [DistinctShare; 3] {
        let share = |(longer, counted): (usize, &Distinct)| {
            let total = self.words.saturating_sub(longer as u64);
            // An estimate may lie above what there is.
            let (distinct, method) = (counted.count().min(total), counted.method());
            let share = (total > 0).then(|| super::rounded(distinct as f64 / total as f64));
            let standard_error = if method == Method::Exact { 0.0 } else { 1.2 / (HELD as f64).sqrt() };
            DistinctShare { share, distinct, total, method, standard_error: super::rounded(standard_error) }
        };
        let [one, two, three] = &self.distinct;
        [(0, one), (1, two), (2, three)].map(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ngrams_go_on_across_messages_and_batches() {
        let messages = ["a b  a\nb", "", "c", "été كيف a b", "a b  a\nb", "b"];
        let text = messages.join(" ");
        let words: Vec<&str> = text.split(' ').collect();
        for size in 1..=messages.len() {
            let mut ngrams = Ngrams::default();
            messages.chunks(size).for_each(|batch| ngrams.add(batch));
            for (longer, share) in ngrams.shares().iter().enumerate() {
                let all = words.windows(longer + 1);
                let distinct: BTreeSet<_> = all.clone().collect();
                assert_eq!((share.distinct, share.total), (distinct.len() as u64, all.len() as u64), "{longer} {size}");
            }
        }
    }

    #[test]
    fn without_words_there_is_no_share() {
        let mut ngrams = Ngrams::default();
        assert!(ngrams.shares().iter().all(|share| share.share.is_none()));
        ngrams.add(&["one"]);
        assert_eq!(ngrams.shares().map(|share| share.share), [Some(1.0), None, None]);
    }
}
