//! The terminal: how a run comes along, as a bar or else a line now and then, and what goes wrong.

use super::events::{Event, Listener};
use super::layout::COLUMNS;
use super::repeats::Repeats;
use crate::domain::terminal::shown;
use crate::knowledge::{self, Step};
use crate::llm::Meter;
use crate::operators::Tally;
use crate::output::logs::Console;
use crate::servers;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const REDRAW: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(2);
/// A line comes anyway after so long, so that people see that it goes on.
const LINE_ANYWAY: Duration = Duration::from_secs(60);
/// What takes less than this is not shown.
const BRIEF: Duration = Duration::from_millis(500);
/// How the bar looks.
const STYLE: &str = "{bar:16} {msg}";
/// Columns of the bar, and of the space after it.
const BAR: usize = 17;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shows {
    /// As a bar where standard error is a terminal, else as a line now and then.
    #[default]
    Best,
    /// As a line now and then.
    Lines,
    /// Not at all: others tell of it, or nobody.
    Nothing,
}

/// Standard error, shared by the bar and by messages. At its end it tells how many messages it has held back.
pub struct Terminal {
    bar: ProgressBar,
    shows: Shows,
    /// Messages that were told, so that those alike are counted.
    repeats: Arc<Mutex<Repeats>>,
    began: Instant,
    /// When a line on the preparation was written last.
    said: Mutex<Instant>,
    figures: Arc<Mutex<Figures>>,
    /// Draws from the start of the run to its end.
    drawing: Mutex<Option<Drawing>>,
}

/// What of a tally is shown.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    accepted: u32,
    dropped: u32,
    /// Those that have ended, are not dropped, and wait for others before them.
    held: u32,
    duplicates: u64,
}

struct Drawing {
    done: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.stop_drawing();
        let rest = lock(&self.repeats).rest();
        self.bar.suspend(|| rest.iter().for_each(|message| say(message)));
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new(Shows::Best)
    }
}
/// How much longer a step will take that has come so far in this time.
fn left(elapsed: Duration, done: usize, total: usize) -> String {
    if elapsed < LINE_EVERY || done == 0 {
        return String::new();
    }
    let left = elapsed.mul_f64((total - done.min(total)) as f64 / done as f64);
    format!(", {} left", HumanDuration(left))
}

