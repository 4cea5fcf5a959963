//! Shows how a run comes along: a bar on a terminal, else a line now and then.

use crate::llm::Meter;
use crate::operators::Tally;
use crate::output::logs::Console;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;

const REDRAW: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(2);

/// Standard error, shared by the bar and by messages.
#[derive(Clone)]
pub struct Display {
    bar: ProgressBar,
}

impl Display {
    /// A display without a bar yet.
    pub fn new() -> Self {
        Self { bar: ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()) }
    }

    /// Writes a message to standard error without tearing the bar.
    pub fn console(&self) -> Console {
        let bar = self.bar.clone();
        Box::new(move |message| bar.suspend(|| say(message)))
    }

    /// Shows progress towards `total` accepted conversations until it is told to finish. What has ended counts from then
    /// on; it is settled when nothing before it can change it any more.
    pub fn watch(&self, total: u32, tally: watch::Receiver<Tally>, meter: Arc<Meter>) -> Watch {
        let bar = self.bar.clone();
        let template = "{bar:32} {pos}/{len} conversations, {msg} [{elapsed}, about {eta} to go]";
        if let Ok(style) = ProgressStyle::with_template(template) {
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
        let (done, settled) = ((now.accepted() + now.held).min(total), now.accepted());
        let (dropped, duplicates, calls) = (now.dropped(), now.duplicates, meter.read().calls);
        let mut rest = format!("{settled} settled, {dropped} dropped, {duplicates} duplicates, {calls} calls");
        match meter.read().slowed {
            0 => {}
            slowed => rest += &format!(", {slowed} put off by rate limits"),
        }
        if lines && said.elapsed() >= LINE_EVERY {
            said = Instant::now();
            say(&format!("{done}/{total} conversations, {rest}"));
        }
        bar.set_message(rest);
        bar.set_position(u64::from(done));
    }
    bar.finish_and_clear();
}
