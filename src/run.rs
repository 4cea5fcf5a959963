//! Carries a graph out: reads what it needs, starts workers and tasks, stops them, says what came of it.

mod begin;
mod bill;
mod earlier;
mod estimate;
mod identity;
mod inputs;
mod layout;
mod manifest;
mod progress;
mod rehearse;
mod repeats;
mod sample;
mod shutdown;
mod signals;
mod status;
mod summary;
mod writer;

pub use bill::Bill;
pub use estimate::{Forecast, estimate};
pub use inputs::RunError;
pub use rehearse::{Rehearsal, rehearse};
pub use sample::Sample;
pub use signals::Signal;
pub use status::{Report, status};
pub use summary::{End, Summary};

use crate::dataflows::generate::{Order, Stages, generate};
use crate::domain::{Attempt, Coverage, Fingerprint, Normalisation};
use crate::llm::{Journalled, Prices};
use crate::operators::{Executor, Outcome, Quota, Settlement, Stop, Tally, Target};
use crate::output::{OutputError, Recorder, Stamp, WrittenFile};
use crate::providers::Shared;
use crate::settings::Settings;
use crate::store::{Journal, Reuse, Run, State, Store};
use begin::{Begun, begin};
use earlier::Earlier;
use inputs::Sources;
use progress::Display;
use std::sync::Arc;
use std::time::Instant;
use timely::{CommunicationConfig, Config, WorkerConfig};
use tokio::sync::watch;
use writer::{Writer, Written};

/// What came of it.
#[derive(Debug, Clone)]
pub enum Ran {
    /// Conversations were made.
    Made(Box<Summary>),
    /// The run to go on with is over.
    Over(Run),
}

/// Runs the main job: `settings.total_samples` conversations in every language, on so many worker threads.
///
/// # Errors
/// When the input can't be used (before anything is generated), or when the outputs or the state of the run can't be
/// written. A run that could not reach its total is no error here: [`Summary::end`] tells.
pub fn run(settings: &Settings, workers: usize) -> Result<Ran, RunError> {
    let began = Instant::now();
    let display = Display::new();
    let _logs = crate::output::logs::start(&settings.logs, display.console())?;
    for warning in &settings.warnings {
        tracing::warn!(target: "dlgforge.config", "{warning}");
    }
    let shared = shared(settings)?;
    let preparation = display.prepare();
    let sources = Sources::read(settings, &shared, &|progress| preparation.show(progress))?;
    preparation.finish();
    let stamp = stamp()?;
    shutdown::warn(settings, &shared.prices, stamp.now());
    let begun = match begin(settings, &sources, stamp)? {
        Ok(begun) => begun,
        Err(over) => return Ok(Ran::Over(over)),
    };
    let Begun { facts, store, reuse, recorder, waves, work } = begun;
    let runtime = signals::runtime().map_err(RunError::Runtime)?;
    let stop = Stop::default();
    let signalled = signals::listen(stop.clone(), display.console()).map_err(RunError::Runtime)?;
    let executor = Executor::new(runtime.handle().clone(), settings.concurrency as usize, stop.clone());
    shared.open(&store, &facts.run_id)?;
    let (halted, handle) = (stop.clone(), runtime.handle().clone());
    shared.halt.tell(move || signals::land(&handle, halted.clone()));
    let journal = Arc::new(journal(store.clone(), &facts.run_id, reuse, stop.clone()));
    let stages = sources.stages(settings, (&facts, work.normalisation), |model, agent| {
        Arc::new(Journalled::new(model.clone(), agent.agent, journal.clone(), shared.meter.clone()))
    });
    let (tallies, tally) = watch::channel(work.quota.tally().clone());

    let started = Instant::now();
    let languages = settings.languages.len() as u32;
    let watcher = display.watch(settings.total_samples * languages, tally.clone(), shared.meter.clone());
    let writer = Writer::start(recorder, waves, workers, work.quota.due(), stop);
    let inbox = writer.inbox();
    announce(settings);
    let write = move |worker, settlement| inbox.send((worker, settlement)).expect("the writer outlives the workers");
    generate_on_workers(workers, &work, &stages, &executor, &tallies, write)?;
    let Written { recorder, failure, sample } = writer.finish();
    let elapsed = started.elapsed();
    let kept = journal.end();
    watcher.finish();

    let tally = tally.borrow().clone();
    tracing::info!(target: "dlgforge.llm", "[journal] {kept}; {} replies found", shared.meter.read().recalled);
    tracing::info!(
        target: "dlgforge.pipeline",
        "[run] accepted={} dropped={} duplicates={} rollbacks={} wasted_calls={} watermark_lag={}",
        tally.accepted(), tally.dropped(), tally.duplicates, tally.rollbacks, tally.wasted, tally.lag
    );
    let unjudged = tally.turns.unjudged;
    let (left, end) = (recorder.left(), End::of(settings, &tally, signalled.get().copied(), shared.halt.reason()));
    let files = conclude(recorder, failure, &journal, &end).map_err(|cause| RunError::Stopped {
        cause: Box::new(cause),
        config: settings.config_path.clone(),
        run_id: facts.run_id.clone(),
    })?;
    runtime.shutdown_background();
    let languages = settings.languages.iter().map(ToString::to_string).collect();
    let bill = Bill { spent: store.spent(&facts.run_id)?, tiers: store.tiers(&facts.run_id)?, languages };
    Ok(Ran::Made(Box::new(Summary {
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
        bill,
        sample,
        unjudged: settings.judge.as_ref().map(|_| unjudged),
        prepared: started - began,
        elapsed,
        busy: executor.busy(),
        files,
        logs: settings.logs.strip_prefix(&settings.root).unwrap_or(&settings.logs).display().to_string(),
    })))
}

