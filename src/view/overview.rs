//! What all conversations of an index are like, in figures.

use super::ViewError;
use rusqlite::Connection;
use serde::Serialize;
use std::path::Path;

/// Documents that are told of, those shown most.
const DOCUMENTS: u32 = 500;

/// A value, and how many conversations (of modes, turns) have it.
pub type Count = (String, u64);

/// The figures of all conversations.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overview {
    /// All conversations that are indexed.
    pub conversations: u64,
    /// The conversations of each language.
    pub languages: Vec<Count>,
    /// The conversations by how they ended.
    pub statuses: Vec<Count>,
    /// Dropped conversations by reason.
    pub reasons: Vec<Count>,
    /// Turns of accepted conversations by mode.
    pub modes: Vec<Count>,
    /// The conversations of each person who asks.
    pub personas: Vec<Count>,
    /// The conversations of each run.
    pub runs: Vec<Count>,
    /// The conversations of the documents that were shown most.
    pub documents: Vec<Count>,
    /// Documents that were shown in any conversation.
    pub documents_shown: u64,
    /// Accepted conversations by score, rounded to a whole number.
    pub scores: Vec<Count>,
    /// Accepted conversations by their number of turns.
    pub turns: Vec<Count>,
    /// Accepted conversations by their number of words, in hundreds.
    pub words: Vec<Count>,
    /// Accepted conversations by label.
    pub labels: Vec<Count>,
    /// The mean score of each language.
    pub mean_scores: Vec<(String, f64)>,
}

/// The figures of the conversations of an index with labels.
///
/// # Errors
/// When it can't be read.
pub fn overview(reader: &Connection, path: &Path) -> Result<Overview, ViewError> {
    let read = || -> rusqlite::Result<Overview> {
        let one = |sql: &str| reader.prepare_cached(sql)?.query_row([], |row| row.get(0));
        let counts = |what: &str, from: &str, order: &str| -> rusqlite::Result<Vec<Count>> {
            // Grouped as they are stored, so that an index has them in order.
            let sql =
                format!("SELECT CAST({what} AS TEXT), count(*) AS n FROM {from} GROUP BY {what} ORDER BY {order}");
            let mut found = reader.prepare_cached(&sql)?;
            found.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        };
        let (most, accepted) = ("n DESC, 1", "conversation WHERE status <> 'dropped'");
        let numbers = |what: &str, from: &str| counts(what, from, what);
        let mut modes = reader.prepare_cached(
            "SELECT name, sum(mode.turns) FROM mode JOIN conversation USING (number) WHERE status <> 'dropped'
             GROUP BY name ORDER BY 2 DESC, name",
        )?;
        let mut means = reader.prepare_cached(
            "SELECT language, avg(score) FROM conversation WHERE status <> 'dropped' AND score IS NOT NULL GROUP BY language ORDER BY language",
        )?;
        Ok(Overview {
            conversations: one("SELECT count(*) FROM conversation")?,
            languages: counts("language", "conversation", "1")?,
            statuses: counts("status", "conversation", "1")?,
            reasons: counts("reason", "conversation WHERE status = 'dropped'", most)?,
            modes: modes.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?,
            personas: counts("persona", "conversation WHERE persona <> ''", most)?,
            runs: counts("run", "conversation", "min(recorded), 1")?,
            documents: counts("name", "document", &format!("{most} LIMIT {DOCUMENTS}"))?,
            documents_shown: one("SELECT count(DISTINCT name) FROM document")?,
            scores: numbers("CAST(round(score) AS INTEGER)", &format!("{accepted} AND score IS NOT NULL"))?,
            turns: numbers("turns", accepted)?,
            words: numbers("words / 100 * 100", accepted)?,
            labels: counts("label", "temp.label WHERE label <> ''", "1")?,
            mean_scores: means.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?,
        })
    };
    read().map_err(ViewError::index(path))
}
