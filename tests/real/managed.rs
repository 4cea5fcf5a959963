//! Servers of llama.cpp that a run starts itself, of which one is killed while it works.

use crate::llama::brief;
use crate::parts::{python, real};
use crate::support::vllm::{free_ports, is_alive, until};
use crate::support::{Project, Ran, copy, shipped};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The processes whose command line has these words.
fn processes(words: &[&str]) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("processes").flatten();
    let has = |folder: &Path| {
        let line = fs::read(folder.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        words.iter().all(|word| line.contains(word)) && !line.contains("guard-server")
    };
    entries.filter(|entry| has(&entry.path())).filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

#[test]
fn a_run_starts_two_servers_and_goes_on_when_one_of_them_is_killed() {
    let (project, port) = (Project::empty(), free_ports(2));
    copy(&shipped("knowledge/en"), &project.path("knowledge/en"));
    let (server, model) = (shipped("tests/real/llama_server.py"), real("weights/model.gguf"));
    let agent = format!("{{temperature: 0, max_tokens: 160, timeout: 90, extra: {}}}", brief());
    let config = format!(
        "run: {{seed: 5, run_id: real, batch_size: 4, total_samples: 4, turns: {{mode: exact, exact: 1}}}}\n\
         llm:\n  mode: llamacpp_managed\n  llamacpp: {{command: '{} {}', model: '{}', served_model_name: smollm, replicas: 2, \
         port_start: {port}, context: 8192, slots: 4, threads: 1}}\n  agents: {{user: {agent}, assistant: {agent}}}\n\
         prompts: {{path: '{}'}}\n\
         tools: {{retrieval: {{chunking: {{chunk_size: 300, chunk_overlap: 50}}}}}}\n",
        python("llama").display(),
        server.display(),
        model.display(),
        shipped("tests/real/prompts").display()
    );
    project.write("config.yaml", config.as_bytes());
    let child = project.stamped(&[]).spawn().expect("the binary runs");
    let log = || fs::read_to_string(project.path("logs/run.log")).unwrap_or_default();
    until("both servers answer", || log().contains("Starting generation"));
    let second = format!("--port {}", port + 1);
    let [victim] = processes(&["llama_server.py", &second])[..] else { panic!("{}", log()) };
    let killed = Command::new("kill").args(["-9", &victim.to_string()]).status().expect("kill runs");
    assert!(killed.success());
    let ran = Ran::from(child.wait_with_output().expect("it ends")).succeeded();
    assert!(ran.stdout.contains("4 of 4 accepted"), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("managed-llamacpp-1: gone: signal 9; it is started again in 1 s"), "{}", ran.stderr);
    let answers = format!("answers at http://127.0.0.1:{}/v1", port + 1);
    assert_eq!(log().matches(&answers).count(), 2, "{}", log());
    assert!(!is_alive(victim) && processes(&["llama_server.py", &second]).is_empty());
    assert!(processes(&["llama_server.py", &format!("--port {port}")]).is_empty());
}
