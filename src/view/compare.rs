//! Two runs side by side: the conversations that have the same place in them.

use super::ViewError;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Pairs of a page.
const PAGE: usize = 50;

/// Which runs are compared, and which pairs are listed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compare {
    /// The run on the left.
    pub a: String,
    /// The number of its folder.
    #[serde(default)]
    pub folder_a: usize,
    /// The run on the right.
    pub b: String,
    /// The number of its folder.
    #[serde(default)]
    pub folder_b: usize,
    /// Pairs to leave out at the beginning.
    #[serde(default)]
    pub offset: usize,
}

/// A conversation of a pair.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// The id of the conversation.
    pub id: String,
    /// How it ended: `completed` or `dropped`.
    pub status: String,
    /// Why it was dropped; empty where it was not.
    pub reason: String,
    /// Its score, 0 to 10, where it has one.
    pub score: Option<f64>,
    /// The beginning of its first question.
    pub opening: String,
}

/// The conversations of two runs that have the same place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// The language of both.
    pub language: String,
    /// Their number in it.
    pub slot: u32,
    /// That of the run on the left, where it has one.
    pub a: Option<Side>,
    /// That of the run on the right, where it has one.
    pub b: Option<Side>,
    /// How much higher the score on the right is, where both have one.
    pub difference: Option<f64>,
}

/// What the comparison of two runs has found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// Places that at least one of them has.
    pub total: usize,
    /// Pairs in which both have a score.
    pub scored: usize,
    /// The mean of the differences of their scores.
    pub mean_difference: Option<f64>,
    /// Pairs whose score is higher on the right, the same, and lower.
    pub higher_same_lower: [usize; 3],
    /// Pairs of which one side was dropped and the other was not.
    pub status_differs: usize,
    /// The pairs of the page: those whose scores differ most first.
    pub pairs: Vec<Pair>,
}

type Sides = BTreeMap<(String, u32), Side>;

/// The conversations of a run, by their places.
///
/// # Errors
/// When the index can't be read.
pub fn sides(reader: &Connection, path: &Path, run: &str) -> Result<Sides, ViewError> {
    let read = || -> rusqlite::Result<Sides> {
        let mut found = reader.prepare_cached(
            "SELECT language, slot, id, status, reason, score, opening FROM conversation WHERE run = ?1 AND slot IS NOT NULL",
        )?;
        let side = |row: &rusqlite::Row<'_>| {
            let place = (row.get(0)?, row.get(1)?);
            let (id, status, reason) = (row.get(2)?, row.get(3)?, row.get(4)?);
            Ok((place, Side { id, status, reason, score: row.get(5)?, opening: row.get(6)? }))
        };
        found.query_map([run], side)?.collect()
    };
    read().map_err(ViewError::index(path))
}

/// Compares the conversations of two runs.
pub fn compare(mut left: Sides, mut right: Sides, offset: usize) -> Compared {
    let mut places: Vec<(String, u32)> = left.keys().chain(right.keys()).cloned().collect();
    places.sort();
    places.dedup();
    let pair = |place: (String, u32)| {
        let (a, b) = (left.remove(&place), right.remove(&place));
        let score = |side: &Option<Side>| side.as_ref().and_then(|side| side.score);
        let difference = score(&a).zip(score(&b)).map(|(a, b)| b - a);
        Pair { language: place.0, slot: place.1, a, b, difference }
    };
    let mut pairs: Vec<Pair> = places.into_iter().map(pair).collect();
    let differences: Vec<f64> = pairs.iter().filter_map(|pair| pair.difference).collect();
    let are = |is: fn(f64) -> bool| differences.iter().filter(|difference| is(**difference)).count();
    let dropped = |side: &Option<Side>| side.as_ref().is_some_and(|side| side.status == "dropped");
    let status_differs = pairs
        .iter()
        .filter(|pair| pair.a.is_some() && pair.b.is_some() && dropped(&pair.a) != dropped(&pair.b))
        .count();
    // Those without a difference come last, in the order of their places, and last of all those of one side.
    pairs.sort_by(|one, other| {
        let alone = |pair: &Pair| if pair.a.is_some() && pair.b.is_some() { -1.0 } else { -2.0 };
        let size = |pair: &Pair| pair.difference.map_or(alone(pair), f64::abs);
        size(other).total_cmp(&size(one))
    });
    Compared {
        total: pairs.len(),
        scored: differences.len(),
        mean_difference: (!differences.is_empty()).then(|| differences.iter().sum::<f64>() / differences.len() as f64),
        higher_same_lower: [are(|by| by > 0.0), are(|by| by == 0.0), are(|by| by < 0.0)],
        status_differs,
        pairs: pairs.into_iter().skip(offset).take(PAGE).collect(),
    }
}
