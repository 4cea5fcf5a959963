//! From a model's text to the JSON object in it, where there is no doubt which one is meant.
//!
//! Repaired: reasoning in `<think>` tags (kept), prose and code fences around the object, an object inside a JSON
//! text, trailing commas, comments, raw line breaks and stray backslashes in texts, half surrogate pairs, control characters, and control tokens of chat templates.

use super::text::{clean, clean_object, shortened};
use jsonc_parser::{ParseOptions, parse_to_serde_value};
use serde_json::{Map, Value};

/// Longest reply that is looked at, apart from its reasoning, in bytes: some checks of a message grow faster than it does.
pub(super) const LONGEST: usize = 64 * 1024;

/// Objects that are looked at in one reply.
const MOST: usize = 100;

/// What was found in a reply.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    /// The object that the text holds.
    pub object: Map<String, Value>,
    /// The text between `<think>` tags.
    pub reasoning: Option<String>,
}

/// The object in a reply's text.
///
/// # Errors
/// When there is none, more than one, or one that is broken; in words that a model can act on.
pub(super) fn object(text: &str) -> Result<Found, String> {
    let (reasoning, rest) = split_reasoning(text)?;
    if rest.is_empty() {
        return Err("the reply is empty".to_owned());
    }
    if rest.len() > LONGEST {
        return Err(format!("the reply is longer than {} kB", LONGEST / 1024));
    }
    let mut object = whole(rest)?;
    clean_object(&mut object);
    Ok(Found { object, reasoning })
}

/// The object that a reply begins which breaks off: with what it holds whole, without the rest.
///
/// # Errors
/// When nothing of it is whole, or when the reply does not break off in its only object; in words that a model can act on.
pub(super) fn begun(text: &str) -> Result<Found, String> {
    let (_, rest) = split_reasoning(text)?;
    let whole = rest.find('{').filter(|_| regions(rest) == (Vec::new(), true)).and_then(|start| {
        let end = last_whole(&rest[start..])?;
        Some(format!("{}{}}}", &text[..text.len() - rest.len()], &rest[start..start + end]))
    });
    object(whole.as_deref().unwrap_or(text))
}

/// Where the last value ends that stands whole in an object: at the comma after it.
fn last_whole(object: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped, mut end) = (0_usize, false, false, None);
    for (at, byte) in object.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 1 => end = Some(at),
            _ => {}
        }
    }
    end
}

/// The text between `<think>` tags, and what follows them.
///
/// # Errors
/// When the reasoning has no end.
pub(super) fn split_reasoning(text: &str) -> Result<(Option<String>, &str), String> {
    let mut rest = text.trim_start_matches('\u{feff}').trim();
    let mut thoughts = Vec::new();
    while let Some(inside) = rest.strip_prefix("<think>") {
        let (thought, after) = inside.split_once("</think>").ok_or("the reasoning is not closed with </think>")?;
        thoughts.push(thought.trim());
        rest = after.trim();
    }
    // Chat templates that put the opening tag into the prompt leave only the closing one in the reply.
    if !rest.starts_with(['{', '[', '"', '`'])
        && let Some((thought, after)) = rest.split_once("</think>")
    {
        thoughts.push(thought.trim());
        rest = after.trim();
    }
    thoughts.retain(|thought| !thought.is_empty());
    Ok(((!thoughts.is_empty()).then(|| clean(&thoughts.join("\n\n"))), rest))
}

fn whole(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(Value::String(inner)) => embedded(&inner),
        Ok(other) => Err(not_an_object(&other)),
        Err(_) => embedded(text),
    }
}

fn not_an_object(value: &Value) -> String {
    let kind = match value {
        Value::Array(_) => "a list",
        Value::String(_) => "a text",
        Value::Number(_) => "a number",
        Value::Bool(_) | Value::Null | Value::Object(_) => "a single word",
    };
    format!("the reply is {kind}, not a JSON object")
}

