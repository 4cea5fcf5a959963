//! `.env`: secrets beside the configuration, below the process environment.

use super::error::SettingsError;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

const MAPPINGS: &[&str] = &[
    "LLM_USER_API_KEY_ENV",
    "LLM_ASSISTANT_API_KEY_ENV",
    "LLM_JUDGE_API_KEY_ENV",
    "LLM_QA_GENERATOR_API_KEY_ENV",
    "LLM_KB_RESPONDER_API_KEY_ENV",
    "LLM_QA_JUDGE_API_KEY_ENV",
];

const SECRETS: &[&str] = &["_API_KEY", "_TOKEN", "_ACCESS_TOKEN", "_SECRET", "_SECRET_KEY", "_DSN"];

/// The environment with the secrets of `<root>/.env` added, and a warning for each other key of that file. A variable
/// the environment has, even an empty one, stays as it is.
///
/// # Errors
/// When the file exists and can't be read.
pub(super) fn load(
    root: &Path,
    env: &BTreeMap<String, String>,
) -> Result<(BTreeMap<String, String>, Vec<String>), SettingsError> {
    let path = root.join(".env");
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(add(&text, env)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok((env.clone(), Vec::new())),
        Err(source) => Err(SettingsError::Unreadable { path, source }),
    }
}

fn is_secret(key: &str) -> bool {
    SECRETS.iter().any(|ending| key.ends_with(ending))
}

/// The values that no message may show: of variables named like secrets, and of those the mappings name.
pub(super) fn secrets(env: &BTreeMap<String, String>) -> impl Iterator<Item = &str> {
    let mapped = MAPPINGS.iter().filter_map(|mapping| env.get(env.get(*mapping)?.trim()));
    let named = env.iter().filter(|(key, _)| is_secret(key)).map(|(_, value)| value);
    mapped.chain(named).map(String::as_str)
}

fn add(text: &str, env: &BTreeMap<String, String>) -> (BTreeMap<String, String>, Vec<String>) {
    let (mut all, mut warnings) = (env.clone(), Vec::new());
    // Some editors begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (key, value) in text.lines().filter_map(entry) {
        if MAPPINGS.contains(&key) || is_secret(key) {
            all.entry(key.to_owned()).or_insert_with(|| value.to_owned());
        } else {
            warnings.push(format!(
                "[env] Ignoring non-secret .env key: {key}. Put settings into the configuration file or the environment."
            ));
        }
    }
    (all, warnings)
}

fn entry(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let (key, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    Some((key.trim(), quoted(value.trim()).unwrap_or_else(|| bare(value))))
}

/// What stands between the quotes that a value begins with, unless more than a comment follows them.
fn quoted(value: &str) -> Option<&str> {
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (inside, after) = value[1..].split_once(quote)?;
    let after = after.trim_start();
    (after.is_empty() || after.starts_with('#')).then_some(inside)
}

/// A value without the comment behind it, which begins with a `#` after a space, and without stray quotes.
fn bare(value: &str) -> &str {
    let comment = value.match_indices('#').map(|(at, _)| at).find(|&at| value[..at].ends_with(char::is_whitespace));
    value[..comment.unwrap_or(value.len())].trim().trim_matches(['"', '\''])
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_by_the_rules() {
        for (line, expected) in [
            ("A_TOKEN=x", Some(("A_TOKEN", "x"))),
            ("  export A_TOKEN = x  ", Some(("A_TOKEN", "x"))),
            ("A_TOKEN=\"x\"", Some(("A_TOKEN", "x"))),
            ("A_TOKEN=''x'\"", Some(("A_TOKEN", "x"))),
            ("A_TOKEN=x # a comment", Some(("A_TOKEN", "x"))),
            ("A_TOKEN=x\t# a # comment", Some(("A_TOKEN", "x"))),
            ("A_TOKEN=x#1", Some(("A_TOKEN", "x#1"))),
            ("A_TOKEN=#1", Some(("A_TOKEN", "#1"))),
            ("A_TOKEN= # nothing yet", Some(("A_TOKEN", ""))),
            ("A_TOKEN='x # y' # a comment", Some(("A_TOKEN", "x # y"))),
            ("A_TOKEN=\"x\"#a comment", Some(("A_TOKEN", "x"))),
            ("A_TOKEN='x'y", Some(("A_TOKEN", "x'y"))),
            ("A_TOKEN=a=b", Some(("A_TOKEN", "a=b"))),
            ("A_TOKEN=", Some(("A_TOKEN", ""))),
            ("# A_TOKEN=x", None),
            ("", None),
            ("no equals sign", None),
        ] {
            assert_eq!(entry(line), expected, "{line}");
        }
    }

    #[test]
    fn only_secrets_are_taken() {
        for (key, taken) in [
            ("OPENAI_API_KEY", true),
            ("HF_TOKEN", true),
            ("X_ACCESS_TOKEN", true),
            ("X_SECRET", true),
            ("X_SECRET_KEY", true),
            ("LLM_USER_API_KEY_ENV", true),
            ("LLM_QA_JUDGE_API_KEY_ENV", true),
            ("BATCH_SIZE", false),
            ("openai_api_key", false),
            ("LLM_OTHER_API_KEY_ENV", false),
        ] {
            let (env, warnings) = add(&format!("{key}=x\n"), &BTreeMap::new());
            assert_eq!(env.contains_key(key), taken, "{key}");
            let warned =
                warnings.iter().any(|w| w.starts_with(&format!("[env] Ignoring non-secret .env key: {key}. ")));
            assert_eq!(warned, !taken, "{key}");
        }
    }

    #[test]
    fn the_environment_wins_even_when_empty() {
        let env = BTreeMap::from([("A_TOKEN".to_owned(), String::new())]);
        assert_eq!(add("A_TOKEN=x\nB_TOKEN=1\nB_TOKEN=2\n", &env).0["A_TOKEN"], "");
        assert_eq!(add("B_TOKEN=1\nB_TOKEN=2\n", &env).0["B_TOKEN"], "1");
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_first_key() {
        let (env, warnings) = add("\u{feff}A_TOKEN=x\r\nB_TOKEN=y\r\n", &BTreeMap::new());
        assert_eq!((env["A_TOKEN"].as_str(), env["B_TOKEN"].as_str(), warnings), ("x", "y", vec![]));
    }

    #[test]
    fn no_file_is_no_problem() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(load(folder.path(), &BTreeMap::new()).unwrap(), (BTreeMap::new(), vec![]));
        std::fs::write(folder.path().join(".env"), "A_TOKEN=x").unwrap();
        assert_eq!(load(folder.path(), &BTreeMap::new()).unwrap().0["A_TOKEN"], "x");
    }
}
