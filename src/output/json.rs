//! JSON text as the outputs spell it: `, ` and `: ` between items, non-ASCII kept, keys in the order of the row type.

use super::OutputError;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::ser::Formatter;
use std::io::{self, Write};

struct Spaced;

/// What ends a line beside control characters: next line, line separator, paragraph separator.
const LINE_ENDS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    /// Line ends of Unicode are escaped: many readers of lines take them for the end of a row.
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, end)) = rest.char_indices().find(|(_, c)| LINE_ENDS.contains(c)) {
            write!(writer, "{}\\u{:04x}", &rest[..at], u32::from(end))?;
            rest = &rest[at + end.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

/// Rows of one file, as text that is ready to be appended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    /// The lines, each with its newline.
    pub bytes: Vec<u8>,
    /// How many rows the lines hold.
    pub rows: u64,
}

impl Lines {
    /// Adds a row; `what` names it in errors.
    pub fn push(&mut self, what: &'static str, row: &impl Serialize) -> Result<(), OutputError> {
        spaced(row, &mut self.bytes).map_err(|cause| OutputError::Encode { what, cause })?;
        self.bytes.push(b'\n');
        self.rows += 1;
        Ok(())
    }
}

/// A document with two spaces of indentation, without final newline; `what` names it in errors.
pub(crate) fn pretty(what: &'static str, document: &impl Serialize) -> Result<Vec<u8>, OutputError> {
    serde_json::to_vec_pretty(document).map_err(|cause| OutputError::Encode { what, cause })
}

/// For `serialize_with`: the value's JSON text, as a string.
pub(crate) fn as_text<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = Vec::new();
    spaced(value, &mut text).map_err(serde::ser::Error::custom)?;
    serializer.serialize_str(&String::from_utf8(text).map_err(serde::ser::Error::custom)?)
}

/// For `serialize_with`: the object, or `{}` where there is none.
pub(crate) fn or_empty<T: Serialize, S: Serializer>(object: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    match object {
        Some(object) => object.serialize(serializer),
        None => serializer.serialize_map(Some(0))?.end(),
    }
}

fn spaced(value: &impl Serialize, into: &mut Vec<u8>) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(into, Spaced))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[derive(Serialize)]
    struct Row {
        #[serde(serialize_with = "as_text")]
        text: Value,
        #[serde(serialize_with = "or_empty")]
        none: Option<Value>,
        #[serde(serialize_with = "or_empty")]
        some: Option<Value>,
    }

    #[test]
    fn separators_and_wrappers() {
        let mut lines = Lines::default();
        let row = Row { text: json!({"k": [1, "ع"]}), none: None, some: Some(json!({"a": [], "b": {}})) };
        lines.push("row", &row).unwrap();
        lines.push("row", &json!([0.0, 20.0 / 3.0, null])).unwrap();
        assert_eq!(lines.rows, 2);
        let expected = concat!(
            r#"{"text": "{\"k\": [1, \"ع\"]}", "none": {}, "some": {"a": [], "b": {}}}"#,
            "\n[0.0, 6.666666666666667, null]\n"
        );
        assert_eq!(String::from_utf8(lines.bytes).unwrap(), expected);
    }

    proptest! {
        /// Whatever a model writes, a row is one line and reads back unchanged.
        #[test]
        fn a_row_is_one_line(text in "(?s)(.|[\u{85}\u{2028}\u{2029}\r\n\u{b}\u{c}]){0,20}") {
            let mut lines = Lines::default();
            lines.push("row", &json!({"text": text})).unwrap();
            let written = std::str::from_utf8(&lines.bytes).unwrap();
            let ends = ['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'];
            prop_assert_eq!(written.matches(ends).count(), 1);
            let back: Value = serde_json::from_slice(&lines.bytes).unwrap();
            prop_assert_eq!(back["text"].as_str(), Some(text.as_str()));
        }
    }
}
