//! What error responses say that an endpoint does not take. Servers word it in many ways; all texts here are in lower case.

use serde_json::Value;
use std::fmt::Write;

/// The words of an error response in lower case. Of a list of faulty fields (`detail` of FastAPI, HTTP 422) only where they
/// are and what is wrong with them: it repeats the values too, which may say anything.
pub(super) fn words(body: &str) -> String {
    let parsed: Option<Value> = serde_json::from_str(body).ok();
    let list = parsed.as_ref().and_then(|body| body.get("detail")).and_then(Value::as_array);
    let Some(list) = list.filter(|list| !list.is_empty()) else { return body.to_lowercase() };
    let mut words = String::new();
    for error in list {
        let place = error["loc"].as_array().map_or(&[][..], Vec::as_slice).iter();
        let place: Vec<String> = place.map(|part| part.as_str().map_or(part.to_string(), str::to_owned)).collect();
        let (kind, message) = (error["type"].as_str().unwrap_or_default(), error["msg"].as_str().unwrap_or_default());
        _ = writeln!(words, "{}: {kind} {message}", place.join("."));
    }
    words.to_lowercase()
}

/// Whether `response_format` is not taken at all, whatever its type.
pub(super) fn refuses_format(error: &str) -> bool {
    unknown(error, "response_format")
}

/// Whether `response_format: json_schema`, or this schema, is not taken.
pub(super) fn refuses_schema(error: &str) -> bool {
    ["response_format", "response format", "json_schema", "json schema", "grammar", "structured output"]
        .iter()
        .any(|name| error.contains(name))
}

/// Whether `response_format: json_object` is not taken.
pub(super) fn refuses_json(error: &str) -> bool {
    let has = |text| error.contains(text);
    let other_formats = has("json_schema") && has("text");
    let wrong_type = has("response_format.type") && (has("json_schema") || has("text"));
    let wrong_value = has("json_object") && (has("must") || has("unsupported") || has("not supported"));
    (has("response_format") || has("json_object")) && (other_formats || wrong_type || wrong_value)
}

/// Whether a format and tools exclude each other.
pub(super) fn refuses_beside_tools(error: &str) -> bool {
    let has = |text| error.contains(text);
    let names = ["json mode", "response mime type", "response_format", "json_object", "json_schema", "grammar"];
    let json = names.into_iter().any(has);
    json && (has("tool") || has("function call"))
}

/// Whether tools are not taken: not by the model, or not by the server as it was started.
pub(super) fn refuses_tools(error: &str) -> bool {
    let names = ["tools", "tool_choice", "tool choice", "tool use", "tool call", "function call"];
    let refusals = ["requires --", "requires a tool", "not enabled", "support tool use"];
    let named = names.iter().any(|name| error.contains(name));
    named && (not_taken(error) || refusals.iter().any(|refusal| error.contains(refusal)))
        || ["tools", "tool_choice"].iter().any(|name| unknown(error, name))
}

/// Whether messages with the role `system` are not taken.
pub(super) fn refuses_system(error: &str) -> bool {
    let names = ["system role", "system message", "system instruction", "developer instruction", "role: system"];
    let quoted =
        ["'system'", "\"system\"", "`system`"].iter().any(|name| error.contains(name)) && error.contains("role");
    (quoted || names.iter().any(|name| error.contains(name))) && (not_taken(error) || error.contains("not enabled"))
}

/// Whether a field of this name is not taken, or not with this value.
pub(super) fn refuses_field(error: &str, name: &str) -> bool {
    // Some models take one way of sampling, not both.
    let both = name == "top_p" && error.contains("cannot both be specified");
    let only_one = error.contains("is allowed for this model");
    mentions(error, name) && (both || only_one || not_taken(error)) || unknown(error, name)
}

/// Whether messages with the result of a tool may not have the tool's `name`. A word like that stands in many errors.
pub(super) fn refuses_name(error: &str) -> bool {
    let is_quoted = |line: &str| ["'name'", "`name`", "\"name\"", ".name:"].iter().any(|name| line.contains(name));
    error.lines().any(|line| is_quoted(line) && (is_unknown(line) || line.contains("is unsupported")))
}

fn not_taken(error: &str) -> bool {
    ["not support", "unsupported", "n't support", "not allowed"].iter().any(|refusal| error.contains(refusal))
}

/// Whether a field is not known there, as servers say that read strictly.
fn unknown(error: &str, name: &str) -> bool {
    error.lines().any(|line| mentions(line, name) && is_unknown(line))
}

