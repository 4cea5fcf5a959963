//! Parquet shards: for every thousand slots of a language one file of each kind of row, in the folder of its kind.
//!
//! A Parquet file can be read only once its footer is written. So the rows of a shard are spooled as lines to a hidden
//! file beside it, which a run that dies leaves whole; when all of them are admitted, the shard is composed from its
//! spool and moved into place. Shards are numbered from 0 in the order in which they begin.

use super::lines::Lines;
use super::parquet::properties;
use super::table::{self, Existing, Table};
use super::whole::{self, WrittenFile};
use super::{Changes, FilesError};
use crate::domain::{LanguageIndex, Slot};
use crate::store::Mark;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Slots of one language in a shard.
const SLOTS: u32 = 1_000;
/// Rows of an Arrow batch.
const BATCH_ROWS: usize = 256;

/// Where the shards of a run lie, and what they hold.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Their folder in the output folder, in which each kind has one of its own.
    pub folder: &'static str,
    /// What the key-value metadata of every file tells.
    pub told: Vec<(&'static str, String)>,
    /// The files of a shard.
    pub kinds: Vec<Kind>,
}

/// One file of every shard.
#[derive(Debug, Clone)]
pub(crate) struct Kind {
    /// The name of its folder.
    pub name: &'static str,
    /// The columns of its rows.
    pub schema: SchemaRef,
    /// The same columns, by the names that they have in the file.
    pub named: SchemaRef,
}

/// The shards of a run.
pub(crate) struct Shards {
    layout: Layout,
    /// The output folder, below which the shards lie.
    folder: PathBuf,
    run_id: Arc<str>,
    next: u32,
    /// Shards whose rows are spooled, in order; all but the last have all their rows.
    open: Vec<Shard>,
    finished: Vec<WrittenFile>,
}

struct Shard {
    range: Option<(LanguageIndex, u32)>,
    /// One for each kind.
    spools: Vec<Spool>,
}

/// The rows of a shard's file to be.
struct Spool {
    table: Table,
    /// The file's path in the output folder.
    name: String,
    kind: Kind,
}

impl Shards {
    /// The shards of a run that has left these files; `last` is the last slot whose rows were spooled.
    ///
    /// # Errors
    /// When one of the files is not as the run left it.
    pub fn open(
        folder: &Path,
        layout: Layout,
        run_id: Arc<str>,
        files: &BTreeMap<String, Mark>,
        died: bool,
        last: Option<Slot>,
    ) -> Result<Self, FilesError> {
        let mut folders = layout.kinds.iter().map(|kind| folder.join(layout.folder).join(kind.name));
        folders.try_for_each(|folder| whole::create_folder(&folder))?;
        whole::sync_folder(&folder.join(layout.folder))?;
        let mut shards =
            Self { layout, folder: folder.to_owned(), run_id, next: 0, open: Vec::new(), finished: Vec::new() };
        loop {
            let names = shards.names(shards.next);
            let marks: Vec<_> = names.iter().map_while(|name| files.get(name)).collect();
            if marks.len() == names.len() {
                let mut files = names.iter().zip(marks);
                files.try_for_each(|(name, mark)| table::expect(&shards.folder.join(name), *mark))?;
            } else if names.first().is_some_and(|name| files.contains_key(&spool_name(name))) {
                let shard = shards.shard(None, |name| {
                    files.get(name).map_or(Existing::Truncate, |mark| Existing::Require { mark: *mark, died })
                })?;
                shards.open.push(shard);
            } else {
                break;
            }
            shards.next += 1;
        }
        if let Some(open) = shards.open.last_mut() {
            open.range = last.map(range);
        }
        Ok(shards)
    }

    /// Adds the rows of a slot, some for each kind; a slot of another range than the last begins a new shard.
    pub fn push(&mut self, slot: Slot, rows: &[Lines]) -> Result<(), FilesError> {
        let range = Some(range(slot));
        if self.open.last().is_none_or(|open| open.range != range) {
            let shard = self.shard(range, |_| Existing::Truncate)?;
            self.open.push(shard);
            self.next += 1;
        }
        let mut spools = self.open.last_mut().into_iter().flat_map(|open| &mut open.spools).zip(rows);
        spools.try_for_each(|(spool, lines)| spool.table.append(lines))
    }

    /// Brings the spools to disk, and then the names of files made since the last time.
    pub fn sync(&mut self, into: &mut Changes) -> Result<(), FilesError> {
        for spool in self.open.iter_mut().flat_map(|shard| &mut shard.spools) {
            into.extend(spool.table.sync()?.map(|(name, mark)| (name, Some(mark))));
        }
        self.sync_folders()
    }

    fn sync_folders(&self) -> Result<(), FilesError> {
        let folder = self.folder.join(self.layout.folder);
        self.layout.kinds.iter().try_for_each(|kind| whole::sync_folder(&folder.join(kind.name)))
    }

