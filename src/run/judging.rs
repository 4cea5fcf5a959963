//! Judge: conversations that are there are read back and judged, and the files that tell of verdicts written anew, all together.
//!
//! A pass has an id, a manifest and replies in the store as a run has, so that the same command goes on with it. Nothing of the
//! folder changes before all replies are in; then the documents, the tables, the Parquet files and the run states are made
//! beside the old ones, and take their places together.

mod check;
mod select;
mod summary;

pub use select::is_about;
pub use summary::{PassEnd, PassSummary, Verdicts};

use super::bill::Bill;
use super::events::Event;
use super::execute::journal;
use super::held_out::held_out;
use super::inputs::{knowledge, models};
use super::prepare::{shared, stamp};
use super::{Host, RunError, serving, shutdown, signals};
use crate::dataflows::judge::{Due, Judging, judge as graph};
use crate::domain::{Agent, Catalogue, Failure, HeldOut, Slot};
use crate::files::Folder;
use crate::knowledge::Knowledge;
use crate::llm::{Journalled, Model};
use crate::operators::{Executor, Stop};
use crate::output::{self, OutputError, Rejudged, Rendered, SettledRun};
use crate::providers::Shared;
use crate::settings::Settings;
use crate::settings::sources::HELD_OUT;
use crate::stages::{Accept, CheckOptions, Checks, Granularity, Judge, JudgeOptions, Prompts, Rejudging};
use crate::store::{Admission, Run, Settled, State};
use check::Check;
use select::Pass;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, mpsc};
use std::time::Instant;
use timely::worker::Worker;
use timely::{CommunicationConfig, Config, WorkerConfig};

/// Which conversations are judged, and whether the judge is.
#[derive(Debug, Clone, Default)]
pub struct PassOptions {
    /// Only what has no verdict.
    pub only_unjudged: bool,
    /// So many conversations, drawn by the seed and evenly over the languages.
    pub sample: Option<u32>,
    /// Those of this run.
    pub run: Option<String>,
    /// So many conversations of each language, the first ones, in whose first turn the judge scores spoiled answers too.
    pub calibrate: Option<u32>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub enum Passed {
    /// Conversations were judged, as the summary says.
    Made(Box<PassSummary>),
    /// There was nothing to do: why.
    Nothing(String),
}

/// Judges the conversations of the output folder on so many worker threads.
///
/// # Errors
/// When the input can't be used, or the files or the state of the pass can't be read or written. Then every file is as it was, or
/// the next process that claims the folder finishes.
pub fn judge(settings: &Settings, options: &PassOptions, workers: usize, host: &Host) -> Result<Passed, RunError> {
    host.watched(&settings.output.folder, |host| pass(settings, options, workers, host))
}

fn pass(settings: &Settings, options: &PassOptions, workers: usize, host: &Host) -> Result<Passed, RunError> {
    let settings = &*serving::attached(settings)?;
    let outputs = settings.output.folder.as_path();
    if options.calibrate.is_some() && settings.judge.granularity == Granularity::Conversation {
        let text =
            "--calibrate spoils the answers of turns, and `judge.granularity` is `conversation`: set it to `turn`";
        return Err(RunError::Unjudgeable(text.to_owned()));
    }
    if Folder::look(outputs, &settings.store.backend)?.is_none() {
        let (shown, others) = (outputs.display(), outputs.join(output::CONVERSATIONS).is_dir());
        let of_others = ", but conversations: those that another program has made can't be read back";
        let more = if others { of_others } else { "" };
        return Err(RunError::Unjudgeable(format!("{shown} has no runs{more}")));
    }
    let (shared, stamp) = (shared(settings, &host.listeners)?, stamp()?);
    let prompts = Arc::new(Prompts::load(&settings.prompts)?);
    let tell = |progress| host.listeners.tell(&Event::Preparing(progress));
    let Knowledge { catalogue, .. } = knowledge(settings, &tell)?;
    let held_out = held_out(settings)?;
    let models = models(settings, &shared)?.all(Agent::Judge).to_vec();
    if models.is_empty() {
        return Err(RunError::Unjudgeable("the settings name no judge".to_owned()));
    }
    shutdown::warn(settings, &shared.prices, stamp.now());
    host.listeners.tell(&Event::Prepared);

    let folder = Folder::claim(outputs, &settings.store.backend)?;
    let runs = select::runs(&folder, settings, options, &catalogue)?;
    let asking = judge_of(settings, models.clone(), &prompts, &catalogue);
    let due = select::due(&runs, settings, options, (&folder, &asking))?;
    if due.is_empty() {
        return Ok(Passed::Nothing("every conversation has its verdicts: nothing to do".to_owned()));
    }
    let calibrated = select::calibrated(&runs, options, &due)?;
    let mut manifest = select::manifest(settings, &prompts, options, (&runs, &due));
    manifest.extend(held_out.as_ref().map(|(_, digest)| (HELD_OUT.to_owned(), digest.clone())));
    let held_out = held_out.map(|(held_out, _)| held_out);
    let id = match Pass::of(&folder, &manifest) {
        Pass::Over(pass) => {
            return Ok(Passed::Nothing(format!(
                "pass {} has judged these conversations so ({}): nothing to do; --only-unjudged judges what has no verdict",
                pass.id,
                pass.state.as_str()
            )));
        }
        Pass::Begun(pass) => {
            folder.store.set_state(&pass.id, State::Running, &stamp.utc_z())?;
            pass.id
        }
        Pass::New(id) => {
            let (began, updated, config) = (stamp.utc_z(), stamp.utc_z(), settings.config.clone());
            let run = Run { id: id.clone(), state: State::Running, manifest, config, ledger: 0, began, updated };
            folder.store.begin(&run)?;
            id
        }
    };
    let _servers = serving::started(settings, &host.listeners)?;
    let given =
        Given { settings, options, shared: &shared, host, models, prompts, catalogue, held_out, folder: &folder };
    let (calibrating, others): (Vec<_>, Vec<_>) = due.into_iter().partition(|one| calibrated.contains(one));
    let chosen = Chosen { due: [calibrating, others].concat(), calibrated };
    given.pass(&id, runs, chosen, workers, stamp).map(|summary| Passed::Made(Box::new(summary)))
}

/// Conversations to judge, each by the number of its run and its slot, in the order in which the judge is asked.
struct Chosen {
    due: Vec<(usize, Slot)>,
    /// Those of them in whose first turn it scores spoiled answers too.
    calibrated: BTreeSet<(usize, Slot)>,
}

/// What a pass works with.
struct Given<'a> {
    settings: &'a Settings,
    options: &'a PassOptions,
    shared: &'a Shared,
    host: &'a Host,
    models: Vec<Arc<dyn Model>>,
    prompts: Arc<Prompts>,
    catalogue: Arc<Catalogue>,
    held_out: Option<Arc<HeldOut>>,
    folder: &'a Folder,
}

