//! What an endpoint takes of a request, learned from its replies and errors: every request is sent in the fullest form that it
//! is not known to refuse.

use super::Provider;
use super::facts::Facts;
use super::form::{FIELDS, Field, Form, Format, NEW_LIMIT, OLD_LIMIT};
use super::refusals::{
    refuses_beside_tools, refuses_field, refuses_format, refuses_json, refuses_name, refuses_schema, refuses_system,
    refuses_tools, words,
};
use crate::domain::control_tokens::neutralised;
use crate::llm::{ChatReply, ChatRequest, Finish};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

/// Replies that tell that tools are only in the way: neither a call nor an answer.
const REPLIES_WITHOUT_CALLS: u32 = 3;

/// Statuses of responses that may tell what of a request is not taken; 500 is llama.cpp's for templates that fail.
const TELLING: [u16; 5] = [400, 404, 422, 500, 501];

/// What one endpoint takes with one model. Shared by all agents that use it.
#[derive(Debug)]
pub(super) struct Capabilities {
    /// The root of its API, for people.
    endpoint: String,
    model: String,
    /// Whether it takes tools together with a `response_format`, and means both.
    takes_both: bool,
    /// The best [`Format`] that is not refused, and the same for requests with tools.
    best: AtomicU8,
    best_with_tools: AtomicU8,
    refuses_tools: AtomicBool,
    /// Whether any reply has called a tool.
    has_called: AtomicBool,
    /// Replies to requests with tools that neither called one nor held an answer.
    without_calls: AtomicU32,
    refuses_system: AtomicBool,
    new_limit: AtomicBool,
    /// By [`Field`].
    fields: [AtomicBool; FIELDS],
    facts: Arc<Facts>,
}

impl Capabilities {
    /// What is known of an endpoint before it was asked anything: what its provider is known for.
    pub(super) fn new(endpoint: String, model: &str, provider: &Provider, facts: Arc<Facts>) -> Self {
        Self {
            endpoint,
            model: model.to_owned(),
            takes_both: provider.tools_with_schema,
            best: AtomicU8::default(),
            best_with_tools: AtomicU8::default(),
            refuses_tools: AtomicBool::default(),
            has_called: AtomicBool::default(),
            without_calls: AtomicU32::default(),
            refuses_system: AtomicBool::default(),
            new_limit: AtomicBool::default(),
            fields: Field::ALL.map(|field| AtomicBool::new(field != Field::CacheKey || provider.prompt_cache_key)),
            facts,
        }
    }

    /// How to send a request with or without tools.
    ///
    /// Tools and a `response_format` go together only where both are known to be meant: under a grammar, llama.cpp and vLLM
    /// write the wanted JSON at once and never call a tool.
    pub(super) fn form(&self, with_tools: bool) -> Form {
        let takes_tools = self.takes_tools();
        let best = self.best.load(Ordering::Relaxed);
        let format = match (with_tools && takes_tools, self.takes_both) {
            (false, _) => best,
            (true, true) => best.max(self.best_with_tools.load(Ordering::Relaxed)),
            (true, false) => Format::Text as u8,
        };
        Form {
            format: [Format::Schema, Format::Json].into_iter().find(|one| *one as u8 == format).unwrap_or(Format::Text),
            tools: takes_tools,
            system: !self.refuses_system.load(Ordering::Relaxed),
            limit: if self.new_limit.load(Ordering::Relaxed) { NEW_LIMIT } else { OLD_LIMIT },
            fields: self.fields.each_ref().map(|field| field.load(Ordering::Relaxed)),
            tier: None,
        }
    }

    /// Whether it is known to refuse part of a request that matters.
    pub(super) fn takes_less(&self) -> bool {
        let refuses = |field: Field| field.matters() && !self.fields[field as usize].load(Ordering::Relaxed);
        self.refuses_tools.load(Ordering::Relaxed)
            || self.refuses_system.load(Ordering::Relaxed)
            || self.best.load(Ordering::Relaxed) > Format::Schema as u8
            || Field::ALL.into_iter().any(refuses)
    }

    fn takes_tools(&self) -> bool {
        let is_silent = self.without_calls.load(Ordering::Relaxed) >= REPLIES_WITHOUT_CALLS;
        !self.refuses_tools.load(Ordering::Relaxed) && (!is_silent || self.has_called.load(Ordering::Relaxed))
    }

    /// Learns from an error response to a request that was sent in this form. True when part of the form was the reason:
    /// then [`Capabilities::form`] answers another one from now on.
    pub(super) fn learn(&self, status: u16, body: &str, request: &ChatRequest, tried: &Form) -> bool {
        let error = words(body);
        let telling = TELLING.contains(&status);
        self.learn_limit(&error, tried)
            || telling && self.learn_system(&error, tried)
            || telling && self.learn_field(&error, request, tried)
            || telling && self.learn_tools(&error, !request.tools.is_empty(), tried)
            || self.learn_format(&error, !request.tools.is_empty(), tried)
    }

