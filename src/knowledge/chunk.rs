//! Cuts a text into overlapping pieces of a fixed number of characters.

use std::borrow::Cow;
use std::sync::Arc;

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// Its text, trimmed; never empty.
    pub text: Cow<'a, str>,
    /// The headings it stands under.
    pub context: Arc<str>,
    /// Where it starts, in characters; of a window of fixed length, before trimming.
    pub char_start: usize,
    /// Where it ends, in characters; of a window of fixed length, before trimming.
    pub char_end: usize,
}

/// Windows of `size` characters, each starting `overlap` characters before the end of the one before; windows of white
/// space only are left out, and the one that reaches the end of the text is the last. `overlap` is less than `size`.
pub(super) fn pieces(text: &str, size: usize, overlap: usize) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = Some((text, 0));
    let context: Arc<str> = Arc::default();
    std::iter::from_fn(move || {
        let (from_here, char_start) = rest.take()?;
        let window = prefix(from_here, size);
        if window.len() < from_here.len() {
            let step = size - overlap;
            rest = Some((&from_here[prefix(from_here, step).len()..], char_start + step));
        }
        let char_end = char_start + window.chars().count();
        Some(Piece { text: window.trim().into(), context: context.clone(), char_start, char_end })
    })
    .filter(|piece| !piece.text.is_empty())
}

/// The first `length` characters, or all.
pub(super) fn prefix(text: &str, length: usize) -> &str {
    text.char_indices().nth(length).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &str, size: usize, overlap: usize) -> Vec<(String, usize, usize)> {
        pieces(text, size, overlap).map(|piece| (piece.text.into(), piece.char_start, piece.char_end)).collect()
    }

    fn owned<const N: usize>(pieces: [(&str, usize, usize); N]) -> Vec<(String, usize, usize)> {
        pieces.into_iter().map(|(text, start, end)| (text.to_owned(), start, end)).collect()
    }

    #[test]
    fn windows_overlap_and_end_with_the_text() {
        assert_eq!(cut("abcdefghij", 6, 2), owned([("abcdef", 0, 6), ("efghij", 4, 10)]));
        assert_eq!(cut("abcdefghijk", 6, 2), owned([("abcdef", 0, 6), ("efghij", 4, 10), ("ijk", 8, 11)]));
        assert_eq!(cut("abc", 6, 2), owned([("abc", 0, 3)]));
        assert_eq!(cut("abcdef", 3, 0), owned([("abc", 0, 3), ("def", 3, 6)]));
        assert_eq!(cut("", 6, 2), owned([]));
    }

    #[test]
    fn offsets_count_characters_of_the_untrimmed_window() {
        assert_eq!(cut("é ü  ñ", 2, 0), owned([("é", 0, 2), ("ü", 2, 4), ("ñ", 4, 6)]));
        assert_eq!(cut("مد\n\n\n\nجزر", 3, 1), owned([("مد", 0, 3), ("ج", 4, 7), ("جزر", 6, 9)]));
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
            prop_assert_eq!(cut(&text, size, overlap), expected);
        }
    }
}
