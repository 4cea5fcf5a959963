//! Which conversations of an output folder are judged, and by which pass.

use super::super::manifest::endpoint_models;
use super::super::{RunError, identity};
use super::PassOptions;
use crate::domain::{Agent, Catalogue, LanguageIndex, Slot};
use crate::files::Folder;
use crate::output::{FORMAT_VERSION, PastRun, SettledRun};
use crate::plan::{personas::Pool, sampled};
use crate::settings::paths::{FILES, SEED, WRITERS};
use crate::settings::sources::{FORMAT, KNOWLEDGE, PERSONAS, PROMPTS};
use crate::settings::{Settings, digest};
use crate::stages::{Judge, Prompts};
use crate::store::{Reuse, Run};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the manifest of a pass tells of what it judges, beside how.
const RUNS: &str = "conversations of runs";
const ONLY_UNJUDGED: &str = "--only-unjudged";
const SAMPLE: &str = "--sample";
const CALIBRATE: &str = "--calibrate";

/// Settings of what becomes of turns while they are made.
const UNUSED: [&str; 7] = [
    "judge.mode",
    "judge.calibrate",
    "judge.accept.on_fail",
    "judge.accept.repairs",
    "judge.accept.regenerations",
    "checks.on_fail",
    "checks.repairs",
];

/// The runs of a folder whose conversations are judged, each with those of what it has settled that have documents.
///
/// # Errors
/// When there is none, or they were made from other documents or are written otherwise.
pub fn runs(
    folder: &Folder,
    settings: &Settings,
    options: &PassOptions,
    catalogue: &Arc<Catalogue>,
) -> Result<Vec<SettledRun>, RunError> {
    let named = options.run.as_deref().map(|id| identity::found(&folder.runs, Some(id)).map(|run| run.id.as_str()));
    let named = named.transpose()?;
    let mut found = Vec::new();
    for run in folder.runs.iter().filter(|run| named.is_none_or(|id| run.id == id)) {
        if !run.state.is_over() {
            tracing::warn!(
                target: "dlgforge.judge",
                "[judge] the conversations of run {0} are left out, for it has not ended: go on with it first (dlgforge run {1} \
                 --resume {0})",
                run.id, run.config
            );
            continue;
        }
        demand_same(run, settings, catalogue)?;
        let mut settled = folder.store.settled(&run.id)?;
        if settled.iter().any(|one| one.turns.all > 0 && one.document == 0) {
            return Err(RunError::Unjudgeable(format!(
                "run {} was made without `conversations` in `{FILES}`, and they are read from there",
                run.id
            )));
        }
        settled.retain(|one| one.document > 0);
        let languages = identity::languages_of(run).into_iter().map(Arc::from).collect();
        let told = (run.id.as_str(), languages, plays_personas(run));
        found.push((PastRun::new(folder, &settings.output, told, catalogue.clone()), settled));
    }
    if found.iter().all(|(_, settled)| settled.is_empty()) {
        let outputs = settings.output.folder.display();
        return Err(RunError::Unjudgeable(format!("{outputs} has no conversations of a run that has ended")));
    }
    Ok(found)
}

/// Demands that a run was made from the same documents, and wrote its files as they are written now.
fn demand_same(run: &Run, settings: &Settings, catalogue: &Catalogue) -> Result<(), RunError> {
    let mut now: BTreeMap<String, String> = settings.fixed().map(|(key, value)| (key.to_owned(), value)).collect();
    now.insert(FORMAT.to_owned(), FORMAT_VERSION.to_string());
    let digest_of = |path: &str| {
        let source = catalogue.sources.iter().find(|source| source.path == path);
        source.map(|source| source.digest.to_string())
    };
    let matters = |key: &str| (key.starts_with("saving.") && key != FILES) || key == FORMAT;
    now.retain(|key, _| matters(key));
    let mut then = run.manifest.clone();
    then.retain(|key, _| matters(key) || key.starts_with(KNOWLEDGE));
    let documents = then.keys().filter_map(|key| Some((key.clone(), digest_of(key.strip_prefix(KNOWLEDGE)?)?)));
    now.extend(documents.collect::<Vec<_>>());
    let changes = identity::changes(&then, &now);
    if changes.is_empty() {
        return Ok(());
    }
    Err(RunError::Unjudgeable(format!(
        "run {} was made otherwise: {changes}; change it back, or name another run by --run",
        run.id
    )))
}

