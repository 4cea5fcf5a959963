//! What was read of the knowledge base, kept between runs: documents, chunks and vectors, in one SQLite file.
//!
//! A file is known by its path, the digest of its bytes and how it was read and cut; a vector by its model and the digest of
//! its text. What is still valid is taken over, so that a change costs what has changed, and a build that was cut off goes on
//! where it was. Rows are never altered: a changed file is a new row, and old ones go when no process reads them.

use super::KnowledgeError;
use crate::domain::{Chunk, ChunkIndex, ChunkStore, Source, SourceIndex};
use crate::store;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_128;

/// The file, in the folder of the index.
pub(super) const FILE: &str = "inventory.sqlite";

/// Held by who changes the folder, and by who reads it.
const WRITING: &str = "writing.lock";
const READING: &str = "reading.lock";

/// The form of the file and of the texts in it. Another one is made anew: everything in it follows from the documents.
const FORMAT: i64 = 2;

const SCHEMA: &str = "
    CREATE TABLE files (
        id INTEGER PRIMARY KEY, path TEXT NOT NULL, content BLOB NOT NULL, reading BLOB NOT NULL, warnings TEXT NOT NULL);
    CREATE INDEX files_by_path ON files (path);
    CREATE TABLE documents (
        id INTEGER PRIMARY KEY, file INTEGER NOT NULL, path TEXT NOT NULL, language TEXT, digest TEXT NOT NULL,
        chunks INTEGER NOT NULL, texts BLOB NOT NULL);
    CREATE INDEX documents_by_file ON documents (file);
    CREATE TABLE chunks (
        document INTEGER NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL, context TEXT NOT NULL,
        char_start INTEGER NOT NULL, char_end INTEGER NOT NULL, PRIMARY KEY (document, number)) WITHOUT ROWID;
    CREATE TABLE vectors (model BLOB NOT NULL, text BLOB NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (model, text)) WITHOUT ROWID;
";

/// A digest of 128 bits, as the file has it.
pub(super) type Key = [u8; 16];

/// A file as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// The number of its row.
    pub id: i64,
    /// The digest of its path and bytes.
    pub digest: Key,
    /// What the user should know about how it was read.
    pub warnings: Vec<String>,
    /// The documents in it that have text: mostly one.
    pub documents: Vec<KeptDocument>,
}

/// A document as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeptDocument {
    /// The number of its row.
    pub id: i64,
    /// Its path, as a source has it.
    pub path: String,
    /// ISO 639-1 code of its language.
    pub language: Option<String>,
    /// Digest of the texts of its chunks.
    pub digest: String,
    /// How many chunks it has.
    pub chunks: u32,
}

/// Copies what a folder keeps into another one, which is empty. What can't be copied is made anew there.
pub(super) fn copy(from: &Path, to: &Path) {
    let is_changing = || File::open(from.join(WRITING)).is_ok_and(|lock| lock.try_lock_shared().is_err());
    if is_changing() {
        return;
    }
    let log = format!("{FILE}-wal");
    let copied = |name: &str| match fs::copy(from.join(name), to.join(name)) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => true,
        copied => copied.is_ok(),
    };
    if !(copied(FILE) && copied(&log)) {
        // A part of it is none.
        [FILE, &log].into_iter().for_each(|name| _ = fs::remove_file(to.join(name)));
    }
}

/// The file, open. One process changes it at a time; many may read it.
pub(super) struct Inventory {
    folder: PathBuf,
    path: PathBuf,
    connections: Mutex<Vec<Connection>>,
    reading: File,
    writing: Mutex<Option<File>>,
}

