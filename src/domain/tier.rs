//! How soon a provider serves a request, which decides what it costs.

use serde::{Deserialize, Serialize};

/// How soon a request is served: a service tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// At once, at the list price.
    #[default]
    Standard,
    /// Within a day, as part of a batch.
    Batch,
    /// When there is room, or not at all.
    Flex,
    /// Before the requests of others, at a higher price.
    Priority,
}

impl Tier {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Standard, Self::Batch, Self::Flex, Self::Priority];

    /// The name it is stored and shown under.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Batch => "batch",
            Self::Flex => "flex",
            Self::Priority => "priority",
        }
    }

    /// The tier that a provider calls so; none where nobody knows.
    pub fn named(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            // OpenAI's, Groq's, and Gemini's and Anthropic's.
            "default" | "on_demand" | "standard" => Some(Self::Standard),
            "batch" => Some(Self::Batch),
            "flex" => Some(Self::Flex),
            "priority" => Some(Self::Priority),
            _ => None,
        }
    }
}
