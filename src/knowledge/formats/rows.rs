//! Files whose rows are documents: JSON lines and Parquet.

use super::super::Reading;
use super::{Failure, Part};
use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

/// The settings that name the columns of documents.
pub const TEXT: &str = "knowledge.text_column";
const ID: &str = "knowledge.id_column";

/// Rows of Parquet that are decoded together.
const BATCH: usize = 256;

/// Names of columns that a message tells.
const MOST_NAMES: usize = 20;

/// The rows of a file so far.
struct Rows<'a> {
    reading: &'a Reading,
    emit: &'a mut dyn FnMut(Part),
    /// Names of rows that were given in a column, as far as they were met.
    names: HashSet<String>,
    total: usize,
    /// Rows left out, each reason with the number of such rows and the first of them.
    left_out: Vec<(&'static str, usize, usize)>,
}

impl<'a> Rows<'a> {
    fn new(reading: &'a Reading, emit: &'a mut dyn FnMut(Part)) -> Self {
        Self { reading, emit, names: HashSet::new(), total: 0, left_out: Vec::new() }
    }

    /// Gives away the row of this number from 1, which is named by it or by what its column says.
    fn add(&mut self, number: usize, text: Option<&str>, name: Option<String>) {
        let text = match text {
            None => return self.leave_out("no text in the column", number),
            Some(text) if text.trim().is_empty() => return self.leave_out("an empty text", number),
            Some(text) if text.len() as u64 > self.reading.max_bytes => {
                return self.leave_out("a text longer than `knowledge.max_size_mb`", number);
            }
            Some(text) => text.to_owned(),
        };
        let row = match (&self.reading.id_column, name) {
            (None, _) => number.to_string(),
            (Some(_), None) => return self.leave_out("nothing in `knowledge.id_column`", number),
            (Some(_), Some(name)) if !self.names.insert(name.clone()) => {
                return self.leave_out("the id of an earlier row", number);
            }
            (Some(_), Some(name)) => name,
        };
        self.total += 1;
        (self.emit)(Part { row: Some(row), text, is_markdown: false });
    }

    fn leave_out(&mut self, why: &'static str, number: usize) {
        self.total += 1;
        match self.left_out.iter_mut().find(|(reason, ..)| *reason == why) {
            Some((_, count, _)) => *count += 1,
            None => self.left_out.push((why, 1, number)),
        }
    }

    fn notes(self) -> Vec<String> {
        let total = self.total;
        let note = |(why, count, first): (&str, usize, usize)| match count {
            1 => format!("row {first} of {total} left out, it has {why}"),
            _ => format!("{count} of {total} rows left out, they have {why}, the first is row {first}"),
        };
        self.left_out.into_iter().map(note).collect()
    }
}

/// The rows of a file with an object in every line; `key` is the setting that names the column of the text.
pub fn jsonl(file: File, reading: &Reading, key: &str, emit: &mut dyn FnMut(Part)) -> Result<Vec<String>, Failure> {
    let (mut lines, mut line) = (BufReader::new(file), Vec::new());
    let (mut rows, mut first, mut has_column) = (Rows::new(reading, emit), None, false);
    for number in 1.. {
        line.clear();
        if lines.by_ref().take(reading.max_bytes + 1).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.len() as u64 > reading.max_bytes {
            let most = super::megabytes(reading.max_bytes);
            return Err(format!("its line {number} is longer than {most} (`knowledge.max_size_mb`)").into());
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let Ok(row) = serde_json::from_slice::<Map<String, Value>>(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line))
        else {
            rows.leave_out("no JSON object", number);
            continue;
        };
        has_column |= row.contains_key(&reading.text_column);
        let name = reading.id_column.as_ref().and_then(|column| named(row.get(column)?));
        rows.add(number, row.get(&reading.text_column).and_then(Value::as_str), name);
        first.get_or_insert(row);
    }
    match first {
        Some(first) if !has_column => {
            Err(no_column(key, &reading.text_column, first.keys().map(String::as_str)).into())
        }
        None if rows.total > 0 => Err("it has no JSON object in any line".to_owned().into()),
        _ => Ok(rows.notes()),
    }
}

