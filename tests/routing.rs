//! Runs over several endpoints: who gets how much of the work, whose key goes where, and what happens when some are down.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Address, Behaviour, Endpoint, Reply};
use crate::support::misbehaviour::Misbehaviour;
use crate::support::{Files, Project, Ran, expect_same, remote};
use hyper::HeaderMap;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

const RUN: &str = "  run_id: r\n  batch_size: 8\n  total_samples: 12\n  turns: {mode: exact, exact: 1}";
/// Requests of an undisturbed run: a question, a search, an answer and a verdict per conversation.
const REQUESTS: u64 = 12 * 4;

/// What a run makes with one endpoint, as an address of the agents' own.
static ALONE: LazyLock<Files> = LazyLock::new(|| {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let project = Project::with(&remote(&endpoint.base_url(), RUN, ""));
    Ran::of(project.stamped(&[])).succeeded();
    project.outputs()
});

/// A project with all agents on these endpoints: base URLs, and what else there is to say of each.
fn routed(endpoints: &[(String, &str)], routing: &str) -> Project {
    let item = |(base_url, more): &(String, &str)| format!("      - {{base_url: \"{base_url}\", {more}}}\n");
    let items: String = endpoints.iter().map(item).collect();
    let agent = "{model: test-model, provider: openai}";
    Project::with(&format!(
        "run:\n  seed: 5\n{RUN}\nllm:\n  agents:\n    user: {agent}\n    assistant: {agent}\n    judge: {agent}\n  \
         {routing}\n  routing:\n    endpoints:\n{items}judge: {{mode: online}}\n"
    ))
}

fn dialogue(median_ms: f64) -> Endpoint {
    Endpoint::start(Behaviour::dialogue(Latency { median_ms, sigma: 0.2, seed: 1 }))
}

/// Starts a run, and waits until an endpoint has got so many requests.
fn started(project: &Project, arguments: &[&str], endpoint: &Endpoint, requests: u64) -> Child {
    let child = project.stamped(arguments).spawn().expect("the binary runs");
    let began = Instant::now();
    while endpoint.requests() < requests {
        assert!(began.elapsed() < Duration::from_secs(60), "the run asks");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

fn ended(child: Child) -> Ran {
    child.wait_with_output().expect("it ends").into()
}

#[test]
fn the_same_files_whichever_endpoint_answers() {
    let endpoints = [dialogue(1.0), dialogue(5.0), dialogue(15.0)];
    for strategy in ["weighted_least_inflight", "round_robin", "lowest_latency"] {
        let urls = endpoints.each_ref().map(|endpoint| (endpoint.base_url(), "weight: 1"));
        let project = routed(&urls, "");
        Ran::of(project.stamped(&["--set", &format!("llm.routing.strategy={strategy}")])).succeeded();
        expect_same(&ALONE, &project.outputs(), strategy);
    }
    assert!(endpoints.iter().all(|endpoint| endpoint.requests() > 0));
    assert_eq!(endpoints.iter().map(Endpoint::requests).sum::<u64>(), 3 * REQUESTS);
}

#[test]
fn weights_are_shares_of_the_work() {
    for (strategy, tolerance) in [("round_robin", 1), ("weighted_least_inflight", 12)] {
        let endpoints = [dialogue(10.0), dialogue(10.0)];
        let project = routed(&[(endpoints[0].base_url(), "weight: 1"), (endpoints[1].base_url(), "weight: 3")], "");
        Ran::of(project.stamped(&["--set", &format!("llm.routing.strategy={strategy}")])).succeeded();
        let [light, heavy] = endpoints.each_ref().map(Endpoint::requests);
        assert_eq!(light + heavy, REQUESTS, "{strategy}");
        assert!(light.abs_diff(REQUESTS / 4) <= tolerance && light < heavy, "{strategy}: {light} and {heavy}");
    }
}

#[test]
fn max_in_flight_is_never_exceeded() {
    let endpoints = [dialogue(15.0), dialogue(15.0)];
    let project =
        routed(&[(endpoints[0].base_url(), "max_in_flight: 1"), (endpoints[1].base_url(), "max_in_flight: 3")], "");
    Ran::of(project.stamped(&[])).succeeded();
    assert_eq!(endpoints.each_ref().map(Endpoint::max_in_flight), [1, 3]);
    expect_same(&ALONE, &project.outputs(), "limited");
}

#[test]
fn an_endpoint_that_answers_is_given_more_than_at_first() {
    // Most take so long that all that may be out are out together, however slow the machine.
    let answer = |request: &serde_json::Value, number: u64| Reply {
        delay: if number < 150 { Duration::from_secs(1) } else { Duration::ZERO },
        ..reply(request, Latency::NONE)
    };
    let endpoint = Endpoint::start(Behaviour::new(answer));
    let project = Project::with(&remote(&endpoint.base_url(), RUN, ""));
    Ran::of(project.stamped(&["--set", "run.batch_size=48", "--set", "run.total_samples=48"])).succeeded();
    assert!(endpoint.max_in_flight() > 24, "{} on average", endpoint.mean_in_flight());
}

/// Every file below a folder that holds one of the keys.
fn holding(keys: &[&str], folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(holding(keys, &path));
        } else {
            let content = String::from_utf8_lossy(&fs::read(&path).expect("a file")).into_owned();
            found.extend(keys.iter().filter(|key| content.contains(**key)).map(|key| format!("{key}: {path:?}")));
        }
    }
    found
}

