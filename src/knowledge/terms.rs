//! Text analysis: the index terms a text stands for, the same for documents and queries.
//!
//! A word gives its folded form (no case, no accents, no Arabic vowel signs), which any spelling of it reaches, and
//! for each language in question its stem, marked with the language so that stems of different languages never meet.
//! Documents are stemmed in their own language. A query is too short to tell its language: it is stemmed in each
//! language of the knowledge base, and only the stems that exist there match.

use super::language::Language;
use crate::domain::normalisation::nfkc;
use frostem::Stemmer;
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// Longest word kept, in bytes: longer runs of letters are data, not language.
const LONGEST_WORD: usize = 128;

/// Words of a text by UAX #29, lower-cased, in Unicode NFKC. Unspaced scripts fall into characters; an apostrophe or a
/// colon ends a word, and a single letter it cuts off (`l'eau`, `bee's`) is no word.
pub(super) fn words(text: &str) -> Vec<String> {
    let lower = nfkc(text).to_lowercase();
    let mut words = Vec::new();
    for whole in lower.unicode_words() {
        let parts =
            whole.split(['\'', '’', ':']).filter(|part| part.len() == whole.len() || part.chars().nth(1).is_some());
        words.extend(parts.filter(|part| part.len() <= LONGEST_WORD).map(str::to_owned));
    }
    words
}

/// The terms of a word: its folded form, and its stem in each language.
pub(super) fn of_word<'a>(word: &'a str, languages: &'a [&'static Language]) -> impl Iterator<Item = String> + 'a {
    // No word has a colon in it, so that a stem is never taken for a folded form.
    let stems = languages.iter().map(move |language| format!("{}:{}", language.code, folded(&stem(word, language))));
    std::iter::once(folded(word)).chain(stems)
}

/// A lower-case word without accents and vowel signs, spelling variants made one.
pub(super) fn folded(word: &str) -> String {
    if word.is_ascii() {
        return word.to_owned();
    }
    let mut plain = String::with_capacity(word.len());
    for letter in word.nfkd().filter(|&letter| !is_sign(letter)) {
        match letter {
            'ß' => plain.push_str("ss"),
            'æ' => plain.push_str("ae"),
            'œ' => plain.push_str("oe"),
            'þ' => plain.push_str("th"),
            'ø' => plain.push('o'),
            'ł' => plain.push('l'),
            'đ' | 'ð' => plain.push('d'),
            'ı' => plain.push('i'),
            'ς' => plain.push('σ'),
            'ٱ' => plain.push('ا'),
            'ى' | 'ی' => plain.push('ي'),
            'ک' => plain.push('ك'),
            'ة' => plain.push('ه'),
            '٠'..='٩' => plain.push(digit(letter, '٠')),
            '۰'..='۹' => plain.push(digit(letter, '۰')),
            other => plain.push(other),
        }
    }
    plain.nfc().collect()
}

/// Accents of Latin, Greek and Cyrillic letters; Hebrew points; Arabic vowel signs, hamza carried by a letter, tatweel.
fn is_sign(letter: char) -> bool {
    matches!(letter,
        '\u{300}'..='\u{36f}'
        | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}' | '\u{5c2}' | '\u{5c4}' | '\u{5c5}' | '\u{5c7}'
        | '\u{610}'..='\u{61a}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}'
        | '\u{6d6}'..='\u{6dc}' | '\u{6df}'..='\u{6e8}' | '\u{6ea}'..='\u{6ed}')
}

fn digit(letter: char, zero: char) -> char {
    char::from(b'0' + (letter as u32 - zero as u32) as u8)
}

/// The stem by the language's Snowball algorithm, which wants accents still in place.
fn stem(word: &str, language: &Language) -> String {
    let stemmer = Stemmer::new(language.stemmer);
    let word = if language.code == "ar" { without_conjunction(word) } else { word.to_owned() };
    stemmer.stem(&word).into_owned()
}

/// An Arabic word without vowel signs, and without `wa-` or `fa-` before its article: Snowball's stemmer takes the
/// article off, but not behind a conjunction. Shorter words that begin so, such as `wālid`, are left whole.
fn without_conjunction(word: &str) -> String {
    let bare: String = word.chars().filter(|&letter| !is_sign(letter)).collect();
    match bare.strip_prefix(['و', 'ف']) {
        Some(rest) if rest.starts_with("ال") && rest.chars().count() > 4 => rest.to_owned(),
        _ => bare,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::language::named;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_split_for_every_script() {
        for (text, expected) in [
            ("The queen BEE's hive, 35.5 °C!", vec!["the", "queen", "bee", "hive", "35.5", "c"]),
            ("L'eau d’une rivière, source:lac", vec!["eau", "une", "rivière", "source", "lac"]),
            ("ﬁne x-ray", vec!["fine", "x", "ray"]),
            ("水循環", vec!["水", "循", "環"]),
            ("العسلُ، والشمع؟", vec!["العسلُ", "والشمع"]),
            ("((:\"* ' ’", vec![]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
        assert_eq!(words(&"x".repeat(LONGEST_WORD + 1)), Vec::<String>::new());
    }

    #[test]
    fn spellings_of_one_word_fold_into_one() {
        for (one, other) in [
            ("rivière", "riviere"),
            ("œuf", "oeuf"),
            ("straße", "strasse"),
            ("größe", "grosse"),
            ("مُحَمَّد", "محمد"),
            ("كتـــاب", "كتاب"),
            ("أحمد", "احمد"),
            ("إسعاف", "اسعاف"),
            ("آلة", "اله"),
            ("مستشفى", "مستشفي"),
            ("١٢٣", "123"),
            ("ёлка", "елка"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} / {other}");
        }
        assert_eq!(folded("한국"), "한국");
        assert_eq!(folded("が"), "が");
    }

    #[test]
    fn inflections_share_their_marked_stem() {
        for (code, one, other) in [
            ("en", "lighthouses", "lighthouse"),
            ("fr", "répétées", "répété"),
            ("de", "häuser", "hauser"),
            ("es", "panaderías", "panadería"),
            ("ar", "وَالمناحل", "المناحل"),
            ("ar", "والدي", "والد"),
            ("ar", "النَّحلِ", "نحل"),
        ] {
            let language = [named(code).unwrap()];
            let stems = |word: &str| of_word(word, &language).nth(1).unwrap();
            assert_eq!(stems(one), stems(other), "{code}");
            assert!(stems(one).starts_with(&format!("{code}:")));
        }
        assert_eq!(of_word("rivière", &[]).collect::<Vec<_>>(), ["riviere"]);
    }

    proptest! {
        #[test]
        fn any_text_has_terms_without_blanks(text in any::<String>()) {
            for word in words(&text) {
                prop_assert!(!word.is_empty() && !folded(&word).contains(':'), "{:?}", word);
                for code in ["ar", "en", "fr"] {
                    prop_assert_eq!(of_word(&word, &[named(code).unwrap()]).count(), 2);
                }
            }
        }
    }
}