impl Terminal {
    /// A terminal that shows progress like this.
    pub fn new(shows: Shows) -> Self {
        let target = if shows == Shows::Best { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(ProgressStyle::with_template(STYLE).unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self {
            bar,
            shows,
            repeats: Arc::default(),
            began: Instant::now(),
            said: Mutex::new(Instant::now()),
            figures: Arc::default(),
            drawing: Mutex::default(),
        }
    }

    /// How many columns standard output shows; 80 where it is no terminal.
    pub fn columns() -> usize {
        #[cfg(unix)]
        if let Ok(size) = rustix::termios::tcgetwinsize(std::io::stdout())
            && size.ws_col > 0
        {
            return size.ws_col.into();
        }
        COLUMNS
    }

    /// Writes a message to standard error without tearing the bar. Messages that are alike are told once, with a count.
    pub fn console(&self) -> Console {
        let (bar, repeats) = (self.bar.clone(), self.repeats.clone());
        Box::new(move |message| {
            let told = lock(&repeats).hear(message, Instant::now());
            if !told.is_empty() {
                bar.suspend(|| told.iter().for_each(|message| say(message)));
            }
        })
    }

    /// The same, with every message as often as it comes.
    pub fn whole_console(&self) -> Console {
        let bar = self.bar.clone();
        Box::new(move |message| bar.suspend(|| say(message)))
    }

    /// Shows how far the preparation is, where it takes a while.
    pub(super) fn show(&self, knowledge::Progress { step, done, total }: knowledge::Progress) {
        let line = || match step {
            Step::Documents => format!("{done}/{total} documents read"),
            Step::Chunks => format!("{done}/{total} chunks of documents indexed"),
            Step::Vectors => {
                format!("{done}/{total} chunks of documents embedded{}", left(self.began.elapsed(), done, total))
            }
        };
        if self.bar.is_hidden() {
            // While one thread writes, others need not wait to do the same.
            if let Ok(mut said) = self.said.try_lock()
                && said.elapsed() >= LINE_EVERY
            {
                *said = Instant::now();
                say(&line());
            }
        } else if self.began.elapsed() >= BRIEF {
            self.bar.set_length(total as u64);
            self.bar.set_position(done as u64);
            self.bar.set_message(line());
        }
    }

    /// Shows how far model servers are that load.
    fn show_servers(&self, event: &servers::Event) {
        let servers::Event::Loading { ready, replicas, elapsed, line } = event else { return };
        let line = format!("{ready}/{replicas} model servers ready after {:.0} s: {line}", elapsed.as_secs_f64());
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let cut = |columns| line.chars().take(columns).collect::<String>();
        if self.bar.is_hidden() {
            let mut said = lock(&self.said);
            if said.elapsed() >= LINE_EVERY {
                *said = Instant::now();
                say(&shown(&cut(COLUMNS)));
            }
        } else {
            if self.bar.is_finished() {
                self.bar.reset();
            }
            self.bar.set_length(*replicas as u64);
            self.bar.set_position(*ready as u64);
            self.bar.set_message(shown(&cut(COLUMNS - BAR)).into_owned());
        }
    }

    /// Shows progress towards `total` accepted conversations from now on.
    fn draw(&self, total: u64, meter: &Arc<Meter>) {
        self.bar.reset();
        self.bar.set_length(total);
        let (bar, figures, meter) = (self.bar.clone(), self.figures.clone(), meter.clone());
        let (done, ended) = mpsc::channel();
        let thread = std::thread::spawn(move || follow(&bar, total, &figures, &meter, &ended));
        *lock(&self.drawing) = Some(Drawing { done, thread });
    }

    fn stop_drawing(&self) {
        if let Some(Drawing { done, thread }) = lock(&self.drawing).take() {
            drop(done);
            // The thread only draws; if that failed, the run did not.
            let _ = thread.join();
        }
    }
}

impl Listener for Terminal {
    fn hear(&self, event: &Event<'_>) {
        if self.shows == Shows::Nothing {
            return;
        }
        match event {
            Event::Preparing(progress) => self.show(*progress),
            Event::Serving(event) => self.show_servers(event),
            Event::Prepared => self.bar.finish_and_clear(),
            Event::Started { total, meter, .. } => self.draw(*total, meter),
            Event::Progress(tally) => *lock(&self.figures) = Figures::of(tally),
            Event::Judged(done) => lock(&self.figures).accepted = *done as u32,
            Event::Ended(_) => self.stop_drawing(),
            Event::Conversation(_)
            | Event::Call(_)
            | Event::Traffic(_)
            | Event::Final(_)
            | Event::Settled(_)
            | Event::WaveSettled(_) => {}
        }
    }
}

impl Figures {
    fn of(tally: &Tally) -> Self {
        let (accepted, dropped) = (tally.accepted(), tally.dropped());
        Self { accepted, dropped, held: tally.held.saturating_sub(tally.held_dropped), duplicates: tally.duplicates }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes a line to standard error; a reader that has gone away misses it.
fn say(line: &str) {
    _ = writeln!(std::io::stderr(), "{line}");
}

/// Draws until the sender of `ended` is gone. What has ended counts as done from then on; it is settled when nothing before
/// it can change it any more.
fn follow(bar: &ProgressBar, total: u64, figures: &Mutex<Figures>, meter: &Meter, ended: &mpsc::Receiver<()>) {
    let mut lines = bar.is_hidden().then(|| Lines { said: Instant::now(), last: String::new() });
    while let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(REDRAW) {
        let now = *lock(figures);
        let (calls, slowed) = (meter.read().calls, meter.read().slowed);
        let done = (u64::from(now.accepted) + u64::from(now.held)).min(total);
        if let Some(lines) = &mut lines {
            let due = lines.due(Instant::now(), line(now, total, calls, slowed, None, COLUMNS));
            due.iter().for_each(|line| say(line));
        }
        bar.set_position(done);
        bar.set_message(line(now, total, calls, slowed, Some(bar.eta()), COLUMNS - BAR));
    }
    bar.finish_and_clear();
}

/// What was said last where there is no bar, and when.
struct Lines {
    said: Instant,
    last: String,
}

impl Lines {
    /// The line, if it is to be said now: what is new is said every few seconds, and what is not once a minute.
    fn due(&mut self, now: Instant, line: String) -> Option<String> {
        let wait = if line == self.last { LINE_ANYWAY } else { LINE_EVERY };
        if now.duration_since(self.said) < wait {
            return None;
        }
        (self.said, self.last) = (now, line.clone());
        Some(line)
    }
}

/// How far a run is, in so many columns: what matters less is left out where there is no room for it.
fn line(now: Figures, total: u64, calls: u64, slowed: u64, left: Option<Duration>, columns: usize) -> String {
    let done = (u64::from(now.accepted) + u64::from(now.held)).min(total);
    let left = left.map(|left| format!(", {} left", HumanDuration(left))).unwrap_or_default();
    let put_off = if slowed > 0 { format!(", {slowed} put off by rate limits") } else { String::new() };
    let mut line = format!("{done}/{total} conversations{left}");
    for part in [
        format!(", {} dropped", now.dropped),
        put_off,
        format!(", {calls} calls"),
        format!(", {} settled", now.accepted),
        format!(", {} duplicates", now.duplicates),
    ] {
        if line.len() + part.len() <= columns {
            line += &part;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_when_something_has_changed_or_after_a_while() {
        let began = Instant::now();
        let mut lines = Lines { said: began, last: String::new() };
        let mut said = |seconds: u64, line: &str| lines.due(began + Duration::from_secs(seconds), line.to_owned());
        let every = LINE_EVERY.as_secs();
        assert_eq!(said(every - 1, "1/9"), None, "not so soon");
        assert_eq!(said(every, "1/9").as_deref(), Some("1/9"));
        assert_eq!(said(3 * every, "1/9"), None, "nothing is new");
        assert_eq!(said(3 * every, "2/9").as_deref(), Some("2/9"));
        assert_eq!(said(3 * every + LINE_ANYWAY.as_secs(), "2/9").as_deref(), Some("2/9"), "it goes on");
    }

    #[test]
    fn what_was_dropped_is_not_done() {
        let now = Figures::of(&Tally { held: 3, held_dropped: 2, ..Tally::default() });
        assert_eq!(line(now, 2, 9, 0, None, COLUMNS), "1/2 conversations, 0 dropped, 9 calls, 0 settled, 0 duplicates");
    }

    fn figures(accepted: u32, dropped: u32, duplicates: u64) -> Figures {
        Figures { accepted, dropped, held: 1, duplicates }
    }

    #[test]
    fn a_line_has_room_for_what_matters() {
        let small = line(figures(3, 1, 2), 24, 60, 0, None, COLUMNS);
        assert_eq!(small, "4/24 conversations, 1 dropped, 60 calls, 3 settled, 2 duplicates");
        let left = Some(Duration::from_secs(60));
        let with_bar = line(figures(3, 1, 2), 24, 60, 7, left, COLUMNS - BAR);
        assert_eq!(with_bar, "4/24 conversations, 60 seconds left, 1 dropped, 60 calls");
        for left in [None, Some(Duration::MAX), Some(Duration::from_secs(100_000))] {
            let columns = if left.is_some() { COLUMNS - BAR } else { COLUMNS };
            let full = line(figures(u32::MAX - 1, 77, u64::MAX), u32::MAX.into(), u64::MAX, u64::MAX, left, columns);
            assert!(full.len() <= columns && full.contains("4294967295/4294967295 conversations"), "{full}");
        }
    }
}
