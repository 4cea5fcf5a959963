//! `dlgforge status`: what runs an output folder has.

use super::{Bill, RunError};
use crate::files::Folder;
use crate::settings::paths::{BATCH_SIZE, LANGUAGES};
use crate::store::{Fact, Run, Settled, Spent, State, Tiered};
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
