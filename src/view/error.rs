//! Why a folder can't be shown.

use crate::files::FilesError;
use crate::output::OutputError;
use crate::publish::ExportError;
use std::path::{Path, PathBuf};

/// Why conversations can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// There is nothing to show in the folder.
    #[error("{}: {detail}", .folder.display())]
    Nothing {
        /// The folder that was named.
        folder: PathBuf,
        /// What is missing, and what to do.
        detail: String,
    },
    /// A file of the output folder can't be read.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A table of the output folder can't be read.
    #[error(transparent)]
    Table(#[from] ExportError),
    /// The index can't be read or written.
    #[error("use the index {}: {cause}; it is made anew where it is removed", .path.display())]
    Index {
        /// The file of the index.
        path: PathBuf,
        /// What SQLite said of it.
        cause: rusqlite::Error,
    },
    /// The labels can't be read or written.
    #[error(transparent)]
    Labels(#[from] OutputError),
    /// There is no such conversation.
    #[error("no conversation `{0}` is in the index")]
    Unknown(String),
    /// The files have changed since they were indexed.
    #[error("the files have changed; the index follows in a moment")]
    Changed,
    /// A question can't be understood.
    #[error("{0}")]
    Question(String),
    /// The address can't be listened on.
    #[error("listen on 127.0.0.1:{port}: {cause}; name another port by --port, or 0 for a free one")]
    Listen {
        /// The port that was asked for.
        port: u16,
        /// What the system said.
        cause: std::io::Error,
    },
}

impl ViewError {
    pub(super) fn index(path: &Path) -> impl FnOnce(rusqlite::Error) -> Self + '_ {
        |cause| Self::Index { path: path.to_owned(), cause }
    }
}
