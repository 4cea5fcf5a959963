//! Which conversation is meant.

use super::super::{RunError, identity};
use crate::domain::slot::{conversation_id, language_tag};
use crate::files::Folder;
use crate::store::{Run, Settled};
use std::sync::Arc;

/// Ids that are told where one is unknown.
const NEAREST: usize = 3;

/// A conversation that a store knows.
pub struct Known<'a> {
    /// The run that it is of.
    pub run: &'a Run,
    /// The id of the conversation.
    pub id: String,
    /// The language of the conversation.
    pub language: String,
    /// What the store has of it.
    pub settled: Settled,
}

/// The conversation of this id, or of this number in the run of this id or else the last one.
///
/// # Errors
/// When there is none; then with ids that are near.
pub fn find<'a>(folder: &'a Folder, which: &str, run: Option<&str>) -> Result<Known<'a>, RunError> {
    let named = run.map(|id| identity::found(&folder.runs, Some(id))).transpose()?;
    let mut ids = Vec::new();
    let runs = folder.runs.iter().rev().filter(|run| named.is_none_or(|named| named.id == run.id));
    let number = numbered(which);
    for run in runs {
        let languages: Vec<Arc<str>> = identity::languages_of(run).into_iter().map(Arc::from).collect();
        for settled in folder.store.settled(&run.id)? {
            let Some(language) = languages.get(usize::from(settled.slot.language.0)) else { continue };
            let id = conversation_id(&run.id, &languages, settled.slot);
            let is_numbered = number.is_some_and(|(tag, index)| {
                let is_of = tag.map_or(languages.len() == 1, |tag| language_tag(language) == language_tag(tag));
                is_of && index == settled.slot.index
            });
            if id == which || is_numbered {
                return Ok(Known { run, id, language: language.to_string(), settled });
            }
            ids.push(id);
        }
        if let Some((None, index)) = number.filter(|_| languages.len() > 1) {
            let each: Vec<_> = languages.iter().map(|language| format!("{}/{index}", language_tag(language))).collect();
            let text = format!("run {} has several languages: write {}", run.id, each.join(" or "));
            return Err(RunError::Unexplained(text));
        }
    }
    ids.sort_by_key(|id| (distance(id, which), id.clone()));
    ids.truncate(NEAREST);
    let near = if ids.is_empty() { "none is settled".to_owned() } else { format!("near are {}", ids.join(", ")) };
    Err(RunError::Unexplained(format!("no conversation `{which}` is settled in the runs of this folder; {near}")))
}

/// The number that is meant, with its language if that is told.
fn numbered(which: &str) -> Option<(Option<&str>, u32)> {
    match which.split_once('/') {
        Some((language, index)) => Some((Some(language), index.parse().ok()?)),
        None => Some((None, which.parse().ok()?)),
    }
}

/// How many letters are to be changed, added or left out to make one word of another (Levenshtein 1966).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (number, letter) in (1..).zip(one.chars()) {
        let mut corner = std::mem::replace(&mut row[0], number);
        for (at, own) in other.iter().enumerate() {
            let kept = corner + usize::from(*own != letter);
            corner = row[at + 1];
            row[at + 1] = kept.min(row[at] + 1).min(corner + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_near_by_the_letters_that_differ() {
        for (one, other, expected) in [("", "ab", 2), ("r-0001", "r-0002", 1), ("kitten", "sitting", 3), ("a", "a", 0)]
        {
            assert_eq!((distance(one, other), distance(other, one)), (expected, expected), "{one} {other}");
        }
        assert_eq!(
            (numbered("12"), numbered("fr/3"), numbered("r-0001")),
            (Some((None, 12)), Some((Some("fr"), 3)), None)
        );
    }
}
