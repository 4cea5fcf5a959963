//! What the files tell of a whole conversation: the row of `synthetic_qa.jsonl`, the document of its own, its index row.

use super::{
    AssistantReasoning, HistoryItem, Inputs, Message, Parts, Personas, RawResult, ToolMessage, TurnPayload,
    UserReasoning,
};
use crate::domain::{AssistantReply, JudgeReply, UserReply};
use crate::output::Tools;
use crate::output::json::or_empty;
use serde::Serialize;

/// A row of `synthetic_qa.jsonl`.
#[derive(Serialize)]
pub(crate) struct SyntheticQa<'a> {
    conversation_id: &'a str,
    timestamp: &'a str,
    question: &'a str,
    inputs: &'a Inputs<'a>,
    #[serde(serialize_with = "or_empty")]
    qa_generation_plan: Option<&'a UserReply>,
    #[serde(serialize_with = "or_empty")]
    kb_final_answer: Option<&'a AssistantReply>,
    #[serde(serialize_with = "or_empty")]
    qa_judge: Option<&'a JudgeReply>,
    #[serde(serialize_with = "or_empty")]
    conversation_judge: Option<&'a JudgeReply>,
    turns: &'a [TurnPayload<'a>],
    conversation_history: &'a [HistoryItem<'a>],
    messages: &'a [Message<'a>],
    #[serde(serialize_with = "or_empty")]
    raw_result: Option<&'a AssistantReply>,
    raw_results: &'a [RawResult<'a>],
    run_id: &'a str,
}

impl<'a> SyntheticQa<'a> {
    /// The conversation's row; plan, answer and verdict are those of its last turn.
    pub fn of(parts: &'a Parts<'a>) -> Self {
        let last = parts.turns.last();
        Self {
            conversation_id: &parts.conversation.id,
            timestamp: parts.timestamp,
            question: &parts.facts.question,
            inputs: &parts.inputs,
            qa_generation_plan: last.map(|turn| turn.qa_generation),
            kb_final_answer: last.map(|turn| turn.kb_answer),
            qa_judge: last.and_then(|turn| turn.qa_judge),
            conversation_judge: parts.judgement,
            turns: &parts.turns,
            conversation_history: &parts.history,
            messages: &parts.messages,
            raw_result: last.map(|turn| turn.kb_answer),
            raw_results: &parts.raw_results,
            run_id: &parts.facts.run_id,
        }
    }
}

/// `conversations/<id>.json`.
#[derive(Serialize)]
pub(crate) struct ConversationDocument<'a> {
    conversation_id: &'a str,
    timestamp: &'a str,
    seed_question: &'a str,
    inputs: &'a Inputs<'a>,
    n_turns: usize,
    language: &'a str,
    personas: &'a Personas<'a>,
    messages: &'a [Message<'a>],
    messages_with_tools: &'a [ToolMessage<'a>],
    tools: &'a Tools,
    user_reasoning: &'a [UserReasoning<'a>],
    assistant_reasoning: &'a [AssistantReasoning<'a>],
    #[serde(serialize_with = "or_empty")]
    conversation_judge: Option<&'a JudgeReply>,
    turns: &'a [TurnPayload<'a>],
    conversation_history: &'a [HistoryItem<'a>],
    raw_results: &'a [RawResult<'a>],
    run_id: &'a str,
}

impl<'a> ConversationDocument<'a> {
    /// The document of one conversation.
    pub fn of(parts: &'a Parts<'a>) -> Self {
        Self {
            conversation_id: &parts.conversation.id,
            timestamp: parts.timestamp,
            seed_question: &parts.facts.question,
            inputs: &parts.inputs,
            n_turns: parts.n_turns(),
            language: &parts.conversation.language,
            personas: &parts.personas,
            messages: &parts.messages,
            messages_with_tools: &parts.messages_with_tools,
            tools: &parts.facts.tools,
            user_reasoning: &parts.user_reasoning,
            assistant_reasoning: &parts.assistant_reasoning,
            conversation_judge: parts.judgement,
            turns: &parts.turns,
            conversation_history: &parts.history,
            raw_results: &parts.raw_results,
            run_id: &parts.facts.run_id,
        }
    }
}

/// A row of `conversations_index.jsonl`.
#[derive(Serialize)]
pub(crate) struct IndexRow<'a> {
    conversation_id: &'a str,
    timestamp: &'a str,
    n_turns: usize,
    seed_question: &'a str,
    language: &'a str,
    conversation_file: &'a str,
    conversation_status: &'static str,
    drop_reason: &'static str,
    run_id: &'a str,
}

impl<'a> IndexRow<'a> {
    /// The row of the conversation whose document is recorded as `conversation_file`.
    pub fn of(parts: &Parts<'a>, conversation_file: &'a str) -> Self {
        Self {
            conversation_id: &parts.conversation.id,
            timestamp: parts.timestamp,
            n_turns: parts.n_turns(),
            seed_question: &parts.facts.question,
            language: &parts.conversation.language,
            conversation_file,
            conversation_status: parts.status,
            drop_reason: parts.drop_reason,
            run_id: &parts.facts.run_id,
        }
    }
}
