//! A question, and those that came with it.

use super::coverage::Used;
use super::fingerprint::Fingerprint;
use super::held_out::Overlap;
use super::json::Json;
use super::reply::UserReply;
use super::sketch::{Neighbour, Sketch};
use super::slot::Attempt;
use super::task::{QuestionMode, Register};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A question as the user model asked it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// How it relates to what was said.
    pub mode: QuestionMode,
    /// Seed topic; empty when there is none.
    pub seed_topic: String,
    /// Seed question; empty when there is none.
    pub seed_question: String,
    /// What the user model replied, read and repaired.
    pub reply: UserReply,
    /// What it uses of the knowledge base.
    pub used: Used,
    /// Which question it is: others with this fingerprint are the same.
    pub fingerprint: Fingerprint,
    /// What near-duplicates of it are found by, where they are looked for; none of a question that tells itself apart by what was said
    /// before it.
    #[serde(skip)]
    pub sketch: Option<Arc<Sketch>>,
    /// What it has in common with a held-out text, where that is too much.
    #[serde(skip)]
    pub held_out: Option<Overlap>,
    /// Name of the model that asked, `provider/model`.
    pub agent: Arc<str>,
    /// Text the model thought aloud before its reply.
    pub reasoning: Option<String>,
    /// The endpoint's response, whole.
    pub raw: Json,
    /// Requests that it took, repairs included.
    pub calls: u32,
    /// How the person was to write it; none where that was left open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register: Option<Register>,
    /// About how many words it was to have; none where that was left open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<u16>,
    /// Further questions of the same reply, in the order in which they take its place where it was asked before. They serve while
    /// the conversation is open, and are written nowhere.
    #[serde(skip)]
    pub candidates: Vec<Candidate>,
}

impl Question {
    /// What it asks, where that is understood without what was said before it; `opens` is whether nothing was.
    pub fn standalone<'a>(mode: QuestionMode, reply: &'a UserReply, asked: &'a str, opens: bool) -> Option<&'a str> {
        match mode.needs_history() {
            true if opens && !reply.whole_need.is_empty() => Some(&reply.whole_need),
            true if !opens => None,
            _ => Some(asked),
        }
    }

    /// The question that takes its place where it was asked before: the next one of the same reply, without a request.
    pub fn next(&self) -> Option<Self> {
        let (Candidate { reply, used, fingerprint, sketch, held_out }, rest) = self.candidates.split_first()?;
        Some(Self {
            reply: reply.clone(),
            used: used.clone(),
            fingerprint: *fingerprint,
            sketch: sketch.clone(),
            held_out: held_out.clone(),
            calls: 0,
            candidates: rest.to_vec(),
            ..self.clone()
        })
    }
}

/// A question of a reply that holds several.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// What the user model replied, read and repaired.
    pub reply: UserReply,
    /// What it uses of the knowledge base.
    pub used: Used,
    /// Which question it is: others with this fingerprint are the same.
    pub fingerprint: Fingerprint,
    /// What near-duplicates of it are found by.
    pub sketch: Option<Arc<Sketch>>,
    /// What it has in common with a held-out text, where that is too much.
    pub held_out: Option<Overlap>,
}

/// Whether a question stands beside those that were accepted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ruling {
    /// It does: no accepted question that ranks lower is the same, or too close to it.
    Stands,
    /// One is the same.
    Duplicate,
    /// This one is the lowest that is too close to it.
    TooClose(Neighbour),
    /// A held-out text has this in common with it.
    HeldOut(Overlap),
}

/// A question that was rejected because of what it is too close to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NearDuplicate {
    /// The attempt at its turn.
    pub attempt: Attempt,
    /// What was asked, in the words that were compared.
    pub question: Arc<str>,
    /// What it is too close to.
    pub neighbour: TooClose,
}

/// What a question is too close to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TooClose {
    /// Another question that ranks before it and was accepted.
    Question(Neighbour),
    /// A text that is held out.
    HeldOut(Overlap),
}

impl TooClose {
    /// The question, where it is one.
    pub fn question(&self) -> Option<&Neighbour> {
        match self {
            Self::Question(neighbour) => Some(neighbour),
            Self::HeldOut(_) => None,
        }
    }
}

impl NearDuplicate {
    /// What another attempt is to keep away from: the question that it was too close to, else its own words.
    pub fn to_avoid(&self) -> &Arc<str> {
        match &self.neighbour {
            TooClose::Question(neighbour) => &neighbour.text,
            TooClose::HeldOut(_) => &self.question,
        }
    }
}

impl fmt::Display for NearDuplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.neighbour {
            TooClose::Question(Neighbour { similarity, text, .. }) => {
                write!(f, "`{}` is too close ({:.2}) to `{text}`", self.question, similarity.share())
            }
            TooClose::HeldOut(overlap) => write!(f, "`{}` {overlap}", self.question),
        }
    }
}
