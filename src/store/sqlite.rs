//! The embedded store: two SQLite files in `store/` of the output folder.

use super::database::{Access, Database, Tidy};
use super::{
    Admission, Charge, Entry, Fact, KeptReply, Mark, Replies, Revision, Run, Settled, Spending, Spent, State, Store,
    StoreError, Tiered, replies, runs, salvage,
};
use crate::domain::{Digest, Fingerprint, HeldClaim, Place, Slot};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The store's folder in the output folder.
pub const FOLDER: &str = "store";

/// The file with the state of runs.
pub(super) const RUNS: &str = "runs.sqlite";
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
    path: PathBuf,
    /// How often the journal was rebuilt since it was opened; none where it can only be read.
    rebuilt: Option<AtomicU64>,
    /// Closed last: what reading has left beside the files goes.
    _tidy: Tidy,
}

impl Sqlite {
    /// Opens the store of an output folder, making it when there is none. A journal that is damaged is rebuilt from what
    /// can be read of it, with a warning.
    ///
    /// # Errors
    /// When a file can't be opened or made, or the state of runs is damaged.
    pub fn open(outputs: &Path) -> Result<Self, StoreError> {
        let folder = outputs.join(FOLDER);
        make_private(&folder).map_err(|error| StoreError::Database {
            action: "create folder",
            path: folder.clone(),
            cause: error.to_string(),
        })?;
        let mut runs = runs::open(&folder.join(RUNS), Access::Write)?;
        let path = folder.join(JOURNAL);
        let is_new = fs::metadata(&path).map_or(0, |file| file.len()) == 0;
        let journal = salvage::open(&path)?;
        if is_new && !runs.run("read", |connection| runs::all(connection))?.is_empty() {
            tracing::warn!("{} was missing: replies of earlier runs are asked for again", path.display());
        }
        Self::of((runs, journal), path, Access::Write, Tidy::default())
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
        let path = folder.join(JOURNAL);
        let tidy = Tidy::after([folder.join(RUNS), path.clone()]);
        let runs = runs::open(&folder.join(RUNS), Access::Read)?;
        let journal = replies::open(&path, Access::Read)?;
        Self::of((runs, journal), path, Access::Read, tidy).map(Some)
    }

    fn of(
        (runs, journal): (Database, Database),
        path: PathBuf,
        access: Access,
        tidy: Tidy,
    ) -> Result<Self, StoreError> {
        let reader = replies::open(&path, Access::Read)?;
        let rebuilt = (access == Access::Write).then(|| AtomicU64::new(0));
        let [reader, runs, journal] = [reader, runs, journal].map(Mutex::new);
        Ok(Self { reader, runs, journal, path, rebuilt, _tidy: tidy })
    }

    /// Does something with the journal. Where that shows that it is damaged, it is rebuilt, and done once more.
    fn journal<T>(
        &self,
        through: &Mutex<Database>,
        action: &'static str,
        work: impl Fn(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let before = self.rebuilt.as_ref().map(|rebuilt| rebuilt.load(Ordering::SeqCst));
        let done = held(through).run(action, &work);
        match (done, before) {
            (Err(StoreError::Damaged { detail, .. }), Some(before)) => {
                self.rebuild(&detail, before)?;
                held(through).run(action, &work)
            }
            (done, _) => done,
        }
    }

    /// Rebuilds the journal, unless that was done since it had been rebuilt so often.
    fn rebuild(&self, detail: &str, before: u64) -> Result<(), StoreError> {
        let (mut journal, mut reader) = (held(&self.journal), held(&self.reader));
        let Some(rebuilt) = self.rebuilt.as_ref().filter(|rebuilt| rebuilt.load(Ordering::SeqCst) == before) else {
            return Ok(());
        };
        reader.close()?;
        journal.close()?;
        *journal = salvage::rebuild(&self.path, detail)?;
        *reader = replies::open(&self.path, Access::Read)?;
        rebuilt.store(before + 1, Ordering::SeqCst);
        Ok(())
    }
}

/// Makes the store's folder, for its owner alone: what models said may be nobody else's business. Where the file system knows
/// no owners, it is a folder like any other.
fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
        for name in [RUNS, JOURNAL] {
            let path = folder.join(name);
            // Its log and index take over the permissions of a database.
            fs::OpenOptions::new().append(true).create(true).open(&path)?;
            _ = fs::set_permissions(&path, fs::Permissions::from_mode(0o600));
        }
    }
    Ok(())
}

