//! Carries out the tool calls of a reply.

use super::text::{shortened, strip_nul};
use crate::llm::{ChatReply, Message, Role};
use crate::tools::Toolbox;
use crate::words::ToolCall;
use crate::words::conversation::ToolEvent;
use serde_json::Value;

/// Calls the tools that a reply asks for, in order. Reply and results join the messages, calls with results the events.
/// A call's id stays unless an earlier call of the turn has it.
pub(super) fn use_tools(toolbox: &Toolbox, reply: ChatReply, messages: &mut Vec<Message>, events: &mut Vec<ToolEvent>) {
    let first = events.len();
    for call in reply.tool_calls {
        let id = unique(call.id, events);
        events.push(carry_out(toolbox, ToolCall { id, ..call }));
    }
    let mut asked = Message::new(Role::Assistant, reply.text);
    asked.tool_calls = events[first..].iter().map(called).collect();
    asked.carried = reply.carried;
    messages.push(asked);
    messages.extend(events[first..].iter().map(|event| {
        let mut result = Message::new(Role::Tool, event.result.to_string());
        result.answers = Some((event.id.clone(), event.name.clone()));
        result
    }));
}

fn carry_out(toolbox: &Toolbox, call: ToolCall) -> ToolEvent {
    let ToolCall { id, name, mut arguments } = call;
    strip_nul(&mut arguments);
    tracing::info!(target: "dlgforge.tools", "{}", tool_line(&name, &arguments));
    let mut result = toolbox.call(&name, &arguments);
    strip_nul(&mut result);
    if let (Some(query), Some(results)) = (result["query"].as_str(), result["results"].as_array()) {
        tracing::info!(target: "dlgforge.retrieval", "{}", retrieval_line(query, results.len()));
    }
    ToolEvent { id, name, arguments, result }
}

fn tool_line(name: &str, arguments: &Value) -> String {
    format!("[tools] {name} {}", shortened(&arguments.to_string(), 300))
}

/// The log's line on a search.
pub(super) fn retrieval_line(query: &str, hits: usize) -> String {
    format!("[retrieval] query={} hits={hits}", shortened(query, 200))
}

fn called(event: &ToolEvent) -> ToolCall {
    ToolCall { id: event.id.clone(), name: event.name.clone(), arguments: event.arguments.clone() }
}

/// The id, with a number where an earlier call of the turn has it already or it is blank.
fn unique(id: String, earlier: &[ToolEvent]) -> String {
    let taken = |id: &str| earlier.iter().any(|event| event.id == id);
    if !id.trim().is_empty() && !taken(&id) {
        return id;
    }
    let stem = if id.trim().is_empty() { "call" } else { id.as_str() };
    let mut number = earlier.len() + 1;
    while taken(&format!("{stem}_{number}")) {
        number += 1;
    }
    format!("{stem}_{number}")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::knowledge::Index;
    use crate::stages::script::{catalogue, wants};
    use serde_json::json;
    use std::sync::Arc;

    fn toolbox() -> Toolbox {
        Toolbox::new(Arc::new(Index::build(catalogue()).unwrap()), 4)
    }

    #[test]
    fn calls_and_results_belong_together() {
        let search = json!({"query": "green\0tea", "k": 1});
        let calls = [("", "vector_db_search", search), ("x", "shell", json!({})), ("x", "vector_db_search", json!({}))];
        let (mut messages, mut events) = (Vec::new(), Vec::new());
        use_tools(&toolbox(), ChatReply { text: "Searching.".to_owned(), ..wants(&calls) }, &mut messages, &mut events);
        use_tools(&toolbox(), wants(&calls[1..2]), &mut messages, &mut events);

        let ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(ids, ["call_1", "x", "x_3", "x_4"]);
        assert_eq!(events[0].arguments, json!({"query": "green\u{fffd}tea", "k": 1}));
        assert_eq!(events[0].result["results"].as_array().map(Vec::len), Some(1));
        assert_eq!(events[1].result, json!({"error": "Unknown tool: shell"}));
        assert!(events[2].result["error"].is_string());

        assert_eq!(
            (messages.len(), messages[0].role, messages[0].content.as_str()),
            (6, Role::Assistant, "Searching.")
        );
        assert_eq!(messages[0].tool_calls, events[..3].iter().map(called).collect::<Vec<_>>());
        assert_eq!(messages[4].tool_calls, [called(&events[3])]);
        for (at, event) in [1, 2, 3, 5].into_iter().zip(&events) {
            let result = &messages[at];
            assert_eq!((result.role, &result.answers), (Role::Tool, &Some((event.id.clone(), event.name.clone()))));
            assert_eq!(serde_json::from_str::<Value>(&result.content).unwrap(), event.result);
        }
    }

    #[test]
    fn lines_of_the_log_are_short() {
        let arguments = json!({"query": "green\ntea", "k": 2});
        assert_eq!(
            tool_line("vector_db_search", &arguments),
            r#"[tools] vector_db_search {"query":"green\ntea","k":2}"#
        );
        assert_eq!(retrieval_line("green\n tea", 2), "[retrieval] query=green tea hits=2");
        assert!(
            tool_line("x", &json!("y".repeat(9_999))).len() < 400 && retrieval_line(&"y".repeat(9_999), 1).len() < 300
        );
    }
}
