//! Which conversations are listed, and in which order.

use super::ViewError;
use super::index::asked;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Conversations of a page, at most.
const LONGEST: u64 = 200;
/// Conversations of a page where none is said.
const PAGE: u64 = 50;

/// What conversations are listed by. What is empty leaves everything in.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Words and phrases of what was said.
    pub q: String,
    /// The language of conversations, as it was asked for.
    pub language: String,
    /// A mode of at least one question.
    pub mode: String,
    /// How they ended: `completed` or `dropped`.
    pub status: String,
    /// Why they were dropped.
    pub reason: String,
    /// The id of the person who asks.
    pub persona: String,
    /// A document that the assistant was shown.
    pub document: String,
    /// The run that made them.
    pub run: String,
    /// `keep`, `reject`, `note` for those with a note, or `none`.
    pub label: String,
    /// The lowest score that passes.
    pub min: Option<f64>,
    /// The highest score that passes.
    pub max: Option<f64>,
    /// The order of the list.
    pub sort: Sort,
    /// Conversations to leave out at the beginning.
    pub offset: u64,
    /// Conversations of the page, 200 at most.
    pub limit: Option<u64>,
}

/// An order of conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// The last recorded first.
    #[default]
    Newest,
    /// The first recorded first.
    Oldest,
    /// The lowest score first, and those without any last.
    Lowest,
    /// The highest score first, and those without any last.
    Highest,
    /// The one of most words first.
    Longest,
}

impl Sort {
    fn order(self) -> &'static str {
        match self {
            Self::Newest => "recorded DESC, c.number DESC",
            Self::Oldest => "recorded, c.number",
            Self::Lowest => "score NULLS LAST, c.number",
            Self::Highest => "score DESC, c.number DESC",
            Self::Longest => "words DESC, c.number DESC",
        }
    }
}

/// A page of conversations.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Listed {
    /// All that pass the filter.
    pub total: u64,
    /// The conversations to leave out at the beginning, as they were asked for.
    pub offset: u64,
    /// The conversations of the page, in order.
    pub conversations: Vec<Item>,
}

/// A conversation in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// The id of the conversation.
    pub id: String,
    /// The run that made it.
    pub run: String,
    /// Its language, as it was asked for.
    pub language: String,
    /// How it ended: `completed` or `dropped`.
    pub status: String,
    /// Why it was dropped; empty where it was not.
    pub reason: String,
    /// Its score, 0 to 10, where it has one.
    pub score: Option<f64>,
    /// How many turns it has.
    pub turns: u32,
    /// The id of the person who asks.
    pub persona: String,
    /// When it was recorded, in microseconds since 1970.
    pub recorded: i64,
    /// The beginning of its first question.
    pub opening: String,
    /// `keep`, `reject`, or empty.
    pub label: String,
    /// What is said of it; may be empty.
    pub note: String,
}

impl Item {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            run: row.get(1)?,
            language: row.get(2)?,
            status: row.get(3)?,
            reason: row.get(4)?,
            score: row.get(5)?,
            turns: row.get(6)?,
            persona: row.get(7)?,
            recorded: row.get(8)?,
            opening: row.get(9)?,
            label: row.get(10)?,
            note: row.get(11)?,
        })
    }
}

impl Filter {
    /// The page of it, from a reader of the index with the labels.
    ///
    /// # Errors
    /// When it has a value that none has, or the index can't be read.
    pub fn list(&self, reader: &Connection, path: &Path) -> Result<Listed, ViewError> {
        let none = Listed { total: 0, offset: self.offset, conversations: Vec::new() };
        let Some((conditions, values)) = self.conditions()? else { return Ok(none) };
        let read = || -> rusqlite::Result<Listed> {
            let from = "FROM conversation c LEFT JOIN label ON label.id = c.id";
            let all = if self.label.is_empty() { "FROM conversation c" } else { from };
            let total = format!("SELECT count(*) {all} WHERE {conditions}");
            let total = reader.prepare_cached(&total)?.query_row(params_from_iter(&values), |row| row.get(0))?;
            // The texts of the page's conversations alone are read.
            let page = format!(
                "SELECT c.id, run, language, status, reason, score, turns, persona, recorded, opening, coalesce(label.label, ''),
                 coalesce(label.note, '') {from} WHERE c.number IN
                 (SELECT c.number {all} WHERE {conditions} ORDER BY {order} LIMIT {limit} OFFSET {offset}) ORDER BY {order}",
                order = self.sort.order(),
                limit = self.limit.unwrap_or(PAGE).min(LONGEST),
                offset = self.offset.min(i64::MAX as u64),
            );
            let mut page = reader.prepare_cached(&page)?;
            let items = page.query_map(params_from_iter(&values), Item::of)?;
            Ok(Listed { total, offset: self.offset, conversations: items.collect::<Result<_, _>>()? })
        };
        read().map_err(ViewError::index(path))
    }

    /// The condition in SQL with its values, in order; none where nothing can meet it.
    fn conditions(&self) -> Result<Option<(String, Vec<Value>)>, ViewError> {
        let (mut conditions, mut values) = (vec!["1".to_owned()], Vec::new());
        let mut add = |condition: &str, value: Value| {
            values.push(value);
            conditions.push(condition.replace('?', &format!("?{}", values.len())));
        };
        let in_table = |table: &str| format!("c.number IN (SELECT number FROM {table} WHERE name = ?)");
        for (wanted, condition) in [
            (&self.language, "language = ?"),
            (&self.status, "status = ?"),
            (&self.reason, "reason = ?"),
            (&self.persona, "persona = ?"),
            (&self.run, "run = ?"),
            (&self.mode, &in_table("mode")),
            (&self.document, &in_table("document")),
        ] {
            if !wanted.is_empty() {
                add(condition, wanted.clone().into());
            }
        }
        self.min.into_iter().for_each(|min| add("score >= ?", min.into()));
        self.max.into_iter().for_each(|max| add("score <= ?", max.into()));
        if !self.q.trim().is_empty() {
            let Some(question) = asked(&self.q) else { return Ok(None) };
            add("c.number IN (SELECT rowid FROM said WHERE said MATCH ?)", question.into());
        }
        match self.label.as_str() {
            "" => {}
            "keep" | "reject" => add("label.label = ?", self.label.clone().into()),
            "note" => conditions.push("label.note <> ''".to_owned()),
            "none" => conditions.push("coalesce(label.label, '') = ''".to_owned()),
            other => {
                let text = format!("there is no label `{other}`; choose of keep, reject, note, none");
                return Err(ViewError::Question(text));
            }
        }
        Ok(Some((conditions.join(" AND "), values)))
    }
}
