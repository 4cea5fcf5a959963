//! The README's first command: what a newcomer gets.

use crate::support::{Project, copy, shipped};
use std::collections::BTreeSet;

#[test]
fn makes_24_judged_conversations_in_two_languages_and_every_file() {
    let project = Project::empty();
    copy(&shipped("config"), &project.path("config"));
    copy(&shipped("knowledge"), &project.path("knowledge"));
    let ran = project.run(&["run", "config/quickstart.yaml"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    for figure in ["24 of 24 accepted", "dropped", "duplicates", "calls", "tokens", "of 10 on average"] {
        assert!(ran.stdout.contains(figure), "no `{figure}` in the summary:\n{}", ran.stdout);
    }
    let wide: Vec<_> = ran.stdout.lines().chain(ran.stderr.lines()).filter(|line| line.chars().count() > 80).collect();
    assert_eq!(wide, Vec::<&str>::new());
    assert_eq!(ran.stdout.matches(".parquet").count(), 4, "a line for each table:\n{}", ran.stdout);
    assert!(!ran.stdout.contains("durable"), "{}", ran.stdout);
    assert!(project.read("logs/run.log").contains("durable after"));

    let judged = project.rows("outputs/conversations_sharegpt_judged.jsonl");
    assert_eq!(judged.len(), 24);
    let languages: BTreeSet<_> = judged.iter().map(|row| row["metadata"]["language"].as_str().expect("text")).collect();
    assert_eq!(languages.len(), 2);
    for row in &judged {
        let messages = row["messages"].as_array().expect("messages");
        assert!((4..=8).contains(&messages.len()) && messages.len() % 2 == 0, "2 to 4 turns");
        assert!(row["judge"]["avg_score"].as_f64().is_some_and(|score| (0.0..=10.0).contains(&score)));
        assert!(row["messages_with_tools"].as_array().expect("rows").iter().any(|message| message["role"] == "tool"));
    }
    let turns = project.rows("outputs/turns.jsonl");
    let scores: Vec<f64> = turns.iter().map(|turn| turn["judge_score"].as_f64().expect("a score")).collect();
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    assert!(
        ran.stdout.contains(&format!("{mean:.1} of 10 on average, over {} verdicts", scores.len())),
        "{}",
        ran.stdout
    );
    let first = judged[0]["messages"][0]["content"].as_str().expect("text");
    let start: String = first.chars().take(40).collect();
    assert!(ran.stdout.contains(&format!("  for example    user: {start}")), "no `{start}` in {}", ran.stdout);
    for path in ["outputs/conversations_sharegpt_judged.jsonl", "outputs/turns.jsonl", "logs/run.log"] {
        let next = ran.stdout.split_once("  look at ").expect("where to look").1;
        assert!(next.contains(path) && project.path(path).is_file(), "{path}: {next}");
    }
    let questions: BTreeSet<_> =
        turns.iter().map(|turn| turn["user_message"].as_str().expect("text").to_lowercase()).collect();
    assert_eq!(questions.len(), turns.len(), "no question twice");
    assert_eq!(project.rows("outputs/coverage_ledger.jsonl").len(), turns.len());
    for file in ["synthetic_qa.jsonl", "conversations_index.jsonl", "conversations_sharegpt.jsonl"] {
        assert_eq!(project.rows(&format!("outputs/{file}")).len(), 24, "{file}");
    }
    assert_eq!(project.names("outputs/conversations").len(), 24);
    assert_eq!(project.names("outputs/parquet"), ["calls", "conversations", "dropped", "turns"]);
    for table in project.names("outputs/parquet") {
        assert_eq!(project.names(&format!("outputs/parquet/{table}")).len(), 2, "a shard of {table} per language");
    }
    assert_eq!(project.names("outputs/run_state").len(), 2);
    for log in ["run.log", "llm.log", "judge.log", "retrieval.log", "tools.log"] {
        assert!(project.path("logs").join(log).is_file(), "{log}");
    }
}

#[test]
fn nothing_it_writes_names_a_path_of_the_machine() {
    let project = Project::empty();
    copy(&shipped("config"), &project.path("config"));
    copy(&shipped("knowledge"), &project.path("knowledge"));
    assert_eq!(project.run(&["run", "config/quickstart.yaml"]).code, Some(0));
    let root = project.path("").to_string_lossy().into_owned();
    let root = root.trim_end_matches('/');
    for folder in ["outputs", "outputs/conversations", "outputs/run_state"] {
        for name in project.names(folder).iter().filter(|name| name.contains(".json")) {
            assert!(!project.read(&format!("{folder}/{name}")).contains(root), "{folder}/{name}");
        }
    }
}
