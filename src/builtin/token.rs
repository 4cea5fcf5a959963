//! Words of a text: where they are, what kind they are, and which of them mean the same thing.

use super::languages::Language;
use std::collections::BTreeSet;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use unicode_segmentation::UnicodeSegmentation;

/// What a word does in a sentence, as far as word lists tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Opens a noun group.
    Article,
    /// Opens a noun group, or ends one and opens the next.
    Preposition,
    /// An auxiliary or a relative pronoun: ends a noun group.
    Verb,
    /// Any other word without a subject of its own.
    Stop,
    /// Digits.
    Number,
    /// A word that carries meaning.
    Content,
}

/// One word.
#[derive(Debug, Clone)]
pub(super) struct Token<'a> {
    /// As written.
    pub(super) text: &'a str,
    /// Where it starts, in bytes.
    pub(super) start: usize,
    /// In lower case, without Arabic vowel signs.
    pub(super) folded: String,
    /// What it does.
    pub(super) class: Class,
    /// Whether only white space stands between the word before and this one.
    pub(super) joined: bool,
}

impl Token<'_> {
    /// Where it ends, in bytes.
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it carries meaning and continues the words before it.
    pub(super) fn continues(&self) -> bool {
        self.joined && self.class == Class::Content
    }
}

/// The words of a text. Hyphenated words are one; elided articles (`l'`) are words of their own.
pub(super) fn tokens<'a>(text: &'a str, language: &Language) -> Vec<Token<'a>> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (start, word) in text.unicode_word_indices() {
        let end = start + word.len();
        match spans.last_mut() {
            Some(last) if start == last.1 + 1 && text.as_bytes()[last.1] == b'-' => last.1 = end,
            _ => spans.push((start, end)),
        }
    }
    let mut tokens = Vec::with_capacity(spans.len());
    let mut before = 0;
    for (start, end) in spans {
        let cut = start + elision(&text[start..end], language);
        for (start, end) in [(start, cut), (cut, end)] {
            if start < end {
                let joined = !tokens.is_empty() && text[before..start].chars().all(char::is_whitespace);
                tokens.push(token(&text[start..end], start, joined, language));
                before = end;
            }
        }
    }
    tokens
}

fn token<'a>(text: &'a str, start: usize, joined: bool, language: &Language) -> Token<'a> {
    let folded = folded(text);
    let class = match language.class(&folded) {
        Some(class) => class,
        None if text.chars().any(char::is_numeric) => Class::Number,
        None => Class::Content,
    };
    Token { text, start, folded, class, joined }
}

/// Length of the elided word that a word starts with, apostrophe included; 0 without one.
fn elision(word: &str, language: &Language) -> usize {
    let Some(at) = word.find(['\'', '’']) else { return 0 };
    let end = at + word[at..].chars().next().map_or(0, char::len_utf8);
    let head = word[..at].to_lowercase();
    if end < word.len() && language.sheet.grammar.elisions.split_whitespace().any(|elided| elided == head) {
        end
    } else {
        0
    }
}

/// Whether a character is an Arabic vowel sign or stretches a word: no letter of its own.
pub(super) fn is_mark(c: char) -> bool {
    matches!(c, '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}')
}

/// Lower case, straight apostrophes, no Arabic vowel signs or stretching.
pub(super) fn folded(word: &str) -> String {
    word.chars()
        .filter(|c| !is_mark(*c))
        .flat_map(|c| if c == '’' { '\''.to_lowercase() } else { c.to_lowercase() })
        .collect()
}

/// Longest stem, in characters: `fermentation` and `fermented` share theirs.
const STEM: usize = 7;

/// What inflected forms of a word have in common: no accents, no Arabic article or feminine ending, no plural `s`, and
/// at most [`STEM`] characters.
pub(super) fn stem(word: &str) -> String {
    let plain: String = folded(word)
        .nfkd()
        .filter(|c| !is_combining_mark(*c))
        .map(|c| match c {
            'أ' | 'إ' | 'آ' | 'ٱ' => 'ا',
            'ى' => 'ي',
            other => other,
        })
        .collect();
    let bare = ["وال", "بال", "فال", "كال", "لل", "ال"]
        .iter()
        .find_map(|prefix| plain.strip_prefix(prefix).filter(|rest| rest.chars().count() >= 3))
        .unwrap_or(&plain);
    let bare = ['ة', 'ه', 's']
        .iter()
        .find_map(|end| bare.strip_suffix(*end))
        .filter(|rest| rest.chars().count() >= 3)
        .unwrap_or(bare);
    bare.chars().take(STEM).collect()
}

/// Stems of the words that carry meaning, numbers included.
pub(super) fn terms(text: &str, language: &Language) -> BTreeSet<String> {
    meaningful(text, language).map(|(_, stem)| stem).collect()
}

/// A word with two neighbouring letters in the wrong order, in each way that shows; the first letter stays.
pub(super) fn swaps(word: &str) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    let swapped = |at: usize| {
        let mut letters = letters.clone();
        letters.swap(at, at + 1);
        letters.into_iter().collect()
    };
    (1..letters.len().saturating_sub(1)).filter(|at| letters[*at] != letters[at + 1]).map(swapped).collect()
}

/// The words that carry meaning with their stems, each stem once, in order of appearance.
pub(super) fn meaningful(text: &str, language: &Language) -> impl Iterator<Item = (String, String)> {
    let mut seen = BTreeSet::new();
    tokens(text, language)
        .into_iter()
        .filter(|token| matches!(token.class, Class::Content | Class::Number))
        .map(|token| (token.text.to_owned(), stem(&token.folded)))
        .filter(move |(_, stem)| seen.insert(stem.clone()))
        .collect::<Vec<_>>()
        .into_iter()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::languages::find;
    use super::*;

    #[test]
    fn elided_articles_and_hyphens_are_told_apart() {
        let words = |text: &str, code: &str| -> Vec<String> {
            tokens(text, find(code).unwrap()).iter().map(|token| token.text.to_owned()).collect()
        };
        assert_eq!(
            words("L'eau d’un demi-litre, aujourd'hui", "fr"),
            ["L'", "eau", "d’", "un", "demi-litre", "aujourd'hui"]
        );
        assert_eq!(words("The bee's well-known dance", "en"), ["The", "bee's", "well-known", "dance"]);
    }

    #[test]
    fn only_white_space_joins() {
        let tokens = tokens("salt, water and flour", find("en").unwrap());
        assert_eq!(tokens.iter().map(|token| token.joined).collect::<Vec<_>>(), [false, false, true, true]);
    }

    #[test]
    fn inflected_forms_share_a_stem() {
        for (one, other) in [
            ("fermentation", "fermented"),
            ("River", "rivers"),
            ("élève", "eleves"),
            ("الماء", "والماء"),
            ("الخميرة", "خميرة"),
        ] {
            assert_eq!(stem(one), stem(other), "{one} / {other}");
        }
        assert_ne!(stem("water"), stem("winter"));
    }
}
