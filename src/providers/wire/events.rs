//! Server-sent events from endpoints that stream although nobody asked: the reply that they tell in pieces.

use super::lenient::parse;
use serde_json::{Map, Value, json};

/// The end of a stream of OpenAI's.
const DONE: &str = "[DONE]";

/// The response that a stream of chat completions adds up to; none where the text is no such stream, or has no end.
pub(super) fn joined(text: &str) -> Option<Value> {
    let mut data = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match line.split_once(':')? {
            ("data", told) => data.push(told.trim()),
            ("" | "event" | "id" | "retry", _) => {}
            _ => return None,
        }
    }
    let is_done = data.last() == Some(&DONE);
    data.retain(|told| *told != DONE);
    let chunks = data.iter().map(|told| parse(told.as_bytes())).collect::<Result<Vec<_>, _>>().ok()?;
    let is_whole = |chunk: &&Value| chunk.get("error").is_some() || chunk.pointer("/choices/0/message").is_some();
    if let Some(whole) = chunks.iter().find(is_whole) {
        return Some(whole.clone());
    }
    let (mut message, mut reason, mut usage) = (Map::new(), Value::Null, Value::Null);
    for chunk in &chunks {
        let choices = chunk.get("choices")?.as_array()?;
        let choice = choices.iter().find(|choice| choice.get("index").and_then(Value::as_u64).unwrap_or(0) == 0);
        let said = |key: &str| choice.and_then(|choice| choice.get(key)).filter(|value| !value.is_null());
        said("delta")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .for_each(|(key, piece)| add(&mut message, key, piece));
        reason = said("finish_reason").cloned().unwrap_or(reason);
        usage = chunk.get("usage").filter(|usage| usage.is_object()).cloned().unwrap_or(usage);
    }
    if message.is_empty() || !is_done && reason.is_null() {
        return None;
    }
    Some(json!({"choices": [{"index": 0, "message": message, "finish_reason": reason}], "usage": usage}))
}

/// Adds a piece to what is there: texts go on, calls of tools too, by their `index`.
fn add(whole: &mut Map<String, Value>, key: &str, piece: &Value) {
    match (whole.get_mut(key), piece) {
        (_, Value::Null) => {}
        (Some(Value::String(text)), Value::String(more)) if !matches!(key, "role" | "id" | "type" | "name") => {
            text.push_str(more);
        }
        (Some(Value::Object(object)), Value::Object(more)) => {
            more.iter().for_each(|(key, piece)| add(object, key, piece));
        }
        (Some(Value::Array(items)), Value::Array(more)) => {
            for piece in more {
                let index = piece.get("index").filter(|index| !index.is_null());
                match (items.iter_mut().find(|item| index.is_some() && item.get("index") == index), piece) {
                    (Some(Value::Object(item)), Value::Object(more)) => {
                        more.iter().for_each(|(key, piece)| add(item, key, piece));
                    }
                    _ => items.push(piece.clone()),
                }
            }
        }
        (Some(known), piece) if !known.is_null() && piece.as_str() == Some("") => {}
        _ => _ = whole.insert(key.to_owned(), piece.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(deltas: &[Value], end: &str) -> Option<Value> {
        let line = |delta: &Value| format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta}]}));
        joined(&format!(": comment\n{}{end}", deltas.iter().map(line).collect::<String>()))
    }

    #[test]
    fn pieces_are_put_together() {
        let call = |more: Value| json!({"tool_calls": [more]});
        let deltas = [
            json!({"role": "assistant", "content": ""}),
            json!({"role": "assistant", "content": "Green ", "reasoning_content": null}),
            json!({"content": "tea."}),
            call(
                json!({"index": 0, "id": "a", "type": "function", "function": {"name": "search", "arguments": "{\"q"}}),
            ),
            call(json!({"index": 1, "id": "b", "type": "function", "function": {"name": "search", "arguments": "{}"}})),
            call(json!({"index": 0, "id": "", "function": {"arguments": "\": 1}"}})),
        ];
        let end = "data: {\"choices\": [], \"usage\": {\"prompt_tokens\": 7}}\n\ndata: [DONE]\n\n";
        let whole = stream(&deltas, end).unwrap_or_default();
        let message = &whole["choices"][0]["message"];
        assert_eq!(message["content"], "Green tea.");
        let calls = message["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
        let read: Vec<_> = calls.iter().map(|call| (&call["id"], &call["function"]["arguments"])).collect();
        assert_eq!(read, [(&json!("a"), &json!("{\"q\": 1}")), (&json!("b"), &json!("{}"))]);
        assert_eq!(whole["usage"], json!({"prompt_tokens": 7}));
    }

    #[test]
    fn a_reply_or_an_error_in_one_event_is_that() {
        for whole in [json!({"choices": [{"message": {"content": "x"}}]}), json!({"error": {"code": 429}})] {
            assert_eq!(joined(&format!("event: message\ndata: {whole}\n")), Some(whole));
        }
    }

    #[test]
    fn what_has_no_end_or_is_no_stream_is_none() {
        let half = [json!({"content": "half"})];
        assert!(stream(&half, "").is_none() && stream(&half, "data: {\"choi").is_none());
        assert!(stream(&half, "data: [DONE]").is_some() && stream(&[], "data: [DONE]").is_none());
        assert!(joined("").is_none() && joined("{\"a\": 1}").is_none() && joined("data: 7").is_none());
    }
}
