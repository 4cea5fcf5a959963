//! `dlgforge import`: a project of the Python original moves with its memory.

use crate::support::{Project, builtin};
use serde_json::{Value, json};

const RUN: &str = "  run_id: r\n  total_samples: 4\n  batch_size: 4\n  turns: {mode: exact, exact: 2}";

/// A project with the folder `original`, as the original would have left it: rows of a run of ours with what it tells alone.
fn moved() -> Project {
    let project = Project::with(&builtin(RUN, ""));
    project.generate(&[]);
    let only = |value: &Value, keys: &[&str]| {
        keys.iter().map(|key| ((*key).to_owned(), value[*key].clone())).collect::<Value>()
    };
    let rows: Vec<Value> = project
        .rows("outputs/conversations_sharegpt_judged.jsonl")
        .into_iter()
        .map(|row| {
            let message = |message: &Value| only(message, &["role", "content"]);
            let messages: Vec<_> = row["messages"].as_array().expect("messages").iter().map(message).collect();
            let metadata = only(&row["metadata"], &["conversation_id", "timestamp", "n_turns", "language", "judge_granularity", "personas", "difficulty_sequence", "difficulty_max", "question_modes"]);
            json!({
                "messages": messages, "messages_with_tools": row["messages_with_tools"], "metadata": metadata,
                "user_reasoning": row["user_reasoning"], "assistant_reasoning": row["assistant_reasoning"], "judge": row["judge"],
            })
        })
        .collect();
    let lines = |rows: &[Value]| rows.iter().map(|row| format!("{row}\n")).collect::<String>().into_bytes();
    project.write("original/conversations_sharegpt_judged.jsonl", &lines(&rows[1..]));
    let unjudged: Vec<Value> = rows
        .iter()
        .map(|row| only(row, &["messages", "messages_with_tools", "metadata", "user_reasoning", "assistant_reasoning"]))
        .collect();
    project.write("original/conversations_sharegpt.jsonl", &lines(&unjudged));
    let ledger: Vec<Value> = project
        .rows("outputs/coverage_ledger.jsonl")
        .iter()
        .map(|row| {
            only(
                row,
                &[
                    "timestamp",
                    "topic_id",
                    "source_path",
                    "question",
                    "question_hash",
                    "question_mode",
                    "seed_topic",
                    "seed_question",
                    "seed_question_hash",
                ],
            )
        })
        .collect();
    project.write("original/coverage_ledger.jsonl", &lines(&ledger));
    std::fs::rename(project.path("outputs"), project.path("before")).expect("a folder");
    project
}

#[test]
fn questions_of_the_original_are_not_asked_again_and_its_conversations_go_on() {
    let project = moved();
    let told = project.run(&["import", "original"]).succeeded().stdout;
    assert!(told.contains("8 questions") && told.contains("4 conversations, 3 of them judged"), "{told}");
    project.generate(&[]);
    let asked: Vec<_> =
        project.rows("outputs/coverage_ledger.jsonl").iter().map(|row| row["question"].clone()).collect();
    let mut once = asked.clone();
    once.sort_by_key(Value::to_string);
    once.dedup();
    assert_eq!((asked.len(), once.len()), (16, 16));
    assert_eq!(project.rows("outputs/conversations_sharegpt.jsonl").len(), 8);
    assert_eq!(project.rows("outputs/conversations_sharegpt_judged.jsonl").len(), 7);

    project.run(&["export", "--format", "jsonl,openai"]).succeeded();
    let (before, after) = (
        project.rows("before/conversations_sharegpt.jsonl"),
        project.rows("outputs/export/jsonl/train-00000-of-00001.jsonl"),
    );
    assert_eq!(after.len(), 8);
    let texts = |row: &Value| {
        row["messages"].as_array().expect("messages").iter().map(|one| one["content"].clone()).collect::<Vec<_>>()
    };
    assert!(before.iter().all(|row| after.iter().any(|moved| texts(moved) == texts(row))));
    let stats: Value = serde_json::from_str(&project.run(&["stats", "--json"]).succeeded().stdout).expect("JSON");
    assert_eq!((&stats["records"], &stats["judge"]["conversations_with_scores"]), (&json!(8), &json!(7)));
}

#[test]
fn what_can_not_be_read_is_named_and_nothing_is_written() {
    let project = moved();
    let rows = project.read("original/conversations_sharegpt.jsonl");
    project.write("original/conversations_sharegpt.jsonl", format!("{rows}{{\"messages\": []}}\n").as_bytes());
    project
        .run(&["import", "original"])
        .failed_as("import", &["conversations_sharegpt.jsonl:5", "no question with an answer"]);
    assert_eq!(project.names("outputs"), [""; 0]);
    project.write("original/conversations_sharegpt.jsonl", rows.as_bytes());
    project.run(&["import", "original"]).succeeded();
    project.run(&["import", "original"]).failed_as("import", &["coverage_ledger.jsonl is there already"]);
    project.run(&["import", "knowledge"]).failed_as("import", &["knowledge has neither coverage_ledger.jsonl"]);
}

#[test]
fn a_project_is_told_what_becomes_of_it_and_moves_by_what_it_is_told() {
    let project = moved();
    let config = "run:\n  n_turns: 2\n  batch_size: 4\n  total_samples: 4\n  run_id: r\nretrieval: {chunk_size: 700}\n\
                  llm:\n  agents:\n    qa_generator: {provider: builtin}\n    kb_responder: {provider: builtin}\n    \
                  qa_judge: {provider: builtin}\njudge: {mode: online}\nsaving: {output_dir: original}\n";
    project.write("config.yaml", config.replace("llm:\n", "llm:\n  temperature: 1\n").as_bytes());
    let refused = project.run(&["check", "--from-python"]);
    assert!(refused.code == Some(1) && refused.stdout.contains("`llm.temperature`"), "{}", refused.stdout);

    project.write("config.yaml", config.as_bytes());
    let text = project.run(&["check", "--from-python"]).succeeded().stdout;
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "run.turns.exact (line 2: run.n_turns)",
        "tools.retrieval.chunking.chunk_size (line 6: retrieval.chunk_size): chunks end where",
        "left out, and other by default",
        "llm.agents.user.provider (line 9: llm.agents.qa_generator.provider)",
        " 0 refused",
    ] {
        assert!(words.contains(expected), "{expected}: {text}");
    }
    let told: Value =
        serde_json::from_str(&project.run(&["check", "--from-python", "--json"]).succeeded().stdout).expect("JSON");
    let verdict = |key: &str| {
        told["keys"].as_array().expect("keys").iter().find(|one| one["key"] == key).map(|one| one["verdict"].clone())
    };
    assert_eq!((verdict("run.total_samples"), verdict("run.run_id")), (Some("better".into()), Some("same".into())));
    // What is to be typed next works as it stands.
    let next: Vec<&str> = told["next"].as_array().expect("commands").iter().filter_map(Value::as_str).collect();
    assert_eq!(next.len(), 3, "{next:?}");
    for command in next {
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        project.run(&words).succeeded();
    }
    assert_eq!(project.rows("original-moved/conversations_sharegpt.jsonl").len(), 8);
}
