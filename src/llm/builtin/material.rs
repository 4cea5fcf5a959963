//! What a question can be made of: a passage, its sentences, and the noun groups in them.

use super::groups::{Group, of_sentences};
use super::languages::{Language, detect};
use super::text::{Sentence, sentences, shortened};
use super::wording::title;
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
    /// The heading of each, where it can be named within a sentence.
    pub(super) titles: Vec<Option<Group>>,
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
        let titles = sentences.iter().map(|sentence| title(sentence.heading.as_deref()?, text, own)).collect();
        Self { snippet: None, text, own, sentences, groups, titles }
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::languages::find;
    use super::*;

    #[test]
    fn a_text_without_sentences_still_has_words() {
        let english = find("en").unwrap();
        let first = |text: &str| Material::of_text(text, true, english).first_words();
        assert_eq!(first("— tea, leaves").as_deref(), Some("tea"));
        assert_eq!(first("水循环是地球上水的运动。").as_deref(), Some("水循环是地球上水的运动"));
        assert_eq!(first("12 .. ?"), None);
    }
}
