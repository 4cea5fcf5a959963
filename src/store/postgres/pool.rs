//! The connections to a server: taken for one operation at a time, made again when they break, and what is written on them
//! counted once.
//!
//! Every connection that writes has a *lane*: a row with the number of the last write that went over it. The number grows in
//! the transaction that it numbers. So whoever was told nothing of the end of a commit can ask: where the number is there,
//! all of it was written; else nothing was, and it is done again. The lane is locked while a transaction is under way, so
//! the answer comes when the earlier connection's transaction has ended, too.

use super::Options;
use super::failure::Failure;
use super::identity::Claim;
use super::session::{Network, Session, wait};
use crate::store::StoreError;
use futures_util::future::try_join;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may be away: it restarts, or another one takes over.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// How long an opening waits for a server that does not answer: it may be named wrongly.
const PATIENCE_TO_OPEN: Duration = Duration::from_secs(15);
/// The first pause before it is tried again, and the longest.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Connections beyond those kept open are closed when they were not used for so long.
const UNUSED: Duration = Duration::from_secs(60);
/// Beyond its own limit on statements, a server may take so long to answer.
const SILENCE: Duration = Duration::from_secs(15);

/// Two numbers of an advisory lock on a folder: this one, and the folder's.
pub(super) const LOCK: i32 = 0x646c_6766;

const SETTINGS: &str = "
SET search_path = dlgforge, pg_temp;
SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3;
SET idle_in_transaction_session_timeout = 60000;
SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')";

const MARK: &str = "UPDATE lanes SET token = $4 WHERE folder = $1 AND claim = $2 AND lane = $3 AND token < $4";
const MARKED: &str = "SELECT token FROM lanes WHERE folder = $1 AND claim = $2 AND lane = $3";

/// The connections to one server.
pub(super) struct Pool {
    network: Network,
    options: Options,
    /// The state that is written; none for one that is only looked at.
    claim: Option<Claim>,
    lanes: Mutex<Lanes>,
    freed: Condvar,
    /// Whether it was told that the server is away.
    away: AtomicBool,
}

#[derive(Default)]
struct Lanes {
    /// Those that nobody uses, the one used last at the end.
    idle: Vec<Lane>,
    made: u32,
}

/// A connection that is made when it is needed, and the number of what was last written on it.
struct Lane {
    number: i32,
    token: i64,
    session: Option<Session>,
    used: Instant,
}

impl Pool {
    /// A pool without connections.
    ///
    /// # Errors
    /// When connections like those that are asked for can't be made here.
    pub fn new(options: Options) -> Result<Self, StoreError> {
        let network = Network::start(&options.dsn).map_err(|cause| StoreError::Server {
            action: "connect to",
            server: options.dsn.server().to_owned(),
            cause,
        })?;
        let (lanes, freed, away) = (Mutex::default(), Condvar::new(), AtomicBool::new(false));
        Ok(Self { network, options, claim: None, lanes, freed, away })
    }

    /// The same pool for whoever has claimed the state of a folder. Connections that were made before are dropped, but for
    /// the one that holds the claim: it becomes the first lane.
    pub fn claimed(mut self, claim: Claim, session: Session) -> Self {
        self.claim = Some(claim);
        let first = Lane { number: 0, token: 0, session: Some(session), used: Instant::now() };
        self.lanes = Mutex::new(Lanes { idle: vec![first], made: 1 });
        self
    }

    /// Makes as many connections as are kept open. Where the server has not so many, it goes on with those there are.
    pub fn fill(&self) {
        let mut lanes: Vec<Lane> = (0..self.options.least).map(|_| self.take()).collect();
        let opened = lanes.iter_mut().try_for_each(|lane| self.open(lane).map(drop));
        if let Err(failure) = opened {
            tracing::warn!("PostgreSQL at {}: {}", self.server(), self.told(&failure));
        }
        lanes.into_iter().for_each(|lane| self.give_back(lane));
    }

    /// The server, for messages.
    pub fn server(&self) -> &str {
        self.options.dsn.server()
    }

