//! `dlgforge estimate` against the run it speaks of. Would catch: a pilot that is not like the run, costs that are counted
//! otherwise than the run counts them, and anything that a pilot leaves behind.

use crate::support::endpoint::dialogue::Latency;
use crate::support::endpoint::{Behaviour, Endpoint};
use crate::support::{Project, remote};

const PRICES: &[u8] = b"version: mine\nusd_per_million_tokens: {openai/test-model: {input: 1000, output: 5000}}\n";

/// The numbers of a line: expected, least, most.
fn numbers(told: &str, name: &str) -> [f64; 3] {
    let line = told.lines().find(|line| line.trim_start().starts_with(name)).expect("a line");
    let numbers = line.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(|number| number.parse().ok());
    numbers.collect::<Vec<_>>().try_into().expect("three numbers")
}

#[test]
fn the_run_costs_what_its_pilot_lets_expect() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let run = "  run_id: r\n  batch_size: 8\n  total_samples: 40\n  target_languages: [en, fr]\n  turns: {mode: range, min: 1, max: 3}";
    let project =
        Project::with(&remote(&endpoint.base_url(), run, "").replace("llm:\n", "llm:\n  prices: prices.yaml\n"));
    project.write("prices.yaml", PRICES);
    let ran = project.run(&["estimate", "config.yaml", "--pilot", "8"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("pilot: 16 conversations, "), "{}", ran.stdout);
    assert!(ran.stdout.contains("a run of 80 conversations in 2 languages"), "{}", ran.stdout);
    assert!(!project.path("outputs").exists(), "a pilot leaves nothing");
    let piloted = endpoint.requests();

    let made = project.generate(&[]);
    let calls = (endpoint.requests() - piloted) as f64;
    let [expected, least, most] = numbers(&ran.stdout, "calls");
    assert!(least <= calls && calls <= most && (expected - calls).abs() < 0.35 * calls, "{calls}: {}", ran.stdout);
    let cost = made
        .stdout
        .lines()
        .find_map(|line| line.trim().strip_prefix("cost ")?.trim().strip_suffix(" USD")?.parse().ok());
    let cost: f64 = cost.expect("a cost");
    let [expected, least, most] = numbers(&ran.stdout, "USD");
    assert!(least <= cost && cost <= most && (expected - cost).abs() < 0.35 * cost, "{cost}: {}", ran.stdout);
    let status = project.run(&["status"]).stdout;
    assert!(status.contains(&format!("  cost           {cost:.4} USD\n")), "{status}");
    assert!(status.contains("    fr ") && status.contains("    judge        openai/test-model: "), "{status}");
}

#[test]
fn what_can_not_be_estimated_says_why() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let project = Project::with(&remote(&endpoint.base_url(), "  batch_size: 2\n  total_samples: 4\n  n_turns: 1", ""));
    let unpriced = project.run(&["estimate", "config.yaml", "--pilot", "2"]);
    assert!(unpriced.stdout.contains("USD            unknown: some model has no price"), "{}", unpriced.stdout);
    assert_eq!(project.run(&["estimate", "config.yaml", "--pilot", "1"]).code, Some(2));
    let refused = Endpoint::start(Behaviour::status(401, &[]));
    let project = Project::with(&remote(&refused.base_url(), "  batch_size: 2\n  total_samples: 4\n  n_turns: 1", ""));
    let ran = project.run(&["estimate", "config.yaml"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("the pilot did not make its conversations") && ran.stderr.contains("HTTP 401"),
        "{}",
        ran.stderr
    );
}
