//! The built-in model: deterministic, extractive, without weights.
//!
//! It is a demonstration and a load generator: it lets a new user see whole conversations at once, without a key, a
//! server or a download, and it lets a run be measured without a model's waiting. It understands nothing. Its questions
//! are templates around noun groups of the passage; its answers quote sentences that share words with the question;
//! its judge measures overlaps. Data for training should come from a real model.
//!
//! It reads [`ChatRequest::task`], not the prompt. It has no clock and no random source: the same request always gives the same reply. Tokens are counted as words (UAX
//! #29) of all messages of the request, and of the reply's text and tool arguments.

mod answer;
mod ask;
mod draw;
mod evidence;
mod groups;
mod judge;
mod languages;
mod material;
mod modes;
mod persona;
mod scene;
mod text;
mod token;
mod wording;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

pub use languages::{LANGUAGES, code, speaks};

use crate::domain::{Agent, Digest, Observer, Task, ToolCall};
use crate::llm::chat::{ChatReply, ChatRequest, Finish, Model, ModelError, Replying, Role};
use crate::llm::meter::Meter;
use crate::llm::prices::{Price, Prices};
use crate::llm::{CallEnd, Event, EventKind, Parameters, Usage};
use crate::traffic::budget::{BudgetLedger, Cost};
use languages::Language;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use unicode_segmentation::UnicodeSegmentation;
use xxhash_rust::xxh3::xxh3_128;

/// Name of the knowledge search among the tools.
const SEARCH: &str = "vector_db_search";
/// Stands for the URL in errors, for the model in tables of prices, and for the provider in events.
const ENDPOINT: &str = "builtin";

/// The built-in model, in any of the three roles.
#[derive(Debug)]
pub struct Builtin {
    name: Arc<str>,
    agent: Agent,
    meter: Arc<Meter>,
    ledger: Option<Arc<BudgetLedger>>,
    price: Option<Price>,
    observer: Observer<Event>,
}

impl Builtin {
    /// A model of this name that counts its calls as the others of a run do. They cost nothing, unless the table of prices has
    /// another price for them, but are calls, and their words are tokens: a budget caps them.
    pub fn new(
        name: Arc<str>,
        agent: Agent,
        meter: Arc<Meter>,
        ledger: Option<Arc<BudgetLedger>>,
        prices: &Prices,
        observer: Observer<Event>,
    ) -> Self {
        let price = prices.of([ENDPOINT].into_iter(), ENDPOINT).cloned();
        Self { name, agent, meter, ledger, price, observer }
    }

    /// Takes what a reply is out of the budget of the run.
    async fn pay(&self, reply: &ChatReply) -> Result<(), ModelError> {
        let Some(ledger) = &self.ledger else { return Ok(()) };
        let Usage { prompt_tokens, completion_tokens, .. } = reply.usage;
        let tokens = prompt_tokens.unwrap_or(0) + completion_tokens.unwrap_or(0);
        let nanousd = reply.cost_nanousd.unwrap_or(0);
        let mut reservation = ledger.reserve(Cost { nanousd, tokens, calls: 1 }).await?;
        reservation.settle(&reply.usage, Some(nanousd));
        Ok(())
    }

    fn reply(&self, request: &ChatRequest) -> Result<ChatReply, ModelError> {
        let language = language(&request.task)?;
        let seed = self.digest(request)?.0 as u64;
        let mut tool_calls = Vec::new();
        let text = match &*request.task {
            Task::Ask(task) if request.schema.is_text() => ask::ask(task, language).user_message,
            Task::Ask(task) if task.candidates > 1 => written(&ask::candidates(task, language))?,
            Task::Ask(task) => written(&ask::ask(task, language))?,
            Task::Answer(task) if task.passages.is_empty() && may_search(request) => {
                let arguments = json!({ "query": answer::query(task, language), "k": task.retrieval_default_k });
                tool_calls.push(ToolCall { id: format!("call_{seed:016x}"), name: SEARCH.to_owned(), arguments });
                String::new()
            }
            Task::Answer(task) => written(&answer::answer(task, seed, language))?,
            Task::JudgeTurn(task) => written(&judge::turn(task, language))?,
            Task::JudgeConversation(task) => written(&judge::conversation(task, language))?,
        };
        let usage = usage(request, &text, &tool_calls);
        let raw = self.raw(seed, &text, &tool_calls, usage);
        Ok(ChatReply {
            text,
            tool_calls,
            reasoning: None,
            finish: Finish::Stop,
            usage,
            cost_nanousd: self.price.as_ref().and_then(|price| price.nanousd(&usage)),
            model: self.name.clone(),
            provider_state: None,
            request: None,
            raw,
        })
    }

