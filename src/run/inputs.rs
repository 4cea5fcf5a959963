//! What a run needs before its first conversation: documents, personas, topics, prompts and models.

use super::error::RunError;
use super::held_out::held_out;
use super::identity::Identity;
use super::knowledge::waited;
use crate::builtin;
use crate::dataflows::generate::{Stage, Stages};
use crate::domain::slot::{conversation_id, language_tag};
use crate::domain::{
    Agent, Agents, Catalogue, Conversation, Failure, HeldOut, Judged, Language, Measure, Normalisation, Round,
};
use crate::knowledge::embeddings::Embedder;
use crate::knowledge::{self, Index, Knowledge, Retriever, Watch};
use crate::llm::Model;
use crate::operators::{InFlight, Opening};
use crate::output::{self, RunFacts};
use crate::plan::{
    self, Asking, Distribution, MatchLanguage, Plan, PlanError, TopicOptions, personas::Pool, topics::Topics,
};
use crate::providers::{self, AgentOptions, Serper, Shared};
use crate::settings::paths::PERSONAS_COLUMN;
use crate::settings::{PersonaSource, Settings, TopicSource, WebSettings, digest};
use crate::stages::{Ask, Checks, Judge, Prompts, Responder, Review};
use crate::store::Kept;
use crate::tools::{KeptWeb, KnowledgeSearch, QuestionVectors, SearchMeter, Tool, Toolbox, Web, WebSearch};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

/// Everything read, before anything is written.
pub struct Sources {
    pub catalogue: Arc<Catalogue>,
    pub personas: Pool,
    pub topics: Option<Arc<Topics>>,
    pub prompts: Arc<Prompts>,
    pub models: Agents<Arc<dyn Model>>,
    /// Counts the searches of the web.
    pub searches: Arc<SearchMeter>,
    index: Arc<Index>,
    retriever: Arc<dyn Retriever>,
    pub embedder: Option<Arc<dyn Embedder>>,
    /// The texts that no message may have too much in common with, and a digest of them.
    pub held_out: Option<(Arc<HeldOut>, String)>,
    web: Option<Arc<dyn Web>>,
}

/// From the model of an agent to the one that is asked in its place.
type InFrontOfModel<'a> = &'a dyn Fn(&Arc<dyn Model>, Agent) -> Arc<dyn Model>;

/// The same of the web.
type InFrontOfWeb<'a> = &'a dyn Fn(&Arc<dyn Web>) -> Arc<dyn Web>;

/// The same of searches of the knowledge base, with all that they follow from beside the query.
type InFrontOfSearch<'a> = &'a dyn Fn(Arc<dyn Retriever>, Arc<str>) -> Arc<dyn Retriever>;

/// What stands in front of models, of the web, and of searches that may come out otherwise the next time.
pub struct Front<'a> {
    /// In front of the model of an agent.
    pub model: InFrontOfModel<'a>,
    /// In front of the web.
    pub web: InFrontOfWeb<'a>,
    /// In front of searches of the knowledge base.
    pub search: InFrontOfSearch<'a>,
    /// What makes vectors of questions by an embedder.
    pub vectors: &'a dyn Fn(Arc<dyn Embedder>) -> QuestionVectors,
}

impl Sources {
    pub fn read(settings: &Settings, shared: &Shared, watch: Watch<'_>) -> Result<Self, RunError> {
        check_languages(settings)?;
        let knowledge = knowledge(settings, watch)?;
        if compares_vectors(settings) && knowledge.embedder.is_none() {
            return Err(RunError::NoEmbedder);
        }
        Self::with(settings, shared, knowledge)
    }

    /// The same with this knowledge base.
    pub fn with(settings: &Settings, shared: &Shared, knowledge: Knowledge) -> Result<Self, RunError> {
        let Knowledge { catalogue, index, retriever, embedder, .. } = knowledge;
        let searches = Arc::<SearchMeter>::default();
        let web = settings.web_search.as_ref().map(|web| self::web(web, shared, &searches)).transpose()?;
        let topics = topics(settings)?;
        check_required(settings, &catalogue)?;
        check_documents(settings, &catalogue)?;
        Ok(Self {
            catalogue,
            personas: personas(settings)?,
            topics,
            prompts: Arc::new(Prompts::load(&settings.prompts)?),
            models: models(settings, shared)?,
            searches,
            index,
            retriever,
            embedder,
            held_out: held_out(settings)?,
            web,
        })
    }

