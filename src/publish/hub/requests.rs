//! Requests to the Hub: with the token where it belongs, and again after what passes.

use super::error::HubError;
use super::repository::Repository;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use std::fmt;
use std::time::Duration;

/// How often a request is tried in all.
const TRIES: u32 = 8;
/// The pause after the first try; it doubles from try to try.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause that the Hub does not ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The longest pause that it may ask for: its limits count by five minutes.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(30);
/// How long a request may take that brings no file: commits are slow.
const REPLY: Duration = Duration::from_secs(600);
/// Bytes a second that an upload has at least; slower ones are given up.
const SLOWEST: u64 = 20_000;
/// Characters that are shown of what a refusal says.
const SAID: usize = 400;

/// The token of the Hub: never shown, not even by `Debug`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Token(String);

impl Token {
    /// Keeps a token out of logs and messages; an empty one is none.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A text without the token.
    pub(crate) fn redacted(&self, text: &str) -> String {
        if self.is_empty() { text.to_owned() } else { text.replace(&self.0, "<secret>") }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// Sends requests for one repository.
pub(super) struct Client {
    http: reqwest::Client,
    token: Token,
    bearer: HeaderValue,
    /// The repository that they are for.
    pub repository: Repository,
}

impl Client {
    /// # Errors
    /// When there is no token, or it can't be sent.
    pub fn new(repository: Repository, token: &Token) -> Result<Self, HubError> {
        if token.is_empty() {
            return Err(HubError::NoToken);
        }
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.0)).map_err(|_| HubError::Token)?;
        bearer.set_sensitive(true);
        let agent = concat!("dlgforge/", env!("CARGO_PKG_VERSION"));
        let http = reqwest::Client::builder().connect_timeout(CONNECT).user_agent(agent).build();
        let http = http.map_err(|error| unreachable("set up a client", error))?;
        Ok(Self { http, token: token.clone(), bearer, repository })
    }

