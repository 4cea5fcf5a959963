//! Endpoints that misbehave, and what a run makes of it: what it asks for again, which conversations it gives up and why,
//! when it stops, and that it can go on then.

use crate::support::cost::Cost;
use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint, Reply};
use crate::support::misbehaviour::Misbehaviour::{self, *};
use crate::support::misbehaviour::altered;
use crate::support::{Files, Project, Ran, expect_same, moved_to, remote};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::time::{Duration, Instant};

const RUN: &str = "  run_id: r\n  batch_size: 4\n  total_samples: 4\n  turns: {mode: exact, exact: 1}";

/// The most memory a run may take, in MiB, whatever it is sent: four replies of 32, each copied as it grows, and what the
/// allocator still holds of those before.
const MEMORY: f64 = 450.0;

/// What a run makes with an endpoint that does nothing wrong.
pub static UNDISTURBED: LazyLock<Files> = LazyLock::new(|| {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let project = project(&endpoint);
    Ran::of(project.stamped(&[])).succeeded();
    project.outputs()
});

/// A project with all agents on this endpoint, and the usual retries.
pub fn project(endpoint: &Endpoint) -> Project {
    Project::with(&remote(&endpoint.base_url(), RUN, "").replace("max_retries: 1", "max_retries: 3, timeout: 20"))
}

/// Goes on with a run at another address.
fn resumed(project: &Project, endpoint: &Endpoint, more: &[&str]) -> Ran {
    let moved = moved_to(&endpoint.base_url());
    let arguments: Vec<&str> = ["--resume"].into_iter().chain(moved.iter().map(String::as_str)).collect();
    Ran::of(project.stamped(&[&arguments, more].concat()))
}

/// Demands that nothing was given up: not a single conversation.
pub fn dropped_none(project: &Project, ran: &Ran) {
    assert_eq!(project.drops(), BTreeMap::new(), "{}{}", ran.stdout, ran.stderr);
}

/// Runs against an endpoint that does nothing else, until the run has enough of it, then against one that does it now and
/// then: that one is asked again, and the run ends with the files of an undisturbed one.
pub fn stops_then_survives(misbehaviour: Misbehaviour, told: &str) {
    let what = format!("{misbehaviour:?}");
    let sets = ["--set", "llm.max_outage=0.5"];
    let broken = Endpoint::start(Behaviour::always(misbehaviour));
    let project = project(&broken);
    let impatient = ["user", "assistant", "judge"].map(|role| format!("llm.agents.{role}.timeout=1"));
    let impatient: Vec<&str> = impatient.iter().flat_map(|set| ["--set", set]).collect();
    let sets: Vec<&str> = if misbehaviour == Hangs { [&sets[..], &impatient].concat() } else { sets.to_vec() };

    let mut child = project.stamped(&sets).spawn().expect("the binary runs");
    let Cost { cpu, peak } = Cost::to_the_end(&mut child);
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    let ran = ran.failed(&["no reply for 0.5 s (`llm.max_outage`)", told, "dlgforge run config.yaml --resume r"]);
    assert!(ran.stdout.contains("run r stopped"), "{what}: {}", ran.stdout);
    println!("{what}: {peak:.0} MiB, {cpu:.2} s of CPU, {} requests until it stopped", broken.requests());
    assert!(peak < MEMORY, "{what}: {peak} MiB");
    dropped_none(&project, &ran);
    assert!((1..60).contains(&broken.requests()), "{what}: {} requests", broken.requests());
    assert!(project.run(&["status"]).stdout.contains("run r: interrupted"), "{what}");

    let shaky = Endpoint::start(Behaviour::at(misbehaviour, |number| number % 5 == 0));
    let more: &[&str] = if misbehaviour == Hangs { &impatient } else { &[] };
    let ran = resumed(&project, &shaky, more).succeeded();
    assert!(ran.stdout.contains("4 of 4 accepted, 0 dropped"), "{what}: {}", ran.stdout);
    assert!(shaky.requests() > 16, "{what}: some were sent again");
    assert!(project.read("logs/llm.log").contains(told), "{what}");
    expect_same(&UNDISTURBED, &project.outputs(), &what);
}

#[test]
fn silence_and_broken_connections_are_outages() {
    stops_then_survives(Hangs, "no complete response within 1 s");
    stops_then_survives(Closes, "error sending request");
    stops_then_survives(BreaksOff, "malformed response: cut short");
}

