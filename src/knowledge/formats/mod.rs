//! Document types: how the text of a file is got, one file a type.

mod direction;
mod docx;
mod html;
mod layout;
mod pdf;
mod rows;
mod text;

use super::Reading;
use super::blobs::without_markup;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// A type of documents, told by the ending of a file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Markdown,
    Pdf,
    Html,
    Docx,
    Jsonl,
    Parquet,
}

/// Endings in lower case.
const ENDINGS: [(&str, Format); 8] = [
    ("docx", Format::Docx),
    ("htm", Format::Html),
    ("html", Format::Html),
    ("jsonl", Format::Jsonl),
    ("md", Format::Markdown),
    ("parquet", Format::Parquet),
    ("pdf", Format::Pdf),
    ("txt", Format::Text),
];

impl Format {
    /// The type of the file at a path, if there is a reader for it.
    pub fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?;
        ENDINGS.iter().find(|(name, _)| ending.eq_ignore_ascii_case(name)).map(|(_, format)| *format)
    }

    /// Whether a file can be made so that its reader crashes, never ends, or takes all memory.
    pub fn is_risky(self) -> bool {
        matches!(self, Self::Pdf | Self::Html | Self::Docx | Self::Parquet)
    }

    /// Whether its rows are documents of their own.
    pub fn has_rows(self) -> bool {
        matches!(self, Self::Jsonl | Self::Parquet)
    }
}

/// Rows times columns of a table, at most, with the cells that are filled up.
const CELLS: usize = 1_000_000;

/// The text of a document, or of one row of a file whose rows are documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    /// What the row is called: its number from 1, or what its column for that says.
    pub row: Option<String>,
    pub text: String,
    /// Whether it is Markdown.
    pub is_markdown: bool,
}

impl Part {
    fn plain(text: String) -> Self {
        Self { row: None, text, is_markdown: false }
    }

    fn markdown(text: String) -> Self {
        Self { row: None, text, is_markdown: true }
    }
}

/// Why a file gives no document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Failure {
    /// What is in it can't be read, for a reason that follows "skipped, ".
    Broken(String),
    /// Its reader has ended for no fault of the file, which is read again the next time: why it is skipped.
    Killed(String),
    /// The system does not let it be read.
    Unreadable(String),
    /// There is no process to read it.
    NoReader(String),
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self::Broken(reason)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// Gives away the parts of a file, and returns what its user should know about how it was read. Where it fails, what was given
/// away before does not count.
pub(super) fn read(file: &Path, reading: &Reading, emit: &mut dyn FnMut(Part)) -> Result<Vec<String>, Failure> {
    // Libraries for the more difficult types are known to panic.
    let read = catch_unwind(AssertUnwindSafe(|| parts(file, reading, emit)));
    read.unwrap_or_else(|_| Err(Failure::Broken("it is damaged, or more than its reader can do".to_owned())))
}

/// Texts with the numbers of their rows, and what is to be known of other rows.
pub type Texts = (Vec<(String, String)>, Vec<String>);

/// The texts in a column of a `.jsonl` or `.parquet` file, each with the number of its row from 1; and what its user should know
/// about rows without one. The column is named by the setting `key`.
///
/// # Errors
/// When the file can't be read, or has no such column of texts: the reason follows the name of the file.
pub fn texts(file: &Path, column: &str, key: &str) -> Result<Texts, String> {
    let reading = Reading { max_bytes: u64::from(u32::MAX), text_column: column.to_owned(), ..Reading::default() };
    let mut texts = Vec::new();
    let mut emit = |part: Part| texts.extend(part.row.map(|row| (row, part.text)));
    let read = |emit: &mut dyn FnMut(Part)| {
        let opened = File::open(file)?;
        match Format::of(file) {
            Some(Format::Parquet) => rows::parquet(opened, &reading, key, emit),
            _ => rows::jsonl(opened, &reading, key, emit),
        }
    };
    match catch_unwind(AssertUnwindSafe(|| read(&mut emit))) {
        Ok(Ok(notes)) => Ok((texts, notes)),
        Ok(Err(
            Failure::Broken(reason) | Failure::Killed(reason) | Failure::Unreadable(reason) | Failure::NoReader(reason),
        )) => Err(reason),
        Err(_) => Err("it is damaged, or more than its reader can do".to_owned()),
    }
}

fn parts(file: &Path, reading: &Reading, emit: &mut dyn FnMut(Part)) -> Result<Vec<String>, Failure> {
    let format = Format::of(file).unwrap_or(Format::Markdown);
    let mut opened = File::open(file)?;
    if format.has_rows() {
        return if format == Format::Jsonl {
            rows::jsonl(opened, reading, rows::TEXT, emit)
        } else {
            rows::parquet(opened, reading, rows::TEXT, emit)
        };
    }
    let too_long = || format!("it is longer than {} (`knowledge.max_size_mb`)", megabytes(reading.max_bytes));
    if opened.metadata()?.len() > reading.max_bytes {
        return Err(too_long().into());
    }
    let mut bytes = Vec::new();
    // It may be longer than it says.
    opened.by_ref().take(reading.max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > reading.max_bytes {
        return Err(too_long().into());
    }
    let mut notes = Vec::new();
    let part = match format {
        Format::Text => Part::plain(text::decoded(&bytes, &mut notes)?),
        Format::Html => Part::markdown(without_markup(&html::markdown(&bytes, &mut notes)?).into_owned()),
        Format::Docx => Part::markdown(docx::markdown(&bytes, reading)?),
        Format::Pdf => Part::plain(pdf::text(&bytes, reading.max_pages, &mut notes)?),
        Format::Markdown | Format::Jsonl | Format::Parquet => {
            Part::markdown(without_markup(&text::decoded(&bytes, &mut notes)?).into_owned())
        }
    };
    emit(part);
    Ok(notes)
}

/// Bytes as the settings count them.
pub(super) fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes as f64 / 1e6)
}
