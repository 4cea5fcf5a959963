//! What `llm.mode` makes of a configuration.

use super::*;
use crate::domain::Agent;
use crate::providers::Secret;
use crate::settings::Settings;
use crate::settings::tests::load;

const AGENTS: &str = "agents: {user: {provider: openai}, assistant: {}}";

fn settings(llm: &str, env: &[(&str, &str)]) -> Result<Settings, String> {
    load(&format!("llm: {{{llm}, {AGENTS}}}\n"), env, &[])
}

fn managed(settings: &Settings) -> &ServerOptions {
    match &settings.serving {
        Serving::Managed(options) => options,
        other => panic!("{other:?}"),
    }
}

#[test]
fn agents_without_a_model_ask_the_servers_of_the_run_for_theirs() {
    let vllm = "vllm: {model: org/m, replicas: 2, port_start: 19000, max_num_seqs: 200, args: [--enforce-eager]}";
    let settings = settings(&format!("mode: vllm_managed, {vllm}"), &[]).unwrap();
    for agent in [Agent::User, Agent::Assistant] {
        let agent = &settings.agents[agent];
        assert_eq!((agent.model.as_str(), agent.endpoints.len()), ("org/m", 2));
        let second = &agent.endpoints[1];
        assert_eq!((second.name.as_str(), second.base_url.as_str()), ("managed-vllm-1", "http://127.0.0.1:19001/v1"));
        assert_eq!((second.model.as_str(), second.max_in_flight, second.weight), ("org/m", Some(100), 1.0));
        assert_eq!((&second.api_key, second.key.as_str()), (&Some(Secret::new("EMPTY".into())), "llm.vllm[1]"));
    }
    let options = managed(&settings);
    assert_eq!(
        (options.replicas, options.served_name.as_str(), &options.wanted[..]),
        (2, "org/m", &["org/m".into()][..])
    );
    assert_eq!((options.command.join(" "), options.args.join(" ")), ("vllm".into(), "--enforce-eager".into()));
    assert_eq!((options.auto_stop, options.host.as_str(), &options.logs), (true, "127.0.0.1", &settings.logs));
    assert_eq!(settings.warnings, Vec::<String>::new());
}

#[test]
fn what_is_not_asked_is_told_and_one_agent_may_be_elsewhere() {
    let own = ("LLM_ASSISTANT_ROUTING_ENDPOINTS_JSON", r#"["http://h/v1"]"#);
    let text =
        "llm: {mode: vllm_managed, vllm: {model: m, served_model_name: n}, routing: {endpoints: ['http://x/v1']},
        agents: {user: {model: adapter, base_url: 'http://y/v1'}, assistant: {model: other, provider: anthropic}}}";
    let settings = load(text, &[own], &[]).unwrap();
    let models = [Agent::User, Agent::Assistant].map(|agent| {
        let endpoint = &settings.agents[agent].endpoints[0];
        (endpoint.base_url.as_str(), endpoint.model.as_str())
    });
    assert_eq!(models, [("http://127.0.0.1:18000/v1", "adapter"), ("http://h/v1", "other")]);
    assert_eq!(managed(&settings).wanted, ["adapter"]);
    let starts =
        ["`llm.routing.endpoints` is not used", "`llm.agents.user.base_url` is", "`llm.agents.assistant.provider`"];
    assert_eq!(settings.warnings.len(), starts.len(), "{:?}", settings.warnings);
    assert!(settings.warnings.iter().zip(starts).all(|(warning, start)| warning.starts_with(start)));
    assert!(settings.warnings[1].ends_with("for one agent elsewhere set LLM_USER_ROUTING_ENDPOINTS_JSON."));
}

#[test]
fn gpus_are_as_many_as_the_model_is_split_over_unless_they_are_said() {
    let gpus = |vllm: &str| -> Result<f64, String> {
        let settings = settings(&format!("mode: vllm_managed, vllm: {{model: m, {vllm}}}"), &[])?;
        let Engine::Vllm { gpus, .. } = managed(&settings).engine else { panic!("vLLM") };
        Ok(gpus)
    };
    assert_eq!(gpus("replicas: 3"), Ok(1.0));
    assert_eq!(gpus("tensor_parallel_size: 4"), Ok(4.0));
    assert_eq!(gpus("num_gpus_per_replica: 0"), Ok(0.0));
    assert_eq!(gpus("num_gpus_per_replica: 0.5, replicas: 2, gpu_memory_utilization: 0.45"), Ok(0.5));
    for (vllm, expected) in [
        ("num_gpus_per_replica: 1.5", "`llm.vllm.num_gpus_per_replica` must be a whole number, or below 1, or 0"),
        (
            "num_gpus_per_replica: 1, tensor_parallel_size: 2",
            "`llm.vllm.num_gpus_per_replica` is 1, and `llm.vllm.tensor_parallel_size` splits the model over 2 GPUs; set it to \
             2",
        ),
        (
            "num_gpus_per_replica: 0.33, replicas: 3",
            "`llm.vllm.gpu_memory_utilization` is 0.9, and 3 replicas share a GPU by `llm.vllm.num_gpus_per_replica`; set it \
             to 0.33 or less",
        ),
    ] {
        let error = gpus(vllm).unwrap_err();
        assert!(error.starts_with(expected), "{vllm}: {error}");
    }
}

