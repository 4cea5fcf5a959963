//! The three agents: their models, limits and keys.

use super::credentials;
use super::error::Report;
use super::values::Values;
use crate::llm::AgentOptions;
use std::collections::BTreeMap;
use std::time::Duration;

/// An agent, with the names it goes by.
#[derive(Debug)]
pub(super) struct Role {
    /// Its name in `llm.agents`.
    pub name: &'static str,
    /// Its stage, as messages and outputs call it.
    pub stage: &'static str,
    /// Its name in environment variables.
    pub env: &'static str,
    /// Its former name in environment variables.
    pub old_env: &'static str,
}

pub(super) const USER: Role = Role { name: "user", stage: "qa_generator", env: "USER", old_env: "QA_GENERATOR" };
pub(super) const ASSISTANT: Role =
    Role { name: "assistant", stage: "kb_responder", env: "ASSISTANT", old_env: "KB_RESPONDER" };
pub(super) const JUDGE: Role = Role { name: "judge", stage: "qa_judge", env: "JUDGE", old_env: "QA_JUDGE" };

/// Provider of the model that is part of the program: it needs no name, no endpoint and no key.
const BUILTIN: &str = "builtin";
/// Providers that are always servers of the user's own.
const SERVERS: &[&str] = &["lm_studio", "vllm", "hosted_vllm"];

/// The settings of one agent.
pub(super) fn agent(role: &Role, values: &Values, env: &BTreeMap<String, String>, report: &mut Report) -> AgentOptions {
    let path = |name: &str| format!("llm.agents.{}.{name}", role.name);
    let text = |name: &str| values.text(&path(name)).trim().to_owned();
    let (provider, base_url, model) = (text("provider"), text("base_url"), text("model"));
    let is_builtin = provider == BUILTIN;
    if SERVERS.contains(&provider.as_str()) && base_url.is_empty() {
        let (provider_path, url_path) = (path("provider"), path("base_url"));
        let text = format!("`{url_path}` must be set for provider `{provider}`, such as http://127.0.0.1:8000/v1");
        report.conflict(&[&provider_path, &url_path], values.place(&provider_path), text);
    }
    AgentOptions {
        role: role.name,
        api_key: if is_builtin { None } else { credentials::key(role, &base_url, env, report) },
        provider,
        model,
        base_url,
        temperature: values.optional_number(&path("temperature")),
        max_tokens: values.optional_integer(&path("max_tokens")),
        top_p: values.optional_number(&path("top_p")),
        timeout: Duration::from_secs_f64(values.number(&path("timeout"))),
        max_retries: values.integer(&path("max_retries")),
        extra: values.mapping(&path("extra")),
    }
}

/// Reports agents without a model.
pub(super) fn demand_models(agents: &[(&Role, &AgentOptions)], report: &mut Report) {
    let nameless = |agent: &AgentOptions| agent.model.is_empty() && agent.provider != BUILTIN;
    let missing: Vec<_> = agents.iter().filter(|(_, agent)| nameless(agent)).map(|(role, _)| role).collect();
    if missing.is_empty() {
        return;
    }
    let stages: Vec<_> = missing.iter().map(|role| role.stage).collect();
    let paths: Vec<_> = missing.iter().map(|role| format!("llm.agents.{}.model", role.name)).collect();
    let keys: Vec<_> = paths.iter().map(String::as_str).collect();
    let named: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
    let text = format!(
        "Missing LLM model for required agent(s): {}. Set {}, or the provider to `builtin`.",
        stages.join(", "),
        named.join(", ")
    );
    report.conflict(&keys, None, text);
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::llm::Secret;
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
          max_retries: 0, extra: {stop: [x]}}
        assistant: {provider: vllm, model: n, base_url: 'http://127.0.0.1:2/v1'}
    ";
        let env = [("LLM_ASSISTANT_API_KEY_ENV", "K"), ("K", "s3cret"), ("LLM_USER_TEMPERATURE", "0.25")];
        let settings = load(text, &env, &["llm.agents.user.max_tokens=7"]).unwrap();
        let user = &settings.user;
        assert_eq!((user.provider.as_str(), user.model.as_str()), ("openai", "org/m"));
        assert_eq!((user.temperature, user.top_p, user.max_tokens), (Some(0.25), Some(1.0), Some(7)));
        assert_eq!((user.timeout, user.max_retries), (Duration::from_millis(1500), 0));
        assert_eq!((user.extra["stop"].to_string().as_str(), &user.api_key), ("[\"x\"]", &None));
        assert_eq!(settings.assistant.api_key, Some(Secret::new("s3cret".to_owned())));
        assert!(!format!("{settings:?}").contains("s3cret"));
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
    fn the_documented_local_setup_works_unchanged() {
        let agent = "model: openai/gpt-oss-20b\n      base_url: http://127.0.0.1:1234/v1\n";
        let text = format!(
            "run:\n  distributed:\n    enabled: false\nllm:\n  mode: api\n  agents:\n    user:\n      {agent}    assistant:\n      \
             {agent}    judge:\n      {agent}"
        );
        let settings = load(&text, &[], &[]).unwrap();
        assert_eq!((settings.assistant.model.as_str(), &settings.assistant.api_key), ("openai/gpt-oss-20b", &None));
    }
}