#[test]
fn errors_of_the_server_are_outages() {
    for status in [500, 502, 503, 408] {
        stops_then_survives(Status(status), &format!("HTTP {status}"));
    }
}

#[test]
fn responses_that_are_no_replies_are_outages() {
    stops_then_survives(HalfJson, "malformed response: not JSON");
    stops_then_survives(NoJson, "malformed response: not JSON");
    stops_then_survives(NoChoices, "malformed response: no choices");
}

#[test]
fn a_web_page_is_told_by_its_words_and_not_waited_for() {
    let portal = Endpoint::start(Behaviour::always(WebPage));
    let project = project(&portal);
    let began = Instant::now();
    let ran = Ran::of(project.stamped(&[]));
    let ran =
        ran.failed(&["a web page instead of JSON (Please log in.)", "check llm.agents.user.base_url", "--resume r"]);
    assert!(began.elapsed() < Duration::from_secs(30) && portal.requests() <= 4, "{} requests", portal.requests());
    dropped_none(&project, &ran);
    let shaky = Endpoint::start(Behaviour::at(WebPage, |number| number % 5 == 4));
    resumed(&project, &shaky, &[]).succeeded();
    expect_same(&UNDISTURBED, &project.outputs(), "a page now and then");
}

#[test]
fn an_endpoint_that_refuses_everything_stops_the_run_in_its_words() {
    for status in [400, 413, 422] {
        let endpoint = Endpoint::start(Behaviour::always(Status(status)));
        let project = project(&endpoint);
        let ran = Ran::of(project.stamped(&[]));
        let ran = ran.failed(&[&format!("HTTP {status}: no, said the endpoint"), "--resume r"]);
        dropped_none(&project, &ran);
        assert!(
            (1..=4).contains(&endpoint.requests()),
            "{} requests: those that were out together",
            endpoint.requests()
        );
        resumed(&project, &Endpoint::start(Behaviour::dialogue(Latency::NONE)), &[]).succeeded();
        expect_same(&UNDISTURBED, &project.outputs(), "refused, then not");
    }
}

#[test]
fn an_endpoint_without_room_is_asked_later() {
    stops_then_survives(Busy(None), "HTTP 429: too many requests");
    // Longer than anybody waits: the run stops when its own time is over.
    let full = Endpoint::start(Behaviour::always(Busy(Some(3600))));
    let project = project(&full);
    let ran = Ran::of(project.stamped(&["--set", "llm.max_outage=1"]));
    let ran = ran.failed(&["no reply for 1 s (`llm.max_outage`)", "HTTP 429: too many requests"]);
    dropped_none(&project, &ran);
    assert!(full.requests() <= 4, "{} requests, though it said when to come back", full.requests());
    resumed(&project, &Endpoint::start(Behaviour::dialogue(Latency::NONE)), &[]).succeeded();
    expect_same(&UNDISTURBED, &project.outputs(), "after 429");
}

#[test]
fn the_time_an_endpoint_asks_for_is_waited() {
    let arrivals: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let seen = arrivals.clone();
    let endpoint = Endpoint::start(Behaviour::new(move |request, number| {
        seen.lock().expect("no test panics here").push(Instant::now());
        let good = reply(request, Latency::NONE);
        if number < 4 { Busy(Some(1)).reply(good) } else { good }
    }));
    let project = project(&endpoint);
    let ran = Ran::of(project.stamped(&[])).succeeded();
    // The first four go out together; whatever comes then has waited.
    let arrivals = arrivals.lock().expect("no test panics here").clone();
    assert!(arrivals[4] - arrivals[0] >= Duration::from_millis(990), "{:?}", arrivals[4] - arrivals[0]);
    assert!(ran.stdout.contains("limits         4 requests were sent again later"), "{}", ran.stdout);
    expect_same(&UNDISTURBED, &project.outputs(), "after waiting");
}

