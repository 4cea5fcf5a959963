//! How the parts of a question are joined: a lead and what follows it, a heading within a sentence.

use super::languages::{Language, capitalised};
use super::material::Material;
use super::token::{Class, tokens};

/// Most words of a heading that is named without quotation marks.
const WORDS: usize = 5;

/// A question after its lead: with a capital when a new sentence starts there.
pub(super) fn led(lead: &str, question: &str, language: &Language) -> String {
    let capital = match lead.chars().next_back() {
        None | Some('.' | '!' | '?' | '؟') => true,
        Some(':') => language.sheet.speech.capital_after_colon,
        Some(_) => false,
    };
    let question = if capital { capitalised(question) } else { question.to_owned() };
    if lead.is_empty() { question } else { format!("{lead} {question}") }
}

/// A heading as part of a sentence where its grammar is plain, else in quotation marks.
pub(super) fn named(heading: &str, material: &Material<'_>, target: &Language) -> String {
    let words = tokens(heading, material.own);
    let class = words.first().map(|word| word.class);
    let common = words.first().is_some_and(|word| material.text.contains(&word.folded));
    let names = words.iter().skip(1).any(|word| word.text.starts_with(char::is_uppercase));
    let flows = match material.own.sheet.code {
        "en" => !names && (class == Some(Class::Article) || (class == Some(Class::Content) && common)),
        "fr" | "es" => class == Some(Class::Article),
        "ar" => class == Some(Class::Content),
        _ => false,
    };
    let simple =
        words.len() <= WORDS && heading.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '\'' | '’'));
    if flows && simple && material.own == target {
        heading.chars().take(1).flat_map(char::to_lowercase).chain(heading.chars().skip(1)).collect()
    } else {
        target.quoted(heading)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::languages::find;
    use super::*;

    #[test]
    fn a_lead_decides_about_the_capital() {
        for (code, lead, question, wanted) in [
            ("en", "", "what is it?", "What is it?"),
            ("en", "Thank you.", "what is it?", "Thank you. What is it?"),
            ("en", "A question:", "what is it?", "A question: what is it?"),
            ("de", "Eine Frage:", "was ist das?", "Eine Frage: Was ist das?"),
            ("es", "Pasemos a otra cosa.", "¿qué es?", "Pasemos a otra cosa. ¿Qué es?"),
        ] {
            assert_eq!(led(lead, question, find(code).unwrap()), wanted);
        }
    }

    #[test]
    fn headings_flow_or_are_quoted() {
        for (code, heading, text, wanted) in [
            ("en", "Feeding the starter", "Regular feeding keeps it alive.", "feeding the starter"),
            ("en", "Feeding The Starter", "Regular feeding keeps it alive.", "“Feeding The Starter”"),
            ("en", "Mars", "The planet Mars is red.", "“Mars”"),
            ("en", "The planets", "Eight are known.", "the planets"),
            ("fr", "La cuisson", "Le four est chaud.", "la cuisson"),
            ("fr", "Nourrir le levain", "Le four est chaud.", "«\u{a0}Nourrir le levain\u{a0}»"),
            ("de", "Die Reifen", "Der Druck ist hoch.", "„Die Reifen“"),
            ("ar", "صنع العسل", "تجمع العاملات الرحيق.", "صنع العسل"),
        ] {
            let language = find(code).unwrap();
            let material = Material::of_text(text, true, language);
            assert_eq!(named(heading, &material, language), wanted);
        }
    }
}
