//! The embedded store: two SQLite files in `store/` of the output folder.

use super::database::{Access, Database};
use super::{
    Admission, Charge, Entry, Fact, Mark, Run, Settled, Spent, State, Store, StoreError, replies, runs, salvage,
};
use crate::words::{Digest, Fingerprint, Place};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The store's folder in the output folder.
pub const FOLDER: &str = "store";

const RUNS: &str = "runs.sqlite";
const JOURNAL: &str = "journal.sqlite";

/// A store in a folder.
///
/// The state of runs and the journal are two files, so that damage to the large one, which is written all the time, costs
/// some replies and no run.
pub struct Sqlite {
    /// Reads while `journal` waits for the disk. Closed first: the last one to close tidies up, and must be able to.
    reader: Mutex<Database>,
    runs: Mutex<Database>,
    journal: Mutex<Database>,
}

impl Sqlite {
    /// Opens the store of an output folder, making it when there is none. A journal that is damaged is rebuilt from what
    /// can be read of it, with a warning.
    ///
    /// # Errors
    /// When a file can't be opened or made, or the state of runs is damaged.
    pub fn open(outputs: &Path) -> Result<Self, StoreError> {
        let folder = outputs.join(FOLDER);
        std::fs::create_dir_all(&folder).map_err(|error| StoreError::Database {
            action: "create folder",
            path: folder.clone(),
            cause: error.to_string(),
        })?;
        let mut runs = runs::open(&folder.join(RUNS), Access::Write)?;
        let path = folder.join(JOURNAL);
        let is_new = std::fs::metadata(&path).map_or(0, |file| file.len()) == 0;
        let journal = salvage::open(&path)?;
        if is_new && !runs.run("read", |connection| runs::all(connection))?.is_empty() {
            tracing::warn!("{} was missing: replies of earlier runs are asked for again", path.display());
        }
        Self::of(runs, journal, &folder)
    }

    /// Opens the store of an output folder to look at it; none when there is none.
    ///
    /// # Errors
    /// When a file can't be opened or is damaged.
    pub fn look(outputs: &Path) -> Result<Option<Self>, StoreError> {
        let folder = outputs.join(FOLDER);
        if !folder.join(RUNS).is_file() || !folder.join(JOURNAL).is_file() {
            return Ok(None);
        }
        let runs = runs::open(&folder.join(RUNS), Access::Read)?;
        let journal = replies::open(&folder.join(JOURNAL), Access::Read)?;
        Self::of(runs, journal, &folder).map(Some)
    }

    fn of(runs: Database, journal: Database, folder: &Path) -> Result<Self, StoreError> {
        let reader = replies::open(&folder.join(JOURNAL), Access::Read)?;
        Ok(Self { runs: Mutex::new(runs), journal: Mutex::new(journal), reader: Mutex::new(reader) })
    }
}

fn held(database: &Mutex<Database>) -> MutexGuard<'_, Database> {
    database.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for Sqlite {
    fn runs(&self) -> Result<Vec<Run>, StoreError> {
        held(&self.runs).run("read", |connection| runs::all(connection))
    }

    fn begin(&self, run: &Run) -> Result<(), StoreError> {
        let is_new = held(&self.runs).run("write to", |connection| runs::begin(connection, run))?;
        if is_new { Ok(()) } else { Err(StoreError::RunExists(run.id.clone())) }
    }

    fn turn(&self, run: &str, state: State, at: &str) -> Result<(), StoreError> {
        if held(&self.runs).run("write to", |connection| runs::turn(connection, run, state, at))? {
            return Ok(());
        }
        let runs = self.runs()?.into_iter().map(|run| run.id).collect();
        Err(StoreError::NoRun { id: run.to_owned(), runs })
    }

    fn append(&self, run: &str, replies: &[Entry]) -> Result<(), StoreError> {
        held(&self.journal).run("write to", |connection| replies::append(connection, run, replies))
    }

    fn recall(&self, run: &str, place: &Place, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        held(&self.reader).run("read", |connection| replies::recall(connection, run, place, digest))
    }

    fn admit(&self, run: &str, admission: &Admission) -> Result<(), StoreError> {
        held(&self.runs).run("write to", |connection| runs::admit(connection, run, admission))?;
        if admission.drop_replies && !admission.settled.is_empty() {
            let forgotten = &admission.settled;
            let forgot = held(&self.journal).run("write to", |connection| replies::forget(connection, run, forgotten));
            // They only take room.
            forgot.unwrap_or_else(|error| tracing::warn!("failed to {error}"));
        }
        Ok(())
    }

    fn settled(&self, run: &str) -> Result<Vec<Settled>, StoreError> {
        held(&self.runs).run("read", |connection| runs::settled(connection, run))
    }

    fn unfinished(&self) -> Result<Vec<(String, Fingerprint)>, StoreError> {
        held(&self.runs).run("read", |connection| runs::unfinished(connection))
    }

    fn files(&self) -> Result<BTreeMap<String, Mark>, StoreError> {
        held(&self.runs).run("read", |connection| runs::files(connection))
    }

    fn spent(&self, run: &str) -> Result<Vec<Spent>, StoreError> {
        held(&self.journal).run("read", |connection| replies::spent(connection, run))
    }

    fn charge(&self, run: &str, nanousd: u64, tokens: u64, calls: u64) -> Result<(), StoreError> {
        held(&self.journal).run("write", |connection| replies::charge(connection, run, nanousd, tokens, calls))
    }

    fn untold(&self, run: &str) -> Result<(u64, u64, u64), StoreError> {
        held(&self.journal).run("read", |connection| replies::untold(connection, run))
    }

    fn charges(&self, run: &str) -> Result<Vec<Charge>, StoreError> {
        held(&self.journal).run("read", |connection| replies::charges(connection, run))
    }

    fn learn(&self, run: &str, fact: &Fact) -> Result<(), StoreError> {
        held(&self.runs).run("write to", |connection| runs::learn(connection, run, fact))
    }

    fn learned(&self, run: &str) -> Result<Vec<Fact>, StoreError> {
        held(&self.runs).run("read", |connection| runs::learned(connection, run))
    }
}
