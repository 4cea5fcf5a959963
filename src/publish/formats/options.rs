//! What may be chosen of the rows that people train on.

use serde::{Deserialize, Serialize};

/// What was asked for of a format.
#[derive(Debug, Clone, PartialEq)]
pub struct FormatOptions {
    /// Where the assistant's thoughts go; each format has a place of its own where nothing is asked for. They are what the
    /// model thought aloud before an answer, or else the steps of the reasoning that it wrote down with it.
    pub reasoning: Option<Reasoning>,
    /// Messages of the assistant are not learned in turns whose score, or else that of the whole conversation, is below
    /// this, 0 to 10; turns without a score are learned. Such turns at the end of a conversation are left out.
    pub mask_below: Option<f64>,
    /// The system message of every row.
    pub system: SystemMessage,
    /// Whether tools, their calls and what they returned are written. `alpaca` and pairs have none anyway.
    pub tools: bool,
}

impl Default for FormatOptions {
    fn default() -> Self {
        Self { reasoning: None, mask_below: None, system: SystemMessage::None, tools: true }
    }
}

/// Where the assistant's thoughts go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reasoning {
    /// They are left out.
    None,
    /// Into `reasoning_content` of the message, which templates of Qwen, DeepSeek and GLM read. In `traces` it is spelled
    /// `reasoningContent`.
    ReasoningContent,
    /// Into `thinking` of the message, which the template of gpt-oss reads.
    Thinking,
    /// In front of the answer, between `<think>` and `</think>`. Control tokens that the texts themselves have are then
    /// parted by blanks.
    ThinkTags,
}

impl Reasoning {
    /// All places that there are.
    pub const ALL: [Self; 4] = [Self::None, Self::ReasoningContent, Self::Thinking, Self::ThinkTags];

    /// Its name in options.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ReasoningContent => "reasoning_content",
            Self::Thinking => "thinking",
            Self::ThinkTags => "think_tags",
        }
    }
}

/// What the system message of a row is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SystemMessage {
    /// There is no system message.
    #[default]
    None,
    /// The manner in which is answered, as the assistant model was told; none where it was told of none.
    Persona,
    /// It is this text, whoever answers.
    Text(String),
}

/// What a format does: [`FormatOptions`] that it can take, with its own place for thoughts where none was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Choices {
    pub(super) reasoning: Reasoning,
    pub(super) mask_below: Option<f64>,
    pub(super) system: SystemMessage,
    pub(super) tools: bool,
}

impl Choices {
    /// The system message, where the assistant has this persona; empty where there is none.
    pub(super) fn system<'a>(&'a self, persona: &'a str) -> &'a str {
        match &self.system {
            SystemMessage::None => "",
            SystemMessage::Persona => persona,
            SystemMessage::Text(text) => text,
        }
    }
}
