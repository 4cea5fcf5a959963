//! What is counted by few kinds: scores, lengths, and how many of what there are.

use super::groups::{DocumentCounts, TurnCounts};
use super::lengths::{Distribution, Lengths};
use crate::publish::Dialogue;
use std::collections::BTreeMap;

/// Counts of the conversations that were added.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub records: u64,
    pub statuses: BTreeMap<String, u64>,
    pub languages: BTreeMap<String, LanguageCounts>,
    pub modes: BTreeMap<String, TurnCounts>,
    pub difficulties: BTreeMap<String, TurnCounts>,
    pub labels: BTreeMap<String, u64>,
    pub documents: DocumentCounts,
    pub turns: Lengths,
    pub averages: Scores,
    pub turn_scores: Scores,
    pub conversation_scores: Scores,
    pub conversation_words: Lengths,
    pub conversation_estimates: Lengths,
    pub message_words: Lengths,
    pub message_estimates: Lengths,
}

#[derive(Debug, Default)]
pub(super) struct LanguageCounts {
    pub records: u64,
    pub turns: u64,
    pub words: u64,
    pub scores: Scores,
}

/// Scores from 0 to 10.
#[derive(Debug, Default)]
pub(super) struct Scores {
    pub count: u64,
    sum: f64,
    /// By the nearest whole number, halves to the even one.
    pub buckets: Distribution,
}

impl Scores {
    pub fn add(&mut self, score: f64) {
        self.count += 1;
        self.sum += score;
        *self.buckets.entry(score.round_ties_even().clamp(0.0, 10.0) as u64).or_default() += 1;
    }

    pub fn mean(&self) -> Option<f64> {
        super::mean(self.sum, self.count)
    }
}

impl Counts {
    pub fn add(&mut self, conversations: &[Dialogue<'_>]) {
        conversations.iter().for_each(|conversation| self.add_one(conversation));
    }

    fn add_one(&mut self, conversation: &Dialogue<'_>) {
        self.records += 1;
        *of(&mut self.statuses, conversation.status) += 1;
        let (mut words, mut estimate) = (0, 0);
        for turn in &conversation.turns {
            for text in [turn.user, turn.assistant].into_iter().filter(|text| !text.is_empty()) {
                let (its_words, its_estimate) = (text.split_whitespace().count() as u64, estimated(text));
                self.message_words.add(its_words);
                self.message_estimates.add(its_estimate);
                (words, estimate) = (words + its_words, estimate + its_estimate);
            }
            of(&mut self.modes, turn.mode).add(turn.score, turn.accepted);
            of(&mut self.difficulties, turn.difficulty).add(turn.score, turn.accepted);
            turn.answer_labels.iter().for_each(|label| *of(&mut self.labels, label) += 1);
            turn.score.iter().for_each(|score| self.turn_scores.add(f64::from(*score)));
            self.documents.add(&turn.sources);
        }
        self.turns.add(conversation.turns.len() as u64);
        self.conversation_words.add(words);
        self.conversation_estimates.add(estimate);
        conversation.conversation_score.iter().for_each(|score| self.conversation_scores.add(f64::from(*score)));
        let language = of(&mut self.languages, conversation.language);
        language.records += 1;
        language.turns += conversation.turns.len() as u64;
        language.words += words;
        if let Some(score) = conversation.score {
            self.averages.add(score);
            language.scores.add(score);
        }
    }
}

/// Tokens by the rule of thumb that four characters are one, and at least one.
fn estimated(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(4).max(1)
}

/// The value of a key, which is made where it is not there.
pub(super) fn of<'map, V: Default>(map: &'map mut BTreeMap<String, V>, key: &str) -> &'map mut V {
    if !map.contains_key(key) {
        map.insert(key.to_owned(), V::default());
    }
    map.get_mut(key).expect("it is there")
}