    /// Composes the shards that have all their rows, or all of them when the run is `over`. The spools are of no use any
    /// more once the changes are recorded: the second half removes them.
    pub fn compose(&mut self, over: bool, bases: [&Path; 2]) -> Result<(Changes, Vec<PathBuf>), FilesError> {
        let complete = if over { self.open.len() } else { self.open.len().saturating_sub(1) };
        let (mut changes, mut spools) = (Changes::new(), Vec::new());
        for spool in self.open.drain(..complete).flat_map(|shard| shard.spools) {
            let mark = spool.compose(&self.folder, &self.run_id, &self.layout.told)?;
            self.finished.push(spool.written(mark, &self.folder, bases));
            changes.insert(spool.table.name().to_owned(), None);
            changes.insert(spool.name, Some(mark));
            spools.push(spool.table.path().to_owned());
        }
        if complete > 0 {
            self.sync_folders()?;
        }
        Ok((changes, spools))
    }

    /// Composes the files of what is spooled so far, for those who look at a run that has stopped. They count for nothing:
    /// when the run goes on, whole ones take their place.
    pub fn show(&mut self, bases: [&Path; 2]) -> Result<(), FilesError> {
        for spool in self.open.iter().flat_map(|shard| &shard.spools) {
            let mark = spool.compose(&self.folder, &self.run_id, &self.layout.told)?;
            self.finished.push(spool.written(mark, &self.folder, bases));
        }
        Ok(())
    }

    /// The files that were made, each with its rows.
    pub fn written(self) -> Vec<WrittenFile> {
        self.finished
    }

    fn names(&self, number: u32) -> Vec<String> {
        self.layout.kinds.iter().map(|kind| shard_file(self.layout.folder, kind.name, &self.run_id, number)).collect()
    }

    fn shard(
        &self,
        range: Option<(LanguageIndex, u32)>,
        known: impl Fn(&str) -> Existing,
    ) -> Result<Shard, FilesError> {
        let spool = |(name, kind): (String, &Kind)| {
            let spooled = spool_name(&name);
            let table = Table::open(&self.folder, &spooled, known(&spooled))?;
            Ok::<_, FilesError>(Spool { table, name, kind: kind.clone() })
        };
        let spools = self.names(self.next).into_iter().zip(&self.layout.kinds).map(spool);
        Ok(Shard { range, spools: spools.collect::<Result<_, _>>()? })
    }
}

fn range(slot: Slot) -> (LanguageIndex, u32) {
    (slot.language, slot.index / SLOTS)
}

/// The path of a shard's file in the output folder, below this folder of it.
pub(crate) fn shard_file(folder: &str, kind: &str, run_id: &str, number: u32) -> String {
    format!("{folder}/{kind}/{run_id}-{number:05}.parquet")
}

/// The spool of a file in the output folder.
fn spool_name(name: &str) -> String {
    let (folder, name) = name.rsplit_once('/').unwrap_or(("", name));
    format!("{folder}/.{}", name.replace(".parquet", ".rows"))
}

impl Spool {
    fn written(&self, mark: Mark, folder: &Path, bases: [&Path; 2]) -> WrittenFile {
        let path = whole::shown(&folder.join(&self.name), bases);
        WrittenFile { path, rows: Some(mark.rows), bytes: mark.length }
    }

    /// Writes the file under a temporary name and moves it into place.
    fn compose(&self, folder: &Path, run_id: &str, told: &[(&str, String)]) -> Result<Mark, FilesError> {
        let path = folder.join(&self.name);
        let temporary = whole::temporary(&path);
        let spool = self.table.path();
        let rows = File::open(spool).map_err(FilesError::io("open", spool))?;
        let Kind { schema, named, .. } = &self.kind;
        let batches = ReaderBuilder::new(schema.clone()).with_batch_size(BATCH_ROWS).build(BufReader::new(rows));
        let file = whole::create(&temporary)?;
        let told: Vec<_> = told.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let told = [&[("dlgforge.run_id", run_id)], &*told].concat();
        let writer = properties(named, &told).and_then(|made| ArrowWriter::try_new(file, named.clone(), Some(made)));
        let mut writer = writer.map_err(parquet(&temporary))?;
        for batch in batches.map_err(columns(&path))? {
            let batch = batch.and_then(|batch| RecordBatch::try_new(named.clone(), batch.columns().to_vec()));
            writer.write(&batch.map_err(columns(&path))?).map_err(parquet(&temporary))?;
        }
        let file = writer.into_inner().map_err(parquet(&temporary))?;
        whole::settle(file, &temporary, &path)?;
        table::mark(&path, self.table.rows())
    }
}

/// Removes spools that are of no use any more.
pub(crate) fn remove(spools: &[PathBuf]) -> Result<(), FilesError> {
    spools.iter().try_for_each(|path| fs::remove_file(path).map_err(FilesError::io("remove", path)))
}

fn columns(path: &Path) -> impl FnOnce(ArrowError) -> FilesError {
    move |cause| FilesError::Columns { path: path.to_owned(), cause }
}

fn parquet(path: &Path) -> impl FnOnce(ParquetError) -> FilesError {
    move |cause| FilesError::Parquet { path: path.to_owned(), cause }
}
