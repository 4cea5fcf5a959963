//! One JSON Lines file: opened once, appended to in whole lines, recognised by its length and its end.

use super::FilesError;
use super::lines::Lines;
use super::whole::{WrittenFile, shown};
use crate::store::Mark;
use serde::de::IgnoredAny;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_128;

const BLOCK: u64 = 64 * 1024;
/// Bytes at the end of a file by which it is recognised.
const TAIL: u64 = 1 << 20;

/// What is to become of what a file of an output folder holds when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// Nothing is recorded of it, and what it holds counts.
    Keep,
    /// Nothing is recorded of it, and what it may hold is of no use.
    Truncate,
    /// It was recorded so and must still be so; what is behind that was written by a process that died, and is cut off.
    Require { mark: Mark, died: bool },
    /// It was recorded so, and whatever has become of it since is the user's own business; but what a process that died
    /// has written behind it is cut off.
    Tolerate { mark: Mark, died: bool },
}

/// A file of the outputs that only grows, line by line.
#[derive(Debug)]
pub(crate) struct Table {
    path: PathBuf,
    /// Its path in the output folder, as the store knows it.
    name: String,
    file: File,
    before: (u64, u64),
    length: u64,
    rows: u64,
    /// Whether it has grown since it was last brought to disk.
    dirty: bool,
}

impl Table {
    /// Opens a file of an output folder, making it when there is none. Where nothing is recorded of it, a last line
    /// without its newline is completed when it is a JSON text, else cut off with a warning.
    ///
    /// # Errors
    /// When it can't be opened, or is not what it must be.
    pub fn open(folder: &Path, name: &str, known: Existing) -> Result<Self, FilesError> {
        let path = folder.join(name);
        let demanded = matches!(known, Existing::Require { mark, .. } if mark.length > 0);
        let open = OpenOptions::new().read(true).append(true).create(!demanded).open(&path);
        let mut file = match open {
            Err(cause) if demanded && cause.kind() == io::ErrorKind::NotFound => {
                return Err(FilesError::Changed { path, detail: "it is missing".to_owned() });
            }
            open => open.map_err(FilesError::io("open", &path))?,
        };
        let (length, rows) = settle(&mut file, &path, known)?;
        Ok(Self { path, name: name.to_owned(), file, before: (length, rows), length, rows, dirty: true })
    }

    /// Its path in the output folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the file lies on disk.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many rows it has.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds lines at its end; they are durable once it is synced.
    pub fn append(&mut self, lines: &Lines) -> Result<(), FilesError> {
        self.dirty |= !lines.bytes.is_empty();
        self.file.write_all(&lines.bytes).map_err(FilesError::io("append to", &self.path))?;
        self.length += lines.bytes.len() as u64;
        self.rows += lines.rows;
        Ok(())
    }

    /// Brings it to disk; how it ends, where it has grown since the last time.
    pub fn sync(&mut self) -> Result<Option<(String, Mark)>, FilesError> {
        if !std::mem::take(&mut self.dirty) {
            return Ok(None);
        }
        self.file.sync_data().map_err(FilesError::io("sync", &self.path))?;
        let tail = tail(&mut self.file, self.length).map_err(FilesError::io("read", &self.path))?;
        Ok(Some((self.name.clone(), Mark { length: self.length, rows: self.rows, tail })))
    }

    /// Tells what was added.
    pub fn written(&self, bases: [&Path; 2]) -> WrittenFile {
        let (length, rows) = self.before;
        WrittenFile { path: shown(&self.path, bases), rows: Some(self.rows - rows), bytes: self.length - length }
    }
}

/// Appends to each table its lines, in order: all of them, or on an error none.
pub(crate) fn append_all(tables: &mut [Table], lines: &[Lines]) -> Result<(), FilesError> {
    let before: Vec<_> = tables.iter().map(|table| (table.length, table.rows)).collect();
    let appended = tables.iter_mut().zip(lines).try_for_each(|(table, lines)| table.append(lines));
    if appended.is_err() {
        for (table, (length, rows)) in tables.iter_mut().zip(before) {
            (table.length, table.rows) = (length, rows);
            if let Err(cause) = table.file.set_len(length) {
                tracing::warn!("{} may end in a partial row: {cause}", table.path.display());
            }
        }
    }
    appended
}

