//! Who starts the processes of a cluster, ends them together, and starts them again when one is lost.

use super::RunError;
use super::signals::{Signal, Signals};
use crate::cluster::{ClusterError, LOST, variables};
use crate::settings::{ClusterSettings, Launcher};
use rustix::process::{Pid, kill_process, kill_process_group};
use std::fmt;
use std::io::{ErrorKind, Read};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// How long the other processes may take to notice that one is gone, before they are ended.
const NOTICING: Duration = Duration::from_secs(10);
/// How long they may take where one has ended for a reason of its own.
const ENDING: Duration = Duration::from_secs(2);
/// A process that says nothing for so long is dead.
const SILENT: Duration = Duration::from_secs(10);
/// The wait before the first restart; it doubles with each, up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A cluster that has worked for so long may be started again as often as at first.
const STEADY: Duration = Duration::from_secs(600);

/// Starts processes of a run on this machine, and has them started again where one is lost, until they have done their part; the
/// exit status that this comes to. Each is this program with the same arguments, and learns from its environment which one it
/// is. The run is to end within the limit.
///
/// # Errors
/// When a process can't be started.
pub fn supervise(
    cluster: &ClusterSettings,
    processes: Vec<usize>,
    limit: Option<Duration>,
    say: impl Fn(String),
) -> Result<u8, RunError> {
    let program = std::env::current_exe().map_err(|cause| ClusterError::Start { process: processes[0], cause })?;
    let (began, run) = (Instant::now(), format!("{:032x}", rand::random::<u128>()));
    let drawn = format!("{:032x}", rand::random::<u128>());
    let secret = Some(cluster.secret.reveal()).filter(|secret| !secret.is_empty()).unwrap_or(&drawn);
    let local = cluster.launcher == Launcher::Local;
    let command = |process: usize, restarts: u32, hub: &str| {
        let mut command = Command::new(&program);
        command.args(std::env::args_os().skip(1));
        command.env(variables::PROCESS, process.to_string()).env(variables::HUB, hub);
        command.env(variables::RUN, &run).env(variables::RESTARTS, restarts.to_string());
        if local {
            command.env(variables::SECRET, secret);
        }
        if let Some(limit) = limit.filter(|_| process == 0 || !local) {
            let left = limit.saturating_sub(began.elapsed()).max(Duration::from_secs(1));
            command.env(variables::LIMIT, left.as_secs().to_string());
        }
        command
    };
    let supervised = Supervised { processes, restarts: cluster.restarts, hub: cluster.hub.clone() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::Runtime)?;
    Ok(runtime.block_on(supervised.run(command, say))?)
}

/// What is supervised.
struct Supervised {
    /// Where the first process listens; port 0 stands for any that is free.
    hub: String,
    /// The processes that are started here.
    processes: Vec<usize>,
    /// How often they are started again at most.
    restarts: u32,
}

/// How a process ended that has not done its part.
struct Loss {
    process: usize,
    status: ExitStatus,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { process, status } = self;
        match (status.code(), status.signal()) {
            (Some(code), _) if code == i32::from(LOST) => write!(f, "process {process} has lost another one"),
            (_, Some(signal)) => write!(f, "process {process} was ended by signal {signal}"),
            (code, None) => write!(f, "process {process} has died (exit status {})", code.unwrap_or_default()),
        }
    }
}

impl Loss {
    /// The status to end with where starting again can't help; none where it may.
    fn last_word(&self) -> Option<u8> {
        let code = u8::try_from(self.status.code()?).unwrap_or(1);
        // A panic is no word of the program.
        (code != LOST && code != 101).then_some(code)
    }
}

impl Supervised {
    /// Starts the processes by `command`, which is told the number of each and of the restart, and waits until all have done their
    /// part; the exit status that this comes to. When one is lost, the others are ended and all are started again, about which
    /// `say` says a line. Signals are passed on to the first process that is here.
    ///
    /// # Errors
    /// When a process can't be started.
    async fn run(
        &self,
        command: impl Fn(usize, u32, &str) -> Command,
        say: impl Fn(String),
    ) -> Result<u8, ClusterError> {
        let mut signals = Signals::new().map_err(|cause| ClusterError::Start { process: self.processes[0], cause })?;
        let (mut restarts, mut total, mut wait, mut stopped) = (0, 0, FIRST_WAIT, None);
        loop {
            let began = Instant::now();
            let mut children = Vec::new();
            let hub = self.hub()?;
            for process in &self.processes {
                children.push((*process, start(*process, command(*process, total, &hub))?));
            }
            let losses = watch(&mut children, &mut signals, &mut stopped).await;
            let Some(first) = losses.first() else { return Ok(0) };
            // What the first process says counts before what others say.
            // Where one was lost, others may complain of that.
            let is_loss = first.last_word().is_none();
            let words = losses.iter().filter(|loss| loss.process == 0 || !is_loss);
            if let Some((_, code)) = words.filter_map(|loss| Some((loss.process, loss.last_word()?))).min() {
                return Ok(code);
            }
            if let Some(signal) = stopped {
                return Ok(signal.exit_code());
            }
            if began.elapsed() > STEADY {
                (restarts, wait) = (0, FIRST_WAIT);
            }
            if restarts == self.restarts {
                say(format!(
                    "{first}; it was started again {restarts} times (`run.distributed.restarts`), and is not any more"
                ));
                return Ok(1);
            }
            (restarts, total) = (restarts + 1, total + 1);
            say(format!("{first}: all processes start again from the journal ({restarts} of {} times)", self.restarts));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                signal = signals.next() => return Ok(signal.exit_code()),
            }
            wait = (2 * wait).min(LONGEST_WAIT);
        }
    }
}

