//! The files that conversations are read from, and how much of them counts.

use crate::files::{FilesError, Folder};
use crate::output::Table;
use crate::view::ViewError;
use serde_json::{Map, Value};
use std::fs::{self, File, Metadata};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use xxhash_rust::xxh3::xxh3_64;

/// The files of accepted conversations, of which the first has those with verdicts, and of dropped ones.
const JUDGED: &str = "conversations_sharegpt_judged.jsonl";
const ACCEPTED: &str = "conversations_sharegpt.jsonl";
const DROPPED: &str = "dropped.jsonl";
/// The file of the store that tells how much counts, and what was written to it last.
const STORE: [&str; 2] = ["store/runs.sqlite", "store/runs.sqlite-wal"];
/// Bytes before the place up to which a file is indexed, by which it is known again.
const TAIL: u64 = 4096;

/// A file of conversations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Its name in the output folder.
    pub name: String,
    pub path: PathBuf,
    /// The table of a Parquet file; none of JSON Lines.
    pub table: Option<Table>,
    /// Bytes that count; none where another file has all that it would tell.
    pub length: Option<u64>,
    /// What tells it from another file of the name: its number in the file system.
    pub identity: String,
    /// When it was last written, in nanoseconds since 1970.
    pub written: i64,
}

/// The files of conversations of an output folder: the training files and those of dropped ones; of either that are not there, or have
/// columns of other names, the Parquet files instead.
///
/// # Errors
/// When they can't be looked at, or there are neither of them.
pub fn counted(outputs: &Path, dsn: Option<&str>) -> Result<Vec<Counted>, ViewError> {
    let folder = Folder::find(outputs, dsn)?;
    let rows = |name: &str| folder.as_ref()?.files.get(name).map(|mark| mark.rows);
    let all_judged = rows(JUDGED).is_some_and(|judged| Some(judged) == rows(ACCEPTED));
    let mut found = Vec::new();
    for (names, table) in [(&[JUDGED, ACCEPTED][..], Table::Conversations), (&[DROPPED], Table::Dropped)] {
        if !names.iter().any(|name| is_readable(&outputs.join(name))) {
            found.extend(shards(outputs, table)?);
            continue;
        }
        for name in names {
            let path = outputs.join(name);
            let Some(metadata) = look(&path)? else { continue };
            let length = folder.as_ref().map_or(Ok(metadata.len()), |folder| folder.length(outputs, name))?;
            let length = Some(length).filter(|_| !(all_judged && *name == ACCEPTED));
            found.push(Counted { length, ..Counted::of((*name).to_owned(), path, None, &metadata) });
        }
    }
    if found.is_empty() && folder.is_none_or(|folder| folder.runs.is_empty()) {
        let detail = "there are no conversations in it that can be shown; name an output folder of runs with \
             `conversations_sharegpt` or `parquet` in `saving.files` (columns of other names are read from Parquet)";
        return Err(ViewError::Nothing { folder: outputs.to_owned(), detail: detail.to_owned() });
    }
    Ok(found)
}

/// The lengths and times of what tells how much counts, by which it is seen that nothing has changed; none where the store is elsewhere.
pub fn stamp(outputs: &Path) -> Option<Vec<(u64, i64)>> {
    fs::metadata(outputs.join(STORE[0])).ok()?;
    let looked = [JUDGED, ACCEPTED, DROPPED, "parquet/conversations", "parquet/dropped"].into_iter().chain(STORE);
    let one = |name| fs::metadata(outputs.join(name)).map_or((0, 0), |found| (found.len(), written(&found)));
    Some(looked.map(one).collect())
}

/// The Parquet files of a table, in the order of their names.
fn shards(outputs: &Path, table: Table) -> Result<Vec<Counted>, ViewError> {
    let inside = outputs.join("parquet").join(table.name());
    let Ok(entries) = fs::read_dir(&inside) else { return Ok(Vec::new()) };
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| !name.starts_with('.') && name.ends_with(".parquet"));
    names.sort();
    let mut found = Vec::new();
    for name in names {
        let path = inside.join(&name);
        if let Some(metadata) = look(&path)? {
            found.push(Counted::of(format!("parquet/{}/{name}", table.name()), path, Some(table), &metadata));
        }
    }
    Ok(found)
}

fn look(path: &Path) -> Result<Option<Metadata>, FilesError> {
    match fs::metadata(path) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some).map_err(FilesError::io("look at", path)),
    }
}

/// Whether there is a file whose rows, if it has any, have the columns under their own names.
fn is_readable(path: &Path) -> bool {
    let mut line = Vec::new();
    let Ok(file) = File::open(path) else { return false };
    // One that can't be read is told of later.
    _ = BufReader::new(file).read_until(b'\n', &mut line);
    let row: Map<String, Value> = serde_json::from_slice(&line).unwrap_or_default();
    row.is_empty() || row.contains_key("messages") && row.contains_key("metadata")
}

impl Counted {
    fn of(name: String, path: PathBuf, table: Option<Table>, metadata: &Metadata) -> Self {
        let (length, identity) = (Some(metadata.len()), identity(metadata));
        Self { name, path, table, length, identity, written: written(metadata) }
    }

    /// A digest of the bytes before this place of the file; none where it is shorter.
    pub fn tail(&self, end: u64) -> Result<Option<i64>, FilesError> {
        let mut bytes = Vec::new();
        let mut read = || {
            let mut file = File::open(&self.path)?;
            let from = file.seek(SeekFrom::Start(end.saturating_sub(TAIL)))?;
            file.take(end - from).read_to_end(&mut bytes)
        };
        let count = read().map_err(FilesError::io("read", &self.path))?;
        Ok((count as u64 == end.min(TAIL)).then(|| xxh3_64(&bytes) as i64))
    }
}

/// When a file was last written, in nanoseconds since 1970.
fn written(metadata: &Metadata) -> i64 {
    let since = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos() as i64)
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    format!("{}:{}", metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(metadata: &Metadata) -> String {
    metadata.created().map_or_else(|_| String::new(), |at| format!("{at:?}"))
}
