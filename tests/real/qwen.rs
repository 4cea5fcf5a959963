//! What the shipped prompts make of a small model that does some of what it is told: each of its replies may be
//! unusable, so that what is demanded is what it was shown, by the server's own account, and what was kept.

use crate::parts::LlamaServer;
use crate::support::{self, Project, shipped};
use serde_json::{Value, json};

/// Runs with one agent on the server and the built-in model for the other: to the end, or until the model has failed
/// too often in a row. One request at a time: the server names the file of a prompt by the time at which it came, so
/// that of two at once it keeps one.
fn generate(qwen: &LlamaServer, agent: &str, other: &str) -> Project {
    let project = Project::empty();
    let config = format!(
        "run: {{seed: 5, run_id: r, batch_size: 4, concurrency: 1, total_samples: 3, turns: {{mode: exact, exact: 1}}}}\n\
         llm: {{agents: {{{agent}: {{provider: openai, model: local, base_url: \"{}\", temperature: 0.5, \
         max_tokens: 300, timeout: 120}}, {other}: {{provider: builtin}}}}}}\n",
        qwen.base_url()
    );
    project.write("config.yaml", config.as_bytes());
    let key = format!("LLM_{}_API_KEY_ENV=A_API_KEY\nA_API_KEY={}\n", agent.to_uppercase(), qwen.key());
    project.write(".env", key.as_bytes());
    support::copy(&shipped("knowledge/en"), &project.path("knowledge/en"));
    let ran = project.run(&["run", "config.yaml"]);
    println!("{}{}", ran.stdout, ran.stderr);
    let gave_up = ran.code == Some(1) && ran.stderr.contains("could not reach run.total_samples");
    assert!(ran.code == Some(0) || gave_up, "{}", ran.stderr);
    project
}

/// The rows of accepted conversations; without topics of ours.
fn accepted(project: &Project) -> Vec<Value> {
    let mut rows = project.rows("outputs/conversations_sharegpt.jsonl");
    rows.retain(|row| row["metadata"]["conversation_status"] == "completed");
    for row in &rows {
        println!("- {}\n  {}", row["messages"][0]["content"], row["messages"][1]["content"]);
        assert_eq!(row["metadata"]["retrieved"], json!([true]));
        assert_eq!(row["metadata"]["seed_questions"], json!([]));
    }
    rows
}

/// Whether a prompt has a paragraph of the documents in it, whole.
fn shows_a_passage(prompt: &str) -> bool {
    let documents = support::files(&shipped("knowledge/en"));
    let texts: Vec<_> = documents.values().map(|document| String::from_utf8_lossy(document)).collect();
    let mut paragraphs = texts.iter().flat_map(|text| text.split("\n\n")).filter(|paragraph| paragraph.len() > 100);
    paragraphs.any(|paragraph| prompt.contains(paragraph.trim()))
}

#[test]
fn questions_are_asked_about_passages() {
    let qwen = LlamaServer::qwen();
    let before = qwen.prompts().len();
    let project = generate(&qwen, "user", "assistant");
    let prompts = qwen.prompts();
    assert!(prompts.len() >= before + 3, "{} prompts", prompts.len() - before);
    assert!(prompts.iter().all(|prompt| shows_a_passage(prompt)), "{prompts:?}");
    accepted(&project);
}

#[test]
fn answers_rest_on_passages() {
    let qwen = LlamaServer::qwen();
    let project = generate(&qwen, "assistant", "user");
    let prompts = qwen.prompts();
    let rows = accepted(&project);
    let asked = prompts.iter().filter(|prompt| prompt.contains("Question: "));
    assert!(asked.clone().count() >= 3, "{prompts:?}");
    assert!(asked.clone().all(|prompt| shows_a_passage(prompt)), "{prompts:?}");
    // Every passage that a search has found for an accepted answer was shown to the model.
    for row in &rows {
        let id = row["metadata"]["conversation_id"].as_str().expect("an id");
        let document: Value =
            serde_json::from_str(&project.read(&format!("outputs/conversations/{id}.json"))).expect("JSON");
        let events = document["turns"][0]["tool_events"].as_array().expect("events");
        let results =
            events.iter().flat_map(|event| event["result"]["results"].as_array().cloned().unwrap_or_default());
        let found: Vec<String> = results.filter_map(|passage| passage["content"].as_str().map(str::to_owned)).collect();
        let asked = format!("Question: {}", row["messages"][0]["content"].as_str().expect("text"));
        let prompt = prompts.iter().find(|prompt| prompt.contains(&asked)).expect("its prompt");
        assert!(!found.is_empty() && found.iter().all(|passage| prompt.contains(passage)), "{row}");
    }
}
