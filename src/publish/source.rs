//! A table to export: where its rows lie, and how they are read part by part.

use super::ExportError;
use crate::files::FilesError;
use crate::output::{COLUMNS_KEY, TABLES_VERSION, Table, VERSION_KEY, conversation_lines};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Take};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows of a batch.
const BATCH_ROWS: usize = 1024;
/// Rows that are read at a time.
const PART_ROWS: usize = 2 * BATCH_ROWS;
/// The files of an output folder that have the rows of the table `conversations` where it has no Parquet files.
const TRAINING: [&str; 2] = ["conversations_sharegpt_judged.jsonl", "conversations_sharegpt.jsonl"];
/// Bytes of lines that are read at a time.
const LINES: u64 = 8 << 20;

/// A table whose files are known: Parquet, or JSON Lines of the same columns.
#[derive(Debug, Clone)]
pub struct Source {
    table: Table,
    files: Vec<Arc<TableFile>>,
    parts: Arc<[Part]>,
}

#[derive(Debug)]
struct TableFile {
    path: PathBuf,
    /// Of a Parquet file; none of JSON Lines.
    metadata: Option<ArrowReaderMetadata>,
    /// Whether its lines are those of a run's training files.
    is_of_training: bool,
    /// The own names of columns that have others.
    own: BTreeMap<String, String>,
}

/// A part of a table: what is read at a time.
#[derive(Debug, Clone)]
pub struct Part {
    file: Arc<TableFile>,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    /// Rows of a row group.
    Rows(usize, Range<usize>),
    /// The lines that begin in these bytes.
    Lines(Range<u64>),
}

impl Source {
    /// The table of an output folder, of a folder with its files, or in a file.
    ///
    /// # Errors
    /// When there is none, or one of its files is none.
    pub fn open(path: &Path, table: Table) -> Result<Self, ExportError> {
        let files: Vec<Arc<TableFile>> = paths(path, table)?
            .into_iter()
            .map(|path| TableFile::open(path).map(Arc::new))
            .collect::<Result<_, _>>()?;
        let mut parts = Vec::new();
        for file in &files {
            let part = |place| Part { file: file.clone(), place };
            match &file.metadata {
                Some(metadata) => {
                    let groups = metadata.metadata().row_groups().iter().map(|group| group.num_rows() as usize);
                    let ranges = groups.enumerate().flat_map(|(group, rows)| {
                        let starts = (0..rows).step_by(PART_ROWS);
                        starts.map(move |start| Place::Rows(group, start..rows.min(start + PART_ROWS)))
                    });
                    parts.extend(ranges.map(part));
                }
                None => {
                    let length = fs::metadata(&file.path).map_err(FilesError::io("look at", &file.path))?.len();
                    let starts = (0..length).step_by(LINES as usize);
                    parts.extend(starts.map(|start| part(Place::Lines(start..length.min(start + LINES)))));
                }
            }
        }
        Ok(Self { table, files, parts: parts.into() })
    }

    /// The table that it is.
    pub fn table(&self) -> Table {
        self.table
    }

    /// Whether it has rows.
    pub fn has_rows(&self) -> bool {
        let rows = |file: &Arc<TableFile>| match &file.metadata {
            Some(metadata) => metadata.metadata().file_metadata().num_rows() > 0,
            None => true,
        };
        !self.parts.is_empty() && self.files.iter().any(rows)
    }

    /// Its columns, by their own names.
    pub fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    /// Those of its columns that have these names, in the table's order.
    pub fn columns(&self, names: &[&str]) -> SchemaRef {
        let all = self.schema();
        let own = all.fields().iter().filter(|field| names.contains(&field.name().as_str())).cloned();
        Arc::new(Schema::new(own.collect::<Vec<_>>()))
    }

    /// What its files are called, for people: the file, or the table.
    pub fn told(&self) -> String {
        match self.files.as_slice() {
            [file] => file.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            _ => format!("parquet/{}", self.table.name()),
        }
    }

    /// Its parts, in order.
    pub fn parts(&self) -> Arc<[Part]> {
        self.parts.clone()
    }

    /// The names that its files give to columns, by the columns' own names; empty where they give none.
    pub fn renamed(&self) -> BTreeMap<String, String> {
        let turned = |(name, own): (&String, &String)| (own.clone(), name.clone());
        self.files.iter().flat_map(|file| &file.own).map(turned).collect()
    }
}

