//! What can be wrong with a knowledge base.

use std::io;
use std::path::PathBuf;

/// Why the knowledge base cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KnowledgeError {
    /// The folder does not exist, or is not a folder.
    #[error("Missing knowledge directory: {}", .0.display())]
    MissingFolder(PathBuf),
    /// No document holds any text.
    #[error("No supported knowledge files found. Add at least one .txt, .md, or .pdf under knowledge/.{}", skipped(*.empty, *.unsupported))]
    NothingToRead {
        /// Documents found without any text in them.
        empty: usize,
        /// Documents found in a format that cannot be read yet.
        unsupported: usize,
    },
    /// A document or a folder cannot be read.
    #[error("read {}: {cause}; make it readable or move it out of the knowledge folder", .path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A document's name is not Unicode text, so that no output could name it.
    #[error("read {}: its name is not valid UTF-8; rename it", .0.display())]
    Name(PathBuf),
    /// The chunking settings would never reach the end of a document.
    #[error(
        "cut documents: `tools.retrieval.chunking.chunk_overlap` ({overlap}) must be < `tools.retrieval.chunking.chunk_size` ({size})"
    )]
    Chunking {
        /// `chunk_size`.
        size: usize,
        /// `chunk_overlap`.
        overlap: usize,
    },
    /// The search index could not be built.
    #[error("index the knowledge base: {0}")]
    Index(#[from] tantivy::TantivyError),
}

fn skipped(empty: usize, unsupported: usize) -> String {
    let mut note = String::new();
    if empty > 0 {
        note += &format!(" Empty files skipped: {empty}.");
    }
    if unsupported > 0 {
        note += &format!(" Files skipped because .pdf is not supported yet: {unsupported}.");
    }
    note
}
