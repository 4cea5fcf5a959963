//! A question, and those that came with it.

use super::coverage::Used;
use super::fingerprint::Fingerprint;
use super::json::Json;
use super::minhash::{Neighbour, Sketch};
use super::reply::UserReply;
use super::task::{QuestionMode, Register};
use serde::{Deserialize, Serialize};
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
        let (Candidate { reply, used, fingerprint, sketch }, rest) = self.candidates.split_first()?;
        Some(Self {
            reply: reply.clone(),
            used: used.clone(),
            fingerprint: *fingerprint,
            sketch: sketch.clone(),
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
}