/// The files of a table: of an output folder those in `parquet/`, of another folder its own, in the order of their names.
fn paths(path: &Path, table: Table) -> Result<Vec<PathBuf>, ExportError> {
    let missing = |detail: String| ExportError::NoTable { path: path.to_owned(), detail };
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    if !path.is_dir() {
        return Err(missing("there is no such file or folder".to_owned()));
    }
    let of_outputs = path.join("parquet").join(table.name());
    let folder = if of_outputs.is_dir() { of_outputs } else { path.to_owned() };
    let entries = fs::read_dir(&folder).map_err(FilesError::io("list", &folder))?;
    let entries = entries.collect::<Result<Vec<_>, _>>().map_err(FilesError::io("list", &folder))?;
    let ending = |path: &Path, ending: &str| path.extension().is_some_and(|own| own == ending);
    let is_hidden = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let mut found: Vec<PathBuf> =
        entries.into_iter().map(|entry| entry.path()).filter(|path| !is_hidden(path)).collect();
    found.sort();
    let of = |kind| found.iter().filter(|path| ending(path, kind)).cloned().collect::<Vec<_>>();
    let name = table.name();
    let training = TRAINING.map(|name| path.join(name)).into_iter().find(|path| has_lines(path));
    match of("parquet") {
        files if !files.is_empty() => Ok(files),
        _ if table == Table::Conversations && training.is_some() => Ok(training.into_iter().collect()),
        _ if folder == path && !path.join("run_state").is_dir() && !of("jsonl").is_empty() => Ok(of("jsonl")),
        _ if table == Table::Preferences => Err(missing(
            "there are no pairs of answers in it; runs write them where answers are given again (`judge.accept.on_fail` or \
             `checks.on_fail`: repair)"
                .to_owned(),
        )),
        _ => Err(missing(format!(
            "there are no Parquet files of `{name}` in it; name an output folder of runs with `parquet` in `saving.files` \
             (parquet/{name}/*.parquet are there once a thousand conversations of a language are settled, or the run has stopped)"
        ))),
    }
}

fn has_lines(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() > 0)
}

impl TableFile {
    fn open(path: PathBuf) -> Result<Self, ExportError> {
        if path.extension().is_some_and(|ending| ending == "jsonl") {
            let is_of_training = is_of_training(&path).map_err(FilesError::io("read", &path))?;
            return Ok(Self { path, metadata: None, is_of_training, own: BTreeMap::new() });
        }
        let unread =
            |cause: ParquetError| table_error(&path, format!("it is no Parquet file that can be read ({cause})"));
        let file = File::open(&path).map_err(FilesError::io("open", &path))?;
        // So pages of other parts are left out.
        let options = ArrowReaderOptions::new().with_offset_index_policy(PageIndexPolicy::Optional);
        let metadata = ArrowReaderMetadata::load(&file, options).map_err(unread)?;
        let told = |wanted: &str| {
            let told = metadata.metadata().file_metadata().key_value_metadata()?;
            told.iter().find(|pair| pair.key == wanted)?.value.clone()
        };
        if let Some(version) = told(VERSION_KEY).filter(|version| version != TABLES_VERSION) {
            let detail = format!(
                "it was written by another version of dlgforge (tables of version {version}, not {TABLES_VERSION}); export it \
                 with that one"
            );
            return Err(table_error(&path, detail));
        }
        let renamed: BTreeMap<String, String> =
            told(COLUMNS_KEY).and_then(|names| serde_json::from_str(&names).ok()).unwrap_or_default();
        let own = renamed.into_iter().map(|(own, name)| (name, own)).collect();
        Ok(Self { path, metadata: Some(metadata), is_of_training: false, own })
    }

    fn own_name<'n>(&'n self, name: &'n str) -> &'n str {
        self.own.get(name).map_or(name, String::as_str)
    }
}

/// Whether the first row of a file has the id of its conversation within, as those of training files have.
fn is_of_training(path: &Path) -> std::io::Result<bool> {
    let mut line = Vec::new();
    BufReader::new(File::open(path)?).read_until(b'\n', &mut line)?;
    let row: Map<String, Value> = serde_json::from_slice(&line).unwrap_or_default();
    Ok(!row.is_empty() && !row.contains_key("conversation_id"))
}

