//! `--dry-run`: the graph of a run with the journal for all its models. Nothing is asked, nothing is written.

use super::earlier::{Earlier, Past};
use super::identity::{self, Identity};
use super::inputs::Sources;
use super::{RunError, Work, generate_on_workers, manifest, shutdown, signals};
use crate::domain::Stage;
use crate::llm::rehearsal::{self, Rehearsed};
use crate::operators::{Executor, Stop};
use crate::output::Folder;
use crate::settings::Settings;
use crate::store::StoreError;
use std::fmt;
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

/// What a run would cost in calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// The run to go on with; none for a new one.
    pub resumed: Option<Arc<str>>,
    /// Conversations it has settled.
    pub settled: usize,
    /// By stage: calls the journal answers, and calls that would be made.
    pub calls: [(u64, u64); 3],
}

/// Goes through a run without asking anybody. Where the journal has no reply, one stands in for it that is usable, no
/// duplicate, and calls no tool unless it has no passages: so many calls at least would be made.
///
/// # Errors
/// When the input can't be used, or the store can't be read.
pub fn rehearse(settings: &Settings) -> Result<Rehearsal, RunError> {
    let shared = super::shared(settings)?;
    let sources = Sources::read(settings, &shared, &|_| ())?;
    shutdown::warn(settings, &shared.prices, super::stamp()?.now());
    let folder = Folder::look(&settings.output.folder)?;
    let runs = folder.as_ref().map(|folder| folder.runs.as_slice()).unwrap_or_default();
    let identity = Identity::of(settings, runs)?;
    let mut settled = Vec::new();
    if let Some((run, folder)) = identity.resumed.as_ref().zip(folder.as_ref()) {
        identity::check(run, &manifest::manifest(settings, &sources, &identity))?;
        settled = folder.store.settled(&run.id)?;
    }
    let facts = sources.facts(settings, &identity);
    let reuse = identity::reuse(settings, runs)?;
    let remade = match reuse.as_ref().zip(folder.as_ref()) {
        Some((reuse, folder)) => folder.store.settled(&reuse.run)?,
        None => Vec::new(),
    };
    let (count, path) = (settled.len(), settings.output.folder.as_path());
    let length = folder.as_ref().map_or(Ok(u64::MAX), |folder| folder.ledger_length(path))?;
    let unfinished = folder.as_ref().map_or(Ok(Vec::new()), |folder| folder.store.unfinished())?;
    let unfinished = identity::unfinished(unfinished, reuse.as_ref());
    let Identity { known, normalisation, .. } = identity;
    let past = Past { folder: path, length, known, normalisation, settled, unfinished, remade };
    let earlier = Earlier::read(past, &sources.catalogue)?;
    let work = Work::new(settings, &facts.run_id, earlier)?;
    let runtime = signals::runtime().map_err(RunError::Runtime)?;
    let (stop, failure) = (Stop::default(), Arc::new(OnceLock::new()));
    let executor = Executor::new(runtime.handle().clone(), settings.concurrency as usize, stop.clone());
    let failed = failure.clone();
    let broken: Arc<dyn Fn(&StoreError) + Send + Sync> = Arc::new(move |error| {
        _ = failed.set(error.clone());
        stop.now();
    });
    let rehearsed = Arc::new(Rehearsed::default());
    let stages = sources.stages(settings, (&facts, work.normalisation), |model, _| {
        Arc::new(rehearsal::Rehearsal {
            model: model.clone(),
            journal: folder.as_ref().map(|folder| (folder.store.clone(), facts.run_id.clone())),
            reuse: reuse.clone(),
            rehearsed: rehearsed.clone(),
            broken: broken.clone(),
        })
    });
    let (tallies, _tally) = watch::channel(work.quota.tally().clone());
    generate_on_workers(1, &work, &stages, &executor, &tallies, |_, _| {})?;
    if let Some(failure) = failure.get() {
        return Err(failure.clone().into());
    }
    let calls = Stage::ALL.map(|stage| rehearsed.of(stage));
    Ok(Rehearsal { resumed: identity.resumed.map(|run| run.id.into()), settled: count, calls })
}

impl fmt::Display for Rehearsal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (found, missing) = self.calls.iter().fold((0, 0), |sum, calls| (sum.0 + calls.0, sum.1 + calls.1));
        let run = self.resumed.as_ref().map_or("a new run".to_owned(), |run| format!("run {run}"));
        writeln!(f, "{run} would make at least {missing} calls; the journal has {found} replies for it")?;
        for (name, (found, missing)) in ["questions", "answers", "verdicts"].into_iter().zip(self.calls) {
            writeln!(f, "  {name:<14} {missing} to ask for, {found} in the journal")?;
        }
        if self.resumed.is_some() {
            writeln!(f, "  conversations  {} are settled, and ask for nothing", self.settled)?;
        }
        writeln!(
            f,
            "  further searches of answers to come, and questions that turn out to be duplicates, are not counted"
        )
    }
}
