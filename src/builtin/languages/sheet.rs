//! The form of a language's file in `config/builtin`: what there is to know about its words, and what the model says in it.

use super::super::groups::Reader;
use crate::domain::reply::{Difficulty, Intent};
use serde::Deserialize;
use std::collections::BTreeMap;

/// All that is written about one language.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// Two letters of ISO 639-1, as conversations name the language.
    pub code: String,
    /// English and own names, in lower case.
    pub names: Vec<String>,
    /// Its words, and how noun groups are told by them.
    pub grammar: Grammar,
    /// What the model says.
    pub speech: Speech,
}

/// Word lists, in lower case and separated by white space, and how noun groups are read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grammar {
    /// Articles and what stands for them before a noun group in a question (`du` is shown as `le `).
    pub articles: BTreeMap<String, String>,
    /// Words that open a noun group.
    pub prepositions: String,
    /// Auxiliaries, relative pronouns and common verb forms: they end a noun group.
    pub verbs: String,
    /// Function words that are in none of the other lists.
    pub stop_words: String,
    /// Nouns that mean too little alone.
    pub vague: String,
    /// First words of sentences that lean on the sentence before.
    pub pointers: String,
    /// Abbreviations without their last full stop.
    pub abbreviations: String,
    /// Words that an apostrophe ties to the next, without it.
    pub elisions: String,
    /// Words that tie two nouns to one group.
    pub connectors: String,
    /// Adjectives that stand before their noun, where most follow it.
    pub prenominal: String,
    /// Endings of adjectives that follow their noun.
    pub adjective_endings: String,
    /// Whether a capital letter at the start of a fragment means that a sentence starts there.
    pub capitals_tell: bool,
    /// First and last of the letters that only this language has among those spoken; none where it shares its script.
    #[serde(deserialize_with = "Option::deserialize")]
    pub script: Option<(char, char)>,
    /// Finds the noun groups of a sentence.
    pub reader: Reader,
}

/// What the model says. Marks: `{a}` the noun group in question, `{b}` another of the same sentence, `{t}` a heading, `{p}` a noun group of the last answer or a persona, `{s}` sources, `{x}` a list of terms.
/// Questions start in lower case; they are written so that number, gender and case of what is filled in don't matter.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speech {
    /// Opening and closing quotation mark.
    pub quotes: (String, String),
    /// Between the members of a list, and before its last.
    pub joints: (String, String),
    /// Whether noun groups are always quoted (their form depends on case).
    pub quotes_nouns: bool,
    /// Whether a sentence after a colon starts with a capital.
    pub capital_after_colon: bool,
    /// Questions about `{a}`, four or more for each intent, three of them without `{b}`.
    pub questions: Vec<(Intent, Difficulty, String)>,
    /// First words of questions that ask how to do something, in lower case.
    pub how: Vec<String>,
    /// Name the section a question is about (`{t}`).
    pub on_topic: Vec<String>,
    /// Refer back to the last answer (`{p}`).
    pub followup: Vec<String>,
    /// Move to a neighbouring subject.
    pub adjacent: Vec<String>,
    /// Leave the subject, in front of a question about something else.
    pub off_topic: Vec<String>,
    /// Says who asks (`{p}`); none where the grammar would need more than a name.
    #[serde(deserialize_with = "Option::deserialize")]
    pub persona: Option<String>,
    /// Added to some questions.
    pub tails: Vec<String>,
    /// Questions that can be asked where there is no material.
    pub openers: Vec<String>,
    /// Hint for the assistant (`{a}`).
    pub note: String,
    /// First words of an answer.
    pub openings: Vec<String>,
    /// First words of an answer that covers the question in part.
    pub partial: Vec<String>,
    /// Before a sentence of a second passage.
    pub bridges: Vec<String>,
    /// Names a section (`{t}`).
    pub section: String,
    /// Names a passage by what it is about (`{a}`).
    pub passage: String,
    /// Names a passage of which nothing is known.
    pub untitled: String,
    /// Last words of an answer (`{s}`).
    pub closings: Vec<String>,
    /// Answers without evidence (`{x}`).
    pub insufficient: Vec<String>,
    /// The reasoning behind an answer.
    pub trace: Trace,
    /// The judge's remark: grounding `{g}`, relevance `{r}` and focus `{c}` in percent, `{w}` words.
    pub verdict: String,
    /// The judge's remark on a missing answer.
    pub missing: String,
    /// What is said in the modes that have shares.
    pub modes: Modes,
    /// Sentences before the first message of somebody talkative.
    pub chatty: Vec<String>,
    /// Sentences before the first message of somebody formal.
    pub formal: Vec<String>,
    /// Sentences before the later messages of somebody talkative.
    pub chatty_later: Vec<String>,
    /// Sentences before the later messages of somebody formal.
    pub formal_later: Vec<String>,
}

