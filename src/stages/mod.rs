//! The meaning of each verb: a conversation becomes a prompt, the prompt a request, the reply a word.
//!
//! [`Ask`], [`Responder`] and [`Judge`] each take a [`Conversation`](crate::words::Conversation) and give back one word
//! of it: a question, an answer, a verdict. [`Prompts`] turns their tasks into text. Replies are repaired where their
//! meaning is plain, read leniently, and asked for once more where it is not.

pub mod answer;
pub mod ask;
mod exchange;
#[expect(unused_imports, reason = "called once the stages check messages")]
#[cfg_attr(not(test), expect(dead_code, reason = "called once the stages check messages"))]
mod faults;
mod history;
pub mod judge;
#[cfg_attr(not(test), expect(dead_code, reason = "called once the stages check messages"))]
mod language;
mod lenient;
#[cfg_attr(not(test), expect(dead_code, reason = "called once the stages check messages"))]
mod numbers;
pub mod prompts;
mod repair;
mod reply;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod script;
mod text;
mod tool_use;

pub use answer::Responder;
pub use ask::Ask;
pub use judge::Judge;
pub use prompts::{PromptError, Prompts};

use std::path::PathBuf;

/// How often the judge is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granularity {
    /// After every turn.
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

/// `judge`, when judging is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgeOptions {
    /// How often.
    pub granularity: Granularity,
    /// Labels to choose from.
    pub reasons: Vec<String>,
}

/// `prompts`: where templates come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PromptOptions {
    /// A folder whose files replace the shipped templates of the same name.
    pub folder: Option<PathBuf>,
}
