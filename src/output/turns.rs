//! `turns.jsonl`: the turns that are trained on, flat, for analysis.

use super::formats::Format;
use super::rows::{FindingsColumns, Parts, Shown, Text, VoteRow, accepted, votes};
use crate::domain::reply::{Difficulty, GroundingFact, Intent, ReasoningTrace};
use crate::domain::{Register, Turn};
use crate::files::{FilesError, Lines};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

pub(super) const FORMAT: Format = Format { name: "turns", needed: false, rows };

fn rows(parts: &Parts, lines: &mut Lines) -> Result<(), FilesError> {
    let mut turns = parts.conversation.turns.iter().filter(|_| parts.is_trained_on());
    turns.try_for_each(|turn| lines.push("row of turns", &TurnRow::of(parts, turn)))
}

/// A row of `turns.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnRow<'a> {
    pub(crate) conversation_id: Text<'a>,
    pub(crate) timestamp: Text<'a>,
    pub(crate) turn_index: u16,
    pub(crate) user_message: Text<'a>,
    pub(crate) assistant_message: Text<'a>,
    pub(crate) question_mode: Text<'a>,
    pub(crate) seed_topic: Text<'a>,
    pub(crate) seed_question: Text<'a>,
    pub(crate) intent: Intent,
    pub(crate) difficulty: Difficulty,
    pub(crate) coverage_target: Text<'a>,
    pub(crate) grounding_facts: Cow<'a, [GroundingFact]>,
    pub(crate) notes_for_assistant: Cow<'a, [String]>,
    pub(crate) reasoning_trace: Cow<'a, ReasoningTrace>,
    pub(crate) did_web_search: bool,
    pub(crate) judge_granularity: Text<'a>,
    pub(crate) judge_score: Option<u8>,
    pub(crate) judge_reasons: Cow<'a, [String]>,
    pub(crate) judge_notes: Text<'a>,
    pub(crate) judge_question_ok: Option<bool>,
    pub(crate) judge_answer_ok: Option<bool>,
    pub(crate) conversation_judge_score: Option<u8>,
    pub(crate) conversation_judge_reasons: Cow<'a, [String]>,
    pub(crate) conversation_status: Text<'a>,
    pub(crate) drop_reason: Text<'a>,
    pub(crate) retrieved: bool,
    pub(crate) unsupported_numbers: Cow<'a, [String]>,
    pub(crate) judge_accepted: Option<bool>,
    pub(crate) conversation_judge_accepted: Option<bool>,
    pub(crate) persona_applied: bool,
    pub(crate) run_id: Text<'a>,
    pub(crate) unknown_citations: Cow<'a, [String]>,
    pub(crate) provenance: Vec<Shown<'a>>,
    /// Ids of the further passages that the question needs, in the order of their facts.
    #[serde(default)]
    pub(crate) linked_targets: Vec<String>,
    /// How the person was to write the message; blank where that was left open.
    #[serde(default)]
    pub(crate) register: Text<'a>,
    /// About how many words the message was to have; none where that was left open.
    #[serde(default)]
    pub(crate) words_asked: Option<u16>,
    /// What the person wants to know in all, where they tell it piece by piece; else blank.
    #[serde(default)]
    pub(crate) whole_need: Text<'a>,
    /// What each judge of a jury made of it.
    #[serde(default)]
    pub(crate) judge_votes: Vec<VoteRow<'a>>,
    #[serde(flatten)]
    pub(crate) findings: FindingsColumns<'a>,
}

impl<'a> TurnRow<'a> {
    /// The row of one of the conversation's turns.
    pub(crate) fn of(parts: &Parts<'a>, turn: &'a Turn) -> Self {
        let (question, answer) = (&turn.question, &turn.answer.reply);
        let judge = turn.judgement.as_ref().map(|judgement| &judgement.reply);
        Self {
            conversation_id: (&*parts.conversation.id).into(),
            timestamp: parts.timestamp.into(),
            turn_index: turn.index.0,
            user_message: (&question.reply.user_message).into(),
            assistant_message: (&answer.assistant_message).into(),
            question_mode: question.mode.as_str().into(),
            seed_topic: (&question.seed_topic).into(),
            seed_question: (&question.seed_question).into(),
            intent: question.reply.intent,
            difficulty: question.reply.difficulty,
            coverage_target: (&question.reply.coverage_target).into(),
            grounding_facts: Cow::Borrowed(&question.reply.grounding_facts),
            notes_for_assistant: Cow::Borrowed(&question.reply.notes_for_assistant),
            reasoning_trace: Cow::Borrowed(&answer.reasoning_trace),
            did_web_search: answer.did_web_search,
            judge_granularity: (&*parts.facts.judge_granularity).into(),
            judge_score: judge.map(|judge| judge.score),
            judge_reasons: Cow::Borrowed(judge.map_or(&[], |judge| &judge.reasons)),
            judge_notes: judge.map_or("", |judge| &judge.notes).into(),
            judge_question_ok: judge.map(|judge| judge.question_ok),
            judge_answer_ok: judge.map(|judge| judge.answer_ok),
            conversation_judge_score: parts.judgement.map(|judge| judge.score),
            conversation_judge_reasons: Cow::Borrowed(parts.judgement.map_or(&[], |judge| &judge.reasons)),
            conversation_status: parts.status.into(),
            drop_reason: parts.drop_reason.into(),
            retrieved: !turn.answer.retrieved.is_empty(),
            unsupported_numbers: Cow::Borrowed(&turn.answer.unsupported_numbers),
            judge_accepted: turn.judgement.as_ref().map(accepted),
            conversation_judge_accepted: parts.conversation.judgement.as_ref().map(accepted),
            persona_applied: parts.facts.persona_applied,
            run_id: (&*parts.facts.run_id).into(),
            unknown_citations: Cow::Borrowed(&turn.answer.unknown_citations),
            provenance: parts.shown(turn),
            linked_targets: question.used.linked.iter().map(|(chunk, _)| parts.catalogue.chunk(*chunk).id).collect(),
            register: question.register.map_or("", Register::as_str).into(),
            words_asked: question.words,
            whole_need: parts.conversation.whole_need().into(),
            judge_votes: votes(turn.judgement.as_ref()),
            findings: FindingsColumns::of(&turn.answer.findings),
        }
    }
}
