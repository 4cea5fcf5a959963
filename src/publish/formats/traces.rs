//! `traces`: a file for each conversation, as the trace viewer of the Hugging Face Hub reads them.
//!
//! Its first line tells of the session, each further one has a message.
//! The format is described at <https://huggingface.co/docs/hub/session-traces-format>.

use super::messages::{Message, Role, messages};
use super::{Choices, Format, FormatError, Reasoning, Rows, no_companions};
use crate::files::Lines;
use crate::publish::Dialogue;
use serde::Serialize;
use std::borrow::Cow;

pub(super) const TRACES: Format = Format {
    name: "traces",
    rows: Rows::FileEach(rows),
    reasoning: &[Reasoning::ReasoningContent, Reasoning::None],
    masks: false,
    companions: no_companions,
};

/// The most files in a folder: the Hub takes 10,000 entries.
pub const MOST_IN_FOLDER: usize = 1000;

/// Microseconds in a millisecond.
const MICROSECONDS: i64 = 1000;

/// What a name may have of a question, in characters.
const LONGEST_NAME: usize = 80;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Session { harness: &'static str, id: &'a str, name: &'a str, language: &'a str },
    Message { message: Told<'a> },
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    role: &'static str,
    content: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reasoning_content: Cow<'a, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    tool_call_id: String,
    /// When the conversation was recorded, in milliseconds since 1970.
    timestamp: i64,
    /// The name of the model, if the assistant speaks: so its messages have other keys than those of users.
    #[serde(skip_serializing_if = "str::is_empty")]
    model: &'a str,
}

#[derive(Serialize)]
struct Call<'a> {
    id: String,
    function: Called<'a>,
}

#[derive(Serialize)]
struct Called<'a> {
    name: &'a str,
    arguments: &'a str,
}

fn rows(dialogue: &Dialogue, choices: &Choices, lines: &mut Lines) -> Result<(), FormatError> {
    let messages = messages(dialogue, choices)?;
    let Some(first) = messages.first() else { return Ok(()) };
    let name = first.content.lines().next().unwrap_or_default();
    let name = name.char_indices().nth(LONGEST_NAME).map_or(name, |(end, _)| &name[..end]);
    let session = Line::Session { harness: "dlgforge", id: dialogue.id, name, language: dialogue.language };
    lines.push("session", &session)?;
    let timestamp = dialogue.timestamp / MICROSECONDS;
    let system = choices.system(dialogue.personas.assistant);
    if !system.is_empty() {
        let message = Told { role: "system", content: system.into(), timestamp, ..Told::default() };
        lines.push("message", &Line::Message { message })?;
    }
    for message in messages {
        lines.push("message", &Line::Message { message: told(message, timestamp) })?;
    }
    Ok(())
}

fn told<'a>(message: Message<'a>, timestamp: i64) -> Told<'a> {
    let call = |call: super::messages::Call<'a>| {
        let super::messages::Call { id, name, arguments } = call;
        Call { id, function: Called { name, arguments } }
    };
    Told {
        role: message.role.name(),
        content: message.content,
        reasoning_content: message.thoughts,
        tool_calls: message.calls.into_iter().map(call).collect(),
        tool_call_id: message.answers.0,
        timestamp,
        model: if message.role == Role::Assistant { message.agent } else { "" },
    }
}
