//! What is told of a conversation that nothing can change any more.

use super::{Attempt, Conversation, Fingerprint, Outcome, QuestionMode, Slot, Turns, Wave};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A conversation that is final, without what was said in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SettledConversation {
    /// Its identifier in every output.
    pub id: Arc<str>,
    /// Its place in the run.
    pub slot: Slot,
    /// The wave it belongs to.
    pub wave: Wave,
    /// Its language, as `run.target_languages` spells it.
    pub language: Arc<str>,
    /// Turns that were planned.
    pub target_turns: u16,
    /// How the question of each of its turns was asked, and after how many that were rejected.
    pub questions: Vec<(QuestionMode, Attempt)>,
    /// Questions of it that were rejected as duplicates.
    pub duplicates: u32,
    /// What it has claimed beside the questions of its turns: see [`Conversation::unfinished`].
    pub unfinished: Vec<Fingerprint>,
    /// What its turns came to.
    pub turns: Turns,
    /// How it ended: completed or dropped.
    pub outcome: Outcome,
}

impl SettledConversation {
    /// Of a conversation; none of one that has not ended.
    pub fn of(conversation: &Conversation) -> Option<Self> {
        Some(Self {
            id: conversation.id.clone(),
            slot: conversation.slot,
            wave: conversation.wave,
            language: conversation.language.clone(),
            target_turns: conversation.target_turns,
            questions: conversation.turns.iter().map(|turn| (turn.question.mode, turn.attempt)).collect(),
            duplicates: conversation.duplicates(),
            unfinished: conversation.unfinished(),
            turns: Turns::of(conversation),
            outcome: conversation.outcome.clone().filter(|outcome| *outcome != Outcome::Interrupted)?,
        })
    }
}
