//! What endpoints can't do: learned from what they refuse, left out of the requests that follow, kept in the store.

use super::*;
use crate::domain::Agent;
use crate::llm::{ReplySchema, Role};
use crate::providers::Provider;
use crate::providers::provider::{COMPATIBLE, OPENAI};
use crate::store::{Fact, Sqlite, Store};

fn formats(server: &fake::Endpoint) -> Vec<String> {
    let kind = |body: &Value| body["response_format"]["type"].as_str().unwrap_or("none").to_owned();
    server.log().iter().map(kind).collect()
}

#[tokio::test]
async fn a_refused_format_is_remembered_by_all_agents_of_the_endpoint() {
    let server = fake::Endpoint::start(Behaviour::text_only());
    let shared = Shared::default();
    let user = hurried(&options(&server.base_url()), &shared);
    let judge = AgentOptions { agent: Agent::Judge, ..options(&format!("{}/", server.base_url())) };
    user.chat(&request("Hi")).await.unwrap();
    user.chat(&with_tools("Hi")).await.unwrap();
    hurried(&judge, &shared).chat(&request("Hi")).await.unwrap();
    assert_eq!(formats(&server), ["json_schema", "json_object", "none", "none", "none"]);
    let reading = shared.meter.read();
    assert_eq!((reading.calls, reading.retries, reading.failures), (3, 2, 0));

    let other = fake::Endpoint::start(Behaviour::dialogue(Latency::NONE));
    hurried(&options(&other.base_url()), &shared).chat(&request("Hi")).await.unwrap();
    assert_eq!(formats(&other), ["json_schema"]);
}

#[tokio::test]
async fn a_format_is_given_up_with_tools_only_where_tools_are_the_reason() {
    let server = fake::Endpoint::start(Behaviour::new(|request, _| {
        if request["tools"].is_array() && request["response_format"].is_object() {
            return Reply::error(400, "json mode cannot be combined with tool/function calling");
        }
        fake::dialogue::reply(request, Latency::NONE)
    }));
    let mut options = options(&server.base_url());
    options.endpoints[0].provider = &OPENAI;
    let endpoint = hurried(&options, &Shared::default());
    for request in [with_tools("Hi"), with_tools("Hi"), request("Hi")] {
        endpoint.chat(&request).await.unwrap();
    }
    assert_eq!(formats(&server), ["json_schema", "json_object", "none", "none", "json_schema"]);
}

/// Sends requests with tools to an endpoint that has this to say to them, and gives back the router, what it knows in the end
/// and the bodies that were sent.
async fn learned(
    provider: &'static Provider,
    count: usize,
    behaviour: Behaviour,
) -> (Vec<ChatReply>, Vec<Fact>, Vec<Value>) {
    let server = fake::Endpoint::start(behaviour);
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(folder.path()).unwrap());
    let shared = Shared::default();
    shared.open(&store, &"r".into()).unwrap();
    let mut options = AgentOptions { temperature: Some(0.5), top_p: Some(0.9), ..options(&server.base_url()) };
    options.endpoints[0].provider = provider;
    let router = hurried(&options, &shared);
    let mut replies = Vec::new();
    for number in 0..count {
        let mut request = with_tools(&format!("question {number}"));
        request.messages_mut().insert(0, Message::new(Role::System, "Be brief."));
        request.schema = ReplySchema::new("any", json!({"type": "object", "required": ["text"]}));
        let digest = router.digest(&request).unwrap();
        replies.push(router.chat(&request).await.unwrap());
        assert_eq!(router.digest(&request).unwrap(), digest, "what is learned makes no other question of it");
    }
    let facts = store.learned("r").unwrap();
    assert!(facts.iter().all(|fact| fact.endpoint == server.base_url()), "{facts:?}");
    (replies, facts, server.log())
}

/// An endpoint that says this to everything.
fn says(message: Value) -> Behaviour {
    Behaviour::new(move |_, _| Reply::json(200, &json!({"choices": [{"message": message, "finish_reason": "stop"}]})))
}

/// An endpoint that refuses requests with this field, and has an answer to the others.
fn refuses(field: &'static str, status: u16, body: Value) -> Behaviour {
    let answer = json!({"choices": [{"message": {"content": "{\"text\": \"a\"}"}}]});
    Behaviour::new(move |request, _| match field {
        "system" if request["messages"][0]["role"] != "system" => Reply::json(200, &answer),
        "system" => Reply::json(status, &body),
        field if request.get(field).is_none() => Reply::json(200, &answer),
        _ => Reply::json(status, &body),
    })
}

