//! What an endpoint takes as `response_format`: JSON mode, until it refuses it.

use std::sync::atomic::{AtomicBool, Ordering};

/// The `response_format` of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `json_object`: the endpoint sees to it that the reply is JSON.
    Json,
    /// `text`: only the prompt asks for JSON.
    Text,
}

impl Format {
    /// The `type` of the request's `response_format`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json_object",
            Self::Text => "text",
        }
    }
}

/// What one endpoint has refused so far. Shared by all agents that use it.
#[derive(Debug, Default)]
pub(super) struct Formats {
    text_only: AtomicBool,
    text_with_tools: AtomicBool,
}

impl Formats {
    /// The format for a request with or without tools.
    pub(super) fn choose(&self, tools: bool) -> Format {
        let refused = self.text_only.load(Ordering::Relaxed) || tools && self.text_with_tools.load(Ordering::Relaxed);
        if refused { Format::Text } else { Format::Json }
    }

    /// Learns from an error response to a request in JSON mode. True when it tells that JSON mode was the reason: then
    /// [`Formats::choose`] answers [`Format::Text`] for requests of this kind from now on.
    pub(super) fn learn(&self, error: &str, tools: bool, endpoint: &str) -> bool {
        let error = error.to_lowercase();
        let (flag, what) = if tools && refuses_json_with_tools(&error) {
            (&self.text_with_tools, "JSON mode together with tools")
        } else if refuses_json(&error) {
            (&self.text_only, "JSON mode")
        } else {
            return false;
        };
        if !flag.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                target: "dlgforge.llm",
                "[llm] {endpoint} does not take {what}: asking for text from now on"
            );
        }
        true
    }
}

/// Whether a lower-cased error says that `response_format: json_object` is not taken.
fn refuses_json(error: &str) -> bool {
    let has = |text| error.contains(text);
    let other_formats = has("json_schema") && has("text");
    let wrong_type = has("response_format.type") && (has("json_schema") || has("text"));
    let wrong_value = has("json_object") && (has("must") || has("unsupported") || has("not supported"));
    (has("response_format") || has("json_object")) && (other_formats || wrong_type || wrong_value)
}

/// Whether a lower-cased error says that JSON mode and tools exclude each other.
fn refuses_json_with_tools(error: &str) -> bool {
    let has = |text| error.contains(text);
    let json = has("json mode") || has("response mime type") || has("response_format") || has("json_object");
    json && (has("tool") || has("function call"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Formats chosen without and with tools after an error that met a request with or without tools.
    fn after(error: &str, tools: bool) -> (bool, Format, Format) {
        let formats = Formats::default();
        let learned = formats.learn(error, tools, "http://127.0.0.1/v1");
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
            assert_eq!(after(error, false), (true, Format::Text, Format::Text), "{error}");
            assert_eq!(after(error, true), (true, Format::Text, Format::Text), "{error}");
        }
    }

    #[test]
    fn other_errors_are_not_about_json_mode() {
        for error in [
            "",
            "internal error",
            "the context is too long: json_schema or text",
            "response_format is broken",
            "json_object went missing",
            "tool calls are unsupported",
        ] {
            assert_eq!(after(error, true), (false, Format::Json, Format::Json), "{error}");
        }
    }

    #[test]
    fn a_refusal_together_with_tools_leaves_other_requests_alone() {
        for error in [
            "json mode cannot be combined with tool/function calling",
            "Function calling with a response mime type: 'application/json' is unsupported",
            "response_format json_object is not supported when tools are given",
        ] {
            assert_eq!(after(error, true), (true, Format::Json, Format::Text), "{error}");
        }
        assert!(!after("json mode cannot be combined with tool/function calling", false).0);
    }
}
