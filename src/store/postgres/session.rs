//! A connection, and the thread that moves the bytes of all of them.
//!
//! Whoever uses the store waits for it, on any thread, a worker of a tokio runtime among them: such a thread may not enter
//! another runtime. So connections live in a runtime of their own on a thread of their own, and a caller's thread only
//! sleeps until the answer is there.

use super::dsn::Dsn;
use super::failure::Failure;
use super::tls;
use std::collections::BTreeMap;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The longest that a server may take to greet.
const GREETING: Duration = Duration::from_secs(20);
/// How long connections may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// The thread that moves the bytes. It ends with this value, when all connections have.
pub(super) struct Network {
    handle: Handle,
    /// None once it is to end.
    stop: Option<oneshot::Sender<()>>,
    /// Every connection has one of these.
    alive: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    tls: MakeRustlsConnect,
}

impl Network {
    /// Starts it for connections like those of this string.
    ///
    /// # Errors
    /// When the system gives no thread, or TLS can't be done as it is demanded.
    pub fn start(dsn: &Dsn) -> Result<Self, String> {
        let tls = tls::connector(&dsn.check)?;
        let said = |error: io::Error| error.to_string();
        let runtime = Builder::new_current_thread().enable_io().enable_time().build().map_err(said)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let (alive, mut ended) = mpsc::channel::<()>(1);
        let thread = thread::Builder::new().name("postgres".to_owned()).spawn(move || {
            runtime.block_on(async {
                // Its sender goes without a word.
                _ = stopped.await;
                // The server is told, where it listens.
                _ = timeout(GOODBYE, ended.recv()).await;
            });
        });
        let thread = thread.map_err(said)?;
        Ok(Self { handle, stop: Some(stop), alive: Some(alive), thread: Some(thread), tls })
    }

    /// Makes a new connection to the server.
    ///
    /// # Errors
    /// When the server can't be reached or refuses.
    pub fn connect(&self, config: Config) -> Result<Session, Failure> {
        let (sender, connected) = std::sync::mpsc::channel();
        let (tls, alive) = (self.tls.clone(), self.alive.clone());
        self.handle.spawn(async move {
            let _alive = alive;
            let connecting = async {
                match config.get_ssl_mode() {
                    tokio_postgres::config::SslMode::Disable => {
                        let (client, connection) = config.connect(NoTls).await?;
                        Ok((client, Box::pin(connection) as Moving))
                    }
                    _ => {
                        let (client, connection) = config.connect(tls).await?;
                        Ok((client, Box::pin(connection) as Moving))
                    }
                }
            };
            let connected = timeout(GREETING, connecting).await.unwrap_or(Err(Failure::Silent));
            match connected {
                Ok((client, connection)) => {
                    // Whoever asked may have gone; then the connection ends at once.
                    _ = sender.send(Ok(client));
                    // Whoever waits for an answer is told why there is none.
                    _ = connection.await;
                }
                Err(failure) => _ = sender.send(Err(failure)),
            }
        });
        let client = connected.recv().unwrap_or(Err(Failure::Silent))?;
        Ok(Session { client, prepared: Mutex::default() })
    }
}

type Moving = std::pin::Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send>>;

impl Drop for Network {
    fn drop(&mut self) {
        self.alive = None;
        self.stop = None;
        // One that has panicked has nothing more to move.
        self.thread.take().map(JoinHandle::join);
    }
}

/// A connection, with what was prepared on it.
pub(super) struct Session {
    client: Client,
    prepared: Mutex<BTreeMap<&'static str, Statement>>,
}

/// The values of a statement's parameters.
pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Session {
    /// Whether it is known to have ended.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Does what needs no parameters and tells nothing.
    pub async fn command(&self, sql: &str) -> Result<(), Failure> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Does something; how many rows it changed.
    pub async fn execute(&self, sql: &'static str, parameters: Parameters<'_>) -> Result<u64, Failure> {
        let statement = self.statement(sql).await?;
        Ok(self.client.execute(&statement, parameters).await?)
    }

    /// The rows that are found.
    pub async fn query(&self, sql: &'static str, parameters: Parameters<'_>) -> Result<Vec<Row>, Failure> {
        let statement = self.statement(sql).await?;
        Ok(self.client.query(&statement, parameters).await?)
    }

    /// The row that is found, if there is one.
    pub async fn find(&self, sql: &'static str, parameters: Parameters<'_>) -> Result<Option<Row>, Failure> {
        let statement = self.statement(sql).await?;
        Ok(self.client.query_opt(&statement, parameters).await?)
    }

    async fn statement(&self, sql: &'static str) -> Result<Statement, Failure> {
        let known = || self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known().get(sql).cloned();
        match found {
            Some(statement) => Ok(statement),
            None => {
                let statement = self.client.prepare(sql).await?;
                known().insert(sql, statement.clone());
                Ok(statement)
            }
        }
    }
}

/// Wakes the thread that sleeps for an answer.
struct Sleeper {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// Sleeps until this is done. It may wait for nothing but answers of servers; none when `longest` passes without any.
pub(super) fn wait<T>(work: impl Future<Output = T>, longest: Option<Duration>) -> Option<T> {
    let mut work = pin!(work);
    let sleeper = Arc::new(Sleeper { thread: thread::current(), woken: AtomicBool::new(true) });
    let waker = sleeper.clone().into();
    let mut context = Context::from_waker(&waker);
    let mut heard = Instant::now();
    loop {
        if sleeper.woken.swap(false, Ordering::SeqCst) {
            heard = Instant::now();
            if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
                return Some(done);
            }
        }
        match longest.map(|longest| longest.saturating_sub(heard.elapsed())) {
            None => thread::park(),
            Some(Duration::ZERO) => return None,
            Some(left) => thread::park_timeout(left),
        }
    }
}