#[tokio::test]
async fn what_an_endpoint_refuses_is_left_out_at_once_and_from_then_on() {
    let extra =
        |field: &str| json!({"detail": [{"type": "extra_forbidden", "loc": ["body", field], "msg": "", "input": {}}]});
    let error = |message: &str| json!({"error": {"message": message, "code": 400}});
    let openai = |param: &str| json!({"error": {"message": "no", "param": param, "code": "unsupported_value"}});
    let parser = error("\"auto\" tool choice requires a tool call parser");
    for (provider, field, status, body, text) in [
        (&COMPATIBLE, "tools", 400, parser, "does not take tools; searches are made for it"),
        (&COMPATIBLE, "tools", 422, extra("tools"), "does not take tools; searches are made for it"),
        (
            &COMPATIBLE,
            "tools",
            500,
            error("tools param requires --jinja flag"),
            "does not take tools; searches are made for it",
        ),
        (
            &OPENAI,
            "response_format",
            422,
            extra("response_format"),
            "does not take response_format; it is asked for less",
        ),
        (
            &COMPATIBLE,
            "system",
            400,
            error("System role not supported"),
            "takes no system messages; user messages begin with their text",
        ),
        (&COMPATIBLE, "temperature", 400, openai("temperature"), "does not take temperature; it is left out"),
        (&COMPATIBLE, "top_p", 400, openai("top_p"), "does not take top_p; it is left out"),
        (
            &OPENAI,
            "prompt_cache_key",
            400,
            error("Unrecognized request argument supplied: prompt_cache_key"),
            "does not take prompt_cache_key; it is left out",
        ),
    ] {
        let (_, facts, sent) = learned(provider, 3, refuses(field, status, body)).await;
        assert_eq!(sent.len(), 4, "{field}: the first is sent again, the others once");
        let texts: Vec<&str> = facts.iter().map(|fact| fact.text.as_str()).collect();
        assert_eq!(texts, [format!("{text} (model m)")]);
        let (first, last) = (&sent[0], &sent[3]);
        match field {
            "tools" => {
                assert!(first.get("response_format").is_none() && first["tool_choice"] == "auto", "{first}");
                assert!(
                    last.get("tool_choice").is_none() && last["response_format"]["type"] == "json_schema",
                    "{last}"
                );
            }
            "system" => assert_eq!(last["messages"][0]["content"].as_str().unwrap().lines().next(), Some("Be brief.")),
            field => assert!(first.get(field).is_some() && last.get(field).is_none(), "{last}"),
        }
    }
}

#[tokio::test]
async fn tools_and_a_schema_go_apart() {
    let call = json!({"id": "c", "function": {"name": "vector_db_search", "arguments": "{}"}});
    for (provider, together) in [(&OPENAI, true), (&COMPATIBLE, false)] {
        let (replies, facts, sent) = learned(provider, 5, says(json!({"content": null, "tool_calls": [call]}))).await;
        assert!(replies.iter().all(|reply| reply.tool_calls.len() == 1) && facts.is_empty(), "{facts:?}");
        for body in sent {
            assert_eq!((body["tools"].is_array(), body.get("response_format").is_some()), (true, together), "{body}");
            assert_eq!(body["messages"][1]["content"].as_str().unwrap().contains("\"required\""), !together, "{body}");
            assert_eq!(body.get("prompt_cache_key"), together.then_some(&json!("c")));
        }
    }
}

#[tokio::test]
async fn tools_that_are_not_called_are_offered_three_times() {
    let (_, facts, sent) = learned(&COMPATIBLE, 5, says(json!({"content": "I would have to search."}))).await;
    let kinds: Vec<bool> = sent.iter().map(|body| body["tools"].is_array()).collect();
    assert_eq!(kinds, [true, true, true, false, false]);
    assert!(sent.iter().all(|body| body["tools"].is_array() != body["response_format"].is_object()), "{sent:?}");
    let expected = "does not call tools; searches are made for it (model m)";
    assert_eq!(facts.iter().map(|fact| fact.text.as_str()).collect::<Vec<_>>(), [expected]);
    // Answers without a search are answers.
    let (_, facts, sent) = learned(&COMPATIBLE, 5, says(json!({"content": "{\"text\": \"a\"}"}))).await;
    assert!(facts.is_empty() && sent.iter().all(|body| body["tools"].is_array()), "{facts:?}");
}

#[tokio::test]
async fn calls_in_the_text_are_calls() {
    let text = "<tool_call>{\"name\": \"vector_db_search\", \"arguments\": {\"query\": \"tea\"}}</tool_call>";
    let (replies, facts, sent) = learned(&COMPATIBLE, 5, says(json!({"content": text}))).await;
    for reply in replies {
        assert_eq!((reply.text.as_str(), reply.tool_calls.len()), ("", 1));
        assert_eq!(reply.tool_calls[0].arguments, json!({"query": "tea"}));
    }
    assert!(sent.iter().all(|body| body["tools"].is_array()), "they are offered on");
    let expected = "writes tool calls into its text; they are read from there (model m)";
    assert_eq!(facts.iter().map(|fact| fact.text.as_str()).collect::<Vec<_>>(), [expected]);
}

