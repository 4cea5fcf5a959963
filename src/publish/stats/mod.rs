//! Statistics of a dataset: `dataset_stats.json`, from one pass over its conversations in memory that does not grow with them.
//!
//! What is counted by few kinds (scores, lengths, languages) is exact. What would need all of the dataset (n-grams, comparisons
//! of messages) is exact up to a bound and tells of an even part beyond, and the file says which ([`Method`]). The
//! same conversations in the same order make the same bytes, on any number of threads and in batches of any size.

mod compression;
mod counts;
mod groups;
mod lengths;
mod near_duplicates;
mod nearest;
mod ngrams;
mod people;
mod repetition;
mod report;
mod sketch;
mod text;
mod tokens;

pub use groups::{Documents, Languages, Turns};
pub use lengths::{Bin, Distribution, Histogram};
pub use near_duplicates::NearDuplicates;
pub use nearest::{NearestNeighbour, nearest_neighbour};
pub use ngrams::DistinctShare;
pub use people::{Agreement, People, people};
pub use repetition::SelfRepetition;
pub use report::{Diversity, Judged, Report, RoleDiversity, RunFigures, TextLengths, TokenCounts, TurnCount};
pub use sketch::Method;

use super::Dialogue;
use compression::Compressed;
use counts::Counts;
use near_duplicates::Likeness;
use nearest::Sample;
use ngrams::Ngrams;
use repetition::Repetition;
use tokens::TokenTotals;

/// Statistics of the conversations that were added, on all threads of rayon's pool.
///
/// ```
/// use dlgforge::publish::{Dialogue, Exchange, stats::Statistics};
///
/// let turn = Exchange { index: 1, user: "Où est la gare ?", assistant: "Au bout de la rue.", ..Exchange::default() };
/// let mut statistics = Statistics::default();
/// statistics.add(&[Dialogue { language: "fr", turns: vec![turn], ..Dialogue::default() }]);
/// let report = statistics.report("conversations_sharegpt.jsonl", None);
/// assert_eq!((report.records, report.text.avg_words_per_conversation), (1, Some(10.0)));
/// ```
#[derive(Debug, Default)]
pub struct Statistics {
    counts: Counts,
    tokens: TokenTotals,
    user: RoleStatistics,
    assistant: RoleStatistics,
}

impl Statistics {
    /// Adds the conversations that come next. Some hundreds at a time keep the threads busy.
    pub fn add(&mut self, conversations: &[Dialogue<'_>]) {
        let turns = || conversations.iter().flat_map(|conversation| &conversation.turns);
        let said = |text: &&str| !text.is_empty();
        let asked: Vec<&str> = turns().map(|turn| turn.user).filter(said).collect();
        let answered: Vec<&str> = turns().map(|turn| turn.assistant).filter(said).collect();
        let Self { counts, tokens, user, assistant } = self;
        rayon::join(
            || assistant.add(&answered),
            || {
                rayon::join(
                    || tokens.add(conversations),
                    || rayon::join(|| user.add(&asked), || counts.add(conversations)),
                )
            },
        );
    }

    /// The messages of users and of assistants whose vectors tell how near they are to each other: all, or an even part of them.
    pub fn samples(&self) -> [Vec<String>; 2] {
        [self.user.sample.texts(), self.assistant.sample.texts()]
    }

    /// The statistics of all conversations that were added: those of this file of the dataset, by a run of which more may
    /// be known.
    pub fn report(self, source_file: &str, run: Option<RunFigures>) -> Report {
        let Self { counts, tokens, user, assistant } = self;
        let (user, assistant) = rayon::join(|| user.diversity(), || assistant.diversity());
        report::of(source_file, counts, tokens, Diversity { user, assistant }, run)
    }
}

/// What tells how diverse the messages of a role are.
#[derive(Debug, Default)]
struct RoleStatistics {
    messages: u64,
    compressed: Compressed,
    ngrams: Ngrams,
    repetition: Repetition,
    likeness: Likeness,
    sample: Sample,
}

impl RoleStatistics {
    fn add(&mut self, messages: &[&str]) {
        let Self { messages: count, compressed, ngrams, repetition, likeness, sample } = self;
        let first = *count;
        *count += messages.len() as u64;
        let compare = || {
            for (text, number) in messages.iter().zip(first..) {
                // Also what is said twice has a key of its own: an even part of the messages is one of all of them.
                let (key, words) = (sketch::joined(sketch::hash(text), number), sketch::words(text));
                sample.add(key, text);
                repetition.add(key, &words);
                likeness.add(key, &words);
            }
        };
        rayon::join(|| compressed.add(messages), || rayon::join(|| ngrams.add(messages), compare));
    }

    fn diversity(self) -> RoleDiversity {
        let [distinct_1, distinct_2, distinct_3] = self.ngrams.shares();
        RoleDiversity {
            messages: self.messages,
            distinct_1,
            distinct_2,
            distinct_3,
            compression_ratio: self.compressed.ratio(),
            self_repetition: self.repetition.score(),
            near_duplicates: self.likeness.found(),
            nearest_neighbour: None,
        }
    }
}

/// A number to four decimals, halves to even.
fn rounded(number: f64) -> f64 {
    format!("{number:.4}").parse().unwrap_or(number)
}

/// The mean to four decimals; none of nothing.
fn mean(sum: f64, count: u64) -> Option<f64> {
    (count > 0).then(|| rounded(sum / count as f64))
}

#[cfg(test)]
mod tests;
