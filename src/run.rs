//! Carries a graph out: reads what it needs, starts workers and tasks, stops them, says what came of it.

mod inputs;
mod progress;
mod signals;
mod summary;
mod writer;

pub use inputs::RunError;
pub use signals::INTERRUPTED;
pub use summary::{End, Summary};

use crate::dataflows::generate::{Order, Stages, generate};
use crate::llm::Shared;
use crate::operators::{Desk, Quota, Stop, Tally, Target};
use crate::output::{Recorder, Stamp, Status};
use crate::settings::Settings;
use crate::words::Attempt;
use inputs::Inputs;
use progress::Display;
use std::time::Instant;
use timely::{CommunicationConfig, Config, WorkerConfig};
use tokio::sync::watch;
use writer::Writer;

/// Runs the main job: `settings.total_samples` conversations in every language, on so many worker threads.
///
/// # Errors
/// When the input can't be used (before anything is generated), or when the output can't be written. A run that could
/// not reach its total is no error here: [`Summary::end`] tells.
pub fn run(settings: &Settings, workers: usize) -> Result<Summary, RunError> {
    let display = Display::new();
    let _logs = crate::output::logs::start(&settings.root.join("logs"), display.console())?;
    for warning in &settings.warnings {
        tracing::warn!(target: "dlgforge.config", "{warning}");
    }
    let shared = Shared::new();
    let inputs = Inputs::read(settings, &shared)?;
    let recorder = Recorder::create(
        settings.output.clone(),
        inputs.facts.clone(),
        Stamp::from_env(std::env::var("SOURCE_DATE_EPOCH").ok().as_deref())?,
        inputs.catalogue.clone(),
    )?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(RunError::Runtime)?;
    let stop = Stop::default();
    let interrupted = signals::listen(&runtime, stop.clone(), display.console());
    let desk = Desk::new(runtime.handle().clone(), settings.batch_size as usize, stop.clone());
    let languages = settings.languages.len();
    let target = Target {
        total: settings.total_samples,
        languages: languages as u16,
        batch_size: settings.batch_size,
        lookahead: settings.lookahead,
    };
    let quota = Quota::new(target, inputs.coverage.clone());
    let (tallies, tally) = watch::channel(quota.tally().clone());

    let started = Instant::now();
    let watcher = display.watch(settings.total_samples * languages as u32, tally.clone(), shared.meter.clone());
    let writer = Writer::start(recorder, &inputs.facts, workers, stop);
    generate_on_workers(settings, workers, &inputs, &desk, quota, tallies, &writer)?;
    let (recorder, failure) = writer.finish();
    let elapsed = started.elapsed();
    watcher.finish();

    let tally = tally.borrow().clone();
    tracing::info!(
        target: "dlgforge.pipeline",
        "[run] accepted={} dropped={} duplicates={} rollbacks={} wasted_calls={} watermark_lag={}",
        tally.accepted(), tally.dropped(), tally.duplicates, tally.rollbacks, tally.wasted, tally.lag
    );
    let end = End::of(settings, &tally, interrupted.load(std::sync::atomic::Ordering::Relaxed));
    let status = match (&failure, &end) {
        (None, End::Complete) => Status::Completed,
        (None, End::Interrupted) => Status::Interrupted,
        _ => Status::Failed,
    };
    let files = recorder.finish(status)?;
    runtime.shutdown_background();
    match failure {
        Some(failure) => Err(failure.into()),
        None => Ok(Summary {
            run_id: inputs.facts.run_id.clone(),
            seed: inputs.facts.seed,
            languages: settings.languages.clone(),
            total_samples: settings.total_samples,
            batch_size: settings.batch_size,
            end,
            tally,
            meter: shared.meter.read(),
            elapsed,
            busy: desk.busy(),
            files,
        }),
    }
}

fn generate_on_workers(
    settings: &Settings,
    workers: usize,
    inputs: &Inputs,
    desk: &Desk,
    quota: Quota,
    tallies: watch::Sender<Tally>,
    writer: &Writer,
) -> Result<(), RunError> {
    for (number, language) in settings.languages.iter().enumerate() {
        let (target, of) = (settings.total_samples, settings.languages.len());
        tracing::info!(
            target: "dlgforge.pipeline",
            "[language] Starting generation for language={language} target_samples={target} ({}/{of})", number + 1
        );
    }
    let communication = match workers {
        1 => CommunicationConfig::Thread,
        threads => CommunicationConfig::Process(threads),
    };
    let (stages, desk): (Stages, Desk) = (inputs.stages.clone(), desk.clone());
    let (earlier, retries) = (inputs.earlier.clone(), Attempt(settings.plan.coverage.dedup_retries));
    let inbox = writer.inbox();
    let guards = timely::execute(Config { communication, worker: WorkerConfig::default() }, move |worker| {
        let index = worker.index();
        let order = Order { quota: quota.clone(), retries, earlier: earlier.clone() };
        let (tallies, inbox) = (tallies.clone(), inbox.clone());
        let report = move |tally: &Tally| _ = tallies.send_replace(tally.clone());
        let write = move |settlement| inbox.send((index, settlement)).expect("the writer outlives the workers");
        worker.dataflow(|scope| generate(scope, order, stages.clone(), &desk, report, write));
    })
    .map_err(RunError::Workers)?;
    guards.join().into_iter().try_for_each(|worker| worker.map_err(RunError::Workers))
}
