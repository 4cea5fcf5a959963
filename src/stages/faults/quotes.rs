//! A quote that nobody wrote.

use super::super::text::shortened;
use super::words;
use std::cell::LazyCell;
use unicode_segmentation::UnicodeSegmentation;

/// Words below which a quote, or a part of one between ellipses, proves nothing.
const LEAST: usize = 3;

/// The fault of the first quote that stands in no passage. Case, white space and punctuation don't matter; the parts of
/// a quote with ellipses may stand apart, but in one passage.
pub(in crate::stages) fn misquote(quotes: &[&str], passages: &[&str]) -> Option<String> {
    let passages = LazyCell::new(|| passages.iter().map(|passage| letters(passage)).collect::<Vec<String>>());
    let wrong = quotes.iter().find(|quote| {
        let parts: Vec<String> = parts(quote).map(letters).collect();
        !parts.is_empty() && !passages.iter().any(|passage| parts.iter().all(|part| passage.contains(part)))
    })?;
    let wrong = shortened(wrong, 80);
    Some(format!(
        "the quote {wrong:?} stands in no passage: copy the words of a passage exactly, or leave the quote out"
    ))
}

/// What stands between the ellipses of a quote, short pieces left out.
fn parts(quote: &str) -> impl Iterator<Item = &str> {
    let pieces = quote.split('…').flat_map(|piece| piece.split("..."));
    pieces.filter(|piece| piece.unicode_words().nth(LEAST - 1).is_some())
}

/// Letters and digits alone, so that line breaks, hyphens and spaces make no difference.
fn letters(text: &str) -> String {
    words(text).concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSAGES: [&str; 5] = [
        "The starter is ready when it doubles\nin four to six hours. Feed it twice a day.",
        "La pâte doit reposer quatre heures, à température ambiante.",
        "Der Teig ruht vier Stun-\nden bei Raumtemperatur.",
        "يجب أن ترتاح العجينة أربع ساعات في درجة حرارة الغرفة.",
        "面团需要醒发四个小时才能烘烤。",
    ];

    #[test]
    fn quotes_of_a_passage_are_found() {
        for quote in [
            "the starter is ready when it doubles in four to six hours",
            "“The starter is ready … Feed it twice a day.”",
            "The starter is ready when it doubles [...] feed it twice a day",
            "reposer quatre heures à température ambiante",
            "Der Teig ruht vier Stunden",
            "يَجِبُ أن ترتاح العجينة",
            "面团需要醒发四个小时",
            "never said",
            "…",
            "",
        ] {
            assert_eq!(misquote(&[quote], &PASSAGES), None, "{quote}");
        }
    }

    #[test]
    fn other_quotes_are_named() {
        for quote in [
            "the starter is ready when it triples",
            "The starter is ready … feed it three times a day",
            "The starter is ready … La pâte doit reposer",
            "la pâte doit reposer cinq heures",
            "يجب أن ترتاح العجينة خمس ساعات",
            "面团需要醒发五个小时",
        ] {
            let fault = misquote(&["Feed it twice a day", quote], &PASSAGES).unwrap_or_default();
            assert!(fault.contains(quote), "{quote}: {fault}");
        }
        assert!(misquote(&["three words here"], &[]).is_some());
    }
}
