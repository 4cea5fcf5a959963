//! Where an agent is asked: its own address, or the endpoints that `llm.routing` gives all of them.

use super::agents::Role;
use super::credentials;
use super::environment;
use super::error::{Diagnostics, Location};
use super::keys::{alike, listed};
use super::table::{self as keys, endpoint};
use super::types::{Endpoints, Holds, OneOf, Setting, Text};
use super::values::Values;
use crate::providers::provider::{self, COMPATIBLE};
use crate::providers::{EndpointOptions, Protocol, Provider, Secret};
use crate::servers::{ServedEndpoint, Serving};
use crate::traffic::Strategy;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// What an agent says of itself: its endpoints have it where they say nothing.
pub(super) struct Agent<'a> {
    pub role: &'a Role,
    pub serving: &'a Serving,
    pub provider: &'a str,
    pub model: &'a str,
    pub base_url: &'a str,
    pub timeout: Duration,
    /// The same in the tier `flex`.
    pub flex_timeout: Duration,
}

/// How an agent's endpoint is chosen.
pub(super) fn strategy(
    role: &Role,
    values: &Values,
    env: &BTreeMap<String, String>,
    report: &mut Diagnostics,
) -> Strategy {
    let own = environment::entry(&role.strategy, env, report);
    let own = own.and_then(|entry| OneOf::<Strategy>::read(&entry.value));
    own.unwrap_or_else(|| values.get(keys::ROUTING_STRATEGY))
}

/// Where an agent is asked; empty when the list is wrong.
pub(super) fn endpoints(
    agent: &Agent,
    values: &Values,
    env: &BTreeMap<String, String>,
    report: &mut Diagnostics,
) -> Vec<EndpointOptions> {
    const LIST: Setting<Endpoints> = keys::ROUTING_ENDPOINTS;
    let variable = &agent.role.endpoints;
    let theirs = environment::entry(variable, env, report);
    if report.is_wrong(LIST.path) || report.is_wrong(variable.path) {
        return Vec::new();
    }
    let list = theirs.as_ref().unwrap_or_else(|| values.entry(LIST));
    let path = if theirs.is_some() { variable.path } else { LIST.path };
    let items = Endpoints::read(&list.value).unwrap_or_default().into_iter().enumerate();
    let mut items: Vec<_> = items
        .map(|(number, says)| Item { key: format!("{path}[{number}]"), place: Some(&list.place), address: None, says })
        .collect();
    let own = Map::from_iter([
        (endpoint::PROVIDER.path.to_owned(), agent.provider.into()),
        (endpoint::BASE_URL.path.to_owned(), agent.base_url.into()),
    ]);
    let place = values.place(keys::PROVIDER.of(agent.role.agent));
    let (section, served) = served(agent);
    if theirs.is_none() && !served.is_empty() {
        let item = |(number, says)| Item { key: format!("{section}[{number}]"), place: None, address: None, says };
        items = served.iter().enumerate().map(item).collect();
    }
    if items.is_empty() {
        if demand_attached(agent, values, report) {
            return Vec::new();
        }
        let key = format!("llm.agents.{}", agent.role.agent);
        let address = values.place(keys::BASE_URL.of(agent.role.agent));
        items.push(Item { key, place: place.as_ref(), address, says: &own });
    }
    let mut endpoints: Vec<EndpointOptions> = Vec::new();
    for item in &items {
        let endpoint = item.endpoint(agent, env, report);
        let twin = endpoints.iter().find(|other| !other.name.is_empty() && other.name == endpoint.name);
        if let Some(twin) = twin {
            let text = format!("is the name of `{}` too; give each its own", twin.key);
            item.wrong(endpoint::NAME, &format!(": `{}` {text}", endpoint.name), report);
        }
        endpoints.push(endpoint);
    }
    give_key(agent.role, &mut endpoints, env, report);
    endpoints
}

/// The servers that the run starts, as items of a list, and the section that says so.
fn served(agent: &Agent) -> (&'static str, Vec<Map<String, Value>>) {
    let Serving::Managed(options) = agent.serving else { return ("", Vec::new()) };
    let item = |ServedEndpoint { name, base_url, model, max_in_flight }: ServedEndpoint| {
        let model = if agent.model.is_empty() { model } else { agent.model.to_owned() };
        // They want no key; what vLLM's users write for none is sent.
        Map::from_iter([
            (endpoint::NAME.path.to_owned(), json!(name)),
            (endpoint::BASE_URL.path.to_owned(), json!(base_url)),
            (endpoint::MODEL.path.to_owned(), json!(model)),
            (endpoint::API_KEY.path.to_owned(), json!("EMPTY")),
            (endpoint::MAX_IN_FLIGHT.path.to_owned(), json!(max_in_flight)),
        ])
    };
    (options.section, options.endpoints().into_iter().map(item).collect())
}

