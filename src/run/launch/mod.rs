//! Who starts the processes of a run, and where: by each launcher (`run.distributed.launcher`) in a file of its own.
//!
//! Process 0 has the output folder, so it is a child of the command that was typed, wherever that was. The others are children
//! too, tasks of a step of Slurm or jobs of Ray; or somebody else starts them, by the same command on another machine.

mod child;
mod error;
mod kubernetes;
mod ray;
mod slurm;

pub(super) use child::Child;
pub use error::LaunchError;

use super::RunError;
use super::signals::Signal;
use crate::cluster::{LOST, variables};
use crate::settings::{ClusterSettings, Launcher};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, ToSocketAddrs, UdpSocket};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use tokio::process::Command;

/// Takes a line for whoever sits at the terminal.
pub type Say<'a> = &'a dyn Fn(String);

/// What the command has to start.
#[derive(Debug)]
pub struct Launch {
    /// The settings of the cluster, with what its launcher has found out.
    pub(super) cluster: ClusterSettings,
    /// The processes that are children of this one.
    pub(super) here: Vec<usize>,
    /// Who starts the others.
    pub(super) others: Others,
    /// The run of a cluster that may have been started before, by a process that is gone.
    pub(super) run: Option<String>,
}

/// Who starts the processes that are no children of this one.
#[derive(Debug)]
pub(super) enum Others {
    /// There are none.
    None,
    /// Somebody else, who starts them again as well.
    Apart,
    /// This process, as one step of Slurm.
    Step(slurm::Tasks),
    /// This process, as jobs of Ray.
    Jobs(ray::Ray),
}

impl Launch {
    /// What there is to start: one process where it is named (`dlgforge worker`), else as the launcher has it.
    ///
    /// # Errors
    /// When the launcher can't work here.
    pub fn of(
        cluster: &ClusterSettings,
        process: Option<usize>,
        env: &BTreeMap<String, String>,
        say: Say<'_>,
    ) -> Result<Self, RunError> {
        let launch = match (cluster.launcher, process) {
            (Launcher::Local | Launcher::Ray, Some(_)) => return Err(LaunchError::Together.into()),
            (Launcher::Local, None) => Self::here(cluster),
            (Launcher::Manual, process) => Self::alone(cluster.clone(), process.unwrap_or(0))?,
            (Launcher::Slurm, process) => slurm::launch(cluster, process, env, say)?,
            (Launcher::Kubernetes, process) => kubernetes::launch(cluster, process, env)?,
            (Launcher::Ray, None) => ray::launch(cluster, env, say)?,
        };
        Ok(launch)
    }

    /// All processes on this machine.
    fn here(cluster: &ClusterSettings) -> Self {
        Self { cluster: cluster.clone(), here: (0..cluster.processes).collect(), others: Others::None, run: None }
    }

    /// One process of a cluster, each of which is started where it belongs.
    fn alone(cluster: ClusterSettings, process: usize) -> Result<Self, LaunchError> {
        if process >= cluster.processes {
            return Err(LaunchError::NoSuchProcess { process, processes: cluster.processes });
        }
        Ok(Self { cluster, here: vec![process], others: Others::Apart, run: None })
    }
}

/// Which process this is by what Slurm (`SLURM_PROCID`), an indexed Job (`JOB_COMPLETION_INDEX`) or the name of a pod of a
/// StatefulSet (`HOSTNAME`) says.
pub fn number(env: &BTreeMap<String, String>) -> Option<usize> {
    let given = ["SLURM_PROCID", "JOB_COMPLETION_INDEX"].into_iter().find_map(|name| env.get(name)?.parse().ok());
    given.or_else(|| kubernetes::pod(env).map(|(_, ordinal)| ordinal))
}

/// What a process is started with.
#[derive(Debug, Clone)]
pub(super) struct Start {
    /// The file of this program.
    pub program: PathBuf,
    /// The arguments that were typed.
    pub arguments: Vec<OsString>,
    /// By what the process learns which one it is.
    pub env: Vec<(&'static str, String)>,
}

impl Start {
    /// The same with another variable.
    pub fn with(&self, name: &'static str, value: impl ToString) -> Self {
        let mut start = self.clone();
        start.env.push((name, value.to_string()));
        start
    }

    /// The same for the process of this number.
    pub fn of(&self, process: usize) -> Self {
        self.with(variables::PROCESS, process)
    }

    /// The command that starts it on this machine.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(self.env.iter().cloned());
        command
    }
}

/// A process that was started, or several that are one for whoever started them.
#[derive(Debug)]
pub(super) enum Placed {
    /// A process on this machine.
    Child(child::Child),
    /// All processes but the first, as tasks of Slurm.
    Step(slurm::Step),
    /// A process somewhere in Ray.
    Job(ray::Job),
}

/// How a process ended.
#[derive(Debug, Clone)]
pub(super) struct End {
    /// Its exit status, if it came to one.
    pub code: Option<u8>,
    /// What is told of it after its name.
    pub how: String,
}

impl End {
    /// By the exit status that a system has for it.
    pub fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (_, Some(signal)) => Self { code: None, how: format!("was ended by signal {signal}") },
            (code, None) => Self::coded(code.unwrap_or(1)),
        }
    }

    /// By the number that it exited with.
    pub fn coded(code: i32) -> Self {
        let code = u8::try_from(code).unwrap_or(1);
        let how =
            if code == LOST { "has lost another one".to_owned() } else { format!("has died (exit status {code})") };
        Self { code: Some(code), how }
    }

    /// The status to end with where starting again can't help; none where it may.
    pub fn last_word(&self) -> Option<u8> {
        // A panic is no word of the program.
        self.code.filter(|code| *code != LOST && *code != 101)
    }
}

impl Placed {
    /// The number of the process; of several, the first.
    pub fn process(&self) -> usize {
        match self {
            Self::Child(child) => child.process,
            Self::Step(step) => step.processes.start,
            Self::Job(job) => job.process,
        }
    }

    /// How a message names it.
    pub fn name(&self) -> String {
        match self {
            Self::Step(slurm::Step { processes, .. }) if processes.len() > 1 => {
                format!("a process of {} to {}", processes.start, processes.end - 1)
            }
            _ => format!("process {}", self.process()),
        }
    }

    /// Waits until it has ended. May be given up and called again.
    pub async fn ended(&mut self, say: Say<'_>) -> End {
        match self {
            Self::Child(child) => child.ended().await,
            Self::Step(step) => step.ended().await,
            Self::Job(job) => job.ended(say).await,
        }
    }

    /// Passes a signal on, if that can be done; whether it could.
    pub fn send(&self, signal: Signal) -> bool {
        matches!(self, Self::Child(child) if child.send(signal))
    }

    /// Has it end now.
    pub fn end(&mut self) {
        match self {
            Self::Child(child) => child.end(),
            Self::Step(step) => step.end(),
            Self::Job(job) => job.end(),
        }
    }
}

/// The address of this machine by which it reaches a host, and by which that may reach it. Nothing is sent.
fn toward(host: &str) -> Result<IpAddr, LaunchError> {
    let reached = || {
        let address = (host, 9).to_socket_addrs()?.next().ok_or(std::io::ErrorKind::NotFound)?;
        let socket = UdpSocket::bind((if address.is_ipv4() { "0.0.0.0" } else { "::" }, 0))?;
        socket.connect(address)?;
        Ok(socket.local_addr()?.ip())
    };
    reached().map_err(|cause| LaunchError::NoWay { host: host.to_owned(), cause })
}

/// An address with a port, as text.
fn at(address: IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(address, port).to_string()
}
