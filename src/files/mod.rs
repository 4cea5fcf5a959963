//! Durable files: what a run writes in its output folder, how far it counts, and how it is read back.
//!
//! A [`Folder`] belongs to one process at a time and has the store of all its runs. In it, `Table`s grow line by line,
//! `Documents` appear whole under their names, and `Shards` become Parquet once their rows are complete. Nothing here
//! knows what the rows tell. A file counts as far as its recorded [`Mark`]: what a process that died has
//! written behind it is cut off.

mod columns;
mod documents;
mod error;
mod folder;
mod lines;
mod parquet;
mod reading;
mod rewrite;
mod shards;
mod table;
mod whole;

pub use documents::inside;
pub use error::FilesError;
pub use folder::Folder;
pub(crate) use reading::read_from;
pub use reading::{read, read_with};
pub use whole::{WrittenFile, write};

pub(crate) use self::parquet::json_text;
pub(crate) use columns::ColumnsWriter;
pub(crate) use documents::Documents;
pub(crate) use lines::{Lines, compact, joined, pretty, spaced_row, spaced_text};
pub(crate) use rewrite::Rewrite;
pub(crate) use shards::{Kind, Layout, Shards, remove, shard_file};
pub(crate) use table::{Existing, Table, append_all, mark};
pub(crate) use whole::{create, create_folder, replace, settle, shown, sync_folder, temporary};

use crate::store::Mark;
use std::collections::BTreeMap;

/// Files that have come to be (how they end) or to nothing (none), by their path in the output folder.
pub(crate) type Changes = BTreeMap<String, Option<Mark>>;
