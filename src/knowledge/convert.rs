//! Hands files of some types to programs that print them as Markdown, and keeps what they print.

use super::KnowledgeError;
use super::formats;
use super::leaving::Program;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// What stands in a command for the path of the file.
const INPUT: &str = "{input}";

/// How often a program is looked after.
const PAUSE: Duration = Duration::from_millis(10);

/// The end of a program's complaints that a message tells, in bytes.
const COMPLAINT: u64 = 400;

/// `tools.retrieval.convert`: the programs that print files as Markdown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Convert {
    /// The commands by the ending of the files' names, in lower case.
    pub commands: BTreeMap<String, ConvertCommand>,
    /// The longest that a program may take for a file.
    pub timeout: Duration,
    /// The folder that keeps what was printed; it is made where it is missing.
    pub cache: PathBuf,
    /// Whether no program is run: files are skipped that none has printed before.
    pub only_kept: bool,
}

/// A program with its arguments, one of which names the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvertCommand(Vec<String>);

impl ConvertCommand {
    /// A command as one writes it in a shell, which none is started for; nothing where a quote is not closed or `{input}` does
    /// not stand among the arguments.
    ///
    /// ```
    /// use dlgforge::knowledge::ConvertCommand;
    /// assert!(ConvertCommand::parsed("docling --to md '{input}'").is_some());
    /// assert!(ConvertCommand::parsed("docling --to md").is_none());
    /// ```
    pub fn parsed(command: &str) -> Option<Self> {
        let words = shlex::split(command)?;
        words.iter().skip(1).any(|word| word.contains(INPUT)).then_some(Self(words))
    }

    fn name(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }
}

impl Convert {
    /// The command for the file at a path, if its type has one.
    pub(super) fn command(&self, path: &Path) -> Option<&ConvertCommand> {
        let ending = path.extension()?.to_str()?.to_lowercase();
        self.commands.get(&ending)
    }

    /// Where the file is as Markdown, as the command has printed it now or before; `most` bytes at most. The error is why it
    /// is skipped.
    pub(super) fn converted(&self, file: &Path, command: &ConvertCommand, most: u64) -> Result<PathBuf, String> {
        let kept = |error| format!("its text can't be kept in {} ({error})", self.cache.display());
        let name = digest(file, command).map_err(|error| format!("it can't be read ({error})"))?;
        let cached = self.cache.join(format!("{name}.md"));
        if cached.is_file() {
            return Ok(cached);
        }
        if self.only_kept {
            return Err(format!("`{}` of `tools.retrieval.convert` has yet to read it", command.name()));
        }
        fs::create_dir_all(&self.cache).map_err(kept)?;
        let printed = NamedTempFile::new_in(&self.cache).map_err(kept)?;
        self.run(file, command, printed.as_file(), most)?;
        printed.as_file().sync_all().map_err(kept)?;
        printed.persist(&cached).map_err(|error| kept(error.error))?;
        Ok(cached)
    }

