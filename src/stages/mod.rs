//! The meaning of each verb: a conversation becomes a prompt, the prompt a request, the reply a word.

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
