//! Settings for the tests of this room.

/// The scripted endpoint of the tests.
#[expect(dead_code, reason = "unit tests need part of the harness")]
#[path = "../../tests/support/endpoint.rs"]
pub(super) mod fake;

use super::provider::COMPATIBLE;
use super::wire::response;
use super::{AgentOptions, EndpointOptions};
use crate::domain::Agent;
use crate::llm::ChatReply;
pub(super) use crate::llm::samples::request;
use crate::traffic::Strategy;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The user model `m` at this address, without a key or retries.
pub(super) fn options(base_url: &str) -> AgentOptions {
    AgentOptions {
        agent: Agent::User,
        provider: "openai".into(),
        model: "m".into(),
        temperature: None,
        max_tokens: None,
        top_p: None,
        max_retries: 0,
        tiers: &[],
        extra: Map::new(),
        rpm: None,
        tpm: None,
        strategy: Strategy::default(),
        endpoints: vec![endpoint(base_url)],
        is_of_jury: false,
    }
}

/// The model `m` at this address, without a key.
pub(super) fn endpoint(base_url: &str) -> EndpointOptions {
    EndpointOptions {
        key: "llm.agents.user".into(),
        name: String::new(),
        provider: &COMPATIBLE,
        model: "m".into(),
        base_url: base_url.into(),
        api_key: None,
        timeout: Duration::from_secs(20),
        flex_timeout: Duration::from_secs(900),
        weight: 1.0,
        max_in_flight: None,
        rpm: None,
        tpm: None,
    }
}

/// What is read of a chat completion with this message.
pub(super) fn read(message: Value) -> ChatReply {
    let body = json!({"choices": [{"message": message}]}).to_string();
    response::reply(body.as_bytes(), &request(""), &"m".into()).unwrap_or_else(|error| panic!("{error}"))
}
