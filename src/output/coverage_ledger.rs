//! The coverage ledger: every accepted question of every run in an output folder, one line each.

use super::RunFacts;
use super::formats::Format;
use super::rows::Parts;
use crate::domain::{
    Catalogue, ChunkIndex, Fingerprint, NearDuplicate, Neighbour, Normalisation, Overlap, Similarity, SourceIndex,
    TooClose, Turn, question_hash,
};
use crate::files::{self, FilesError, Lines};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;

/// Name of the ledger in the output folder.
pub const FILE_NAME: &str = "coverage_ledger.jsonl";

pub(super) const FORMAT: Format = Format { name: "coverage_ledger", needed: true, rows };

fn rows(parts: &Parts, lines: &mut Lines) -> Result<(), FilesError> {
    let mut turns = parts.conversation.turns.iter();
    let row = |turn| LedgerRow::of(turn, parts.catalogue, parts.facts, parts.timestamp_z);
    turns.try_for_each(|turn| lines.push("row of coverage_ledger", &row(turn)))
}

/// A line of the ledger. Texts are empty where there is nothing to tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerRow<'a> {
    /// When it was recorded: UTC with microseconds and `Z`.
    #[serde(borrow)]
    pub timestamp: Cow<'a, str>,
    /// Id of the chunk the question is about.
    #[serde(borrow)]
    pub topic_id: Cow<'a, str>,
    /// Path of its document, relative to the knowledge folder.
    #[serde(borrow)]
    pub source_path: Cow<'a, str>,
    /// The question as it was asked.
    #[serde(borrow)]
    pub question: Cow<'a, str>,
    /// [`question_hash`] of the question.
    #[serde(borrow)]
    pub question_hash: Cow<'a, str>,
    /// Further passages that the question needs: the path of the document and the chunk's number within it, of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub linked: Vec<(String, u32)>,
    /// How the question related to what was said.
    #[serde(borrow)]
    pub question_mode: Cow<'a, str>,
    /// Seed topic of the question; empty without one.
    #[serde(borrow)]
    pub seed_topic: Cow<'a, str>,
    /// Seed question it began from; empty without one.
    #[serde(borrow)]
    pub seed_question: Cow<'a, str>,
    /// [`question_hash`] of the seed question.
    #[serde(borrow)]
    pub seed_question_hash: Cow<'a, str>,
    /// Questions that were asked for the turn before, and rejected because of what they are too close to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub near_duplicates: Vec<RejectedQuestion>,
    /// The run that asked. Ledgers of earlier releases do not tell.
    #[serde(borrow, default)]
    pub run_id: Cow<'a, str>,
    /// Its fingerprint, behind the name of the normalisation that it is of: `full:` and 32 hexadecimal digits. It spares the
    /// next run the work; rows without one are as good.
    #[serde(borrow, default)]
    pub fingerprint: Cow<'a, str>,
}

/// A question that was rejected because of what it is too close to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RejectedQuestion {
    /// The question as it was asked.
    pub question: String,
    /// What it is too close to.
    pub close_to: String,
    /// How close the two are, from 0 to 1; none where the question has these words of a held-out text.
    pub similarity: Option<f64>,
    /// Where the held-out text stands, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<Arc<str>>,
}

impl RejectedQuestion {
    /// As outputs tell of it.
    pub fn of(near: &NearDuplicate) -> Self {
        let (close_to, similarity, held_out) = match &near.neighbour {
            TooClose::Question(Neighbour { similarity, text, .. }) => (text, Some(*similarity), None),
            TooClose::HeldOut(Overlap { held_out, text, similarity }) => (text, *similarity, Some(held_out.clone())),
        };
        let similarity = similarity.map(Similarity::share);
        Self { question: near.question.to_string(), close_to: close_to.to_string(), similarity, held_out }
    }
}

impl<'a> LedgerRow<'a> {
    /// The number, within its document, of the chunk that the question is about.
    pub fn chunk_number(&self) -> Option<u32> {
        self.topic_id.rsplit_once('-')?.1.parse().ok()
    }

