//! How a run tells how it comes along: `--progress`, `-q`, `-v`, `--metrics`. Would catch: events that do not add up to the
//! summary, a standard output that has more than events, and a run that is another one for being watched.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint};
use crate::support::{Project, Ran, asking, builtin, expect_same, remote};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

const RUN: &str = "  run_id: r\n  batch_size: 4\n  total_samples: 8\n  target_languages: [en, fr]\n  \
    turns: {mode: exact, exact: 2}";

fn events(ran: &Ran) -> Vec<Value> {
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn events_are_one_json_object_a_line_and_add_up() {
    let endpoint = Endpoint::start(Behaviour::new(|request, number| {
        if number % 41 == 5 {
            return crate::support::endpoint::Reply::error(503, "down");
        }
        asking(reply(request, Latency::NONE), || (number % 7 == 0).then(|| "Who is there?".to_owned()))
    }));
    let config = remote(&endpoint.base_url(), RUN, "coverage: {question_dedup_retries: 9}");
    let config = config
        .replace("max_retries: 1", "max_retries: 9")
        .replace("  run_id: r\n", "  run_id: r\n  budget: {calls: 100000}\n");
    let project = Project::with(&config);
    let ran = project.run(&["run", "config.yaml", "--progress", "json"]).succeeded();
    let events = events(&ran);
    assert!(ran.stderr.contains("run r complete"), "the summary is on standard error: {}", ran.stderr);
    for event in &events {
        assert_eq!((&event["version"], &event["process"]), (&1.into(), &0.into()), "{event}");
        let time = event["time"].as_str().expect("a time");
        assert!(time.len() == 24 && time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    }
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for event in &events {
        *counts.entry(event["event"].as_str().expect("a name")).or_default() += 1;
    }
    let count = |name: &str| counts.get(name).copied().unwrap_or_default();
    let ended = events.last().expect("events");
    assert_eq!(ended["event"], "ended", "{counts:?}");
    assert_eq!((ended["accepted"].as_u64(), count("conversation_settled")), (Some(16), 16));
    assert_eq!(count("conversation_opened"), 16 + count("conversation_dropped"));
    let lost: u64 = events.iter().filter_map(|event| event["rejected"].as_u64()).sum();
    assert_eq!(ended["duplicates"], count("question_rejected") - lost);
    assert!(count("question_rejected") > 0 && count("call_retried") > 0 && count("call_failed") > 0, "{counts:?}");
    assert!(count("wave_settled") >= 4 && count("prepared") == 1 && count("preparing") > 0, "{counts:?}");
    assert!(count("budget_spent") >= count("call_answered"), "{counts:?}");
    let of = |key: &str| -> u64 {
        events.iter().filter(|event| event["event"] == "call_answered").filter_map(|event| event[key].as_u64()).sum()
    };
    let (told, heard) = (ended["prompt_tokens"].as_u64().expect("tokens"), of("prompt_tokens"));
    assert!(told > 0 && told <= heard, "{told} {heard}");
    let ids: BTreeSet<_> = events
        .iter()
        .filter(|event| event["event"] == "conversation_opened")
        .map(|event| event["conversation_id"].to_string())
        .collect();
    assert!(ids.contains("\"r-en-0000\"") && ids.len() as u64 == count("conversation_opened"), "{ids:?}");
    let started = events.iter().find(|event| event["event"] == "started").expect("a start");
    assert_eq!((&started["run_id"], &started["total"]), (&"r".into(), &16.into()));
    // A pass of the judge tells how far it is.
    let ran = project.run(&["judge", "config.yaml", "--progress", "json"]).succeeded();
    let events = self::events(&ran);
    assert_eq!(
        events.iter().filter_map(|event| event["done"].as_u64().filter(|_| event["event"] == "judged")).max(),
        Some(16)
    );
    assert!(ran.stderr.contains("pass judge/1 complete"), "{}", ran.stderr);
}

#[test]
fn a_run_that_is_watched_is_the_same_run() {
    let [plain, watched] = [&[][..], &["--progress", "json", "--metrics", "0", "-v"]].map(|arguments| {
        let project = Project::with(&builtin(RUN, ""));
        let ran = Ran::of(project.stamped(arguments)).succeeded();
        (project, ran)
    });
    expect_same(&plain.0.outputs(), &watched.0.outputs(), "a watched run");
    assert!(
        !plain.1.stderr.contains("[samples]") && watched.1.stderr.contains("[samples] wave="),
        "{}",
        watched.1.stderr
    );
    assert!(watched.1.stderr.contains("metrics at http://127.0.0.1:"), "{}", watched.1.stderr);
}

#[test]
fn a_collector_that_is_not_there_or_speaks_otherwise_stops_nothing() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let at = format!("http://{closed}");
    let made = |variables: &[(&str, &str)]| {
        let project = Project::with(&builtin(RUN, ""));
        let mut command = project.stamped(&[]);
        command.envs(variables.iter().copied());
        let ran = Ran::of(command).succeeded();
        (project.outputs(), ran.stderr)
    };
    let at = ("OTEL_EXPORTER_OTLP_ENDPOINT", at.as_str());
    let plain = made(&[]);
    let (outputs, stderr) = made(&[at]);
    expect_same(&plain.0, &outputs, "a run that a collector is told of");
    assert!(stderr.contains("the collector was not told"), "{stderr}");
    let (outputs, stderr) = made(&[at, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
    expect_same(&plain.0, &outputs, "a run that no collector is told of");
    let expected = "no collector is told of this: OTEL_EXPORTER_OTLP_PROTOCOL: `grpc` is not spoken here";
    assert!(stderr.contains(expected), "{stderr}");
}

#[test]
fn every_process_of_a_run_tells_its_own_calls() {
    let project = Project::with(&builtin(RUN, ""));
    let several = ["--set", "run.distributed.enabled=true", "--set", "run.distributed.processes=2"];
    let ran = project.run(&[&["run", "config.yaml", "--progress", "json", "--metrics", "0"][..], &several].concat());
    let events = events(&ran.succeeded());
    let of = |process: u64, name: &str| {
        events.iter().filter(|event| event["process"] == process && event["event"] == name).count() as u64
    };
    let ended = events.iter().find(|event| event["event"] == "ended").expect("an end");
    assert!(of(0, "call_answered") > 0 && of(1, "call_answered") > 0, "{ended}");
    assert!(of(0, "call_answered") + of(1, "call_answered") >= ended["calls"].as_u64().expect("calls"), "{ended}");
    assert_eq!((of(0, "conversation_settled"), of(1, "conversation_settled")), (16, 0));
    assert!(ended["cost_usd"].is_null(), "{ended}");
}

#[test]
fn quiet_and_verbose_runs_say_as_much_as_they_are_to() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let project = Project::with(&remote(&endpoint.base_url(), RUN, ""));
    let quiet = project.generate(&["-q"]);
    let lines: Vec<_> = quiet.stdout.lines().collect();
    assert!(lines.len() == 1 && lines[0].starts_with("run r complete (seed 5)"), "{lines:?}");
    assert_eq!(quiet.stderr, "");
    let project = Project::with(&remote(&endpoint.base_url(), RUN, ""));
    let verbose = project.generate(&["-v", "--progress", "none"]);
    assert!(verbose.stderr.matches("[llm] request model=").count() > 20, "{}", verbose.stderr);
    let log = project.read("logs/llm.log");
    assert!(!log.contains("[llm] request"), "the files keep what `logs.level` says: {log}");
    project.run(&["run", "config.yaml", "--progress", "bar"]).failed(&["standard error is no terminal; choose plain"]);
    project
        .run(&["run", "config.yaml", "--metrics", "nowhere"])
        .failed(&["--metrics: `nowhere` is neither a port nor"]);
    assert_eq!(project.run(&["run", "config.yaml", "-q", "-v"]).code, Some(2));
}

#[test]
fn lines_tell_how_far_a_run_is_unless_nothing_is_to() {
    let slow = Latency { median_ms: 150.0, ..Latency::NONE };
    let endpoint = Endpoint::start(Behaviour::dialogue(slow));
    let told = |arguments: &[&str]| {
        let project = Project::with(&remote(&endpoint.base_url(), RUN, ""));
        let ran = project.generate(arguments);
        (ran.stderr.contains("/16 conversations, "), ran.stdout.lines().count() > 1)
    };
    let [plain, none, quiet] = std::thread::scope(|scope| {
        let runs = [&["--progress", "plain"][..], &["--progress", "none"], &["-q", "--progress", "plain"]];
        runs.map(|arguments| scope.spawn(move || told(arguments))).map(|run| run.join().expect("a run"))
    });
    assert_eq!((plain, none, quiet), ((true, true), (false, true), (true, false)));
}

#[test]
fn metrics_are_served_while_a_run_goes_on() {
    let slow = Latency { median_ms: 20.0, ..Latency::NONE };
    let endpoint = Endpoint::start(Behaviour::dialogue(slow));
    let config = remote(&endpoint.base_url(), &RUN.replace("total_samples: 8", "total_samples: 60"), "");
    let project = Project::with(&config);
    let mut command = project.command(&["run", "config.yaml", "--metrics", "0", "--progress", "none"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut told = String::new();
    BufReader::new(child.stderr.take().expect("standard error")).read_line(&mut told).expect("a line");
    let address = told.trim().strip_prefix("metrics at http://").and_then(|rest| rest.strip_suffix("/metrics"));
    let address = address.unwrap_or_else(|| panic!("{told}"));
    let scraped = || {
        let mut stream = TcpStream::connect(address).expect("a server");
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("a request");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("a reply");
        text
    };
    let text = loop {
        let text = scraped();
        if text.contains("dlgforge_conversations_accepted_total{") {
            break text;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let place = format!("role=\"assistant\",endpoint=\"{}\"", endpoint.base_url());
    for part in [
        "HTTP/1.1 200 OK".to_owned(),
        "content-type: text/plain; version=0.0.4; charset=utf-8".to_owned(),
        "dlgforge_conversations_target 120\n".to_owned(),
        "# TYPE dlgforge_requests_total counter\n".to_owned(),
        format!("dlgforge_requests_total{{{place},"),
        format!("dlgforge_request_duration_seconds_bucket{{{place},"),
        format!("dlgforge_endpoint_up{{endpoint=\"{}\"}} 1\n", endpoint.base_url()),
        "dlgforge_run_info{run_id=\"r\",".to_owned(),
    ] {
        assert!(text.contains(&part), "{part}: {text}");
    }
    child.kill().expect("an end");
    child.wait().expect("an end");
}
