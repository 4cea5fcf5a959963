//! `dlgforge import`: takes over what the Python original has made, so that a project moves with its memory.

use crate::files::{self, ColumnsWriter, FilesError};
use crate::output::coverage_ledger::{self, LedgerRow};
use crate::output::{Table, conversation_lines, row_of_original, told_of_tables};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use parquet::errors::ParquetError;
use serde::de::Error;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// The training files of the original and of ours, the judged one first, which has its rows with verdicts.
const TRAINING: [&str; 2] = ["conversations_sharegpt_judged.jsonl", "conversations_sharegpt.jsonl"];
/// Where what is taken over is written until all of it is.
const STAGED: &str = ".import";
/// Bytes of lines that become rows of a table at a time.
const LINES: usize = 8 << 20;

/// Why nothing was taken over.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The folder is not one that the original has written to.
    #[error(
        "{} has neither {} nor {}: name the output folder of a project of the Python original (`saving.output_dir`, by default outputs)",
        .0.display(), coverage_ledger::FILE_NAME, TRAINING[1]
    )]
    NoOriginal(PathBuf),
    /// The folder to write to has something.
    #[error("{} is there already: name an output folder that is new, for nothing is mixed", .0.display())]
    Exists(PathBuf),
    /// A file can't be read or written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Rows of a table can't be written.
    #[error("write the table of conversations: {0}")]
    Table(String),
}

impl From<ArrowError> for ImportError {
    fn from(error: ArrowError) -> Self {
        Self::Table(error.to_string())
    }
}

impl From<ParquetError> for ImportError {
    fn from(error: ParquetError) -> Self {
        Self::Table(error.to_string())
    }
}

/// What was taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// Questions that no later run asks again.
    pub questions: u64,
    /// Conversations with their messages and reasoning.
    pub conversations: u64,
    /// Those of them that a judge has scored.
    pub judged: u64,
}

/// Takes over the ledger and the conversations of an output folder of the original: as the ledger, the training files and the table
/// `conversations` of an output folder of ours that has nothing yet. All is there on return, or nothing.
///
/// # Errors
/// When the folder is none of the original, a row of it can't be read, or the other folder has something of these or can't be written.
pub fn import(original: &Path, outputs: &Path) -> Result<Imported, ImportError> {
    let is_there = |name: &&str| original.join(name).is_file();
    if ![coverage_ledger::FILE_NAME].iter().chain(&TRAINING).any(is_there) {
        return Err(ImportError::NoOriginal(original.to_owned()));
    }
    let table = Table::Conversations.name();
    let shard = format!("parquet/{table}/original-00000.parquet");
    let names = [coverage_ledger::FILE_NAME, TRAINING[0], TRAINING[1], shard.as_str()];
    let taken = names.into_iter().chain(["store", "parquet"]).map(|name| outputs.join(name)).find(|path| path.exists());
    if let Some(path) = taken {
        return Err(ImportError::Exists(path));
    }
    let staged = outputs.join(STAGED);
    if staged.exists() {
        fs::remove_dir_all(&staged).map_err(FilesError::io("remove", &staged))?;
    }
    let imported = stage(original, &staged, &shard).and_then(|imported| {
        files::create_folder(&outputs.join("parquet").join(table))?;
        for name in names.into_iter().filter(|name| staged.join(name).exists()) {
            let (from, to) = (staged.join(name), outputs.join(name));
            fs::rename(&from, &to).map_err(FilesError::io("move a finished file to", &to))?;
        }
        Ok(imported)
    });
    fs::remove_dir_all(&staged).map_err(FilesError::io("remove", &staged))?;
    imported
}

/// Writes all files where they are not yet counted.
fn stage(original: &Path, staged: &Path, shard: &str) -> Result<Imported, ImportError> {
    let shard = staged.join(shard);
    shard.parent().map_or(Ok(()), files::create_folder)?;
    let questions = ledger(original, staged)?;
    Ok(Imported { questions, ..conversations(original, staged, &shard)? })
}