impl Inventory {
    /// Opens the folder of the index to change it, and waits for the process that does so now, if there is one.
    ///
    /// # Errors
    /// When the folder or a file in it can't be made, opened or locked.
    pub fn open(folder: &Path) -> Result<Self, KnowledgeError> {
        let failed =
            |cause: std::io::Error| KnowledgeError::IndexFolder { path: folder.to_owned(), cause: cause.to_string() };
        fs::create_dir_all(folder).map_err(failed)?;
        let lock_file = |name| OpenOptions::new().create(true).append(true).open(folder.join(name)).map_err(failed);
        let (writing, reading) = (lock_file(WRITING)?, lock_file(READING)?);
        match writing.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                tracing::warn!("waiting for another process that builds the index in {}", folder.display());
                writing.lock().map_err(failed)?;
            }
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        let path = folder.join(FILE);
        let inventory = Self {
            folder: folder.to_owned(),
            path,
            connections: Mutex::default(),
            reading,
            writing: Mutex::new(Some(writing)),
        };
        inventory.prepare()?;
        Ok(inventory)
    }

    /// Makes the tables. A file of another form, or a damaged one, is made anew.
    fn prepare(&self) -> Result<(), KnowledgeError> {
        let look = |connection: &Connection| -> rusqlite::Result<bool> {
            let format: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            let count: i64 = connection.query_row("SELECT count(*) FROM files", [], |row| row.get(0))?;
            Ok(format == FORMAT && count >= 0)
        };
        let is_new = fs::metadata(&self.path).map_or(0, |file| file.len()) == 0;
        let is_sound = match self.attempt(look) {
            _ if is_new => true,
            Ok(is_sound) => is_sound,
            // What only can't be read now, because it is locked or files are short, is no reason to give up what was paid
            // for. Of a table that is missing, there is no code.
            Err(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) => false,
                _ => return Err(self.failed(&error)),
            },
        };
        if !is_sound {
            tracing::warn!("{} is damaged or of another release; it is built anew", self.path.display());
            self.connections.lock().unwrap_or_else(PoisonError::into_inner).clear();
            self.remove_files(&self.path)?;
        }
        self.with(|connection| {
            connection.pragma_update(None, "journal_mode", "wal")?;
            let format: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            if format == FORMAT {
                return Ok(());
            }
            connection.execute_batch(&format!("BEGIN; {SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT"))
        })
    }

    fn remove_files(&self, path: &Path) -> Result<(), KnowledgeError> {
        for ending in ["", "-wal", "-shm"] {
            let path = PathBuf::from(format!("{}{ending}", path.display()));
            match fs::remove_file(&path) {
                Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                    return Err(KnowledgeError::IndexFolder { path, cause: cause.to_string() });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The folder it lies in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Does something with a connection, of which there are as many as threads need at a time.
    fn with<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, KnowledgeError> {
        self.attempt(work).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &rusqlite::Error) -> KnowledgeError {
        KnowledgeError::IndexFolder { path: self.path.clone(), cause: store::cause(error, &self.path) }
    }

    fn attempt<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let idle = self.connections.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let open = || {
            let mode = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
            let connection = Connection::open_with_flags(&self.path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
            connection.busy_timeout(Duration::from_secs(10))?;
            // All of it can be made again: what a power cut takes is read again. (This reads nothing of the file.)
            connection.pragma_update(None, "synchronous", "normal")?;
            connection.set_prepared_statement_cache_capacity(16);
            Ok(connection)
        };
        idle.map_or_else(open, Ok).and_then(|connection| {
            let done = work(&connection);
            self.connections.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            done
        })
    }

    /// The file with this path and these bytes, if it was read in this way.
    pub fn known(&self, path: &str, content: &Key, reading: &Key) -> Result<Option<Kept>, KnowledgeError> {
        self.with(|connection| {
            let mut find = connection
                .prepare_cached("SELECT id, warnings FROM files WHERE path = ?1 AND content = ?2 AND reading = ?3")?;
            let found = find.query_row(params![path, content, reading], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
            });
            let Some((id, warnings)) = found.optional()? else { return Ok(None) };
            let mut find = connection.prepare_cached(
                "SELECT id, path, language, digest, chunks FROM documents WHERE file = ?1 ORDER BY id",
            )?;
            let document = |row: &rusqlite::Row<'_>| {
                let [id, path, language, digest, chunks] = [0, 1, 2, 3, 4];
                Ok(KeptDocument {
                    id: row.get(id)?,
                    path: row.get(path)?,
                    language: row.get(language)?,
                    digest: row.get(digest)?,
                    chunks: row.get(chunks)?,
                })
            };
            let documents = find.query_map([id], document)?.collect::<Result<_, _>>()?;
            let warnings = warnings.lines().map(str::to_owned).collect();
            Ok(Some(Kept { id, digest: file_digest(path, content), warnings, documents }))
        })
    }

    /// The digests of the texts of these documents' chunks, as they are embedded, in order.
    pub fn texts(&self, documents: &[i64]) -> Result<Vec<Key>, KnowledgeError> {
        self.with(|connection| {
            let mut find = connection.prepare_cached("SELECT texts FROM documents WHERE id = ?1")?;
            let mut all = Vec::new();
            for document in documents {
                find.query_row([document], |row| {
                    let keys = row.get_ref(0)?.as_blob()?.as_chunks().0;
                    all.extend_from_slice(keys);
                    Ok(())
                })?;
            }
            Ok(all)
        })
    }

    /// Keeps a file that was read: its documents with their chunks, all or nothing of it.
    pub fn keep(
        &self,
        (path, content, reading): (&str, &Key, &Key),
        made: &[(Source, Vec<Chunk>)],
        warnings: Vec<String>,
    ) -> Result<Kept, KnowledgeError> {
        // One at a time: those that wait in SQLite wait for too long.
        let one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = self.with(|connection| {
            let keep = connection.unchecked_transaction()?;
            keep.prepare_cached("INSERT INTO files (path, content, reading, warnings) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![path, content, reading, warnings.join("\n")])?;
            let file = keep.last_insert_rowid();
            let mut documents = Vec::with_capacity(made.len());
            for (source, chunks) in made {
                let Source { path, language, digest, .. } = source;
                keep.prepare_cached(
                    "INSERT INTO documents (file, path, language, digest, chunks, texts) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![file, path, language.as_deref(), &**digest, chunks.len(), texts(chunks)])?;
                let id = keep.last_insert_rowid();
                let mut add = keep.prepare_cached("INSERT INTO chunks VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
                for chunk in chunks {
                    let Chunk { chunk_index, text, context, char_start, char_end, .. } = chunk;
                    add.execute(params![id, chunk_index, &**text, &**context, char_start, char_end])?;
                }
                let (language, digest) = (language.as_deref().map(str::to_owned), digest.to_string());
                documents.push(KeptDocument { id, path: path.clone(), language, digest, chunks: chunks.len() as u32 });
            }
            keep.commit()?;
            Ok((file, documents))
        });
        drop(one);
        let (id, documents) = kept?;
        Ok(Kept { id, digest: file_digest(path, content), warnings, documents })
    }

    /// Forgets every file and, where told, every vector: they are made again.
    pub fn forget(&self, vectors: bool) -> Result<(), KnowledgeError> {
        let more = if vectors { "DELETE FROM vectors;" } else { "" };
        self.with(|connection| {
            connection.execute_batch(&format!("BEGIN; UPDATE files SET content = x''; {more} COMMIT"))
        })?;
        if vectors { self.remove(|_| true) } else { Ok(()) }
    }

    /// Removes what an index has in the folder beside this file, where it is told.
    fn remove(&self, is_told: impl Fn(&str) -> bool) -> Result<(), KnowledgeError> {
        let failed =
            |cause: std::io::Error| KnowledgeError::IndexFolder { path: self.folder.clone(), cause: cause.to_string() };
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_part = [super::index::PREFIX, super::vectors::PREFIX].iter().any(|prefix| name.starts_with(prefix));
            if is_part && is_told(&name) {
                let path = entry.path();
                if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.map_err(failed)?;
            }
        }
        Ok(())
    }

    /// The building is done: other processes may change the folder, and what nobody needs goes. `files` are the rows in use,
    /// `vectors` the model whose vectors are, with the digests of their texts; `keep` says which other files of the folder are.
    pub fn settle(
        &self,
        files: &[i64],
        vectors: Option<(&Key, &[Key])>,
        keep: impl Fn(&str) -> bool,
    ) -> Result<(), KnowledgeError> {
        let failed =
            |cause: std::io::Error| KnowledgeError::IndexFolder { path: self.folder.clone(), cause: cause.to_string() };
        let all: usize =
            self.with(|connection| connection.query_row("SELECT count(*) FROM files", [], |row| row.get(0)))?;
        let nobody_reads = self.reading.try_lock().is_ok();
        if nobody_reads && all != files.len() {
            self.with(|connection| {
                let clear = connection.unchecked_transaction()?;
                clear.execute_batch(
                    "CREATE TEMP TABLE used (id INTEGER PRIMARY KEY); CREATE TEMP TABLE texts (text BLOB PRIMARY KEY) WITHOUT ROWID;",
                )?;
                let mut add = clear.prepare("INSERT INTO used VALUES (?1)")?;
                files.iter().try_for_each(|id| add.execute([id]).map(drop))?;
                drop(add);
                clear.execute_batch(
                    "DELETE FROM files WHERE id NOT IN (SELECT id FROM used); \
                     DELETE FROM documents WHERE file NOT IN (SELECT id FROM used); \
                     DELETE FROM chunks WHERE document NOT IN (SELECT id FROM documents);",
                )?;
                if let Some((model, texts)) = vectors {
                    let mut add = clear.prepare("INSERT OR IGNORE INTO texts VALUES (?1)")?;
                    texts.iter().try_for_each(|text| add.execute([text]).map(drop))?;
                    drop(add);
                    clear.execute("DELETE FROM vectors WHERE model = ?1 AND text NOT IN (SELECT text FROM texts)", [model])?;
                }
                clear.execute_batch("DROP TABLE used; DROP TABLE texts;")?;
                clear.commit()
            })?;
        }
        if nobody_reads {
            self.remove(|name| !keep(name))?;
            self.reading.unlock().map_err(failed)?;
        }
        self.reading.lock_shared().map_err(failed)?;
        drop(self.writing.lock().unwrap_or_else(PoisonError::into_inner).take());
        Ok(())
    }

    /// The vector of a text, if it is kept.
    pub fn vector(&self, model: &Key, text: &Key) -> Result<Option<Vec<f32>>, KnowledgeError> {
        self.with(|connection| {
            let mut find = connection.prepare_cached("SELECT vector FROM vectors WHERE model = ?1 AND text = ?2")?;
            find.query_row(params![model, text], |row| Ok(floats(row.get_ref(0)?.as_blob()?))).optional()
        })
    }

    /// Which of these texts have a vector of this model.
    pub fn has_vectors(&self, model: &Key, texts: &[Key]) -> Result<Vec<bool>, KnowledgeError> {
        self.with(|connection| {
            let mut find = connection.prepare_cached("SELECT 1 FROM vectors WHERE model = ?1 AND text = ?2")?;
            texts.iter().map(|text| find.exists(params![model, text])).collect()
        })
    }

    /// Keeps vectors of texts, all or none of them.
    pub fn keep_vectors(&self, model: &Key, vectors: &[(Key, Vec<f32>)]) -> Result<(), KnowledgeError> {
        self.with(|connection| {
            let keep = connection.unchecked_transaction()?;
            let mut add = keep.prepare_cached("INSERT OR REPLACE INTO vectors VALUES (?1, ?2, ?3)")?;
            for (text, vector) in vectors {
                let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
                add.execute(params![model, text, bytes])?;
            }
            drop(add);
            keep.commit()
        })
    }
}

/// The digests of chunks as they are embedded, one after the other.
fn texts(chunks: &[Chunk]) -> Vec<u8> {
    chunks.iter().flat_map(|chunk| super::embeddings::key(&super::vectors::passage(chunk))).collect()
}

/// The digest of a file's path and bytes.
fn file_digest(path: &str, content: &Key) -> Key {
    xxh3_128(&[path.as_bytes(), content].concat()).to_be_bytes()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect()
}

/// Chunks that are read from the file when they are asked for.
pub(super) struct KeptChunks {
    inventory: Arc<Inventory>,
    /// For each source, the row of its document, the digest of its path in hexadecimal digits, and where its chunks end.
    sources: Vec<(i64, String, u32)>,
}

impl KeptChunks {
    /// The chunks of these sources, each with the row of its document.
    pub fn new(inventory: Arc<Inventory>, sources: &[Source], rows: &[i64]) -> Self {
        let of = |(source, row): (&Source, &i64)| (*row, super::path_digits(&source.path), source.chunks.end);
        Self { inventory, sources: sources.iter().zip(rows).map(of).collect() }
    }
}

impl ChunkStore for KeptChunks {
    /// # Panics
    /// When the file can't be read any more: it was written by this process, or checked when it was opened.
    fn chunk(&self, index: ChunkIndex) -> Chunk {
        let at = self.sources.partition_point(|(.., end)| *end <= index.0);
        let start = if at == 0 { 0 } else { self.sources[at - 1].2 };
        let (document, digits, _) = &self.sources[at];
        let chunk_index = index.0 - start;
        let read = self.inventory.with(|connection| {
            let mut find = connection.prepare_cached(
                "SELECT text, context, char_start, char_end FROM chunks WHERE document = ?1 AND number = ?2",
            )?;
            find.query_row(params![document, chunk_index], |row| {
                Ok(Chunk {
                    id: format!("{digits}-{chunk_index}"),
                    text: row.get_ref(0)?.as_str()?.into(),
                    context: row.get_ref(1)?.as_str()?.into(),
                    source: SourceIndex(at as u32),
                    chunk_index,
                    char_start: row.get(2)?,
                    char_end: row.get(3)?,
                })
            })
        });
        read.unwrap_or_else(|error| panic!("{error}"))
    }
}
