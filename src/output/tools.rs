//! The tools the assistant could call, as rows tell them: the same beside every conversation of a run.

use crate::domain::ToolDefinition;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Definitions of a run's tools, in the shape of the chat completions API:
/// `[{"type": "function", "function": {"name", "description", "parameters"}}]`. Rendered once for all rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tools {
    list: Value,
    text: String,
}

impl Tools {
    /// Of these definitions, in their order.
    pub fn of(definitions: &[ToolDefinition]) -> Self {
        let tool = |function| json!({"type": "function", "function": function});
        Self::listed(definitions.iter().map(tool).collect())
    }

    /// Of the list that a row or document tells.
    pub(crate) fn listed(list: Value) -> Self {
        Self { text: list.to_string(), list }
    }

    /// The definitions as a JSON list, in the form of the chat completions API.
    pub(crate) fn list(&self) -> &Value {
        &self.list
    }

    /// The list as JSON text: schemas are free in form, so no type of Arrow holds them.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}
