//! What can go wrong between a conversation and the disk.

use crate::store::StoreError;
use std::io;
use std::path::{Path, PathBuf};

/// A failure to write or read the outputs. Each text names the file or setting, and the cause.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
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
    /// A line of the coverage ledger is not a ledger row.
    #[error("read {}:{line}: {cause}; correct or remove the line", path.display())]
    LedgerLine {
        /// The ledger that has the line.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser said.
        cause: serde_json::Error,
    },
    /// A run state of this name is there already.
    #[error(
        "use `run.run_id` {run_id:?}: {} records a run of that name; choose another id or another `saving.output_dir`, or \
         go on with it by --resume {run_id}",
        path.display()
    )]
    RunExists {
        /// The id that an earlier run has.
        run_id: String,
        /// The run state that the earlier run left.
        path: PathBuf,
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
    /// The state of the run can't be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run id can't be part of a file name.
    #[error("use `run.run_id` {run_id:?} in file names: it must not be empty, start with `.` or hold `/`, `\\` or NUL")]
    RunId {
        /// The id that can't be part of a file name.
        run_id: String,
    },
    /// Two ShareGPT columns have one name.
    #[error("name two columns {name:?}: give each of `saving.output_columns` its own name")]
    ColumnTwice {
        /// The name that two columns have.
        name: String,
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
    /// `SOURCE_DATE_EPOCH` is not a moment.
    #[error("read `SOURCE_DATE_EPOCH` {value:?}: expected whole seconds since 1970, such as 1735689600")]
    Epoch {
        /// The value that the variable has.
        value: String,
    },
    /// A conversation that has not ended was handed over.
    #[error("record conversation {id}: it has not ended")]
    NotEnded {
        /// The id of the conversation that has not ended.
        id: String,
    },
    /// Logging was started before in this process.
    #[error("start the logs in {}: this process logs elsewhere already", folder.display())]
    LogsTaken {
        /// The log folder that another process writes to.
        folder: PathBuf,
    },
}

impl OutputError {
    /// For `map_err`: an I/O error, told with what was tried on which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { action, path: path.to_owned(), cause }
    }
}
