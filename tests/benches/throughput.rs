//! A whole run against a local endpoint with log-normal latency: seats busy, CPU per call, peak memory.
//!
//! `cargo bench --bench throughput -- [CONVERSATIONS [TURNS [BATCH_SIZE [MEDIAN_MS [SIGMA]]]]]`, by default
//! `2000 4 256 100 1.0`. The endpoint lives in this process, so its work is not counted. Linux only: CPU and memory are
//! read from `/proc`.

#[expect(dead_code, unused_imports, reason = "a benchmark needs part of the harness")]
#[path = "../support/mod.rs"]
mod support;

use std::time::Instant;
use support::cost::Cost;
use support::endpoint::dialogue::Latency;
use support::endpoint::{Behaviour, Endpoint};
use support::{Project, remote};

fn main() {
    let given: Vec<f64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let or = |at: usize, default: f64| given.get(at).copied().unwrap_or(default);
    let (conversations, turns, batch_size) = (or(0, 2000.0), or(1, 4.0), or(2, 256.0));
    let latency = Latency { median_ms: or(3, 100.0), sigma: or(4, 1.0), seed: 1 };
    let endpoint = Endpoint::start(Behaviour::dialogue(latency));
    let run = format!(
        "  batch_size: {batch_size}\n  total_samples: {conversations}\n  turns: {{mode: exact, exact: {turns}}}"
    );
    let project = Project::with(&remote(&endpoint.base_url(), &run, ""));
    let started = Instant::now();
    let mut child = project.command(&["run", "config.yaml"]).spawn().expect("the binary runs");
    let Cost { cpu, peak } = Cost::to_the_end(&mut child);
    let (elapsed, calls) = (started.elapsed().as_secs_f64(), endpoint.requests());
    println!(
        "calls {calls} in {elapsed:.1} s ({:.0} a second), most in flight {}; seats busy before the tail {:.3}",
        calls as f64 / elapsed,
        endpoint.max_in_flight(),
        endpoint.mean_in_flight() / batch_size
    );
    println!("CPU {cpu:.1} s, {:.0} us a call; peak memory {peak:.0} MiB", cpu / calls as f64 * 1e6);
}
