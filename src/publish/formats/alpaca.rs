//! `alpaca`: the last question with its answer, and the turns before it as history.
//!
//! It has no place for tools: a row has what the user and the assistant said. Control tokens in the texts are parted by blanks.

use super::messages::{messages, without_tokens};
use super::{Choices, Format, FormatError, Reasoning, Rows, SystemMessage, no_companions};
use crate::files::Lines;
use crate::publish::Dialogue;
use serde::Serialize;
use std::borrow::Cow;

pub(super) const ALPACA: Format = Format {
    name: "alpaca",
    rows: Rows::Dialogues(rows),
    reasoning: &[Reasoning::None, Reasoning::ThinkTags],
    masks: false,
    companions: no_companions,
};

#[derive(Serialize)]
struct Row<'a> {
    instruction: Cow<'a, str>,
    input: &'static str,
    output: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<Cow<'a, str>>,
    history: Vec<[Cow<'a, str>; 2]>,
}

fn rows(dialogue: &Dialogue, choices: &Choices, lines: &mut Lines) -> Result<(), FormatError> {
    let choices = &Choices { tools: false, ..choices.clone() };
    let mut messages = messages(dialogue, choices)?.into_iter();
    let mut history = Vec::new();
    while let (Some(question), Some(answer)) = (messages.next(), messages.next()) {
        let role = [question.role, answer.role].map(super::messages::Role::name);
        if let Some((role, _)) = role.into_iter().zip(["user", "assistant"]).find(|(is, should)| is != should) {
            let (id, turn) = (dialogue.id.to_owned(), question.turn);
            return Err(FormatError::OutOfTurn { id, turn, role, format: ALPACA.name });
        }
        let safe = |text: Cow<str>| Cow::Owned(without_tokens(&text).into_owned());
        // Answers with tags are without tokens already, beside those tags.
        let is_tagged = choices.reasoning == Reasoning::ThinkTags;
        history.push([safe(question.content), if is_tagged { answer.content } else { safe(answer.content) }]);
    }
    let Some([instruction, output]) = history.pop() else { return Ok(()) };
    let system = choices.system(dialogue.personas.assistant);
    let system = (choices.system != SystemMessage::None).then(|| without_tokens(system));
    Ok(lines.push("row of Alpaca", &Row { instruction, input: "", output, system, history })?)
}
