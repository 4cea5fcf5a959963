//! What the environment says about the keys.

use super::check;
use super::error::{Diagnostics, Location};
use super::items;
use super::keys::{self, Key, Kind};
use super::layers::{Entry, Layer};
use super::legacy::{self, BOTH_TURN_MODES};
use super::renames::warning;
use super::table::{TURNS_EXACT, TURNS_MAX, TURNS_MIN, TURNS_MODE};
use std::collections::BTreeMap;

/// What the environment says, over the layers `below` it; empty variables count as not set, except that an empty list
/// clears the list.
pub(super) fn environment(env: &BTreeMap<String, String>, below: &Layer, report: &mut Diagnostics) -> Layer {
    let mut layer = Layer::new();
    for key in keys::all() {
        if let Some(entry) = entry(key, env, report) {
            layer.insert(key.path, entry);
        }
    }
    turn_mode(&mut layer, below, report);
    layer
}

/// What the environment says about one key.
pub(super) fn entry(key: &Key, env: &BTreeMap<String, String>, report: &mut Diagnostics) -> Option<Entry> {
    let (name, text) = variable(key, env, report)?;
    let place = Location::Environment(name.to_owned());
    match check::cast(key.path, key.kind, text) {
        Ok(value) => Some(Entry { value: items::checked(key, value, None, &place, report)?, place }),
        Err(why) => {
            report.problem(key.path, place, why);
            None
        }
    }
}

/// The variable that counts for a key, with its value.
fn variable<'a>(
    key: &Key,
    env: &'a BTreeMap<String, String>,
    report: &mut Diagnostics,
) -> Option<(&'static str, &'a str)> {
    let set = |names: &'static [&'static str]| {
        names
            .iter()
            .filter_map(|&name| env.get(name).map(|text| (name, text.as_str())))
            .filter(|(_, t)| !t.trim().is_empty())
    };
    let old: Vec<_> = set(key.old_env).collect();
    for (name, _) in &old {
        report.warn(warning(name, key.env.first().unwrap_or(&key.path)));
    }
    let mut names = set(key.env).chain(old);
    let cleared = || key.env.iter().find(|name| matches!(key.kind, Kind::Texts) && env.contains_key(**name));
    let Some(chosen) = names.next() else { return cleared().map(|name| (*name, "")) };
    for (name, _) in names.filter(|(_, text)| *text != chosen.1) {
        report.warn(format!("{name} is not used: {} is set too.", chosen.0));
    }
    Some(chosen)
}

