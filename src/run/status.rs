//! `dlgforge status`: what runs an output folder has.

use super::{Bill, RunError};
use crate::files::Folder;
use crate::settings::paths::{BATCH_SIZE, LANGUAGES};
use crate::store::{Cost, Fact, Run, Settled, Spent, State, Tiered};
use serde::Serialize;
use serde::ser::Serializer;
use std::fmt;
use std::path::Path;

/// The version of the JSON: another one where a key goes or means something else.
const VERSION: u32 = 1;

/// What an output folder's store tells of all its runs, for people and as JSON whose keys stay.
#[derive(Debug, Clone, Serialize)]
pub struct Statuses {
    version: u32,
    /// The output folder, as it was named.
    folder: String,
    /// Whether a process writes to the folder at this moment.
    running: bool,
    /// The runs in the order in which they began, and then the passes of the judge.
    pub(super) runs: Vec<StatusReport>,
}

impl Statuses {
    /// Whether a process writes to the folder at this moment.
    pub fn is_running(&self) -> bool {
        self.running
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.runs.is_empty() {
            writeln!(f, "{} has no runs", self.folder)?;
        }
        self.runs.iter().try_for_each(|report| write!(f, "{report}"))
    }
}

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
pub fn status(outputs: &Path, dsn: Option<&str>) -> Result<Statuses, RunError> {
    let busy = Folder::is_busy(outputs)?;
    let all = |runs| Statuses { version: VERSION, folder: outputs.display().to_string(), running: busy, runs };
    let Some(folder) = Folder::find(outputs, dsn)? else { return Ok(all(Vec::new())) };
    let report = |run: &Run| {
        let (settled, spent) = (folder.store.settled(&run.id)?, folder.store.spent(&run.id)?);
        let (tiers, learned) = (folder.store.tiers(&run.id)?, folder.store.learned(&run.id)?);
        Ok(StatusReport { run: run.clone(), busy, settled, spent, tiers, learned })
    };
    Ok(all(folder.runs.iter().chain(&folder.passes).map(report).collect::<Result<_, RunError>>()?))
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

    /// Whether a process makes it at this moment.
    fn is_running(&self) -> bool {
        self.run.state == State::Running && self.busy
    }

    /// The command that goes on with it, where there is something to go on with.
    fn again(&self) -> Option<String> {
        let Run { id, config, state, .. } = &self.run;
        match state {
            State::Completed => None,
            State::Short if self.run.is_pass() => Some(format!("dlgforge judge {config} --only-unjudged")),
            State::Short => None,
            State::Running if self.busy => None,
            _ if self.run.is_pass() => None,
            _ => Some(format!("dlgforge run {config} --resume {id}")),
        }
    }

    /// Accepted and dropped conversations of a language, by its number.
    fn counts(&self, number: usize) -> [usize; 2] {
        let of_it = self.settled.iter().filter(|one| usize::from(one.slot.language.0) == number);
        let (accepted, dropped): (Vec<_>, Vec<_>) = of_it.partition(|one| one.dropped.is_none());
        [accepted.len(), dropped.len()]
    }

    fn told(&self, key: &str) -> &str {
        self.run.manifest.get(key).map_or("?", String::as_str)
    }

    fn languages(&self) -> Vec<String> {
        serde_json::from_str(self.told(LANGUAGES)).unwrap_or_default()
    }
}

