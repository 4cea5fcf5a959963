//! `openai`, `trl`, `axolotl`: messages in the shape of the chat completions API, in three dialects.
//!
//! | | `openai` | `trl` | `axolotl` |
//! |---|---|---|---|
//! | `arguments` of calls | JSON text | an object, which templates spell | JSON text |
//! | `tools` | a list; no key where there are none | JSON text, `null` where there are none | JSON text |
//! | not learned | `weight: 0` | – | `train: false` |
//!
//! LLaMA-Factory reads messages too, but spells arguments that are text as a text: `llamafactory` is for it.
//!
//! For `axolotl` the dataset has `type: chat_template`, and `message_field_training: train` where turns are masked.
//! Messages and tools lie where it looks for them (`messages`, `tools`), and thoughts too (`reasoning_content`).

use super::messages::{Message, Role, arguments, has_no_tools, messages, tools};
use super::{Choices, Format, FormatError, Reasoning, Rows, no_companions};
use crate::files::Lines;
use crate::publish::Dialogue;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;

pub(super) const OPENAI: Format = Format {
    name: "openai",
    rows: Rows::Dialogues(openai),
    reasoning: &[Reasoning::None, Reasoning::ReasoningContent, Reasoning::ThinkTags],
    masks: true,
    companions: no_companions,
};

pub(super) const TRL: Format = Format {
    name: "trl",
    rows: Rows::Dialogues(trl),
    reasoning: &[Reasoning::ReasoningContent, Reasoning::None, Reasoning::Thinking, Reasoning::ThinkTags],
    masks: false,
    companions: no_companions,
};

pub(super) const AXOLOTL: Format = Format { name: "axolotl", rows: Rows::Dialogues(axolotl), masks: true, ..TRL };

/// What differs between those who read messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    OpenAi,
    Trl,
    Axolotl,
}

#[derive(Serialize)]
struct Row<'a> {
    messages: Vec<Line<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Tools<'a>>,
}

/// The tools that the assistant could call.
#[derive(Serialize)]
#[serde(untagged)]
enum Tools<'a> {
    List(Vec<Value>),
    Text(&'a str),
}

/// A message; each kind has keys of its own.
#[derive(Serialize, Default)]
struct Line<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    tool_call_id: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    content: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reasoning_content: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    thinking: Cow<'a, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    train: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    turn_index: Option<u16>,
}

#[derive(Serialize)]
struct Call<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Called<'a>,
}

#[derive(Serialize)]
struct Called<'a> {
    name: &'a str,
    arguments: Arguments<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Arguments<'a> {
    Text(&'a str),
    Object(Value),
}

fn openai(dialogue: &Dialogue, choices: &Choices, lines: &mut Lines) -> Result<(), FormatError> {
    row(Dialect::OpenAi, dialogue, choices, lines)
}

fn trl(dialogue: &Dialogue, choices: &Choices, lines: &mut Lines) -> Result<(), FormatError> {
    row(Dialect::Trl, dialogue, choices, lines)
}

fn axolotl(dialogue: &Dialogue, choices: &Choices, lines: &mut Lines) -> Result<(), FormatError> {
    row(Dialect::Axolotl, dialogue, choices, lines)
}

fn row(dialect: Dialect, dialogue: &Dialogue, choices: &Choices, lines: &mut Lines) -> Result<(), FormatError> {
    let messages = messages(dialogue, choices)?;
    if messages.is_empty() {
        return Ok(());
    }
    let system = choices.system(dialogue.personas.assistant);
    let system = (!system.is_empty()).then(|| Line { role: "system", content: system.into(), ..Line::default() });
    let said = messages.into_iter().map(|message| line(dialect, dialogue, choices, message));
    let messages = system.into_iter().map(Ok).chain(said).collect::<Result<_, _>>()?;
    let tools = match dialect {
        _ if !choices.tools => None,
        Dialect::OpenAi => Some(tools(dialogue, choices)?).filter(|tools| !tools.is_empty()).map(Tools::List),
        // TRL parses the text, and there are templates that take an empty list for tools.
        Dialect::Trl if has_no_tools(dialogue) => Some(Tools::Text("null")),
        Dialect::Axolotl if has_no_tools(dialogue) => Some(Tools::Text("[]")),
        Dialect::Trl | Dialect::Axolotl => Some(Tools::Text(dialogue.tools)),
    };
    Ok(lines.push("row of a chat", &Row { messages, tools })?)
}

fn line<'d>(
    dialect: Dialect,
    dialogue: &'d Dialogue,
    choices: &Choices,
    message: Message<'d>,
) -> Result<Line<'d>, FormatError> {
    let call = |call: super::messages::Call<'d>| {
        let arguments = match dialect {
            Dialect::Trl => Arguments::Object(arguments(dialogue, &call)?),
            Dialect::OpenAi | Dialect::Axolotl => Arguments::Text(call.arguments),
        };
        Ok(Call { id: call.id, kind: "function", function: Called { name: call.name, arguments } })
    };
    let Message { role, content, thoughts, calls, answers: (tool_call_id, name), turn, is_learned, .. } = message;
    let is_assistant = role == Role::Assistant;
    let (thinking, reasoning_content) = match choices.reasoning {
        Reasoning::Thinking => (thoughts, Cow::default()),
        _ => (Cow::default(), thoughts),
    };
    Ok(Line {
        role: role.name(),
        tool_call_id: tool_call_id.into(),
        name,
        content,
        reasoning_content,
        thinking,
        tool_calls: calls.into_iter().map(call).collect::<Result<_, FormatError>>()?,
        weight: (dialect == Dialect::OpenAi && is_assistant).then_some(is_learned.into()),
        train: (dialect == Dialect::Axolotl && is_assistant).then_some(is_learned),
        turn_index: (dialect == Dialect::Trl && role == Role::User).then_some(turn),
    })
}
