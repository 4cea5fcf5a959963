//! How a run begins: the output folder is claimed, the run found or made, and what came before it read.

use super::earlier::{Earlier, Past};
use super::identity::{self, Identity};
use super::inputs::Sources;
use super::writer::Waves;
use super::{RunError, Work, manifest};
use crate::files::Folder;
use crate::output::{self, Begins, Recorder, RunFacts, Stamp, coverage_ledger};
use crate::settings::Settings;
use crate::store::{Reuse, Run, State, Store};
use std::sync::Arc;

/// A run that can go ahead.
pub struct Begun {
    pub facts: RunFacts,
    pub store: Arc<dyn Store>,
    pub reuse: Option<Reuse>,
    pub recorder: Recorder,
    pub waves: Waves,
    pub work: Work,
}

/// Begins the run that the settings ask for; the run to go on with where it is over.
///
/// Nothing is written before everything has been read and found in order.
pub fn begin(settings: &Settings, sources: &Sources, stamp: Stamp) -> Result<Result<Begun, Run>, RunError> {
    let path = settings.output.folder.as_path();
    let folder = Folder::claim(path)?;
    let identity = Identity::of(settings, &folder.runs)?;
    let manifest = manifest::manifest(settings, sources, &identity);
    if let Some(run) = &identity.resumed {
        identity::check(run, &manifest)?;
        if run.state.is_over() {
            output::clear_leftovers(&folder, path)?;
            output::expect_whole(&folder, path, &sources.facts(settings, &identity))?;
            return Ok(Err(run.clone()));
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
    let reuse = identity::reuse(settings, &folder.runs)?;
    let settled = if identity.resumed.is_some() { store.settled(&facts.run_id)? } else { Vec::new() };
    let ledger = folder.length(path, coverage_ledger::FILE_NAME)?;
    let begins = match &identity.resumed {
        Some(_) => Begins::Resumed(settled.clone()),
        None => Begins::New(Run {
            id: facts.run_id.to_string(),
            state: State::Running,
            manifest,
            config: settings.config.clone(),
            ledger: identity.known.unwrap_or(ledger),
            began: stamp.utc_z(),
            updated: stamp.utc_z(),
        }),
    };
    let remade = reuse.as_ref().map_or(Ok(Vec::new()), |reuse| store.settled(&reuse.run))?;
    let unfinished = identity::unfinished(store.unfinished()?, reuse.as_ref());
    let Identity { known, normalisation, .. } = identity;
    let past = Past { folder: path, length: ledger, known, normalisation, settled, unfinished, remade };
    let earlier = Earlier::read(past, &sources.catalogue)?;
    let waves = Waves::new(settings.total_samples, &settings.languages, &earlier.outcomes);
    let work = Work::new(settings, &facts.run_id, earlier)?;
    let (options, catalogue) = (settings.output.clone(), sources.catalogue.clone());
    let keep_calls = settings.store.keep_calls;
    let recorder = Recorder::open(options, facts.clone(), stamp, catalogue, folder, begins, keep_calls)?;
    Ok(Ok(Begun { facts, store, reuse, recorder, waves, work }))
}
