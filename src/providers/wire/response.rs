//! The body of a response: parsed once, and read as a reply or as an error.

use super::calls::tool_calls;
use super::lenient::{self, parse};
use crate::domain::normalisation::collapsed;
use crate::llm::{ChatReply, ChatRequest, Finish, Tier, Usage};
use reqwest::StatusCode;
use serde_json::Value;
use std::sync::Arc;

/// Longest error detail, in characters.
const DETAIL_CHARS: usize = 300;

/// Characters that are shown of a body that can't be read.
const BODY_CHARS: usize = 200;

/// Most tokens that a response can say of itself; a higher number is none.
const MOST_TOKENS: u64 = 1 << 40;

/// Reads a reply: the first choice's text, tool calls and reasoning, and the usage.
///
/// # Errors
/// What is wrong, when the body is not JSON or has no first choice with a message.
pub(in crate::providers) fn reply(body: &[u8], request: &ChatRequest, model: &Arc<str>) -> Result<ChatReply, String> {
    let raw = parsed(body)?;
    let Some(choice) = raw.get("choices").and_then(|choices| choices.get(0)) else {
        return Err(format!("no choices: {}", error_message(&raw).unwrap_or_else(|| beginning(body))));
    };
    let reason = choice.get("finish_reason").and_then(Value::as_str).unwrap_or_default();
    if reason == "error" || is_slip(reason) {
        return Err(error_message(choice).unwrap_or_else(|| format!("it ends with finish_reason {reason}")));
    }
    let Some(message) = choice.get("message").filter(|message| message.is_object()) else {
        return Err(format!("the first choice has no message: {}", beginning(body)));
    };
    Ok(ChatReply {
        text: message.get("content").map(text).unwrap_or_default(),
        tool_calls: tool_calls(message, request),
        reasoning: reasoning(message),
        finish: finish(choice, message),
        usage: usage(&raw),
        cost_nanousd: None,
        model: model.clone(),
        provider_state: None,
        raw,
        request: None,
    })
}

/// The JSON of a body.
///
/// # Errors
/// That it is none, with its first characters.
pub(super) fn parsed(body: &[u8]) -> Result<Value, String> {
    lenient::body(body).map_err(|error| format!("not JSON: {error}: {}", beginning(body)))
}

/// The first characters of a body.
fn beginning(body: &[u8]) -> String {
    shortened(&String::from_utf8_lossy(&body[..body.len().min(BODY_CHARS * 8)]))
}

/// The first characters of a text on one line.
pub(super) fn shortened(text: &str) -> String {
    one_line(text).chars().take(BODY_CHARS).collect::<String>().trim_end().to_owned()
}

/// Whether a reply ends for a slip of the model's, such as a tool call that it wrote wrongly: asked again, it may not slip.
pub(super) fn is_slip(reason: &str) -> bool {
    const SLIPS: [&str; 5] = [
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
    ];
    SLIPS.iter().any(|slip| slip.eq_ignore_ascii_case(reason))
}

/// The endpoint's words about an error on one line: the message of a JSON body, else the body's first characters.
pub(in crate::providers) fn error_detail(body: &str) -> String {
    let message = parse(body.as_bytes()).ok().and_then(|value| error_message(&value));
    one_line(message.as_deref().unwrap_or(body))
}

/// The names in a list of models, such as `GET /models` gives; Gemini's and Ollama's too.
pub(in crate::providers) fn models(body: &[u8]) -> Vec<String> {
    let list = parse(body).unwrap_or_default();
    let items = ["data", "models"].iter().find_map(|key| list.get(key)?.as_array()).or_else(|| list.as_array());
    let name = |item: &Value| ["id", "name"].iter().find_map(|key| item.get(key)?.as_str()).map(str::to_owned);
    items.into_iter().flatten().filter_map(name).collect()
}

/// The status of an error that stands in the body of a response: of the whole, or of its first choice.
pub(in crate::providers) fn status_inside(body: &[u8]) -> Option<StatusCode> {
    let body = lenient::body(body).ok()?;
    let error = body.get("error").or_else(|| body.pointer("/choices/0/error"))?;
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let status = ["code", "status"].into_iter().find_map(|key| error.get(key).and_then(number))?;
    StatusCode::from_u16(u16::try_from(status).ok()?).ok().filter(|it| it.is_client_error() || it.is_server_error())
}

