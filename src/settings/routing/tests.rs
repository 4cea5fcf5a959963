//! Lists of endpoints, from the file and from variables, and what agents get of them.

use super::*;
use crate::domain;
use crate::providers::AgentOptions;
use crate::settings::tests::load;

const AGENTS: &str = "{user: {model: m}, assistant: {provider: builtin}}";
const JSON: &str = "LLM_USER_ROUTING_ENDPOINTS_JSON";

/// The user's settings with this list, which starts at line 1, column 28.
fn user(list: &str, env: &[(&str, &str)]) -> Result<AgentOptions, String> {
    load(&format!("llm: {{routing: {{endpoints: {list}}}, agents: {AGENTS}}}"), env, &[])
        .map(|found| found.agents[domain::Agent::User].clone())
}

fn key(endpoint: &EndpointOptions) -> Option<&str> {
    endpoint.api_key.as_ref().map(Secret::reveal)
}

#[test]
fn endpoints_carry_their_settings() {
    let list =
        "[{name: a, base_url: 'http://h/v1', weight: 2, max_in_flight: 3, timeout_s: 4.5, rpm: 5, tpm: 6, model: x},
      {provider: groq, api_key: ' gsk '}]";
    let user = user(list, &[("LLM_USER_TIMEOUT", "7")]).unwrap();
    let [first, second] = user.endpoints.as_slice() else { panic!("two endpoints") };
    assert_eq!((first.key.as_str(), first.name.as_str()), ("llm.routing.endpoints[0]", "a"));
    assert_eq!((first.provider, first.model.as_str(), first.base_url.as_str()), (&COMPATIBLE, "x", "http://h/v1"));
    assert_eq!((first.weight, first.timeout, key(first)), (2.0, Duration::from_millis(4500), None));
    assert_eq!((first.max_in_flight, first.rpm, first.tpm), (Some(3), Some(5), Some(6)));
    assert_eq!((second.key.as_str(), second.name.as_str()), ("llm.routing.endpoints[1]", ""));
    assert_eq!((second.provider.name, second.model.as_str(), second.base_url.as_str()), ("groq", "m", ""));
    assert_eq!((second.weight, second.timeout, key(second)), (1.0, Duration::from_secs(7), Some("gsk")));
    assert_eq!((second.max_in_flight, second.rpm, second.tpm), (None, None, None));
    assert_eq!((user.model.as_str(), user.strategy), ("m", Strategy::WeightedLeastInflight));
}

#[test]
fn all_agents_but_builtin_ones_share_the_list() {
    let text = "{routing: {strategy: ROUND_ROBIN, endpoints: [{base_url: 'http://h/v1'}]}, \
                 agents: {user: {provider: builtin}, assistant: {model: a, provider: vllm}, judge: {model: j}}}";
    let settings = load(&format!("llm: {text}\njudge: {{mode: online}}\n"), &[], &[]).unwrap();
    assert_eq!(settings.agents[domain::Agent::User].endpoints, []);
    for (agent, model) in [(domain::Agent::Assistant, "a"), (domain::Agent::Judge, "j")] {
        let agent = &settings.agents[agent];
        let models: Vec<_> = agent.endpoints.iter().map(|endpoint| endpoint.model.as_str()).collect();
        assert_eq!((models, agent.strategy), (vec![model], Strategy::RoundRobin));
    }
}

#[test]
fn providers_follow_from_the_item_before_the_agent() {
    for (item, provider, model) in [
        ("{}", "openai", "m"),
        ("{model: gemini/g}", "gemini", "g"),
        ("{provider: ollama}", "ollama", "m"),
        ("{base_url: 'http://h/v1', model: gemini/g}", "openai", "gemini/g"),
        ("{base_url: 'https://x.openai.azure.com/openai/v1'}", "azure", "m"),
    ] {
        let user = user(&format!("[{item}]"), &[("LLM_USER_API_KEY_ENV", "K"), ("K", "k")]).unwrap();
        let endpoint = &user.endpoints[0];
        assert_eq!((endpoint.provider.name, endpoint.model.as_str()), (provider, model), "{item}");
    }
}