    fn told(&self, failure: &Failure) -> String {
        self.options.dsn.hide(&failure.told())
    }

    /// Does something on a new connection that nobody else uses, and tells what came of it; anew where it breaks.
    ///
    /// # Errors
    /// When the server can't be reached or refuses.
    pub fn begin<T>(
        &self,
        writes: bool,
        work: impl AsyncFn(&Session) -> Result<T, Failure>,
    ) -> Result<(Session, T), StoreError> {
        let begun = self.persist(PATIENCE_TO_OPEN, || {
            let session = self.connect(writes)?;
            let done = self.wait(work(&session))?;
            Ok((session, done))
        });
        begun.map_err(|failure| self.error("open", &failure))
    }

    /// Reads something on a connection of the pool.
    ///
    /// # Errors
    /// When the server does not tell it, or is away for too long.
    pub fn read<T>(
        &self,
        action: &'static str,
        work: impl AsyncFn(&Session) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.on_a_lane(action, |lane| {
            let session = self.open(lane)?;
            self.wait(work(session))
        })
    }

    /// Writes something as one transaction: all of it is durable on return, and was done once.
    ///
    /// # Errors
    /// When the server refuses, or is away for too long. Then nothing of it was written, unless it went away while it
    /// committed and does not come back.
    pub fn write<T>(
        &self,
        action: &'static str,
        work: impl AsyncFn(&Session) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let mut made = None;
        let mut begun = false;
        self.on_a_lane(action, |lane| {
            if !begun {
                (lane.token, begun) = (lane.token + 1, true);
            }
            let (number, token) = (lane.number, lane.token);
            let session = self.open(lane)?;
            let claim = self.claim.ok_or_else(|| Failure::Invalid("it was opened to be looked at".to_owned()))?;
            self.wait(transact(session, claim, number, token, &mut made, &work))?;
            made.take().ok_or_else(|| Failure::Invalid("a write has the number of another one".to_owned()))
        })
    }

    /// Does something on a connection, again and again while the server is away.
    fn on_a_lane<T>(
        &self,
        action: &'static str,
        mut step: impl FnMut(&mut Lane) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let mut lane = self.take();
        let outcome = self.persist(PATIENCE, || {
            let outcome = step(&mut lane);
            if outcome.is_err() {
                // Whatever state it is in, the next one begins anew.
                lane.session = None;
            }
            outcome
        });
        self.give_back(lane);
        outcome.map_err(|failure| self.error(action, &failure))
    }

    /// The failure of an action, as users see it.
    pub fn error(&self, action: &'static str, failure: &Failure) -> StoreError {
        StoreError::Server { action, server: self.server().to_owned(), cause: self.told(failure) }
    }

    /// Tries until it comes to something that does not pass by itself, or has been tried for so long.
    pub fn persist<T>(&self, patience: Duration, mut step: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
        let (started, mut pause) = (Instant::now(), PAUSE);
        loop {
            match step() {
                Err(failure) if failure.is_passing() && started.elapsed() < patience => {
                    // A connection that has broken since it was used is no news.
                    if pause > PAUSE && !self.away.swap(true, Ordering::SeqCst) {
                        let (server, told) = (self.server(), self.told(&failure));
                        tracing::warn!("PostgreSQL at {server}: {told}; waiting for it, {} s", patience.as_secs());
                    }
                    thread::sleep(pause);
                    pause = LONGEST_PAUSE.min(2 * pause);
                }
                Err(failure) => return Err(failure),
                Ok(done) => {
                    if self.away.load(Ordering::Relaxed) && self.away.swap(false, Ordering::SeqCst) {
                        tracing::warn!("PostgreSQL at {} is there again", self.server());
                    }
                    return Ok(done);
                }
            }
        }
    }

