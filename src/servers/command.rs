//! The command lines of the two kinds of servers.

use super::options::{Engine, ServerOptions};

/// Arguments of vLLM that the settings have keys for, or that a run does without.
const OF_VLLM: &[(&str, &str)] = &[
    ("--model", "model"),
    ("--served-model-name", "served_model_name"),
    ("--host", "host"),
    ("--port", "port_start"),
    ("--tensor-parallel-size", "tensor_parallel_size"),
    ("-tp", "tensor_parallel_size"),
    ("--gpu-memory-utilization", "gpu_memory_utilization"),
    ("--max-num-seqs", "max_num_seqs"),
    ("--api-key", ""),
    ("--uds", ""),
];

/// The same of llama-server.
const OF_LLAMA: &[(&str, &str)] = &[
    ("-m", "model"),
    ("--model", "model"),
    ("-a", "served_model_name"),
    ("--alias", "served_model_name"),
    ("--host", "host"),
    ("--port", "port_start"),
    ("-c", "context"),
    ("--ctx-size", "context"),
    ("-np", "slots"),
    ("--parallel", "slots"),
    ("-t", "threads"),
    ("--threads", "threads"),
    ("--api-key", ""),
    ("--api-key-file", ""),
];

/// The variables that would set a key for a server: a run asks its own servers without one.
pub(super) const KEYS: [&str; 2] = ["VLLM_API_KEY", "LLAMA_API_KEY"];

/// What is wrong with the first of some further arguments that can't be one, if any: the run itself sets it.
pub fn reserved(options: &ServerOptions) -> Option<String> {
    let known = match options.engine {
        Engine::Vllm { .. } => OF_VLLM,
        Engine::LlamaCpp { .. } => OF_LLAMA,
    };
    let name = |argument: &String| argument.split('=').next().unwrap_or_default().replace('_', "-");
    let of = |argument: &String| known.iter().find(|(flag, _)| *flag == name(argument));
    let (flag, key) = options.args.iter().find_map(of)?;
    Some(match *key {
        "" => format!("`{flag}` can't be among them: the servers of a run are asked by it alone, without a key"),
        key => format!("`{flag}` can't be among them: set `{}.{key}` instead", options.section),
    })
}

/// The words of the command line of a replica, from 0.
pub(super) fn command_line(options: &ServerOptions, replica: u16) -> Vec<String> {
    let ServerOptions { command, args, served_name, host, .. } = options;
    let port = options.port(replica).to_string();
    let flag = |name: &str, value: &dyn ToString| [name.to_owned(), value.to_string()];
    let mut words = command.clone();
    match &options.engine {
        Engine::Vllm { model, tensor_parallel_size, gpu_memory_utilization, max_num_seqs, .. } => {
            words.extend(["serve".to_owned(), model.clone()]);
            words.extend(flag("--host", host));
            words.extend(flag("--port", &port));
            words.extend(flag("--served-model-name", served_name));
            words.extend(flag("--tensor-parallel-size", tensor_parallel_size));
            words.extend(flag("--gpu-memory-utilization", gpu_memory_utilization));
            words.extend(flag("--max-num-seqs", max_num_seqs));
        }
        Engine::LlamaCpp { model, context, slots, threads } => {
            words.extend(flag("-m", &model.display()));
            words.extend(flag("--alias", served_name));
            words.extend(flag("--host", host));
            words.extend(flag("--port", &port));
            words.extend(flag("-c", context));
            words.extend(flag("--parallel", slots));
            words.extend(threads.iter().flat_map(|threads| flag("--threads", threads)));
            words.push("--jinja".to_owned());
        }
    }
    words.extend(args.iter().cloned());
    words
}

#[cfg(test)]
mod tests {
    use super::super::options::samples::vllm;
    use super::*;

    fn llama(threads: Option<u32>) -> ServerOptions {
        ServerOptions {
            section: "llm.llamacpp",
            engine: Engine::LlamaCpp { model: "/m/a b.gguf".into(), context: 8192, slots: 4, threads },
            command: vec!["nice".into(), "llama-server".into()],
            ..vllm(&[])
        }
    }

    #[test]
    fn command_lines_have_every_setting() {
        let options = vllm(&["--max-model-len", "8192"]);
        assert_eq!(
            command_line(&options, 1).join(" "),
            "vllm serve org/model --host 127.0.0.1 --port 18001 --served-model-name model --tensor-parallel-size 1 \
             --gpu-memory-utilization 0.9 --max-num-seqs 256 --max-model-len 8192"
        );
        assert_eq!(
            command_line(&llama(Some(2)), 0).join("|"),
            "nice|llama-server|-m|/m/a b.gguf|--alias|model|--host|127.0.0.1|--port|18000|-c|8192|--parallel|4|--threads|2|\
             --jinja"
        );
        assert!(!command_line(&llama(None), 0).contains(&"--threads".to_owned()));
    }

    #[test]
    fn arguments_that_the_run_sets_are_refused_with_their_key() {
        let refused = |args: &[&str]| reserved(&vllm(args));
        assert_eq!(refused(&["--max-model-len", "8192", "--enforce-eager"]), None);
        for (args, expected) in [
            (&["--port", "1"][..], "`--port` can't be among them: set `llm.vllm.port_start` instead"),
            (
                &["--dtype=auto", "--max_num_seqs=4"],
                "`--max-num-seqs` can't be among them: set `llm.vllm.max_num_seqs`",
            ),
            (&["--api-key", "k"], "`--api-key` can't be among them: the servers of a run are asked by it alone"),
        ] {
            assert!(refused(args).is_some_and(|told| told.starts_with(expected)), "{args:?}");
        }
        let told = reserved(&ServerOptions { args: vec!["-np".into(), "2".into()], ..llama(None) });
        assert_eq!(told.as_deref(), Some("`-np` can't be among them: set `llm.llamacpp.slots` instead"));
    }
}
