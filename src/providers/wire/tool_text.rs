//! Tool calls that a model has written into its text, because its server does not take them out of it.

use super::calls::{MOST_CALLS, ids, name, object};
use super::lenient::parse;
use super::thoughts::THOUGHT;
use crate::domain::ToolCall;
use crate::llm::{ChatReply, ChatRequest};
use serde_json::Value;

const OPENING: &str = "<tool_call>";
const CLOSING: &str = "</tool_call>";
/// What Mistral's and Llama's templates put before calls.
const MARKS: [&str; 2] = ["[TOOL_CALLS]", "<|python_tag|>"];

/// Makes tool calls of those in the text of a reply that has none: between `<tool_call>` and `</tool_call>`, or the whole text
/// as JSON that calls tools of the request by their names. The rest of the text stays. Whether there were any.
pub(in crate::providers) fn take_calls(reply: &mut ChatReply, request: &ChatRequest) -> bool {
    if request.tools.is_empty() || !reply.tool_calls.is_empty() {
        return false;
    }
    let (calls, rest) = match tagged(&reply.text, request) {
        (calls, _) if calls.is_empty() => (whole(&reply.text, request), String::new()),
        found => found,
    };
    let ids = ids(&vec![None; calls.len()], request);
    let made = calls.into_iter().zip(ids).map(|((name, arguments), id)| ToolCall { id, name, arguments });
    reply.tool_calls = made.collect();
    if !reply.tool_calls.is_empty() {
        reply.text = rest;
    }
    !reply.tool_calls.is_empty()
}

/// The calls between tags, each as name and arguments, and the text without them. What is no call stays in the text, and so
/// does what comes after as many tags as calls count.
fn tagged(text: &str, request: &ChatRequest) -> (Vec<(String, Value)>, String) {
    let start = text.rfind(THOUGHT).map_or(0, |at| at + THOUGHT.len());
    let (mut calls, mut rest) = (Vec::new(), text[..start].to_owned());
    let mut left = &text[start..];
    for _ in 0..MOST_CALLS {
        let Some((before, after)) = left.split_once(OPENING) else { break };
        // Some models end with their last call instead of closing it.
        let (inside, following) = after.split_once(CLOSING).unwrap_or((after, ""));
        rest.push_str(before);
        match parse(inside.trim().as_bytes()).ok().and_then(|value| call(&value, request)) {
            Some(call) => {
                calls.push(call);
                left = following;
            }
            None => {
                rest.push_str(OPENING);
                left = after;
            }
        }
    }
    rest.push_str(left);
    (calls, rest.trim().to_owned())
}

/// The calls that a text is as a whole, apart from thoughts and a mark before it and a code fence around it.
fn whole(text: &str, request: &ChatRequest) -> Vec<(String, Value)> {
    let said = text.rsplit_once(THOUGHT).map_or(text, |(_, said)| said).trim();
    let said = MARKS.iter().find_map(|mark| said.strip_prefix(mark)).unwrap_or(said);
    let values = match parse(unfenced(said).as_bytes()) {
        Ok(Value::Array(values)) => values,
        Ok(value) => vec![value],
        Err(_) => return Vec::new(),
    };
    let known = |(name, _): &(String, Value)| request.tools.iter().any(|tool| tool.name == *name);
    let calls = values.iter().take(MOST_CALLS).map(|value| call(value, request).filter(known));
    calls.collect::<Option<_>>().unwrap_or_default()
}

fn call(value: &Value, request: &ChatRequest) -> Option<(String, Value)> {
    let given = value.get("name")?.as_str().filter(|name| !name.trim().is_empty())?;
    let arguments = value.get("arguments").or_else(|| value.get("parameters")).and_then(object)?;
    Some((name(given, request), arguments))
}

