//! Rows of a JSON Lines file, read back one by one.

use super::FilesError;
use rayon::prelude::*;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Take};
use std::ops::{ControlFlow, Range};
use std::path::Path;

/// Bytes whose rows are read at a time, on all cores.
const BLOCK: usize = 4 << 20;

/// Hands over the rows of a file one by one with the bytes each takes, first to last, up to this length of the file in
/// bytes; none when there is no such file. A last line without newline that is not a row was torn by a run that died: it is
/// left out, with a warning. Blank lines are skipped.
///
/// # Errors
/// When the file can't be read, or another line is not such a row; the error names the line.
pub fn read<Row: DeserializeOwned + Send>(
    path: &Path,
    length: u64,
    mut take: impl FnMut(Range<u64>, Row),
) -> Result<(), FilesError> {
    let take = |bytes, row| {
        take(bytes, row);
        ControlFlow::Continue(())
    };
    read_with(path, length, |text| serde_json::from_slice(text), take)
}

/// The same, with what `parse` makes of the text of each row; it is called on all cores. Ends early where `take` says so.
///
/// # Errors
/// As there.
pub fn read_with<Row: Send>(
    path: &Path,
    length: u64,
    parse: impl Fn(&[u8]) -> serde_json::Result<Row> + Sync,
    take: impl FnMut(Range<u64>, Row) -> ControlFlow<()>,
) -> Result<(), FilesError> {
    read_from(path, (0, 0..length), parse, take)
}

/// The same with the bytes of a file that follow so many lines.
///
/// # Errors
/// As there.
pub(crate) fn read_from<Row: Send>(
    path: &Path,
    (mut line, bytes): (usize, Range<u64>),
    parse: impl Fn(&[u8]) -> serde_json::Result<Row> + Sync,
    mut take: impl FnMut(Range<u64>, Row) -> ControlFlow<()>,
) -> Result<(), FilesError> {
    let mut file = match File::open(path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(FilesError::io("open", path))?,
    };
    let mut start = file.seek(SeekFrom::Start(bytes.start)).map_err(FilesError::io("read", path))?;
    let (mut reader, mut text) = (BufReader::new(file.take(bytes.end.saturating_sub(start))), Vec::new());
    while block(&mut reader, &mut text).map_err(FilesError::io("read", path))? {
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        let is_blank = |text: &[u8]| text.trim_ascii().is_empty();
        let rows: Vec<_> = lines.par_iter().map(|text| (!is_blank(text)).then(|| parse(text))).collect();
        for (text, row) in lines.into_iter().zip(rows) {
            let bytes = start..start + text.len() as u64;
            (line, start) = (line + 1, bytes.end);
            let row = match row {
                None => continue,
                Some(Ok(row)) => row,
                Some(Err(_)) if !text.ends_with(b"\n") => {
                    tracing::warn!("{}:{line}: ignored a torn last line", path.display());
                    continue;
                }
                Some(Err(cause)) => return Err(FilesError::Decode { path: path.to_owned(), line, cause }),
            };
            if take(bytes, row).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Reads the next whole lines, and whether there are any.
fn block(reader: &mut BufReader<Take<File>>, text: &mut Vec<u8>) -> std::io::Result<bool> {
    text.clear();
    reader.by_ref().take(BLOCK as u64).read_to_end(text)?;
    if !text.ends_with(b"\n") {
        reader.read_until(b'\n', text)?;
    }
    Ok(!text.is_empty())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn found(content: &str, length: u64) -> Result<Vec<(Range<u64>, String)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        std::fs::write(&path, content).unwrap();
        let mut rows = Vec::new();
        read(&path, length, |bytes, row| rows.push((bytes, row))).map(|()| rows).map_err(|error| error.to_string())
    }

    #[test]
    fn rows_come_with_the_bytes_they_take() {
        let [one, two] = [(0..5, "né".to_owned()), (6..9, "b".to_owned())];
        assert_eq!(found("\"n\u{e9}\"", 9).unwrap(), std::slice::from_ref(&one), "a last line that is whole");
        assert_eq!(found("\"n\u{e9}\"\n\"b\"\n", 6).unwrap(), [(0..6, one.1.clone())], "up to a length");
        assert_eq!(found("\n     \"b\"", u64::MAX).unwrap(), [(1..9, two.1)], "blank lines are none");
        assert_eq!(found("\"n\u{e9}\"\n\"b", u64::MAX).unwrap().len(), 1, "a torn line is none");
    }

    #[test]
    fn rows_of_many_blocks_come_in_order_and_end_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        // One line is longer than a block.
        let length = |number: usize| if number == 700 { BLOCK + 1 } else { number * 31 % 20_000 };
        let line = |number| format!("\"{}\"\n", "x".repeat(length(number)));
        let lines: String = (0..1500).map(line).collect();
        assert!(lines.len() > 4 * BLOCK);
        std::fs::write(&path, &lines).unwrap();
        let (mut rows, mut end) = (0, 0);
        read(&path, u64::MAX, |bytes, row: String| {
            assert_eq!((bytes.start, bytes.end, row.len()), (end, end + line(rows).len() as u64, length(rows)));
            (rows, end) = (rows + 1, bytes.end);
        })
        .unwrap();
        assert_eq!((rows, end), (1500, lines.len() as u64));

        let mut seen = Vec::new();
        let parse = |text: &[u8]| serde_json::from_slice(text).map(|row: String| row.len());
        let take = |_, row| {
            seen.push(row);
            if seen.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        read_with(&path, u64::MAX, parse, take).unwrap();
        assert_eq!(seen, [0, 31, 62]);
    }

    #[test]
    fn another_line_is_named() {
        let error = found("\"a\"\n7\n\"b\"\n", u64::MAX).unwrap_err();
        assert!(error.contains("rows.jsonl:2: ") && error.contains("expected a string"), "{error}");
    }

    #[test]
    fn no_file_has_no_rows() {
        let folder = tempfile::tempdir().unwrap();
        read(&folder.path().join("rows.jsonl"), u64::MAX, |_, row: String| panic!("{row}")).unwrap();
    }
}
