//! The files of an export: written one after the other, each so large, and named once it is known how many there are.

use super::ExportError;
use super::content::Content;
use crate::files::{ColumnsWriter, FilesError, create, create_folder};
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::FileWriter;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

/// Most bytes of a file, before compression: what `datasets` makes a shard of.
const LARGEST: usize = 500_000_000;

/// How the files of a table are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// Parquet files, which any engine of analytics reads.
    Parquet,
    /// Files of Arrow IPC, which are read without being parsed.
    Arrow,
    /// JSON Lines, a row a line.
    Jsonl,
}

impl TableFormat {
    /// All of them, in the order in which they are told of.
    pub const ALL: [Self; 3] = [Self::Parquet, Self::Arrow, Self::Jsonl];

    /// Its name, which is also how its files end.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
            Self::Jsonl => "jsonl",
        }
    }
}

/// The files of one split in one format.
pub(crate) struct Sink {
    /// Where they lie.
    folder: PathBuf,
    /// What their names begin with, which is the name of the split.
    split: String,
    form: SinkForm,
    writer: Option<Writer>,
    /// Bytes of the file that is open, before compression.
    bytes: usize,
    finished: Vec<PathBuf>,
    /// Rows that were written.
    rows: u64,
}

/// What a sink writes.
#[derive(Debug, Clone)]
pub(crate) enum SinkForm {
    /// Rows of a table with these columns, and what the metadata tells.
    Table(TableFormat, SchemaRef, Vec<(&'static str, String)>),
    /// Lines of JSON.
    Lines,
    /// Files of lines, of which a folder has at most so many.
    Files(usize),
}

impl SinkForm {
    fn ending(&self) -> &'static str {
        match self {
            Self::Table(format, ..) => format.name(),
            Self::Lines | Self::Files(_) => "jsonl",
        }
    }
}

/// A file that is being written.
struct Writer {
    temporary: PathBuf,
    to: Output,
}

enum Output {
    Parquet(Box<ColumnsWriter>),
    Arrow(Box<FileWriter<BufWriter<File>>>),
    Lines(BufWriter<File>),
}

impl Sink {
    /// A sink in this folder, which is there or is made.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn new(folder: PathBuf, split: &str, form: SinkForm) -> Result<Self, ExportError> {
        create_folder(&folder)?;
        Ok(Self { folder, split: split.to_owned(), form, writer: None, bytes: 0, finished: Vec::new(), rows: 0 })
    }

    /// Writes rows behind those that were written.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn write(&mut self, content: Content) -> Result<(), ExportError> {
        if self.bytes > LARGEST {
            self.close()?;
        }
        match content {
            Content::Rows(batch) => {
                self.rows += batch.0.num_rows() as u64;
                self.bytes += size(&batch.0);
                let writer = self.writer()?;
                writer.to.rows(batch.0).map_err(|detail| writer.failed(detail))
            }
            Content::Lines(lines) => {
                self.rows += lines.rows;
                self.bytes += lines.bytes.len();
                let writer = self.writer()?;
                writer.to.lines(&lines.bytes).map_err(|detail| writer.failed(detail))
            }
            Content::Files(files) => files.into_iter().try_for_each(|(name, lines)| self.file(&name, &lines.bytes)),
        }
    }

    /// Ends the last file, and gives all of them their names: `train-00000-of-00002.parquet`. A split without a row has a file without
    /// one. Tells their names and how many rows they have.
    ///
    /// # Errors
    /// When one can't be completed.
    pub fn finish(mut self) -> Result<(Vec<String>, u64), ExportError> {
        if let SinkForm::Files(_) = self.form {
            return Ok((Vec::new(), self.rows));
        }
        if self.finished.is_empty() {
            self.writer()?;
        }
        self.close()?;
        let count = self.finished.len();
        let mut names = Vec::new();
        for (number, temporary) in self.finished.iter().enumerate() {
            let name = format!("{}-{number:05}-of-{count:05}.{}", self.split, self.form.ending());
            let to = self.folder.join(&name);
            fs::rename(temporary, &to).map_err(FilesError::io("move a finished file to", &to))?;
            names.push(name);
        }
        Ok((names, self.rows))
    }

    fn writer(&mut self) -> Result<&mut Writer, ExportError> {
        if self.writer.is_none() {
            let name = format!("{}-{:05}.{}", self.split, self.finished.len(), self.form.ending());
            self.writer = Some(Writer::open(self.folder.join(name), &self.form)?);
        }
        match &mut self.writer {
            Some(writer) => Ok(writer),
            None => unreachable!("it was opened above"),
        }
    }

    fn close(&mut self) -> Result<(), ExportError> {
        if let Some(writer) = self.writer.take() {
            self.finished.push(writer.close()?);
            self.bytes = 0;
        }
        Ok(())
    }

    /// Writes a file of its own.
    fn file(&mut self, name: &str, lines: &[u8]) -> Result<(), ExportError> {
        let SinkForm::Files(most) = self.form else { return Ok(()) };
        let folder = self.folder.join(&self.split).join(format!("{:06}", self.rows / most as u64));
        create_folder(&folder)?;
        let path = folder.join(format!("{name}.jsonl"));
        fs::write(&path, lines).map_err(FilesError::io("write", &path))?;
        self.rows += 1;
        Ok(())
    }
}

