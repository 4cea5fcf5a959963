//! Ctrl-C and SIGTERM: the first asks the run to stop, the second ends the process.

use crate::operators::Stop;
use crate::output::logs::Console;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};

/// How long what is in the air may take to land.
const LANDING: Duration = Duration::from_secs(10);

/// What asked the run to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, as Ctrl-C sends it.
    Interrupt,
    /// What service managers and batch systems send before they kill.
    Terminate,
}

impl Signal {
    /// Exit status of a process that it ended, as shells count.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
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

/// Obeys signals from now on, on a thread of its own: whatever the run's tasks do, it is there. The cell tells which signal
/// came first.
pub fn listen(stop: Stop, say: Console) -> std::io::Result<Arc<OnceLock<Signal>>> {
    demand_descriptors()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _context = runtime.enter();
        Signals::new()?
    };
    let first = Arc::new(OnceLock::new());
    let told = first.clone();
    let obey = async move {
        let signal = signals.next().await;
        _ = told.set(signal);
        stop.admitting.cancel();
        // A terminal that is held up takes no line, and must not hold up the next signal.
        let line = "stopping: calls in flight may land for 10 s; press Ctrl-C again to end at once";
        std::thread::spawn(move || say(line));
        if tokio::time::timeout(LANDING, signals.next()).await.is_err() {
            stop.flying.cancel();
            signals.next().await;
        }
        std::process::exit(signal.exit_code().into());
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(obey))?;
    Ok(first)
}

#[cfg(unix)]
struct Signals(tokio::signal::unix::Signal, tokio::signal::unix::Signal);

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self(signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.0.recv() => Signal::Interrupt,
            _ = self.1.recv() => Signal::Terminate,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }
}
