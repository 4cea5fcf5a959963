//! Logs: every event of the program as a line in `run.log`, some also in a file of their own, warnings on the console.

use super::OutputError;
use crate::domain::clock;
use crate::domain::terminal::shown;
use crate::files::{FilesError, create_folder};
use jiff::Zoned;
use jiff::tz::TimeZone;
use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

/// Shows a warning or an error to the user: the message, without newline.
pub type Console = Box<dyn Fn(&str) + Send + Sync>;

/// How much the logs tell: `logs.level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// What becomes of runs and their conversations, and everything that goes wrong.
    #[default]
    Info,
    /// Every request, response, search and tool call too.
    Debug,
}

impl LogLevel {
    /// What is logged: of libraries never more than what becomes of things.
    fn filter(self) -> Targets {
        let own = if self == Self::Debug { LevelFilter::DEBUG } else { LevelFilter::INFO };
        Targets::new().with_default(LevelFilter::INFO).with_target("dlgforge", own)
    }
}

/// What of the log is shown on the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Told {
    /// What has failed, and nothing that may go wrong.
    Errors,
    /// Whatever goes wrong or may.
    #[default]
    Warnings,
    /// All that the log has where `logs.level` is `debug`.
    Everything,
}

impl Told {
    fn level(self) -> Level {
        match self {
            Self::Errors => Level::ERROR,
            Self::Warnings => Level::WARN,
            Self::Everything => Level::DEBUG,
        }
    }
}

/// Targets with a file of their own, and its name.
const OWN: [(&str, &str); 4] = [
    ("dlgforge.retrieval", "retrieval.log"),
    ("dlgforge.tools", "tools.log"),
    ("dlgforge.llm", "llm.log"),
    ("dlgforge.judge", "judge.log"),
];
/// Lines that may wait for the disk before those who log wait too.
const WAITING: usize = 8_192;

/// The running logs. What was logged before it is dropped is in the files afterwards; later events are lost.
#[must_use = "logging stops when this is dropped"]
pub struct Logs {
    lines: SyncSender<Line>,
    writer: Option<JoinHandle<()>>,
}

impl Drop for Logs {
    fn drop(&mut self) {
        // Both fail only if the writer has panicked, and a destructor can't tell anyone.
        let _ = self.lines.send(Line::Last);
        let _ = self.writer.take().map(JoinHandle::join);
    }
}

/// Starts logging for the whole process: this program's events of this level and above are appended to the files in `folder`;
/// what `told` says is also shown on the console. Lines read
/// `YYYY-MM-DD HH:MM:SS,mmm | LEVEL | logger | message`, in local time.
///
/// # Errors
/// When a file can't be opened, or the process logs already.
pub fn start(folder: &Path, level: LogLevel, told: Told, console: Console) -> Result<Logs, OutputError> {
    let (subscriber, logs) = prepare(folder, level, told, console)?;
    match tracing::subscriber::set_global_default(subscriber) {
        Ok(()) => Ok(logs),
        Err(_) => Err(OutputError::LogsTaken { folder: folder.to_owned() }),
    }
}

/// Shows warnings and errors of the whole process on the console, from now on, without any file; to no effect where the
/// process logs already.
pub fn show(console: Console) {
    _ = tracing::subscriber::set_global_default(registry().with(LevelFilter::WARN).with(ConsoleLayer(console)));
}

struct ConsoleLayer(Console);

impl<S: Subscriber> Layer<S> for ConsoleLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut message = Message::default();
        event.record(&mut message);
        (self.0)(&shown(&message.whole()));
    }
}

fn prepare(
    folder: &Path,
    level: LogLevel,
    told: Told,
    console: Console,
) -> Result<(impl Subscriber + Send + Sync + use<>, Logs), OutputError> {
    create_folder(folder)?;
    let own = OWN.iter().map(|(_, name)| open(folder, name)).collect::<Result<_, _>>()?;
    let files = Files { all: open(folder, "run.log")?, own };
    let console = Arc::new(console);
    let (lines, waiting) = sync_channel(WAITING);
    let report = console.clone();
    let writer = thread::Builder::new().name("logs".into()).spawn(move || write_lines(&waiting, files, &report));
    let writer = Some(writer.map_err(FilesError::io("start the writer of", folder))?);
    let layer = LogLayer { lines: lines.clone(), console, told: told.level(), kept: level, zone: TimeZone::system() };
    let heard = if told == Told::Everything { LogLevel::Debug } else { level };
    Ok((registry().with(heard.filter()).with(layer), Logs { lines, writer }))
}

