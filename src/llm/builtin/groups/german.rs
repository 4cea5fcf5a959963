//! German noun groups: nouns, by their capital letter.

use super::super::languages::Language;
use super::super::token::{Class, Token};
use super::Span;

/// Nouns in a form that is also their nominative: none after an article of the genitive or of the dative plural, none
/// with an ending of the dative plural.
pub fn groups(tokens: &[Token<'_>], language: &Language) -> Vec<Span> {
    (1..tokens.len())
        .filter(|&at| {
            let word = &tokens[at];
            word.class == Class::Content
                && word.text.starts_with(char::is_uppercase)
                && word.text.chars().skip(1).all(|c| c.is_lowercase() || c == '-' || c.is_uppercase())
                && !["ern", "eln"].iter().any(|end| word.folded.ends_with(end))
                && !declined(tokens, at)
                && !language.is_vague(&word.folded)
        })
        .map(|at| Span { article: "", first: at, last: at })
        .collect()
}

/// Whether an article or adjective before the noun says that its form is not the nominative.
fn declined(tokens: &[Token<'_>], noun: usize) -> bool {
    let before = |back: usize| noun.checked_sub(back).map(|at| &tokens[at]);
    let article = |word: &Token<'_>| {
        matches!(word.folded.as_str(), "des" | "eines" | "den" | "dieses" | "jedes" | "seines" | "ihres" | "diesen")
    };
    let adjective = |word: &Token<'_>| word.folded.ends_with("en") || word.folded.ends_with("es");
    before(1).is_some_and(|word| {
        article(word) || (word.class == Class::Content && !word.text.starts_with(char::is_uppercase) && adjective(word))
    })
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
    }
}
