//! What can be done with the knowledge base alone: build its index, search it, get what embedding needs.

use super::{RunError, Terminal};
use crate::domain::Place;
use crate::knowledge::embeddings::{self, FetchError, Fetched, Origin};
use crate::knowledge::{self, Hit, Knowledge, KnowledgeError, Ranked};
use crate::settings::KnowledgeSettings;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Characters of a passage that a search shows.
const SHOWN: usize = 400;

/// What building an index came to.
pub struct Indexed {
    documents: usize,
    chunks: usize,
    vectors: Option<String>,
    folder: PathBuf,
    took: Duration,
}

/// What a search found: the passages and how they were ranked.
pub struct Found {
    hits: Vec<(Hit, Passage)>,
}

struct Passage {
    source: String,
    context: String,
    text: String,
}

/// Does something that waits, on this thread.
pub(super) fn waited<T>(work: impl Future<Output = T>) -> Result<T, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::Runtime)?;
    Ok(runtime.block_on(work))
}

fn opened(settings: &KnowledgeSettings, terminal: &Terminal) -> Result<Knowledge, RunError> {
    let knowledge = waited(knowledge::open(&settings.knowledge, &|progress| terminal.show(progress)))??;
    knowledge.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    Ok(knowledge)
}

/// Reads the documents, and builds or updates the index.
///
/// # Errors
/// When they can't be read, or the index can't be built.
pub fn index(settings: &KnowledgeSettings, terminal: &Terminal) -> Result<Indexed, RunError> {
    let began = Instant::now();
    let Knowledge { catalogue, embedder, .. } = opened(settings, terminal)?;
    Ok(Indexed {
        documents: catalogue.sources.len(),
        chunks: catalogue.len(),
        vectors: embedder.map(|embedder| embedder.name().to_owned()),
        folder: settings.knowledge.index_folder.clone(),
        took: began.elapsed(),
    })
}

impl fmt::Display for Indexed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "documents  {}", self.documents)?;
        writeln!(f, "chunks     {}", self.chunks)?;
        let vectors = self.vectors.as_deref().unwrap_or("none: passages are found by their words");
        writeln!(f, "vectors    {vectors}")?;
        writeln!(f, "index      {}", self.folder.display())?;
        writeln!(f, "time       {:.1} s", self.took.as_secs_f64())
    }
}

/// The `k` passages that fit a query best, as the assistant would find them.
///
/// # Errors
/// When the knowledge base can't be read or searched.
pub fn search(settings: &KnowledgeSettings, query: &str, k: usize, terminal: &Terminal) -> Result<Found, RunError> {
    let Knowledge { catalogue, retriever, .. } = opened(settings, terminal)?;
    let hits = waited(retriever.search(Place::default(), query, k))??;
    let passage = |hit: Hit| {
        let chunk = catalogue.chunk(hit.chunk);
        let source = &catalogue.source(chunk.source).path;
        let source =
            format!("{source}#chunk{}, characters {} to {}", chunk.chunk_index, chunk.char_start, chunk.char_end);
        (hit, Passage { source, context: chunk.context.to_string(), text: chunk.text.to_string() })
    };
    Ok(Found { hits: hits.into_iter().map(passage).collect() })
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.hits.is_empty() {
            return writeln!(f, "no passage has any of these words");
        }
        for (at, (hit, Passage { source, context, text })) in self.hits.iter().enumerate() {
            write!(f, "{}. {source}\n   ", at + 1)?;
            let stages = [("words", hit.lexical), ("vectors", hit.vector), ("reranker", hit.rerank)];
            let told = stages.into_iter().filter_map(|(name, place)| Some((name, place?)));
            let told = told.map(|(name, Ranked { rank, score })| format!("{name}: rank {rank}, score {score:.4}"));
            writeln!(f, "{}", told.collect::<Vec<_>>().join("; "))?;
            if !context.is_empty() {
                writeln!(f, "   {context}")?;
            }
            let mut shown: String = text.chars().take(SHOWN).collect();
            if shown.len() < text.len() {
                shown.push('…');
            }
            shown.lines().try_for_each(|line| writeln!(f, "   | {line}"))?;
        }
        Ok(())
    }
}

/// Gets what embedding needs into the cache folders, from a folder or from the net.
///
/// # Errors
/// When something can't be had, kept, or used.
pub fn fetch(settings: &KnowledgeSettings, from: Option<&Origin>) -> Result<GotEmbeddings, RunError> {
    let options = &settings.knowledge.embeddings;
    let fetched = waited(embeddings::fetch(options, from.unwrap_or(&settings.origin)))??;
    // It is seen to work before it is said to be there.
    let options = embeddings::EmbeddingOptions { backend: embeddings::Backend::Fastembed, ..options.clone() };
    let embedder = embeddings::embedder(&options)?.ok_or_else(|| KnowledgeError::Missing(options.model.clone()))?;
    let made = waited(embedder.embed(vec!["a lighthouse".to_owned()]))??;
    Ok(GotEmbeddings { fetched, model: options.model, dimensions: made.first().map_or(0, Vec::len) })
}

/// What there is to embed with.
pub struct GotEmbeddings {
    fetched: Fetched,
    model: String,
    dimensions: usize,
}

impl fmt::Display for GotEmbeddings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fetched { runtime, model } = &self.fetched;
        writeln!(f, "library  {}", runtime.display())?;
        let place = model.as_ref().map_or("was there".to_owned(), |folder| folder.display().to_string());
        writeln!(f, "model    {}, {} dimensions: {place}", self.model, self.dimensions)
    }
}

impl From<FetchError> for RunError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Unusable(error) => Self::Knowledge(error),
            error => Self::Fetch(error),
        }
    }
}