/// Writes the rows of the ledger, and tells how many these are.
fn ledger(original: &Path, staged: &Path) -> Result<u64, ImportError> {
    let mut file = Lines::create(staged.join(coverage_ledger::FILE_NAME))?;
    let (mut count, mut failed) = (0, Ok(()));
    let line = |row: LedgerRow<'_>| serde_json::to_string(&row);
    coverage_ledger::read(original, u64::MAX, line, |_, line| {
        let written = line.map_err(|error| ImportError::Table(error.to_string())).and_then(|line| file.push(&line));
        count += 1;
        failed = written;
        if failed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    failed?;
    file.finish()?;
    Ok(count)
}

/// Writes the training files and the table of conversations.
fn conversations(original: &Path, staged: &Path, shard: &Path) -> Result<Imported, ImportError> {
    let mut training = [Lines::create(staged.join(TRAINING[0]))?, Lines::create(staged.join(TRAINING[1]))?];
    let mut table = TableRows::create(shard)?;
    let (mut imported, mut known) = (Imported::default(), BTreeSet::new());
    let parse = |text: &[u8]| row_of_original(&serde_json::from_slice(text)?).map_err(serde_json::Error::custom);
    for name in TRAINING {
        let mut failed = Ok(());
        files::read_with(&original.join(name), u64::MAX, parse, |_, mut row: Value| {
            let id = row["metadata"]["conversation_id"].as_str().unwrap_or_default().to_owned();
            if known.insert(id) {
                imported.conversations += 1;
                imported.judged += u64::from(row["judge"].is_object());
                failed = write(&mut row, &mut training, &mut table);
            }
            if failed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        failed?;
    }
    training.into_iter().try_for_each(Lines::finish)?;
    table.finish()?;
    Ok(imported)
}

fn write(row: &mut Value, [judged, all]: &mut [Lines; 2], table: &mut TableRows) -> Result<(), ImportError> {
    let whole = row.to_string();
    table.push(&whole)?;
    if let Some(columns) = row.as_object_mut()
        && columns.remove("judge").is_some()
    {
        judged.push(&whole)?;
    }
    all.push(&row.to_string())
}

/// A file of lines.
struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Lines {
    fn create(path: PathBuf) -> Result<Self, ImportError> {
        Ok(Self { file: BufWriter::new(files::create(&path)?), path })
    }

    fn push(&mut self, line: &str) -> Result<(), ImportError> {
        writeln!(self.file, "{line}").map_err(FilesError::io("write", &self.path)).map_err(ImportError::from)
    }

    fn finish(self) -> Result<(), ImportError> {
        let Self { path, file } = self;
        let synced = file.into_inner().map_err(|error| error.into_error()).and_then(|file| file.sync_all());
        synced.map_err(FilesError::io("write", &path)).map_err(ImportError::from)
    }
}

/// The table of conversations, made of lines.
struct TableRows {
    writer: ColumnsWriter,
    lines: Vec<u8>,
}

impl TableRows {
    fn create(path: &Path) -> Result<Self, ImportError> {
        let told = told_of_tables(&BTreeMap::new());
        let told: Vec<_> = told.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let writer = ColumnsWriter::new(files::create(path)?, Table::Conversations.schema(), &told)?;
        Ok(Self { writer, lines: Vec::new() })
    }

    fn push(&mut self, line: &str) -> Result<(), ImportError> {
        self.lines.extend([line.as_bytes(), b"\n"].concat());
        if self.lines.len() < LINES { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> Result<(), ImportError> {
        let lines = conversation_lines(&self.lines).map_err(|error| ImportError::Table(error.to_string()))?;
        self.lines.clear();
        for batch in ReaderBuilder::new(Table::Conversations.schema()).build(&*lines)? {
            self.writer.write(batch?)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), ImportError> {
        self.write()?;
        self.writer.finish()?.sync_all().map_err(|error| ImportError::Table(error.to_string()))
    }
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { questions, conversations, judged } = self;
        writeln!(f, "  {questions:>9} questions, which no run of the folder asks again")?;
        writeln!(f, "  {conversations:>9} conversations, {judged} of them judged: for stats, export, view and push")
    }
}
