//! Open: the output folder is claimed, the run found or made, and what came before it read.

use super::earlier::{Earlier, Past};
use super::events::Listeners;
use super::identity::{self, Identity};
use super::prepare::Prepared;
use super::waves::Waves;
use super::{RunError, manifest};
use crate::cluster::Manifest;
use crate::domain::{Attempt, Coverage, Fingerprint, Normalisation};
use crate::files::Folder;
use crate::operators::{Completion, Quota, Target};
use crate::output::{self, Begins, Recorder, RunFacts, coverage_ledger};
use crate::settings::{Resume, Settings};
use crate::store::{Reuse, Run, Settled, State, Store};
use std::sync::Arc;

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

/// The run that the settings ask for, in an output folder that is this process's alone.
pub struct Claimed {
    folder: Folder,
    /// Its name and its seed.
    pub identity: Identity,
    /// What its data follow from.
    pub manifest: Manifest,
    /// Another run whose replies serve too.
    pub reuse: Option<Reuse>,
}

/// Claims the output folder, and finds or names the run. A cluster that has been started before goes on with its run where that
/// has begun.
///
/// # Errors
/// When it may not go ahead, or its state can't be read. Nothing of the run is written.
pub fn claim(settings: &Settings, prepared: &Prepared, is_restarted: bool) -> Result<Claimed, RunError> {
    let folder = Folder::claim(&settings.output.folder, &settings.store.backend)?;
    let has_begun = |id: &&String| is_restarted && folder.runs.iter().any(|run| run.id == **id);
    let resumed = settings.run_id.as_ref().filter(has_begun).map(|id| Resume::Run(id.clone()));
    let identity = match resumed {
        Some(resume) => Identity::of(&Settings { resume: Some(resume), ..settings.clone() }, &folder.runs)?,
        None => Identity::of(settings, &folder.runs)?,
    };
    let manifest = manifest::manifest(settings, &prepared.sources, &identity);
    if let Some(run) = &identity.resumed {
        identity::check(run, &manifest)?;
    }
    let reuse = identity::reuse(settings, &folder.runs)?;
    Ok(Claimed { folder, identity, manifest, reuse })
}

impl Claimed {
    /// The run to go on with where it is over.
    ///
    /// # Errors
    /// When its files are not as it left them.
    pub fn is_over(&self, settings: &Settings, prepared: &Prepared) -> Result<Option<Run>, RunError> {
        let (folder, path) = (&self.folder, settings.output.folder.as_path());
        let Some(run) = self.identity.resumed.as_ref().filter(|run| run.state.is_over()) else { return Ok(None) };
        output::clear_leftovers(folder, path)?;
        output::expect_whole(folder, path, &prepared.sources.facts(settings, &self.identity))?;
        Ok(Some(run.clone()))
    }
}

/// Opens the run that was claimed.
///
/// # Errors
/// When its state or the folder can't be read or written. Nothing is written before everything has been read and found in
/// order.
pub fn open(
    settings: &Settings,
    prepared: &Prepared,
    Claimed { folder, identity, manifest, reuse }: Claimed,
    listeners: &Listeners,
) -> Result<Ready, RunError> {
    let Prepared { sources, stamp, .. } = prepared;
    let path = settings.output.folder.as_path();
    if identity.resumed.is_none() {
        let others = [identity::other_model(&folder.runs, &manifest), identity::other_rows(&folder.runs, &manifest)];
        others.into_iter().flatten().for_each(|line| tracing::warn!("{line}"));
    }
    identity::other_normalisation(settings, identity.normalisation)
        .into_iter()
        .for_each(|line| tracing::warn!("{line}"));
    let (facts, store) = (sources.facts(settings, &identity), folder.store.clone());
    let (earlier, settled) = past(settings, prepared, (&identity, reuse.as_ref()), Some(&folder))?;
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
    Ok(Ready { facts, store, recorder, waves, used, work })
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
    let reuse = identity::reuse(settings, runs)?;
    let (earlier, settled) = past(settings, prepared, (&identity, reuse.as_ref()), folder.as_ref())?;
    let work = Work::new(settings, &facts.run_id, earlier, reuse)?;
    Ok(Looked { resumed: identity.resumed, folder, facts, settled: settled.len(), work })
}

/// What came before: what other runs asked, and what this one has settled.
fn past(
    settings: &Settings,
    prepared: &Prepared,
    (identity, reuse): (&Identity, Option<&Reuse>),
    folder: Option<&Folder>,
) -> Result<(Earlier, Vec<Settled>), RunError> {
    let path = settings.output.folder.as_path();
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
        unfinished: identity::unfinished(unfinished, reuse),
        remade: settled_of(reuse.map(|reuse| &*reuse.run))?,
    };
    Ok((Earlier::read(past, &prepared.sources.catalogue)?, settled))
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