#[test]
fn keys_are_the_items_own_or_the_agents() {
    let own = [("LLM_USER_API_KEY_ENV", "MINE"), ("MINE", "agents")];
    let others = [("THEIRS", " theirs ")];
    let local = "base_url: 'http://h/v1'";
    for (item, env, expected) in [
        (local.to_owned(), &[][..], None),
        (local.to_owned(), &own, None),
        (format!("{local}, api_key: sk"), &own, Some("sk")),
        (format!("{local}, api_key: ''"), &own, Some("")),
        (format!("{local}, api_key: null"), &own, None),
        (format!("{local}, api_key_env: THEIRS"), &others, Some("theirs")),
        ("provider: groq, api_key_env: THEIRS".to_owned(), &others, Some("theirs")),
        ("provider: groq".to_owned(), &own, Some("agents")),
    ] {
        let user = user(&format!("[{{{item}}}]"), env).unwrap();
        assert_eq!(key(&user.endpoints[0]), expected, "{item}");
    }
}

#[test]
fn what_is_wrong_with_endpoints_is_named() {
    let known = "Known are `builtin`, `openai`, `anthropic`, `gemini`, `deepseek`, `groq`, `mistral`, `openrouter`, \
                 `together`, `xai`, `azure`, `ollama`, `lm_studio`, `vllm`, `hosted_vllm`.";
    let unknown =
        format!("`llm.routing.endpoints[0].provider`: there is no provider `grok`; did you mean `groq`? {known}");
    for (list, error) in [
        ("[{provider: grok}]", unknown.as_str()),
        (
            "[{provider: vllm}]",
            "`llm.routing.endpoints[0].base_url` must be set for provider `vllm`, such as http://127.0.0.1:8000/v1",
        ),
        (
            "[{provider: azure, api_key: k}]",
            "`llm.routing.endpoints[0].base_url` must be set for provider `azure`, such as \
             https://NAME.openai.azure.com/openai/v1",
        ),
        (
            "[{provider: builtin}]",
            "`llm.routing.endpoints[0].provider` can't be `builtin`, which has no address; set it for the agent",
        ),
        (
            "[{provider: groq, api_key: k, name: a}, {base_url: 'http://h', name: ' a'}]",
            "`llm.routing.endpoints[1].name`: `a` is the name of `llm.routing.endpoints[0]` too; give each its own",
        ),
        (
            "[{provider: groq, api_key: sk-live, api_key_env: K}]",
            "`llm.routing.endpoints[0].api_key` and `llm.routing.endpoints[0].api_key_env` are both given; keep one",
        ),
        (
            "[{provider: groq, api_key: ' '}]",
            "`llm.routing.endpoints[0].api_key` must not be empty for provider `groq`",
        ),
        (
            "[{provider: groq, api_key_env: NONE}]",
            "Missing or empty provider API key environment variable `NONE` (configured by \
             `llm.routing.endpoints[0].api_key_env`).",
        ),
        (
            "[{provider: groq, api_key_env: sk-live}]",
            "Missing or empty provider API key environment variable: `llm.routing.endpoints[0].api_key_env` must hold \
             the name of the variable that holds the key, such as OPENAI_API_KEY, not the key itself.",
        ),
    ] {
        assert_eq!(user(list, &[]).unwrap_err(), format!("{error} (c.yaml:1:28)"), "{list}");
    }
    assert_eq!(
        user("[{provider: groq}]", &[]).unwrap_err(),
        "Missing required API key mapping environment variable `LLM_USER_API_KEY_ENV` for agent `user`. Set it to the \
         name of the variable that holds the key, such as OPENAI_API_KEY."
    );
    let list = user("[{weight: 0}]", &[]).unwrap_err();
    assert_eq!(list, "`llm.routing.endpoints[0].weight` must be > 0. (c.yaml:1:38)", "and nothing that follows");
}

#[test]
fn what_agents_share_is_reported_once() {
    let agents = "{user: {model: m}, assistant: {model: m}}";
    let text = format!("llm: {{routing: {{endpoints: [{{provider: vllm}}]}}, agents: {agents}}}");
    assert_eq!(load(&text, &[], &[]).unwrap_err().lines().count(), 1);
}

