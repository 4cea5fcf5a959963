//! Keys of providers: from the environment alone, and only for providers that need one.

use super::agents::Role;
use super::error::Report;
use super::renames::warning;
use crate::llm::Secret;
use std::collections::BTreeMap;

/// The key of an agent. The variable `LLM_<ROLE>_API_KEY_ENV` names the variable that holds it.
///
/// It is demanded by OpenAI's own API (no `base_url`, or one of its hosts); without that variable any other endpoint
/// gets none.
pub(super) fn key(role: &Role, base_url: &str, env: &BTreeMap<String, String>, report: &mut Report) -> Option<Secret> {
    let (canonical, old) = (mapping_variable(role.env), mapping_variable(role.old_env));
    let keys = [format!("llm.agents.{}.provider", role.name), format!("llm.agents.{}.base_url", role.name)];
    let keys = [keys[0].as_str(), keys[1].as_str()];
    let Some((mapping, name)) = mapping(&canonical, &old, env, report) else {
        if is_openai(base_url) {
            let text = format!(
                "Missing required API key mapping environment variable `{canonical}` for agent `{}`. Set it to the name \
                 of the variable that holds the key, such as OPENAI_API_KEY.",
                role.name
            );
            report.conflict(&keys, None, text);
        }
        return None;
    };
    match env.get(name).map(|secret| secret.trim()).filter(|secret| !secret.is_empty()) {
        Some(secret) => Some(Secret::new(secret.to_owned())),
        None => {
            report.conflict(&keys, None, no_key(role, mapping, name));
            None
        }
    }
}

/// What is wrong when the variable `name` holds no key. A name that does not look like one may be the key itself.
fn no_key(role: &Role, mapping: &str, name: &str) -> String {
    if name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_') {
        return format!(
            "Missing or empty provider API key environment variable `{name}` (configured by `{mapping}`) for agent `{}`.",
            role.name
        );
    }
    format!(
        "Missing or empty provider API key environment variable for agent `{}`: `{mapping}` must hold the name of the \
         variable that holds the key, such as OPENAI_API_KEY, not the key itself.",
        role.name
    )
}

fn mapping_variable(agent: &str) -> String {
    format!("LLM_{agent}_API_KEY_ENV")
}

/// The mapping variable that counts, with the name it holds.
fn mapping<'a>(
    canonical: &'a str,
    old: &'a str,
    env: &'a BTreeMap<String, String>,
    report: &mut Report,
) -> Option<(&'a str, &'a str)> {
    let set = |variable| env.get(variable).map(|name| name.trim()).filter(|name| !name.is_empty());
    let (new_name, old_name) = (set(canonical), set(old));
    if old_name.is_some() {
        report.warn(warning(old, canonical));
    }
    match (new_name, old_name) {
        (Some(new_name), Some(old_name)) if new_name != old_name => {
            report.warn(format!("{old} is not used: {canonical} is set too."));
            Some((canonical, new_name))
        }
        (Some(name), _) => Some((canonical, name)),
        (None, name) => name.map(|name| (old, name)),
    }
}

/// Whether a `base_url` is OpenAI's own API or its Azure one.
fn is_openai(base_url: &str) -> bool {
    let rest = base_url.split_once("://").map_or(base_url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default();
    let host = host.to_ascii_lowercase();
    base_url.is_empty() || host == "api.openai.com" || host.ends_with(".openai.azure.com")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::settings::agents::{JUDGE, USER};

    fn ask(role: &Role, base_url: &str, env: &[(&str, &str)]) -> (Option<String>, Result<Vec<String>, String>) {
        let env = env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut report = Report::default();
        let key = key(role, base_url, &env, &mut report);
        (key.map(|key| key.reveal().to_owned()), report.finish().map_err(|error| error.to_string()))
    }

    #[test]
    fn hosts_that_need_a_key() {
        for (base_url, openai) in [
            ("", true),
            ("https://api.openai.com/v1", true),
            ("https://API.OpenAI.com:443/v1", true),
            ("https://mine.openai.azure.com/openai", true),
            ("http://127.0.0.1:8000/v1", false),
            ("http://api.openai.com.example.org/v1", false),
            ("https://example.org/api.openai.com", false),
            ("localhost:8000", false),
            ("http://", false),
        ] {
            assert_eq!(is_openai(base_url), openai, "{base_url}");
        }
    }

    #[test]
    fn keys_are_found_through_their_mapping() {
        let key = ("MY_KEY", "s3cret");
        for env in [
            &[("LLM_USER_API_KEY_ENV", "MY_KEY"), key][..],
            &[("LLM_USER_API_KEY_ENV", " MY_KEY "), ("MY_KEY", " s3cret\n")],
        ] {
            for base_url in ["", "http://127.0.0.1:1/v1"] {
                assert_eq!(ask(&USER, base_url, env), (Some("s3cret".to_owned()), Ok(vec![])));
            }
        }
        assert_eq!(ask(&USER, "http://127.0.0.1:1/v1", &[key]), (None, Ok(vec![])));
    }

    #[test]
    fn old_mappings_warn() {
        let deprecated = "DEPRECATED: `LLM_QA_JUDGE_API_KEY_ENV` is now `LLM_JUDGE_API_KEY_ENV`.".to_owned();
        let old = ("LLM_QA_JUDGE_API_KEY_ENV", "OLD");
        let keys = [("OLD", "o"), ("NEW", "n")];
        let (key, outcome) = ask(&JUDGE, "", &[&[old], &keys[..]].concat());
        assert_eq!((key.as_deref(), outcome.unwrap()), (Some("o"), vec![deprecated.clone()]));
        let (key, outcome) = ask(&JUDGE, "", &[&[old, ("LLM_JUDGE_API_KEY_ENV", "NEW")], &keys[..]].concat());
        let not_used = "LLM_QA_JUDGE_API_KEY_ENV is not used: LLM_JUDGE_API_KEY_ENV is set too.".to_owned();
        assert_eq!((key.as_deref(), outcome.unwrap()), (Some("n"), vec![deprecated, not_used]));
    }

    #[test]
    fn missing_keys_are_named() {
        let missing = "Missing required API key mapping environment variable `LLM_USER_API_KEY_ENV` for agent `user`. Set \
                       it to the name of the variable that holds the key, such as OPENAI_API_KEY.";
        let empty = "Missing or empty provider API key environment variable `X` (configured by `LLM_USER_API_KEY_ENV`) for \
                     agent `user`.";
        let mapped = ("LLM_USER_API_KEY_ENV", "X");
        for (base_url, env, error) in [
            ("", &[][..], missing),
            ("https://api.openai.com/v1", &[("LLM_USER_API_KEY_ENV", " ")], missing),
            ("", &[mapped], empty),
            ("", &[mapped, ("X", " ")], empty),
            ("http://127.0.0.1:1/v1", &[mapped], empty),
        ] {
            assert_eq!(ask(&USER, base_url, env), (None, Err(error.to_owned())), "{base_url} {env:?}");
        }
    }
}