/// Whether an agent lacks the server that it is to be attached to, which is reported once for all of them.
fn demand_attached(agent: &Agent, values: &Values, report: &mut Diagnostics) -> bool {
    const LIST: Setting<Endpoints> = keys::ROUTING_ENDPOINTS;
    let is_elsewhere = !agent.base_url.is_empty() || !matches!(agent.provider, "" | "openai");
    if *agent.serving != Serving::Attached || is_elsewhere {
        return false;
    }
    let (role, own) = (agent.role.agent, keys::BASE_URL.of(agent.role.agent));
    let text = format!(
        "`{}` is `vllm_attach`, and the agent `{role}` has no server: list servers in `{LIST}`, such as \
         [http://127.0.0.1:8000/v1], or set `{own}`",
        keys::servers::MODE
    );
    report.conflict(&[LIST.path, own.path], values.place(keys::servers::MODE), text);
    true
}

/// Gives the agent's key to its own address, and to endpoints without a key whose provider wants one: a server of the
/// user's own gets no key that was not meant for it.
fn give_key(role: &Role, endpoints: &mut [EndpointOptions], env: &BTreeMap<String, String>, report: &mut Diagnostics) {
    let own = format!("llm.agents.{}", role.agent);
    let may_have = |endpoint: &EndpointOptions| endpoint.key == own || endpoint.provider.wants_key;
    let keyless: Vec<_> =
        endpoints.iter_mut().filter(|endpoint| endpoint.api_key.is_none() && may_have(endpoint)).collect();
    if keyless.is_empty() {
        return;
    }
    let wanted = keyless.iter().any(|endpoint| endpoint.provider.wants_key);
    let key = credentials::key(role, wanted, env, report);
    keyless.into_iter().for_each(|endpoint| endpoint.api_key.clone_from(&key));
}

/// An item of the list, or an agent's own address.
struct Item<'a> {
    key: String,
    place: Option<&'a Location>,
    /// Where its `base_url` stands, if that is known apart.
    address: Option<Location>,
    says: &'a Map<String, Value>,
}

