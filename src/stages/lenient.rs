//! Values of a JSON reply, read leniently: forms that say the same are read alike.

use super::text::shortened;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

type Object = Map<String, Value>;

/// A message that must be there.
pub(super) fn message(object: &Object, key: &str) -> Result<String, String> {
    match object.get(key) {
        Some(Value::String(text)) if text.trim().is_empty() => Err(format!("`{key}` is empty")),
        Some(Value::String(text)) => Ok(text.trim().to_owned()),
        None | Some(Value::Null) => Err(format!("`{key}` is missing")),
        Some(_) => Err(format!("`{key}` must be a text")),
    }
}

/// One of the names of an enumeration, whatever its case and hyphens.
pub(super) fn choice<T: DeserializeOwned>(object: &Object, key: &str, path: &str) -> Result<T, String> {
    let name = match object.get(key) {
        Some(Value::String(name)) => shortened(&folded(name), 60),
        None | Some(Value::Null) => String::new(),
        Some(_) => return Err(format!("`{path}` must be a text")),
    };
    // The name of what was not asked for.
    if name == "unknown" {
        return Err(format!("`{path}` must be one of the names that it can have, not `{name}`"));
    }
    serde_json::from_value(Value::String(name)).map_err(|error| format!("`{path}`: {error}"))
}

/// A name without its case and hyphens.
pub(super) fn folded(name: &str) -> String {
    name.trim().to_lowercase().replace(['-', ' '], "_")
}

/// True or false, as a value or as a word; none where there is none.
pub(super) fn flag(object: &Object, key: &str) -> Result<Option<bool>, String> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(Value::String(text)) => match text.trim().to_lowercase().as_str() {
            "true" | "yes" => Ok(Some(true)),
            "false" | "no" => Ok(Some(false)),
            _ => Err(format!("`{key}` must be true or false")),
        },
        Some(_) => Err(format!("`{key}` must be true or false")),
    }
}

/// The first of an item's parts that is not blank; the item itself where it is not an object and `bare` says so.
pub(super) fn part(item: &Value, keys: &[&str], bare: bool) -> String {
    match item {
        Value::Object(object) => {
            keys.iter().map(|key| text(object.get(*key))).find(|text| !text.is_empty()).unwrap_or_default()
        }
        other if bare => text(Some(other)),
        _ => String::new(),
    }
}

/// The text of a step of thinking, whatever its key is called; the step itself where it has none of these.
pub(super) fn thought(step: &Value) -> String {
    const TEXTS: [&str; 6] = ["text", "assumption", "text_is_assumption", "note", "content", "thought"];
    let has_one = TEXTS.iter().any(|key| step.get(*key).is_some());
    if has_one { part(step, &TEXTS, true) } else { text(Some(step)) }
}

/// Items of one list that count, the first ones.
const MOST: usize = 100;

/// A list; what is not a list is a list of one.
pub(super) fn items(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.iter().filter(|item| !item.is_null()).take(MOST).collect(),
        Some(item) => vec![item],
    }
}

/// Texts of a list, blank ones left out.
pub(super) fn texts(value: Option<&Value>) -> Vec<String> {
    items(value).into_iter().map(|item| text(Some(item))).filter(|text| !text.is_empty()).collect()
}

/// A text, trimmed; other values as JSON writes them.
pub(super) fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_are_read_from_any_value() {
        for (given, expected) in [
            (json!(null), vec![]),
            (json!(" a "), vec!["a"]),
            (json!(" "), vec![]),
            (json!(["a", "", null, 2, true, [1], {"b": "c"}]), vec!["a", "2", "true", "[1]", "{\"b\":\"c\"}"]),
            (json!({"a": 1}), vec!["{\"a\":1}"]),
        ] {
            assert_eq!(texts(Some(&given)), expected, "{given}");
        }
        assert!(texts(None).is_empty());
    }

    #[test]
    fn a_part_is_the_first_that_is_not_blank() {
        let item = json!({"a": " ", "b": true});
        assert_eq!(part(&item, &["a", "b"], true), "true");
        assert_eq!(part(&item, &["c"], true), "");
        assert_eq!(
            (part(&json!("x"), &["a"], true), part(&json!("x"), &["a"], false)),
            ("x".to_owned(), String::new())
        );
    }

    #[test]
    fn flags_are_words_too() {
        let flag = |value: Value| flag(&Map::from_iter([("f".to_owned(), value)]), "f");
        for (given, expected) in [
            (json!(true), Ok(Some(true))),
            (json!(" No "), Ok(Some(false))),
            (json!("TRUE"), Ok(Some(true))),
            (json!(null), Ok(None)),
            (json!("maybe"), Err("`f` must be true or false".to_owned())),
            (json!(1), Err("`f` must be true or false".to_owned())),
        ] {
            assert_eq!(flag(given), expected);
        }
    }
}
