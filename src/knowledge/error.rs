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
}

/// What is there instead of documents; the first lines are enough to see why.
fn instead(left_out: &[String]) -> String {
    const MOST: usize = 8;
    let mut lines = left_out.iter().take(MOST).cloned().collect::<Vec<_>>();
    lines.extend((left_out.len() > MOST).then(|| format!("and {} more", left_out.len() - MOST)));
    if lines.is_empty() { String::new() } else { format!(" There are: {}.", lines.join("; ")) }
}
