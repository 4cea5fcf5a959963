//! Conclude: the files are completed, and it is said what came of the run.

use super::RunError;
use super::bill::Bill;
use super::execute::Executed;
use super::prepare::Prepared;
use super::summary::{RunEnd, Summary};
use crate::domain::{Agent, Balance};
use crate::files::WrittenFile;
use crate::output::{OutputError, Recorder};
use crate::plan;
use crate::settings::Settings;
use crate::store::{Journal, State};
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
    let unjudged = tally.turns.unjudged;
    let end = RunEnd::of(settings, &tally, signalled, shared.halt.reason());
    let left = written.recorder.left();
    let catalogue = &prepared.sources.catalogue;
    let asked = plan::document_languages(settings.plan.coverage.match_language, catalogue, &settings.languages);
    let balance = written.used.balance(&asked);
    let files = complete(written.recorder, written.failure, &journal, &end, balance).map_err(|cause| {
        RunError::Stopped { cause: Box::new(cause), config: settings.config_path.clone(), run_id: facts.run_id.clone() }
    })?;
    let languages = settings.languages.iter().map(ToString::to_string).collect();
    let bill = Bill { spent: store.spent(&facts.run_id)?, tiers: store.tiers(&facts.run_id)?, languages };
    Ok(Summary {
        run_id: facts.run_id.clone(),
        config: settings.config_path.clone(),
        seed: facts.seed,
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
        example: written.example,
        unjudged: settings.agents.get(Agent::Judge).map(|_| unjudged),
        prepared: took,
        elapsed,
        files,
        logs: settings.logs.strip_prefix(&settings.root).unwrap_or(&settings.logs).display().to_string(),
    })
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
