//! JSON text as rows spell it: `, ` and `: ` between items, non-ASCII kept, keys in the order of the row type.

use super::FilesError;
use serde::{Deserialize, Serialize};
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lines {
    /// The lines, each with its newline.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
    /// How many rows the lines hold.
    pub rows: u64,
}

impl Lines {
    /// Adds a row; `what` names it in errors.
    pub fn push(&mut self, what: &'static str, row: &impl Serialize) -> Result<(), FilesError> {
        spaced(row, &mut self.bytes).map_err(|cause| FilesError::Encode { what, cause })?;
        self.bytes.push(b'\n');
        self.rows += 1;
        Ok(())
    }

    /// Adds a row whose text is there already, as [`spaced_row`] gives it.
    pub fn push_text(&mut self, row: &[u8]) {
        self.bytes.extend_from_slice(row);
        self.bytes.push(b'\n');
        self.rows += 1;
    }
}

/// The text of a row without its newline; `what` names it in errors.
pub(crate) fn spaced_row(what: &'static str, row: &impl Serialize) -> Result<Vec<u8>, FilesError> {
    let mut text = Vec::new();
    spaced(row, &mut text).map_err(|cause| FilesError::Encode { what, cause })?;
    Ok(text)
}

/// The text of a row (an object) with further entries: those of `more`, an object that has some.
pub(crate) fn joined(what: &'static str, row: &[u8], more: &impl Serialize) -> Result<Vec<u8>, FilesError> {
    let more = spaced_row(what, more)?;
    let row = row.strip_suffix(b"}").unwrap_or(row);
    Ok([row, b", ", more.strip_prefix(b"{").unwrap_or(&more)].concat())
}

/// A document with two spaces of indentation, without final newline; `what` names it in errors.
pub(crate) fn pretty(what: &'static str, document: &impl Serialize) -> Result<Vec<u8>, FilesError> {
    serde_json::to_vec_pretty(document).map_err(|cause| FilesError::Encode { what, cause })
}

/// A document without white space; `what` names it in errors.
pub(crate) fn compact(what: &'static str, document: &impl Serialize) -> Result<Vec<u8>, FilesError> {
    serde_json::to_vec(document).map_err(|cause| FilesError::Encode { what, cause })
}

/// A value's JSON text, spelled as in a row.
pub(crate) fn spaced_text(value: &impl Serialize) -> String {
    let mut text = Vec::new();
    // A value that was read from JSON has a JSON form, in UTF-8.
    spaced(value, &mut text).map_or_else(|_| String::new(), |()| String::from_utf8(text).unwrap_or_default())
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

    #[test]
    fn separators() {
        let mut lines = Lines::default();
        let row = json!({"text": spaced_text(&json!({"k": [1, "ع"]})), "some": {"a": [], "b": {}}});
        lines.push("row", &row).unwrap();
        lines.push("row", &json!([0.0, 20.0 / 3.0, null])).unwrap();
        assert_eq!(lines.rows, 2);
        let more = joined("row", br#"{"a": 1}"#, &json!({"b": ["}"]})).unwrap();
        assert_eq!(more, br#"{"a": 1, "b": ["}"]}"#);
        let expected = concat!(
            r#"{"text": "{\"k\": [1, \"ع\"]}", "some": {"a": [], "b": {}}}"#,
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
