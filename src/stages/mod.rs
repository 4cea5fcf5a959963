//! The meaning of each verb: a conversation becomes a prompt, the prompt a request, the reply a word.
//!
//! [`Ask`], [`Responder`] and [`Judge`] each take a [`Conversation`](crate::domain::Conversation) and give back one word
//! of it: a question, an answer, a verdict. [`Prompts`] turns their tasks into text. Replies are repaired where their
//! meaning is plain, read leniently, and asked for once more where it is not.

mod addresses;
pub mod answer;
pub mod ask;
pub mod checks;
mod exchange;
mod faults;
mod history;
pub mod judge;
pub mod labels;
mod language;
mod lenient;
mod numbers;
pub mod prompts;
mod rejudge;
mod relabel;
mod repair;
mod reply;
mod retrieve;
pub mod review;
mod schemas;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod script;
mod spoil;
mod text;

pub use answer::Responder;
pub use ask::Ask;
pub use checks::Checks;
pub use judge::{Judge, spoil_at};
pub use labels::CheckOptions;
pub use prompts::{PromptError, Prompts};
pub use rejudge::Rejudging;
pub use review::Review;

use crate::domain::task::RetrievalMode;
use crate::domain::{Acceptance, JudgeReply, Jury};
use std::path::PathBuf;

/// How often the judge is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Granularity {
    #[default]
    /// Every turn is judged, once it is complete.
    Turn,
    /// Once, over the whole conversation.
    Conversation,
}

impl Granularity {
    /// The name used in settings and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Conversation => "conversation",
        }
    }
}

/// How questions are made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AskOptions {
    /// What ends the conversation, where the user model's replies are plain text; none where they are JSON.
    pub text: Option<String>,
}

/// How answers are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerOptions {
    /// When the knowledge base is searched.
    pub retrieval: RetrievalMode,
    /// Whether a turn for which nothing was retrieved drops its conversation.
    pub require_retrieval: bool,
    /// Whether the model writes down premises and the steps from them to its answer.
    pub full_trace: bool,
    /// Passages that a search returns where the model does not say how many.
    pub top_k: usize,
}

/// `judge`, when judging is on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JudgeOptions {
    /// Whether turns or whole conversations are judged.
    pub granularity: Granularity,
    /// Labels to choose from.
    pub reasons: Vec<String>,
    /// Which verdicts are good enough.
    pub accept: Accept,
    /// Conversations of each language, the first ones, in whose first turn the judge scores spoiled answers too; 0 for none.
    pub calibrate: u32,
    /// How well it must tell them.
    pub least: LeastAuc,
    /// How one verdict is made of those of several judges.
    pub jury: Jury,
}

/// How well a judge must tell answers from spoiled ones: `judge.min_auc` and `judge.on_low_auc`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LeastAuc {
    /// The least area under the curve, from 0 to 1.
    pub min: f64,
    /// Whether the run stops below it, and does not only warn.
    pub refuse: bool,
}

/// `judge.accept`: which verdicts are good enough, and what becomes of a conversation with another one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accept {
    /// Least score, from 0 to 10; 0 accepts every one.
    pub min_score: u8,
    /// Whether the question must be sound.
    pub question_ok: bool,
    /// Whether the answer must be sound.
    pub answer_ok: bool,
    /// Labels that no verdict may name.
    pub reject_reasons: Vec<String>,
    /// Whether the conversation is dropped, and not only labelled.
    pub drop: bool,
    /// Most answers after the first that a rejected one is asked for before that.
    pub repairs: u16,
    /// Most turns that are made in the place of a rejected one before that.
    pub regenerations: u16,
}

impl JudgeOptions {
    /// Whether verdicts on turns decide what is kept.
    pub fn is_gate(&self) -> bool {
        let Accept { min_score, question_ok, answer_ok, reject_reasons, drop, .. } = &self.accept;
        let rejects = *min_score > 0 || *question_ok || *answer_ok || !reject_reasons.is_empty();
        rejects && *drop && self.granularity == Granularity::Turn
    }
}

impl Accept {
    /// Whether a verdict is good enough.
    pub fn meets(&self, verdict: &JudgeReply) -> bool {
        let sound = (verdict.question_ok || !self.question_ok) && (verdict.answer_ok || !self.answer_ok);
        let named = verdict.reasons.iter().any(|reason| self.reject_reasons.contains(reason));
        verdict.score >= self.min_score && sound && !named
    }

    /// What becomes of a verdict.
    pub fn of(&self, verdict: &JudgeReply) -> Acceptance {
        match (self.meets(verdict), self.drop) {
            (true, _) => Acceptance::Accepted,
            (false, false) => Acceptance::Flagged,
            (false, true) => Acceptance::Rejected,
        }
    }
}

/// `prompts`: where templates come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PromptOptions {
    /// A folder whose files replace the shipped templates of the same name.
    pub folder: Option<PathBuf>,
}
