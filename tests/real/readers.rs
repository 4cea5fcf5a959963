//! What readers make of the files: `datasets` infers types from the first bytes that it reads.

use crate::parts::python;
use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint};
use crate::support::{Project, builtin, copy, remote, shipped};
use serde_json::Value;
use std::process::Command;

/// Reads files of one kind, and tells how many rows they have and who speaks in the first and the last of them.
const READ: &str = r#"
import sys, tempfile
import datasets
datasets.disable_progress_bars()
with tempfile.TemporaryDirectory() as cache:
    rows = datasets.load_dataset(sys.argv[1], data_files=sys.argv[2:], split="train", cache_dir=cache)
    print(len(rows), *[message["role"] for at in (0, -1) for message in rows[at].get("messages_with_tools") or []])
"#;

/// Reads pairs of answers, and tells who speaks in the first of them and whether the judge liked every one that was chosen better.
const PAIRS: &str = r#"
import sys, tempfile
import datasets
datasets.disable_progress_bars()
with tempfile.TemporaryDirectory() as cache:
    rows = datasets.load_dataset(sys.argv[1], data_files=sys.argv[2:], split="train", cache_dir=cache)
    columns = ("prompt", "chosen", "rejected")
    said = [[message["role"] for message in rows[0][column] if message["content"]] for column in columns]
    print(said, all(row["score_chosen"] > row["score_rejected"] for row in rows), rows.column_names == list(rows[0]))
"#;

#[test]
fn pairs_of_answers_are_as_trainers_of_preferences_read_them() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let run = "  run_id: R\n  batch_size: 16\n  total_samples: 24\n  turns: {mode: exact, exact: 1}";
    let judge = "judge: {mode: online, accept: {min_score: 4, on_fail: repair}}";
    let config = remote(&endpoint.base_url(), run, "").replace("judge: {mode: online}", judge);
    let project = Project::with(&config);
    project.generate(&[]);
    for (kind, file) in [("json", "preferences.jsonl"), ("parquet", "parquet/preferences/R-00000.parquet")] {
        let mut read = Command::new(python("readers"));
        let read = read.args(["-c", PAIRS, kind]).arg(project.path(&format!("outputs/{file}")));
        let read = read.env("HF_HUB_OFFLINE", "1").output().expect("Python runs");
        let told = String::from_utf8_lossy(&read.stdout);
        assert!(read.status.success(), "{told}{}", String::from_utf8_lossy(&read.stderr));
        assert_eq!(told.trim(), "[['user'], ['assistant'], ['assistant']] True True", "{kind}");
    }
}

#[test]
fn a_run_without_tool_calls_and_thoughts_then_one_with_is_one_table() {
    let project = Project::empty();
    copy(&shipped("knowledge/en"), &project.path("knowledge/en"));
    let run = "  run_id: R\n  batch_size: 16\n  total_samples: 24\n  turns: {mode: exact, exact: 1}";
    let calls_nothing = Behaviour::new(|request, _| {
        let mut request = request.clone();
        request["tools"].take();
        reply(&request, Latency::NONE)
    });
    for (id, behaviour, more) in [
        ("plain", calls_nothing, "tools: {retrieval: {mode: tool}}\ncoverage: {require_retrieval: false}"),
        ("thinks", Behaviour::thinks_apart(), "tools: {retrieval: {mode: first}}"),
    ] {
        let endpoint = Endpoint::start(behaviour);
        project.write("config.yaml", remote(&endpoint.base_url(), &run.replace('R', id), more).as_bytes());
        project.generate(&[]);
    }
    let says = "user assistant user assistant tool assistant";
    for (kind, files, expected) in [
        ("json", &["conversations_sharegpt.jsonl"][..], format!("48 {says}")),
        ("json", &["conversations_sharegpt_judged.jsonl"], format!("48 {says}")),
        ("json", &["turns.jsonl"], "48".to_owned()),
        ("json", &["synthetic_qa.jsonl"], "48".to_owned()),
        (
            "parquet",
            &["parquet/conversations/plain-00000.parquet", "parquet/conversations/thinks-00000.parquet"],
            format!("48 {says}"),
        ),
        ("parquet", &["parquet/turns/plain-00000.parquet", "parquet/turns/thinks-00000.parquet"], "48".to_owned()),
    ] {
        let files = files.iter().map(|file| project.path(&format!("outputs/{file}")));
        let mut read = Command::new(python("readers"));
        let read = read.args(["-c", READ, kind]).args(files).env("HF_HUB_OFFLINE", "1").output().expect("Python runs");
        let told = String::from_utf8_lossy(&read.stdout);
        assert!(read.status.success(), "{told}{}", String::from_utf8_lossy(&read.stderr));
        assert_eq!(told.trim(), expected, "{kind}");
    }
}

#[test]
fn pyarrow_polars_duckdb_and_datasets_read_every_table_alike() {
    let run = "  run_id: R\n  total_samples: 12\n  target_languages: [ar, fr]\n  turns: {mode: range, min: 1, max: 3}";
    // So strict that every table has rows.
    let judge = "judge: {mode: online, accept: {min_score: 9, on_fail: repair}}";
    let config = builtin(run, "tools: {retrieval: {mode: both}}").replace("judge: {mode: online}", judge);
    let project = Project::with(&config);
    project.generate(&[]);
    for table in ["conversations", "turns", "dropped", "calls", "preferences"] {
        let formats = ["parquet", "arrow", "jsonl"];
        let to = format!("read/{table}");
        project.run(&["export", "outputs", "--table", table, "--format", &formats.join(","), "--to", &to]).succeeded();
        let files = |format: &str| project.path(&format!("{to}/{format}/*.{format}")).display().to_string();
        let rows = project.rows(&format!("{to}/jsonl/train-00000-of-00001.jsonl"));
        assert!(!rows.is_empty(), "{table} has no rows");
        let arguments = formats.map(|format| [format!("--{format}"), files(format)]);
        let mut read = Command::new(python("readers"));
        let read = read.arg(shipped("tests/real/readers.py")).args(arguments.iter().flatten());
        let read = read.env("HF_HUB_OFFLINE", "1").output().expect("Python runs");
        let told = String::from_utf8_lossy(&read.stdout);
        let readers = ["pyarrow", "polars", "duckdb", "datasets"];
        let line = |format: &str| readers.map(|reader| format!("{reader} {format}: {} rows\n", rows.len())).concat();
        assert_eq!(told, formats.map(line).concat(), "{table}: {}", String::from_utf8_lossy(&read.stderr));
        if table == "conversations" {
            let said = |language: &str, char: fn(char) -> bool| {
                let own = rows.iter().filter(|row| row["language"] == language);
                own.filter(|row| row["messages"].to_string().contains(char)).count()
            };
            assert_eq!(
                (said("ar", |char| ('ا'..='ي').contains(&char)), said("fr", |char| "éèàç".contains(char))),
                (12, 12)
            );
            let calls = |row: &&Value| row["messages_with_tools"].to_string().contains("\"tool_calls\":[{");
            assert!(rows.iter().filter(calls).count() > 0, "no conversation calls a tool");
        }
    }
}
