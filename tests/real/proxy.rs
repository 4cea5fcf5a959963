//! A run through a LiteLLM proxy, which also has the assistant call its tool (`hook.py`).

use crate::parts::LiteLlm;
use crate::{Agent, generate, llama, project};

#[test]
fn tool_calls_go_through_a_proxy_and_their_results_come_back() {
    let proxy = LiteLlm::shared();
    let base_url = format!("{}/v1", proxy.url());
    let agent = Agent { provider: "openai", base_url: &base_url, key: proxy.key(), extra: llama::brief() };
    let project = project("  batch_size: 2\n  total_samples: 2\n  turns: {mode: exact, exact: 1}", &agent, &agent);
    generate(&project, 2);
    expect_tool_use(&project);
}

/// Demands that every answer came after two searches that found something: the one made for it, and the assistant's own.
pub fn expect_tool_use(project: &crate::support::Project) {
    let rows = project.rows("outputs/conversations_sharegpt.jsonl");
    for row in rows.iter().filter(|row| row["metadata"]["conversation_status"] == "completed") {
        let messages = row["messages_with_tools"].as_array().expect("messages");
        let calls = messages.iter().filter_map(|message| message["tool_calls"].as_array()).flatten();
        let calls: Vec<_> = calls.map(|call| &call["id"]).collect();
        let results: Vec<_> = messages.iter().filter(|message| message["role"] == "tool").collect();
        assert_eq!(calls.len(), 2, "{row}");
        assert_eq!(calls, results.iter().map(|result| &result["tool_call_id"]).collect::<Vec<_>>(), "{row}");
        assert!(results.iter().all(|result| result.to_string().contains(".md")), "they name documents: {results:?}");
    }
}
