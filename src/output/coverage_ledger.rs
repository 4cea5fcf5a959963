//! The coverage ledger: every accepted question of every run in an output folder, one line each.

use super::formats::Format;
use super::rows::Parts;
use crate::domain::{Catalogue, Turn, question_hash};
use crate::files::{self, FilesError, Lines};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::path::Path;

/// Name of the ledger in the output folder.
pub const FILE_NAME: &str = "coverage_ledger.jsonl";

pub(super) const FORMAT: Format = Format { name: "coverage_ledger", needed: true, rows };

fn rows(parts: &Parts, lines: &mut Lines) -> Result<(), FilesError> {
    let mut turns = parts.conversation.turns.iter();
    let row = |turn| LedgerRow::of(turn, parts.catalogue, &parts.facts.run_id, parts.timestamp_z);
    turns.try_for_each(|turn| lines.push("row of coverage_ledger", &row(turn)))
}

/// A line of the ledger. Texts are empty where there is nothing to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRow {
    /// When it was recorded: UTC with microseconds and `Z`.
    pub timestamp: String,
    /// Id of the chunk the question is about.
    pub topic_id: String,
    /// Path of its document, relative to the knowledge folder.
    pub source_path: String,
    /// The question as it was asked.
    pub question: String,
    /// [`question_hash`] of the question.
    pub question_hash: String,
    /// How the question related to what was said.
    pub question_mode: String,
    /// Seed topic of the question; empty without one.
    pub seed_topic: String,
    /// Seed question it began from; empty without one.
    pub seed_question: String,
    /// [`question_hash`] of the seed question.
    pub seed_question_hash: String,
    /// The run that asked. Ledgers of earlier releases do not tell.
    #[serde(default)]
    pub run_id: String,
}

impl LedgerRow {
    /// The line of an accepted turn.
    pub(crate) fn of(turn: &Turn, catalogue: &Catalogue, run_id: &str, timestamp: &str) -> Self {
        let question = &turn.question;
        let chunk = question.used.chunk.map(|chunk| catalogue.chunk(chunk).id.clone());
        let source = question.used.source.map(|source| catalogue.source(source).path.clone());
        let seed_hash =
            if question.seed_question.is_empty() { String::new() } else { question_hash(&question.seed_question) };
        Self {
            timestamp: timestamp.to_owned(),
            topic_id: chunk.unwrap_or_default(),
            source_path: source.unwrap_or_default(),
            question: question.reply.user_message.clone(),
            question_hash: question_hash(&question.reply.user_message),
            question_mode: question.mode.as_str().to_owned(),
            seed_topic: question.seed_topic.clone(),
            seed_question: question.seed_question.clone(),
            seed_question_hash: seed_hash,
            run_id: run_id.to_owned(),
        }
    }
}

/// Hands over the rows of the ledger in an output folder one by one with the bytes each takes, oldest first, up to this
/// length in bytes; see [`files::read`].
///
/// # Errors
/// When the file can't be read, or a line is not a ledger row; the error names the line.
pub fn read(folder: &Path, length: u64, take: impl FnMut(Range<u64>, LedgerRow)) -> Result<(), FilesError> {
    files::read(&folder.join(FILE_NAME), length, take)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::sample;
    use super::*;

    const GOOD: &str = r#"{"timestamp": "t", "topic_id": "c-0", "source_path": "a.md", "question": "ماذا؟", "question_hash": "0", "question_mode": "fresh", "seed_topic": "", "seed_question": "", "seed_question_hash": ""}"#;

    fn loaded(content: &[u8]) -> Result<Vec<LedgerRow>, FilesError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE_NAME), content).unwrap();
        let mut rows = Vec::new();
        read(folder.path(), u64::MAX, |_, row| rows.push(row)).map(|()| rows)
    }

    #[test]
    fn whole_lines_count() {
        let torn_within_a_character = &GOOD.as_bytes()[..GOOD.find('م').unwrap() + 1];
        for (content, expected) in [
            (Vec::new(), 0),
            (format!("{GOOD}\n{GOOD}\n").into_bytes(), 2),
            (format!("{GOOD}\n\n{GOOD}").into_bytes(), 2),
            (format!("{GOOD}\n{}", &GOOD[..40]).into_bytes(), 1),
            ([GOOD.as_bytes(), b"\n", torn_within_a_character].concat(), 1),
        ] {
            assert_eq!(loaded(&content).unwrap().len(), expected, "{}", String::from_utf8_lossy(&content));
        }
    }

    #[test]
    fn a_bad_line_is_named() {
        for bad in ["not JSON", "{}", r#"{"timestamp": "t"}"#] {
            let error = loaded(format!("{GOOD}\n{bad}\n{GOOD}\n").as_bytes()).unwrap_err().to_string();
            assert!(error.contains("coverage_ledger.jsonl:2:"), "{error}");
        }
    }

    #[test]
    fn no_ledger_means_no_rows() {
        read(tempfile::tempdir().unwrap().path(), 0, |_, row| panic!("{row:?}")).unwrap();
    }

    #[test]
    fn chunk_and_source_come_from_the_catalogue() {
        use std::sync::Arc;
        let mut turn = sample::sample_conversation().turns.remove(0);
        let row = LedgerRow::of(&turn, &sample::catalogue(), "r", "t");
        assert_eq!((row.topic_id.as_str(), row.source_path.as_str()), ("5f0c-1", "backup.md"));
        let question = Arc::make_mut(&mut Arc::make_mut(&mut turn).question);
        (question.used.chunk, question.used.source) = (None, None);
        let row = LedgerRow::of(&turn, &sample::catalogue(), "r", "t");
        assert_eq!((row.topic_id.as_str(), row.source_path.as_str()), ("", ""));
    }
}