impl Supervised {
    /// Where the first process is to listen this time.
    fn hub(&self) -> Result<String, ClusterError> {
        match self.hub.strip_suffix(":0") {
            None => Ok(self.hub.clone()),
            Some(host) => {
                let free = TcpListener::bind((host, 0)).and_then(|listener| listener.local_addr());
                free.map(|address| address.to_string()).map_err(ClusterError::Listen)
            }
        }
    }
}

/// Starts a process: in a group of its own, so that what the terminal sends comes to the supervisor alone, and with a line as its
/// standard input. That closes when the supervisor is gone, and the process says on it that it is alive: one that is silent is
/// ended.
fn start(process: usize, mut command: Command) -> Result<Child, ClusterError> {
    let failed = |cause| ClusterError::Start { process, cause };
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    ours.set_read_timeout(Some(SILENT)).map_err(failed)?;
    command.process_group(0).stdin(OwnedFd::from(theirs)).kill_on_drop(true);
    let child = command.spawn().map_err(failed)?;
    let id = child.id();
    let listen = move || {
        let mut beats = [0; 64];
        // A process that was stopped and goes on has its calls interrupted.
        while (&ours).read(&mut beats).map_or_else(|error| error.kind() == ErrorKind::Interrupted, |read| read > 0) {}
        // It has ended, or says nothing any more.
        end(id);
    };
    std::thread::Builder::new().name("beats".into()).spawn(listen).map_err(failed)?;
    Ok(child)
}

/// Waits until all processes have ended; those that have not done their part, in the order in which they ended.
async fn watch(children: &mut [(usize, Child)], signals: &mut Signals, stopped: &mut Option<Signal>) -> Vec<Loss> {
    let mut losses: Vec<Loss> = Vec::new();
    let mut open = children.len();
    let (mut deadline, mut is_over) = (None, false);
    while open > 0 {
        let overdue = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            (process, status) = next_end(children) => {
                open -= 1;
                if process == 0 && status.success() {
                    // The run is over, whatever becomes of the others.
                    losses.clear();
                    is_over = true;
                    deadline = Some(tokio::time::Instant::now() + ENDING);
                } else if !status.success() && !is_over {
                    losses.push(Loss { process, status });
                    let patience = if losses.iter().any(|loss| loss.last_word().is_some()) { ENDING } else { NOTICING };
                    let until = tokio::time::Instant::now() + patience;
                    deadline = Some(deadline.map_or(until, |end: tokio::time::Instant| end.min(until)));
                }
            }
            signal = signals.next() => {
                *stopped = Some(signal);
                if let Some((_, child)) = children.iter().find(|(_, child)| child.id().is_some()) {
                    send(signal, child);
                }
            }
            () = overdue => {
                deadline = None;
                children.iter().for_each(|(_, child)| end(child.id()));
            }
        }
    }
    losses
}

/// The next process that ends.
async fn next_end(children: &mut [(usize, Child)]) -> (usize, ExitStatus) {
    let waiting = children
        .iter_mut()
        .filter(|(_, child)| child.id().is_some())
        .map(|(process, child)| Box::pin(async move { (*process, child.wait().await) }));
    match futures_util::future::select_all(waiting).await.0 {
        (process, Ok(status)) => (process, status),
        (process, Err(_)) => (process, ExitStatus::default()),
    }
}

/// Ends the process of this id and all that it has started, if it is still there.
fn end(id: Option<u32>) {
    if let Some(group) = id.and_then(|id| Pid::from_raw(id as i32)) {
        _ = kill_process_group(group, rustix::process::Signal::KILL);
    }
}

/// Passes a signal on.
fn send(signal: Signal, child: &Child) {
    let signal = match signal {
        Signal::Interrupt => rustix::process::Signal::INT,
        Signal::Terminate => rustix::process::Signal::TERM,
        Signal::Requeue | Signal::TimeLimit => rustix::process::Signal::USR1,
    };
    if let Some(id) = child.id().and_then(|id| Pid::from_raw(id as i32)) {
        _ = kill_process(id, signal);
    }
}
