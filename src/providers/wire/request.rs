//! The body of a request, written straight from the borrowed request.

use super::messages::messages;
use crate::domain::{ToolCall, ToolDefinition};
use crate::llm::{ChatRequest, Message, Parameters, ReplySchema, Role};
use crate::providers::AgentOptions;
use crate::providers::form::{Field, Form, Format, OLD_LIMIT};
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use xxhash_rust::xxh3::xxh3_128;

/// What an agent's settings put into every body.
#[derive(Debug)]
pub(in crate::providers) struct Preset {
    /// Model name, sent unchanged.
    pub(in crate::providers) model: String,
    pub(super) temperature: Option<f64>,
    pub(super) max_tokens: Option<u64>,
    pub(super) top_p: Option<f64>,
    pub(super) extra: Map<String, Value>,
    extra_beside_tools: Map<String, Value>,
}

impl Preset {
    /// What of it says how to sample.
    pub(in crate::providers) fn parameters(&self) -> Parameters {
        Parameters { temperature: self.temperature, top_p: self.top_p, max_tokens: self.max_tokens }
    }

    /// Takes over the settings, without the extra fields that explicit ones override.
    pub(in crate::providers) fn new(options: &AgentOptions, model: &str) -> Self {
        let overridden = |key: &str| match key {
            "model" | "messages" | "response_format" => true,
            "temperature" => options.temperature.is_some(),
            "max_tokens" | "max_completion_tokens" => options.max_tokens.is_some(),
            "top_p" => options.top_p.is_some(),
            "service_tier" | "serviceTier" => !options.tiers.is_empty(),
            _ => false,
        };
        let mut extra = options.extra.clone();
        extra.retain(|key, _| !overridden(key));
        let mut extra_beside_tools = extra.clone();
        extra_beside_tools.retain(|key, _| !matches!(key.as_str(), "tools" | "tool_choice"));
        Self {
            model: model.to_owned(),
            temperature: options.temperature,
            max_tokens: options.max_tokens,
            top_p: options.top_p,
            extra,
            extra_beside_tools,
        }
    }
}

/// Longest `prompt_cache_key` that OpenAI takes, in bytes.
const CACHE_KEY_BYTES: usize = 64;

/// The body of a request in this form, as JSON.
///
/// # Errors
/// When a value can't be written as JSON.
pub(in crate::providers) fn body(preset: &Preset, request: &ChatRequest, form: &Form) -> serde_json::Result<Vec<u8>> {
    let tools: &[ToolDefinition] = if form.tools { &request.tools } else { &[] };
    let extra = if request.tools.is_empty() { &preset.extra } else { &preset.extra_beside_tools };
    let (extra, messages) = (form.of(extra), messages(request, form));
    let named = |message| WireMessage::named(message, form.has(Field::Name));
    let body = Body {
        extra: &extra,
        model: &preset.model,
        messages: messages.iter().map(|message| named(&**message)).collect(),
        temperature: preset.temperature.filter(|_| form.has(Field::Temperature)),
        max_tokens: preset.max_tokens.filter(|_| form.limit == OLD_LIMIT),
        max_completion_tokens: preset.max_tokens.filter(|_| form.limit != OLD_LIMIT),
        top_p: preset.top_p.filter(|_| form.has(Field::TopP)),
        tools: tools.iter().map(|function| Tool { kind: "function", function }).collect(),
        tool_choice: (!tools.is_empty()).then_some("auto"),
        prompt_cache_key: Some(cache_key(&request.conversation))
            .filter(|key| form.has(Field::CacheKey) && !key.is_empty() && !extra.contains_key(Field::CacheKey.name())),
        response_format: ResponseFormat::of(form.format, &request.schema),
        service_tier: form.tier.map(|(_, name)| name),
    };
    let text: usize = messages.iter().map(|message| message.content.len()).sum();
    let mut bytes = Vec::with_capacity(text + text / 8 + 1024);
    serde_json::to_writer(&mut bytes, &body)?;
    Ok(bytes)
}

