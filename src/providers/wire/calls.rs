//! The tool calls of a reply, as they are meant: which count, their ids, names and arguments.

use super::lenient::first;
use super::tool_text::unfenced;
use crate::domain::{ToolCall, made_up_id};
use crate::llm::ChatRequest;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Tool calls that count in one reply, the first ones.
pub(super) const MOST_CALLS: usize = 32;

/// Longest arguments of a tool call as JSON text, in bytes; longer ones are none.
const LONGEST_ARGUMENTS: usize = 64 * 1024;

/// Longest name of a tool, in characters: what OpenAI takes.
const LONGEST_NAME: usize = 64;

/// The calls asked for, in the order in which they are asked for.
pub(super) fn tool_calls(message: &Value, request: &ChatRequest) -> Vec<ToolCall> {
    let Some(calls) = message.get("tool_calls").and_then(Value::as_array) else { return Vec::new() };
    let calls = first_calls(calls);
    let ids = ids(&calls.iter().map(given_id).collect::<Vec<_>>(), request);
    let read = |(call, id): (&Value, String)| {
        let function = call.get("function").unwrap_or(call);
        let given = function.get("name").and_then(Value::as_str).unwrap_or_default();
        let arguments = function.get("arguments").and_then(object).unwrap_or_else(|| Value::Object(Map::new()));
        ToolCall { id, name: name(given, request), arguments }
    };
    calls.iter().zip(ids).map(read).collect()
}

/// The calls that count.
pub(super) fn first_calls<T>(calls: &[T]) -> &[T] {
    if calls.len() > MOST_CALLS {
        tracing::warn!(target: "dlgforge.llm", "[llm] {} tool calls in one reply: the first {MOST_CALLS} count", calls.len());
    }
    &calls[..calls.len().min(MOST_CALLS)]
}

/// The ids of calls. Those that are missing, or were used before in the same exchange, are made up anew.
pub(super) fn ids(given: &[Option<&str>], request: &ChatRequest) -> Vec<String> {
    let earlier = request.messages.iter().flat_map(|message| &message.tool_calls);
    let mut taken: BTreeSet<String> = earlier.map(|call| call.id.clone()).collect();
    let theirs: BTreeSet<&str> = given.iter().flatten().copied().collect();
    let mut made_up = (1..).map(|number| made_up_id(request.place.turn, number));
    let mut ids = Vec::with_capacity(given.len());
    for id in given {
        let own = id.filter(|id| !taken.contains(*id)).map(str::to_owned);
        let mut unused = || made_up.find(|id| !taken.contains(id) && !theirs.contains(id.as_str())).unwrap_or_default();
        let id = own.unwrap_or_else(&mut unused);
        taken.insert(id.clone());
        ids.push(id);
    }
    ids
}

fn given_id(call: &Value) -> Option<&str> {
    call.get("id").and_then(Value::as_str).filter(|id| !id.is_empty())
}

/// The name of a tool, without a token of the chat template that stuck to it: of the tool of the request that is called so
/// but for case, hyphens, blanks and a space of names in front (`functions.`), if there is one. Every name is one that
/// endpoints take back: of ASCII letters, digits, `_` and `-`.
pub(super) fn name(given: &str, request: &ChatRequest) -> String {
    let bare = given.split("<|").next().unwrap_or(given).trim();
    let own = |name: &str| name.rsplit(['.', ':', '/']).next().map(folded).unwrap_or_default();
    let known = request.tools.iter().find(|tool| folded(&tool.name) == own(bare));
    if let Some(tool) = known {
        return tool.name.clone();
    }
    let takes = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let safe: String = bare.chars().take(LONGEST_NAME).map(|c| if takes(c) { c } else { '_' }).collect();
    if safe.is_empty() { "unknown".to_owned() } else { safe }
}