fn open(folder: &Path, name: &str) -> Result<BufWriter<File>, FilesError> {
    let path = folder.join(name);
    let file = OpenOptions::new().append(true).create(true).open(&path).map_err(FilesError::io("open", &path))?;
    Ok(BufWriter::new(file))
}

enum Line {
    Text { own: Option<usize>, text: String },
    Last,
}

struct LogLayer {
    lines: SyncSender<Line>,
    console: Arc<Console>,
    /// The least of what the console shows.
    told: Level,
    /// What the files keep.
    kept: LogLevel,
    zone: TimeZone,
}

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let mut message = Message::default();
        event.record(&mut message);
        let message = shown(&message.whole()).into_owned();
        if level <= self.told {
            (self.console)(&message);
        }
        if level > Level::INFO && self.kept == LogLevel::Info {
            return;
        }
        let text = line(&clock::now().to_zoned(self.zone.clone()), level, target, &message);
        let own = OWN.iter().position(|(name, _)| *name == target);
        // Fails once the logs have ended: documented at `Logs`.
        let _ = self.lines.send(Line::Text { own, text });
    }
}

/// One record is one line, whatever a model wrote into its message.
fn line(moment: &Zoned, level: Level, target: &str, message: &str) -> String {
    let level = if level == Level::WARN { "WARNING" } else { level.as_str() };
    let moment = moment.strftime("%Y-%m-%d %H:%M:%S,%3f");
    let message = message.replace('\r', "\\r").replace('\n', "\\n");
    format!("{moment} | {level} | {} | {message}\n", target.replace("::", "."))
}

/// An event's message, and its other fields as ` name=value`.
#[derive(Default)]
struct Message {
    text: String,
    fields: String,
}

impl Message {
    fn put(&mut self, field: &Field, value: fmt::Arguments) {
        let written = match field.name() {
            "message" => self.text.write_fmt(value),
            name => write!(self.fields, " {name}={value}"),
        };
        written.unwrap_or_else(|_| self.fields.push_str(" (a value that can't be shown)"));
    }

    fn whole(self) -> String {
        (self.text + &self.fields).trim_start().to_owned()
    }
}

impl Visit for Message {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format_args!("{value:?}"));
    }
}

struct Files {
    all: BufWriter<File>,
    own: Vec<BufWriter<File>>,
}

impl Files {
    fn write(&mut self, own: Option<usize>, text: &str) -> io::Result<()> {
        self.all.write_all(text.as_bytes())?;
        own.map_or(Ok(()), |at| self.own[at].write_all(text.as_bytes()))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.all.flush()?;
        self.own.iter_mut().try_for_each(Write::flush)
    }
}

