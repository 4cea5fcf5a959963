//! One JSON Lines file: opened once, appended to in whole lines.

use super::OutputError;
use super::files::{WrittenFile, shown};
use super::json::Lines;
use serde::de::IgnoredAny;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const BLOCK: u64 = 64 * 1024;

/// A JSON Lines file of the outputs.
#[derive(Debug)]
pub(crate) struct Table {
    path: PathBuf,
    file: File,
    before: u64,
    length: u64,
    rows: u64,
}

impl Table {
    /// Opens the file, making it when there is none. A last line that an earlier run left without its newline is
    /// completed when it is a JSON text, else cut off with a warning, so that the next line starts on its own.
    pub fn open(path: PathBuf) -> Result<Self, OutputError> {
        let open = OpenOptions::new().read(true).append(true).create(true).open(&path);
        let mut file = open.map_err(OutputError::io("open", &path))?;
        let length = mend(&mut file, &path).map_err(OutputError::io("mend the last line of", &path))?;
        Ok(Self { path, file, before: length, length, rows: 0 })
    }

    fn append(&mut self, lines: &Lines) -> Result<(), OutputError> {
        self.file.write_all(&lines.bytes).map_err(OutputError::io("append to", &self.path))?;
        self.length += lines.bytes.len() as u64;
        self.rows += lines.rows;
        Ok(())
    }

    /// Brings the file to disk and tells what was added.
    pub fn finish(self, bases: [&Path; 2]) -> Result<WrittenFile, OutputError> {
        self.file.sync_all().map_err(OutputError::io("sync", &self.path))?;
        let bytes = self.length - self.before;
        Ok(WrittenFile { path: shown(&self.path, bases), rows: Some(self.rows), bytes })
    }
}

/// Appends to each table its lines, in order: all of them, or on an error none.
pub(crate) fn append_all<const N: usize>(tables: &mut [Table; N], lines: &[Lines; N]) -> Result<(), OutputError> {
    let before = std::array::from_fn::<_, N, _>(|at| (tables[at].length, tables[at].rows));
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

/// Ends the last line; the file's length in bytes.
fn mend(file: &mut File, path: &Path) -> io::Result<u64> {
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
            let mut table = [Table::open(path.clone()).unwrap()];
            append_all(&mut table, &[lines(&[json!([1])])]).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
            let [table] = table;
            let written = table.finish([folder.path(), folder.path()]).unwrap();
            assert_eq!(written, WrittenFile { path: "rows.jsonl".into(), rows: Some(1), bytes: 4 });
        }
    }

    #[test]
    fn a_failure_undoes_the_whole_batch() {
        let folder = tempfile::tempdir().unwrap();
        let good = Table::open(folder.path().join("good.jsonl")).unwrap();
        let path = folder.path().join("bad.jsonl");
        std::fs::write(&path, "").unwrap();
        let read_only = File::open(&path).unwrap();
        let bad = Table { path, file: read_only, before: 0, length: 0, rows: 0 };
        let mut tables = [good, bad];
        let error = append_all(&mut tables, &[lines(&[json!(1)]), lines(&[json!(2)])]).unwrap_err();
        assert!(error.to_string().contains("bad.jsonl"), "{error}");
        assert_eq!(std::fs::read(folder.path().join("good.jsonl")).unwrap(), b"");
        assert_eq!((tables[0].length, tables[0].rows), (0, 0));
    }
}
