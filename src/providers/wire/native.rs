//! Anthropic's and Gemini's own protocols, by rig's wires: they write and read bodies, and see neither key nor socket.

use super::calls::{first_calls, ids, name, object};
use super::messages::messages;
use super::request::Preset;
use super::response::{is_count, is_slip, parsed};
use super::{Outgoing, Wire};
use crate::domain::ToolCall;
use crate::llm::{ChatReply, ChatRequest, Finish, Message, Role, Usage};
use crate::providers::Protocol;
use crate::providers::form::{Field, Form, Format};
use futures_util::{FutureExt, stream};
use reqwest::Url;
use reqwest::header::HeaderMap;
use rig_core::completion::message::{
    AssistantContent, AssistantMessage, CallId, Message as RigMessage, ToolCall as RigCall, ToolFunction, ToolName,
    ToolResult, ToolResultContent, UserContent,
};
use rig_core::completion::{CompletionRequest, CompletionResponse, FinishReason, ToolDefinition};
use rig_core::driver::{Exchange, Model, Opened, Opening, Transport};
use rig_core::error::ProviderError;
use rig_core::operation::Completion;
use rig_core::providers::anthropic::{AnthropicConfig, Messages, ToolInputStreaming};
use rig_core::providers::gemini::GeminiConfig;
use rig_core::providers::gemini::completion::GenerateContent;
use rig_core::wire::{Body, Encoded, WireFrame};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};

/// The longest reply asked of Anthropic, in tokens, where the settings don't say: its protocol wants a number.
const ANTHROPIC_MAX_TOKENS: u64 = 4096;

/// A wire of rig's, with one agent's settings.
pub(in crate::providers) struct Native<W> {
    wire: W,
    preset: Arc<Preset>,
    /// What the base URL has after its path.
    query: Option<String>,
    /// Where generation settings without a field of their own go: below this key, or beside the others.
    settings: Option<&'static str>,
    /// Whether the request marks what is to be kept in a cache.
    marks_cache: bool,
}

/// The protocol, when it is one of these.
pub(in crate::providers) fn native(protocol: Protocol, base: &Url, preset: &Arc<Preset>) -> Option<Box<dyn Wire>> {
    let (query, model, preset) = (base.query().map(str::to_owned), preset.model.clone(), preset.clone());
    let mut base = base.clone();
    base.set_query(None);
    let base = base.as_str().trim_end_matches('/');
    match protocol {
        Protocol::Messages => {
            let wire = Messages {
                provider: AnthropicConfig::new("").with_base_url(base),
                model,
                default_max_tokens: Some(ANTHROPIC_MAX_TOKENS),
                prompt_caching: false,
                static_prefix_cache_ttl: None,
                strict_tools: false,
                tool_input_streaming: ToolInputStreaming::Off,
            };
            Some(Box::new(Native { wire, preset, query, settings: None, marks_cache: true }))
        }
        Protocol::GenerateContent => {
            let base = base.strip_suffix("/v1beta").unwrap_or(base);
            let wire = GenerateContent::new(GeminiConfig::new("").with_base_url(base), model);
            Some(Box::new(Native { wire, preset, query, settings: Some("generationConfig"), marks_cache: false }))
        }
        Protocol::ChatCompletions | Protocol::Builtin => None,
    }
}

