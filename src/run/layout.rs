//! Text for people, laid out for a terminal of 80 columns.

use crate::domain::normalisation::collapsed;
use std::fmt;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of a terminal that nobody has made wider.
pub const COLUMNS: usize = 80;
/// Columns before the text of a row.
const MARGIN: usize = 17;

/// Writes a row: its label, then its text, on as many lines as it needs.
pub fn row(f: &mut fmt::Formatter<'_>, label: &str, text: &str) -> fmt::Result {
    let mut label = label;
    for line in wrapped(text, COLUMNS - MARGIN) {
        writeln!(f, "  {label:<14} {line}")?;
        label = "";
    }
    Ok(())
}

/// The words of a text on lines of so many columns; a word that is wider has a line of its own.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut().filter(|line| line.width() + 1 + word.width() <= columns) {
            Some(line) => *line += &format!(" {word}"),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The lines of a text, none wider than so many columns: they break between words, and within those that are wider, as texts
/// without spaces are. A line keeps what it is indented by.
pub fn folded(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.trim_end().lines() {
        let line = line.trim_end().replace('\t', "    ");
        let words = line.trim_start();
        let mut folded = " ".repeat((line.len() - words.len()).min(columns / 2));
        let mut is_begun = false;
        for word in words.split_whitespace() {
            if is_begun && folded.width() + 1 + word.width() <= columns {
                folded.push(' ');
            } else if is_begun {
                lines.push(std::mem::take(&mut folded));
            }
            is_begun = true;
            for letter in word.graphemes(true) {
                if folded.width() + letter.width() > columns && !folded.is_empty() {
                    lines.push(std::mem::take(&mut folded));
                }
                folded += letter;
            }
        }
        lines.push(folded);
    }
    lines
}

/// The beginning of a text as one line of so many columns, with `…` for what is left out. What moves the cursor or colours
/// a terminal becomes a space.
pub fn shortened(text: &str, columns: usize) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = collapsed(&plain);
    if line.width() <= columns {
        return line;
    }
    let mut room = columns.saturating_sub(1);
    let fits = |c: &char| {
        let width = c.width().unwrap_or_default();
        let fits = width <= room;
        room = room.saturating_sub(width);
        fits
    };
    let kept: String = line.chars().take_while(fits).collect();
    format!("{}…", kept.trim_end())
}

/// A number of bytes, in the unit that keeps it short.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut value = bytes as f64 / 1e3;
    for unit in UNITS {
        if value < 999.95 || unit == UNITS[3] {
            return if bytes < 1_000 { format!("{bytes} bytes") } else { format!("{value:.1} {unit}") };
        }
        value /= 1e3;
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a widest-of-all b", 5), ["a", "widest-of-all", "b"]);
        assert_eq!(wrapped(" \n ", 5), Vec::<String>::new());
        assert_eq!(wrapped("猫猫 犬", 6), ["猫猫", "犬"], "wide characters take two columns");
    }

    #[test]
    fn no_line_is_wider_than_its_columns() {
        for (text, columns, expected) in [
            ("one two three", 7, &["one two", "three"][..]),
            ("  - one two\n\nthree\n\n", 8, &["  - one", "two", "", "three"]),
            ("abcdefgh ij", 5, &["abcde", "fgh", "ij"]),
            ("猫猫猫猫 犬", 5, &["猫猫", "猫猫", "犬"]),
            ("a 猫猫猫", 4, &["a", "猫猫", "猫"]),
            ("e\u{301}e\u{301}e\u{301}", 2, &["e\u{301}e\u{301}", "e\u{301}"]),
            ("", 5, &[]),
        ] {
            assert_eq!(folded(text, columns), expected, "{text:?}");
        }
    }

    #[test]
    fn texts_are_cut_to_their_columns() {
        for (text, columns, expected) in [
            ("short", 5, "short"),
            ("two\n\tlines", 20, "two lines"),
            ("longer than that", 8, "longer…"),
            ("\u{1b}[31mred\u{7}", 20, "[31mred"),
            ("猫猫猫猫", 6, "猫猫…"),
            ("anything", 0, "…"),
        ] {
            assert_eq!(shortened(text, columns), expected, "{text:?}");
        }
    }

    #[test]
    fn sizes_keep_short() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (1_213_913, "1.2 MB"),
            (5_000_000_000_000_000, "5000.0 TB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }
}
