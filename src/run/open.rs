//! Open: the output folder is claimed, the run found or made, and what came before it read.

use super::earlier::{Earlier, Past};
use super::events::Listeners;
use super::identity::{self, Identity};
use super::prepare::Prepared;
use super::waves::Waves;
use super::{RunError, manifest};
use crate::domain::{Attempt, Coverage, Fingerprint, Normalisation};
use crate::files::Folder;
use crate::operators::{Completion, Quota, Target};
use crate::output::{self, Begins, Recorder, RunFacts, coverage_ledger};
use crate::settings::Settings;
use crate::store::{Reuse, Run, Settled, State, Store};
use std::sync::Arc;

/// What a folder has for the run that the settings ask for.
pub enum Opened {
    /// It can go ahead.
    Ready(Box<Ready>),
    /// The run to go on with is over.
    Over(Run),
}

/// A run that can go ahead.
pub struct Ready {
    /// What is the same for all its conversations.
    pub facts: RunFacts,
    /// The store that keeps the state of the run.
    pub store: Arc<dyn Store>,
    /// Writes the outputs of the run.
    pub recorder: Recorder,
    /// The waves that it has settled.
    pub waves: Waves,
    /// What was used so far.
    pub used: Coverage,
    /// What there is to do.
    pub work: Work,
}

/// What there is to do.
pub struct Work {
    /// Which conversations to open.
    pub quota: Quota,
    /// Further attempts at a rejected question.
    pub retries: Attempt,
    /// The questions asked before, in order.
    pub earlier: Arc<[Fingerprint]>,
    /// How questions are compared.
    pub normalisation: Normalisation,
    /// Another run whose replies serve too.
    pub reuse: Option<Reuse>,
}

/// Opens the run that the settings ask for.
///
/// # Errors
/// When it may not go ahead, or its state or the folder can't be read or written. Nothing is written before everything has
/// been read and found in order.
pub fn open(settings: &Settings, prepared: &Prepared, listeners: &Listeners) -> Result<Opened, RunError> {
    let Prepared { sources, stamp, .. } = prepared;
    let path = settings.output.folder.as_path();
    let folder = Folder::claim(path, &settings.store.backend)?;
    let identity = Identity::of(settings, &folder.runs)?;
    let manifest = manifest::manifest(settings, sources, &identity);
    if let Some(run) = &identity.resumed {
        identity::check(run, &manifest)?;
        if run.state.is_over() {
            output::clear_leftovers(&folder, path)?;
            output::expect_whole(&folder, path, &sources.facts(settings, &identity))?;
            return Ok(Opened::Over(run.clone()));
        }
    }
    if identity.resumed.is_none() {
        let others = [identity::other_model(&folder.runs, &manifest), identity::other_rows(&folder.runs, &manifest)];
        others.into_iter().flatten().for_each(|line| tracing::warn!("{line}"));
    }
    identity::other_normalisation(settings, identity.normalisation)
        .into_iter()
        .for_each(|line| tracing::warn!("{line}"));
    let (facts, store) = (sources.facts(settings, &identity), folder.store.clone());
    let (earlier, settled, reuse) = past(settings, prepared, &identity, Some(&folder))?;
    let begins = match &identity.resumed {
        Some(_) => Begins::Resumed(settled),
        None => Begins::New(Run {
            id: facts.run_id.to_string(),
            state: State::Running,
            manifest,
            config: settings.config.clone(),
            ledger: identity.known.map_or_else(|| folder.length(path, coverage_ledger::FILE_NAME), Ok)?,
            began: stamp.utc_z(),
            updated: stamp.utc_z(),
        }),
    };
    let waves = Waves::new(settings.total_samples, &settings.languages, &earlier.completions, listeners.clone());
    let used = earlier.used();
    let work = Work::new(settings, &facts.run_id, earlier, reuse)?;
    let (options, catalogue) = (settings.output.clone(), sources.catalogue.clone());
    let keep_calls = settings.store.keep_calls;
    let recorder = Recorder::open(options, facts.clone(), *stamp, catalogue, folder, begins, keep_calls)?;
    Ok(Opened::Ready(Box::new(Ready { facts, store, recorder, waves, used, work })))
}