    /// What the assistant may call: the knowledge base, by this retriever, and the web where it is searched, behind this.
    fn toolbox(
        &self,
        settings: &Settings,
        retriever: &Arc<dyn Retriever>,
        front: impl Fn(&Arc<dyn Web>) -> Arc<dyn Web>,
    ) -> Toolbox {
        let search: Arc<dyn Tool> =
            Arc::new(KnowledgeSearch::new(retriever.clone(), self.catalogue.clone(), settings.top_k));
        let web = settings.web_search.as_ref().zip(self.web.as_ref());
        let web = web.map(|(WebSettings { results, domains, .. }, web)| -> Arc<dyn Tool> {
            Arc::new(WebSearch::new(front(web), *results, domains.clone()))
        });
        Toolbox::new([search].into_iter().chain(web))
    }

    /// What finds passages, behind this where the same query may find others the next time.
    fn retriever(&self, settings: &Settings, front: InFrontOfSearch<'_>) -> Arc<dyn Retriever> {
        let embedder = self.embedder.as_ref().map(|embedder| embedder.name());
        let reranker = settings.knowledge.reranker.as_ref().map(|reranker| reranker.told());
        if (&embedder, &reranker) == (&None, &None) {
            return self.retriever.clone();
        }
        let setup = format!("{:?} {embedder:?} {reranker:?} {:?}", settings.knowledge.ranking, self.catalogue.sources);
        front(self.retriever.clone(), digest(setup.as_bytes()).into())
    }

    /// What the verbs of a run mean, with this in front of models and of the web.
    pub fn stages(
        &self,
        settings: &Settings,
        (facts, normalisation): (&RunFacts, Normalisation),
        Front { model: behind, web, search, vectors }: Front<'_>,
    ) -> Stages {
        let (prompts, index, retriever) = (&self.prompts, &self.index, self.retriever(settings, search));
        let toolbox = Arc::new(self.toolbox(settings, &retriever, web));
        let held_out = self.held_out.as_ref().map(|(held_out, _)| held_out.clone());
        let checks = Checks::new(prompts, &toolbox.definitions()).labelled(settings.checks.clone());
        let checks = Arc::new(checks.apart_from(held_out));
        let plan = Arc::new(Plan::new(self.plan_options(settings, facts.seed, normalisation), self.catalogue.clone()));
        let [user, assistant] = [Agent::User, Agent::Assistant].map(|agent| behind(&self.models[agent], agent));
        let ask = Ask::new(user, prompts.clone(), checks.clone(), plan.clone(), retriever, index.clone());
        let embedder = self.embedder.clone().filter(|_| compares_vectors(settings));
        let vectors = embedder.map(|embedder| Arc::new(vectors(embedder)));
        let ask = Arc::new(ask.with(settings.asks.clone(), vectors));
        let responder =
            Arc::new(Responder::new(assistant, prompts.clone(), checks, index.clone(), toolbox, settings.answers));
        let judges: Vec<_> = self.models.all(Agent::Judge).iter().map(|model| behind(model, Agent::Judge)).collect();
        let judge = (!judges.is_empty())
            .then(|| Arc::new(Judge::new(judges, prompts.clone(), self.catalogue.clone(), settings.judge.clone())));
        Stages {
            open: opener(settings, facts, plan),
            ask: stage(move |conversation| {
                let ask = ask.clone();
                async move { ask.ask(Asking { conversation: &conversation, coverage: &conversation.coverage }).await }
            }),
            judge: judging(Review::new(judge, responder.clone(), &settings.judge, settings.checks.clone())),
            answer: stage(move |conversation| {
                let responder = responder.clone();
                async move { responder.answer(&conversation).await }
            }),
        }
    }