/// Brings a file into the state it must be in; its length and rows.
fn settle(file: &mut File, path: &Path, known: Existing) -> Result<(u64, u64), FilesError> {
    let (mark, died) = match known {
        Existing::Keep => {
            let length = repair_tail(file, path).map_err(FilesError::io("repair the last line of", path))?;
            return Ok((length, 0));
        }
        Existing::Truncate => {
            file.set_len(0).map_err(FilesError::io("empty", path))?;
            return Ok((0, 0));
        }
        Existing::Require { mark, died } | Existing::Tolerate { mark, died } => (mark, died),
    };
    let length = file.metadata().map_err(FilesError::io("look at", path))?.len();
    let detail = match length {
        shorter if shorter < mark.length => Some(format!("it has {shorter} bytes of {}", mark.length)),
        _ if tail(file, mark.length).map_err(FilesError::io("read", path))? != mark.tail => {
            Some("its content is not what was written".to_owned())
        }
        longer if longer > mark.length && !died => {
            Some(format!("it has {longer} bytes, {} more than were written", longer - mark.length))
        }
        _ => None,
    };
    match (detail, known) {
        (None, _) => {
            file.set_len(mark.length).map_err(FilesError::io("cut", path))?;
            Ok((mark.length, mark.rows))
        }
        (Some(_), Existing::Tolerate { .. }) => settle(file, path, Existing::Keep),
        (Some(detail), _) => Err(FilesError::Changed { path: path.to_owned(), detail }),
    }
}

/// XXH3-128 of the last bytes before this length.
fn tail(file: &mut File, length: u64) -> io::Result<u128> {
    let start = length.saturating_sub(TAIL);
    let mut bytes = Vec::with_capacity((length - start) as usize);
    file.seek(SeekFrom::Start(start))?;
    Read::take(file, length - start).read_to_end(&mut bytes)?;
    Ok(xxh3_128(&bytes))
}

/// How a whole file ends.
pub(crate) fn mark(path: &Path, rows: u64) -> Result<Mark, FilesError> {
    let mut file = File::open(path).map_err(FilesError::io("open", path))?;
    let length = file.metadata().map_err(FilesError::io("look at", path))?.len();
    let tail = tail(&mut file, length).map_err(FilesError::io("read", path))?;
    Ok(Mark { length, rows, tail })
}

/// Demands that a file is as it was recorded.
pub(crate) fn expect(path: &Path, mark: Mark) -> Result<(), FilesError> {
    match File::open(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            Err(FilesError::Changed { path: path.to_owned(), detail: "it is missing".to_owned() })
        }
        opened => {
            let mut file = opened.map_err(FilesError::io("open", path))?;
            let length = file.metadata().map_err(FilesError::io("look at", path))?.len();
            let same =
                length == mark.length && tail(&mut file, length).map_err(FilesError::io("read", path))? == mark.tail;
            let detail = format!("it is not the file of {} bytes that was written", mark.length);
            if same { Ok(()) } else { Err(FilesError::Changed { path: path.to_owned(), detail }) }
        }
    }
}

/// Ends the last line; the file's length in bytes.
fn repair_tail(file: &mut File, path: &Path) -> io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    let start = last_line_start(file, length)?;
    if start == length {
        return Ok(length);
    }
    file.seek(SeekFrom::Start(start))?;
    let mut last = Vec::new();
    file.read_to_end(&mut last)?;
    if serde_json::from_slice::<IgnoredAny>(&last).is_ok() {
        file.write_all(b"\n")?;
        return Ok(length + 1);
    }
    tracing::warn!("{}: removed a torn last line of {} bytes", path.display(), last.len());
    file.set_len(start)?;
    Ok(start)
}

