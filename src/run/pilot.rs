//! A pilot: a few conversations, made as a run makes them, in a folder of their own that is apart from the outputs.

use super::{Host, Ran, RunError, Summary, run};
use crate::settings::Settings;
use crate::store::{Backend, Options};
use std::path::PathBuf;

/// The settings of a pilot of so many conversations in every language: the run's, but for where it writes.
/// Nothing that earlier runs have asked counts as asked.
pub fn piloted(settings: &Settings, samples: u32, folder: PathBuf) -> Settings {
    let mut piloted = settings.clone();
    piloted.output.folder = folder;
    piloted.total_samples = samples;
    piloted.batch_size = settings.batch_size.min(samples);
    piloted.concurrency = settings.concurrency.min(samples);
    (piloted.run_id, piloted.resume, piloted.reuse_from) = (None, None, None);
    piloted.store = Options { backend: Backend::Sqlite, keep_calls: true, keep_requests: true };
    piloted
}

/// Makes the conversations of a pilot.
///
/// # Errors
/// When it can't be run.
pub fn made(piloted: &Settings, workers: usize, host: &Host) -> Result<Box<Summary>, RunError> {
    match run(piloted, workers, None, host)? {
        Ran::Made(summary) => Ok(summary),
        Ran::Over(_) | Ran::Part => Err(RunError::Unpiloted("it is over".to_owned())),
    }
}
