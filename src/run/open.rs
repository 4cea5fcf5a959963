//! Open: the output folder is claimed, the run found or made, and what came before it read.

use super::earlier::{Claims, Earlier, Past};
use super::events::Listeners;
use super::identity::{self, Identity};
use super::inputs::Sources;
use super::judge_check::JudgeCheck;
use super::knowledge::waited;
use super::prepare::Prepared;
use super::waves::Waves;
use super::{RunError, manifest};
use crate::cluster::Manifest;
use crate::domain::{Agent, Compared, Coverage, Fingerprint, HeldClaim, Normalisation, Shard, Sketch};
use crate::files::Folder;
use crate::operators::Near;
use crate::operators::{Completion, Numbering, Quota, Retries, Target};
use crate::output::{self, Begins, Recorder, Renderer, RunFacts, Stamp, coverage_ledger};
use crate::plan::NearDuplicates;
use crate::settings::paths::{OUTPUT_DIR, TOTAL_SAMPLES};
use crate::settings::sources::{EMBEDDINGS, SHARD};
use crate::settings::{Resume, Settings, digest};
use crate::store::{Reuse, Run, Settled, Spending, State, Store};
use crate::tools::vectors;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Questions that are embedded together.
const EMBEDDED_AT_A_TIME: usize = 256;

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
    /// How often turns are begun anew.
    pub retries: Retries,
    /// The questions asked before, in order.
    pub earlier: Arc<[Fingerprint]>,
    /// How near-duplicates are found; none where they are not looked for.
    pub near: Option<Near>,
    /// How questions are compared.
    pub normalisation: Normalisation,
    /// Another run whose replies serve too.
    pub reuse: Option<Reuse>,
    /// What looks at the judge, where its verdicts drop anything.
    pub judge_check: Option<Arc<JudgeCheck>>,
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

/// What others have made of a run whose rest is to be made.
pub struct Others {
    /// What that follows from, for the manifest.
    pub merged: Arc<str>,
    /// The numbers that conversations and waves of the rest have, by language.
    pub numbering: Vec<Numbering>,
    /// Their conversations, in order.
    pub completions: Vec<Completion>,
    /// The questions that they have asked, and what near-duplicates of them are found by.
    pub questions: (Vec<Fingerprint>, Vec<Arc<Sketch>>),
    /// What those questions have used.
    pub coverage: Coverage,
    /// What it has cost.
    pub spent: Spending,
}

/// Claims the output folder, and finds or names the run. One that may have `begun` goes on where it has: that of a cluster which
/// is started again, and that of a shard. Conversations of the run that were made before are `merged`, if any were.
///
/// # Errors
/// When it may not go ahead, or its state can't be read. Nothing of the run is written.
pub fn claim(
    settings: &Settings,
    prepared: &Prepared,
    begun: bool,
    merged: Option<Arc<str>>,
) -> Result<Claimed, RunError> {
    let folder = Folder::claim(&settings.output.folder, &settings.store.backend)?;
    let run_id = settings.run_id.clone().or_else(|| name_of_shard(settings, prepared));
    let has_begun = |id: &&String| begun && folder.runs.iter().any(|run| run.id == **id);
    let resumed = run_id.as_ref().filter(has_begun).map(|id| Resume::Run(id.clone()));
    let resume = resumed.or_else(|| settings.resume.clone());
    let found = Identity::of(&Settings { resume, run_id, ..settings.clone() }, &folder.runs)?;
    let identity = Identity { merged, ..found };
    let manifest = manifest::manifest(settings, &prepared.sources, &identity);
    if let Some(run) = &identity.resumed {
        identity::check(run, &manifest)?;
    }
    let reuse = identity::reuse(settings, &folder.runs)?;
    Ok(Claimed { folder, identity, manifest, reuse })
}

