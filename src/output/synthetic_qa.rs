//! `synthetic_qa.jsonl`: every conversation with turns, by its settings and its verdict; its document tells the rest.

use super::formats::Format;
use super::rows::{
    HistoryItem, Inputs, Message, Parts, RawResult, Text, TurnPayload, history, messages, or_empty, raw_results,
};
use crate::domain::{AssistantReply, JudgeReply, UserReply};
use crate::files::{FilesError, Lines};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

pub(super) const FORMAT: Format = Format { name: "synthetic_qa", needed: false, rows };

fn rows(parts: &Parts, lines: &mut Lines) -> Result<(), FilesError> {
    lines.push("row of synthetic_qa", &SyntheticQa::of(parts))
}

/// A row of `synthetic_qa.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SyntheticQa<'a> {
    pub(crate) conversation_id: Text<'a>,
    pub(crate) timestamp: Text<'a>,
    pub(crate) question: Text<'a>,
    pub(crate) inputs: Inputs<'a>,
    #[serde(flatten)]
    pub(crate) last: Option<LastTurn<'a>>,
    #[serde(with = "or_empty")]
    pub(crate) conversation_judge: Option<Cow<'a, JudgeReply>>,
    #[serde(flatten)]
    pub(crate) whole: Option<Whole<'a>>,
    /// The document with the rest, from the project's root; none with `saving.raw`, empty where none is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) conversation_file: Option<Text<'a>>,
    pub(crate) run_id: Text<'a>,
}

/// What a row tells of its last turn with `saving.raw`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastTurn<'a> {
    pub(crate) qa_generation_plan: Cow<'a, UserReply>,
    pub(crate) kb_final_answer: Cow<'a, AssistantReply>,
    #[serde(with = "or_empty")]
    pub(crate) qa_judge: Option<Cow<'a, JudgeReply>>,
}

/// The rest that a row tells with `saving.raw`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Whole<'a> {
    pub(crate) turns: Cow<'a, [TurnPayload<'a>]>,
    pub(crate) conversation_history: Vec<HistoryItem<'a>>,
    pub(crate) messages: Vec<Message<'a>>,
    #[serde(with = "or_empty")]
    pub(crate) raw_result: Option<Cow<'a, AssistantReply>>,
    pub(crate) raw_results: Vec<RawResult<'a>>,
}

impl<'a> SyntheticQa<'a> {
    pub(super) fn of(parts: &'a Parts<'a>) -> Self {
        let raw = parts.options.raw;
        let turns = &parts.conversation.turns;
        Self {
            conversation_id: (&*parts.conversation.id).into(),
            timestamp: parts.timestamp.into(),
            question: (&parts.facts.question).into(),
            inputs: parts.inputs.clone(),
            last: parts.turns.last().filter(|_| raw).map(|turn| LastTurn {
                qa_generation_plan: turn.qa_generation.clone(),
                kb_final_answer: turn.kb_answer.clone(),
                qa_judge: turn.qa_judge.clone(),
            }),
            conversation_judge: parts.judgement.map(Cow::Borrowed),
            whole: raw.then(|| Whole {
                turns: Cow::Borrowed(&parts.turns),
                conversation_history: history(turns),
                messages: messages(turns, true),
                raw_result: parts.turns.last().map(|turn| turn.kb_answer.clone()),
                raw_results: raw_results(parts.conversation, true),
            }),
            conversation_file: (!raw).then(|| (&parts.file).into()),
            run_id: (&*parts.facts.run_id).into(),
        }
    }
}
