//! A tool, whatever it does.

use crate::domain::{ChunkIndex, ToolDefinition};
use crate::knowledge::KnowledgeError;
use serde_json::Value;
use std::future::Future;
use std::pin::Pin;

/// What a call came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Called {
    /// What it returned; `{"error": …}`, worded for the model that made it, where it can't be answered.
    pub result: Value,
    /// The chunks it found, best first.
    pub chunks: Vec<ChunkIndex>,
}

/// The future of a call's result. An error is what no other call can mend: it costs the conversation.
pub type Calling<'a> = Pin<Box<dyn Future<Output = Result<Called, KnowledgeError>> + Send + 'a>>;

/// Something that the assistant model may call.
pub trait Tool: Send + Sync {
    /// What the model is told of it: its name, what it is for, and the JSON Schema of its arguments.
    fn definition(&self) -> ToolDefinition;

    /// A call's arguments in the form that the tool takes, where they can be understood in another one.
    fn understood(&self, arguments: Value) -> Value {
        arguments
    }

    /// Calls the tool with what a model passes to it.
    fn call<'a>(&'a self, arguments: &'a Value) -> Calling<'a>;
}
