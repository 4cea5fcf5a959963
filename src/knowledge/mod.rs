//! The knowledge base: documents become chunks, chunks become an index, a query becomes passages.

use std::path::PathBuf;

/// `tools.retrieval.chunking` and the folder to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The folder, `<root>/knowledge`.
    pub folder: PathBuf,
    /// Longest chunk, in characters.
    pub chunk_size: usize,
    /// Characters a chunk repeats of the one before.
    pub chunk_overlap: usize,
}
