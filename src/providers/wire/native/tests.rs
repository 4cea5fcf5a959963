//! What goes over the wire to Anthropic and to Gemini, and what is read of their responses.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::domain::ToolDefinition as Tool;
use crate::llm::{ReplySchema, Tier};
use crate::providers::form::FIELDS;
use crate::providers::{AgentOptions, samples};

const ANTHROPIC: Protocol = Protocol::Messages;
const GEMINI: Protocol = Protocol::GenerateContent;

/// How a question goes on where no field tells the schema.
const TOLD: &str =
    "What is tea?\n\nReply with one JSON object that fits this JSON Schema, and nothing else: {\"type\":";

fn agent() -> AgentOptions {
    AgentOptions { temperature: Some(0.5), max_tokens: Some(99), top_p: Some(0.9), ..samples::options("") }
}

fn wire(protocol: Protocol, agent: &AgentOptions) -> Box<dyn Wire> {
    native(protocol, &"http://127.0.0.1:1".parse().unwrap(), &Arc::new(Preset::new(agent, "model-x"))).unwrap()
}

fn request() -> ChatRequest {
    let mut request = samples::request("What is tea?");
    request.messages_mut().insert(0, Message::new(Role::System, "Be brief."));
    let properties = json!({"text": {"type": "string"}});
    let schema =
        json!({"type": "object", "properties": properties, "required": ["text"], "additionalProperties": false});
    request.schema = ReplySchema { name: "answer", schema: Arc::new(schema) };
    request
}

fn with_tool() -> ChatRequest {
    let parameters = json!({"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]});
    let tool = Tool { name: "search".into(), description: "Finds.".into(), parameters };
    ChatRequest { tools: vec![tool], ..request() }
}

fn form(format: Format) -> Form {
    Form { format, ..Form::WHOLE }
}

fn sent(protocol: Protocol, agent: &AgentOptions, request: &ChatRequest, format: Format) -> (Outgoing, Value) {
    let outgoing = wire(protocol, agent).outgoing(request, &form(format)).unwrap();
    let mut body: Value = serde_json::from_slice(&outgoing.body).unwrap();
    // Fields that are there and say nothing.
    body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    (outgoing, body)
}

fn read(protocol: Protocol, request: &ChatRequest, body: &Value) -> Result<ChatReply, String> {
    wire(protocol, &agent()).reply(body.to_string().as_bytes(), request, &"p/m".into())
}

/// The reply's calls carried out, as stages do it.
fn continued(mut request: ChatRequest, reply: &ChatReply) -> ChatRequest {
    let mut asked = Message::new(Role::Assistant, reply.text.clone());
    (asked.tool_calls, asked.provider_state) = (reply.tool_calls.clone(), reply.provider_state.clone());
    request.messages_mut().push(asked);
    for call in &reply.tool_calls {
        let mut result = Message::new(Role::Tool, format!("found {}", call.arguments["query"]));
        result.answers = Some((call.id.clone(), call.name.clone()));
        request.messages_mut().push(result);
    }
    request
}

#[test]
fn anthropic_is_asked_in_its_protocol() {
    let mut agent = agent();
    agent.extra = json!({"metadata": {"user_id": "u"}}).as_object().unwrap().clone();
    let (outgoing, body) = sent(ANTHROPIC, &agent, &with_tool(), Format::Schema);
    assert_eq!(outgoing.url.as_str(), "http://127.0.0.1:1/v1/messages");
    assert_eq!((&outgoing.headers["anthropic-version"], outgoing.headers.len()), (&"2023-06-01".parse().unwrap(), 2));
    assert_eq!(outgoing.headers["content-type"], "application/json");
    let expected = json!({
        "model": "model-x",
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "What is tea?"}]}],
        "max_tokens": 99,
        "temperature": 0.5,
        "top_p": 0.9,
        "tools": [{
            "name": "search",
            "description": "Finds.",
            "input_schema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
        }],
        "output_config": {"format": {"type": "json_schema", "schema": {
            "type": "object",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
            "additionalProperties": false,
        }}},
        "metadata": {"user_id": "u"},
    });
    assert_eq!(body, expected);
    // Without a longest reply there is one all the same, and without a schema none is sent.
    let plain = AgentOptions { max_tokens: None, temperature: None, top_p: None, ..samples::options("") };
    let (_, body) = sent(ANTHROPIC, &plain, &request(), Format::Text);
    let keys: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!((keys, &body["max_tokens"]), (vec!["model", "messages", "max_tokens", "system"], &json!(4096)));
    assert!(body["messages"][0]["content"][0]["text"].as_str().unwrap().starts_with(TOLD), "{body}");
}

