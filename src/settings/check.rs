//! Whether a value is what its key holds: from YAML with its types, from the environment as text.

use super::keys::{Choice, Kind, Limit};
use crate::domain::yaml::{Located, Node};
use serde_json::{Number, Value};

/// The value a YAML node gives the key at a path; null stays null.
///
/// # Errors
/// A sentence that names the key.
pub(super) fn value(path: &str, kind: Kind, node: &Located) -> Result<Value, String> {
    let wrong = |node: &Located| mismatch(path, kind, &found(node));
    match (&node.node, kind) {
        (Node::Null, _) => Ok(Value::Null),
        (Node::Text { text, expanded: true }, _) => cast(path, kind, text),
        (Node::Boolean(_), Kind::Boolean) | (Node::Mapping(_), Kind::Mapping) => Ok(node.to_json()),
        (Node::Text { text, .. }, Kind::Boolean) => boolean(text).map(Value::Bool).ok_or_else(|| wrong(node)),
        (Node::Number(number), Kind::Integer(_) | Kind::Number(_)) => numeric(path, kind, number.clone()),
        (Node::Text { text, .. }, Kind::Text | Kind::Choice(_) | Kind::Texts) => textual(path, kind, text),
        (Node::List(items), Kind::Texts) => match items.iter().find(|item| !matches!(item.node, Node::Text { .. })) {
            Some(item) => Err(mismatch(path, kind, &format!("{} in the list", found(item)))),
            None => Ok(node.to_json()),
        },
        (Node::List(items), Kind::Mappings(_)) => {
            let is_item = |item: &Located| matches!(item.node, Node::Mapping(_) | Node::Text { .. });
            match items.iter().find(|item| !is_item(item)) {
                Some(item) => Err(mismatch(path, kind, &format!("{} in the list", found(item)))),
                None => Ok(node.to_json()),
            }
        }
        (Node::Number(_) | Node::Boolean(_), Kind::Text | Kind::Choice(_) | Kind::Texts) => {
            Err(format!("{}; put it in quotes", wrong(node)))
        }
        _ => Err(wrong(node)),
    }
}

/// The value a text from the environment gives the key at a path.
///
/// # Errors
/// A sentence that names the key.
pub(super) fn cast(path: &str, kind: Kind, text: &str) -> Result<Value, String> {
    let trimmed = text.trim();
    let wrong = || mismatch(path, kind, &format!("text `{trimmed}`"));
    match kind {
        Kind::Boolean => match trimmed {
            "0" => Ok(Value::Bool(false)),
            "1" => Ok(Value::Bool(true)),
            word => boolean(word).map(Value::Bool).ok_or_else(wrong),
        },
        Kind::Integer(_) => {
            let number = trimmed.parse::<u64>().map(Number::from).or_else(|_| trimmed.parse::<i64>().map(Number::from));
            numeric(path, kind, number.map_err(|_| wrong())?)
        }
        Kind::Number(_) => {
            let number = trimmed.parse().ok().and_then(Number::from_f64);
            numeric(path, kind, number.ok_or_else(wrong)?)
        }
        Kind::Text | Kind::Choice(_) | Kind::Texts => textual(path, kind, text),
        Kind::Mapping => json(trimmed, Value::is_object).ok_or_else(|| format!("`{}` must be a JSON object", path)),
        Kind::Mappings(_) => {
            let is_item = |item: &Value| item.is_object() || item.is_string();
            json(trimmed, |value| value.as_array().is_some_and(|items| items.iter().all(is_item)))
                .ok_or_else(|| format!("`{}` must be a JSON list of objects or addresses", path))
        }
    }
}

/// What a node is, for a message.
pub(super) fn found(node: &Located) -> String {
    match &node.node {
        Node::Null => "nothing".to_owned(),
        Node::Boolean(value) => format!("`{value}`"),
        Node::Number(number) => format!("the number {number}"),
        Node::Text { text, .. } => format!("text `{text}`"),
        Node::List(_) => "a list".to_owned(),
        Node::Mapping(_) => "a mapping".to_owned(),
    }
}