/// A text on one line and shortened, for messages.
pub(in crate::providers) fn one_line(text: &str) -> String {
    let line = collapsed(text);
    if line.is_empty() {
        return "no details".to_owned();
    }
    line.chars().filter(|character| !character.is_control()).take(DETAIL_CHARS).collect()
}

/// `error.message`, or the other places where servers put it: `error`, `message`, `detail`.
fn error_message(body: &Value) -> Option<String> {
    let nested = body.get("error").and_then(|error| error.get("message"));
    let of_choice = body.pointer("/choices/0/error/message");
    let places = [nested, of_choice, body.get("error"), body.get("message"), body.get("detail")];
    places.into_iter().flatten().find_map(|place| place.as_str().filter(|text| !text.is_empty())).map(str::to_owned)
}

fn text(content: &Value) -> String {
    match content {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(part).collect(),
        other => part(other).map_or_else(|| other.to_string(), str::to_owned),
    }
}

fn part(content: &Value) -> Option<&str> {
    let inner = |key| content.get(key).and_then(Value::as_str);
    content.as_str().or_else(|| inner("text")).or_else(|| inner("content"))
}

fn reasoning(message: &Value) -> Option<String> {
    ["reasoning_content", "reasoning"]
        .into_iter()
        .find_map(|key| message.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()))
        .map(str::to_owned)
}

/// A refusal is said in a field of its own; a filter by `finish_reason`.
fn finish(choice: &Value, message: &Value) -> Finish {
    let said =
        |value: &Value, key| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    if let Some(refusal) = said(message, "refusal") {
        return Finish::Refused(refusal);
    }
    match said(choice, "finish_reason").as_deref() {
        Some("length" | "max_tokens") => Finish::Length,
        Some("content_filter") => Finish::Filtered("content_filter".to_owned()),
        _ => Finish::Stop,
    }
}

/// Whether a number of tokens can be one.
pub(super) fn is_count(tokens: &Value) -> bool {
    tokens.as_u64().is_some_and(|count| count <= MOST_TOKENS)
}

fn usage(raw: &Value) -> Usage {
    let tokens = |path: &str| raw.pointer(path).filter(|count| is_count(count)).and_then(Value::as_u64);
    let any = |paths: &[&str]| paths.iter().find_map(|path| tokens(path));
    let (prompt_tokens, mut completion_tokens) = (tokens("/usage/prompt_tokens"), tokens("/usage/completion_tokens"));
    let reasoning_tokens = tokens("/usage/completion_tokens_details/reasoning_tokens");
    // xAI counts thoughts beside what is written.
    if let (Some(read), Some(written), Some(thoughts)) = (prompt_tokens, completion_tokens, reasoning_tokens)
        && tokens("/usage/total_tokens") == Some(read + written + thoughts)
    {
        completion_tokens = Some(written + thoughts);
    }
    Usage {
        prompt_tokens,
        completion_tokens,
        cached_tokens: any(&["/usage/prompt_tokens_details/cached_tokens", "/usage/prompt_cache_hit_tokens"]),
        cache_write_tokens: any(&[
            "/usage/prompt_tokens_details/cache_write_tokens",
            "/usage/prompt_tokens_details/cache_creation_tokens",
            "/usage/cache_creation_input_tokens",
        ]),
        reasoning_tokens,
        ..Usage::default()
    }
}