#[test]
fn gemini_is_asked_in_its_protocol() {
    let mut agent = agent();
    agent.extra =
        json!({"generationConfig": {"thinkingConfig": {"includeThoughts": true}}}).as_object().unwrap().clone();
    let (outgoing, body) = sent(GEMINI, &agent, &with_tool(), Format::Schema);
    assert_eq!(outgoing.url.as_str(), "http://127.0.0.1:1/v1beta/models/model-x:generateContent");
    assert!(outgoing.headers.keys().all(|name| name == "content-type"), "{:?}", outgoing.headers);
    assert_eq!(body["systemInstruction"]["parts"], json!([{"text": "Be brief.", "thought": false}]));
    assert_eq!(body["contents"], json!([{"role": "user", "parts": [{"text": "What is tea?", "thought": false}]}]));
    let config = &body["generationConfig"];
    assert_eq!(
        (&config["temperature"], &config["maxOutputTokens"], &config["topP"]),
        (&json!(0.5), &json!(99), &json!(0.9))
    );
    assert_eq!(config["responseMimeType"], "application/json");
    assert_eq!(config["responseJsonSchema"]["required"], json!(["text"]));
    assert_eq!(config["thinkingConfig"], json!({"includeThoughts": true}));
    let declaration = &body["tools"][0]["functionDeclarations"][0];
    assert_eq!((&declaration["name"], &declaration["description"]), (&json!("search"), &json!("Finds.")));
    let (_, body) = sent(GEMINI, &agent, &request(), Format::Json);
    assert_eq!(body["generationConfig"]["responseMimeType"], "application/json");
    assert!(body["generationConfig"].get("responseJsonSchema").is_none());
    assert!(body["contents"][0]["parts"][0]["text"].as_str().unwrap().starts_with(TOLD), "{body}");
    let mut greedy = agent.clone();
    greedy.extra = json!({"generationConfig": {"maxOutputTokens": 9999}}).as_object().unwrap().clone();
    let (_, body) = sent(GEMINI, &greedy, &request(), Format::Text);
    assert_eq!(body["generationConfig"]["maxOutputTokens"], 99, "explicit settings win");
    let base = "http://127.0.0.1:1/v1beta?token=t".parse().unwrap();
    let wire = native(GEMINI, &base, &Arc::new(Preset::new(&agent, "m"))).unwrap();
    let url = wire.outgoing(&request(), &form(Format::Text)).unwrap().url;
    assert_eq!(url.as_str(), "http://127.0.0.1:1/v1beta/models/m:generateContent?token=t");
}

#[test]
fn gemini_is_told_the_tier() {
    let tier = Some((Tier::Flex, "flex"));
    let outgoing = wire(GEMINI, &agent()).outgoing(&request(), &Form { tier, ..form(Format::Schema) }).unwrap();
    let body: Value = serde_json::from_slice(&outgoing.body).unwrap();
    assert_eq!(body["serviceTier"], "flex", "{body}");
    assert_eq!(body["generationConfig"].get("serviceTier"), None);
}

#[test]
fn both_have_their_addresses() {
    for (name, expected) in [
        ("anthropic", "https://api.anthropic.com/v1/messages"),
        ("gemini", "https://generativelanguage.googleapis.com/v1beta/models/m:generateContent"),
    ] {
        let provider = crate::providers::Provider::named(name).unwrap();
        let base = provider.base_url.unwrap().parse().unwrap();
        let wire = native(provider.protocol, &base, &Arc::new(Preset::new(&agent(), "m"))).unwrap();
        assert_eq!(wire.outgoing(&request(), &form(Format::Text)).unwrap().url.as_str(), expected);
    }
}

