//! `conversations_sharegpt.jsonl`: conversations to train on, under column names that the user may choose.

use super::Columns;
use super::formats::Format;
use super::rows::{AssistantReasoning, JudgeColumn, Message, Metadata, Parts, ToolMessage, UserReasoning, messages};
use crate::files::{FilesError, Lines, spaced_row};
use serde::Deserialize;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};
use std::borrow::Cow;

pub(super) const FORMAT: Format = Format { name: "conversations_sharegpt", needed: false, rows };

fn rows(parts: &Parts, lines: &mut Lines) -> Result<(), FilesError> {
    if parts.is_trained_on() {
        lines.push_text(row(parts)?);
    }
    Ok(())
}

/// The text of a conversation's row, which other files begin with.
pub(super) fn row<'p>(parts: &'p Parts) -> Result<&'p [u8], FilesError> {
    if let Some(row) = parts.row.get() {
        return Ok(row);
    }
    let row = spaced_row(
        "row of conversations_sharegpt",
        &Named { row: &ShareGpt::of(parts), columns: &parts.options.columns },
    )?;
    Ok(parts.row.get_or_init(|| row))
}

/// A row of `conversations_sharegpt.jsonl`, of `conversations_sharegpt_judged.jsonl` or of `dropped.jsonl`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ShareGpt<'a> {
    pub(crate) messages: Vec<Message<'a>>,
    pub(crate) messages_with_tools: Cow<'a, [ToolMessage<'a>]>,
    pub(crate) tools: Cow<'a, Value>,
    pub(crate) metadata: Metadata<'a>,
    pub(crate) user_reasoning: Vec<UserReasoning<'a>>,
    pub(crate) assistant_reasoning: Vec<AssistantReasoning<'a>>,
    /// The verdicts, in every file of these rows but `conversations_sharegpt.jsonl`.
    #[serde(default)]
    pub(crate) judge: Option<JudgeColumn<'a>>,
    /// Why the conversation was dropped, in `dropped.jsonl` alone.
    #[serde(default)]
    pub(crate) drop_reason: Option<String>,
    /// What happened to it, for people, in `dropped.jsonl` alone.
    #[serde(default)]
    pub(crate) drop_detail: Option<String>,
}

impl<'a> ShareGpt<'a> {
    /// The row of a conversation, without verdicts.
    pub(super) fn of(parts: &'a Parts<'a>) -> Self {
        Self {
            messages: messages(&parts.conversation.turns, false),
            messages_with_tools: Cow::Borrowed(&parts.messages_with_tools),
            tools: Cow::Borrowed(parts.facts.tools.list()),
            metadata: Metadata::of(parts),
            user_reasoning: parts.user_reasoning(),
            assistant_reasoning: parts.assistant_reasoning(),
            judge: None,
            drop_reason: None,
            drop_detail: None,
        }
    }
}

impl ShareGpt<'_> {
    /// The row that stands in a file with these names of columns.
    ///
    /// # Errors
    /// When it is no such row.
    pub fn named(mut row: Map<String, Value>, columns: &Columns) -> serde_json::Result<Self> {
        let own = columns.pairs().map(|(own, name)| (own.to_owned(), row.remove(name)));
        let own: Map<_, _> = own.into_iter().filter_map(|(own, value)| Some((own, value?))).collect();
        row.extend(own);
        serde_json::from_value(row.into())
    }
}

struct Named<'r, 'a> {
    row: &'r ShareGpt<'a>,
    columns: &'r Columns,
}

impl Serialize for Named<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { row, columns } = self;
        let mut map = serializer.serialize_map(Some(6))?;
        map.serialize_entry(&columns.messages, &row.messages)?;
        map.serialize_entry(&columns.messages_with_tools, &row.messages_with_tools)?;
        map.serialize_entry(&columns.tools, &row.tools)?;
        map.serialize_entry(&columns.metadata, &row.metadata)?;
        map.serialize_entry(&columns.user_reasoning, &row.user_reasoning)?;
        map.serialize_entry(&columns.assistant_reasoning, &row.assistant_reasoning)?;
        map.end()
    }
}
