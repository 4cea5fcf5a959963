//! What a question can be made of: a passage, its sentences, and the noun groups in them.

use super::groups::{Group, of_sentences};
use super::languages::Language;
use super::text::{Sentence, headings, sentences, shortened};
use super::token::terms;
use super::wording::title;
use crate::domain::Passage;

/// A passage, read.
pub(super) struct Material<'a> {
    /// The passage itself; none when it is the last answer.
    pub(super) snippet: Option<&'a Passage>,
    /// Its text.
    pub(super) text: &'a str,
    /// Its complete sentences.
    pub(super) sentences: Vec<Sentence>,
    /// The noun groups of each.
    pub(super) groups: Vec<Vec<Group>>,
    /// The heading of each, where it can be named within a sentence.
    pub(super) titles: Vec<Option<Group>>,
    headings: Vec<String>,
}

impl<'a> Material<'a> {
    /// Reads a snippet in this language.
    pub(super) fn of_snippet(snippet: &'a Passage, language: &Language) -> Self {
        let opening = snippet.source_descriptor.ends_with("#chunk0");
        Self { snippet: Some(snippet), ..Self::of_text(&snippet.text, opening, language) }
    }

    /// Reads a text; `opening` says that it starts its document.
    pub(super) fn of_text(text: &'a str, opening: bool, language: &Language) -> Self {
        let sentences = sentences(text, opening, language);
        let headings = headings(text, opening);
        let named = headings.iter().flat_map(|heading| terms(heading, language)).collect();
        let groups = of_sentences(&sentences, &named, language);
        let titles = sentences.iter().map(|sentence| title(sentence.heading.as_deref()?, text, language)).collect();
        Self { snippet: None, text, sentences, groups, titles, headings }
    }

    /// Whether it has a noun group or a heading that can be asked about.
    pub(super) fn has_subjects(&self) -> bool {
        self.groups.iter().flatten().any(|group| group.central) || self.titles.iter().flatten().next().is_some()
    }

    /// What a text without subjects is called: its last heading, the most particular one, or the one it stands under, else its
    /// first words; none of a text without words.
    pub(super) fn name(&self) -> Option<String> {
        let above = || self.snippet.and_then(|snippet| snippet.title.rsplit('›').next()).map(str::trim);
        let above = || above().filter(|heading| !heading.is_empty()).map(str::to_owned);
        self.headings.last().cloned().or_else(above).or_else(|| self.first_words())
    }

    /// Its first sentence below the heading that names it.
    pub(super) fn first_sentence(&self) -> Option<usize> {
        let heading = self.headings.last().map(String::as_str);
        let below = self.sentences.iter().position(|sentence| sentence.heading.as_deref() == heading);
        below.or((!self.sentences.is_empty()).then_some(0))
    }

    fn first_words(&self) -> Option<String> {
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
    fn a_text_without_a_heading_is_called_by_the_one_above() {
        let english = find("en").unwrap();
        let named = |title: &str| {
            let snippet = Passage {
                label: "P1".to_owned(),
                topic_id: String::new(),
                source_path: String::new(),
                source_descriptor: String::new(),
                title: title.into(),
                text: "Four large moons show.".into(),
            };
            Material::of_snippet(&snippet, english).name()
        };
        assert_eq!(named("The night sky › The planets").as_deref(), Some("The planets"));
        assert_eq!(named("").as_deref(), Some("Four large moons show"));
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
