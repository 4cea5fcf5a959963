//! Arabic noun groups: definite words, and what is bound to them.

use super::super::languages::Language;
use super::super::token::{Class, Token, folded};
use super::Span;

/// Definite nouns (with `ال`), extended by a relative adjective after them and, after a preposition, by the noun they
/// complete (`في درجة الحرارة`). Groups start at a word without a prefixed particle.
pub fn groups(tokens: &[Token<'_>], language: &Language) -> Vec<Span> {
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        if !definite(&tokens[at]) || (at > 0 && tokens[at].joined && definite(&tokens[at - 1])) {
            continue;
        }
        let last = match tokens.get(at + 1) {
            Some(next) if next.joined && definite(next) && relative(next, &tokens[at]) => at + 1,
            _ => at,
        };
        found.push(Span { article: "", first: at, head: at, last });
        if let Some(first) = bound(tokens, at, language) {
            found.push(Span { article: "", first, head: at, last });
        }
    }
    found
}

/// The indefinite noun before a definite one, when a preposition before it shows that it is no verb.
fn bound(tokens: &[Token<'_>], at: usize, language: &Language) -> Option<usize> {
    let first = at.checked_sub(1)?;
    let preposition = tokens.get(first.checked_sub(1)?)?;
    let noun = &tokens[first];
    let fits = tokens[at].joined
        && noun.continues()
        && !definite(noun)
        && noun.text.chars().count() >= 3
        && !language.is_vague(&noun.folded)
        && !["ها", "هم", "هما"].iter().any(|owner| noun.folded.ends_with(owner))
        && preposition.class == Class::Preposition;
    fits.then_some(first)
}

fn definite(token: &Token<'_>) -> bool {
    token.class == Class::Content
        && token.folded.starts_with("ال")
        && token.folded.chars().count() >= 5
        && !["الته", "التز", "التق", "التف", "التو", "الغا"].iter().any(|root| token.folded.starts_with(root))
        && !folded(token.text).ends_with("ون")
}

/// Whether a word ends like an adjective of relation (`المائية`) that can belong to this noun: a feminine one belongs to a
/// feminine noun or to most plurals of things, else to a noun further back.
fn relative(word: &Token<'_>, noun: &Token<'_>) -> bool {
    let feminine = word.folded.ends_with("ية");
    let agrees = ["ة", "ه", "ات"].iter().any(|end| noun.folded.ends_with(end));
    feminine == agrees && (feminine || word.folded.ends_with('ي'))
}

#[cfg(test)]
mod tests {
    use super::super::names;

    #[test]
    fn definite_words_and_what_is_bound_to_them() {
        let found = names("تتجمع المياه الجوفية في طبقات الصخور وتغذي الينابيع.", "ar");
        assert_eq!(found, ["المياه الجوفية", "طبقات الصخور", "الصخور", "الينابيع"]);
        assert!(names("هو الذي كتب.", "ar").is_empty());
        assert_eq!(names("تضم حقيبة الإسعاف المنزلية ضمادات.", "ar"), ["الإسعاف"]);
        assert_eq!(names("يصيب تعفن الحضنة الأمريكي اليرقات.", "ar"), ["الحضنة"]);
        assert_eq!(names("تظهر في مقدمتها الخلايا السليمة.", "ar"), ["الخلايا"]);
    }
}
