//! What can go wrong between conversations and the rows that people train on.

use super::{FORMATS, Reasoning};
use crate::files::FilesError;

/// A failure to write a format.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// There is no format of this name.
    #[error("`{name}` is no format: take one of {}", listed(FORMATS.iter().map(|format| format.name)))]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The format has no place for thoughts as they were asked for.
    #[error(
        "`{format}` has no place for the model's thoughts as `{}`: take one of {}",
        reasoning.name(),
        listed(takes.iter().map(|place| place.name()))
    )]
    Reasoning {
        /// The name of the format.
        format: &'static str,
        /// What was asked for.
        reasoning: Reasoning,
        /// What the format can do.
        takes: &'static [Reasoning],
    },
    /// The format can't leave messages out of what is learned.
    #[error(
        "`{format}` can't leave messages out of what is learned: take one of {}, or leave out conversations by their score",
        listed(FORMATS.iter().filter(|format| format.masks).map(|format| format.name))
    )]
    Mask {
        /// The name of the format.
        format: &'static str,
    },
    /// Pairs of answers do not tell who answers.
    #[error("`{format}` is made of pairs of answers, which have no persona: give the system message as a text")]
    Persona {
        /// The name of the format.
        format: &'static str,
    },
    /// A part of a conversation that should be JSON is not.
    #[error("conversation `{id}`: {what} are no JSON: {cause}")]
    Json {
        /// The id of the conversation.
        id: String,
        /// Which part it is, in words.
        what: &'static str,
        /// What the parser said.
        cause: serde_json::Error,
    },
    /// A tool answers a call that is not in the conversation.
    #[error("conversation `{id}`: a tool answers the call `{call}`, which nobody made")]
    NoCall {
        /// The id of the conversation.
        id: String,
        /// The id of the call.
        call: String,
    },
    /// Somebody speaks who has not the turn.
    #[error("conversation `{id}`: the message of turn {turn} by `{role}` comes where `{format}` can't have it")]
    OutOfTurn {
        /// The id of the conversation.
        id: String,
        /// The number of the turn, from 1.
        turn: u16,
        /// Who speaks in the message.
        role: &'static str,
        /// The name of the format.
        format: &'static str,
    },
    /// A row has no JSON form.
    #[error(transparent)]
    Row(#[from] FilesError),
}

fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