#[test]
fn models_and_keys_go_to_their_endpoint_and_nowhere_else() {
    let keys = ["sk-first/1a", "sk-second+2b", "sk-agents-3c"];
    // The second one quotes the key it gets in its errors.
    let echo = |request: &serde_json::Value, number: u64| match number {
        0 | 3 => Reply::error(500, "the key sk-second+2b is fine, I am not"),
        _ => reply(request, Latency::NONE),
    };
    let endpoints = [dialogue(1.0), Endpoint::start(Behaviour::new(echo)), dialogue(1.0)];
    let project = routed(
        &[
            (endpoints[0].base_url(), "name: first, api_key_env: FIRST_KEY, model: first-model"),
            (endpoints[1].base_url(), "name: second, api_key_env: SECOND_KEY, model: second-model"),
            (endpoints[2].base_url(), "name: third"),
        ],
        "",
    );
    let mut command = project.stamped(&["--set", "llm.routing.strategy=round_robin"]);
    command.envs([("FIRST_KEY", keys[0]), ("SECOND_KEY", keys[1]), ("AGENTS_KEY", keys[2])]);
    command.envs(["USER", "ASSISTANT", "JUDGE"].map(|role| (format!("LLM_{role}_API_KEY_ENV"), "AGENTS_KEY")));
    let ran = Ran::of(command).succeeded();
    for ((endpoint, key), model) in endpoints.iter().zip(keys).zip(["first-model", "second-model", "test-model"]) {
        let (headers, bodies) = (endpoint.headers(), endpoint.log());
        assert!(!headers.is_empty());
        // A server of one's own gets no key that was not meant for it.
        let meant = (model != "test-model").then(|| format!("Bearer {key}"));
        let sent = |headers: &HeaderMap| headers.get("authorization").map(|key| key.to_str().expect("text").to_owned());
        assert!(headers.iter().all(|headers| sent(headers) == meant), "{key}");
        assert!(bodies.iter().all(|body| body["model"] == model), "{model}");
        assert!(bodies.iter().all(|body| !keys.iter().any(|key| body.to_string().contains(key))));
    }
    assert!(project.read("logs/llm.log").contains("the key <secret> is fine"));
    assert_eq!(holding(&keys, &project.path("")), Vec::<String>::new());
    for text in [ran.stdout, ran.stderr].into_iter().chain(project.journalled()) {
        assert!(!keys.iter().any(|key| text.contains(key)), "{text}");
    }
}

#[test]
fn a_key_variable_that_is_not_set_is_named() {
    let project = routed(&[("http://127.0.0.1:9/v1".to_owned(), "api_key_env: NO_SUCH_KEY")], "");
    Ran::of(project.stamped(&[])).failed(&["llm.routing.endpoints[0].api_key_env", "NO_SUCH_KEY"]);
}

#[test]
fn an_endpoint_that_dies_in_mid_run_leaves_the_work_to_the_other() {
    let (dying, other) = (dialogue(30.0), dialogue(30.0));
    let project = routed(&[(dying.base_url(), "name: dying"), (other.base_url(), "name: other")], "");
    let child = started(&project, &[], &dying, 5);
    drop(dying);
    let ran = ended(child).succeeded();
    assert_eq!(project.drops(), BTreeMap::new());
    assert!(ran.stderr.contains("dying: down: "), "{}", ran.stderr);
    expect_same(&ALONE, &project.outputs(), "one died");
}

#[test]
fn an_endpoint_that_takes_nothing_is_left_out() {
    let (wrong, other) = (Endpoint::start(Behaviour::always(Misbehaviour::Status(401))), dialogue(1.0));
    let project = routed(&[(wrong.base_url(), "name: wrong"), (other.base_url(), "name: other")], "");
    let ran = Ran::of(project.stamped(&[])).succeeded();
    assert_eq!(project.drops(), BTreeMap::new());
    assert!(ran.stderr.contains("not used any more: wrong: HTTP 401"), "{}", ran.stderr);
    assert!(wrong.requests() <= 12, "{}", wrong.requests());
    expect_same(&ALONE, &project.outputs(), "one left out");
}

