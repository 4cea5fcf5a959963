//! The texts that no message may have too much in common with: which files they stand in.

use super::error::Diagnostics;
use super::folders::Folders;
use super::table as keys;
use super::types::{Setting, Texts};
use super::values::Values;
use crate::domain::{Measure, MinHash};
use crate::plan::NearDuplicates;
use std::path::{Path, PathBuf};

/// `coverage.decontaminate`: texts that are kept apart for tests.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOutOptions {
    /// The files that they stand in; none where nothing is held out.
    pub files: Vec<HeldOutFile>,
    /// How many words in a row no message may share with them.
    pub ngram: u16,
    /// When a message is a near-duplicate of one of them.
    pub minhash: MinHash,
}

/// A file of held-out texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldOutFile {
    /// Where the file is.
    pub path: PathBuf,
    /// As the configuration names it, without the column.
    pub name: String,
    /// The column that has the texts; none of a file that is one text.
    pub column: Option<String>,
}

/// Which texts are held out: a file of rows needs the name of a column, and any other has none.
pub(super) fn held_out(
    values: &Values,
    near: Option<NearDuplicates>,
    folders: &Folders,
    report: &mut Diagnostics,
) -> HeldOutOptions {
    const KEY: Setting<Texts> = keys::DECONTAMINATE;
    let mut files = Vec::new();
    for given in values.get(KEY).into_iter().map(str::trim).filter(|given| !given.is_empty()) {
        let (name, column) = given.rsplit_once('#').map_or((given, None), |(name, column)| (name, Some(column.trim())));
        let has_rows = ["jsonl", "parquet"]
            .iter()
            .any(|rows| Path::new(name).extension().is_some_and(|ending| ending.eq_ignore_ascii_case(rows)));
        let fault =
            match (folders.find(name).filter(|found| found.is_file()), column.filter(|column| !column.is_empty())) {
                (None, _) => format!("there is no {}", folders.tried(name)),
                (Some(_), None) if has_rows => {
                    format!("say which column of {name} has the texts, as in `{name}#question`")
                }
                (Some(_), Some(_)) if !has_rows => {
                    format!("{name} is read as a text and has no columns: leave `#` and what follows out")
                }
                (Some(path), column) => {
                    files.push(HeldOutFile { path, name: name.to_owned(), column: column.map(str::to_owned) });
                    continue;
                }
            };
        report.conflict(&[KEY.path], values.place(KEY), format!("`{KEY}`: {fault}"));
    }
    let minhash = match near.map(|near| near.measure) {
        Some(Measure::MinHash(minhash)) => minhash,
        _ => MinHash::new(0.8),
    };
    HeldOutOptions { files, ngram: values.get(keys::DECONTAMINATE_NGRAM), minhash }
}
