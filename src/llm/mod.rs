//! Models: one trait, the providers' endpoints and the built-in model behind it, and what it takes to be patient with them.
//!
//! A request goes through the journal ([`Journalled`]), which knows what was replied before, to an agent's router. That
//! reserves what it may cost, waits until the traffic admits it to one of the agent's endpoints, and asks there: a protocol
//! of `wire` writes the request and reads the reply. What goes wrong is told to the traffic, and held against the request
//! only where it is not the endpoint's doing.
//!
//! Endpoints differ in what they take. What is known of one (`capabilities`) decides in which `form` a request is sent there,
//! and grows with its errors and replies; what a request asks, and its digest, stay the same.

mod address;
mod budget;
pub mod builtin;
mod capabilities;
pub mod chat;
mod check;
mod endpoint;
mod facts;
mod form;
mod halt;
mod journalled;
pub mod meter;
mod patience;
pub mod prices;
pub mod provider;
mod refusals;
pub mod rehearsal;
mod router;
#[cfg(test)]
mod samples;
mod secrets;
pub mod shared;
mod traffic;
mod wire;

pub use budget::Budget;
pub use chat::{ChatReply, ChatRequest, Finish, Message, Model, ModelError, ReplySchema, Role, Usage};
pub use halt::Halt;
pub use journalled::Journalled;
pub use meter::{Meter, Reading};
pub use prices::{Prices, Tier};
pub use provider::{Protocol, Provider};
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
    /// The provider as it is configured, which outputs name.
    pub provider: String,
    /// The model as it is configured, which outputs name.
    pub model: String,
    /// Sampling temperature; not sent when none.
    pub temperature: Option<f64>,
    /// Longest reply, in tokens; not sent when none.
    pub max_tokens: Option<u64>,
    /// Nucleus sampling; not sent when none.
    pub top_p: Option<f64>,
    /// Further tries after a failed request.
    pub max_retries: u32,
    /// The service tiers it is asked in: the next one when one has no room. Empty leaves it to the provider.
    pub tiers: &'static [Tier],
    /// Further fields of the request body; explicit fields win.
    pub extra: Map<String, Value>,
    /// Most requests per minute in this role, over all endpoints.
    pub rpm: Option<u32>,
    /// Most tokens per minute in this role, read and written, over all endpoints.
    pub tpm: Option<u64>,
    /// How an endpoint is chosen.
    pub strategy: Strategy,
    /// Where it is asked; empty for the built-in model alone.
    pub endpoints: Vec<EndpointOptions>,
}

/// How an endpoint is chosen among those that can take a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// The one with the least work for its weight and speed.
    #[default]
    WeightedLeastInflight,
    /// In turn, as often as their weights say.
    RoundRobin,
    /// The fastest of late.
    LowestLatency,
}

/// Where a model is asked: an agent's own address, or an item of `llm.routing.endpoints`.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointOptions {
    /// Its settings' place in the configuration, for messages: `llm.agents.user`, `llm.routing.endpoints[0]`.
    pub key: String,
    /// Its name in messages; empty when its address says it.
    pub name: String,
    /// Whose protocol and habits it has.
    pub provider: &'static Provider,
    /// The model, by the name it has there.
    pub model: String,
    /// Root of the API, such as `http://127.0.0.1:8000/v1`; empty for the provider's own.
    pub base_url: String,
    /// The key; none for endpoints that need none.
    pub api_key: Option<Secret>,
    /// Time allowed to one request.
    pub timeout: Duration,
    /// The same in the tier [`Tier::Flex`], which may take its time.
    pub flex_timeout: Duration,
    /// Its share of the work, relative to the others.
    pub weight: f64,
    /// Most requests at a time; a hard limit.
    pub max_in_flight: Option<u32>,
    /// Most requests per minute.
    pub rpm: Option<u32>,
    /// Most tokens per minute, read and written.
    pub tpm: Option<u64>,
}

/// The model an agent's settings ask for, ready to be called.
///
/// # Errors
/// When the client can't be built from the settings, such as a malformed `base_url`.
pub fn connect(options: &AgentOptions, shared: &Shared) -> Result<Arc<dyn Model>, ModelError> {
    let name = display_name(options.role, &options.provider, &options.model);
    Ok(match options.provider.as_str() {
        "builtin" => Arc::new(builtin::Builtin::new(name, shared)),
        _ => Arc::new(router::Router::new(options, name, shared)?),
    })
}

/// `provider/model` when a provider is set and the model has no `/`, else the model; without a model, the provider.
fn display_name(role: &str, provider: &str, model: &str) -> Arc<str> {
    match (provider, model) {
        ("", "") => role.into(),
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
            let model = connect(&options, &Shared::default()).ok().unwrap();
            assert_eq!(&**model.name(), expected);
        }
    }
}
