//! Reads files of types whose readers may crash, hang or take all memory, in processes of their own.
//!
//! A thread can't be ended, and what has no memory ends the whole process: a file that was made for it would cost the run.
//! So readers are processes of this program (`dlgforge read-documents`) that the system holds to a processor time and a
//! memory: the time is the same however busy the machine is. A process reads one file after the other, as long as it lives.

use super::Reading;
use super::formats::{self, Failure, Format, Part};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// The command of the program that reads documents for it.
const COMMAND: &str = "read-documents";

/// Rows for which the processor time counts together.
const ROWS: usize = 1_000;

/// What a reader is asked: a line of JSON.
#[derive(Serialize, Deserialize)]
struct Request<'a> {
    path: Cow<'a, str>,
    reading: Cow<'a, Reading>,
}

/// What it answers: a line of JSON for every part, then one for the end of the file.
#[derive(Serialize, Deserialize)]
enum Reply {
    Part(Part),
    End(Result<Vec<String>, Failure>),
}

/// Answers requests on standard input until it ends, as `dlgforge read-documents` does.
///
/// # Errors
/// When nobody reads the answers any more, when a request is none, and when the system grants no limits.
pub fn serve() -> io::Result<()> {
    // What panics say is of no use to anybody; that they did is told.
    std::panic::set_hook(Box::new(|_| ()));
    let mut answers = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let Request { path, reading } = serde_json::from_str(&line?)?;
        limit(&reading)?;
        let (mut count, mut failed) = (0, None);
        let mut answer = |reply: &Reply| -> io::Result<()> {
            serde_json::to_writer(&mut answers, reply)?;
            answers.write_all(b"\n")
        };
        let read = formats::read(Path::new(&*path), &reading, &mut |part| {
            count += 1;
            let limited = if count % ROWS == 0 { limit(&reading) } else { Ok(()) };
            failed = failed.take().or(limited.and_then(|()| answer(&Reply::Part(part))).err());
        });
        answer(&Reply::End(read))?;
        failed.map_or(Ok(()), Err)?;
        answers.flush()?;
    }
    Ok(())
}

/// Holds this process to the memory, and to the processor time from now on.
#[cfg(unix)]
fn limit(reading: &Reading) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    use rustix::time::{ClockId, clock_gettime};
    let used = clock_gettime(ClockId::ProcessCPUTime).tv_sec.unsigned_abs();
    let limits = [
        (Resource::Cpu, used + reading.seconds + 1),
        (Resource::Data, reading.memory_bytes),
        // Where it ends this is no fault of the program.
        (Resource::Core, 0),
    ];
    for (resource, most) in limits {
        let Rlimit { maximum, .. } = getrlimit(resource);
        let current = maximum.map_or(most, |maximum| maximum.min(most));
        setrlimit(resource, Rlimit { current: Some(current), maximum })?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn limit(_: &Reading) -> io::Result<()> {
    Ok(())
}

/// Reads the documents of a folder.
pub(super) struct Readers<'a> {
    folder: &'a Path,
    reading: &'a Reading,
    /// Processes that have nothing to do, as many as there were files read at the same time.
    idle: Mutex<Vec<Worker>>,
}

impl<'a> Readers<'a> {
    pub fn new(folder: &'a Path, reading: &'a Reading) -> Self {
        Self { folder, reading, idle: Mutex::default() }
    }

    /// What is made of the parts of the file at a path in the folder, and what its user should know about how it was read.
    pub fn read<T>(&self, path: &str, mut made: impl FnMut(Part) -> T) -> Result<(Vec<T>, Vec<String>), Failure> {
        let mut parts = Vec::new();
        let is_risky = Format::of(Path::new(path)).is_some_and(Format::is_risky);
        let Some(program) = self.reading.program.as_deref().filter(|_| is_risky) else {
            let notes = formats::read(&self.folder.join(path), self.reading, &mut |part| parts.push(made(part)))?;
            return Ok((parts, notes));
        };
        let request = Request { path: path.into(), reading: Cow::Borrowed(self.reading) };
        loop {
            let worker = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let is_new = worker.is_none();
            let started = worker.map_or_else(|| Worker::start(program, self.folder), Ok);
            let mut worker = started.map_err(|error| Failure::NoReader(error.to_string()))?;
            match worker.ask(&request, &mut |part| parts.push(made(part))) {
                Ok(read) => {
                    self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
                    return read.map(|notes| (parts, notes));
                }
                Err(_) if is_new => return Err(worker.died(self.reading)),
                // Perhaps for what it had read before.
                Err(_) => parts.clear(),
            }
        }
    }
}

/// A process that reads documents. It ends when nobody asks it any more.
struct Worker {
    process: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl Worker {
    fn start(program: &Path, folder: &Path) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.arg(COMMAND).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // The allocator is to ask the system for memory when it needs it: what it holds in advance, no limit keeps it from.
        command.env("MIMALLOC_ARENA_EAGER_COMMIT", "0");
        // Ctrl-C is for the program alone: it decides what becomes of the run.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process = command.spawn()?;
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let (requests, replies) = (process.stdin.take().ok_or_else(gone)?, process.stdout.take().ok_or_else(gone)?);
        Ok(Self { process, requests, replies: BufReader::new(replies) })
    }

    /// How reading a file ended. The error is that the process did not get so far.
    fn ask(&mut self, request: &Request<'_>, emit: &mut dyn FnMut(Part)) -> io::Result<Result<Vec<String>, Failure>> {
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        self.requests.write_all(line.as_bytes())?;
        loop {
            line.clear();
            self.replies.read_line(&mut line)?;
            match serde_json::from_str(&line)? {
                Reply::Part(part) => emit(part),
                Reply::End(read) => return Ok(read),
            }
        }
    }

    /// Why it died. That another program has killed it says nothing of the file.
    fn died(mut self, reading: &Reading) -> Failure {
        _ = self.process.kill();
        let status = self.process.wait();
        #[cfg(unix)]
        {
            use std::os::unix::process::ExitStatusExt;
            let signal = status.as_ref().ok().and_then(ExitStatusExt::signal);
            if signal == Some(rustix::process::Signal::XCPU.as_raw()) {
                let seconds = reading.seconds;
                return Failure::Broken(format!("reading it takes more than {seconds} s (`knowledge.timeout_s`)"));
            }
            if signal == Some(rustix::process::Signal::KILL.as_raw()) {
                return Failure::Killed("its reader was killed: is the machine short of memory?".to_owned());
            }
        }
        let memory = formats::megabytes(reading.memory_bytes);
        let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        Failure::Broken(format!(
            "its reader has crashed ({how}): it is damaged, or takes more than {memory} (`knowledge.max_memory_mb`)"
        ))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It has nothing to do, or nobody who waits for it.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}
