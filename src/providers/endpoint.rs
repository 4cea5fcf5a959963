//! One endpoint of an agent: a request to it, and what comes of it.

mod look;
mod trial;

pub(super) use look::{Found, Queue};
pub use trial::{Listing, Replied, Trial, Unasked, Wanted, try_endpoints};

use super::address::{bad_setting, base_url, headers, shown, with_path};
use super::capabilities::Capabilities;
use super::form::Form;
use super::options::display_name;
use super::refusals;
use super::secrets::Secrets;
use super::wire::native::native;
use super::wire::request::Preset;
use super::wire::{ChatCompletions, Wire, page, response, thoughts, tool_text};
use super::{AgentOptions, EndpointOptions, Provider, Shared};
use crate::domain::causes::{causes, is_out_of_files};
use crate::domain::{Agent, Observer, clock};
use crate::llm::{ChatReply, ChatRequest, Event, EventKind, ModelError, Tier};
use crate::traffic::patience::retry_after;
use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Client, Response, StatusCode, Url};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest response body, in bytes.
pub(super) const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// Where Gemini says in which tier it has served a request.
const SERVED: &str = "x-gemini-service-tier";

const NO_CREDIT: &str = "the account has no credit left";
/// What Anthropic says then.
const LOW_BALANCE: &str = "credit balance is too low";

/// An endpoint, with one agent's settings.
pub(super) struct Endpoint {
    /// Its model, as `provider/model`.
    pub model: Arc<str>,
    /// Its name in messages: as configured, else the base URL without its query.
    pub shown: Arc<str>,
    agent: Agent,
    settings: String,
    /// The names of what the agent's `extra` adds to requests.
    extra: Vec<String>,
    sent_model: Arc<str>,
    wire: Box<dyn Wire>,
    headers: HeaderMap,
    /// What must not be shown.
    secrets: Secrets,
    timeout: Duration,
    flex_timeout: Duration,
    provider: &'static Provider,
    client: Client,
    capabilities: Arc<Capabilities>,
    /// Where its models are listed.
    models: Url,
    /// Who hears what becomes of calls.
    observer: Observer<Event>,
}

/// What a request came to.
#[derive(Debug)]
pub(super) struct Answer {
    pub reply: ChatReply,
    /// From the request's first byte to the response's last one.
    pub latency: Duration,
    /// The headers of the response.
    pub headers: HeaderMap,
}

/// What a request came to instead of a reply.
#[derive(Debug)]
pub(super) struct RequestError {
    /// The error, if the request is not sent again.
    pub error: ModelError,
    pub kind: ErrorKind,
    /// Whether the request may be charged.
    pub charged: bool,
    /// Whether only the tier it was sent in has no room for it.
    pub no_room: bool,
    /// The headers of the response, if there was one.
    pub headers: HeaderMap,
}

/// Why there is no reply: what to do about it follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorKind {
    /// Part of the request is not understood there, which is known from now on: the next one is another.
    Form,
    /// The endpoint has too much to do, and asks for so much time.
    Busy(Option<Duration>),
    /// The endpoint could not be reached.
    Unreachable,
    /// The endpoint gave no complete response in time.
    TimedOut,
    /// The endpoint gave no usable response, and may ask for so much time.
    Broken(Option<Duration>),
    /// Something else answers there, with web pages.
    Page,
    /// The endpoint takes no request with these settings.
    Settings,
    /// The endpoint does not take this request.
    Request,
}

impl Endpoint {
    /// Makes the client; sends nothing.
    ///
    /// # Errors
    /// When the settings do not make one: no model, an address that is none, a key that no header can carry.
    pub fn new(agent: &AgentOptions, options: &EndpointOptions, shared_state: &Shared) -> Result<Self, ModelError> {
        if options.model.is_empty() {
            return Err(bad_setting(options, "model", "is empty; name the model to call"));
        }
        let base = base_url(options)?;
        let preset = Arc::new(Preset::new(agent, &options.model));
        let wire = native(options.provider.protocol, &base, &preset).unwrap_or_else(|| {
            let url = with_path(&base, "/chat/completions");
            Box::new(ChatCompletions { url, preset })
        });
        let name = Some(options.name.clone()).filter(|name| !name.is_empty());
        Ok(Self {
            model: display_name(agent.agent, options.provider.name, &options.model),
            shown: name.unwrap_or_else(|| shown(&base)).into(),
            agent: agent.agent,
            settings: options.key.clone(),
            extra: agent.extra.keys().cloned().collect(),
            sent_model: options.model.as_str().into(),
            wire,
            headers: headers(options)?,
            secrets: Secrets::of(options, &base),
            timeout: options.timeout,
            flex_timeout: options.flex_timeout,
            provider: options.provider,
            client: shared_state.client(base.scheme() == "https")?,
            capabilities: shared_state.capabilities(&base, &options.model, options.provider),
            models: look::models(options.provider.protocol, &base),
            observer: shared_state.calls.clone(),
        })
    }

