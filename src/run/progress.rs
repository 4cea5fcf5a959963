//! Shows how a run comes along: a bar on a terminal, else a line now and then.

use super::layout::COLUMNS;
use super::repeats::Repeats;
use crate::knowledge::{self, Step};
use crate::llm::Meter;
use crate::operators::Tally;
use crate::output::logs::Console;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;

const REDRAW: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(2);
/// What takes less than this is not shown.
const BRIEF: Duration = Duration::from_millis(500);
/// How the bar looks.
const STYLE: &str = "{bar:16} {msg}";
/// Columns of the bar, and of the space after it.
const BAR: usize = 17;

/// Standard error, shared by the bar and by messages. At its end it tells how many messages it has held back.
pub struct Display {
    bar: ProgressBar,
    repeats: Arc<Mutex<Repeats>>,
}

impl Drop for Display {
    fn drop(&mut self) {
        let rest = self.repeats.lock().unwrap_or_else(PoisonError::into_inner).rest();
        self.bar.suspend(|| rest.iter().for_each(|message| say(message)));
    }
}

impl Display {
    /// A display without a bar yet.
    pub fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        Self { bar, repeats: Arc::default() }
    }

    /// Writes a message to standard error without tearing the bar. Messages that are alike are told once, with a count.
    pub fn console(&self) -> Console {
        let (bar, repeats) = (self.bar.clone(), self.repeats.clone());
        Box::new(move |message| {
            let told = repeats.lock().unwrap_or_else(PoisonError::into_inner).hear(message, Instant::now());
            if !told.is_empty() {
                bar.suspend(|| told.iter().for_each(|message| say(message)));
            }
        })
    }

    /// Shows how reading the documents comes along, where that takes a while.
    pub fn prepare(&self) -> Preparation {
        self.bar.set_style(style());
        Preparation { bar: self.bar.clone(), began: Instant::now(), said: Mutex::new(Instant::now()) }
    }

    /// Shows progress towards `total` accepted conversations until it is told to finish. What has ended counts from then
    /// on; it is settled when nothing before it can change it any more.
    pub fn watch(&self, total: u32, tally: watch::Receiver<Tally>, meter: Arc<Meter>) -> Watch {
        let bar = self.bar.clone();
        bar.set_style(style());
        bar.reset();
        bar.set_length(u64::from(total));
        let (done, ended) = mpsc::channel();
        let thread = std::thread::spawn(move || follow(&bar, total, &tally, &meter, &ended));
        Watch { done, thread }
    }
}

/// Writes a line to standard error; a reader that has gone away misses it.
fn say(line: &str) {
    _ = writeln!(std::io::stderr(), "{line}");
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template(STYLE).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// The preparation of a run being shown.
pub struct Preparation {
    bar: ProgressBar,
    began: Instant,
    /// When a line was written last.
    said: Mutex<Instant>,
}

impl Preparation {
    /// Shows how far it is.
    pub fn show(&self, progress: knowledge::Progress) {
        let line = || {
            let knowledge::Progress { step, done, total } = progress;
            match step {
                Step::Documents => format!("{done}/{total} documents read"),
                Step::Chunks => format!("{done}/{total} chunks of documents indexed"),
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
            self.bar.set_length(progress.total as u64);
            self.bar.set_position(progress.done as u64);
            self.bar.set_message(line());
        }
    }

    /// Takes the bar away.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// Progress being shown.
pub struct Watch {
    done: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Watch {
    /// Takes the bar away.
    pub fn finish(self) {
        drop(self.done);
        // The thread only draws; if that failed, the run did not.
        let _ = self.thread.join();
    }
}

fn follow(bar: &ProgressBar, total: u32, tally: &watch::Receiver<Tally>, meter: &Meter, ended: &mpsc::Receiver<()>) {
    let lines = bar.is_hidden();
    let mut said = Instant::now();
    while let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(REDRAW) {
        let now = tally.borrow().clone();
        let (calls, slowed) = (meter.read().calls, meter.read().slowed);
        let done = (now.accepted() + now.held).min(total);
        if lines && said.elapsed() >= LINE_EVERY {
            said = Instant::now();
            say(&line(&now, total, calls, slowed, None, COLUMNS));
        }
        bar.set_position(u64::from(done));
        bar.set_message(line(&now, total, calls, slowed, Some(bar.eta()), COLUMNS - BAR));
    }
    bar.finish_and_clear();
}

/// How far a run is, in so many columns: what matters less is left out where there is no room for it.
fn line(tally: &Tally, total: u32, calls: u64, slowed: u64, left: Option<Duration>, columns: usize) -> String {
    let done = (tally.accepted() + tally.held).min(total);
    let left = left.map(|left| format!(", {} left", HumanDuration(left))).unwrap_or_default();
    let put_off = if slowed > 0 { format!(", {slowed} put off by rate limits") } else { String::new() };
    let mut line = format!("{done}/{total} conversations{left}");
    for part in [
        format!(", {} dropped", tally.dropped()),
        put_off,
        format!(", {calls} calls"),
        format!(", {} settled", tally.accepted()),
        format!(", {} duplicates", tally.duplicates),
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
    use crate::operators::tally::Progress;

    fn tally(accepted: u32, dropped: u32, duplicates: u64) -> Tally {
        let mut language = Progress::default();
        (language.accepted, language.dropped) = (accepted, dropped);
        Tally { languages: vec![language], duplicates, held: 1, ..Tally::default() }
    }

    #[test]
    fn a_line_has_room_for_what_matters() {
        let small = line(&tally(3, 1, 2), 24, 60, 0, None, COLUMNS);
        assert_eq!(small, "4/24 conversations, 1 dropped, 60 calls, 3 settled, 2 duplicates");
        let left = Some(Duration::from_secs(60));
        let with_bar = line(&tally(3, 1, 2), 24, 60, 7, left, COLUMNS - BAR);
        assert_eq!(with_bar, "4/24 conversations, 60 seconds left, 1 dropped, 60 calls");
        for left in [None, Some(Duration::MAX), Some(Duration::from_secs(100_000))] {
            let columns = if left.is_some() { COLUMNS - BAR } else { COLUMNS };
            let full = line(&tally(u32::MAX - 1, 77, u64::MAX), u32::MAX, u64::MAX, u64::MAX, left, columns);
            assert!(full.len() <= columns && full.contains("4294967295/4294967295 conversations"), "{full}");
        }
    }
}