/// Where the text after the last newline starts: `length` when the file is empty or ends in a newline.
fn last_line_start(file: &mut File, length: u64) -> io::Result<u64> {
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(start))?;
        let mut block = Vec::new();
        file.take(end - start).read_to_end(&mut block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn lines(rows: &[serde_json::Value]) -> Lines {
        let mut lines = Lines::default();
        rows.iter().for_each(|row| lines.push("row", row).unwrap());
        lines
    }

    #[test]
    fn the_last_line_is_mended() {
        let folder = tempfile::tempdir().unwrap();
        let long = "x".repeat(BLOCK as usize);
        for (found, expected) in [
            (String::new(), "[1]\n".to_owned()),
            ("{}\n".into(), "{}\n[1]\n".into()),
            ("{}\n{\"a\": 1}".into(), "{}\n{\"a\": 1}\n[1]\n".into()),
            ("{}\n{\"a\": ".into(), "{}\n[1]\n".into()),
            ("{\"a".into(), "[1]\n".into()),
            (format!("{{}}\n{{\"a\": \"{long}"), "{}\n[1]\n".into()),
            (format!("[\"{long}\"]"), format!("[\"{long}\"]\n[1]\n")),
        ] {
            let path = folder.path().join("rows.jsonl");
            std::fs::write(&path, &found).unwrap();
            let mut table = [Table::open(folder.path(), "rows.jsonl", Existing::Keep).unwrap()];
            append_all(&mut table, &[lines(&[json!([1])])]).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
            let [table] = table;
            let written = table.written([folder.path(), folder.path()]);
            assert_eq!(written, WrittenFile { path: "rows.jsonl".into(), rows: Some(1), bytes: 4 });
        }
    }

    #[test]
    fn a_failure_undoes_the_whole_batch() {
        let folder = tempfile::tempdir().unwrap();
        let good = Table::open(folder.path(), "good.jsonl", Existing::Keep).unwrap();
        let path = folder.path().join("bad.jsonl");
        std::fs::write(&path, "").unwrap();
        let read_only = File::open(&path).unwrap();
        let name = "bad.jsonl".to_owned();
        let bad = Table { path, name, file: read_only, before: (0, 0), length: 0, rows: 0, dirty: false };
        let mut tables = [good, bad];
        let error = append_all(&mut tables, &[lines(&[json!(1)]), lines(&[json!(2)])]).unwrap_err();
        assert!(error.to_string().contains("bad.jsonl"), "{error}");
        assert_eq!(std::fs::read(folder.path().join("good.jsonl")).unwrap(), b"");
        assert_eq!((tables[0].length, tables[0].rows), (0, 0));
    }

    #[test]
    fn a_file_is_cut_kept_or_refused_by_what_is_recorded_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        let mut table = Table::open(folder.path(), "rows.jsonl", Existing::Keep).unwrap();
        table.append(&lines(&[json!(1), json!(2)])).unwrap();
        let (_, mark) = table.sync().unwrap().unwrap();
        assert_eq!((mark.length, mark.rows, table.sync().unwrap()), (4, 2, None));
        let opened = |content: Option<&str>, known: Existing| {
            match content {
                Some(content) => std::fs::write(&path, content).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            let opened = Table::open(folder.path(), "rows.jsonl", known).map(|table| (table.length(), table.rows()));
            opened.map_err(|error| error.to_string())
        };
        let (yes, no) = (true, false);
        for (content, died, exactly, loosely) in [
            (Some("1\n2\n"), no, Ok((4, 2)), (4, 2)),
            (Some("1\n2\n3\n"), yes, Ok((4, 2)), (4, 2)),
            (Some("1\n2\n3"), yes, Ok((4, 2)), (4, 2)),
            (Some("1\n2\n3\n"), no, Err("it has 6 bytes, 2 more than were written"), (6, 0)),
            (Some("1\n"), yes, Err("it has 2 bytes of 4"), (2, 0)),
            (Some("1\n3\n"), yes, Err("its content is not what was written"), (4, 0)),
            (None, yes, Err("it is missing"), (0, 0)),
        ] {
            let found = opened(content, Existing::Require { mark, died });
            match exactly {
                Ok(expected) => assert_eq!(found, Ok(expected), "{content:?}"),
                Err(detail) => {
                    let error = found.unwrap_err();
                    assert!(error.contains("rows.jsonl") && error.contains(detail), "{content:?}: {error}");
                }
            }
            std::fs::write(&path, "").unwrap();
            assert_eq!(opened(content, Existing::Tolerate { mark, died }), Ok(loosely), "{content:?}");
            std::fs::write(&path, "").unwrap();
        }
        assert_eq!(opened(Some("whatever"), Existing::Truncate), Ok((0, 0)));
    }
}
