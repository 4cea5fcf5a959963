//! What the configuration knows but the program can't do yet: refused when it is asked for.
//!
//! The settings of such a feature are read by nobody while it is off, so that a configuration written for a program that
//! has it loads unchanged.

use super::error::Diagnostics;
use super::keys::{self, Key, Reader, is_below};
use super::layers::Layer;

/// Whether nobody reads the value at a path, so that it need not be a sensible one.
pub(super) fn is_unread(path: &str) -> bool {
    if let Some(key) = keys::find(path) {
        return matches!(key.reader, Reader::Nobody);
    }
    // Below a key, or in a section of which nothing but switches and choices is read.
    path.match_indices('.').any(|(dot, _)| {
        let section = &path[..dot];
        let keys = || keys::all().filter(|key| key.path == section || is_below(key.path, section));
        keys().any(|key| matches!(key.reader, Reader::Nobody))
            && !keys().any(|key| matches!(key.reader, Reader::Program))
    })
}

/// Refuses what is asked for and does not exist yet.
pub(super) fn refuse(values: &Layer, defaults: &Layer, report: &mut Diagnostics) {
    for Key { path, reader, .. } in keys::all() {
        let (Some(entry), Some(default)) = (values.get(path), defaults.get(path)) else { continue };
        match reader {
            _ if entry.value == default.value => {}
            Reader::Switch(what) => {
                report.problem(path, entry.place.clone(), format!("not supported yet: {path}: {what}"));
            }
            Reader::Program | Reader::Nobody => {}
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::settings::keys::Kind;
    use crate::settings::layers::{self, tests::merged};
    use std::collections::BTreeMap;

    fn refused(text: &str) -> String {
        let mut report = Diagnostics::default();
        let defaults = layers::defaults(&mut report);
        let mut values = defaults.clone();
        let file = layers::file("c.yaml", text, &defaults, &BTreeMap::new(), &mut report).unwrap().0;
        layers::overlay(&mut values, file, &defaults);
        refuse(&values, &defaults, &mut report);
        report.finish().map_or_else(|error| error.to_string(), |_| String::new())
    }

    fn told(text: &str) -> Result<Vec<String>, String> {
        let mut report = Diagnostics::default();
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
        for key in keys::all() {
            let (Key { path, .. }, Reader::Switch(what)) = (key, key.reader) else { continue };
            let error = format!("not supported yet: {path}: {what} (--set {path})");
            assert_eq!(told(&format!("{path}={}", other(key))), Err(error));
        }
    }

    #[test]
    fn settings_of_a_feature_that_is_off_are_not_read() {
        let unread: Vec<_> = keys::all().filter(|key| is_unread(key.path)).collect();
        assert!(unread.len() > 10, "{}", unread.len());
        for key in unread {
            for value in ["other", "-1", "[1]", "null", "{a: 1}", "${NOPE}"] {
                assert_eq!(told(&format!("{}={value}", key.path)), Ok(vec![]), "{}: {value}", key.path);
            }
            for variable in key.env {
                let (_, outcome) = merged("", &[(*variable, "neither a number nor JSON")], &[]);
                assert_eq!(outcome, Ok(vec![]), "{variable}");
            }
        }
        let dsn = "store: {postgres: {dsn: '${DLGFORGE_POSTGRES_DSN}'}}\nray: {address: auto}";
        assert!(merged(dsn, &[], &[]).1.is_ok_and(|warnings| warnings.len() == 1), "the old name of a section");
        let error = told("saving.hf_push.repoid=x").unwrap_err();
        assert!(error.starts_with("unknown key `saving.hf_push.repoid`; did you mean `saving.hf_push.repo_id`?"));
    }

    #[test]
    fn what_lies_below_such_a_feature_is_not_read_either() {
        for (path, unread) in [
            ("llm.vllm.anything", false),
            ("run.distributed.enabled", false),
            ("run.distributed.enabled.x", false),
            ("run.distributed.ray.actor.x", false),
            ("tools.retrieval.embeddings.model_kwargs.a.b", false),
            ("store.backend", false),
            ("store.backend.x", false),
            ("store.postgres.x", false),
            ("store.x", false),
            ("tools.x", false),
            ("x.y", false),
        ] {
            assert_eq!(is_unread(path), unread, "{path}");
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
