//! What a question can be made of: a passage, its sentences, and the noun groups and figures in them.

use super::groups::{Group, of_sentences};
use super::languages::{Language, detect};
use super::text::{Sentence, sentences, shortened};
use super::token::{Class, Token, tokens};
use crate::words::Snippet;

/// A passage, read.
pub(super) struct Material<'a> {
    /// The passage itself; none when it is the last answer.
    pub(super) snippet: Option<&'a Snippet>,
    /// Its text.
    pub(super) text: &'a str,
    /// The language it is in.
    pub(super) own: &'a Language,
    /// Its complete sentences.
    pub(super) sentences: Vec<Sentence>,
    /// The noun groups of each.
    pub(super) groups: Vec<Vec<Group>>,
}

impl<'a> Material<'a> {
    /// Reads a snippet. A text whose language can't be told is taken to be in `target`.
    pub(super) fn of_snippet(snippet: &'a Snippet, target: &'a Language) -> Self {
        let opening = snippet.source_descriptor.ends_with("#chunk0");
        Self { snippet: Some(snippet), ..Self::of_text(&snippet.text, opening, target) }
    }

    /// Reads a text; `opening` says that it starts its document.
    pub(super) fn of_text(text: &'a str, opening: bool, target: &'a Language) -> Self {
        let own = detect(text).unwrap_or(target);
        let sentences = sentences(text, opening, own);
        let groups = of_sentences(&sentences, own);
        Self { snippet: None, text, own, sentences, groups }
    }

    /// Whether a noun group was found in it.
    pub(super) fn has_subjects(&self) -> bool {
        self.groups.iter().any(|groups| !groups.is_empty())
    }

    /// The first words of a text in which no noun group was found; none of a text without words.
    pub(super) fn first_words(&self) -> Option<String> {
        let clause = self
            .text
            .split(['.', '!', '?', '\n', '。', '،', ',', ':', ';'])
            .map(|clause| shortened(clause.trim_matches(|c: char| !c.is_alphanumeric()), 24));
        clause.into_iter().find(|words| words.chars().any(char::is_alphabetic))
    }
}

/// The first figure of a sentence with its unit (`24 hours`, `220 °C`, `69 percent`); years are none.
pub(super) fn figure(sentence: &str, language: &Language) -> Option<String> {
    let tokens = tokens(sentence, language);
    (0..tokens.len()).filter(|&at| tokens[at].class == Class::Number).find_map(|at| {
        let end = unit_end(sentence, &tokens, at, language)?;
        let first = if at > 0 && is_range(sentence, &tokens[at - 1], &tokens[at]) { at - 1 } else { at };
        Some(sentence[tokens[first].start..end].to_owned())
    })
}

fn is_range(sentence: &str, before: &Token<'_>, number: &Token<'_>) -> bool {
    let between = &sentence[before.end()..number.start];
    before.class == Class::Number && matches!(between.trim(), "" | "–" | "-")
}

fn unit_end(sentence: &str, tokens: &[Token<'_>], at: usize, language: &Language) -> Option<usize> {
    let number = &tokens[at];
    if !number.text.chars().all(|c| c.is_numeric() || matches!(c, '.' | ',' | '-')) {
        return None;
    }
    let rest = &sentence[number.end()..];
    let sign = rest.trim_start();
    let sign_at = sentence.len() - sign.len();
    if sign.starts_with(['%', '٪']) {
        return Some(sign_at + sign.chars().next().map_or(0, char::len_utf8));
    }
    if let Some(scale) = sign.strip_prefix('°') {
        let letter = scale.trim_start();
        let unit = letter.chars().next().filter(char::is_ascii_uppercase).filter(|_| scale.len() - letter.len() <= 2);
        return Some(if unit.is_some() { sentence.len() - letter.len() + 1 } else { sign_at + '°'.len_utf8() });
    }
    let word = tokens.get(at + 1).filter(|word| word.continues() && is_unit(word, language))?;
    let alone = tokens.get(at + 2).is_none_or(|next| !next.continues());
    alone.then(|| word.end())
}

/// Whether the word after a number is what is counted: elsewhere it may be a verb (`la classe 500 réunit`).
fn is_unit(word: &Token<'_>, language: &Language) -> bool {
    let counted = match language.sheet.code {
        "de" => word.text.starts_with(char::is_uppercase),
        "ar" => true,
        _ => word.folded.ends_with('s') || word.folded == "percent",
    };
    counted && word.text.chars().all(char::is_alphabetic)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::languages::find;
    use super::*;

    #[test]
    fn figures_come_with_their_units() {
        for (code, sentence, wanted) in [
            ("en", "The dough rests for 24 hours in the cold.", Some("24 hours")),
            ("en", "It boils at 100 °C at sea level.", Some("100 °C")),
            ("en", "Glaciers hold 69 % of it.", Some("69 %")),
            ("en", "Water at 75–80 °C suits green tea.", Some("75–80 °C")),
            ("en", "The lighthouse was built in 1850.", None),
            ("en", "There were 3 dark rooms.", None),
            ("fr", "La classe 500 réunit les sciences.", None),
            ("de", "Der Ofen hat 240 Grad.", Some("240 Grad")),
            ("ar", "تبلغ الحرارة 35 درجة في الخلية.", Some("35 درجة")),
        ] {
            assert_eq!(figure(sentence, find(code).unwrap()).as_deref(), wanted, "{sentence}");
        }
    }

    #[test]
    fn a_text_without_sentences_still_has_words() {
        let english = find("en").unwrap();
        let first = |text: &str| Material::of_text(text, true, english).first_words();
        assert_eq!(first("— tea, leaves").as_deref(), Some("tea"));
        assert_eq!(first("水循环是地球上水的运动。").as_deref(), Some("水循环是地球上水的运动"));
        assert_eq!(first("12 .. ?"), None);
    }
}
