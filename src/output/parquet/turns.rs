//! The table `turns`: a row for each turn of the conversations that are trained on.

use super::findings;
use super::types::{always, fact, fields, list, maybe, maybe_text, moment, place, text, trace, used};
use super::verdicts::vote;
use crate::domain::Turn;
use crate::output::rows::Parts;
use crate::output::turns::TurnRow;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use serde::Serialize;
use std::sync::Arc;

/// A row of `turns`: that of `turns.jsonl`, and what a reader would have to look up in other files.
#[derive(Debug, Serialize)]
pub(super) struct TurnColumns<'a> {
    #[serde(flatten)]
    row: TurnRow<'a>,
    language: &'a str,
    documents: Vec<&'a str>,
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
        let own = vec![
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
            list("grounding_facts", fact()),
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
            list("unknown_citations", DataType::Utf8),
            list("provenance", fields(&[place(), used()].concat())),
            list("linked_targets", DataType::Utf8),
            text("register"),
            maybe("words_asked", DataType::UInt16),
            text("whole_need"),
            list("judge_votes", vote()),
        ];
        let more = [
            text("language"),
            list("documents", DataType::Utf8),
            maybe_text("source_path"),
            always("tool_calls", DataType::UInt32),
            text("user_agent"),
            text("assistant_agent"),
            maybe_text("user_model_reasoning"),
            maybe_text("assistant_model_reasoning"),
        ];
        let fields = own.into_iter().chain(findings::of_turn()).chain(more);
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// The row of one of the conversation's turns.
    pub fn of(parts: &'a Parts<'a>, turn: &'a Turn) -> Self {
        Self {
            row: TurnRow::of(parts, turn),
            language: &parts.conversation.language,
            documents: parts.documents(),
            source_path: turn.question.used.source.map(|source| parts.catalogue.source(source).path.as_str()),
            tool_calls: turn.answer.tool_events.len(),
            user_agent: &turn.question.agent,
            assistant_agent: &turn.answer.agent,
            user_model_reasoning: turn.question.reasoning.as_deref(),
            assistant_model_reasoning: turn.answer.reasoning.as_deref(),
        }
    }
}
