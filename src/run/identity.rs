//! Which run this is: a new one, or one that goes on; and whether it may.

use super::RunError;
use crate::domain::slot::conversation_prefix;
use crate::domain::{Fingerprint, LanguageIndex, Normalisation};
use crate::output::coverage_ledger;
use crate::settings::paths::{BATCH_SIZE, LANGUAGES, NORMALISATION, RAW, SEED, WRITERS};
use crate::settings::sources::{FORMAT, MERGED};
use crate::settings::{Resume, Settings};
use crate::store::{Reuse, Run, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::sync::Arc;

/// A run's name and seed.
#[derive(Debug, Clone)]
pub struct Identity {
    pub run_id: Arc<str>,
    pub seed: u64,
    /// What the store has of it, when it goes on.
    pub resumed: Option<Run>,
    /// How much of the ledger its conversations know of beside their own, in bytes; all when none.
    pub known: Option<u64>,
    /// How questions are compared in its folder.
    pub normalisation: Normalisation,
    /// What it is merged from, if it is.
    pub merged: Option<Arc<str>>,
}

impl Identity {
    /// Of the run these settings ask for, among those of the output folder.
    pub fn of(settings: &Settings, runs: &[Run]) -> Result<Self, RunError> {
        let merged = None;
        let normalisation = normalisation(settings, runs)?;
        let id = match &settings.resume {
            None => {
                let run_id = settings.run_id.as_deref().map_or_else(drawn_id, Arc::from);
                // With another seed hardly a request would be the same as in the run whose replies serve too.
                let reused = settings.reuse_from.as_deref().map(|id| found(runs, Some(id))).transpose()?;
                let seed = settings.plan.seed.or_else(|| seed_of(reused?)).unwrap_or_else(|| drawn() >> 11);
                distinct(&run_id, &settings.languages, runs)?;
                let known = reused.map(|run| run.ledger);
                return Ok(Self { run_id, seed, resumed: None, known, normalisation, merged });
            }
            Some(Resume::Last) => None,
            Some(Resume::Run(id)) => Some(id.as_str()),
        };
        let run = found(runs, id)?;
        let seed = settings
            .plan
            .seed
            .or_else(|| seed_of(run))
            .ok_or_else(|| RunError::Changed(run.id.clone(), SEED.to_owned()))?;
        let (run_id, known) = (run.id.as_str().into(), Some(run.ledger));
        Ok(Self { run_id, seed, resumed: Some(run.clone()), known, normalisation, merged })
    }
}

/// How questions are compared in the output folder: as by its first run; where there is none, as the Python original did if
/// the ledger is the original's, else as the settings say.
fn normalisation(settings: &Settings, runs: &[Run]) -> Result<Normalisation, RunError> {
    if let Some(first) = runs.first() {
        let Some(name) = first.manifest.get(NORMALISATION) else { return Ok(Normalisation::Compatible) };
        return Normalisation::named(name).ok_or_else(|| RunError::Normalisation(first.id.clone(), name.clone()));
    }
    let mut is_foreign = None;
    let first = |_, row_is_foreign| {
        is_foreign = Some(row_is_foreign);
        ControlFlow::Break(())
    };
    coverage_ledger::read(&settings.output.folder, u64::MAX, |row| row.run_id.is_empty(), first)?;
    Ok(if is_foreign == Some(true) { Normalisation::Contract } else { settings.plan.coverage.normalisation })
}

/// What the user is told where questions are not compared as the settings say.
pub fn other_normalisation(settings: &Settings, found: Normalisation) -> Option<String> {
    let wanted = settings.plan.coverage.normalisation;
    let how = match found {
        Normalisation::Contract => "by case and white space alone (`contract`)",
        Normalisation::Compatible => "without case, white space and width, as by earlier releases",
        Normalisation::Full => "without punctuation, vowel signs and invisible characters too (`full`)",
    };
    (found != wanted).then(|| {
        format!(
            "coverage.normalisation: the output folder goes on as it began and compares questions {how}; for `{}` set \
             `saving.output_dir` to another folder",
            wanted.as_str()
        )
    })
}

fn seed_of(run: &Run) -> Option<u64> {
    run.manifest.get(SEED)?.parse().ok()
}

/// The last run of an output folder that was made by another model than one with this manifest, in a line for its user.
pub fn other_model(runs: &[Run], manifest: &BTreeMap<String, String>) -> Option<String> {
    let model = |manifest: &BTreeMap<String, String>, parts: [&str; 2]| {
        parts.map(|part| manifest.get(part).cloned().unwrap_or_default()).join("/")
    };
    runs.iter().rev().find_map(|run| {
        let differs = |(_, parts): &(_, [&str; 2])| model(&run.manifest, *parts) != model(manifest, *parts);
        let (role, parts) = WRITERS.into_iter().find(differs)?;
        let (id, theirs, ours) = (&run.id, model(&run.manifest, parts), model(manifest, parts));
        Some(format!(
            "the output folder has rows of run {id}, whose {role} model was {theirs} and not {ours}: tell rows apart by \
             `run_id`, or set `saving.output_dir` to another folder"
        ))
    })
}

/// The last run of an output folder whose rows have other fields than those of one with this manifest, in a line for its user.
pub fn other_rows(runs: &[Run], manifest: &BTreeMap<String, String>) -> Option<String> {
    let raw = |manifest: &BTreeMap<String, String>| manifest.get(RAW).cloned().unwrap_or_else(|| "true".to_owned());
    let run = runs.iter().rev().find(|run| raw(&run.manifest) != raw(manifest))?;
    Some(format!(
        "the output folder has rows of run {}, made as with `saving.raw: {}`, which have other fields than those to come: set \
         `saving.output_dir` to another folder, or `saving.raw` as it was",
        run.id,
        raw(&run.manifest)
    ))
}

/// Demands that no run has conversations with ids that this one would give to others.
fn distinct(run_id: &str, languages: &[Arc<str>], runs: &[Run]) -> Result<(), RunError> {
    let ours: BTreeSet<String> = prefixes(run_id, languages).collect();
    for run in runs.iter().filter(|run| run.id != run_id) {
        let there = languages_of(run);
        if let Some(shared) = prefixes(&run.id, &there).find(|prefix| ours.contains(prefix)) {
            return Err(RunError::IdsCollide { run_id: run_id.to_owned(), earlier: run.id.clone(), shared });
        }
    }
    Ok(())
}

fn prefixes<'a, L: AsRef<str>>(run_id: &'a str, languages: &'a [L]) -> impl Iterator<Item = String> + 'a {
    (0..languages.len()).map(move |at| conversation_prefix(run_id, languages, LanguageIndex(at as u16)))
}

/// The languages of a run, in the order of its settings.
pub fn languages_of(run: &Run) -> Vec<String> {
    let kept = run.manifest.get(LANGUAGES).map(|languages| serde_json::from_str(languages).unwrap_or_default());
    kept.unwrap_or_default()
}

/// The run of this name, or the last one where none is named.
pub fn found<'a>(runs: &'a [Run], id: Option<&str>) -> Result<&'a Run, StoreError> {
    let found = runs.iter().rev().find(|run| id.is_none_or(|id| run.id == id));
    found.ok_or_else(|| match id {
        Some(id) => StoreError::NoRun { id: id.to_owned(), runs: runs.iter().map(|run| run.id.clone()).collect() },
        None => StoreError::NoRuns,
    })
}

