//! `--dry-run`: the graph of a run with the journal for all its models. Nothing is asked; nothing is written
//! but what is kept of the documents, and how their words are found.

use super::events::Listeners;
use super::execute::on_workers;
use super::inputs::Front;
use super::open::{Looked, look};
use super::prepare::{Prepared, prepare};
use super::{RunError, serving, signals};
use crate::domain::{Agent, Stage};
use crate::knowledge::Anew;
use crate::llm::Model;
use crate::llm::dry_run::{Counts, StandIn};
use crate::operators::{Executor, Stop};
use crate::settings::Settings;
use crate::store::{Broken, Kept};
use crate::tools::{KeptSearch, KeptWeb, QuestionVectors};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// What a run would cost in calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DryRun {
    /// The run to go on with; none for a new one.
    pub resumed: Option<Arc<str>>,
    /// Conversations it has settled.
    pub settled: usize,
    /// By stage: calls the journal answers, and calls that would be made.
    pub calls: [(u64, u64); 3],
}

/// Goes through a run without asking anybody. Where the journal has no reply, one stands in for it that is usable, no
/// duplicate, and calls no tool unless it has no passages: so many calls at least would be made.
///
/// # Errors
/// When the input can't be used, or the store can't be read.
pub fn dry_run(settings: &Settings, listeners: &Listeners) -> Result<DryRun, RunError> {
    let mut settings = serving::named(settings)?.into_owned();
    (settings.knowledge.by_words, settings.knowledge.anew) = (true, Anew::Nothing);
    let settings = &settings;
    let prepared = prepare(settings, listeners)?;
    let counts = Arc::new(Counts::default());
    let (resumed, settled) = go_through(settings, &prepared, &|_, _| counts.clone(), listeners)?;
    let calls = Stage::ALL.map(|stage| counts.of(stage));
    Ok(DryRun { resumed, settled, calls })
}

/// The counts of what is asked of a model as an agent.
type CountsOf<'a> = dyn Fn(&Arc<dyn Model>, Agent) -> Arc<Counts> + 'a;

/// Goes through a run whose models are stand-ins, each with the counts that it is given; the run that it goes on with, if it does,
/// and the conversations that this one has settled.
///
/// # Errors
/// When the run may not go ahead, or the store can't be read.
pub fn go_through(
    settings: &Settings,
    prepared: &Prepared,
    counts: &CountsOf<'_>,
    listeners: &Listeners,
) -> Result<(Option<Arc<str>>, usize), RunError> {
    let Looked { folder, resumed, facts, settled, work } = look(settings, prepared)?;
    let runtime = signals::runtime().map_err(RunError::Runtime)?;
    let (stop, failure) = (Stop::default(), Arc::new(OnceLock::new()));
    let executor = Executor::new(runtime.handle().clone(), settings.concurrency as usize, stop.clone());
    let failed = failure.clone();
    let broken: Broken = Arc::new(move |error| {
        _ = failed.set(error.clone());
        stop.now();
    });
    let journal = folder.as_ref().map(|folder| (folder.store.clone(), facts.run_id.clone()));
    let kept = Kept { journal, reuse: work.reuse.clone(), broken: Some(broken) };
    let front = Front {
        model: &|model, agent| {
            Arc::new(StandIn { model: model.clone(), kept: kept.clone(), counts: counts(model, agent) })
        },
        web: &|_| Arc::new(KeptWeb(kept.clone())),
        search: &|retriever, setup| Arc::new(KeptSearch { retriever, setup, kept: kept.clone() }),
        vectors: &|embedder| QuestionVectors::kept(embedder, kept.clone()),
    };
    let stages = prepared.sources.stages(settings, (&facts, work.normalisation), front);
    on_workers((1, None), &work, &stages, &executor, listeners, (drop, |_, ()| {}))?;
    if let Some(failure) = failure.get() {
        return Err(failure.clone().into());
    }
    Ok((resumed.map(|run| run.id.into()), settled))
}

impl fmt::Display for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (found, missing) = self.calls.iter().fold((0, 0), |sum, calls| (sum.0 + calls.0, sum.1 + calls.1));
        let run = self.resumed.as_ref().map_or("a new run".to_owned(), |run| format!("run {run}"));
        writeln!(f, "{run} would make at least {missing} calls; the journal has {found} replies for it")?;
        for (name, (found, missing)) in ["questions", "answers", "verdicts"].into_iter().zip(self.calls) {
            writeln!(f, "  {name:<14} {missing} to ask for, {found} in the journal")?;
        }
        if self.resumed.is_some() {
            writeln!(f, "  conversations  {} are settled, and ask for nothing", self.settled)?;
        }
        writeln!(
            f,
            "  further searches of answers to come, and questions that turn out to be duplicates, are not counted"
        )
    }
}
