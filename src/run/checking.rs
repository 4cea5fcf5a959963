//! `dlgforge check`: all that a run would find out later, at once. Nothing is written but to a temporary folder.

mod cost;
mod documents;
mod endpoints;
mod folder;
mod moving;
mod report;

pub use moving::MigrationReport;
pub use report::CheckReport;

use super::events::{Event, Listener, Listeners};
use super::inputs::{self, Sources};
use super::prepare::{self, Prepared};
use super::signals::Scratch;
use super::{RunError, Terminal, held_out, serving};
use crate::domain::causes::causes;
use crate::knowledge::{self, Knowledge};
use crate::llm::Prices;
use crate::providers::{Serper, Shared};
use crate::settings::{ClusterSettings, Launcher, Settings, SettingsError};
use crate::stages::Prompts;
use cost::Sample;
use report::{Figures, Group};
use std::sync::Arc;

/// What is to be checked, and how.
pub struct CheckOptions<'a> {
    /// The configuration as it was named.
    pub config: String,
    /// What it means, or what is wrong with it.
    pub settings: Result<&'a Settings, &'a SettingsError>,
    /// What the knowledge base is read by, if that is known.
    pub knowledge: Option<&'a knowledge::Options>,
    /// Whether endpoints are asked for a few tokens, which costs a call.
    pub asks: bool,
}

/// Looks at everything that a run needs, and tells what is wrong with it. `tell` hears what is about to be asked.
///
/// # Errors
/// When there is no temporary folder, or there are no threads to wait on.
pub fn check(options: CheckOptions<'_>, terminal: &Terminal, tell: &dyn Fn(&str)) -> Result<CheckReport, RunError> {
    let CheckOptions { config, settings, knowledge, asks } = options;
    let scratch = Scratch::new().map_err(RunError::Scratch)?;
    let index = scratch.path().join("index");
    std::fs::create_dir(&index).map_err(RunError::Scratch)?;
    let mut figures = Figures::default();
    let [mut of_settings, mut of_documents] = ["settings", "documents"].map(Group::new);
    match settings {
        Err(SettingsError::Invalid(problems)) => problems.each().for_each(|problem| of_settings.problem(problem)),
        Err(error) => of_settings.problem(causes(error)),
        Ok(settings) => {
            of_settings.ok(format!("{config} can be used"));
            settings.warnings.iter().for_each(|warning| of_settings.warn(warning));
        }
    }
    let found = match knowledge {
        Some(knowledge) => {
            let compares = settings.as_ref().is_ok_and(|settings| inputs::compares_vectors(settings));
            let found = (&mut of_documents, &mut figures);
            documents::documents(knowledge, &index, (asks, compares), terminal, found)?
        }
        None => None,
    };
    terminal.hear(&Event::Prepared);
    let Ok(settings) = settings else {
        of_settings.ok("endpoints, cost and outputs are checked once the settings can be used");
        return Ok(CheckReport::new(config, vec![of_settings, of_documents], figures));
    };
    let [mut of_endpoints, mut of_cost, mut of_folder, mut of_judge] =
        ["endpoints", "cost", "output", "judge"].map(Group::new);
    found.iter().for_each(|knowledge| documents::languages(settings, &knowledge.catalogue, &mut of_documents));
    let of_inputs = inputs(settings);
    let attached = serving::attached(settings).map_err(|error| of_endpoints.problem(causes(&error)));
    let settings = attached.as_deref().unwrap_or(settings);
    let prepared = found.and_then(|knowledge| prepared(settings, knowledge, &mut of_endpoints));
    let sample = prepared.as_ref().map(|prepared| Sample::make(settings, prepared, scratch.path()));
    let sample = sample.and_then(|sample| sample.map_err(|error| of_cost.problem(causes(&error))).ok());
    let wanted = sample.as_ref().map(Sample::wanted).unwrap_or_default();
    let latencies = endpoints::endpoints(settings, &wanted, asks, tell, &mut of_endpoints)?;
    let there = folder::folder(settings, prepared.as_ref(), &mut of_folder);
    match Prices::load(settings.prices.as_deref()) {
        Err(error) => of_cost.problem(causes(&error)),
        Ok(prices) => {
            cost::prices(settings, &prices, prepared.as_ref(), &mut of_cost);
            if let Some(sample) = &sample {
                let paid = folder::paid(there.as_ref());
                cost::estimate(settings, sample, &prices, (&paid, &latencies), (&mut of_cost, &mut figures));
            }
        }
    }
    folder::room(settings, (&mut of_folder, &mut figures));
    folder::judge(settings, there.as_ref(), &mut of_judge);
    let groups =
        vec![of_settings, of_inputs, of_documents, of_endpoints, of_cost, of_folder, of_judge, services(settings)];
    Ok(CheckReport::new(config, groups, figures))
}

