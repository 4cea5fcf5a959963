//! Texts as they enter: fit for every reader, and their beginnings.

use std::borrow::Cow;

/// A text of others as every reader can take it; every text of models and documents passes here. Line ends of all kinds become
/// `\n`, sequences that colour a terminal and byte order marks go, and other control characters (C0, DEL, C1) but tabs become
/// U+FFFD. What languages need stays, joiners and marks of direction too.
///
/// ```
/// # use dlgforge::domain::text::legible;
/// assert_eq!(legible("a\r\nb\u{1b}[1;31mc\u{1b}[0m\0\t\u{feff}d"), "a\nbc\u{fffd}\td");
/// assert_eq!(legible("می\u{200c}خواهم \u{200f}42"), "می\u{200c}خواهم \u{200f}42");
/// ```
pub fn legible(text: &str) -> Cow<'_, str> {
    let is_legible = |c: char| matches!(c, '\n' | '\t') || !(c.is_control() || c == '\u{feff}');
    if text.chars().all(is_legible) {
        return Cow::Borrowed(text);
    }
    let mut legible = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\r' if rest.as_str().starts_with('\n') => {}
            '\r' | '\u{b}' | '\u{c}' | '\u{85}' => legible.push('\n'),
            '\u{feff}' => {}
            '\u{1b}' => match after_sequence(rest.as_str()) {
                Some(after) => rest = after.chars(),
                None => legible.push(char::REPLACEMENT_CHARACTER),
            },
            c => legible.push(if is_legible(c) { c } else { char::REPLACEMENT_CHARACTER }),
        }
    }
    Cow::Owned(legible)
}

/// What follows the control sequence (ECMA-48) of which a text is all but the escape; none where it is no such sequence.
fn after_sequence(text: &str) -> Option<&str> {
    let parameters = text.strip_prefix('[')?;
    parameters.trim_start_matches(|c| matches!(c, ' '..='?')).strip_prefix(|c| matches!(c, '@'..='~'))
}

/// The beginning of a text: at most so many characters, up to a word's end where its words are short. Blanks before it don't
/// count.
///
/// ```
/// # use dlgforge::domain::text::beginning;
/// assert_eq!(beginning(" When is green tea green?", 12), "When is");
/// assert_eq!(beginning("はい 水は零度で凍る", 9), "はい 水は零度で凍");
/// assert_eq!(beginning("When?", 12), "When?");
/// ```
pub fn beginning(text: &str, most: usize) -> &str {
    let text = text.trim_start();
    let Some((end, _)) = text.char_indices().nth(most) else { return text };
    let head = &text[..end];
    let last =
        if text[end..].starts_with(char::is_whitespace) { end } else { head.rfind(char::is_whitespace).unwrap_or(0) };
    // What looks like one long word may be most of the text: not all scripts have blanks.
    if 2 * last > end { &head[..last] } else { head }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_reader_takes_is_gone() {
        for (text, expected) in [
            ("a\nb\tc", "a\nb\tc"),
            ("a\rb\r\nc\r\r\nd", "a\nb\nc\n\nd"),
            ("page\u{c}next\u{b}\u{85}line", "page\nnext\n\nline"),
            ("\0\u{1}\u{7}\u{8}\u{7f}\u{80}\u{9f}", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            ("\u{1b}[31mأحمر\u{1b}[0m \u{1b}]0;t\u{7}", "أحمر \u{fffd}]0;t\u{fffd}"),
            ("\u{1b}", "\u{fffd}"),
            ("\u{1b}[3", "\u{fffd}[3"),
            ("\u{feff}déjà\u{feff} vu", "déjà vu"),
            (
                "\u{ad}\u{61c}\u{200d}\u{200e}\u{202b}x\u{202c}\u{2028}\u{2067}",
                "\u{ad}\u{61c}\u{200d}\u{200e}\u{202b}x\u{202c}\u{2028}\u{2067}",
            ),
        ] {
            assert_eq!(legible(text), expected, "{text:?}");
            assert_eq!(legible(expected), expected, "once is enough: {text:?}");
        }
    }

    #[test]
    fn it_is_cut_at_a_word_s_end_unless_most_would_be_lost() {
        let (chinese, address) = ("水".repeat(700), format!("https://e.org/{}", "a".repeat(500)));
        for (text, most, expected) in [
            ("water ".repeat(200), 400, "water ".repeat(65) + "water"),
            ("water ".repeat(200), 401, "water ".repeat(66) + "water"),
            (format!("A\n{chinese}"), 400, format!("A\n{}", "水".repeat(398))),
            (format!("See {address} for it"), 400, format!("See {}", &address[..396])),
            (format!("{}wordy more", "word ".repeat(79)), 400, "word ".repeat(79) + "wordy"),
            ("\n ".to_owned() + &"w".repeat(500), 400, "w".repeat(400)),
            (" ".repeat(9), 3, String::new()),
        ] {
            assert_eq!(beginning(&text, most), expected);
        }
    }
}