/// What the judge has made of a conversation.
type Outcome = Option<(Rendered, Verdicts)>;

/// A judge whose verdicts label and drop nothing: the conversations are there.
fn judge_of(
    settings: &Settings,
    models: Vec<Arc<dyn Model>>,
    prompts: &Arc<Prompts>,
    catalogue: &Arc<Catalogue>,
) -> Judge {
    let accept = Accept { drop: false, ..settings.judge.accept.clone() };
    let options = JudgeOptions { accept, ..settings.judge.clone() };
    Judge::new(models, prompts.clone(), catalogue.clone(), options)
}

impl Given<'_> {
    fn pass(
        &self,
        id: &str,
        runs: Vec<SettledRun>,
        Chosen { due, calibrated }: Chosen,
        workers: usize,
        stamp: output::Stamp,
    ) -> Result<PassSummary, RunError> {
        let Self { settings, shared, host, folder, .. } = self;
        let (began, total, store) = (Instant::now(), due.len(), folder.store.clone());
        let runs: Arc<[SettledRun]> = runs.into();
        shared.open(&store, &Arc::from(id))?;
        let runtime = signals::runtime().map_err(RunError::Runtime)?;
        let stop = Stop::default();
        let signalled = (host.obey)(stop.clone());
        let (halted, handle) = (stop.clone(), runtime.handle().clone());
        shared.halt.tell(move || signals::land(&handle, halted.clone()));
        let reused = select::reused(folder, &runs, self.options, id);
        let journal = Arc::new(journal(store.clone(), &Arc::from(id), reused, stop.clone()));
        let executor = Executor::new(runtime.handle().clone(), settings.concurrency as usize, stop.clone());
        let keeps = settings.store.keep_requests;
        let behind = |model: &Arc<dyn Model>| -> Arc<dyn Model> {
            Arc::new(Journalled::new(model.clone(), Agent::Judge, journal.clone(), shared.meter.clone(), keeps))
        };
        let judge = judge_of(settings, self.models.iter().map(behind).collect(), &self.prompts, &self.catalogue);
        let (languages, meter) = (settings.languages.as_slice(), &shared.meter);
        host.listeners.tell(&Event::Started { run: id, languages, total: total as u64, meter });

        let mut rejudged = Rejudged::begin(folder, &settings.output, &runs)?;
        let mut check = Check::new(calibrated.clone(), settings.judge.least);
        let landed = on_workers(workers, due.into(), self.judging(judge, runs.clone(), calibrated), &executor)?;
        let mut summary = PassSummary::new(id, total, settings.judge.granularity, self.names());
        let (reached, failure) = self.gather(landed, (&mut rejudged, &mut check), &mut summary, &stop)?;
        summary.calibration = self.options.calibrate.map(|_| check.calibration);
        let kept = journal.end();
        runtime.shutdown_background();
        tracing::info!(target: "dlgforge.llm", "[journal] {kept}; {} replies found", shared.meter.read().recalled);
        let failure = failure.map(RunError::from).or_else(|| journal.failure().map(|failure| failure.clone().into()));
        if let Some(cause) = failure {
            store.set_state(id, State::Interrupted, &stamp.utc_z())?;
            return Err(RunError::Stopped { cause: Box::new(cause), again: "the same command goes on".to_owned() });
        }
        let refused = summary.fault.take_if(|_| settings.judge.least.refuse);
        summary.end = match (signalled.get(), shared.halt.reason()) {
            _ if let Some(fault) = refused => PassEnd::Refused(fault),
            _ if reached == total => PassEnd::Complete,
            (Some(signal), _) => PassEnd::Interrupted(*signal),
            (None, reason) => PassEnd::Halted(reason.unwrap_or("the pass was stopped").to_owned()),
        };
        if summary.end == PassEnd::Complete {
            let state = match (summary.failed.0, summary.verdicts.missing) {
                (0, 0) => State::Completed,
                (0, _) => State::Short,
                // What has no verdict is for another pass; else this one goes on with what failed.
                _ if self.options.only_unjudged => State::Short,
                _ => State::Interrupted,
            };
            summary.files = rejudged.finish(&self.told(), (id.to_owned(), state), stamp)?;
            if state.is_over() {
                self.drop_replies(id, &runs, stamp)?;
            }
        } else {
            store.set_state(id, State::Interrupted, &stamp.utc_z())?;
        }
        summary.meter = shared.meter.read();
        summary.bill = Bill { spent: store.spent(id)?, tiers: store.tiers(id)?, languages: Vec::new() };
        summary.elapsed = began.elapsed();
        log(&summary);
        Ok(summary)
    }

    /// Takes what comes from the workers until they have ended; how many conversations have been with the judge, and what could not
    /// be written, which stops the others.
    fn gather(
        &self,
        landed: Landed,
        (rejudged, check): (&mut Rejudged<'_>, &mut Check),
        summary: &mut PassSummary,
        stop: &Stop,
    ) -> Result<(usize, Option<OutputError>), RunError> {
        let (mut reached, mut failure) = (0, None);
        for ((run, slot), outcome) in landed.outcomes {
            let turns =
                outcome.as_ref().ok().and_then(|judged| judged.as_ref()).map(|(rendered, _)| &rendered.about.turns);
            if outcome != Err(Failure::Stopped)
                && let Some(fault) = check.take((run, slot), turns)
            {
                self.warn(&fault);
                summary.fault = Some(fault);
            }
            match outcome {
                Ok(judged) => {
                    summary.judged += 1;
                    if let Some((rendered, verdicts)) = judged {
                        summary.verdicts.add(verdicts);
                        failure = failure.or_else(|| rejudged.add(run, rendered).err());
                    }
                }
                Err(Failure::Stopped) => continue,
                Err(why) => summary.failed = (summary.failed.0 + 1, why.to_string()),
            }
            reached += 1;
            self.host.listeners.tell(&Event::Judged(reached as u64));
            if failure.is_some() {
                stop.now();
            }
        }
        landed.guards.join().into_iter().try_for_each(|worker| worker.map_err(RunError::Workers))?;
        Ok((reached, failure))
    }

    /// Tells that the judge is not good enough, and stops the pass where that is refused.
    fn warn(&self, fault: &str) {
        if self.settings.judge.least.refuse {
            _ = self.shared.halt.halt(format!("{fault} (judge.on_low_auc: refuse)"));
        } else {
            tracing::warn!(target: "dlgforge.judge", "[judge] {fault}");
        }
    }

    /// The names of the judges' models.
    fn names(&self) -> Vec<Arc<str>> {
        self.models.iter().map(|model| model.name().clone()).collect()
    }

    /// How the judge is asked, as rows tell it.
    fn told(&self) -> output::Judging {
        let JudgeOptions { granularity, reasons, .. } = &self.settings.judge;
        output::Judging { granularity: granularity.as_str(), reasons: reasons.clone() }
    }

    /// What is done with each conversation: it is read, judged and rendered. What can't be read stops the pass.
    fn judging(&self, judge: Judge, runs: Arc<[SettledRun]>, calibrated: BTreeSet<(usize, Slot)>) -> Judging<Outcome> {
        let (told, halt, only_unjudged) = (self.told(), self.shared.halt.clone(), self.options.only_unjudged);
        let granularity = self.settings.judge.granularity;
        let checks = Checks::new(&self.prompts, &[]).labelled(CheckOptions {
            drop: false,
            drop_contaminated: false,
            ..self.settings.checks.clone()
        });
        let checks = checks.apart_from(self.held_out.clone());
        let given = Arc::new((judge, runs, told, halt, calibrated, (checks, self.catalogue.clone())));
        Arc::new(move |due: Arc<Due>| {
            let given = given.clone();
            Box::pin(async move {
                let (judge, runs, told, halt, calibrated, (checks, catalogue)) = &*given;
                let unread = |error: OutputError| {
                    _ = halt.halt(error.to_string());
                    Failure::Stopped
                };
                let run = &runs[due.run].0;
                let (document, conversation) = run.read(due.slot).map_err(unread)?;
                let calibrates = calibrated.contains(&(due.run, due.slot));
                let what = Rejudging { only_unjudged, calibrates };
                let Some(judged) = judge.rejudge(&conversation, what).await? else { return Ok(None) };
                let judged = checks.relabelled(&judged, catalogue);
                let rendered = run.render(&document, &judged, Some(told)).map_err(unread)?;
                Ok(Some((rendered, Verdicts::of(&judged, granularity))))
            })
        })
    }

    /// Lets the replies of a pass go that has ended, where they are not to be kept.
    fn drop_replies(&self, id: &str, runs: &[SettledRun], stamp: output::Stamp) -> Result<(), RunError> {
        if self.settings.store.keep_calls {
            return Ok(());
        }
        let all = runs.iter().flat_map(|(_, settled)| settled.iter().map(|one| (one.slot, one.clone())));
        let slots: BTreeMap<Slot, Settled> = all.collect();
        let settled = slots.into_values().collect();
        let admission = Admission { at: stamp.utc_z(), settled, drop_replies: true, ..Admission::default() };
        Ok(self.folder.store.admit(id, &admission)?)
    }
}

