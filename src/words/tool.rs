//! What a model may call: a tool's definition, and a call to it.

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
    /// The tool's name.
    pub name: String,
    /// Its arguments, an object; empty when the model's text was not one.
    pub arguments: Value,
}
