//! The `inputs` object: the settings a conversation, or a run, was made under.

use super::{Personas, Text};
use crate::domain::{Conversation, JudgeReply, Outcome};
use crate::output::RunFacts;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// The `inputs` object. Fields of one conversation are left out where a whole run is described.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inputs<'a> {
    pub(crate) question: Text<'a>,
    pub(crate) target_language: Text<'a>,
    pub(crate) target_languages: Cow<'a, [Arc<str>]>,
    pub(crate) question_seed: Text<'a>,
    pub(crate) run_id: Text<'a>,
    pub(crate) resume_run_id: Text<'a>,
    pub(crate) total_samples: u32,
    pub(crate) min_turns: u16,
    pub(crate) max_turns: u16,
    pub(crate) turn_count_distribution: Text<'a>,
    pub(crate) turn_count_mean: f64,
    pub(crate) seed_topics_path: Text<'a>,
    pub(crate) seed_topics_variant: Text<'a>,
    pub(crate) seed_topics_probability: f64,
    pub(crate) seed_topics_enabled: bool,
    pub(crate) retrieval_default_k: usize,
    pub(crate) user_persona: Text<'a>,
    pub(crate) assistant_persona: Text<'a>,
    pub(crate) user_persona_id: Text<'a>,
    pub(crate) assistant_persona_id: Text<'a>,
    pub(crate) user_agent_used_name: Text<'a>,
    pub(crate) assistant_agent_used_name: Text<'a>,
    pub(crate) judge_enabled: bool,
    pub(crate) judge_granularity: Text<'a>,
    pub(crate) judge_reasons: Cow<'a, [String]>,
    pub(crate) project_root: Text<'a>,
    pub(crate) config_dir: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) n_turns: Option<usize>,
    pub(crate) batch_size: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) conversation_judge: Option<Cow<'a, JudgeReply>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) conversation_index: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) conversation_status: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) drop_reason: Option<Text<'a>>,
    pub(crate) run_seed: u64,
}

impl<'a> Inputs<'a> {
    /// Of a run: without personas, and without a target language where it has several.
    pub fn of_run(facts: &'a RunFacts) -> Self {
        let target_language = if let [only] = facts.languages.as_slice() { &**only } else { "" };
        Self {
            question: (&*facts.question).into(),
            target_language: target_language.into(),
            target_languages: Cow::Borrowed(&facts.languages),
            question_seed: (&*facts.question).into(),
            run_id: (&*facts.run_id).into(),
            resume_run_id: "".into(),
            total_samples: facts.total_samples,
            min_turns: facts.min_turns,
            max_turns: facts.max_turns,
            turn_count_distribution: (&*facts.distribution).into(),
            turn_count_mean: facts.mean,
            seed_topics_path: (&*facts.topics_path).into(),
            seed_topics_variant: (&*facts.topics_variant).into(),
            seed_topics_probability: facts.topics_probability,
            seed_topics_enabled: facts.topics_enabled,
            retrieval_default_k: facts.top_k,
            user_persona: "".into(),
            assistant_persona: "".into(),
            user_persona_id: "".into(),
            assistant_persona_id: "".into(),
            user_agent_used_name: (&*facts.user_agent).into(),
            assistant_agent_used_name: (&*facts.assistant_agent).into(),
            judge_enabled: facts.judge_enabled,
            judge_granularity: (&*facts.judge_granularity).into(),
            judge_reasons: Cow::Borrowed(&facts.judge_reasons),
            project_root: ".".into(),
            config_dir: (&*facts.config_dir).into(),
            n_turns: None,
            batch_size: facts.batch_size,
            conversation_judge: None,
            conversation_index: None,
            conversation_status: None,
            drop_reason: None,
            run_seed: facts.seed,
        }
    }

    /// Of a conversation, as the datasets have it: `run_id` is the conversation's id.
    pub fn of_conversation(
        conversation: &'a Conversation,
        outcome: &Outcome,
        facts: &'a RunFacts,
        personas: &Personas<'a>,
    ) -> Self {
        Self {
            target_language: (&*conversation.language).into(),
            run_id: (&*conversation.id).into(),
            user_persona: personas.user.clone(),
            assistant_persona: personas.assistant.clone(),
            user_persona_id: personas.user_id.clone(),
            assistant_persona_id: personas.assistant_id.clone(),
            n_turns: Some(conversation.turns.len()),
            conversation_judge: conversation.judgement.as_ref().map(|judgement| Cow::Borrowed(&judgement.reply)),
            conversation_index: Some(conversation.slot.index),
            conversation_status: Some(outcome.status().into()),
            drop_reason: Some(outcome.drop_reason().into()),
            ..Self::of_run(facts)
        }
    }

    /// The same as the run state has it: `run_id` is the run's.
    pub fn within_run(&self, facts: &'a RunFacts) -> Self {
        Self { run_id: (&*facts.run_id).into(), ..self.clone() }
    }
}