/// What a dry run goes through: the run that the settings ask for, and nothing of it is written.
pub struct Looked {
    /// The output folder; none when there is none yet.
    pub folder: Option<Folder>,
    /// The run to go on with; none for a new one.
    pub resumed: Option<Run>,
    /// What is the same for all its conversations.
    pub facts: RunFacts,
    /// Conversations that it has settled.
    pub settled: usize,
    /// What there would be to do.
    pub work: Work,
}

/// Looks at the run that the settings ask for.
///
/// # Errors
/// When it may not go ahead, or its state can't be read.
pub fn look(settings: &Settings, prepared: &Prepared) -> Result<Looked, RunError> {
    let folder = Folder::look(&settings.output.folder, &settings.store.backend)?;
    let runs = folder.as_ref().map(|folder| folder.runs.as_slice()).unwrap_or_default();
    let identity = Identity::of(settings, runs)?;
    if let Some(run) = &identity.resumed {
        identity::check(run, &manifest::manifest(settings, &prepared.sources, &identity))?;
    }
    let facts = prepared.sources.facts(settings, &identity);
    let (earlier, settled, reuse) = past(settings, prepared, &identity, folder.as_ref())?;
    let work = Work::new(settings, &facts.run_id, earlier, reuse)?;
    Ok(Looked { resumed: identity.resumed, folder, facts, settled: settled.len(), work })
}

/// What came before: what other runs asked, what this one has settled, and whose replies serve too.
fn past(
    settings: &Settings,
    prepared: &Prepared,
    identity: &Identity,
    folder: Option<&Folder>,
) -> Result<(Earlier, Vec<Settled>, Option<Reuse>), RunError> {
    let path = settings.output.folder.as_path();
    let reuse = identity::reuse(settings, folder.map(|folder| folder.runs.as_slice()).unwrap_or_default())?;
    let settled_of = |run: Option<&str>| match folder.zip(run) {
        Some((folder, run)) => folder.store.settled(run),
        None => Ok(Vec::new()),
    };
    let settled = settled_of(identity.resumed.as_ref().map(|run| run.id.as_str()))?;
    let unfinished = folder.map_or(Ok(Vec::new()), |folder| folder.store.unfinished())?;
    let past = Past {
        folder: path,
        length: folder.map_or(Ok(u64::MAX), |folder| folder.length(path, coverage_ledger::FILE_NAME))?,
        known: identity.known,
        normalisation: identity.normalisation,
        settled: settled.clone(),
        unfinished: identity::unfinished(unfinished, reuse.as_ref()),
        remade: settled_of(reuse.as_ref().map(|reuse| &*reuse.run))?,
    };
    Ok((Earlier::read(past, &prepared.sources.catalogue)?, settled, reuse))
}

impl Work {
    /// What these settings ask for beyond what is settled.
    fn new(settings: &Settings, run_id: &Arc<str>, earlier: Earlier, reuse: Option<Reuse>) -> Result<Self, RunError> {
        let Earlier { coverage, questions, normalisation, completions } = earlier;
        let quota = quota(settings, run_id, coverage, completions)?;
        let retries = Attempt(settings.plan.coverage.dedup_retries);
        Ok(Self { quota, retries, earlier: questions, normalisation, reuse })
    }
}

fn quota(
    settings: &Settings,
    run_id: &Arc<str>,
    coverage: Coverage,
    completions: Vec<Completion>,
) -> Result<Quota, RunError> {
    let target = Target {
        total: settings.total_samples,
        languages: settings.languages.len() as u16,
        batch_size: settings.batch_size,
        concurrency: settings.concurrency,
        lookahead: settings.lookahead,
    };
    let mut quota = Quota::new(target, coverage);
    match quota.restore(completions) {
        None => Ok(quota),
        Some(slot) => {
            let detail = format!("conversation {} of language {}", slot.index, slot.language);
            Err(RunError::Inconsistent(run_id.clone(), detail))
        }
    }
}
