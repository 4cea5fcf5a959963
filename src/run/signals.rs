//! What asks a run to stop: Ctrl-C, SIGTERM, SIGUSR1 and the time limit. A second signal ends the process.

use super::Obey;
use crate::cluster::LOST;
use crate::knowledge::leave;
use crate::operators::Stop;
use crate::output::logs::Console;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::{Handle, Runtime};

/// How long what is in the air may take to land.
const LANDING: Duration = Duration::from_secs(10);

/// How long writing takes after that, where a run is to have ended by a time.
const WRITING: Duration = Duration::from_secs(5);

/// Exit status of a process that is to be run again (`EX_TEMPFAIL` of sysexits.h): batch systems can be told to.
const AGAIN: u8 = 75;

/// What asked the run to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, as Ctrl-C sends it.
    Interrupt,
    /// What service managers and batch systems send before they kill.
    Terminate,
    /// SIGUSR1, which batch systems send on request some time before an allocation ends.
    Requeue,
    /// The run has had the time that it was given.
    TimeLimit,
}

impl Signal {
    /// The one with this exit status.
    pub fn of(code: u8) -> Self {
        match code {
            130 => Self::Interrupt,
            AGAIN => Self::Requeue,
            _ => Self::Terminate,
        }
    }

    /// Exit status of a process that it ended, as shells count; 75 where the run is to be gone on with.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
            Self::Requeue | Self::TimeLimit => AGAIN,
        }
    }
}

/// Temporary folders that are there.
static SCRATCH: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A temporary folder that goes with this, and where a signal ends the process.
#[derive(Debug)]
pub struct Scratch(TempDir);

impl Scratch {
    /// An empty one, among those of the system.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn new() -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        scratch().insert(folder.path().to_owned());
        Ok(Self(folder))
    }

    /// Where the folder lies.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        scratch().remove(self.0.path());
    }
}

fn scratch() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    SCRATCH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the process, and leaves neither programs that read documents nor temporary folders.
fn end(code: u8) -> ! {
    leave();
    for folder in &*scratch() {
        // Somebody may write there still; what can't be removed then is the system's to remove.
        _ = std::fs::remove_dir_all(folder).or_else(|_| std::fs::remove_dir_all(folder));
    }
    std::process::exit(code.into());
}

/// Tells the supervisor, on the line that is the standard input, that the process is alive, and ends it when that is gone.
#[cfg(unix)]
pub fn obey_supervisor() {
    std::thread::spawn(|| {
        while rustix::io::write(rustix::stdio::stdin(), b".").is_ok() {
            std::thread::sleep(Duration::from_secs(1));
        }
        end(LOST);
    });
}

/// Ends the process because another one of its cluster is gone: whoever supervises it starts all of them again.
pub fn lose(line: &str) -> ! {
    tracing::error!(target: "dlgforge.cluster", "[distributed] {line}");
    end(LOST);
}

/// Stops a run for a reason of its own: nothing new starts, and what is in the air may land.
pub fn land(runtime: &Handle, stop: Stop) {
    stop.admitting.cancel();
    runtime.spawn(async move {
        tokio::time::sleep(LANDING).await;
        stop.flying.cancel();
    });
}

/// The runtime of a process that obeys signals.
pub fn runtime() -> std::io::Result<Runtime> {
    demand_descriptors()?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// Tokio panics, instead of telling, when it finds no descriptors for signals once it has taken those for its own events:
/// eight are more than it wants in all.
fn demand_descriptors() -> std::io::Result<()> {
    #[cfg(unix)]
    (0..4).map(|_| std::os::unix::net::UnixStream::pair()).collect::<Result<Vec<_>, _>>()?;
    Ok(())
}

/// Obeys signals and the time limit from now on, on a thread of its own: whatever the run's tasks do, it is there. As long as
/// what is returned was not told how a run is stopped, the process ends at once, and so do the programs that read documents.
pub fn listen(say: Console, limit: Option<Duration>) -> std::io::Result<Obey> {
    demand_descriptors()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _context = runtime.enter();
        Signals::new()?
    };
    let (first, under_way) = (Arc::<OnceLock<Signal>>::default(), Arc::<OnceLock<Stop>>::default());
    let (told, stopped) = (first.clone(), under_way.clone());
    let obey = async move {
        let signal = tokio::select! {
            signal = signals.next() => signal,
            () = is_due(limit) => Signal::TimeLimit,
        };
        _ = told.set(signal);
        // A terminal that is held up takes no line, and must not hold up the next signal.
        let tell = |line: &'static str| std::thread::spawn(move || say(line));
        let Some(stop) = stopped.get() else {
            let told = tell("stopped; what was read of the documents is kept");
            tokio::time::timeout(Duration::from_secs(1), tokio::task::spawn_blocking(|| told.join())).await.ok();
            end(signal.exit_code());
        };
        stop.admitting.cancel();
        tell(match signal {
            Signal::TimeLimit => "the time limit is near, stopping: calls in flight may land for 10 s",
            _ => "stopping: calls in flight may land for 10 s; press Ctrl-C again to end at once",
        });
        if tokio::time::timeout(LANDING, signals.next()).await.is_err() {
            stop.flying.cancel();
            signals.next().await;
        }
        end(signal.exit_code());
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(obey))?;
    Ok(Arc::new(move |stop| {
        _ = under_way.set(stop);
        first.clone()
    }))
}

/// Ends so long before the limit that a run can end in time; a short one leaves a quarter for that.
async fn is_due(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit.saturating_sub(LANDING + WRITING).max(limit * 3 / 4)).await,
        None => std::future::pending().await,
    }
}

#[cfg(unix)]
pub(super) struct Signals([tokio::signal::unix::Signal; 3]);

#[cfg(unix)]
impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::user_defined1()];
        let [interrupt, terminate, user] = kinds.map(signal);
        Ok(Self([interrupt?, terminate?, user?]))
    }

    pub(super) async fn next(&mut self) -> Signal {
        let [interrupt, terminate, user] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => Signal::Interrupt,
            _ = terminate.recv() => Signal::Terminate,
            _ = user.recv() => Signal::Requeue,
        }
    }
}

#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    pub(super) async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }
}
