//! Keys of providers: from the environment alone, and only for providers that need one.

use super::agents::Role;
use super::error::Diagnostics;
use super::renames::warning;
use super::table::{BASE_URL, PROVIDER};
use crate::providers::Secret;
use std::collections::BTreeMap;

/// The key of an agent. The variable `LLM_<ROLE>_API_KEY_ENV` names the variable that holds it.
///
/// It is demanded when an endpoint wants a key; without that variable others get none.
pub(super) fn key(
    role: &Role,
    wanted: bool,
    env: &BTreeMap<String, String>,
    report: &mut Diagnostics,
) -> Option<Secret> {
    let (canonical, old) = (mapping_variable(role.env), mapping_variable(role.old_env));
    let keys = [PROVIDER, BASE_URL].map(|key| key.of(role.agent).path);
    let Some((mapping, name)) = mapping(&canonical, &old, env, report) else {
        if wanted {
            let text = format!(
                "Missing required API key mapping environment variable `{canonical}` for agent `{}`. Set it to the name \
                 of the variable that holds the key, such as OPENAI_API_KEY.",
                role.agent
            );
            report.conflict(&keys, None, text);
        }
        return None;
    };
    match env.get(name).map(|secret| secret.trim()).filter(|secret| !secret.is_empty()) {
        Some(secret) => Some(Secret::new(secret.to_owned())),
        None => {
            report.conflict(&keys, None, no_key(&format!(" for agent `{}`", role.agent), mapping, name));
            None
        }
    }
}

/// What is wrong when the variable `name`, which `mapping` holds, has no key ` for agent ...`. A name that does not look like one may be the key itself.
pub(super) fn no_key(whom: &str, mapping: &str, name: &str) -> String {
    if name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_') {
        return format!(
            "Missing or empty provider API key environment variable `{name}` (configured by `{mapping}`){whom}."
        );
    }
    format!(
        "Missing or empty provider API key environment variable{whom}: `{mapping}` must hold the name of the variable \
         that holds the key, such as OPENAI_API_KEY, not the key itself."
    )
}

/// The variable that names the one which holds the key of an agent with this name in variables.
pub(super) fn mapping_variable(agent: &str) -> String {
    format!("LLM_{agent}_API_KEY_ENV")
}

/// The mapping variable that counts, with the name it holds.
fn mapping<'a>(
    canonical: &'a str,
    old: &'a str,
    env: &'a BTreeMap<String, String>,
    report: &mut Diagnostics,
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::settings::agents::ROLES;

    const USER: &Role = &ROLES[0];
    const JUDGE: &Role = &ROLES[2];

    fn ask(role: &Role, wanted: bool, env: &[(&str, &str)]) -> (Option<String>, Result<Vec<String>, String>) {
        let env = env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut report = Diagnostics::default();
        let key = key(role, wanted, &env, &mut report);
        (key.map(|key| key.reveal().to_owned()), report.finish().map_err(|error| error.to_string()))
    }

    #[test]
    fn keys_are_found_through_their_mapping() {
        let key = ("MY_KEY", "s3cret");
        for env in [
            &[("LLM_USER_API_KEY_ENV", "MY_KEY"), key][..],
            &[("LLM_USER_API_KEY_ENV", " MY_KEY "), ("MY_KEY", " s3cret\n")],
        ] {
            for wanted in [true, false] {
                assert_eq!(ask(USER, wanted, env), (Some("s3cret".to_owned()), Ok(vec![])));
            }
        }
        assert_eq!(ask(USER, false, &[key]), (None, Ok(vec![])));
    }

    #[test]
    fn old_mappings_warn() {
        let deprecated = "DEPRECATED: `LLM_QA_JUDGE_API_KEY_ENV` is now `LLM_JUDGE_API_KEY_ENV`.".to_owned();
        let old = ("LLM_QA_JUDGE_API_KEY_ENV", "OLD");
        let keys = [("OLD", "o"), ("NEW", "n")];
        let (key, outcome) = ask(JUDGE, true, &[&[old], &keys[..]].concat());
        assert_eq!((key.as_deref(), outcome.unwrap()), (Some("o"), vec![deprecated.clone()]));
        let (key, outcome) = ask(JUDGE, true, &[&[old, ("LLM_JUDGE_API_KEY_ENV", "NEW")], &keys[..]].concat());
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
        for (wanted, env, error) in [
            (true, &[][..], missing),
            (true, &[("LLM_USER_API_KEY_ENV", " ")], missing),
            (true, &[mapped], empty),
            (true, &[mapped, ("X", " ")], empty),
            (false, &[mapped], empty),
        ] {
            assert_eq!(ask(USER, wanted, env), (None, Err(error.to_owned())), "{wanted} {env:?}");
        }
    }
}
