//! Noun groups: the words of a sentence that a question can be about, found without a grammar by what stands around them.

pub mod arabic;
pub mod english;
pub mod german;
pub mod romance;

use super::languages::Language;
use super::text::Sentence;
use super::token::{Class, Token, is_mark, stem, terms, tokens};
use std::collections::BTreeMap;

/// Where a noun group stands in its sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What stands before the words when they are named, its space included: an article, or nothing.
    pub article: &'static str,
    /// First word.
    pub first: usize,
    /// Last word.
    pub last: usize,
}

/// Finds noun groups among a sentence's words.
pub type Reader = fn(&[Token<'_>], &Language) -> Vec<Span>;

/// A noun group.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Article to name it with, its space included.
    pub article: &'static str,
    /// The words, as written.
    pub words: String,
    /// Stems of those that carry meaning.
    pub terms: Vec<String>,
    /// How good a subject it is.
    pub score: f64,
    /// Whether the passage says more about it: its heading or another sentence names it too, or its sentence opens with
    /// it.
    pub central: bool,
}

impl Group {
    /// The group as it stands in a text of `target`: with its article in its own language, quoted in any other.
    pub fn shown(&self, own: &Language, target: &Language) -> String {
        if own == target && !target.sheet.speech.quotes_nouns {
            format!("{}{}", self.article, self.words)
        } else {
            target.quoted(&self.words)
        }
    }

    /// Whether both are about the same thing, or one is part of the other.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.terms.iter().any(|term| other.terms.contains(term))
    }
}

/// The noun groups of each sentence, best first. Scores reward two or three telling words, words that come back in the
/// passage, words of the heading, and the group that opens the sentence.
pub fn of_sentences(sentences: &[Sentence], language: &Language) -> Vec<Vec<Group>> {
    let read: Vec<Vec<Token<'_>>> = sentences.iter().map(|sentence| tokens(&sentence.text, language)).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for token in read.iter().flatten().filter(|token| token.class == Class::Content) {
        *counts.entry(stem(&token.folded)).or_default() += 1;
    }
    let groups = |(sentence, tokens): (&Sentence, &Vec<Token<'_>>)| {
        let heading: Vec<String> = sentence.heading.iter().flat_map(|heading| terms(heading, language)).collect();
        let mut groups: Vec<Group> = (language.sheet.grammar.reader)(tokens, language)
            .into_iter()
            .filter(|span| acceptable(&tokens[span.first..=span.last], language))
            .map(|span| group(&sentence.text, tokens, &span, &counts, &heading))
            .collect();
        groups.sort_by(|one, other| other.score.total_cmp(&one.score));
        groups
    };
    sentences.iter().zip(&read).map(groups).collect()
}

/// Whether a group can be a subject: plain words, telling at both ends, and not all from the model's own phrases.
fn acceptable(words: &[Token<'_>], language: &Language) -> bool {
    let plain = |word: &Token<'_>| word.text.chars().all(|c| c.is_alphabetic() || c == '-' || is_mark(c));
    let mut telling = words.iter().filter(|word| word.class == Class::Content);
    let (Some(first), last) = (telling.clone().next(), telling.clone().next_back()) else { return false };
    words.iter().all(|word| plain(word) || word.text.ends_with(['\'', '’']))
        && ![Some(first), last].iter().flatten().any(|word| language.is_vague(&word.folded))
        && telling.clone().any(|word| word.text.chars().count() >= 3)
        && !telling.all(|word| language.frames(&stem(&word.folded)))
}

fn group(
    sentence: &str,
    tokens: &[Token<'_>],
    span: &Span,
    counts: &BTreeMap<String, usize>,
    heading: &[String],
) -> Group {
    let inside = &tokens[span.first..=span.last];
    let telling: Vec<&Token<'_>> = inside.iter().filter(|word| word.class == Class::Content).collect();
    let stems: Vec<String> = telling.iter().map(|word| stem(&word.folded)).collect();
    let length = [0.0, 0.7, 2.0, 2.2, 1.5][telling.len().min(4)];
    let returning =
        stems.iter().filter_map(|term| counts.get(term)).map(|count| (*count as f64).ln()).fold(0.0, f64::max);
    let named = if stems.iter().any(|term| heading.contains(term)) { 0.7 } else { 0.0 };
    let letters = telling.iter().map(|word| word.text.chars().count()).max().unwrap_or(0);
    let words = &sentence[tokens[span.first].start..tokens[span.last].end()];
    let opening = tokens[..span.first].iter().all(|word| word.class == Class::Article);
    let opens = if opening { 0.8 } else { 0.0 };
    Group {
        article: span.article,
        words: if span.first == 0 { lowered(words) } else { words.to_owned() },
        central: returning > 0.0 || named > 0.0 || (opening && telling.len() > 1),
        terms: stems,
        score: length + returning + named + opens + 0.05 * letters.min(12) as f64,
    }
}

/// The text with its first letter in lower case.
pub fn lowered(words: &str) -> String {
    words.chars().take(1).flat_map(char::to_lowercase).chain(words.chars().skip(1)).collect()
}

/// How an article of the text is shown in a question.
fn article(token: &Token<'_>, language: &Language) -> Option<&'static str> {
    let written = token.folded.as_str();
    language.sheet.grammar.articles.iter().find(|(from, _)| *from == written).map(|(_, shown)| *shown)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(super) fn names(text: &str, code: &str) -> Vec<String> {
    let language = super::languages::find(code).unwrap();
    let sentence = Sentence { text: text.to_owned(), heading: None, block: 0 };
    let mut groups = of_sentences(&[sentence], language).remove(0);
    groups.sort_by_key(|group| text.find(&group.words));
    groups.iter().map(|group| format!("{}{}", group.article, group.words)).collect()
}
