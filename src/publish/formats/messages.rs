//! The messages of a conversation as trainers want them, whatever their format.

use super::{Choices, FormatError, Reasoning};
use crate::domain::control_tokens::neutralised;
use crate::publish::{Dialogue, Exchange, Said, ToolCall};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A message to train on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message<'a> {
    pub role: Role,
    /// What is said, with the thoughts if they go there.
    pub content: Cow<'a, str>,
    /// What the assistant thought, if that goes into a field of its own; else empty.
    pub thoughts: Cow<'a, str>,
    /// The tools that the assistant calls.
    pub calls: Vec<Call<'a>>,
    /// The call that a tool answers: its id and the name of the tool. Both are empty elsewhere.
    pub answers: (String, &'a str),
    /// The name of the model that says it; empty where there is none.
    pub agent: &'a str,
    /// The number of its turn, from 1.
    pub turn: u16,
    /// Whether it is to be learned, if the assistant says it.
    pub is_learned: bool,
}

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    User,
    Assistant,
    Tool,
}

impl Role {
    /// Its name in the chat completions API.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call<'a> {
    /// Nine letters and digits, which is what Mistral's templates take: `call` and the number of the call in the
    /// conversation, from 1.
    pub id: String,
    pub name: &'a str,
    /// The arguments, as JSON text.
    pub arguments: &'a str,
}

/// The messages of a conversation up to the last answer that is to be learned; none where there is no such answer.
pub(super) fn messages<'d>(dialogue: &'d Dialogue, choices: &Choices) -> Result<Vec<Message<'d>>, FormatError> {
    let turns: BTreeMap<u16, &Exchange> = dialogue.turns.iter().map(|turn| (turn.index, turn)).collect();
    let is_low = |turn: &&Exchange| {
        let score = turn.score.or(dialogue.conversation_score).map(f64::from);
        score.zip(choices.mask_below).is_some_and(|(score, least)| score < least)
    };
    let mut ids = BTreeMap::new();
    let mut count = 0;
    let mut messages = Vec::with_capacity(dialogue.messages.len());
    let is_said = |said: &&Said| choices.tools || (said.role != "tool" && said.calls.is_empty());
    for said in dialogue.messages.iter().filter(is_said) {
        let turn = turns.get(&said.turn_index).copied();
        let role = match said.role {
            "user" => Role::User,
            "tool" => Role::Tool,
            _ => Role::Assistant,
        };
        let call = |(at, call): (usize, &ToolCall<'d>)| Call {
            id: format!("call{:05}", count + at + 1),
            name: call.name,
            arguments: call.arguments,
        };
        let calls: Vec<_> = said.calls.iter().enumerate().map(call).collect();
        count += calls.len();
        ids.extend(said.calls.iter().zip(&calls).map(|(old, new)| (old.id, new.id.clone())));
        let answered = || {
            let id = ids.get(said.tool_call_id).cloned();
            id.ok_or_else(|| FormatError::NoCall { id: dialogue.id.to_owned(), call: said.tool_call_id.to_owned() })
        };
        let is_answer = role == Role::Assistant && calls.is_empty();
        let thought = turn.filter(|_| is_answer && choices.reasoning != Reasoning::None).map(thoughts);
        let thought = thought.unwrap_or_default();
        let (content, thoughts) = match choices.reasoning {
            Reasoning::ThinkTags if role == Role::Assistant => (tagged(&thought, said.content), Cow::default()),
            _ => (said.content.into(), thought),
        };
        messages.push(Message {
            role,
            content,
            thoughts,
            calls,
            answers: if role == Role::Tool { (answered()?, said.name) } else { Default::default() },
            agent: said.agent,
            turn: said.turn_index,
            is_learned: role == Role::Assistant && !turn.as_ref().is_some_and(is_low),
        });
    }
    let is_last = |message: &Message| message.is_learned && message.calls.is_empty();
    messages.truncate(messages.iter().rposition(is_last).map_or(0, |last| last + 1));
    Ok(messages)
}

/// What was thought before the answer of a turn: what the model thought aloud, or else the steps that it wrote down.
fn thoughts<'d>(turn: &Exchange<'d>) -> Cow<'d, str> {
    if turn.thoughts.is_empty() { turn.steps.join("\n").into() } else { turn.thoughts.into() }
}

/// An answer behind what was thought, as templates of Qwen and DeepSeek write it; the only tags are those that part them.
fn tagged<'d>(thoughts: &str, answer: &'d str) -> Cow<'d, str> {
    let answer = without_tokens(answer);
    if thoughts.is_empty() {
        return answer;
    }
    format!("<think>\n{}\n</think>\n\n{answer}", without_tokens(thoughts)).into()
}

/// A text whose control tokens no tokenizer takes for such.
pub(super) fn without_tokens(text: &str) -> Cow<'_, str> {
    neutralised(text).map_or(Cow::Borrowed(text), |(safe, _)| safe.into())
}

/// What JSON text of a conversation says; `what` names the part in errors.
pub(super) fn parsed(dialogue: &Dialogue, what: &'static str, text: &str) -> Result<Value, FormatError> {
    serde_json::from_str(text).map_err(|cause| FormatError::Json { id: dialogue.id.to_owned(), what, cause })
}

/// The arguments of a call.
pub(super) fn arguments(dialogue: &Dialogue, call: &Call) -> Result<Value, FormatError> {
    parsed(dialogue, "arguments of a call", call.arguments)
}

/// The tools that the assistant could call, none where tools are left out.
pub(super) fn tools(dialogue: &Dialogue, choices: &Choices) -> Result<Vec<Value>, FormatError> {
    if !choices.tools || has_no_tools(dialogue) {
        return Ok(Vec::new());
    }
    let error = |cause| FormatError::Json { id: dialogue.id.to_owned(), what: "tools", cause };
    serde_json::from_str(dialogue.tools).map_err(error)
}

/// Whether the assistant could call no tool.
pub(super) fn has_no_tools(dialogue: &Dialogue) -> bool {
    matches!(dialogue.tools.trim(), "" | "[]" | "null")
}
