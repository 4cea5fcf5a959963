//! A tool, whatever it does.

use super::WebError;
use crate::domain::{Place, SearchHit, ToolDefinition};
use crate::knowledge::KnowledgeError;
use serde_json::Value;
use std::future::Future;
use std::pin::Pin;

/// What a call came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Called {
    /// What it returned; `{"error": …}`, worded for the model that made it, where it can't be answered.
    pub result: Value,
    /// What it found, best first.
    pub found: Vec<SearchHit>,
}

/// Why a call has no result, which no other call can mend.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The knowledge base can't be searched: it costs the conversation.
    #[error(transparent)]
    Knowledge(#[from] KnowledgeError),
    /// The web can't be searched any more, or what was found there not be kept.
    #[error(transparent)]
    Web(#[from] WebError),
}

/// The future of a call's result.
pub type Calling<'a> = Pin<Box<dyn Future<Output = Result<Called, ToolError>> + Send + 'a>>;

/// Something that the assistant model may call.
pub trait Tool: Send + Sync {
    /// What the model is told of it: its name, what it is for, and the JSON Schema of its arguments.
    fn definition(&self) -> ToolDefinition;

    /// A call's arguments in the form that the tool takes, where they can be understood in another one.
    fn understood(&self, arguments: Value) -> Value {
        arguments
    }

    /// Calls the tool with what a model passes to it, at this place of the run.
    fn call<'a>(&'a self, place: Place, arguments: &'a Value) -> Calling<'a>;
}

/// The arguments with one text as their `query`: a list for it is its texts.
pub(super) fn with_query(mut arguments: Value) -> Value {
    if let Some(query) = arguments.get_mut("query")
        && let Value::Array(parts) = query
    {
        let texts: Vec<&str> = parts.iter().filter_map(Value::as_str).map(str::trim).collect();
        *query = texts.join(" ").into();
    }
    arguments
}

/// The query of a call, which is not blank; else what the model is told.
pub(super) fn query<'a>(tool: &str, arguments: &'a Value) -> Result<&'a str, String> {
    let query = arguments.get("query").and_then(Value::as_str).map(str::trim).filter(|query| !query.is_empty());
    query.ok_or_else(|| {
        format!("{tool} needs a non-empty string \"query\", such as {{\"query\": \"words to look for\"}}")
    })
}
