//! What the configuration knows but the program can't do yet: refused when it is asked for, never ignored.

use super::error::Report;
use super::keys::is_below;
use super::layers::Layer;

/// Keys and sections that must keep their defaults, with what asking for another value asks for.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("run.distributed", "a run over several processes"),
    ("store.backend", "a store other than SQLite"),
    ("store.postgres", "a store other than SQLite"),
    ("llm.mode", "model servers started or attached by the run; give each agent a `base_url`"),
    ("llm.vllm", "model servers started by the run"),
    ("tools.web_search", "web search"),
    ("tools.retrieval.index", "an index kept between runs"),
    ("tools.retrieval.embeddings", "retrieval by embeddings; the backend `lexical` works"),
    ("tools.retrieval.reranker", "reranking of passages"),
    ("saving.hf_push", "publishing to the Hub"),
];

/// Refuses what is asked for and does not exist yet.
pub(super) fn refuse(values: &Layer, defaults: &Layer, report: &mut Report) {
    for (path, entry) in values {
        let unsupported = UNSUPPORTED.iter().find(|(area, _)| path == area || is_below(path, area));
        if let Some((_, what)) = unsupported
            && defaults.get(path).is_some_and(|default| default.value != entry.value)
        {
            report.problem(path, entry.place.clone(), format!("not supported yet: {path}: {what}"));
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::settings::keys::{self, Kind};
    use crate::settings::layers;
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

    fn flag(text: &str) -> String {
        let mut report = Report::default();
        let defaults = layers::defaults(&mut report);
        let mut values = defaults.clone();
        layers::overlay(&mut values, layers::flag(text, &defaults, &mut report), &defaults);
        refuse(&values, &defaults, &mut report);
        report.finish().map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn every_key_of_an_unsupported_area_is_refused() {
        let mut report = Report::default();
        let defaults = layers::defaults(&mut report);
        let areas = |path: &str| UNSUPPORTED.iter().find(|(area, _)| path == *area || is_below(path, area));
        for (key, (_, what)) in keys::all().filter_map(|key| Some((key, areas(key.path)?))) {
            let other = match key.kind {
                Kind::Boolean => (defaults[key.path].value != true).to_string(),
                Kind::Integer(_) => "77".to_owned(),
                Kind::Number(_) => "0.77".to_owned(),
                Kind::Text => "other".to_owned(),
                Kind::Choice(choices) => choices[1].word.to_owned(),
                Kind::Texts => "[other]".to_owned(),
                Kind::Mapping => "{a: 1}".to_owned(),
                Kind::Mappings(_) => "[{name: a}]".to_owned(),
            };
            let path = key.path;
            assert_eq!(flag(&format!("{path}={other}")), format!("not supported yet: {path}: {what} (--set {path})"));
        }
    }

    #[test]
    fn every_area_exists() {
        for (area, _) in UNSUPPORTED {
            assert!(keys::find(area).is_some() || keys::below(area).next().is_some(), "{area}");
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
