//! Retrieval, whatever does it.

use super::{Hit, Index, KnowledgeError};
use std::future::{Future, ready};
use std::pin::Pin;

/// The future of a search: chunks, best first.
pub type Searching<'a> = Pin<Box<dyn Future<Output = Result<Vec<Hit>, KnowledgeError>> + Send + 'a>>;

/// Finds the chunks that fit a query best. What it is asked and what it answers is all that stages know of it: it may look
/// up words in memory, or ask a model for vectors and wait.
///
/// ```
/// # use dlgforge::knowledge::{Index, Retriever};
/// # use dlgforge::domain::{Catalogue, Chunk, ChunkIndex, Source, SourceIndex};
/// # let chunk = |at: u32, text: &str| Chunk {
/// #     id: format!("0-{at}"), text: text.into(), context: "".into(), source: SourceIndex(0), chunk_index: at,
/// #     char_start: 0, char_end: 0,
/// # };
/// # let source = Source { path: "pump.md".to_owned(), language: Some("en".into()), chunks: 0..2 };
/// # let chunks = vec![chunk(0, "Wash the filters."), chunk(1, "The fan has two stages.")];
/// # let index = Index::build(Catalogue { sources: vec![source], chunks }.into(), &|_| ())?;
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let retriever: &dyn Retriever = &index; // of two chunks: "Wash the filters." and "The fan has two stages."
/// let hits = retriever.search("stages of the fan", 4).await?;
/// assert_eq!(hits[0].chunk, ChunkIndex(1));
/// # Ok::<(), dlgforge::knowledge::KnowledgeError>(())
/// # })?;
/// # Ok::<(), dlgforge::knowledge::KnowledgeError>(())
/// ```
pub trait Retriever: Send + Sync {
    /// The best `k` chunks for a query in any words, best first; less where less fit. The same query finds the same chunks
    /// for as long as the knowledge base is the same.
    fn search<'a>(&'a self, query: &'a str, k: usize) -> Searching<'a>;
}

impl Retriever for Index {
    fn search<'a>(&'a self, query: &'a str, k: usize) -> Searching<'a> {
        Box::pin(ready(self.best(query, k)))
    }
}