/// A text without the code fence around it, if there is one.
pub(super) fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let inside = text.strip_prefix("```").and_then(|text| text.strip_suffix("```"));
    inside.map_or(text, |inside| inside.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ToolDefinition;
    use crate::providers::samples;
    use serde_json::json;

    /// Names, queries and ids of the calls that are taken out of a text, and the rest of it.
    fn taken(text: &str) -> (Vec<String>, String) {
        let mut request = samples::request("Hi");
        let search = ToolDefinition { name: "search".into(), description: String::new(), parameters: json!({}) };
        request.tools.push(search);
        let mut reply = ChatReply { text: text.into(), ..ChatReply::default() };
        let any = take_calls(&mut reply, &request);
        assert_eq!(any, !reply.tool_calls.is_empty());
        let shown = |call: &ToolCall| format!("{} {} {}", call.id, call.name, call.arguments["query"]);
        (reply.tool_calls.iter().map(shown).collect(), reply.text)
    }

    #[test]
    fn calls_are_taken_out_of_the_text() {
        let one = "c00000001 search \"tea\"";
        for (text, calls, rest) in [
            (r#"<tool_call>{"name": "search", "arguments": {"query": "tea"}}</tool_call>"#, vec![one], ""),
            (
                "I look.\n<tool_call>\n{\"name\": \"search\", \"arguments\": {\"query\": \"tea\"}}\n</tool_call>",
                vec![one],
                "I look.",
            ),
            (
                r#"a<tool_call>{"name": "search", "arguments": {"query": "tea"}}</tool_call>b<tool_call>{"name": "other", "arguments": {"query": 2}}</tool_call>"#,
                vec![one, "c00000002 other 2"],
                "ab",
            ),
            (r#"<tool_call>{"name": "search", "parameters": "{\"query\": \"tea\"}"}"#, vec![one], ""),
            (
                r#"<think><tool_call></think>x<tool_call>{"name": "search", "arguments": {"query": "tea"}}"#,
                vec![one],
                "<think><tool_call></think>x",
            ),
            (r#"{"name": "search", "arguments": {"query": "tea"}}"#, vec![one], ""),
            ("```json\n{\"name\": \"search\", \"parameters\": {\"query\": \"tea\"}}\n```", vec![one], ""),
            (r#"<|python_tag|>{"name": "search", "parameters": {"query": "tea"}}"#, vec![one], ""),
            (
                r#"[TOOL_CALLS][{"name": "search", "arguments": {"query": "tea"}}, {"name": "search", "arguments": {"query": 2}}]"#,
                vec![one, "c00000002 search 2"],
                "",
            ),
            (r#"<think>Hm.</think> {"name": "search<|channel|>x", "arguments": {"query": "tea"}}"#, vec![one], ""),
        ] {
            assert_eq!(taken(text), (calls.iter().map(ToString::to_string).collect(), rest.to_owned()), "{text}");
        }
    }

    #[test]
    fn no_more_calls_are_taken_than_count_and_many_tags_take_no_time() {
        let many = r#"<tool_call>{"name": "search", "arguments": {}}</tool_call>"#.repeat(20_000);
        assert_eq!(taken(&many).0.len(), MOST_CALLS);
        let broken = OPENING.repeat(200_000);
        let start = std::time::Instant::now();
        assert_eq!(taken(&broken), (Vec::new(), broken.clone()));
        assert!(start.elapsed().as_secs() < 2, "{:?}", start.elapsed());
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in [
            "",
            "search",
            r#"{"name": "Ada", "arguments": {"query": "tea"}}"#,
            r#"{"name": "search", "arguments": [1]}"#,
            r#"{"name": "search"}"#,
            "[]",
            r#"[{"name": "search", "arguments": {}}, {"name": "Ada", "arguments": {}}]"#,
            r#"Call {"name": "search", "arguments": {}} for it."#,
            "<tool_call>not JSON</tool_call>",
            r#"<tool_call>{"name": "", "arguments": {}}</tool_call>"#,
            r#"<think><tool_call>{"name": "search", "arguments": {}}</tool_call></think>No."#,
        ] {
            assert_eq!(taken(text), (Vec::new(), text.to_owned()), "{text}");
        }
    }
}
