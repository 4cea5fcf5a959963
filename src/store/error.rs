//! What can go wrong with the state of runs.

use super::DSN_VARIABLE;
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
    /// A server or its database refused to do something, or was away for too long.
    #[error("{action} PostgreSQL at {server}: {cause}")]
    Server {
        /// What was tried, such as `write to`.
        action: &'static str,
        /// The server and its database, without user and password.
        server: String,
        /// What it said, or what became of the connection.
        cause: String,
    },
    /// Another process writes the state of the folder's runs.
    #[error(
        "claim the state of {}, in PostgreSQL at {server}: another run is writing it; wait for it, or choose another \
         `saving.output_dir` (a run whose machine was cut off counts for a minute more)",
        folder.display()
    )]
    Claimed {
        /// The output folder that the state belongs to.
        folder: PathBuf,
        /// The server and its database.
        server: String,
    },
    /// The folder's state is in another database than the one that is asked for.
    #[error(
        "find the state of the folder's runs: PostgreSQL at {server} has none of the id in {}, which was made at {was}; \
         name that database, or choose another `saving.output_dir`",
        path.display()
    )]
    Elsewhere {
        /// The file with the id of the folder.
        path: PathBuf,
        /// Where the state was made.
        was: String,
        /// Where it was looked for.
        server: String,
    },
    /// The folder's state is kept in another way than the settings ask for.
    #[error(
        "open the state of {}: it is kept in {place}; set `store.backend: {backend}`, or choose another \
         `saving.output_dir`",
        folder.display()
    )]
    OtherBackend {
        /// The output folder that the state belongs to.
        folder: PathBuf,
        /// Where the state is kept, for people.
        place: String,
        /// The value of the key that fits.
        backend: &'static str,
    },
    /// Nobody has said how to reach the server that has the folder's state.
    #[error(
        "open the state of {}: it is kept in PostgreSQL at {server}, and the environment variable {DSN_VARIABLE} {why}; \
         set it to postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
        folder.display()
    )]
    NoDsn {
        /// The output folder that the state belongs to.
        folder: PathBuf,
        /// The server and its database, as the folder names them.
        server: String,
        /// What is wrong with the variable, as the end of a sentence.
        why: String,
    },
    /// A newer release wrote it.
    #[error("read {place}: it has format {found}, this release reads up to {known}; use the release that wrote it")]
    Newer {
        /// What the newer release has written: a file, or a schema.
        place: String,
        /// The format that it has.
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
