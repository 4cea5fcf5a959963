//! Models over HTTP against fake endpoints: every rule of patience, of formats, of failing over, and of what must stay secret.

#![expect(clippy::unwrap_used, reason = "tests")]

mod learned;
mod tiers;

use super::super::endpoint::BODY_LIMIT;
use super::*;
use crate::domain::{Agent, JudgeReply, ToolDefinition};
use crate::llm::{Message, Prices, Role, Usage};
use crate::providers::samples::{endpoint, fake, options, request};
use crate::providers::{Observers, Secret};
use crate::traffic::Budget;
use fake::dialogue::Latency;
use fake::{Behaviour, Reply, Tail};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// A client that hurries between retries.
fn hurried(options: &AgentOptions, shared: &Shared) -> Router {
    let mut router = Router::new(options, "test/m".into(), shared).unwrap();
    router.patience.first_pause = Duration::from_millis(1);
    router
}

/// What a run shares that waits so long for endpoints to come back.
fn waiting(max_outage: Duration) -> Shared {
    Shared::new(Prices::default(), Budget::default(), max_outage, Observers::default())
}

/// What a call of a client with so many retries comes to, and the counters after it.
async fn call(server: &fake::Endpoint, max_retries: u32) -> (Result<ChatReply, ModelError>, Vec<u64>) {
    let shared = Shared::default();
    let options = AgentOptions { max_retries, ..options(&server.base_url()) };
    let outcome = hurried(&options, &shared).chat(&request("Hi")).await;
    let reading = shared.meter.read();
    (outcome, vec![server.requests(), reading.retries, reading.calls, reading.failures])
}

/// The given response to the first requests, then dialogue.
fn first(count: u64, reply: impl Fn() -> Reply + Send + Sync + 'static) -> fake::Endpoint {
    let later = move |request: &Value| fake::dialogue::reply(request, Latency::NONE);
    fake::Endpoint::start(Behaviour::new(move |request, number| if number < count { reply() } else { later(request) }))
}

fn with_tools(prompt: &str) -> ChatRequest {
    let parameters = json!({"type": "object", "properties": {"query": {"type": "string"}}});
    let search = ToolDefinition { name: "vector_db_search".into(), description: "Finds.".into(), parameters };
    ChatRequest { tools: vec![search], ..request(prompt) }
}

#[tokio::test]
async fn a_reply_is_read_and_counted() {
    let server = fake::Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let (outcome, counts) = call(&server, 0).await;
    let reply = outcome.unwrap();
    assert!(reply.text.starts_with("reply "), "{reply:?}");
    assert_eq!(reply.usage, Usage { prompt_tokens: Some(0), completion_tokens: Some(5), ..Usage::default() });
    assert_eq!(&*reply.model, "openai/m");
    assert_eq!(reply.raw["object"], "chat.completion");
    assert_eq!(counts, [1, 0, 1, 0]);
}

#[tokio::test]
async fn the_request_carries_key_agent_and_settings() {
    let server = fake::Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let shared = Shared::default();
    let mut options = options(&format!("{}//", server.base_url()));
    options.extra = json!({"seed": 7}).as_object().unwrap().clone();
    hurried(&options, &shared).chat(&request("Hi")).await.unwrap();
    options.endpoints[0].api_key = Some(Secret::new("sk-1".into()));
    hurried(&options, &shared).chat(&request("Hi")).await.unwrap();
    let headers = server.headers();
    assert_eq!(headers[0].get("authorization"), None);
    assert_eq!(headers[1]["authorization"], "Bearer sk-1");
    assert_eq!(headers[0]["content-type"], "application/json");
    assert_eq!(headers[0]["user-agent"], concat!("dlgforge/", env!("CARGO_PKG_VERSION")));
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let format = json!({"type": "json_schema", "json_schema": {"name": "any", "schema": null}});
    let expected = json!({"seed": 7, "model": "m", "messages": messages, "response_format": format});
    assert_eq!(server.log(), [expected.clone(), expected]);
}

