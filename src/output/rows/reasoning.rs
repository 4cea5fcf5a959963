//! What the training files tell beside the messages: what a conversation is like, how its questions and answers came about,
//! and what the judge says.

use super::json::{Text, or_empty};
use super::provenance::{Provenance, whole};
use super::{Parts, Personas, accepted};
use crate::domain::findings::Label;
use crate::domain::reply::{Difficulty, GroundingFact, Intent, ReasoningTrace};
use crate::domain::{JudgeReply, Register, Turn};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// The `metadata` column. Lists go turn by turn; blank entries are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metadata<'a> {
    pub(crate) conversation_id: Text<'a>,
    pub(crate) timestamp: Text<'a>,
    pub(crate) n_turns: usize,
    pub(crate) language: Text<'a>,
    pub(crate) judge_granularity: Text<'a>,
    pub(crate) personas: Personas<'a>,
    pub(crate) difficulty_sequence: Vec<Difficulty>,
    #[serde(with = "name_or_blank")]
    pub(crate) difficulty_max: Option<Difficulty>,
    pub(crate) intent_sequence: Vec<Intent>,
    pub(crate) coverage_targets: Vec<Text<'a>>,
    pub(crate) question_modes: Vec<Text<'a>>,
    pub(crate) seed_topics: Vec<Text<'a>>,
    pub(crate) seed_questions: Vec<Text<'a>>,
    pub(crate) conversation_status: Text<'a>,
    pub(crate) drop_reason: Text<'a>,
    pub(crate) persona_applied: bool,
    pub(crate) retrieved: Vec<bool>,
    pub(crate) unsupported_numbers: Vec<Cow<'a, [String]>>,
    pub(crate) judge_accepted: Option<bool>,
    pub(crate) run_id: Text<'a>,
    pub(crate) unknown_citations: Vec<Cow<'a, [String]>>,
    pub(crate) provenance: Provenance<'a>,
    #[serde(default)]
    pub(crate) register: Text<'a>,
    #[serde(default)]
    pub(crate) whole_need: Text<'a>,
    pub(crate) question_labels: Vec<Cow<'a, [Label]>>,
    pub(crate) answer_labels: Vec<Cow<'a, [Label]>>,
}

impl<'a> Metadata<'a> {
    /// What describes a conversation.
    pub(crate) fn of(parts: &Parts<'a>) -> Self {
        let conversation = parts.conversation;
        let questions = || conversation.turns.iter().map(|turn| &turn.question);
        let answers = || conversation.turns.iter().map(|turn| &turn.answer);
        let of_turns = conversation.turns.iter().filter_map(|turn| turn.judgement.as_ref());
        let verdicts: Vec<bool> = of_turns.chain(&conversation.judgement).map(accepted).collect();
        Self {
            conversation_id: (&*conversation.id).into(),
            timestamp: parts.timestamp.into(),
            n_turns: conversation.turns.len(),
            language: (&*conversation.language).into(),
            judge_granularity: (&*parts.facts.judge_granularity).into(),
            personas: parts.personas.clone(),
            difficulty_sequence: questions().map(|question| question.reply.difficulty).collect(),
            difficulty_max: questions().map(|question| question.reply.difficulty).max(),
            intent_sequence: questions().map(|question| question.reply.intent).collect(),
            coverage_targets: not_blank(questions().map(|question| question.reply.coverage_target.as_str())),
            question_modes: questions().map(|question| question.mode.as_str().into()).collect(),
            seed_topics: not_blank(questions().map(|question| question.seed_topic.as_str())),
            seed_questions: not_blank(questions().map(|question| question.seed_question.as_str())),
            conversation_status: parts.status.into(),
            drop_reason: parts.drop_reason.into(),
            persona_applied: parts.facts.persona_applied,
            retrieved: answers().map(|answer| !answer.retrieved.is_empty()).collect(),
            unsupported_numbers: answers().map(|answer| Cow::Borrowed(&*answer.unsupported_numbers)).collect(),
            judge_accepted: (!verdicts.is_empty()).then(|| verdicts.iter().all(|accepted| *accepted)),
            run_id: (&*parts.facts.run_id).into(),
            unknown_citations: answers().map(|answer| Cow::Borrowed(&*answer.unknown_citations)).collect(),
            provenance: whole(parts.turns.iter().map(|turn| turn.provenance.clone())),
            register: questions().find_map(|question| question.register).map_or("", Register::as_str).into(),
            whole_need: conversation.whole_need().into(),
            question_labels: answers().map(|answer| Cow::Borrowed(&*answer.findings.question_labels)).collect(),
            answer_labels: answers().map(|answer| Cow::Borrowed(&*answer.findings.answer_labels)).collect(),
        }
    }
}

fn not_blank<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<Text<'a>> {
    texts.filter(|text| !text.trim().is_empty()).map(Text::from).collect()
}

/// A difficulty, or an empty text where there is none.
mod name_or_blank {
    use super::Difficulty;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Name {
        Difficulty(Difficulty),
        Blank(String),
    }

