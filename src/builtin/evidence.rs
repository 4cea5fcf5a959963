//! The assistant's evidence: the passages that were retrieved, and the few sentences of them that speak to the question.

use super::languages::Language;
use super::text::{Sentence, is_said, sentences};
use super::token::terms;
use crate::domain;
use std::collections::{BTreeMap, BTreeSet};

/// A retrieved passage.
pub(super) struct Passage<'a> {
    /// The passage itself.
    pub(super) shown: &'a domain::Passage,
    /// Its complete sentences.
    pub(super) sentences: Vec<Sentence>,
    terms: Vec<BTreeSet<String>>,
    titles: Vec<BTreeSet<String>>,
}

impl<'a> Passage<'a> {
    /// Those of the passages that are in this language.
    pub(super) fn all(passages: &'a [domain::Passage], language: &Language) -> Vec<Self> {
        passages.iter().filter(|shown| language.fits(&shown.text)).map(|shown| Self::read(shown, language)).collect()
    }

    fn read(shown: &'a domain::Passage, language: &Language) -> Self {
        let sentences = sentences(&shown.text, shown.source_descriptor.ends_with("#chunk0"), language);
        let read = |text: &str| terms(text, language);
        let titles =
            sentences.iter().map(|sentence| sentence.heading.as_deref().map(read).unwrap_or_default()).collect();
        let terms = sentences.iter().map(|sentence| read(&sentence.text)).collect();
        Self { shown, sentences, terms, titles }
    }

    /// The terms of each sentence.
    pub(super) fn terms(&self) -> impl Iterator<Item = &BTreeSet<String>> {
        self.terms.iter()
    }

    /// How much a sentence speaks to a term: wholly when it has it, in part when its heading does.
    fn share(&self, sentence: usize, term: &String) -> f64 {
        match (self.terms[sentence].contains(term), self.titles[sentence].contains(term)) {
            (true, _) => 1.0,
            (false, true) => HEADING,
            (false, false) => 0.0,
        }
    }
}

/// Sentences chosen from one passage.
pub(super) struct Choice {
    /// Position of the passage among those found.
    pub(super) passage: usize,
    /// Positions of its sentences, in reading order.
    pub(super) sentences: Vec<usize>,
}

/// What the question wants to hear about.
pub(super) struct Wanted<'a> {
    /// The language of the conversation.
    pub(super) language: &'a Language,
    /// Stems of the question's terms.
    pub(super) question: &'a [String],
    /// Stems of the facts the question builds on.
    pub(super) facts: &'a BTreeSet<String>,
    /// What was said before: not to be said again.
    pub(super) history: &'a str,
}

/// Most sentences taken from the first passage.
const FIRST: usize = 3;
/// A further sentence of the same passage is taken when its score is at least this share of the best.
const SAME_PASSAGE: f64 = 0.45;
/// A sentence of a second passage is taken when its score is at least this share of the best.
const SECOND_PASSAGE: f64 = 0.55;
/// What a term in the heading of a sentence counts, next to one in the sentence.
const HEADING: f64 = 0.5;
/// What was said before is passed over for a sentence whose score is at least this share of its own.
const UNSAID: f64 = 0.25;
/// Two sentences that share more of their terms than this say the same.
const SAME: f64 = 0.5;

