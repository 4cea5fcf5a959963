//! Tests against real servers: a llama.cpp server with a small model, a LiteLLM proxy in front of it, and PostgreSQL.
//!
//! `tests/run` installs them and says where. The model is weak, so its prompts are short and show what to write; what
//! is tested is the wire, and that a run comes through on replies that nobody scripted.

mod browser;
mod corpus;
mod embeddings;
mod figures;
mod held_out;
mod llama;
mod managed;
mod native;
mod parts;
mod postgres;
mod proxy;
mod pushed;
mod qwen;
mod readers;
mod relay;
mod schemas;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "the harness has more than these tests need")]
mod support;
mod telemetry;
mod trainers;
mod wheel;

use dlgforge::{domain, store};
use serde_json::Value;
use support::{Project, Ran, shipped};

/// What an agent's settings and key are.
pub struct Agent<'a> {
    provider: &'a str,
    base_url: &'a str,
    key: &'a str,
    extra: Value,
}

impl Agent<'_> {
    fn settings(&self) -> String {
        let Self { provider, base_url, extra, .. } = self;
        format!(
            "{{provider: {provider}, model: local, base_url: \"{base_url}\", temperature: 0, max_tokens: 160, \
             timeout: 90, max_retries: 1, extra: {extra}}}"
        )
    }
}

/// A project over the English part of the shipped knowledge base, judged turn by turn.
pub fn project(run: &str, speakers: &Agent<'_>, judge: &Agent<'_>) -> Project {
    let project = Project::empty();
    let (speaks, judges) = (speakers.settings(), judge.settings());
    let prompts = shipped("tests/real/prompts");
    let config = format!(
        "run:\n  seed: 5\n  run_id: real\n{run}\nllm:\n  agents:\n    user: {speaks}\n    assistant: {speaks}\n    \
         judge: {judges}\njudge: {{mode: online}}\nprompts: {{path: \"{}\"}}\n\
         tools: {{retrieval: {{chunking: {{chunk_size: 300, chunk_overlap: 50}}}}}}\n",
        prompts.display()
    );
    project.write("config.yaml", config.as_bytes());
    let keys = format!(
        "LLM_USER_API_KEY_ENV=SPEAKS_API_KEY\nLLM_ASSISTANT_API_KEY_ENV=SPEAKS_API_KEY\n\
         LLM_JUDGE_API_KEY_ENV=JUDGES_API_KEY\nSPEAKS_API_KEY={}\nJUDGES_API_KEY={}\n",
        speakers.key, judge.key
    );
    project.write(".env", keys.as_bytes());
    support::copy(&shipped("knowledge/en"), &project.path("knowledge/en"));
    project
}

/// Runs to the end, and demands that many accepted conversations, each turn of them with a score. Tells the figures.
pub fn generate(project: &Project, accepted: usize) -> Ran {
    let ran = project.generate(&[]);
    let figures = ran
        .stdout
        .lines()
        .filter(|line| ["accepted", "calls ", "tokens ", "time "].iter().any(|word| line.contains(word)));
    println!("{}", figures.collect::<Vec<_>>().join("\n"));
    let rows = project.rows("outputs/conversations_sharegpt_judged.jsonl");
    let completed: Vec<_> = rows.iter().filter(|row| row["metadata"]["conversation_status"] == "completed").collect();
    assert_eq!(completed.len(), accepted, "{}", ran.stdout);
    for row in completed {
        let scores: Vec<_> =
            row["judge"]["per_turn"].as_array().expect("verdicts").iter().map(|turn| &turn["score"]).collect();
        // A small model does not make a verdict of every turn that can be read: such a turn stays unjudged.
        let turns = row["metadata"]["n_turns"].as_u64().expect("a number of turns");
        assert!(scores.len() as u64 <= turns, "at most a verdict on every turn: {row}");
        assert!(scores.iter().all(|score| score.as_u64().is_some_and(|score| score <= 10)), "{row}");
    }
    for name in project.names("outputs").iter().filter(|name| name.ends_with(".jsonl")) {
        project.rows(&format!("outputs/{name}"));
    }
    ran
}
