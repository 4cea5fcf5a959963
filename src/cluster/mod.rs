//! Several processes that make one run: how they find each other, what they tell each other beside the dataflow, and who starts
//! them again.
//!
//! The first process, number 0, is the [`Hub`]: it has the output folder, the store and the writer. Every other one is a
//! [`Member`], which holds a line to it. Over the line it joins, learns which run it is part of, looks replies up and has
//! them kept, and tells in the end what its calls came to. The dataflow has connections of its own, a [`Mesh`]. A
//! supervisor outside of all of them starts processes, and starts them again when one is lost: timely knows no other way,
//! and nothing is lost but the calls in flight.
//!
//! Nothing of this is encrypted, and a word that all processes share is all that keeps strangers out: it belongs on one machine
//! or a private network.

mod error;
mod hub;
mod line;
mod member;
mod mesh;
mod message;
mod remote;

pub use error::ClusterError;
pub use hub::{Answer, Hub, Served};
pub use member::Member;
pub use mesh::Mesh;
pub use message::{Begin, Call, Manifest, Reply, Shape, Stopping, Totals, Welcome};
pub use remote::{Remote, serve};
use std::io;
use std::net::{TcpListener, ToSocketAddrs};
use std::time::Duration;

/// How often to try a port that is in use, and how long to wait in between.
const TRIES: u32 = 40;
const TRY_EVERY: Duration = Duration::from_millis(50);

/// Listens at an address. Where its port is in use, it is tried for two seconds: a process that was just killed holds it until
/// the last of its threads has ended.
///
/// # Errors
/// When it can't be listened at.
pub fn listener(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    for _ in 1..TRIES {
        match TcpListener::bind(&address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => std::thread::sleep(TRY_EVERY),
            bound => return bound,
        }
    }
    TcpListener::bind(address)
}

/// The environment variables by which a process knows its part.
pub mod variables {
    /// The number of the process.
    pub const PROCESS: &str = "DLGFORGE_CLUSTER_PROCESS";
    /// The number of the process that is the first task of a step of Slurm; each task has its own from there on.
    pub const FIRST_TASK: &str = "DLGFORGE_CLUSTER_FIRST_TASK";
    /// Where its supervisor is, in the words of [`Supervisor`](super::Supervisor).
    pub const SUPERVISOR: &str = "DLGFORGE_CLUSTER_SUPERVISOR";
    /// Where the first process listens.
    pub const HUB: &str = "DLGFORGE_CLUSTER_HUB";
    /// The word that all processes of a cluster share.
    pub const SECRET: &str = "DLGFORGE_CLUSTER_SECRET";
    /// The id of the run, where the configuration gives none.
    pub const RUN: &str = "DLGFORGE_CLUSTER_RUN";
    /// Seconds within which the run is to end.
    pub const LIMIT: &str = "DLGFORGE_CLUSTER_TIME_LIMIT";
    /// How often the cluster was started again.
    pub const RESTARTS: &str = "DLGFORGE_CLUSTER_RESTARTS";
}

/// Where the supervisor of a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supervisor {
    /// It has started this process, and sees to all the others too.
    All,
    /// It has started this process, and sees to no other one.
    Own,
    /// It sees to all processes, and has started this one on another machine, where it holds no line to it.
    Far,
}

impl Supervisor {
    /// The word for it in the environment.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Own => "own",
            Self::Far => "far",
        }
    }

    /// The one of this word.
    pub fn named(word: &str) -> Option<Self> {
        [Self::All, Self::Own, Self::Far].into_iter().find(|one| one.as_str() == word)
    }
}

/// Exit status of a process of a cluster that has lost another one: the whole cluster starts again.
pub const LOST: u8 = 70;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_becomes_free_is_listened_at() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let until_free = std::thread::spawn(move || {
            std::thread::sleep(4 * TRY_EVERY);
            drop(taken);
        });
        let ours = listener(address).unwrap();
        until_free.join().unwrap();
        assert_eq!(ours.local_addr().unwrap(), address);
        assert_eq!(listener(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
