//! Carries a graph out: reads what it needs, starts workers and tasks, stops them, says what came of it.

mod earlier;
mod identity;
mod inputs;
mod manifest;
mod progress;
mod rehearse;
mod signals;
mod status;
mod summary;
mod writer;

pub use inputs::RunError;
pub use rehearse::{Estimate, rehearse};
pub use signals::Signal;
pub use status::{Report, status};
pub use summary::{End, Summary};

use crate::dataflows::generate::{Order, Stages, generate};
use crate::llm::{Journalled, Shared};
use crate::operators::{Desk, Outcome, Quota, Settlement, Stop, Tally, Target};
use crate::output::{Begins, Folder, Recorder, Stamp};
use crate::settings::Settings;
use crate::store::{Journal, Run, State};
use crate::words::{Attempt, Coverage, Fingerprint};
use earlier::{Earlier, Past};
use identity::Identity;
use inputs::Sources;
use progress::Display;
use std::sync::Arc;
use std::time::Instant;
use timely::{CommunicationConfig, Config, WorkerConfig};
use tokio::sync::watch;
use writer::{Waves, Writer};

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
    let display = Display::new();
    let _logs = crate::output::logs::start(&settings.root.join("logs"), display.console())?;
    for warning in &settings.warnings {
        tracing::warn!(target: "dlgforge.config", "{warning}");
    }
    let shared = Shared::new();
    let sources = Sources::read(settings, &shared)?;
    let stamp = Stamp::from_env(std::env::var("SOURCE_DATE_EPOCH").ok().as_deref())?;
    let folder = Folder::claim(&settings.output.folder)?;
    let identity = Identity::of(settings, &folder.runs)?;
    let manifest = manifest::manifest(settings, &sources, identity.seed);
    if let Some(run) = &identity.resumed {
        identity::check(run, &manifest)?;
        if run.state.is_over() {
            return Ok(Ran::Over(run.clone()));
        }
    }
    let (facts, store) = (sources.facts(settings, &identity), folder.store.clone());
    let reuse = identity::reuse(settings, &folder.runs)?;
    let settled = if identity.resumed.is_some() { store.settled(&facts.run_id)? } else { Vec::new() };
    let ledger = folder.ledger_length(&settings.output.folder)?;
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
    let past = Past { folder: &settings.output.folder, length: ledger, known: identity.known, settled, remade };
    let earlier = Earlier::read(past, &sources.catalogue)?;
    let waves = Waves::new(settings.total_samples, &settings.languages, &earlier.outcomes);
    let work = Work::new(settings, &facts.run_id, earlier)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(RunError::Runtime)?;
    let keep_calls = settings.store.keep_calls;
    let (options, catalogue) = (settings.output.clone(), sources.catalogue.clone());
    let recorder = Recorder::open(options, facts.clone(), stamp, catalogue, folder, begins, keep_calls)?;
    let stop = Stop::default();
    let signalled = signals::listen(&runtime, stop.clone(), display.console()).map_err(RunError::Runtime)?;
    let desk = Desk::new(runtime.handle().clone(), settings.batch_size as usize, stop.clone());
    let journal = Arc::new(journal(store, &facts.run_id, reuse, stop.clone()));
    let stages = sources.stages(settings, &facts, |model, agent| {
        let price = sources.prices.of(model.name());
        Arc::new(Journalled::new(model.clone(), agent.role, price, journal.clone(), shared.meter.clone()))
    });
    let (tallies, tally) = watch::channel(work.quota.tally().clone());

    let started = Instant::now();
    let languages = settings.languages.len() as u32;
    let watcher = display.watch(settings.total_samples * languages, tally.clone(), shared.meter.clone());
    let writer = Writer::start(recorder, waves, workers, stop);
    let inbox = writer.inbox();
    announce(settings);
    let write = move |worker, settlement| inbox.send((worker, settlement)).expect("the writer outlives the workers");
    generate_on_workers(workers, &work, &stages, &desk, &tallies, write)?;
    let (recorder, failure) = writer.finish();
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
    let left = recorder.left();
    let stopped = |cause: RunError| RunError::Stopped {
        cause: Box::new(cause),
        config: settings.config_path.clone(),
        run_id: facts.run_id.clone(),
    };
    if let Some(failure) = failure {
        recorder.abandon();
        return Err(stopped(failure.into()));
    }
    if let Some(failure) = journal.failure() {
        recorder.finish(State::Failed).map_err(|_| stopped(failure.clone().into()))?;
        return Err(stopped(failure.clone().into()));
    }
    let end = End::of(settings, &tally, signalled.get().copied());
    let files = recorder.finish(end.state()).map_err(|failure| stopped(failure.into()))?;
    runtime.shutdown_background();
    Ok(Ran::Made(Box::new(Summary {
        run_id: facts.run_id.clone(),
        config: settings.config_path.clone(),
        seed: facts.seed,
        languages: settings.languages.clone(),
        total_samples: settings.total_samples,
        batch_size: settings.batch_size,
        end,
        tally,
        left,
        meter: shared.meter.read(),
        kept,
        elapsed,
        busy: desk.busy(),
        files,
    })))
}

/// The journal of a run, which stops it when it fails.
fn journal(
    store: Arc<dyn crate::store::Store>,
    run_id: &Arc<str>,
    reuse: Option<crate::store::Reuse>,
    stop: Stop,
) -> Journal {
    Journal::start(store, run_id.clone(), reuse, move |failure| {
        tracing::error!(target: "dlgforge.pipeline", "[journal] failed to {failure}; stopping the run");
        stop.admitting.cancel();
        stop.flying.cancel();
    })
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
}

impl Work {
    /// What these settings ask for beyond what is settled.
    fn new(settings: &Settings, run_id: &Arc<str>, earlier: Earlier) -> Result<Self, RunError> {
        let Earlier { coverage, questions, outcomes } = earlier;
        let quota = quota(settings, run_id, coverage, outcomes)?;
        Ok(Self { quota, retries: Attempt(settings.plan.coverage.dedup_retries), earlier: questions })
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
    desk: &Desk,
    tallies: &watch::Sender<Tally>,
    write: impl Fn(usize, Settlement) + Clone + Send + Sync + 'static,
) -> Result<(), RunError> {
    let communication = match workers {
        1 => CommunicationConfig::Thread,
        threads => CommunicationConfig::Process(threads),
    };
    let (stages, desk, tallies) = (stages.clone(), desk.clone(), tallies.clone());
    let (quota, retries, earlier) = (work.quota.clone(), work.retries, work.earlier.clone());
    let guards = timely::execute(Config { communication, worker: WorkerConfig::default() }, move |worker| {
        let index = worker.index();
        let order = Order { quota: quota.clone(), retries, earlier: earlier.clone() };
        let (tallies, write) = (tallies.clone(), write.clone());
        let report = move |tally: &Tally| _ = tallies.send_replace(tally.clone());
        let write = move |settlement| write(index, settlement);
        worker.dataflow(|scope| generate(scope, order, stages.clone(), &desk, report, write));
    })
    .map_err(RunError::Workers)?;
    guards.join().into_iter().try_for_each(|worker| worker.map_err(RunError::Workers))
}