/// The run whose replies serve too, if the settings name one.
pub fn reuse(settings: &Settings, runs: &[Run]) -> Result<Option<Reuse>, RunError> {
    let Some(id) = &settings.reuse_from else { return Ok(None) };
    let run = found(runs, Some(id))?;
    let there = languages_of(run);
    let position = |language: &Arc<str>| there.iter().position(|other| **other == **language);
    let languages =
        settings.languages.iter().map(|language| position(language).map(|at| LanguageIndex(at as u16))).collect();
    Ok(Some(Reuse { run: run.id.clone(), languages }))
}

/// The questions of unfinished turns that must not be asked again: of all runs, but for the one that is made once more.
pub fn unfinished(questions: Vec<(String, Fingerprint)>, reuse: Option<&Reuse>) -> Vec<Fingerprint> {
    let remade = |run: &str| reuse.is_some_and(|reuse| reuse.run == run);
    questions.into_iter().filter(|(run, _)| !remade(run)).map(|(_, question)| question).collect()
}

/// Demands that a run's data would still be the same.
pub fn check(run: &Run, manifest: &BTreeMap<String, String>) -> Result<(), RunError> {
    if run.manifest.contains_key(MERGED) && !manifest.contains_key(MERGED) {
        return Err(RunError::Merged(run.id.clone()));
    }
    let [now, then] = [manifest, &run.manifest].map(|manifest| manifest.get(BATCH_SIZE));
    if let (Some(requested), Some(state)) = (now, then)
        && requested != state
    {
        return Err(RunError::BatchSize { requested: requested.clone(), state: state.clone() });
    }
    let format = |manifest: &BTreeMap<String, String>| manifest.get(FORMAT).cloned().unwrap_or_else(|| "1".to_owned());
    let (now, then) = (format(manifest), format(&run.manifest));
    if now != then {
        let version = run.manifest.get("dlgforge").cloned().unwrap_or_default();
        return Err(RunError::Format { id: run.id.clone(), version, then, now });
    }
    let changes = changes(&run.manifest, manifest);
    if changes.is_empty() { Ok(()) } else { Err(RunError::Changed(run.id.clone(), changes)) }
}