    /// The reply in the form of a chat completion, as endpoints give it. There is no clock: `created` is 0.
    fn raw(&self, seed: u64, text: &str, tool_calls: &[ToolCall], usage: Usage) -> Value {
        let mut message = json!({ "role": "assistant", "content": text });
        if !tool_calls.is_empty() {
            let call = |call: &ToolCall| {
                let function = json!({ "name": call.name, "arguments": call.arguments.to_string() });
                json!({ "id": call.id, "type": "function", "function": function })
            };
            message["content"] = Value::Null;
            message["tool_calls"] = tool_calls.iter().map(call).collect();
        }
        let finish_reason = if tool_calls.is_empty() { "stop" } else { "tool_calls" };
        let (prompt, completion) = (usage.prompt_tokens.unwrap_or(0), usage.completion_tokens.unwrap_or(0));
        json!({
            "id": format!("chatcmpl-{seed:016x}"),
            "object": "chat.completion",
            "created": 0,
            "model": &*self.name,
            "choices": [{ "index": 0, "message": message, "finish_reason": finish_reason }],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
            },
        })
    }
}

impl Model for Builtin {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn plays_personas(&self) -> bool {
        false
    }

    /// Of the name, the task, whether it has searched, and whether its reply is a text.
    fn digest(&self, request: &ChatRequest) -> Result<Digest, ModelError> {
        let asked = xxh3_128(written(&(&self.name, &request.task, may_search(request)))?.as_bytes());
        Ok(Digest(asked ^ u128::from(request.schema.is_text())))
    }

    fn chat<'a>(&'a self, request: &'a ChatRequest) -> Replying<'a> {
        Box::pin(async move {
            let reply = self.reply(request).inspect_err(|_| self.meter.failed())?;
            self.pay(&reply).await?;
            self.meter.answered(&reply);
            let tell = |kind: &dyn Fn() -> EventKind| {
                self.observer.tell(|| Event {
                    agent: self.agent,
                    conversation: request.conversation.clone(),
                    model: self.name.clone(),
                    endpoint: None,
                    kind: kind(),
                });
            };
            tell(&|| EventKind::answered(&reply, Duration::ZERO));
            tell(&|| {
                EventKind::Ended(Box::new(CallEnd {
                    request: request.clone(),
                    outcome: Ok(reply.without_raw()),
                    response_id: None,
                    response_model: None,
                    began: None,
                    failures: Vec::new(),
                    provider: ENDPOINT,
                    server: None,
                    parameters: Parameters::default(),
                }))
            });
            Ok(reply)
        })
    }
}

fn language(task: &Task) -> Result<&'static Language, ModelError> {
    let name = match task {
        Task::Ask(task) => &task.target_language,
        Task::Answer(task) => &task.target_language,
        Task::JudgeTurn(task) => &task.target_language,
        Task::JudgeConversation(task) => &task.target_language,
    };
    languages::find(name).ok_or_else(|| ModelError::Refused {
        endpoint: ENDPOINT.to_owned(),
        status: 400,
        detail: format!(
            "the built-in model does not speak `{name}`, only {}: set `llm.agents.*.provider` to one with a model that does",
            LANGUAGES.join(", ")
        ),
    })
}

fn may_search(request: &ChatRequest) -> bool {
    request.tools.iter().any(|tool| tool.name == SEARCH)
        && !request.messages.iter().any(|message| message.role == Role::Tool)
}

fn written(value: &impl Serialize) -> Result<String, ModelError> {
    serde_json::to_string(value)
        .map_err(|error| ModelError::Malformed { endpoint: ENDPOINT.to_owned(), detail: error.to_string() })
}

fn usage(request: &ChatRequest, text: &str, tool_calls: &[ToolCall]) -> Usage {
    let words = |text: &str| text.unicode_words().count() as u64;
    let read = request.messages.iter().map(|message| words(&message.content)).sum();
    let calls: u64 = tool_calls.iter().map(|call| words(&call.arguments.to_string())).sum();
    Usage { prompt_tokens: Some(read), completion_tokens: Some(words(text) + calls), ..Usage::default() }
}
