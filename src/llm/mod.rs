//! Models: one trait, the endpoints and the built-in model behind it, and what it takes to be patient with them.

mod address;
pub mod builtin;
pub mod chat;
pub mod endpoint;
mod formats;
mod journalled;
pub mod meter;
mod patience;
pub mod prices;
pub mod rehearsal;
#[cfg(test)]
mod samples;
pub mod shared;
mod wire;

pub use chat::{ChatReply, ChatRequest, Message, Model, ModelError, ReplySchema, Role, Usage};
pub use endpoint::Endpoint;
pub use journalled::Journalled;
pub use meter::{Meter, Reading};
pub use prices::Prices;
pub use shared::Shared;

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
/// When the client can't be built from the settings, such as a malformed `base_url`.
pub fn connect(options: &AgentOptions, shared: &Shared) -> Result<Arc<dyn Model>, ModelError> {
    let name = display_name(options);
    Ok(match options.provider.as_str() {
        "builtin" => Arc::new(builtin::Builtin::new(name, shared.meter.clone())),
        _ => Arc::new(Endpoint::new(options, name, shared)?),
    })
}

/// `provider/model` when a provider is set and the model has no `/`, else the model; without a model, the provider.
fn display_name(options: &AgentOptions) -> Arc<str> {
    match (options.provider.as_str(), options.model.as_str()) {
        ("", "") => options.role.into(),
        (provider, "") => provider.into(),
        ("", model) => model.into(),
        (_, model) if model.contains('/') => model.into(),
        (provider, model) => format!("{provider}/{model}").into(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn models_are_named_by_provider_and_model() {
        for (provider, model, expected) in [
            ("openai", "gpt-x", "openai/gpt-x"),
            ("vllm", "org/model", "org/model"),
            ("", "gpt-x", "gpt-x"),
            ("", "org/model", "org/model"),
            ("builtin", "", "builtin"),
            ("builtin", "small", "builtin/small"),
        ] {
            let mut options = samples::options("http://127.0.0.1:1/v1");
            (options.provider, options.model) = (provider.into(), model.into());
            let model = connect(&options, &Shared::new()).ok().unwrap();
            assert_eq!(&**model.name(), expected);
        }
    }
}
