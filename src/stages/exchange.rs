//! One exchange with a model: ask, read the reply, and ask once more when it can't be used.

use super::history::Exchanged;
use super::prompts::Prompts;
use super::{repair, text};
use crate::domain::{Agent, Conversation, Failure, Stage, Task};
use crate::llm::{ChatReply, ChatRequest, Finish, Message, Model, ModelError, ReplySchema, Role};
use serde_json::{Map, Value};
use std::sync::Arc;

/// A reply that could be used.
pub(super) struct Usable<T> {
    /// What the reply says, read.
    pub value: T,
    /// What the model thought aloud before it.
    pub reasoning: Option<String>,
    /// The endpoint's response, whole.
    pub raw: Value,
    /// Requests it took, those for unusable replies included.
    pub calls: u32,
}

/// What is wrong with a reply, in words for the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReplyError {
    /// It has not the form that was asked for.
    Form(String),
    /// It has, but what it says can't be used.
    Content(String),
    /// It is in another language.
    Language(String),
    /// It has not the form that was asked for, for it was cut off.
    CutOff(String),
}

impl ReplyError {
    fn detail(&self) -> &str {
        let (Self::Form(detail) | Self::Content(detail) | Self::Language(detail) | Self::CutOff(detail)) = self;
        detail
    }

    /// The failure of a conversation whose model's last reply has this fault.
    pub fn failure(self, agent: Agent) -> Failure {
        match self {
            Self::Form(detail) | Self::Content(detail) | Self::CutOff(detail) => Failure::Reply { agent, detail },
            Self::Language(detail) => Failure::Language { agent, detail },
        }
    }
}

impl From<String> for ReplyError {
    fn from(detail: String) -> Self {
        Self::Form(detail)
    }
}

