//! What the configuration knows but the program can't do yet: refused when it is asked for, never ignored.

use super::error::{Place, Report};
use super::keys::is_below;
use super::layers::{Entry, Layer};
use std::collections::BTreeMap;

/// Keys and sections that must keep their defaults, with what asking for another value asks for.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("run.distributed", "a run over several processes"),
    ("store.backend", "a store other than SQLite"),
    ("store.postgres", "a store other than SQLite"),
    ("llm.mode", "model servers started or attached by the run; give each agent a `base_url`"),
    ("llm.routing", "several endpoints for one agent; give each agent a `base_url`"),
    ("llm.vllm", "model servers started by the run"),
    ("tools.web_search", "web search"),
    ("tools.retrieval.index", "an index kept between runs"),
    ("tools.retrieval.embeddings", "retrieval by embeddings; the backend `lexical` works"),
    ("tools.retrieval.reranker", "reranking of passages"),
    ("saving.hf_push", "publishing to the Hub"),
];

/// The providers an agent can have.
const PROVIDERS: &[&str] = &["", "builtin", "openai", "lm_studio", "vllm", "hosted_vllm"];

/// Variables that set up routing for one agent.
const ROUTING: &[&str] = &["_ROUTING_STRATEGY", "_ROUTING_ENDPOINTS_JSON"];
const AGENTS: &[&str] = &["USER", "ASSISTANT", "JUDGE", "QA_GENERATOR", "KB_RESPONDER", "QA_JUDGE"];

/// Refuses what is asked for and does not exist yet.
pub(super) fn refuse(values: &Layer, defaults: &Layer, env: &BTreeMap<String, String>, report: &mut Report) {
    for (path, entry) in values {
        let unsupported = UNSUPPORTED.iter().find(|(area, _)| path == area || is_below(path, area));
        if let Some((_, what)) = unsupported
            && defaults.get(path).is_some_and(|default| default.value != entry.value)
        {
            refuse_one(path, what, entry, report);
        }
        if path.starts_with("llm.agents.") && path.ends_with(".provider") {
            refuse_provider(path, entry, report);
        }
    }
    for name in AGENTS.iter().flat_map(|agent| ROUTING.iter().map(move |ending| format!("LLM_{agent}{ending}"))) {
        if env.get(&name).is_some_and(|text| !text.trim().is_empty()) {
            let text =
                format!("not supported yet: {name}: several endpoints for one agent; give each agent a `base_url`");
            report.problem("", Place::Environment(name), text);
        }
    }
}

fn refuse_one(path: &str, what: &str, entry: &Entry, report: &mut Report) {
    report.problem(path, entry.place.clone(), format!("not supported yet: {path}: {what}"));
}

fn refuse_provider(path: &str, entry: &Entry, report: &mut Report) {
    let provider = entry.value.as_str().unwrap_or_default().trim();
    if !PROVIDERS.contains(&provider) {
        let known: Vec<_> = PROVIDERS[1..].iter().map(|name| format!("`{name}`")).collect();
        let what = format!(
            "provider `{provider}`; {} work, the last four with any OpenAI-compatible `base_url`",
            known.join(", ")
        );
        refuse_one(path, &what, entry, report);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::settings::environment::environment;
    use crate::settings::keys::{self, Kind};
    use crate::settings::layers;

    fn refused(text: &str, env: &[(&str, &str)]) -> String {
        let mut report = Report::default();
        let env = env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let defaults = layers::defaults(&mut report);
        let mut values = defaults.clone();
        let file = layers::file("c.yaml", text, &defaults, &env, &mut report).unwrap();
        layers::overlay(&mut values, file, &defaults);
        let environment = environment(&env, &values, &mut report);
        layers::overlay(&mut values, environment, &defaults);
        refuse(&values, &defaults, &env, &mut report);
        report.finish().map_or_else(|error| error.to_string(), |_| String::new())
    }

    fn flag(text: &str) -> String {
        let mut report = Report::default();
        let defaults = layers::defaults(&mut report);
        let mut values = defaults.clone();
        layers::overlay(&mut values, layers::flag(text, &defaults, &mut report), &defaults);
        refuse(&values, &defaults, &BTreeMap::new(), &mut report);
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
                Kind::Mappings => "[{a: 1}]".to_owned(),
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
            "llm: {agents: {user: {provider: builtin}, assistant: {provider: vllm}, judge: {provider: lm_studio}}}",
        ] {
            assert_eq!(refused(text, &[]), "", "{text}");
        }
    }

    #[test]
    fn other_providers_are_refused() {
        assert_eq!(
            refused("llm: {agents: {judge: {provider: gemini}}}", &[]),
            "not supported yet: llm.agents.judge.provider: provider `gemini`; `builtin`, `openai`, `lm_studio`, `vllm`, \
             `hosted_vllm` work, the last four with any OpenAI-compatible `base_url` (c.yaml:1:34)"
        );
    }

    #[test]
    fn routing_variables_are_refused() {
        for name in ["LLM_USER_ROUTING_STRATEGY", "LLM_QA_JUDGE_ROUTING_ENDPOINTS_JSON"] {
            let expected = format!(
                "not supported yet: {name}: several endpoints for one agent; give each agent a `base_url` (environment \
                 variable {name})"
            );
            assert_eq!(refused("", &[(name, "x")]), expected);
            assert_eq!(refused("", &[(name, "")]), "");
        }
        let text = refused("", &[("LLM_ROUTING_ENDPOINTS_JSON", "[{\"name\": \"a\"}]")]);
        assert!(text.starts_with("not supported yet: llm.routing.endpoints: "), "{text}");
    }
}
