//! `llm.mode`: whose the model servers are, and which ones a run starts.

use super::agents::ROLES;
use super::choices::ServingMode;
use super::error::Diagnostics;
use super::folders::Folders;
use super::table as all;
use super::table::servers as keys;
use super::types::{Setting, Text, Texts, word_of};
use super::values::Values;
use crate::domain::Agents;
use crate::providers::{AgentOptions, Provider};
use crate::servers::{Engine, ServerOptions, Serving, reserved};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The keys that both kinds of servers have.
struct Common {
    section: &'static str,
    command: Setting<Text>,
    name: Setting<Text>,
    replicas: Setting<u16>,
    host: Setting<Text>,
    port_start: Setting<u16>,
    args: Setting<Texts>,
    health_timeout: Setting<f64>,
    auto_stop: Setting<bool>,
}

const VLLM: Common = Common {
    section: "llm.vllm",
    command: keys::VLLM_COMMAND,
    name: keys::VLLM_NAME,
    replicas: keys::VLLM_REPLICAS,
    host: keys::VLLM_HOST,
    port_start: keys::VLLM_PORT_START,
    args: keys::VLLM_ARGS,
    health_timeout: keys::VLLM_HEALTH_TIMEOUT_S,
    auto_stop: keys::VLLM_AUTO_STOP,
};

const LLAMACPP: Common = Common {
    section: "llm.llamacpp",
    command: keys::LLAMACPP_COMMAND,
    name: keys::LLAMACPP_NAME,
    replicas: keys::LLAMACPP_REPLICAS,
    host: keys::LLAMACPP_HOST,
    port_start: keys::LLAMACPP_PORT_START,
    args: keys::LLAMACPP_ARGS,
    health_timeout: keys::LLAMACPP_HEALTH_TIMEOUT_S,
    auto_stop: keys::LLAMACPP_AUTO_STOP,
};

/// Whose the servers are. Their logs and what agents ask of them are not known yet: see [`complete`].
pub(super) fn serving(values: &Values, folders: &Folders, report: &mut Diagnostics) -> Serving {
    let mode = values.get(keys::MODE);
    match mode {
        ServingMode::Api => Serving::Api,
        ServingMode::VllmAttach => Serving::Attached,
        ServingMode::VllmManaged | ServingMode::LlamacppManaged => {
            tell_unused(mode, values, report);
            Serving::Managed(Box::new(match mode {
                ServingMode::LlamacppManaged => llamacpp(values, folders, report),
                _ => vllm(values, folders, report),
            }))
        }
    }
}

/// Completes what a run starts by the folder of the logs and by the names that agents ask for.
pub(super) fn complete(serving: &mut Serving, agents: &Agents<AgentOptions>, logs: &Path) {
    let Serving::Managed(options) = serving else { return };
    let endpoints = agents.iter().flat_map(|(_, agent)| &agent.endpoints);
    let own = endpoints.filter(|endpoint| endpoint.key.starts_with(options.section));
    let wanted: BTreeSet<String> = own.map(|endpoint| endpoint.model.clone()).collect();
    options.wanted = Vec::from_iter(wanted);
    options.logs = logs.to_owned();
}

/// Says what agents are not asked at, as they ask the servers of the run.
fn tell_unused(mode: ServingMode, values: &Values, report: &mut Diagnostics) {
    let word = word_of(mode);
    let mut unused = |key: &str, instead: &str| {
        report.warn(format!(
            "`{key}` is not used: `{}` is `{word}`, and all agents ask its servers{instead}.",
            keys::MODE
        ));
    };
    if values.place(all::ROUTING_ENDPOINTS).is_some_and(|_| !values.get(all::ROUTING_ENDPOINTS).is_empty()) {
        unused(all::ROUTING_ENDPOINTS.path, "");
    }
    for role in &ROLES {
        let elsewhere = format!("; for one agent elsewhere set LLM_{}_ROUTING_ENDPOINTS_JSON", role.env);
        let [provider, base_url] = [all::PROVIDER, all::BASE_URL].map(|key| key.of(role.agent));
        if !values.get(base_url).trim().is_empty() {
            unused(base_url.path, &elsewhere);
        }
        let own = ["", "openai", "vllm", "hosted_vllm", "builtin"];
        let named = Provider::named(values.get(provider).trim());
        if named.is_some_and(|named| !own.contains(&named.name)) {
            unused(provider.path, &elsewhere);
        }
    }
}

fn vllm(values: &Values, folders: &Folders, report: &mut Diagnostics) -> ServerOptions {
    const MODEL: Setting<Text> = keys::VLLM_MODEL;
    let model = values.get(MODEL).trim();
    if model.is_empty() {
        let text = format!("`{MODEL}` must be set in the mode `vllm_managed`: a name on the Hub, or a folder");
        report.conflict(&[MODEL.path], values.place(keys::MODE), text);
    }
    let folder = folders.find(model).filter(|folder| !model.is_empty() && folder.is_dir());
    let engine = Engine::Vllm {
        model: folder.map_or_else(|| model.to_owned(), |folder| folder.display().to_string()),
        gpus: gpus(values, report),
        tensor_parallel_size: values.get(keys::TENSOR_PARALLEL_SIZE),
        gpu_memory_utilization: values.get(keys::GPU_MEMORY_UTILIZATION),
        max_num_seqs: values.get(keys::MAX_NUM_SEQS),
    };
    let advertise_host = values.get(keys::VLLM_ADVERTISE_HOST).trim().to_owned();
    ServerOptions { advertise_host, ..options(&VLLM, engine, model, values, folders, report) }
}

