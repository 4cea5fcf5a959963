//! A run on a real model behind an OpenAI-compatible API.

use crate::parts::LlamaServer;
use crate::relay::Relay;
use crate::{Agent, generate, project};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What keeps SmolLM2 short: no line breaks in its JSON, and texts that rather end with a sentence than go on.
pub fn brief() -> Value {
    let breaks = (0..=16).map(|spaces| json!([format!("\n{}", " ".repeat(spaces)), false]));
    let ends = [".\"", ".\",", "?\"", "?\",", "\","].map(|end| json!([end, 3]));
    json!({ "logit_bias": breaks.chain(ends).collect::<Vec<_>>() })
}

#[test]
fn a_judged_run_comes_through_and_every_request_has_its_schema_or_tools() {
    let llama = LlamaServer::shared();
    let relay = Relay::to(llama.port());
    let base_url = format!("http://127.0.0.1:{}/v1", relay.port());
    let agent = Agent { provider: "openai", base_url: &base_url, key: llama.key(), extra: brief() };
    let run = "  batch_size: 4\n  total_samples: 4\n  turns: {mode: exact, exact: 1}";
    let project = project(run, &agent, &agent);
    let ran = generate(&project, 4);
    assert!(ran.stdout.contains("4 of 4 accepted"), "{}", ran.stdout);

    let requests = relay.requests();
    // A grammar would keep the model from calling tools.
    let has_tools = |request: &&Value| request["tools"].is_array();
    assert!(requests.iter().filter(has_tools).all(|request| request.get("response_format").is_none()), "{requests:?}");
    let plain = requests.iter().filter(|request| !has_tools(request));
    let formats: Vec<&Value> = plain.map(|request| &request["response_format"]).collect();
    assert!(formats.iter().all(|format| format["type"] == "json_schema"), "{formats:?}");
    let schemas: Vec<&Value> = formats.iter().map(|format| &format["json_schema"]).collect();
    let names: BTreeSet<_> = schemas.iter().map(|schema| schema["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["assistant_reply", "judge_reply", "user_reply"].into());
    assert!(schemas.iter().all(|schema| schema["schema"]["properties"].is_object()), "{schemas:?}");
    assert!(requests.len() >= 3 * 4, "{}", requests.len());
}

#[test]
fn a_wrong_key_ends_the_run_with_the_servers_words() {
    let llama = LlamaServer::shared();
    let base_url = llama.base_url();
    let agent = Agent { provider: "openai", base_url: &base_url, key: "sk-wrong", extra: json!({}) };
    let ran = project("  total_samples: 1", &agent, &agent).run(&["run", "config.yaml"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("401") && ran.stderr.contains("Invalid API Key"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("sk-wrong"), "{}", ran.stderr);
}
