//! What an endpoint takes: as `response_format` a JSON Schema, until it refuses it, then JSON mode, then only the prompt; and
//! the limit of tokens under its old name, until it wants the new one.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// The `response_format` of a request, from the most to the least that an endpoint can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Format {
    /// `json_schema`: the endpoint sees to it that the reply has the wanted form.
    Schema,
    /// `json_object`: the endpoint sees to it that the reply is JSON.
    Json,
    /// `text`: only the prompt asks for JSON.
    Text,
}

impl Format {
    /// The `type` of the request's `response_format`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Schema => "json_schema",
            Self::Json => "json_object",
            Self::Text => "text",
        }
    }
}

/// Names of the limit of tokens.
pub(super) const OLD_LIMIT: &str = "max_tokens";
const NEW_LIMIT: &str = "max_completion_tokens";

/// What one endpoint still takes. Shared by all agents that use it.
#[derive(Debug, Default)]
pub(super) struct Formats {
    best: AtomicU8,
    best_with_tools: AtomicU8,
    new_limit: AtomicBool,
}

impl Formats {
    /// The format for a request with or without tools.
    pub(super) fn choose(&self, tools: bool) -> Format {
        let best = self.best.load(Ordering::Relaxed);
        match if tools { best.max(self.best_with_tools.load(Ordering::Relaxed)) } else { best } {
            0 => Format::Schema,
            1 => Format::Json,
            _ => Format::Text,
        }
    }

    /// The name of the limit of tokens. OpenAI's newer models take only the newer one.
    pub(super) fn limit(&self) -> &'static str {
        if self.new_limit.load(Ordering::Relaxed) { NEW_LIMIT } else { OLD_LIMIT }
    }

    /// Learns from an error response to a request that gave the limit of tokens this name. True when it tells that the name
    /// was the reason: then [`Formats::limit`] answers the other one from now on.
    pub(super) fn learn_limit(&self, error: &str, tried: &str, endpoint: &str) -> bool {
        if tried == NEW_LIMIT || !error.contains(NEW_LIMIT) {
            return false;
        }
        if !self.new_limit.swap(true, Ordering::Relaxed) {
            tracing::info!(target: "dlgforge.llm", "[llm] {endpoint} takes {NEW_LIMIT} instead of {OLD_LIMIT}");
        }
        true
    }

    /// Learns from an error response to a request that asked for `tried`. True when it tells that the format was the
    /// reason: then [`Formats::choose`] answers a lesser one for requests of this kind from now on.
    pub(super) fn learn(&self, error: &str, tools: bool, tried: Format, endpoint: &str) -> bool {
        let error = error.to_lowercase();
        let beside_tools = tools && refuses_beside_tools(&error);
        let refused = match tried {
            Format::Schema => beside_tools || refuses_schema(&error),
            Format::Json => beside_tools || refuses_json(&error),
            Format::Text => false,
        };
        if !refused {
            return false;
        }
        let (best, when) =
            if beside_tools { (&self.best_with_tools, " together with tools") } else { (&self.best, "") };
        if best.fetch_max(tried as u8 + 1, Ordering::Relaxed) <= tried as u8 {
            let tried = tried.as_str();
            tracing::warn!(
                target: "dlgforge.llm",
                "[llm] {endpoint} does not take response_format {tried}{when}: asking for less from now on"
            );
        }
        true
    }
}

/// Whether a lower-cased error says that `response_format: json_schema`, or this schema, is not taken.
fn refuses_schema(error: &str) -> bool {
    ["response_format", "response format", "json_schema", "json schema", "grammar", "structured output"]
        .iter()
        .any(|name| error.contains(name))
}

/// Whether a lower-cased error says that `response_format: json_object` is not taken.
fn refuses_json(error: &str) -> bool {
    let has = |text| error.contains(text);
    let other_formats = has("json_schema") && has("text");
    let wrong_type = has("response_format.type") && (has("json_schema") || has("text"));
    let wrong_value = has("json_object") && (has("must") || has("unsupported") || has("not supported"));
    (has("response_format") || has("json_object")) && (other_formats || wrong_type || wrong_value)
}

/// Whether a lower-cased error says that the format and tools exclude each other.
fn refuses_beside_tools(error: &str) -> bool {
    let has = |text| error.contains(text);
    let names = ["json mode", "response mime type", "response_format", "json_object", "json_schema", "grammar"];
    let json = names.into_iter().any(has);
    json && (has("tool") || has("function call"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Formats chosen without and with tools after an error that met a request of this format, with or without tools.
    fn after(error: &str, tools: bool, tried: Format) -> (bool, Format, Format) {
        let formats = Formats::default();
        let learned = formats.learn(error, tools, tried, "http://127.0.0.1/v1");
        (learned, formats.choose(false), formats.choose(true))
    }

    #[test]
    fn refusals_of_json_mode_are_understood() {
        for error in [
            "'response_format.type' must be 'json_schema' or 'text'",
            r#"{"error":{"message":"Invalid parameter: RESPONSE_FORMAT: expected json_schema or text"}}"#,
            "response_format.type: unknown variant, expected `text`",
            "json_object is unsupported",
            "The value json_object is Not Supported by this model",
        ] {
            assert_eq!(after(error, false, Format::Json), (true, Format::Text, Format::Text), "{error}");
            assert_eq!(after(error, true, Format::Json), (true, Format::Text, Format::Text), "{error}");
        }
    }

    #[test]
    fn refusals_of_a_schema_leave_json_mode() {
        for error in [
            "This response_format type is unavailable now",
            "Invalid schema for response_format 'user_reply'",
            "failed to parse grammar",
            "json_schema is not supported by this model",
        ] {
            assert_eq!(after(error, false, Format::Schema), (true, Format::Json, Format::Json), "{error}");
        }
    }

    #[test]
    fn other_errors_are_not_about_the_format() {
        for error in [
            "",
            "internal error",
            "the context is too long: json_schema or text",
            "response_format is broken",
            "json_object went missing",
            "tool calls are unsupported",
        ] {
            assert_eq!(after(error, true, Format::Json), (false, Format::Schema, Format::Schema), "{error}");
            assert_eq!(after(error, true, Format::Text), (false, Format::Schema, Format::Schema), "{error}");
        }
        for error in ["", "internal error", "tool calls are unsupported", "the context is too long"] {
            assert_eq!(after(error, true, Format::Schema), (false, Format::Schema, Format::Schema), "{error}");
        }
    }

    #[test]
    fn a_limit_is_renamed_once() {
        let formats = Formats::default();
        let error = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        assert!(!formats.learn_limit("max_tokens is too large", formats.limit(), "e"));
        assert!(formats.learn_limit(error, "max_tokens", "e") && formats.learn_limit(error, "max_tokens", "e"));
        assert_eq!(formats.limit(), "max_completion_tokens");
        assert!(!formats.learn_limit(error, formats.limit(), "e"), "it is not tried for ever");
    }

    #[test]
    fn a_refusal_together_with_tools_leaves_other_requests_alone() {
        for error in [
            "json mode cannot be combined with tool/function calling",
            "Function calling with a response mime type: 'application/json' is unsupported",
            "response_format json_object is not supported when tools are given",
        ] {
            assert_eq!(after(error, true, Format::Json), (true, Format::Schema, Format::Text), "{error}");
        }
        let custom = "Cannot use custom grammar constraints with tools.";
        assert_eq!(after(custom, true, Format::Schema), (true, Format::Schema, Format::Json));
        assert!(!after("json mode cannot be combined with tool/function calling", false, Format::Json).0);
    }
}