/// The conversation's identifier, or its digest where that is too long.
fn cache_key(conversation: &str) -> Cow<'_, str> {
    match conversation.len() {
        0..=CACHE_KEY_BYTES => Cow::Borrowed(conversation),
        _ => Cow::Owned(format!("{:032x}", xxh3_128(conversation.as_bytes()))),
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    extra: &'a Map<String, Value>,
    model: &'a str,
    messages: Vec<WireMessage<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
}

#[derive(Serialize)]
struct ResponseFormat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_schema: Option<NamedSchema<'a>>,
}

#[derive(Serialize)]
struct NamedSchema<'a> {
    name: &'static str,
    schema: &'a Value,
}

impl<'a> ResponseFormat<'a> {
    fn of(format: Format, reply: &'a ReplySchema) -> Option<Self> {
        let format = if reply.is_text() { Format::Text } else { format };
        let json_schema = (format == Format::Schema).then(|| NamedSchema { name: reply.name, schema: &reply.schema });
        format.kind().map(|kind| Self { kind, json_schema })
    }
}

#[derive(Serialize)]
struct Tool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: &'a ToolDefinition,
}

#[derive(Serialize)]
struct WireMessage<'a> {
    role: Role,
    content: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WireCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl<'a> WireMessage<'a> {
    /// The message, with the tool's name in the result of a call or without.
    fn named(message: &'a Message, with_name: bool) -> Self {
        Self {
            role: message.role,
            content: &message.content,
            tool_calls: message.tool_calls.iter().map(WireCall::from).collect(),
            tool_call_id: message.answers.as_ref().map(|(id, _)| id.as_str()),
            name: message.answers.as_ref().filter(|_| with_name).map(|(_, name)| name.as_str()),
        }
    }
}

#[derive(Serialize)]
struct WireCall<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: WireFunction<'a>,
}

#[derive(Serialize)]
struct WireFunction<'a> {
    name: &'a str,
    /// JSON text: the protocol has arguments as a string.
    arguments: String,
}

