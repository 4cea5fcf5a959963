//! The output folder as a whole: claimed by one process at a time, with the store of all its runs.

use super::recorder::{CONVERSATIONS, expect_documents};
use super::{OutputError, RunFacts};
use super::{files, ledger, shards, state, table};
use crate::store::{Mark, Run, Sqlite, State, Store};
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
    /// Its files, as they were recorded last.
    pub(super) files: BTreeMap<String, Mark>,
    /// Whether a process ended while it wrote here.
    pub(super) died: bool,
    /// Held for its lock; none where the file system has no locks.
    claim: Option<File>,
}

impl Folder {
    /// Claims a folder, making it when there is none, and opens its store.
    ///
    /// # Errors
    /// When it can't be made or written, when another process has claimed it, or when its store can't be opened.
    pub fn claim(path: &Path) -> Result<Self, OutputError> {
        files::create_folder(path)?;
        let claim = files::claim_folder(path)?;
        Self::of(Sqlite::open(path)?, claim)
    }

    /// Opens the store of a folder to look at it; none when there is none.
    ///
    /// # Errors
    /// When its store can't be opened.
    pub fn look(path: &Path) -> Result<Option<Self>, OutputError> {
        let Some(store) = Sqlite::look(path)? else { return Ok(None) };
        Self::of(store, None).map(Some)
    }

    fn of(store: Sqlite, claim: Option<File>) -> Result<Self, OutputError> {
        let (runs, files) = (store.runs()?, store.files()?);
        let died = runs.iter().any(|run| run.state.is_untidy());
        Ok(Self { store: Arc::new(store), runs, files, died, claim })
    }

    /// Whether a run is writing to a folder at this moment.
    ///
    /// # Errors
    /// When the folder can't be opened.
    pub fn is_busy(path: &Path) -> Result<bool, OutputError> {
        files::is_claimed(path)
    }

    /// How much of the ledger counts, in bytes: all of it, unless a process that died may have left more.
    ///
    /// # Errors
    /// When it can't be looked at.
    pub fn ledger_length(&self, path: &Path) -> Result<u64, OutputError> {
        let path = path.join(ledger::FILE_NAME);
        let length = match fs::metadata(&path) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => 0,
            found => found.map_err(OutputError::io("look at", &path))?.len(),
        };
        let recorded = self.files.get(ledger::FILE_NAME).filter(|_| self.died).map(|mark| mark.length);
        Ok(recorded.map_or(length, |recorded| length.min(recorded)))
    }

    /// Removes what a process that died has left and nobody needs, when it is certain that nobody else writes here.
    ///
    /// # Errors
    /// When it can't be listed or removed.
    pub fn clear_leftovers(&self, path: &Path) -> Result<(), OutputError> {
        let mut subfolders = [state::FOLDER, shards::FOLDER].into_iter().filter(|_| self.claim.is_some());
        subfolders.try_for_each(|name| files::clear_leftovers(&path.join(name), &self.files, name))
    }

    /// Demands that a finished run's outputs are as it left them: every file of the folder, and its own documents.
    ///
    /// # Errors
    /// When one is missing or was changed, or can't be looked at.
    pub fn expect_whole(&self, path: &Path, facts: &RunFacts) -> Result<(), OutputError> {
        for (name, mark) in self.files.iter().filter(|(name, _)| !name.contains("/.")) {
            table::expect(&path.join(name), *mark)?;
        }
        expect_documents(&path.join(CONVERSATIONS), &self.store.settled(&facts.run_id)?, facts)?;
        state::expect_told(path, &facts.run_id)
    }

    /// Leaves the runs of dead processes as they were when they last had something admitted: what they spooled beyond it
    /// goes, and the store says that nobody goes on with them.
    pub(super) fn bury(&self, path: &Path, at: &str) -> Result<(), OutputError> {
        let spools = self.files.iter().filter(|(name, _)| self.died && name.contains("/."));
        for (spool, mark) in spools.map(|(name, mark)| (path.join(name), mark)) {
            if fs::metadata(&spool).is_ok_and(|file| file.len() > mark.length) {
                let opened = OpenOptions::new().write(true).open(&spool);
                let cut = opened.and_then(|file| file.set_len(mark.length).and_then(|()| file.sync_all()));
                cut.map_err(OutputError::io("cut", &spool))?;
            }
        }
        for run in self.runs.iter().filter(|run| run.state.is_untidy()) {
            self.store.turn(&run.id, State::Interrupted, at)?;
        }
        Ok(())
    }
}
