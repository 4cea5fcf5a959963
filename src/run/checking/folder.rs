//! A check of where a run writes: the output folder with the runs in it, room on the disk, and what those runs say of the judge.

use super::super::prepare::Prepared;
use super::super::{identity, judge_check, layout, manifest};
use super::cost::Paid;
use super::report::{Figures, Group};
use crate::domain::causes::causes;
use crate::domain::{Agent, Calibration};
use crate::files::Folder;
use crate::settings::Settings;
use crate::store::{Backend, Postgres, Run, StoreError};
use std::path::Path;

/// Bytes of a turn in all files; with `saving.raw`; and of them, those of `conversations_sharegpt`.
const TURN: u64 = 30_000;
const RAW_TURN: u64 = 98_000;
const TRAINING: u64 = 7_000;
/// What the journal has of the requests for a turn.
const REQUESTS: u64 = 14_000;

/// Looks at the output folder; the folder as its store tells of it, where it has one.
pub fn folder(settings: &Settings, prepared: Option<&Prepared>, group: &mut Group) -> Option<Folder> {
    let path = &settings.output.folder;
    for (what, path) in
        [("saving.output_dir", path), ("the logs", &settings.logs), ("the index", &settings.knowledge.index_folder)]
    {
        if let Err(why) = writable(path) {
            group.problem(format!("{what}: {} can't be written: {why}", path.display()));
        }
    }
    if path.is_dir() && Folder::is_busy(path).unwrap_or_default() {
        group.problem(format!(
            "{} is in use by another run: wait for its end (`dlgforge status --watch`), or set saving.output_dir to another folder",
            path.display()
        ));
    }
    if let Backend::Postgres(options) = &settings.store.backend {
        match Postgres::reach(options) {
            Ok(server) => {
                group.ok(format!("the state of runs is kept in PostgreSQL at {server}, which can be reached"))
            }
            Err(error) => {
                group.problem(causes(&error));
                return None;
            }
        }
    }
    let found = match Folder::look(path, &settings.store.backend) {
        Ok(found) => found,
        Err(error) => {
            group.problem(causes(&error));
            return None;
        }
    };
    let runs = found.as_ref().map_or(&[][..], |folder| &folder.runs);
    names(settings, prepared, runs, group);
    for run in runs.iter().filter(|run| !run.state.is_over()) {
        let (id, state, config) = (&run.id, run.state.as_str(), &settings.config_path);
        group.ok(format!("run {id} is not complete ({state}): dlgforge run {config} --resume {id} goes on with it"));
    }
    let complete = runs.iter().filter(|run| run.state.is_over()).count();
    match runs.len() {
        0 => group.ok(format!("{} has no runs yet", path.display())),
        _ => group.ok(format!("{} has {complete} runs that are over: a new one adds to them", path.display())),
    }
    found
}

/// Looks whether a new run can have its name, and its rows lie beside those that are there.
fn names(settings: &Settings, prepared: Option<&Prepared>, runs: &[Run], group: &mut Group) {
    let identity = match identity::Identity::of(settings, runs) {
        Ok(identity) => identity,
        Err(error) => return group.problem(causes(&error)),
    };
    if runs.iter().any(|run| *run.id == *identity.run_id) {
        group.problem(causes(&StoreError::RunExists(identity.run_id.to_string())));
    }
    if let Err(error) = identity::reuse(settings, runs) {
        group.problem(causes(&error));
    }
    identity::other_normalisation(settings, identity.normalisation).into_iter().for_each(|line| group.warn(line));
    if let Some(prepared) = prepared {
        let manifest = manifest::manifest(settings, &prepared.sources, &identity);
        let others = [identity::other_model(runs, &manifest), identity::other_rows(runs, &manifest)];
        others.into_iter().flatten().for_each(|line| group.warn(line));
    }
}

/// Whether a folder can be written, or made.
fn writable(path: &Path) -> Result<(), String> {
    let there = there(path);
    if !there.is_dir() {
        return Err(format!("{} is no folder", there.display()));
    }
    #[cfg(unix)]
    {
        use rustix::fs::{Access, access};
        let wanted = Access::WRITE_OK | Access::EXEC_OK;
        access(there, wanted).map_err(|error| format!("{} ({})", error, there.display()))?;
    }
    Ok(())
}

