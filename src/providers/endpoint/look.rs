//! A look at an endpoint, whether somebody is there: it asks for its list of models, which costs nothing.

use super::{BODY_LIMIT, Endpoint, read};
use crate::providers::Protocol;
use crate::providers::address::with_path;
use crate::providers::wire::response;
use reqwest::{StatusCode, Url};
use std::time::Duration;

/// How long a look at an endpoint may take.
const LOOK: Duration = Duration::from_secs(10);

/// What a look at an endpoint finds.
#[derive(Debug)]
pub(in crate::providers) enum Found {
    /// Somebody, with the models it lists, if it does.
    There(Vec<String>),
    /// Nobody, and how that shows.
    Nobody(String),
    /// Somebody who does not let this agent in, or does not answer.
    Refused(String),
}

impl Endpoint {
    /// What tells it from others but for the model: endpoints that have it in common need one look.
    pub fn site(&self) -> String {
        format!("{} {:x}", self.models, self.secrets.digest())
    }

    /// Looks whether somebody is there, and lets this agent in. It asks for what costs nothing.
    pub async fn look(&self) -> Found {
        let get = self.client.get(self.models.clone()).headers(self.headers.clone()).timeout(LOOK);
        let mut response = match get.send().await {
            Ok(response) => response,
            Err(error) if error.is_timeout() => {
                return Found::Refused(format!("no answer within {} s; is the server running?", LOOK.as_secs()));
            }
            Err(error) => return Found::Nobody(self.secrets.redacted(self.absent(&error.without_url()))),
        };
        let (mut body, status) = (Vec::new(), response.status());
        // What could be read will do.
        _ = read(&mut response, &mut body, BODY_LIMIT).await;
        let text = String::from_utf8_lossy(&body);
        // Keys may be good for calls alone.
        let is_shut_out = status == StatusCode::UNAUTHORIZED && !text.contains("scope") && !text.contains("permission");
        if is_shut_out || text.contains("API_KEY_INVALID") {
            let detail =
                self.secrets.redacted(response::error_detail(&self.secrets.redacted(text.clone().into_owned())));
            return Found::Refused(format!("HTTP {}: {detail}; {}", status.as_u16(), self.advice(status, &text)));
        }
        Found::There(if status.is_success() { response::models(&body) } else { Vec::new() })
    }

    /// Says that a list of models has not the one that is asked for.
    pub fn hint(&self, models: &[String]) {
        let named = |model: &String| model.rsplit('/').next() == self.sent_model.rsplit('/').next();
        if models.is_empty() || models.iter().any(named) {
            return;
        }
        let listed = response::one_line(&self.secrets.redacted(models.join(", ")));
        let (model, shown, settings) = (&self.sent_model, &self.shown, &self.settings);
        tracing::warn!(
            target: "dlgforge.llm",
            "[llm] {shown} does not list the model `{model}` of {settings}.model; it lists {listed}"
        );
    }
}

/// Where the models are listed.
pub(super) fn models(protocol: Protocol, base: &Url) -> Url {
    let version = match protocol {
        Protocol::Messages => "/v1",
        Protocol::GenerateContent if !base.path().ends_with("/v1beta") => "/v1beta",
        _ => "",
    };
    with_path(base, &format!("{version}/models"))
}
