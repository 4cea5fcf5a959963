//! The store of a server: a PostgreSQL database that holds the runs of many output folders.
//!
//! The rows of a folder are found by the id in its `store/postgres.json`. One process at a time may write them: it holds an
//! advisory lock, and whoever has lost it writes nothing more. While the server is away (it restarts, or another one takes
//! over), whoever needs it waits; nothing is lost by that, and nothing written twice.

mod dsn;
mod failure;
mod identity;
mod numbers;
mod pool;
mod replies;
mod runs;
mod schema;
mod session;
mod tls;

pub use dsn::Dsn;

use super::{
    Admission, Charge, Entry, Fact, KeptReply, Mark, Replies, Revision, Run, Settled, Spending, Spent, State, Store,
    StoreError, Tiered,
};
use crate::domain::{Digest, Fingerprint, HeldClaim, Place, Slot};
use failure::Failure;
use identity::{Claim, Claimed, Marker};
use pool::{PATIENCE, Pool};
use session::Session;
use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long a claim waits for a process that has just ended, whose connections the server still has.
const PATIENCE_TO_CLAIM: Duration = Duration::from_secs(5);

/// How a server is reached and used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The server, its database, and the user with their password.
    pub dsn: Dsn,
    /// Connections that stay open.
    pub least: u32,
    /// The most connections, 1 or more.
    pub most: u32,
    /// The longest that a statement may take; none for no limit.
    pub statement_timeout: Option<Duration>,
}

impl Options {
    /// For a look at the state of runs: one connection.
    pub fn to_look(dsn: Dsn) -> Self {
        Self { dsn, least: 0, most: 1, statement_timeout: Some(PATIENCE) }
    }
}

/// The state of an output folder's runs in a database.
pub struct Postgres {
    pool: Pool,
    folder: i32,
}

impl Postgres {
    /// Claims the state of an output folder, making it when there is none.
    ///
    /// # Errors
    /// When the server can't be reached or refuses, when another process has claimed the state, or when the folder says that
    /// its state is in another database.
    pub fn open(outputs: &Path, options: &Options) -> Result<Self, StoreError> {
        let pool = Pool::new(options.clone())?;
        let (_, found) = pool.begin(true, schema::bring_up)?;
        expect_known(&pool, found)?;
        let marker = match Marker::read(outputs)? {
            Some(marker) => marker,
            None => {
                let (_, made) = pool.begin(true, identity::make)?;
                let marker = Marker { folder: made, server: pool.server().to_owned() };
                marker.write(outputs)?;
                marker
            }
        };
        let (session, claim) = claim(&pool, outputs, &marker)?;
        let pool = pool.claimed(claim, session);
        pool.fill();
        Ok(Self { pool, folder: claim.folder })
    }

    /// Opens the state of an output folder to look at it; none when the folder has none in a database.
    ///
    /// # Errors
    /// When the server can't be reached or refuses, or has no such state.
    pub fn look(outputs: &Path, options: &Options) -> Result<Option<Self>, StoreError> {
        let Some(marker) = Marker::read(outputs)? else { return Ok(None) };
        let pool = Pool::new(options.clone())?;
        let (_, (found, folder)) = pool.begin(false, async |session: &Session| {
            let found = schema::found(session).await?;
            let folder = if found == 0 { None } else { identity::number(session, &marker.folder).await? };
            Ok((found, folder))
        })?;
        expect_known(&pool, found)?;
        let folder = folder.ok_or_else(|| elsewhere(&pool, outputs, &marker))?;
        Ok(Some(Self { pool, folder }))
    }

    /// Demands that a server can be reached, lets us in, and has no schema that only a newer release knows; the server, without
    /// a password.
    ///
    /// # Errors
    /// When it is otherwise.
    pub fn reach(options: &Options) -> Result<String, StoreError> {
        let pool = Pool::new(Options::to_look(options.dsn.clone()))?;
        let (_, found) = pool.begin(false, schema::found)?;
        expect_known(&pool, found)?;
        Ok(pool.server().to_owned())
    }

    /// What the file of an output folder says of where its state is: the server, without a password; none when it has no
    /// such file.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn server_of(outputs: &Path) -> Result<Option<String>, StoreError> {
        Ok(Marker::read(outputs)?.map(|marker| marker.server))
    }

    fn read<T>(&self, work: impl AsyncFn(&Session) -> Result<T, Failure>) -> Result<T, StoreError> {
        self.pool.read("read", work)
    }

    fn write<T>(&self, work: impl AsyncFn(&Session) -> Result<T, Failure>) -> Result<T, StoreError> {
        self.pool.write("write to", work)
    }
}

fn expect_known(pool: &Pool, found: i32) -> Result<(), StoreError> {
    if found <= schema::KNOWN {
        return Ok(());
    }
    let place = format!("the schema dlgforge of PostgreSQL at {}", pool.server());
    Err(StoreError::Newer { place, found: found.into(), known: schema::KNOWN.into() })
}

