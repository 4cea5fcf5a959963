//! The conversation between a stage and a model: request, reply, and the trait both sides meet at.

use crate::store::StoreError;
use crate::words::{Digest, Place, Task, ToolCall, ToolDefinition};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Who a message is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions.
    System,
    /// The caller.
    User,
    /// The model.
    Assistant,
    /// A tool's result.
    Tool,
}

/// One message of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who it is from.
    pub role: Role,
    /// Its text.
    pub content: String,
    /// Calls the model asked for (assistant messages).
    pub tool_calls: Vec<ToolCall>,
    /// The call this answers and the tool's name (tool messages).
    pub answers: Option<(String, String)>,
}

impl Message {
    /// A plain message.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), tool_calls: Vec::new(), answers: None }
    }
}

/// The form a reply must have.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplySchema {
    /// Short name for endpoints that want one.
    pub name: &'static str,
    /// JSON Schema.
    pub schema: Arc<Value>,
}

/// One call to a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// Where in the run it is asked.
    pub place: Place,
    /// What is asked, as data: endpoints read `messages`, the built-in model reads this.
    pub task: Arc<Task>,
    /// What is asked, as text: the rendered prompt and, in a tool loop, what followed.
    pub messages: Vec<Message>,
    /// Tools the model may call.
    pub tools: Vec<ToolDefinition>,
    /// The form the reply must have.
    pub schema: ReplySchema,
}

/// Tokens a call cost; none where the endpoint does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read.
    pub prompt_tokens: Option<u64>,
    /// Tokens written.
    pub completion_tokens: Option<u64>,
}

/// A model's reply, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatReply {
    /// The text; empty when there are only tool calls.
    pub text: String,
    /// Calls the model asks for.
    pub tool_calls: Vec<ToolCall>,
    /// What the model thought aloud, where the endpoint keeps it apart (`reasoning_content`).
    pub reasoning: Option<String>,
    /// What it cost.
    pub usage: Usage,
    /// The endpoint's response, whole.
    pub raw: Value,
}

/// Why a call failed for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The settings do not make a client.
    #[error("{0}")]
    Settings(String),
    /// The endpoint could not be reached, or did not answer in time, after all tries.
    #[error("{endpoint}: {detail} ({tries} tries)")]
    Unreachable {
        /// Its URL.
        endpoint: String,
        /// What went wrong last.
        detail: String,
        /// Requests sent.
        tries: u32,
    },
    /// The endpoint refused the request.
    #[error("{endpoint}: HTTP {status}: {detail}")]
    Refused {
        /// Its URL.
        endpoint: String,
        /// HTTP status.
        status: u16,
        /// The endpoint's words, shortened.
        detail: String,
    },
    /// The response is not what the protocol says.
    #[error("{endpoint}: malformed response: {detail}")]
    Malformed {
        /// Its URL.
        endpoint: String,
        /// What is wrong.
        detail: String,
    },
    /// The task that asked ended without a result.
    #[error("the task that asked was lost: {0}")]
    Lost(String),
    /// The reply can't be kept, or not be found: the run has to stop.
    #[error("failed to {0}")]
    Store(StoreError),
}

impl From<StoreError> for ModelError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The future of a reply.
pub type Replying<'a> = Pin<Box<dyn Future<Output = Result<ChatReply, ModelError>> + Send + 'a>>;

/// Something that can be asked.
pub trait Model: Send + Sync {
    /// Name in the outputs: `provider/model` when a provider is set and the model has no `/`, else the model.
    fn name(&self) -> &Arc<str>;

    /// Tells requests apart: equal when the same is asked of the same model.
    ///
    /// # Errors
    /// When the request can't be written as JSON.
    fn digest(&self, request: &ChatRequest) -> Result<Digest, ModelError>;

    /// Asks once, with the patience the model's settings give it.
    fn chat<'a>(&'a self, request: &'a ChatRequest) -> Replying<'a>;
}
