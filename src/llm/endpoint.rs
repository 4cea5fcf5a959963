//! A model behind an OpenAI-compatible `POST <base_url>/chat/completions`.

use super::address::{bad_setting, base_url, headers, shown, with_path};
use super::chat::Replying;
use super::formats::{Format, Formats};
use super::patience::{Again, Patience, Setback, is_passing, persist, retry_after};
use super::shared::causes;
use super::wire::{request, response};
use super::{AgentOptions, ChatReply, ChatRequest, Meter, Model, ModelError, Secret, Shared};
use crate::words::Digest;
use jiff::Timestamp;
use reqwest::header::HeaderMap;
use reqwest::{Client, Response, Url};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::xxh3_128;

/// Longest response body, in bytes.
const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// A model at an endpoint, with one agent's settings.
pub struct Endpoint {
    name: Arc<str>,
    role: &'static str,
    url: Url,
    /// The base URL without its query, for messages.
    shown: String,
    headers: HeaderMap,
    key: Option<Secret>,
    preset: request::Preset,
    timeout: Duration,
    patience: Patience,
    client: Client,
    formats: Arc<Formats>,
    meter: Arc<Meter>,
}

impl Endpoint {
    /// Makes the client; sends nothing.
    ///
    /// # Errors
    /// When the settings do not make one: no model, an address that is none, a key that no header can carry.
    pub fn new(options: &AgentOptions, name: Arc<str>, shared: &Shared) -> Result<Self, ModelError> {
        if options.model.is_empty() {
            return Err(bad_setting(options, "model", "is empty; name the model to call"));
        }
        if options.extra.get("stream").is_some_and(|stream| stream != false) {
            return Err(bad_setting(options, "extra.stream", "streaming is not supported; remove the key"));
        }
        let base = base_url(options)?;
        Ok(Self {
            name,
            role: options.role,
            url: with_path(&base, "/chat/completions"),
            shown: shown(&base),
            headers: headers(options)?,
            key: options.api_key.clone(),
            preset: request::Preset::new(options),
            timeout: options.timeout,
            patience: Patience::new(options.max_retries),
            client: shared.client(base.scheme() == "https")?,
            formats: shared.formats(base.as_str()),
            meter: shared.meter.clone(),
        })
    }

    /// Sends one request and reads its response.
    async fn attempt(&self, request: &ChatRequest, tries: u32) -> Result<ChatReply, Setback> {
        let start = Instant::now();
        let (model, endpoint) = (&self.preset.model, &self.shown);
        let (messages, tools) = (request.messages.len(), request.tools.len());
        tracing::info!(
            target: "dlgforge.llm",
            "[llm] request model={model} endpoint={endpoint} messages={messages} tools={tools}"
        );
        let outcome = self.exchange(request, tries).await;
        match &outcome {
            Ok(reply) => tracing::info!(
                target: "dlgforge.llm",
                "[llm] response model={model} tool_calls={} content_chars={} elapsed={:.2}s",
                reply.tool_calls.len(),
                reply.text.chars().count(),
                start.elapsed().as_secs_f64()
            ),
            Err(setback) => {
                tracing::warn!(target: "dlgforge.llm", "[llm] request failed model={model}: {}", setback.error);
            }
        }
        outcome
    }

    async fn exchange(&self, request: &ChatRequest, tries: u32) -> Result<ChatReply, Setback> {
        let format = self.formats.choose(!request.tools.is_empty());
        let body = self.body(request, format).map_err(|error| Setback { error, again: Again::Never })?;
        let post = self.client.post(self.url.clone()).headers(self.headers.clone()).timeout(self.timeout).body(body);
        let mut response = post.send().await.map_err(|error| self.unreachable(error, tries))?;
        let mut body = Vec::new();
        let read = read(&mut response, &mut body).await;
        if !response.status().is_success() {
            // Whatever could be read of the body is its explanation; the status alone decides.
            return Err(self.refused(&response, &body, request, format));
        }
        match read {
            Ok(()) => response::reply(&body, request).map_err(|detail| self.malformed(&detail)),
            Err(Unread::TooLong) => Err(self.malformed(&format!("longer than {} MiB", BODY_LIMIT >> 20))),
            Err(Unread::Lost(error)) if error.is_timeout() => Err(self.unreachable(error, tries)),
            Err(Unread::Lost(error)) => Err(self.malformed(&format!("cut short: {}", causes(&error.without_url())))),
        }
    }

    fn body(&self, request: &ChatRequest, format: Format) -> Result<Vec<u8>, ModelError> {
        request::body(&self.preset, request, format)
            .map_err(|error| ModelError::Settings(format!("llm.agents.{}: request body: {error}", self.role)))
    }

    fn unreachable(&self, error: reqwest::Error, tries: u32) -> Setback {
        let detail = if error.is_timeout() {
            format!("no complete response within {} s", self.timeout.as_secs_f64())
        } else {
            causes(&error.without_url())
        };
        let error = ModelError::Unreachable { endpoint: self.shown.clone(), detail: self.redacted(detail), tries };
        Setback { error, again: Again::Later(None) }
    }

    fn refused(&self, response: &Response, body: &[u8], request: &ChatRequest, format: Format) -> Setback {
        let status = response.status();
        let text = String::from_utf8_lossy(body);
        let tools = !request.tools.is_empty();
        let again = if self.formats.learn(&text, tools, format, &self.shown) {
            Again::AtOnce
        } else if is_passing(status.as_u16()) {
            Again::Later(retry_after(response.headers(), Timestamp::now()))
        } else {
            Again::Never
        };
        let detail = if status.is_redirection() {
            format!("redirects are not followed; set llm.agents.{}.base_url to the final address", self.role)
        } else {
            self.redacted(response::error_detail(&self.redacted(text.into_owned())))
        };
        let error = ModelError::Refused { endpoint: self.shown.clone(), status: status.as_u16(), detail };
        Setback { error, again }
    }

    fn malformed(&self, detail: &str) -> Setback {
        let detail = response::one_line(&self.redacted(detail.to_owned()));
        Setback { error: ModelError::Malformed { endpoint: self.shown.clone(), detail }, again: Again::Later(None) }
    }

    /// A text without the key, which some endpoints quote in their errors.
    fn redacted(&self, text: String) -> String {
        match self.key.as_ref().map(Secret::reveal).filter(|key| !key.is_empty() && text.contains(*key)) {
            Some(key) => text.replace(key, "<secret>"),
            None => text,
        }
    }
}

impl Model for Endpoint {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Of the body in the format that says most; which one an endpoint takes makes no other question of it.
    fn digest(&self, request: &ChatRequest) -> Result<Digest, ModelError> {
        Ok(Digest(xxh3_128(&self.body(request, Format::Schema)?)))
    }

    fn chat<'a>(&'a self, request: &'a ChatRequest) -> Replying<'a> {
        Box::pin(async move {
            let outcome = persist(&self.patience, &self.meter, |tries| self.attempt(request, tries)).await;
            match &outcome {
                Ok(reply) => self.meter.answered(reply.usage),
                Err(_) => self.meter.failed(),
            }
            outcome
        })
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("name", &self.name).field("url", &self.shown).finish_non_exhaustive()
    }
}

/// Why a body was not read to its end.
enum Unread {
    TooLong,
    Lost(reqwest::Error),
}

async fn read(response: &mut Response, body: &mut Vec<u8>) -> Result<(), Unread> {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    if announced > BODY_LIMIT {
        return Err(Unread::TooLong);
    }
    body.reserve(announced);
    while let Some(chunk) = response.chunk().await.map_err(Unread::Lost)? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(Unread::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
