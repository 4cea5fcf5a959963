//! Models: one trait, the endpoints and the built-in model behind it, and what it takes to be patient with them.

pub mod builtin;
pub mod chat;
pub mod meter;

pub use chat::{ChatReply, ChatRequest, Message, Model, ModelError, ReplySchema, Role, Usage};
pub use meter::{Meter, Reading};

use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A secret: never shown, not even by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a secret.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for the request's header.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// Settings of one agent: `llm.agents.<role>`.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentOptions {
    /// `user`, `assistant` or `judge`.
    pub role: &'static str,
    /// `builtin`, `openai`, `lm_studio`, `vllm`, `hosted_vllm`, or empty (then decided by `base_url`).
    pub provider: String,
    /// Model name, sent unchanged.
    pub model: String,
    /// Root of the OpenAI-compatible API, such as `http://127.0.0.1:8000/v1`; empty for OpenAI itself.
    pub base_url: String,
    /// Sampling temperature; not sent when none.
    pub temperature: Option<f64>,
    /// Longest reply, in tokens; not sent when none.
    pub max_tokens: Option<u64>,
    /// Nucleus sampling; not sent when none.
    pub top_p: Option<f64>,
    /// Time allowed to one request.
    pub timeout: Duration,
    /// Further tries after a failed request.
    pub max_retries: u32,
    /// Further fields of the request body; explicit fields win.
    pub extra: Map<String, Value>,
    /// The key; none for endpoints that need none.
    pub api_key: Option<Secret>,
}

/// The model an agent's settings ask for, ready to be called.
///
/// # Errors
/// When the client can't be built from the settings (malformed `base_url`).
pub fn connect(options: &AgentOptions, meter: &Arc<Meter>) -> Result<Arc<dyn Model>, ModelError> {
    let _ = (options, meter);
    unimplemented!()
}
