//! What a run needs before its first conversation: documents, personas, topics, models, and what earlier runs asked.

use crate::dataflows::generate::{Stage, Stages};
use crate::knowledge::{self, Index, KnowledgeError};
use crate::llm::{self, AgentOptions, Model, ModelError, Shared, builtin};
use crate::operators::Opening;
use crate::output::{OutputError, RunFacts, ledger};
use crate::plan::{self, Distribution, Plan, PlanError, TopicOptions, personas::Pool, topics::Topics};
use crate::settings::{PersonaSource, Settings, TopicSource};
use crate::stages::{Ask, Granularity, Judge, PromptError, Prompts, Responder};
use crate::tools::Toolbox;
use crate::words::slot::language_tag;
use crate::words::{
    Catalogue, ChunkIndex, Conversation, Coverage, Failure, Fingerprint, Incarnation, Judged, Round, Used,
};
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::Arc;

/// Why a run could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The knowledge base can't be used.
    #[error(transparent)]
    Knowledge(#[from] KnowledgeError),
    /// Personas or topics can't be used.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A prompt template can't be used.
    #[error(transparent)]
    Prompts(#[from] PromptError),
    /// A model can't be set up.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Something can't be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Two languages would share conversation ids.
    #[error("run.target_languages: `{0}` and `{1}` both become `{2}` in conversation ids; rename one")]
    LanguagesCollide(Arc<str>, Arc<str>, String),
    /// The built-in model does not speak a language.
    #[error(
        "run.target_languages: the built-in model does not speak `{0}` (it has English, French, Arabic, Spanish and \
         German); set llm.agents.{1}.provider and model to one that does"
    )]
    Speechless(Arc<str>, &'static str),
    /// No threads for tasks.
    #[error("failed to start the task runtime: {0}")]
    Runtime(std::io::Error),
    /// A worker did not start, or did not end as it should.
    #[error("a worker failed: {0}")]
    Workers(String),
}

/// Everything read and set up.
pub struct Inputs {
    pub facts: RunFacts,
    pub catalogue: Arc<Catalogue>,
    pub coverage: Coverage,
    /// Questions of earlier runs in this output folder.
    pub earlier: Arc<[Fingerprint]>,
    pub stages: Stages,
}

impl Inputs {
    pub fn read(settings: &Settings, shared: &Shared) -> Result<Self, RunError> {
        check_languages(settings)?;
        let loaded = knowledge::load(&settings.knowledge)?;
        for warning in &loaded.warnings {
            tracing::warn!(target: "dlgforge.retrieval", "[vector-db] {warning}");
        }
        let catalogue = Arc::new(loaded.catalogue);
        tracing::info!(
            target: "dlgforge.retrieval",
            "[vector-db] indexed documents={} chunks={}", catalogue.sources.len(), catalogue.chunks.len()
        );
        let toolbox = Arc::new(Toolbox::new(Arc::new(Index::build(catalogue.clone())?), settings.top_k));
        let plan = Arc::new(Plan::new(plan_options(settings)?, catalogue.clone()));
        let user = connect(&settings.user, settings, shared)?;
        let assistant = connect(&settings.assistant, settings, shared)?;
        let facts = facts(settings, &user, &assistant);
        let (coverage, earlier) = earlier_runs(settings, &catalogue)?;
        let prompts = Arc::new(Prompts::load(&settings.prompts)?);
        let judge = match &settings.judge {
            Some((agent, options)) => {
                Some(Arc::new(Judge::new(connect(agent, settings, shared)?, prompts.clone(), options.clone())))
            }
            None => None,
        };
        let ask = Arc::new(Ask::new(user, prompts.clone(), plan.clone(), toolbox.clone()));
        let responder = Arc::new(Responder::new(assistant, prompts, toolbox));
        let stages = Stages {
            open: opener(settings, &facts, plan),
            ask: stage(move |conversation| {
                let ask = ask.clone();
                async move { ask.ask(&conversation).await }
            }),
            answer: stage(move |conversation| {
                let responder = responder.clone();
                async move { responder.answer(&conversation).await }
            }),
            judge: judging(judge, settings.judge_granularity),
        };
        Ok(Self { facts, catalogue, coverage, earlier, stages })
    }
}

