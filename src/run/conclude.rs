//! Conclude: the files are completed, and it is said what came of the run.

use super::RunError;
use super::bill::Bill;
use super::delivered;
use super::execute::Executed;
use super::prepare::Prepared;
use super::summary::{RunEnd, Summary};
use crate::domain::{Agent, Balance};
use crate::files::WrittenFile;
use crate::operators::Tally;
use crate::output::{OutputError, Recorder};
use crate::plan;
use crate::providers::AgentOptions;
use crate::settings::Settings;
use crate::store::{Journal, State};
use std::sync::Arc;
use std::time::Duration;

/// Completes the files of a run, whose preparation took so long.
///
/// # Errors
/// When something has kept the run from going on, or its files can't be completed. What was done is kept.
pub fn conclude(
    settings: &Settings,
    prepared: &Prepared,
    executed: Executed,
    took: Duration,
) -> Result<Summary, RunError> {
    let Executed { facts, store, written, journal, tally, signalled, elapsed } = executed;
    let shared = &prepared.shared;
    let end = RunEnd::of(settings, &tally, signalled, shared.halt.reason());
    let left = written.recorder.left();
    let catalogue = &prepared.sources.catalogue;
    let asked = plan::document_languages(settings.plan.coverage.match_language, catalogue, &settings.languages);
    let balance = written.used.balance(&asked);
    let files = complete(written.recorder, written.failure, &journal, &end, balance)
        .map_err(|cause| RunError::Stopped { cause: Box::new(cause), again: again(settings, &facts.run_id) })?;
    let languages = settings.languages.iter().map(ToString::to_string).collect();
    let bill = Bill { spent: store.spent(&facts.run_id)?, tiers: store.tiers(&facts.run_id)?, languages };
    let (run_id, example) = (facts.run_id.clone(), written.example);
    let ended = Ended { run_id, seed: facts.seed, end, tally, left, bill, balance, example, files, took, elapsed };
    Ok(summary(settings, prepared, ended))
}

/// What has become of a run.
pub struct Ended {
    /// The id of the run.
    pub run_id: Arc<str>,
    /// The seed of the run.
    pub seed: u64,
    /// How the run ended.
    pub end: RunEnd,
    /// What became of its conversations.
    pub tally: Tally,
    /// Conversations that it leaves unsettled.
    pub left: usize,
    /// What it has cost.
    pub bill: Bill,
    /// How evenly documents were asked about.
    pub balance: Option<Balance>,
    /// A question and its answer.
    pub example: Option<[String; 2]>,
    /// Files that were written.
    pub files: Vec<WrittenFile>,
    /// How long it was prepared.
    pub took: Duration,
    /// How long it was carried out.
    pub elapsed: Duration,
}

/// The summary of a run that has ended.
pub fn summary(settings: &Settings, prepared: &Prepared, ended: Ended) -> Summary {
    let Ended { run_id, seed, end, tally, left, bill, balance, example, files, took, elapsed } = ended;
    let shared = &prepared.shared;
    let unjudged = tally.turns.unjudged;
    let held = &tally.turns.delivered;
    let plan = &settings.plan;
    let modes = delivered::modes(&plan.modes, !plan.question.trim().is_empty(), held);
    let shares = [modes, delivered::registers(&plan.style.registers, held)];
    Summary {
        again: again(settings, &run_id),
        run_id,
        seed,
        languages: settings.languages.clone(),
        total_samples: settings.total_samples,
        concurrency: settings.concurrency,
        end,
        tally,
        left,
        meter: shared.meter.read(),
        searches: settings.web_search.as_ref().map(|_| prepared.sources.searches.read()),
        bill,
        balance,
        shares,
        example,
        least_auc: settings.judge.least,
        judges: settings.agents.all(Agent::Judge).iter().map(AgentOptions::name).collect(),
        unjudged: settings.agents.get(Agent::Judge).map(|_| unjudged),
        prepared: took,
        elapsed,
        files,
        logs: settings.logs.strip_prefix(&settings.root).unwrap_or(&settings.logs).display().to_string(),
    }
}

/// The command by which a run goes on.
pub fn again(settings: &Settings, run_id: &str) -> String {
    let config = &settings.config_path;
    match settings.shard {
        None => format!("dlgforge run {config} --resume {run_id}"),
        Some(shard) => format!("dlgforge run {config} --shard {shard}"),
    }
}

/// Completes the files, unless something kept the run from going on.
fn complete(
    recorder: Recorder,
    failure: Option<OutputError>,
    journal: &Journal,
    end: &RunEnd,
    balance: Option<Balance>,
) -> Result<Vec<WrittenFile>, RunError> {
    if let Some(failure) = failure {
        recorder.abandon();
        return Err(failure.into());
    }
    match journal.failure() {
        None => Ok(recorder.finish(end.state(), balance)?),
        Some(failure) => {
            // What is settled is written all the same, if it can be.
            _ = recorder.finish(State::Failed, balance);
            Err(failure.clone().into())
        }
    }
}