impl Item<'_> {
    /// What it says of a key, if anything.
    fn get<T: Holds>(&self, key: Setting<T>) -> Option<T::Value<'_>> {
        T::read(self.says.get(key.path)?)
    }

    fn text(&self, key: Setting<Text>) -> &str {
        self.get(key).unwrap_or_default().trim()
    }

    fn key<T>(&self, key: Setting<T>) -> String {
        format!("{}.{key}", self.key)
    }

    /// Reports what is wrong with a key of the item; once, as agents share it.
    fn wrong<T>(&self, key: Setting<T>, what: &str, report: &mut Diagnostics) {
        let key = self.key(key);
        report.conflict(&[&key], self.place.cloned(), format!("`{key}`{what}"));
    }

    fn endpoint(&self, agent: &Agent, env: &BTreeMap<String, String>, report: &mut Diagnostics) -> EndpointOptions {
        let (base_url, mut provider, mut provider_key) =
            (self.text(endpoint::BASE_URL), self.text(endpoint::PROVIDER), self.key(endpoint::PROVIDER));
        if provider.is_empty() && base_url.is_empty() {
            (provider, provider_key) = (agent.provider, keys::PROVIDER.of(agent.role.agent).path.to_owned());
        }
        let model = Some(self.text(endpoint::MODEL)).filter(|model| !model.is_empty()).unwrap_or(agent.model);
        demand_known(&provider_key, provider, self.place, report);
        let (provider, model) = Provider::of(provider, model, base_url).unwrap_or((&COMPATIBLE, model));
        if provider.protocol == Protocol::Builtin {
            self.wrong(endpoint::PROVIDER, " can't be `builtin`, which has no address; set it for the agent", report);
        } else if base_url.is_empty() && provider.base_url.is_none() && !report.is_wrong(&provider_key) {
            let example = match provider.name {
                "azure" => "https://NAME.openai.azure.com/openai/v1",
                _ => "http://127.0.0.1:8000/v1",
            };
            let text = format!(" must be set for provider `{}`, such as {example}", provider.name);
            self.wrong(endpoint::BASE_URL, &text, report);
        } else if let Some(wrong) = misaddressed(provider, base_url) {
            let key = self.key(endpoint::BASE_URL);
            report.conflict(&[&key], self.address.clone().or_else(|| self.place.cloned()), format!("`{key}` {wrong}"));
        }
        let timeout = self.get(endpoint::TIMEOUT_S).map(Duration::from_secs_f64);
        EndpointOptions {
            key: self.key.clone(),
            name: self.text(endpoint::NAME).to_owned(),
            provider,
            model: model.to_owned(),
            base_url: base_url.to_owned(),
            api_key: self.api_key(provider, env, report),
            timeout: timeout.unwrap_or(agent.timeout),
            flex_timeout: timeout.unwrap_or(agent.flex_timeout),
            weight: self.get(endpoint::WEIGHT).unwrap_or(1.0),
            max_in_flight: self.get(endpoint::MAX_IN_FLIGHT),
            rpm: self.get(endpoint::RPM),
            tpm: self.get(endpoint::TPM),
        }
    }

    /// The item's own key; empty when it says that there is none, or says it wrongly.
    fn api_key(&self, provider: &Provider, env: &BTreeMap<String, String>, report: &mut Diagnostics) -> Option<Secret> {
        let is_given = self.get(endpoint::API_KEY).is_some();
        let (key, name) = (self.text(endpoint::API_KEY), self.text(endpoint::API_KEY_ENV));
        let key = match (is_given, name) {
            (false, "") => return None,
            (true, "") => {
                if key.is_empty() && provider.wants_key {
                    self.wrong(
                        endpoint::API_KEY,
                        &format!(" must not be empty for provider `{}`", provider.name),
                        report,
                    );
                }
                key
            }
            (true, _) => {
                let text = format!(" and `{}` are both given; keep one", self.key(endpoint::API_KEY_ENV));
                self.wrong(endpoint::API_KEY, &text, report);
                key
            }
            (false, name) => {
                let key = env.get(name).map(|key| key.trim()).unwrap_or_default();
                report.hide([key]);
                if key.is_empty() {
                    let path = self.key(endpoint::API_KEY_ENV);
                    report.conflict(&[&path], self.place.cloned(), credentials::no_key("", &path, name));
                }
                key
            }
        };
        Some(Secret::new(key.to_owned()))
    }
}

/// What is wrong with an address for a provider, at first sight. It is not quoted: it may hold a secret.
fn misaddressed(provider: &Provider, base_url: &str) -> Option<String> {
    let address = base_url.to_ascii_lowercase();
    let path = address.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let native = match provider.protocol {
        Protocol::GenerateContent => "Gemini's own (`:generateContent`)",
        Protocol::Messages => "Anthropic's own (`/v1/messages`)",
        Protocol::ChatCompletions | Protocol::Builtin => "",
    };
    if address.is_empty() {
        None
    } else if !address.starts_with("http://") && !address.starts_with("https://") {
        Some("must begin with `http://` or `https://`, such as http://127.0.0.1:8000/v1".to_owned())
    } else if !native.is_empty() && (path.ends_with("/openai") || path.ends_with("/chat/completions")) {
        let name = provider.name;
        Some(format!(
            "is an address of OpenAI's protocol, but the provider `{name}` is spoken to in {native}: leave it empty for \
             that, or set the provider to `openai` for this address"
        ))
    } else if path.ends_with("/chat/completions") {
        Some("must be the root of the API: leave off `/chat/completions`".to_owned())
    } else {
        None
    }
}

/// Reports a provider that there is none of.
pub(super) fn demand_known(key: &str, name: &str, place: Option<&Location>, report: &mut Diagnostics) {
    if name.is_empty() || Provider::named(name).is_some() {
        return;
    }
    let known = || provider::ALL.iter().map(|provider| provider.name);
    let meant = alike(name, known()).map(|known| format!("did you mean `{known}`? ")).unwrap_or_default();
    let text = format!("`{key}`: there is no provider `{name}`; {meant}Known are {}.", listed(known()));
    report.conflict(&[key], place.cloned(), text);
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