/// Looks at what the plan and the prompts are made of.
fn inputs(settings: &Settings) -> Group {
    let mut group = Group::new("inputs");
    match Prompts::load(&settings.prompts) {
        Ok(prompts) => group.ok(format!("{} prompts can be used", prompts.sources().len())),
        Err(error) => group.problem(causes(&error)),
    }
    match inputs::personas(settings) {
        Ok(pool) => group.ok(format!("{} personas who ask, {} who answer", pool.user.len(), pool.assistant.len())),
        Err(error) => group.problem(causes(&error)),
    }
    match inputs::topics(settings) {
        Ok(None) => group.ok("no seed topics: questions come from the documents"),
        Ok(Some(topics)) => {
            topics.warnings().iter().for_each(|warning| group.warn(warning));
            let select = |language: &str| topics.select(&settings.plan.topics_variant, language);
            let (with, without): (Vec<_>, Vec<_>) = settings.languages.iter().partition(|one| !select(one).is_empty());
            let questions = |language: &str| select(language).iter().map(|topic| topic.questions.len()).sum::<usize>();
            let told = with.iter().map(|language| format!("{} in {language}", questions(language)));
            group.ok(format!("seed questions: {}", told.collect::<Vec<_>>().join(", ")));
            without.iter().for_each(|language| group.warn(format!("no seed questions are in `{language}`")));
        }
        Err(error) => group.problem(causes(&error)),
    }
    match held_out::held_out(settings) {
        Ok(None) => {}
        Ok(Some((held_out, _))) => group.ok(format!("{} held-out texts", held_out.len())),
        Err(error) => group.problem(causes(&error)),
    }
    if let Err(error) = prepare::stamp() {
        group.problem(causes(&error));
    }
    group
}

/// What a run is made of, where all of it can be used; what can't is told of models alone, the rest has been told.
fn prepared(settings: &Settings, knowledge: Knowledge, group: &mut Group) -> Option<Prepared> {
    let shared = prepare::shared(settings, &Listeners::default()).ok()?;
    inputs::models(settings, &shared).map_err(|error| group.problem(causes(&error))).ok()?;
    // The models of a dry run are others than those that were just made.
    let shared = prepare::shared(settings, &Listeners::default()).ok()?;
    let mut unasked = settings.clone();
    unasked.web_search.iter_mut().for_each(|web| web.is_asked = false);
    let sources = Sources::with(&unasked, &shared, knowledge).ok()?;
    Some(Prepared { shared, sources, stamp: prepare::stamp().ok()? })
}

/// Looks at what else a run asks: the web, the Hub, other hosts.
fn services(settings: &Settings) -> Group {
    let mut group = Group::new("services");
    if let Some(web) = &settings.web_search {
        match Serper::new(&web.serper, &Shared::default(), Arc::default()) {
            Ok(_) => group.ok("web search: its key is set (SERPER_API_KEY); it is not asked"),
            Err(error) => group.problem(causes(&error)),
        }
    }
    if settings.pushes {
        let to = &settings.push.to;
        match to.check() {
            Err(error) => group.warn(format!("the push at the end of the run would fail: {}", causes(&error))),
            Ok(()) if to.token.is_empty() => group
                .warn("the push at the end of the run would fail: set HF_TOKEN or HUGGINGFACE_HUB_TOKEN to a token that may write"),
            Ok(()) => group.ok(format!("the run is pushed to {} at its end; its token is set", to.repo_id)),
        }
    }
    if let Some(ClusterSettings { processes, launcher, hub, .. }) = &settings.cluster {
        let by = match launcher {
            Launcher::Local => "on this machine",
            Launcher::Manual => "each by `dlgforge worker`",
            Launcher::Slurm => "by Slurm",
            Launcher::Kubernetes => "by Kubernetes",
            Launcher::Ray => "by Ray",
        };
        let hub = hub.as_ref().map_or(String::new(), |hub| format!("; the first listens at {hub}"));
        group.ok(format!("{processes} processes make the run, started {by}{hub}; hosts are not reached for"));
    }
    group
}