#[test]
fn anthropic_replies_are_read() {
    let body = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
        "content": [
            {"type": "thinking", "thinking": "Leaves.", "signature": "c2ln"},
            {"type": "text", "text": "{\"text\": \"A \"}"},
        ],
        "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": 10, "output_tokens": 7, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 3},
    });
    let reply = read(ANTHROPIC, &request(), &body).unwrap();
    assert_eq!((reply.text.as_str(), reply.reasoning.as_deref()), ("{\"text\": \"A \"}", Some("Leaves.")));
    let usage = Usage {
        prompt_tokens: Some(17),
        completion_tokens: Some(7),
        cached_tokens: Some(4),
        cache_write_tokens: Some(3),
        reasoning_tokens: reply.usage.reasoning_tokens,
        ..Usage::default()
    };
    assert_eq!((reply.usage, reply.finish, &*reply.model), (usage, Finish::Stop, "p/m"));
    assert_eq!((reply.raw, reply.provider_state), (body, None));
}

#[test]
fn anthropic_s_calls_go_back_with_their_results_and_signed_thoughts() {
    let call =
        |id: &str, query: &str| json!({"type": "tool_use", "id": id, "name": "search", "input": {"query": query}});
    let body = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "model-x",
        "content": [
            {"type": "thinking", "thinking": "Look.", "signature": "c2ln"},
            {"type": "text", "text": "Looking."},
            call("toolu_1", "tea"),
            call("toolu_2", "leaf"),
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 10, "output_tokens": 7},
    });
    let reply = read(ANTHROPIC, &with_tool(), &body).unwrap();
    let calls: Vec<_> = reply.tool_calls.iter().map(|call| (call.id.as_str(), &call.arguments["query"])).collect();
    assert_eq!(calls, [("toolu_1", &json!("tea")), ("toolu_2", &json!("leaf"))]);
    // As the journal keeps it.
    let reply = serde_json::from_str(&serde_json::to_string(&reply).unwrap()).unwrap();
    let (_, body) = sent(ANTHROPIC, &agent(), &continued(with_tool(), &reply), Format::Schema);
    let kinds = |at: usize| -> Vec<String> {
        let content = body["messages"][at]["content"].as_array().unwrap();
        content.iter().map(|block| block["type"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(body["messages"].as_array().unwrap().len(), 3);
    assert_eq!(kinds(1), ["thinking", "text", "tool_use", "tool_use"]);
    assert_eq!(body["messages"][1]["content"][0]["signature"], "c2ln");
    // What was said before the last message is kept in the cache, and so is the system text.
    let ends: Vec<Value> = marks(&body);
    assert_eq!(ends, [json!("Be brief."), json!("toolu_2")]);
    assert_eq!(kinds(2), ["tool_result", "tool_result"], "results of calls made together go together");
    assert_eq!(body["messages"][2]["content"][1]["tool_use_id"], "toolu_2");
}

/// Texts or ids of the blocks that bear a mark.
fn marks(body: &Value) -> Vec<Value> {
    let messages =
        body["messages"].as_array().unwrap().iter().flat_map(|message| message["content"].as_array().unwrap());
    let blocks = body["system"].as_array().unwrap().iter().chain(messages);
    let marked = blocks.filter(|block| block["cache_control"] == json!({"type": "ephemeral"}));
    marked.map(|block| block.get("text").unwrap_or(&block["id"]).clone()).collect()
}

#[test]
fn anthropic_is_told_up_to_where_a_prompt_stays_the_same() {
    let mut request = request();
    assert_eq!(marks(&sent(ANTHROPIC, &agent(), &request, Format::Schema).1), [json!("Be brief.")]);
    for (role, text) in
        [(Role::Assistant, "Leaves."), (Role::User, "Which?"), (Role::Assistant, "Green."), (Role::User, "Why?")]
    {
        request.messages_mut().push(Message::new(role, text));
    }
    assert_eq!(marks(&sent(ANTHROPIC, &agent(), &request, Format::Schema).1), [json!("Be brief."), json!("Green.")]);
    for (block, expected) in [
        (json!({"type": "thinking", "thinking": "Hm."}), json!(null)),
        (json!({"type": "text", "text": ""}), json!(null)),
        (json!({"type": "text", "text": "a"}), json!({"type": "ephemeral"})),
        (json!({"type": "text", "text": "a", "cache_control": 1}), json!(1)),
    ] {
        let body = json!({"messages": [{"content": [block]}, {"content": "last"}]}).to_string();
        let marked: Value = serde_json::from_slice(&with_cache_marks(body.as_bytes()).unwrap()).unwrap();
        assert_eq!(marked["messages"][0]["content"][0]["cache_control"], expected, "{block}");
    }
}

#[test]
fn tools_and_settings_that_are_not_taken_are_not_sent() {
    let form = Form { tools: false, system: false, fields: [false; FIELDS], ..Form::WHOLE };
    for (protocol, tools) in [(ANTHROPIC, "tools"), (GEMINI, "tools")] {
        let body = wire(protocol, &agent()).outgoing(&with_tool(), &form).unwrap().body;
        let body: Value = serde_json::from_slice(&body).unwrap();
        let text = body.to_string();
        assert!(body[tools].as_array().is_none_or(Vec::is_empty), "{body}");
        assert!(
            !text.contains("0.9") && !text.contains("0.5") && text.contains("Be brief.\\n\\nWhat is tea?"),
            "{body}"
        );
    }
}

#[test]
fn gemini_replies_are_read() {
    let body = json!({
        "candidates": [{
            "content": {"role": "model", "parts": [
                {"text": "Leaves.", "thought": true},
                {"text": "{\"text\": "},
                {"text": "\"A\"}"},
            ]},
            "finishReason": "STOP", "index": 0,
        }],
        "usageMetadata": {
            "promptTokenCount": 10, "candidatesTokenCount": 7, "thoughtsTokenCount": 5, "cachedContentTokenCount": 3,
            "totalTokenCount": 22,
        },
        "modelVersion": "model-x", "responseId": "r1",
    });
    let reply = read(GEMINI, &request(), &body).unwrap();
    assert_eq!((reply.text.as_str(), reply.reasoning.as_deref()), ("{\"text\": \"A\"}", Some("Leaves.")));
    let usage = Usage {
        prompt_tokens: Some(10),
        completion_tokens: Some(12),
        cached_tokens: Some(3),
        cache_write_tokens: None,
        reasoning_tokens: Some(5),
        ..Usage::default()
    };
    assert_eq!((reply.usage, reply.finish), (usage, Finish::Stop));
    assert_eq!(reply.raw, body);
}

#[test]
fn gemini_s_calls_have_ids_that_are_the_same_every_time_and_keep_their_signatures() {
    let call = |query: &str| json!({"functionCall": {"name": "search", "args": {"query": query}}});
    let mut first = call("tea");
    first["thoughtSignature"] = json!("c2ln");
    let body = json!({
        "candidates": [{
            "content": {"role": "model", "parts": [first, call("leaf")]}, "finishReason": "STOP", "index": 0,
        }],
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 7, "totalTokenCount": 17},
        "modelVersion": "model-x",
    });
    let reply = read(GEMINI, &with_tool(), &body).unwrap();
    let ids: Vec<&str> = reply.tool_calls.iter().map(|call| call.id.as_str()).collect();
    assert_eq!(ids, ["c00000001", "c00000002"]);
    let request = continued(with_tool(), &reply);
    let (_, sent) = sent(GEMINI, &agent(), &request, Format::Schema);
    let contents = sent["contents"].as_array().unwrap();
    assert_eq!(contents.len(), 3);
    assert_eq!(contents[1]["parts"][0]["thoughtSignature"], "c2ln");
    assert_eq!(contents[1]["parts"][1]["functionCall"]["args"], json!({"query": "leaf"}));
    let results: Vec<&Value> =
        contents[2]["parts"].as_array().unwrap().iter().map(|part| &part["functionResponse"]["name"]).collect();
    assert_eq!(results, ["search", "search"]);
    // The next round's calls get ids of their own.
    let again = read(GEMINI, &request, &body).unwrap();
    assert_eq!(again.tool_calls[0].id, "c00000003");
}

#[test]
fn endings_are_told_apart() {
    let anthropic = |reason: &str, text: &str| {
        json!({
            "id": "m", "type": "message", "role": "assistant", "model": "model-x",
            "content": if text.is_empty() { json!([]) } else { json!([{"type": "text", "text": text}]) },
            "stop_reason": reason, "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1},
        })
    };
    let gemini = |reason: &str, text: &str| {
        let content = if text.is_empty() { json!({}) } else { json!({"role": "model", "parts": [{"text": text}]}) };
        json!({"candidates": [{"content": content, "finishReason": reason, "index": 0}],
            "usageMetadata": {"promptTokenCount": 1, "totalTokenCount": 1}})
    };
    let blocked =
        json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 1}});
    for (protocol, body, expected) in [
        (ANTHROPIC, anthropic("end_turn", "x"), Finish::Stop),
        (ANTHROPIC, anthropic("max_tokens", "x"), Finish::Length),
        (ANTHROPIC, anthropic("end_turn", ""), Finish::Stop),
        (GEMINI, gemini("STOP", "x"), Finish::Stop),
        (GEMINI, gemini("MAX_TOKENS", ""), Finish::Length),
        (GEMINI, gemini("SAFETY", ""), Finish::Filtered("SAFETY".into())),
        (GEMINI, gemini("RECITATION", ""), Finish::Filtered("RECITATION".into())),
        (GEMINI, blocked, Finish::Filtered("PROHIBITED_CONTENT".into())),
    ] {
        assert_eq!(read(protocol, &request(), &body).unwrap().finish, expected, "{body}");
    }
    for slip in ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"] {
        let error = read(GEMINI, &request(), &gemini(slip, "")).unwrap_err();
        assert_eq!(error, format!("it ends with finishReason {slip}"), "a slip, and no filter");
    }
    let refused = read(ANTHROPIC, &request(), &anthropic("refusal", "I won't.")).unwrap();
    assert!(matches!(refused.finish, Finish::Refused(_)), "{:?}", refused.finish);
}

