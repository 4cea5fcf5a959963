//! German noun groups: nouns, by their capital letter.

use super::super::languages::Language;
use super::super::token::{Class, Token};
use super::Span;

/// Nouns in a form that is also their nominative: none after an article of the genitive or of the dative plural, none
/// with an ending of the dative plural, no verbs made nouns.
pub fn groups(tokens: &[Token<'_>], language: &Language) -> Vec<Span> {
    (1..tokens.len())
        .filter(|&at| {
            let word = &tokens[at];
            word.class == Class::Content
                && word.text.starts_with(char::is_uppercase)
                && word.text.chars().skip(1).all(|c| c.is_lowercase() || c == '-' || c.is_uppercase())
                && !["ern", "eln"].iter().any(|end| word.folded.ends_with(end))
                && !declined(tokens, at)
                && !infinitive(tokens, at)
                && !language.is_vague(&word.folded)
        })
        .map(|at| Span { article: "", first: at, head: at, last: at })
        .collect()
}

/// Whether an article or adjective before the noun says that its form is not the nominative.
fn declined(tokens: &[Token<'_>], noun: usize) -> bool {
    let before = |back: usize| noun.checked_sub(back).map(|at| &tokens[at]);
    let article = |word: &Token<'_>| {
        matches!(
            word.folded.as_str(),
            "des"
                | "eines"
                | "den"
                | "dieses"
                | "jedes"
                | "seines"
                | "ihres"
                | "diesen"
                | "beiden"
                | "vielen"
                | "allen"
        )
    };
    let adjective = |word: &Token<'_>| word.folded.ends_with("en") || word.folded.ends_with("es");
    before(1).is_some_and(|word| {
        article(word) || (word.class == Class::Content && !word.text.starts_with(char::is_uppercase) && adjective(word))
    })
}

/// Whether a word looks like an infinitive that serves as a noun (`beim Gehen`, `das Steigen`): neuter, in `-en`. Few other
/// neuter nouns end so.
fn infinitive(tokens: &[Token<'_>], noun: usize) -> bool {
    let word = tokens[noun].folded.as_str();
    let article = noun.checked_sub(1).map(|before| tokens[before].folded.as_str());
    let other = ["chen", "becken", "eisen", "kissen", "wesen", "zeichen"].iter().any(|end| word.ends_with(end));
    matches!(article, Some("das" | "beim" | "zum" | "ins")) && word.ends_with("en") && !other
}

#[cfg(test)]
mod tests {
    use super::super::names;

    #[test]
    fn nouns_in_the_genitive_or_dative_plural_are_passed_over() {
        assert_eq!(names("Das Wasser des Flusses fließt unter den Brücken zum Meer.", "de"), ["Wasser", "Meer"]);
        assert_eq!(
            names("Man bewahrt frischen Sauerteig in sauberen Gläsern im Kühlschrank auf.", "de"),
            ["Kühlschrank"]
        );
        assert_eq!(names("Eine Königin legt im Sommer bis zu 2000 Eier.", "de"), ["Königin", "Eier"]);
        assert_eq!(names("Man steht unter diesen beiden Wasserbergen am Ufer.", "de"), ["Ufer"]);
    }
}