fn mismatch(path: &str, kind: Kind, found: &str) -> String {
    let wanted = kind.wanted();
    // A text in place of mappings may be theirs as JSON, with keys in it.
    let unseen = found.starts_with("text `") && matches!(kind, Kind::Mappings(_));
    let found = if unseen { format!("text{}", found.rsplit('`').next().unwrap_or_default()) } else { found.to_owned() };
    format!("`{}`: found {found}, wanted {wanted}", path)
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn numeric(path: &str, kind: Kind, number: Number) -> Result<Value, String> {
    let limit = match kind {
        Kind::Integer(_) if number.is_f64() => return Err(mismatch(path, kind, &format!("the number {number}"))),
        Kind::Integer(limit) | Kind::Number(limit) => limit,
        _ => return Ok(Value::Number(number)),
    };
    match number.as_f64() {
        Some(value) if value > limit.most => Err(format!("`{}` must be <= {}.", path, limit.most)),
        Some(value) if value < limit.least => Err(too_small(path, limit)),
        Some(value) if limit.exclusive && value == limit.least => Err(too_small(path, limit)),
        _ => Ok(Value::Number(number)),
    }
}

fn too_small(path: &str, limit: Limit) -> String {
    let sign = if limit.exclusive { ">" } else { ">=" };
    format!("`{}` must be {sign} {}.", path, limit.least)
}

fn textual(path: &str, kind: Kind, text: &str) -> Result<Value, String> {
    match kind {
        Kind::Choice(choices) => {
            choose(choices, text).map(Value::from).ok_or_else(|| format!("`{}` must be {}.", path, either(choices)))
        }
        Kind::Texts => Ok(text.split(',').map(|item| Value::from(item.trim())).collect()),
        _ => Ok(Value::from(text)),
    }
}

fn choose(choices: &[Choice], text: &str) -> Option<&'static str> {
    let word = text.trim().to_lowercase();
    choices
        .iter()
        .find(|choice| choice.word == word || choice.aliases.contains(&word.as_str()))
        .map(|choice| choice.word)
}

fn either(choices: &[Choice]) -> String {
    match choices {
        [first, second] => format!("either `{}` or `{}`", first.word, second.word),
        _ => {
            let words: Vec<_> = choices.iter().map(|choice| format!("`{}`", choice.word)).collect();
            format!("one of {}", words.join(", "))
        }
    }
}