    pub fn serialize<S: Serializer>(difficulty: &Option<Difficulty>, serializer: S) -> Result<S::Ok, S::Error> {
        difficulty.map_or(Name::Blank(String::new()), Name::Difficulty).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Difficulty>, D::Error> {
        match Name::deserialize(from)? {
            Name::Difficulty(difficulty) => Ok(Some(difficulty)),
            Name::Blank(text) if text.is_empty() => Ok(None),
            Name::Blank(text) => Err(serde::de::Error::custom(format!("unknown difficulty {text:?}"))),
        }
    }
}

/// An item of `user_reasoning`: how a question came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserReasoning<'a> {
    pub(crate) turn_index: u16,
    pub(crate) user_message: Text<'a>,
    pub(crate) intent: Intent,
    pub(crate) difficulty: Difficulty,
    pub(crate) coverage_target: Text<'a>,
    pub(crate) grounding_facts: Cow<'a, [GroundingFact]>,
    pub(crate) notes_for_assistant: Cow<'a, [String]>,
    pub(crate) seed_topic: Text<'a>,
    pub(crate) seed_question: Text<'a>,
    pub(crate) question_mode: Text<'a>,
    pub(crate) model_reasoning: Text<'a>,
}

impl<'a> UserReasoning<'a> {
    /// Of a turn's question.
    pub(crate) fn of(turn: &'a Turn) -> Self {
        let (question, reply) = (&turn.question, &turn.question.reply);
        Self {
            turn_index: turn.index.0,
            user_message: (&reply.user_message).into(),
            intent: reply.intent,
            difficulty: reply.difficulty,
            coverage_target: (&reply.coverage_target).into(),
            grounding_facts: Cow::Borrowed(&reply.grounding_facts),
            notes_for_assistant: Cow::Borrowed(&reply.notes_for_assistant),
            seed_topic: (&question.seed_topic).into(),
            seed_question: (&question.seed_question).into(),
            question_mode: question.mode.as_str().into(),
            model_reasoning: question.reasoning.as_deref().unwrap_or_default().into(),
        }
    }
}

/// An item of `assistant_reasoning`: how an answer came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AssistantReasoning<'a> {
    pub(crate) turn_index: u16,
    pub(crate) assistant_message: Text<'a>,
    pub(crate) reasoning_trace: Cow<'a, ReasoningTrace>,
    pub(crate) did_web_search: bool,
    pub(crate) model_reasoning: Text<'a>,
}

impl<'a> AssistantReasoning<'a> {
    /// Of a turn's answer.
    pub(crate) fn of(turn: &'a Turn) -> Self {
        let reply = &turn.answer.reply;
        Self {
            turn_index: turn.index.0,
            assistant_message: (&reply.assistant_message).into(),
            reasoning_trace: Cow::Borrowed(&reply.reasoning_trace),
            did_web_search: reply.did_web_search,
            model_reasoning: turn.answer.reasoning.as_deref().unwrap_or_default().into(),
        }
    }
}

/// The `judge` column of training rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JudgeColumn<'a> {
    pub(crate) per_turn: Vec<JudgedTurn<'a>>,
    pub(crate) avg_score: Option<f64>,
    #[serde(with = "or_empty")]
    pub(crate) conversation: Option<Cow<'a, JudgeReply>>,
}

/// An item of `per_turn`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JudgedTurn<'a> {
    pub(crate) turn_index: u16,
    pub(crate) user_message: Text<'a>,
    pub(crate) assistant_message: Text<'a>,
    #[serde(flatten)]
    pub(crate) judge: Cow<'a, JudgeReply>,
    pub(crate) accepted: bool,
}

impl<'a> JudgeColumn<'a> {
    /// The verdicts on a conversation; none where it was neither judged nor to be judged.
    pub(crate) fn of(parts: &Parts<'a>) -> Option<Self> {
        let per_turn: Vec<_> = parts.conversation.turns.iter().filter_map(|turn| judged_turn(turn)).collect();
        let judged = parts.facts.judge_enabled || parts.judgement.is_some() || !per_turn.is_empty();
        let avg_score = mean_score(&parts.conversation.turns);
        judged.then_some(Self { per_turn, avg_score, conversation: parts.judgement.map(Cow::Borrowed) })
    }
}

fn judged_turn(turn: &Turn) -> Option<JudgedTurn<'_>> {
    turn.judgement.as_ref().map(|judgement| JudgedTurn {
        turn_index: turn.index.0,
        user_message: (&turn.question.reply.user_message).into(),
        assistant_message: (&turn.answer.reply.assistant_message).into(),
        judge: Cow::Borrowed(&judgement.reply),
        accepted: accepted(judgement),
    })
}

/// Mean of the turns' scores; none when no turn was judged.
pub(crate) fn mean_score(turns: &[Arc<Turn>]) -> Option<f64> {
    let scores: Vec<_> =
        turns.iter().filter_map(|turn| turn.judgement.as_ref()).map(|it| f64::from(it.reply.score)).collect();
    (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
}