impl<'a> From<&'a ToolCall> for WireCall<'a> {
    fn from(call: &'a ToolCall) -> Self {
        let function = WireFunction { name: &call.name, arguments: call.arguments.to_string() };
        Self { id: &call.id, kind: "function", function }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::llm::Tier;
    use crate::providers::form::{FIELDS, NEW_LIMIT};
    use crate::providers::provider;
    use crate::providers::samples::{options, request};
    use serde_json::json;

    fn written(options: &AgentOptions, request: &ChatRequest, format: Format) -> (String, Value) {
        written_as(options, request, &Form { format, ..Form::WHOLE })
    }

    fn written_as(options: &AgentOptions, request: &ChatRequest, form: &Form) -> (String, Value) {
        let bytes = body(&Preset::new(options, &options.model), request, form).unwrap();
        let value = serde_json::from_slice(&bytes).unwrap();
        (String::from_utf8(bytes).unwrap(), value)
    }

    fn without(fields: &[Field]) -> [bool; FIELDS] {
        Field::ALL.map(|field| !fields.contains(&field))
    }

    fn search() -> ToolDefinition {
        ToolDefinition { name: "search".into(), description: "Finds.".into(), parameters: json!({"type": "object"}) }
    }

    #[test]
    fn a_plain_request_has_nothing_that_was_not_set() {
        let (options, request) = (options("http://127.0.0.1/v1"), request("Hi"));
        let told = r"Hi\n\nReply with one JSON object that fits this JSON Schema, and nothing else: null";
        for (format, content, field) in [
            (
                Format::Schema,
                "Hi",
                r#","response_format":{"type":"json_schema","json_schema":{"name":"any","schema":null}}"#,
            ),
            (Format::Json, told, r#","response_format":{"type":"json_object"}"#),
            (Format::Text, told, ""),
        ] {
            let expected = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{content}"}}]{field}}}"#);
            assert_eq!(written(&options, &request, format).0, expected, "the schema stands once");
        }
        let text = ChatRequest { schema: ReplySchema::text(), ..request };
        for format in [Format::Schema, Format::Json, Format::Text] {
            let written = written(&options, &text, format).0;
            assert_eq!(written, r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#, "no form at all");
        }
    }

    #[test]
    fn fields_that_are_not_taken_are_left_out() {
        let mut options = options("http://127.0.0.1/v1");
        (options.temperature, options.top_p, options.max_tokens) = (Some(0.5), Some(0.9), Some(7));
        let request = ChatRequest { tools: vec![search()], ..request("Hi") };
        let keys = |fields, tools, limit| {
            let form = Form { fields, tools, limit, ..Form::WHOLE };
            let (_, value) = written_as(&options, &request, &form);
            let keys = value.as_object().unwrap().keys().map(String::as_str).filter(|key| *key != "model");
            keys.map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        for (fields, tools, limit, expected) in [
            (
                [true; FIELDS],
                true,
                OLD_LIMIT,
                "messages temperature max_tokens top_p tools tool_choice prompt_cache_key response_format",
            ),
            (
                without(&[Field::Temperature, Field::CacheKey]),
                true,
                OLD_LIMIT,
                "messages max_tokens top_p tools tool_choice response_format",
            ),
            ([false; FIELDS], false, NEW_LIMIT, "messages max_completion_tokens response_format"),
        ] {
            assert_eq!(keys(fields, tools, limit), expected);
        }
        let longest = |form: &Form| written_as(&options, &request, form).0.len();
        let most = Form::LONGEST.iter().map(longest).max().unwrap();
        for (format, tools, system, limit) in [
            (Format::Schema, true, true, OLD_LIMIT),
            (Format::Json, true, false, NEW_LIMIT),
            (Format::Text, false, false, NEW_LIMIT),
        ] {
            for provider in provider::ALL {
                let tiers = provider.tiers.iter().copied().map(Some).chain([None]);
                for tier in tiers {
                    assert!(longest(&Form { format, tools, system, limit, fields: [true; FIELDS], tier }) <= most);
                }
            }
        }
    }

    #[test]
    fn settings_beside_the_fields_are_left_out_too() {
        let mut options = options("http://127.0.0.1/v1");
        options.extra = json!({"seed": 7, "top_k": 5, "prompt_cache_key": "mine"}).as_object().unwrap().clone();
        let mut request = request("Hi");
        let answers = Some(("c1".to_owned(), "search".to_owned()));
        request.messages_mut().push(Message { answers, ..Message::new(Role::Tool, "{}") });
        let sent = |fields| written_as(&options, &request, &Form { fields, ..Form::WHOLE }).1;
        let whole = sent(without(&[Field::CacheKey]));
        assert_eq!(
            (&whole["seed"], &whole["top_k"], &whole["prompt_cache_key"]),
            (&json!(7), &json!(5), &json!("mine"))
        );
        assert_eq!(whole["messages"][1]["name"], "search");
        let least = sent(without(&[Field::Seed, Field::Name]));
        assert_eq!((least.get("seed"), &least["top_k"], least["messages"][1].get("name")), (None, &json!(5), None));
    }

    #[test]
    fn the_tier_is_sent_and_makes_no_other_question() {
        let mut options = options("http://127.0.0.1/v1");
        let request = request("Hi");
        let tier = Some((Tier::Standard, "on_demand"));
        let (_, value) = written_as(&options, &request, &Form { tier, ..Form::WHOLE });
        assert_eq!(value["service_tier"], "on_demand");
        let plain = written(&options, &request, Format::Schema);
        options.tiers = &[Tier::Flex, Tier::Standard];
        assert_eq!(written(&options, &request, Format::Schema), plain);
        // A field of that name in `extra` is sent as it is, unless a tier is asked for.
        options.extra.insert("service_tier".into(), "mine".into());
        let (text, value) = written_as(&options, &request, &Form { tier, ..Form::WHOLE });
        assert_eq!((&value["service_tier"], text.matches("service_tier").count()), (&json!("on_demand"), 1));
        options.tiers = &[];
        assert_eq!(written(&options, &request, Format::Schema).1["service_tier"], "mine");
    }

    #[test]
    fn a_conversation_is_named_where_the_field_is_known() {
        let mut options = options("http://127.0.0.1/v1");
        let mut request = request("Hi");
        let form = Form { fields: [true; FIELDS], ..Form::WHOLE };
        for (conversation, expected) in [("", Value::Null), ("run-en-7", json!("run-en-7"))] {
            request.conversation = conversation.into();
            assert_eq!(written_as(&options, &request, &form).1["prompt_cache_key"], expected);
            assert_eq!(written_as(&options, &request, &Form::WHOLE).1["prompt_cache_key"], Value::Null);
        }
        request.conversation = "x".repeat(65).into();
        let (_, value) = written_as(&options, &request, &form);
        assert_eq!(value["prompt_cache_key"].as_str().map(str::len), Some(32), "{value}");
        options.extra.insert("prompt_cache_key".into(), "mine".into());
        let (text, value) = written_as(&options, &request, &form);
        assert_eq!((&value["prompt_cache_key"], text.matches("prompt_cache_key").count()), (&json!("mine"), 1));
    }

    #[test]
    fn explicit_fields_win_over_extra_ones() {
        let mut options = options("http://127.0.0.1/v1");
        options.extra = json!({
            "seed": 7, "model": "x", "messages": [], "response_format": 1, "temperature": 2.0, "top_p": 0.1,
            "max_tokens": 1, "tools": ["x"], "tool_choice": "none",
        })
        .as_object()
        .unwrap()
        .clone();
        (options.temperature, options.max_tokens) = (Some(0.5), Some(900));
        let mut request = request("Hi");
        let (_, value) = written(&options, &request, Format::Text);
        let told = "Hi\n\nReply with one JSON object that fits this JSON Schema, and nothing else: null";
        let messages = json!([{"role": "user", "content": told}]);
        let expected = json!({
            "seed": 7, "top_p": 0.1, "tools": ["x"], "tool_choice": "none", "model": "m", "messages": messages,
            "temperature": 0.5, "max_tokens": 900,
        });
        assert_eq!(value, expected);

        request.tools = vec![search()];
        let (text, value) = written(&options, &request, Format::Json);
        assert_eq!(value["tool_choice"], "auto");
        assert_eq!(value["tools"], json!([{"type": "function", "function": search()}]));
        for key in ["model", "tools", "tool_choice", "temperature", "response_format"] {
            assert_eq!(text.matches(&format!("\"{key}\":")).count(), 1, "{key} is written once: {text}");
        }
    }

    #[test]
    fn a_tool_loop_is_written_as_the_protocol_has_it() {
        let mut request = request("Hi");
        let call = ToolCall { id: "c1".into(), name: "search".into(), arguments: json!({"query": "a \"b\""}) };
        request.messages_mut().push(Message { tool_calls: vec![call], ..Message::new(Role::Assistant, "") });
        let answers = Some(("c1".to_owned(), "search".to_owned()));
        request.messages_mut().push(Message { answers, ..Message::new(Role::Tool, "{}") });
        let (_, value) = written(&options("http://127.0.0.1/v1"), &request, Format::Schema);
        let function = json!({"name": "search", "arguments": r#"{"query":"a \"b\""}"#});
        let expected = json!([
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "type": "function", "function": function}]},
            {"role": "tool", "content": "{}", "tool_call_id": "c1", "name": "search"},
        ]);
        assert_eq!(value["messages"], expected);
    }
}
