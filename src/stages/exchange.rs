//! One exchange with a model: ask, read the reply, and ask once more when it can't be used.

use super::prompts::Prompts;
use super::{repair, text};
use crate::llm::{ChatReply, ChatRequest, Message, Model, ModelError, ReplySchema, Role};
use crate::words::{Failure, Place, Task};
use serde_json::{Map, Value};
use std::sync::Arc;

/// A reply that could be used.
pub(super) struct Usable<T> {
    /// What it says.
    pub value: T,
    /// What the model thought aloud before it.
    pub reasoning: Option<String>,
    /// The endpoint's response, whole.
    pub raw: Value,
    /// Requests it took.
    pub calls: u32,
}

/// A task as a request: its prompt and the form of its reply, without tools.
pub(super) fn request(
    prompts: &Prompts,
    role: &'static str,
    place: Place,
    task: Task,
    schema: &ReplySchema,
) -> Result<ChatRequest, Failure> {
    let messages =
        prompts.render(&task).map_err(|error| Failure::Model { role, detail: format!("failed to {error}") })?;
    Ok(ChatRequest {
        place,
        task: Arc::new(task),
        messages: messages.into(),
        tools: Vec::new(),
        schema: schema.clone(),
    })
}

/// Asks until `read` accepts the reply, twice at most. The second request shows the model its first reply and what is
/// wrong with it.
pub(super) async fn exchange<T>(
    model: &dyn Model,
    role: &'static str,
    mut request: ChatRequest,
    read: impl Fn(&Map<String, Value>) -> Result<T, String>,
) -> Result<Usable<T>, Failure> {
    let (mut reply, mut calls) = (chat(model, role, &request).await?, 1);
    if let Err(error) = usable(&reply, &read) {
        complain(&mut request.messages, &reply.text, &error);
        request.place = request.place.next();
        (reply, calls) = (chat(model, role, &request).await?, 2);
    }
    let (value, reasoning) = usable(&reply, &read).map_err(|detail| Failure::Reply { role, detail })?;
    Ok(Usable { value, reasoning, raw: reply.raw, calls })
}

/// Asks once.
pub(super) async fn chat(model: &dyn Model, role: &'static str, request: &ChatRequest) -> Result<ChatReply, Failure> {
    model.chat(request).await.map_err(|error| match error {
        // No fault of the conversation: the run stops, and goes on with it when it is resumed.
        ModelError::Store(_) => Failure::Stopped,
        ModelError::Lost(_) => Failure::Lost,
        error => Failure::Model { role, detail: error.to_string() },
    })
}

/// What a reply says, with the reasoning before it.
pub(super) fn usable<T>(
    reply: &ChatReply,
    read: impl Fn(&Map<String, Value>) -> Result<T, String>,
) -> Result<(T, Option<String>), String> {
    let found = repair::object(&reply.text)?;
    let value = read(&found.object)?;
    Ok((value, joined([reply.reasoning.clone(), found.reasoning])))
}

/// Shows the model its reply and what is wrong with it.
pub(super) fn complain(messages: &mut Vec<Message>, reply: &str, error: &str) {
    messages.push(Message::new(Role::Assistant, reply));
    say(
        messages,
        &format!(
            "Your reply can't be used: {error}. Send the whole reply again, corrected: one JSON object in the expected \
             output format, and nothing else."
        ),
    );
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
        .map(|thought| text::without_nul(thought.trim()))
        .filter(|thought| !thought.is_empty())
        .collect();
    (!thoughts.is_empty()).then(|| thoughts.join("\n\n"))
}