    /// Forgets what was printed: all of it is made again.
    pub(super) fn forget(&self) -> Result<(), KnowledgeError> {
        match fs::remove_dir_all(&self.cache) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                Err(KnowledgeError::IndexFolder { path: self.cache.clone(), cause: cause.to_string() })
            }
            _ => Ok(()),
        }
    }

    /// Has a program print a file.
    fn run(&self, file: &Path, command: &ConvertCommand, printed: &File, most: u64) -> Result<(), String> {
        let name = command.name();
        let failed = |error: io::Error| format!("`{name}` of `tools.retrieval.convert` can't be run ({error})");
        let path = file.to_string_lossy();
        let mut complaints = tempfile::tempfile().map_err(failed)?;
        let mut command_line = Command::new(name);
        command_line
            .args(command.0.iter().skip(1).map(|word| word.replace(INPUT, &path)))
            .stdin(Stdio::null())
            .stdout(printed.try_clone().map_err(failed)?)
            .stderr(complaints.try_clone().map_err(failed)?);
        let program = Program::start(&mut command_line).map_err(failed)?;
        let ended = self.wait(program, printed, most).map_err(failed)?;
        let wrong = match ended {
            Ended::Done(status) if status.success() && printed.metadata().map_err(failed)?.len() > 0 => return Ok(()),
            Ended::Done(status) if status.success() => "prints nothing".to_owned(),
            Ended::Done(status) => format!("has failed ({status})"),
            Ended::Late => {
                format!("takes more than {} s (`tools.retrieval.convert_timeout_s`)", self.timeout.as_secs_f64())
            }
            Ended::Long => format!("prints more than {} (`knowledge.max_size_mb`)", formats::megabytes(most)),
        };
        let said = last(&mut complaints).unwrap_or_default();
        Err(format!("`{name}` {wrong}{}{said}", if said.is_empty() { "" } else { ", having said: " }))
    }

    fn wait(&self, mut program: Program, printed: &File, most: u64) -> io::Result<Ended> {
        let began = Instant::now();
        loop {
            if let Some(status) = program.ended()? {
                let is_long = printed.metadata()?.len() > most;
                return Ok(if is_long { Ended::Long } else { Ended::Done(status) });
            }
            if began.elapsed() > self.timeout {
                return Ok(Ended::Late);
            }
            if printed.metadata()?.len() > most {
                return Ok(Ended::Long);
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// How a program ended.
enum Ended {
    Done(ExitStatus),
    Late,
    Long,
}

/// A name for what a command makes of what is in a file.
fn digest(file: &Path, command: &ConvertCommand) -> io::Result<String> {
    let mut hash = Sha256::new();
    for word in &command.0 {
        hash.update((word.len() as u64).to_le_bytes());
        hash.update(word);
    }
    io::copy(&mut File::open(file)?, &mut Hashing(&mut hash))?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Takes what is written into a digest.
struct Hashing<'a>(&'a mut Sha256);

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The end of what a program has complained of, in one line.
fn last(complaints: &mut File) -> io::Result<String> {
    let length = complaints.metadata()?.len();
    complaints.seek(SeekFrom::Start(length.saturating_sub(COMPLAINT)))?;
    let mut said = Vec::new();
    complaints.take(COMPLAINT).read_to_end(&mut said)?;
    Ok(String::from_utf8_lossy(&said).split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(all(test, unix))]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn convert(folder: &TempDir) -> Convert {
        Convert {
            commands: BTreeMap::new(),
            timeout: Duration::from_secs(20),
            cache: folder.path().join("a/converted"),
            only_kept: false,
        }
    }

    fn command(script: &str) -> ConvertCommand {
        ConvertCommand::parsed(&format!("sh -c '{script}' sh {{input}}")).unwrap()
    }

    fn file(folder: &TempDir, text: &str) -> PathBuf {
        let file = folder.path().join("two words.x");
        fs::write(&file, text).unwrap();
        file
    }

    #[test]
    fn what_is_printed_is_kept_for_the_same_content_and_command() {
        let folder = tempfile::tempdir().unwrap();
        let (convert, file) = (convert(&folder), file(&folder, "one"));
        let printed = |command: &ConvertCommand| {
            convert.converted(&file, command, 100).map(|path| fs::read_to_string(path).unwrap())
        };
        let twice = command("echo run >>\"$1.runs\"; cat \"$1\" \"$1\"");
        assert_eq!(printed(&twice), Ok("oneone".into()));
        assert_eq!(printed(&twice), Ok("oneone".into()));
        let runs = || fs::read_to_string(folder.path().join("two words.x.runs")).unwrap().lines().count();
        assert_eq!(runs(), 1);
        fs::write(&file, "two").unwrap();
        assert_eq!(printed(&twice), Ok("twotwo".into()));
        assert_eq!(printed(&command("cat \"$1\"")), Ok("two".into()));
        assert_eq!((runs(), fs::read_dir(&convert.cache).unwrap().count()), (2, 3));
    }

    #[test]
    fn a_program_that_fails_is_told_with_what_it_said() {
        let folder = tempfile::tempdir().unwrap();
        let (convert, file) = (convert(&folder), file(&folder, "one"));
        let failed = |convert: &Convert, command: &ConvertCommand| convert.converted(&file, command, 100).unwrap_err();
        assert_eq!(
            failed(&convert, &command("echo; echo half; echo bad page >&2; exit 3")),
            "`sh` has failed (exit status: 3), having said: bad page"
        );
        let hasty = Convert { timeout: Duration::from_millis(50), ..convert.clone() };
        let late = "`sh` takes more than 0.05 s (`tools.retrieval.convert_timeout_s`)";
        assert_eq!(failed(&hasty, &command("exec sleep 60")), late);
        // What a program has started itself is ended with it.
        let started = folder.path().join("started");
        let leaves = command(&format!("sleep 61 & echo $! >{}; wait", started.display()));
        let hasty = Convert { timeout: Duration::from_millis(500), ..convert.clone() };
        assert!(failed(&hasty, &leaves).starts_with("`sh` takes more than 0.5 s"));
        let id = fs::read_to_string(started).unwrap();
        let is_there = || {
            let state = fs::read_to_string(format!("/proc/{}/stat", id.trim()));
            state.is_ok_and(|state| !state.contains(") Z "))
        };
        // A signal takes its time on a busy machine.
        let began = Instant::now();
        while is_there() {
            assert!(began.elapsed() < Duration::from_secs(30), "{id}");
            std::thread::sleep(Duration::from_millis(5));
        }
        let long = "`sh` prints more than 0.0001 MB (`knowledge.max_size_mb`)";
        assert_eq!(failed(&convert, &command("exec yes")), long);
        assert_eq!(failed(&convert, &command("printf %0200d 1")), long);
        let missing = ConvertCommand::parsed("no-such-program {input}").unwrap();
        assert!(
            failed(&convert, &missing).starts_with("`no-such-program` of `tools.retrieval.convert` can't be run (")
        );
        assert_eq!(fs::read_dir(&convert.cache).unwrap().count(), 0, "nothing is kept of it");
    }
}