/// Whether a run had personas and its models played them: the built-in model plays none.
fn plays_personas(run: &Run) -> bool {
    let none = digest(format!("{:?}", Pool::default()).as_bytes());
    let is_builtin = |(_, [provider, _]): &(Agent, [&str; 2])| {
        run.manifest.get(*provider).is_some_and(|provider| provider == "builtin")
    };
    run.manifest.get(PERSONAS).is_some_and(|personas| *personas != none) && !WRITERS.iter().any(is_builtin)
}

/// The conversations to judge, each by the number of its run and its slot.
///
/// # Errors
/// When a document can't be read.
pub fn due(
    runs: &[SettledRun],
    settings: &Settings,
    options: &PassOptions,
    (folder, judge): (&Folder, &Judge),
) -> Result<Vec<(usize, Slot)>, RunError> {
    let all = (0..).zip(runs).flat_map(|(number, (_, settled))| settled.iter().map(move |one| (number, one.slot)));
    let mut due: Vec<(usize, Slot)> = all.collect();
    if options.only_unjudged {
        let has_work = |(number, slot): (usize, Slot)| {
            let (_, conversation) = runs[number].0.read(slot)?;
            Ok(judge.has_work(&conversation, true).then_some((number, slot)))
        };
        let found: Result<Vec<_>, RunError> = due.into_par_iter().map(has_work).collect();
        due = found?.into_iter().flatten().collect();
    }
    let Some(count) = options.sample else { return Ok(due) };
    let last = folder.runs.last().and_then(|run| run.manifest.get(SEED)?.parse().ok());
    let seed = settings.plan.seed.or(last).unwrap_or_default();
    let language = |(number, slot): &(usize, Slot)| runs[*number].0.language(*slot).clone();
    let languages: BTreeSet<Arc<str>> = due.iter().map(language).collect();
    let groups: Vec<Vec<(usize, Slot)>> =
        languages.iter().map(|own| due.iter().filter(|one| language(one) == *own).copied().collect()).collect();
    let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
    let drawn = sampled(seed, &sizes, count as usize).into_iter().zip(groups);
    let mut due: Vec<_> = drawn.flat_map(|(at, group)| at.into_iter().map(move |at| group[at])).collect();
    due.sort_unstable();
    Ok(due)
}

/// The conversations of these in whose first turn the judge scores spoiled answers too: of each language the first ones whose
/// first turn is judged.
///
/// # Errors
/// When a document can't be read.
pub fn calibrated(
    runs: &[SettledRun],
    options: &PassOptions,
    due: &[(usize, Slot)],
) -> Result<BTreeSet<(usize, Slot)>, RunError> {
    let Some(most) = options.calibrate else { return Ok(BTreeSet::new()) };
    let mut found: BTreeMap<&str, u32> = BTreeMap::new();
    let mut calibrated = BTreeSet::new();
    for (number, slot) in due {
        let run = &runs[*number].0;
        let count = found.entry(run.language(*slot)).or_default();
        if *count == most {
            continue;
        }
        let (_, conversation) = run.read(*slot)?;
        let first = conversation.turns.first();
        if first.is_some_and(|turn| !options.only_unjudged || turn.judgement.is_none()) {
            *count += 1;
            calibrated.insert((*number, *slot));
        }
    }
    Ok(calibrated)
}

