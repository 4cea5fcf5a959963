//! Self-repetition: how much messages say in the words of other messages of the same role.
//!
//! C. Salkar et al., "Self-repetition in abstractive neural summarizers" (2022), as `self_repetition_score` of PyPI's `diversity` 0.3
//! has it: the mean over messages of ln(1 + r), where r is how often the message's 4-grams (words between white space, each
//! once a message) stand in other messages.

use super::sketch::{Method, is_in, joined};
use rayon::prelude::*;
use serde::Serialize;

/// 4-grams that are held at most: 16 MB.
const HELD: usize = 1 << 21;

/// How much messages repeat each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SelfRepetition {
    /// The mean of ln(1 + r), from 0, to four decimals; none where there are no messages. It grows with the number of messages.
    pub score: Option<f64>,
    /// The messages that were compared with each other.
    pub messages: u64,
    /// Whether these are all, or an even part of them.
    pub method: Method,
}

/// Messages by the hashes of their 4-grams.
#[derive(Debug)]
pub(super) struct Repetition {
    bound: usize,
    level: u32,
    messages: Vec<Message>,
    held: usize,
}

#[derive(Debug)]
struct Message {
    key: u64,
    grams: Box<[u64]>,
}

impl Message {
    /// Its room in 4-grams, with what the message takes itself.
    fn size(&self) -> usize {
        self.grams.len() + 4
    }
}

impl Default for Repetition {
    fn default() -> Self {
        Self { bound: HELD, level: 0, messages: Vec::new(), held: 0 }
    }
}

impl Repetition {
    /// Adds a message by the hashes of its words, with a key of its own that says whether it belongs to an even part of all.
    pub fn add(&mut self, key: u64, words: &[u64]) {
        if !is_in(key, self.level) {
            return;
        }
        let gram = |gram: &[u64]| gram[1..].iter().fold(gram[0], |one, next| joined(one, *next));
        let message = Message { key, grams: words.windows(4).map(gram).collect() };
        self.held += message.size();
        self.messages.push(message);
        while self.held > self.bound {
            self.level += 1;
            let level = self.level;
            self.messages.retain(|message| is_in(message.key, level));
            self.held = self.messages.iter().map(Message::size).sum();
        }
    }

    pub fn score(self) -> SelfRepetition {
        let mut places: Vec<(u64, u32)> = Vec::with_capacity(self.held);
        for (number, message) in self.messages.iter().enumerate() {
            places.extend(message.grams.iter().map(|gram| (*gram, number as u32)));
        }
        places.par_sort_unstable();
        places.dedup();
        let mut elsewhere = vec![0; self.messages.len()];
        for same in places.chunk_by(|one, other| one.0 == other.0) {
            same.iter().for_each(|(_, number)| elsewhere[*number as usize] += same.len() - 1);
        }
        let sum: f64 = elsewhere.iter().map(|times| (*times as f64).ln_1p()).sum();
        let count = self.messages.len();
        let score = (count > 0).then(|| super::rounded(sum / count as f64));
        SelfRepetition { score, messages: count as u64, method: Method::of(self.level) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sketch::{hash, words};
    use super::*;

    fn scored(bound: usize, messages: &[&str]) -> SelfRepetition {
        let mut repetition = Repetition { bound, ..Repetition::default() };
        for (at, text) in messages.iter().enumerate() {
            repetition.add(hash(&at.to_string()), &words(text));
        }
        assert!(repetition.held <= bound);
        repetition.score()
    }

    #[test]
    fn ngrams_of_other_messages_count() {
        // Of the first, `a b c d` stands in one other message; of the last, once too, though it has it twice.
        let score = scored(HELD, &["a b c\nd", "b c d", "a b c d e", "x a b c d a b c d"]).score;
        assert_eq!(score, Some(super::super::rounded(3.0 * 3f64.ln() / 4.0)));
        assert_eq!(scored(HELD, &["a b c d", "كيف a b c"]).score, Some(0.0));
        assert_eq!(scored(HELD, &[]).score, None);
    }

    #[test]
    fn beyond_the_bound_an_even_part_is_compared() {
        let messages = vec!["the same four words here"; 500];
        let part = scored(400, &messages);
        assert!(part.method == Method::AdaptiveSampling && (20..=66).contains(&part.messages), "{part:?}");
        let expected = (2.0 * (part.messages - 1) as f64).ln_1p();
        assert_eq!(part.score, Some(super::super::rounded(expected)));
    }
}