fn held(database: &Mutex<Database>) -> MutexGuard<'_, Database> {
    database.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Replies for Sqlite {
    fn append(&self, run: &str, replies: &[Entry]) -> Result<(), StoreError> {
        self.journal(&self.journal, "write to", |connection| replies::append(connection, run, replies))
    }

    fn recall(&self, run: &str, place: &Place, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.journal(&self.reader, "read", |connection| replies::recall(connection, run, place, digest))
    }

    fn discard(&self, run: &str, place: &Place, digest: Digest) -> Result<(), StoreError> {
        self.journal(&self.journal, "write to", |connection| replies::discard(connection, run, place, digest))
    }

    fn replied(&self, run: &str) -> Result<Vec<Slot>, StoreError> {
        self.journal(&self.reader, "read", |connection| replies::slots(connection, run))
    }
}

impl Store for Sqlite {
    fn runs(&self) -> Result<Vec<Run>, StoreError> {
        held(&self.runs).run("read", |connection| runs::all(connection))
    }

    fn begin(&self, run: &Run) -> Result<(), StoreError> {
        let is_new = held(&self.runs).run("write to", |connection| runs::begin(connection, run))?;
        if is_new { Ok(()) } else { Err(StoreError::RunExists(run.id.clone())) }
    }

    fn set_state(&self, run: &str, state: State, at: &str) -> Result<(), StoreError> {
        if held(&self.runs).run("write to", |connection| runs::set_state(connection, run, state, at))? {
            return Ok(());
        }
        let runs = self.runs()?.into_iter().map(|run| run.id).collect();
        Err(StoreError::NoRun { id: run.to_owned(), runs })
    }

    fn admit(&self, run: &str, admission: &Admission) -> Result<(), StoreError> {
        held(&self.runs).run("write to", |connection| runs::admit(connection, run, admission))?;
        if admission.drop_replies && !admission.settled.is_empty() {
            let forgotten = &admission.settled;
            let forgot =
                self.journal(&self.journal, "write to", |connection| replies::forget(connection, run, forgotten));
            // They only take room.
            forgot.unwrap_or_else(|error| tracing::warn!("failed to {error}"));
        }
        Ok(())
    }

    fn revise(&self, revision: &Revision) -> Result<(), StoreError> {
        held(&self.runs).run("write to", |connection| runs::revise(connection, revision))
    }

    fn settled(&self, run: &str) -> Result<Vec<Settled>, StoreError> {
        held(&self.runs).run("read", |connection| runs::settled(connection, run))
    }

    fn claims(&self) -> Result<Vec<(String, Slot, Vec<HeldClaim>)>, StoreError> {
        held(&self.runs).run("read", |connection| runs::claims(connection))
    }

    fn unfinished(&self) -> Result<Vec<(String, Fingerprint)>, StoreError> {
        held(&self.runs).run("read", |connection| runs::unfinished(connection))
    }

    fn files(&self) -> Result<BTreeMap<String, Mark>, StoreError> {
        held(&self.runs).run("read", |connection| runs::files(connection))
    }

    fn replies_of(&self, run: &str, slot: Slot) -> Result<Vec<KeptReply>, StoreError> {
        self.journal(&self.reader, "read", |connection| replies::of(connection, run, slot))
    }

    fn spent(&self, run: &str) -> Result<Vec<Spent>, StoreError> {
        self.journal(&self.journal, "read", |connection| replies::spent(connection, run))
    }

    fn tiers(&self, run: &str) -> Result<Vec<Tiered>, StoreError> {
        self.journal(&self.journal, "read", |connection| replies::tiers(connection, run))
    }

    fn record_spending(&self, run: &str, spending: Spending) -> Result<(), StoreError> {
        held(&self.runs).run("write to", |connection| runs::record_spending(connection, run, spending))
    }

    fn spending(&self, run: &str) -> Result<Spending, StoreError> {
        held(&self.runs).run("read", |connection| runs::spending(connection, run))
    }

    fn charges(&self, run: &str) -> Result<Vec<Charge>, StoreError> {
        self.journal(&self.journal, "read", |connection| replies::charges(connection, run))
    }

    fn learn(&self, run: &str, fact: &Fact) -> Result<(), StoreError> {
        held(&self.runs).run("write to", |connection| runs::learn(connection, run, fact))
    }

    fn learned(&self, run: &str) -> Result<Vec<Fact>, StoreError> {
        held(&self.runs).run("read", |connection| runs::learned(connection, run))
    }
}
