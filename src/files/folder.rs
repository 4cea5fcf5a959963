//! The output folder as a whole: claimed by one process at a time, with the store of all its runs.

use super::{FilesError, rewrite, table, whole};
use crate::store::{self, Backend, Mark, Run, State, Store};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// An output folder that no other process writes to.
pub struct Folder {
    /// The state of its runs.
    pub store: Arc<dyn Store>,
    /// Its runs, in the order in which they began.
    pub runs: Vec<Run>,
    /// Passes of the judge over the conversations of its runs, in the order in which they began.
    pub passes: Vec<Run>,
    /// Its files, as they were recorded last.
    pub(crate) files: BTreeMap<String, Mark>,
    /// Whether a process ended while it wrote here.
    pub(crate) died: bool,
    /// Held for its lock; none where the file system has no locks.
    claim: Option<File>,
}

impl Folder {
    /// Claims a folder, making it when there is none, and opens its store. Files that a process had begun to put in the places of
    /// others are put there.
    ///
    /// # Errors
    /// When it can't be made or written, when another process has claimed it, or when its store can't be opened.
    pub fn claim(path: &Path, backend: &Backend) -> Result<Self, FilesError> {
        whole::create_folder(path)?;
        let claim = whole::claim_folder(path)?;
        let store = store::open(path, backend)?;
        rewrite::finish(path, &*store)?;
        claim.as_ref().map_or(Ok(()), |_| rewrite::clear_staged(path))?;
        Self::of(store, claim)
    }

    /// Opens the store of a folder to look at it as a run with these settings would; none when there is none.
    ///
    /// # Errors
    /// When its store can't be opened.
    pub fn look(path: &Path, backend: &Backend) -> Result<Option<Self>, FilesError> {
        store::look(path, backend)?.map(|store| Self::of(store, None)).transpose()
    }

    /// Opens whichever store a folder has to look at it; none when there is none. Where that is on a server, this is its
    /// connection string.
    ///
    /// # Errors
    /// When its store can't be opened.
    pub fn find(path: &Path, dsn: Option<&str>) -> Result<Option<Self>, FilesError> {
        store::find(path, dsn)?.map(|store| Self::of(store, None)).transpose()
    }

    fn of(store: Arc<dyn Store>, claim: Option<File>) -> Result<Self, FilesError> {
        let (all, files) = (store.runs()?, store.files()?);
        let (passes, runs): (Vec<Run>, Vec<Run>) = all.into_iter().partition(Run::is_pass);
        let died = runs.iter().any(|run| run.state.is_untidy());
        Ok(Self { store, runs, passes, files, died, claim })
    }

    /// Whether a run is writing to a folder at this moment.
    ///
    /// # Errors
    /// When the folder can't be opened.
    pub fn is_busy(path: &Path) -> Result<bool, FilesError> {
        whole::is_claimed(path)
    }

    /// How much of a file counts, in bytes: all of it, unless a process that died may have left more.
    ///
    /// # Errors
    /// When it can't be looked at.
    pub fn length(&self, path: &Path, name: &str) -> Result<u64, FilesError> {
        let path = path.join(name);
        let length = match fs::metadata(&path) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => 0,
            found => found.map_err(FilesError::io("look at", &path))?.len(),
        };
        let recorded = self.files.get(name).filter(|_| self.died).map(|mark| mark.length);
        Ok(recorded.map_or(length, |recorded| length.min(recorded)))
    }

    /// Removes what a process that died has left in these subfolders and nobody needs, when it is certain that nobody else
    /// writes here.
    ///
    /// # Errors
    /// When it can't be listed or removed.
    pub fn clear_leftovers(&self, path: &Path, subfolders: &[&str]) -> Result<(), FilesError> {
        let mut subfolders = subfolders.iter().filter(|_| self.claim.is_some());
        subfolders.try_for_each(|name| whole::clear_leftovers(&path.join(name), &self.files, name))
    }

    /// Demands that the files of the folder are as they were recorded.
    ///
    /// # Errors
    /// When one is missing or was changed, or can't be looked at.
    pub fn expect_whole(&self, path: &Path) -> Result<(), FilesError> {
        let mut files = self.files.iter().filter(|(name, _)| !name.contains("/."));
        files.try_for_each(|(name, mark)| table::expect(&path.join(name), *mark))
    }

    /// Leaves the runs of dead processes as they were when they last had something admitted: what they spooled beyond it
    /// goes, and the store says that nobody goes on with them.
    pub(crate) fn close_dead_runs(&self, path: &Path, at: &str) -> Result<(), FilesError> {
        let spools = self.files.iter().filter(|(name, _)| self.died && name.contains("/."));
        for (spool, mark) in spools.map(|(name, mark)| (path.join(name), mark)) {
            if fs::metadata(&spool).is_ok_and(|file| file.len() > mark.length) {
                let opened = OpenOptions::new().write(true).open(&spool);
                let cut = opened.and_then(|file| file.set_len(mark.length).and_then(|()| file.sync_all()));
                cut.map_err(FilesError::io("cut", &spool))?;
            }
        }
        for run in self.runs.iter().filter(|run| run.state.is_untidy()) {
            self.store.set_state(&run.id, State::Interrupted, at)?;
        }
        Ok(())
    }
}