/// The only object among the balanced regions of a text. Empty objects count only where there is no other.
fn embedded(text: &str) -> Result<Map<String, Value>, String> {
    let (regions, unclosed) = regions(text);
    if regions.len() > MOST {
        return Err(format!("the reply holds more than {MOST} JSON objects instead of one"));
    }
    let mut first_error = None;
    let mut objects: Vec<Map<String, Value>> = Vec::new();
    for region in regions {
        match relaxed(region) {
            Ok(object) if objects.contains(&object) => {}
            Ok(object) => objects.push(object),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    if objects.len() > 1 {
        objects.retain(|object| !object.is_empty());
    }
    match (objects.len(), objects.pop(), first_error) {
        (1, Some(object), _) => Ok(object),
        (0, _, Some(error)) => Err(format!("the JSON is broken: {}", shortened(&error, 200))),
        (0, _, None) if unclosed => Err("the JSON object is not closed: the reply breaks off".to_owned()),
        (0, _, None) => Err("the reply holds no JSON object".to_owned()),
        (count, ..) => Err(format!("the reply holds {count} JSON objects instead of one")),
    }
}

/// Outermost `{…}` of a text, braces inside of JSON strings not counted, one more than are looked at; and whether a last one
/// is left open.
fn regions(text: &str) -> (Vec<&str>, bool) {
    let mut regions = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' if depth > 0 => in_string = !in_string,
            _ if in_string => {}
            b'{' => {
                if depth == 0 {
                    start = at;
                }
                depth += 1;
            }
            b'}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    regions.push(&text[start..=at]);
                    if regions.len() > MOST {
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    (regions, depth > 0)
}

fn relaxed(region: &str) -> Result<Map<String, Value>, String> {
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let mended = mended(region);
    serde_json::from_str(&mended)
        .or_else(|_| parse_to_serde_value(&mended, &options).map_err(|error| error.to_string()))
}

/// JSON whose texts hold no raw control characters, no unknown escapes and no half surrogate pairs.
fn mended(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut in_string = false;
    let mut rest = json;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' if in_string => rest = escape(rest, &mut out),
            c if in_string && c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => {
                in_string ^= c == '"';
                out.push(c);
            }
        }
    }
    out
}

/// Writes the escape that `rest` begins with, after its backslash, and gives back what follows it.
fn escape<'a>(rest: &'a str, out: &mut String) -> &'a str {
    match rest.as_bytes().first() {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
            out.push('\\');
            out.push_str(&rest[..1]);
            &rest[1..]
        }
        Some(b'\'') => {
            out.push('\'');
            &rest[1..]
        }
        Some(b'u') if code_unit(rest).is_some() => unicode_escape(rest, out),
        _ => {
            out.push_str("\\\\");
            rest
        }
    }
}

