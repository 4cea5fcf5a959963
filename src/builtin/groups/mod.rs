//! Noun groups: the words of a sentence that a question can be about, found without a grammar by what stands around them.

pub mod arabic;
pub mod english;
pub mod german;
pub mod romance;

use super::languages::Language;
use super::text::Sentence;
use super::token::{Class, Token, is_mark, stem, terms, tokens};
use std::collections::{BTreeMap, BTreeSet};

/// Where a noun group stands in its sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What stands before the words when they are named, its space included: an article, or nothing.
    pub article: &'static str,
    /// Index of its first word in the sentence, articles left out.
    pub first: usize,
    /// The noun it is a kind of: what is said of it is said of the group.
    pub head: usize,
    /// Index of its last word, itself part of the span.
    pub last: usize,
}

/// How a language's noun groups are found among a sentence's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reader {
    /// By what stands around them, as [`arabic`] says.
    Arabic,
    /// By what stands around them, as [`english`] says.
    English,
    /// By their capital letters, as [`german`] says.
    German,
    /// By their articles, as [`romance`] says.
    Romance,
}

impl Reader {
    fn groups(self, tokens: &[Token<'_>], language: &Language) -> Vec<Span> {
        match self {
            Self::Arabic => arabic::groups(tokens, language),
            Self::English => english::groups(tokens, language),
            Self::German => german::groups(tokens, language),
            Self::Romance => romance::groups(tokens, language),
        }
    }
}

/// A noun group that a question can be about, out of one sentence.
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
    /// Whether the passage is about it: a heading or another sentence names its noun, or the noun that completes it, too.
    pub central: bool,
}

impl Group {
    /// The group as it stands in a sentence: with its article, or quoted where its form depends on its case.
    pub fn shown(&self, language: &Language) -> String {
        if language.sheet.speech.quotes_nouns {
            language.quoted(&self.words)
        } else {
            format!("{}{}", self.article, self.words)
        }
    }

    /// Whether both are about the same thing, or one is part of the other.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.terms.iter().any(|term| other.terms.contains(term))
    }
}

/// The noun groups of each sentence, best first. Scores reward two or three telling words, words that come back in the
/// passage, words of the heading, and the group that opens the sentence. `titles` holds the terms of all headings of the
/// passage.
pub fn of_sentences(sentences: &[Sentence], titles: &BTreeSet<String>, language: &Language) -> Vec<Vec<Group>> {
    let read: Vec<Vec<Token<'_>>> = sentences.iter().map(|sentence| tokens(&sentence.text, language)).collect();
    let mut passage = Shared { titles, sentences: BTreeMap::new() };
    for tokens in &read {
        let telling = tokens.iter().filter(|token| token.class == Class::Content);
        for term in telling.map(|token| stem(&token.folded)).collect::<BTreeSet<_>>() {
            *passage.sentences.entry(term).or_default() += 1;
        }
    }
    let groups = |(sentence, tokens): (&Sentence, &Vec<Token<'_>>)| {
        let heading: Vec<String> = sentence.heading.iter().flat_map(|heading| terms(heading, language)).collect();
        let mut groups: Vec<Group> = language
            .sheet
            .grammar
            .reader
            .groups(tokens, language)
            .into_iter()
            .filter(|span| acceptable(tokens, span, language))
            .map(|span| group(&sentence.text, tokens, &span, &passage, &heading))
            .collect();
        groups.sort_by(|one, other| other.score.total_cmp(&one.score));
        groups
    };
    sentences.iter().zip(&read).map(groups).collect()
}

/// The terms that more than one place of a passage has.
struct Shared<'a> {
    /// Those of its headings.
    titles: &'a BTreeSet<String>,
    /// How many of its sentences have each.
    sentences: BTreeMap<String, usize>,
}

/// Whether a group can be a subject: plain words, its noun and both ends telling, and not all from the model's own
/// phrases.
fn acceptable(tokens: &[Token<'_>], span: &Span, language: &Language) -> bool {
    let words = &tokens[span.first..=span.last];
    let plain = |word: &Token<'_>| word.text.chars().all(|c| c.is_alphabetic() || c == '-' || is_mark(c));
    let mut telling = words.iter().filter(|word| word.class == Class::Content);
    let (Some(first), last) = (telling.clone().next(), telling.clone().next_back()) else { return false };
    words.iter().all(|word| plain(word) || word.text.ends_with(['\'', '’']))
        && ![Some(first), Some(&tokens[span.head]), last].iter().flatten().any(|word| language.is_vague(&word.folded))
        && telling.clone().any(|word| word.text.chars().count() >= 3)
        && !telling.all(|word| language.frames(&stem(&word.folded)))
}

fn group(sentence: &str, tokens: &[Token<'_>], span: &Span, passage: &Shared<'_>, heading: &[String]) -> Group {
    let inside = &tokens[span.first..=span.last];
    let telling: Vec<&Token<'_>> = inside.iter().filter(|word| word.class == Class::Content).collect();
    let stems: Vec<String> = telling.iter().map(|word| stem(&word.folded)).collect();
    let length = [0.0, 0.7, 2.0, 2.2, 1.5][telling.len().min(4)];
    let count = |term: &String| passage.sentences.get(term).copied().unwrap_or(0);
    let returning = stems.iter().map(|term| (count(term).max(1) as f64).ln()).fold(0.0, f64::max);
    let ends = [span.head, span.last].map(|at| stem(&tokens[at].folded));
    let named = if stems.iter().any(|term| heading.contains(term)) { 0.7 } else { 0.0 };
    let letters = telling.iter().map(|word| word.text.chars().count()).max().unwrap_or(0);
    let words = &sentence[tokens[span.first].start..tokens[span.last].end()];
    let opening = tokens[..span.first].iter().all(|word| word.class == Class::Article);
    let opens = if opening { 0.8 } else { 0.0 };
    Group {
        article: span.article,
        words: if span.first == 0 { lowered(words) } else { words.to_owned() },
        central: ends.iter().any(|term| count(term) > 1 || passage.titles.contains(term)),
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
    language.sheet.grammar.articles.get(written).map(String::as_str)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(super) fn names(text: &str, code: &str) -> Vec<String> {
    let language = super::languages::find(code).unwrap();
    let sentence = Sentence { text: text.to_owned(), heading: None, block: 0 };
    let mut groups = of_sentences(&[sentence], &BTreeSet::new(), language).remove(0);
    groups.sort_by_key(|group| text.find(&group.words));
    groups.iter().map(|group| format!("{}{}", group.article, group.words)).collect()
}
