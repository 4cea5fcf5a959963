//! A look at the knowledge base: what a run would read, and whether the index is up to date. Nothing of it changes.

use super::embeddings::{self, Embedder};
use super::rerank::Reranked;
use super::{Anew, Knowledge, KnowledgeError, Options, Watch, index, inventory, open_with, vectors, vectors_digest};
use crate::domain::{ChunkIndex, Place};
use std::path::Path;
use std::sync::Arc;

/// What a look at the knowledge base finds.
pub struct Seen {
    /// The knowledge base, searched by words alone.
    pub knowledge: Knowledge,
    /// What makes vectors; none where passages are found by their words alone.
    pub embedder: Result<Option<Arc<dyn Embedder>>, KnowledgeError>,
    /// Files that the next run reads anew.
    pub read_anew: usize,
    /// Whether the index folder has all that a run would find passages by.
    pub is_current: bool,
}

/// Reads the documents as [`open`](super::open) does, with what the index folder keeps of them, and leaves that folder as it is:
/// what is made lies in `scratch`, an empty folder that must outlive what is seen. No program of `tools.retrieval.convert` is
/// run, and nothing is embedded.
///
/// # Errors
/// As [`open`](super::open).
pub async fn look(options: &Options, scratch: &Path, watch: Watch<'_>) -> Result<Seen, KnowledgeError> {
    let mut looking = options.clone();
    looking.index_folder = scratch.to_owned();
    (looking.by_words, looking.anew, looking.reading.convert.only_kept) = (true, Anew::Nothing, true);
    if options.anew == Anew::Nothing {
        inventory::copy(&options.index_folder, scratch);
    }
    let knowledge = open_with(&looking, None, watch).await?;
    let embedder = embeddings::embedder(&options.embeddings);
    let (folder, digest) = (&options.index_folder, &knowledge.digest);
    let has_vectors = match &embedder {
        Ok(Some(embedder)) => vectors::are_kept(folder, &vectors_digest(digest, &**embedder)),
        Ok(None) => true,
        Err(_) => false,
    };
    let has_words = folder.join(format!("{}{digest}", index::PREFIX)).is_dir();
    let read_anew = knowledge.read_anew;
    Ok(Seen { embedder, read_anew, is_current: read_anew == 0 && has_words && has_vectors, knowledge })
}

impl Seen {
    /// Has what ranks passages again rank some, if there is such a thing; whether there is.
    ///
    /// # Errors
    /// When it can't be loaded, or does not rank.
    pub async fn try_reranker(&self, options: &Options) -> Result<bool, KnowledgeError> {
        let Some(reranker) = &options.reranker else { return Ok(false) };
        let Knowledge { catalogue, retriever, .. } = &self.knowledge;
        let ranked = Reranked::load(reranker, retriever.clone(), catalogue.clone())?;
        let query = catalogue.chunk(ChunkIndex(0)).text;
        super::Retriever::search(&ranked, Place::default(), &query, 1).await?;
        Ok(true)
    }
}
