//! `dlgforge run` as a user runs it: any number of workers, either kind of model, once or again in the same folder.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint};
use crate::support::{Project, asking, builtin, remote};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

fn ids(project: &Project) -> Vec<String> {
    let rows = project.rows("outputs/conversations_index.jsonl");
    rows.iter().map(|row| row["conversation_id"].as_str().expect("an id").to_owned()).collect()
}

fn questions(project: &Project) -> BTreeSet<String> {
    let rows = project.rows("outputs/turns.jsonl");
    let all: Vec<_> = rows.iter().map(|row| row["user_message"].as_str().expect("text").to_owned()).collect();
    let distinct: BTreeSet<String> = all.iter().cloned().collect();
    assert_eq!(distinct.len(), all.len(), "no question twice");
    distinct
}

#[test]
fn any_number_of_workers_makes_the_same_conversations_in_slot_order() {
    let run = "  run_id: w\n  batch_size: 6\n  total_samples: 10\n  target_languages: [en, ar, de]\n  turns: {mode: exact, exact: 2}";
    let expected: Vec<String> =
        ["en", "ar", "de"].iter().flat_map(|tag| (0..10).map(move |index| format!("w-{tag}-{index:04}"))).collect();
    for workers in ["1", "2", "4"] {
        let project = Project::with(&builtin(run, ""));
        let ran = project.generate(&["--workers", workers]);
        assert!(ran.stdout.contains("30 of 30 accepted"), "{}", ran.stdout);
        assert_eq!(ids(&project), expected, "{workers} workers");
        assert_eq!(questions(&project).len(), 60);
    }
}

#[test]
fn a_second_run_in_the_folder_repeats_no_question() {
    let config = builtin("  batch_size: 8\n  total_samples: 12\n  turns: {mode: exact, exact: 3}", "");
    let project = Project::with(&config);
    project.generate(&["--set", "run.run_id=one"]);
    project.generate(&["--set", "run.run_id=two"]);
    assert_eq!(questions(&project).len(), 2 * 12 * 3);
    let again = project.run(&["run", "config.yaml", "--set", "run.run_id=one"]);
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("one") && again.stderr.contains("run_id"), "{}", again.stderr);
}

#[test]
fn an_endpoint_is_kept_busy_and_never_above_batch_size() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency { median_ms: 15.0, sigma: 1.0, seed: 3 }));
    let run = "  batch_size: 12\n  total_samples: 30\n  turns: {mode: exact, exact: 2}";
    let project = Project::with(&remote(&endpoint.base_url(), run, ""));
    let ran = project.generate(&[]);
    assert_eq!(ids(&project).len(), 30);
    // A turn is one question, a search, an answer and a verdict.
    assert_eq!(endpoint.requests(), 30 * 2 * 4, "{}", ran.stdout);
    assert!((6..=12).contains(&endpoint.max_in_flight()), "{}", endpoint.max_in_flight());
    for row in project.rows("outputs/conversations_sharegpt.jsonl") {
        let with_tools = row["messages_with_tools"].as_array().expect("rows").clone();
        let called: Vec<&Value> = with_tools.iter().filter_map(|row| row.get("tool_calls")).collect();
        let answered: Vec<&Value> = with_tools.iter().filter_map(|row| row.get("tool_call_id")).collect();
        let called = called.iter().filter_map(|calls| calls.as_array()).flatten();
        assert_eq!(called.map(|call| &call["id"]).collect::<Vec<_>>(), answered, "ids match");
    }
}

#[test]
fn a_slow_conversation_delays_only_itself() {
    let slow = Behaviour::new(|request, number| {
        let mut reply = reply(request, Latency { median_ms: 2.0, sigma: 0.1, seed: 1 });
        if number == 0 {
            reply.delay = Duration::from_secs(3);
        }
        reply
    });
    let endpoint = Endpoint::start(slow);
    let run = "  batch_size: 4\n  total_samples: 40\n  turns: {mode: exact, exact: 2}";
    let project = Project::with(&remote(&endpoint.base_url(), run, ""));
    let mut child = project.command(&["run", "config.yaml"]).spawn().expect("the binary runs");
    let started = Instant::now();
    while endpoint.requests() < 300 && started.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(10));
    }
    // All others are through while the first question is still out.
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(child.wait().expect("it ends").success());
    assert_eq!(ids(&project).len(), 40);
}

