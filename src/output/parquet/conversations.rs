//! The tables `conversations` and `dropped`: a row for each conversation.

use super::types::{
    always, call, fact, list, maybe, maybe_list, maybe_text, message, moment, provenance, record, text, texts, trace,
};
use super::verdicts::{judged, vote};
use crate::domain::{JudgeReply, Outcome};
use crate::files::json_text;
use crate::output::ShareGpt;
use crate::output::rows::{
    AssistantReasoning, JudgeColumn, JudgedTurn, Message, Metadata, Parts, ToolMessage, UserReasoning, VoteRow,
    messages, votes,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::Serialize;
use std::sync::Arc;

/// What the columns of `conversations` tell, for people.
pub(super) const MEANINGS: [(&str, &str); 37] = [
    ("conversation_id", "its id, unique in the dataset"),
    ("timestamp", "when it was recorded"),
    ("language", "its language, as it was asked for"),
    ("conversation_status", "how it ended: completed or dropped"),
    ("drop_reason", "why it was dropped; else empty"),
    ("drop_detail", "what happened then, for people"),
    ("n_turns", "how many turns it has"),
    ("target_turns", "how many turns were planned"),
    ("messages", "what user and assistant said"),
    ("messages_with_tools", "the same with the calls of tools and what they returned"),
    ("tools", "the tools that the assistant could call, as JSON"),
    ("personas", "who asks, and in which manner is answered"),
    ("documents", "the documents whose passages the assistant was shown"),
    ("difficulty_sequence", "turn by turn, how hard the question is"),
    ("difficulty_max", "the hardest of them"),
    ("intent_sequence", "turn by turn, what the question wants"),
    ("coverage_targets", "the passages that were asked about"),
    ("question_modes", "turn by turn, the mode of the question"),
    ("seed_topics", "the seed topics of questions that had one"),
    ("seed_questions", "the seed questions of these"),
    ("persona_applied", "whether the models played the personas"),
    ("retrieved", "turn by turn, whether passages were found"),
    ("unsupported_numbers", "turn by turn, numbers of the answer that stand in no passage"),
    ("judge_accepted", "whether every verdict meets what was demanded; null without verdicts"),
    ("judge_granularity", "what verdicts are about: turn or conversation"),
    ("judge_score", "the mean score of the turns, or that of the whole, 0 to 10"),
    ("judge", "the verdicts on turns and on the whole, with reasons and notes"),
    ("conversation_judge_votes", "how each judge of a jury voted on the whole"),
    ("run_id", "the run that made it"),
    ("unknown_citations", "turn by turn, what the answer cites that was not found"),
    ("provenance", "the passages that were shown, and where they stand"),
    ("register", "how the person was to write; empty where that was left open"),
    ("whole_need", "what the person wants to know in all, where they tell it piece by piece"),
    ("question_labels", "turn by turn, what checks without a model found in the question"),
    ("answer_labels", "the same of the answer"),
    ("user_reasoning", "how each question came about"),
    ("assistant_reasoning", "how each answer came about, with the evidence it rests on"),
];

/// A row of `conversations` or `dropped`: messages, what `metadata` tells, reasoning and verdicts.
#[derive(Debug, Serialize)]
pub(super) struct ConversationColumns<'a> {
    messages: Vec<Message<'a>>,
    messages_with_tools: &'a [ToolMessage<'a>],
    tools: &'a str,
    #[serde(flatten)]
    metadata: Metadata<'a>,
    target_turns: u16,
    drop_detail: String,
    documents: Vec<&'a str>,
    user_reasoning: Vec<UserReasoning<'a>>,
    assistant_reasoning: Vec<AssistantReasoning<'a>>,
    judge_score: Option<f64>,
    judge: Option<Judge<'a>>,
    conversation_judge_votes: Vec<VoteRow<'a>>,
}