fn json(text: &str, fits: impl Fn(&Value) -> bool) -> Option<Value> {
    serde_json::from_str(text).ok().filter(fits)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::yaml::tree;
    use crate::settings::keys::find;
    use serde_json::json;

    fn yaml(path: &str, text: &str) -> Result<Value, String> {
        value(path, find(path).unwrap().kind, &tree(text).unwrap())
    }

    fn env(path: &str, text: &str) -> Result<Value, String> {
        cast(path, find(path).unwrap().kind, text)
    }

    #[test]
    fn yaml_values_that_fit() {
        for (path, text, value) in [
            ("run.batch_size", "3", json!(3)),
            ("run.seed", "18446744073709551615", json!(u64::MAX)),
            ("run.turns.mean", "2", json!(2)),
            ("run.turns.mean", "2.5", json!(2.5)),
            ("run.turns.mean", "~", json!(null)),
            ("judge.enabled", "no", json!(false)),
            ("judge.enabled", "'Yes'", json!(true)),
            ("judge.mode", "ONLINE", json!("online")),
            ("run.turns.distribution", "exp", json!("exponential")),
            ("run.turns.distribution", "pois", json!("poisson")),
            ("judge.granularity", "per_turn", json!("turn")),
            ("judge.granularity", "turns", json!("turn")),
            ("judge.granularity", "per_conversation", json!("conversation")),
            ("judge.granularity", "conv", json!("conversation")),
            ("judge.granularity", "conversation_level", json!("conversation")),
            ("llm.mode", "openai", json!("api")),
            ("coverage.doc_coverage_mode", "off", json!("off")),
            ("run.target_languages", "[en, no]", json!(["en", "no"])),
            ("run.target_languages", "en, fr", json!(["en", "fr"])),
            ("llm.agents.user.extra", "{a: {b: 1}}", json!({"a": {"b": 1}})),
        ] {
            assert_eq!(yaml(path, text), Ok(value), "{path}: {text}");
        }
    }

    #[test]
    fn yaml_values_that_do_not() {
        for (path, text, error) in [
            ("run.batch_size", "abc", "`run.batch_size`: found text `abc`, wanted an integer"),
            ("run.batch_size", "'4'", "`run.batch_size`: found text `4`, wanted an integer"),
            ("run.batch_size", "4.5", "`run.batch_size`: found the number 4.5, wanted an integer"),
            ("run.batch_size", "[4]", "`run.batch_size`: found a list, wanted an integer"),
            ("run.batch_size", "0", "`run.batch_size` must be > 0."),
            ("run.batch_size", "4294967296", "`run.batch_size` must be <= 4294967295."),
            ("run.total_samples", "-1", "`run.total_samples` must be >= 0."),
            ("run.seed", "-1", "`run.seed` must be >= 0."),
            ("run.turns.exact", "0", "`run.turns.exact` must be > 0."),
            ("run.turns.mean", "0", "`run.turns.mean` must be > 0."),
            ("run.turns.mean", "true", "`run.turns.mean`: found `true`, wanted a number"),
            ("run.turns.mode", "both", "`run.turns.mode` must be either `exact` or `range`."),
            (
                "run.turns.distribution",
                "normal",
                "`run.turns.distribution` must be one of `uniform`, `poisson`, `exponential`.",
            ),
            ("judge.mode", "true", "`judge.mode`: found `true`, wanted text; put it in quotes"),
            ("judge.enabled", "1", "`judge.enabled`: found the number 1, wanted true or false"),
            ("judge.enabled", "maybe", "`judge.enabled`: found text `maybe`, wanted true or false"),
            ("run.run_id", "12", "`run.run_id`: found the number 12, wanted text; put it in quotes"),
            ("run.run_id", "{a: 1}", "`run.run_id`: found a mapping, wanted text"),
            (
                "run.target_languages",
                "[en, false]",
                "`run.target_languages`: found `false` in the list, wanted a list of texts",
            ),
            (
                "llm.routing.endpoints",
                "[1]",
                "`llm.routing.endpoints`: found the number 1 in the list, wanted a list of mappings or addresses",
            ),
            (
                "llm.routing.endpoints",
                "http://h",
                "`llm.routing.endpoints`: found text, wanted a list of mappings or addresses",
            ),
            ("llm.agents.user.extra", "x", "`llm.agents.user.extra`: found text `x`, wanted a mapping"),
            ("tools.retrieval.top_k", "0", "`tools.retrieval.top_k` must be > 0."),
            ("tools.retrieval.chunking.chunk_size", "-5", "`tools.retrieval.chunking.chunk_size` must be > 0."),
            ("coverage.doc_coverage_epsilon", "1.5", "`coverage.doc_coverage_epsilon` must be <= 1."),
        ] {
            assert_eq!(yaml(path, text), Err(error.to_owned()), "{path}: {text}");
        }
    }

    #[test]
    fn texts_of_the_environment() {
        for (path, text, value) in [
            ("run.batch_size", " 3 ", Ok(json!(3))),
            ("run.turns.mean", "1e1", Ok(json!(10.0))),
            ("judge.enabled", "0", Ok(json!(false))),
            ("judge.enabled", "1", Ok(json!(true))),
            ("judge.enabled", "TRUE", Ok(json!(true))),
            ("judge.enabled", "Off", Ok(json!(false))),
            ("judge.enabled", "2", Err("`judge.enabled`: found text `2`, wanted true or false")),
            ("run.batch_size", "x", Err("`run.batch_size`: found text `x`, wanted an integer")),
            ("run.batch_size", "0", Err("`run.batch_size` must be > 0.")),
            ("run.turns.mean", "inf", Err("`run.turns.mean`: found text `inf`, wanted a number")),
            ("run.target_languages", "en, no", Ok(json!(["en", "no"]))),
            ("llm.routing.endpoints", "[{\"name\": \"a\"}]", Ok(json!([{"name": "a"}]))),
            (
                "llm.routing.endpoints",
                "[1]",
                Err("`llm.routing.endpoints` must be a JSON list of objects or addresses"),
            ),
            ("tools.retrieval.embeddings.model_kwargs", "{}", Ok(json!({}))),
            (
                "tools.retrieval.embeddings.model_kwargs",
                "[]",
                Err("`tools.retrieval.embeddings.model_kwargs` must be a JSON object"),
            ),
        ] {
            assert_eq!(env(path, text), value.map_err(str::to_owned), "{path}: {text}");
        }
    }
}
