//! How the parts of a question are joined: a lead and what follows it, a heading within a sentence.

use super::draw::Draw;
use super::groups::{Group, lowered};
use super::languages::{Language, MISTYPED, capitalised};
use super::scene::Scene;
use super::token::{Class, folded, meaningful, stem, swaps, tokens};
use crate::domain::Register;
use std::collections::BTreeSet;
use unicode_segmentation::UnicodeSegmentation;

/// Most words of a heading that is named within a sentence.
const WORDS: usize = 5;
/// How good a subject a heading is, next to the scores of noun groups.
const TITLE: f64 = 6.0;

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

/// A message after its lead: with a request added to half of them, or in the register and the length that are asked for.
pub(super) fn spoken(scene: &Scene<'_>, lead: &str, text: &str, draw: &mut Draw) -> String {
    let (language, speech) = (scene.language, &scene.language.sheet.speech);
    if scene.task.register.is_none() && scene.task.words.is_none() {
        let message = led(lead, text, language);
        return match draw.pick(&speech.tails).filter(|_| draw.one_in(2)) {
            Some(tail) => format!("{message} {tail}"),
            None => message,
        };
    }
    let (register, wanted) = (scene.task.register, scene.task.words.map(usize::from));
    let count = |text: &str| text.unicode_words().count();
    let greeting = match (register, scene.task.turn_index) {
        (Some(Register::Chatty), 0..=1) => draw.pick(&speech.chatty),
        (Some(Register::Chatty), _) => scene.new_one(&speech.chatty_later, draw),
        (Some(Register::Formal), 0..=1) => draw.pick(&speech.formal),
        (Some(Register::Formal), _) => scene.new_one(&speech.formal_later, draw),
        _ => None,
    };
    let is_short = register == Some(Register::Terse) || wanted.is_some_and(|words| words <= count(text));
    let mut message = led(if is_short || greeting.is_some() { "" } else { lead }, text, language);
    if let Some(greeting) = greeting {
        message = format!("{greeting} {message}");
    }
    let mut tails: Vec<&String> = speech.tails.iter().collect();
    let wanted = wanted.unwrap_or_default();
    while register != Some(Register::Terse) && !tails.is_empty() {
        let tail = tails.remove(draw.below(tails.len()));
        // As near to the length as whole sentences come.
        if count(&message) + count(tail) / 2 > wanted {
            break;
        }
        message = format!("{message} {tail}");
    }
    if register == Some(Register::Typos) { mistyped(&message, language, draw) } else { message }
}

/// A message in small letters, two neighbouring letters of a long word in the wrong order. That is no word that tells what the
/// message is about, as long as there is another one: nobody could find what is asked for.
fn mistyped(message: &str, language: &Language, draw: &mut Draw) -> String {
    let message = message.to_lowercase();
    let subject: BTreeSet<String> = language.subject(&message).into_iter().map(|(_, term)| term).collect();
    let words = message.unicode_word_indices().filter(|(_, word)| word.chars().all(char::is_alphabetic));
    let words = words.filter(|(_, word)| word.chars().count() >= MISTYPED && !swaps(word).is_empty());
    let (telling, other): (Vec<_>, Vec<_>) = words.partition(|(_, word)| subject.contains(&stem(&folded(word))));
    let able = if other.is_empty() && subject.len() > 1 { telling } else { other };
    let Some(&(at, word)) = draw.pick(&able) else { return message };
    let mistyped = draw.pick(&swaps(word)).cloned().unwrap_or_default();
    format!("{}{mistyped}{}", &message[..at], &message[at + word.len()..])
}

/// A heading as a subject of its own; none where its grammar is not that of a noun group.
pub(super) fn title(heading: &str, text: &str, own: &Language) -> Option<Group> {
    let words = tokens(heading, own);
    let first = words.first()?;
    let common = text.contains(&first.folded) || first.folded.ends_with("ing");
    let names = words.iter().skip(1).any(|word| word.text.starts_with(char::is_uppercase));
    let contracted = matches!(first.folded.as_str(), "du" | "au" | "aux" | "des" | "al" | "del");
    let flows = match own.sheet.code.as_str() {
        "en" => !names && (first.class == Class::Article || (first.class == Class::Content && common)),
        "fr" | "es" => first.class == Class::Article && !contracted,
        _ => matches!(first.class, Class::Article | Class::Content),
    };
    let simple =
        words.len() <= WORDS && heading.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '\'' | '’'));
    let terms: Vec<String> = meaningful(heading, own).map(|(_, term)| term).collect();
    let telling = words
        .iter()
        .any(|word| word.class == Class::Content && !own.is_vague(&word.folded) && !own.frames(&stem(&word.folded)));
    let words = if own.sheet.speech.quotes_nouns { heading.to_owned() } else { lowered(heading) };
    (flows && simple && telling).then_some(Group { article: "", words, terms, score: TITLE, central: true })
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
    fn headings_are_subjects_where_their_grammar_is_plain() {
        for (code, heading, text, wanted) in [
            ("en", "Feeding the starter", "Regular meals keep it alive.", Some("feeding the starter")),
            ("en", "Feeding The Starter", "Regular meals keep it alive.", None),
            ("en", "Where the water is", "The sea is where it is.", None),
            ("en", "Mars", "The planet Mars is red.", None),
            ("en", "The planets", "Eight are known.", Some("the planets")),
            ("fr", "La cuisson", "Le four est chaud.", Some("la cuisson")),
            ("fr", "Nourrir le levain", "Le four est chaud.", None),
            ("de", "Die Reifen", "Der Druck ist hoch.", Some("Die Reifen")),
            ("ar", "صنع العسل", "تجمع العاملات الرحيق.", Some("صنع العسل")),
        ] {
            let found = title(heading, text, find(code).unwrap());
            assert_eq!(found.map(|group| group.words).as_deref(), wanted);
        }
    }
}