#[tokio::test]
async fn passing_statuses_are_tried_again() {
    for status in [408, 409, 425, 500, 502, 503, 504] {
        let server = first(2, move || Reply::error(status, "later"));
        let (outcome, counts) = call(&server, 2).await;
        assert!(outcome.is_ok(), "{status}: {outcome:?}");
        assert_eq!(counts, [3, 2, 1, 0], "{status}");
    }
}

#[tokio::test]
async fn other_statuses_are_final() {
    for status in [400, 413, 422] {
        let server = fake::Endpoint::start(Behaviour::status(status, &[]));
        let (outcome, counts) = call(&server, 5).await;
        let detail = "no, said the endpoint".to_owned();
        assert_eq!(outcome.unwrap_err(), ModelError::Refused { endpoint: server.base_url(), status, detail });
        assert_eq!(counts, [1, 0, 0, 1], "{status}");
    }
}

#[tokio::test]
async fn what_no_request_can_change_stops_the_run_at_once() {
    let elsewhere = fake::Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let location = format!("{}/chat/completions", elsewhere.base_url());
    for (status, advice) in [
        (401, "check the key in the variable that LLM_USER_API_KEY_ENV names"),
        (403, "check the key in the variable that LLM_USER_API_KEY_ENV names"),
        (404, "check llm.agents.user.model (`m`) and llm.agents.user.base_url"),
        (402, "the account has no credit left"),
        (301, "redirects are not followed; set llm.agents.user.base_url to the final address"),
        (308, "redirects are not followed; set llm.agents.user.base_url to the final address"),
    ] {
        let server = fake::Endpoint::start(Behaviour::status(status, &[("location", &location)]));
        let shared = Shared::default();
        let options = AgentOptions { max_retries: 5, ..options(&server.base_url()) };
        let error = hurried(&options, &shared).chat(&request("Hi")).await.unwrap_err();
        assert!(matches!(error, ModelError::Halted(_)), "{error}");
        let expected = format!("{}: HTTP {status}: no, said the endpoint; {advice}", server.base_url());
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert_eq!((server.requests(), shared.halt.reason()), (1, Some(error.to_string().as_str())));
    }
    assert_eq!(elsewhere.requests(), 0);
    let quota = r#"{"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}"#;
    let server = first(u64::MAX, move || Reply { body: quota.into(), ..Reply::error(429, "") });
    let (outcome, counts) = call(&server, 5).await;
    assert!(outcome.unwrap_err().to_string().ends_with("You exceeded your quota; the account has no credit left"));
    assert_eq!(counts[0], 1);
}

#[tokio::test]
async fn a_bad_request_may_be_the_key_s_the_account_s_or_the_filter_s() {
    let said = |message: &str| {
        let message = message.to_owned();
        first(u64::MAX, move || Reply::error(400, &message))
    };
    for (message, expected) in [
        (
            "API_KEY_INVALID",
            "; check the key in the variable that LLM_USER_API_KEY_ENV names, and llm.agents.user.base_url",
        ),
        ("Your credit balance is too low", "; the account has no credit left"),
    ] {
        let error = call(&said(message), 5).await.0.unwrap_err();
        assert!(matches!(error, ModelError::Halted(_)) && error.to_string().ends_with(expected), "{error}");
    }
    let (outcome, counts) = call(&said("the prompt was caught: content_filter"), 5).await;
    assert!(matches!(outcome, Err(ModelError::Filtered { .. })), "{outcome:?}");
    assert_eq!(counts, [1, 0, 0, 1]);
}

#[tokio::test]
async fn an_endpoint_that_has_no_room_is_asked_later_whatever_the_retries() {
    let inside = |code: u16| json!({"error": {"code": code, "message": "busy upstream"}});
    let in_choice = json!({"choices": [{"finish_reason": "error", "error": inside(429)["error"], "message": {}}]});
    for reply in [
        Reply::error(429, "slow down"),
        Reply::error(498, "capacity_exceeded"),
        Reply::error(529, "slow down"),
        Reply::error(503, "queue is full"),
        Reply::error(503, "Loading model"),
        Reply { headers: vec![("retry-after".into(), "0".into())], ..Reply::error(503, "later") },
        Reply::json(200, &inside(429)),
        Reply::json(200, &in_choice),
    ] {
        let told = format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body));
        let server = first(5, move || reply.clone());
        let (outcome, counts) = call(&server, 0).await;
        assert!(outcome.is_ok(), "{told}: {outcome:?}");
        assert_eq!(counts, [6, 0, 1, 0], "{told}");
    }
    let server = first(5, || Reply::error(503, "down"));
    assert!(call(&server, 0).await.0.is_err(), "that is no want of room");
    let server = first(u64::MAX, move || Reply::json(200, &inside(401)));
    let (outcome, counts) = call(&server, 5).await;
    assert!(matches!(outcome, Err(ModelError::Halted(_))), "as over HTTP: {outcome:?}");
    assert_eq!(counts[0], 1);
}

