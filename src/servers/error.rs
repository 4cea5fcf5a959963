//! Why there are no servers.

use std::io;
use std::path::PathBuf;

/// Why servers could not be started, or did not become ready.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ServerError {
    /// The program of the servers is not there.
    #[error("`{section}.command`: there is no program `{program}`; {advice}, or name the program by its path")]
    NoProgram {
        /// The section of the settings.
        section: &'static str,
        /// The program as it is configured.
        program: String,
        /// How to get it.
        advice: &'static str,
    },
    /// Somebody else listens where a server would.
    #[error(
        "`{section}.port_start`: {name} can't listen on {address}: {reason}; end what listens there (`ss -ltnp` names it), or \
         set another port; to use a server that an earlier run has left there, set `llm.mode: vllm_attach`"
    )]
    Taken {
        /// The section of the settings.
        section: &'static str,
        /// The replica that would listen there.
        name: String,
        /// The host and the port.
        address: String,
        /// What the system says.
        reason: String,
    },
    /// There are not enough GPUs for all replicas.
    #[error(
        "`{section}.replicas`: {replicas} replicas want {wanted} GPUs, and there are {there} (CUDA_VISIBLE_DEVICES, else \
         /dev/nvidia*); start fewer, or have several share a GPU, such as `{section}.num_gpus_per_replica: 0.5`"
    )]
    TooFewGpus {
        /// The section of the settings.
        section: &'static str,
        /// How many replicas there are to be.
        replicas: u16,
        /// How many GPUs they want.
        wanted: usize,
        /// How many GPUs there are.
        there: usize,
    },
    /// The log of a server can't be written.
    #[error("open the log {}: {reason}", .path.display())]
    Log {
        /// The file of the log.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The process of a server can't be started.
    #[error("start {name}: {reason}")]
    Start {
        /// The replica that was not started.
        name: String,
        /// What the system says.
        reason: String,
    },
    /// A server has ended before it was ready.
    #[error("{name} ended while it was loading ({how}); the end of {}:{lines}", .log.display())]
    Died {
        /// The replica that has ended.
        name: String,
        /// Its exit status in words.
        how: String,
        /// The file of its log.
        log: PathBuf,
        /// The last lines of the log, each after a line end.
        lines: String,
    },
    /// A server was not ready in time.
    #[error(
        "{name} was not ready within {seconds} s (`{section}.health_timeout_s`): {trouble}; the end of {}:{lines}",
        .log.display()
    )]
    Late {
        /// The replica that was late.
        name: String,
        /// The section of the settings.
        section: &'static str,
        /// The time that it had.
        seconds: f64,
        /// What the last look at it has found.
        trouble: String,
        /// The file of its log.
        log: PathBuf,
        /// The last lines of the log, each after a line end.
        lines: String,
    },
    /// A server does not serve what agents ask for.
    #[error("{name} serves {listed}, and not {missing}; set `llm.agents.*.model` to what is served, or leave it empty")]
    NotServed {
        /// The replica that was asked.
        name: String,
        /// The names of the models that it lists.
        listed: String,
        /// The names that are missing.
        missing: String,
    },
    /// A server does not answer a request.
    #[error("{name} is up, but does not answer a chat request: {detail}; the end of {}:{lines}", .log.display())]
    Mute {
        /// The replica that was asked.
        name: String,
        /// What it says of the request.
        detail: String,
        /// The file of its log.
        log: PathBuf,
        /// The last lines of the log, each after a line end.
        lines: String,
    },
}

impl ServerError {
    /// That a replica can't be started.
    pub(super) fn start(name: &str, error: &io::Error) -> Self {
        Self::Start { name: name.to_owned(), reason: error.to_string() }
    }
}