#[test]
fn what_is_no_reply_is_told() {
    for protocol in [ANTHROPIC, GEMINI] {
        for body in ["{\"a\"", "[]", "{}", "{\"error\": {\"message\": \"busy\"}}", "<html>", ""] {
            let told = wire(protocol, &agent()).reply(body.as_bytes(), &request(), &"m".into()).unwrap_err();
            assert!(!told.is_empty(), "{body}");
        }
    }
}

#[test]
fn counts_of_tokens_that_can_not_be_are_unknown() {
    let anthropic = |usage: Value| {
        json!({"id": "m", "type": "message", "role": "assistant", "model": "x", "stop_reason": "end_turn",
            "stop_sequence": null, "content": [{"type": "text", "text": "a"}], "usage": usage})
    };
    let gemini = |usage: Value| {
        let content = json!({"role": "model", "parts": [{"text": "a"}]});
        json!({"candidates": [{"content": content, "finishReason": "STOP", "index": 0}], "usageMetadata": usage})
    };
    for odd in [json!(9_223_372_036_854_775_808_u64), json!(-1), json!(1.5)] {
        for (protocol, body) in [
            (ANTHROPIC, anthropic(json!({"input_tokens": odd, "output_tokens": 2}))),
            (GEMINI, gemini(json!({"promptTokenCount": odd, "candidatesTokenCount": 2, "totalTokenCount": 9}))),
        ] {
            let reply = read(protocol, &request(), &body).unwrap();
            assert_eq!((reply.text.as_str(), reply.usage, reply.raw), ("a", Usage::default(), body));
        }
    }
}