#[test]
fn variables_override_for_one_agent() {
    let list = "[{base_url: 'http://global/v1'}]";
    let mine = "[{\"base_url\": \"http://mine/v1\", \"provider\": \"vllm\"}]";
    let found = user(list, &[(JSON, mine), ("LLM_USER_ROUTING_STRATEGY", "lowest_latency")]).unwrap();
    let [endpoint] = found.endpoints.as_slice() else { panic!("one endpoint") };
    assert_eq!((endpoint.base_url.as_str(), found.strategy), ("http://mine/v1", Strategy::LowestLatency));
    assert_eq!(endpoint.key, "LLM_USER_ROUTING_ENDPOINTS_JSON[0]");
    let own = [(JSON, "[]"), ("LLM_USER_BASE_URL", "http://own/v1")];
    let found = user(list, &own).unwrap();
    assert_eq!(
        (found.endpoints[0].key.as_str(), found.endpoints[0].base_url.as_str()),
        ("llm.agents.user", "http://own/v1")
    );
    let found = user("[]", &[("LLM_ROUTING_ENDPOINTS_JSON", mine), ("LLM_ROUTING_STRATEGY", "round_robin")]).unwrap();
    assert_eq!((found.endpoints[0].key.as_str(), found.strategy), ("llm.routing.endpoints[0]", Strategy::RoundRobin));
    let old = [("LLM_QA_GENERATOR_ROUTING_ENDPOINTS_JSON", mine)];
    let settings = load(&format!("llm: {{agents: {AGENTS}}}"), &old, &[]).unwrap();
    assert_eq!(settings.agents[domain::Agent::User].endpoints[0].base_url, "http://mine/v1");
    assert_eq!(
        settings.warnings,
        ["DEPRECATED: `LLM_QA_GENERATOR_ROUTING_ENDPOINTS_JSON` is now `LLM_USER_ROUTING_ENDPOINTS_JSON`."]
    );
}

#[test]
fn what_is_wrong_with_variables_is_named() {
    for (name, text, error) in [
        (JSON, "[{", "`LLM_USER_ROUTING_ENDPOINTS_JSON` must be a JSON list of objects or addresses"),
        (JSON, "[{\"rpm\": 0}]", "`LLM_USER_ROUTING_ENDPOINTS_JSON[0].rpm` must be > 0."),
        (
            JSON,
            "[{\"provider\": \"vllm\"}]",
            "`LLM_USER_ROUTING_ENDPOINTS_JSON[0].base_url` must be set for provider `vllm`, such as \
             http://127.0.0.1:8000/v1",
        ),
        (
            "LLM_USER_ROUTING_STRATEGY",
            "fastest",
            "`LLM_USER_ROUTING_STRATEGY` must be one of `weighted_least_inflight`, `round_robin`, `lowest_latency`.",
        ),
    ] {
        let found = user("[{base_url: 'http://h/v1'}]", &[(name, text)]).unwrap_err();
        assert_eq!(found, format!("{error} (environment variable {name})"));
    }
    let found = user("[{base_url: 'http://h/v1'}]", &[("LLM_ROUTING_STRATEGY", "fastest")]).unwrap_err();
    assert!(found.starts_with("`llm.routing.strategy` must be one of `weighted_least_inflight`, "), "{found}");
}

#[test]
fn models_may_stand_in_every_item() {
    let load = |list: &str| {
        let text = "agents: {user: {max_retries: 0}, assistant: {provider: builtin}}";
        load(&format!("llm: {{routing: {{endpoints: {list}}}, {text}}}"), &[], &[])
            .map(|found| found.agents[domain::Agent::User].clone())
    };
    let user = load("[{base_url: 'http://h', model: a}, {base_url: 'http://i', model: b}]").unwrap();
    let models: Vec<_> = user.endpoints.iter().map(|endpoint| endpoint.model.as_str()).collect();
    assert_eq!((user.model.as_str(), models), ("a", vec!["a", "b"]));
    let error = load("[{base_url: 'http://h', model: a}, {base_url: 'http://i'}]").unwrap_err();
    assert_eq!(
        error,
        "Missing LLM model for required agent(s): qa_generator. Set `llm.agents.user.model`, or the provider to `builtin`."
    );
}

