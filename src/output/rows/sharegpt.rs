//! The ShareGPT rows: messages with what describes, explains and judges them, under names the user may choose.

use super::messages::messages;
use super::{Message, Parts, Personas, accepted};
use crate::domain::reply::{Difficulty, GroundingFact, Intent, ReasoningTrace};
use crate::domain::{Conversation, DropReason, Ending, JudgeReply, Turn};
use crate::output::json::or_empty;
use crate::output::{Columns, RunFacts};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::sync::Arc;

/// The `metadata` column. Lists go turn by turn; blank entries are left out.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Metadata<'a> {
    conversation_id: &'a str,
    timestamp: &'a str,
    n_turns: usize,
    language: &'a str,
    judge_granularity: &'static str,
    personas: Personas<'a>,
    difficulty_sequence: Vec<Difficulty>,
    #[serde(serialize_with = "name_or_blank")]
    difficulty_max: Option<Difficulty>,
    intent_sequence: Vec<Intent>,
    coverage_targets: Vec<&'a str>,
    question_modes: Vec<&'static str>,
    seed_topics: Vec<&'a str>,
    seed_questions: Vec<&'a str>,
    conversation_status: &'static str,
    drop_reason: &'static str,
    persona_applied: bool,
    retrieved: Vec<bool>,
    unsupported_numbers: Vec<&'a [String]>,
    judge_accepted: Option<bool>,
    run_id: &'a str,
}

impl<'a> Metadata<'a> {
    /// What describes a conversation.
    pub fn of(
        conversation: &'a Conversation,
        ending: &Ending,
        facts: &'a RunFacts,
        timestamp: &'a str,
        personas: Personas<'a>,
    ) -> Self {
        let questions = || conversation.turns.iter().map(|turn| &turn.question);
        let answers = || conversation.turns.iter().map(|turn| &turn.answer);
        let of_turns = conversation.turns.iter().filter_map(|turn| turn.judgement.as_ref());
        let verdicts: Vec<bool> = of_turns.chain(&conversation.judgement).map(accepted).collect();
        Self {
            conversation_id: &conversation.id,
            timestamp,
            n_turns: conversation.turns.len(),
            language: &conversation.language,
            judge_granularity: facts.judge_granularity,
            personas,
            difficulty_sequence: questions().map(|question| question.reply.difficulty).collect(),
            difficulty_max: questions().map(|question| question.reply.difficulty).max(),
            intent_sequence: questions().map(|question| question.reply.intent).collect(),
            coverage_targets: not_blank(questions().map(|question| question.reply.coverage_target.as_str())),
            question_modes: questions().map(|question| question.mode.as_str()).collect(),
            seed_topics: not_blank(questions().map(|question| question.seed_topic.as_str())),
            seed_questions: not_blank(questions().map(|question| question.seed_question.as_str())),
            conversation_status: ending.status(),
            drop_reason: ending.drop_reason(),
            persona_applied: facts.persona_applied,
            retrieved: answers().map(|answer| !answer.retrieved.is_empty()).collect(),
            unsupported_numbers: answers().map(|answer| answer.unsupported_numbers.as_slice()).collect(),
            judge_accepted: (!verdicts.is_empty()).then(|| verdicts.iter().all(|accepted| *accepted)),
            run_id: &facts.run_id,
        }
    }
}

fn not_blank<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    texts.filter(|text| !text.trim().is_empty()).collect()
}

fn name_or_blank<S: Serializer>(difficulty: &Option<Difficulty>, serializer: S) -> Result<S::Ok, S::Error> {
    match difficulty {
        Some(difficulty) => difficulty.serialize(serializer),
        None => serializer.serialize_str(""),
    }
}

/// An item of `user_reasoning`: how a question came about.
#[derive(Debug, serde::Serialize)]
pub(crate) struct UserReasoning<'a> {
    turn_index: u16,
    user_message: &'a str,
    intent: Intent,
    difficulty: Difficulty,
    coverage_target: &'a str,
    grounding_facts: &'a [GroundingFact],
    notes_for_assistant: &'a [String],
    seed_topic: &'a str,
    seed_question: &'a str,
    question_mode: &'static str,
    model_reasoning: &'a str,
}

impl<'a> UserReasoning<'a> {
    /// Of a turn's question.
    pub fn of(turn: &'a Turn) -> Self {
        let (question, reply) = (&turn.question, &turn.question.reply);
        Self {
            turn_index: turn.index.0,
            user_message: &reply.user_message,
            intent: reply.intent,
            difficulty: reply.difficulty,
            coverage_target: &reply.coverage_target,
            grounding_facts: &reply.grounding_facts,
            notes_for_assistant: &reply.notes_for_assistant,
            seed_topic: &question.seed_topic,
            seed_question: &question.seed_question,
            question_mode: question.mode.as_str(),
            model_reasoning: question.reasoning.as_deref().unwrap_or_default(),
        }
    }
}