/// A task as a request: its prompt with what was said so far, and the form of its reply, without tools.
pub(super) fn request(
    prompts: &Prompts,
    agent: Agent,
    (conversation, stage): (&Conversation, Stage),
    history: &[Exchanged<'_>],
    task: Task,
    schema: ReplySchema,
) -> Result<ChatRequest, Failure> {
    let rendered = if schema.is_text() { prompts.render_text(&task, history) } else { prompts.render(&task, history) };
    let messages = rendered.map_err(|error| Failure::Model { agent, detail: format!("failed to {error}") })?;
    Ok(ChatRequest {
        place: conversation.place(stage),
        conversation: conversation.id.clone(),
        task: Arc::new(task),
        messages: messages.into(),
        tools: Vec::new(),
        schema,
    })
}

/// Asks until `read` accepts the reply, twice at most. The second request tells the model what was wrong with its first.
pub(super) async fn exchange<T>(
    model: &dyn Model,
    agent: Agent,
    mut request: ChatRequest,
    read: impl Fn(&Map<String, Value>) -> Result<T, ReplyError>,
) -> Result<Usable<T>, Failure> {
    let (mut reply, mut calls) = (chat(model, agent, &request).await?, 1);
    if let Err(fault) = usable(&reply, agent, &read)? {
        complain(request.messages_mut(), &reply.text, &fault);
        request.place = request.place.next();
        (reply, calls) = (chat(model, agent, &request).await?, 2);
    }
    let (value, reasoning) = usable(&reply, agent, &read)?.map_err(|fault| fault.failure(agent))?;
    Ok(Usable { value, reasoning, raw: reply.raw, calls })
}

/// What a model is told after what is wrong with its reply.
pub(super) const AGAIN: &str =
    "Send the whole reply again, corrected: one JSON object of the same form, and nothing else.";

/// Asks a model once; a failed call is a failure of this agent.
pub(super) async fn chat(model: &dyn Model, agent: Agent, request: &ChatRequest) -> Result<ChatReply, Failure> {
    model.chat(request).await.map_err(|error| match error {
        // No fault of the conversation: the run stops, and goes on with it when it is resumed.
        ModelError::Store(_) | ModelError::Halted(_) => Failure::Stopped,
        ModelError::Lost(_) => Failure::Lost,
        error @ ModelError::Filtered { .. } => Failure::Filtered { agent, detail: error.to_string() },
        error => Failure::Model { agent, detail: error.to_string() },
    })
}

/// A failure where the model refused, or its reply is withheld.
pub(super) fn withheld(reply: &ChatReply, agent: Agent) -> Result<(), Failure> {
    let detail = |detail: &str| text::shortened(detail, 300);
    match &reply.finish {
        Finish::Refused(words) => Err(Failure::Refused { agent, detail: detail(words) }),
        Finish::Filtered(reason) => Err(Failure::Filtered { agent, detail: detail(reason) }),
        Finish::Stop | Finish::Length => Ok(()),
    }
}

/// What a reply says, with the reasoning before it; else what is wrong with it.
///
/// # Errors
/// When asking once more would not help: the model refused, or its reply is withheld.
pub(super) fn usable<T>(
    reply: &ChatReply,
    agent: Agent,
    read: impl Fn(&Map<String, Value>) -> Result<T, ReplyError>,
) -> Result<Result<(T, Option<String>), ReplyError>, Failure> {
    withheld(reply, agent)?;
    if reply.finish == Finish::Stop && reply.text.trim().is_empty() {
        let thoughts = reply.reasoning.as_deref().map(|thoughts| {
            let thoughts = text::shortened(thoughts, 200);
            format!(" but for thoughts (is the server's reasoning parser the model's?): {thoughts}")
        });
        return Ok(Err(ReplyError::Form(format!("the reply is empty{}", thoughts.unwrap_or_default()))));
    }
    let found = match reply.finish {
        Finish::Length => repair::begun(&reply.text),
        _ => repair::object(&reply.text),
    };
    let found = found.map_err(ReplyError::Form);
    let found = found.and_then(|found| Ok((read(&found.object)?, found.reasoning)));
    let told = found.map(|(value, reasoning)| (value, joined([reply.reasoning.clone(), reasoning])));
    // What is cut off may still hold all that is wanted.
    Ok(told.map_err(|wrong| match reply.finish {
        _ if matches!(wrong, ReplyError::Form(_)) && is_call(&reply.text) => {
            let call = text::shortened(&reply.text, 200);
            ReplyError::Form(format!("it is a tool call (is the server's tool parser the model's?): {call}"))
        }
        Finish::Length => ReplyError::CutOff(format!(
            "it was cut off at llm.agents.{agent}.max_tokens, be briefer ({})",
            wrong.detail()
        )),
        _ => wrong,
    }))
}

/// Whether a text that can't be read is a tool call in the words of some chat template.
fn is_call(text: &str) -> bool {
    ["<tool_call", "<|tool_call", "[TOOL_CALLS]", "<function=", "<|python_tag|>"].iter().any(|mark| text.contains(mark))
}

/// Tells the model what is wrong with its reply. It is shown a reply that has not the form that was asked for; one whose
/// content is wrong, or that went on until it was cut off, it would only write again.
pub(super) fn complain(messages: &mut Vec<Message>, reply: &str, fault: &ReplyError) {
    // Many endpoints take no empty message, and none needs one without measure.
    if matches!(fault, ReplyError::Form(_)) && !reply.trim().is_empty() && reply.len() <= repair::LONGEST {
        messages.push(Message::new(Role::Assistant, text::clean(reply)));
    }
    say(messages, &format!("Your reply can't be used: {}. {AGAIN}", fault.detail()));
}

/// Adds a user message, to the last one where that is the user's already: many chat templates want roles to alternate.
pub(super) fn say(messages: &mut Vec<Message>, text: &str) {
    match messages.last_mut() {
        Some(last) if last.role == Role::User => {
            last.content.push_str("\n\n");
            last.content.push_str(text);
        }
        _ => messages.push(Message::new(Role::User, text)),
    }
}

/// Thoughts in order, blank ones left out; none when all are.
pub(super) fn joined(thoughts: impl IntoIterator<Item = Option<String>>) -> Option<String> {
    let thoughts: Vec<String> = thoughts
        .into_iter()
        .flatten()
        .map(|thought| text::clean(thought.trim()))
        .filter(|thought| !thought.is_empty())
        .collect();
    (!thoughts.is_empty()).then(|| thoughts.join("\n\n"))
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, said};
    use super::*;
    use crate::llm::samples;

    /// The text of `a` in the reply of a model whose first one is cut off here, and what the model was told then.
    async fn cut(first: &str) -> (Result<String, Failure>, Vec<String>) {
        let text = first.to_owned();
        let model = Script::new(move |_, number| match number {
            0 => Ok(ChatReply { finish: Finish::Length, ..said(&text) }),
            _ => Ok(said(r#"{"a": "brief"}"#)),
        });
        let read = |object: &Map<String, Value>| {
            let text = object.get("a").and_then(Value::as_str).map(str::to_owned);
            text.ok_or_else(|| ReplyError::from("`a` is missing".to_owned()))
        };
        let made = exchange(&*model, Agent::Assistant, samples::request("Ask."), read).await;
        let told = (1..model.calls()).flat_map(|number| model.request(number).messages.to_vec());
        (made.map(|usable| usable.value), told.map(|message| message.content).collect())
    }

    #[tokio::test]
    async fn what_ran_on_until_it_was_cut_off_is_read_or_asked_for_again_and_not_shown() {
        let (made, told) = cut(r#"{"a": "whole", "limits": "none, none, none, no"#).await;
        assert_eq!((made, told.len()), (Ok("whole".to_owned()), 0), "all that is wanted is there");
        let (made, told) = cut(r#"{"limits": "none, none, none", "a": "and so on, and so on"#).await;
        assert_eq!(made, Ok("brief".to_owned()));
        let told = told.join("\n");
        assert!(told.contains("it was cut off at llm.agents.assistant.max_tokens, be briefer"), "{told}");
        assert!(!told.contains("and so on"), "it would only be written again: {told}");
    }
}
