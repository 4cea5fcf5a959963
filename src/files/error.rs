//! What can go wrong between rows and the disk.

use crate::store::StoreError;
use std::io;
use std::path::{Path, PathBuf};

/// A failure to write or read a file. Each text names the file and the cause.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The file system refused.
    #[error("{action} {}: {cause}", path.display())]
    Io {
        /// What was tried, such as `create`.
        action: &'static str,
        /// The file or folder it was done to.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A row has no JSON form.
    #[error("write {what} as JSON: {cause}")]
    Encode {
        /// Which row it is, in words.
        what: &'static str,
        /// What the serialiser said.
        cause: serde_json::Error,
    },
    /// A line or a document is not what stands in such a file.
    #[error("read {}:{line}: {cause}; correct or remove the line", path.display())]
    Decode {
        /// The file that has the line.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser said.
        cause: serde_json::Error,
    },
    /// A row does not fit the Arrow schema.
    #[error("convert rows for {}: {cause}", path.display())]
    Columns {
        /// The Parquet file that the rows were for.
        path: PathBuf,
        /// What the decoder said.
        cause: arrow::error::ArrowError,
    },
    /// A Parquet file could not be written.
    #[error("write {}: {cause}", path.display())]
    Parquet {
        /// The Parquet file that could not be written.
        path: PathBuf,
        /// What the writer said.
        cause: parquet::errors::ParquetError,
    },
    /// A file is not as the run left it.
    #[error(
        "go on with {}: {detail}; put back what was there, or start a new run (`run.reuse_from` takes over the replies)",
        path.display()
    )]
    Changed {
        /// The file that something else has changed.
        path: PathBuf,
        /// What is wrong with it, for people.
        detail: String,
    },
    /// Another run writes to the same folder.
    #[error(
        "claim {}: another run is writing there; wait for it, or choose another `saving.output_dir`",
        folder.display()
    )]
    Busy {
        /// The output folder that another process writes to.
        folder: PathBuf,
    },
    /// The state of the runs can't be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FilesError {
    /// For `map_err`: an I/O error, told with what was tried on which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { action, path: path.to_owned(), cause }
    }
}
