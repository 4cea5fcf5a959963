//! What the user wants of the knowledge base.

use super::embeddings::EmbeddingOptions;
use super::rerank::RerankOptions;
use super::{Ranking, Reading};
use std::path::PathBuf;

/// The options `knowledge.*` and `tools.retrieval.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The folder of the documents: `<root>/knowledge`.
    pub folder: PathBuf,
    /// Whether links that lead out of the folder are followed.
    pub follow_links: bool,
    /// How files are read, whatever their type.
    pub reading: Reading,
    /// Where a document is cut.
    pub strategy: Strategy,
    /// Longest chunk, in characters.
    pub chunk_size: usize,
    /// Characters a chunk repeats of the one before: exactly so many with [`Strategy::Characters`], at most so many with
    /// [`Strategy::Structure`].
    pub chunk_overlap: usize,
    /// The folder that keeps what was made of the documents.
    pub index_folder: PathBuf,
    /// What of it is made anew although the documents are the same.
    pub anew: Anew,
    /// What it is that makes vectors.
    pub embeddings: EmbeddingOptions,
    /// Which rankings count where there are vectors.
    pub ranking: Ranking,
    /// What ranks again what was found; none for nothing.
    pub reranker: Option<RerankOptions>,
    /// Whether no model is asked, for vectors or ranks, whatever the options say: passages are found by words alone, and what
    /// the index folder has of vectors stays as it is. For dry runs.
    pub by_words: bool,
}

impl Options {
    /// These folders, and else what the settings say of a knowledge base that is searched by words alone.
    pub fn of(folder: PathBuf, index_folder: PathBuf) -> Self {
        Self {
            folder,
            follow_links: false,
            reading: Reading::default(),
            strategy: Strategy::Structure,
            chunk_size: 750,
            chunk_overlap: 0,
            index_folder,
            anew: Anew::Nothing,
            embeddings: EmbeddingOptions::lexical(),
            ranking: Ranking::Hybrid,
            reranker: None,
            by_words: false,
        }
    }
}

/// What is made anew although the documents are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anew {
    /// Nothing: what is kept is taken over.
    Nothing,
    /// Documents are read and cut again; texts that have a vector keep it.
    Documents,
    /// Everything is made anew, vectors too.
    Everything,
}

/// Where a document is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Where its sections, paragraphs, list items, table rows or sentences end; between words where one sentence is too
    /// long for a chunk. The header of a table is repeated in every chunk that starts inside it, on top of the size.
    Structure,
    /// After every so many characters, wherever that is.
    Characters,
}

impl Strategy {
    /// The name used in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Characters => "characters",
        }
    }

    /// Characters a chunk repeats of the one before where the settings do not say: windows cut through sentences, which
    /// the next one then has whole.
    pub fn default_overlap(self) -> usize {
        match self {
            Self::Structure => 0,
            Self::Characters => 150,
        }
    }
}