#[test]
fn duplicates_are_asked_again_then_dropped_then_the_run_says_so() {
    let few = Behaviour::new(|request, number| {
        asking(reply(request, Latency::NONE), || Some(format!("What is rule {}?", number % 5)))
    });
    let endpoint = Endpoint::start(few);
    let run = "  batch_size: 3\n  total_samples: 20\n  turns: {mode: exact, exact: 1}";
    let project = Project::with(&remote(&endpoint.base_url(), run, "coverage: {question_dedup_retries: 2}"));
    let ran = project.run(&["run", "config.yaml"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    for figure in
        ["run failed: could not reach run.total_samples", "en: 5 of 20 accepted", "dedup_exhausted", "in a row"]
    {
        assert!(ran.stderr.contains(figure), "no `{figure}` in {}", ran.stderr);
    }
    assert_eq!(ids(&project).len(), 5, "what was accepted is kept");
    let state: Value = serde_json::from_str(&project.read(&format!(
        "outputs/run_state/{}",
        project.names("outputs/run_state").into_iter().find(|name| name.ends_with(".json")).expect("a run state")
    )))
    .expect("JSON");
    let dropped = state["conversations"]
        .as_array()
        .expect("slots")
        .iter()
        .filter(|slot| slot["drop_reason"] == "dedup_exhausted");
    assert!(dropped.count() >= 16);
}

#[test]
fn dropped_conversations_with_turns_are_kept_apart_or_marked() {
    // The second turn of every second conversation asks what was asked before.
    let asked = AtomicU64::new(0);
    let endpoint = Endpoint::start(Behaviour::new(move |request, _| {
        let second = crate::support::turn(request) == 2;
        let again = || second && asked.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        asking(reply(request, Latency::NONE), || again().then(|| "What now?".into()))
    }));
    let run = "  batch_size: 4\n  total_samples: 8\n  turns: {mode: exact, exact: 2}";
    let config = remote(&endpoint.base_url(), run, "coverage: {question_dedup_retries: 0}");
    let project = Project::with(&config);
    project.generate(&[]);
    assert_eq!(project.rows("outputs/conversations_sharegpt.jsonl").len(), 8);
    assert!(!project.rows("outputs/dropped.jsonl").is_empty());
    let project = Project::with(&config);
    project.generate(&["--set", "saving.keep_dropped_rows=true"]);
    let rows = project.rows("outputs/conversations_sharegpt.jsonl");
    let (dropped, completed): (Vec<_>, Vec<_>) =
        rows.iter().partition(|row| row["metadata"]["conversation_status"] == "dropped");
    assert_eq!((completed.len(), project.read("outputs/dropped.jsonl").as_str()), (8, ""));
    assert!(!dropped.is_empty());
    for row in dropped {
        assert_eq!(
            (&row["metadata"]["drop_reason"], &row["metadata"]["n_turns"]),
            (&"dedup_exhausted".into(), &1.into())
        );
    }
}

#[test]
fn conversation_granularity_judges_once() {
    let config = builtin("  batch_size: 4\n  total_samples: 4\n  turns: {mode: exact, exact: 3}", "");
    let project = Project::with(&config);
    project.generate(&["--set", "judge.granularity=conversation"]);
    for row in project.rows("outputs/conversations_sharegpt_judged.jsonl") {
        assert!(
            row["judge"]["conversation"]["score"].is_number()
                && row["judge"]["per_turn"].as_array().is_some_and(Vec::is_empty)
        );
    }
    let log = project.read("logs/judge.log");
    assert_eq!(log.matches("[judge-online-conversation]").count(), 4, "{log}");
}

#[test]
fn offline_judging_makes_no_judge_call() {
    let project = Project::with(&builtin("  batch_size: 4\n  total_samples: 4", ""));
    project.generate(&["--set", "judge.mode=offline"]);
    assert!(project.rows("outputs/conversations_sharegpt_judged.jsonl").is_empty());
    assert_eq!(project.rows("outputs/conversations_sharegpt.jsonl").len(), 4);
}

/// The same question, written in ten ways.
const ONE_QUESTION: [&str; 10] = [
    "What is the storage rule?",
    "What is the\u{200f} storage rule?",
    "What is the stor\u{200b}age rule?",
    "What is the “storage rule”?",
    "What is the storage rule",
    "What is the storage rule?!",
    "Ｗhat is the storage rule？",
    "What is the storage rule…",
    "\u{202a}What is the storage rule?\u{202c}",
    "What, is the storage rule.",
];

#[test]
fn a_question_in_other_marks_is_the_same_question_unless_the_folder_began_without() {
    let ways = Behaviour::new(|request, number| {
        asking(reply(request, Latency::NONE), || Some(ONE_QUESTION[number as usize % 10].to_owned()))
    });
    let endpoint = Endpoint::start(ways);
    let run = "  batch_size: 1\n  total_samples: 2\n  turns: {mode: exact, exact: 1}";
    let config = remote(&endpoint.base_url(), run, "");
    let project = Project::with(&config);
    let ran = project.run(&["run", "config.yaml"]);
    assert!(ran.stderr.contains("en: 1 of 2 accepted"), "{}", ran.stderr);

    let contract = Project::with(&config);
    contract.generate(&["--set", "coverage.normalisation=contract"]);
    assert_eq!(questions(&contract).len(), 2, "told apart by a mark");
    let ran = contract.generate(&[]);
    let told = ran.stderr.matches("coverage.normalisation: the output folder goes on as it began").count();
    assert_eq!((told, questions(&contract).len()), (1, 4), "{}", ran.stderr);

    // What the Python original left.
    let foreign = Project::with(&config);
    foreign.write("outputs/coverage_ledger.jsonl", FOREIGN.as_bytes());
    let ran = foreign.generate(&[]);
    assert!(ran.stderr.contains("by case and white space alone (`contract`)"), "{}", ran.stderr);
    assert_eq!(questions(&foreign).len(), 2);
}

const FOREIGN: &str = r#"{"timestamp": "t", "topic_id": "", "source_path": "", "question": "What is the storage rule?", "question_hash": "0", "question_mode": "fresh", "seed_topic": "", "seed_question": "", "seed_question_hash": ""}
"#;