#[test]
fn no_message_shows_a_key() {
    const KEY: &str = "sk-live-4f9a77";
    let text = format!("llm: {{routing: {{endpoints: [{{api_key: {KEY}}}]}}, agents: {AGENTS}}}");
    assert!(!format!("{:?}", load(&text, &[], &[]).unwrap()).contains(KEY));
    let held = [("MY_OWN", KEY)];
    for (item, env) in [
        (format!("api_key: {KEY}, name: [{KEY}]"), &[][..]),
        (format!("api_key: {KEY}, rpm: {KEY}"), &[]),
        (format!("api_key: {KEY}, provider: {KEY}"), &[]),
        (format!("api_key: {KEY}, api_key_env: {KEY}"), &[]),
        (format!("api_key: {KEY}, nmae: {KEY}"), &[]),
        (format!("api_key: [{KEY}]"), &[]),
        (format!("api_key_env: {KEY}"), &[]),
        (format!("api_key_env: MY_OWN, provider: {KEY}"), &held),
    ] {
        let error = user(&format!("[{{{item}}}]"), env).unwrap_err();
        assert!(!error.contains(KEY), "{error}");
    }
    let json = format!("[{{\"api_key\": \"{KEY}\", \"weight\": \"{KEY}\"}}]");
    for name in [JSON, "LLM_ROUTING_ENDPOINTS_JSON"] {
        let error = user("[]", &[(name, &json)]).unwrap_err();
        assert!(error.contains("[0].weight`: found text `<secret>`, wanted a number"), "{error}");
    }
}

#[test]
fn addresses_that_can_not_be_meant_are_named_where_they_stand() {
    let own = |provider: &str, base_url: &str| {
        let user = format!("provider: {provider}, model: m, base_url: '{base_url}'");
        let text = format!("llm: {{agents: {{user: {{{user}}}, assistant: {{provider: builtin}}}}}}");
        load(&text, &[("LLM_USER_API_KEY_ENV", "K"), ("K", "k")], &[]).map(|_| ())
    };
    let scheme = "must begin with `http://` or `https://`, such as http://127.0.0.1:8000/v1";
    for (provider, base_url, wrong) in [
        ("openai", "localhost:8000/v1", scheme),
        ("vllm", "127.0.0.1:8000/v1", scheme),
        ("gemini", "generativelanguage.googleapis.com", scheme),
        ("vllm", "ftp://h/v1", scheme),
        ("vllm", "http://h/v1/chat/completions/", "must be the root of the API: leave off `/chat/completions`"),
        (
            "gemini",
            "https://generativelanguage.googleapis.com/v1beta/openai/",
            "is an address of OpenAI's protocol, but the provider `gemini` is spoken to in Gemini's own (`:generateContent`)",
        ),
        (
            "anthropic",
            "https://api.anthropic.com/v1/chat/completions",
            "is an address of OpenAI's protocol, but the provider `anthropic` is spoken to in Anthropic's own",
        ),
    ] {
        let error = own(provider, base_url).unwrap_err();
        assert!(error.starts_with(&format!("`llm.agents.user.base_url` {wrong}")), "{error}");
        let column = format!("provider: {provider}, model: m, base_url: ").len() + "llm: {agents: {user: {".len() + 1;
        assert!(error.ends_with(&format!(" (c.yaml:1:{column})")), "{error}");
    }
    for (provider, base_url) in [
        ("openai", "HTTP://h/v1"),
        ("openai", "https://generativelanguage.googleapis.com/v1beta/openai"),
        ("gemini", "https://generativelanguage.googleapis.com/v1beta"),
        ("groq", "https://api.groq.com/openai/v1"),
        ("anthropic", "https://api.anthropic.com/v1"),
    ] {
        assert_eq!(own(provider, base_url), Ok(()), "{provider} {base_url}");
    }
    let error = user("[h:8000/v1]", &[]).unwrap_err();
    assert_eq!(error, format!("`llm.routing.endpoints[0].base_url` {scheme} (c.yaml:1:28)"));
}