/// Completes the files, unless something kept the run from going on.
fn conclude(
    recorder: Recorder,
    failure: Option<OutputError>,
    journal: &Journal,
    end: &End,
) -> Result<Vec<WrittenFile>, RunError> {
    if let Some(failure) = failure {
        recorder.abandon();
        return Err(failure.into());
    }
    match journal.failure() {
        None => Ok(recorder.finish(end.state())?),
        Some(failure) => {
            // What is settled is written all the same, if it can be.
            _ = recorder.finish(State::Failed);
            Err(failure.clone().into())
        }
    }
}

/// The journal of a run, which stops it when it fails.
fn journal(store: Arc<dyn Store>, run_id: &Arc<str>, reuse: Option<Reuse>, stop: Stop) -> Journal {
    Journal::start(store, run_id.clone(), reuse, move |failure| {
        tracing::error!(target: "dlgforge.pipeline", "[journal] failed to {failure}; stopping the run");
        stop.now();
    })
}

/// What the models of a run share.
fn shared(settings: &Settings) -> Result<Shared, RunError> {
    let shared = Shared::new(Prices::load(settings.prices.as_deref())?, settings.budget, settings.max_outage);
    Ok(if settings.check { shared.checking(settings.max_outage) } else { shared })
}

/// The clock of a run.
fn stamp() -> Result<Stamp, RunError> {
    Ok(Stamp::from_env(std::env::var("SOURCE_DATE_EPOCH").ok().as_deref())?)
}

fn announce(settings: &Settings) {
    for (number, language) in settings.languages.iter().enumerate() {
        let (target, of) = (settings.total_samples, settings.languages.len());
        tracing::info!(
            target: "dlgforge.pipeline",
            "[language] Starting generation for language={language} target_samples={target} ({}/{of})", number + 1
        );
    }
}

/// What there is to do.
struct Work {
    quota: Quota,
    retries: Attempt,
    /// The questions asked before.
    earlier: Arc<[Fingerprint]>,
    /// How questions are compared.
    normalisation: Normalisation,
}

impl Work {
    /// What these settings ask for beyond what is settled.
    fn new(settings: &Settings, run_id: &Arc<str>, earlier: Earlier) -> Result<Self, RunError> {
        let Earlier { coverage, questions, normalisation, outcomes } = earlier;
        let quota = quota(settings, run_id, coverage, outcomes)?;
        let retries = Attempt(settings.plan.coverage.dedup_retries);
        Ok(Self { quota, retries, earlier: questions, normalisation })
    }
}

fn quota(
    settings: &Settings,
    run_id: &Arc<str>,
    coverage: Coverage,
    outcomes: Vec<Outcome>,
) -> Result<Quota, RunError> {
    let target = Target {
        total: settings.total_samples,
        languages: settings.languages.len() as u16,
        batch_size: settings.batch_size,
        concurrency: settings.concurrency,
        lookahead: settings.lookahead,
    };
    let mut quota = Quota::new(target, coverage);
    match quota.restore(outcomes) {
        None => Ok(quota),
        Some(slot) => {
            let detail = format!("conversation {} of language {}", slot.index, slot.language);
            Err(RunError::Inconsistent(run_id.clone(), detail))
        }
    }
}

fn generate_on_workers(
    workers: usize,
    work: &Work,
    stages: &Stages,
    executor: &Executor,
    tallies: &watch::Sender<Tally>,
    write: impl Fn(usize, Settlement) + Clone + Send + Sync + 'static,
) -> Result<(), RunError> {
    let communication = match workers {
        1 => CommunicationConfig::Thread,
        threads => CommunicationConfig::Process(threads),
    };
    let (stages, executor, tallies) = (stages.clone(), executor.clone(), tallies.clone());
    let (quota, retries, earlier) = (work.quota.clone(), work.retries, work.earlier.clone());
    let guards = timely::execute(Config { communication, worker: WorkerConfig::default() }, move |worker| {
        let index = worker.index();
        let order = Order { quota: quota.clone(), retries, earlier: earlier.clone() };
        let (tallies, write) = (tallies.clone(), write.clone());
        let report = move |tally: &Tally| _ = tallies.send_replace(tally.clone());
        let write = move |settlement| write(index, settlement);
        worker.dataflow(|scope| generate(scope, order, stages.clone(), &executor, report, write));
    })
    .map_err(RunError::Workers)?;
    guards.join().into_iter().try_for_each(|worker| worker.map_err(RunError::Workers))
}
