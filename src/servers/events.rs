//! What happens to servers, told as it happens.

use std::path::PathBuf;
use std::time::Duration;

/// What has happened to a server that the run has started, known by its name in messages, or to all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A server was started.
    Started {
        /// The replica that was started.
        name: String,
        /// Its command line, as a shell would have it.
        command: String,
        /// The file of its log.
        log: PathBuf,
    },
    /// Servers are loading. It is told again and again while they are.
    Loading {
        /// How many of them are ready.
        ready: usize,
        /// How many there are to be.
        replicas: usize,
        /// How long that has taken so far.
        elapsed: Duration,
        /// The last line that one of those that are loading has logged.
        line: String,
    },
    /// A server answers requests.
    Ready {
        /// The replica that is ready.
        name: String,
        /// The root of its API.
        base_url: String,
        /// How long it took, from its start on.
        took: Duration,
    },
    /// A server is gone, and will be started again.
    Died {
        /// The replica that is gone.
        name: String,
        /// How it has ended, or what it says.
        how: String,
        /// How long it is waited before it is started again.
        pause: Duration,
    },
    /// A server goes on after the run.
    Left {
        /// The replica that goes on.
        name: String,
        /// The root of its API.
        base_url: String,
        /// The process that ends it when it is ended itself.
        pid: u32,
    },
}
