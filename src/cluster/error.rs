//! What can keep a cluster from working.

use std::io;
use std::net::SocketAddr;

/// Why the processes of a run can't work together.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A process can't listen.
    #[error("listen for the other processes: {0}; see `run.distributed.port`")]
    Listen(io::Error),
    /// The first process does not answer.
    #[error(
        "reach the first process at {address} within {seconds} s (`run.distributed.start_timeout_s`): {cause}; start it, and see that \
         `run.distributed.hosts` names its host and its port is not closed"
    )]
    NoHub {
        /// Where it was expected.
        address: String,
        /// How long it was tried, in seconds.
        seconds: f64,
        /// What the last try came to.
        cause: String,
    },
    /// The first process does not want this one.
    #[error("take part in the run: {0}")]
    Refused(String),
    /// Processes have not come.
    #[error(
        "begin without {}, of {processes} in all, after {seconds} s (`run.distributed.start_timeout_s`); where \
         `run.distributed.launcher` is manual, start each by `dlgforge worker --process N` on its host",
        named(missing)
    )]
    Missing {
        /// Those that have not come.
        missing: Vec<usize>,
        /// How many there are to be.
        processes: usize,
        /// How long they were waited for, in seconds.
        seconds: f64,
    },
    /// A process could not get ready, or has not read the same.
    #[error("begin with {}", .0.join("; "))]
    Unready(Vec<String>),
    /// A process can't connect to another one.
    #[error("connect to process {process} at {address}: {cause}")]
    Unreached {
        /// The number of the other one.
        process: usize,
        /// The address at which it listens.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// Processes have not connected.
    #[error("hear from {} in time; see that a firewall lets processes of the run reach each other", named(.0))]
    Unconnected(Vec<usize>),
    /// Slurm's command that starts a step can't be started.
    #[error("start `srun` (`run.distributed.launcher: slurm`): {0}; it must be on PATH where the command runs")]
    Srun(io::Error),
    /// A process can't be started.
    #[error("start process {process}: {cause}")]
    Start {
        /// The number of the process.
        process: usize,
        /// What the system said.
        cause: io::Error,
    },
}

/// Processes by their numbers, as messages name them.
fn named(processes: &[usize]) -> String {
    let numbers: Vec<_> = processes.iter().map(ToString::to_string).collect();
    match processes {
        [_] => format!("process {}", numbers.join("")),
        _ => format!("processes {}", numbers.join(", ")),
    }
}
