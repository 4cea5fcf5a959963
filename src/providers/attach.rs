//! Servers that run already (`llm.mode: vllm_attach`): all are looked at before the run, and say which model they have.

use super::address::{base_url, headers, shown, with_path};
use super::endpoint::{BODY_LIMIT, read};
use super::secrets::Secrets;
use super::wire::response;
use super::{AgentOptions, EndpointOptions, Shared};
use crate::domain::Agents;
use crate::domain::causes::causes;
use futures_util::future::join_all;
use reqwest::{StatusCode, Url};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a look at a server may take.
const LOOK: Duration = Duration::from_secs(10);

/// Servers that can't be used, all of them.
#[derive(Debug, thiserror::Error)]
#[error("`llm.mode` is `vllm_attach`, and not all servers can be used:{}", told(.0))]
pub struct AttachError(Vec<String>);

fn told(failures: &[String]) -> String {
    failures.iter().map(|failure| format!("\n  {failure}")).collect()
}

/// The same agents, each with a model at each of its servers: where none is said, the one that the server lists first. Every
/// server is looked at, and must list what is asked of it; those of companies are not.
///
/// # Errors
/// When any of them can't be used.
pub async fn attach(agents: &Agents<AgentOptions>) -> Result<Agents<AgentOptions>, AttachError> {
    let mut servers: BTreeMap<String, (&EndpointOptions, BTreeSet<&str>)> = BTreeMap::new();
    for endpoint in agents.iter().flat_map(|(_, agent)| &agent.endpoints).filter(|one| !one.provider.wants_key) {
        let (_, wanted) = servers.entry(site(endpoint)).or_insert_with(|| (endpoint, BTreeSet::new()));
        wanted.extend(Some(endpoint.model.as_str()).filter(|model| !model.is_empty()));
    }
    let shared = Shared::default();
    let looks = servers.values().map(|(endpoint, wanted)| look(endpoint, wanted, &shared));
    let (mut first, mut failures) = (BTreeMap::new(), Vec::new());
    for ((site, (endpoint, _)), found) in servers.iter().zip(join_all(looks).await) {
        match found {
            Ok(model) => _ = first.insert(site.clone(), model),
            Err(reason) => {
                let name = if endpoint.name.is_empty() { &endpoint.key } else { &endpoint.name };
                let url = base_url(endpoint).map_or_else(|_| "base_url".to_owned(), |url| shown(&url));
                failures.push(format!("{name}: {url} -> {reason}"));
            }
        }
    }
    if !failures.is_empty() {
        return Err(AttachError(failures));
    }
    let named = |agent: &AgentOptions| {
        let mut agent = agent.clone();
        for endpoint in agent.endpoints.iter_mut().filter(|endpoint| endpoint.model.is_empty()) {
            endpoint.model = first.get(&site(endpoint)).cloned().unwrap_or_default();
        }
        if let Some(endpoint) = agent.endpoints.first().filter(|_| agent.model.is_empty()) {
            agent.model.clone_from(&endpoint.model);
        }
        agent
    };
    Ok(agents.iter().map(|(agent, options)| (agent, named(options))).collect())
}

/// What tells a server from others: its place in the list, or its address and key where it is an agent's own.
fn site(endpoint: &EndpointOptions) -> String {
    let key = endpoint.api_key.as_ref().map_or("", |key| key.reveal());
    match endpoint.key.strip_prefix("llm.agents.") {
        Some(_) => format!("{}\n{key}", endpoint.base_url),
        None => endpoint.key.clone(),
    }
}

/// The first model of a server that lists all that are wanted; else what is wrong with it.
async fn look(endpoint: &EndpointOptions, wanted: &BTreeSet<&str>, shared: &Shared) -> Result<String, String> {
    let base = base_url(endpoint).map_err(|error| error.to_string())?;
    let secrets = Secrets::of(endpoint, &base);
    let client = shared.client(base.scheme() == "https").map_err(|error| error.to_string())?;
    let headers = headers(endpoint).map_err(|error| error.to_string())?;
    let get = client.get(with_path(&base, "/models")).headers(headers).timeout(LOOK);
    let mut response = get.send().await.map_err(|error| match error.is_timeout() {
        true => format!("no answer within {} s", LOOK.as_secs()),
        false => secrets.redacted(causes(&error.without_url())),
    })?;
    let (status, mut body) = (response.status(), Vec::new());
    // What could be read will do.
    _ = read(&mut response, &mut body, BODY_LIMIT).await;
    if status != StatusCode::OK {
        let text = String::from_utf8_lossy(&body).into_owned();
        let detail = secrets.redacted(response::error_detail(&secrets.redacted(text)));
        return Err(format!("GET /v1/models answers HTTP {}: {detail}{}", status.as_u16(), advice(status, &base)));
    }
    let listed = response::models(&body);
    let missing: Vec<&str> = wanted.iter().copied().filter(|wanted| !listed.iter().any(|one| one == wanted)).collect();
    match listed.first() {
        None => Err("GET /v1/models lists no model".to_owned()),
        Some(_) if !missing.is_empty() => {
            let listed = response::one_line(&secrets.redacted(listed.join(", ")));
            Err(format!("it serves {listed}, and not {}", missing.join(", ")))
        }
        Some(first) => Ok(first.clone()),
    }
}

fn advice(status: StatusCode, base: &Url) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "; give its key by `api_key_env`",
        StatusCode::NOT_FOUND if !base.path().ends_with("/v1") => "; base_url must end in /v1",
        _ => "",
    }
}
