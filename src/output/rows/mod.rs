//! The rows of a conversation: what each file tells of it, in the order of its keys.

mod conversations;
mod inputs;
mod messages;
mod sharegpt;
mod turns;

pub(crate) use conversations::{ConversationDocument, IndexRow, SyntheticQa};
pub(crate) use inputs::Inputs;
pub(crate) use messages::{HistoryItem, Message, ToolMessage};
pub(crate) use sharegpt::{AssistantReasoning, Dropped, JudgeColumn, Metadata, ShareGpt, UserReasoning, mean_score};
pub(crate) use turns::{RawResult, TurnPayload, TurnRow, accepted};

use super::RunFacts;
use crate::domain::{Conversation, Ending, JudgeReply, Persona};
use serde::Serialize;

/// Who speaks, as every file names them.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Personas<'a> {
    user: String,
    assistant: String,
    user_id: &'a str,
    assistant_id: &'a str,
}

impl<'a> Personas<'a> {
    fn of(user: &'a Persona, assistant: &'a Persona) -> Self {
        Self { user: user.rendered(), assistant: assistant.rendered(), user_id: &user.id, assistant_id: &assistant.id }
    }
}

/// What the files say of a conversation, built once and shared by their rows.
pub(crate) struct Parts<'a> {
    /// The conversation that the rows are about.
    pub conversation: &'a Conversation,
    /// What is the same for all conversations.
    pub facts: &'a RunFacts,
    /// When it was recorded: UTC with offset.
    pub timestamp: &'a str,
    /// `completed`, `dropped` or `active`.
    pub status: &'static str,
    /// Why it was dropped; empty when it was not.
    pub drop_reason: &'static str,
    /// The two personas that speak in it.
    pub personas: Personas<'a>,
    /// The judge's verdict on the whole.
    pub judgement: Option<&'a JudgeReply>,
    /// Settings it was made under; `run_id` is the conversation's id, as the datasets have it.
    pub inputs: Inputs<'a>,
    /// Its turns in order, as the outputs show them.
    pub turns: Vec<TurnPayload<'a>>,
    /// What the endpoints sent.
    pub raw_results: Vec<RawResult<'a>>,
    /// What was said, with labels.
    pub history: Vec<HistoryItem<'a>>,
    /// What was said, as chat messages.
    pub messages: Vec<Message<'a>>,
    /// The same with tool calls and their results.
    pub messages_with_tools: Vec<ToolMessage<'a>>,
    /// What describes it in every training row.
    pub metadata: Metadata<'a>,
    /// How each question came about.
    pub user_reasoning: Vec<UserReasoning<'a>>,
    /// How each answer came about.
    pub assistant_reasoning: Vec<AssistantReasoning<'a>>,
}

impl<'a> Parts<'a> {
    /// Everything the rows of an ended conversation are made of.
    pub fn new(conversation: &'a Conversation, ending: &Ending, facts: &'a RunFacts, timestamp: &'a str) -> Self {
        let personas = Personas::of(&conversation.user_persona, &conversation.assistant_persona);
        let turns = &conversation.turns;
        Self {
            conversation,
            facts,
            timestamp,
            status: ending.status(),
            drop_reason: ending.drop_reason(),
            judgement: conversation.judgement.as_ref().map(|judgement| &judgement.reply),
            inputs: Inputs::of_conversation(conversation, ending, facts, &personas),
            turns: turns.iter().map(|turn| TurnPayload::of(turn)).collect(),
            raw_results: turns::raw_results(conversation),
            history: messages::history(turns),
            messages: messages::messages(turns, true),
            messages_with_tools: messages::messages_with_tools(turns),
            metadata: Metadata::of(conversation, ending, facts, timestamp, personas.clone()),
            user_reasoning: turns.iter().map(|turn| UserReasoning::of(turn)).collect(),
            assistant_reasoning: turns.iter().map(|turn| AssistantReasoning::of(turn)).collect(),
            personas,
        }
    }

    /// Number of turns it has.
    pub fn n_turns(&self) -> usize {
        self.turns.len()
    }
}
