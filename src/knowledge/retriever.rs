//! Retrieval, whatever does it.

use super::{Index, KnowledgeError};
use crate::domain::{ChunkIndex, Place};
use serde::{Deserialize, Serialize};
use std::future::{Future, ready};
use std::pin::Pin;

/// A chunk that a search found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// Which chunk of the catalogue it is.
    pub chunk: ChunkIndex,
    /// What it is ranked by: greater is better, comparable within one query only.
    pub score: f32,
    /// Its place among the chunks that share words with the query, and its BM25 score.
    pub lexical: Option<Ranked>,
    /// Its place among the chunks whose vectors are near that of the query, and the cosine of the two.
    pub vector: Option<Ranked>,
    /// Its place among what the reranker was given, and the score that it gave.
    pub rerank: Option<Ranked>,
}

impl Hit {
    /// A chunk that nothing has ranked yet.
    pub fn of(chunk: ChunkIndex) -> Self {
        Self { chunk, score: 0.0, lexical: None, vector: None, rerank: None }
    }
}

/// What one stage of a search made of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// Its rank, from 1.
    pub rank: u32,
    /// Its score: greater is better.
    pub score: f32,
}

/// Chunks with their scores, best first, as hits of one stage.
pub(super) fn ranked(found: Vec<(ChunkIndex, f32)>) -> impl Iterator<Item = (ChunkIndex, Ranked)> {
    found.into_iter().zip(1..).map(|((chunk, score), rank)| (chunk, Ranked { rank, score }))
}

/// Characters of a query that models read: they take their time for each, and servers refuse what is longer than their model.
pub(super) const READ: usize = 400;

/// The future of a search: chunks, best first.
pub type Searching<'a> = Pin<Box<dyn Future<Output = Result<Vec<Hit>, KnowledgeError>> + Send + 'a>>;

/// Finds the chunks that fit a query best. What it is asked and what it answers is all that stages know of it: it may look
/// up words in memory, or ask a model for vectors and wait.
///
/// ```
/// # use dlgforge::knowledge::{Index, Retriever};
/// # use dlgforge::domain::{Catalogue, Chunk, ChunkIndex, Place, Source, SourceIndex};
/// # let chunk = |at: u32, text: &str| Chunk {
/// #     id: format!("0-{at}"), text: text.into(), context: "".into(), source: SourceIndex(0), chunk_index: at,
/// #     char_start: 0, char_end: 0,
/// # };
/// # let (path, language) = ("pump.md".to_owned(), Some("en".into()));
/// # let source = Source { path, language, digest: "".into(), chunks: 0..2 };
/// # let chunks = vec![chunk(0, "Wash the filters."), chunk(1, "The fan has two stages.")];
/// # let catalogue = Catalogue::new(vec![source], std::sync::Arc::new(chunks));
/// # let index = Index::build(catalogue.into(), &|_| ())?;
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let retriever: &dyn Retriever = &index; // of two chunks: "Wash the filters." and "The fan has two stages."
/// let hits = retriever.search(Place::default(), "stages of the fan", 4).await?;
/// assert_eq!(hits[0].chunk, ChunkIndex(1));
/// # Ok::<(), dlgforge::knowledge::KnowledgeError>(())
/// # })?;
/// # Ok::<(), dlgforge::knowledge::KnowledgeError>(())
/// ```
pub trait Retriever: Send + Sync {
    /// The best `k` chunks for a query in any words, best first; less where less fit. It is made for this place of the run, on
    /// which what is found does not depend.
    fn search<'a>(&'a self, place: Place, query: &'a str, k: usize) -> Searching<'a>;
}

impl Retriever for Index {
    fn search<'a>(&'a self, _: Place, query: &'a str, k: usize) -> Searching<'a> {
        let hit = |(chunk, place): (_, Ranked)| Hit { score: place.score, lexical: Some(place), ..Hit::of(chunk) };
        Box::pin(ready(self.best(query, k).map(|found| ranked(found).map(hit).collect())))
    }
}
