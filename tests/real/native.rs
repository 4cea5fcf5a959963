//! Runs that speak the Anthropic and the Gemini API, both to a LiteLLM proxy.

use crate::llama::brief;
use crate::parts::{LiteLlm, LlamaServer};
use crate::proxy::expect_tool_use;
use crate::{Agent, generate, project};
use serde_json::json;

fn run(provider: &str) {
    let (proxy, llama) = (LiteLlm::shared(), LlamaServer::shared());
    let (url, base_url) = (proxy.url(), llama.base_url());
    let speaks = Agent { provider, base_url: &url, key: proxy.key(), extra: json!({}) };
    let judges = Agent { provider: "openai", base_url: &base_url, key: llama.key(), extra: brief() };
    let project = project("  batch_size: 2\n  total_samples: 2\n  turns: {mode: exact, exact: 1}", &speaks, &judges);
    generate(&project, 2);
    expect_tool_use(&project);
}

#[test]
fn anthropic_messages() {
    run("anthropic");
}

#[test]
fn gemini_generate_content() {
    run("gemini");
}
