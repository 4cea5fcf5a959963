//! `conversations/`: a document for each conversation, from which all else that is told of it can be made.
//!
//! By default a document is one line and says everything once: what was said and made of it in `turns`, what the endpoints
//! sent in `raw_results`, and in `state` what else is to be known to make the conversation of it again. With `saving.raw` it is
//! indented, and has the parts of the training files too.

mod restore;

use super::rows::{
    AssistantReasoning, ConversationState, HistoryItem, Inputs, Message, Parts, Personas, RawResult, Text, ToolMessage,
    TurnPayload, UserReasoning, history, messages, or_empty, raw_results,
};
use super::{FORMAT_VERSION, OutputError, Stamp};
use crate::domain::JudgeReply;
use crate::domain::Slot;
use crate::files::{self, FilesError, compact, pretty};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

/// Its name in `saving.files`, and the folder of documents in the output folder.
pub const NAME: &str = "conversations";

/// Where the document of a conversation lies in the folder.
pub(super) fn inside(id: &str, slot: Slot) -> String {
    files::inside(slot.index, &format!("{id}.json"))
}

/// The text of a conversation's document.
pub(super) fn document(parts: &Parts) -> Result<Vec<u8>, FilesError> {
    let document = ConversationDocument::of(parts);
    let mut text =
        if parts.options.raw { pretty("conversation", &document)? } else { compact("conversation", &document)? };
    text.push(b'\n');
    Ok(text)
}

/// A document of `conversations/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConversationDocument<'a> {
    pub(crate) conversation_id: Text<'a>,
    pub(crate) timestamp: Text<'a>,
    pub(crate) seed_question: Text<'a>,
    pub(crate) inputs: Inputs<'a>,
    pub(crate) n_turns: usize,
    pub(crate) language: Text<'a>,
    /// The inputs tell them too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) personas: Option<Personas<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) messages: Option<Vec<Message<'a>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) messages_with_tools: Option<Cow<'a, [ToolMessage<'a>]>>,
    pub(crate) tools: Cow<'a, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user_reasoning: Option<Vec<UserReasoning<'a>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) assistant_reasoning: Option<Vec<AssistantReasoning<'a>>>,
    #[serde(with = "or_empty")]
    pub(crate) conversation_judge: Option<Cow<'a, JudgeReply>>,
    pub(crate) turns: Cow<'a, [TurnPayload<'a>]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) conversation_history: Option<Vec<HistoryItem<'a>>>,
    pub(crate) raw_results: Vec<RawResult<'a>>,
    pub(crate) run_id: Text<'a>,
    /// All else that there is to know of the conversation; the first documents of format 2 do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<ConversationState<'a>>,
    /// [`FORMAT_VERSION`]; documents of before 2 do not tell.
    #[serde(default = "unversioned")]
    pub(crate) format_version: u32,
}

fn unversioned() -> u32 {
    1
}

impl<'a> ConversationDocument<'a> {
    pub(super) fn of(parts: &'a Parts<'a>) -> Self {
        let raw = parts.options.raw;
        let turns = &parts.conversation.turns;
        Self {
            conversation_id: (&*parts.conversation.id).into(),
            timestamp: parts.timestamp.into(),
            seed_question: (&parts.facts.question).into(),
            inputs: parts.inputs.clone(),
            n_turns: parts.n_turns(),
            language: (&*parts.conversation.language).into(),
            personas: raw.then(|| parts.personas.clone()),
            messages: raw.then(|| messages(turns, true)),
            messages_with_tools: raw.then_some(Cow::Borrowed(&parts.messages_with_tools)),
            tools: Cow::Borrowed(parts.facts.tools.list()),
            user_reasoning: raw.then(|| parts.user_reasoning()),
            assistant_reasoning: raw.then(|| parts.assistant_reasoning()),
            conversation_judge: parts.judgement.map(Cow::Borrowed),
            turns: Cow::Borrowed(&parts.turns),
            conversation_history: raw.then(|| history(turns)),
            raw_results: raw_results(parts.conversation, raw),
            run_id: (&*parts.facts.run_id).into(),
            state: Some(ConversationState::of(parts)),
            format_version: FORMAT_VERSION,
        }
    }
}

impl ConversationDocument<'_> {
    /// Where the document of a conversation lies in an output folder.
    pub fn path(output: &Path, id: &str, slot: Slot) -> PathBuf {
        output.join(NAME).join(inside(id, slot))
    }

    /// How often the question of each turn was rejected.
    pub(crate) fn attempts(&self) -> Vec<u16> {
        let attempt = |raw: &RawResult<'_>| match raw {
            RawResult::Turn { attempt, .. } => Some(*attempt),
            RawResult::Judge { .. } => None,
        };
        self.raw_results.iter().filter_map(attempt).collect()
    }

    /// When its conversation was made.
    ///
    /// # Errors
    /// When it does not tell.
    pub fn stamp(&self, path: &Path) -> Result<Stamp, OutputError> {
        Stamp::at(&self.timestamp).ok_or_else(|| OutputError::Document {
            path: path.to_owned(),
            field: "timestamp".to_owned(),
            detail: format!("`{}` is no time", self.timestamp),
        })
    }

    /// Reads a document, of this or an earlier format.
    ///
    /// # Errors
    /// When it can't be read, is no such document, or was written in a later format.
    pub fn read(path: &Path) -> Result<Self, OutputError> {
        let text = fs::read(path).map_err(FilesError::io("read", path))?;
        let decode = |cause| FilesError::Decode { path: path.to_owned(), line: 1, cause };
        let document: Self = serde_json::from_slice(&text).map_err(decode)?;
        if document.format_version > FORMAT_VERSION {
            return Err(OutputError::Later { path: path.to_owned(), version: document.format_version });
        }
        Ok(document)
    }
}
