//! Execute: workers and tasks are started, the graph runs to its end, what is settled is written.

use super::events::{Event, Listeners};
use super::inputs::Front;
use super::judge_check::JudgeCheck;
use super::open::{Ready, Work};
use super::part::Lead;
use super::prepare::Prepared;
use super::signals::{self, Signal};
use super::writer::{Handed, Writer, Written};
use super::{Host, RunError};
use crate::cluster::Mesh;
use crate::dataflows::generate::{Order, Stages, generate};
use crate::domain::Normalisation;
use crate::knowledge::KnowledgeError;
use crate::llm::Journalled;
use crate::operators::{Executor, Settlement, Stop, Tally};
use crate::output::{Renderer, RunFacts};
use crate::settings::Settings;
use crate::store::{Journal, Replies, Reuse, Store};
use crate::tools::{JournalledSearch, JournalledWeb, QuestionVectors};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use timely::worker::Worker;
use timely::{CommunicationConfig, Config, ExchangeData, WorkerConfig};
use tokio::runtime::Runtime;

/// A run that has been carried out, and whose files are still to be completed.
pub struct Executed {
    /// What is the same for all its conversations.
    pub facts: RunFacts,
    /// The store that keeps the state of the run.
    pub store: Arc<dyn Store>,
    /// What the writer thread has written.
    pub written: Written,
    /// The journal of its replies.
    pub journal: Arc<Journal>,
    /// What became of its conversations.
    pub tally: Tally,
    /// The signal that asked it to stop, if one has.
    pub signalled: Option<Signal>,
    /// From the first opening to the last row.
    pub elapsed: Duration,
}

/// What does the work of a process: tasks, the verbs that they carry out, and the journal in front of models.
pub struct Works {
    /// The id of the run.
    pub run_id: Arc<str>,
    /// The threads that tasks run on.
    pub runtime: Runtime,
    /// What stops all of it.
    pub stop: Stop,
    /// The signal that asked it to stop, if one has.
    pub signalled: Arc<OnceLock<Signal>>,
    /// The journal of its replies.
    pub journal: Arc<Journal>,
    executor: Executor,
    stages: Stages,
}

impl Works {
    /// Starts tasks and the journal, which keeps `replies` and also takes those of another run.
    ///
    /// # Errors
    /// When there are no threads for tasks.
    pub fn start(
        settings: &Settings,
        prepared: &Prepared,
        facts: &RunFacts,
        (replies, reuse): (Arc<dyn Replies>, Option<Reuse>),
        normalisation: Normalisation,
        host: &Host,
    ) -> Result<Self, RunError> {
        let shared = &prepared.shared;
        let runtime = signals::runtime().map_err(RunError::Runtime)?;
        let stop = Stop::default();
        let signalled = (host.obey)(stop.clone());
        let executor = Executor::new(runtime.handle().clone(), settings.concurrency as usize, stop.clone());
        let (halted, handle) = (stop.clone(), runtime.handle().clone());
        shared.halt.tell(move || signals::land(&handle, halted.clone()));
        let journal = Arc::new(journal(replies, &facts.run_id, reuse, stop.clone()));
        let keeps = settings.store.keep_requests;
        let broken = || {
            let halt = shared.halt.clone();
            move |error: &KnowledgeError| _ = halt.halt(error.to_string())
        };
        let front = Front {
            model: &|model, agent| {
                Arc::new(Journalled::new(model.clone(), agent, journal.clone(), shared.meter.clone(), keeps))
            },
            web: &|web| Arc::new(JournalledWeb::new(web.clone(), journal.clone(), prepared.sources.searches.clone())),
            search: &|retriever, setup| Arc::new(JournalledSearch::new(retriever, setup, journal.clone(), broken())),
            vectors: &|embedder| QuestionVectors::journalled(embedder, journal.clone(), broken()),
        };
        let stages = prepared.sources.stages(settings, (facts, normalisation), front);
        Ok(Self { run_id: facts.run_id.clone(), runtime, stop, signalled, journal, executor, stages })
    }

    /// Runs the graph on so many worker threads, and on those of other processes where it is connected to any, to its end;
    /// what became of its conversations.
    ///
    /// # Errors
    /// When threads can't be started, or a worker fails.
    pub fn run(
        &self,
        workers: usize,
        work: &Work,
        mesh: Option<Mesh>,
        listeners: &Listeners,
        renderer: &Arc<Renderer>,
        write: impl Fn(usize, Handed) + Clone + Send + Sync + 'static,
    ) -> Result<Tally, RunError> {
        let (renderer, told) = (renderer.clone(), listeners.clone());
        let render = move |settlement| {
            let handed = Handed::of(settlement, &renderer);
            handed.about().iter().for_each(|about| told.tell(&Event::Final(about)));
            handed
        };
        on_workers((workers, mesh), work, &self.stages, &self.executor, listeners, (render, write))
    }
}

