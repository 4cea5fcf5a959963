//! The columns of the Parquet files: Arrow schemas, and the rows that fill them.

use super::rows::{Message, Metadata, Parts, ToolMessage, TurnRow, mean_score};
use crate::domain::{Catalogue, JudgeReply, Turn};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::Serialize;
use std::sync::Arc;

/// Version of the two schemas, in the key-value metadata of every file.
pub(crate) const SCHEMA_VERSION: &str = "4";

/// A row of `conversations-*.parquet`: messages, what `metadata` tells, and the verdict.
#[derive(Debug, Serialize)]
pub(crate) struct ConversationColumns<'a> {
    messages: &'a [Message<'a>],
    messages_with_tools: &'a [ToolMessage<'a>],
    tools: &'a str,
    #[serde(flatten)]
    metadata: &'a Metadata<'a>,
    target_turns: u16,
    avg_score: Option<f64>,
    conversation_judge: Option<&'a JudgeReply>,
}

impl<'a> ConversationColumns<'a> {
    /// Schema of the file.
    pub fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            text("conversation_id"),
            moment("timestamp"),
            text("language"),
            text("conversation_status"),
            text("drop_reason"),
            always("n_turns", DataType::UInt16),
            always("target_turns", DataType::UInt16),
            list("messages", message(&[])),
            list(
                "messages_with_tools",
                message(&[
                    maybe("turn_index", DataType::UInt16),
                    maybe_list("tool_calls", call()),
                    maybe_text("tool_call_id"),
                    maybe_text("name"),
                ]),
            ),
            text("tools"),
            always("personas", record(["user", "assistant", "user_id", "assistant_id"])),
            list("difficulty_sequence", DataType::Utf8),
            text("difficulty_max"),
            list("intent_sequence", DataType::Utf8),
            list("coverage_targets", DataType::Utf8),
            list("question_modes", DataType::Utf8),
            list("seed_topics", DataType::Utf8),
            list("seed_questions", DataType::Utf8),
            always("persona_applied", DataType::Boolean),
            list("retrieved", DataType::Boolean),
            list("unsupported_numbers", texts()),
            maybe("judge_accepted", DataType::Boolean),
            text("judge_granularity"),
            maybe("avg_score", DataType::Float64),
            maybe("conversation_judge", verdict()),
            text("run_id"),
        ]))
    }

    /// The row of one conversation.
    pub fn of(parts: &'a Parts<'a>) -> Self {
        Self {
            messages: &parts.messages,
            messages_with_tools: &parts.messages_with_tools,
            tools: parts.facts.tools.text(),
            metadata: &parts.metadata,
            target_turns: parts.conversation.target_turns,
            avg_score: mean_score(&parts.conversation.turns),
            conversation_judge: parts.judgement,
        }
    }
}

/// A row of `turns-*.parquet`: that of `turns.jsonl`, and what a reader would have to look up in other files.
#[derive(Debug, Serialize)]
pub(crate) struct TurnColumns<'a> {
    #[serde(flatten)]
    row: TurnRow<'a>,
    language: &'a str,
    source_path: Option<&'a str>,
    tool_calls: usize,
    user_agent: &'a str,
    assistant_agent: &'a str,
    user_model_reasoning: Option<&'a str>,
    assistant_model_reasoning: Option<&'a str>,
}

impl<'a> TurnColumns<'a> {
    /// Schema of the file.
    pub fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            text("conversation_id"),
            moment("timestamp"),
            always("turn_index", DataType::UInt16),
            text("user_message"),
            text("assistant_message"),
            text("question_mode"),
            text("seed_topic"),
            text("seed_question"),
            text("intent"),
            text("difficulty"),
            text("coverage_target"),
            list("grounding_facts", record(["fact", "source_descriptor"])),
            list("notes_for_assistant", DataType::Utf8),
            always("reasoning_trace", trace()),
            always("did_web_search", DataType::Boolean),
            text("judge_granularity"),
            maybe("judge_score", DataType::UInt8),
            list("judge_reasons", DataType::Utf8),
            text("judge_notes"),
            maybe("judge_question_ok", DataType::Boolean),
            maybe("judge_answer_ok", DataType::Boolean),
            maybe("conversation_judge_score", DataType::UInt8),
            list("conversation_judge_reasons", DataType::Utf8),
            text("conversation_status"),
            text("drop_reason"),
            always("retrieved", DataType::Boolean),
            list("unsupported_numbers", DataType::Utf8),
            maybe("judge_accepted", DataType::Boolean),
            maybe("conversation_judge_accepted", DataType::Boolean),
            always("persona_applied", DataType::Boolean),
            text("run_id"),
            text("language"),
            maybe_text("source_path"),
            always("tool_calls", DataType::UInt32),
            text("user_agent"),
            text("assistant_agent"),
            maybe_text("user_model_reasoning"),
            maybe_text("assistant_model_reasoning"),
        ]))
    }

    /// The row of one of the conversation's turns; its document is looked up in the catalogue.
    pub fn of(parts: &Parts<'a>, turn: &'a Turn, catalogue: &'a Catalogue) -> Self {
        Self {
            row: TurnRow::of(parts, turn),
            language: &parts.conversation.language,
            source_path: turn.question.used.source.map(|source| catalogue.source(source).path.as_str()),
            tool_calls: turn.answer.tool_events.len(),
            user_agent: &turn.question.agent,
            assistant_agent: &turn.answer.agent,
            user_model_reasoning: turn.question.reasoning.as_deref(),
            assistant_model_reasoning: turn.answer.reasoning.as_deref(),
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

fn maybe_text(name: &str) -> Field {
    maybe(name, DataType::Utf8)
}

fn moment(name: &str) -> Field {
    always(name, DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())))
}

fn list(name: &str, item: DataType) -> Field {
    always(name, DataType::List(Arc::new(Field::new_list_field(item, false))))
}

/// The type of a list of texts.
fn texts() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, false)))
}

fn maybe_list(name: &str, item: DataType) -> Field {
    list(name, item).with_nullable(true)
}

fn record<const N: usize>(texts: [&str; N]) -> DataType {
    DataType::Struct(texts.into_iter().map(text).collect())
}

/// A chat message with these fields besides its own; each message has those of its kind.
fn message(more: &[Field]) -> DataType {
    let own = [text("role"), text("content"), maybe_text("agent")];
    DataType::Struct(own.iter().chain(more).cloned().collect())
}

fn call() -> DataType {
    let fields = [text("id"), text("type"), always("function", record(["name", "arguments"]))];
    DataType::Struct(fields.into_iter().collect())
}

fn trace() -> DataType {
    let premise = [text("id"), text("text"), list("evidence_refs", DataType::Utf8), text("assumption")];
    let queries = [list("vector_db_search", DataType::Utf8), list("web_search", DataType::Utf8)];
    let fields = [
        text("question"),
        always("retrieval_queries", DataType::Struct(queries.into_iter().collect())),
        list("evidence", record(["id", "cue", "content"])),
        list("premises", DataType::Struct(premise.into_iter().collect())),
        list("thinking", record(["text"])),
        text("confidence"),
        list("known_limits", DataType::Utf8),
    ];
    DataType::Struct(fields.into_iter().collect())
}

fn verdict() -> DataType {
    let fields = [
        always("score", DataType::UInt8),
        list("reasons", DataType::Utf8),
        text("notes"),
        always("question_ok", DataType::Boolean),
        always("answer_ok", DataType::Boolean),
    ];
    DataType::Struct(fields.into_iter().collect())
}