#[test]
fn a_model_file_is_served_under_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("SmolLM2-135M.Q4.gguf");
    std::fs::write(&model, "").unwrap();
    let llama =
        format!("model: '{}', slots: 2, context: 4096, threads: 1, command: 'nice llama-server'", model.display());
    let found = settings(&format!("mode: llamacpp_managed, llamacpp: {{{llama}}}"), &[]).unwrap();
    let options = managed(&found);
    assert_eq!(options.engine, Engine::LlamaCpp { model, context: 4096, slots: 2, threads: Some(1) });
    assert_eq!((options.command.join("|"), options.section), ("nice|llama-server".into(), "llm.llamacpp"));
    let user = &found.agents[Agent::User];
    assert_eq!((user.model.as_str(), user.endpoints[0].name.as_str()), ("SmolLM2-135M.Q4", "managed-llamacpp-0"));
}

#[test]
fn what_can_not_be_started_is_refused() {
    for (llm, expected) in [
        (
            "mode: vllm_managed",
            "`llm.vllm.model` must be set in the mode `vllm_managed`: a name on the Hub, or a folder",
        ),
        ("mode: vllm_managed, vllm: {model: m, replicas: 0}", "`llm.vllm.replicas` must be > 0."),
        ("mode: vllm_managed, vllm: {model: m, host: ''}", "`llm.vllm.host` must not be empty"),
        ("mode: vllm_managed, vllm: {model: m, command: ' '}", "`llm.vllm.command` must name a program"),
        (
            "mode: vllm_managed, vllm: {model: m, replicas: 2, port_start: 65535}",
            "`llm.vllm.port_start` is too high for 2 replicas: the last port is 65535",
        ),
        (
            "mode: vllm_managed, vllm: {model: m, args: [--port, '1']}",
            "`llm.vllm.args`: `--port` can't be among them: set `llm.vllm.port_start` instead",
        ),
        (
            "mode: llamacpp_managed",
            "`llm.llamacpp.model` must be set in the mode `llamacpp_managed`: the file of the model (.gguf)",
        ),
        (
            "mode: llamacpp_managed, llamacpp: {model: m.gguf}",
            "`llm.llamacpp.model`: there is no file ROOT/m.gguf, nor",
        ),
        (
            "mode: vllm_attach",
            "`llm.mode` is `vllm_attach`, and the agent `user` has no server: list servers in `llm.routing.endpoints`, such as \
             [http://127.0.0.1:8000/v1], or set `llm.agents.user.base_url`",
        ),
    ] {
        let error = settings(llm, &[]).unwrap_err();
        assert!(error.starts_with(expected), "{llm}: {error}");
    }
    let unknown = settings("mode: vllm", &[]).unwrap_err();
    assert!(
        unknown.contains("`llm.mode` must be one of `api`, `vllm_attach`, `vllm_managed`, `llamacpp_managed`."),
        "{unknown}"
    );
}

#[test]
fn attached_servers_say_which_model_they_have() {
    let settings = settings(
        "mode: vllm_attach, routing: {endpoints: ['http://h:1/v1', {base_url: 'http://h:2/v1', model: m}]}",
        &[],
    );
    let settings = settings.unwrap();
    assert_eq!(settings.serving, Serving::Attached);
    let models = settings.agents[Agent::User].endpoints.iter().map(|endpoint| endpoint.model.as_str());
    assert_eq!(models.collect::<Vec<_>>(), ["", "m"]);
    let own = "llm: {mode: vllm_attach, agents: {user: {base_url: 'http://h/v1'}, assistant: {provider: builtin}}}";
    assert!(load(own, &[], &[]).is_ok_and(|settings| settings.agents[Agent::User].model.is_empty()));
}
