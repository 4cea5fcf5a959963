//! A check of what a run would cost: its calls are counted by a dry run of a few conversations, and what each reads and writes is
//! what earlier runs of the folder say, or a rule of thumb.

use super::super::dry_run::go_through;
use super::super::events::Listeners;
use super::super::prepare::Prepared;
use super::super::{RunError, shutdown};
use super::report::{Figures, Group};
use crate::domain::calibration::Spoil;
use crate::domain::{Agent, Stage};
use crate::llm::dry_run::Counts;
use crate::llm::{Prices, Usage};
use crate::providers::{AgentOptions, Wanted};
use crate::settings::Settings;
use crate::store::{self, Backend, Cost};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Conversations that the dry run has, over all languages.
const SAMPLE: u32 = 30;

/// Bytes of a prompt per token.
const BYTES_PER_TOKEN: u64 = 4;

/// Tokens of a question, an answer and a verdict, as a rule of thumb: what models of some 20 to 70 billion parameters write with the
/// shipped prompts.
const REPLY_TOKENS: [u64; 3] = [100, 350, 150];

/// A dry run of a few conversations.
pub struct Sample {
    /// Conversations that it had, over all languages.
    conversations: u64,
    /// The calls of each agent, in the order of the settings.
    counts: Vec<(Agent, Arc<Counts>)>,
}

/// What earlier runs of a folder paid, by agent and model.
pub type Paid = BTreeMap<(String, String), Cost>;

impl Sample {
    /// Goes through a few conversations of a new run. Nothing is written: there is no output folder at `scratch`.
    ///
    /// # Errors
    /// When something keeps the run from beginning.
    pub fn make(settings: &Settings, prepared: &Prepared, scratch: &Path) -> Result<Self, RunError> {
        let languages = settings.languages.len() as u32;
        let mut sample = settings.clone();
        sample.total_samples = (SAMPLE / languages).max(2).min(settings.total_samples);
        sample.output.folder = scratch.join("outputs");
        (sample.run_id, sample.resume, sample.reuse_from, sample.shard) = (None, None, None, None);
        sample.store = store::Options { backend: Backend::Sqlite, keep_calls: true, keep_requests: true };
        // Spoiled answers are those of the first conversations alone, and are counted apart.
        sample.judge.calibrate = 0;
        let all = Mutex::new(Vec::new());
        let counts = |_: &_, agent| {
            let counts = Arc::<Counts>::default();
            all.lock().unwrap_or_else(PoisonError::into_inner).push((agent, counts.clone()));
            counts
        };
        go_through(&sample, prepared, &counts, &Listeners::default())?;
        let mut counts = all.into_inner().unwrap_or_else(PoisonError::into_inner);
        counts.sort_by_key(|(agent, _)| *agent);
        Ok(Self { conversations: u64::from(sample.total_samples) * u64::from(languages), counts })
    }

    /// What the requests of each agent want, in the order of the settings.
    pub fn wanted(&self) -> Vec<Option<Wanted>> {
        let wanted = |(agent, counts): &(Agent, Arc<Counts>)| {
            let (tools, schema) = counts.first(stage(*agent))?.clone();
            Some(Wanted { tools, schema })
        };
        self.counts.iter().map(wanted).collect()
    }
}

fn stage(agent: Agent) -> Stage {
    match agent {
        Agent::User => Stage::Ask,
        Agent::Assistant => Stage::Answer,
        Agent::Judge => Stage::Judge,
    }
}