    /// Whether it is known to refuse part of a request that matters.
    pub fn takes_less(&self) -> bool {
        self.capabilities.takes_less()
    }

    /// Sends one request, in this tier if there is one, and reads its response.
    pub async fn ask(&self, request: &ChatRequest, tier: Option<Tier>, tries: u32) -> Result<Answer, RequestError> {
        let mut form = self.capabilities.form(!request.tools.is_empty());
        form.tier = tier.and_then(|tier| Some((tier, self.provider.tier(tier)?)));
        let (messages, tools) = (request.messages.len(), if form.tools { request.tools.len() } else { 0 });
        self.tell(request, || EventKind::Requested { messages, tools });
        let mut outcome = self.exchange(request, &form, tries).await;
        if let Ok(Answer { reply, headers, .. }) = &mut outcome {
            reply.usage.tier = served(&reply.raw, headers, tier);
        }
        outcome
    }

    /// Its provider by name, and its host and port, if its address has one.
    pub fn server(&self) -> (&'static str, Option<(Arc<str>, u16)>) {
        let host = self.models.host_str().map(Arc::from);
        (self.provider.name, host.zip(self.models.port_or_known_default()))
    }

    /// Tells what has become of a request to it.
    pub fn tell(&self, request: &ChatRequest, kind: impl FnOnce() -> EventKind) {
        self.observer.tell(|| Event {
            agent: self.agent,
            conversation: request.conversation.clone(),
            model: self.sent_model.clone(),
            endpoint: Some(self.shown.clone()),
            kind: kind(),
        });
    }

