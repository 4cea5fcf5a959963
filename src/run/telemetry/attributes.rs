//! What spans and metrics say of calls, by the names of OpenTelemetry's conventions for generative AI, which are in development: no
//! crate has them as constants. What they have no name for begins with `dlgforge.`.

use crate::domain::{ToolCall, ToolDefinition};
use crate::llm::{CallEnd, ChatReply, Event, Finish, Message, ModelError};
use opentelemetry::{Array, KeyValue, StringValue, Value};
use serde_json::json;
use std::borrow::Cow;

pub(super) const OPERATION: &str = "gen_ai.operation.name";
pub(super) const CONVERSATION: &str = "gen_ai.conversation.id";
pub(super) const WORKFLOW: &str = "gen_ai.workflow.name";
pub(super) const TOKEN_TYPE: &str = "gen_ai.token.type";
pub(super) const ERROR: &str = "error.type";

/// What metrics and spans say alike of a call.
pub(super) fn of_call(event: &Event, end: &CallEnd) -> Vec<KeyValue> {
    let mut all = vec![
        KeyValue::new(OPERATION, "chat"),
        KeyValue::new("gen_ai.provider.name", provider(end.provider)),
        KeyValue::new("gen_ai.request.model", event.model.to_string()),
        KeyValue::new("gen_ai.agent.name", event.agent.as_str()),
    ];
    if let Some((host, port)) = &end.server {
        all.push(KeyValue::new("server.address", host.to_string()));
        all.push(KeyValue::new("server.port", i64::from(*port)));
    }
    match &end.outcome {
        Ok(_) => all.extend(end.response_model.clone().map(|model| KeyValue::new("gen_ai.response.model", model))),
        Err(error) => all.push(KeyValue::new(ERROR, error_type(error))),
    }
    all
}

/// What only spans say of a call.
pub(super) fn of_span(event: &Event, end: &CallEnd, content: bool) -> Vec<KeyValue> {
    let CallEnd { request, outcome, parameters, failures, .. } = end;
    let place = request.place;
    let mut all = vec![
        KeyValue::new(CONVERSATION, event.conversation.to_string()),
        KeyValue::new("gen_ai.output.type", if request.schema.is_text() { "text" } else { "json" }),
        KeyValue::new("dlgforge.turn", i64::from(place.turn.0)),
        KeyValue::new("dlgforge.attempt", i64::from(place.attempt.0)),
        KeyValue::new("dlgforge.round", i64::from(place.round)),
        KeyValue::new("dlgforge.failed_requests", failures.len() as i64),
    ];
    let numbers = [
        ("gen_ai.request.temperature", parameters.temperature.map(Value::from)),
        ("gen_ai.request.top_p", parameters.top_p.map(Value::from)),
        ("gen_ai.request.max_tokens", parameters.max_tokens.map(whole)),
    ];
    all.extend(numbers.into_iter().filter_map(|(name, value)| Some(KeyValue::new(name, value?))));
    if content {
        let messages = request.messages.iter().map(message).collect::<Vec<_>>();
        all.push(KeyValue::new("gen_ai.input.messages", json!(messages).to_string()));
        if !request.tools.is_empty() {
            let tool = |tool: &ToolDefinition| {
                json!({
                    "type": "function", "name": tool.name, "description": tool.description, "parameters": tool.parameters,
                })
            };
            let tools = request.tools.iter().map(tool).collect::<Vec<_>>();
            all.push(KeyValue::new("gen_ai.tool.definitions", json!(tools).to_string()));
        }
    }
    if let Ok(reply) = outcome {
        all.extend(end.response_id.clone().map(|id| KeyValue::new("gen_ai.response.id", id)));
        all.extend(of_reply(reply));
        if content {
            all.push(KeyValue::new("gen_ai.output.messages", json!([output(reply)]).to_string()));
        }
    }
    all
}

fn of_reply(reply: &ChatReply) -> Vec<KeyValue> {
    let usage = &reply.usage;
    let reasons = Value::Array(Array::String(vec![StringValue::from(finish_reason(reply))]));
    let mut all = vec![KeyValue::new("gen_ai.response.finish_reasons", reasons)];
    let numbers = [
        ("gen_ai.usage.input_tokens", usage.prompt_tokens.map(whole)),
        ("gen_ai.usage.output_tokens", usage.completion_tokens.map(whole)),
        ("gen_ai.usage.cache_read.input_tokens", usage.cached_tokens.map(whole)),
        ("gen_ai.usage.reasoning.output_tokens", usage.reasoning_tokens.map(whole)),
        ("dlgforge.cost_usd", reply.cost_nanousd.map(|nanousd| Value::from(nanousd as f64 / 1e9))),
    ];
    all.extend(numbers.into_iter().filter_map(|(name, value)| Some(KeyValue::new(name, value?))));
    all
}

fn whole(number: u64) -> Value {
    Value::I64(i64::try_from(number).unwrap_or(i64::MAX))
}

/// The name that the conventions have for a provider.
fn provider(name: &'static str) -> &'static str {
    match name {
        "azure" => "azure.ai.openai",
        "gemini" => "gcp.gemini",
        "mistral" => "mistral_ai",
        "xai" => "x_ai",
        other => other,
    }
}

/// What a call failed of, as one of few words.
fn error_type(error: &ModelError) -> Cow<'static, str> {
    Cow::Borrowed(match error {
        ModelError::Refused { status, .. } => return Cow::Owned(status.to_string()),
        ModelError::Settings(_) => "settings",
        ModelError::Unreachable { .. } => "unreachable",
        ModelError::Malformed { .. } => "malformed",
        ModelError::Filtered { .. } => "content_filter",
        ModelError::Halted(_) | ModelError::Gone(_) => "halted",
        ModelError::Lost(_) | ModelError::Store(_) => "_OTHER",
    })
}

fn finish_reason(reply: &ChatReply) -> &'static str {
    match &reply.finish {
        Finish::Stop if !reply.tool_calls.is_empty() => "tool_call",
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::Refused(_) | Finish::Filtered(_) => "content_filter",
    }
}

fn tool_calls(calls: &[ToolCall]) -> impl Iterator<Item = serde_json::Value> {
    calls.iter().map(|call| json!({"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments}))
}

fn message(message: &Message) -> serde_json::Value {
    let Message { role, content, tool_calls: calls, answers, provider_state: _ } = message;
    let mut parts = Vec::new();
    match answers {
        Some((id, _)) => parts.push(json!({"type": "tool_call_response", "id": id, "response": content})),
        None if !content.is_empty() => parts.push(json!({"type": "text", "content": content})),
        None => {}
    }
    parts.extend(tool_calls(calls));
    json!({"role": role, "parts": parts})
}

fn output(reply: &ChatReply) -> serde_json::Value {
    let thoughts = reply.reasoning.iter().map(|text| json!({"type": "reasoning", "content": text}));
    let text = Some(&reply.text).filter(|text| !text.is_empty());
    let text = text.into_iter().map(|text| json!({"type": "text", "content": text}));
    let parts: Vec<_> = thoughts.chain(text).chain(tool_calls(&reply.tool_calls)).collect();
    json!({"role": "assistant", "parts": parts, "finish_reason": finish_reason(reply)})
}
