//! A conversation: what it was planned to be, the turns it has, and how it ended.

use super::agent::Agent;
use super::calibration::SpoiledScore;
use super::corpus::ChunkIndex;
use super::findings::Findings;
use super::fingerprint::Fingerprint;
use super::found::SearchHit;
use super::json::Json;
use super::jury::Vote;
use super::persona::Persona;
use super::place::{Place, Stage};
use super::question::{NearDuplicate, Question, TooClose};
use super::reply::{AssistantReply, JudgeReply};
use super::slot::{Attempt, Rank, Slot, TurnIndex, Wave};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// More requests than a stage ever makes for one word: so far apart are their numbers where it is asked for again.
const REQUESTS: u16 = 100;

/// A conversation: pure data, which can be written, read back and handed to another process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// Its place in the run.
    pub slot: Slot,
    /// The wave it belongs to.
    pub wave: Wave,
    /// Identifier in every output: a function of run id and slot.
    pub id: Arc<str>,
    /// Language, as `run.target_languages` spells it.
    pub language: Arc<str>,
    /// Turns planned, 1 or more; a completed conversation has as many, unless its user ended it before.
    pub target_turns: u16,
    /// The persona that the user model plays.
    pub user_persona: Arc<Persona>,
    /// The persona that the assistant model plays.
    pub assistant_persona: Arc<Persona>,
    /// Turns made, in order.
    pub turns: Vec<Arc<Turn>>,
    /// The turn being made.
    pub round: Round,
    /// The judge's verdict on the whole, under `judge.granularity: conversation`.
    pub judgement: Option<Judgement>,
    /// How it ended; none while it goes on.
    pub outcome: Option<Outcome>,
}

impl Conversation {
    /// Number of the turn being made.
    pub fn turn_index(&self) -> TurnIndex {
        TurnIndex(self.turns.len() as u16 + 1)
    }

    /// What the person wants to know in all, where they tell it piece by piece; empty elsewhere and before the first piece.
    pub fn whole_need(&self) -> &str {
        let first = self.turns.first().map(|turn| &turn.question).or(self.round.question.as_ref());
        first.map_or("", |question| &question.reply.whole_need)
    }

    /// Questions of it that were rejected as duplicates so far.
    pub fn duplicates(&self) -> u32 {
        let exhausted = matches!(&self.outcome, Some(Outcome::Dropped(reason)) if reason.is_exhausted());
        let of_turns: u32 = self.turns.iter().map(|turn| turn.duplicates()).sum();
        of_turns + rejected(self.round.attempt, &self.round.regenerated) + u32::from(exhausted)
    }

    /// Questions of it that were rejected because of what they are too close to, so far, with the turns that they were asked for.
    pub fn near_duplicates(&self) -> impl Iterator<Item = (TurnIndex, &NearDuplicate)> {
        let of_turns = self.turns.iter().map(|turn| (turn.index, &turn.near_duplicates));
        let all = of_turns.chain([(self.turn_index(), &self.round.near_duplicates)]);
        all.flat_map(|(turn, near)| near.iter().map(move |one| (turn, one)))
    }

    /// The questions that it has claimed and that are none of its turns', once it has ended: of turns that were regenerated, and of
    /// the turn that it never finished, unless that one was a duplicate.
    pub fn unfinished(&self) -> Vec<Fingerprint> {
        let regenerated = self.turns.iter().flat_map(|turn| &turn.regenerated).chain(&self.round.regenerated);
        let of_turns = regenerated.map(|turn| &*turn.question);
        of_turns.chain(self.last_claimed()).map(|question| question.fingerprint).collect()
    }

    /// The question of the turn that it never finished, once it has ended, unless that one was a duplicate.
    pub(super) fn last_claimed(&self) -> Option<&Question> {
        let claimed = matches!(&self.outcome, Some(Outcome::Dropped(reason)) if !reason.is_exhausted());
        self.round.question.as_deref().filter(|_| claimed)
    }

    /// Rank of the question being asked.
    pub fn rank(&self) -> Rank {
        self.rank_at(self.turn_index(), self.round.attempt)
    }

