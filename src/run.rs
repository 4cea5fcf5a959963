//! Carries a graph out: *prepare* reads, *open* finds or makes the run, *execute* starts workers and tasks, *conclude* completes
//! the files. A dry run prepares, looks and executes; an estimate runs a pilot. What happens is told to listeners.

mod bill;
mod conclude;
mod dry_run;
mod earlier;
mod estimate;
pub mod events;
mod execute;
mod identity;
mod inputs;
mod knowledge;
mod layout;
mod log_lines;
mod manifest;
mod open;
mod prepare;
mod repeats;
mod serving;
mod shutdown;
mod signals;
mod status;
mod summary;
mod terminal;
mod waves;
mod writer;

pub use bill::Bill;
pub use dry_run::{DryRun, dry_run};
pub use estimate::{Forecast, estimate};
pub use events::{Event, Listener, Listeners};
pub use inputs::RunError;
pub use knowledge::{Found, GotEmbeddings, Indexed, fetch, index, search};
pub use log_lines::LogLines;
pub use signals::{Signal, listen};
pub use status::{StatusReport, status};
pub use summary::{RunEnd, Summary};
pub use terminal::Terminal;

use crate::operators::Stop;
use crate::settings::Settings;
use crate::store::Run;
use open::Opened;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// The process that a run is part of.
#[derive(Clone)]
pub struct Host {
    /// Who hears what happens.
    pub listeners: Listeners,
    /// Has what asks the process to stop stop the run.
    pub obey: Obey,
}

/// Has what asks the process to stop stop a run from now on; the cell tells what came first.
pub type Obey = Arc<dyn Fn(Stop) -> Arc<OnceLock<Signal>> + Send + Sync>;

/// What came of it.
#[derive(Debug, Clone)]
pub enum Ran {
    /// Conversations were made, as the summary says.
    Made(Box<Summary>),
    /// The run to go on with is over.
    Over(Run),
}

/// Runs the main job: `settings.total_samples` conversations in every language, on so many worker threads.
///
/// # Errors
/// When the input can't be used (before anything is generated), or when the outputs or the state of the run can't be
/// written. A run that could not reach its total is no error here: [`Summary::end`] tells.
pub fn run(settings: &Settings, workers: usize, host: &Host) -> Result<Ran, RunError> {
    let began = Instant::now();
    let settings = &*serving::attached(settings)?;
    let prepared = prepare::prepare(settings, &host.listeners)?;
    let _servers = serving::started(settings, &prepared, &host.listeners)?;
    let ready = match open::open(settings, &prepared, &host.listeners)? {
        Opened::Ready(ready) => *ready,
        Opened::Over(run) => return Ok(Ran::Over(run)),
    };
    let took = began.elapsed();
    let executed = execute::execute(settings, workers, &prepared, ready, host)?;
    Ok(Ran::Made(Box::new(conclude::conclude(settings, &prepared, executed, took)?)))
}
