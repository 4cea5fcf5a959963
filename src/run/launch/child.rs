//! A process on this machine: its standard input is a line to the supervisor, on which it says that it is alive.

use super::super::signals::Signal;
use super::{End, LaunchError, Start};
use crate::cluster::ClusterError;
use rustix::process::{Pid, kill_process, kill_process_group};
use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A process that says nothing for so long is dead.
const SILENT: Duration = Duration::from_secs(10);

/// A child of this process.
#[derive(Debug)]
pub struct Child {
    /// Its number in the cluster.
    pub process: usize,
    /// None of its id is known once it has ended.
    child: tokio::process::Child,
}

impl Child {
    /// Starts a process: in a group of its own, so that what the terminal sends comes to the supervisor alone. Its standard input
    /// closes when the supervisor is gone, and a process that is silent on it is ended.
    ///
    /// # Errors
    /// When the system can't start it.
    pub fn start(process: usize, start: &Start) -> Result<Self, LaunchError> {
        let failed = |cause| ClusterError::Start { process, cause };
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        ours.set_read_timeout(Some(SILENT)).map_err(failed)?;
        let mut command = start.command();
        command.process_group(0).stdin(OwnedFd::from(theirs)).kill_on_drop(true);
        let child = command.spawn().map_err(failed)?;
        let id = child.id();
        let listen = move || {
            let mut beats = [0; 64];
            // A process that was stopped and goes on has its calls interrupted.
            while (&ours).read(&mut beats).map_or_else(|error| error.kind() == ErrorKind::Interrupted, |read| read > 0)
            {
            }
            // It has ended, or says nothing any more.
            end(id);
        };
        std::thread::Builder::new().name("beats".into()).spawn(listen).map_err(failed)?;
        Ok(Self { process, child })
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) -> End {
        self.child.wait().await.map_or_else(|_| End::coded(0), End::of)
    }

    /// Passes a signal on; whether it is still there to get it.
    pub fn send(&self, signal: Signal) -> bool {
        let signal = match signal {
            Signal::Interrupt => rustix::process::Signal::INT,
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Requeue | Signal::TimeLimit => rustix::process::Signal::USR1,
        };
        let id = self.child.id().and_then(|id| Pid::from_raw(id as i32));
        id.is_some_and(|id| kill_process(id, signal).is_ok())
    }

    /// Ends it and all that it has started.
    pub fn end(&self) {
        end(self.child.id());
    }
}

/// Ends the process of this id and all that it has started, if it is still there.
fn end(id: Option<u32>) {
    if let Some(group) = id.and_then(|id| Pid::from_raw(id as i32)) {
        _ = kill_process_group(group, rustix::process::Signal::KILL);
    }
}
