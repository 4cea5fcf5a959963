//! JSON as models and their servers really write it.

use serde_json::Value;

/// Parses JSON. Invalid UTF-8 and lone surrogate escapes, which models cut off in mid-character produce, become U+FFFD.
pub(super) fn parse(bytes: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(bytes).or_else(|error: serde_json::Error| {
        if error.is_eof() { Err(error) } else { serde_json::from_str(&mended(&String::from_utf8_lossy(bytes))) }
    })
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

    #[test]
    fn faults_of_another_kind_are_told() {
        for text in ["", "{", "[1,]", "{\"a\": \"\\ud8zz\"}", "\"\\ud83d"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
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
            prop_assert_eq!(mended(&written), written);
        }

        #[test]
        fn any_text_is_survived(text in "[\\\\ud8\"\u{e9}]{0,40}") {
            let _ = mended(&text);
        }
    }
}
