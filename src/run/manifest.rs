//! Everything that a run's data follow from beside the replies, by name: what must not change before it goes on.
//!
//! Which keys these are, and how their values are told, stands with the keys. What can't alter the data is left out:
//! addresses, keys of providers, time-outs, retries, threads, where files go.

use super::identity::Identity;
use super::inputs::Sources;
use crate::domain::{Agent, Normalisation};
use crate::output::FORMAT_VERSION;
use crate::providers::AgentOptions;
use crate::settings::paths::NORMALISATION;
use crate::settings::sources::{
    EMBEDDINGS, ENDPOINT_MODELS, FORMAT, HELD_OUT, KNOWLEDGE, MERGED, PERSONAS, PROMPTS, RERANKER, SHARD, WEB,
};
use crate::settings::{NEXT_JUDGE, Settings, WebSettings, digest};
use std::collections::{BTreeMap, BTreeSet};

/// The models that an agent is asked for, wherever it is asked, and the key they stand under: those of each judge of a jury.
pub fn endpoint_models(settings: &Settings, agent: Agent) -> (String, String) {
    let models_of = |options: &AgentOptions| {
        let models: BTreeSet<&str> = options.endpoints.iter().map(|endpoint| endpoint.model.as_str()).collect();
        Vec::from_iter(models).join(", ")
    };
    let each: Vec<String> = settings.agents.all(agent).iter().map(models_of).collect();
    (format!("llm.agents.{agent}, {ENDPOINT_MODELS}"), each.join(NEXT_JUDGE))
}

/// What makes vectors, and what for; none where nothing does.
pub fn embeddings(settings: &Settings, sources: &Sources) -> Option<String> {
    let embedder = sources.embedder.as_ref()?;
    Some(format!("{:?} {}", settings.knowledge.ranking, embedder.name()))
}

/// The manifest of a run with these settings.
pub fn manifest(settings: &Settings, sources: &Sources, identity: &Identity) -> BTreeMap<String, String> {
    // What the run's name and its folder have decided.
    let mut settings = settings.clone();
    settings.plan.seed = Some(identity.seed);
    settings.plan.coverage.normalisation = identity.normalisation;
    let mut manifest: BTreeMap<_, _> = settings.fixed().map(|(key, value)| (key.to_owned(), value)).collect();
    if identity.normalisation == Normalisation::Compatible {
        // A run that an earlier release began goes on.
        manifest.remove(NORMALISATION);
    }
    let mut tell = |key: &str, value: String| _ = manifest.insert(key.to_owned(), value);
    tell("dlgforge", env!("CARGO_PKG_VERSION").to_owned());
    tell(FORMAT, FORMAT_VERSION.to_string());
    if let Some(shard) = settings.shard {
        tell(SHARD, shard.to_string());
    }
    if let Some(merged) = &identity.merged {
        tell(MERGED, merged.to_string());
    }
    tell("the configuration's folder", settings.config_dir.clone());
    for agent in Agent::ALL.into_iter().filter(|agent| settings.agents.get(*agent).is_some()) {
        let (key, models) = endpoint_models(&settings, agent);
        tell(&key, models);
    }
    if let Some(WebSettings { results, domains, .. }) = &settings.web_search {
        tell(WEB, format!("{results} results, {domains}"));
    }
    tell(PERSONAS, digest(format!("{:?}", sources.personas).as_bytes()));
    for language in &settings.languages {
        let topics = sources.topics.as_ref().map(|topics| topics.select(&settings.plan.topics_variant, language));
        tell(&format!("topics for {language}"), digest(format!("{topics:?}").as_bytes()));
    }
    for (name, source) in sources.prompts.sources() {
        tell(&format!("{PROMPTS}{name}"), digest(source.as_bytes()));
    }
    for source in &sources.catalogue.sources {
        tell(&format!("{KNOWLEDGE}{}", source.path), source.digest.to_string());
    }
    // Of a run without them an earlier release tells the same.
    if let Some((_, digest)) = &sources.held_out {
        tell(HELD_OUT, digest.clone());
    }
    if let Some(embeddings) = embeddings(&settings, sources) {
        tell(EMBEDDINGS, embeddings);
    }
    if let Some(reranker) = &settings.knowledge.reranker {
        tell(RERANKER, reranker.told());
    }
    manifest
}
