//! Everything that a run's data follow from beside the replies, by name: what must not change before it goes on.
//!
//! What can't alter the data is left out: addresses, keys, time-outs, retries, threads, where files go.

use super::identity::{BATCH_SIZE, Identity, LANGUAGES, NORMALISATION, SEED};
use super::inputs::Sources;
use crate::domain::Normalisation;
use crate::providers::AgentOptions;
use crate::settings::Settings;
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::xxh3_128;

/// The manifest of a run with these settings.
pub fn manifest(settings: &Settings, sources: &Sources, identity: &Identity) -> BTreeMap<String, String> {
    let mut manifest = BTreeMap::new();
    let mut tell = |key: &str, value: String| _ = manifest.insert(key.to_owned(), value);
    tell("dlgforge", env!("CARGO_PKG_VERSION").to_owned());
    tell(SEED, identity.seed.to_string());
    tell(BATCH_SIZE, settings.batch_size.to_string());
    tell("run.lookahead", settings.lookahead.to_string());
    tell("run.total_samples", settings.total_samples.to_string());
    tell(LANGUAGES, serde_json::json!(settings.languages).to_string());
    tell("run.reuse_from", settings.reuse_from.clone().unwrap_or_default());
    let plan = &settings.plan;
    tell("run.turns.min", plan.turns.min.to_string());
    tell("run.turns.max", plan.turns.max.to_string());
    tell("run.turns.distribution", format!("{:?}", plan.turns.distribution).to_lowercase());
    tell("run.turns.mean", plan.turns.mean.map_or_else(String::new, |mean| mean.to_string()));
    tell("run.data.seeding.question", plan.question.clone());
    tell("run.data.seeding.topics.path", settings.topics_path.clone());
    tell("run.data.seeding.topics.enabled", settings.topics_enabled.to_string());
    tell("run.data.seeding.topics.variant", plan.topics_variant.clone());
    tell("run.data.seeding.topics.probability", plan.topics_probability.to_string());
    tell("coverage.doc_coverage_mode", if plan.coverage.balanced { "balanced" } else { "off" }.to_owned());
    tell("coverage.doc_coverage_epsilon", plan.coverage.epsilon.to_string());
    tell("coverage.doc_coverage_fraction", plan.coverage.fraction.to_string());
    tell("coverage.document_language", if plan.coverage.own_language { "own" } else { "any" }.to_owned());
    tell("coverage.question_dedup_retries", plan.coverage.dedup_retries.to_string());
    if identity.normalisation != Normalisation::Compatible {
        // A run that an earlier release began goes on.
        tell(NORMALISATION, identity.normalisation.as_str().to_owned());
    }
    tell("coverage.require_retrieval", settings.answers.require_retrieval.to_string());
    tell("tools.retrieval.mode", settings.answers.retrieval.as_str().to_owned());
    tell("llm.agents.assistant.trace", if settings.answers.full_trace { "full" } else { "light" }.to_owned());
    tell("tools.retrieval.top_k", settings.top_k.to_string());
    tell("tools.retrieval.chunking.strategy", settings.knowledge.strategy.as_str().to_owned());
    tell("tools.retrieval.chunking.chunk_size", settings.knowledge.chunk_size.to_string());
    tell("tools.retrieval.chunking.chunk_overlap", settings.knowledge.chunk_overlap.to_string());
    tell("judge.mode", if settings.judge.is_some() { "online" } else { "offline" }.to_owned());
    tell("judge.granularity", settings.judge_granularity.as_str().to_owned());
    tell("judge.reasons", settings.judge_reasons.join(", "));
    let accept = &settings.judge_accept;
    let required = [("question_ok", accept.question_ok), ("answer_ok", accept.answer_ok)];
    let required: Vec<&str> = required.into_iter().filter(|(_, wanted)| *wanted).map(|(name, _)| name).collect();
    tell("judge.accept.min_score", accept.min_score.to_string());
    tell("judge.accept.require", required.join(", "));
    tell("judge.accept.on_fail", if accept.drop { "drop" } else { "keep" }.to_owned());
    tell("saving.keep_dropped_rows", settings.output.keep_dropped_rows.to_string());
    let columns = &settings.output.columns;
    for (key, name) in [
        ("messages", &columns.messages),
        ("messages_with_tools", &columns.messages_with_tools),
        ("tools", &columns.tools),
        ("metadata", &columns.metadata),
        ("user_reasoning", &columns.user_reasoning),
        ("assistant_reasoning", &columns.assistant_reasoning),
        ("judge", &columns.judge),
    ] {
        tell(&format!("saving.output_columns.{key}"), name.clone());
    }
    tell("the configuration's folder", settings.config_dir.clone());
    // Rows tell of files from the root.
    let outputs = settings.output.folder.strip_prefix(&settings.root).map_or_else(
        |_| settings.output.folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        |inside| inside.to_string_lossy().into_owned(),
    );
    tell("saving.output_dir", outputs);
    let judge = settings.judge.as_ref().map(|(agent, _)| agent);
    [Some(&settings.user), Some(&settings.assistant), judge]
        .into_iter()
        .flatten()
        .for_each(|agent| tell_agent(agent, &mut tell));
    tell("personas", digest(format!("{:?}", sources.personas).as_bytes()));
    for language in &settings.languages {
        let topics = sources.topics.as_ref().map(|topics| topics.select(&plan.topics_variant, language));
        tell(&format!("topics for {language}"), digest(format!("{topics:?}").as_bytes()));
    }
    for (name, source) in sources.prompts.sources() {
        tell(&format!("prompts/{name}"), digest(source.as_bytes()));
    }
    let catalogue = &sources.catalogue;
    for source in &catalogue.sources {
        let chunks = &catalogue.chunks[source.chunks.start as usize..source.chunks.end as usize];
        let text: Vec<&str> = chunks.iter().map(|chunk| &*chunk.text).collect();
        tell(&format!("knowledge/{}", source.path), digest(text.join("\0").as_bytes()));
    }
    manifest
}

fn tell_agent(agent: &AgentOptions, tell: &mut impl FnMut(&str, String)) {
    let optional = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let role = agent.role;
    tell(&format!("llm.agents.{role}.provider"), agent.provider.clone());
    tell(&format!("llm.agents.{role}.model"), agent.model.clone());
    // Wherever it is asked.
    let models: BTreeSet<&str> = agent.endpoints.iter().map(|endpoint| endpoint.model.as_str()).collect();
    tell(&format!("llm.agents.{role}, models of its endpoints"), Vec::from_iter(models).join(", "));
    tell(&format!("llm.agents.{role}.temperature"), optional(agent.temperature));
    tell(&format!("llm.agents.{role}.top_p"), optional(agent.top_p));
    tell(&format!("llm.agents.{role}.max_tokens"), agent.max_tokens.map_or_else(String::new, |most| most.to_string()));
    // Not as it is: what stands in it is the user's own business.
    let extra = serde_json::Value::Object(agent.extra.clone()).to_string();
    tell(&format!("llm.agents.{role}.extra"), digest(extra.as_bytes()));
}

fn digest(bytes: &[u8]) -> String {
    format!("xxh3:{:032x}", xxh3_128(bytes))
}
