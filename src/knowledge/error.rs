//! What can be wrong with a knowledge base.

use std::io;
use std::path::PathBuf;

/// Why the knowledge base cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KnowledgeError {
    /// The folder does not exist, or is not a folder.
    #[error("Missing knowledge directory: {}", .0.display())]
    MissingFolder(PathBuf),
    /// No document holds any text. It has what was left out instead, one line each.
    #[error("No supported knowledge files found. Add at least one .txt, .md, or .pdf under knowledge/.{}", instead(.0))]
    NothingToRead(Vec<String>),
    /// A document or a folder cannot be read.
    #[error("read {}: {cause}; make it readable or move it out of the knowledge folder", .path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// There is no process that could read a document.
    #[error("start `dlgforge read-documents` to read {0}: {1}; raise the limit on processes (`ulimit -u`)")]
    NoReader(String, String),
    /// A document's name is not Unicode text, so that no output could name it.
    #[error("read {}: its name is not valid UTF-8; rename it", .0.display())]
    Name(PathBuf),
    /// The chunking settings would never reach the end of a document.
    #[error(
        "cut documents: `tools.retrieval.chunking.chunk_overlap` ({overlap}) must be < `tools.retrieval.chunking.chunk_size` ({size})"
    )]
    Chunking {
        /// The value of `chunk_size`, in characters.
        size: usize,
        /// The value of `chunk_overlap`, in characters.
        overlap: usize,
    },
    /// The search index could not be built.
    #[error("index the knowledge base: {0}")]
    Index(#[from] tantivy::TantivyError),
    /// A search has failed.
    #[error("search the knowledge base: {0}")]
    Search(tantivy::TantivyError),
    /// The folder that keeps the index can't be used.
    #[error(
        "keep the index in {}: {cause}; make it writable, end what else uses it, or set `tools.retrieval.index.persist_dir` to \
         another folder (there everything is built anew, its vectors too)",
        .path.display()
    )]
    IndexFolder {
        /// The folder, or a file in it.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// What embedding needs is not there.
    #[error(
        "there is not {0}; get it by `dlgforge fetch embeddings`, or set `tools.retrieval.embeddings.backend: lexical` to search \
         by words alone"
    )]
    Missing(String),
    /// ONNX Runtime's library can't be used.
    #[error(
        "load ONNX Runtime from {}: {cause}; get it by `dlgforge fetch embeddings`, name another one by \
         `tools.retrieval.embeddings.runtime`, or set `tools.retrieval.embeddings.backend: lexical` to search by words alone",
        .path.display()
    )]
    Runtime {
        /// The library that was found.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A file of a model is missing or not what it must be.
    #[error(
        "read the model {}: {cause}; get it anew by `dlgforge fetch embeddings`, or set \
         `tools.retrieval.embeddings.backend: lexical` to search by words alone",
        .path.display()
    )]
    Model {
        /// The file of the model.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A model has failed.
    #[error("embed with {model}: {cause}")]
    Embedding {
        /// The model that failed.
        model: String,
        /// What went wrong, in words.
        cause: String,
    },
    /// A reranker has failed.
    #[error("rerank with {model}: {cause}")]
    Rerank {
        /// The model, or the program.
        model: String,
        /// What went wrong, in words.
        cause: String,
    },
    /// A server that embeds or reranks has failed.
    #[error("{section}: {url}: {cause}")]
    Server {
        /// The section of the settings that names it.
        section: &'static str,
        /// The address that was asked.
        url: String,
        /// What went wrong, in words.
        cause: String,
    },
    /// What was found can't be kept, or a search that others waited for too has failed: the run has to stop.
    #[error("{0}")]
    Halted(String),
    /// The task that searched ended without a result.
    #[error("the task that searched the knowledge base was lost: {0}")]
    Lost(String),
}

impl KnowledgeError {
    /// The same failure, told to another one that waited for it.
    pub(super) fn copied(&self) -> Self {
        match self {
            Self::Server { section, url, cause } => Self::Server { section, url: url.clone(), cause: cause.clone() },
            other => Self::Embedding { model: "a batch of texts".to_owned(), cause: other.to_string() },
        }
    }
}

/// What is there instead of documents; the first lines are enough to see why.
fn instead(left_out: &[String]) -> String {
    const MOST: usize = 8;
    let mut lines = left_out.iter().take(MOST).cloned().collect::<Vec<_>>();
    lines.extend((left_out.len() > MOST).then(|| format!("and {} more", left_out.len() - MOST)));
    if lines.is_empty() { String::new() } else { format!(" There are: {}.", lines.join("; ")) }
}
