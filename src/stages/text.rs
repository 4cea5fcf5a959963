//! Text made fit for outputs and logs.

use serde_json::Value;

/// What stands in for a character that some output can't hold.
pub(super) const REPLACEMENT: char = '\u{fffd}';

/// NUL characters replaced: databases and C readers refuse them.
pub(super) fn without_nul(text: &str) -> String {
    text.chars().map(|c| if c == '\0' { REPLACEMENT } else { c }).collect()
}

/// NUL characters replaced in every text of a value. Keys are left as they are.
pub(super) fn strip_nul(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = without_nul(text),
        Value::Array(items) => items.iter_mut().for_each(strip_nul),
        Value::Object(object) => object.values_mut().for_each(strip_nul),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// One line of at most `most` characters, with `…` where text was left out.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
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
    fn nul_is_replaced_at_every_depth() {
        let mut value = json!({"a": ["x\0", {"b": "\0y"}], "c": 1, "d": null});
        strip_nul(&mut value);
        assert_eq!(value, json!({"a": ["x\u{fffd}", {"b": "\u{fffd}y"}], "c": 1, "d": null}));
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
