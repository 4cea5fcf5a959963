//! `parquet/`: what a run has made as Arrow tables, a folder for each: their schemas, and the rows that fill them.

mod calls;
mod conversations;
mod findings;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
mod turns;
mod types;
mod verdicts;

use super::rows::Parts;
use super::{Columns, Options, ShareGpt, dropped, preferences};
use crate::domain::Outcome;
use crate::files::{FilesError, Kind, Layout, Lines, shard_file, spaced_text};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use calls::CallColumns;
use conversations::ConversationColumns;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use turns::TurnColumns;
use types::{always, list, maybe, record, text};

/// Its name in `saving.files`, and of its folder.
pub(super) const NAME: &str = "parquet";

/// The version of the schemas, in the key-value metadata of every file.
pub const VERSION: &str = "9";

/// The key of that metadata that tells the version of the schemas.
pub const VERSION_KEY: &str = "dlgforge.schema";
/// The columns that the user has given other names, as a JSON object by their own names.
pub const COLUMNS_KEY: &str = "dlgforge.columns";

/// A table of what a run has made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// A row for each conversation that is trained on.
    Conversations,
    /// A row for each turn of these.
    Turns,
    /// A row for each pair of answers to the same question, of which one was rejected.
    Preferences,
    /// A row for each dropped conversation that has turns.
    Dropped,
    /// A row for each reply of a model that a conversation with turns holds.
    Calls,
}

impl Table {
    /// All of them, in the order in which they are told of.
    pub const ALL: [Self; 5] = [Self::Conversations, Self::Turns, Self::Preferences, Self::Dropped, Self::Calls];

    /// Its name, and that of its folder in `parquet/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Conversations => "conversations",
            Self::Turns => "turns",
            Self::Preferences => preferences::NAME,
            Self::Dropped => dropped::FORMAT.name,
            Self::Calls => "calls",
        }
    }

    /// Its columns, by their own names.
    pub fn schema(self) -> SchemaRef {
        match self {
            Self::Conversations | Self::Dropped => ConversationColumns::schema(),
            Self::Turns => TurnColumns::schema(),
            Self::Preferences => preference_schema(),
            Self::Calls => CallColumns::schema(),
        }
    }

    /// The columns of `conversations` for people: name, type, and what they tell.
    pub fn told_columns() -> Vec<[String; 3]> {
        let schema = Self::Conversations.schema();
        let meaning =
            |name: &str| conversations::MEANINGS.iter().find(|(known, _)| *known == name).map_or("", |(_, told)| told);
        let told = |field: &Arc<Field>| [field.name().clone(), types::told(field), meaning(field.name()).to_owned()];
        schema.fields().iter().map(told).collect()
    }

    /// Its columns by the names that the user gives them; none of them is renamed to the name of another one.
    pub(crate) fn named(self, renamed: &BTreeMap<String, String>) -> SchemaRef {
        let name = |field: &Arc<Field>| match renamed.get(field.name()) {
            Some(name) => Field::clone(field).with_name(name),
            None => Field::clone(field),
        };
        Arc::new(Schema::new(self.schema().fields().iter().map(name).collect::<Vec<_>>()))
    }

    /// Whether a run with these options has it.
    fn is_written(self, options: &Options) -> bool {
        match self {
            Self::Preferences | Self::Dropped => options.files.has(self.name()),
            Self::Conversations | Self::Turns | Self::Calls => true,
        }
    }

    /// Adds its rows of a conversation.
    fn push(self, parts: &Parts, lines: &mut Lines) -> Result<(), FilesError> {
        const WHAT: &str = "row of a Parquet shard";
        let is_dropped = matches!(parts.outcome, Outcome::Dropped(_));
        match self {
            Self::Calls => calls::of(parts).try_for_each(|call| lines.push(WHAT, &call)),
            Self::Preferences => {
                let documents = parts.documents();
                preferences::pairs(parts).try_for_each(|pair| lines.push(WHAT, &Pair { pair, documents: &documents }))
            }
            Self::Turns if parts.is_trained_on() => {
                parts.conversation.turns.iter().try_for_each(|turn| lines.push(WHAT, &TurnColumns::of(parts, turn)))
            }
            Self::Conversations if parts.is_trained_on() => lines.push(WHAT, &ConversationColumns::of(parts)),
            Self::Dropped if is_dropped && !parts.is_trained_on() => lines.push(WHAT, &ConversationColumns::of(parts)),
            Self::Turns | Self::Conversations | Self::Dropped => Ok(()),
        }
    }
}

