//! What rows tell of the making of a turn: its payload, and what the endpoints sent.

use super::json::{Text, or_empty};
use super::provenance::{Shown, shown};
use super::results::Called;
use crate::domain::{
    Acceptance, AssistantReply, Catalogue, Conversation, Findings, Json, JudgeReply, Judgement, Register, Turn,
    UserReply,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// An item of `turns`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnPayload<'a> {
    pub(crate) turn_index: u16,
    pub(crate) qa_generation: Cow<'a, UserReply>,
    pub(crate) kb_answer: Cow<'a, AssistantReply>,
    #[serde(with = "or_empty")]
    pub(crate) qa_judge: Option<Cow<'a, JudgeReply>>,
    pub(crate) qa_agent_used_name: Text<'a>,
    pub(crate) kb_agent_used_name: Text<'a>,
    pub(crate) seed_topic: Text<'a>,
    pub(crate) seed_question: Text<'a>,
    pub(crate) question_mode: Text<'a>,
    pub(crate) tool_events: Vec<Called<'a>>,
    pub(crate) retrieved: bool,
    pub(crate) unsupported_numbers: Cow<'a, [String]>,
    pub(crate) judge_accepted: Option<bool>,
    /// What was cited and not retrieved; the first documents of format 2 do not have it.
    #[serde(default)]
    pub(crate) unknown_citations: Cow<'a, [String]>,
    /// What was retrieved, in the order of the numbers; the first documents of format 2 do not have it.
    #[serde(default)]
    pub(crate) provenance: Vec<Shown<'a>>,
    /// How the person was to write the message; left out where that was left open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) register: Option<Register>,
    /// About how many words the message was to have; left out where that was left open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) words_asked: Option<u16>,
    /// What was found without a model; earlier documents of format 2 do not have it.
    #[serde(default)]
    pub(crate) findings: Cow<'a, Findings>,
}

impl<'a> TurnPayload<'a> {
    /// The item of a turn that made these calls.
    pub fn of(turn: &'a Turn, tool_events: Vec<Called<'a>>, catalogue: &'a Catalogue) -> Self {
        Self {
            turn_index: turn.index.0,
            qa_generation: Cow::Borrowed(&turn.question.reply),
            kb_answer: Cow::Borrowed(&turn.answer.reply),
            qa_judge: turn.judgement.as_ref().map(|judgement| Cow::Borrowed(&judgement.reply)),
            qa_agent_used_name: (&*turn.question.agent).into(),
            kb_agent_used_name: (&*turn.answer.agent).into(),
            seed_topic: (&turn.question.seed_topic).into(),
            seed_question: (&turn.question.seed_question).into(),
            question_mode: turn.question.mode.as_str().into(),
            tool_events,
            retrieved: !turn.answer.retrieved.is_empty(),
            unsupported_numbers: Cow::Borrowed(&turn.answer.unsupported_numbers),
            judge_accepted: turn.judgement.as_ref().map(accepted),
            unknown_citations: Cow::Borrowed(&turn.answer.unknown_citations),
            provenance: shown(&turn.answer, catalogue),
            register: turn.question.register,
            words_asked: turn.question.words,
            findings: Cow::Borrowed(&turn.answer.findings),
        }
    }
}

/// Whether a verdict meets `judge.accept`.
pub(crate) fn accepted(judgement: &Judgement) -> bool {
    judgement.acceptance == Acceptance::Accepted
}

/// An item of `raw_results`: the endpoints' responses, and with `saving.raw` what was read from them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RawResult<'a> {
    /// The responses of one turn.
    Turn {
        /// Number of the turn, from 1.
        turn_index: u16,
        /// How often its question was asked before.
        attempt: u16,
        /// The response with the question.
        qa_raw: Cow<'a, Json>,
        /// The last response on the way to the answer.
        kb_raw: Cow<'a, Json>,
        /// The response with the verdict.
        #[serde(with = "or_empty")]
        judge_raw: Option<Cow<'a, Json>>,
        /// What was read from them; else it stands in the turn.
        #[serde(flatten)]
        read: Option<Box<ReadReplies<'a>>>,
    },
    /// Of the judge of the whole conversation.
    Judge {
        /// The response of the judge's endpoint, whole.
        conversation_judge_raw: Cow<'a, Json>,
        /// What was read from it; else it stands in the conversation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        conversation_judge: Option<Cow<'a, JudgeReply>>,
    },
}

/// What was read from the responses of a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadReplies<'a> {
    pub(crate) qa_output: Cow<'a, UserReply>,
    pub(crate) kb_output: Cow<'a, AssistantReply>,
    #[serde(with = "or_empty")]
    pub(crate) qa_judge: Option<Cow<'a, JudgeReply>>,
}

/// The responses of all turns, then that of the conversation's judge; with `raw`, what was read from them too.
pub(crate) fn raw_results(conversation: &Conversation, raw: bool) -> Vec<RawResult<'_>> {
    let turns = conversation.turns.iter().map(|turn| RawResult::Turn {
        turn_index: turn.index.0,
        attempt: turn.attempt.0,
        qa_raw: Cow::Borrowed(&turn.question.raw),
        kb_raw: Cow::Borrowed(&turn.answer.raw),
        judge_raw: turn.judgement.as_ref().map(|judgement| Cow::Borrowed(&judgement.raw)),
        read: raw.then(|| {
            Box::new(ReadReplies {
                qa_output: Cow::Borrowed(&turn.question.reply),
                kb_output: Cow::Borrowed(&turn.answer.reply),
                qa_judge: turn.judgement.as_ref().map(|judgement| Cow::Borrowed(&judgement.reply)),
            })
        }),
    });
    let judge = conversation.judgement.iter().map(|judgement| RawResult::Judge {
        conversation_judge_raw: Cow::Borrowed(&judgement.raw),
        conversation_judge: raw.then_some(Cow::Borrowed(&judgement.reply)),
    });
    turns.chain(judge).collect()
}
