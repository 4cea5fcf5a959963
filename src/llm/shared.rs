//! What the models of one run share: counters, connections, and what is known about each endpoint.

use super::formats::Formats;
use super::{Meter, ModelError};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

/// One per run; given to every [`connect`](super::connect).
#[derive(Default)]
pub struct Shared {
    /// What the calls of all models cost.
    pub meter: Arc<Meter>,
    /// For plain HTTP and for TLS, made when the first endpoint needs one.
    clients: Mutex<BTreeMap<bool, Client>>,
    /// By base URL.
    formats: Mutex<BTreeMap<String, Arc<Formats>>>,
}

impl Shared {
    /// Nothing counted, connected or learned yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An HTTP client. Its idle connections are not limited: as many are kept as were ever in flight together.
    ///
    /// # Errors
    /// When `tls` is needed and the system has no certificates.
    pub(super) fn client(&self, tls: bool) -> Result<Client, ModelError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&tls) {
            return Ok(client.clone());
        }
        let client = match builder().build() {
            // Plain HTTP does without certificates, which minimal systems don't have.
            Err(_) if !tls => builder().tls_certs_only([]).build(),
            built => built,
        };
        let client = client.map_err(|error| {
            ModelError::Settings(format!("HTTP client: {}; install the system's CA certificates", causes(&error)))
        })?;
        clients.insert(tls, client.clone());
        Ok(client)
    }

    /// What is known about the formats of the endpoint at this base URL.
    pub(super) fn formats(&self, base_url: &str) -> Arc<Formats> {
        let mut formats = self.formats.lock().unwrap_or_else(PoisonError::into_inner);
        formats.entry(base_url.to_owned()).or_default().clone()
    }
}

fn builder() -> ClientBuilder {
    Client::builder().user_agent(concat!("dlgforge/", env!("CARGO_PKG_VERSION"))).redirect(Policy::none())
}

/// An error and its causes on one line.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
