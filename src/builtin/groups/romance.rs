//! French and Spanish noun groups: an article, a noun, and what qualifies it.

use super::super::languages::Language;
use super::super::token::{Class, Token};
use super::{Span, article};

/// Groups opened by an article. The noun is the first word after it, or the second when the first is an adjective that
/// stands before its noun; a following adjective and one complement (`le cycle de l'eau`) belong to it. Contracted and
/// indefinite articles are shown as the definite article they imply, so that a group can be named anywhere.
pub fn groups(tokens: &[Token<'_>], language: &Language) -> Vec<Span> {
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let Some(shown) = article(&tokens[at], language).filter(|_| !is_pronoun(tokens, at)) else { continue };
        let Some(noun) = noun(tokens, at + 1, language) else { continue };
        let Some(shown) = elided(shown, &tokens[at], &tokens[at + 1], language) else { continue };
        let last = qualified(tokens, noun, language);
        let span = Span { article: shown, first: at + 1, head: noun, last };
        if let Some(end) = complement(tokens, last, language) {
            found.push(Span { last: end, ..span.clone() });
        }
        if last > noun || !tokens.get(last + 1).is_some_and(Token::continues) || !adjective(&tokens[noun], language) {
            found.push(span);
        }
    }
    found
}

/// Whether what looks like an article stands for an object before its verb (`pour le retrouver`, `on la voit`), or opens an
/// infinitive (`al volver`).
fn is_pronoun(tokens: &[Token<'_>], at: usize) -> bool {
    let article = tokens[at].folded.as_str();
    let verb = tokens.get(at + 1).is_some_and(|next| next.continues() && infinitive(&next.folded));
    if article == "al" {
        return verb;
    }
    let Some(before) = at.checked_sub(1).map(|before| tokens[before].folded.as_str()) else { return false };
    match before {
        "il" | "elle" | "on" | "ils" | "elles" | "je" | "nous" | "vous" | "ne" | "n'" | "qui" | "se" | "no" | "nos" => {
            tokens[at].joined
        }
        "de" | "à" if matches!(article, "le" | "les") => true,
        "de" | "à" | "pour" | "sans" | "afin" => verb && matches!(article, "le" | "la" | "les" | "l'"),
        _ => false,
    }
}

/// Whether a word ends like an infinitive; short words and those in `-ier` are mostly nouns.
fn infinitive(word: &str) -> bool {
    let bare = word.strip_suffix("se").unwrap_or(word);
    let ending = ["er", "ir", "ar"].iter().any(|end| bare.ends_with(end)) && !bare.ends_with("ier");
    ending && bare.chars().count() > 5
}

fn noun(tokens: &[Token<'_>], first: usize, language: &Language) -> Option<usize> {
    let word = tokens.get(first).filter(|word| word.continues())?;
    if !listed(&language.sheet.grammar.prenominal, &word.folded) {
        return Some(first);
    }
    tokens.get(first + 1).filter(|word| word.continues()).map(|_| first + 1)
}

/// The noun, or the adjective or the rest of the name after it.
fn qualified(tokens: &[Token<'_>], noun: usize, language: &Language) -> usize {
    let next = tokens.get(noun + 1).filter(|word| word.continues());
    let name = |word: &Token<'_>| {
        word.text.starts_with(char::is_uppercase) && tokens[noun].text.starts_with(char::is_uppercase)
    };
    if next.is_some_and(|word| adjective(word, language) || name(word)) { noun + 1 } else { noun }
}

fn adjective(word: &Token<'_>, language: &Language) -> bool {
    let mut endings = language.sheet.grammar.adjective_endings.split_whitespace();
    endings.any(|end| word.folded.len() > end.len() + 2 && word.folded.ends_with(end))
}

/// The end of `de` and a group after it.
fn complement(tokens: &[Token<'_>], last: usize, language: &Language) -> Option<usize> {
    tokens.get(last + 1).filter(|de| de.joined && listed(&language.sheet.grammar.connectors, &de.folded))?;
    let article = tokens.get(last + 2).is_some_and(|next| next.joined && next.class == Class::Article);
    let noun = noun(tokens, if article { last + 3 } else { last + 2 }, language)?;
    let infinitive = ["er", "ir", "ar", "oir"].iter().any(|end| tokens[noun].folded.ends_with(end)) && !article;
    (!infinitive).then(|| qualified(tokens, noun, language))
}

/// The definite article before a word: French elides `le` and `la` before a vowel. None where an indefinite article does
/// not tell (before `h`, which may be silent or not).
fn elided(shown: &'static str, written: &Token<'_>, next: &Token<'_>, language: &Language) -> Option<&'static str> {
    let indefinite = matches!(written.folded.as_str(), "un" | "une");
    if language.sheet.grammar.elisions.is_empty() || !indefinite {
        return Some(shown);
    }
    match super::super::token::stem(&next.folded).chars().next() {
        Some('a' | 'e' | 'i' | 'o' | 'u' | 'œ' | 'æ') => Some("l'"),
        Some('h') | None => None,
        Some(_) => Some(shown),
    }
}

fn listed(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|known| known == word)
}

#[cfg(test)]
mod tests {
    use super::super::names;

    #[test]
    fn articles_become_definite() {
        for (text, wanted) in [
            ("Le cycle de l'eau commence au-dessus des océans.", "le cycle de l'eau"),
            ("On mélange une éponge avec du levain.", "l'éponge"),
            ("On mélange une éponge avec du levain.", "le levain"),
            ("La vapeur atmosphérique retombe sur les montagnes.", "la vapeur atmosphérique"),
            ("Une grande abeille visite la fleur.", "la grande abeille"),
        ] {
            let found = names(text, "fr");
            assert!(found.contains(&wanted.to_owned()), "{text}: {found:?}");
        }
        for (text, wanted) in [
            ("El agua del río baja al valle.", "el agua del río"),
            ("El agua del río baja al valle.", "el valle"),
            ("La luz oculta la Vía Láctea.", "la Vía Láctea"),
            ("La masa necesita una temperatura constante.", "la temperatura constante"),
        ] {
            let found = names(text, "es");
            assert!(found.contains(&wanted.to_owned()), "{text}: {found:?}");
        }
    }

    #[test]
    fn objects_before_a_verb_are_no_articles() {
        assert_eq!(names("On range le carton pour le retrouver et on la voit.", "fr"), ["le carton"]);
        assert_eq!(names("Il faut la chemise afin de les ranger sans la froisser.", "fr"), ["la chemise"]);
        assert_eq!(names("Al volver al faro se las lleva la lluvia.", "es"), ["el faro", "la lluvia"]);
    }

    #[test]
    fn an_indefinite_article_before_h_tells_nothing() {
        assert!(names("On coupe un haricot avec un couteau.", "fr").iter().all(|name| !name.contains("haricot")));
        assert!(names("On coupe un haricot avec un couteau.", "fr").contains(&"le couteau".to_owned()));
    }
}