/// How two manifests differ, in words; empty where they don't.
pub fn changes(then: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> String {
    let keys: BTreeSet<_> = now.keys().chain(then.keys()).collect();
    let changes: Vec<_> = keys.into_iter().filter_map(|key| change(key, then.get(key), now.get(key))).collect();
    changes.join("; ")
}

fn change(key: &str, then: Option<&String>, now: Option<&String>) -> Option<String> {
    let told = |value: &String| if value.is_empty() { "empty".to_owned() } else { value.clone() };
    match (then, now) {
        (Some(then), Some(now)) if then == now => None,
        (Some(then), Some(now)) if is_digest(then) && is_digest(now) => Some(format!("{key} (changed)")),
        (Some(then), Some(now)) => Some(format!("{key} (was {}, is {})", told(then), told(now))),
        // Other versions do not tell of it.
        (Some(empty), None) | (None, Some(empty)) if empty.is_empty() => None,
        (Some(_), None) => Some(format!("{key} (gone)")),
        (None, Some(_)) => Some(format!("{key} (new)")),
        (None, None) => None,
    }
}

fn is_digest(value: &str) -> bool {
    value.strip_prefix("xxh3:").is_some_and(|digits| digits.len() == 32)
}

/// 32 hexadecimal digits.
fn drawn_id() -> Arc<str> {
    format!("{:016x}{:016x}", drawn(), drawn()).into()
}

/// A number from the system's randomness. A seed is 53 bits of it, so that every reader of JSON keeps it.
pub fn drawn() -> u64 {
    RandomState::new().hash_one(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_folder(id: &str, manifest: BTreeMap<String, String>) -> Run {
        let (config, began, updated) = Default::default();
        Run { id: id.to_owned(), state: crate::store::State::Completed, manifest, config, ledger: 0, began, updated }
    }

    #[test]
    fn rows_of_another_model_are_told_of() {
        let manifest = |provider: &str, model: &str| {
            let of = |role: &str, part: &str, value: &str| (format!("llm.agents.{role}.{part}"), value.to_owned());
            let parts = ["user", "assistant"].map(|role| [of(role, "provider", provider), of(role, "model", model)]);
            BTreeMap::from_iter(parts.into_iter().flatten())
        };
        let runs = [of_folder("old", manifest("openai", "a")), of_folder("new", manifest("openai", "b"))];
        let told = |model: &str, runs: &[Run]| other_model(runs, &manifest("openai", model)).unwrap_or_default();
        assert!(told("a", &runs).contains("run new, whose assistant model was openai/b and not openai/a"));
        assert!(told("b", &runs).contains("run old, "), "an earlier one");
        assert_eq!((told("b", &runs[1..]), told("b", &[])), (String::new(), String::new()));
        let mut other = manifest("openai", "b");
        other.insert("llm.agents.user.model".to_owned(), "c".to_owned());
        assert!(other_model(&runs[1..], &other).is_some_and(|line| line.contains("whose user model was openai/b")));
    }

    #[test]
    fn runs_of_a_folder_share_no_conversation_ids() {
        let run = |id: &str, languages: &[&str]| {
            of_folder(id, BTreeMap::from([(LANGUAGES.to_owned(), serde_json::json!(languages).to_string())]))
        };
        for (id, languages, earlier, shared) in [
            ("exp-en", &["en"][..], run("exp", &["en", "fr"]), Some("exp-en")),
            ("exp-pt", &["en", "br"], run("exp", &["en", "pt-BR"]), Some("exp-pt-br")),
            ("exp", &["fr", "en"], run("exp-en", &["de"]), Some("exp-en")),
            ("exp-en", &["en", "fr"], run("exp", &["en", "fr"]), None),
            ("exp-fr", &["en"], run("exp", &["fr"]), None),
            ("exp", &["en"], run("exp", &["en"]), None),
        ] {
            let languages: Vec<Arc<str>> = languages.iter().map(|language| Arc::from(*language)).collect();
            let found = match distinct(id, &languages, std::slice::from_ref(&earlier)) {
                Err(RunError::IdsCollide { shared, .. }) => Some(shared),
                _ => None,
            };
            assert_eq!(found.as_deref(), shared, "{id} after {}", earlier.id);
        }
    }

    #[test]
    fn a_change_is_told_by_what_it_was_and_is() {
        let digest = |digit: &str| format!("xxh3:{}", digit.repeat(32));
        for (then, now, expected) in [
            (Some("1"), Some("1"), None),
            (Some("1"), Some("2"), Some("k (was 1, is 2)")),
            (Some(""), Some("2"), Some("k (was empty, is 2)")),
            (Some("1"), None, Some("k (gone)")),
            (None, Some("2"), Some("k (new)")),
            (None, Some(""), None),
            (Some(""), None, None),
        ] {
            let [then, now] = [then, now].map(|value| value.map(str::to_owned));
            assert_eq!(change("k", then.as_ref(), now.as_ref()).as_deref(), expected);
        }
        assert_eq!(change("k", Some(&digest("1")), Some(&digest("2"))).as_deref(), Some("k (changed)"));
    }
}
