//! The agents: their models, limits and keys.

use super::choices::ServiceTier;
use super::credentials;
use super::error::Diagnostics;
use super::keys::Key;
use super::routing::{self, demand_known};
use super::table as keys;
use super::types::{Endpoints, OneOf, word_of};
use super::values::Values;
use crate::domain::{Agent, Agents};
use crate::llm::Tier;
use crate::providers::{AgentOptions, EndpointOptions, Protocol, Provider};
use crate::servers::Serving;
use crate::traffic::{Budget, Strategy};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

/// An agent, with the names it goes by.
#[derive(Debug)]
pub(super) struct Role {
    /// Which of the agents it is.
    pub agent: Agent,
    /// Its stage, as messages and outputs call it.
    pub stage: &'static str,
    /// Its name in environment variables.
    pub env: &'static str,
    /// Its former name in environment variables.
    pub old_env: &'static str,
    /// The variable that overrides `llm.routing.strategy` for it.
    pub strategy: Key,
    /// The variable that overrides `llm.routing.endpoints` for it.
    pub endpoints: Key,
}

macro_rules! role {
    ($agent:expr, $stage:literal, $env:literal, $old_env:literal) => {
        Role {
            agent: $agent,
            stage: $stage,
            env: $env,
            old_env: $old_env,
            strategy: role!($env, $old_env, "_ROUTING_STRATEGY", OneOf<Strategy>),
            endpoints: role!($env, $old_env, "_ROUTING_ENDPOINTS_JSON", Endpoints),
        }
    };
    ($env:literal, $old_env:literal, $suffix:literal, $type:ty) => {
        Key::free::<$type>(concat!("LLM_", $env, $suffix))
            .env(&[concat!("LLM_", $env, $suffix)])
            .old_env(&[concat!("LLM_", $old_env, $suffix)])
    };
}

/// Every agent, in the order of [`Agent::ALL`].
pub(super) const ROLES: [Role; 3] = [
    role!(Agent::User, "qa_generator", "USER", "QA_GENERATOR"),
    role!(Agent::Assistant, "kb_responder", "ASSISTANT", "KB_RESPONDER"),
    role!(Agent::Judge, "qa_judge", "JUDGE", "QA_JUDGE"),
];

/// Time allowed to one request in the tier [`Tier::Flex`], where nobody says: as OpenAI advises.
const FLEX_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Provider of the model that is part of the program: it needs no name, no endpoint and no key.
const BUILTIN: &str = "builtin";

/// The settings of one agent.
pub(super) fn agent(
    role: &Role,
    serving: &Serving,
    values: &Values,
    env: &BTreeMap<String, String>,
    report: &mut Diagnostics,
) -> AgentOptions {
    let [provider, base_url, model] =
        [keys::PROVIDER, keys::BASE_URL, keys::MODEL].map(|key| values.get(key.of(role.agent)).trim());
    let who = Provider::of(provider, model, base_url);
    let is_builtin = who.is_some_and(|(who, _)| who.protocol == Protocol::Builtin);
    let timeout = Duration::from_secs_f64(values.get(keys::TIMEOUT.of(role.agent)));
    let flex_timeout = values.place(keys::TIMEOUT.of(role.agent)).map_or(FLEX_TIMEOUT, |_| timeout);
    let asked = routing::Agent { role, serving, provider, model, base_url, timeout, flex_timeout };
    let endpoints = if is_builtin { Vec::new() } else { routing::endpoints(&asked, values, env, report) };
    let tiers = tiers(values.get(keys::SERVICE_TIER.of(role.agent)));
    demand_tiers(role, tiers, is_builtin, &endpoints, values, report);
    let first = endpoints.first().map_or("", |endpoint| &endpoint.model);
    AgentOptions {
        agent: role.agent,
        provider: if is_builtin { BUILTIN } else { provider }.to_owned(),
        model: if model.is_empty() { first } else { model }.to_owned(),
        temperature: values.get(keys::TEMPERATURE.of(role.agent)),
        max_tokens: values.get(keys::MAX_TOKENS.of(role.agent)),
        top_p: values.get(keys::TOP_P.of(role.agent)),
        max_retries: values.get(keys::MAX_RETRIES.of(role.agent)),
        tiers,
        extra: values.get(keys::EXTRA.of(role.agent)).clone(),
        rpm: values.get(keys::RPM.of(role.agent)),
        tpm: values.get(keys::TPM.of(role.agent)),
        strategy: routing::strategy(role, values, env, report),
        endpoints,
        is_of_jury: false,
    }
}

