//! What a long run costs: its bytes on disk, the time until it goes on, and the price of the next conversation.
//!
//! `cargo bench --bench resume -- [SETTLED…]`, by default 10,000 settled conversations of one turn, and no judge. For each number a
//! run is stopped once it has settled that many; then it is timed from its start to its first request, and another run
//! of 5,000 conversations is added to the folder and held against the same in an empty one. Before them, a run of four turns a
//! conversation is killed after 20,000 calls, and a ledger is read that tells of a million questions; both are timed in the
//! same way. Linux only.

#[expect(dead_code, unused_imports, reason = "a benchmark needs part of the harness")]
#[path = "../support/mod.rs"]
mod support;

use dlgforge::domain::{Fingerprint, Normalisation};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::cost::Cost;
use support::endpoint::dialogue::{Latency, reply};
use support::endpoint::{Behaviour, Endpoint};
use support::{Project, remote};

/// Conversations by which two folders are compared.
const MORE: u32 = 5_000;

/// Plays user and assistant at once, without tools.
fn endpoint() -> Endpoint {
    Endpoint::start(Behaviour::new(|request, _| {
        let mut request = request.clone();
        request.as_object_mut().expect("an object").remove("tools");
        reply(&request, Latency::NONE)
    }))
}

fn project(endpoint: &Endpoint) -> Project {
    let run = "  batch_size: 64\n  turns: {mode: exact, exact: 1}";
    Project::with(&remote(&endpoint.base_url(), run, "").replace("judge: {mode: online}", "judge: {mode: offline}"))
}

fn start(project: &Project, arguments: &[&str]) -> Child {
    let mut command = project.command(&[&["run", "config.yaml"], arguments].concat());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs")
}

/// How long until there is another request, and what that took of the CPU.
fn first_request(endpoint: &Endpoint, child: &Child) -> (Duration, f64) {
    let (began, before) = (Instant::now(), endpoint.requests());
    while endpoint.requests() == before {
        std::thread::sleep(Duration::from_millis(1));
    }
    (began.elapsed(), Cost::of(child.id()).unwrap_or_default().cpu)
}

/// Microseconds of CPU and of time for each conversation of a new run, beyond its start; its peak memory in MiB.
fn more(endpoint: &Endpoint, project: &Project) -> (f64, f64, f64) {
    let total = format!("run.total_samples={MORE}");
    let mut child = start(project, &["--set", "run.run_id=more", "--set", &total]);
    let (_, cpu) = first_request(endpoint, &child);
    let began = Instant::now();
    let whole = Cost::to_the_end(&mut child);
    let each = |seconds: f64| seconds / f64::from(MORE) * 1e6;
    (each(whole.cpu - cpu), each(began.elapsed().as_secs_f64()), whole.peak)
}

/// Bytes below a folder.
fn bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| match entry.metadata().expect("an entry") {
            inside if inside.is_dir() => bytes(&entry.path()),
            file => file.len(),
        })
        .sum()
}

/// A run of whole conversations that is killed, and goes on. Where latencies differ, much is made that is not settled yet.
fn killed(latency: Latency) {
    const CALLS: u64 = 20_000;
    let endpoint = &Endpoint::start(Behaviour::dialogue(latency));
    let run = "  batch_size: 64\n  total_samples: 5000\n  turns: {mode: exact, exact: 4}";
    let project = Project::with(&remote(&endpoint.base_url(), run, ""));
    let arguments = ["--set", "run.run_id=killed"];
    let before = endpoint.requests();
    let mut child = start(&project, &arguments);
    while endpoint.requests() - before < CALLS {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().and_then(|()| child.wait()).expect("it ends");
    let mut child = start(&project, &[&arguments[..], &["--resume"]].concat());
    let (until, cpu) = first_request(endpoint, &child);
    println!(
        "killed after {CALLS} calls of {} ms (median, sigma {}): first request after {:.2} s, {cpu:.2} s of CPU",
        latency.median_ms,
        latency.sigma,
        until.as_secs_f64()
    );
    child.kill().and_then(|()| child.wait()).expect("it ends");
}

/// A run in a folder whose ledger tells of many questions.
fn ledger(endpoint: &Endpoint) {
    for rows in [0, 1_000_000] {
        let project = project(endpoint);
        std::fs::create_dir_all(project.path("outputs")).expect("a folder");
        let file = std::fs::File::create(project.path("outputs/coverage_ledger.jsonl")).expect("a file");
        let mut file = std::io::BufWriter::new(file);
        for number in 0..rows {
            let question = format!("How often must filter {number} of the pump be cleaned before the winter comes?");
            let row = serde_json::json!({
                "timestamp": "2026-11-23T08:00:00.000000Z", "question_mode": "fresh", "run_id": "earlier",
                "topic_id": format!("5f0c0a1b2c3d4e5f60718293a4b5c6d7-{}", number % 900),
                "source_path": format!("manual-{}.md", number % 40), "question_hash": "c7067016fbb6daa2",
                "seed_topic": "", "seed_question": "", "seed_question_hash": "",
                "fingerprint": format!("full:{:032x}", Fingerprint::of(&question, Normalisation::Full).0),
                "question": question,
            });
            writeln!(file, "{row}").expect("a row");
        }
        file.flush().expect("a file");
        let mut child = start(&project, &["--set", "run.run_id=next", "--set", "run.total_samples=10"]);
        let (until, cpu) = first_request(endpoint, &child);
        println!("a ledger of {rows} questions: first request after {:.2} s, {cpu:.2} s of CPU", until.as_secs_f64());
        child.kill().and_then(|()| child.wait()).expect("it ends");
    }
}

fn main() {
    let given: Vec<u32> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let endpoint = endpoint();
    ledger(&endpoint);
    killed(Latency::NONE);
    killed(Latency { median_ms: 20.0, sigma: 1.5, seed: 1 });
    let (cpu, time, peak) = more(&endpoint, &project(&endpoint));
    println!("in an empty folder: {cpu:.0} us of CPU and {time:.0} us a conversation, {peak:.0} MiB at its peak");
    for settled in if given.is_empty() { vec![10_000] } else { given } {
        let project = project(&endpoint);
        let total = format!("run.total_samples={}", settled + 10_000);
        let arguments = ["--set", "run.run_id=long", "--set", &total];
        let began = Instant::now();
        let mut child = start(&project, &arguments);
        let before = endpoint.requests();
        while endpoint.requests() - before < 2 * u64::from(settled) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let stopped = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(stopped.expect("kill runs").success());
        child.wait().expect("it ends");
        let made = project.rows("outputs/conversations_index.jsonl").len();
        println!("{made} conversations settled in {:.1} s", began.elapsed().as_secs_f64());
        let (store, outputs) = (bytes(&project.path("outputs/store")), bytes(&project.path("outputs")));
        let each = |bytes: u64| bytes as f64 / made as f64;
        println!("  on disk: {:.0} bytes of store, {:.0} of outputs for each", each(store), each(outputs - store));
        let mut child = start(&project, &[&arguments[..], &["--resume"]].concat());
        let (until, cpu) = first_request(&endpoint, &child);
        println!("  resumed: first request after {:.2} s, {cpu:.2} s of CPU", until.as_secs_f64());
        child.kill().and_then(|()| child.wait()).expect("it ends");
        let (cpu, time, peak) = more(&endpoint, &project);
        println!("  another run there: {cpu:.0} us of CPU and {time:.0} us a conversation, {peak:.0} MiB at its peak");
    }
}