/// Carries a run out, on so many worker threads of this process, and on those of others where it leads any.
///
/// # Errors
/// When threads can't be started, or a worker fails.
pub fn execute(
    settings: &Settings,
    workers: usize,
    prepared: &Prepared,
    ready: Ready,
    host: &Host,
    lead: Option<&Lead<'_>>,
) -> Result<Executed, RunError> {
    let (shared, listeners) = (&prepared.shared, &host.listeners);
    let Ready { facts, store, recorder, waves, used, mut work } = ready;
    work.judge_check = JudgeCheck::of(settings, &shared.halt);
    shared.open(&store, &facts.run_id)?;
    let works =
        Works::start(settings, prepared, &facts, (store.clone(), work.reuse.clone()), work.normalisation, host)?;
    let mesh = lead.map(|lead| lead.begin(&works, prepared, store.clone(), &work)).transpose()?;

    let started = Instant::now();
    let total = u64::from(settings.total_samples) * settings.languages.len() as u64;
    let (run, languages) = (&*facts.run_id, facts.languages.as_slice());
    listeners.tell(&Event::Started { run, languages, total, meter: &shared.meter });
    let renderer = recorder.renderer().clone();
    let homes = workers * lead.map_or(1, Lead::processes);
    let due = (work.quota.due(), work.quota.numbers());
    let writer = Writer::start(recorder, (waves, used), homes, due, works.stop.clone(), listeners.clone());
    let inbox = writer.inbox();
    announce(settings);
    let write = move |worker, handed| inbox.send((worker, handed)).expect("the writer outlives the workers");
    let tally = works.run(workers, &work, mesh, listeners, &renderer, write)?;
    let written = writer.finish();
    let elapsed = started.elapsed();
    lead.iter().for_each(|lead| lead.end(prepared));
    let Works { runtime, journal, signalled, .. } = works;
    let kept = journal.end();
    tracing::info!(target: "dlgforge.llm", "[journal] {kept}; {} replies found", shared.meter.read().recalled);
    listeners.tell(&Event::Ended(&tally));
    runtime.shutdown_background();
    let signalled = signalled.get().copied();
    Ok(Executed { facts, store, written, journal, tally, signalled, elapsed })
}

/// The journal of a run, which stops it when it fails.
pub fn journal(
    store: Arc<dyn Replies>,
    run_id: &Arc<str>,
    reuse: impl IntoIterator<Item = Reuse>,
    stop: Stop,
) -> Journal {
    Journal::start(store, run_id.clone(), reuse, move |failure| {
        tracing::error!(target: "dlgforge.pipeline", "[journal] failed to {failure}; stopping the run");
        stop.now();
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

/// Runs the graph on so many worker threads, and on those of other processes, to its end; what became of its conversations.
pub fn on_workers<R: ExchangeData>(
    (workers, mesh): (usize, Option<Mesh>),
    work: &Work,
    stages: &Stages,
    executor: &Executor,
    listeners: &Listeners,
    (render, write): (
        impl Fn(Settlement) -> R + Clone + Send + Sync + 'static,
        impl Fn(usize, R) + Clone + Send + Sync + 'static,
    ),
) -> Result<Tally, RunError> {
    let communication = match workers {
        1 => CommunicationConfig::Thread,
        threads => CommunicationConfig::Process(threads),
    };
    let last = Arc::new(Mutex::new(work.quota.tally().clone()));
    let (stages, executor, listeners, tallied) = (stages.clone(), executor.clone(), listeners.clone(), last.clone());
    let observer = listeners.observer();
    let (quota, retries, earlier) = (work.quota.clone(), work.retries, work.earlier.clone());
    let near = work.near.clone();
    let judge_check = work.judge_check.clone();
    let graph = move |worker: &mut Worker| {
        let (quota, earlier, near) = (quota.clone(), earlier.clone(), near.clone());
        let order = Order { quota, retries, earlier, near, threads: workers };
        let (listeners, tallied, recording) = (listeners.clone(), tallied.clone(), (render.clone(), write.clone()));
        let judge_check = judge_check.clone();
        let report = move |tally: &Tally| {
            judge_check.iter().for_each(|check| check.look(tally));
            tallied.lock().unwrap_or_else(PoisonError::into_inner).clone_from(tally);
            listeners.tell(&Event::Progress(tally));
        };
        let observer = observer.clone();
        worker.dataflow(|scope| generate(scope, order, stages.clone(), &executor, observer, report, recording));
    };
    let guards = match mesh {
        None => timely::execute(Config { communication, worker: WorkerConfig::default() }, graph),
        Some(mesh) => mesh.execute(workers, graph),
    };
    let guards = guards.map_err(RunError::Workers)?;
    guards.join().into_iter().try_for_each(|worker| worker.map_err(RunError::Workers))?;
    let tally = last.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(tally)
}