    /// The line of an accepted turn.
    pub(crate) fn of(turn: &'a Turn, catalogue: &'a Catalogue, facts: &'a RunFacts, timestamp: &'a str) -> Self {
        let question = &turn.question;
        let path_and_number = |(chunk, source): &(ChunkIndex, SourceIndex)| {
            (catalogue.source(*source).path.clone(), catalogue.number(*chunk))
        };
        let seed_hash =
            if question.seed_question.is_empty() { String::new() } else { question_hash(&question.seed_question) };
        Self {
            timestamp: timestamp.into(),
            topic_id: question.used.chunk.map_or("".into(), |chunk| catalogue.chunk(chunk).id.into()),
            source_path: question.used.source.map_or("", |source| &catalogue.source(source).path).into(),
            question: question.reply.user_message.as_str().into(),
            question_hash: question_hash(&question.reply.user_message).into(),
            linked: question.used.linked.iter().map(path_and_number).collect(),
            question_mode: question.mode.as_str().into(),
            seed_topic: question.seed_topic.as_str().into(),
            seed_question: question.seed_question.as_str().into(),
            seed_question_hash: seed_hash.into(),
            near_duplicates: turn.near_duplicates.iter().map(RejectedQuestion::of).collect(),
            run_id: (&*facts.run_id).into(),
            fingerprint: format!("{}:{:032x}", facts.normalisation.as_str(), question.fingerprint.0).into(),
        }
    }

    /// The fingerprint of the question by this normalisation.
    pub fn fingerprint(&self, normalisation: Normalisation) -> Fingerprint {
        let digits = self.fingerprint.strip_prefix(normalisation.as_str()).and_then(|rest| rest.strip_prefix(':'));
        let told = digits.and_then(|digits| u128::from_str_radix(digits, 16).ok());
        told.map_or_else(|| Fingerprint::of(&self.question, normalisation), Fingerprint)
    }
}

/// Hands over what is made of the rows of the ledger in an output folder, one by one with the bytes each takes, oldest first,
/// up to this length in bytes. `make` is called on all cores; see [`files::read_with`].
///
/// # Errors
/// When the file can't be read, or a line is not a ledger row; the error names the line.
pub fn read<T: Send>(
    folder: &Path,
    length: u64,
    make: impl Fn(LedgerRow<'_>) -> T + Sync,
    take: impl FnMut(Range<u64>, T) -> ControlFlow<()>,
) -> Result<(), FilesError> {
    let parse = |text: &[u8]| serde_json::from_slice(text).map(&make);
    files::read_with(&folder.join(FILE_NAME), length, parse, take)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::sample;
    use super::*;

    const GOOD: &str = r#"{"timestamp": "t", "topic_id": "c-0", "source_path": "a.md", "question": "ماذا؟", "question_hash": "0", "question_mode": "fresh", "seed_topic": "", "seed_question": "", "seed_question_hash": ""}"#;

    fn loaded(content: &[u8]) -> Result<Vec<String>, FilesError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE_NAME), content).unwrap();
        let mut rows = Vec::new();
        let take = |_, row| {
            rows.push(row);
            ControlFlow::Continue(())
        };
        read(folder.path(), u64::MAX, |row| row.question.into_owned(), take).map(|()| rows)
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
        read(tempfile::tempdir().unwrap().path(), 0, |_| (), |_, ()| panic!("a row")).unwrap();
    }

    #[test]
    fn chunk_and_source_come_from_the_catalogue() {
        use std::sync::Arc;
        let mut turn = sample::sample_conversation().turns.remove(0);
        let (catalogue, facts) = (sample::catalogue(), sample::facts());
        let row = LedgerRow::of(&turn, &catalogue, &facts, "t");
        assert_eq!((&*row.topic_id, &*row.source_path), ("5f0c-1", "backup.md"));
        let question = Arc::make_mut(&mut Arc::make_mut(&mut turn).question);
        (question.used.chunk, question.used.source) = (None, None);
        let row = LedgerRow::of(&turn, &catalogue, &facts, "t");
        assert_eq!((&*row.topic_id, &*row.source_path), ("", ""));
    }

    #[test]
    fn a_fingerprint_is_taken_from_its_row_where_it_is_of_the_same_normalisation() {
        let row = |more: &str| GOOD.replace('}', &format!("{more}}}"));
        let of = |text: &str| {
            let row: LedgerRow = serde_json::from_str(text).unwrap();
            [Normalisation::Full, Normalisation::Contract].map(|version| row.fingerprint(version))
        };
        let [full, contract] =
            [Normalisation::Full, Normalisation::Contract].map(|version| Fingerprint::of("ماذا؟", version));
        assert_eq!(of(GOOD), [full, contract]);
        assert_eq!(of(&row(r#", "fingerprint": "full:00000000000000000000000000000007""#)), [Fingerprint(7), contract]);
        assert_eq!(of(&row(r#", "fingerprint": "fuller:7""#)), [full, contract]);
    }
}
