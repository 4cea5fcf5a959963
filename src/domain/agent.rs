//! The agents of a run: whom a model is asked to be.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An agent of a run. Each has a model, settings and credentials of its own, under `llm.agents.<agent>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agent {
    /// The model that asks as a user would.
    User,
    /// The model that answers from what is retrieved.
    Assistant,
    /// The model that scores turns or conversations.
    Judge,
}

impl Agent {
    /// Every agent, in the order in which a turn comes to them.
    pub const ALL: [Self; 3] = [Self::User, Self::Assistant, Self::Judge];

    /// The name in settings, messages and files: `user`, `assistant` or `judge`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Judge => "judge",
        }
    }
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