/// The GPUs of a replica, by default as many as the model is split over.
fn gpus(values: &Values, report: &mut Diagnostics) -> f64 {
    const GPUS: Setting<f64> = keys::VLLM_GPUS;
    let (split, gpus) = (f64::from(values.get(keys::TENSOR_PARALLEL_SIZE)), values.get(GPUS));
    let memory = values.get(keys::GPU_MEMORY_UTILIZATION);
    let place = values.place(GPUS);
    if place.is_none() {
        return gpus.max(split);
    }
    let sharing = if gpus > 0.0 { (1.0 / gpus + 1e-9).floor() } else { 1.0 };
    let shared = sharing.min(f64::from(values.get(keys::VLLM_REPLICAS)));
    let text = if gpus > 1.0 && gpus.fract() != 0.0 {
        format!("`{GPUS}` must be a whole number, or below 1, or 0")
    } else if gpus > 0.0 && gpus.max(1.0) < split {
        let key = keys::TENSOR_PARALLEL_SIZE;
        format!("`{GPUS}` is {gpus}, and `{key}` splits the model over {split} GPUs; set it to {split}")
    } else if shared > 1.0 && shared * memory > 1.0 {
        let key = keys::GPU_MEMORY_UTILIZATION;
        let most = (100.0 / shared).floor() / 100.0;
        format!("`{key}` is {memory}, and {shared} replicas share a GPU by `{GPUS}`; set it to {most} or less")
    } else {
        return gpus;
    };
    report.conflict(&[GPUS.path], place, text);
    gpus
}

fn llamacpp(values: &Values, folders: &Folders, report: &mut Diagnostics) -> ServerOptions {
    const MODEL: Setting<Text> = keys::LLAMACPP_MODEL;
    let model = values.get(MODEL).trim();
    let found = folders.find(model).filter(|file| file.is_file());
    if found.is_none() {
        let text = match model {
            "" => format!("`{MODEL}` must be set in the mode `llamacpp_managed`: the file of the model (.gguf)"),
            _ => format!("`{MODEL}`: there is no {}; it must be the file of the model (.gguf)", folders.tried(model)),
        };
        report.conflict(&[MODEL.path], values.place(MODEL).or_else(|| values.place(keys::MODE)), text);
    }
    let stem = Path::new(model).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let engine = Engine::LlamaCpp {
        model: found.unwrap_or_default(),
        context: values.get(keys::CONTEXT),
        slots: values.get(keys::SLOTS),
        threads: values.get(keys::THREADS),
    };
    options(&LLAMACPP, engine, &stem, values, folders, report)
}

/// What both kinds have; `model` is the name of the model where no other one is said.
fn options(
    of: &Common,
    engine: Engine,
    model: &str,
    values: &Values,
    folders: &Folders,
    report: &mut Diagnostics,
) -> ServerOptions {
    let text = |key: Setting<Text>| values.get(key).trim();
    let name = Some(text(of.name)).filter(|name| !name.is_empty()).unwrap_or(model);
    let options = ServerOptions {
        section: of.section,
        engine,
        command: command(of.command, values, folders, report),
        args: values.get(of.args).into_iter().map(str::to_owned).collect(),
        served_name: name.to_owned(),
        wanted: Vec::new(),
        replicas: values.get(of.replicas),
        host: text(of.host).to_owned(),
        advertise_host: String::new(),
        port_start: values.get(of.port_start),
        health_timeout: Duration::from_secs_f64(values.get(of.health_timeout)),
        auto_stop: values.get(of.auto_stop),
        logs: PathBuf::new(),
        program: None,
    };
    if options.host.is_empty() {
        let text = format!("`{}` must not be empty; 127.0.0.1 is this machine alone", of.host);
        report.conflict(&[of.host.path], values.place(of.host), text);
    }
    if u32::from(options.port_start) + u32::from(options.replicas) > 65_536 {
        let (port, replicas) = (of.port_start, of.replicas);
        let text = format!("`{port}` is too high for {} replicas: the last port is 65535", options.replicas);
        report.conflict(&[port.path, replicas.path], values.place(port).or_else(|| values.place(replicas)), text);
    }
    if let Some(wrong) = reserved(&options) {
        report.conflict(&[of.args.path], values.place(of.args), format!("`{}`: {wrong}", of.args));
    }
    options
}

/// The words of a command, of which the first may be a path from the root.
fn command(key: Setting<Text>, values: &Values, folders: &Folders, report: &mut Diagnostics) -> Vec<String> {
    let mut words = shlex::split(values.get(key)).unwrap_or_default();
    match words.first_mut() {
        Some(program) if program.contains('/') => {
            let found = folders.find(program);
            found.iter().for_each(|found| *program = found.display().to_string());
        }
        Some(_) => {}
        None => {
            let text = format!("`{key}` must name a program, in the words of a shell");
            report.conflict(&[key.path], values.place(key), text);
        }
    }
    words
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