impl<W> Wire for Native<W>
where
    W: rig_core::wire::Wire<Op = Completion, Payload = Encoded, Frame = WireFrame> + Send + Sync + Clone,
{
    fn outgoing(&self, request: &ChatRequest, form: &Form) -> Result<Outgoing, String> {
        let caught = Caught::default();
        let request = self.request(request, form)?;
        let outcome = Model::new(self.wire.clone(), caught.clone()).call(request).now_or_never();
        let encoded = caught.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(encoded) = encoded else {
            let detail = outcome.and_then(Result::err).map(|error| error.to_string());
            return Err(detail.unwrap_or_else(|| "the request was not encoded".to_owned()));
        };
        let (parts, body) = encoded.request.into_parts();
        let Body::Bytes(body) = body else { return Err("the request has no body of bytes".to_owned()) };
        let mut url = Url::parse(&parts.uri.to_string()).map_err(|error| error.to_string())?;
        // The key goes into a header.
        url.set_query(self.query.as_deref());
        let mut headers: HeaderMap = parts.headers;
        ["x-api-key", "accept"].iter().for_each(|name| drop(headers.remove(*name)));
        let body = if self.marks_cache { with_cache_marks(&body)? } else { body.to_vec() };
        Ok(Outgoing { url, headers, body })
    }

    fn reply(&self, body: &[u8], request: &ChatRequest, model: &Arc<str>) -> Result<ChatReply, String> {
        let mut raw = parsed(body)?;
        let odd = take_odd_usage(&mut raw);
        let canned = Canned(Arc::new(raw));
        let mut any = CompletionRequest::new("-");
        any.accept_unknown_finish_reasons = true;
        let answered = Model::new(self.wire.clone(), canned.clone()).call(any).now_or_never();
        let mut raw = Arc::unwrap_or_clone(canned.0);
        let is_odd = odd.is_some();
        odd.into_iter().for_each(|(key, usage)| raw[key] = usage);
        let reason = raw.pointer("/candidates/0/finishReason").and_then(Value::as_str).unwrap_or_default();
        if is_slip(reason) {
            return Err(format!("it ends with finishReason {reason}"));
        }
        match answered.ok_or("the response was not decoded")? {
            Ok(response) => {
                let reply = read(response, raw, request, model);
                Ok(ChatReply { usage: if is_odd { Usage::default() } else { reply.usage }, ..reply })
            }
            // Gemini blocks a prompt with a response that has no candidates.
            Err(error) => match raw.pointer("/promptFeedback/blockReason").and_then(Value::as_str).map(str::to_owned) {
                Some(reason) => {
                    let prompt_tokens = raw.pointer("/usageMetadata/promptTokenCount").and_then(Value::as_u64);
                    let usage = Usage { prompt_tokens, completion_tokens: Some(0), ..Usage::default() };
                    let finish = Finish::Filtered(reason);
                    Ok(ChatReply { finish, usage, model: model.clone(), raw, ..ChatReply::default() })
                }
                None => Err(told(error)),
            },
        }
    }
}

impl<W> Native<W> {
    fn request(&self, request: &ChatRequest, form: &Form) -> Result<CompletionRequest, String> {
        let wrong = |error: &dyn std::fmt::Display| error.to_string();
        let mut made = CompletionRequest::new("-");
        made.chat_history = history(&messages(request, form))?;
        for tool in request.tools.iter().filter(|_| form.tools) {
            let name = ToolName::new(tool.name.clone()).map_err(|error| wrong(&error))?;
            made.tools.push(ToolDefinition::new(name, tool.description.clone(), tool.parameters.clone()));
        }
        if form.format == Format::Schema && !request.schema.is_text() {
            let schema = (*request.schema.schema).clone().try_into();
            made.output_schema = Some(schema.map_err(|error: serde_json::Error| wrong(&error))?);
        }
        let temperature = self.preset.temperature.filter(|_| form.has(Field::Temperature));
        (made.temperature, made.max_tokens) = (temperature, self.preset.max_tokens);
        made.additional_params = self.further(form, temperature);
        Ok(made)
    }

    /// What has no field in rig's request: `extra`, nucleus sampling, and JSON without a schema where that exists.
    fn further(&self, form: &Form, temperature: Option<f64>) -> Option<Value> {
        let mut further = form.of(&self.preset.extra).into_owned();
        let mut set = |name: &str, value: Value| {
            let place = match self.settings {
                None => Some(&mut further),
                Some(key) => further.entry(key).or_insert_with(|| json!({})).as_object_mut(),
            };
            _ = place.map(|place| place.insert(name.to_owned(), value));
        };
        if let Some(top_p) = self.preset.top_p.filter(|_| form.has(Field::TopP)) {
            set(if self.settings.is_some() { "topP" } else { "top_p" }, top_p.into());
        }
        // Explicit settings win over extra ones.
        if self.settings.is_some() {
            self.preset.max_tokens.iter().for_each(|most| set("maxOutputTokens", (*most).into()));
            temperature.iter().for_each(|temperature| set("temperature", (*temperature).into()));
        }
        if form.format == Format::Json && self.settings.is_some() {
            set("responseMimeType", "application/json".into());
        }
        if let Some((_, name)) = form.tier {
            further.insert("serviceTier".to_owned(), name.into());
        }
        (!further.is_empty()).then_some(Value::Object(further))
    }
}

