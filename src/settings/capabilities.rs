//! What the configuration knows but the program can't do yet: refused when it is asked for.
//!
//! The settings of such a feature are read by nobody while it is off, so that a configuration written for a program that
//! has it loads unchanged.

use super::error::Report;
use super::keys::is_below;
use super::layers::Layer;

/// Switches that must stay as they are by default, with what turning them asks for.
const SWITCHES: &[(&str, &str)] = &[
    ("run.distributed.enabled", "a run over several processes; `--workers` spreads it over threads"),
    ("llm.mode", "model servers started or attached by the run; give each agent a `base_url`"),
    ("tools.web_search.enabled", "web search"),
    ("tools.retrieval.reranker.enabled", "reranking of passages"),
    ("saving.hf_push.enabled", "publishing to the Hub; the files in `saving.output_dir` can be uploaded as they are"),
];

/// Choices in whose place something else does the same work, with a warning that says what.
const REPLACED: &[(&str, &str)] = &[
    ("store.backend", "the state of runs is kept in SQLite, in `store/` of the output folder"),
    ("tools.retrieval.embeddings.backend", "passages are found by their words (`lexical`)"),
];

/// Sections of which nothing but the switches and choices above is read.
const UNREAD: &[&str] = &[
    "run.distributed",
    "store.postgres",
    "llm.vllm",
    "tools.web_search",
    "tools.retrieval.index",
    "tools.retrieval.embeddings",
    "tools.retrieval.reranker",
    "saving.hf_push",
];

/// Whether nobody reads the value of a key, so that it need not be a sensible one.
pub(super) fn is_unread(path: &str) -> bool {
    let is_read = SWITCHES.iter().chain(REPLACED).any(|(key, _)| *key == path);
    !is_read && UNREAD.iter().any(|section| is_below(path, section))
}

/// Refuses what is asked for and does not exist yet, and says what is done in place of what can be done without.
pub(super) fn refuse(values: &Layer, defaults: &Layer, report: &mut Report) {
    let asked_for = |path: &str| {
        let (entry, default) = (values.get(path)?, defaults.get(path)?);
        (entry.value != default.value).then_some(entry)
    };
    for (path, what) in SWITCHES {
        if let Some(entry) = asked_for(path) {
            report.problem(path, entry.place.clone(), format!("not supported yet: {path}: {what}"));
        }
    }
    for (path, instead) in REPLACED {
        if let Some(entry) = asked_for(path) {
            let asked = entry.value.as_str().unwrap_or_default();
            report.warn(format!("`{path}`: `{asked}` is not supported yet: {instead}. ({})", entry.place));
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::settings::keys::{self, Key, Kind};
    use crate::settings::layers::{self, tests::merged};
    use std::collections::BTreeMap;

    fn refused(text: &str) -> String {
        let mut report = Report::default();
        let defaults = layers::defaults(&mut report);
        let mut values = defaults.clone();
        let file = layers::file("c.yaml", text, &defaults, &BTreeMap::new(), &mut report).unwrap();
        layers::overlay(&mut values, file, &defaults);
        refuse(&values, &defaults, &mut report);
        report.finish().map_or_else(|error| error.to_string(), |_| String::new())
    }

    fn told(text: &str) -> Result<Vec<String>, String> {
        let mut report = Report::default();
        let defaults = layers::defaults(&mut report);
        let mut values = defaults.clone();
        layers::overlay(&mut values, layers::flag(text, &defaults, &mut report), &defaults);
        refuse(&values, &defaults, &mut report);
        report.finish().map_err(|error| error.to_string())
    }

    fn other(key: &Key) -> String {
        match key.kind {
            Kind::Boolean => "true".to_owned(),
            Kind::Choice(choices) => choices[1].word.to_owned(),
            _ => panic!("{} is no switch", key.path),
        }
    }

    #[test]
    fn a_switch_that_is_turned_is_refused() {
        for (path, what) in SWITCHES {
            let error = format!("not supported yet: {path}: {what} (--set {path})");
            assert_eq!(told(&format!("{path}={}", other(keys::find(path).unwrap()))), Err(error));
        }
    }

    #[test]
    fn what_can_be_done_without_is_warned_of() {
        for (path, instead) in REPLACED {
            let other = other(keys::find(path).unwrap());
            let warning = format!("`{path}`: `{other}` is not supported yet: {instead}. (--set {path})");
            assert_eq!(told(&format!("{path}={other}")), Ok(vec![warning]));
        }
    }

    #[test]
    fn settings_of_a_feature_that_is_off_are_not_read() {
        let unread: Vec<_> = keys::all().filter(|key| is_unread(key.path)).collect();
        assert!(unread.len() > 50, "{}", unread.len());
        for key in unread {
            for value in ["other", "-1", "[1]", "null", "{a: 1}", "${NOPE}"] {
                assert_eq!(told(&format!("{}={value}", key.path)), Ok(vec![]), "{}: {value}", key.path);
            }
            for variable in key.env {
                let (_, outcome) = merged("", &[(*variable, "neither a number nor JSON")], &[]);
                assert_eq!(outcome, Ok(vec![]), "{variable}");
            }
        }
        let dsn = "store: {postgres: {dsn: '${DLGFORGE_POSTGRES_DSN}'}}\nray: {address: '${NOPE}'}";
        assert!(merged(dsn, &[], &[]).1.is_ok_and(|warnings| warnings.len() == 1), "the old name of a section");
        let error = told("saving.hf_push.repoid=x").unwrap_err();
        assert!(error.starts_with("unknown key `saving.hf_push.repoid`; did you mean `saving.hf_push.repo_id`?"));
    }

    #[test]
    fn every_section_exists() {
        for section in UNREAD {
            assert!(keys::below(section).next().is_some(), "{section}");
        }
    }

    #[test]
    fn asking_for_what_exists_is_fine() {
        for text in [
            "",
            "run: {distributed: {enabled: false}, resume_run_id: ''}\nllm: {mode: api, routing: {endpoints: []}}",
            "llm: {mode: openai}\nstore: {backend: sqlite}\nray: {address: auto}",
            "tools: {retrieval: {embeddings: {backend: lexical}, reranker: {enabled: false}}}",
            "llm: {routing: {strategy: round_robin, endpoints: [{name: a}]}}",
        ] {
            assert_eq!(refused(text), "", "{text}");
        }
    }
}