/// What comes from the workers.
struct Landed {
    outcomes: mpsc::Receiver<((usize, Slot), Result<Outcome, Failure>)>,
    guards: timely::communication::WorkerGuards<()>,
}

/// Starts the graph on so many worker threads.
fn on_workers(
    workers: usize,
    due: Arc<[(usize, Slot)]>,
    judging: Judging<Outcome>,
    executor: &Executor,
) -> Result<Landed, RunError> {
    let communication = match workers {
        1 => CommunicationConfig::Thread,
        threads => CommunicationConfig::Process(threads),
    };
    let (landing, outcomes) = mpsc::channel();
    let executor = executor.clone();
    let build = move |worker: &mut Worker| {
        let (due, judging, landing) = (due.clone(), judging.clone(), landing.clone());
        let write = move |place, outcome| _ = landing.send((place, outcome));
        let sizes = (executor.permits(), workers);
        worker.dataflow(|scope| graph(scope, due, sizes, judging, &executor, write));
    };
    let guards = timely::execute(Config { communication, worker: WorkerConfig::default() }, build);
    Ok(Landed { outcomes, guards: guards.map_err(RunError::Workers)? })
}

fn log(summary: &PassSummary) {
    let PassSummary { id, due, judged, failed: (failed, _), verdicts, bill, .. } = summary;
    let Verdicts { made, accepted, missing, .. } = verdicts;
    let mean = verdicts.mean().map_or_else(|| "none".to_owned(), |mean| format!("{mean:.2}"));
    tracing::info!(
        target: "dlgforge.judge",
        "[judge] pass={id} conversations={due} judged={judged} failed={failed} verdicts={made} avg_score={mean} \
         accepted={accepted} unjudged={missing} cost={}", bill.cost()
    );
    if let Some(told) = summary.calibration.and_then(|calibration| calibration.told()) {
        tracing::info!(target: "dlgforge.judge", "[judge] pass={id} {told}");
    }
}
