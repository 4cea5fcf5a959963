//! What a run's settings say about an agent and the endpoints it is asked at.

use super::{Provider, Secret};
use crate::domain::Agent;
use crate::llm::Tier;
use crate::traffic::Strategy;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// Settings of one agent: `llm.agents.<agent>`.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentOptions {
    /// Whose settings they are.
    pub agent: Agent,
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
    /// Most requests per minute of this agent, over all endpoints.
    pub rpm: Option<u32>,
    /// Most tokens per minute of this agent, read and written, over all endpoints.
    pub tpm: Option<u64>,
    /// How an endpoint is chosen.
    pub strategy: Strategy,
    /// Where it is asked; empty for the built-in model alone.
    pub endpoints: Vec<EndpointOptions>,
    /// Whether it is one judge of a jury.
    pub is_of_jury: bool,
}

impl AgentOptions {
    /// The model's name in outputs: `provider/model`, or what of them is set.
    pub fn name(&self) -> Arc<str> {
        display_name(self.agent, &self.provider, &self.model)
    }
}

/// `provider/model` when a provider is set and the model has no `/`, else the model; without a model, the provider.
pub(super) fn display_name(agent: Agent, provider: &str, model: &str) -> Arc<str> {
    match (provider, model) {
        ("", "") => agent.as_str().into(),
        (provider, "") => provider.into(),
        ("", model) => model.into(),
        (_, model) if model.contains('/') => model.into(),
        (provider, model) => format!("{provider}/{model}").into(),
    }
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
