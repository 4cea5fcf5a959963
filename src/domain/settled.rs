//! What is told of a conversation that nothing can change any more.

use super::{
    Attempt, Compared, Conversation, Fingerprint, NearDuplicate, Outcome, Question, QuestionMode, Slot, TurnIndex,
    Turns, Vector, Wave,
};
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
    /// The accepted questions of it that near-duplicates are looked for of, by rank.
    pub claims: Vec<HeldClaim>,
    /// Its questions that were rejected because of what they are too close to, with the turns that they were asked for.
    pub near_duplicates: Vec<(TurnIndex, NearDuplicate)>,
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
            claims: HeldClaim::all(conversation),
            near_duplicates: conversation.near_duplicates().map(|(turn, near)| (turn, near.clone())).collect(),
            turns: Turns::of(conversation),
            outcome: conversation.outcome.clone().filter(|outcome| *outcome != Outcome::Interrupted)?,
        })
    }
}

/// An accepted question that near-duplicates are looked for of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldClaim {
    /// The turn that it was asked for.
    pub turn: TurnIndex,
    /// The attempt at it.
    pub attempt: Attempt,
    /// What it asks, where that is not what the message of the turn says, no turn has come of it, or it has a vector.
    pub text: Option<Arc<str>>,
    /// Its vector, where questions are compared by them.
    #[serde(default)]
    pub vector: Option<Vector>,
}

impl HeldClaim {
    /// The question to compare, where this tells it.
    pub fn compared(&self) -> Option<Compared> {
        Some(Compared { text: self.text.clone()?, vector: self.vector.clone() })
    }

    /// Those of a conversation that has ended.
    fn all(conversation: &Conversation) -> Vec<Self> {
        let held = |turn, attempt, question: &Question, is_told: bool| {
            let Compared { text, vector } = question.sketch.as_ref()?.compared();
            let is_told = is_told && vector.is_none() && *text == *question.reply.user_message;
            Some(Self { turn, attempt, text: Some(text).filter(|_| !is_told), vector })
        };
        let of_turns = conversation.turns.iter().flat_map(|turn| {
            let regenerated = turn.regenerated.iter().map(|turn| held(turn.index, turn.attempt, &turn.question, false));
            regenerated.chain([held(turn.index, turn.attempt, &turn.question, true)])
        });
        let round = &conversation.round;
        let regenerated = round.regenerated.iter().map(|turn| held(turn.index, turn.attempt, &turn.question, false));
        let last = conversation.last_claimed().map(|last| held(conversation.turn_index(), round.attempt, last, false));
        of_turns.chain(regenerated).chain(last).flatten().collect()
    }
}
