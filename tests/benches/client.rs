//! What a call costs beside a bare HTTP loop on the same endpoint at zero latency, with 1, 64 and 1,024 in flight; how much
//! of an endpoint's limit is used through a storm of HTTP 429; and the LiteLLM client on the same endpoint.
//!
//! `cargo bench --bench client -- [CALLS]`, by default 20,000 a figure. The endpoint is a process of its own: its CPU is not
//! counted. The LiteLLM client is run where `DLGFORGE_REAL` names the folder that `tests/run` has installed it in.

#[expect(dead_code, reason = "a benchmark needs part of the harness")]
#[path = "../support/cost.rs"]
mod cost;
#[expect(dead_code, reason = "a benchmark needs part of the harness")]
#[path = "../support/endpoint.rs"]
mod endpoint;

use cost::Cost;
use dlgforge::domain::task::JudgeConversationTask;
use dlgforge::domain::{Agent, Place, Task};
use dlgforge::llm::{ChatRequest, Message, Model, ReplySchema, Role};
use dlgforge::providers::provider::COMPATIBLE;
use dlgforge::providers::{AgentOptions, EndpointOptions, Shared, connect};
use dlgforge::traffic::Strategy;
use endpoint::{Behaviour, Endpoint, Reply};
use serde_json::json;
use std::future::Future;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What the endpoint admits in a storm, in requests per second, and how long each takes.
const RATE: f64 = 200.0;
const TAKES: Duration = Duration::from_millis(250);
/// Calls that are made in a storm, and how many at a time.
const STORM_CALLS: u64 = 6_000;
const STORM_SEATS: u64 = 256;

/// An endpoint in a process of its own; it ends with this one.
struct Served {
    child: Child,
    base_url: String,
}

impl Served {
    fn start(kind: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        let mut child = command
            .env("DLGFORGE_BENCH_SERVES", kind)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut base_url = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut base_url).expect("its address");
        Self { child, base_url: base_url.trim().to_owned() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().ok();
    }
}

/// Serves until its input ends.
fn serve(kind: &str) {
    let behaviour = match kind {
        "instant" => Behaviour::new(|_, _| Reply::json(200, &completion())),
        "limited" => limited(None),
        _ => limited(Some("1")),
    };
    let endpoint = Endpoint::start(behaviour);
    println!("{}", endpoint.base_url());
    std::io::stdin().read_to_end(&mut Vec::new()).ok();
}

fn completion() -> serde_json::Value {
    let text = "words of a reply ".repeat(40);
    json!({
        "id": "c", "object": "chat.completion", "created": 0, "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 400, "completion_tokens": 160, "total_tokens": 560},
    })
}

/// Admits so many requests a second, with a burst of a tenth of a second, and refuses the others.
fn limited(retry_after: Option<&'static str>) -> Behaviour {
    let bucket = Mutex::new((RATE / 10.0, Instant::now()));
    Behaviour::new(move |_, _| {
        let mut bucket = bucket.lock().expect("nobody panics");
        let now = Instant::now();
        let level = (bucket.0 + (now - bucket.1).as_secs_f64() * RATE).min(RATE / 10.0);
        *bucket = (if level >= 1.0 { level - 1.0 } else { level }, now);
        if level >= 1.0 {
            return Reply { delay: TAKES, ..Reply::json(200, &completion()) };
        }
        let headers = retry_after.map(|seconds| ("retry-after".to_owned(), seconds.to_owned()));
        Reply { headers: headers.into_iter().collect(), ..Reply::error(429, "slow down") }
    })
}

