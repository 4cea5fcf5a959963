//! Parts of texts.

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