impl fmt::Display for StatusReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Run { id, began, updated, .. } = &self.run;
        let what = if self.run.is_pass() { "pass" } else { "run" };
        writeln!(f, "{what} {id}: {}", self.state())?;
        writeln!(f, "  began          {began}, last written {updated}")?;
        let total = self.told("run.total_samples");
        for (number, language) in self.languages().iter().enumerate() {
            let [accepted, dropped] = self.counts(number);
            writeln!(f, "  {language:<14} {accepted} of {total} accepted, {dropped} dropped")?;
        }
        let bill = Bill { spent: self.spent.clone(), tiers: self.tiers.clone(), languages: self.languages() };
        write!(f, "{bill}")?;
        for Fact { endpoint, text } in &self.learned {
            writeln!(f, "  endpoint {endpoint}: {text}")?;
        }
        match (self.again(), self.run.state) {
            (Some(again), _) if self.run.is_pass() => writeln!(f, "  go on with     {again}"),
            (Some(again), _) => writeln!(f, "  go on with     {again}   (run.batch_size {})", self.told(BATCH_SIZE)),
            (None, State::Completed) => Ok(()),
            (None, State::Short) => writeln!(f, "  it ended short of its total: more attempts would not have helped"),
            (None, _) if self.is_running() => Ok(()),
            (None, _) => writeln!(f, "  the command that began it goes on"),
        }
    }
}

/// A run as the JSON has it.
#[derive(Serialize)]
struct Told<'a> {
    id: &'a str,
    /// `run`, or `pass` for a pass of the judge.
    kind: &'static str,
    /// The state that is kept; `cut_off` for one that is running by the store, and whose process is gone.
    state: &'static str,
    config: &'a str,
    began: &'a str,
    updated: &'a str,
    languages: Vec<ToldLanguage>,
    spent: Vec<ToldModel<'a>>,
    calls: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    /// None where some call is of unknown price.
    usd: Option<f64>,
    endpoints: &'a [Fact],
    go_on: Option<String>,
}

#[derive(Serialize)]
struct ToldLanguage {
    language: String,
    /// Accepted conversations that there are to be; none for a pass.
    wanted: Option<u64>,
    accepted: usize,
    dropped: usize,
}

/// What the calls of an agent to a model have cost.
#[derive(Serialize)]
struct ToldModel<'a> {
    agent: &'a str,
    model: &'a str,
    calls: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    /// Seconds that a call took in the mean.
    seconds: f64,
    /// Without the calls of unknown price.
    usd: f64,
    unpriced: u64,
}

impl<'a> ToldModel<'a> {
    /// Of what was spent on one model by one agent.
    fn of(spent: &'a [Spent]) -> Self {
        let sum = spent.iter().fold(Cost::default(), |sum, one| sum.plus(one.cost));
        Self {
            agent: &spent[0].agent,
            model: &spent[0].model,
            calls: sum.calls,
            prompt_tokens: sum.prompt_tokens,
            completion_tokens: sum.completion_tokens,
            seconds: sum.latency_us as f64 / 1e6 / sum.calls.max(1) as f64,
            usd: sum.nanousd as f64 / 1e9,
            unpriced: sum.unpriced,
        }
    }
}

impl Serialize for StatusReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Run { id, config, began, updated, state, .. } = &self.run;
        let wanted = self.told("run.total_samples").parse().ok();
        let language = |(number, language)| {
            let [accepted, dropped] = self.counts(number);
            ToldLanguage { language, wanted, accepted, dropped }
        };
        let cost = self.spent.iter().fold(Cost::default(), |sum, spent| sum.plus(spent.cost));
        Told {
            id,
            kind: if self.run.is_pass() { "pass" } else { "run" },
            state: if *state == State::Running && !self.busy { "cut_off" } else { state.as_str() },
            config,
            began,
            updated,
            languages: self.languages().into_iter().enumerate().map(language).collect(),
            spent: self
                .spent
                .chunk_by(|a, b| (&a.agent, &a.model) == (&b.agent, &b.model))
                .map(ToldModel::of)
                .collect(),
            calls: cost.calls,
            prompt_tokens: cost.prompt_tokens,
            completion_tokens: cost.completion_tokens,
            usd: (cost.unpriced == 0).then_some(cost.nanousd as f64 / 1e9),
            endpoints: &self.learned,
            go_on: self.again(),
        }
        .serialize(serializer)
    }
}
