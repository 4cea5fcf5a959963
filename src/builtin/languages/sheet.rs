//! The form of a language's sheet: what there is to know about its words, and what the model says in it.

use super::super::groups::Reader;
use crate::domain::reply::{Difficulty, Intent};
use std::ops::RangeInclusive;

/// All that is written about one language.
pub struct Sheet {
    /// ISO 639-1 code.
    pub code: &'static str,
    /// English and own names, in lower case.
    pub names: &'static [&'static str],
    /// Its words.
    pub grammar: Grammar,
    /// What the model says.
    pub speech: Speech,
}

/// Word lists, in lower case and separated by white space, and how noun groups are read.
pub struct Grammar {
    /// Articles and what stands for them before a noun group in a question (`du` is shown as `le `).
    pub articles: &'static [(&'static str, &'static str)],
    /// Words that open a noun group.
    pub prepositions: &'static str,
    /// Auxiliaries, relative pronouns and common verb forms: they end a noun group.
    pub verbs: &'static str,
    /// Other function words.
    pub stop_words: &'static str,
    /// Nouns that mean too little alone.
    pub vague: &'static str,
    /// First words of sentences that lean on the sentence before.
    pub pointers: &'static str,
    /// Abbreviations without their last full stop.
    pub abbreviations: &'static str,
    /// Words that an apostrophe ties to the next, without it.
    pub elisions: &'static str,
    /// Words that tie two nouns to one group.
    pub connectors: &'static str,
    /// Adjectives that stand before their noun, where most follow it.
    pub prenominal: &'static str,
    /// Endings of adjectives that follow their noun.
    pub adjective_endings: &'static str,
    /// Whether a capital letter at the start of a fragment means that a sentence starts there.
    pub capitals_tell: bool,
    /// Letters only this language has among those spoken.
    pub script: Option<RangeInclusive<char>>,
    /// Finds the noun groups of a sentence.
    pub reader: Reader,
}

/// What the model says. Marks: `{a}` the noun group in question, `{b}` another of the same sentence, `{t}` a heading, `{p}` a noun group of the last answer or a persona, `{s}` sources, `{x}` a list of terms.
/// Questions start in lower case; they are written so that number, gender and case of what is filled in don't matter.
pub struct Speech {
    /// Opening and closing quotation mark.
    pub quotes: (&'static str, &'static str),
    /// Between the members of a list, and before its last.
    pub joints: (&'static str, &'static str),
    /// Whether noun groups are always quoted (their form depends on case).
    pub quotes_nouns: bool,
    /// Whether a sentence after a colon starts with a capital.
    pub capital_after_colon: bool,
    /// Questions.
    pub questions: &'static [(Intent, Difficulty, &'static str)],
    /// First words of questions that ask how to do something, in lower case.
    pub how: &'static [&'static str],
    /// Name the section a question is about (`{t}`).
    pub on_topic: &'static [&'static str],
    /// Refer back to the last answer (`{p}`).
    pub followup: &'static [&'static str],
    /// Move to a neighbouring subject.
    pub adjacent: &'static [&'static str],
    /// Leave the subject.
    pub off_topic: &'static [&'static str],
    /// Says who asks (`{p}`); none where the grammar would need more than a name.
    pub persona: Option<&'static str>,
    /// Added to some questions.
    pub tails: &'static [&'static str],
    /// Questions without material.
    pub openers: &'static [&'static str],
    /// Hint for the assistant (`{a}`).
    pub note: &'static str,
    /// First words of an answer.
    pub openings: &'static [&'static str],
    /// First words of an answer that covers the question in part.
    pub partial: &'static [&'static str],
    /// Before a sentence of a second passage.
    pub bridges: &'static [&'static str],
    /// Names a section (`{t}`).
    pub section: &'static str,
    /// Names a passage by what it is about (`{a}`).
    pub passage: &'static str,
    /// Names a passage of which nothing is known.
    pub untitled: &'static str,
    /// Last words of an answer (`{s}`).
    pub closings: &'static [&'static str],
    /// Answers without evidence (`{x}`).
    pub insufficient: &'static [&'static str],
    /// The reasoning behind an answer.
    pub trace: Trace,
    /// The judge's remark: grounding `{g}`, relevance `{r}` and focus `{c}` in percent, `{w}` words.
    pub verdict: &'static str,
    /// The judge's remark on a missing answer.
    pub missing: &'static str,
}

/// Sentences of the reasoning trace.
pub struct Trace {
    /// What the question turns on (`{x}`).
    pub subject: &'static str,
    /// Passages read and used (`{n}`, `{k}`).
    pub found: &'static str,
    /// Terms covered (`{k}` of `{n}`).
    pub covered: &'static str,
    /// What a piece of evidence speaks to (`{e}`, `{x}`).
    pub premise: &'static str,
    /// What a piece of evidence without the question's terms adds (`{e}`).
    pub context: &'static str,
    /// Terms without evidence (`{x}`).
    pub uncovered: &'static str,
    /// No evidence at all.
    pub nothing: &'static str,
}

impl Speech {
    /// All that may be said in messages, marks included.
    pub fn said(&self) -> impl Iterator<Item = &'static str> {
        let questions = self.questions.iter().map(|(.., text)| *text);
        let lists = [
            self.openings,
            self.on_topic,
            self.followup,
            self.adjacent,
            self.off_topic,
            self.tails,
            self.openers,
            self.partial,
            self.bridges,
            self.closings,
            self.insufficient,
        ];
        let single = [self.section, self.passage, self.untitled];
        questions.chain(lists.into_iter().flatten().copied()).chain(single).chain(self.persona)
    }
}