/// The tables of a run with these options.
fn tables(options: &Options) -> impl Iterator<Item = Table> {
    Table::ALL.into_iter().filter(|table| table.is_written(options))
}

/// What the metadata of every file tells where these columns, by their own names, have others.
pub(crate) fn told(renamed: &BTreeMap<String, String>) -> Vec<(&'static str, String)> {
    let mut told = vec![(VERSION_KEY, VERSION.to_owned()), ("dlgforge.version", env!("CARGO_PKG_VERSION").to_owned())];
    told.extend((!renamed.is_empty()).then(|| (COLUMNS_KEY, spaced_text(renamed))));
    told
}

/// Lines of the training files as lines of the table `conversations`.
///
/// # Errors
/// When one is no such row.
pub(crate) fn conversation_lines(text: &[u8]) -> serde_json::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        let row: ShareGpt = serde_json::from_slice(line)?;
        let tools = row.tools.to_string();
        serde_json::to_writer(&mut lines, &ConversationColumns::of_row(&row, &tools))?;
        lines.push(b'\n');
    }
    Ok(lines)
}

/// The files of a shard of a run with these options.
pub(super) fn layout(options: &Options) -> Layout {
    let renamed = renamed(&options.columns);
    let kind = |table: Table| Kind { name: table.name(), schema: table.schema(), named: table.named(&renamed) };
    Layout { folder: NAME, told: told(&renamed), kinds: tables(options).map(kind).collect() }
}

/// The path of a shard's file in the output folder.
pub(super) fn file(kind: &str, run_id: &str, number: u32) -> String {
    shard_file(NAME, kind, run_id, number)
}

/// The folders of all tables, in the output folder.
pub(super) fn folders() -> [String; 5] {
    Table::ALL.map(|table| format!("{NAME}/{}", table.name()))
}

/// The rows of a conversation that has turns, for each table.
pub(super) fn rows(parts: &Parts) -> Result<Vec<Lines>, FilesError> {
    let of_table = |table: Table| {
        let mut lines = Lines::default();
        table.push(parts, &mut lines).map(|()| lines)
    };
    tables(parts.options).map(of_table).collect()
}

/// The columns of the table `conversations` that have another name than their own.
fn renamed(columns: &Columns) -> BTreeMap<String, String> {
    let others = columns.pairs().into_iter().filter(|(own, name)| own != name && *own != "metadata");
    others.map(|(own, name)| (own.to_owned(), name.to_owned())).collect()
}

/// A row of the table `preferences`: that of `preferences.jsonl`, and the documents of its conversation.
#[derive(Serialize)]
struct Pair<'a> {
    #[serde(flatten)]
    pair: preferences::PreferenceRow<'a>,
    documents: &'a [&'a str],
}

/// Schema of the table `preferences`.
fn preference_schema() -> SchemaRef {
    let messages = |name| list(name, record(["role", "content"]));
    Arc::new(Schema::new(vec![
        text("conversation_id"),
        always("turn_index", DataType::UInt16),
        text("language"),
        messages("prompt"),
        messages("chosen"),
        messages("rejected"),
        maybe("score_chosen", DataType::UInt8),
        maybe("score_rejected", DataType::UInt8),
        list("reasons_rejected", DataType::Utf8),
        text("notes_rejected"),
        list("unsupported_numbers_rejected", DataType::Utf8),
        text("assistant_agent"),
        text("conversation_status"),
        text("run_id"),
        list("documents", DataType::Utf8),
    ]))
}
