//! Figures of the parts of a dataset: its languages, its modes, its documents.

use super::sketch::{Method, hash, is_in};
use super::{mean, rounded};
use serde::Serialize;
use std::collections::BTreeMap;

/// Documents that are held at most.
const HELD: usize = 1 << 17;

/// The conversations of a language.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Languages {
    /// The conversations in it.
    pub records: u64,
    /// The turns of these conversations.
    pub turns: u64,
    /// The words between white space that were said.
    pub words: u64,
    /// The tokens that were said, by the tokenizer of the statistics.
    pub tokens: u64,
    /// The conversations that have a score.
    pub scored: u64,
    /// The mean score of these conversations, 0 to 10.
    pub score_mean: Option<f64>,
}

/// Turns that have something in common.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Turns {
    /// How many turns there are.
    pub turns: u64,
    /// The turns that have a score.
    pub scored: u64,
    /// The mean score of these turns, 0 to 10.
    pub score_mean: Option<f64>,
    /// The share of turns with a verdict that the judge accepted, 0 to 1.
    pub accepted_share: Option<f64>,
}

/// Which documents the assistant was shown passages of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Documents {
    /// The different documents and pages that were shown.
    pub shown: u64,
    /// The turns in which at least one was shown.
    pub turns_with_documents: u64,
    /// The fewest turns that one of them was shown in.
    pub turns_per_document_min: Option<u64>,
    /// The most turns that one of them was shown in.
    pub turns_per_document_max: Option<u64>,
    /// The mean number of turns that one of them was shown in.
    pub turns_per_document_avg: Option<f64>,
    /// How evenly they were shown, 0 to 1: the entropy of their shares by that of equal shares (Pielou's evenness, 1966); none
    /// where fewer than two were shown.
    pub evenness: Option<f64>,
    /// Whether all documents were counted, or an even part of them.
    pub method: Method,
}

/// The scores of some turns as they come.
#[derive(Debug, Default)]
pub(super) struct TurnCounts {
    turns: u64,
    scored: u64,
    sum: u64,
    judged: u64,
    accepted: u64,
}

impl TurnCounts {
    pub fn add(&mut self, score: Option<u8>, accepted: Option<bool>) {
        self.turns += 1;
        self.scored += u64::from(score.is_some());
        self.sum += u64::from(score.unwrap_or_default());
        self.judged += u64::from(accepted.is_some());
        self.accepted += u64::from(accepted.unwrap_or_default());
    }

    pub fn told(&self) -> Turns {
        let Self { turns, scored, .. } = *self;
        let accepted_share = mean(self.accepted as f64, self.judged);
        Turns { turns, scored, score_mean: mean(self.sum as f64, scored), accepted_share }
    }
}

/// In how many turns each document was shown, by the hash of its name.
#[derive(Debug, Default)]
pub(super) struct DocumentCounts {
    level: u32,
    turns: u64,
    shown: BTreeMap<u64, u64>,
}

impl DocumentCounts {
    /// Adds a turn with the documents that were shown in it, each once.
    pub fn add(&mut self, sources: &[&str]) {
        self.turns += u64::from(!sources.is_empty());
        for key in sources.iter().map(|source| hash(source)).filter(|key| is_in(*key, self.level)) {
            *self.shown.entry(key).or_default() += 1;
        }
        while self.shown.len() > HELD {
            self.level += 1;
            let level = self.level;
            self.shown.retain(|key, _| is_in(*key, level));
        }
    }

    pub fn told(&self) -> Documents {
        let mut times: Vec<u64> = self.shown.values().copied().collect();
        times.sort_unstable();
        let sum: u64 = times.iter().sum();
        let shares = times.iter().map(|times| *times as f64 / sum as f64);
        let entropy: f64 = shares.map(|share| -share * share.ln()).sum();
        let count = times.len() as u64;
        Documents {
            shown: count << self.level,
            turns_with_documents: self.turns,
            turns_per_document_min: times.first().copied(),
            turns_per_document_max: times.last().copied(),
            turns_per_document_avg: mean(sum as f64, count),
            evenness: (count > 1).then(|| rounded(entropy / (count as f64).ln())),
            method: Method::of(self.level),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_that_are_shown_alike_are_even() {
        let told = |turns: &[&[&str]]| {
            let mut counts = DocumentCounts::default();
            turns.iter().for_each(|sources| counts.add(sources));
            counts.told()
        };
        let even = told(&[&["a.md", "حياة.txt"], &[], &["a.md"], &["حياة.txt"]]);
        assert_eq!((even.shown, even.turns_with_documents, even.evenness), (2, 3, Some(1.0)));
        let uneven = told(&[&["a.md"], &["a.md"], &["a.md", "été.pdf"]]);
        assert_eq!((uneven.evenness, uneven.turns_per_document_avg), (Some(0.8113), Some(2.0)));
        assert_eq!(told(&[&["a.md"]]).evenness, None);
    }

    #[test]
    fn many_documents_are_estimated() {
        let mut counts = DocumentCounts::default();
        (0..HELD * 3).for_each(|number| counts.add(&[format!("https://e.org/{number}").as_str()]));
        let told = counts.told();
        assert!(told.shown.abs_diff(3 * HELD as u64) < HELD as u64 / 20, "{}", told.shown);
        assert_eq!((told.method, told.turns_with_documents), (Method::AdaptiveSampling, 3 * HELD as u64));
    }
}