    /// Learns from a reply to a request that was sent in this form: whether tools are of any use there.
    pub(super) fn heard(&self, request: &ChatRequest, tried: &Form, reply: &ChatReply) {
        if request.tools.is_empty() || !tried.tools {
            return;
        }
        let silent = || self.without_calls.load(Ordering::Relaxed) >= REPLIES_WITHOUT_CALLS;
        if !reply.tool_calls.is_empty() {
            if !self.has_called.swap(true, Ordering::Relaxed) && silent() {
                self.tell("calls tools after all; they are offered again".to_owned());
            }
            return;
        }
        let is_there = |name: &Value| name.as_str().is_some_and(|name| reply.text.contains(&format!("\"{name}\"")));
        let is_answer = request.schema.schema["required"].as_array().is_none_or(|names| names.iter().any(is_there));
        if tried.format == Format::Text && reply.finish == Finish::Stop && !is_answer {
            let count = self.without_calls.fetch_add(1, Ordering::Relaxed) + 1;
            if count == REPLIES_WITHOUT_CALLS && !self.has_called.load(Ordering::Relaxed) {
                self.tell("does not call tools; searches are made for it".to_owned());
            }
        }
    }

    /// Says that tool calls were found in the text of a reply.
    pub(super) fn calls_in_text(&self) {
        self.tell("writes tool calls into its text; they are read from there".to_owned());
    }

    /// Takes note of control tokens of a chat template in what a reply says, apart from its thoughts' tags.
    pub(super) fn hear_control_tokens(&self, reply: &ChatReply) {
        let said = reply.text.rsplit_once("</think>").map_or(reply.text.as_str(), |(_, said)| said);
        let Some((_, count)) = neutralised(said) else { return };
        let (endpoint, model) = (&self.endpoint, &self.model);
        tracing::info!(target: "dlgforge.llm", "[llm] control tokens={count} endpoint={endpoint} model={model}");
        self.tell(
            "writes control tokens of its chat template into replies; they are cut off at the end, and get blanks"
                .to_owned(),
        );
    }

    /// Says that an answer was found in the thoughts of a reply.
    pub(super) fn answers_in_thoughts(&self) {
        self.tell(
            "sends its answers as thoughts; they are read from there (its reasoning parser is another model's)"
                .to_owned(),
        );
    }

    /// Says that there was no room for a request in the tier [`Tier::Flex`](crate::llm::Tier::Flex).
    pub(super) fn no_room(&self) {
        self.tell("had no room for a request in the tier flex".to_owned());
    }

    fn tell(&self, text: String) {
        self.facts.learn(&self.endpoint, format!("{text} (model {})", self.model));
    }

    /// OpenAI's newer models take only the newer name of the limit of tokens.
    fn learn_limit(&self, error: &str, tried: &Form) -> bool {
        if tried.limit == NEW_LIMIT || !error.contains(NEW_LIMIT) {
            return false;
        }
        self.new_limit.store(true, Ordering::Relaxed);
        self.tell(format!("takes {NEW_LIMIT} instead of {OLD_LIMIT}"));
        true
    }

    fn learn_system(&self, error: &str, tried: &Form) -> bool {
        if !tried.system || !refuses_system(error) {
            return false;
        }
        self.refuses_system.store(true, Ordering::Relaxed);
        self.tell("takes no system messages; user messages begin with their text".to_owned());
        true
    }

    fn learn_field(&self, error: &str, request: &ChatRequest, tried: &Form) -> bool {
        let has_results = request.messages.iter().any(|message| message.answers.is_some());
        let is_refused = |field: &Field| match field {
            Field::Name => has_results && refuses_name(error),
            field => refuses_field(error, field.name()),
        };
        let refused = Field::ALL.into_iter().find(|field| tried.has(*field) && is_refused(field));
        let Some(field) = refused else { return false };
        self.fields[field as usize].store(false, Ordering::Relaxed);
        self.tell(format!("does not take {}; it is left out", field.name()));
        true
    }

    fn learn_tools(&self, error: &str, with_tools: bool, tried: &Form) -> bool {
        let is_format = tried.format != Format::Text && refuses_beside_tools(error);
        if !with_tools || !tried.tools || is_format || !refuses_tools(error) {
            return false;
        }
        self.refuses_tools.store(true, Ordering::Relaxed);
        self.tell("does not take tools; searches are made for it".to_owned());
        true
    }

