//! JSON as models and their servers really write it.

use super::events;
use serde_json::Value;

/// Parses JSON. Invalid UTF-8 and lone surrogate escapes, which models cut off in mid-character produce, become U+FFFD;
/// `NaN`, `Infinity` and `1e999`, which Python writes and reads, become null; a byte order mark is passed over.
pub(super) fn parse(bytes: &[u8]) -> serde_json::Result<Value> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    serde_json::from_slice(bytes).or_else(|error: serde_json::Error| {
        if error.is_eof() { Err(error) } else { serde_json::from_str(&sound(&String::from_utf8_lossy(bytes))) }
    })
}

/// Parses the body of a response: JSON, whatever follows it, or the events of a stream that nobody asked for.
pub(super) fn body(bytes: &[u8]) -> serde_json::Result<Value> {
    parse(bytes).or_else(|error| {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_start_matches('\u{feff}').trim_start();
        events::joined(text).or_else(|| first(text).filter(Value::is_object)).ok_or(error)
    })
}

/// The first JSON value of a text, whatever follows it.
pub(super) fn first(text: &str) -> Option<Value> {
    let value = parse(text.as_bytes());
    value.ok().or_else(|| serde_json::Deserializer::from_str(&sound(text)).into_iter().next()?.ok())
}

/// JSON text without what only some writers and readers take for JSON.
fn sound(text: &str) -> String {
    finite(&mended(text))
}

/// JSON text with null for every number that is none: `NaN`, `Infinity`, `1e999`.
fn finite(text: &str) -> String {
    let mut finite = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-');
        let length = match first {
            '"' => string(rest),
            first if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            first => first.len_utf8(),
        };
        let (word, following) = rest.split_at(length);
        let is_none = word.parse().is_ok_and(|number: f64| !number.is_finite());
        finite.push_str(if is_none { "null" } else { word });
        rest = following;
    }
    finite
}

/// The length of the string that a text begins with, its quotes included.
fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

/// JSON text with U+FFFD for every escaped surrogate that has no partner.
fn mended(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        mended.push_str(&rest[..at]);
        rest = &rest[at..];
        let (keep, length) = match escaped_unit(rest) {
            Some(0xD800..=0xDBFF) if rest.get(6..).and_then(escaped_unit).is_some_and(is_low) => (true, 12),
            Some(0xD800..=0xDFFF) => (false, 6),
            _ => (true, 1 + rest[1..].chars().next().map_or(0, char::len_utf8)),
        };
        mended.push_str(if keep { &rest[..length] } else { "\\ufffd" });
        rest = &rest[length..];
    }
    mended.push_str(rest);
    mended
}

/// The UTF-16 unit of the escape at the start of a text: `\u` and four digits.
fn escaped_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

fn is_low(unit: u16) -> bool {
    (0xDC00..=0xDFFF).contains(&unit)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn faults_of_another_kind_are_told() {
        for text in ["", "{", "[1,]", "{\"a\": \"\\ud8zz\"}", "\"\\ud83d"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_meant_is_read() {
        let read = |text: &str| body(text.as_bytes()).ok();
        let meant = json!({"a": null, "b": "NaN 1e999 \"NaN"});
        for text in [
            r#"{"a": NaN, "b": "NaN 1e999 \"NaN"}"#,
            r#"{"a":-Infinity,"b":"NaN 1e999 \"NaN"}"#,
            r#"{"a": 1e999, "b": "NaN 1e999 \"NaN"}"#,
            "\u{feff}{\"a\": null, \"b\": \"NaN 1e999 \\\"NaN\"}",
            "{\"a\": null, \"b\": \"NaN 1e999 \\\"NaN\"}\n{\"a\": 2}\n",
            "\u{feff} {\"a\": NaN, \"b\": \"NaN 1e999 \\\"NaN\"} and more",
        ] {
            assert_eq!(read(text).as_ref(), Some(&meant), "{text}");
        }
        assert_eq!(read("404 page not found"), None, "a number is no reply");
        assert_eq!(read("{\"a\": 1e308, \"b\": nul}"), None);
    }

    proptest! {
        #[test]
        fn surrogates_are_read_as_utf16_has_it(units in prop::collection::vec(
            prop_oneof![any::<u16>(), 0xD800_u16..0xDC00, 0xDC00_u16..0xE000], 0..20,
        )) {
            let escapes: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let value = parse(format!("\"{escapes}\"").as_bytes()).unwrap();
            prop_assert_eq!(value, Value::String(String::from_utf16_lossy(&units)));
        }

        #[test]
        fn invalid_bytes_are_replaced(bytes in prop::collection::vec(0x80_u8.., 0..20)) {
            let value = parse(&[b"\"", bytes.as_slice(), b"\""].concat()).unwrap();
            prop_assert_eq!(value, Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        }

        #[test]
        fn sound_text_is_left_alone(text in any::<String>()) {
            let written = Value::String(text).to_string();
            prop_assert_eq!(sound(&written), written);
        }

        #[test]
        fn any_text_is_survived(text in "[\\\\ud8\"\u{e9}]{0,40}") {
            let _ = sound(&text);
            let _ = body(text.as_bytes());
        }
    }
}