#[tokio::test]
async fn the_limit_of_tokens_gets_the_name_that_the_endpoint_wants() {
    let server = fake::Endpoint::start(Behaviour::new(|request, _| match request.get("max_tokens") {
        Some(_) => Reply::error(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
        None => fake::dialogue::reply(request, Latency::NONE),
    }));
    let limited = AgentOptions { max_tokens: Some(77), ..options(&server.base_url()) };
    let router = hurried(&limited, &Shared::default());
    let digest = router.digest(&request("Hi")).unwrap();
    router.chat(&request("Hi")).await.unwrap();
    router.chat(&request("Hi again")).await.unwrap();
    let limits: Vec<Value> = server.log().iter().map(|body| body["max_completion_tokens"].clone()).collect();
    assert_eq!(limits, [Value::Null, 77.into(), 77.into()]);
    assert_eq!(router.digest(&request("Hi")).unwrap(), digest, "what is learned makes no other question of it");
}

#[tokio::test]
async fn an_endpoint_that_refuses_every_format_fails() {
    let message = "'response_format.type' must be 'json_schema' or 'text'";
    let server = first(u64::MAX, move || Reply::error(400, message));
    let (outcome, counts) = call(&server, 3).await;
    assert!(outcome.unwrap_err().to_string().ends_with(message));
    assert_eq!(counts, [3, 2, 0, 1]);
}

#[tokio::test]
async fn settings_beside_the_fields_are_left_out_or_stop_the_run() {
    let refusing = |field: &'static str| {
        fake::Endpoint::start(Behaviour::new(move |request, _| match request.get(field) {
            Some(_) => Reply::error(400, &format!("Unrecognized request argument supplied: {field}")),
            None => fake::dialogue::reply(request, Latency::NONE),
        }))
    };
    let asked = async |server: &fake::Endpoint, field: &str| {
        let mut options = options(&server.base_url());
        options.extra.insert(field.into(), json!(1));
        hurried(&options, &Shared::default()).chat(&request("Hi")).await
    };
    for field in ["seed", "top_k", "min_p", "frequency_penalty"] {
        let server = refusing(field);
        assert!(asked(&server, field).await.is_ok() && server.requests() == 2, "{field}");
    }
    let server = refusing("guided_choice");
    let error = asked(&server, "guided_choice").await.unwrap_err();
    assert!(matches!(error, ModelError::Halted(_)), "{error:?}");
    let advice = "guided_choice; remove `guided_choice` from llm.agents.user.extra";
    assert!(error.to_string().ends_with(advice) && server.requests() == 1, "{error}");
}

/// What comes of so many calls at a time over these endpoints.
async fn over(endpoints: &[&fake::Endpoint], calls: u32) -> Vec<Result<(), ModelError>> {
    let urls = endpoints.iter().map(|one| endpoint(&one.base_url()));
    let options = AgentOptions { temperature: Some(0.5), endpoints: urls.collect(), ..options("") };
    let router = Arc::new(hurried(&options, &Shared::default()));
    let mut outcomes = Vec::new();
    for round in 0..calls / 4 {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..4 {
            let (router, request) = (router.clone(), with_tools(&format!("{round} {number}")));
            tasks.spawn(async move { router.chat(&request).await.map(drop) });
        }
        outcomes.extend(tasks.join_all().await);
    }
    outcomes
}

#[tokio::test]
async fn an_endpoint_that_refuses_what_another_takes_loses_the_traffic() {
    for (what, refusal) in [
        ("tools", Reply::error(400, "\"auto\" tool choice requires a tool call parser")),
        ("temperature", Reply::error(400, "Unsupported value: 'temperature' does not support 0.5")),
        ("messages", Reply::error(400, "no")),
        ("messages", Reply::error(422, "no")),
    ] {
        let bad = fake::Endpoint::start(Behaviour::new(move |request, _| match request.get(what) {
            Some(_) => refusal.clone(),
            None => fake::dialogue::reply(request, Latency::NONE),
        }));
        let good = fake::Endpoint::start(Behaviour::dialogue(Latency { median_ms: 3.0, sigma: 0.1, seed: 1 }));
        let outcomes = over(&[&bad, &good], 200).await;
        assert!(outcomes.iter().all(Result::is_ok), "{what}: {outcomes:?}");
        assert_eq!(good.requests(), 200, "{what}: nothing is left out of a request while it can be whole");
        assert!(good.log().iter().all(|body| body["tools"].is_array() && body["temperature"] == 0.5), "{what}");
        assert!(bad.requests() <= 4, "{what}: {}", bad.requests());
    }
}

#[tokio::test]
async fn an_endpoint_that_refuses_everything_stops_the_run_in_its_words() {
    let bad = fake::Endpoint::start(Behaviour::status(400, &[]));
    let outcomes = over(&[&bad], 8).await;
    let is_halted = |outcome: &Result<_, _>| matches!(outcome, Err(ModelError::Halted(_)));
    assert!(outcomes.iter().all(is_halted), "no request is to blame: {outcomes:?}");
    assert!(format!("{outcomes:?}").contains("HTTP 400: no, said the endpoint"), "{outcomes:?}");
    assert_eq!(bad.requests(), 4);
    let other = fake::Endpoint::start(Behaviour::status(422, &[]));
    assert!(over(&[&bad, &other], 8).await.iter().all(is_halted));
    assert!(bad.requests() + other.requests() <= 12);
}
