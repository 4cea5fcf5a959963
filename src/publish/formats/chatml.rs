//! `chatml`: conversations as texts, written out as the template of Qwen 2.5 does.
//!
//! Control tokens in what people, models and tools say are parted by blanks, so that the only ones are those of the format. The
//! tools stand in the system message, each a line of JSON; calls stand between `<tool_call>` and `</tool_call>`, results between
//! `<tool_response>` and `</tool_response>` in a message of the user.

use super::messages::{Message, Role, arguments, messages, tools, without_tokens};
use super::{Choices, Format, FormatError, Reasoning, Rows, no_companions};
use crate::files::{Lines, spaced_text};
use crate::publish::Dialogue;
use serde::Serialize;

pub(super) const CHATML: Format = Format {
    name: "chatml",
    rows: Rows::Dialogues(rows),
    reasoning: &[Reasoning::None, Reasoning::ThinkTags],
    masks: false,
    companions: no_companions,
};

#[derive(Serialize)]
struct Row {
    text: String,
}

fn rows(dialogue: &Dialogue, choices: &Choices, lines: &mut Lines) -> Result<(), FormatError> {
    let messages = messages(dialogue, choices)?;
    if messages.is_empty() {
        return Ok(());
    }
    let mut text = String::new();
    let tools: Vec<_> = tools(dialogue, choices)?.iter().map(spaced_text).collect();
    let system = without_tokens(choices.system(dialogue.personas.assistant));
    let listed = format!("The tools that can be called:\n<tools>\n{}\n</tools>", without_tokens(&tools.join("\n")));
    match (system.is_empty(), tools.is_empty()) {
        (true, true) => {}
        (false, true) => push(&mut text, "system", &system),
        (true, false) => push(&mut text, "system", &listed),
        (false, false) => push(&mut text, "system", &format!("{system}\n\n{listed}")),
    }
    for several in messages.chunk_by(|one, other| one.role == Role::Tool && other.role == Role::Tool) {
        let said = several.iter().map(|message| said(dialogue, choices, message));
        let said: Vec<_> = said.collect::<Result<_, _>>()?;
        let role = if several[0].role == Role::Assistant { "assistant" } else { "user" };
        push(&mut text, role, &said.join("\n"));
    }
    Ok(lines.push("text", &Row { text })?)
}

fn push(text: &mut String, role: &str, said: &str) {
    text.extend(["<|im_start|>", role, "\n", said, "<|im_end|>\n"]);
}

/// What is said in a message. An answer with tags is without tokens already, beside those tags.
fn said(dialogue: &Dialogue, choices: &Choices, message: &Message) -> Result<String, FormatError> {
    let is_tagged = choices.reasoning == Reasoning::ThinkTags && message.role == Role::Assistant;
    let content = if is_tagged { (&*message.content).into() } else { without_tokens(&message.content) };
    if message.role == Role::Tool {
        return Ok(format!("<tool_response>\n{content}\n</tool_response>"));
    }
    let mut parts: Vec<String> = (!content.is_empty()).then(|| content.into_owned()).into_iter().collect();
    for call in &message.calls {
        let arguments = spaced_text(&arguments(dialogue, call)?);
        let [name, arguments] = [call.name, &arguments].map(without_tokens);
        parts.push(format!("<tool_call>\n{{\"name\": \"{name}\", \"arguments\": {arguments}}}\n</tool_call>"));
    }
    Ok(parts.join("\n"))
}