    fn learn_format(&self, error: &str, with_tools: bool, tried: &Form) -> bool {
        let with_tools = with_tools && tried.tools;
        let beside_tools = with_tools && refuses_beside_tools(error);
        let any = refuses_format(error);
        let refused = match tried.format {
            Format::Schema => any || beside_tools || refuses_schema(error),
            Format::Json => any || beside_tools || refuses_json(error),
            Format::Text => false,
        };
        if !refused {
            return false;
        }
        let best = if beside_tools && !any { &self.best_with_tools } else { &self.best };
        best.fetch_max(if any { Format::Text as u8 } else { tried.format as u8 + 1 }, Ordering::Relaxed);
        let kind = tried.format.kind().filter(|_| !any).map_or(String::new(), |kind| format!(" {kind}"));
        let when = if beside_tools && !any { " together with tools" } else { "" };
        self.tell(format!("does not take response_format{kind}{when}; it is asked for less"));
        true
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::{ToolCall, ToolDefinition};
    use crate::llm::ReplySchema;
    use crate::providers::provider::{COMPATIBLE, OPENAI};
    use crate::providers::samples;
    use serde_json::json;

    fn capabilities(provider: &Provider) -> Capabilities {
        Capabilities::new("http://127.0.0.1/v1".into(), "m", provider, Arc::default())
    }

    fn request(tools: bool) -> ChatRequest {
        let mut request = samples::request("Hi");
        request.schema = ReplySchema::new("any", json!({"required": ["text", "more"]}));
        let search = ToolDefinition { name: "search".into(), description: String::new(), parameters: json!({}) };
        request.tools.extend(tools.then_some(search));
        request
    }

    /// Whether something was learned of an error that met a request in this format, with or without tools, and the formats
    /// without and with tools after it.
    fn after(error: &str, tools: bool, tried: Format) -> (bool, Format, Format) {
        let capabilities = capabilities(&OPENAI);
        let tried = Form { format: tried, ..Form::WHOLE };
        let learned = capabilities.learn_format(&words(error), tools, &tried);
        (learned, capabilities.form(false).format, capabilities.form(true).format)
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
    fn what_is_not_taken_is_left_out_and_learned_once() {
        let capabilities = capabilities(&OPENAI);
        for (status, error, changed) in [
            (
                400,
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
                Form { limit: NEW_LIMIT, ..capabilities.form(true) },
            ),
            (400, "System role not supported", Form { system: false, ..capabilities.form(true) }),
            (
                400,
                r#"{"error": {"code": "unsupported_value", "param": "temperature"}}"#,
                Form { fields: Field::ALL.map(|field| field != Field::Temperature), ..capabilities.form(true) },
            ),
            (
                422,
                r#"{"detail": [{"type": "extra_forbidden", "loc": ["body", "response_format"]}]}"#,
                Form { format: Format::Text, ..capabilities.form(true) },
            ),
            (400, "\"auto\" tool choice requires a tool call parser", Form { tools: false, ..capabilities.form(true) }),
        ] {
            let capabilities = self::capabilities(&OPENAI);
            let tried = capabilities.form(true);
            let learn = |form| capabilities.learn(status, error, &request(true), form);
            assert!(!capabilities.takes_less());
            // Two requests that were out together.
            assert!(learn(&tried) && learn(&tried), "{error}");
            assert_eq!(capabilities.form(true), changed, "{error}");
            assert_eq!(capabilities.takes_less(), changed.limit == OLD_LIMIT, "{error}: another name loses nothing");
            assert!(!learn(&changed), "{error}: it is not tried for ever");
        }
        assert!(!capabilities.learn(400, "max_tokens is too large", &request(true), &capabilities.form(true)));
        assert!(!capabilities.learn(429, "tools are not supported", &request(true), &capabilities.form(true)));
        assert!(!capabilities.learn(400, "tools are not supported", &request(false), &capabilities.form(false)));
    }

    #[test]
    fn tools_and_a_schema_go_apart_unless_both_are_known_to_be_meant() {
        for (name, together, cache_key) in
            [("openai", true, true), ("anthropic", true, false), ("mistral", false, true), ("vllm", false, false)]
        {
            let capabilities = capabilities(Provider::named(name).unwrap());
            let form = capabilities.form(true);
            assert_eq!(form.format, if together { Format::Schema } else { Format::Text }, "{name}");
            assert_eq!((form.tools, form.has(Field::CacheKey)), (true, cache_key), "{name}");
            assert_eq!(capabilities.form(false).format, Format::Schema, "{name}");
        }
        let own = capabilities(&COMPATIBLE);
        assert!(own.learn(400, "this model does not support tools", &request(true), &own.form(true)));
        assert_eq!((own.form(true).format, own.form(true).tools), (Format::Schema, false));
    }

    #[test]
    fn tools_that_are_never_called_are_no_longer_offered() {
        let says = |text: &str| ChatReply { text: text.into(), ..ChatReply::default() };
        let heard = |replies: &[ChatReply]| {
            let capabilities = capabilities(&COMPATIBLE);
            replies.iter().for_each(|reply| {
                capabilities.heard(&request(true), &Form { format: Format::Text, ..Form::WHOLE }, reply)
            });
            capabilities.form(true).tools
        };
        let call = ToolCall { id: "1".into(), name: "search".into(), arguments: json!({}) };
        let calls = ChatReply { tool_calls: vec![call], ..says("") };
        let (poor, answer) = (says("I would search."), says(r#"{"more": "a"}"#));
        assert!(heard(&[poor.clone(), answer.clone(), poor.clone(), answer]));
        assert!(!heard(&[poor.clone(), poor.clone(), poor.clone()]));
        assert!(heard(&[calls.clone(), poor.clone(), poor.clone(), poor.clone()]));
        assert!(heard(&[poor.clone(), poor.clone(), poor.clone(), calls]), "one that was out meanwhile");
        let cut = ChatReply { finish: Finish::Length, ..poor };
        assert!(heard(&[cut.clone(), cut.clone(), cut]));
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