fn unicode_escape<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let high = code_unit(rest);
    let low = rest[5..].strip_prefix('\\').and_then(code_unit);
    let (units, length) = match (high, low) {
        (Some(high @ 0xd800..0xdc00), Some(low @ 0xdc00..0xe000)) => (vec![high, low], 11),
        (Some(unit), _) => (vec![unit], 5),
        (None, _) => (Vec::new(), 0),
    };
    for c in char::decode_utf16(units) {
        match c.unwrap_or(char::REPLACEMENT_CHARACTER) {
            c @ ('"' | '\\' | '\0'..=' ') => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    &rest[length..]
}

/// The code unit of `u` and four hexadecimal digits.
fn code_unit(rest: &str) -> Option<u16> {
    let digits = rest.strip_prefix('u')?.get(..4)?;
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(text: &str) -> Result<Value, String> {
        object(text).map(|found| Value::Object(found.object))
    }

    #[test]
    fn what_is_meant_is_found() {
        for (text, expected) in [
            (r#"{"a": 1}"#, json!({"a": 1})),
            ("\u{feff} {\"a\": 1}\n", json!({"a": 1})),
            ("{}", json!({})),
            ("```json\n{\"a\": 1}\n```", json!({"a": 1})),
            ("Here it is:\n```\n{\"a\": \"```\"}\n```\nHope it helps {}!", json!({"a": "```"})),
            (r#"Sure: {"a": "} { \" }"} — done"#, json!({"a": "} { \" }"})),
            (r#"It isn't "much" {really}: {"a": 1}"#, json!({"a": 1})),
            (r#"{"a": 1} or again {"a": 1}"#, json!({"a": 1})),
            (r#"{"a": [1, 2,], "b": {"c": 3,},}"#, json!({"a": [1, 2], "b": {"c": 3}})),
            ("{\"a\": 1, // one\n \"b\": /* two */ 2}", json!({"a": 1, "b": 2})),
            (r#""{\"a\": \"b\"}""#, json!({"a": "b"})),
            ("\"```json\\n{\\\"a\\\": 1,}\\n```\"", json!({"a": 1})),
            ("<think>{\"a\": 0}</think>{\"a\": 1}", json!({"a": 1})),
            ("well, {\"a\": 0}\n</think>\n\n{\"a\": 1}", json!({"a": 1})),
            (r#"{"a": "<think>no</think>"}"#, json!({"a": "< think >no< /think >"})),
            ("{\"a\": \"one\ntwo\tthree\u{1}\"}", json!({"a": "one\ntwo\tthree\u{fffd}"})),
            (r#"{"a": "l\'eau \(x\) \alpha \u12 \d"}"#, json!({"a": r"l'eau \(x\) \alpha \u12 \d"})),
            (r#"{"a": "\ud800x\udc00 \ud83d\ude00 \u0000"}"#, json!({"a": "\u{fffd}x\u{fffd} 😀 \u{fffd}"})),
            (r#"{"a": "\u0000\\u0000"}"#, json!({"a": "\u{fffd}\\u0000"})),
            (r#"x {"a": "\u0022\u005c\u000a\u0645"}"#, json!({"a": "\"\\\nم"})),
            (r#"{"a": "مرحبا", "n": -1.5e3,}"#, json!({"a": "مرحبا", "n": -1500.0})),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_in_doubt_is_refused_in_words() {
        for (text, expected) in [
            ("", "the reply is empty"),
            ("<think>hm</think> ", "the reply is empty"),
            ("<think>hm {\"a\": 1}", "the reasoning is not closed with </think>"),
            ("I can't help with that.", "the reply holds no JSON object"),
            ("[1, 2]", "the reply is a list, not a JSON object"),
            ("7", "the reply is a number, not a JSON object"),
            ("null", "the reply is a single word, not a JSON object"),
            (r#""just text""#, "the reply holds no JSON object"),
            (r#"{"a": 1} {"a": 2}"#, "the reply holds 2 JSON objects instead of one"),
            (r#"{"a": "cut"#, "the JSON object is not closed: the reply breaks off"),
            (r#"{"a": {"b": 1}, "c""#, "the JSON object is not closed: the reply breaks off"),
        ] {
            assert_eq!(read(text), Err(expected.to_owned()), "{text}");
        }
        for broken in ["{'a': 1}", "{a: 1}", r#"{"a" 1}"#, r#"{"a": 1 "b": 2}"#, r#"{"a": NaN}"#] {
            assert!(read(broken).is_err_and(|error| error.starts_with("the JSON is broken: ")), "{broken}");
        }
    }

    #[test]
    fn of_a_reply_that_breaks_off_what_is_whole_is_read() {
        let read = |text: &str| begun(text).map(|found| (Value::Object(found.object), found.reasoning));
        for (text, expected) in [
            (
                r#"{"a": "one, two", "b": [1, {"c": 2}], "d": "and, so, on"#,
                json!({"a": "one, two", "b": [1, {"c": 2}]}),
            ),
            (r#"{"a": "he said \", {", "b": {"c": 1, "d"#, json!({"a": "he said \", {"})),
            (r#"Here: {"a": 1, "b"#, json!({"a": 1})),
            (r#"{"a": 1}"#, json!({"a": 1})),
        ] {
            assert_eq!(read(text), Ok((expected, None)), "{text}");
        }
        let thought = read(r#"<think>hm, so</think>{"a": 1, "b": "x"#);
        assert_eq!(thought, Ok((json!({"a": 1}), Some("hm, so".to_owned()))));
        for text in [r#"{"a": "cut"#, r#"{"a": {"b": 1, "c": 2"#] {
            assert_eq!(read(text), Err("the JSON object is not closed: the reply breaks off".to_owned()), "{text}");
        }
        assert!(read(r#"{"a": 1} {"a": 2, "b"#).is_ok(), "one object is whole");
        assert!(read(r#"<think>hm {"a": 1, "b"#).is_err() && read("").is_err());
    }

    #[test]
    fn reasoning_is_kept() {
        let found = object("<think> one\0 </think>\n<think></think><think>two</think>{}").map(|found| found.reasoning);
        assert_eq!(found, Ok(Some("one\u{fffd}\n\ntwo".to_owned())));
        assert_eq!(object("so be it</think>{}").map(|found| found.reasoning), Ok(Some("so be it".to_owned())));
        assert_eq!(object("{}").map(|found| found.reasoning), Ok(None));
    }

    #[test]
    fn deep_nesting_is_refused_not_followed() {
        let text = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
        assert!(read(&text).is_err());
        assert!(read(&"{".repeat(1_000_000)).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\s\\S]{0,60}", tail in "[{}\\[\\]\"\\\\u0d8a,:<>/ \n]{0,60}") {
            let _ = object(&format!("{text}{tail}"));
        }

        #[test]
        fn valid_objects_survive_any_wrapping(key in ".{0,10}", value in ".{0,30}") {
            let expected = json!({ clean(&key): clean(&value), "fixed": [1, true, null] });
            let text = expected.to_string();
            prop_assert_eq!(read(&text), Ok(expected.clone()));
            prop_assert_eq!(read(&format!("Here:\n```json\n{text}\n```\n")), Ok(expected.clone()));
            prop_assert_eq!(read(&json!(text).to_string()), Ok(expected));
        }
    }
}