fn folded(name: &str) -> String {
    name.chars().take(LONGEST_NAME).filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The object that arguments are meant to be. They come as JSON text, from some servers as an object; models encode that text
/// once more, put it into a code fence, let something follow it, or put the arguments into an object `arguments`.
pub(super) fn object(given: &Value) -> Option<Value> {
    let object = match given {
        Value::Object(_) if given.to_string().len() <= LONGEST_ARGUMENTS => given.clone(),
        Value::String(text) if text.len() <= LONGEST_ARGUMENTS => match first(unfenced(text))? {
            Value::String(inner) => first(unfenced(&inner))?,
            value => value,
        },
        _ => return None,
    };
    let fields = object.as_object()?;
    let inner = ["arguments", "parameters"].iter().find_map(|key| fields.get(*key));
    let is_wrapping = fields.keys().all(|key| matches!(key.as_str(), "arguments" | "parameters" | "name"));
    let inner = inner.filter(|_| is_wrapping).and_then(|inner| match inner {
        Value::String(text) => first(unfenced(text)).filter(Value::is_object),
        inner => Some(inner.clone()).filter(Value::is_object),
    });
    Some(inner.unwrap_or(object))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::response::reply;
    use super::*;
    use crate::domain::ToolDefinition;
    use crate::llm::{Message, Role};
    use crate::providers::samples::{read, request};
    use serde_json::json;

    #[test]
    fn arguments_are_always_an_object() {
        for (given, expected) in [
            (json!(r#"{"query":"q","k":2}"#), json!({"query": "q", "k": 2})),
            (json!({"query": "q"}), json!({"query": "q"})),
            (json!(r#""{\"query\": \"q\"}""#), json!({"query": "q"})),
            (json!(r#"{"query": "q"}"""#), json!({"query": "q"})),
            (json!("```json\n{\"query\": \"q\"}\n```"), json!({"query": "q"})),
            (json!(r#"{"arguments": {"query": "q"}}"#), json!({"query": "q"})),
            (json!({"name": "search", "arguments": r#"{"query": "q"}"#}), json!({"query": "q"})),
            (json!({"parameters": {"query": "q"}}), json!({"query": "q"})),
            (json!({"query": "q", "arguments": {}}), json!({"query": "q", "arguments": {}})),
            (json!({"arguments": "q"}), json!({"arguments": "q"})),
            (json!(r#"{"query": ["a", "b"]}"#), json!({"query": ["a", "b"]})),
            (json!(r#"{"query":"\ud800"}"#), json!({"query": "\u{fffd}"})),
            (json!("{"), json!({})),
            (json!("[1]"), json!({})),
            (json!("null"), json!({})),
            (json!(""), json!({})),
            (json!(null), json!({})),
            (json!([1]), json!({})),
        ] {
            let calls = json!([{"id": "x", "function": {"name": "search", "arguments": given}}]);
            let reply = read(json!({"content": null, "tool_calls": calls}));
            let expected = ToolCall { id: "x".into(), name: "search".into(), arguments: expected };
            assert_eq!(reply.tool_calls, [expected], "{given}");
        }
        assert!(read(json!({"content": "x", "tool_calls": null})).tool_calls.is_empty());
    }

    #[test]
    fn names_end_where_the_template_s_tokens_begin() {
        for (given, expected) in [
            ("vector_db_search", "vector_db_search"),
            ("vector_db_search<|channel|>commentary", "vector_db_search"),
            ("vector_db_search <|end|>", "vector_db_search"),
            ("<|x|>", "unknown"),
            ("rm -rf\u{1b}", "rm_-rf_"),
            (" vector_db_search\n", "vector_db_search"),
            ("Vector-DB search", "vector_db_search"),
            ("functions.vector_db_search", "vector_db_search"),
            ("web_search", "web_search"),
            (&"x".repeat(1000), &"x".repeat(64)),
        ] {
            let calls = json!([{"function": {"name": given, "arguments": "{}"}}]);
            let body = json!({"choices": [{"message": {"tool_calls": calls}}]}).to_string();
            let mut request = request("");
            let (description, parameters) = (String::new(), json!({}));
            request.tools = vec![ToolDefinition { name: "vector_db_search".into(), description, parameters }];
            let reply = reply(body.as_bytes(), &request, &"m".into()).unwrap();
            assert_eq!(reply.tool_calls[0].name, expected, "{given}");
        }
    }

    #[test]
    fn what_a_reply_may_ask_for_has_bounds() {
        let calls: Vec<Value> =
            (0..20_000).map(|at| json!({"function": {"name": "s", "arguments": {"at": at}}})).collect();
        let calls = read(json!({"tool_calls": calls})).tool_calls;
        assert_eq!((calls.len(), &calls[31].arguments), (MOST_CALLS, &json!({"at": 31})));
        let long = "x".repeat(LONGEST_ARGUMENTS);
        for arguments in [json!({"query": long}), json!(json!({"query": long}).to_string())] {
            let calls = json!([{"function": {"name": "s", "arguments": arguments}}]);
            assert_eq!(read(json!({"tool_calls": calls})).tool_calls[0].arguments, json!({}));
        }
    }

    #[test]
    fn ids_are_made_up_where_they_are_missing_or_repeated() {
        let call = |id: Value| json!({"id": id, "function": {"name": "search", "arguments": "{}"}});
        let calls = [json!(null), json!("c00000002"), json!(""), json!("a"), json!("a"), json!("earlier"), json!(7)];
        let body = json!({"choices": [{"message": {"tool_calls": calls.map(call)}}]}).to_string();
        let mut request = request("");
        let earlier = |id: &str| ToolCall { id: id.into(), name: "search".into(), arguments: json!({}) };
        let tool_calls = vec![earlier("earlier"), earlier("c00000003")];
        request.messages_mut().push(Message { tool_calls, ..Message::new(Role::Assistant, "") });
        let reply = reply(body.as_bytes(), &request, &"m".into()).unwrap();
        let ids: Vec<&str> = reply.tool_calls.iter().map(|call| call.id.as_str()).collect();
        assert_eq!(ids, ["c00000001", "c00000002", "c00000004", "a", "c00000005", "c00000006", "c00000007"]);
    }
}