    fn plan_options(&self, settings: &Settings, seed: u64, normalisation: Normalisation) -> plan::Options {
        let plan = &settings.plan;
        plan::Options {
            seed,
            turns: plan.turns,
            question: plan.question.clone(),
            topics: TopicOptions {
                variant: plan.topics_variant.clone(),
                probability: if self.topics.is_some() { plan.topics_probability } else { 0.0 },
                topics: self.topics.clone(),
            },
            languages: settings.languages.clone(),
            unknown: settings.batch_size.saturating_mul(settings.lookahead).saturating_sub(1),
            coverage: plan::CoverageOptions { normalisation, ..plan.coverage },
            user_personas: self.personas.user.clone(),
            assistant_personas: self.personas.assistant.clone(),
            modes: plan.modes.clone(),
            style: plan.style.clone(),
        }
    }

    /// What is the same for every conversation of a run.
    pub fn facts(&self, settings: &Settings, Identity { run_id, seed, normalisation, .. }: &Identity) -> RunFacts {
        let plan = &settings.plan;
        let [user, assistant] = [Agent::User, Agent::Assistant].map(|agent| &self.models[agent]);
        RunFacts {
            run_id: run_id.clone(),
            seed: *seed,
            total_samples: settings.total_samples,
            languages: settings.languages.clone(),
            normalisation: *normalisation,
            batch_size: settings.batch_size,
            question: plan.question.clone(),
            min_turns: plan.turns.min,
            max_turns: plan.turns.max,
            distribution: match plan.turns.distribution {
                Distribution::Uniform => "uniform".into(),
                Distribution::Poisson => "poisson".into(),
                Distribution::Exponential => "exponential".into(),
            },
            mean: plan.turns.mean.unwrap_or(0.0),
            topics_path: settings.topics_path.clone(),
            topics_variant: plan.topics_variant.clone(),
            topics_probability: plan.topics_probability,
            topics_enabled: settings.topics_enabled,
            top_k: settings.top_k,
            tools: output::Tools::of(&self.toolbox(settings, &self.retriever, Arc::clone).definitions()),
            user_agent: user.name().clone(),
            assistant_agent: assistant.name().clone(),
            persona_applied: !(self.personas.user.is_empty() && self.personas.assistant.is_empty())
                && user.plays_personas()
                && assistant.plays_personas(),
            judge_enabled: self.models.get(Agent::Judge).is_some(),
            judge_granularity: settings.judge.granularity.as_str().into(),
            judge_reasons: settings.judge.reasons.clone(),
            config_dir: settings.config_dir.clone(),
        }
    }
}

/// The knowledge base, read and indexed; what is to be known of it is told.
pub fn knowledge(settings: &Settings, watch: Watch<'_>) -> Result<Knowledge, RunError> {
    let knowledge = waited(knowledge::open(&settings.knowledge, watch))??;
    for warning in &knowledge.warnings {
        tracing::warn!(target: "dlgforge.retrieval", "[vector-db] {warning}");
    }
    let (documents, chunks) = (knowledge.catalogue.sources.len(), knowledge.catalogue.len());
    let vectors = knowledge.embedder.as_ref().map_or("none", |embedder| embedder.name());
    tracing::info!(
        target: "dlgforge.retrieval", "[vector-db] indexed documents={documents} chunks={chunks} vectors={vectors}"
    );
    Ok(knowledge)
}