#[test]
fn limits_of_any_kind_cost_no_conversation() {
    let run = "  run_id: r\n  batch_size: 16\n  total_samples: 24\n  turns: {mode: exact, exact: 1}";
    for (what, behaviour) in [
        ("a rate", Behaviour::rate_limited(30.0, None)),
        ("a rate, with the time to wait", Behaviour::rate_limited(60.0, Some(1))),
        ("a number at a time", Behaviour::crowded(3, Duration::from_millis(10))),
        ("a queue", Behaviour::queues(3, Duration::from_millis(10))),
    ] {
        let endpoint = Endpoint::start(behaviour);
        let project = Project::with(&remote(&endpoint.base_url(), run, ""));
        let ran = Ran::of(project.stamped(&[])).succeeded();
        assert!(ran.stdout.contains("24 of 24 accepted, 0 dropped"), "{what}: {}", ran.stdout);
        let needed = 24 * 4;
        assert!(endpoint.max_in_flight() <= 16, "{what}");
        // Asking again at once would be thousands.
        assert!((needed..3 * needed).contains(&endpoint.requests()), "{what}: {} requests", endpoint.requests());
    }
}

#[test]
fn a_burst_of_errors_is_survived() {
    let burst = OnceLock::new();
    let endpoint = Endpoint::start(Behaviour::at(Status(500), move |number| {
        number > 2 && burst.get_or_init(Instant::now).elapsed() < Duration::from_millis(600)
    }));
    let project = project(&endpoint);
    let ran = Ran::of(project.stamped(&[])).succeeded();
    dropped_none(&project, &ran);
    expect_same(&UNDISTURBED, &project.outputs(), "after a burst");
}

#[test]
fn an_endpoint_that_is_merely_slow_makes_no_difference() {
    let endpoint = Endpoint::start(Behaviour::slow(Duration::from_millis(150)));
    let project = project(&endpoint);
    Ran::of(project.stamped(&[])).succeeded();
    assert_eq!(endpoint.requests(), 16, "none was sent again");
    expect_same(&UNDISTURBED, &project.outputs(), "slow");
}

#[test]
fn what_no_request_can_change_stops_the_run_at_once() {
    let key = "check the key in the variable that LLM_USER_API_KEY_ENV names, and llm.agents.user.base_url";
    let model = "check llm.agents.user.model (`test-model`) and llm.agents.user.base_url";
    let quota = Reply::json(429, &json!({"error": {"message": "You exceeded it.", "code": "insufficient_quota"}})).body;
    for (reply, told, advice) in [
        (Reply::error(401, "Incorrect API key"), "HTTP 401: Incorrect API key", key),
        (Reply::error(403, "Forbidden"), "HTTP 403: Forbidden", key),
        (Reply::error(402, "Pay first"), "HTTP 402: Pay first", "the account has no credit left"),
        (
            Reply { body: quota, ..Reply::error(429, "") },
            "HTTP 429: You exceeded it.",
            "the account has no credit left",
        ),
        (Reply::error(404, "model not found"), "HTTP 404: model not found", model),
    ] {
        let (status, headers, body) = (reply.status, reply.headers, reply.body);
        let replies = Behaviour::new(move |_, _| Reply {
            headers: headers.clone(),
            body: body.clone(),
            ..Reply::json(status, &json!({}))
        });
        let endpoint = Endpoint::start(replies);
        let project = project(&endpoint);
        let began = Instant::now();
        let ran = Ran::of(project.stamped(&[])).failed(&[told, advice, "dlgforge run config.yaml --resume r"]);
        assert!(began.elapsed() < Duration::from_secs(30), "at once, not after `llm.max_outage`");
        assert!((1..=4).contains(&endpoint.requests()), "{told}: {} requests", endpoint.requests());
        dropped_none(&project, &ran);
        resumed(&project, &Endpoint::start(Behaviour::dialogue(Latency::NONE)), &[]).succeeded();
        expect_same(&UNDISTURBED, &project.outputs(), told);
    }
}

#[test]
fn redirects_are_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = Endpoint::start(Behaviour::dialogue(Latency::NONE));
        let endpoint = Endpoint::start(Behaviour::redirects(status, &elsewhere.base_url()));
        let project = project(&endpoint);
        let ran = Ran::of(project.stamped(&[]));
        let advice = "redirects are not followed; set llm.agents.user.base_url to the final address";
        let ran = ran.failed(&[&format!("HTTP {status}"), advice]);
        dropped_none(&project, &ran);
        assert!((1..=4).contains(&endpoint.requests()) && elsewhere.requests() == 0, "{status}");
    }
}

