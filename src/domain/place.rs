//! Where in a run a model is asked: the place of a reply in the journal.

use super::slot::{Attempt, Slot, TurnIndex};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The verb that makes a request, one for each kind of model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The user model asks a question.
    #[default]
    Ask,
    /// The assistant model answers it.
    Answer,
    /// The judge model scores.
    Judge,
}

impl Stage {
    /// All of them, in the order of the graph.
    pub const ALL: [Self; 3] = [Self::Ask, Self::Answer, Self::Judge];

    /// Its position in [`Stage::ALL`].
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// The place of one request. No two requests of a run that can both count have the same place and the same text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Place {
    /// The conversation that the request is made for.
    pub slot: Slot,
    /// The turn being made.
    pub turn: TurnIndex,
    /// How often its question was rejected.
    pub attempt: Attempt,
    /// The verb that makes the request.
    pub stage: Stage,
    /// Requests made before for the same word: tool calls, and a reply that had to be asked for again.
    pub round: u16,
}

impl fmt::Display for Place {
    /// As warnings name it: the conversation by its number in the files, its language by its position in the settings, from 1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slot: Slot { language, index }, turn, stage, .. } = self;
        let (language, stage) = (language.0 + 1, ["question", "answer", "verdict"][usize::from(stage.number())]);
        write!(f, "the {stage} of turn {turn} of conversation {index:04} in language {language} of the run")
    }
}

impl Place {
    /// The next request for the same word.
    pub fn next(self) -> Self {
        Self { round: self.round + 1, ..self }
    }
}

/// XXH3-128 of a request as its model reads it: equal for requests that ask the same of the same model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest(pub u128);
