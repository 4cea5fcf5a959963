//! The process between this one and a server (`dlgforge guard-server`): it ends the server, with all that it has started,
//! when it is told to, and when the process that started it is gone.
//!
//! Its standard input is a pipe from that process, which nobody else holds: however that process ends, the pipe does. The
//! server and what it starts are a process group. What leaves the group, such as a worker with a session of its own, is
//! handed to the guard by the system when its parent ends (a subreaper), and ended as well. Should the guard itself be killed,
//! the system ends the server (a parent-death signal, which the server's process asks for before it becomes the server).

use std::ffi::OsString;
use std::io::{self, BufRead};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// The command of the program that is a guard.
pub const COMMAND: &str = "guard-server";

/// The line on standard input that ends the server.
pub(super) const STOP: &str = "stop";

/// How long a server may take to end when it is asked to.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// How long the system may take to end what is killed.
const KILLED: Duration = Duration::from_secs(2);
/// How often processes are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// What a guard does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardOptions {
    /// Whether the server goes on when the process that started the guard is gone.
    pub stay: bool,
    /// Set for the process that becomes the server: the guard that it must not outlive.
    pub guarded_by: Option<u32>,
    /// The command line of the server.
    pub command: Vec<OsString>,
}

/// Starts a server and guards it until it has ended, or becomes the server itself. The exit status is the server's.
///
/// # Errors
/// When the server can't be started.
pub fn guard(options: &GuardOptions) -> io::Result<u8> {
    match options.guarded_by {
        Some(guard) => Err(become_server(guard, &options.command)),
        None => hold(options),
    }
}

/// Becomes the server. It comes back only when that fails.
#[cfg(unix)]
fn become_server(guard: u32, command: &[OsString]) -> io::Error {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getppid, set_parent_process_death_signal};
        if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
            return error.into();
        }
        // It may have gone before the system was asked.
        if getppid().map(|parent| parent.as_raw_nonzero().get().unsigned_abs()) != Some(guard) {
            return io::Error::other("the process that guards the server is gone");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = guard;
    let Some((program, arguments)) = command.split_first() else { return io::ErrorKind::InvalidInput.into() };
    let error = std::os::unix::process::CommandExt::exec(Command::new(program).args(arguments));
    io::Error::new(error.kind(), format!("{}: {error}", program.display()))
}

#[cfg(not(unix))]
fn become_server(_: u32, _: &[OsString]) -> io::Error {
    io::ErrorKind::Unsupported.into()
}

fn hold(options: &GuardOptions) -> io::Result<u8> {
    adopt_orphans()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args([COMMAND, "--guarded-by", &std::process::id().to_string(), "--"]).args(&options.command);
    command.stdin(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut server = command.spawn()?;
    let (told, orders) = mpsc::channel();
    let stay = options.stay;
    std::thread::spawn(move || {
        let is_told = io::stdin().lock().lines().map_while(Result::ok).any(|line| line == STOP);
        if is_told || !stay {
            // The server may have ended meanwhile.
            _ = told.send(());
        }
    });
    loop {
        if let Some(status) = server.try_wait()? {
            end(&mut server)?;
            return Ok(exit_code(status));
        }
        match orders.recv_timeout(LOOK) {
            Ok(()) => return end(&mut server).map(exit_code),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK),
        }
    }
}

/// The exit status as shells count it.
fn exit_code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(u8::MAX);
    }
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// Has the system make this process the parent of what its descendants leave behind.
fn adopt_orphans() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    Ok(())
}

/// Ends a server and all that it has started: it is asked to, and after a while made to.
#[cfg(unix)]
fn end(server: &mut Child) -> io::Result<ExitStatus> {
    use rustix::process::{Pid, Signal, kill_process, kill_process_group};
    let group = i32::try_from(server.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
    for (signal, patience) in [(Signal::TERM, GRACE), (Signal::KILL, KILLED)] {
        // It may have ended by itself.
        _ = kill_process_group(group, signal);
        if is_gone(server, group, patience) {
            break;
        }
    }
    let until = Instant::now() + KILLED;
    while let Some(strays) = Some(children()).filter(|strays| !strays.is_empty() && Instant::now() < until) {
        for stray in strays.into_iter().filter_map(Pid::from_raw) {
            _ = kill_process(stray, Signal::KILL);
        }
        std::thread::sleep(LOOK);
        reap();
    }
    server.wait()
}

#[cfg(not(unix))]
fn end(server: &mut Child) -> io::Result<ExitStatus> {
    _ = server.kill();
    server.wait()
}

/// Whether no process of the group is left, within some time.
#[cfg(unix)]
fn is_gone(server: &mut Child, group: rustix::process::Pid, patience: Duration) -> bool {
    let until = Instant::now() + patience;
    loop {
        // What is not the server is only waited for once that has been: its exit status is wanted.
        if matches!(server.try_wait(), Ok(Some(_))) {
            reap();
        }
        if rustix::process::test_kill_process_group(group).is_err() {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(LOOK);
    }
}

/// Takes the exit status of every child that has ended.
#[cfg(unix)]
fn reap() {
    while let Ok(Some(_)) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {}
}

/// The children of this process, where the system tells.
#[cfg(unix)]
fn children() -> Vec<i32> {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
    threads
        .flat_map(|thread| of(thread).split(' ').filter_map(|id| id.trim().parse().ok()).collect::<Vec<_>>())
        .collect()
}
