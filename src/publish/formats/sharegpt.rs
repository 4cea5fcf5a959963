//! `sharegpt`, `llamafactory`: who says what, in the words of ShareGPT.
//!
//! People and tools (`human`, `observation`) speak at odd places, the model (`gpt`, `function_call`) at even ones. So calls
//! that were made at once stand one after the other, each with what it returned. The system message is a column of its own,
//! and so is the JSON text of the tools.

use super::messages::{Call, Message, Role, arguments, has_no_tools, messages};
use super::{Choices, Companion, Format, FormatError, Reasoning, Rows, SystemMessage, no_companions};
use crate::files::{Lines, pretty, spaced_text};
use crate::publish::Dialogue;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

pub(super) const SHAREGPT: Format = Format {
    name: "sharegpt",
    rows: Rows::Dialogues(sharegpt),
    reasoning: &[Reasoning::None, Reasoning::ThinkTags],
    masks: true,
    companions: no_companions,
};

pub(super) const LLAMA_FACTORY: Format = Format {
    name: "llamafactory",
    rows: Rows::Dialogues(llama_factory),
    masks: false,
    companions: dataset_info,
    ..SHAREGPT
};

/// Who speaks, in the words of ShareGPT.
pub(super) const HUMAN: &str = "human";
/// The model that answers.
pub(super) const GPT: &str = "gpt";
const CALL: &str = "function_call";
const RESULT: &str = "observation";

#[derive(Serialize)]
struct Row<'a> {
    conversations: Vec<Line<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a str>,
}

/// A message in the shape of ShareGPT: who it is from, and its value.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    pub from: &'static str,
    pub value: Cow<'a, str>,
    /// Whether it is learned, where turns are masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<bool>,
}

/// What the model writes to call a tool.
#[derive(Serialize)]
struct Called<'a> {
    name: &'a str,
    arguments: Value,
}

fn sharegpt(dialogue: &Dialogue, choices: &Choices, lines: &mut Lines) -> Result<(), FormatError> {
    row(SHAREGPT.name, "[]", dialogue, choices, lines)
}

fn llama_factory(dialogue: &Dialogue, choices: &Choices, lines: &mut Lines) -> Result<(), FormatError> {
    // A text makes a system message, even that of an empty list.
    row(LLAMA_FACTORY.name, "", dialogue, choices, lines)
}

fn row(
    format: &'static str,
    no_tools: &'static str,
    dialogue: &Dialogue,
    choices: &Choices,
    lines: &mut Lines,
) -> Result<(), FormatError> {
    let messages = messages(dialogue, choices)?;
    if messages.is_empty() {
        return Ok(());
    }
    let system = (choices.system != SystemMessage::None).then(|| choices.system(dialogue.personas.assistant));
    let tools = choices.tools.then(|| if has_no_tools(dialogue) { no_tools } else { dialogue.tools });
    let conversations = said(format, dialogue, choices, messages)?;
    Ok(lines.push("row of ShareGPT", &Row { conversations, system, tools })?)
}

fn said<'d>(
    format: &'static str,
    dialogue: &'d Dialogue,
    choices: &Choices,
    messages: Vec<Message<'d>>,
) -> Result<Vec<Line<'d>>, FormatError> {
    let mut lines: Vec<Line> = Vec::with_capacity(messages.len());
    let mut open: BTreeMap<String, (Call, bool)> = BTreeMap::new();
    let masked = |is_learned| choices.mask_below.map(|_| is_learned);
    for message in messages {
        let Message { role, content, calls, answers: (id, _), turn, is_learned, .. } = message;
        let out_of_turn = || FormatError::OutOfTurn { id: dialogue.id.to_owned(), turn, role: role.name(), format };
        let is_models = lines.last().is_some_and(|line| line.from == HUMAN || line.from == RESULT);
        let fits = match role {
            Role::User => !is_models && open.is_empty(),
            Role::Assistant => is_models && open.is_empty(),
            Role::Tool => is_models,
        };
        if !fits {
            return Err(out_of_turn());
        }
        match role {
            Role::User => lines.push(Line { from: HUMAN, value: content, train: None }),
            Role::Assistant if calls.is_empty() => {
                lines.push(Line { from: GPT, value: content, train: masked(is_learned) });
            }
            Role::Assistant => open.extend(calls.into_iter().map(|call| (call.id.clone(), (call, is_learned)))),
            Role::Tool => {
                let (call, is_learned) = open.remove(&id).ok_or_else(out_of_turn)?;
                let value = spaced_text(&Called { name: call.name, arguments: arguments(dialogue, &call)? });
                lines.push(Line { from: CALL, value: value.into(), train: masked(is_learned) });
                lines.push(Line { from: RESULT, value: content, train: None });
            }
        }
    }
    Ok(lines)
}

/// How the name of a file ends that is alone.
const ALONE: &str = "-00000-of-00001";

#[derive(Serialize)]
struct Entry<'a> {
    file_name: &'a str,
    formatting: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ranking: Option<bool>,
    columns: BTreeMap<&'static str, &'static str>,
}

/// `dataset_info.json`, in which LLaMA-Factory looks up what it is to read: a data set for each file, whose name is that of
/// the file behind `dlgforge_`, without the number of a file that is alone.
fn dataset_info(files: &[&str], choices: &Choices) -> Result<Vec<Companion>, FormatError> {
    let mut columns = BTreeMap::from([("messages", "conversations")]);
    if choices.system != SystemMessage::None {
        columns.insert("system", "system");
    }
    if choices.tools {
        columns.insert("tools", "tools");
    }
    info(files, None, columns)
}

/// The entries of such files whose rows have these columns.
pub(super) fn info(
    files: &[&str],
    ranking: Option<bool>,
    columns: BTreeMap<&'static str, &'static str>,
) -> Result<Vec<Companion>, FormatError> {
    let entry = |file_name| Entry { file_name, formatting: "sharegpt", ranking, columns: columns.clone() };
    let name = |file: &str| {
        let stem = file.split_once('.').map_or(file, |(stem, _)| stem);
        format!("dlgforge_{}", stem.strip_suffix(ALONE).unwrap_or(stem))
    };
    let entries: BTreeMap<String, Entry> = files.iter().map(|file| (name(file), entry(*file))).collect();
    Ok(vec![("dataset_info.json".to_owned(), pretty("dataset_info.json", &entries)?)])
}
