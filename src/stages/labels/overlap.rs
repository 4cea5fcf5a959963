//! How much of an answer stands in what was retrieved for it.

use super::super::faults::words;
use crate::domain::Script;
use crate::domain::language::frequent;
use std::collections::BTreeSet;

/// Fewest words of substance that a share is taken of.
const FEWEST: usize = 4;
/// Letters of a word that must be the same: endings differ.
const STEM: usize = 5;

/// Share of the words of substance of an answer that stand in the evidence, from 0 to 1 and to the hundredth; none where there is
/// no evidence, the answer is too short, or the script has no blanks between words. The language is that of both.
pub(super) fn share(answer: &str, evidence: &[&str], language: &str, script: Script) -> Option<f64> {
    if matches!(script, Script::Han | Script::Japanese | Script::Thai) {
        return None;
    }
    let of = |text: &str| stems(text, language);
    let held: BTreeSet<String> = evidence.iter().flat_map(|text| of(text)).collect();
    let said = of(answer);
    let found = said.iter().filter(|stem| held.contains(*stem)).count();
    (!held.is_empty() && said.len() >= FEWEST).then(|| (100.0 * found as f64 / said.len() as f64).round() / 100.0)
}

/// The first letters of each word that is not among the frequent ones of its language.
fn stems(text: &str, language: &str) -> Vec<String> {
    let frequent = frequent(language);
    let words = words(text).into_iter().filter(|word| !frequent.contains(word) && word.chars().nth(1).is_some());
    words.map(|word| bare(&word).chars().take(STEM).collect()).collect()
}

/// An Arabic word without its article, and without the conjunctions and prepositions that are written with it.
fn bare(word: &str) -> &str {
    let article = ["وال", "بال", "كال", "فال", "ال", "لل"];
    let rest = article.iter().find_map(|article| word.strip_prefix(article));
    rest.filter(|rest| rest.chars().nth(1).is_some()).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_words_of_substance() {
        for (language, script, answer, evidence, expected) in [
            ("en", Script::Latin, "Steam keeps the crust soft.", "The steam keeps crusts soft in the oven.", Some(1.0)),
            ("en", Script::Latin, "Rust makes every boat heavy.", "Steam keeps the crust soft.", Some(0.0)),
            (
                "fr",
                Script::Latin,
                "Les feuilles sèchent vite au soleil.",
                "La feuille est séchée à l'ombre.",
                Some(0.25),
            ),
            ("ar", Script::Arabic, "العسل والشمع من منتجات الخلية", "تنتج الخلية عسلا وشمعا", Some(0.2)),
            ("en", Script::Latin, "Yes, soft.", "Soft.", None),
            ("en", Script::Latin, "Steam keeps the crust soft.", "", None),
            ("zh", Script::Han, "水在零度结冰 水在零度结冰 水 冰", "水在零度结冰", None),
        ] {
            let found = share(answer, &[evidence], language, script);
            assert_eq!(found, expected, "{answer}");
        }
    }
}
