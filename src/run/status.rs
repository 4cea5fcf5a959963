//! `dlgforge status`: what runs an output folder has.

use super::{Bill, RunError};
use crate::files::Folder;
use crate::settings::paths::{BATCH_SIZE, LANGUAGES};
use crate::store::{Cost, Fact, Run, Settled, Spent, State, Tiered};
use serde::Serialize;
use std::fmt;
use std::path::Path;

/// What an output folder's store tells of a run.
#[derive(Debug, Clone)]
pub struct StatusReport {
    run: Run,
    /// Whether a process writes to the folder at this moment.
    busy: bool,
    settled: Vec<Settled>,
    spent: Vec<Spent>,
    tiers: Vec<Tiered>,
    learned: Vec<Fact>,
}

/// The runs of an output folder, in the order in which they began, and then the passes of the judge; none when it has no store. Where that is on a server,
/// `dsn` is its connection string.
///
/// # Errors
/// When the folder or its store can't be read.
pub fn status(outputs: &Path, dsn: Option<&str>) -> Result<Vec<StatusReport>, RunError> {
    let Some(folder) = Folder::find(outputs, dsn)? else { return Ok(Vec::new()) };
    let busy = Folder::is_busy(outputs)?;
    let report = |run: &Run| {
        let (settled, spent) = (folder.store.settled(&run.id)?, folder.store.spent(&run.id)?);
        let (tiers, learned) = (folder.store.tiers(&run.id)?, folder.store.learned(&run.id)?);
        Ok(StatusReport { run: run.clone(), busy, settled, spent, tiers, learned })
    };
    folder.runs.iter().chain(&folder.passes).map(report).collect()
}

impl StatusReport {
    /// The state, for people: a run whose process is gone is not running.
    fn state(&self) -> String {
        let wanted = self.told("run.total_samples").parse::<usize>().map_or(0, |total| total * self.languages().len());
        let accepted = self.settled.iter().filter(|one| one.dropped.is_none()).count();
        match self.run.state {
            State::Running if self.busy && self.run.is_pass() => "running".to_owned(),
            State::Running if self.busy => format!("running, {accepted} of {wanted} conversations settled"),
            State::Running => "cut off, its process is gone".to_owned(),
            state => state.as_str().to_owned(),
        }
    }

    fn told(&self, key: &str) -> &str {
        self.run.manifest.get(key).map_or("?", String::as_str)
    }

    fn languages(&self) -> Vec<String> {
        serde_json::from_str(self.told(LANGUAGES)).unwrap_or_default()
    }
}

/// How far a run is and what it has cost, for other programs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunFigures {
    /// The id of the run.
    pub id: String,
    /// Its state, in words.
    pub state: String,
    /// Whether it is a pass of the judge.
    pub is_pass: bool,
    /// Whether a process goes on with it at this moment.
    pub is_running: bool,
    /// When it began, in UTC.
    pub began: String,
    /// When it was last recorded, in UTC.
    pub updated: String,
    /// Conversations to accept in each language, where that is known.
    pub wanted: Option<u64>,
    /// Its languages, each with the conversations that were accepted and dropped.
    pub languages: Vec<(String, u64, u64)>,
    /// What was spent, by agent and model.
    pub spent: Vec<SpentFigures>,
}

/// What the calls of an agent to a model have cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SpentFigures {
    /// The agent, such as `user`.
    pub agent: String,
    /// The name of the model, `provider/model`.
    pub model: String,
    /// Calls that were answered.
    pub calls: u64,
    /// Tokens that were read, as far as endpoints tell.
    pub prompt_tokens: u64,
    /// Tokens that were written, as far as endpoints tell.
    pub completion_tokens: u64,
    /// Seconds that a call took in the mean.
    pub seconds: f64,
    /// What they cost in USD, without the calls of unknown price.
    pub usd: f64,
    /// Calls whose price is unknown.
    pub unpriced: u64,
}

impl StatusReport {
    /// The same as figures.
    pub fn figures(&self) -> RunFigures {
        let of_language = |(number, language): (usize, String)| {
            let of_it = self.settled.iter().filter(|one| usize::from(one.slot.language.0) == number);
            let (accepted, dropped): (Vec<_>, Vec<_>) = of_it.partition(|one| one.dropped.is_none());
            (language, accepted.len() as u64, dropped.len() as u64)
        };
        let of_model = |spent: &[Spent]| {
            let sum = spent.iter().fold(Cost::default(), |sum, one| sum.plus(one.cost));
            SpentFigures {
                agent: spent[0].agent.clone(),
                model: spent[0].model.clone(),
                calls: sum.calls,
                prompt_tokens: sum.prompt_tokens,
                completion_tokens: sum.completion_tokens,
                seconds: sum.latency_us as f64 / 1e6 / sum.calls.max(1) as f64,
                usd: sum.nanousd as f64 / 1e9,
                unpriced: sum.unpriced,
            }
        };
        RunFigures {
            id: self.run.id.clone(),
            state: self.state(),
            is_pass: self.run.is_pass(),
            is_running: self.busy && self.run.state == State::Running,
            began: self.run.began.clone(),
            updated: self.run.updated.clone(),
            wanted: self.told("run.total_samples").parse().ok(),
            languages: self.languages().into_iter().enumerate().map(of_language).collect(),
            spent: self.spent.chunk_by(|a, b| (&a.agent, &a.model) == (&b.agent, &b.model)).map(of_model).collect(),
        }
    }
}

impl fmt::Display for StatusReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Run { id, config, began, updated, .. } = &self.run;
        let what = if self.run.is_pass() { "pass" } else { "run" };
        writeln!(f, "{what} {id}: {}", self.state())?;
        writeln!(f, "  began          {began}, last written {updated}")?;
        let total = self.told("run.total_samples");
        for (number, language) in self.languages().iter().enumerate() {
            let of_it = self.settled.iter().filter(|one| usize::from(one.slot.language.0) == number);
            let (accepted, dropped): (Vec<_>, Vec<_>) = of_it.partition(|one| one.dropped.is_none());
            writeln!(f, "  {language:<14} {} of {total} accepted, {} dropped", accepted.len(), dropped.len())?;
        }
        let bill = Bill { spent: self.spent.clone(), tiers: self.tiers.clone(), languages: self.languages() };
        write!(f, "{bill}")?;
        for Fact { endpoint, text } in &self.learned {
            writeln!(f, "  endpoint {endpoint}: {text}")?;
        }
        match self.run.state {
            State::Completed => Ok(()),
            State::Short if self.run.is_pass() => {
                writeln!(f, "  go on with     dlgforge judge {config} --only-unjudged")
            }
            State::Short => writeln!(f, "  it ended short of its total: more attempts would not have helped"),
            State::Running if self.busy => Ok(()),
            _ if self.run.is_pass() => writeln!(f, "  the command that began it goes on"),
            _ => {
                let batch = self.told(BATCH_SIZE);
                writeln!(f, "  go on with     dlgforge run {config} --resume {id}   (run.batch_size {batch})")
            }
        }
    }
}