/// The replies that serve a pass too: those of earlier passes, the last one first, and of the runs. What has no verdict is asked for
/// anew: replies to that are there already, and could not be read.
pub fn reused(folder: &Folder, runs: &[SettledRun], options: &PassOptions, id: &str) -> Vec<Reuse> {
    if options.only_unjudged {
        return Vec::new();
    }
    let passes = folder.passes.iter().rev().map(|pass| pass.id.as_str()).filter(|pass| *pass != id);
    let slots = runs.iter().flat_map(|(_, settled)| settled.iter().map(|one| one.slot.language));
    let languages: Vec<_> =
        slots.max().map_or_else(Vec::new, |last| (0..=last.0).map(|at| Some(LanguageIndex(at))).collect());
    let reuse = |run: &str| Reuse { run: run.to_owned(), languages: languages.clone() };
    passes.chain(runs.iter().map(|(run, _)| &*run.id)).map(reuse).collect()
}

/// What a pass follows from, beside replies: how is judged, and what.
pub fn manifest(
    settings: &Settings,
    prompts: &Prompts,
    options: &PassOptions,
    (runs, due): (&[SettledRun], &[(usize, Slot)]),
) -> BTreeMap<String, String> {
    let is_asked = |key: &str| {
        let leads = ["judge.", "llm.agents.judge.", "checks."].iter().any(|start| key.starts_with(start));
        leads && !UNUSED.contains(&key)
    };
    let mut manifest: BTreeMap<String, String> =
        settings.fixed().filter(|(key, _)| is_asked(key)).map(|(key, value)| (key.to_owned(), value)).collect();
    let mut tell = |key: &str, value: String| _ = manifest.insert(key.to_owned(), value);
    let (key, models) = endpoint_models(settings, Agent::Judge);
    tell(&key, models);
    for (name, source) in prompts.sources().iter().filter(|(name, _)| name.starts_with("judge_")) {
        tell(&format!("{PROMPTS}{name}"), digest(source.as_bytes()));
    }
    let of_runs = runs.iter().map(|(run, settled)| format!("{} ({})", run.id, settled.len()));
    tell(RUNS, of_runs.collect::<Vec<_>>().join(", "));
    let which = || {
        let ids: Vec<_> = due.iter().map(|(number, slot)| runs[*number].0.conversation_id(*slot)).collect();
        digest(ids.join(" ").as_bytes())
    };
    if options.only_unjudged {
        tell(ONLY_UNJUDGED, which());
    }
    if let Some(count) = options.sample {
        // Which ones they are follows from the seed.
        tell(SAMPLE, format!("{count}, {}", which()));
    }
    if let Some(count) = options.calibrate {
        tell(CALIBRATE, count.to_string());
    }
    manifest
}

/// Whether a pass judges conversations of the run of this id.
pub fn is_about(pass: &Run, run: &str) -> bool {
    let runs = pass.manifest.get(RUNS).map(String::as_str).unwrap_or_default();
    runs.split(", ").any(|one| one.rsplit_once(" (").is_some_and(|(id, _)| id == run))
}

/// The pass with this manifest.
pub enum Pass {
    /// One that has begun and not ended.
    Begun(Run),
    /// The last one that judged all: it has ended.
    Over(Run),
    /// There is none to go on with; the id of a new one.
    New(String),
}

impl Pass {
    /// Among those of a folder.
    pub fn of(folder: &Folder, manifest: &BTreeMap<String, String>) -> Self {
        let same = |pass: &&Run| pass.manifest == *manifest;
        if let Some(begun) = folder.passes.iter().rev().filter(same).find(|pass| !pass.state.is_over()) {
            return Self::Begun(begun.clone());
        }
        let last = folder.passes.iter().rev().find(|pass| !pass.manifest.contains_key(ONLY_UNJUDGED));
        // One that calibrated the judge too has done all that one does which does not.
        let calibrates = manifest.contains_key(CALIBRATE);
        let rest = |pass: &Run| pass.manifest.iter().filter(|(key, _)| calibrates || *key != CALIBRATE).eq(manifest);
        match last.filter(|pass| rest(pass)) {
            Some(over) => Self::Over(over.clone()),
            None => Self::New(format!("{}{}", Run::PASS, folder.passes.len() + 1)),
        }
    }
}
