//! The index: an SQLite file beside the conversations, which knows what they are filtered, sorted and searched by.
//!
//! It is made of the files alone and can be removed at any time. It knows how far it has read each of them, and by what they are known
//! again: where one is another than it was, all is read anew. Rows that a run may still take back are left out.

mod entry;
mod files;
mod words;

pub use words::asked;

use super::ViewError;
use crate::files::{FilesError, read_from};
use crate::output::Table;
use crate::publish::source::Source;
use crate::publish::view::{DIALOGUE_COLUMNS, dialogues};
use entry::Entry;
use files::{Counted, counted};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, params};
use serde::Serialize;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64;

/// The file of the index in the output folder.
const NAME: &str = ".dlgforge-view.sqlite";
/// The version of the tables: another one is made anew.
const VERSION: i64 = 1;
/// Conversations of a transaction.
const BATCH: usize = 2000;
/// How long to wait for another process that writes the index.
const PATIENCE: Duration = Duration::from_secs(30);

const SCHEMA: &str = "
    CREATE TABLE file (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, identity TEXT NOT NULL,
        written INTEGER NOT NULL, done INTEGER NOT NULL, rows INTEGER NOT NULL, tail INTEGER NOT NULL);
    CREATE TABLE conversation (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, run TEXT NOT NULL, slot INTEGER,
        language TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, score REAL, turns INTEGER NOT NULL, persona TEXT NOT NULL,
        recorded INTEGER NOT NULL, words INTEGER NOT NULL, opening TEXT NOT NULL, file INTEGER NOT NULL, start INTEGER NOT NULL,
        length INTEGER NOT NULL);
    CREATE INDEX conversation_recorded ON conversation (recorded, number);
    CREATE INDEX conversation_score ON conversation (score, number);
    CREATE INDEX conversation_slot ON conversation (run, language, slot);
    CREATE TABLE mode (name TEXT NOT NULL, number INTEGER NOT NULL, turns INTEGER NOT NULL, PRIMARY KEY (name, number)) WITHOUT ROWID;
    CREATE TABLE document (name TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (name, number)) WITHOUT ROWID;
    CREATE VIRTUAL TABLE said USING fts5(text, content='', columnsize=0,
        tokenize=\"unicode61 remove_diacritics 2 categories 'L* N* Co M*'\");
";

/// What a process that serves an index tells of how far it is.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
}

/// How much of the files is indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Bytes that are indexed.
    pub done: u64,
    /// Bytes of the files that count.
    pub total: u64,
}

impl Progress {
    /// How far it is at this moment.
    pub fn share(&self) -> Share {
        Share { done: self.done.load(Ordering::Relaxed), total: self.total.load(Ordering::Relaxed) }
    }
}

/// The index of an output folder, open for writing.
pub struct Index {
    outputs: PathBuf,
    path: PathBuf,
    connection: Connection,
    /// How the files were when all of them was indexed.
    seen: Option<Vec<(u64, i64)>>,
}

/// Where the row of a conversation lies.
pub(super) enum Place {
    /// Bytes of a file of lines.
    Line { path: PathBuf, start: u64, length: u64 },
    /// A row of a part of a Parquet file.
    Row { path: PathBuf, table: Table, part: usize, row: usize },
}

struct Row {
    start: u64,
    length: u64,
    entry: Entry,
}

impl Index {
    /// Opens the index of an output folder, in the folder or, where that can't be written, in a cache folder; makes it where there is none
    /// of this version.
    ///
    /// # Errors
    /// When it can be written in neither.
    pub fn open(outputs: &Path, cache: Option<&Path>) -> Result<Self, ViewError> {
        let inside = outputs.join(NAME);
        let refused = match Self::at(outputs, inside) {
            Ok(index) => return Ok(index),
            Err(refused) => refused,
        };
        let Some(cache) = cache.map(|cache| cache.join("view")).filter(|cache| fs::create_dir_all(cache).is_ok())
        else {
            return Err(refused);
        };
        let whole = fs::canonicalize(outputs).map_err(FilesError::io("look at", outputs))?;
        Self::at(outputs, cache.join(format!("{:016x}.sqlite", xxh3_64(whole.as_os_str().as_encoded_bytes()))))
    }

    fn at(outputs: &Path, path: PathBuf) -> Result<Self, ViewError> {
        let opened = match open(&path) {
            // It holds nothing of its own.
            Err(error) if is_damaged(&error) => {
                remove(&path);
                open(&path)
            }
            opened => opened,
        };
        let connection = opened.map_err(ViewError::index(&path))?;
        Ok(Self { outputs: outputs.to_owned(), path, connection, seen: None })
    }

    /// Demands that there is something in an output folder that can be shown, or a run that may come to have some.
    ///
    /// # Errors
    /// When there is not.
    pub fn demand(outputs: &Path, dsn: Option<&str>) -> Result<(), ViewError> {
        if !outputs.is_dir() {
            let detail =
                "there is no such folder; name the output folder of a project (`saving.output_dir`)".to_owned();
            return Err(ViewError::Nothing { folder: outputs.to_owned(), detail });
        }
        counted(outputs, dsn).map(drop)
    }

