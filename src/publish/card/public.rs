//! What may be published of texts that come from settings: no secret, no path of the machine, nothing that Markdown or YAML would
//! take for their own.

/// Stands for what is not told.
const REMOVED: &str = "[removed]";

/// How keys begin that providers hand out.
const KEYS: [&str; 11] = ["sk-", "sk_", "hf_", "ghp_", "gho_", "github_pat_", "glpat-", "xox", "AKIA", "AIza", "eyJ"];

/// Names of settings that hold secrets have one of these words in them.
const TELLING: [&str; 7] = ["key", "token", "secret", "password", "passwd", "credential", "authorization"];

/// Whether the last word of a setting's name says that its value is a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name).to_lowercase();
    let words = last.split(['_', '-']);
    words.into_iter().any(|word| TELLING.contains(&word))
}

/// A text in one line without the secrets that are known, what looks like one, and folders: of an absolute path or an address with
/// a user's name in it, the end stays.
pub(super) fn public(text: &str, secrets: &[&str]) -> String {
    let mut text: String = text.chars().map(|c| if is_obeyed(c) { ' ' } else { c }).collect();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, REMOVED);
    }
    let (mut told, mut rest, mut bears) = (String::new(), text.as_str(), false);
    while let Some(first) = rest.chars().next() {
        if is_between(first) {
            told.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (word, next) = rest.split_at(rest.find(is_between).unwrap_or(rest.len()));
        told += &if bears { REMOVED.into() } else { shown(word) };
        bears = word.eq_ignore_ascii_case("bearer");
        rest = next;
    }
    told
}

/// What is shown of a word.
fn shown(word: &str) -> String {
    let bytes = word.as_bytes();
    let has_drive = |bytes: &[u8]| {
        bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && matches!(bytes[2], b'\\' | b'/')
    };
    if let Some((scheme, address)) = word.split_once("://") {
        if scheme.eq_ignore_ascii_case("file") {
            return last(address);
        }
        let address = address.split(['?', '#']).next().unwrap_or_default();
        return format!("{scheme}://{}", address.rsplit('@').next().unwrap_or_default());
    }
    if KEYS.iter().any(|start| word.starts_with(start)) && bytes.len() >= 12 {
        return REMOVED.to_owned();
    }
    if has_drive(bytes) || ["/", "~/", "\\\\"].iter().any(|start| word.starts_with(start) && word.len() > start.len()) {
        return last(word);
    }
    if let Some((before, after)) = word.split_once('=') {
        return format!("{}={}", shown(before), shown(after));
    }
    match word.split_once(':') {
        Some((before, after)) if after.starts_with(['/', '~', '\\']) || has_drive(after.as_bytes()) => {
            format!("{before}:{}", shown(after))
        }
        _ => word.to_owned(),
    }
}

/// The last part of a path.
fn last(path: &str) -> String {
    path.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or_default().to_owned()
}

fn is_between(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '|')
}

/// Whether it ends a line or moves what follows.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A public text within Markdown, also in a cell of a table.
pub(super) fn prose(public: &str) -> String {
    let mut prose = String::with_capacity(public.len());
    for c in public.chars() {
        match c {
            '<' => prose += "&lt;",
            '&' => prose += "&amp;",
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' | '~' => prose.extend(['\\', c]),
            _ => prose.push(c),
        }
    }
    prose
}

/// A public text as code within Markdown, also in a cell of a table.
pub(super) fn code(public: &str) -> String {
    let text = public.replace('`', "'").replace('|', "\\|");
    if text.trim().is_empty() { String::new() } else { format!("`{text}`") }
}

/// A public text as a scalar of YAML: a text of JSON is one.
pub(super) fn scalar(public: &str) -> String {
    serde_json::Value::from(public).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_secrets_stay_at_home() {
        for (text, expected) in [
            ("gpt-4o and/or mistral", "gpt-4o and/or mistral"),
            ("org/model:free", "org/model:free"),
            ("/home/anna/models/Qwen.gguf", "Qwen.gguf"),
            ("model=/srv/m, x", "model=m, x"),
            ("at:/home/anna/x", "at:x"),
            ("~/docs/été", "été"),
            ("C:\\Users\\anna\\a.md", "a.md"),
            ("\\\\host\\share\\a.md", "a.md"),
            ("file:///home/anna/a.md", "a.md"),
            ("https://anna:pw@host:80/v1?key=1", "https://host:80/v1"),
            ("sk-live/4f9a+77cQ", REMOVED),
            ("Authorization: Bearer abc", "Authorization: Bearer [removed]"),
            ("our-own-secret!", "our-[removed]!"),
            ("a\nb\u{202e}c", "a b c"),
            ("كتاب عن الماء", "كتاب عن الماء"),
        ] {
            assert_eq!(public(text, &["own-secret", ""]), expected, "{text}");
        }
    }

    #[test]
    fn names_of_secrets_are_known() {
        for (name, expected) in [
            ("llm.agents.user.api_key", true),
            ("HF_TOKEN", true),
            ("llm.agents.user.max_tokens", false),
            ("keywords.count", false),
        ] {
            assert_eq!(is_secret(name), expected, "{name}");
        }
    }

    #[test]
    fn texts_are_nothing_but_texts() {
        assert_eq!(prose("<b> a|b [x](y)"), "&lt;b> a\\|b \\[x\\](y)");
        assert_eq!(code("a`b|c"), "`a'b\\|c`");
        assert_eq!(scalar("no: \"x\""), r#""no: \"x\"""#);
    }
}