/// The best sentences of at most two passages, the second of the same document or with more of the question; empty when no sentence shares a term with the question or its facts.
///
/// A sentence's score is the share of the question's terms it has, each weighted by `ln(1 + N / df)` over all `N`
/// sentences found; a term that only its heading has counts by half; plus 0.6 times the share of the facts' terms it has. Passages further down the list and sentences that
/// lean on the one before count for less. What was said before is said again only when nothing else comes near.
pub(super) fn choose(passages: &[Passage<'_>], wanted: &Wanted<'_>) -> Vec<Choice> {
    let scores = scores(passages, wanted);
    let said = |(passage, at): (usize, usize)| is_said(&passages[passage].sentences[at].text, wanted.history);
    let Some(mut anchor) = top(&scores, |_| true) else { return Vec::new() };
    if let Some(unsaid) = top(&scores, |at| !said(at)).filter(|(_, score)| *score >= UNSAID * anchor.1) {
        anchor = unsaid;
    }
    let (best, most) = anchor;
    let first = first_choice(passages, &scores, best, wanted);
    let taken: Vec<&BTreeSet<String>> = first.sentences.iter().map(|at| &passages[first.passage].terms[*at]).collect();
    let is_taken = |term: &&String| taken.iter().any(|terms| terms.contains(*term));
    // What another document tells with the same words may be about something else.
    let belongs = |(passage, sentence): (usize, usize)| {
        let [one, other] = [first.passage, passage].map(|at| &passages[at].shown.source_path);
        let is_new = |term: &&String| passages[passage].terms[sentence].contains(*term) && !is_taken(term);
        one == other || wanted.question.iter().any(|term| is_new(&term))
    };
    let fresh = |(passage, sentence): (usize, usize)| {
        passage != first.passage
            && belongs((passage, sentence))
            && !said((passage, sentence))
            && !wanted.language.points_back(&passages[passage].sentences[sentence].text)
            && taken.iter().all(|known| likeness(known, &passages[passage].terms[sentence]) < SAME)
    };
    let second = top(&scores, fresh).filter(|(_, score)| *score >= SECOND_PASSAGE * most);
    let second = second.map(|((passage, sentence), _)| Choice { passage, sentences: vec![sentence] });
    std::iter::once(first).chain(second).collect()
}

fn scores(passages: &[Passage<'_>], wanted: &Wanted<'_>) -> BTreeMap<(usize, usize), f64> {
    let all = || passages.iter().flat_map(|passage| &passage.terms);
    let count = all().count() as f64;
    let weight = |term: &String| {
        let holders = all().filter(|terms| terms.contains(term)).count() as f64;
        (1.0 + count / holders.max(1.0)).ln()
    };
    let weights: Vec<(&String, f64)> = wanted.question.iter().map(|term| (term, weight(term))).collect();
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let mut scores = BTreeMap::new();
    for (at, passage) in passages.iter().enumerate() {
        for (number, terms) in passage.terms.iter().enumerate() {
            let asked: f64 = weights.iter().map(|(term, weight)| weight * passage.share(number, term)).sum();
            let given = terms.intersection(wanted.facts).count() as f64 / wanted.facts.len().max(1) as f64;
            let text = &passage.sentences[number].text;
            let leaning = if wanted.language.points_back(text) { 0.6 } else { 1.0 };
            let score = (asked / total.max(f64::MIN_POSITIVE) + 0.6 * given) * leaning * 0.93_f64.powi(at as i32);
            scores.insert((at, number), score);
        }
    }
    scores
}

/// The sentence with the highest score above zero; of equals the first.
fn top(
    scores: &BTreeMap<(usize, usize), f64>,
    allowed: impl Fn((usize, usize)) -> bool,
) -> Option<((usize, usize), f64)> {
    let allowed = scores.iter().filter(|(at, score)| **score > 0.0 && allowed(**at));
    allowed.map(|(at, score)| (*at, *score)).reduce(|best, next| if next.1 > best.1 { next } else { best })
}

/// The best sentence, others of its passage that come close, and what they lean on; a lone sentence is given company.
fn first_choice(
    passages: &[Passage<'_>],
    scores: &BTreeMap<(usize, usize), f64>,
    best: (usize, usize),
    wanted: &Wanted<'_>,
) -> Choice {
    let passage = &passages[best.0];
    let most = scores.get(&best).copied().unwrap_or(0.0);
    let said = |at: usize| is_said(&passage.sentences[at].text, wanted.history);
    let leans = |at: usize| wanted.language.points_back(&passage.sentences[at].text);
    let close = |at: usize| scores.get(&(best.0, at)).copied().unwrap_or(0.0) >= SAME_PASSAGE * most;
    let mut chosen = BTreeSet::from([best.1]);
    let mut near: Vec<usize> = (0..passage.sentences.len()).filter(|at| close(*at) && !said(*at)).collect();
    near.sort_by_key(|at| at.abs_diff(best.1));
    for at in near {
        if chosen.len() < FIRST && !leans(at) {
            chosen.insert(at);
        }
    }
    let same_block = |one: usize, other: usize| passage.sentences[one].block == passage.sentences[other].block;
    let before = best.1.checked_sub(1).filter(|before| same_block(*before, best.1));
    if leans(best.1) {
        chosen.extend(before);
    }
    let next = Some(best.1 + 1).filter(|next| *next < passage.sentences.len() && same_block(best.1, *next));
    if chosen.len() == 1 {
        chosen.extend([next, before].into_iter().flatten().find(|at| !said(*at)));
    }
    Choice { passage: best.0, sentences: chosen.into_iter().collect() }
}

/// Shared terms of two sentences, as a share of the shorter one's.
fn likeness(one: &BTreeSet<String>, other: &BTreeSet<String>) -> f64 {
    one.intersection(other).count() as f64 / one.len().min(other.len()).max(1) as f64
}
