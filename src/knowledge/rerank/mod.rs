//! Passages that a search has found are ranked again by a model that reads the query and each of them together.

mod command;
mod http;
mod local;

use super::retriever::READ;
use super::{Hit, KnowledgeError, Ranked, Retriever, Searching};
use crate::domain::text::beginning;
use crate::domain::{Catalogue, Place};
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

/// `tools.retrieval.reranker`, where it is enabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RerankOptions {
    /// What it is that ranks.
    pub backend: RerankBackend,
    /// The model: its name on the Hub or the server, or a folder with its files.
    pub model: String,
    /// Passages that are ranked for a search, at least as many as it asks for.
    pub candidates: usize,
    /// Passages that the model reads at a time.
    pub batch_size: usize,
    /// What models that take instructions are told.
    pub instruction: String,
    /// Tokens of a query and a passage that are read at most.
    pub max_length: usize,
    /// ONNX Runtime's library; none to look for it.
    pub runtime: Option<PathBuf>,
    /// Seconds allowed to one ranking.
    pub timeout: u64,
}

impl RerankOptions {
    /// All that a ranking follows from beside the query and the passages, for a manifest.
    pub fn told(&self) -> String {
        let Self { backend, model, candidates, instruction, max_length, .. } = self;
        let backend = match backend {
            RerankBackend::Fastembed => "fastembed".to_owned(),
            RerankBackend::Http { .. } => "http".to_owned(),
            RerankBackend::Command(words) => words.join(" "),
        };
        format!("{backend} {model} {candidates} {max_length} {instruction}")
    }
}

/// What it is that ranks passages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RerankBackend {
    /// A cross-encoder in this process.
    Fastembed,
    /// A server's `/rerank`: vLLM, TEI, or one of Jina's form.
    Http {
        /// The root of its API.
        base_url: String,
        /// The key that it takes; empty for none.
        api_key: String,
    },
    /// A program that reads a ranking a line from its input and writes the scores to its output; in words.
    Command(Vec<String>),
}

/// The future of scores, one for each passage, greater for a better one.
pub(super) type Scoring<'a> = Pin<Box<dyn Future<Output = Result<Vec<f32>, KnowledgeError>> + Send + 'a>>;

/// Tells how well passages answer a query.
pub(super) trait Reranker: Send + Sync {
    /// The score of each passage.
    fn score<'a>(&'a self, query: &'a str, passages: Vec<String>) -> Scoring<'a>;
}

/// Ranks what another retriever finds.
pub(super) struct Reranked {
    retriever: Arc<dyn Retriever>,
    reranker: Box<dyn Reranker>,
    catalogue: Arc<Catalogue>,
    candidates: usize,
}

impl Reranked {
    /// Loads the model, or starts the program.
    ///
    /// # Errors
    /// When that can't be done.
    pub fn load(
        options: &RerankOptions,
        retriever: Arc<dyn Retriever>,
        catalogue: Arc<Catalogue>,
    ) -> Result<Self, KnowledgeError> {
        let reranker: Box<dyn Reranker> = match &options.backend {
            RerankBackend::Fastembed => Box::new(local::CrossEncoder::load(options)?),
            RerankBackend::Http { base_url, api_key } => Box::new(http::Server::new(options, base_url, api_key)?),
            RerankBackend::Command(words) => Box::new(command::Program::new(options, words)),
        };
        Ok(Self { retriever, reranker, catalogue, candidates: options.candidates })
    }
}

impl Retriever for Reranked {
    fn search<'a>(&'a self, place: Place, query: &'a str, k: usize) -> Searching<'a> {
        Box::pin(async move {
            let mut hits = self.retriever.search(place, query, self.candidates.max(k)).await?;
            if hits.is_empty() {
                return Ok(hits);
            }
            let passages = hits.iter().map(|hit| self.catalogue.chunk(hit.chunk).text.to_string()).collect();
            let scores = self.reranker.score(beginning(query, READ), passages).await?;
            rank(&mut hits, &scores);
            hits.truncate(k);
            Ok(hits)
        })
    }
}

/// Puts hits into the order of their scores; equal ones stay as they were.
fn rank(hits: &mut [Hit], scores: &[f32]) {
    for (hit, score) in hits.iter_mut().zip(scores) {
        hit.score = *score;
    }
    hits.sort_by(|one, other| other.score.total_cmp(&one.score));
    for (hit, rank) in hits.iter_mut().zip(1..) {
        hit.rerank = Some(Ranked { rank, score: hit.score });
    }
}

/// A query as a model of Qwen's rerankers takes it.
fn instructed(model: &str, instruction: &str, query: &str) -> String {
    if !instruction.is_empty() && model.to_ascii_lowercase().contains("qwen3-reranker") {
        format!("<Instruct>: {instruction}\n<Query>: {query}")
    } else {
        query.to_owned()
    }
}

/// Demands one usable score for each passage.
fn usable(
    scores: Vec<f32>,
    passages: usize,
    wrong: impl FnOnce(String) -> KnowledgeError,
) -> Result<Vec<f32>, KnowledgeError> {
    if scores.len() == passages && scores.iter().all(|score| score.is_finite()) {
        Ok(scores)
    } else {
        Err(wrong(format!("it gave {} scores for {passages} passages", scores.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ChunkIndex;

    #[test]
    fn scores_decide_and_equal_ones_stay_as_they_were() {
        let mut hits = [4, 2, 9].map(|chunk| Hit::of(ChunkIndex(chunk)));
        rank(&mut hits, &[0.5, 0.9, 0.5]);
        assert_eq!(hits.map(|hit| hit.chunk.0), [2, 4, 9]);
        assert_eq!(
            hits.map(|hit| hit.rerank),
            [(1, 0.9), (2, 0.5), (3, 0.5)].map(|(rank, score)| Some(Ranked { rank, score }))
        );
    }

    #[test]
    fn only_models_that_take_instructions_are_told() {
        assert_eq!(instructed("Qwen/Qwen3-Reranker-4B", "Rank.", "q"), "<Instruct>: Rank.\n<Query>: q");
        assert_eq!(instructed("BAAI/bge-reranker-base", "Rank.", "q"), "q");
        assert_eq!(instructed("Qwen/Qwen3-Reranker-4B", "", "q"), "q");
    }
}
