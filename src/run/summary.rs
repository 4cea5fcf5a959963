//! What a run came to, for people.

use super::bill::Bill;
use super::signals::Signal;
use crate::llm::Reading;
use crate::operators::{Shortfall, Tally};
use crate::output::WrittenFile;
use crate::settings::Settings;
use crate::store::{Delays, State};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Every language has its conversations.
    Complete,
    /// It was asked to stop.
    Interrupted(Signal),
    /// Its models had to stop it: no endpoint is left, or the budget is used up.
    Halted(String),
    /// Some language fell short.
    Short(Vec<Shortfall>),
}

impl End {
    /// How a run with this tally ended.
    pub fn of(settings: &Settings, tally: &Tally, signal: Option<Signal>, halted: Option<&str>) -> Self {
        let short = tally.shortfalls(settings.total_samples);
        match (signal, halted) {
            _ if short.is_empty() => Self::Complete,
            (Some(signal), _) => Self::Interrupted(signal),
            (None, Some(reason)) => Self::Halted(reason.to_owned()),
            (None, None) => Self::Short(short),
        }
    }

    /// The state the run is in then.
    pub fn state(&self) -> State {
        match self {
            Self::Complete => State::Completed,
            Self::Interrupted(_) | Self::Halted(_) => State::Interrupted,
            Self::Short(_) => State::Short,
        }
    }
}

/// The figures of a run.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Identifier of the run.
    pub run_id: Arc<str>,
    /// The configuration file, as it was named.
    pub config: String,
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
    /// Conversations under way when it stopped.
    pub left: usize,
    /// What its calls came to.
    pub meter: Reading,
    /// What it has cost, over all its resumes.
    pub bill: Bill,
    /// How long replies took to be durable.
    pub kept: Delays,
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

    /// Drops by reason.
    fn reasons(&self) -> String {
        let reasons = self.tally.drops.iter().map(|(reason, count)| format!("{reason} {count}"));
        reasons.collect::<Vec<_>>().join(", ")
    }

    /// Why the run did not reach its total; none when it did, or when it was interrupted.
    pub fn complaint(&self) -> Option<String> {
        let short = match &self.end {
            End::Short(short) => short,
            End::Halted(reason) => {
                let (config, run) = (&self.config, &self.run_id);
                return Some(format!("{reason}; go on with: dlgforge run {config} --resume {run}"));
            }
            End::Complete | End::Interrupted(_) => return None,
        };
        let figures = short.iter().map(|short| {
            let language = &self.languages[usize::from(short.language.0)];
            let Shortfall { accepted, dropped, drought, .. } = short;
            let given_up =
                if *drought > 0 { format!(", given up after {drought} drops in a row") } else { String::new() };
            format!("{language}: {accepted} of {} accepted, {dropped} dropped{given_up}", self.total_samples)
        });
        let mut text = format!(
            "could not reach run.total_samples ({}); drops by reason: {}",
            figures.collect::<Vec<_>>().join("; "),
            self.reasons()
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
            End::Interrupted(_) => "interrupted",
            End::Halted(_) => "stopped",
            End::Short(_) => "short of its total",
        };
        writeln!(f, "run {} {state} (seed {})", self.run_id, self.seed)?;
        write!(f, "  conversations  {} of {wanted} accepted, {} dropped", self.tally.accepted(), self.tally.dropped())?;
        match self.left {
            0 => writeln!(f)?,
            left => writeln!(f, ", {left} under way")?,
        }
        for (language, progress) in self.languages.iter().zip(&self.tally.languages) {
            writeln!(f, "    {language}: {} accepted, {} dropped", progress.accepted, progress.dropped)?;
        }
        if !self.tally.drops.is_empty() {
            writeln!(f, "  dropped for    {}", self.reasons())?;
        }
        let Tally { duplicates, rollbacks, wasted, lag, turns, .. } = self.tally;
        write!(f, "  turns          {}, {} without a retrieved passage, ", turns.all, turns.unretrieved)?;
        write!(f, "{} with numbers that no passage has", turns.unsupported)?;
        match turns.flagged {
            0 => writeln!(f)?,
            flagged => writeln!(f, ", {flagged} below judge.accept")?,
        }
        writeln!(f, "  duplicates     {duplicates} questions rejected")?;
        writeln!(
            f,
            "  roll-backs     {rollbacks}, {wasted} calls wasted; at most {lag} conversations ahead of the watermark"
        )?;
        let meter = self.meter;
        let Reading { calls, failures, retries, recalled, slowed, cut, empty, refused, filtered, .. } = meter;
        writeln!(
            f,
            "  calls          {calls} answered, {recalled} found in the journal, {failures} failed, {retries} retries"
        )?;
        writeln!(f, "  journal        {}", self.kept)?;
        if slowed > 0 {
            writeln!(f, "  limits         {slowed} requests were sent again later: endpoints had no room for them")?;
        }
        if cut + empty + refused + filtered > 0 {
            writeln!(f, "  replies        {cut} cut off, {empty} empty, {refused} refused, {filtered} filtered")?;
        }
        let (read, cached) = (meter.prompt_tokens, meter.cached_tokens);
        let share = 100.0 * cached as f64 / read.max(1) as f64;
        let of_them = if cached > 0 { format!(" ({share:.0} % from caches)") } else { String::new() };
        writeln!(f, "  tokens         {read} read{of_them}, {} written", meter.completion_tokens)?;
        writeln!(f, "  cost           {}", self.bill.cost())?;
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
        if let End::Interrupted(_) | End::Halted(_) = self.end {
            writeln!(f, "  go on with     dlgforge run {} --resume {}", self.config, self.run_id)?;
        }
        Ok(())
    }
}