/// The tier in which a response of any provider says that it was made.
pub(in crate::providers) fn tier(raw: &Value) -> Option<Tier> {
    let places = ["/service_tier", "/usage/service_tier", "/usageMetadata/serviceTier", "/serviceTier"];
    places.iter().find_map(|place| Tier::named(raw.pointer(place)?.as_str()?))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::providers::samples::{read, request};
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn content_of_every_kind_is_text() {
        for (content, expected) in [
            (json!(null), ""),
            (json!("plain"), "plain"),
            (
                json!([{"type": "text", "text": "a"}, "b", {"content": "c"}, {"type": "thinking", "thinking": []}]),
                "abc",
            ),
            (json!({"text": "t", "content": "c"}), "t"),
            (json!({"content": "c"}), "c"),
            (json!({"score": 3}), r#"{"score":3}"#),
            (json!(5), "5"),
        ] {
            assert_eq!(read(json!({"content": content})).text, expected, "{content}");
        }
        assert_eq!(read(json!({"role": "assistant"})).text, "");
    }

    #[test]
    fn reasoning_is_kept_apart() {
        for (message, expected) in [
            (json!({"reasoning_content": "a", "reasoning": "b"}), Some("a")),
            (json!({"reasoning_content": "", "reasoning": "b"}), Some("b")),
            (json!({"reasoning_content": null, "reasoning": {}}), None),
            (json!({}), None),
        ] {
            assert_eq!(read(message.clone()).reasoning.as_deref(), expected, "{message}");
        }
    }

    #[test]
    fn usage_is_what_the_endpoint_says() {
        let reading = |usage: Value| {
            let body = json!({"choices": [{"message": {"content": "x"}}], "usage": usage});
            reply(body.to_string().as_bytes(), &request(""), &"m".into()).unwrap().usage
        };
        let known = Usage { prompt_tokens: Some(7), completion_tokens: Some(2), ..Usage::default() };
        assert_eq!(reading(json!({"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9})), known);
        let detailed = json!({
            "prompt_tokens": 7,
            "completion_tokens": 2,
            "prompt_tokens_details": {"cached_tokens": 5},
            "completion_tokens_details": {"reasoning_tokens": 1},
        });
        assert_eq!(reading(detailed), Usage { cached_tokens: Some(5), reasoning_tokens: Some(1), ..known });
        for written in [
            json!({"prompt_tokens_details": {"cache_write_tokens": 4}}),
            json!({"prompt_tokens_details": {"cached_tokens": null, "cache_creation_tokens": 4}}),
            json!({"cache_creation_input_tokens": 4}),
        ] {
            let mut usage = json!({"prompt_tokens": 7, "completion_tokens": 2});
            usage.as_object_mut().unwrap().extend(written.as_object().unwrap().clone());
            assert_eq!(reading(usage), Usage { cache_write_tokens: Some(4), ..known });
        }
        let beside = json!({
            "prompt_tokens": 7,
            "completion_tokens": 2,
            "total_tokens": 12,
            "completion_tokens_details": {"reasoning_tokens": 3},
        });
        let summed = Usage { completion_tokens: Some(5), reasoning_tokens: Some(3), ..known };
        assert_eq!(reading(beside), summed, "thoughts are written too");
        for usage in [
            json!(null),
            json!({}),
            json!({"prompt_tokens": -1, "completion_tokens": "2"}),
            json!({"prompt_tokens": u64::MAX / 2}),
            json!({"prompt_tokens": 9_223_372_036_854_775_808_u64, "completion_tokens": 7.5}),
            json!({"prompt_tokens": [7], "completion_tokens": {"total": 2}}),
            json!("7"),
        ] {
            assert_eq!(reading(usage), Usage::default());
        }
    }

    #[test]
    fn the_tier_stands_where_each_provider_says_it() {
        for (body, expected) in [
            (json!({"service_tier": "flex"}), Some(Tier::Flex)),
            (json!({"service_tier": "default"}), Some(Tier::Standard)),
            (json!({"service_tier": "on_demand"}), Some(Tier::Standard)),
            (json!({"usage": {"service_tier": "batch"}}), Some(Tier::Batch)),
            (json!({"usageMetadata": {"serviceTier": "PRIORITY"}}), Some(Tier::Priority)),
            (json!({"service_tier": null, "usage": {}}), None),
            (json!({"service_tier": "unheard-of"}), None),
        ] {
            assert_eq!(tier(&body), expected, "{body}");
        }
    }

    #[test]
    fn endings_are_told_apart() {
        for (reason, refusal, expected) in [
            (json!("stop"), json!(null), Finish::Stop),
            (json!("tool_calls"), json!(""), Finish::Stop),
            (json!(null), json!(null), Finish::Stop),
            (json!("length"), json!(null), Finish::Length),
            (json!("content_filter"), json!(null), Finish::Filtered("content_filter".into())),
            (json!("stop"), json!("I can't."), Finish::Refused("I can't.".into())),
        ] {
            let message = json!({"content": null, "refusal": refusal});
            let body = json!({"choices": [{"message": message, "finish_reason": reason}]}).to_string();
            let reply = reply(body.as_bytes(), &request(""), &"m".into()).unwrap();
            assert_eq!((reply.finish, &*reply.model), (expected, "m"));
        }
    }

    #[test]
    fn the_whole_response_is_kept() {
        let body = json!({"id": "r", "choices": [{"message": {"content": "x"}}, {"message": {"content": "y"}}]});
        let reply = reply(body.to_string().as_bytes(), &request(""), &"m".into()).unwrap();
        assert_eq!((reply.text.as_str(), reply.raw), ("x", body));
    }

    #[test]
    fn what_is_no_reply_is_told() {
        for (body, expected) in [
            (r#"{"choices": [{"mess"#, "not JSON: EOF while parsing"),
            ("<html>", "not JSON: expected value"),
            ("", "not JSON: EOF while parsing"),
            ("{}", "no choices"),
            (r#"{"choices": []}"#, "no choices"),
            (r#"{"error": {"message": "busy"}}"#, "no choices: busy"),
            (r#"{"choices": [{"text": "x"}]}"#, "the first choice has no message"),
            (r#"{"choices": [{"message": "x"}]}"#, "the first choice has no message"),
        ] {
            let told = reply(body.as_bytes(), &request(""), &"m".into()).unwrap_err();
            assert!(told.starts_with(expected), "{body}: {told}");
        }
    }

    #[test]
    fn errors_inside_a_reply_have_a_status() {
        for (body, status, detail) in [
            (json!({"error": {"code": 429, "message": "busy upstream"}}), Some(429), "no choices: busy upstream"),
            (json!({"error": {"status": "401", "message": "no key"}}), Some(401), "no choices: no key"),
            (json!({"error": "late"}), None, "no choices: late"),
            (json!({"error": {"code": 200, "message": "odd"}}), None, "no choices: odd"),
            (
                json!({"choices": [{"finish_reason": "error", "error": {"code": 429, "message": "busy"}, "message": {}}]}),
                Some(429),
                "busy",
            ),
            (
                json!({"choices": [{"finish_reason": "malformed_function_call", "message": {"content": null}}]}),
                None,
                "it ends with finish_reason malformed_function_call",
            ),
        ] {
            let body = body.to_string();
            assert_eq!(status_inside(body.as_bytes()).map(|status| status.as_u16()), status, "{body}");
            assert_eq!(reply(body.as_bytes(), &request(""), &"m".into()).unwrap_err(), detail, "{body}");
        }
    }

    #[test]
    fn error_details_are_one_short_line() {
        let long = "word ".repeat(200);
        for (body, expected) in [
            (r#"{"error": {"message": "no\n  such model", "code": 404}}"#, "no such model"),
            (r#"{"error": "bad format"}"#, "bad format"),
            (r#"{"object": "error", "message": "too long"}"#, "too long"),
            (r#"{"detail": "Not Found"}"#, "Not Found"),
            (r#"{"error": {"message": ""}}"#, r#"{"error": {"message": ""}}"#),
            ("<html>\r\n<b>502</b>\u{7}</html>", "<html> <b>502</b></html>"),
            ("", "no details"),
            (&long, &long[..300]),
        ] {
            assert_eq!(error_detail(body), expected);
        }
    }

    #[test]
    fn broken_characters_become_replacement_characters() {
        let mut body = br#"{"choices": [{"message": {"content": "a\ud83d b\n "#.to_vec();
        body.extend(b"\xff\"}}]}");
        assert_eq!(reply(&body, &request(""), &"m".into()).unwrap().text, "a\u{fffd} b\n \u{fffd}");
    }

    proptest! {
        #[test]
        fn any_body_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "[\"{}\\[\\],:a ]{0,40}") {
            let _ = reply(&bytes, &request(""), &"m".into());
            let _ = reply(text.as_bytes(), &request(""), &"m".into());
            prop_assert!(error_detail(&text).chars().count() <= DETAIL_CHARS);
        }
    }
}