/// The name that a value gives to its row.
fn named(value: &Value) -> Option<String> {
    match value {
        Value::String(name) => Some(name.clone()).filter(|name| !name.trim().is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The rows of a Parquet file; `key` is the setting that names the column of the text.
pub fn parquet(file: File, reading: &Reading, key: &str, emit: &mut dyn FnMut(Part)) -> Result<Vec<String>, Failure> {
    let damaged = |error: ParquetError| format!("it is no Parquet file that can be read ({error})");
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(damaged)?;
    let schema = builder.schema().clone();
    let find = |key: &str, column: &str| {
        let missing = || no_column(key, column, schema.fields().iter().map(|field| field.name().as_str()));
        schema.index_of(column).map_err(|_| missing())
    };
    let text = find(key, &reading.text_column)?;
    let id = reading.id_column.as_deref().map(|column| find(ID, column)).transpose()?;
    let columns = ProjectionMask::roots(builder.parquet_schema(), [text].into_iter().chain(id));
    let batches = builder.with_projection(columns).with_batch_size(BATCH).build().map_err(damaged)?;
    let (mut rows, mut number) = (Rows::new(reading, emit), 0);
    for batch in batches {
        let batch = batch.map_err(|error| damaged(error.into()))?;
        let column = |name: &str, may_be_number| {
            let column = batch.column_by_name(name).ok_or_else(|| no_column(key, name, [].into_iter()))?;
            let wrong = || format!("its column `{name}` is no text, but {}", column.data_type());
            strings(column, may_be_number).ok_or_else(wrong)
        };
        let texts = column(&reading.text_column, false)?;
        let names = reading.id_column.as_deref().map(|name| column(name, true)).transpose()?;
        for at in 0..batch.num_rows() {
            number += 1;
            let name = names.as_ref().and_then(|names| value(names, at)).filter(|name| !name.trim().is_empty());
            rows.add(number, value(&texts, at), name.map(str::to_owned));
        }
    }
    Ok(rows.notes())
}

/// A column of texts, or of numbers, as texts.
fn strings(column: &ArrayRef, may_be_number: bool) -> Option<StringArray> {
    let kind = match column.data_type() {
        DataType::Dictionary(_, values) => values,
        kind => kind,
    };
    let is_plain = kind.is_string() || may_be_number && kind.is_numeric();
    let text = is_plain.then(|| cast(column, &DataType::Utf8).ok()).flatten()?;
    text.as_string_opt::<i32>().cloned()
}

fn value(texts: &StringArray, at: usize) -> Option<&str> {
    texts.is_valid(at).then(|| texts.value(at))
}

fn no_column<'a>(key: &str, wanted: &str, columns: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = columns.take(MOST_NAMES + 1).map(|name| format!("`{name}`")).collect();
    if names.len() > MOST_NAMES {
        names[MOST_NAMES] = "…".to_owned();
    }
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!("it has no column `{wanted}`; it has {names}: set `{key}` to one of them")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::super::documents;
    use super::*;
    use std::io::{Seek, Write};

    type Read = Result<(Vec<(String, String)>, Vec<String>), Failure>;
    type Reader = fn(File, &Reading, &str, &mut dyn FnMut(Part)) -> Result<Vec<String>, Failure>;

    fn read(reader: Reader, bytes: &[u8], id: Option<&str>) -> Read {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        let reading = Reading { id_column: id.map(str::to_owned), max_bytes: 60, ..Reading::default() };
        let mut parts = Vec::new();
        let notes = reader(file, &reading, TEXT, &mut |part| parts.push((part.row.unwrap(), part.text)))?;
        Ok((parts, notes))
    }

    fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
        pairs.map(|(row, text)| (row.to_owned(), text.to_owned())).into()
    }

    #[test]
    fn rows_of_json_lines_are_named_by_their_lines_or_ids() {
        let file = "\u{feff}{\"text\": \"one\", \"id\": 7}\r\n\n{\"text\": \"two\", \"id\": \"b\"}\n{\"text\": 3}\nno\n{\"text\": \" \"}\n[]\n{\"text\":\"end\",\"id\":\"b\"}";
        let left_out = [
            "row 4 of 7 left out, it has no text in the column",
            "2 of 7 rows left out, they have no JSON object, the first is row 5",
            "row 6 of 7 left out, it has an empty text",
        ];
        let (rows, notes) = read(jsonl, file.as_bytes(), None).unwrap();
        assert_eq!(rows, pairs([("1", "one"), ("3", "two"), ("8", "end")]));
        assert_eq!(notes, left_out);
        let (rows, notes) = read(jsonl, file.as_bytes(), Some("id")).unwrap();
        assert_eq!(rows, pairs([("7", "one"), ("b", "two")]));
        assert_eq!(notes[3..], ["row 8 of 7 left out, it has the id of an earlier row"]);
    }

    #[test]
    fn rows_of_parquet_are_named_by_their_numbers_or_ids() {
        let texts = [Some("one"), None, Some("two"), Some("two")];
        let file = documents::parquet(&[
            ("id", &[Some("a"), Some("b"), Some("c"), None]),
            ("text", &texts),
            ("more", &[None; 4]),
        ]);
        let (rows, notes) = read(parquet, &file, None).unwrap();
        assert_eq!(rows, pairs([("1", "one"), ("3", "two"), ("4", "two")]));
        assert_eq!(notes, ["row 2 of 4 left out, it has no text in the column"]);
        assert_eq!(read(parquet, &file, Some("id")).unwrap().0, pairs([("a", "one"), ("c", "two")]));
    }

    #[test]
    fn a_file_without_the_column_names_those_that_it_has() {
        let said = "it has no column `text`; it has `title`, `body`: set `knowledge.text_column` to one of them";
        let broken = |reason: &str| Err(Failure::Broken(reason.to_owned()));
        assert_eq!(read(jsonl, b"{\"title\": 1, \"body\": 2}\n", None), broken(said));
        let file = documents::parquet(&[("title", &[Some("a")]), ("body", &[Some("b")])]);
        assert_eq!(read(parquet, &file, None), broken(said));
        assert_eq!(read(jsonl, b"one\ntwo\n", None), broken("it has no JSON object in any line"));
        let long = format!("{{\"text\": \"one\"}}\n{{\"text\": \"{}\"}}", "a".repeat(99));
        assert_eq!(
            read(jsonl, long.as_bytes(), None),
            broken("its line 2 is longer than 0.00006 MB (`knowledge.max_size_mb`)")
        );
        assert_eq!(read(jsonl, b"", None), Ok((vec![], vec![])));
        for bytes in [&b""[..], b"PAR1PAR1", &file[..file.len() - 9]] {
            let Err(Failure::Broken(reason)) = read(parquet, bytes, None) else { panic!("no error") };
            assert!(reason.starts_with("it is no Parquet file that can be read ("), "{reason}");
        }
    }
}