#[tokio::test]
async fn a_slip_of_the_model_s_is_asked_again() {
    let slipped = json!({"choices": [{"finish_reason": "malformed_function_call", "message": {"content": null}}]});
    for reply in [Reply::error(400, "tool_use_failed"), Reply::json(200, &slipped)] {
        let server = first(1, move || reply.clone());
        let (outcome, counts) = call(&server, 1).await;
        assert!(outcome.is_ok(), "{outcome:?}");
        assert_eq!(counts[..2], [2, 1]);
    }
}

#[tokio::test]
async fn another_endpoint_takes_over() {
    for broken in [Behaviour::status(500, &[]), Behaviour::status(401, &[]), Behaviour::status(429, &[])] {
        let (broken, sound) =
            (fake::Endpoint::start(broken), fake::Endpoint::start(Behaviour::dialogue(Latency::NONE)));
        let gone = format!("http://{}/v1", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
        let endpoints = [&gone, &broken.base_url(), &sound.base_url()].map(|url| endpoint(url));
        let options = AgentOptions { max_retries: 1, endpoints: endpoints.into(), ..options("") };
        let router = hurried(&options, &Shared::default());
        for number in 0..20 {
            router.chat(&request(&number.to_string())).await.unwrap();
        }
        assert_eq!(sound.requests(), 20);
        assert!((1..=4).contains(&broken.requests()), "{}", broken.requests());
    }
}

#[tokio::test]
async fn an_outage_is_waited_for_and_then_ends_the_run() {
    // Down, then up again.
    let server = first(12, || Reply { close: true, body: Vec::new().into(), ..Reply::error(500, "") });
    let shared = waiting(Duration::from_secs(60));
    let router = Arc::new(hurried(&AgentOptions { max_retries: 1, ..options(&server.base_url()) }, &shared));
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..8 {
        let router = router.clone();
        calls.spawn(async move { router.chat(&request(&number.to_string())).await.map(drop) });
    }
    let outcomes = calls.join_all().await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    // Down for good.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let shared = waiting(Duration::from_millis(300));
    let start = Instant::now();
    let error = hurried(&options(&format!("http://{address}/v1")), &shared).chat(&request("Hi")).await.unwrap_err();
    assert!(start.elapsed() >= Duration::from_millis(300), "{:?}", start.elapsed());
    let text = error.to_string();
    assert!(text.starts_with("no reply for 0.3 s (`llm.max_outage`): http://127.0.0.1"), "{text}");
    assert!(text.to_lowercase().contains("connection refused"), "{text}");
    assert!(matches!(error, ModelError::Halted(_)));
    // An endpoint that asks for more time than an outage may take.
    let server = first(u64::MAX, || Reply {
        headers: vec![("retry-after".into(), "3600".into())],
        ..Reply::error(429, "tomorrow")
    });
    let error = hurried(&options(&server.base_url()), &waiting(Duration::from_millis(200))).chat(&request("Hi")).await;
    assert!(error.unwrap_err().to_string().ends_with("HTTP 429: tomorrow"));
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_hard_limit_of_flights_holds_over_agents() {
    let server = fake::Endpoint::start(Behaviour::dialogue(Latency { median_ms: 20.0, sigma: 0.1, seed: 1 }));
    let shared = Shared::default();
    let mut calls = tokio::task::JoinSet::new();
    for agent in [Agent::User, Agent::Judge] {
        let mut options = AgentOptions { agent, ..options(&server.base_url()) };
        options.endpoints[0].max_in_flight = Some(3);
        let router = Arc::new(hurried(&options, &shared));
        for number in 0..20 {
            let router = router.clone();
            calls.spawn(async move { router.chat(&request(&format!("{agent} {number}"))).await.map(drop) });
        }
    }
    assert!(calls.join_all().await.iter().all(Result::is_ok));
    assert_eq!(server.max_in_flight(), 3);
}

#[tokio::test]
async fn a_budget_is_never_exceeded() {
    let server = fake::Endpoint::start(Behaviour::dialogue(Latency { median_ms: 5.0, sigma: 0.5, seed: 1 }));
    let budget = Budget { calls: Some(7), ..Budget::default() };
    let shared = Shared::new(Prices::default(), budget, Duration::from_secs(60), Observers::default());
    let router = Arc::new(hurried(&options(&server.base_url()), &shared));
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..20 {
        let router = router.clone();
        calls.spawn(async move { router.chat(&request(&number.to_string())).await.map(drop) });
    }
    let outcomes = calls.join_all().await;
    assert_eq!((outcomes.iter().filter(|outcome| outcome.is_ok()).count(), server.requests()), (7, 7));
    let halted = shared.halt.reason().unwrap();
    assert!(halted.starts_with("run.budget.calls (7) does not allow another call: 7 calls"), "{halted}");

    let budget = Budget { usd: Some(1.0), ..Budget::default() };
    let shared = Shared::new(Prices::default(), budget, Duration::from_secs(60), Observers::default());
    let error = Router::new(&options(&server.base_url()), "m".into(), &shared).map(drop).unwrap_err().to_string();
    assert!(error.starts_with("run.budget.usd: the price of `openai/m` is unknown"), "{error}");
}

#[tokio::test]
async fn patience_ends() {
    let server = fake::Endpoint::start(Behaviour::flaky(3));
    let (outcome, counts) = call(&server, 2).await;
    assert_eq!(outcome.unwrap_err().to_string(), format!("{}: HTTP 503: down", server.base_url()));
    assert_eq!(counts, [3, 2, 0, 1]);
    let (outcome, counts) = call(&server, 2).await;
    assert!(outcome.is_ok());
    assert_eq!(counts, [4, 0, 1, 0]);
}

#[tokio::test]
async fn retry_after_is_obeyed() {
    let reply = || Reply { headers: vec![("retry-after".into(), "0.2".into())], ..Reply::error(429, "slow down") };
    let server = first(1, reply);
    let start = Instant::now();
    assert!(call(&server, 1).await.0.is_ok());
    assert!(start.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn unusable_bodies_are_tried_again() {
    let cut = || Reply { close: true, ..Reply::json(200, &json!({"choices": [{"message": {"content": "half"}}]})) };
    let closed = move || Reply { body: Vec::new().into(), ..cut() };
    let garbage = move || Reply { body: "What?".into(), close: false, ..cut() };
    for (server, expected) in [
        (first(1, cut), "malformed response: cut short: "),
        (first(1, closed), "connection"),
        (first(1, garbage), "malformed response: not JSON: "),
        (first(1, || Reply::json(200, &json!({"choices": []}))), "malformed response: no choices"),
    ] {
        let (outcome, _) = call(&server, 0).await;
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    for server in [first(1, cut), first(1, closed), first(1, garbage)] {
        let (outcome, counts) = call(&server, 1).await;
        assert!(outcome.is_ok(), "{outcome:?}");
        assert_eq!(counts, [2, 1, 1, 0]);
    }
}

#[tokio::test]
async fn endpoints_are_looked_at_once_before_the_first_request() {
    let models = Reply::json(200, &json!({"data": [{"id": "m"}]}));
    let server = fake::Endpoint::start(Behaviour::dialogue(Latency::NONE).listing(models));
    let outage = Duration::from_millis(300);
    let shared = Shared::default().checking(outage);
    let routers = [Agent::User, Agent::Judge]
        .map(|agent| hurried(&AgentOptions { agent, ..options(&server.base_url()) }, &shared));
    assert_eq!(server.looks(), 0, "nobody has asked for anything");
    for router in &routers {
        router.chat(&request("Hi")).await.unwrap();
    }
    assert_eq!((server.looks(), server.requests(), shared.meter.read().calls), (1, 2, 2));
    // Another agent has nobody to ask: the run stops before anybody is asked.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let shared = Shared::default().checking(outage);
    let router = hurried(&options(&server.base_url()), &shared);
    let judge = AgentOptions { agent: Agent::Judge, ..options(&format!("http://{address}/v1")) };
    let _judge = hurried(&judge, &shared);
    let error = router.chat(&request("Hi")).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("no reply for 0.3 s (`llm.max_outage`): http://{address}/v1: ")), "{error}");
    assert_eq!(server.requests(), 2);
    // Where an agent has another endpoint, that is only said.
    let endpoints = [format!("http://{address}/v1"), server.base_url()].map(|url| endpoint(&url));
    let options = AgentOptions { endpoints: endpoints.into(), ..options("") };
    hurried(&options, &Shared::default().checking(outage)).chat(&request("Hi")).await.unwrap();
}

#[tokio::test]
async fn a_web_page_is_no_outage() {
    let page =
        || Reply { body: "<html><script>a</script>Please <b>log in</b>".into(), ..Reply::json(200, &Value::Null) };
    let told = "malformed response: a web page instead of JSON (Please log in); a login page or a proxy answers there: check \
                llm.agents.user.base_url";
    let (outcome, counts) = call(&first(1, page), 5).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, ModelError::Halted(_)) && error.to_string().ends_with(told), "{error}");
    assert_eq!(counts[0], 1);
    // Now and then, it is one reply that went wrong; after each other, it is the endpoint.
    let server = fake::Endpoint::start(Behaviour::new(move |request, number| match number {
        1 | 3 | 5.. => page(),
        _ => fake::dialogue::reply(request, Latency::NONE),
    }));
    let router = hurried(&AgentOptions { max_retries: 1, ..options(&server.base_url()) }, &Shared::default());
    let mut outcomes = Vec::new();
    for number in 0..6 {
        outcomes.push(router.chat(&request(&number.to_string())).await.is_ok());
    }
    assert_eq!(outcomes, [true, true, true, false, false, false]);
    assert!(server.requests() <= 10, "{}", server.requests());
}

#[tokio::test]
async fn bodies_beyond_the_limit_are_not_read() {
    const CHUNK: &[u8] = &[b' '; 1 << 20];
    for announced in [true, false] {
        let tail = Some(Tail { chunk: CHUNK, times: BODY_LIMIT as u64 / CHUNK.len() as u64 + 1, announced });
        let server = first(1, move || Reply { tail, ..Reply::json(200, &Value::Null) });
        let (outcome, _) = call(&server, 0).await;
        let error = outcome.unwrap_err().to_string();
        assert!(error.ends_with("malformed response: longer than 32 MiB"), "{error}");
    }
}

#[tokio::test]
async fn a_late_reply_is_a_failure() {
    let late = || Reply { delay: Duration::from_secs(60), ..Reply::error(500, "late") };
    let server = first(2, late);
    let shared = Shared::default();
    let timeout = Duration::from_millis(50);
    let mut patient = AgentOptions { max_retries: 1, ..options(&server.base_url()) };
    patient.endpoints[0].timeout = timeout;
    let error = hurried(&patient, &shared).chat(&request("Hi")).await.unwrap_err().to_string();
    assert_eq!(error, format!("{}: no complete response within 0.05 s (2 tries)", server.base_url()));
    assert!(hurried(&options(&server.base_url()), &shared).chat(&request("Hi")).await.is_ok());
}

#[tokio::test]
async fn the_three_roles_are_played() {
    let server = fake::Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let endpoint = hurried(&options(&server.base_url()), &Shared::default());
    // A form that is not in `response_format` stands in the text.
    let ask = "[P1] Logs\nLogs come \"first\".\n\n[P2]\nThen trees.\n\n{\"user_message\": s}";
    let asked = endpoint.chat(&request(ask)).await.unwrap().text;
    assert_eq!(endpoint.chat(&request(ask)).await.unwrap().text, asked, "equal requests have equal replies");
    let question: Value = serde_json::from_str(&asked).unwrap();
    let message = question["user_message"].as_str().unwrap();
    assert!(message.starts_with("Logs come \"first\".") || message.starts_with("Then trees."), "{message}");
    assert!(["P1", "P2"].contains(&question["coverage_target"].as_str().unwrap()));
    let again = endpoint.chat(&request(&format!("{ask} "))).await.unwrap().text;
    assert_ne!(again, asked);

    let mut answer = with_tools("Question: When?\n{\"assistant_message\": s}");
    let reply = endpoint.chat(&answer).await.unwrap();
    assert_eq!((reply.text.as_str(), reply.tool_calls[0].name.as_str()), ("", "vector_db_search"));
    let answers = Some((reply.tool_calls[0].id.clone(), "vector_db_search".to_owned()));
    answer.messages_mut().push(Message { tool_calls: reply.tool_calls, ..Message::new(Role::Assistant, "") });
    answer.messages_mut().push(Message { answers, ..Message::new(Role::Tool, "[P1]\nFound it.") });
    let answered: Value = serde_json::from_str(&endpoint.chat(&answer).await.unwrap().text).unwrap();
    assert!(answered["assistant_message"].as_str().unwrap().starts_with("It is as in "), "{answered}");

    let judge = request(r#"{"score": i, "question_ok": b} about {"assistant_message": s, "user_message": s}"#);
    let verdict: JudgeReply = serde_json::from_str(&endpoint.chat(&judge).await.unwrap().text).unwrap();
    assert!(verdict.score <= 10);
}

#[tokio::test]
async fn many_calls_are_in_flight_together() {
    let server = fake::Endpoint::start(Behaviour::dialogue(Latency { median_ms: 300.0, sigma: 0.1, seed: 1 }));
    let shared = Shared::default();
    let endpoint = Arc::new(hurried(&options(&server.base_url()), &shared));
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..100 {
        let endpoint = endpoint.clone();
        calls.spawn(async move { endpoint.chat(&request(&number.to_string())).await.map(|reply| reply.text) });
    }
    let texts = calls.join_all().await.into_iter().collect::<Result<std::collections::BTreeSet<_>, _>>().unwrap();
    assert_eq!(texts.len(), 100, "different requests have different replies");
    assert!(server.max_in_flight() > 50, "{}", server.max_in_flight());
    assert_eq!(shared.meter.read().calls, 100);
}

#[tokio::test]
async fn the_key_is_shown_nowhere() {
    let key = "sk-very-secret-42";
    let server = fake::Endpoint::start(Behaviour::new(move |_, number| match number {
        0 => Reply { body: format!("<html>{key}</html>").into(), ..Reply::error(500, "") },
        1 => Reply::json(200, &json!({"error": {"message": key}})),
        _ => Reply::error(401, &format!("Incorrect API key: {key}")),
    }));
    let mut options = options(&format!("{}?token=hidden", server.base_url()));
    options.endpoints[0].api_key = Some(Secret::new(key.into()));
    let shared = Shared::default();
    let router = hurried(&options, &shared);
    for _ in 0..3 {
        let error = router.chat(&request("Hi")).await.unwrap_err();
        assert!(error.to_string().contains("<secret>"), "{error}");
        let endpoint = &router.endpoints[0].0;
        let shown = format!("{error} {error:?} {endpoint:?} {:?}", shared.halt);
        assert!(!shown.contains(key) && !shown.contains("hidden"), "{shown}");
    }
    assert!(!format!("{options:?}").contains(key));
}

#[test]
fn settings_that_make_no_client_are_refused_by_name() {
    let mut nameless = options("http://127.0.0.1/v1");
    nameless.endpoints[0].model.clear();
    let homeless = options("");
    let with = |key: &str, value: Value| {
        let mut options = options("http://127.0.0.1/v1");
        options.extra.insert(key.into(), value);
        options
    };
    let (streaming, many) = (with("stream", true.into()), with("n", 2.into()));
    let named = [(nameless, "model"), (homeless, "base_url"), (streaming, "extra.stream"), (many, "extra.n")];
    for (options, expected) in named {
        let error = Router::new(&options, "m".into(), &Shared::default()).map(drop).unwrap_err().to_string();
        assert!(error.starts_with(&format!("llm.agents.user.{expected}: ")), "{error}");
    }
}
