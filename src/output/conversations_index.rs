//! `conversations_index.jsonl`: where the document of each conversation lies.

use super::formats::Format;
use super::rows::{Parts, Text};
use crate::files::{FilesError, Lines};
use serde::{Deserialize, Serialize};

pub(super) const FORMAT: Format = Format { name: "conversations_index", needed: false, rows };

fn rows(parts: &Parts, lines: &mut Lines) -> Result<(), FilesError> {
    lines.push("row of conversations_index", &IndexRow::of(parts))
}

/// A row of `conversations_index.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexRow<'a> {
    pub(crate) conversation_id: Text<'a>,
    pub(crate) timestamp: Text<'a>,
    pub(crate) n_turns: usize,
    pub(crate) seed_question: Text<'a>,
    pub(crate) language: Text<'a>,
    pub(crate) conversation_file: Text<'a>,
    pub(crate) conversation_status: Text<'a>,
    pub(crate) drop_reason: Text<'a>,
    pub(crate) run_id: Text<'a>,
}

impl<'a> IndexRow<'a> {
    pub(super) fn of(parts: &'a Parts<'a>) -> Self {
        Self {
            conversation_id: (&*parts.conversation.id).into(),
            timestamp: parts.timestamp.into(),
            n_turns: parts.n_turns(),
            seed_question: (&parts.facts.question).into(),
            language: (&*parts.conversation.language).into(),
            conversation_file: (&parts.file).into(),
            conversation_status: parts.status.into(),
            drop_reason: parts.drop_reason.into(),
            run_id: (&*parts.facts.run_id).into(),
        }
    }
}
