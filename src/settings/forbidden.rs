//! Keys that must not stand in a configuration: settings for all agents at once, and credentials.

use super::error::{Diagnostics, Location};
use crate::domain::yaml::{Located, Name};

const GLOBALS: &[&str] = &[
    "provider",
    "model",
    "base_url",
    "api_key",
    "api_key_env",
    "temperature",
    "max_tokens",
    "top_p",
    "timeout",
    "max_retries",
    "extra",
];

const CREDENTIALS: &[&str] = &["api_key", "api_key_env"];

/// Whether a path is one of them.
pub(super) fn is_forbidden(path: &str) -> bool {
    match path.split('.').collect::<Vec<_>>().as_slice() {
        ["llm", key] => GLOBALS.contains(key),
        ["llm", "agents", _, key] => CREDENTIALS.contains(key),
        _ => false,
    }
}

/// Reports those that are present, whatever their value.
pub(super) fn report(root: &Located, source: &Location, report: &mut Diagnostics) {
    let llm: Vec<_> = below(root, "llm").collect();
    let globals = llm.iter().map(|(name, _)| (format!("llm.{}", name.text), name));
    refuse(globals, "LLM global", "Use `llm.agents.<role>.*` instead.", source, report);
    let agents = llm.iter().filter(|(name, _)| name.text == "agents").flat_map(|(_, agents)| agents.entries());
    let keys = agents.flat_map(|(agent, settings)| {
        settings.entries().iter().map(move |(name, _)| (format!("llm.agents.{}.{}", agent.text, name.text), name))
    });
    let hint = "Credentials come from the environment only: set LLM_<ROLE>_API_KEY_ENV to the name of the variable that \
                holds the key.";
    refuse(keys, "credential", hint, source, report);
}

fn below<'a>(root: &'a Located, section: &'a str) -> impl Iterator<Item = &'a (Name, Located)> {
    root.entries().iter().filter(move |(name, _)| name.text == section).flat_map(|(_, value)| value.entries())
}

fn refuse<'a>(
    keys: impl Iterator<Item = (String, &'a Name)>,
    what: &str,
    hint: &str,
    source: &Location,
    report: &mut Diagnostics,
) {
    let mut found: Vec<_> = keys.filter(|(path, _)| is_forbidden(path)).collect();
    let Some(first) = found.iter().map(|(_, name)| (name.line, name.column)).min() else { return };
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let list: Vec<_> = found.iter().map(|(path, _)| format!("`{path}`")).collect();
    let text = format!("Forbidden {what} key(s) in YAML: {}. {hint}", list.join(", "));
    report.problem(&found[0].0, source.at(first.0, first.1), text);
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::yaml::tree;

    fn refused(text: &str) -> String {
        let mut found = Diagnostics::default();
        let source = Location::File { name: "c.yaml".into(), line: 0, column: 0 };
        report(&tree(text).unwrap(), &source, &mut found);
        found.finish().map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn every_global_key_is_refused() {
        for key in GLOBALS {
            let expected = format!(
                "Forbidden LLM global key(s) in YAML: `llm.{key}`. Use `llm.agents.<role>.*` instead. (c.yaml:2:3)"
            );
            assert_eq!(refused(&format!("llm:\n  {key}: null\n")), expected);
        }
    }

    #[test]
    fn several_are_listed_in_order() {
        assert!(
            refused("llm: {model: m, base_url: b, mode: api}")
                .starts_with("Forbidden LLM global key(s) in YAML: `llm.base_url`, `llm.model`. ")
        );
    }

    #[test]
    fn credentials_are_refused_for_any_agent() {
        let text = refused(
            "llm:\n  agents:\n    user:\n      model: m\n      api_key_env: K\n    teacher: {api_key: s3cret}\n",
        );
        assert!(
            text.starts_with(
                "Forbidden credential key(s) in YAML: `llm.agents.teacher.api_key`, `llm.agents.user.api_key_env`. "
            ),
            "{text}"
        );
        assert!(text.ends_with("(c.yaml:5:7)"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }

    #[test]
    fn keys_of_routed_endpoints_are_not() {
        assert_eq!(refused("llm: {routing: {endpoints: [{api_key: EMPTY}]}}"), "");
    }
}
