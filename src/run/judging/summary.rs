//! What a pass of the judge came to, for people.

use super::super::bill::Bill;
use super::super::layout::{row, size};
use super::super::signals::Signal;
use crate::domain::{Acceptance, Agreement, Calibration, Conversation, Judgement};
use crate::files::WrittenFile;
use crate::llm::Reading;
use crate::stages::Granularity;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The verdicts that a pass is about: on turns, or on whole conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Verdicts {
    /// Those that there are.
    pub made: u64,
    /// Those of them that meet `judge.accept`.
    pub accepted: u64,
    /// The sum of their scores.
    pub scores: u64,
    /// Turns, or conversations, without a verdict.
    pub missing: u64,
    /// How far the judges of a jury agree.
    pub agreement: Agreement,
}

impl Verdicts {
    /// Those on a conversation that has been judged.
    pub fn of(conversation: &Conversation, granularity: Granularity) -> Self {
        let all: Vec<Option<&Judgement>> = match granularity {
            Granularity::Conversation => vec![conversation.judgement.as_ref()],
            Granularity::Turn => conversation.turns.iter().map(|turn| turn.judgement.as_ref()).collect(),
        };
        let made = || all.iter().flatten();
        let mut agreement = Agreement::default();
        made().for_each(|verdict| agreement.count(verdict));
        Self {
            made: made().count() as u64,
            accepted: made().filter(|verdict| verdict.acceptance == Acceptance::Accepted).count() as u64,
            scores: made().map(|verdict| u64::from(verdict.reply.score)).sum(),
            missing: all.iter().filter(|verdict| verdict.is_none()).count() as u64,
            agreement,
        }
    }

    /// Adds those on another conversation.
    pub fn add(&mut self, more: Self) {
        self.made += more.made;
        self.accepted += more.accepted;
        self.scores += more.scores;
        self.missing += more.missing;
        self.agreement.add(more.agreement);
    }

    /// The mean of the scores; none without a verdict.
    pub fn mean(&self) -> Option<f64> {
        (self.made > 0).then(|| self.scores as f64 / self.made as f64)
    }
}

/// How a pass ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassEnd {
    /// Every conversation has been with the judge, and the files are written.
    Complete,
    /// It was asked to stop, and no file has changed.
    Interrupted(Signal),
    /// Something stopped it, and no file has changed.
    Halted(String),
    /// The judge does not tell spoiled answers from others, as this says, and no file has changed.
    Refused(String),
}

/// The figures of a pass.
#[derive(Debug, Clone)]
pub struct PassSummary {
    /// The id of the pass.
    pub id: String,
    /// How the pass has ended.
    pub end: PassEnd,
    /// Conversations that were to be judged.
    pub due: usize,
    /// Conversations that were judged.
    pub judged: usize,
    /// Conversations of which the judge could not be asked, and why the last one was such; they are as they were.
    pub failed: (usize, String),
    /// Whether turns are judged or conversations.
    pub granularity: Granularity,
    /// The names of the judges' models.
    pub judges: Vec<Arc<str>>,
    /// The verdicts on those that were judged.
    pub verdicts: Verdicts,
    /// What the judge made of spoiled answers, where it was shown some.
    pub calibration: Option<Calibration>,
    /// What is wrong with a judge that does not tell them well enough.
    pub fault: Option<String>,
    /// What the calls of the process came to.
    pub meter: Reading,
    /// What the pass has cost, over all its resumes.
    pub bill: Bill,
    /// From the first conversation to the last file.
    pub elapsed: Duration,
    /// Files that were written anew.
    pub files: Vec<WrittenFile>,
}

impl PassSummary {
    /// Of a pass over so many conversations that has just begun.
    pub fn new(id: &str, due: usize, granularity: Granularity, judges: Vec<Arc<str>>) -> Self {
        Self {
            id: id.to_owned(),
            end: PassEnd::Complete,
            due,
            judged: 0,
            failed: (0, String::new()),
            granularity,
            judges,
            verdicts: Verdicts::default(),
            calibration: None,
            fault: None,
            meter: Reading::default(),
            bill: Bill::default(),
            elapsed: Duration::ZERO,
            files: Vec::new(),
        }
    }

    /// What is not as it should be; none where all is, or where the pass was asked to stop.
    pub fn complaint(&self) -> Option<String> {
        match (&self.end, &self.failed) {
            (PassEnd::Halted(reason), _) => {
                Some(format!("{reason}; no file has changed, and the same command goes on"))
            }
            (PassEnd::Refused(fault), _) => Some(format!("{fault} (judge.on_low_auc: refuse); no file has changed")),
            (PassEnd::Complete, (failed @ 1.., why)) => Some(format!(
                "{failed} of {} conversations are as they were, for the judge could not be asked ({why}); the same command \
                 judges them",
                self.due
            )),
            _ => None,
        }
    }
}

impl fmt::Display for PassSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.end {
            PassEnd::Complete => "complete",
            PassEnd::Interrupted(_) => "interrupted: no file has changed, and the same command goes on",
            PassEnd::Refused(_) => "refused: no file has changed",
            PassEnd::Halted(_) => "stopped: no file has changed, and the same command goes on",
        };
        writeln!(f, "pass {} {state}", self.id)?;
        row(f, "conversations", &format!("{} of {} judged, {} failed", self.judged, self.due, self.failed.0))?;
        let Verdicts { made, accepted, missing, .. } = self.verdicts;
        let of = match self.granularity {
            Granularity::Turn => "turns",
            Granularity::Conversation => "conversations",
        };
        let share = 100.0 * accepted as f64 / made.max(1) as f64;
        let judged = match self.verdicts.mean() {
            Some(mean) => format!("{mean:.1} of 10 on average, over {made} {of}; {share:.0} % meet judge.accept"),
            None => "no verdicts".to_owned(),
        };
        let judged = format!("{judged}, {missing} {of} not judged");
        row(f, "judge", &judged)?;
        if let Some(told) = self.verdicts.agreement.told(&self.judges) {
            row(f, "jury", &told)?;
        }
        if let Some(calibration) = self.calibration {
            let none = || "no first turn has a verdict, so no answer was spoiled".to_owned();
            row(f, "judge's check", &calibration.told().unwrap_or_else(none))?;
        }
        if let Some(fault) = &self.fault {
            row(f, "WARNING", fault)?;
        }
        let Reading { calls, failures, retries, recalled, .. } = self.meter;
        let text = format!("{calls} answered, {recalled} found in the journal, {failures} failed, {retries} retries");
        row(f, "calls", &text)?;
        row(f, "cost", &self.bill.cost())?;
        row(f, "time", &format!("{:.2} s", self.elapsed.as_secs_f64()))?;
        if !self.files.is_empty() {
            writeln!(f, "  files")?;
        }
        for WrittenFile { path, rows, bytes } in &self.files {
            let rows = rows.map(|rows| format!("{rows} rows, ")).unwrap_or_default();
            writeln!(f, "    {path:<46} {rows}{}", size(*bytes))?;
        }
        Ok(())
    }
}