/// The column `judge`: as in the training files, with null where there it is empty.
#[derive(Debug, Serialize)]
struct Judge<'a> {
    per_turn: Vec<JudgedTurn<'a>>,
    avg_score: Option<f64>,
    conversation: Option<&'a JudgeReply>,
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
            text("drop_detail"),
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
            json_text("tools"),
            always("personas", record(["user", "assistant", "user_id", "assistant_id"])),
            list("documents", DataType::Utf8),
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
            maybe("judge_score", DataType::Float64),
            maybe("judge", judged()),
            list("conversation_judge_votes", vote()),
            text("run_id"),
            list("unknown_citations", texts()),
            always("provenance", provenance()),
            text("register"),
            text("whole_need"),
            list("question_labels", texts()),
            list("answer_labels", texts()),
            list("user_reasoning", asked()),
            list("assistant_reasoning", answered()),
        ]))
    }

    /// The row of one conversation.
    pub fn of(parts: &'a Parts<'a>) -> Self {
        let verdicts = JudgeColumn::of(parts);
        let conversation = parts.judgement;
        let judge = verdicts.map(|JudgeColumn { per_turn, avg_score, .. }| Judge { per_turn, avg_score, conversation });
        let mean = judge.as_ref().and_then(|judge| judge.avg_score);
        Self {
            messages: messages(&parts.conversation.turns, false),
            messages_with_tools: &parts.messages_with_tools,
            tools: parts.facts.tools.text(),
            metadata: Metadata::of(parts),
            target_turns: parts.conversation.target_turns,
            drop_detail: match parts.outcome {
                Outcome::Dropped(reason) => reason.detail(),
                Outcome::Completed | Outcome::Interrupted => String::new(),
            },
            documents: parts.documents(),
            user_reasoning: parts.user_reasoning(),
            assistant_reasoning: parts.assistant_reasoning(),
            judge_score: mean.or(conversation.map(|judge| f64::from(judge.score))),
            judge,
            conversation_judge_votes: votes(parts.conversation.judgement.as_ref()),
        }
    }
}

impl<'a> ConversationColumns<'a> {
    /// The row that tells what a row of the training files tells. Those do not tell how many turns were planned, nor how the judges of
    /// a jury voted on the whole.
    pub fn of_row(row: &'a ShareGpt<'a>, tools: &'a str) -> Self {
        let judge = row.judge.as_ref().map(|judge| Judge {
            per_turn: judge.per_turn.clone(),
            avg_score: judge.avg_score,
            conversation: judge.conversation.as_deref(),
        });
        let score = |judge: &Judge| judge.avg_score.or(judge.conversation.map(|whole| f64::from(whole.score)));
        Self {
            messages: row.messages.clone(),
            messages_with_tools: &row.messages_with_tools,
            tools,
            target_turns: row.metadata.n_turns as u16,
            drop_detail: row.drop_detail.clone().unwrap_or_default(),
            documents: row.metadata.provenance.documents(),
            metadata: row.metadata.clone(),
            user_reasoning: row.user_reasoning.clone(),
            assistant_reasoning: row.assistant_reasoning.clone(),
            judge_score: judge.as_ref().and_then(score),
            judge,
            conversation_judge_votes: Vec::new(),
        }
    }
}

/// How a question came about. What was asked stands in the messages.
fn asked() -> DataType {
    let columns = [
        always("turn_index", DataType::UInt16),
        text("intent"),
        text("difficulty"),
        text("coverage_target"),
        list("grounding_facts", fact()),
        list("notes_for_assistant", DataType::Utf8),
        text("seed_topic"),
        text("seed_question"),
        text("question_mode"),
        text("model_reasoning"),
    ];
    DataType::Struct(columns.into_iter().collect())
}

/// How an answer came about.
fn answered() -> DataType {
    let columns: [Field; 4] = [
        always("turn_index", DataType::UInt16),
        always("reasoning_trace", trace()),
        always("did_web_search", DataType::Boolean),
        text("model_reasoning"),
    ];
    DataType::Struct(columns.into_iter().collect())
}
