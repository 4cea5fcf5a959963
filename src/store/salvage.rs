//! A journal that was cut short: what can be read of it is saved, and the user is told what is gone.

use super::database::{Access, Database, log_of};
use super::{StoreError, replies};
use rusqlite::{Connection, OpenFlags};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The journal made of what could be read of a damaged one, until it has its place.
const RESCUED: &str = "rescued.sqlite";
/// The same while it is made.
const RESCUING: &str = "rescuing.sqlite";

/// Opens the journal for writing. Where it is damaged, a new one takes its place that holds all replies that can still
/// be read; the damaged one stays beside it.
///
/// # Errors
/// When a file can't be opened, read or written.
pub(super) fn open(path: &Path) -> Result<Database, StoreError> {
    if path.with_extension(RESCUED).exists() {
        // A process died between having it and putting it in place.
        put_in_place(path)?;
    }
    match replies::open(path, Access::Write) {
        Err(StoreError::Damaged { detail, .. }) => rebuild(path, &detail),
        opened => opened,
    }
}

/// Puts a new journal in the place of a damaged one, which nobody has open any more: with all replies that can still be read.
///
/// # Errors
/// When a file can't be read, written or renamed.
pub(super) fn rebuild(path: &Path, detail: &str) -> Result<Database, StoreError> {
    let (rescuing, rescued) = (path.with_extension(RESCUING), path.with_extension(RESCUED));
    for left in [rescuing.clone(), log_of(&rescuing)] {
        match fs::remove_file(&left) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(io_error("remove", &left, &error)),
            _ => {}
        }
    }
    let mut journal = replies::open(&rescuing, Access::Write)?;
    let saved = match damaged_connection(path) {
        Ok(from) => journal.run("write to", |to| replies::rescue(&from, to))?,
        Err(_) => 0,
    };
    // The last to close a database empties its log.
    drop(journal);
    fs::rename(&rescuing, &rescued).map_err(|error| io_error("rename", &rescuing, &error))?;
    let damaged = put_in_place(path)?;
    tracing::warn!(
        "{} is damaged ({detail}): {saved} replies could be read and were kept, the others are asked for again; it stays \
         as {}",
        path.display(),
        damaged.display()
    );
    replies::open(path, Access::Write)
}

/// Puts the rescued journal in place of the damaged one, which is set aside with its log, or what is left of them.
fn put_in_place(path: &Path) -> Result<PathBuf, StoreError> {
    let name = |number: u32| path.with_extension(format!("damaged-{number}.sqlite"));
    let is_free = |path: &PathBuf| !path.exists() && !log_of(path).exists();
    let damaged = (1..).map(name).find(is_free).unwrap_or_else(|| name(0));
    for (from, to) in [(log_of(path), log_of(&damaged)), (path.to_owned(), damaged.clone())] {
        match fs::rename(&from, &to) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(io_error("set aside", &from, &error)),
            _ => {}
        }
    }
    let rescued = path.with_extension(RESCUED);
    fs::rename(&rescued, path).map_err(|error| io_error("rename", &rescued, &error))?;
    Ok(damaged)
}

/// Opened in the way that lets SQLite read a file with pages missing at its end.
fn damaged_connection(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "writable_schema", true)?;
    Ok(connection)
}

fn io_error(action: &'static str, path: &Path, error: &io::Error) -> StoreError {
    StoreError::Database { action, path: path.to_owned(), cause: error.to_string() }
}