/// Bytes that the values of a batch take.
fn size(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or_default()).sum()
}

impl Writer {
    fn open(path: PathBuf, form: &SinkForm) -> Result<Self, ExportError> {
        let file = create(&path)?;
        let failed = |detail: String| ExportError::Write { path: path.clone(), detail };
        let to = match form {
            SinkForm::Table(TableFormat::Parquet, schema, told) => {
                let told: Vec<_> = told.iter().map(|(key, value)| (*key, value.as_str())).collect();
                let writer = ColumnsWriter::new(file, schema.clone(), &told);
                Output::Parquet(Box::new(writer.map_err(|cause| failed(cause.to_string()))?))
            }
            SinkForm::Table(TableFormat::Arrow, schema, _) => {
                let writer = FileWriter::try_new_buffered(file, schema);
                Output::Arrow(Box::new(writer.map_err(|cause| failed(cause.to_string()))?))
            }
            SinkForm::Table(TableFormat::Jsonl, ..) | SinkForm::Lines | SinkForm::Files(_) => {
                Output::Lines(BufWriter::with_capacity(1 << 20, file))
            }
        };
        Ok(Self { temporary: path, to })
    }

    fn failed(&self, detail: String) -> ExportError {
        ExportError::Write { path: self.temporary.clone(), detail }
    }

    /// Completes the file, and brings it to disk.
    fn close(self) -> Result<PathBuf, ExportError> {
        let Self { temporary, to } = self;
        let failed = |detail: String| ExportError::Write { path: temporary.clone(), detail };
        let buffered = |file: BufWriter<File>| file.into_inner().map_err(|cause| failed(cause.to_string()));
        let file = match to {
            Output::Parquet(writer) => writer.finish().map_err(|cause| failed(cause.to_string()))?,
            Output::Arrow(writer) => buffered(writer.into_inner().map_err(|cause| failed(cause.to_string()))?)?,
            Output::Lines(file) => buffered(file)?,
        };
        file.sync_all().map_err(FilesError::io("sync", &temporary))?;
        Ok(temporary)
    }
}

impl Output {
    fn rows(&mut self, batch: RecordBatch) -> Result<(), String> {
        match self {
            Self::Parquet(writer) => writer.write(batch).map_err(|cause| cause.to_string()),
            Self::Arrow(writer) => writer.write(&batch).map_err(|cause| cause.to_string()),
            Self::Lines(_) => unreachable!("rows of lines were rendered as lines"),
        }
    }

    fn lines(&mut self, bytes: &[u8]) -> Result<(), String> {
        match self {
            Self::Lines(file) => file.write_all(bytes).map_err(|cause| cause.to_string()),
            Self::Parquet(_) | Self::Arrow(_) => unreachable!("lines are not written into tables"),
        }
    }
}
