//! What can go wrong between a conversation and the disk.

use super::FORMAT_VERSION;
use crate::files::FilesError;
use crate::store::StoreError;
use std::path::PathBuf;

/// A failure to write or read the outputs. Each text names the file or setting, and the cause.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// A file can't be written or read, or is not as it was left.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A document is of a format that came after this version.
    #[error("read {}: it has format {version} and this version knows formats up to {FORMAT_VERSION}; use a newer dlgforge", path.display())]
    Later {
        /// The document that can't be read.
        path: PathBuf,
        /// The version of its format.
        version: u32,
    },
    /// A document can't be made a conversation again.
    #[error("read {}: `{field}`: {detail}", path.display())]
    Document {
        /// The document that was read.
        path: PathBuf,
        /// The field that is not as it should be.
        field: String,
        /// What is wrong with it.
        detail: String,
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
    /// The state of the run can't be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run id can't be part of a file name.
    #[error("use `run.run_id` {run_id:?} in file names: it must not be empty, start with `.` or hold `/`, `\\` or NUL")]
    RunId {
        /// The id that can't be part of a file name.
        run_id: String,
    },
    /// A line of the labels is none.
    #[error("read {}:{line}: {detail}; correct or remove the line", path.display())]
    Label {
        /// The file of the labels.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        detail: String,
    },
    /// Two ShareGPT columns have one name.
    #[error("name two columns {name:?}: give each of `saving.output_columns` its own name")]
    ColumnTwice {
        /// The name that two columns have.
        name: String,
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