    /// Length of a request in the longest form in which it may be sent, in bytes: it has no more tokens.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn length(&self, request: &ChatRequest) -> Result<usize, ModelError> {
        Form::LONGEST.iter().try_fold(0, |longest, form| {
            let outgoing = self.wire.outgoing(request, form).map_err(|detail| self.unwritable(&detail))?;
            Ok(outgoing.body.len().max(longest))
        })
    }

    async fn exchange(&self, request: &ChatRequest, form: &Form, tries: u32) -> Result<Answer, RequestError> {
        let timeout = if is_flex(form) { self.flex_timeout } else { self.timeout };
        let outgoing = self.wire.outgoing(request, form).map_err(|detail| RequestError {
            error: self.unwritable(&detail),
            kind: ErrorKind::Request,
            charged: false,
            no_room: false,
            headers: HeaderMap::new(),
        })?;
        let mut headers = outgoing.headers;
        headers.extend(self.headers.clone());
        let written = Bytes::from(outgoing.body);
        let post = self.client.post(outgoing.url).headers(headers).timeout(timeout).body(written.clone());
        let sent = Instant::now();
        let mut response = post.send().await.map_err(|error| self.unreachable(error, timeout, tries))?;
        let mut body = Vec::new();
        let read = read(&mut response, &mut body, BODY_LIMIT).await;
        let latency = sent.elapsed();
        if !response.status().is_success() {
            // Whatever could be read of the body is its explanation; the status alone decides.
            return Err(self.refused(response.status(), response.headers(), &body, request, form));
        }
        match read {
            Ok(()) => match self.wire.reply(&body, request, &self.model) {
                Ok(mut reply) => {
                    self.secrets.hide(&mut reply);
                    let asked = String::from_utf8_lossy(&written).into_owned();
                    reply.request = Some(self.secrets.redacted(asked).into());
                    if thoughts::take_answer(&mut reply, request) {
                        self.capabilities.answers_in_thoughts();
                    }
                    if form.tools && tool_text::take_calls(&mut reply, request) {
                        self.capabilities.calls_in_text();
                    }
                    self.capabilities.heard(request, form, &reply);
                    self.capabilities.hear_control_tokens(&reply);
                    Ok(Answer { reply, latency, headers: std::mem::take(response.headers_mut()) })
                }
                // Gateways pass on what the endpoint behind them said under a status of their own.
                Err(detail) => Err(match (response::status_inside(&body), page::words(&body)) {
                    (Some(status), _) => self.refused(status, response.headers(), &body, request, form),
                    (None, Some(words)) => {
                        RequestError { kind: ErrorKind::Page, ..self.malformed(&self.misled(&words)) }
                    }
                    (None, None) => self.malformed(&detail),
                }),
            },
            Err(Unread::TooLong) => Err(self.malformed(&format!("longer than {} MiB", BODY_LIMIT >> 20))),
            Err(Unread::Lost(error)) if error.is_timeout() => Err(self.unreachable(error, timeout, tries)),
            Err(Unread::Lost(error)) => Err(self.malformed(&format!("cut short: {}", causes(&error.without_url())))),
        }
    }

    fn unwritable(&self, detail: &str) -> ModelError {
        ModelError::Settings(format!("{}: request body: {detail}", self.settings))
    }

    fn unreachable(&self, error: reqwest::Error, timeout: Duration, tries: u32) -> RequestError {
        let connected = !error.is_connect();
        let error = error.without_url();
        let detail = match connected {
            true if error.is_timeout() => format!("no complete response within {} s", timeout.as_secs_f64()),
            false if !is_out_of_files(&error) => self.absent(&error),
            _ => causes(&error),
        };
        let kind = match connected {
            true if error.is_timeout() => ErrorKind::TimedOut,
            true => ErrorKind::Broken(None),
            false if is_out_of_files(&error) => ErrorKind::Settings,
            false => ErrorKind::Unreachable,
        };
        let error =
            ModelError::Unreachable { endpoint: self.shown.to_string(), detail: self.secrets.redacted(detail), tries };
        RequestError { error, kind, charged: connected, no_room: false, headers: HeaderMap::new() }
    }

    /// What there is to say where nobody can be reached.
    fn absent(&self, error: &reqwest::Error) -> String {
        format!("{}; is the server running, and is {}.base_url its address?", causes(error), self.settings)
    }

    fn refused(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        request: &ChatRequest,
        form: &Form,
    ) -> RequestError {
        let (text, headers) = (String::from_utf8_lossy(body), headers.clone());
        let mut detail =
            self.secrets.redacted(response::error_detail(&self.secrets.redacted(text.clone().into_owned())));
        if let Some(reason) = withheld(status, &text) {
            let error =
                ModelError::Filtered { endpoint: self.shown.to_string(), detail: format!("{reason}: {detail}") };
            return RequestError { error, kind: ErrorKind::Request, charged: false, no_room: false, headers };
        }
        let mut kind = if self.capabilities.learn(status.as_u16(), &text, request, form) {
            ErrorKind::Form
        } else {
            kind(status, &text, retry_after(&headers, clock::now()))
        };
        let words = refusals::words(&text);
        let unknown = self.extra.iter().find(|key| refusals::refuses_field(&words, &key.to_lowercase()));
        if let Some(key) = unknown.filter(|_| kind == ErrorKind::Request) {
            kind = ErrorKind::Settings;
            detail = format!("{detail}; remove `{key}` from llm.agents.{}.extra", self.agent);
        } else if kind == ErrorKind::Settings {
            detail = format!("{detail}; {}", self.advice(status, &text));
        }
        let error = ModelError::Refused { endpoint: self.shown.to_string(), status: status.as_u16(), detail };
        // A gateway that gave up may have had the reply made, and paid for.
        let charged = matches!(status.as_u16(), 408 | 502 | 504 | 524);
        let no_room = is_flex(form) && lacks_room(status, &text);
        if no_room {
            self.capabilities.no_room();
        }
        RequestError { error, kind, charged, no_room, headers }
    }

    /// What a web page instead of a reply tells.
    fn misled(&self, words: &str) -> String {
        format!(
            "a web page instead of JSON ({words}); a login page or a proxy answers there: check {}.base_url",
            self.settings
        )
    }

    /// What to look at when no request is taken.
    fn advice(&self, status: StatusCode, text: &str) -> String {
        let settings = &self.settings;
        match status.as_u16() {
            300..400 => format!("redirects are not followed; set {settings}.base_url to the final address"),
            404 | 405 => format!("check {settings}.model (`{}`) and {settings}.base_url", self.sent_model),
            402 | 429 => NO_CREDIT.to_owned(),
            _ if text.contains(LOW_BALANCE) => NO_CREDIT.to_owned(),
            _ => {
                let role = self.agent.as_str().to_uppercase();
                let own = if settings.starts_with("llm.agents.") { "" } else { ".api_key_env, or the key" };
                let key = if own.is_empty() { "the key".to_owned() } else { format!("{settings}{own}") };
                format!("check {key} in the variable that LLM_{role}_API_KEY_ENV names, and {settings}.base_url")
            }
        }
    }

    fn malformed(&self, detail: &str) -> RequestError {
        let detail = response::one_line(&self.secrets.redacted(detail.to_owned()));
        let error = ModelError::Malformed { endpoint: self.shown.to_string(), detail };
        RequestError { error, kind: ErrorKind::Broken(None), charged: true, no_room: false, headers: HeaderMap::new() }
    }
}