    /// Waits for the server's answers.
    pub fn wait<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let longest = self.options.statement_timeout.map(|limit| limit + SILENCE);
        wait(work, longest).unwrap_or(Err(Failure::Silent))
    }

    /// A new connection, with the settings that all have.
    pub fn connect(&self, writes: bool) -> Result<Session, Failure> {
        let dsn = &self.options.dsn;
        let session = self.network.connect(if writes { dsn.writable() } else { dsn.config.clone() })?;
        let limit = self.options.statement_timeout.map_or(0, |limit| limit.as_millis());
        let read_only = if writes { "off" } else { "on" };
        let settings =
            format!("{SETTINGS}; SET statement_timeout = {limit}; SET default_transaction_read_only = {read_only}");
        self.wait(session.command(&settings))?;
        Ok(session)
    }

    /// The connection of a lane, made where there is none.
    fn open<'a>(&self, lane: &'a mut Lane) -> Result<&'a Session, Failure> {
        let session = match lane.session.take().filter(|session| !session.is_closed()) {
            Some(session) => session,
            None => {
                let session = self.connect(self.claim.is_some())?;
                if let Some(claim) = self.claim {
                    self.wait(take_part(&session, claim, lane.number))?;
                }
                session
            }
        };
        Ok(lane.session.insert(session))
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Lane {
        let mut lanes = self.lanes();
        loop {
            if let Some(lane) = lanes.idle.pop() {
                return lane;
            }
            if lanes.made < self.options.most {
                lanes.made += 1;
                let number = i32::try_from(lanes.made - 1).unwrap_or(i32::MAX);
                return Lane { number, token: 0, session: None, used: Instant::now() };
            }
            lanes = self.freed.wait(lanes).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give_back(&self, mut lane: Lane) {
        lane.used = Instant::now();
        let mut unused = Vec::new();
        {
            let mut lanes = self.lanes();
            lanes.idle.push(lane);
            let Lanes { idle, made } = &mut *lanes;
            let busy = *made as usize - idle.len();
            let mut open = busy + idle.iter().filter(|lane| lane.session.is_some()).count();
            for lane in idle.iter_mut() {
                if open > self.options.least as usize && lane.used.elapsed() > UNUSED && lane.session.is_some() {
                    unused.extend(lane.session.take());
                    open -= 1;
                }
            }
        }
        self.freed.notify_one();
        drop(unused);
    }
}

/// Takes part in the claim of a folder: while one connection does, no other process can claim it.
async fn take_part(session: &Session, claim: Claim, number: i32) -> Result<(), Failure> {
    let Claim { folder, number: claim } = claim;
    let shared = "SELECT pg_try_advisory_lock_shared($1, $2)";
    let locked = session.find(shared, &[&LOCK, &folder]).await?;
    if !locked.is_some_and(|row| row.get(0)) {
        return Err(Failure::Taken);
    }
    // Another process that claims it changes the number, and drops the lanes of those before.
    let insert = "INSERT INTO lanes (folder, claim, lane, token)
        SELECT number, claim, $3, 0 FROM folders WHERE number = $1 AND claim = $2 FOR SHARE
        ON CONFLICT DO NOTHING";
    session.execute(insert, &[&folder, &claim, &number]).await?;
    let lane = session.find(MARKED, &[&folder, &claim, &number]).await?;
    lane.map(drop).ok_or(Failure::Taken)
}

/// Does the work in a transaction with this number, unless that was committed before. What it comes to is in `made`.
async fn transact<T>(
    session: &Session,
    claim: Claim,
    lane: i32,
    token: i64,
    made: &mut Option<T>,
    work: &impl AsyncFn(&Session) -> Result<T, Failure>,
) -> Result<(), Failure> {
    let Claim { folder, number: claim } = claim;
    // Both go out at once.
    let begin = session.command("BEGIN");
    let ((), marked) = try_join(begin, session.execute(MARK, &[&folder, &claim, &lane, &token])).await?;
    if marked == 0 {
        let found = session.find(MARKED, &[&folder, &claim, &lane]).await?;
        session.command("ROLLBACK").await?;
        return found.map(drop).ok_or(Failure::Taken);
    }
    *made = Some(work(session).await?);
    session.command("COMMIT").await
}
