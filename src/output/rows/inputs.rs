//! The `inputs` object: the settings a conversation, or a run, was made under.

use super::Personas;
use crate::domain::{Conversation, Ending, JudgeReply};
use crate::output::RunFacts;
use serde::Serialize;
use std::sync::Arc;

/// The `inputs` object. Fields of one conversation are left out where a whole run is described.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Inputs<'a> {
    question: &'a str,
    target_language: &'a str,
    target_languages: &'a [Arc<str>],
    question_seed: &'a str,
    run_id: &'a str,
    resume_run_id: &'static str,
    total_samples: u32,
    min_turns: u16,
    max_turns: u16,
    turn_count_distribution: &'static str,
    turn_count_mean: f64,
    seed_topics_path: &'a str,
    seed_topics_variant: &'a str,
    seed_topics_probability: f64,
    seed_topics_enabled: bool,
    retrieval_default_k: usize,
    user_persona: String,
    assistant_persona: String,
    user_persona_id: &'a str,
    assistant_persona_id: &'a str,
    user_agent_used_name: &'a str,
    assistant_agent_used_name: &'a str,
    judge_enabled: bool,
    judge_granularity: &'static str,
    judge_reasons: &'a [String],
    project_root: &'static str,
    config_dir: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    n_turns: Option<usize>,
    batch_size: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_judge: Option<&'a JudgeReply>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drop_reason: Option<&'static str>,
    run_seed: u64,
}

impl<'a> Inputs<'a> {
    /// Of a run: without personas, and without a target language where it has several.
    pub fn of_run(facts: &'a RunFacts) -> Self {
        let target_language = if let [only] = facts.languages.as_slice() { only } else { "" };
        Self {
            question: &facts.question,
            target_language,
            target_languages: &facts.languages,
            question_seed: &facts.question,
            run_id: &facts.run_id,
            resume_run_id: "",
            total_samples: facts.total_samples,
            min_turns: facts.min_turns,
            max_turns: facts.max_turns,
            turn_count_distribution: facts.distribution,
            turn_count_mean: facts.mean,
            seed_topics_path: &facts.topics_path,
            seed_topics_variant: &facts.topics_variant,
            seed_topics_probability: facts.topics_probability,
            seed_topics_enabled: facts.topics_enabled,
            retrieval_default_k: facts.top_k,
            user_persona: String::new(),
            assistant_persona: String::new(),
            user_persona_id: "",
            assistant_persona_id: "",
            user_agent_used_name: &facts.user_agent,
            assistant_agent_used_name: &facts.assistant_agent,
            judge_enabled: facts.judge_enabled,
            judge_granularity: facts.judge_granularity,
            judge_reasons: &facts.judge_reasons,
            project_root: ".",
            config_dir: &facts.config_dir,
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
        ending: &Ending,
        facts: &'a RunFacts,
        personas: &Personas<'a>,
    ) -> Self {
        Self {
            target_language: &conversation.language,
            run_id: &conversation.id,
            user_persona: personas.user.clone(),
            assistant_persona: personas.assistant.clone(),
            user_persona_id: personas.user_id,
            assistant_persona_id: personas.assistant_id,
            n_turns: Some(conversation.turns.len()),
            conversation_judge: conversation.judgement.as_ref().map(|judgement| &judgement.reply),
            conversation_index: Some(conversation.slot.index),
            conversation_status: Some(ending.status()),
            drop_reason: Some(ending.drop_reason()),
            ..Self::of_run(facts)
        }
    }

    /// The same as the run state has it: `run_id` is the run's.
    pub fn within_run(&self, facts: &'a RunFacts) -> Self {
        Self { run_id: &facts.run_id, ..self.clone() }
    }
}