fn model(base_url: &str) -> Arc<dyn Model> {
    let own = EndpointOptions {
        key: "llm.agents.user".into(),
        name: String::new(),
        provider: &COMPATIBLE,
        model: "m".into(),
        base_url: base_url.into(),
        api_key: None,
        timeout: Duration::from_secs(120),
        flex_timeout: Duration::from_secs(900),
        weight: 1.0,
        max_in_flight: None,
        rpm: None,
        tpm: None,
    };
    let options = AgentOptions {
        agent: Agent::User,
        provider: "openai".into(),
        model: "m".into(),
        temperature: None,
        max_tokens: None,
        top_p: None,
        max_retries: 3,
        is_of_jury: false,
        extra: serde_json::Map::new(),
        rpm: None,
        tpm: None,
        tiers: &[],
        strategy: Strategy::default(),
        endpoints: vec![own],
    };
    connect(&options, &Shared::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn request() -> ChatRequest {
    let task = JudgeConversationTask { target_language: "en".into(), ..Default::default() };
    let schema = json!({"type": "object", "properties": {"text": {"type": "string"}}});
    ChatRequest {
        place: Place::default(),
        conversation: "c".into(),
        task: Arc::new(Task::JudgeConversation(task)),
        messages: vec![Message::new(Role::User, "words of a question ".repeat(80))].into(),
        tools: Vec::new(),
        schema: ReplySchema::new("any", schema),
    }
}

/// Calls a second, and CPU of this process in microseconds per call.
fn measured<F: Future<Output = ()> + Send + 'static>(
    calls: u64,
    in_flight: u64,
    call: impl Fn() -> F + Clone + Send + 'static,
) -> (f64, f64) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let cpu = || Cost::of(std::process::id()).expect("this process").cpu;
    let drive = |calls: u64| {
        let next = Arc::new(AtomicU64::new(0));
        runtime.block_on(async {
            let mut callers = tokio::task::JoinSet::new();
            for _ in 0..in_flight {
                let (next, call) = (next.clone(), call.clone());
                callers.spawn(async move {
                    while next.fetch_add(1, Ordering::Relaxed) < calls {
                        call().await;
                    }
                });
            }
            callers.join_all().await;
        });
    };
    drive(in_flight);
    let (before, start) = (cpu(), Instant::now());
    drive(calls);
    let elapsed = start.elapsed().as_secs_f64();
    (calls as f64 / elapsed, (cpu() - before) / calls as f64 * 1e6)
}

/// A bare loop: the body is written beforehand, the response is read and thrown away.
fn bare(base_url: &str, calls: u64, in_flight: u64) -> (f64, f64) {
    let client = reqwest::Client::new();
    let url = format!("{base_url}/chat/completions");
    let messages = json!([{"role": "user", "content": request().messages[0].content}]);
    let body: Arc<str> = json!({"model": "m", "messages": messages}).to_string().into();
    measured(calls, in_flight, move || {
        let post = client.post(&url).header("content-type", "application/json").body(body.to_string());
        async move {
            let response = post.send().await.expect("a response");
            assert!(!response.bytes().await.expect("a body").is_empty());
        }
    })
}

fn ours(base_url: &str, calls: u64, in_flight: u64) -> (f64, f64) {
    let (model, request) = (model(base_url), Arc::new(request()));
    measured(calls, in_flight, move || {
        let (model, request) = (model.clone(), request.clone());
        async move { drop(model.chat(&request).await.unwrap_or_else(|error| panic!("{error}"))) }
    })
}

fn litellm(base_url: &str, calls: u64) {
    let Ok(folder) = std::env::var("DLGFORGE_REAL") else {
        println!("LiteLLM: not run (DLGFORGE_REAL names no folder)");
        return;
    };
    let python = format!("{folder}/litellm/bin/python");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/benches/litellm_client.py");
    for in_flight in ["1", "64"] {
        let calls = (calls / 20).to_string();
        let ran = Command::new(&python).args([script, base_url, &calls, in_flight]).status();
        assert!(ran.is_ok_and(|status| status.success()), "{python} {script}");
    }
}

fn main() {
    if let Ok(kind) = std::env::var("DLGFORGE_BENCH_SERVES") {
        return serve(&kind);
    }
    let calls = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(20_000);
    let instant = Served::start("instant");
    println!("in flight     bare: calls/s   CPU us      ours: calls/s   CPU us     ratio of calls/s");
    for in_flight in [1, 64, 1024] {
        let calls = if in_flight == 1 { calls / 4 } else { calls };
        let mut rounds: Vec<_> = (0..3)
            .map(|_| (bare(&instant.base_url, calls, in_flight), ours(&instant.base_url, calls, in_flight)))
            .collect();
        // The middle one of three, by the ratio.
        rounds.sort_by(|a, b| (a.1.0 / a.0.0).total_cmp(&(b.1.0 / b.0.0)));
        let (bare, ours) = rounds[1];
        let ratio = ours.0 / bare.0;
        println!("{in_flight:>9} {:>17.0} {:>8.0} {:>18.0} {:>8.0} {ratio:>20.2}", bare.0, bare.1, ours.0, ours.1);
    }
    litellm(&instant.base_url, calls);
    drop(instant);
    for (kind, name) in [("limited", "without Retry-After"), ("told", "with Retry-After: 1")] {
        let served = Served::start(kind);
        let (rate, cpu) = ours(&served.base_url, STORM_CALLS, STORM_SEATS);
        println!(
            "storm of 429 {name}: {rate:.0} calls/s of {RATE:.0} admitted ({:.1} %), {STORM_SEATS} seats, CPU {cpu:.0} us a call",
            rate / RATE * 100.0
        );
    }
}