/// A body of Anthropic's with marks up to where its prompt is kept in a cache: after the system text, and after the message
/// before the last one, where what was said before ends. What cannot bear a mark gets none.
fn with_cache_marks(body: &[u8]) -> Result<Vec<u8>, String> {
    let mut body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if let Some(block) = body.get_mut("system").and_then(Value::as_array_mut).and_then(|blocks| blocks.last_mut()) {
        mark(block);
    }
    let messages = body.get_mut("messages").and_then(Value::as_array_mut);
    let before_last = messages.and_then(|messages| messages.iter_mut().rev().nth(1));
    let blocks = before_last.and_then(|message| message.get_mut("content")?.as_array_mut());
    if let Some(block) = blocks.and_then(|blocks| blocks.last_mut()) {
        mark(block);
    }
    serde_json::to_vec(&body).map_err(|error| error.to_string())
}

/// Marks a block. Anthropic refuses marks on thoughts and on empty texts.
fn mark(block: &mut Value) {
    let kind = block["type"].as_str().unwrap_or_default();
    if kind.ends_with("thinking") || kind == "text" && block["text"].as_str().is_none_or(str::is_empty) {
        return;
    }
    if let Some(fields) = block.as_object_mut() {
        fields.entry("cache_control").or_insert_with(|| json!({"type": "ephemeral"}));
    }
}

/// The messages, with the results of calls made together in one.
fn history(messages: &[Cow<Message>]) -> Result<Vec<RigMessage>, String> {
    let mut history = Vec::with_capacity(messages.len());
    let mut calls: BTreeMap<&str, CallId> = BTreeMap::new();
    for message in messages.iter().map(|message| &**message) {
        let text = || AssistantContent::text(message.content.clone());
        match (&message.role, &message.answers) {
            (Role::System, _) => history.push(RigMessage::System { content: message.content.clone() }),
            (Role::Assistant, _) => {
                let state = message.provider_state.clone().and_then(|state| serde_json::from_value(state).ok());
                let said = state.map_or_else(|| said(message, text), Ok)?;
                let theirs = said.content.iter().filter_map(|content| match content {
                    AssistantContent::ToolCall(call) => Some(call.id.clone()),
                    _ => None,
                });
                calls.extend(message.tool_calls.iter().map(|call| call.id.as_str()).zip(theirs));
                history.push(RigMessage::Assistant(said));
            }
            (Role::Tool, Some((id, name))) => {
                let result = UserContent::ToolResult(ToolResult {
                    call: calls.get(id.as_str()).cloned().unwrap_or_else(|| CallId::from_wire(id.clone())),
                    name: ToolName::new(name.clone()).map_err(|error| error.to_string())?,
                    content: vec![ToolResultContent::text(message.content.clone())],
                    is_error: false,
                });
                match history.last_mut() {
                    Some(RigMessage::User { content })
                        if matches!(content.last(), Some(UserContent::ToolResult(_))) =>
                    {
                        content.push(result);
                    }
                    _ => history.push(RigMessage::User { content: vec![result] }),
                }
            }
            (Role::User | Role::Tool, _) => {
                history.push(RigMessage::User { content: vec![UserContent::text(message.content.clone())] });
            }
        }
    }
    Ok(history)
}

/// An assistant's message without a state of the provider.
fn said(message: &Message, text: impl Fn() -> AssistantContent) -> Result<AssistantMessage, String> {
    let mut content = Vec::new();
    if !message.content.is_empty() || message.tool_calls.is_empty() {
        content.push(text());
    }
    for ToolCall { id, name, arguments } in &message.tool_calls {
        let name = ToolName::new(name.clone()).map_err(|error| error.to_string())?;
        let function = ToolFunction::new(name, arguments.clone());
        content.push(AssistantContent::ToolCall(RigCall::from_wire(id.clone(), function)));
    }
    Ok(AssistantMessage::new(content))
}

/// Takes the usage out of a response and puts zeros into its place, where it has counts that can't be any: rig would refuse
/// the whole response.
fn take_odd_usage(raw: &mut Value) -> Option<(&'static str, Value)> {
    let key = ["usage", "usageMetadata"].into_iter().find(|key| raw.get(*key).is_some())?;
    let mut usage = raw[key].clone();
    let mut is_odd = false;
    let counts = usage.as_object_mut()?.values_mut().filter(|count| count.is_number() && !is_count(count));
    counts.for_each(|count| {
        *count = json!(0);
        is_odd = true;
    });
    is_odd.then(|| (key, std::mem::replace(&mut raw[key], usage)))
}

