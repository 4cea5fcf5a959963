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
    for figure in ["24 of 24 accepted", "dropped", "duplicates", "calls", "tokens", "seats busy", "outputs/turns.jsonl"]
    {
        assert!(ran.stdout.contains(figure), "no `{figure}` in the summary:\n{}", ran.stdout);
    }

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
    let questions: BTreeSet<_> =
        turns.iter().map(|turn| turn["user_message"].as_str().expect("text").to_lowercase()).collect();
    assert_eq!(questions.len(), turns.len(), "no question twice");
    assert_eq!(project.rows("outputs/coverage_ledger.jsonl").len(), turns.len());
    for file in ["synthetic_qa.jsonl", "conversations_index.jsonl", "conversations_sharegpt.jsonl"] {
        assert_eq!(project.rows(&format!("outputs/{file}")).len(), 24, "{file}");
    }
    assert_eq!(project.names("outputs/conversations").len(), 24);
    assert_eq!(project.names("outputs/parquet").len(), 4, "a shard of conversations and of turns per language");
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
