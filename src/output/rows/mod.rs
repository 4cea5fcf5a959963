//! What the rows of several files are made of, in the order of their keys.
//!
//! Each type is written and read: texts are borrowed from the conversation where it is written, owned where it was read.

mod findings;
mod inputs;
mod json;
mod messages;
mod payloads;
mod provenance;
mod reasoning;
mod results;
mod state;
mod votes;

pub use findings::FindingsColumns;
pub use inputs::Inputs;
pub use messages::{Call, CalledFunction, HistoryItem, Message, ToolMessage};
pub use payloads::{RawResult, ReadReplies, TurnPayload};
pub use provenance::Shown;
pub use reasoning::{AssistantReasoning, JudgeColumn, JudgedTurn, Metadata, UserReasoning};
pub use results::{Called, ToolResult};
pub use state::{ConversationState, FoundState, JudgementState, TurnState, UsedState};

pub(crate) use json::{Text, or_empty};
pub(crate) use messages::{history, messages};
pub(crate) use payloads::{accepted, raw_results};
pub(crate) use provenance::scores;
pub(crate) use results::restored;
pub(crate) use state::{Reposition, pages, told};
pub(crate) use votes::{VoteRow, votes};

use super::{Options, RunFacts};
use crate::domain::{Catalogue, Conversation, JudgeReply, Outcome, Persona, Turn};
use serde::{Deserialize, Serialize};
use std::cell::OnceCell;
use std::collections::BTreeSet;

/// Who speaks, as every file names them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Personas<'a> {
    pub(crate) user: Text<'a>,
    pub(crate) assistant: Text<'a>,
    pub(crate) user_id: Text<'a>,
    pub(crate) assistant_id: Text<'a>,
}

impl<'a> Personas<'a> {
    fn of(user: &'a Persona, assistant: &'a Persona) -> Self {
        Self {
            user: user.rendered().into(),
            assistant: assistant.rendered().into(),
            user_id: (&user.id).into(),
            assistant_id: (&assistant.id).into(),
        }
    }
}

/// What is the same for all rows of a run.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// What is written, and how.
    pub options: &'a Options,
    /// What the run is.
    pub facts: &'a RunFacts,
    /// Where chunks and documents are looked up.
    pub catalogue: &'a Catalogue,
}

/// When a conversation was recorded.
pub(crate) struct Times {
    /// The moment in UTC, ending with `+00:00`.
    pub utc: String,
    /// The moment in UTC, ending with `Z`.
    pub utc_z: String,
}

/// What the files say of a conversation, built once and shared by their rows.
pub(crate) struct Parts<'a> {
    /// The conversation that the rows are about.
    pub conversation: &'a Conversation,
    /// How the conversation ended, completed or dropped.
    pub outcome: &'a Outcome,
    /// What is written, and how.
    pub options: &'a Options,
    /// What is the same for all conversations.
    pub facts: &'a RunFacts,
    /// Where chunks and documents are looked up.
    pub catalogue: &'a Catalogue,
    /// When it was recorded: UTC with offset.
    pub timestamp: &'a str,
    /// The same with `Z`.
    pub timestamp_z: &'a str,
    /// Where its document lies, as rows tell it; empty where none is written.
    pub file: String,
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
    /// What was said, with tool calls and their results.
    pub messages_with_tools: Vec<ToolMessage<'a>>,
    /// Its row of `conversations_sharegpt.jsonl`, once a file has asked for it: other files take it over.
    pub row: OnceCell<Vec<u8>>,
}

impl<'a> Parts<'a> {
    /// Everything the rows of an ended conversation are made of, whose document lies at `file`.
    pub fn new(
        conversation: &'a Conversation,
        outcome: &'a Outcome,
        Context { options, facts, catalogue }: Context<'a>,
        times: &'a Times,
        file: String,
    ) -> Self {
        let personas = Personas::of(&conversation.user_persona, &conversation.assistant_persona);
        let turns = &conversation.turns;
        let called = turns.iter().map(|turn| results::called(&turn.answer.tool_events, options.raw));
        let (called, shown): (Vec<_>, Vec<_>) = called.map(|events| events.into_iter().unzip()).unzip();
        Self {
            conversation,
            outcome,
            options,
            facts,
            catalogue,
            timestamp: &times.utc,
            timestamp_z: &times.utc_z,
            file,
            status: outcome.status(),
            drop_reason: outcome.drop_reason(),
            judgement: conversation.judgement.as_ref().map(|judgement| &judgement.reply),
            inputs: Inputs::of_conversation(conversation, outcome, facts, &personas),
            turns: turns.iter().zip(called).map(|(turn, called)| TurnPayload::of(turn, called, catalogue)).collect(),
            messages_with_tools: messages::messages_with_tools(turns, shown),
            personas,
            row: OnceCell::new(),
        }
    }

    /// The same where the run's stop leaves the conversation unsettled: then it has no document.
    pub fn left(self) -> Self {
        let outcome = &Outcome::Interrupted;
        let (status, drop_reason) = (outcome.status(), outcome.drop_reason());
        let told = (Some(status.into()), Some(drop_reason.into()));
        let inputs = Inputs { conversation_status: told.0, drop_reason: told.1, ..self.inputs };
        Self { outcome, status, drop_reason, inputs, file: String::new(), ..self }
    }

    /// Number of turns it has.
    pub fn n_turns(&self) -> usize {
        self.turns.len()
    }

    /// Whether it stands in the files that are trained on: else `dropped.jsonl` has it.
    pub fn is_trained_on(&self) -> bool {
        self.options.keep_dropped_rows || !matches!(self.outcome, Outcome::Dropped(_))
    }

    /// What the assistant was shown for the answer of a turn.
    pub fn shown(&self, turn: &Turn) -> Vec<Shown<'a>> {
        let of_turn = |payload: &&TurnPayload| payload.turn_index == turn.index.0;
        self.turns.iter().find(of_turn).map(|payload| payload.provenance.clone()).unwrap_or_default()
    }

    /// The documents and pages of the web whose passages the assistant was shown, each once, in the order in which it was.
    pub fn documents(&self) -> Vec<&str> {
        let mut known = BTreeSet::new();
        let shown = self.turns.iter().flat_map(|turn| &turn.provenance).map(|shown| &*shown.place.source);
        shown.filter(|source| known.insert(*source)).collect()
    }

    /// How each question came about.
    pub fn user_reasoning(&self) -> Vec<UserReasoning<'a>> {
        self.conversation.turns.iter().map(|turn| UserReasoning::of(turn)).collect()
    }

    /// How each answer came about.
    pub fn assistant_reasoning(&self) -> Vec<AssistantReasoning<'a>> {
        self.conversation.turns.iter().map(|turn| AssistantReasoning::of(turn)).collect()
    }
}