fn elsewhere(pool: &Pool, outputs: &Path, marker: &Marker) -> StoreError {
    let (path, was, server) = (Marker::path(outputs), marker.server.clone(), pool.server().to_owned());
    StoreError::Elsewhere { path, was, server }
}

fn claim(pool: &Pool, outputs: &Path, marker: &Marker) -> Result<(Session, Claim), StoreError> {
    let started = Instant::now();
    loop {
        let (session, claimed) =
            pool.begin(true, async |session: &Session| identity::claim(session, &marker.folder).await)?;
        match claimed {
            Claimed::Ours(claim) => return Ok((session, claim)),
            Claimed::Unknown => return Err(elsewhere(pool, outputs, marker)),
            Claimed::Busy if started.elapsed() < PATIENCE_TO_CLAIM => thread::sleep(Duration::from_millis(50)),
            Claimed::Busy => {
                return Err(StoreError::Claimed { folder: outputs.to_owned(), server: pool.server().to_owned() });
            }
        }
    }
}

impl Replies for Postgres {
    fn append(&self, run: &str, replies: &[Entry]) -> Result<(), StoreError> {
        if replies.is_empty() {
            return Ok(());
        }
        self.write(async |session| replies::append(session, self.folder, run, replies).await)
    }

    fn recall(&self, run: &str, place: &Place, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(async |session| replies::recall(session, self.folder, run, place, digest).await)
    }

    fn discard(&self, run: &str, place: &Place, digest: Digest) -> Result<(), StoreError> {
        self.write(async |session| replies::discard(session, self.folder, run, place, digest).await)
    }

    fn replied(&self, run: &str) -> Result<Vec<Slot>, StoreError> {
        self.read(async |session| replies::slots(session, self.folder, run).await)
    }
}

impl Store for Postgres {
    fn runs(&self) -> Result<Vec<Run>, StoreError> {
        self.read(async |session| runs::all(session, self.folder).await)
    }

    fn begin(&self, run: &Run) -> Result<(), StoreError> {
        let is_new = self.write(async |session| runs::begin(session, self.folder, run).await)?;
        if is_new { Ok(()) } else { Err(StoreError::RunExists(run.id.clone())) }
    }

    fn set_state(&self, run: &str, state: State, at: &str) -> Result<(), StoreError> {
        if self.write(async |session| runs::set_state(session, self.folder, run, state, at).await)? {
            return Ok(());
        }
        let runs = self.runs()?.into_iter().map(|run| run.id).collect();
        Err(StoreError::NoRun { id: run.to_owned(), runs })
    }

    fn admit(&self, run: &str, admission: &Admission) -> Result<(), StoreError> {
        self.write(async |session| runs::admit(session, self.folder, run, admission).await)
    }

    fn revise(&self, revision: &Revision) -> Result<(), StoreError> {
        self.write(async |session| runs::revise(session, self.folder, revision).await)
    }

    fn settled(&self, run: &str) -> Result<Vec<Settled>, StoreError> {
        self.read(async |session| runs::settled(session, self.folder, run).await)
    }

    fn claims(&self) -> Result<Vec<(String, Slot, Vec<HeldClaim>)>, StoreError> {
        self.read(async |session| runs::claims(session, self.folder).await)
    }

    fn unfinished(&self) -> Result<Vec<(String, Fingerprint)>, StoreError> {
        self.read(async |session| runs::unfinished(session, self.folder).await)
    }

    fn files(&self) -> Result<BTreeMap<String, Mark>, StoreError> {
        self.read(async |session| runs::files(session, self.folder).await)
    }

    fn replies_of(&self, run: &str, slot: Slot) -> Result<Vec<KeptReply>, StoreError> {
        self.read(async |session| replies::of(session, self.folder, run, slot).await)
    }

    fn spent(&self, run: &str) -> Result<Vec<Spent>, StoreError> {
        self.read(async |session| replies::spent(session, self.folder, run).await)
    }

    fn tiers(&self, run: &str) -> Result<Vec<Tiered>, StoreError> {
        self.read(async |session| replies::tiers(session, self.folder, run).await)
    }

    fn record_spending(&self, run: &str, spending: Spending) -> Result<(), StoreError> {
        self.write(async |session| runs::record_spending(session, self.folder, run, spending).await)
    }

    fn spending(&self, run: &str) -> Result<Spending, StoreError> {
        self.read(async |session| runs::spending(session, self.folder, run).await)
    }

    fn charges(&self, run: &str) -> Result<Vec<Charge>, StoreError> {
        self.read(async |session| replies::charges(session, self.folder, run).await)
    }

    fn learn(&self, run: &str, fact: &Fact) -> Result<(), StoreError> {
        self.write(async |session| runs::learn(session, self.folder, run, fact).await)
    }

    fn learned(&self, run: &str) -> Result<Vec<Fact>, StoreError> {
        self.read(async |session| runs::learned(session, self.folder, run).await)
    }
}