fn read(response: CompletionResponse, raw: Value, request: &ChatRequest, model: &Arc<str>) -> ChatReply {
    let (mut text, mut reasoning, mut calls) = (String::new(), Vec::new(), Vec::new());
    for content in &response.choice {
        match content {
            AssistantContent::Text(part) => text.push_str(&part.text),
            AssistantContent::Reasoning(part) if !part.text.trim().is_empty() => reasoning.push(part.text.as_str()),
            AssistantContent::ToolCall(call) => calls.push(call),
            _ => {}
        }
    }
    let given = |call: &&RigCall| match &call.id {
        CallId::Provider(id) => Some(id.as_str().to_owned()),
        CallId::Local(_) => None,
    };
    let wanted = calls.len();
    let calls = first_calls(&calls);
    let given: Vec<Option<String>> = calls.iter().map(given).collect();
    let ids = ids(&given.iter().map(Option::as_deref).collect::<Vec<_>>(), request);
    let tool_calls: Vec<_> = calls
        .iter()
        .zip(ids)
        .map(|(call, id)| ToolCall {
            id,
            name: name(call.function.name.as_str(), request),
            arguments: object(&Value::Object(call.function.arguments.clone())).unwrap_or_default(),
        })
        .collect();
    let provider_state =
        response.message().filter(|_| !tool_calls.is_empty() && tool_calls.len() == wanted).and_then(|message| {
            match message {
                RigMessage::Assistant(said) => serde_json::to_value(said).ok(),
                _ => None,
            }
        });
    // Of Anthropic's counts rig adds up what was read, cached and put into the cache: all of it was read.
    let usage = Usage {
        prompt_tokens: response.usage.input_tokens,
        completion_tokens: response.usage.output_tokens,
        cached_tokens: response.usage.cached_input_tokens,
        cache_write_tokens: response.usage.cache_creation_input_tokens,
        reasoning_tokens: response.usage.reasoning_tokens,
        ..Usage::default()
    };
    ChatReply {
        text,
        tool_calls,
        reasoning: (!reasoning.is_empty()).then(|| reasoning.join("\n\n")),
        finish: finish(&response, &raw),
        usage,
        cost_nanousd: None,
        model: model.clone(),
        provider_state,
        raw,
        request: None,
    }
}

fn finish(response: &CompletionResponse, raw: &Value) -> Finish {
    let text = |path: &str| raw.pointer(path).and_then(Value::as_str).map(str::to_owned);
    if let Some(refusal) = &response.error {
        return match text("/stop_reason").as_deref() {
            Some("refusal") => Finish::Refused(refusal.clone()),
            _ => Finish::Filtered(refusal.clone()),
        };
    }
    match response.finish_reason() {
        Some(FinishReason::Length) => Finish::Length,
        Some(FinishReason::ContentFilter) => {
            Finish::Filtered(text("/candidates/0/finishReason").unwrap_or_else(|| "content_filter".to_owned()))
        }
        // Gemini has many reasons to hold a reply back, such as RECITATION.
        Some(FinishReason::Other(reason)) if response.choice.is_empty() => Finish::Filtered(reason.clone()),
        _ => Finish::Stop,
    }
}

/// What rig says of a response, without the response.
fn told(error: ProviderError) -> String {
    match error {
        ProviderError::Truncated => "it breaks off".to_owned(),
        error => error.to_string(),
    }
}

/// Takes the request that would be sent, and sends none.
#[derive(Clone, Default)]
struct Caught(Arc<Mutex<Option<Encoded>>>);

impl<W: rig_core::wire::Wire<Payload = Encoded, Frame = WireFrame>> Transport<W> for Caught {
    fn send(&self, payload: Encoded, _: Exchange) -> Opening<WireFrame> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(payload);
        Opening::failed(ProviderError::Truncated)
    }
}

/// A response that is there already.
#[derive(Clone)]
struct Canned(Arc<Value>);

impl<W: rig_core::wire::Wire<Payload = Encoded, Frame = WireFrame>> Transport<W> for Canned {
    fn send(&self, _: Encoded, _: Exchange) -> Opening<WireFrame> {
        let frame = WireFrame::Text(self.0.to_string());
        Opening::ready(Opened::new(stream::once(ready(Ok(frame)))))
    }
}

#[cfg(test)]
mod tests;
