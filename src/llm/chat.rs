//! The conversation between a stage and a model: request, reply, and the trait both sides meet at.

use super::Usage;
use crate::domain::{Digest, Place, Task, ToolCall, ToolDefinition};
use crate::store::StoreError;
use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Who a message is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The rules of the task.
    System,
    /// Who asks the model.
    User,
    /// What the model itself said.
    Assistant,
    /// The result of a tool that the model called.
    Tool,
}

/// One message of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who it is from.
    pub role: Role,
    /// Its text; empty where there is none.
    pub content: String,
    /// Calls the model asked for (assistant messages).
    pub tool_calls: Vec<ToolCall>,
    /// The call this answers and the tool's name (tool messages).
    pub answers: Option<(String, String)>,
    /// See [`ChatReply::provider_state`] (assistant messages).
    pub provider_state: Option<Value>,
}

impl Message {
    /// A message of text alone.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), tool_calls: Vec::new(), answers: None, provider_state: None }
    }
}

/// The form a reply must have.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplySchema {
    /// Short name for endpoints that want one.
    pub name: &'static str,
    /// JSON Schema, as endpoints that take one enforce it.
    pub schema: Arc<Value>,
}

impl ReplySchema {
    /// No form at all: the reply is a text.
    pub fn text() -> Self {
        Self::new(Self::TEXT, Value::Null)
    }

    const TEXT: &'static str = "text";

    /// Whether a reply is a text of any form.
    pub fn is_text(&self) -> bool {
        self.name == Self::TEXT
    }

    /// A form of this name.
    pub fn new(name: &'static str, schema: Value) -> Self {
        Self { name, schema: Arc::new(schema) }
    }

    /// Whether a value is an object with any of what must be in it: a reply in this form, however faulty.
    pub fn is_met_by(&self, value: &Value) -> bool {
        let wanted = self.schema["required"].as_array().map_or(&[][..], Vec::as_slice);
        let mut names = wanted.iter().filter_map(Value::as_str);
        value.as_object().is_some_and(|object| wanted.is_empty() || names.any(|name| object.contains_key(name)))
    }
}

/// One call to a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// Where in the run it is asked.
    pub place: Place,
    /// Identifier of the conversation it belongs to. Requests of one conversation begin alike, which providers with caches
    /// want to know; it makes no other question of a request.
    pub conversation: Arc<str>,
    /// What is asked, as data: endpoints read `messages`, the built-in model reads this.
    pub task: Arc<Task>,
    /// What is asked, as text: the rendered prompt and, in a tool loop, what followed. Shared: thousands of requests wait at a
    /// time, each in the hands of who asks and of who keeps the replies.
    pub messages: Arc<Vec<Message>>,
    /// Tools the model may call.
    pub tools: Vec<ToolDefinition>,
    /// The form the reply must have.
    pub schema: ReplySchema,
}

impl ChatRequest {
    /// The messages, to add to them: no other holder of the request sees that.
    pub fn messages_mut(&mut self) -> &mut Vec<Message> {
        Arc::make_mut(&mut self.messages)
    }
}

/// How a reply came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model ended by itself, with its reply complete.
    #[default]
    Stop,
    /// At the limit of tokens.
    Length,
    /// The model declined, in its words.
    Refused(String),
    /// The provider withheld it, for this reason.
    Filtered(String),
}

/// A model's reply, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ChatReply {
    /// The text; empty when there are only tool calls.
    pub text: String,
    /// Calls the model asks for.
    pub tool_calls: Vec<ToolCall>,
    /// What the model thought aloud, where the endpoint keeps it apart (`reasoning_content`, thinking blocks, thoughts).
    pub reasoning: Option<String>,
    /// How it came to its end.
    pub finish: Finish,
    /// What the reply cost.
    pub usage: Usage,
    /// Its price in billionths of a USD; none when it is unknown. The journal keeps it apart.
    #[serde(skip)]
    pub cost_nanousd: Option<u64>,
    /// The model that replied, as `provider/model`.
    pub model: Arc<str>,
    /// What the protocol wants back with the results of its tool calls, such as signed thoughts.
    #[serde(rename = "carried", default, skip_serializing_if = "Option::is_none")]
    pub provider_state: Option<Value>,
    /// The endpoint's response, whole.
    pub raw: Value,
    /// The body of the request that it replies to, JSON as it was sent. The journal keeps it for people, and replies that are read
    /// back have none; nor has the model that is part of the program, which reads no text.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub request: Option<Bytes>,
}

fn as_text<S: Serializer>(body: &Option<Bytes>, serializer: S) -> Result<S::Ok, S::Error> {
    String::from_utf8_lossy(body.as_deref().unwrap_or_default()).serialize(serializer)
}

/// The body of the request that a reply of the journal was to: none where it was not kept.
pub fn request_of(kept: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Kept {
        request: Option<String>,
    }
    serde_json::from_slice::<Kept>(kept).ok()?.request
}

impl ChatReply {
    /// The reply without the endpoint's response and the request.
    #[must_use]
    pub fn without_raw(&self) -> Self {
        let Self {
            text,
            tool_calls,
            reasoning,
            finish,
            usage,
            cost_nanousd,
            model,
            provider_state,
            raw: _,
            request: _,
        } = self;
        Self {
            text: text.clone(),
            tool_calls: tool_calls.clone(),
            reasoning: reasoning.clone(),
            finish: finish.clone(),
            usage: *usage,
            cost_nanousd: *cost_nanousd,
            model: model.clone(),
            provider_state: provider_state.clone(),
            raw: Value::Null,
            request: None,
        }
    }
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
        /// URL of the endpoint.
        endpoint: String,
        /// What went wrong last.
        detail: String,
        /// Requests that were sent for it.
        tries: u32,
    },
    /// The endpoint refused the request.
    #[error("{endpoint}: HTTP {status}: {detail}")]
    Refused {
        /// URL of the endpoint.
        endpoint: String,
        /// HTTP status of the refusal.
        status: u16,
        /// The endpoint's words, shortened.
        detail: String,
    },
    /// The response is not what the protocol says.
    #[error("{endpoint}: malformed response: {detail}")]
    Malformed {
        /// URL of the endpoint.
        endpoint: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The provider's filter has caught the request.
    #[error("{endpoint}: {detail}")]
    Filtered {
        /// URL of the endpoint.
        endpoint: String,
        /// The endpoint's words, shortened.
        detail: String,
    },
    /// No endpoint can be asked any more: the run has to stop.
    #[error("{0}")]
    Halted(String),
    /// No endpoint of a judge can be asked any more, and the run goes on without that judge.
    #[error("{0}")]
    Gone(String),
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

    /// Whether it plays the personas it is given.
    fn plays_personas(&self) -> bool {
        true
    }

    /// Tells requests apart: equal when the same is asked of the same model.
    ///
    /// # Errors
    /// When the request can't be written as JSON.
    fn digest(&self, request: &ChatRequest) -> Result<Digest, ModelError>;

    /// Asks once, with the patience the model's settings give it.
    fn chat<'a>(&'a self, request: &'a ChatRequest) -> Replying<'a>;
}