#[test]
fn one_request_that_always_fails_costs_one_conversation() {
    // A fault of the server is retried as often as is set; a request that is not taken is not.
    for (status, requests) in [(500, 2), (400, 1), (413, 1), (422, 1)] {
        let asked = Arc::new(Mutex::new(0));
        let counted = asked.clone();
        let endpoint = Endpoint::start(Behaviour::at_the_first(move |_| {
            *counted.lock().expect("no test panics here") += 1;
            Reply::error(status, "not this one")
        }));
        let project = Project::with(&remote(&endpoint.base_url(), RUN, ""));
        let ran = Ran::of(project.stamped(&[])).succeeded();
        assert!(ran.stdout.contains("4 of 4 accepted, 1 dropped"), "{status}: {}", ran.stdout);
        assert_eq!(project.drops(), BTreeMap::from([("model_failed".to_owned(), 1)]), "{status}");
        assert_eq!(*asked.lock().expect("no test panics here"), requests, "{status}");
        assert!(project.read("logs/llm.log").contains(&format!("HTTP {status}: not this one")), "{status}");
    }
}

/// A change of a reply's first choice, with what it is called, and the `drop_reason` it leads to.
type Refusal = (&'static str, fn(&mut Value), &'static str);

const SAYS: [Refusal; 6] = [
    ("filtered", |choice| *choice = finished(json!(""), json!(null), "content_filter"), "content_filtered"),
    ("refused", |choice| *choice = finished(json!(null), json!("I can't help with that."), "stop"), "model_refused"),
    (
        "cut off",
        |choice| *choice = finished(json!("{\"user_message\": \"What"), json!(null), "length"),
        "unusable_reply",
    ),
    ("empty", |choice| *choice = finished(json!(""), json!(null), "stop"), "unusable_reply"),
    ("no JSON", |choice| *choice = finished(json!("Sure! Here it is."), json!(null), "stop"), "unusable_reply"),
    (
        "against the schema",
        |choice| *choice = finished(json!("{\"user_message\": [7]}"), json!(null), "stop"),
        "unusable_reply",
    ),
];

fn finished(content: Value, refusal: Value, reason: &str) -> Value {
    json!({"index": 0, "message": {"role": "assistant", "content": content, "refusal": refusal}, "finish_reason": reason})
}

#[test]
fn replies_that_are_not_meant_to_be_used_cost_one_conversation() {
    for (what, change, reason) in SAYS {
        let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
        let kept = asked.clone();
        let endpoint = Endpoint::start(Behaviour::at_the_first(move |request| {
            kept.lock().expect("no test panics here").push(request["messages"].clone());
            altered(request, change)
        }));
        let project = project(&endpoint);
        let ran = Ran::of(project.stamped(&[])).succeeded();
        assert!(ran.stdout.contains("4 of 4 accepted, 1 dropped"), "{what}: {}", ran.stdout);
        assert_eq!(project.drops(), BTreeMap::from([(reason.to_owned(), 1)]), "{what}");
        // Where it may help, it is asked once more, and told what was wrong.
        let asked = asked.lock().expect("no test panics here");
        assert_eq!(asked.len(), if reason == "unusable_reply" { 2 } else { 1 }, "{what}");
        assert!(asked[1..].iter().all(|messages| messages.to_string().contains("can't be used")), "{what}");
    }
}

#[test]
fn replies_that_can_not_be_used_once_cost_nothing() {
    for (what, change, _) in SAYS.into_iter().filter(|(.., reason)| *reason == "unusable_reply") {
        let endpoint = Endpoint::start(Behaviour::new(move |request, number| match number {
            0 => altered(request, change),
            _ => reply(request, Latency::NONE),
        }));
        let project = project(&endpoint);
        let ran = Ran::of(project.stamped(&[])).succeeded();
        dropped_none(&project, &ran);
        assert_eq!(endpoint.requests(), 17, "{what}");
    }
}

#[test]
fn an_endpoint_that_never_says_anything_usable_ends_the_run_short() {
    for (what, change, reason) in SAYS {
        let endpoint = Endpoint::start(Behaviour::altering(change));
        let project = project(&endpoint);
        let ran = Ran::of(project.stamped(&[]));
        let ran = ran.failed(&["could not reach run.total_samples", "en: 0 of 4 accepted", &format!("{reason} 1")]);
        assert_eq!(project.drops().into_keys().collect::<Vec<_>>(), [reason], "{what}");
        let figure = match what {
            "filtered" => "filtered",
            "refused" => "refused",
            "cut off" => "cut off",
            "empty" => "empty",
            _ => continue,
        };
        let line = ran.stdout.lines().find(|line| line.starts_with("  replies ")).unwrap_or_default();
        assert!(!line.contains(&format!(" 0 {figure}")) && line.contains(figure), "{what}: {}", ran.stdout);
    }
}

