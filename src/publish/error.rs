//! What can go wrong between the tables of a run and what is made of them.

use crate::files::FilesError;
use std::path::PathBuf;

/// A failure to read a table or to write an export. Each text names the file and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is nothing to read.
    #[error("read {}: {detail}", path.display())]
    NoTable {
        /// The file or folder that was named.
        path: PathBuf,
        /// What is missing, and what to do.
        detail: String,
    },
    /// A file is not such a table.
    #[error("read {}: {detail}", path.display())]
    Table {
        /// The file that was read or written.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// An option can't be used.
    #[error("{0}")]
    Option(String),
    /// Rows can't be read or rendered.
    #[error("{0}")]
    Rows(String),
    /// A file could not be read or written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A file could not be written.
    #[error("write {}: {detail}", path.display())]
    Write {
        /// The file that was read or written.
        path: PathBuf,
        /// What the writer said.
        detail: String,
    },
}