/// `N_TURNS` asks for the exact mode, `MIN_TURNS` and `MAX_TURNS` for the range mode unless the exact one is asked for.
fn turn_mode(layer: &mut Layer, below: &Layer, report: &mut Diagnostics) {
    let place = |path| layer.get(path).map(|entry: &Entry| entry.place.clone());
    let exact = place(TURNS_EXACT.path);
    let bound = place(TURNS_MIN.path).or_else(|| place(TURNS_MAX.path));
    let is_exact = below.get(TURNS_MODE.path).is_some_and(|entry| entry.value == "exact");
    match (exact, bound) {
        (Some(exact), Some(_)) => report.problem(TURNS_MODE.path, exact, BOTH_TURN_MODES.to_owned()),
        (Some(exact), None) => drop(layer.insert(TURNS_MODE.path, legacy::mode("exact", &exact))),
        (None, Some(bound)) if is_exact => {
            report.warn(format!("{bound} has no effect: `{TURNS_MODE}` is `exact`."));
        }
        (None, Some(bound)) => drop(layer.insert(TURNS_MODE.path, legacy::mode("range", &bound))),
        (None, None) => {}
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::settings::layers::DEFAULT_YAML;
    use crate::settings::layers::tests::merged;
    use serde_json::json;

    #[test]
    fn every_variable_sets_its_key() {
        for key in keys::all() {
            let (text, value) = match key.kind {
                Kind::Boolean => ("yes", json!(true)),
                Kind::Integer(_) => ("9", json!(9)),
                Kind::Number(_) => ("0.5", json!(0.5)),
                Kind::Text => ("some text", json!("some text")),
                Kind::Choice(choices) => (choices[1].word, json!(choices[1].word)),
                Kind::Texts => ("a, b", json!(["a", "b"])),
                Kind::Mapping => ("{\"a\": 1}", json!({"a": 1})),
                Kind::Mappings(_) => ("[{\"name\": \"a\"}]", json!([{"name": "a"}])),
            };
            for &name in key.env.iter().chain(key.old_env) {
                let (values, outcome) = merged("", &[(name, text)], &[]);
                let Entry { value: found, place } = &values[key.path];
                assert_eq!((found, place), (&value, &Location::Environment(name.to_owned())));
                let old = key.old_env.contains(&name);
                let warnings = if old { vec![warning(name, key.env[0])] } else { vec![] };
                assert_eq!(outcome, Ok(warnings), "{name}");
            }
        }
    }

    #[test]
    fn two_variables_of_one_key() {
        let (values, warnings) = merged("", &[("LLM_QA_GENERATOR_MODEL", "old"), ("LLM_USER_MODEL", "new")], &[]);
        assert_eq!(values["llm.agents.user.model"].value, "new");
        assert_eq!(
            warnings.unwrap(),
            [
                "DEPRECATED: `LLM_QA_GENERATOR_MODEL` is now `LLM_USER_MODEL`.",
                "LLM_QA_GENERATOR_MODEL is not used: LLM_USER_MODEL is set too."
            ]
        );
        let (values, _) = merged("", &[("QUESTION_SEED", "b"), ("QUESTION", "a")], &[]);
        assert_eq!(values["run.data.seeding.question"].value, "a");
    }

    #[test]
    fn an_empty_list_of_languages_clears_the_list() {
        const FILE: &str = "run: {target_languages: [fr], batch_size: 2}";
        for (env, languages) in [
            (&[("TARGET_LANGUAGES", "")][..], json!([""])),
            (&[("TARGET_LANGUAGES", ""), ("TARGET_LANGUAGE", "de")], json!(["de"])),
            (&[("TARGET_LANGUAGE", "")], json!(["fr"])),
        ] {
            assert_eq!(merged(FILE, env, &[]).0["run.target_languages"].value, languages, "{env:?}");
        }
        assert_eq!(merged(FILE, &[("BATCH_SIZE", "")], &[]).0["run.batch_size"].value, 2);
    }

    #[test]
    fn turn_variables_set_the_mode() {
        const RANGE: &str = "run: {turns: {min: 2, max: 4}}";
        const EXACT: &str = "run: {turns: {mode: exact, exact: 6}}";
        for (text, env, mode, warnings) in [
            (RANGE, &[("N_TURNS", "3")][..], "exact", 0),
            (EXACT, &[("N_TURNS", "3")], "exact", 0),
            (RANGE, &[("MIN_TURNS", "3"), ("MAX_TURNS", "5")], "range", 0),
            (EXACT, &[("MAX_TURNS", "5")], "exact", 1),
            ("run: {n_turns: 6}", &[("N_TURNS", "3")], "exact", 1),
            ("run: {min_turns: 2}", &[("MIN_TURNS", "3")], "range", 1),
        ] {
            let (values, outcome) = merged(text, env, &[]);
            assert_eq!(values["run.turns.mode"].value, mode, "{text} {env:?}");
            assert_eq!(outcome.unwrap().len(), warnings, "{text} {env:?}");
            if env[0].0 == "N_TURNS" {
                assert_eq!(values["run.turns.exact"].value, 3);
            }
        }
        let (_, outcome) = merged("", &[("N_TURNS", "3"), ("MAX_TURNS", "5")], &[]);
        assert_eq!(outcome.unwrap_err(), format!("{} (environment variable N_TURNS)", BOTH_TURN_MODES));
    }

    #[test]
    fn the_environment_can_bring_a_default_back() {
        let text = "tools: {retrieval: {top_k: 9, chunking: {chunk_size: 900}, index: {rebuild: true}}}";
        let (values, _) =
            merged(text, &[("KB_DEFAULT_K", "4"), ("KB_CHUNK_SIZE", "750"), ("KB_REBUILD_INDEX", "0")], &[]);
        assert_eq!(values["tools.retrieval.top_k"].value, 4);
        assert_eq!(values["tools.retrieval.chunking.chunk_size"].value, 750);
        assert_eq!(values["tools.retrieval.index.rebuild"].value, false);
    }

    #[test]
    fn the_reference_names_every_variable() {
        for key in keys::all() {
            let name = key.path.rsplit('.').next().unwrap();
            for variable in key.env {
                let is_named = DEFAULT_YAML.lines().any(|line| {
                    let (words, variables) = line.rsplit_once(" [").unwrap_or((line, ""));
                    words.trim_start().starts_with(&format!("{name}:"))
                        && variables.trim_end_matches(']').split(", ").any(|known| known == *variable)
                });
                assert!(is_named, "{} does not name {variable}", key.path);
            }
        }
    }
}
