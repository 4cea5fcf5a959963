//! A journal that was cut short: what can be read of it is saved, and the user is told what is gone.

use super::database::{Access, Database, log_of};
use super::{StoreError, replies};
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Bytes of a log's head, and of the head of each page in it (<https://www.sqlite.org/fileformat2.html#the_write_ahead_log>).
const LOG_HEAD: u64 = 32;
const FRAME_HEAD: u64 = 24;

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
    let torn = torn_log(path).map_err(|error| io_error("read", &log_of(path), &error))?;
    if let Some(bytes) = torn {
        tracing::warn!(
            "{}: the last write was cut short ({bytes} bytes of it are left); replies in it are asked for again",
            log_of(path).display()
        );
    }
    match replies::open(path, Access::Write)
        .and_then(|mut journal| is_sound(&mut journal, torn.is_some()).map(|()| journal))
    {
        Err(StoreError::Damaged { detail, .. }) => rebuild(path, &detail),
        opened => opened,
    }
}

/// Bytes at the end of the log that are no whole page: left by a write that was cut short.
fn torn_log(path: &Path) -> io::Result<Option<u64>> {
    let mut head = [0; LOG_HEAD as usize];
    let mut log = match File::open(log_of(path)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let length = log.metadata()?.len();
    if length < LOG_HEAD {
        return Ok(Some(length).filter(|bytes| *bytes > 0));
    }
    log.read_exact(&mut head)?;
    let page = u64::from(u32::from_be_bytes([head[8], head[9], head[10], head[11]]));
    let over = (length - LOG_HEAD) % (page + FRAME_HEAD);
    Ok((over > 0).then_some(over))
}

/// Brings the log into the file, and demands that nothing of the file is missing. After a torn write every page is
/// looked at.
fn is_sound(journal: &mut Database, torn: bool) -> Result<(), StoreError> {
    journal.run("read", |connection| {
        let corrupt = |detail: String| {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            Err(rusqlite::Error::SqliteFailure(code, Some(detail)))
        };
        // Where somebody else reads, the log can't go yet, and the file may be shorter than all there is.
        let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        connection.query_row("SELECT count(*) FROM spent", [], |_| Ok(()))?;
        let whole: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let path = connection.path().map(PathBuf::from).unwrap_or_default();
        let length = fs::metadata(&path).map_or(0, |file| file.len() as i64);
        if !busy && length < whole * page {
            return corrupt(format!("it has {length} of {} bytes", whole * page));
        }
        if torn {
            let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if verdict != "ok" {
                return corrupt(verdict);
            }
        }
        Ok(())
    })
}

fn rebuild(path: &Path, detail: &str) -> Result<Database, StoreError> {
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