/// The settings of the judge, or of each judge of a jury. One whose item names the variable that holds its key has that key.
pub(super) fn jury(
    role: &Role,
    serving: &Serving,
    values: &Values,
    env: &BTreeMap<String, String>,
    report: &mut Diagnostics,
) -> Vec<(Agent, AgentOptions)> {
    let is_of_jury = values.judges().nth(1).is_some();
    let each = values.judges().map(|values| {
        let mut env = Cow::Borrowed(env);
        if let Some(variable) = &values.key_variable {
            env.to_mut().insert(credentials::mapping_variable(role.env), variable.clone());
        }
        (role.agent, AgentOptions { is_of_jury, ..agent(role, serving, values, &env, report) })
    });
    each.collect()
}

/// The service tiers to ask for, one after the other.
fn tiers(wanted: ServiceTier) -> &'static [Tier] {
    match wanted {
        ServiceTier::Auto => &[],
        ServiceTier::Default => &[Tier::Standard],
        ServiceTier::Flex => &[Tier::Flex],
        ServiceTier::FlexThenStandard => &[Tier::Flex, Tier::Standard],
        ServiceTier::Priority => &[Tier::Priority],
    }
}

/// Reports an agent that asks for a service tier where there is none.
fn demand_tiers(
    role: &Role,
    tiers: &[Tier],
    is_builtin: bool,
    endpoints: &[EndpointOptions],
    values: &Values,
    report: &mut Diagnostics,
) {
    let key = keys::SERVICE_TIER.of(role.agent);
    let word = word_of(values.get(key));
    let takes = |provider: &Provider| tiers.iter().all(|tier| provider.tiers.iter().any(|(known, _)| known == tier));
    let what = if is_builtin && !tiers.is_empty() {
        "the built-in model has no service tiers; leave it at `auto`".to_owned()
    } else if let Some(endpoint) = endpoints.iter().find(|endpoint| !takes(endpoint.provider)) {
        let EndpointOptions { provider, key: at, .. } = endpoint;
        match provider.tiers.is_empty() {
            true if provider.name == "openai" => format!(
                "`{at}.base_url` is not OpenAI's own, and what it knows of service tiers is not known; leave it at `auto`, or \
                 send the field as it is: `{}: {{service_tier: …}}`",
                keys::EXTRA.of(role.agent)
            ),
            true => format!(
                "`{}`, the provider of `{at}`, has no service tiers; leave it at `auto`, or ask openai, gemini or groq",
                provider.name
            ),
            false => format!("`{}`, the provider of `{at}`, has no such tier; leave it at `auto`", provider.name),
        }
    } else {
        return;
    };
    report.conflict(&[key.path], values.place(key), format!("`{key}`: `{word}`: {what}"));
}

/// Reports providers that there are none of, also those of an agent that is not asked.
pub(super) fn demand_providers(values: &Values, report: &mut Diagnostics) {
    let of_judges = values.judges().map(|values| (Agent::Judge, values));
    for (agent, values) in [(Agent::User, values), (Agent::Assistant, values)].into_iter().chain(of_judges) {
        let key = keys::PROVIDER.of(agent);
        demand_known(key.path, values.get(key).trim(), values.place(key).as_ref(), report);
    }
}

/// What a run may cost; a limit that counts tokens must know how long a reply can get.
pub(super) fn budget(values: &Values, agents: &Agents<AgentOptions>, report: &mut Diagnostics) -> Budget {
    let budget = Budget {
        usd: values.get(keys::BUDGET_USD),
        tokens: values.get(keys::BUDGET_TOKENS),
        calls: values.get(keys::BUDGET_CALLS),
    };
    let (limit, place) = match budget.usd {
        Some(_) => (keys::BUDGET_USD.path, values.place(keys::BUDGET_USD)),
        None => (keys::BUDGET_TOKENS.path, values.place(keys::BUDGET_TOKENS)),
    };
    let endless = |agent: &AgentOptions| agent.max_tokens.is_none() && agent.provider != BUILTIN;
    let endless = agents.iter().filter(|(_, agent)| endless(agent));
    let mut endless: Vec<_> = endless.map(|(agent, _)| keys::MAX_TOKENS.of(agent).path).collect();
    endless.dedup();
    if (budget.usd.is_some() || budget.tokens.is_some()) && !endless.is_empty() {
        let named: Vec<_> = endless.iter().map(|key| format!("`{key}`")).collect();
        let text = format!("`{limit}` is a hard limit and must know the longest reply: set {}", named.join(", "));
        report.conflict(&endless, place, text);
    }
    budget
}

