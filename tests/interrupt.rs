//! What stops a run: Ctrl-C, SIGUSR1, the time limit.

use crate::support::endpoint::dialogue::Latency;
use crate::support::endpoint::{Behaviour, Endpoint};
use crate::support::{Project, Ran, builtin, expect_same, remote, signal};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

fn start(endpoint: &Endpoint, project: &Project, requests: u64) -> Child {
    let child = project.command(&["run", "config.yaml"]).spawn().expect("the binary runs");
    let started = Instant::now();
    while endpoint.requests() < requests {
        assert!(started.elapsed() < Duration::from_secs(30), "the run asks");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

#[test]
fn lands_what_is_in_flight_writes_what_is_finished_and_exits_130() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency { median_ms: 30.0, sigma: 0.3, seed: 1 }));
    let run = "  run_id: cut\n  batch_size: 8\n  total_samples: 500\n  turns: {mode: exact, exact: 2}";
    let project = Project::with(&remote(&endpoint.base_url(), run, ""));
    let mut child = start(&endpoint, &project, 200);
    signal(&child, "-INT");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let finished = project.rows("outputs/conversations_sharegpt.jsonl").len();
    assert!((8..500).contains(&finished), "{finished}");
    assert_eq!(project.rows("outputs/synthetic_qa.jsonl").len(), finished);
    let shards = project.names("outputs/parquet/turns");
    assert!(!shards.iter().any(|name| name.contains("tmp")) && shards.contains(&"cut-00000.parquet".to_owned()));
    let state: serde_json::Value = serde_json::from_str(&project.read("outputs/run_state/cut.json")).expect("JSON");
    assert_eq!(state["status"], "in_progress");
    let active =
        state["conversations"].as_array().expect("slots").iter().filter(|slot| slot["status"] == "active").count();
    assert!((1..=8 * 16).contains(&active), "{active}, those that are finished and wait for others included");
}

#[test]
fn nothing_is_left_of_a_check_and_a_preview_that_are_ended() {
    for (arguments, signals) in [(&["check", "config.yaml"][..], 1), (&["preview", "config.yaml", "-n", "2"], 2)] {
        let endpoint = Endpoint::start(Behaviour::dialogue(Latency { median_ms: 60_000.0, sigma: 0.0, seed: 1 }));
        let project = Project::with(&remote(&endpoint.base_url(), "  batch_size: 4\n  total_samples: 4", ""));
        std::fs::create_dir(project.path("tmp")).expect("a folder");
        let mut command = project.command(arguments);
        let mut child = command.env("TMPDIR", project.path("tmp")).spawn().expect("the binary runs");
        let started = Instant::now();
        while endpoint.requests() == 0 {
            assert!(started.elapsed() < Duration::from_secs(30), "{arguments:?} asks");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!project.names("tmp").is_empty(), "{arguments:?} works there");
        for _ in 0..signals {
            std::thread::sleep(Duration::from_millis(300));
            signal(&child, "-INT");
        }
        assert_eq!(child.wait().expect("it ends").code(), Some(130), "{arguments:?}");
        assert_eq!(project.names("tmp"), Vec::<String>::new(), "{arguments:?}");
    }
}

#[test]
fn a_second_one_ends_at_once() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency { median_ms: 60_000.0, sigma: 0.0, seed: 1 }));
    let project = Project::with(&remote(&endpoint.base_url(), "  batch_size: 4\n  total_samples: 4", ""));
    let mut child = start(&endpoint, &project, 4);
    let first = Instant::now();
    signal(&child, "-INT");
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, "-INT");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(first.elapsed() < Duration::from_secs(5), "{:?}", first.elapsed());
}

#[test]
fn a_run_that_is_out_of_time_says_so_and_goes_on_to_the_same_bytes() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency { median_ms: 20.0, sigma: 0.3, seed: 1 }));
    let run = "  run_id: r\n  batch_size: 8\n  total_samples: 60\n  turns: {mode: exact, exact: 2}";
    let config = remote(&endpoint.base_url(), run, "");
    let whole = Project::with(&config);
    Ran::of(whole.stamped(&[])).succeeded();
    let project = Project::with(&config);
    let limited = Instant::now();
    let ran = Ran::of(project.stamped(&["--time-limit", "1s"]));
    assert!(ran.code == Some(75) && limited.elapsed() < Duration::from_secs(5), "{:?} {}", ran.code, ran.stderr);
    assert!(ran.stderr.contains("the time limit is near, stopping"), "{}", ran.stderr);
    assert!(ran.stdout.contains("dlgforge run config.yaml --resume r"), "{}", ran.stdout);
    let before = endpoint.requests();
    let mut child =
        project.stamped(&["--resume"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
    while endpoint.requests() < before + 40 {
        assert!(limited.elapsed() < Duration::from_secs(30), "the run asks");
        std::thread::sleep(Duration::from_millis(5));
    }
    signal(&child, "-USR1");
    assert_eq!(child.wait().expect("it ends").code(), Some(75));
    Ran::of(project.stamped(&["--resume", "--time-limit", "10m"])).succeeded();
    expect_same(&whole.outputs(), &project.outputs(), "stopped twice");
}

#[test]
fn the_time_limit_holds_before_the_first_conversation_too() {
    let more = "tools: {retrieval: {convert: {slow: 'sh -c \"sleep 62 & wait\" {input}'}}}";
    let project = Project::with(&builtin("  run_id: r\n  total_samples: 1", more));
    project.write("knowledge/en/a.slow", b"text");
    let began = Instant::now();
    let ran = project.run(&["run", "config.yaml", "--time-limit", "2s"]);
    assert!(ran.code == Some(75) && began.elapsed() < Duration::from_secs(20), "{:?} {}", ran.code, ran.stderr);
    assert!(ran.stderr.contains("stopped; what was read of the documents is kept"), "{}", ran.stderr);
    let wrong = project.run(&["run", "config.yaml", "--time-limit", "soon"]);
    assert!(wrong.code == Some(2) && wrong.stderr.contains("--time-limit <TIME>"), "{}", wrong.stderr);
}