/// The nearest folder above a path that is there, or what is there at the path.
fn there(path: &Path) -> &Path {
    path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."))
}

/// Compares what a run would write with the room there is.
pub fn room(settings: &Settings, (group, figures): (&mut Group, &mut Figures)) {
    let Some(turns) = figures.turns else { return };
    let output = &settings.output;
    let spared = if output.files.has("conversations_sharegpt") { 0 } else { TRAINING };
    // The built-in model, which has no endpoint, is asked without a text.
    let asks = settings.agents.iter().any(|(_, options)| !options.endpoints.is_empty());
    let keeps = settings.store.keep_calls && settings.store.keep_requests && asks;
    let asked = if keeps { REQUESTS } else { 0 };
    let bytes = turns * (asked + if output.raw { RAW_TURN } else { TURN - spared });
    figures.bytes = Some(bytes);
    let Some(free) = free(there(&output.folder)) else { return };
    figures.free_bytes = Some(free);
    let told = format!("about {} will be written, and {} are free", layout::size(bytes), layout::size(free));
    let less = "name fewer files in saving.files, or set saving.output_dir to another disk";
    match bytes {
        _ if bytes > free => group.problem(format!("{told}: {less}")),
        _ if bytes > free / 2 => group.warn(format!("{told}: {less}")),
        _ => group.ok(told),
    }
}

/// Bytes that are free for this user on the file system of a folder.
fn free(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let found = rustix::fs::statvfs(folder).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// What the runs of a folder have paid.
pub fn paid(folder: Option<&Folder>) -> Paid {
    let mut paid = Paid::new();
    let Some(folder) = folder else { return paid };
    for spent in folder.runs.iter().filter_map(|run| folder.store.spent(&run.id).ok()).flatten() {
        let cost = paid.entry((spent.agent, spent.model)).or_default();
        *cost = cost.plus(spent.cost);
    }
    paid
}

/// Looks at what the folder's runs with the same judge say of how well it tells answers from spoiled ones.
pub fn judge(settings: &Settings, folder: Option<&Folder>, group: &mut Group) {
    let Some(judge) = settings.agents.get(Agent::Judge) else {
        return group.ok("conversations are not judged (`judge.mode`)");
    };
    let (key, models) = manifest::endpoint_models(settings, Agent::Judge);
    let mut calibration = Calibration::default();
    for run in folder.iter().flat_map(|folder| folder.runs.iter().chain(&folder.passes)) {
        let is_its = run.manifest.get(&key) == Some(&models);
        let settled = folder.filter(|_| is_its).and_then(|folder| folder.store.settled(&run.id).ok());
        settled.into_iter().flatten().for_each(|one| calibration.add(one.turns.calibration));
    }
    let (config, conversations) = (&settings.config_path, settings.judge.calibrate);
    match (judge_check::low(&calibration, settings.judge.least), calibration.told()) {
        (Some(low), _) => group.warn(format!("the judge {low}")),
        (None, Some(told)) => group.ok(format!("the judge tells answers from spoiled ones, by the runs of the folder: {told}")),
        (None, None) if conversations > 0 => group.ok(format!(
            "the first {conversations} conversations of each language tell how well the judge knows spoiled answers (judge.calibrate)"
        )),
        (None, None) if judge.provider == "builtin" => group.ok("the built-in judge scores by what passages bear out"),
        (None, None) if settings.judge.is_gate() => group.warn(format!(
            "judge.accept drops conversations by a judge that nobody has measured: set judge.calibrate to 10 or more, or measure it on \
             what a folder has by `dlgforge judge {config} --calibrate 10`"
        )),
        (None, None) => group.warn(format!(
            "nobody has measured how well the judge tells answers from spoiled ones: once there are conversations, `dlgforge judge \
             {config} --calibrate 10` does"
        )),
    }
}