fn stage<O, F>(work: impl Fn(Arc<Conversation>) -> F + Send + Sync + 'static) -> Stage<O>
where
    F: Future<Output = Result<O, Failure>> + Send + 'static,
{
    Arc::new(move |conversation| Box::pin(work(conversation)))
}

fn judging(judge: Option<Arc<Judge>>, granularity: Granularity) -> Stage<Judged> {
    stage(move |conversation| {
        let judge = judge.clone();
        async move {
            let Some(judge) = judge else { return Ok(Judged::Nothing) };
            Ok(match judge.judge(&conversation).await? {
                None => Judged::Nothing,
                Some(judgement) if granularity == Granularity::Turn => Judged::Turn(judgement),
                Some(judgement) => Judged::Conversation(judgement),
            })
        }
    })
}

fn opener(
    settings: &Settings,
    facts: &RunFacts,
    plan: Arc<Plan>,
) -> Arc<dyn Fn(Opening) -> Conversation + Send + Sync> {
    let (languages, run_id) = (settings.languages.clone(), facts.run_id.clone());
    Arc::new(move |Opening { slot, wave, coverage }| {
        let language = languages[usize::from(slot.language.0)].clone();
        let id = match languages.len() {
            1 => format!("{run_id}-{:04}", slot.index),
            _ => format!("{run_id}-{}-{:04}", language_tag(&language), slot.index),
        };
        let planned = plan.opening(slot);
        Conversation {
            slot,
            wave,
            id: id.into(),
            language,
            target_turns: planned.target_turns,
            user_persona: planned.user_persona,
            assistant_persona: planned.assistant_persona,
            coverage,
            turns: Vec::new(),
            round: Round::default(),
            incarnation: Incarnation::default(),
            judgement: None,
            ending: None,
        }
    })
}

fn connect(agent: &AgentOptions, settings: &Settings, shared: &Shared) -> Result<Arc<dyn Model>, RunError> {
    let speechless = |language: &&Arc<str>| agent.provider == "builtin" && !builtin::speaks(language);
    if let Some(language) = settings.languages.iter().find(speechless) {
        return Err(RunError::Speechless(language.clone(), agent.role));
    }
    Ok(llm::connect(agent, shared)?)
}

fn check_languages(settings: &Settings) -> Result<(), RunError> {
    let mut tags = BTreeMap::new();
    for language in &settings.languages {
        let tag = language_tag(language);
        if let Some(other) = tags.insert(tag.clone(), language.clone()) {
            return Err(RunError::LanguagesCollide(other, language.clone(), tag));
        }
    }
    Ok(())
}

fn plan_options(settings: &Settings) -> Result<plan::Options, RunError> {
    let plan = &settings.plan;
    let pool = match &plan.personas {
        PersonaSource::Off => Pool::default(),
        PersonaSource::Shipped => Pool::shipped()?,
        PersonaSource::File(path) => Pool::load(path)?,
    };
    let topics = match &plan.topics {
        TopicSource::Off => None,
        TopicSource::Shipped => Some(Topics::shipped()?),
        TopicSource::File(path) => Some(Topics::load(path)?),
    };
    for warning in topics.iter().flat_map(Topics::warnings) {
        tracing::warn!(target: "dlgforge.seeds", "[seeds] {warning}");
    }
    Ok(plan::Options {
        seed: plan.seed,
        turns: plan.turns,
        question: plan.question.clone(),
        topics: TopicOptions {
            variant: plan.topics_variant.clone(),
            probability: if topics.is_some() { plan.topics_probability } else { 0.0 },
            topics: topics.map(Arc::new),
        },
        coverage: plan.coverage,
        user_personas: pool.user,
        assistant_personas: pool.assistant,
    })
}

fn facts(settings: &Settings, user: &Arc<dyn Model>, assistant: &Arc<dyn Model>) -> RunFacts {
    let plan = &settings.plan;
    RunFacts {
        run_id: settings.run_id.as_str().into(),
        seed: plan.seed,
        total_samples: settings.total_samples,
        languages: settings.languages.clone(),
        batch_size: settings.batch_size,
        question: plan.question.clone(),
        min_turns: plan.turns.min,
        max_turns: plan.turns.max,
        distribution: match plan.turns.distribution {
            Distribution::Uniform => "uniform",
            Distribution::Poisson => "poisson",
            Distribution::Exponential => "exponential",
        },
        mean: plan.turns.mean.unwrap_or(0.0),
        topics_path: settings.topics_path.clone(),
        topics_variant: plan.topics_variant.clone(),
        topics_probability: plan.topics_probability,
        topics_enabled: settings.topics_enabled,
        top_k: settings.top_k,
        user_agent: user.name().clone(),
        assistant_agent: assistant.name().clone(),
        judge_enabled: settings.judge.is_some(),
        judge_granularity: settings.judge_granularity.as_str(),
        judge_reasons: settings.judge_reasons.clone(),
        config_dir: settings.config_dir.clone(),
    }
}

/// What the ledger of the output folder tells of earlier runs: usage of what is still in the knowledge base, and the
/// fingerprints of all questions.
fn earlier_runs(settings: &Settings, catalogue: &Catalogue) -> Result<(Coverage, Arc<[Fingerprint]>), RunError> {
    let rows = ledger::load(&settings.output.folder)?;
    let positions = (0u32..).map(ChunkIndex);
    let chunks: HashMap<&str, ChunkIndex> =
        catalogue.chunks.iter().map(|chunk| chunk.id.as_str()).zip(positions).collect();
    let mut coverage = Coverage::empty(catalogue.chunks.len(), catalogue.sources.len());
    for row in &rows {
        let seeded = !row.seed_question.is_empty();
        coverage.add(&Used {
            chunk: chunks.get(row.topic_id.as_str()).copied(),
            source: catalogue.source_position(&row.source_path),
            question: row.question.as_str().into(),
            seed: seeded.then(|| (row.seed_topic.as_str().into(), row.seed_question.as_str().into())),
        });
    }
    let mut earlier: Vec<Fingerprint> = rows.iter().map(|row| Fingerprint::of(&row.question)).collect();
    earlier.sort_unstable();
    earlier.dedup();
    Ok((coverage, earlier.into()))
}
