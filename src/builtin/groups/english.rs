//! English noun groups: words between an article or preposition and something that can't belong to them.

use super::super::languages::Language;
use super::super::token::{Class, Token};
use super::{Span, article};

/// Most words of a group, its complement not counted.
const WORDS: usize = 3;

/// Groups opened by an article or preposition. The last word of a longer group might be the verb that follows it
/// (`the dough rises`): such a group counts only if what follows shows that it is complete.
pub fn groups(tokens: &[Token<'_>], language: &Language) -> Vec<Span> {
    let mut found: Vec<Span> = plural_subject(tokens).into_iter().collect();
    for at in 0..tokens.len() {
        let Some(left) = opener(tokens, at) else { continue };
        let first = at + 1;
        let Some(last) = run(tokens, first, left) else { continue };
        let span = Span { article: article(&tokens[at], language).unwrap_or(""), first, head: last, last };
        if let Some(end) = complement(tokens, last) {
            found.push(Span { last: end, ..span.clone() });
        }
        found.push(span);
    }
    found
}

/// A plural without article that opens the sentence before a verb (`Nautical charts are`). A single word might be a name:
/// it needs a verb in the plural.
fn plural_subject(tokens: &[Token<'_>]) -> Option<Span> {
    let rest = tokens.iter().skip(1).take_while(|token| token.continues()).count();
    let verb = tokens.get(rest + 1).filter(|verb| verb.joined && verb.class == Class::Verb)?;
    let number = rest > 0 || matches!(verb.folded.as_str(), "are" | "were" | "have" | "do");
    let plain = tokens[..=rest].iter().skip(1).all(|word| !word.text.starts_with(char::is_uppercase));
    let plural = tokens[rest].folded.ends_with('s') && !tokens[rest].folded.ends_with("ss");
    let fits = tokens[0].class == Class::Content && rest < WORDS && number && plain && plural;
    fits.then_some(Span { article: "", first: 0, head: rest, last: rest })
}

#[derive(Clone, Copy, PartialEq)]
enum Left {
    /// An article that may open a subject.
    Article,
    /// A preposition, or an article after one: no subject, so no verb follows.
    Preposition,
}

fn opener(tokens: &[Token<'_>], at: usize) -> Option<Left> {
    match tokens[at].class {
        Class::Preposition => Some(Left::Preposition),
        Class::Article if tokens[at].joined && at > 0 && tokens[at - 1].class == Class::Preposition => {
            Some(Left::Preposition)
        }
        Class::Article => Some(Left::Article),
        _ => None,
    }
}

/// The last word of the group that starts at `first`.
fn run(tokens: &[Token<'_>], first: usize, left: Left) -> Option<usize> {
    let length = tokens.get(first..)?.iter().take_while(|token| token.continues()).count();
    let last = (first + length).checked_sub(1)?;
    let fits = (1..=WORDS).contains(&length)
        && tokens[first..=last].iter().all(|word| !word.folded.ends_with("ly") || word.folded.len() < 6)
        && !(left == Left::Preposition && tokens[first].folded.ends_with("ing"))
        && !listed(tokens, last);
    if !fits {
        return None;
    }
    match doubt(tokens, last, left) {
        Doubt::Noun => Some(last),
        _ if length == 1 && !tokens[last].folded.ends_with("ed") => Some(last),
        Doubt::Verb if length > 1 => Some(last - 1),
        _ => None,
    }
}

/// What the last word of a group might be instead of its noun.
enum Doubt {
    /// It is the noun.
    Noun,
    /// It is the verb that follows the group.
    Verb,
    /// It may be either.
    Open,
}

/// An object after the word shows a verb; an auxiliary, `of` or a break after it shows a noun, unless its ending is that
/// of a verb in a group that may be a subject.
fn doubt(tokens: &[Token<'_>], last: usize, left: Left) -> Doubt {
    let word = tokens[last].folded.as_str();
    if left == Left::Article && word.ends_with("ed") && word.len() > 5 {
        return Doubt::Verb;
    }
    let ending = word.ends_with("ed") || (word.ends_with('s') && !word.ends_with("ss"));
    let Some(next) = tokens.get(last + 1).filter(|next| next.joined) else {
        return if word.ends_with("ed") || (ending && left == Left::Article) { Doubt::Open } else { Doubt::Noun };
    };
    match (next.class, next.folded.as_str()) {
        (Class::Verb, _) | (_, "of") => Doubt::Noun,
        (Class::Article, _) | (_, "it" | "its" | "them" | "their" | "him" | "his" | "her" | "this" | "these") => {
            Doubt::Verb
        }
        (_, "and" | "or") if !ending || left == Left::Preposition => Doubt::Noun,
        _ if !ending && word.chars().count() > 5 => Doubt::Noun,
        _ => Doubt::Open,
    }
}

/// Whether the group is the first of a list: `the warm and humid air`, `a cold, wet day`.
fn listed(tokens: &[Token<'_>], last: usize) -> bool {
    let Some(next) = tokens.get(last + 1) else { return false };
    let after = tokens.get(last + 2);
    (!next.joined && next.class == Class::Content)
        || (next.joined && matches!(next.folded.as_str(), "and" | "or" | "but") && after.is_some_and(Token::continues))
}

/// The end of `of` and a group after it.
fn complement(tokens: &[Token<'_>], last: usize) -> Option<usize> {
    tokens.get(last + 1).filter(|of| of.joined && of.folded == "of")?;
    let next = tokens.get(last + 2).filter(|next| next.joined)?;
    let first = if next.class == Class::Article { last + 3 } else { last + 2 };
    run(tokens, first, Left::Preposition).filter(|end| end - first < 2)
}

#[cfg(test)]
mod tests {
    use super::super::names;

    #[test]
    fn groups_stop_before_verbs_and_lists() {
        for (text, groups) in [
            ("The starter doubles in a warm kitchen.", &["a warm kitchen"][..]),
            ("The wild yeast can raise the dough.", &["The wild yeast", "the dough"][..]),
            ("The rate of fermentation depends on the temperature.", &["rate", "temperature"][..]),
            ("It was a cold, wet day by the harbour.", &["the harbour"][..]),
            ("Bakers measured the warm and humid air in 1920.", &[][..]),
            ("Nautical charts can show the light of each tower.", &["nautical charts"][..]),
            ("Lenses are made of glass.", &["lenses"][..]),
            ("A great storm destroyed that tower.", &["a great storm"][..]),
            ("A falling weight drove the clockwork.", &["a falling weight", "the clockwork"][..]),
            ("Worms turn kitchen scraps into dark compost.", &["dark compost"][..]),
        ] {
            let found = names(text, "en");
            let missing: Vec<_> = groups
                .iter()
                .filter(|wanted| !found.iter().any(|name| name.to_lowercase().contains(&wanted.to_lowercase())))
                .collect();
            assert!(missing.is_empty(), "{text}: {missing:?} not in {found:?}");
            assert!(
                found
                    .iter()
                    .all(|name| !["doubles", "cold", "drove", "destroyed"].iter().any(|wrong| name.contains(wrong))),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_complement_joins_two_groups() {
        assert!(
            names("The temperature of the water is 24 degrees.", "en")
                .contains(&"the temperature of the water".to_owned())
        );
    }
}