/// Looks at prices, at the days on which models go, and at the budget.
pub fn prices(settings: &Settings, prices: &Prices, prepared: Option<&Prepared>, group: &mut Group) {
    let mut seen = Vec::new();
    for endpoint in settings.agents.iter().flat_map(|(_, options)| &options.endpoints) {
        let name = format!("{}/{}", endpoint.provider.name, endpoint.model);
        if seen.contains(&name) {
            continue;
        }
        let is_priced = prices.of(endpoint.provider.names(), &endpoint.model).is_some();
        match (is_priced, endpoint.provider.wants_key) {
            (true, _) => group.ok(format!("the price of {name} is known")),
            (false, true) => group.warn(format!("the price of {name} is unknown: `llm.prices` sets it")),
            (false, false) => group.ok(format!("{name} has no price, as a server of your own (`llm.prices` sets one)")),
        }
        seen.push(name);
    }
    if let Some(prepared) = prepared {
        let today = prepared.stamp.now().to_zoned(TimeZone::UTC).date();
        shutdown::lines(settings.agents.iter(), prices, today).iter().for_each(|line| group.warn(line));
    }
    let budget = settings.budget;
    let caps = [
        budget.usd.map(|usd| format!("{usd} USD")),
        budget.tokens.map(|tokens| format!("{tokens} tokens")),
        budget.calls.map(|calls| format!("{calls} calls")),
    ];
    let caps: Vec<String> = caps.into_iter().flatten().collect();
    let is_paid = settings.agents.iter().flat_map(|(_, options)| &options.endpoints).any(|one| one.provider.wants_key);
    match (caps.is_empty(), is_paid) {
        (false, _) => group.ok(format!("the budget is {}", caps.join(", "))),
        (true, true) => group.warn("no budget is set: `run.budget` caps what a run may cost (usd, tokens, calls)"),
        (true, false) => {}
    }
}

/// What the calls of one agent come to.
#[derive(Default)]
struct Expected {
    calls: f64,
    read: f64,
    written: f64,
    usd: Option<f64>,
    /// Seconds that a reply takes, if that is known.
    latency: Option<f64>,
    is_measured: bool,
}

/// Tells what the whole run would cost, and compares it with the budget.
pub fn estimate(
    settings: &Settings,
    sample: &Sample,
    prices: &Prices,
    (paid, latencies): (&Paid, &[Option<Duration>]),
    (group, figures): (&mut Group, &mut Figures),
) {
    let languages = settings.languages.len() as u64;
    let conversations = u64::from(settings.total_samples) * languages;
    let scale = conversations as f64 / sample.conversations as f64;
    let spoiled = u64::from(settings.judge.calibrate.min(settings.total_samples)) * languages * Spoil::ALL.len() as u64;
    let agents = settings.agents.iter().zip(&sample.counts).enumerate();
    let expected: Vec<(&AgentOptions, Expected)> = agents
        .map(|(at, ((agent, options), (_, counts)))| {
            let more = if agent == Agent::Judge { spoiled } else { 0 };
            let key = (agent.as_str().to_owned(), options.name().to_string());
            let measured = paid.get(&key).filter(|cost| cost.calls > cost.unreported);
            let latency = latencies.get(at).copied().flatten();
            (options, expected(options, agent, counts, (scale, more), prices, (measured, latency)))
        })
        .collect();
    let sum = |of: fn(&Expected) -> f64| expected.iter().map(|(_, one)| of(one)).sum::<f64>();
    let (calls, tokens) = (sum(|one| one.calls), sum(|one| one.read + one.written));
    let usd = expected.iter().map(|(_, one)| one.usd).sum::<Option<f64>>();
    let turns = sample.counts.iter().find(|(agent, _)| *agent == Agent::User);
    let turns = turns.map_or(0.0, |(_, counts)| counts.of(Stage::Ask).1 as f64 * scale);
    let cost = usd.map_or("cost unknown".to_owned(), |usd| format!("{usd:.2} USD"));
    let asked = || expected.iter().filter(|(options, _)| options.provider != "builtin");
    let basis = match asked().next() {
        None => "the built-in model costs nothing",
        Some(_) if asked().all(|(_, one)| one.is_measured) => {
            "by what earlier runs of the folder took for a call; `dlgforge estimate` measures it with a pilot"
        }
        Some(_) => "by rules of thumb for what a call reads and writes; `dlgforge estimate` measures it with a pilot",
    };
    group.ok(format!(
        "{conversations} conversations, {turns:.0} turns: about {calls:.0} calls, {tokens:.0} tokens, {cost}; {basis}"
    ));
    let seconds = seconds(settings, &expected, conversations as f64);
    if let Some(seconds) = seconds {
        group
            .ok(format!("it takes {} or more", humantime::format_duration(Duration::from_secs(seconds.ceil() as u64))));
    }
    let budget = settings.budget;
    for (key, most, comes_to) in [
        ("usd", budget.usd, usd),
        ("tokens", budget.tokens.map(|most| most as f64), Some(tokens)),
        ("calls", budget.calls.map(|most| most as f64), Some(calls)),
    ] {
        if let Some((most, comes_to)) = most.zip(comes_to).filter(|(most, comes_to)| comes_to > most) {
            group.warn(format!(
                "run.budget.{key} is {most}, and the run comes to about {comes_to:.2}: it would stop before its end; raise it, or \
                 lower run.total_samples"
            ));
        }
    }
    (figures.conversations, figures.turns) = (Some(conversations), Some(turns.round() as u64));
    (figures.calls, figures.tokens) = (Some(calls.round() as u64), Some(tokens.round() as u64));
    (figures.usd, figures.seconds) = (usd, seconds);
}

