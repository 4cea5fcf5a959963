//! Providers' endpoints: how each is reached, what it takes, and which of them answers a request.
//!
//! A request to an agent comes to its router. That reserves what the request may cost, waits until the [`traffic`](crate::traffic)
//! admits it to one of the agent's endpoints, and asks there: a protocol of `wire` writes the request and reads the reply.
//! What goes wrong is told to the traffic, and held against the request only where it is not the endpoint's doing.
//!
//! Endpoints differ in what they take. What is known of one (`capabilities`) decides in which `form` a request is sent there,
//! and grows with its errors and replies; what a request asks, and its digest, stay the same.

mod address;
mod attach;
mod capabilities;
mod check;
mod endpoint;
mod facts;
mod form;
mod options;
pub mod provider;
mod queues;
mod refusals;
mod router;
#[cfg(test)]
mod samples;
mod secret;
mod secrets;
mod serper;
pub mod shared;
mod wire;

pub use attach::{AttachError, attach};
pub use endpoint::{Listing, Replied, Trial, Unasked, Wanted, try_endpoints};
pub use options::{AgentOptions, EndpointOptions};
pub use provider::{Protocol, Provider};
pub use secret::Secret;
pub use serper::{Serper, SerperOptions};
pub use shared::{Observers, Shared};

use crate::builtin::Builtin;
use crate::llm::{Model, ModelError};
use std::sync::Arc;

/// The model an agent's settings ask for, ready to be called.
///
/// # Errors
/// When the client can't be built from the settings, such as a malformed `base_url`.
pub fn connect(options: &AgentOptions, shared: &Shared) -> Result<Arc<dyn Model>, ModelError> {
    let name = options.name();
    Ok(match options.provider.as_str() {
        "builtin" => {
            let (meter, ledger, calls) = (shared.meter.clone(), shared.ledger.clone(), shared.calls.clone());
            Arc::new(Builtin::new(name, options.agent, meter, ledger, &shared.prices, calls))
        }
        _ => Arc::new(router::Router::new(options, name, shared)?),
    })
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