/// The name that all shards of a run have where the settings give none: a digest of what they have in common.
fn name_of_shard(settings: &Settings, prepared: &Prepared) -> Option<String> {
    let seed = settings.shard.and(settings.plan.seed)?;
    let normalisation = settings.plan.coverage.normalisation;
    let nameless = Identity { run_id: "".into(), seed, resumed: None, known: None, normalisation, merged: None };
    let mut manifest = manifest::manifest(settings, &prepared.sources, &nameless);
    manifest.retain(|key, _| ![TOTAL_SAMPLES, OUTPUT_DIR, SHARD].contains(&key.as_str()));
    digest(format!("{manifest:?}").as_bytes()).split_once(':').map(|(_, digits)| digits.to_owned())
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

    /// What runs before have asked and used in the folder.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn earlier(&self, settings: &Settings, prepared: &Prepared) -> Result<Earlier, RunError> {
        let (folder, path, identity) = (&self.folder, settings.output.folder.as_path(), &self.identity);
        let length = folder.length(path, coverage_ledger::FILE_NAME)?;
        let mut unfinished = folder.store.unfinished()?;
        unfinished.retain(|(run, _)| **run != *identity.run_id);
        let past = Past {
            folder: path,
            // What the run itself has written comes after it.
            length: identity.known.map_or(length, |known| known.min(length)),
            known: None,
            normalisation: identity.normalisation,
            settled: Vec::new(),
            unfinished: identity::unfinished(unfinished, None),
            near: near((settings, &prepared.sources), identity, None, Some(folder))?,
            workers: 1,
            remade: Vec::new(),
        };
        let earlier = Earlier::read(past, &prepared.sources.catalogue)?;
        embed(&earlier, settings, &prepared.sources)?;
        Ok(earlier)
    }

    /// What writes the files of the run, without a graph, and how many conversations are written.
    ///
    /// # Errors
    /// When the folder can't be read or written.
    pub fn recorder(self, settings: &Settings, prepared: &Prepared) -> Result<(Recorder, usize), RunError> {
        let Self { folder, identity, manifest, .. } = self;
        let Prepared { sources, stamp, .. } = prepared;
        let facts = sources.facts(settings, &identity);
        let settled = match &identity.resumed {
            Some(run) => folder.store.settled(&run.id)?,
            None => Vec::new(),
        };
        let written = settled.len();
        let begins = begins((&folder, settings, *stamp), &identity, manifest, settled)?;
        let renderer = Renderer::new(settings.output.clone(), facts, *stamp, sources.catalogue.clone());
        let recorder = Recorder::open(renderer.into(), folder, begins, settings.store.keep_calls)?;
        Ok((recorder, written))
    }
}

/// How the recorder of a run begins.
fn begins(
    (folder, settings, stamp): (&Folder, &Settings, Stamp),
    identity: &Identity,
    manifest: Manifest,
    settled: Vec<Settled>,
) -> Result<Begins, RunError> {
    if identity.resumed.is_some() {
        return Ok(Begins::Resumed(settled));
    }
    let length = || folder.length(&settings.output.folder, coverage_ledger::FILE_NAME);
    Ok(Begins::New(Run {
        id: identity.run_id.to_string(),
        state: State::Running,
        manifest,
        config: settings.config.clone(),
        ledger: identity.known.map_or_else(length, Ok)?,
        began: stamp.utc_z(),
        updated: stamp.utc_z(),
    }))
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
    (others, homes): (Option<Others>, usize),
    listeners: &Listeners,
) -> Result<Ready, RunError> {
    let Prepared { sources, stamp, .. } = prepared;
    if identity.resumed.is_none() {
        let others = [identity::other_model(&folder.runs, &manifest), identity::other_rows(&folder.runs, &manifest)];
        others.into_iter().flatten().for_each(|line| tracing::warn!("{line}"));
    }
    identity::other_normalisation(settings, identity.normalisation)
        .into_iter()
        .for_each(|line| tracing::warn!("{line}"));
    let (facts, store) = (sources.facts(settings, &identity), folder.store.clone());
    let (mut earlier, settled) = past(settings, prepared, (&identity, reuse.as_ref(), homes), Some(&folder))?;
    if let Some(others) = &others {
        earlier.follow(&others.questions, others.coverage.clone());
    }
    let begins = begins((&folder, settings, *stamp), &identity, manifest, settled)?;
    let waves = Waves::new(settings.total_samples, &settings.languages, &earlier.completions, listeners.clone());
    let used = earlier.used();
    let others = others.map(|others| (others.numbering, others.completions));
    let work = Work::new(settings, &facts.run_id, earlier, reuse, others)?;
    let renderer = Renderer::new(settings.output.clone(), facts.clone(), *stamp, sources.catalogue.clone());
    let recorder = Recorder::open(renderer.into(), folder, begins, settings.store.keep_calls)?;
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
    let (earlier, settled) = past(settings, prepared, (&identity, reuse.as_ref(), 1), folder.as_ref())?;
    let work = Work::new(settings, &facts.run_id, earlier, reuse, None)?;
    Ok(Looked { resumed: identity.resumed, folder, facts, settled: settled.len(), work })
}