    /// The place of the first request a stage makes for the turn being made.
    pub fn place(&self, stage: Stage) -> Place {
        let round = self.round.rejected.len() as u16 * REQUESTS;
        Place { slot: self.slot, turn: self.turn_index(), attempt: self.round.attempt, stage, round }
    }

    /// Rank of its question at this turn and attempt.
    pub fn rank_at(&self, turn: TurnIndex, attempt: Attempt) -> Rank {
        Rank { language: self.slot.language, wave: self.wave, turn, attempt, index: self.slot.index }
    }
}

/// The turn being made.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Round {
    /// How often it was asked before: its question was rejected, or the turn regenerated.
    pub attempt: Attempt,
    /// Passages whose questions were rejected, in order: their documents are not to be asked about again.
    pub avoid: Vec<ChunkIndex>,
    /// Questions of it that were rejected because of what they are too close to, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub near_duplicates: Vec<NearDuplicate>,
    /// The question, once asked; before that the one to ask, where a rejected one left candidates.
    pub question: Option<Arc<Question>>,
    /// The answer, once given.
    pub answer: Option<Answer>,
    /// The judge's verdict, once given.
    pub judgement: Option<Judgement>,
    /// Answers before this one that the judge or the checks have rejected, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<RejectedAnswer>,
    /// Turns in the place of this one that the judge has rejected, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regenerated: Vec<Arc<Turn>>,
}

/// A turn whose question was accepted and answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Its number in the conversation, from 1.
    pub index: TurnIndex,
    /// Which attempt was accepted.
    pub attempt: Attempt,
    /// The question as the user model asked it.
    pub question: Arc<Question>,
    /// The answer as the assistant model gave it.
    pub answer: Answer,
    /// The judge's verdict, under `judge.granularity: turn`.
    pub judgement: Option<Judgement>,
    /// Answers before this one that the judge or the checks have rejected, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<RejectedAnswer>,
    /// Turns in its place that the judge has rejected, in order. Their questions stay claimed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regenerated: Vec<Arc<Turn>>,
    /// Questions before its own that were rejected because of what they are too close to, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub near_duplicates: Vec<NearDuplicate>,
}

impl Turn {
    /// Questions before its own that were rejected as duplicates.
    pub fn duplicates(&self) -> u32 {
        rejected(self.attempt, &self.regenerated)
    }

    /// Requests that its answers and their verdicts took, without those of turns that were regenerated.
    pub fn calls(&self) -> u32 {
        let rejected = self.rejected.iter().map(RejectedAnswer::calls).sum::<u32>();
        rejected + self.answer.calls + self.judgement.as_ref().map_or(0, |made| made.calls)
    }
}

/// How many of so many attempts before one were duplicates: those that no turn was made of.
fn rejected(attempt: Attempt, regenerated: &[Arc<Turn>]) -> u32 {
    u32::from(attempt.0).saturating_sub(regenerated.len() as u32)
}

/// An answer in whose place another one was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RejectedAnswer {
    /// The answer as the assistant model gave it.
    pub answer: Answer,
    /// The verdict that does not meet `judge.accept`; none where `checks` do not accept the answer.
    pub judgement: Option<Judgement>,
}

impl RejectedAnswer {
    /// Requests that the answer and its verdict took.
    pub fn calls(&self) -> u32 {
        self.answer.calls + self.judgement.as_ref().map_or(0, |made| made.calls)
    }
}

/// An answer as the assistant model gave it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// What the assistant model replied, read and repaired.
    pub reply: AssistantReply,
    /// Tools called on the way, in order.
    pub tool_events: Vec<ToolEvent>,
    /// What was retrieved for it, passages and pages of the web, in the order in which they were numbered, each once.
    pub retrieved: Vec<SearchHit>,
    /// Those of the passages that the answer rests on, as the model says.
    pub used: Vec<ChunkIndex>,
    /// Numbers of the answer that stand neither in what was retrieved nor in what was said before.
    pub unsupported_numbers: Vec<String>,
    /// What the answer cites that was not retrieved: names of passages, and addresses that stand in none.
    pub unknown_citations: Vec<String>,
    /// What is found in the turn without a model.
    #[serde(default)]
    pub findings: Findings,
    /// Name of the model that answered.
    pub agent: Arc<str>,
    /// Text the model thought aloud before its reply.
    pub reasoning: Option<String>,
    /// The endpoint's last response, whole.
    pub raw: Json,
    /// Requests that it took, those after searches and repairs included.
    pub calls: u32,
}

