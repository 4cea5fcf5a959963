//! How files are read, whatever their type.

use super::Convert;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `knowledge.*`: what a file may take, and which columns hold what is read; and who reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Longest document in bytes, as it lies there and unpacked; of files whose rows are documents, longest row.
    pub max_bytes: u64,
    /// Most pages of a document that has any.
    pub max_pages: usize,
    /// Processor time for a file, in seconds; of files whose rows are documents, for a thousand of them.
    pub seconds: u64,
    /// Memory for reading a file, in bytes.
    pub memory_bytes: u64,
    /// The column with the text, in files whose rows are documents.
    pub text_column: String,
    /// The column that names the rows; by their numbers where there is none.
    pub id_column: Option<String>,
    /// The program that holds itself to the limits of time and memory when its command `read-documents` is run: this one.
    /// Without it files are read within this process, and these limits do not hold.
    #[serde(skip)]
    pub program: Option<PathBuf>,
    /// The programs that print files as Markdown.
    #[serde(skip)]
    pub convert: Convert,
}

impl Reading {
    /// All that what is read of a file follows from beside the file, in words that are the same on every machine.
    pub(super) fn told(&self) -> String {
        let Self { max_bytes, max_pages, seconds, memory_bytes, text_column, id_column, program: _, convert } = self;
        let commands = &convert.commands;
        format!("{max_bytes} {max_pages} {seconds} {memory_bytes} {text_column:?} {id_column:?} {commands:?}")
    }
}

impl Default for Reading {
    /// The defaults of the settings, within this process.
    fn default() -> Self {
        Self {
            max_bytes: 200_000_000,
            max_pages: 5_000,
            seconds: 60,
            memory_bytes: 2_000_000_000,
            text_column: "text".to_owned(),
            id_column: None,
            program: None,
            convert: Convert::default(),
        }
    }
}
