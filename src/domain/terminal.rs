//! Texts of models on a terminal, which obeys what it is shown.

use std::borrow::Cow;

/// A text that a terminal only shows: control characters but line breaks and tabs, and those that turn the direction of what
/// follows, are written as escapes.
///
/// ```
/// use dlgforge::domain::terminal::shown;
///
/// assert_eq!(shown("a\u{1b}[31m\n\u{202e}b"), "a\\u{1b}[31m\n\\u{202e}b");
/// ```
pub fn shown(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c.escape_default().collect())
}

/// The same for a text of JSON, which stays one and means the same.
///
/// ```
/// use dlgforge::domain::terminal::shown_json;
///
/// let text = shown_json("{\"a\": \"\u{9b}31m\u{202e}b\"}");
/// assert_eq!(text, "{\"a\": \"\\u009b31m\\u202eb\"}");
/// assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
/// ```
pub fn shown_json(text: &str) -> Cow<'_, str> {
    escaped(text, |c| format!("\\u{:04x}", u32::from(c)))
}

fn escaped(text: &str, escape: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_obeyed(c) {
            shown.push_str(&escape(c));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Whether it is a control character (C0, DEL, C1), or one of Unicode's that embed, override or isolate a direction.
fn is_obeyed(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
