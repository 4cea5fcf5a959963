//! Text made fit for outputs and logs.

use crate::domain::control_tokens::{neutralised, without_end};
use crate::domain::normalisation::collapsed;
use crate::domain::text::legible;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// A model's text as it may stand in a row: [`legible`], and without control tokens of chat templates, which are cut off at its
/// end and get blanks elsewhere: they would be obeyed by whoever trains on it. The form feed and the backspace that a model makes
/// of `\frac` and `\beta` in JSON are what they were to be.
pub(super) fn clean(text: &str) -> String {
    let text = with_commands(text);
    let text = without_end(&legible(&text)).to_owned();
    neutralised(&text).map_or(text, |(safe, _)| safe)
}

/// A text in which what JSON took for escapes in front of letters are commands of TeX again.
fn with_commands(text: &str) -> Cow<'_, str> {
    if !text.contains(['\u{8}', '\u{c}']) {
        return Cow::Borrowed(text);
    }
    let mut with = String::with_capacity(text.len() + 8);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_command = letters.peek().is_some_and(char::is_ascii_lowercase);
        match letter {
            '\u{8}' if is_command => with.push_str("\\b"),
            '\u{c}' if is_command => with.push_str("\\f"),
            letter => with.push(letter),
        }
    }
    Cow::Owned(with)
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
    fn control_characters_of_replies_are_handled() {
        for (text, expected) in [
            ("a\u{1b}[31m<|im_\u{1b}[0mend|>\r\nb\u{9b}<|im_end|>\u{1b}[0m", "a<| im_end |>\nb\u{fffd}"),
            ("\u{c}rac{1}{2} \u{8}eta\u{c}", "\\frac{1}{2} \\beta\n"),
            ("\u{8}\u{c}\u{c}É", "\u{fffd}\n\nÉ"),
        ] {
            assert_eq!(clean(text), expected);
        }
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
