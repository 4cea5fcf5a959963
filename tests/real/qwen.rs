//! What the shipped prompts make of a small model that does much of what it is told.

use crate::parts::LlamaServer;
use crate::support::{self, Project, shipped};
use serde_json::Value;

/// Conversations to accept.
const CONVERSATIONS: usize = 3;

#[test]
fn questions_are_about_the_documents_and_answers_rest_on_passages() {
    let qwen = LlamaServer::qwen();
    let agent = format!(
        "{{provider: openai, model: local, base_url: \"{}\", temperature: 0.5, max_tokens: 300, timeout: 120}}",
        qwen.base_url()
    );
    let project = Project::empty();
    let config = format!(
        "run: {{seed: 5, run_id: r, batch_size: 4, total_samples: {CONVERSATIONS}, turns: {{mode: exact, exact: 1}}}}\n\
         llm: {{agents: {{user: {agent}, assistant: {agent}}}}}\n"
    );
    project.write("config.yaml", config.as_bytes());
    let keys = "LLM_USER_API_KEY_ENV=A_API_KEY\nLLM_ASSISTANT_API_KEY_ENV=A_API_KEY\nA_API_KEY=";
    project.write(".env", format!("{keys}{}\n", qwen.key()).as_bytes());
    support::copy(&shipped("knowledge/en"), &project.path("knowledge/en"));
    let ran = project.generate(&[]);
    println!("{}", ran.stdout);

    let prompts = qwen.prompts();
    let rows = project.rows("outputs/conversations_sharegpt.jsonl");
    let rows: Vec<_> = rows.iter().filter(|row| row["metadata"]["conversation_status"] == "completed").collect();
    assert_eq!(rows.len(), CONVERSATIONS);
    let said = |row: &Value, at: usize| row["messages"][at]["content"].as_str().expect("text").to_owned();
    for row in &rows {
        println!("- {}\n  {}", said(row, 0), said(row, 1));
    }
    // By the server's own account: the prompt of every answer has the question, and passages that a search has found.
    let seen = rows.iter().filter(|row| {
        let document =
            format!("outputs/conversations/{}.json", row["metadata"]["conversation_id"].as_str().expect("an id"));
        let document: Value = serde_json::from_str(&project.read(&document)).expect("JSON");
        let events = document["turns"][0]["tool_events"].as_array().expect("events");
        let found: Vec<String> = events
            .iter()
            .flat_map(|event| event["result"]["results"].as_array().cloned().unwrap_or_default())
            .filter_map(|passage| passage["content"].as_str().map(str::to_owned))
            .collect();
        let asked = format!("Question: {}", said(row, 0));
        let prompt = prompts.iter().find(|prompt| prompt.contains(&asked));
        prompt.is_some_and(|prompt| !found.is_empty() && found.iter().all(|passage| prompt.contains(passage)))
    });
    assert!(20 * seen.count() >= 19 * rows.len(), "at least 95 % of the turns");
    assert!(rows.iter().all(|row| row["metadata"]["retrieved"] == serde_json::json!([true])));
    assert!(rows.iter().all(|row| row["metadata"]["seed_questions"] == serde_json::json!([])), "no topics of ours");
}