/// As vLLM does by report: with a schema beside them it never calls tools, and makes up an answer.
#[test]
fn tools_and_a_schema_never_travel_together() {
    for mode in ["tool", "both"] {
        let endpoint = Endpoint::start(Behaviour::new(|request, _| {
            if request["tools"].is_array() && request.get("response_format").is_some() {
                let mut invents = request.clone();
                invents.as_object_mut().expect("an object").remove("tools");
                return reply(&invents, Latency::NONE);
            }
            reply(request, Latency::NONE)
        }));
        let project = project(&endpoint);
        let ran = Ran::of(project.stamped(&["--set", &format!("tools.retrieval.mode={mode}")])).succeeded();
        dropped_none(&project, &ran);
        let (with, without): (Vec<_>, Vec<_>) =
            endpoint.log().into_iter().partition(|request| request["tools"].is_array());
        assert!(!with.is_empty() && with.iter().all(|request| request.get("response_format").is_none()));
        assert!(without.iter().all(|request| request["response_format"]["type"] == "json_schema"));
        for row in project.rows("outputs/conversations_sharegpt.jsonl") {
            let searches = row["messages_with_tools"].as_array().expect("rows").iter();
            let searches = searches.filter(|message| message["role"] == "tool").count();
            assert_eq!(searches, if mode == "tool" { 1 } else { 2 }, "the model searched");
            assert_eq!(row["metadata"]["retrieved"], json!([true]));
        }
    }
}

#[test]
fn ids_of_tool_calls_are_unique_and_answered() {
    let endpoint = Endpoint::start(Behaviour::repeats_ids());
    let project = project(&endpoint);
    Ran::of(project.stamped(&[])).succeeded();
    let matched = |messages: &[Value]| {
        let asked = messages.iter().filter_map(|message| message["tool_calls"].as_array()).flatten();
        let asked: Vec<_> = asked.map(|call| call["id"].as_str().expect("an id").to_owned()).collect();
        let answered = messages.iter().filter_map(|message| message["tool_call_id"].as_str());
        assert_eq!(asked, answered.collect::<Vec<_>>());
        assert_eq!(asked.iter().collect::<BTreeSet<_>>().len(), asked.len(), "{asked:?}");
        asked.len()
    };
    for row in project.rows("outputs/conversations_sharegpt.jsonl") {
        assert_eq!(matched(row["messages_with_tools"].as_array().expect("rows")), 3);
    }
    let sent = endpoint.log();
    assert_eq!(sent.iter().map(|request| matched(request["messages"].as_array().expect("messages"))).sum::<usize>(), 8);
}

#[test]
fn what_is_learned_of_an_endpoint_is_said_once_and_kept_with_the_run() {
    let endpoint = Endpoint::start(Behaviour::new(|request, _| match request["tools"].is_array() {
        true => Reply::error(400, "\"auto\" tool choice requires a tool call parser"),
        false => reply(request, Latency::NONE),
    }));
    let project = project(&endpoint);
    let ran = Ran::of(project.stamped(&[])).succeeded();
    dropped_none(&project, &ran);
    let refused = endpoint.log().iter().filter(|request| request["tools"].is_array()).count();
    assert!((1..=4).contains(&refused), "{refused}: those that were out together");
    let learned = "does not take tools; searches are made for it (model test-model)";
    let told = format!("endpoint {}: {learned}\n", endpoint.base_url());
    assert_eq!(project.read("logs/llm.log").matches(&told).count(), 1);
    assert_eq!(project.run(&["status"]).stdout.matches(&format!("  {told}")).count(), 1);
}

#[test]
fn shares_that_came_from_caches_are_told() {
    let endpoint = Endpoint::start(Behaviour::new(|request, _| {
        let reply = reply(request, Latency::NONE);
        let mut body: Value = serde_json::from_slice(&reply.body).expect("JSON");
        body["usage"] =
            json!({"prompt_tokens": 100, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 12}});
        Reply { body: body.to_string().into(), ..reply }
    }));
    let ran = Ran::of(project(&endpoint).stamped(&[])).succeeded();
    assert!(ran.stdout.contains("  tokens         1600 read (12 % from caches), 16 written\n"), "{}", ran.stdout);
}
