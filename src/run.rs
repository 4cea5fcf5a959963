//! Carries a graph out: *prepare* reads, *open* finds or makes the run, *execute* starts workers and tasks, *conclude* completes
//! the files. A dry run prepares, looks and executes; an estimate runs a pilot. What happens is told to listeners.

mod bill;
mod checking;
mod conclude;
mod dataset;
mod delivered;
mod dry_run;
mod earlier;
mod error;
mod estimate;
mod event_lines;
pub mod events;
mod execute;
mod explain;
mod exporting;
mod health;
mod held_out;
mod identity;
mod importing;
mod inputs;
mod judge_check;
mod judging;
mod knowledge;
mod launch;
mod layout;
mod log_lines;
mod manifest;
mod merge;
mod metrics;
mod open;
mod part;
mod pilot;
mod prepare;
mod preview;
mod publishing;
mod repeats;
mod seeds;
mod serving;
mod show;
mod shutdown;
mod signals;
mod status;
mod summary;
mod supervise;
mod telemetry;
mod terminal;
mod viewing;
mod waves;
mod writer;

pub use bill::Bill;
pub use checking::{CheckOptions, CheckReport, MigrationReport, check};
pub use dataset::stats;
pub use dry_run::{DryRun, dry_run};
pub use error::RunError;
pub use estimate::{Forecast, estimate};
pub use event_lines::EventLines;
pub use events::{Event, Listener, Listeners};
pub use explain::{Explanation, explain};
pub use exporting::{ExportOptions, Exported, export};
pub use importing::{ImportError, Imported, import};
pub use judging::{PassEnd, PassOptions, PassSummary, Passed, Verdicts, judge};
pub use knowledge::{Found, GotEmbeddings, Indexed, fetch, index, search};
pub use launch::{Launch, LaunchError, number};
pub use log_lines::LogLines;
pub use merge::merge;
pub use metrics::{MetricsServer, metrics_address};
pub use part::Part;
pub use preview::{Preview, Trial};
pub use publishing::{PublishError, Published, Steps, push, push_after_run};
pub use seeds::{MigratedSeeds, SeedsError, migrate_seeds};
pub use show::{CallFigures, Transcript, show};
pub use signals::{Signal, listen, obey_supervisor};
pub use status::{StatusReport, Statuses, status};
pub use summary::{RunEnd, Summary};
pub use supervise::supervise;
pub use telemetry::telemetry;
pub use terminal::{Shows, Terminal};
pub use viewing::{ViewOptions, view};

use crate::domain::causes::causes;
use crate::operators::Stop;
use crate::settings::Settings;
use crate::store::Run;
use health::Health;
use open::Others;
use part::Lead;
use std::path::Path;
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

impl Host {
    /// Does work of which it is kept in this output folder how the endpoints are.
    fn watched<T>(&self, outputs: &Path, work: impl FnOnce(&Self) -> T) -> T {
        let health = Arc::new(Health::of(outputs));
        let done = work(&Self { listeners: self.listeners.and(health.clone()), obey: self.obey.clone() });
        health.end();
        done
    }
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
    /// This process has done its part; the first one tells what was made.
    Part,
}

/// Runs the main job: `settings.total_samples` conversations in every language, on so many worker threads of this process, which
/// may have a part in a run of several.
///
/// # Errors
/// When the input can't be used (before anything is generated), or when the outputs or the state of the run can't be
/// written. A run that could not reach its total is no error here: [`Summary::end`] tells.
pub fn run(settings: &Settings, workers: usize, part: Option<&Part>, host: &Host) -> Result<Ran, RunError> {
    let Some((part, cluster)) = part.zip(settings.cluster.as_ref()) else {
        return host.watched(&settings.output.folder, |host| lead(settings, workers, None, None, host));
    };
    let run_id = settings
        .run_id
        .clone()
        .or_else(|| part.run.clone().filter(|_| settings.resume.is_none() && settings.shard.is_none()));
    let settings = &Settings { run_id, ..settings.clone() };
    if part.process > 0 {
        part::take_part(settings, cluster, part, host)?;
        return Ok(Ran::Part);
    }
    let leading = Lead::listen(cluster, part)?;
    let process = Some((&leading, part.is_restarted));
    let ran = host.watched(&settings.output.folder, |host| lead(settings, workers, process, None, host));
    let why = ran.as_ref().err().map(|error| format!("the first process has stopped: {}", causes(error)));
    leading.dismiss(why.as_deref());
    ran
}

/// Makes a run, as the first process of a cluster or as the only one, on top of what others have made of it.
fn lead(
    settings: &Settings,
    workers: usize,
    lead: Option<(&Lead<'_>, bool)>,
    others: Option<Others>,
    host: &Host,
) -> Result<Ran, RunError> {
    let began = Instant::now();
    let settings = &*serving::attached(settings)?;
    let prepared = prepare::prepare(settings, &host.listeners)?;
    others.iter().for_each(|others| prepared.shared.add_spending(others.spent));
    let begun = others.is_some() || settings.shard.is_some() || lead.is_some_and(|(_, is_restarted)| is_restarted);
    let claimed = open::claim(settings, &prepared, begun, others.as_ref().map(|others| others.merged.clone()))?;
    if let Some(run) = claimed.is_over(settings, &prepared)? {
        return Ok(Ran::Over(run));
    }
    let _servers = serving::started(settings, &host.listeners)?;
    let lead = lead.map(|(lead, _)| lead);
    lead.map_or(Ok(()), |lead| lead.gather(settings, &prepared, &claimed))?;
    let homes = workers * lead.map_or(1, Lead::processes);
    let ready = open::open(settings, &prepared, claimed, (others, homes), &host.listeners)?;
    let took = began.elapsed();
    let executed = execute::execute(settings, workers, &prepared, ready, host, lead)?;
    Ok(Ran::Made(Box::new(conclude::conclude(settings, &prepared, executed, took)?)))
}