/// An item of `assistant_reasoning`: how an answer came about.
#[derive(Debug, serde::Serialize)]
pub(crate) struct AssistantReasoning<'a> {
    turn_index: u16,
    assistant_message: &'a str,
    reasoning_trace: &'a ReasoningTrace,
    did_web_search: bool,
    model_reasoning: &'a str,
}

impl<'a> AssistantReasoning<'a> {
    /// Of a turn's answer.
    pub fn of(turn: &'a Turn) -> Self {
        let reply = &turn.answer.reply;
        Self {
            turn_index: turn.index.0,
            assistant_message: &reply.assistant_message,
            reasoning_trace: &reply.reasoning_trace,
            did_web_search: reply.did_web_search,
            model_reasoning: turn.answer.reasoning.as_deref().unwrap_or_default(),
        }
    }
}

/// The `judge` column.
#[derive(Debug, serde::Serialize)]
pub(crate) struct JudgeColumn<'a> {
    per_turn: Vec<JudgedTurn<'a>>,
    avg_score: Option<f64>,
    #[serde(serialize_with = "or_empty")]
    conversation: Option<&'a JudgeReply>,
}

#[derive(Debug, serde::Serialize)]
struct JudgedTurn<'a> {
    turn_index: u16,
    user_message: &'a str,
    assistant_message: &'a str,
    #[serde(flatten)]
    judge: &'a JudgeReply,
    accepted: bool,
}

impl<'a> JudgeColumn<'a> {
    /// The verdicts on a conversation; none where it was neither judged nor to be judged.
    pub fn of(parts: &Parts<'a>) -> Option<Self> {
        let per_turn: Vec<_> = parts.conversation.turns.iter().filter_map(|turn| judged_turn(turn)).collect();
        let judged = parts.facts.judge_enabled || parts.judgement.is_some() || !per_turn.is_empty();
        let avg_score = mean_score(&parts.conversation.turns);
        judged.then_some(Self { per_turn, avg_score, conversation: parts.judgement })
    }
}

fn judged_turn(turn: &Turn) -> Option<JudgedTurn<'_>> {
    turn.judgement.as_ref().map(|judgement| JudgedTurn {
        turn_index: turn.index.0,
        user_message: &turn.question.reply.user_message,
        assistant_message: &turn.answer.reply.assistant_message,
        judge: &judgement.reply,
        accepted: accepted(judgement),
    })
}

/// Mean of the turns' scores; none when no turn was judged.
pub(crate) fn mean_score(turns: &[Arc<Turn>]) -> Option<f64> {
    let scores: Vec<_> =
        turns.iter().filter_map(|turn| turn.judgement.as_ref()).map(|it| f64::from(it.reply.score)).collect();
    (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
}

/// A row of `conversations_sharegpt.jsonl`, or with verdicts of `conversations_sharegpt_judged.jsonl`.
pub(crate) struct ShareGpt<'a> {
    columns: &'a Columns,
    parts: &'a Parts<'a>,
    messages: Vec<Message<'a>>,
    judge: Option<&'a JudgeColumn<'a>>,
}

impl<'a> ShareGpt<'a> {
    /// The conversation's row, its columns named by `columns`.
    pub fn of(parts: &'a Parts<'a>, columns: &'a Columns, judge: Option<&'a JudgeColumn<'a>>) -> Self {
        Self { columns, parts, messages: messages(&parts.conversation.turns, false), judge }
    }
}

impl ShareGpt<'_> {
    fn columns<M: SerializeMap>(&self, row: &mut M) -> Result<(), M::Error> {
        row.serialize_entry(&self.columns.messages, &self.messages)?;
        row.serialize_entry(&self.columns.messages_with_tools, &self.parts.messages_with_tools)?;
        row.serialize_entry(&self.columns.tools, &self.parts.facts.tools)?;
        row.serialize_entry(&self.columns.metadata, &self.parts.metadata)?;
        row.serialize_entry(&self.columns.user_reasoning, &self.parts.user_reasoning)?;
        row.serialize_entry(&self.columns.assistant_reasoning, &self.parts.assistant_reasoning)?;
        match self.judge {
            Some(judge) => row.serialize_entry(&self.columns.judge, judge),
            None => Ok(()),
        }
    }
}

impl Serialize for ShareGpt<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_map(None)?;
        self.columns(&mut row)?;
        row.end()
    }
}

/// A row of `dropped.jsonl`: that of a conversation which is not to be trained on, and why.
pub(crate) struct Dropped<'a> {
    row: ShareGpt<'a>,
    reason: &'a DropReason,
}

impl<'a> Dropped<'a> {
    /// The row of a conversation that was dropped.
    pub fn of(row: ShareGpt<'a>, reason: &'a DropReason) -> Self {
        Self { row, reason }
    }
}

impl Serialize for Dropped<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_map(None)?;
        self.row.columns(&mut row)?;
        row.serialize_entry("drop_reason", self.reason.as_str())?;
        row.serialize_entry("drop_detail", &self.reason.detail())?;
        row.end()
    }
}