/// Whether a response tells that the provider's filter has caught the request, and how.
fn withheld(status: StatusCode, text: &str) -> Option<&'static str> {
    let of_it = matches!(status.as_u16(), 400 | 403);
    ["content_filter", "content_policy", "moderation"].into_iter().find(|word| of_it && text.contains(word))
}

/// Why a response with this status is no reply.
fn kind(status: StatusCode, text: &str, asked: Option<Duration>) -> ErrorKind {
    match status.as_u16() {
        // OpenAI says so of an account that is used up: waiting does not help.
        429 if text.contains("insufficient_quota") => ErrorKind::Settings,
        // Gemini and Anthropic say so of a wrong key and of an account without credit.
        400 if text.contains("API_KEY_INVALID") || text.contains(LOW_BALANCE) => ErrorKind::Settings,
        // Groq says so of a call that its model wrote wrongly: asked again, it may write it rightly.
        400 if text.contains("tool_use_failed") => ErrorKind::Broken(asked),
        // 498 is Groq's, 529 Anthropic's.
        429 | 498 | 529 => ErrorKind::Busy(asked),
        503 if asked.is_some() || is_busy(text) => ErrorKind::Busy(asked),
        408 | 409 | 425 | 500..=599 => ErrorKind::Broken(asked),
        300..=399 | 401..=405 => ErrorKind::Settings,
        _ => ErrorKind::Request,
    }
}

/// Whether an error says that the server is there and has no room yet, and not that it is down.
fn is_busy(text: &str) -> bool {
    const SIGNS: [&str; 6] = ["queue", "busy", "overloaded", "capacity", "too many requests", "loading model"];
    let text = text.to_lowercase();
    SIGNS.iter().any(|sign| text.contains(sign))
}

/// Whether a request in this form may have to wait for room.
fn is_flex(form: &Form) -> bool {
    form.tier.is_some_and(|(tier, _)| tier == Tier::Flex)
}

/// Whether an error says of a request in the tier [`Tier::Flex`] that there is no room in it: what is left there changes from
/// moment to moment, and is none of the limits of the account, which other tiers share.
fn lacks_room(status: StatusCode, text: &str) -> bool {
    let text = text.to_lowercase();
    match status.as_u16() {
        429 => ["resource_unavailable", "resource unavailable", "capacity"].iter().any(|sign| text.contains(sign)),
        498 | 503 => true,
        _ => false,
    }
}

/// The tier in which a reply was made, as the response says. Where it does not, nothing is counted as cheaper for it.
fn served(raw: &serde_json::Value, headers: &HeaderMap, asked: Option<Tier>) -> Tier {
    let told = || headers.get(SERVED).and_then(|tier| Tier::named(tier.to_str().ok()?));
    let dearest = if asked == Some(Tier::Priority) { Tier::Priority } else { Tier::Standard };
    response::tier(raw).or_else(told).unwrap_or(dearest)
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("model", &self.model).field("url", &self.shown).finish_non_exhaustive()
    }
}

/// Why a body was not read to its end.
pub(super) enum Unread {
    TooLong,
    Lost(reqwest::Error),
}

/// Reads a body of so many bytes at most.
pub(super) async fn read(response: &mut Response, body: &mut Vec<u8>, most: usize) -> Result<(), Unread> {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    if announced > most {
        return Err(Unread::TooLong);
    }
    body.reserve(announced);
    while let Some(chunk) = response.chunk().await.map_err(Unread::Lost)? {
        if body.len() + chunk.len() > most {
            return Err(Unread::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(())
}
