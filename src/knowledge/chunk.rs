//! Cuts a text into overlapping pieces of a fixed number of characters.

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// The window's text, trimmed; never empty.
    pub text: &'a str,
    /// Where the untrimmed window starts, in characters.
    pub char_start: usize,
    /// Where the untrimmed window ends, in characters.
    pub char_end: usize,
}

/// Windows of `size` characters, each starting `overlap` characters before the end of the one before; windows of white
/// space only are left out, and the one that reaches the end of the text is the last. `overlap` is less than `size`.
pub(super) fn pieces(text: &str, size: usize, overlap: usize) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = Some((text, 0));
    std::iter::from_fn(move || {
        let (from_here, char_start) = rest.take()?;
        let window = prefix(from_here, size);
        if window.len() < from_here.len() {
            let step = size - overlap;
            rest = Some((&from_here[prefix(from_here, step).len()..], char_start + step));
        }
        Some(Piece { text: window, char_start, char_end: char_start + window.chars().count() })
    })
    .map(|piece| Piece { text: piece.text.trim(), ..piece })
    .filter(|piece| !piece.text.is_empty())
}

/// The first `length` characters, or all.
fn prefix(text: &str, length: usize) -> &str {
    text.char_indices().nth(length).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &str, size: usize, overlap: usize) -> Vec<(&str, usize, usize)> {
        pieces(text, size, overlap).map(|piece| (piece.text, piece.char_start, piece.char_end)).collect()
    }

    #[test]
    fn windows_overlap_and_end_with_the_text() {
        assert_eq!(cut("abcdefghij", 6, 2), [("abcdef", 0, 6), ("efghij", 4, 10)]);
        assert_eq!(cut("abcdefghijk", 6, 2), [("abcdef", 0, 6), ("efghij", 4, 10), ("ijk", 8, 11)]);
        assert_eq!(cut("abc", 6, 2), [("abc", 0, 3)]);
        assert_eq!(cut("abcdef", 3, 0), [("abc", 0, 3), ("def", 3, 6)]);
        assert_eq!(cut("", 6, 2), []);
    }

    #[test]
    fn offsets_count_characters_of_the_untrimmed_window() {
        assert_eq!(cut("é ü  ñ", 2, 0), [("é", 0, 2), ("ü", 2, 4), ("ñ", 4, 6)]);
        assert_eq!(cut("مد\n\n\n\nجزر", 3, 1), [("مد", 0, 3), ("ج", 4, 7), ("جزر", 6, 9)]);
    }

    proptest! {
        /// Against the definition, written over a vector of characters.
        #[test]
        fn same_as_the_definition(text in "[a-cé日 \n]{0,60}", size in 1usize..12, overlap in 0usize..12) {
            prop_assume!(overlap < size);
            let characters: Vec<char> = text.chars().collect();
            let mut expected = Vec::new();
            let mut start = 0;
            loop {
                let end = (start + size).min(characters.len());
                let window: String = characters[start..end].iter().collect();
                if !window.trim().is_empty() {
                    expected.push((window.trim().to_owned(), start, end));
                }
                if end == characters.len() {
                    break;
                }
                start = end - overlap;
            }
            let got: Vec<_> = cut(&text, size, overlap).into_iter().map(|(t, s, e)| (t.to_owned(), s, e)).collect();
            prop_assert_eq!(got, expected);
        }
    }
}