fn stage<O, F>(work: impl Fn(Arc<InFlight>) -> F + Send + Sync + 'static) -> Stage<O>
where
    F: Future<Output = Result<O, Failure>> + Send + 'static,
{
    Arc::new(move |conversation| Box::pin(work(conversation)))
}

fn judging(review: Review) -> Stage<Judged> {
    let review = Arc::new(review);
    stage(move |conversation| {
        let review = review.clone();
        async move { review.judged(&conversation).await }
    })
}

fn opener(
    settings: &Settings,
    facts: &RunFacts,
    plan: Arc<Plan>,
) -> Arc<dyn Fn(&Opening) -> Conversation + Send + Sync> {
    let (languages, run_id) = (settings.languages.clone(), facts.run_id.clone());
    Arc::new(move |&Opening { slot, wave, .. }| {
        let language = languages[usize::from(slot.language.0)].clone();
        let id = conversation_id(&run_id, &languages, slot);
        let planned = plan.opening(slot);
        Conversation {
            slot,
            wave,
            id: id.into(),
            language,
            target_turns: planned.target_turns,
            user_persona: planned.user_persona,
            assistant_persona: planned.assistant_persona,
            turns: Vec::new(),
            round: Round::default(),
            judgement: None,
            outcome: None,
        }
    })
}

/// The web, asked or not.
fn web(settings: &WebSettings, shared: &Shared, meter: &Arc<SearchMeter>) -> Result<Arc<dyn Web>, RunError> {
    Ok(match settings.is_asked {
        true => Arc::new(Serper::new(&settings.serper, shared, meter.clone())?),
        false => Arc::new(KeptWeb(Kept::default())),
    })
}

pub fn models(settings: &Settings, shared: &Shared) -> Result<Agents<Arc<dyn Model>>, RunError> {
    let connect = |(agent, options): (Agent, &AgentOptions)| {
        let speechless = |language: &&Arc<str>| options.provider == "builtin" && !builtin::speaks(language);
        if let Some(language) = settings.languages.iter().find(speechless) {
            return Err(RunError::Speechless(language.clone(), agent));
        }
        Ok((agent, providers::connect(options, shared)?))
    };
    settings.agents.iter().map(connect).collect()
}

/// Under `coverage.match_language: require` every language has documents.
pub fn check_required(settings: &Settings, catalogue: &Catalogue) -> Result<(), RunError> {
    let required = settings.plan.coverage.match_language == MatchLanguage::Require;
    let is_in = |code: &Arc<str>| catalogue.sources.iter().any(|source| source.language.as_ref() == Some(code));
    let unmatched = |language: &&Arc<str>| required && !Language::of(language).code.is_some_and(|code| is_in(&code));
    match settings.languages.iter().find(unmatched) {
        Some(language) => Err(RunError::Unmatched(language.clone())),
        None => Ok(()),
    }
}

/// Whether questions are compared by their vectors.
pub fn compares_vectors(settings: &Settings) -> bool {
    settings.plan.coverage.near.is_some_and(|near| matches!(near.measure, Measure::Cosine(_)))
}

/// The built-in model speaks of documents in the language of a conversation alone.
pub fn check_documents(settings: &Settings, catalogue: &Catalogue) -> Result<(), RunError> {
    let is_builtin = |agent: &Agent| settings.agents[*agent].provider == "builtin";
    let Some(agent) = [Agent::User, Agent::Assistant].into_iter().find(is_builtin) else { return Ok(()) };
    let has =
        |code: &str| catalogue.sources.iter().any(|source| source.language.as_deref().is_none_or(|own| own == code));
    let unread = |language: &&Arc<str>| builtin::code(language).is_some_and(|code| !has(code));
    match settings.languages.iter().find(unread) {
        Some(language) => Err(RunError::Unread(language.clone(), agent)),
        None => Ok(()),
    }
}

pub fn check_languages(settings: &Settings) -> Result<(), RunError> {
    let mut tags = BTreeMap::new();
    for language in &settings.languages {
        let tag = language_tag(language);
        if let Some(other) = tags.insert(tag.clone(), language.clone()) {
            return Err(RunError::LanguagesCollide(other, language.clone(), tag));
        }
    }
    Ok(())
}

pub fn personas(settings: &Settings) -> Result<Pool, RunError> {
    Ok(match &settings.plan.personas {
        PersonaSource::Off => Pool::default(),
        PersonaSource::Shipped => Pool::shipped()?,
        PersonaSource::Fallback => Pool::fallback(),
        PersonaSource::File(path) => Pool::load(path)?,
        PersonaSource::Rows(path, column) => {
            let file = path.display().to_string();
            let (rows, notes) = knowledge::texts(path, column, PERSONAS_COLUMN)
                .map_err(|detail| PlanError::Rows { file: file.clone(), detail })?;
            notes.iter().for_each(|note| tracing::warn!("{file}: {note}"));
            Pool::of_rows(rows, &file)?
        }
    })
}

pub fn topics(settings: &Settings) -> Result<Option<Arc<Topics>>, RunError> {
    let topics = match &settings.plan.topics {
        TopicSource::Off => None,
        TopicSource::File(path) => Some(Topics::load(path)?),
    };
    for warning in topics.iter().flat_map(Topics::warnings) {
        tracing::warn!(target: "dlgforge.seeds", "[seeds] {warning}");
    }
    Ok(topics.map(Arc::new))
}