fn expected(
    options: &AgentOptions,
    agent: Agent,
    counts: &Counts,
    (scale, more): (f64, u64),
    prices: &Prices,
    (measured, latency): (Option<&Cost>, Option<Duration>),
) -> Expected {
    let (stage, replies) = (stage(agent), REPLY_TOKENS);
    let (_, made) = counts.of(stage);
    let (bytes, earlier) = counts.length(stage);
    let calls = made as f64 * scale + more as f64;
    if made == 0 {
        return Expected { usd: Some(0.0), ..Expected::default() };
    }
    let [question, answer, _] = replies;
    // The stand-ins of a dry run say next to nothing: what models would have said before is read too.
    let said = earlier * (question + answer) / 2 + if agent == Agent::Judge { made * answer } else { 0 };
    let rough = [
        (bytes / BYTES_PER_TOKEN + said) / made,
        options.max_tokens.unwrap_or(u64::MAX).min(replies[usize::from(stage.number())]),
    ];
    let [read, written] = measured.map_or(rough, |cost| {
        let reported = cost.calls - cost.unreported;
        [cost.prompt_tokens / reported, cost.completion_tokens / reported]
    });
    let usage = Usage { prompt_tokens: Some(read), completion_tokens: Some(written), ..Usage::default() };
    let price = |endpoint: &crate::providers::EndpointOptions| {
        Some(prices.of(endpoint.provider.names(), &endpoint.model)?.nanousd(&usage)? as f64 / 1e9)
    };
    let dearest = options.endpoints.iter().map(price).try_fold(0.0_f64, |most, usd| Some(most.max(usd?)));
    let latency =
        measured.map(|cost| cost.latency_us as f64 / 1e6 / cost.calls as f64).or(latency.map(|one| one.as_secs_f64()));
    Expected {
        calls,
        read: read as f64 * calls,
        written: written as f64 * calls,
        usd: dearest.map(|usd| usd * calls),
        latency: if options.provider == "builtin" { Some(0.0) } else { latency },
        is_measured: measured.is_some(),
    }
}

/// The least that the calls take: with as many conversations at a time as the run has, each agent within its requests per minute, and
/// one conversation call by call. None where nobody knows how long a reply takes.
fn seconds(settings: &Settings, expected: &[(&AgentOptions, Expected)], conversations: f64) -> Option<f64> {
    let work = expected.iter().map(|(_, one)| Some(one.calls * one.latency?)).sum::<Option<f64>>()?;
    if work <= 0.0 {
        return None;
    }
    let at_a_time = f64::from(settings.concurrency).min(conversations).max(1.0);
    let paced = expected.iter().filter_map(|(options, one)| Some(one.calls * 60.0 / f64::from(options.rpm?)));
    Some(paced.fold((work / at_a_time).max(work / conversations.max(1.0)), f64::max))
}