/// How near-duplicates are found, if they are, and which questions are compared that no ledger tells enough of: of all runs, but for the one
/// that is made once more.
fn near(
    (settings, sources): (&Settings, &Sources),
    identity: &Identity,
    reuse: Option<&Reuse>,
    folder: Option<&Folder>,
) -> Result<Option<(NearDuplicates, Claims)>, RunError> {
    let Some(options) = settings.plan.coverage.near else { return Ok(None) };
    let mut claims = Claims::default();
    // Vectors of other models can't be compared.
    let own = manifest::embeddings(settings, sources);
    let runs = folder.iter().flat_map(|folder| &folder.runs);
    let alike: BTreeSet<&str> =
        runs.filter(|run| run.manifest.get(EMBEDDINGS) == own.as_ref()).map(|run| run.id.as_str()).collect();
    for (run, slot, held) in folder.map_or(Ok(Vec::new()), |folder| folder.store.claims())? {
        if *run == *identity.run_id {
            claims.own.insert(slot, held);
        } else if reuse.is_none_or(|reuse| reuse.run != run) {
            let is_alike = alike.contains(&*run);
            claims.others.extend(held.iter().filter_map(HeldClaim::compared).map(|claim| match is_alike {
                true => claim,
                false => Compared { vector: None, ..claim },
            }));
        }
    }
    Ok(Some((options, claims)))
}

/// What came before: what other runs asked, and what this one has settled. The questions that are compared stand in shares for so many workers.
fn past(
    settings: &Settings,
    prepared: &Prepared,
    (identity, reuse, workers): (&Identity, Option<&Reuse>, usize),
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
        near: near((settings, &prepared.sources), identity, reuse, folder)?,
        workers,
        remade: settled_of(reuse.map(|reuse| &*reuse.run))?,
    };
    let earlier = Earlier::read(past, &prepared.sources.catalogue)?;
    embed(&earlier, settings, &prepared.sources)?;
    Ok((earlier, settled))
}

/// Makes the vectors that questions of other runs are compared by, where they have none; not where nobody is to be asked for any.
fn embed(earlier: &Earlier, settings: &Settings, sources: &Sources) -> Result<(), RunError> {
    let Earlier { near: Some(near), unembedded, .. } = earlier else { return Ok(()) };
    let is_due = !unembedded.is_empty() && !settings.knowledge.by_words;
    let Some(embedder) = sources.embedder.as_deref().filter(|_| is_due) else { return Ok(()) };
    tracing::info!(target: "dlgforge.pipeline", "[near] embedding questions of earlier runs: {}", unembedded.len());
    for some in unembedded.chunks(EMBEDDED_AT_A_TIME) {
        let made = waited(vectors(embedder, some))??;
        let sketches = some.iter().zip(made).map(|(text, vector)| Arc::new(Sketch::of_vector(text, vector)));
        near.add(&sketches.collect::<Vec<_>>());
    }
    Ok(())
}

impl Work {
    /// What these settings ask for beyond what is settled.
    fn new(
        settings: &Settings,
        run_id: &Arc<str>,
        earlier: Earlier,
        reuse: Option<Reuse>,
        others: Option<(Vec<Numbering>, Vec<Completion>)>,
    ) -> Result<Self, RunError> {
        let Earlier { coverage, questions, near, normalisation, completions, .. } = earlier;
        let numbers = settings.shard.map(Shard::numbers).unwrap_or_default();
        let alike = vec![Numbering { slots: numbers, waves: numbers }; settings.languages.len()];
        let (numbering, others) = others.unwrap_or((alike, Vec::new()));
        let quota = Quota::numbered(target(settings), numbering, coverage, others);
        let quota = restored(quota, run_id, completions)?;
        let retries = retries(settings);
        Ok(Self { quota, retries, earlier: questions, near, normalisation, reuse, judge_check: None })
    }
}

/// How often turns are begun anew.
pub fn retries(settings: &Settings) -> Retries {
    let regenerations = settings.agents.get(Agent::Judge).map_or(0, |_| settings.judge.accept.regenerations);
    Retries { duplicates: settings.plan.coverage.dedup_retries, regenerations }
}

fn target(settings: &Settings) -> Target {
    Target {
        total: settings.total_samples,
        languages: settings.languages.len() as u16,
        batch_size: settings.batch_size,
        concurrency: settings.concurrency,
        lookahead: settings.lookahead,
    }
}

/// The quota once it knows what is settled.
fn restored(mut quota: Quota, run_id: &Arc<str>, completions: Vec<Completion>) -> Result<Quota, RunError> {
    match quota.restore(completions) {
        None => Ok(quota),
        Some(slot) => {
            let detail = format!("conversation {} of language {}", slot.index, slot.language);
            Err(RunError::Inconsistent(run_id.clone(), detail))
        }
    }
}
