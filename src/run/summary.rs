//! What a run came to, for people.

use crate::llm::Reading;
use crate::operators::{Quota, Shortfall, Tally};
use crate::output::WrittenFile;
use crate::settings::Settings;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Every language has its conversations.
    Complete,
    /// Ctrl-C.
    Interrupted,
    /// Some language fell short.
    Short(Vec<Shortfall>),
}

impl End {
    /// How a run with this tally ended.
    pub fn of(settings: &Settings, tally: &Tally, interrupted: bool) -> Self {
        match Quota::shortfalls(settings.total_samples, tally) {
            short if short.is_empty() => Self::Complete,
            _ if interrupted => Self::Interrupted,
            short => Self::Short(short),
        }
    }
}

/// The figures of a run.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Identifier of the run.
    pub run_id: Arc<str>,
    /// Its seed.
    pub seed: u64,
    /// Its languages.
    pub languages: Vec<Arc<str>>,
    /// Conversations wanted per language.
    pub total_samples: u32,
    /// Conversations advanced at a time.
    pub batch_size: u32,
    /// How it ended.
    pub end: End,
    /// What became of its conversations.
    pub tally: Tally,
    /// What its calls cost.
    pub meter: Reading,
    /// From the first opening to the last row.
    pub elapsed: Duration,
    /// Time seats were taken, summed over the seats.
    pub busy: Duration,
    /// Files written.
    pub files: Vec<WrittenFile>,
}

impl Summary {
    /// Share of the seats' time that was spent in stages, from 0 to 1.
    pub fn seats_busy(&self) -> f64 {
        self.busy.as_secs_f64() / (f64::from(self.batch_size) * self.elapsed.as_secs_f64()).max(f64::MIN_POSITIVE)
    }

    /// Why the run did not reach its total; none when it did, or when it was interrupted.
    pub fn complaint(&self) -> Option<String> {
        let End::Short(short) = &self.end else { return None };
        let figures = short.iter().map(|short| {
            let language = &self.languages[usize::from(short.language.0)];
            let Shortfall { accepted, dropped, drought, .. } = short;
            let given_up =
                if *drought > 0 { format!(", given up after {drought} drops in a row") } else { String::new() };
            format!("{language}: {accepted} of {} accepted, {dropped} dropped{given_up}", self.total_samples)
        });
        let reasons = self.tally.drops.iter().map(|(reason, count)| format!("{reason} {count}"));
        let mut text = format!(
            "could not reach run.total_samples ({}); drops by reason: {}",
            figures.collect::<Vec<_>>().join("; "),
            reasons.collect::<Vec<_>>().join(", ")
        );
        if let Some(last) = &self.tally.last_drop {
            text += &format!("; last: {last}");
        }
        if self.tally.drops.contains_key("dedup_exhausted") {
            text += "; add documents, lower run.total_samples or raise coverage.question_dedup_retries";
        }
        Some(text)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = self.total_samples as usize * self.languages.len();
        let state = match self.end {
            End::Complete => "complete",
            End::Interrupted => "interrupted",
            End::Short(_) => "short of its total",
        };
        writeln!(f, "run {} {state} (seed {})", self.run_id, self.seed)?;
        write!(f, "  conversations  {} of {wanted} accepted, {} dropped", self.tally.accepted(), self.tally.dropped())?;
        match self.tally.interrupted {
            0 => writeln!(f)?,
            interrupted => writeln!(f, ", {interrupted} cut short")?,
        }
        for (language, progress) in self.languages.iter().zip(&self.tally.languages) {
            writeln!(f, "    {language}: {} accepted, {} dropped", progress.accepted, progress.dropped)?;
        }
        let Tally { duplicates, rollbacks, wasted, lag, .. } = self.tally;
        writeln!(f, "  duplicates     {duplicates} questions rejected")?;
        writeln!(
            f,
            "  roll-backs     {rollbacks}, {wasted} calls wasted; at most {lag} conversations ahead of the watermark"
        )?;
        let meter = self.meter;
        writeln!(f, "  calls          {} answered, {} failed, {} retries", meter.calls, meter.failures, meter.retries)?;
        writeln!(f, "  tokens         {} read, {} written", meter.prompt_tokens, meter.completion_tokens)?;
        writeln!(
            f,
            "  time           {:.2} s, seats busy {:.1} %",
            self.elapsed.as_secs_f64(),
            100.0 * self.seats_busy()
        )?;
        writeln!(f, "  files")?;
        for file in &self.files {
            let rows = file.rows.map(|rows| format!("{rows} rows, ")).unwrap_or_default();
            writeln!(f, "    {:<56} {rows}{} bytes", file.path, file.bytes)?;
        }
        Ok(())
    }
}
