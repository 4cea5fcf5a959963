//! Text made fit for outputs and logs.

use crate::domain::control_tokens::{neutralised, without_end};
use crate::domain::normalisation::collapsed;
use serde_json::{Map, Value};

/// What stands in for a character that some output can't hold.
pub(super) const REPLACEMENT: char = '\u{fffd}';

/// A model's text as it may stand in a row. NUL characters are replaced: databases and C readers refuse them. Control tokens
/// of chat templates are cut off at its end and get blanks elsewhere: they would be obeyed by whoever trains on them.
pub(super) fn clean(text: &str) -> String {
    let text = without_end(text).replace('\0', &REPLACEMENT.to_string());
    neutralised(&text).map_or(text, |(safe, _)| safe)
}

/// Every text of a value as [`clean`] has it, the keys of objects included.
pub(super) fn clean_value(value: &mut Value) {
    match value {
        Value::String(text) => *text = clean(text),
        Value::Array(items) => items.iter_mut().for_each(clean_value),
        Value::Object(object) => clean_object(object),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The same for an object.
pub(super) fn clean_object(object: &mut Map<String, Value>) {
    object.values_mut().for_each(clean_value);
    if object.keys().any(|key| clean(key) != *key) {
        *object = std::mem::take(object).into_iter().map(|(key, value)| (clean(&key), value)).collect();
    }
}

/// One line of at most `most` characters, with `…` where text was left out.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let line = collapsed(text);
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_are_clean_at_every_depth() {
        let mut value =
            json!({"a": ["x\0", {"b": "\0y <|im_start|>z<|im_end|>"}], "c": 1, "d": null, "[INST]\0": "<s>"});
        clean_value(&mut value);
        let safe = json!({"b": "\u{fffd}y <| im_start |>z"});
        assert_eq!(value, json!({"a": ["x\u{fffd}", safe], "c": 1, "d": null, "[ INST ]\u{fffd}": "< s >"}));
        assert_eq!(clean("<|eot_id|>"), "");
    }

    #[test]
    fn shortened_text_is_one_line_cut_between_characters() {
        for (text, most, expected) in
            [("a  b\nc", 5, "a b c"), ("مرحبا بكم", 5, "مرحبا…"), ("", 3, ""), ("abc", 3, "abc"), ("abcd", 3, "abc…")]
        {
            assert_eq!(shortened(text, most), expected);
        }
    }
}
