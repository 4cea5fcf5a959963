//! What an output folder tells of the runs that made it, beside their conversations: for statistics and the card.

use super::RunError;
use super::knowledge::waited;
use crate::domain::{Agent, Calibration};
use crate::files::Folder;
use crate::knowledge::KnowledgeError;
use crate::knowledge::embeddings::{Embedder, EmbeddingOptions, embedder};
use crate::output::{Choice, Table, labels};
use crate::publish::source::Source;
use crate::publish::stats::{NearestNeighbour, Report, RunFigures, Statistics, nearest_neighbour, people};
use crate::publish::view::{DIALOGUE_COLUMNS, dialogues};
use crate::publish::{Dialogue, ExportError};
use crate::settings::paths::SEED;
use crate::settings::sources::{ENDPOINT_MODELS, KNOWLEDGE, PROMPTS};
use crate::store::{Cost, Run};
use std::collections::BTreeSet;
use std::path::Path;

/// The settings that a card tells, where they are set.
const TOLD: [&str; 22] = [
    "run.target_languages",
    "run.total_samples",
    "run.turns.min",
    "run.turns.max",
    "run.turns.distribution",
    "coverage.modes",
    "coverage.registers",
    "coverage.words.mean",
    "coverage.candidates",
    "coverage.linked",
    "coverage.match_language",
    "coverage.normalisation",
    "tools.retrieval.mode",
    "tools.retrieval.top_k",
    "tools.retrieval.chunking.strategy",
    "tools.retrieval.chunking.chunk_size",
    "judge.granularity",
    "judge.jury",
    "judge.accept.min_score",
    "judge.accept.on_fail",
    "checks.reject",
    "checks.on_fail",
];

/// The runs of an output folder.
#[derive(Debug, Default)]
pub(super) struct Dataset {
    runs: Vec<Run>,
    /// What they know that their conversations don't tell.
    pub figures: RunFigures,
    /// How the judge scored spoiled answers.
    pub calibration: Calibration,
}

impl Dataset {
    /// The runs of an output folder; none where it has no store. Where that is on a server, `dsn` is its connection string.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn of(outputs: &Path, dsn: Option<&str>) -> Result<Option<Self>, RunError> {
        let Some(folder) = Folder::find(outputs, dsn)? else { return Ok(None) };
        let mut dataset = Self::default();
        let (mut cost, mut documents) = (Cost::default(), BTreeSet::new());
        for run in folder.runs.iter().chain(&folder.passes) {
            let spent = folder.store.spent(&run.id)?;
            cost = spent.iter().fold(cost, |sum, one| sum.plus(one.cost));
        }
        for run in &folder.runs {
            documents.extend(run.manifest.keys().filter(|key| key.starts_with(KNOWLEDGE)).cloned());
            for settled in folder.store.settled(&run.id)? {
                dataset.figures.duplicates_rejected += u64::from(settled.duplicates);
                dataset.calibration.add(settled.turns.calibration);
                if let Some((reason, _)) = settled.dropped {
                    *dataset.figures.dropped.entry(reason).or_default() += 1;
                }
            }
        }
        dataset.figures.documents = (!documents.is_empty()).then_some(documents.len() as u64);
        dataset.figures.cost_usd = (cost.unpriced == 0).then_some(cost.nanousd as f64 / 1e9);
        dataset.runs.clone_from(&folder.runs);
        Ok(Some(dataset))
    }

    /// The models that each agent had, over all runs.
    pub fn models(&self) -> Vec<(&'static str, String)> {
        let of = |agent: Agent| (agent.as_str(), self.values(|run| Some(model_of(run, agent))).join("; "));
        [Agent::User, Agent::Assistant, Agent::Judge]
            .map(of)
            .into_iter()
            .filter(|(_, model)| !model.is_empty())
            .collect()
    }

    /// Whether the built-in model asked or answered.
    pub fn is_demonstration(&self) -> bool {
        let writes = [Agent::User, Agent::Assistant];
        writes.into_iter().any(|agent| self.runs.iter().any(|run| model_of(run, agent) == BUILTIN))
    }

    /// The digests of the prompts, by name.
    pub fn prompts(&self) -> Vec<(String, String)> {
        let names: BTreeSet<&str> =
            self.runs.iter().flat_map(|run| run.manifest.keys()).filter_map(|key| key.strip_prefix(PROMPTS)).collect();
        let told = |name: &str| (name.to_owned(), self.setting(&format!("{PROMPTS}{name}")));
        names.into_iter().map(told).collect()
    }

    /// The seeds of the runs.
    pub fn seed(&self) -> String {
        self.setting(SEED)
    }

    /// The settings that matter to readers, and their values over all runs.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        TOLD.into_iter().map(|key| (key, self.setting(key))).filter(|(_, value)| !value.is_empty()).collect()
    }

    fn setting(&self, key: &str) -> String {
        self.values(|run| run.manifest.get(key).cloned()).join("; ")
    }

    /// What runs have, each value once, in the order of the runs.
    fn values(&self, of: impl Fn(&Run) -> Option<String>) -> Vec<String> {
        let mut values: Vec<String> = Vec::new();
        for value in self.runs.iter().filter_map(of).filter(|value| !value.is_empty()) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }
}

