//! One SQLite file: opened so that a commit is on disk when it returns, and told apart when it is damaged.

use super::StoreError;
use crate::domain::causes::is_out_of_files;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, OptionalExtension};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of a log's head, and of the head of each page in it (<https://www.sqlite.org/fileformat2.html#the_write_ahead_log>).
const LOG_HEAD: u64 = 32;
const FRAME_HEAD: u64 = 24;

/// How long to wait for another process that holds the file.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open file.
pub(super) struct Database {
    path: PathBuf,
    pub(super) connection: Connection,
}

/// Whether a file may be made or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Write,
    Read,
}

/// Removes, when it goes, the empty logs that reading has left beside files: a connection that can only read leaves them there.
#[derive(Default)]
pub(super) struct Tidy(Vec<PathBuf>);

impl Tidy {
    /// After files were read that nobody has open now. What others have left beside them stays.
    pub(super) fn after(files: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(files.into_iter().filter(|path| !log_of(path).exists()).collect())
    }
}

impl Drop for Tidy {
    fn drop(&mut self) {
        for path in &self.0 {
            // The last connection to go takes the log along. Where it may not, all stays as it is.
            let mode = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            if let Ok(connection) = Connection::open_with_flags(path, mode) {
                _ = has_table(&connection, "");
            }
        }
    }
}

/// Whether a file has a table of this name.
pub(super) fn has_table(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    let table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1";
    Ok(connection.query_row(table, [name], |_| Ok(())).optional()?.is_some())
}

impl Database {
    /// Opens a file of this format. With write access it is made by `schema` when there is none, and `later` adds what
    /// files of earlier releases lack.
    ///
    /// # Errors
    /// When it can't be opened, is damaged, or was written by a newer release.
    pub(super) fn open(
        path: &Path,
        format: i64,
        schema: &str,
        later: &str,
        access: Access,
    ) -> Result<Self, StoreError> {
        let mode = match access {
            Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
            Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        };
        let opened = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX);
        let connection = opened.map_err(|error| failed("open", path, &error))?;
        let torn = torn_log(path).map_err(|error| failed("read the log of", path, &io_failure(&error)))?;
        let mut database = Self { path: path.to_owned(), connection };
        let prepared = database.prepare(format, schema, access).map_err(|error| failed("open", path, &error))?;
        if let Some(found) = prepared {
            return Err(StoreError::Newer { place: path.display().to_string(), found, known: format });
        }
        if let Some(bytes) = torn.filter(|_| access == Access::Write) {
            tracing::warn!(
                "{}: the last write was cut short ({bytes} bytes of it are left); what it kept is gone",
                log_of(path).display()
            );
        }
        database.demand_whole(access, torn.is_some())?;
        if access == Access::Write {
            database.run("write to", |connection| connection.execute_batch(later))?;
        }
        Ok(database)
    }

    /// Brings the log into the file, and demands that nothing of the file is missing and every table can be read. After a
    /// torn write every page is looked at.
    fn demand_whole(&mut self, access: Access, torn: bool) -> Result<(), StoreError> {
        let path = self.path.clone();
        let damaged = |detail: String| Err(StoreError::Damaged { path: path.clone(), detail });
        // Where somebody else reads, the log can't go yet; until it has, the file may be shorter than all there is.
        let pending = match access {
            Access::Write => self.run("write to", |connection| {
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            })?,
            Access::Read => std::fs::metadata(log_of(&path)).is_ok_and(|log| log.len() > 0),
        };
        let (length, whole) = lengths(&path).map_err(|error| failed("read", &path, &io_failure(&error)))?;
        if !pending && length < whole {
            return damaged(format!("it has {length} of {whole} bytes"));
        }
        let verdict = self.run("read", |connection| match torn {
            true => connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)),
            false => read_tables(connection).map(|()| "ok".to_owned()),
        })?;
        if verdict == "ok" { Ok(()) } else { damaged(verdict) }
    }

    /// The format found, where it is newer than the one known.
    fn prepare(&self, format: i64, schema: &str, access: Access) -> rusqlite::Result<Option<i64>> {
        self.connection.busy_timeout(PATIENCE)?;
        let found: i64 = self.connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found > format {
            return Ok(Some(found));
        }
        if access == Access::Write {
            self.connection.pragma_update(None, "journal_mode", "wal")?;
            // A commit is synced before it counts; `fullfsync` asks macOS to mean it.
            self.connection.pragma_update(None, "synchronous", "full")?;
            self.connection.pragma_update(None, "fullfsync", true)?;
            if found == 0 {
                self.connection.execute_batch(&format!("BEGIN; {schema}; PRAGMA user_version = {format}; COMMIT"))?;
            }
        }
        Ok(None)
    }

    /// Closes the file. What is done with it afterwards comes to nothing.
    ///
    /// # Errors
    /// When there is no memory for what takes its place.
    pub(super) fn close(&mut self) -> Result<(), StoreError> {
        let nothing = Connection::open_in_memory().map_err(|error| failed("close", &self.path, &error))?;
        drop(std::mem::replace(&mut self.connection, nothing));
        Ok(())
    }

    /// Does something with the file; what went wrong is told with its name.
    pub(super) fn run<T>(
        &mut self,
        action: &'static str,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        work(&mut self.connection).map_err(|error| failed(action, &self.path, &error))
    }
}

/// Reads the first row of every table.
fn read_tables(connection: &Connection) -> rusqlite::Result<()> {
    let mut found = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let names: Vec<String> = found.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for name in names {
        connection.query_row(&format!("SELECT count(*) FROM (SELECT * FROM \"{name}\" LIMIT 1)"), [], |_| Ok(()))?;
    }
    Ok(())
}

/// A file's length, and the length that its head says it has
/// (<https://www.sqlite.org/fileformat2.html#in_header_database_size>): none where the head is not to be relied on.
fn lengths(path: &Path) -> io::Result<(u64, u64)> {
    let mut head = [0; 100];
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    if length < head.len() as u64 {
        return Ok((length, 0));
    }
    file.read_exact(&mut head)?;
    let number = |at: usize| u64::from(u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
    let page = match u64::from(u16::from_be_bytes([head[16], head[17]])) {
        1 => 65536,
        page => page,
    };
    let changed_since = number(24) != number(92);
    Ok((length, if changed_since { 0 } else { number(28) * page }))
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

fn io_failure(error: &io::Error) -> Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR);
    Error::SqliteFailure(code, Some(error.to_string()))
}

fn failed(action: &'static str, path: &Path, error: &Error) -> StoreError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Damaged { path, detail: error.to_string() }
        }
        _ => {
            let cause = cause(error, &path);
            StoreError::Database { action, path, cause }
        }
    }
}

/// What went wrong with a database, in words. SQLite says of a file that it can't open no more than that: where the process
/// has no file descriptor left, the system's own words take its place.
pub fn cause(error: &Error, path: &Path) -> String {
    // What SQLite had opened until then it has closed again.
    const CLOSED: usize = 4;
    let out_of_files = || {
        let folder = path.parent()?;
        let opened: Result<Vec<File>, io::Error> = (0..CLOSED).map(|_| File::open(folder)).collect();
        opened.err().filter(|error| is_out_of_files(error)).map(|error| error.to_string())
    };
    let unopened = error.sqlite_error_code() == Some(ErrorCode::CannotOpen);
    unopened.then(out_of_files).flatten().unwrap_or_else(|| error.to_string())
}

/// The file beside a database that holds its latest commits.
pub(super) fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}
