//! What a long run costs: its bytes on disk, the time until it goes on, and the price of the next conversation.
//!
//! `cargo bench --bench resume -- [SETTLED…]`, by default 10,000 settled conversations of one turn, and no judge. For each number a
//! run is stopped once it has settled that many; then it is timed from its start to its first request, and another run
//! of 5,000 conversations is added to the folder and held against the same in an empty one. Linux only.

#[expect(dead_code, reason = "a benchmark needs part of the harness")]
#[path = "../support/mod.rs"]
mod support;

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

fn main() {
    let given: Vec<u32> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let endpoint = endpoint();
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