/// The name of the built-in model.
const BUILTIN: &str = "builtin";

/// The models of an agent, `provider/model`; empty where it had none.
fn model_of(run: &Run, agent: Agent) -> String {
    let told = |key: String| run.manifest.get(&key).map_or("", String::as_str);
    let [provider, model] = ["provider", "model"].map(|key| told(format!("llm.agents.{agent}.{key}")));
    let endpoints = told(format!("llm.agents.{agent}, {}", ENDPOINT_MODELS));
    let models = if endpoints.is_empty() { model } else { endpoints };
    [provider, models].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

/// The statistics of the conversations of an output folder, or of a table of them.
///
/// # Errors
/// When there are none, or they can't be read.
pub(super) fn statistics(source: &Source, told_as: &str, figures: Option<RunFigures>) -> Result<Report, RunError> {
    Ok(counted(source, &mut |_| {})?.report(told_as, figures))
}

/// The statistics of a table, each conversation of which is also heard of.
fn counted(source: &Source, hear: &mut (dyn FnMut(&Dialogue<'_>) + Send)) -> Result<Statistics, RunError> {
    let columns = source.columns(&DIALOGUE_COLUMNS);
    let (parts, mut statistics) = (source.parts(), Statistics::default());
    let mut unread = parts.iter();
    let mut read = || unread.next().map(|part| part.read(&columns));
    let mut next = read();
    while let Some(batches) = next {
        let batches = batches?;
        let count = || {
            for batch in &batches {
                let conversations: Vec<_> = dialogues(batch).collect();
                conversations.iter().for_each(&mut *hear);
                statistics.add(&conversations);
            }
        };
        ((), next) = rayon::join(count, &mut read);
    }
    Ok(statistics)
}

/// Vectors of so many texts are asked for at a time.
const EMBEDDED: usize = 64;

/// The figures of these messages, by the vectors of a model.
async fn near(texts: Vec<String>, embedder: &dyn Embedder) -> Result<Option<NearestNeighbour>, KnowledgeError> {
    let mut vectors = Vec::new();
    for texts in texts.chunks(EMBEDDED) {
        vectors.extend(embedder.embed(texts.to_vec()).await?);
    }
    Ok(nearest_neighbour(&vectors, embedder.name()))
}

/// The statistics of an output folder, as `dlgforge stats` shows them; `dsn` as there. With a model that embeds they tell how near
/// messages are to each other in meaning.
///
/// # Errors
/// When it has no conversations, or they can't be read; when there is no such model, or it fails.
pub fn stats(outputs: &Path, dsn: Option<&str>, embeddings: Option<&EmbeddingOptions>) -> Result<Report, RunError> {
    let source = Source::open(outputs, Table::Conversations)?;
    let embedder = match embeddings {
        None => None,
        Some(options) => Some(embedder(options)?.ok_or_else(|| {
            ExportError::Option(
                "--embeddings: `tools.retrieval.embeddings` makes no vectors, for its backend is lexical, or its model is not there \
                 (`dlgforge fetch embeddings` gets it)"
                    .to_owned(),
            )
        })?),
    };
    let runs = || if outputs.is_dir() { Dataset::of(outputs, dsn) } else { Ok(None) };
    let (labels, mut labelled) = (labels(outputs)?, Vec::new());
    let mut hear = |conversation: &Dialogue<'_>| {
        let label = labels.get(conversation.id).and_then(|label| label.label);
        labelled.extend(label.map(|label| (label == Choice::Keep, conversation.score)));
    };
    let (runs, counted) = rayon::join(runs, || counted(&source, &mut hear));
    let (figures, counted) = (runs?.map(|dataset| dataset.figures), counted?);
    let [asked, answered] = counted.samples();
    let mut report = counted.report(&source.told(), figures);
    report.people = people(&labelled);
    if let Some(embedder) = embedder {
        report.diversity.user.nearest_neighbour = waited(near(asked, &*embedder))??;
        report.diversity.assistant.nearest_neighbour = waited(near(answered, &*embedder))??;
    }
    Ok(report)
}
