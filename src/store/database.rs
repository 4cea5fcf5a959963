//! One SQLite file: opened so that a commit is on disk when it returns, and told apart when it is damaged.

use super::StoreError;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

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

impl Database {
    /// Opens a file of this format. With write access it is made when there is none.
    ///
    /// # Errors
    /// When it can't be opened, is damaged, or was written by a newer release.
    pub(super) fn open(path: &Path, format: i64, schema: &str, access: Access) -> Result<Self, StoreError> {
        let mode = match access {
            Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
            Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        };
        let opened = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX);
        let connection = opened.map_err(|error| failed("open", path, &error))?;
        let database = Self { path: path.to_owned(), connection };
        let prepared = database.prepare(format, schema, access);
        prepared
            .map_err(|error| failed("open", path, &error))?
            .map_or(Ok(database), |found| Err(StoreError::Newer { path: path.to_owned(), found, known: format }))
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

    /// Does something with the file; what went wrong is told with its name.
    pub(super) fn run<T>(
        &mut self,
        action: &'static str,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        work(&mut self.connection).map_err(|error| failed(action, &self.path, &error))
    }
}

fn failed(action: &'static str, path: &Path, error: &Error) -> StoreError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Damaged { path, detail: error.to_string() }
        }
        _ => StoreError::Database { action, path, cause: error.to_string() },
    }
}

/// The file beside a database that holds its latest commits.
pub(super) fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}