/// One tool call and its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolEvent {
    /// The call's id, unique within the turn.
    pub id: String,
    /// Name of the tool that was called.
    pub name: String,
    /// What it was called with.
    pub arguments: Value,
    /// What the tool returned, as the model was shown it.
    pub result: Json,
}

/// What `judge.accept` makes of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Acceptance {
    /// The verdict is good enough.
    Accepted,
    /// It is not, and the conversation is kept with a label.
    Flagged,
    /// It is not, and the conversation is dropped.
    Rejected,
}

/// A verdict of the judge model, or of a jury.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// What the judge model replied, read and repaired.
    pub reply: JudgeReply,
    /// What the run makes of it.
    pub acceptance: Acceptance,
    /// Text the model thought aloud before its reply.
    pub reasoning: Option<String>,
    /// The endpoint's response, whole.
    pub raw: Json,
    /// Requests that it took, repairs included.
    pub calls: u32,
    /// What the judge made of the same answer with faults put in, where it was shown some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calibration: Vec<SpoiledScore>,
    /// What each judge made of it, where there is a jury.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<Vote>,
}

/// What the judge made of a round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judged {
    /// There was nothing to judge.
    Nothing,
    /// The turn just made.
    Turn(Judgement),
    /// The turn just made, once it was answered again.
    Repaired(Box<Repaired>),
    /// The whole conversation, now that it is over.
    Conversation(Judgement),
    /// The turn just made, in whose place another one is to be made.
    Regenerate(Judgement),
}

/// A turn that was answered again because its answer was rejected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repaired {
    /// The answers that were rejected, in order.
    pub rejected: Vec<RejectedAnswer>,
    /// The answer that was given last.
    pub answer: Answer,
    /// What the judge made of the last answer.
    pub judged: Judged,
}

/// Why a conversation could not go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The model could not be reached, or refused.
    #[error("{agent} model: {detail}")]
    Model {
        /// Whose model it was.
        agent: Agent,
        /// What the client said.
        detail: String,
    },
    /// The model's replies could not be used.
    #[error("{agent} model: unusable reply: {detail}")]
    Reply {
        /// Whose model it was.
        agent: Agent,
        /// What was wrong with the last one.
        detail: String,
    },
    /// The model declined to do what it was asked.
    #[error("{agent} model refused: {detail}")]
    Refused {
        /// Whose model it was.
        agent: Agent,
        /// The words in which it declined.
        detail: String,
    },
    /// The provider withheld the model's reply.
    #[error("{agent} model: reply withheld by the provider's content filter: {detail}")]
    Filtered {
        /// Whose model it was.
        agent: Agent,
        /// The reason that the provider gives.
        detail: String,
    },
    /// The model wrote in another language than the conversation's, also when it was asked again.
    #[error("{agent} model: {detail}")]
    Language {
        /// Whose model it was.
        agent: Agent,
        /// What it wrote in.
        detail: String,
    },
    /// Nothing was retrieved for an answer, although `coverage.require_retrieval` demands it.
    #[error("assistant model: {detail}")]
    Ungrounded {
        /// Why there is nothing.
        detail: String,
    },
    /// The knowledge base could not be searched.
    #[error("{detail}")]
    Retrieval {
        /// What the search said.
        detail: String,
    },
    /// The task that worked on it ended without a result.
    #[error("the task that worked on it panicked")]
    Lost,
    /// The run was asked to stop.
    #[error("the run was stopped")]
    Stopped,
    /// A roll-back took the conversation elsewhere. Never seen in a settled conversation.
    #[error("the conversation was rolled back")]
    Recalled,
    /// The user has nothing more to ask: the conversation is complete. Never why one is dropped.
    #[error("the user ended the conversation")]
    Ended,
}