    /// Sends a request without a file, as often as need be, until it succeeds. Only the endpoint gets the token.
    ///
    /// # Errors
    /// When it is refused, or gets no reply.
    pub async fn send(
        &self,
        what: &str,
        (method, url): (Method, &str),
        with: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, HubError> {
        self.tried(what, || {
            let request = self.http.request(method.clone(), url).timeout(REPLY);
            let authorised = self.repository.has(url);
            let request = if authorised { request.header(AUTHORIZATION, &self.bearer) } else { request };
            Ok(with(request))
        })
        .await
    }

    /// The same, with the reply read as JSON.
    ///
    /// # Errors
    /// When it is refused, gets no reply, or one that is not understood.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        what: &str,
        to: (Method, &str),
        with: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<T, HubError> {
        read(what, self.send(what, to, with).await?).await
    }

    /// Puts bytes where a reply has said, without the token; `body` makes them anew for every try.
    ///
    /// # Errors
    /// When they can't be read, when the request is refused, or gets no reply.
    pub async fn put(
        &self,
        what: &str,
        (url, size): (&str, u64),
        headers: &HeaderMap,
        body: impl Fn() -> Result<reqwest::Body, HubError>,
    ) -> Result<Response, HubError> {
        let limit = REPLY + Duration::from_secs(size / SLOWEST);
        self.tried(what, || Ok(self.http.put(url).timeout(limit).headers(headers.clone()).body(body()?))).await
    }

    async fn tried(
        &self,
        what: &str,
        request: impl Fn() -> Result<RequestBuilder, HubError>,
    ) -> Result<Response, HubError> {
        let mut pause = FIRST_PAUSE;
        let mut tries = 1;
        loop {
            let (failed, asked) = match request()?.send().await {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => {
                    let (status, asked) = (response.status(), asked_pause(response.headers()));
                    let refused = self.refused(what, response).await;
                    if !passes(status) {
                        return Err(refused);
                    }
                    (refused, asked)
                }
                Err(error) if error.is_builder() || error.is_redirect() => return Err(unreachable(what, error)),
                Err(error) => (unreachable(what, error), None),
            };
            if tries == TRIES {
                return Err(failed);
            }
            let wait = asked.unwrap_or(pause).min(LONGEST_WAIT);
            tracing::warn!("{failed}; try {} of {TRIES} in {:.1} s", tries + 1, wait.as_secs_f64());
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            tries += 1;
        }
    }

    async fn refused(&self, what: &str, response: Response) -> HubError {
        let status = response.status();
        let header = response.headers().get("x-error-message").and_then(|said| said.to_str().ok()).map(str::to_owned);
        let body = response.text().await.unwrap_or_default();
        let json: Option<serde_json::Value> = serde_json::from_str(&body).ok();
        let error = json.as_ref().and_then(|json| json["error"].as_str().or(json["message"].as_str()));
        let said = error.map(str::to_owned).or(header).unwrap_or(body);
        let said: String = self.token.redacted(said.trim()).chars().take(SAID).collect();
        let said = if said.is_empty() { said } else { format!(": {said}") };
        let hint = match status {
            StatusCode::UNAUTHORIZED => "; look at the token: --token, HF_TOKEN or HUGGINGFACE_HUB_TOKEN",
            StatusCode::FORBIDDEN => "; the token must be allowed to write to the repository",
            status if passes(status) => "; what has arrived stays, push again to go on",
            _ => "",
        };
        HubError::Refused { what: what.to_owned(), status: status.as_u16(), said, hint }
    }
}

/// Reads a reply as JSON.
///
/// # Errors
/// When it breaks off, or is not understood.
pub(super) async fn read<T: DeserializeOwned>(what: &str, response: Response) -> Result<T, HubError> {
    let body = response.bytes().await.map_err(|error| unreachable(what, error))?;
    let reply = |cause: serde_json::Error| HubError::Reply { what: what.to_owned(), cause: cause.to_string() };
    serde_json::from_slice(&body).map_err(reply)
}

/// What went wrong, without the address, which may be signed.
fn unreachable(what: &str, error: reqwest::Error) -> HubError {
    let error = error.without_url();
    let mut cause = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        cause = format!("{cause}: {inner}");
        source = inner.source();
    }
    HubError::Unreachable { what: what.to_owned(), cause }
}

/// Whether what a status tells may be over soon.
fn passes(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

/// How long a refusal asks to wait: `Retry-After` in seconds, or the reset of a `RateLimit` that is used up
/// (draft-ietf-httpapi-ratelimit-headers), such as `"api";r=0;t=55`.
fn asked_pause(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let limit = text("ratelimit").map(|limit| limit.split(';').filter_map(|part| part.trim().split_once('=')));
    let reset = limit.and_then(|parts| {
        let parts: Vec<(&str, &str)> = parts.collect();
        let of = |name: &str| parts.iter().find(|(key, _)| *key == name)?.1.parse::<u64>().ok();
        of("t").filter(|_| of("r") == Some(0))
    });
    let after = text(RETRY_AFTER.as_str()).and_then(|seconds| seconds.trim().parse().ok());
    reset.or(after).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_as_the_hub_asks() {
        for (name, value, expected) in [
            ("retry-after", "7", Some(7)),
            ("retry-after", "Fri, 31 Dec 2027 23:59:59 GMT", None),
            ("ratelimit", "\"api\";r=0;t=55", Some(55)),
            ("ratelimit", "\"api\";r=12;t=55", None),
            ("x", "7", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            assert_eq!(asked_pause(&headers), expected.map(Duration::from_secs), "{name}: {value}");
        }
    }

    #[test]
    fn a_token_is_shown_nowhere() {
        let token = Token::new(" hf_abc \n");
        assert_eq!(format!("{token:?} {}", token.redacted("no: hf_abc!")), "<secret> no: <secret>!");
    }
}
