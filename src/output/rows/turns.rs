//! What the files tell of one turn: its payload, what the endpoints sent, and its row of `turns.jsonl`.

use super::Parts;
use crate::domain::reply::{Difficulty, GroundingFact, Intent, ReasoningTrace};
use crate::domain::{
    Acceptance, AssistantReply, Conversation, Json, JudgeReply, Judgement, ToolEvent, Turn, UserReply,
};
use crate::output::json::or_empty;
use serde::Serialize;

/// An item of `turns`.
#[derive(Debug, Serialize)]
pub(crate) struct TurnPayload<'a> {
    turn_index: u16,
    pub qa_generation: &'a UserReply,
    pub kb_answer: &'a AssistantReply,
    #[serde(serialize_with = "or_empty")]
    pub qa_judge: Option<&'a JudgeReply>,
    qa_agent_used_name: &'a str,
    kb_agent_used_name: &'a str,
    seed_topic: &'a str,
    seed_question: &'a str,
    question_mode: &'static str,
    tool_events: &'a [ToolEvent],
    retrieved: bool,
    unsupported_numbers: &'a [String],
    judge_accepted: Option<bool>,
}

impl<'a> TurnPayload<'a> {
    /// The item of a turn.
    pub fn of(turn: &'a Turn) -> Self {
        Self {
            turn_index: turn.index.0,
            qa_generation: &turn.question.reply,
            kb_answer: &turn.answer.reply,
            qa_judge: turn.judgement.as_ref().map(|judgement| &judgement.reply),
            qa_agent_used_name: &turn.question.agent,
            kb_agent_used_name: &turn.answer.agent,
            seed_topic: &turn.question.seed_topic,
            seed_question: &turn.question.seed_question,
            question_mode: turn.question.mode.as_str(),
            tool_events: &turn.answer.tool_events,
            retrieved: !turn.answer.retrieved.is_empty(),
            unsupported_numbers: &turn.answer.unsupported_numbers,
            judge_accepted: turn.judgement.as_ref().map(accepted),
        }
    }
}

/// Whether a verdict meets `judge.accept`.
pub(crate) fn accepted(judgement: &Judgement) -> bool {
    judgement.acceptance == Acceptance::Accepted
}

/// An item of `raw_results`: the endpoints' responses beside what was read from them.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum RawResult<'a> {
    /// Of a turn.
    Turn {
        turn_index: u16,
        attempt: u16,
        qa_raw: &'a Json,
        kb_raw: &'a Json,
        #[serde(serialize_with = "or_empty")]
        judge_raw: Option<&'a Json>,
        qa_output: &'a UserReply,
        kb_output: &'a AssistantReply,
        #[serde(serialize_with = "or_empty")]
        qa_judge: Option<&'a JudgeReply>,
    },
    /// Of the judge of the whole conversation.
    Judge { conversation_judge_raw: &'a Json, conversation_judge: &'a JudgeReply },
}

/// The responses of all turns, then that of the conversation's judge.
pub(crate) fn raw_results(conversation: &Conversation) -> Vec<RawResult<'_>> {
    let turns = conversation.turns.iter().map(|turn| RawResult::Turn {
        turn_index: turn.index.0,
        attempt: turn.attempt.0,
        qa_raw: &turn.question.raw,
        kb_raw: &turn.answer.raw,
        judge_raw: turn.judgement.as_ref().map(|judgement| &judgement.raw),
        qa_output: &turn.question.reply,
        kb_output: &turn.answer.reply,
        qa_judge: turn.judgement.as_ref().map(|judgement| &judgement.reply),
    });
    let judge = conversation.judgement.iter().map(|judgement| RawResult::Judge {
        conversation_judge_raw: &judgement.raw,
        conversation_judge: &judgement.reply,
    });
    turns.chain(judge).collect()
}

/// A row of `turns.jsonl`.
#[derive(Debug, Serialize)]
pub(crate) struct TurnRow<'a> {
    conversation_id: &'a str,
    timestamp: &'a str,
    turn_index: u16,
    user_message: &'a str,
    assistant_message: &'a str,
    question_mode: &'static str,
    seed_topic: &'a str,
    seed_question: &'a str,
    intent: Intent,
    difficulty: Difficulty,
    coverage_target: &'a str,
    grounding_facts: &'a [GroundingFact],
    notes_for_assistant: &'a [String],
    reasoning_trace: &'a ReasoningTrace,
    did_web_search: bool,
    judge_granularity: &'static str,
    judge_score: Option<u8>,
    judge_reasons: &'a [String],
    judge_notes: &'a str,
    judge_question_ok: Option<bool>,
    judge_answer_ok: Option<bool>,
    conversation_judge_score: Option<u8>,
    conversation_judge_reasons: &'a [String],
    conversation_status: &'static str,
    drop_reason: &'static str,
    retrieved: bool,
    unsupported_numbers: &'a [String],
    judge_accepted: Option<bool>,
    conversation_judge_accepted: Option<bool>,
    persona_applied: bool,
    run_id: &'a str,
}

impl<'a> TurnRow<'a> {
    /// The row of one of the conversation's turns.
    pub fn of(parts: &Parts<'a>, turn: &'a Turn) -> Self {
        let (question, answer) = (&turn.question, &turn.answer.reply);
        let judge = turn.judgement.as_ref().map(|judgement| &judgement.reply);
        Self {
            conversation_id: &parts.conversation.id,
            timestamp: parts.timestamp,
            turn_index: turn.index.0,
            user_message: &question.reply.user_message,
            assistant_message: &answer.assistant_message,
            question_mode: question.mode.as_str(),
            seed_topic: &question.seed_topic,
            seed_question: &question.seed_question,
            intent: question.reply.intent,
            difficulty: question.reply.difficulty,
            coverage_target: &question.reply.coverage_target,
            grounding_facts: &question.reply.grounding_facts,
            notes_for_assistant: &question.reply.notes_for_assistant,
            reasoning_trace: &answer.reasoning_trace,
            did_web_search: answer.did_web_search,
            judge_granularity: parts.facts.judge_granularity,
            judge_score: judge.map(|judge| judge.score),
            judge_reasons: judge.map_or(&[], |judge| &judge.reasons),
            judge_notes: judge.map_or("", |judge| &judge.notes),
            judge_question_ok: judge.map(|judge| judge.question_ok),
            judge_answer_ok: judge.map(|judge| judge.answer_ok),
            conversation_judge_score: parts.judgement.map(|judge| judge.score),
            conversation_judge_reasons: parts.judgement.map_or(&[], |judge| &judge.reasons),
            conversation_status: parts.status,
            drop_reason: parts.drop_reason,
            retrieved: !turn.answer.retrieved.is_empty(),
            unsupported_numbers: &turn.answer.unsupported_numbers,
            judge_accepted: turn.judgement.as_ref().map(accepted),
            conversation_judge_accepted: parts.conversation.judgement.as_ref().map(accepted),
            persona_applied: parts.facts.persona_applied,
            run_id: &parts.facts.run_id,
        }
    }
}