/// Why a conversation was dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// Every attempt at a question was a duplicate.
    DedupExhausted,
    /// Every attempt at a question was a duplicate, or too close to another question or a held-out text; the last one was one of the
    /// latter.
    NearDuplicateExhausted(NearDuplicate),
    /// The judge's verdict was not good enough for `judge.accept`.
    Judged(String),
    /// A question of it was asked by another shard of the run, or in the output folder before it was merged.
    AskedElsewhere(String),
    /// A turn has labels that `checks` do not accept.
    Checked(String),
    /// A stage failed, after all the attempts that it makes.
    Failed(Failure),
}

impl DropReason {
    /// Whether the last question was rejected, and there was no attempt left.
    pub fn is_exhausted(&self) -> bool {
        matches!(self, Self::DedupExhausted | Self::NearDuplicateExhausted(_))
    }

    /// The `drop_reason` of the outputs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::DedupExhausted => "dedup_exhausted",
            Self::NearDuplicateExhausted(NearDuplicate { neighbour: TooClose::Question(_), .. }) => {
                "near_duplicate_exhausted"
            }
            Self::NearDuplicateExhausted(_) => "contaminated",
            Self::Judged(_) => "judge_rejected",
            Self::AskedElsewhere(_) => "asked_elsewhere",
            Self::Checked(_) => "check_rejected",
            Self::Failed(Failure::Model { .. }) => "model_failed",
            Self::Failed(Failure::Reply { .. }) => "unusable_reply",
            Self::Failed(Failure::Refused { .. }) => "model_refused",
            Self::Failed(Failure::Filtered { .. }) => "content_filtered",
            Self::Failed(Failure::Language { .. }) => "wrong_language",
            Self::Failed(Failure::Ungrounded { .. }) => "not_retrieved",
            Self::Failed(Failure::Retrieval { .. }) => "retrieval_failed",
            Self::Failed(Failure::Lost) => "lost",
            Self::Failed(Failure::Stopped) => "stopped",
            Self::Failed(Failure::Recalled) => "recalled",
            Self::Failed(Failure::Ended) => "ended",
        }
    }

    /// What happened, for people.
    pub fn detail(&self) -> String {
        match self {
            Self::DedupExhausted => "every attempt at a question was a duplicate".into(),
            Self::NearDuplicateExhausted(last) => {
                format!("every attempt at a question was a duplicate or too close to another text; the last: {last}")
            }
            Self::Judged(detail) | Self::AskedElsewhere(detail) | Self::Checked(detail) => detail.clone(),
            Self::Failed(failure) => failure.to_string(),
        }
    }
}

/// How a conversation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It has all its turns, or as many as its user wanted: it counts towards `run.total_samples`.
    Completed,
    /// It was given up; the turns it has are kept, and marked.
    Dropped(DropReason),
    /// The run stopped before it was complete: only the run state tells of it.
    Interrupted,
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Stopped => Self::Interrupted,
            Failure::Ended => Self::Completed,
            failure => Self::Dropped(DropReason::Failed(failure)),
        }
    }
}

impl Outcome {
    /// The slot's `status` in the run state and in the outputs.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Dropped(_) => "dropped",
            Self::Interrupted => "active",
        }
    }

    /// The `drop_reason` of the outputs; empty when it was not dropped.
    pub fn drop_reason(&self) -> &'static str {
        match self {
            Self::Dropped(reason) => reason.as_str(),
            Self::Completed | Self::Interrupted => "",
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::output::sample::{dropped_conversation, sample_conversation};

    #[test]
    fn a_conversation_is_read_back_as_it_was_written() {
        let failed = DropReason::Failed(Failure::Model { agent: Agent::Assistant, detail: "no".into() });
        let failed = Conversation { outcome: Some(Outcome::Dropped(failed)), ..sample_conversation() };
        for conversation in [sample_conversation(), dropped_conversation(), failed] {
            let written = serde_json::to_string(&conversation).unwrap();
            assert_eq!(serde_json::from_str::<Conversation>(&written).unwrap(), conversation);
        }
    }
}
