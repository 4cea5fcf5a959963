//! What must not be under way when the process ends: programs that read documents, each with all that it has started, and
//! ONNX Runtime, whose threads fail loudly once its library is being taken down.

use std::collections::BTreeSet;
use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

/// The programs that run, by their process ids; none once the process is about to end.
static RUNNING: Mutex<Option<BTreeSet<u32>>> = Mutex::new(Some(BTreeSet::new()));

fn running() -> MutexGuard<'static, Option<BTreeSet<u32>>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Held for reading while a model computes.
static COMPUTING: RwLock<()> = RwLock::new(());

/// Ends all programs that run, and waits for models to have computed what they are at; no more is begun. For when the process
/// is about to end.
pub fn leave() {
    for id in running().take().unwrap_or_default() {
        end_group(id);
    }
    std::mem::forget(COMPUTING.write().unwrap_or_else(PoisonError::into_inner));
}

/// Has a model compute; waits for ever where the process is about to end.
pub(super) fn computing<T>(work: impl FnOnce() -> T) -> T {
    let _computing = COMPUTING.read().unwrap_or_else(PoisonError::into_inner);
    work()
}

/// Ends a process, and on Unix all others of its group.
fn end_group(id: u32) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw) {
        // It may have ended by itself.
        _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    #[cfg(not(unix))]
    let _ = id;
}

/// A program that runs. It is ended when this goes.
pub(super) struct Program(Child);

impl Program {
    /// Starts a program, on Unix in a process group of its own.
    ///
    /// # Errors
    /// When it can't be started, or the process is about to end.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let mut running = running();
        let running = running.as_mut().ok_or(io::ErrorKind::Interrupted)?;
        let child = command.spawn()?;
        running.insert(child.id());
        Ok(Self(child))
    }

    /// How it has ended, if it has.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let mut running = running();
        // Once it was waited for, its id may be that of another process.
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            end_group(self.0.id());
            _ = self.0.kill();
            _ = self.0.wait();
        }
        running.iter_mut().for_each(|running| _ = running.remove(&self.0.id()));
    }
}
