//! Shows how a run comes along: a bar on a terminal, else a line now and then.

use super::layout::COLUMNS;
use super::repeats::Repeats;
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

    /// Shows progress towards `total` accepted conversations until it is told to finish. What has ended counts from then
    /// on; it is settled when nothing before it can change it any more.
    pub fn watch(&self, total: u32, tally: watch::Receiver<Tally>, meter: Arc<Meter>) -> Watch {
        let bar = self.bar.clone();
        if let Ok(style) = ProgressStyle::with_template("{bar:16} {msg}") {
            bar.set_style(style);
        }
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