fn table_error(path: &Path, detail: String) -> ExportError {
    ExportError::Table { path: path.to_owned(), detail }
}

impl Part {
    /// The rows of the part with these columns of the table.
    ///
    /// # Errors
    /// When they can't be read, or are no rows of the table.
    pub fn read(&self, schema: &SchemaRef) -> Result<Vec<RecordBatch>, ExportError> {
        match &self.place {
            Place::Rows(group, rows) => self.rows(*group, rows, schema),
            Place::Lines(bytes) => self.lines(bytes.clone(), schema),
        }
    }

    fn rows(&self, group: usize, rows: &Range<usize>, schema: &SchemaRef) -> Result<Vec<RecordBatch>, ExportError> {
        let path = &self.file.path;
        let Some(metadata) = self.file.metadata.clone() else { return Ok(Vec::new()) };
        let unread = |cause: String| table_error(path, cause);
        let file = File::open(path).map_err(FilesError::io("open", path))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
        let names = builder.schema().fields().iter().map(|field| self.file.own_name(field.name()));
        let wanted = names.enumerate().filter(|(_, name)| schema.field_with_name(name).is_ok()).map(|(at, _)| at);
        let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.collect::<Vec<_>>());
        let of_part = builder.with_row_groups(vec![group]).with_offset(rows.start).with_limit(rows.len());
        let reader = of_part.with_projection(mask).with_batch_size(BATCH_ROWS).build();
        let batches = reader.map_err(|cause| unread(cause.to_string()))?;
        batches.map(|batch| self.conformed(&batch.map_err(|cause| unread(cause.to_string()))?, schema)).collect()
    }

    /// A batch of the file with the columns as the table has them: other writers may have given them other types of the same kind.
    fn conformed(&self, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ExportError> {
        let own = batch.schema();
        let column = |field: &FieldRef| -> Result<ArrayRef, ExportError> {
            let of_name = |at: &usize| self.file.own_name(own.field(*at).name()) == field.name();
            let at = (0..own.fields().len()).find(of_name).ok_or_else(|| {
                let detail = format!("it has no column `{}`, which runs write", field.name());
                table_error(&self.file.path, detail)
            })?;
            let column = batch.column(at);
            if column.data_type() == field.data_type() {
                return Ok(column.clone());
            }
            let wrong = |cause| table_error(&self.file.path, format!("column `{}`: {cause}", field.name()));
            cast(column, field.data_type()).map_err(wrong)
        };
        let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let wrong = |cause| table_error(&self.file.path, format!("{cause}"));
        RecordBatch::try_new(schema.clone(), columns).map_err(wrong)
    }

    /// The lines that begin in these bytes of the file.
    fn lines(&self, bytes: Range<u64>, schema: &SchemaRef) -> Result<Vec<RecordBatch>, ExportError> {
        let path = &self.file.path;
        let mut reader = self.reader_at_line(&bytes).map_err(FilesError::io("read", path))?;
        let mut text = Vec::new();
        reader.read_to_end(&mut text).map_err(FilesError::io("read", path))?;
        if !text.is_empty() && !text.ends_with(b"\n") {
            // The last line ends where another part begins.
            let mut rest = reader.into_inner().into_inner();
            let mut rest = BufReader::new(rest.by_ref());
            rest.read_until(b'\n', &mut text).map_err(FilesError::io("read", path))?;
        }
        let place = |cause: String| table_error(path, format!("in the lines from byte {} on: {cause}", bytes.start));
        if self.file.is_of_training {
            text = conversation_lines(&text).map_err(|cause| place(cause.to_string()))?;
        }
        let wrong = |cause: ArrowError| place(cause.to_string());
        let rows = ReaderBuilder::new(schema.clone()).with_batch_size(BATCH_ROWS).build(&*text).map_err(wrong)?;
        rows.map(|batch| batch.map_err(wrong)).collect()
    }

    /// A reader of these bytes that stands at the first line that begins there.
    fn reader_at_line(&self, bytes: &Range<u64>) -> std::io::Result<BufReader<Take<File>>> {
        let mut file = File::open(&self.file.path)?;
        let from = bytes.start.saturating_sub(1);
        file.seek(SeekFrom::Start(from))?;
        let mut reader = BufReader::new(file.take(bytes.end - from));
        if bytes.start > 0 {
            reader.read_until(b'\n', &mut Vec::new())?;
        }
        Ok(reader)
    }
}
