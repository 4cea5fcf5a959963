//! A check of the endpoints: who is there, whether the model is listed, and what each takes of what a run asks for.

use super::super::RunError;
use super::super::knowledge::waited;
use super::report::{Group, Level};
use crate::domain::Agent;
use crate::domain::causes::causes;
use crate::llm::ReplySchema;
use crate::providers::{self, AgentOptions, EndpointOptions, Listing, Replied, Shared, Trial, Unasked, Wanted};
use crate::servers::{self, Serving};
use crate::settings::Settings;
use crate::store::Fact;
use futures_util::future::join_all;
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Tries the endpoints of all agents, and gives the latency of a reply for each agent in the order of the settings; none where
/// there was no reply. They are asked where it `asks`, for what an agent's requests want where that is known.
///
/// # Errors
/// When there are no threads to wait on.
pub fn endpoints(
    settings: &Settings,
    wanted: &[Option<Wanted>],
    asks: bool,
    tell: &dyn Fn(&str),
    group: &mut Group,
) -> Result<Vec<Option<Duration>>, RunError> {
    if let Serving::Managed(servers) = &settings.serving {
        let (count, section) = (servers.replicas, servers.section);
        match servers::check(servers) {
            Ok(()) => {
                group.ok(format!("the run starts {count} model servers of its own ({section}), which are asked then"))
            }
            Err(error) => group.problem(causes(&error)),
        }
    }
    let agents: Vec<(Agent, AgentOptions)> =
        settings.agents.iter().map(|(agent, all)| (agent, tried(settings, all))).collect();
    let count: usize = agents.iter().map(|(_, options)| options.endpoints.len()).sum();
    if asks && count > 0 {
        tell(&format!("asks {count} endpoints for a few tokens each, which is paid for; --no-calls leaves that out"));
    }
    let learned = Arc::new(Mutex::new(Vec::new()));
    let (shared, heard) = (Shared::default(), learned.clone());
    shared.keep_facts(move |fact: &Fact| {
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(fact.clone());
        Ok(())
    });
    let wanted: Vec<Option<Wanted>> = agents
        .iter()
        .enumerate()
        .map(|(at, (agent, _))| asks.then(|| of_agent(settings, *agent, wanted.get(at))))
        .collect();
    let trials = agents
        .iter()
        .zip(&wanted)
        .map(|((_, options), wanted)| providers::try_endpoints(options, wanted.as_ref(), &shared));
    let trials = waited(join_all(trials))?;
    let latencies = agents.iter().zip(trials).map(|((agent, options), trials)| {
        if options.provider == "builtin" {
            group.ok(format!("llm.agents.{agent}: the built-in model, which needs no endpoint"));
        }
        report(options, trials, group)
    });
    let latencies = latencies.collect();
    for Fact { endpoint, text } in learned.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        group.warn(format!("{endpoint}: {text}"));
    }
    Ok(latencies)
}

/// The agent with the endpoints alone that are there before a run.
fn tried(settings: &Settings, options: &AgentOptions) -> AgentOptions {
    let mut options = options.clone();
    if matches!(settings.serving, Serving::Managed(_)) {
        options.endpoints.retain(|endpoint| endpoint.provider.wants_key);
    }
    options
}

/// What an agent's requests want: as a dry run has them, else any object, or a text where the user model writes one.
fn of_agent(settings: &Settings, agent: Agent, known: Option<&Option<Wanted>>) -> Wanted {
    let object = || json!({"type": "object", "properties": {"reply": {"type": "string"}}, "required": ["reply"], "additionalProperties": false});
    let is_text = agent == Agent::User && settings.asks.text.is_some();
    let schema = || if is_text { ReplySchema::text() } else { ReplySchema::new("reply", object()) };
    known.cloned().flatten().unwrap_or_else(|| Wanted { tools: Vec::new(), schema: schema() })
}

/// Tells what was found of an agent's endpoints. What is wrong with one is only to be looked at while another can be asked.
fn report(
    options: &AgentOptions,
    trials: Vec<Result<Trial, crate::llm::ModelError>>,
    group: &mut Group,
) -> Option<Duration> {
    let is_usable = |trial: &Result<Trial, _>| {
        trial.as_ref().is_ok_and(|trial| {
            trial.listing.is_ok()
                && trial
                    .asked
                    .as_ref()
                    .is_none_or(|asked| asked.as_ref().map_or_else(|failed| failed.may_pass, |_| true))
        })
    };
    let wrong = if trials.iter().any(is_usable) { Level::Warning } else { Level::Problem };
    let mut latencies = Vec::new();
    for (endpoint, trial) in options.endpoints.iter().zip(trials) {
        let Trial { key, shown, model, listing, asked } = match trial {
            Ok(trial) => trial,
            Err(error) => {
                group.problem(causes(&error));
                continue;
            }
        };
        let key = if key.starts_with("llm.agents.") { key } else { format!("llm.agents.{} at {key}", options.agent) };
        match &listing {
            Err(why) => {
                group.add(wrong, format!("{key}: {shown}: {why}"));
                continue;
            }
            Ok(Listing::Lacks(listed)) => {
                group.warn(format!("{key}: {shown} does not list the model `{model}`; it lists {listed}"));
            }
            Ok(Listing::Has | Listing::Unknown) => {}
        }
        let listed = match listing {
            Ok(Listing::Has) => format!("lists `{model}`"),
            Ok(Listing::Lacks(_)) => "is there".to_owned(),
            Ok(Listing::Unknown) | Err(_) => format!("is there, and does not list its models; `{model}` is asked for"),
        };
        match asked {
            None => group.ok(format!("{key}: {shown} {listed}{}", with_key(endpoint))),
            Some(Ok(Replied { latency, takes })) => {
                latencies.push(latency);
                let (seconds, takes) = (latency.as_secs_f64(), takes.join(", "));
                group.ok(format!(
                    "{key}: {shown} {listed}{}; replied in {seconds:.2} s; takes {takes}",
                    with_key(endpoint)
                ));
            }
            Some(Err(Unasked { why, may_pass: true })) => group.warn(format!("{key}: {why}")),
            Some(Err(Unasked { why, may_pass: false })) => group.add(wrong, format!("{key}: {why}")),
        }
    }
    latencies.into_iter().min()
}

/// Says that an endpoint has a key, and not which.
fn with_key(endpoint: &EndpointOptions) -> &'static str {
    let has = endpoint.api_key.as_ref().is_some_and(|key| !key.reveal().is_empty());
    if has { "; its key is set" } else { "" }
}