#[test]
fn nothing_is_left_out_of_a_request_while_another_endpoint_takes_it() {
    let error = |message: &str| Reply::error(400, message);
    let forbidden = json!({"detail": [{"type": "extra_forbidden", "loc": ["body", "response_format"]}]});
    for (what, refusal) in [
        ("tools", error("\"auto\" tool choice requires a tool call parser")),
        ("system", error("System role not supported")),
        ("response_format", Reply::json(422, &forbidden)),
        ("messages", error("no reason is given")),
    ] {
        let refused = Arc::new(AtomicU64::new(0));
        let count = refused.clone();
        let bad = Endpoint::start(Behaviour::new(move |request, _| {
            let is_taken = match what {
                "system" => request["messages"][0]["role"] != "system",
                field => request.get(field).is_none(),
            };
            if is_taken {
                return reply(request, Latency::NONE);
            }
            count.fetch_add(1, Ordering::SeqCst);
            refusal.clone()
        }));
        let good = dialogue(2.0);
        let project = routed(&[(bad.base_url(), "name: bad"), (good.base_url(), "name: good")], "");
        let ran = Ran::of(project.stamped(&[])).succeeded();
        assert_eq!(project.drops(), BTreeMap::new(), "{what}: {}", ran.stderr);
        expect_same(&ALONE, &project.outputs(), what);
        // As many as were out together, and those among them that a roll-back has called off.
        let refused = refused.load(Ordering::SeqCst);
        assert!((1..=16).contains(&refused), "{what}: {refused} refused of {}", bad.requests());
    }
}

#[test]
fn when_all_are_down_the_run_waits_then_stops_and_can_go_on() {
    let (first, second) = (dialogue(30.0), dialogue(30.0));
    let project = routed(&[(first.base_url(), "name: first"), (second.base_url(), "name: second")], "max_outage: 1");
    let child = started(&project, &[], &first, 5);
    let began = Instant::now();
    drop((first, second));
    let ran = ended(child).failed(&["no reply for 1 s (`llm.max_outage`): ", "first: ", "; second: ", "--resume r"]);
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(project.drops(), BTreeMap::new(), "{}", ran.stderr);
    let again = dialogue(0.0);
    let endpoints = format!("llm.routing.endpoints=[{{\"name\": \"again\", \"base_url\": \"{}\"}}]", again.base_url());
    Ran::of(project.stamped(&["--resume", "--set", &endpoints])).succeeded();
    expect_same(&ALONE, &project.outputs(), "resumed elsewhere");
}

#[test]
fn a_judge_that_is_down_stops_the_run_and_costs_no_conversation() {
    let (good, judge) = (dialogue(0.0), Endpoint::start(Behaviour::always(Misbehaviour::Status(502))));
    let project = Project::with(&remote(&good.base_url(), RUN, "").replace("max_retries: 1", "max_retries: 3"));
    let base_url = format!("llm.agents.judge.base_url={}", judge.base_url());
    let ran = Ran::of(project.stamped(&["--set", "llm.max_outage=0.5", "--set", &base_url]));
    ran.failed(&["no reply for 0.5 s (`llm.max_outage`)", "HTTP 502", &judge.base_url()]);
    assert_eq!(project.drops(), BTreeMap::new());
    Ran::of(project.stamped(&["--resume"])).succeeded();
    assert_eq!(good.requests(), REQUESTS, "questions and answers are not asked for again");
    expect_same(&ALONE, &project.outputs(), "judged later");
}

#[test]
fn an_endpoint_that_comes_up_in_time_is_waited_for() {
    let (down, up) = (Address::free(), Address::free());
    let project = routed(&[(down.base_url.clone(), "name: down"), (up.base_url.clone(), "name: up")], "max_outage: 60");
    let child = project.stamped(&[]).spawn().expect("the binary runs");
    // It knows of the outage before there is an end of it.
    let (log, began) = (project.path("logs/llm.log"), Instant::now());
    while !fs::read_to_string(&log).is_ok_and(|log| log.contains("up: down: ") && log.contains("down: down: ")) {
        assert!(began.elapsed() < Duration::from_secs(60), "it tells of the outage");
        std::thread::sleep(Duration::from_millis(5));
    }
    let endpoint = up.start(Behaviour::dialogue(Latency::NONE));
    ended(child).succeeded();
    assert_eq!((project.drops(), endpoint.requests()), (BTreeMap::new(), REQUESTS));
    expect_same(&ALONE, &project.outputs(), "waited for");
}
