//! What a model may call: a tool's definition, and a call to it.

use super::TurnIndex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A function the assistant model may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolDefinition {
    /// Name the model calls it by.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
}

/// A call a model asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The endpoint's id for it; made up by the client when the endpoint gives none.
    pub id: String,
    /// The name of the tool to call, as the model wrote it.
    pub name: String,
    /// Its arguments, an object; empty when the model's text was not one.
    pub arguments: Value,
}

/// The id of a call that has none of its own, unique within a conversation if the number is within the turn: nine letters and
/// digits, which is all that Mistral's models and some chat templates take.
pub fn made_up_id(turn: TurnIndex, number: usize) -> String {
    format!("c{:03}{number:05}", turn.0)
}