/// What is said in the modes that have shares: messages are made about `{a}`, and told by the words around it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Modes {
    /// Ask for what hardly any text tells.
    pub unanswerable: Vec<String>,
    /// Leave open which case is meant.
    pub underspecified: Vec<String>,
    /// Tell which case was meant.
    pub clarification: Vec<String>,
    /// Go on from the last answer in few words.
    pub nonstandalone: Vec<String>,
    /// Take back what was asked, for something else.
    pub correction: Vec<String>,
    /// Doubt the last answer.
    pub challenge: Vec<String>,
    /// All of a need that is told piece by piece (`{a}`, and a list of details `{b}`).
    pub need: String,
    /// The first piece of a need.
    pub first_piece: Vec<String>,
    /// A further piece of it.
    pub piece: String,
    /// All that is left of it.
    pub last_piece: String,
    /// Pieces where nothing is left.
    pub no_more: Vec<String>,
    /// Answers that ask back (`{x}`).
    pub ask_back: Vec<String>,
    /// First words of an answer that stands by the last one.
    pub stand: Vec<String>,
    /// The reasoning where no passage tells what is asked.
    pub untold: String,
    /// The reasoning where a question leaves open what is meant.
    pub open: String,
    /// The judge's remark on an answer that does what its message calls for.
    pub right: String,
    /// The judge's remark on one that does not.
    pub wrong: String,
}

impl Modes {
    /// Those of messages, with one thing to fill in.
    pub fn templates(&self) -> impl Iterator<Item = &str> {
        let lists = [
            &self.unanswerable,
            &self.underspecified,
            &self.clarification,
            &self.nonstandalone,
            &self.correction,
            &self.challenge,
            &self.first_piece,
        ];
        lists.into_iter().flatten().chain([&self.last_piece, &self.piece]).map(String::as_str)
    }
}

/// Sentences of the reasoning trace.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// What the question turns on (`{x}`).
    pub subject: String,
    /// Passages read and used (`{n}`, `{k}`).
    pub found: String,
    /// Terms covered (`{k}` of `{n}`).
    pub covered: String,
    /// What a piece of evidence speaks to (`{e}`, `{x}`).
    pub premise: String,
    /// What a piece of evidence without the question's terms adds (`{e}`).
    pub context: String,
    /// Terms without evidence (`{x}`).
    pub uncovered: String,
    /// No evidence at all.
    pub nothing: String,
}

impl Speech {
    /// All sentences before messages that greet and say nothing of what is asked.
    pub fn greetings(&self) -> impl Iterator<Item = &String> {
        [&self.chatty, &self.formal, &self.chatty_later, &self.formal_later].into_iter().flatten()
    }

    /// All that may be said in messages, marks included.
    pub fn said(&self) -> impl Iterator<Item = &str> {
        let questions = self.questions.iter().map(|(.., text)| text);
        let lists = [
            &self.openings,
            &self.on_topic,
            &self.followup,
            &self.adjacent,
            &self.off_topic,
            &self.tails,
            &self.openers,
            &self.partial,
            &self.bridges,
            &self.closings,
            &self.insufficient,
        ];
        let single = [&self.section, &self.passage, &self.untitled];
        questions.chain(lists.into_iter().flatten()).chain(single).chain(&self.persona).map(String::as_str)
    }
}