/// Reports agents without a model. Those of attached servers take what is served, and those of the run's own what it serves.
pub(super) fn demand_models(agents: &Agents<AgentOptions>, serving: &Serving, report: &mut Diagnostics) {
    let is_served = |endpoint: &EndpointOptions| match serving {
        Serving::Api => false,
        Serving::Attached => true,
        Serving::Managed(options) => endpoint.key.starts_with(options.section),
    };
    let is_nameless = |endpoint: &EndpointOptions| endpoint.model.is_empty() && !is_served(endpoint);
    let nameless = |agent: &AgentOptions| agent.endpoints.iter().any(is_nameless);
    let is_missing = |role: &&Role| agents.all(role.agent).iter().any(nameless);
    let missing: Vec<_> = ROLES.iter().filter(is_missing).collect();
    if missing.is_empty() {
        return;
    }
    let stages: Vec<_> = missing.iter().map(|role| role.stage).collect();
    let models: Vec<_> = missing.iter().map(|role| keys::MODEL.of(role.agent).path).collect();
    let named: Vec<_> = models.iter().map(|key| format!("`{key}`")).collect();
    let text = format!(
        "Missing LLM model for required agent(s): {}. Set {}, or the provider to `builtin`.",
        stages.join(", "),
        named.join(", ")
    );
    report.conflict(&models, None, text);
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::providers::{Secret, provider};
    use crate::settings::tests::load;

    #[test]
    fn an_empty_configuration_lacks_models_and_keys() {
        let hint = "Set it to the name of the variable that holds the key, such as OPENAI_API_KEY.";
        assert_eq!(
            load("", &[], &[]).unwrap_err(),
            format!(
                "3 problems in the configuration:\n  \
                 Missing required API key mapping environment variable `LLM_USER_API_KEY_ENV` for agent `user`. {hint}\n  \
                 Missing required API key mapping environment variable `LLM_ASSISTANT_API_KEY_ENV` for agent `assistant`. \
                 {hint}\n  \
                 Missing LLM model for required agent(s): qa_generator, kb_responder. Set `llm.agents.user.model`, \
                 `llm.agents.assistant.model`, or the provider to `builtin`."
            )
        );
    }

    #[test]
    fn agents_carry_their_settings() {
        let text = "
    llm:
      agents:
        user: {model: org/m, base_url: 'http://127.0.0.1:1/v1', temperature: 0.5, top_p: 1, max_tokens: 9, timeout: 1.5,
          max_retries: 0, rpm: 60, extra: {stop: [x]}}
        assistant: {provider: vllm, model: n, base_url: 'http://127.0.0.1:2/v1'}
    ";
        let env = [
            ("LLM_ASSISTANT_API_KEY_ENV", "K"),
            ("K", "s3cret"),
            ("LLM_USER_TEMPERATURE", "0.25"),
            ("LLM_USER_TPM", "9000"),
        ];
        let settings = load(text, &env, &["llm.agents.user.max_tokens=7"]).unwrap();
        let user = &settings.agents[Agent::User];
        assert_eq!((user.provider.as_str(), user.model.as_str()), ("openai", "org/m"));
        assert_eq!((user.temperature, user.top_p, user.max_tokens), (Some(0.25), Some(1.0), Some(7)));
        assert_eq!((user.rpm, user.tpm), (Some(60), Some(9000)));
        assert_eq!((user.endpoints[0].timeout, user.max_retries), (Duration::from_millis(1500), 0));
        assert_eq!((user.extra["stop"].to_string().as_str(), &user.endpoints[0].api_key), ("[\"x\"]", &None));
        let endpoint = &settings.agents[Agent::Assistant].endpoints[0];
        assert_eq!((endpoint.key.as_str(), endpoint.name.as_str()), ("llm.agents.assistant", ""));
        assert_eq!((endpoint.provider.name, endpoint.base_url.as_str()), ("vllm", "http://127.0.0.1:2/v1"));
        assert_eq!(endpoint.api_key, Some(Secret::new("s3cret".to_owned())));
        assert!(!format!("{settings:?}").contains("s3cret"));
    }

    #[test]
    fn a_tier_is_asked_for_where_the_provider_has_it() {
        let key = [("LLM_USER_API_KEY_ENV", "K"), ("K", "k")];
        let user = |agent: &str, more: &[(&str, &str)]| {
            let text = format!("llm: {{agents: {{user: {{model: m, {agent}}}, assistant: {{provider: builtin}}}}}}");
            load(&text, &[&key[..], more].concat(), &[]).map(|settings| settings.agents[Agent::User].clone())
        };
        let seconds = |agent: &AgentOptions| {
            let endpoint = &agent.endpoints[0];
            (endpoint.timeout.as_secs(), endpoint.flex_timeout.as_secs())
        };
        for (agent, env, tiers, times) in [
            ("provider: openai", "", &[][..], (120, 900)),
            ("provider: mistral, service_tier: auto", "", &[], (120, 900)),
            ("provider: openai, service_tier: flex", "", &[Tier::Flex], (120, 900)),
            (
                "provider: gemini, service_tier: flex_then_standard, timeout: 300",
                "",
                &[Tier::Flex, Tier::Standard],
                (300, 300),
            ),
            ("provider: gemini", "priority", &[Tier::Priority], (120, 900)),
            ("provider: groq, service_tier: flex", "default", &[Tier::Standard], (120, 900)),
        ] {
            let agent = user(agent, &[("LLM_USER_SERVICE_TIER", env)]).unwrap();
            assert_eq!((agent.tiers, seconds(&agent)), (tiers, times));
        }
        for (agent, expected) in [
            (
                "provider: mistral, service_tier: flex",
                "`flex`: `mistral`, the provider of `llm.agents.user`, has no service tiers; leave it at `auto`, or ask openai, \
                 gemini or groq",
            ),
            (
                "provider: groq, service_tier: priority",
                "`priority`: `groq`, the provider of `llm.agents.user`, has no such tier; leave it at `auto`",
            ),
            (
                "base_url: 'http://h/v1', service_tier: flex",
                "`flex`: `llm.agents.user.base_url` is not OpenAI's own, and what it knows of service tiers is not known; leave \
                 it at `auto`, or send the field as it is: `llm.agents.user.extra: {service_tier: …}`",
            ),
            (
                "provider: builtin, service_tier: default",
                "`default`: the built-in model has no service tiers; leave it at `auto`",
            ),
        ] {
            let error = user(agent, &[]).unwrap_err();
            assert!(error.starts_with(&format!("`llm.agents.user.service_tier`: {expected} (c.yaml:1:")), "{error}");
        }
    }

    #[test]
    fn servers_need_their_address() {
        let text = "llm: {agents: {user: {provider: lm_studio, model: m}, assistant: {provider: builtin}}}";
        let error = load(text, &[("LLM_USER_API_KEY_ENV", "K"), ("K", "k")], &[]).unwrap_err();
        assert_eq!(
            error,
            "`llm.agents.user.base_url` must be set for provider `lm_studio`, such as http://127.0.0.1:8000/v1 (c.yaml:1:33)"
        );
    }

    #[test]
    fn azure_needs_its_address() {
        let text = "llm: {agents: {user: {provider: azure, model: m}, assistant: {provider: builtin}}}";
        let error = load(text, &[("LLM_USER_API_KEY_ENV", "K"), ("K", "k")], &[]).unwrap_err();
        assert_eq!(
            error,
            "`llm.agents.user.base_url` must be set for provider `azure`, such as https://NAME.openai.azure.com/openai/v1 \
             (c.yaml:1:33)"
        );
    }

    #[test]
    fn the_documented_local_setup_works_unchanged() {
        let agent = "model: openai/gpt-oss-20b\n      base_url: http://127.0.0.1:1234/v1\n";
        let text = format!(
            "run:\n  distributed:\n    enabled: false\nllm:\n  mode: api\n  agents:\n    user:\n      {agent}    assistant:\n      \
             {agent}    judge:\n      {agent}"
        );
        let settings = load(&text, &[], &[]).unwrap();
        let endpoint = &settings.agents[Agent::Assistant].endpoints[0];
        assert_eq!(
            (settings.agents[Agent::Assistant].model.as_str(), endpoint.model.as_str()),
            ("openai/gpt-oss-20b", "openai/gpt-oss-20b")
        );
        assert_eq!((endpoint.base_url.as_str(), &endpoint.api_key), ("http://127.0.0.1:1234/v1", &None));
    }

    #[test]
    fn every_provider_can_be_asked_for() {
        for provider in provider::ALL {
            let text = format!(
                "llm: {{agents: {{user: {{provider: {}, model: m, base_url: 'http://h'}}, assistant: {{provider: builtin}}}}}}",
                provider.name
            );
            let settings = load(&text, &[("LLM_USER_API_KEY_ENV", "K"), ("K", "k")], &[]).unwrap();
            assert_eq!(settings.agents[Agent::User].provider, provider.name);
            assert_eq!(settings.agents[Agent::User].endpoints.is_empty(), provider.protocol == Protocol::Builtin);
        }
        let user = |provider: &str, model: &str| {
            let text =
                format!("{{user: {{provider: '{provider}', model: {model}}}, assistant: {{provider: builtin}}}}");
            load(&format!("llm: {{agents: {text}}}"), &[("LLM_USER_API_KEY_ENV", "K"), ("K", "k")], &[]).unwrap().agents
                [Agent::User]
                .clone()
        };
        for (provider, model, who, sent) in [
            ("", "gemini/g", "gemini", "g"),
            ("openai", "anthropic/c", "anthropic", "c"),
            ("google", "g", "gemini", "g"),
            ("groq", "org/m", "groq", "org/m"),
        ] {
            let found = user(provider, model);
            assert_eq!((found.provider.as_str(), found.model.as_str()), (provider, model));
            assert_eq!((found.endpoints[0].provider.name, found.endpoints[0].model.as_str()), (who, sent));
        }
        let found = user("", "builtin/small");
        assert_eq!((found.provider.as_str(), found.endpoints.len()), ("builtin", 0));
    }

    #[test]
    fn unknown_providers_are_named() {
        let known = "Known are `builtin`, `openai`, `anthropic`, `gemini`, `deepseek`, `groq`, `mistral`, `openrouter`, \
                     `together`, `xai`, `azure`, `ollama`, `lm_studio`, `vllm`, `hosted_vllm`.";
        for (provider, meant) in [("Gemeni", "did you mean `gemini`? "), ("zzz", "")] {
            let text = format!(
                "llm: {{agents: {{user: {{provider: builtin}}, assistant: {{provider: builtin}}, judge: {{provider: {provider}}}}}}}"
            );
            assert_eq!(
                load(&text, &[], &[]).unwrap_err(),
                format!("`llm.agents.judge.provider`: there is no provider `{provider}`; {meant}{known} (c.yaml:1:93)")
            );
        }
        let text = "llm: {agents: {user: {provider: zzz, model: m}, assistant: {provider: builtin}}}";
        assert_eq!(
            load(text, &[], &[]).unwrap_err(),
            format!("`llm.agents.user.provider`: there is no provider `zzz`; {known} (c.yaml:1:33)")
        );
    }

    #[test]
    fn providers_that_want_a_key_demand_one() {
        for (provider, demanded) in [("groq", true), ("anthropic", true), ("ollama", false), ("vllm", false)] {
            let text = format!(
                "llm: {{agents: {{user: {{provider: {provider}, model: m, base_url: 'http://h'}}, assistant: {{provider: builtin}}}}}}"
            );
            let error = load(&text, &[], &[]).err();
            assert_eq!(error.is_some(), demanded, "{error:?}");
            assert!(
                error.is_none_or(|error| error.starts_with("Missing required API key mapping environment variable"))
            );
        }
    }

    #[test]
    fn hard_limits_must_know_the_longest_reply() {
        const AGENTS: &str = "llm: {agents: {user: {model: m, base_url: 'http://h'}, assistant: {provider: builtin}, \
                               judge: {model: m, base_url: 'http://h'}}}\n";
        let load = |text: &str, set: &[&str]| load(&format!("{AGENTS}{text}"), &[("RUN_BUDGET_CALLS", "9")], set);
        let budget = |text: &str, set: &[&str]| load(text, set).map(|settings| settings.budget);
        assert_eq!(budget("", &[]), Ok(Budget { usd: None, tokens: None, calls: Some(9) }));
        assert_eq!(
            budget("run: {budget: {usd: 1.5}}", &["llm.agents.user.max_tokens=10", "run.budget.tokens=5000000000"]),
            Ok(Budget { usd: Some(1.5), tokens: Some(5_000_000_000), calls: Some(9) })
        );
        for (text, error) in [
            (
                "run: {budget: {usd: 1}}",
                "`run.budget.usd` is a hard limit and must know the longest reply: set `llm.agents.user.max_tokens` \
                 (c.yaml:2:21)",
            ),
            (
                "run: {budget: {tokens: 1}}\njudge: {mode: online}",
                "`run.budget.tokens` is a hard limit and must know the longest reply: set `llm.agents.user.max_tokens`, \
                 `llm.agents.judge.max_tokens` (c.yaml:2:24)",
            ),
            ("run: {budget: {usd: 0}}", "`run.budget.usd` must be > 0. (c.yaml:2:21)"),
            (
                "run: {budget: {tokens: 1.5}}",
                "`run.budget.tokens`: found the number 1.5, wanted an integer (c.yaml:2:24)",
            ),
        ] {
            assert_eq!(budget(text, &[]), Err(error.to_owned()), "{text}");
        }
    }
}