fn is_unknown(line: &str) -> bool {
    const REFUSALS: [&str; 14] = [
        "extra_forbidden",
        "extra inputs are not permitted",
        "extra fields not permitted",
        "unrecognized request argument",
        "unrecognized field",
        "unrecognized key",
        "unknown field",
        "unknown name",
        "unknown parameter",
        "unknown_parameter",
        "unexpected keyword argument",
        "unexpected field",
        "additional properties are not allowed",
        "cannot find field",
    ];
    REFUSALS.iter().any(|refusal| line.contains(refusal))
}

/// Whether a text has this name as a whole word.
fn mentions(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(is_word) && !text[at + name.len()..].starts_with(is_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Real words of servers, with what they say is not taken.
    const SAID: [(&str, &str); 35] = [
        (r#""auto" tool choice requires a tool call parser"#, "tools"),
        (
            r#"{"message": "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set"}"#,
            "tools",
        ),
        ("registry.ollama.ai/library/gemma3:latest does not support tools", "tools"),
        ("tools param requires --jinja flag", "tools"),
        ("tools is not supported", "tools"),
        ("`tool calling` is not supported with this model", "tools"),
        ("No endpoints found that support tool use. To learn more about provider routing, visit", "tools"),
        ("Function calling is not enabled for models/gemma-3-27b-it", "tools"),
        ("deepseek-reasoner does not support Function Calling", "tools"),
        ("Unrecognized request argument supplied: tools", "tools"),
        (
            r#"{"detail": [{"type": "extra_forbidden", "loc": ["body", "tools"], "msg": "", "input": "response_format"}]}"#,
            "tools",
        ),
        (
            r#"{"detail": [{"type": "extra_forbidden", "loc": ["body", "response_format"], "input": {"tools": 1}}]}"#,
            "format",
        ),
        ("System role not supported", "system"),
        (r#"{"error": {"message": "Only user, assistant roles: role 'system' is not supported"}}"#, "system"),
        ("Developer instruction is not enabled for models/gemma-3-27b-it", "system"),
        (
            "Unsupported value: 'temperature' does not support 0.7 with this model. Only the default (1) is.",
            "temperature",
        ),
        (
            r#"{"error": {"param": "top_p", "code": "unsupported_parameter", "message": "Unsupported parameter"}}"#,
            "top_p",
        ),
        ("`temperature` and `top_p` cannot both be specified for this model. Please use only one.", "top_p"),
        (r#"{"error": {"message": "Unrecognized request argument supplied: prompt_cache_key"}}"#, "prompt_cache_key"),
        ("invalid temperature: only 1 is allowed for this model", "temperature"),
        ("Additional properties are not allowed ('seed' was unexpected)", "seed"),
        ("Unknown name \"seed\": Cannot find field.", "seed"),
        ("json: unknown field \"name\"", "name"),
        ("unknown field `name`, expected one of `role`, `content`", "name"),
        ("'messages.2' : for 'role:tool' the following must be satisfied: property 'name' is unsupported", "name"),
        (
            r#"{"detail": [{"type": "extra_forbidden", "loc": ["body", "messages", 2, "tool", "name"], "input": "x"}]}"#,
            "name",
        ),
        // These are about something else.
        ("The model name is not supported, try 'name' of another", ""),
        ("seed must be an integer", ""),
        ("Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.", ""),
        ("An assistant message with 'tool_calls' must be followed by tool messages", ""),
        ("Failed to call a function. Please adjust your prompt. tool_use_failed", ""),
        ("This model's maximum context length is 4096 tokens, 100 of them in the functions and tools.", ""),
        ("parallel_tool_calls is not supported", ""),
        ("temperature must be at most 2", ""),
        ("Unsupported value: my_temperature", ""),
    ];

    #[test]
    fn what_is_not_taken_is_understood() {
        for (said, expected) in SAID {
            let error = words(said);
            let found = [
                ("tools", refuses_tools(&error)),
                ("format", refuses_format(&error)),
                ("system", refuses_system(&error)),
                ("temperature", refuses_field(&error, "temperature")),
                ("top_p", refuses_field(&error, "top_p")),
                ("seed", refuses_field(&error, "seed")),
                ("name", refuses_name(&error)),
                ("prompt_cache_key", refuses_field(&error, "prompt_cache_key")),
            ];
            let found: Vec<&str> = found.iter().filter(|(_, found)| *found).map(|(what, _)| *what).collect();
            assert_eq!(found.join(" "), expected, "{said}");
        }
    }
}
