//! What can go wrong with the state of runs.

use std::path::PathBuf;

/// A failure to keep or find the state of a run. Each text names the file or the run, and says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database refused to do something.
    #[error("{action} {}: {cause}{}", path.display(), advice(cause))]
    Database {
        /// What was tried, such as `write to`.
        action: &'static str,
        /// The file of the database.
        path: PathBuf,
        /// What SQLite said about it.
        cause: String,
    },
    /// The file is not a store, or so damaged that nothing of it can be read.
    #[error(
        "read {}: {detail}; put a copy of the file back, or move it away together with the folder's other files and \
         start anew",
        path.display()
    )]
    Damaged {
        /// The file that is damaged.
        path: PathBuf,
        /// What is wrong with it, for people.
        detail: String,
    },
    /// A newer release wrote it.
    #[error("read {}: it has format {found}, this release reads up to {known}; use the release that wrote it", path.display())]
    Newer {
        /// The file of the newer release.
        path: PathBuf,
        /// The format that the file has.
        found: i64,
        /// The newest this release knows.
        known: i64,
    },
    /// A run of this name is there already.
    #[error(
        "use `run.run_id` {0:?}: the store has a run of that name; choose another id, or go on with it by --resume {0}"
    )]
    RunExists(String),
    /// There is no run of this name.
    #[error("find run {id:?}: the store has {}", known(runs))]
    NoRun {
        /// The name that was asked for.
        id: String,
        /// The runs there are.
        runs: Vec<String>,
    },
    /// There is no run at all.
    #[error("find a run to go on with: the output folder has none; start one without --resume")]
    NoRuns,
    /// A reply could not be compressed.
    #[error("pack a reply for the journal: {cause}")]
    Pack {
        /// What the compressor said.
        cause: String,
    },
    /// The process that has the store could not do it.
    #[error("{0}")]
    Remote(String),
    /// The journal stopped before a reply could be kept.
    #[error("keep a reply: the journal has stopped")]
    Stopped,
}

fn known(runs: &[String]) -> String {
    if runs.is_empty() { "no runs".to_owned() } else { format!("only {}", runs.join(", ")) }
}

/// What helps against a failure of the disk.
fn advice(cause: &str) -> &'static str {
    let full = ["full", "disk I/O error", "readonly", "unable to open"].iter().any(|sign| cause.contains(sign));
    if full { "; see to free space and permissions there" } else { "" }
}
