//! Protocols: a request as bytes, and bytes as a reply.

mod calls;
mod events;
mod lenient;
mod messages;
pub(super) mod native;
pub(super) mod page;
pub(super) mod request;
pub(super) mod response;
pub(super) mod thoughts;
pub(super) mod tool_text;

use super::form::Form;
use crate::llm::{ChatReply, ChatRequest};
use request::Preset;
use reqwest::Url;
use reqwest::header::HeaderMap;
use std::sync::Arc;

/// A request, ready to be sent but for the key.
pub(super) struct Outgoing {
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// A protocol with one agent's settings.
pub(super) trait Wire: Send + Sync {
    /// The request as this protocol sends it in this form.
    ///
    /// # Errors
    /// What about it can't be written.
    fn outgoing(&self, request: &ChatRequest, form: &Form) -> Result<Outgoing, String>;

    /// The reply to this request, by this model, that a successful response holds.
    ///
    /// # Errors
    /// What is wrong with it.
    fn reply(&self, body: &[u8], request: &ChatRequest, model: &Arc<str>) -> Result<ChatReply, String>;
}

/// OpenAI's chat completions.
pub(super) struct ChatCompletions {
    pub url: Url,
    pub preset: Arc<Preset>,
}

impl Wire for ChatCompletions {
    fn outgoing(&self, request: &ChatRequest, form: &Form) -> Result<Outgoing, String> {
        let body = request::body(&self.preset, request, form).map_err(|error| error.to_string())?;
        Ok(Outgoing { url: self.url.clone(), headers: HeaderMap::new(), body })
    }

    fn reply(&self, body: &[u8], request: &ChatRequest, model: &Arc<str>) -> Result<ChatReply, String> {
        response::reply(body, request, model)
    }
}