    /// The file that it lies in.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Another connection to it, to read by.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn reader(&self) -> Result<Connection, ViewError> {
        let opened = Connection::open(&self.path).and_then(|connection| {
            connection.busy_timeout(PATIENCE)?;
            connection.execute_batch("PRAGMA temp_store = memory; PRAGMA cache_size = -64000")?;
            Ok(connection)
        });
        opened.map_err(ViewError::index(&self.path))
    }

    /// Reads what has come since; all, where a file is another than it was. `goes_on` is asked between transactions. Tells whether anything
    /// has changed.
    ///
    /// # Errors
    /// When a file or the index can't be read or written.
    pub fn refresh(
        &mut self,
        dsn: Option<&str>,
        progress: &Progress,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<bool, ViewError> {
        let stamp = files::stamp(&self.outputs);
        if stamp.is_some() && stamp == self.seen {
            return Ok(false);
        }
        let files = counted(&self.outputs, dsn)?;
        let mut has_changed = false;
        if !self.is_of(&files)? {
            has_changed = true;
            self.clear()?;
        }
        let counts = |file: &Counted| file.length.unwrap_or_default();
        progress.total.store(files.iter().map(counts).sum(), Ordering::Relaxed);
        let mut before = 0;
        for file in &files {
            progress.done.store(before, Ordering::Relaxed);
            has_changed |= match file.table {
                None => self.add_lines(file, &|done| progress.done.store(before + done, Ordering::Relaxed), goes_on)?,
                Some(table) => self.add_table(file, table, goes_on)?,
            };
            before += counts(file);
        }
        if goes_on() {
            progress.done.store(before, Ordering::Relaxed);
            self.seen = stamp;
        }
        Ok(has_changed)
    }

    /// Whether all that is indexed stands in these files as it did.
    fn is_of(&self, files: &[Counted]) -> Result<bool, ViewError> {
        let known: Vec<(String, String, i64, u64, i64)> = self.run(|connection| {
            let mut found = connection.prepare_cached("SELECT name, identity, written, done, tail FROM file")?;
            let rows = found.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)));
            rows?.collect()
        })?;
        for (name, identity, written, done, tail) in known {
            let Some(file) = files.iter().find(|file| file.name == name) else { return Ok(false) };
            let length = fs::metadata(&file.path).map_or(0, |file| file.len());
            let is_same = file.identity == identity
                && file.length.is_none_or(|counts| counts >= done)
                // Else somebody has written within it.
                && (length != done || file.written == written)
                && file.tail(done)? == Some(tail);
            if !is_same {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn clear(&mut self) -> Result<(), ViewError> {
        self.change(|tables| {
            tables.execute_batch(
                "DELETE FROM file; DELETE FROM conversation; DELETE FROM mode; DELETE FROM document;
                 INSERT INTO said (said) VALUES ('delete-all')",
            )
        })
    }

    fn add_lines(&mut self, file: &Counted, tell: &dyn Fn(u64), goes_on: &dyn Fn() -> bool) -> Result<bool, ViewError> {
        let Some(length) = file.length else { return Ok(false) };
        let (mut done, mut count) = self.done(&file.name)?;
        if done >= length {
            return Ok(false);
        }
        let (began, mut rows, mut failed) = ((count as usize, done), Vec::with_capacity(BATCH), None);
        let mut add = |rows: &mut Vec<Row>| -> Result<(), ViewError> {
            let Some(last) = rows.last() else { return Ok(()) };
            let before = (done, count);
            (done, count) = (last.start + last.length, count + rows.len() as u64);
            let tail = file.tail(done)?.unwrap_or_default();
            self.add(file, (before.0, done, count, tail), rows)?;
            rows.clear();
            tell(done);
            Ok(())
        };
        read_from(&file.path, (began.0, began.1..length), Entry::of_line, |bytes, entry| {
            rows.push(Row { start: bytes.start, length: bytes.end - bytes.start, entry });
            if rows.len() < BATCH {
                return ControlFlow::Continue(());
            }
            failed = add(&mut rows).err();
            if failed.is_none() && goes_on() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        failed.map_or(Ok(()), Err)?;
        add(&mut rows)?;
        Ok(done > began.1)
    }

    fn add_table(&mut self, file: &Counted, table: Table, goes_on: &dyn Fn() -> bool) -> Result<bool, ViewError> {
        let length = file.length.unwrap_or_default();
        if self.done(&file.name)?.0 > 0 || !goes_on() {
            return Ok(false);
        }
        let source = Source::open(&file.path, table)?;
        let columns = source.columns(&DIALOGUE_COLUMNS);
        let mut rows = Vec::new();
        for (part, number) in source.parts().iter().zip(0..) {
            let mut at = 0;
            for batch in part.read(&columns)? {
                for dialogue in dialogues(&batch) {
                    rows.push(Row { start: number, length: at, entry: Entry::of_row(&dialogue) });
                    at += 1;
                }
            }
        }
        let tail = file.tail(length)?.unwrap_or_default();
        self.add(file, (0, length, rows.len() as u64, tail), &mut rows)?;
        Ok(true)
    }

    /// Bytes of a file that are indexed, and their rows.
    fn done(&self, name: &str) -> Result<(u64, u64), ViewError> {
        let found = self.run(|connection| {
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            connection.query_row("SELECT done, rows FROM file WHERE name = ?1", [name], row).optional()
        })?;
        Ok(found.unwrap_or_default())
    }

    /// Adds rows of a file, which is indexed up to the second number of bytes then; nothing, where it is no longer indexed up to the first,
    /// because another process has done it.
    fn add(
        &mut self,
        file: &Counted,
        (from, done, count, tail): (u64, u64, u64, i64),
        rows: &mut [Row],
    ) -> Result<(), ViewError> {
        let kind = file.table.map_or("lines", Table::name);
        self.change(|tables| {
            let known: Option<u64> =
                tables.query_row("SELECT done FROM file WHERE name = ?1", [&file.name], |row| row.get(0)).optional()?;
            if known.unwrap_or_default() != from {
                return Ok(());
            }
            tables.execute(
                "INSERT INTO file (name, kind, identity, written, done, rows, tail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (name) DO UPDATE SET written = ?4, done = ?5, rows = ?6, tail = ?7",
                params![file.name, kind, file.identity, file.written, done, count, tail],
            )?;
            let of = "SELECT number FROM file WHERE name = ?1";
            let number: i64 = tables.query_row(of, [&file.name], |row| row.get(0))?;
            rows.iter().try_for_each(|row| insert(tables, number, row))
        })
    }

    fn change(&mut self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>) -> Result<(), ViewError> {
        let path = self.path.clone();
        let run = || {
            let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            work(&transaction)?;
            transaction.commit()
        };
        run().map_err(ViewError::index(&path))
    }

    fn run<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, ViewError> {
        work(&self.connection).map_err(ViewError::index(&self.path))
    }
}

/// Adds a conversation, unless a file before this one has it.
fn insert(tables: &Transaction<'_>, file: i64, Row { start, length, entry }: &Row) -> rusqlite::Result<()> {
    let added = tables
        .prepare_cached(
            "INSERT OR IGNORE INTO conversation (id, run, slot, language, status, reason, score, turns, persona, recorded, words, opening,
             file, start, length) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute(params![
            entry.id,
            entry.run,
            entry.slot(),
            entry.language,
            entry.status,
            entry.reason,
            entry.score,
            entry.turns,
            entry.persona,
            entry.recorded,
            entry.words,
            entry.opening,
            file,
            start,
            length
        ])?;
    if added == 0 {
        return Ok(());
    }
    let number = tables.last_insert_rowid();
    for (mode, turns) in &entry.modes {
        tables.prepare_cached("INSERT INTO mode VALUES (?1, ?2, ?3)")?.execute(params![mode, number, turns])?;
    }
    for document in &entry.documents {
        tables.prepare_cached("INSERT INTO document VALUES (?1, ?2)")?.execute(params![document, number])?;
    }
    tables.prepare_cached("INSERT INTO said (rowid, text) VALUES (?1, ?2)")?.execute(params![number, entry.said])?;
    Ok(())
}

/// Where the row of a conversation lies, as a reader of the index of these outputs tells.
pub(super) fn place(reader: &Connection, outputs: &Path, id: &str) -> rusqlite::Result<Option<Place>> {
    let found = "SELECT file.name, file.kind, start, length FROM conversation JOIN file ON file.number = conversation.file WHERE id = ?1";
    let row = |row: &rusqlite::Row<'_>| {
        let (name, kind): (String, String) = (row.get(0)?, row.get(1)?);
        let (start, length): (u64, u64) = (row.get(2)?, row.get(3)?);
        let path = outputs.join(name);
        Ok(match Table::ALL.into_iter().find(|table| table.name() == kind) {
            Some(table) => Place::Row { path, table, part: start as usize, row: length as usize },
            None => Place::Line { path, start, length },
        })
    };
    reader.query_row(found, [id], row).optional()
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found != VERSION && found != 0 {
        drop(connection);
        remove(path);
        return open(path);
    }
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "cache_size", -64_000)?;
    let begun = connection.unchecked_transaction()?;
    let found: i64 = begun.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found == 0 {
        begun.execute_batch(SCHEMA)?;
        begun.pragma_update(None, "user_version", VERSION)?;
    }
    // So a folder that can't be written is known at once.
    begun.execute_batch("DELETE FROM file WHERE name = ''")?;
    begun.commit()?;
    Ok(connection)
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

fn remove(path: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        // Where it can't be removed, opening it tells.
        _ = fs::remove_file(name);
    }
}
