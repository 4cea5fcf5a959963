//! The columns of the Parquet files: Arrow schemas, and the rows that fill them.

use super::rows::{Message, Parts, Personas, mean_score};
use crate::words::reply::{Confidence, Difficulty, Evidence, GroundingFact, Intent};
use crate::words::{Catalogue, JudgeReply, Turn};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::Serialize;
use std::sync::Arc;

/// Version of the two schemas, in the key-value metadata of every file.
pub(crate) const SCHEMA_VERSION: &str = "1";

/// A row of `conversations-*.parquet`.
#[derive(Debug, Serialize)]
pub(crate) struct ConversationColumns<'a> {
    conversation_id: &'a str,
    run_id: &'a str,
    language: &'a str,
    status: &'static str,
    drop_reason: &'static str,
    n_turns: usize,
    target_turns: u16,
    timestamp: &'a str,
    personas: &'a Personas<'a>,
    messages: &'a [Message<'a>],
    difficulties: &'a [Difficulty],
    intents: &'a [Intent],
    coverage_targets: &'a [&'a str],
    avg_score: Option<f64>,
    conversation_judge: Option<&'a JudgeReply>,
}

impl<'a> ConversationColumns<'a> {
    /// Schema of the file.
    pub fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            text("conversation_id"),
            text("run_id"),
            text("language"),
            text("status"),
            text("drop_reason"),
            always("n_turns", DataType::UInt16),
            always("target_turns", DataType::UInt16),
            always("timestamp", DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()))),
            always("personas", record(["user", "assistant", "user_id", "assistant_id"])),
            list("messages", record(["role", "content"])),
            list("difficulties", DataType::Utf8),
            list("intents", DataType::Utf8),
            list("coverage_targets", DataType::Utf8),
            maybe("avg_score", DataType::Float64),
            maybe("conversation_judge", verdict()),
        ]))
    }

    /// The conversation's row.
    pub fn of(parts: &'a Parts<'a>) -> Self {
        Self {
            conversation_id: &parts.conversation.id,
            run_id: &parts.facts.run_id,
            language: &parts.conversation.language,
            status: parts.status,
            drop_reason: parts.drop_reason,
            n_turns: parts.n_turns(),
            target_turns: parts.conversation.target_turns,
            timestamp: parts.timestamp,
            personas: &parts.personas,
            messages: &parts.messages,
            difficulties: &parts.metadata.difficulty_sequence,
            intents: &parts.metadata.intent_sequence,
            coverage_targets: &parts.metadata.coverage_targets,
            avg_score: mean_score(&parts.conversation.turns),
            conversation_judge: parts.judgement,
        }
    }
}

/// A row of `turns-*.parquet`.
#[derive(Debug, Serialize)]
pub(crate) struct TurnColumns<'a> {
    conversation_id: &'a str,
    turn_index: u16,
    language: &'a str,
    user_message: &'a str,
    assistant_message: &'a str,
    question_mode: &'static str,
    seed_topic: &'a str,
    seed_question: &'a str,
    intent: Intent,
    difficulty: Difficulty,
    coverage_target: &'a str,
    source_path: Option<&'a str>,
    grounding_facts: &'a [GroundingFact],
    evidence: &'a [Evidence],
    confidence: Confidence,
    tool_calls: usize,
    judge_score: Option<u8>,
    judge_reasons: &'a [String],
    judge_notes: Option<&'a str>,
    judge_question_ok: Option<bool>,
    judge_answer_ok: Option<bool>,
    user_agent: &'a str,
    assistant_agent: &'a str,
    conversation_status: &'static str,
}

impl<'a> TurnColumns<'a> {
    /// Schema of the file.
    pub fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            text("conversation_id"),
            always("turn_index", DataType::UInt16),
            text("language"),
            text("user_message"),
            text("assistant_message"),
            text("question_mode"),
            text("seed_topic"),
            text("seed_question"),
            text("intent"),
            text("difficulty"),
            text("coverage_target"),
            maybe("source_path", DataType::Utf8),
            list("grounding_facts", record(["fact", "source_descriptor"])),
            list("evidence", record(["id", "cue", "content"])),
            text("confidence"),
            always("tool_calls", DataType::UInt32),
            maybe("judge_score", DataType::UInt8),
            list("judge_reasons", DataType::Utf8),
            maybe("judge_notes", DataType::Utf8),
            maybe("judge_question_ok", DataType::Boolean),
            maybe("judge_answer_ok", DataType::Boolean),
            text("user_agent"),
            text("assistant_agent"),
            text("conversation_status"),
        ]))
    }

    /// The row of one of the conversation's turns; its document is looked up in the catalogue.
    pub fn of(parts: &Parts<'a>, turn: &'a Turn, catalogue: &'a Catalogue) -> Self {
        let (question, answer) = (&turn.question, &turn.answer);
        let judge = turn.judgement.as_ref().map(|judgement| &judgement.reply);
        Self {
            conversation_id: &parts.conversation.id,
            turn_index: turn.index.0,
            language: &parts.conversation.language,
            user_message: &question.reply.user_message,
            assistant_message: &answer.reply.assistant_message,
            question_mode: question.mode.as_str(),
            seed_topic: &question.seed_topic,
            seed_question: &question.seed_question,
            intent: question.reply.intent,
            difficulty: question.reply.difficulty,
            coverage_target: &question.reply.coverage_target,
            source_path: question.used.source.map(|source| catalogue.source(source).path.as_str()),
            grounding_facts: &question.reply.grounding_facts,
            evidence: &answer.reply.reasoning_trace.evidence,
            confidence: answer.reply.reasoning_trace.confidence,
            tool_calls: answer.tool_events.len(),
            judge_score: judge.map(|judge| judge.score),
            judge_reasons: judge.map_or(&[], |judge| &judge.reasons),
            judge_notes: judge.map(|judge| judge.notes.as_str()),
            judge_question_ok: judge.map(|judge| judge.question_ok),
            judge_answer_ok: judge.map(|judge| judge.answer_ok),
            user_agent: &question.agent,
            assistant_agent: &answer.agent,
            conversation_status: parts.status,
        }
    }
}

fn always(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, false)
}

fn maybe(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, true)
}

fn text(name: &str) -> Field {
    always(name, DataType::Utf8)
}

fn list(name: &str, item: DataType) -> Field {
    always(name, DataType::List(Arc::new(Field::new_list_field(item, false))))
}

fn record<const N: usize>(texts: [&str; N]) -> DataType {
    DataType::Struct(texts.into_iter().map(text).collect())
}

fn verdict() -> DataType {
    let fields = vec![
        always("score", DataType::UInt8),
        list("reasons", DataType::Utf8),
        text("notes"),
        always("question_ok", DataType::Boolean),
        always("answer_ok", DataType::Boolean),
    ];
    DataType::Struct(fields.into())
}
