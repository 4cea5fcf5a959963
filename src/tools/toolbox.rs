//! The tools offered to the assistant model, called by name.

use super::{Called, Tool, ToolError};
use crate::domain::{Place, ToolDefinition};
use serde_json::{Value, json};
use std::sync::Arc;

/// Every tool of a run.
pub struct Toolbox {
    tools: Vec<(ToolDefinition, Arc<dyn Tool>)>,
}

impl Toolbox {
    /// These tools, in the order in which the model is told of them.
    pub fn new(tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Self {
        Self { tools: tools.into_iter().map(|tool| (tool.definition(), tool)).collect() }
    }

    /// What the model is told of the tools.
    pub fn definitions(&self) -> Vec<ToolDefinition> {
        self.tools.iter().map(|(definition, _)| definition.clone()).collect()
    }

    /// The tool of this name, if there is one.
    pub fn find(&self, name: &str) -> Option<&dyn Tool> {
        self.tools.iter().find(|(definition, _)| definition.name == name).map(|(_, tool)| &**tool)
    }

    /// Calls a tool at this place of the run. A call of one that there is not comes to an error for the model.
    ///
    /// # Errors
    /// When the tool itself fails, whatever it is called with.
    pub async fn call(&self, name: &str, place: Place, arguments: &Value) -> Result<Called, ToolError> {
        match self.find(name) {
            Some(tool) => tool.call(place, arguments).await,
            None => Ok(Called { result: json!({ "error": format!("Unknown tool: {name}") }), found: Vec::new() }),
        }
    }
}