/// Writes lines as they come and flushes whenever none waits: in batches under load, at once otherwise.
fn write_lines(waiting: &Receiver<Line>, mut files: Files, console: &Console) {
    let mut told = false;
    let mut tell = |result: io::Result<()>| {
        if let Err(cause) = result
            && !std::mem::replace(&mut told, true)
        {
            console(&format!("the logs are incomplete from here on: {cause}"));
        }
    };
    loop {
        let line = match waiting.try_recv() {
            Err(TryRecvError::Empty) => {
                tell(files.flush());
                waiting.recv().unwrap_or(Line::Last)
            }
            line => line.unwrap_or(Line::Last),
        };
        match line {
            Line::Text { own, text } => tell(files.write(own, &text)),
            Line::Last => return tell(files.flush()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use jiff::civil::DateTime;
    use std::fs;
    use std::sync::Mutex;
    use tracing::{debug, error, info, warn};

    /// What each file and the console hold after some work.
    fn logged(folder: &Path, level: LogLevel, work: fn()) -> (impl Fn(&str) -> Vec<String> + use<'_>, Vec<String>) {
        logged_telling(folder, (level, Told::Warnings), work)
    }

    fn logged_telling(
        folder: &Path,
        (level, told): (LogLevel, Told),
        work: fn(),
    ) -> (impl Fn(&str) -> Vec<String> + use<'_>, Vec<String>) {
        let shown = Arc::new(Mutex::new(Vec::new()));
        let screen = shown.clone();
        let console: Console = Box::new(move |text| screen.lock().unwrap().push(text.to_owned()));
        let (subscriber, logs) = prepare(folder, level, told, console).unwrap();
        tracing::subscriber::with_default(subscriber, work);
        drop(logs);
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap().lines().map(str::to_owned).collect();
        let shown = shown.lock().unwrap().clone();
        (read, shown)
    }

    #[test]
    fn lines_go_where_their_target_says() {
        let folder = tempfile::tempdir().unwrap();
        let (read, shown) = logged(folder.path(), LogLevel::Info, || {
            info!("[samples] wave={}", 1);
            info!(target: "dlgforge.llm", model = "openai/fake", attempt = 2, "[llm] request");
            warn!(target: "dlgforge.judge", "no score");
            error!("disk\nfull");
            warn!("a model said \u{1b}[31m\u{9b}1m\u{202e}x");
            debug!("not kept");
        });
        let own = "dlgforge.output.logs.tests";
        let without_time = |line: &String| line.split_once(" | ").unwrap().1.to_owned();
        let all: Vec<_> = read("run.log").iter().map(without_time).collect();
        assert_eq!(
            all,
            [
                format!("INFO | {own} | [samples] wave=1"),
                "INFO | dlgforge.llm | [llm] request model=openai/fake attempt=2".to_owned(),
                "WARNING | dlgforge.judge | no score".to_owned(),
                format!("ERROR | {own} | disk\\nfull"),
                format!(r"WARNING | {own} | a model said \u{{1b}}[31m\u{{9b}}1m\u{{202e}}x"),
            ]
        );
        assert_eq!(read("llm.log"), [read("run.log")[1].as_str()]);
        assert_eq!(read("judge.log"), [read("run.log")[2].as_str()]);
        assert!(read("tools.log").is_empty() && read("retrieval.log").is_empty());
        assert_eq!(shown, ["no score", "disk\nfull", r"a model said \u{1b}[31m\u{9b}1m\u{202e}x"]);
    }

    #[test]
    fn what_happens_to_each_call_is_told_when_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let (read, _) = logged(folder.path(), LogLevel::Debug, || {
            debug!(target: "dlgforge.llm", "[llm] request");
            debug!(target: "hyper_util::client", "not this program's");
        });
        assert_eq!((read("llm.log").len(), read("run.log").len()), (1, 1));
        assert!(read("llm.log")[0].ends_with(" | DEBUG | dlgforge.llm | [llm] request"));
    }

    #[test]
    fn the_console_shows_what_was_asked_for_and_the_files_keep_what_they_are_to() {
        for (told, expected) in [
            (Told::Errors, &["broken"][..]),
            (Told::Warnings, &["careful", "broken"]),
            (Told::Everything, &["asked", "made", "careful", "broken"]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (read, shown) = logged_telling(folder.path(), (LogLevel::Info, told), || {
                debug!(target: "dlgforge.llm", "asked");
                info!("made");
                warn!("careful");
                error!("broken");
                debug!(target: "hyper_util::client", "not this program's");
            });
            assert_eq!(shown, expected);
            assert_eq!((read("run.log").len(), read("llm.log").len()), (3, 0), "{told:?}");
        }
    }

    #[test]
    fn the_time_is_local_with_milliseconds() {
        let moment: Zoned = "2026-11-22T23:32:21.738999+02:00[+02:00]".parse().unwrap();
        let line = line(&moment, Level::INFO, "dlgforge.pipeline", "[language] Starting");
        assert_eq!(line, "2026-11-22 23:32:21,738 | INFO | dlgforge.pipeline | [language] Starting\n");
        let folder = tempfile::tempdir().unwrap();
        let (read, _) = logged(folder.path(), LogLevel::Info, || info!("now"));
        let time = read("run.log")[0].split(" | ").next().unwrap().replace(',', ".");
        DateTime::strptime("%Y-%m-%d %H:%M:%S%.f", time).unwrap();
    }

    #[test]
    fn a_flood_from_many_threads_arrives_whole_and_is_appended() {
        let folder = tempfile::tempdir().unwrap();
        let flood = || {
            let here = tracing::dispatcher::get_default(Clone::clone);
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        let _default = tracing::dispatcher::set_default(&here);
                        (0..WAITING).for_each(|number| info!(target: "dlgforge.tools", number, "called"));
                    });
                }
            });
        };
        let _ = logged(folder.path(), LogLevel::Info, flood);
        let (read, _) = logged(folder.path(), LogLevel::Info, || info!("after"));
        let lines = read("run.log");
        assert_eq!(lines.len(), 4 * WAITING + 1);
        assert!(lines[..4 * WAITING].iter().all(|line| line.contains(" | INFO | dlgforge.tools | called number=")));
        assert_eq!(read("tools.log").len(), 4 * WAITING);
    }
}
