//! The fake endpoint's conversation: user, assistant and judge, told apart by the keys their prompts demand. Equal requests
//! have equal replies.

use super::Reply;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, LogNormal};
use serde_json::{Value, json};
use std::time::Duration;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// How long replies take: log-normal, drawn from the seed and the request.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    /// Median, in milliseconds.
    pub median_ms: f64,
    /// Standard deviation of the logarithm: 0 for always the median.
    pub sigma: f64,
    /// Seed of the draws.
    pub seed: u64,
}

impl Latency {
    /// Replies at once.
    pub const NONE: Self = Self { median_ms: 0.0, sigma: 0.0, seed: 0 };

    /// The latency of the request with this digest.
    pub fn of(self, digest: u64) -> Duration {
        if self.median_ms <= 0.0 {
            return Duration::ZERO;
        }
        let mut draws = ChaCha8Rng::seed_from_u64(xxh3_64_with_seed(&digest.to_le_bytes(), self.seed));
        let distribution = LogNormal::new(self.median_ms.ln(), self.sigma).expect("a finite median and sigma");
        Duration::from_secs_f64(distribution.sample(&mut draws) / 1000.0)
    }
}

/// The reply to a chat request of any of the three roles; to any other, a line of text.
pub fn reply(request: &Value, latency: Latency) -> Reply {
    let digest = xxh3_64(request.to_string().as_bytes());
    let messages = request["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let prompt = messages.iter().find(|message| message["role"] == "user").map_or("", |message| content(message));
    let message = if prompt.contains("\"question_ok\"") {
        says(&verdict(digest))
    } else if prompt.contains("\"reasoning_trace\"") {
        let results = messages.iter().find(|message| message["role"] == "tool").map(content);
        match results {
            None if request["tools"].is_array() => search(prompt, digest),
            results => says(&answer(prompt, results, digest)),
        }
    } else if prompt.contains("\"coverage_target\"") {
        says(&question(prompt, digest))
    } else {
        json!({"role": "assistant", "content": format!("reply {digest:016x}")})
    };
    Reply { delay: latency.of(digest), ..Reply::json(200, &completion(request, prompt, &message, digest)) }
}

fn content(message: &Value) -> &str {
    message["content"].as_str().unwrap_or_default()
}

fn completion(request: &Value, prompt: &str, message: &Value, digest: u64) -> Value {
    let (prompt_tokens, completion_tokens) = (prompt.len() / 4, content(message).len() / 4);
    let finish_reason = if message["tool_calls"].is_array() { "tool_calls" } else { "stop" };
    json!({
        "id": format!("chatcmpl-{digest:016x}"),
        "object": "chat.completion",
        "created": 0,
        "model": request["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    })
}

fn says(object: &Value) -> Value {
    json!({"role": "assistant", "content": object.to_string()})
}

/// A question about one of the prompt's passages.
fn question(prompt: &str, digest: u64) -> Value {
    let topics = values(prompt, "topic_id");
    let at = if topics.is_empty() { 0 } else { digest as usize % topics.len() };
    let of_topic = |key| values(prompt, key).into_iter().nth(at).unwrap_or_default();
    let passage = words(&of_topic("text"), 8);
    let intents = ["clarify", "how_to", "troubleshoot", "compare", "edge_case", "constraints"];
    let difficulties = ["easy", "medium", "hard"];
    json!({
        "user_message": format!("In case {digest:016x}, what follows from this: {passage}?"),
        "intent": intents[(digest >> 8) as usize % intents.len()],
        "difficulty": difficulties[(digest >> 16) as usize % difficulties.len()],
        "grounding_facts": [{"fact": passage, "source_descriptor": of_topic("source_descriptor")}],
        "coverage_target": topics.get(at).map_or("", String::as_str),
        "notes_for_assistant": ["Be brief."],
    })
}

/// A call of the search tool with the question's own words.
fn search(prompt: &str, digest: u64) -> Value {
    let query = values(prompt, "user_message").pop().unwrap_or_else(|| words(prompt, 12));
    let function = json!({"name": "vector_db_search", "arguments": json!({"query": query}).to_string()});
    let call = json!({"id": format!("call_{digest:016x}"), "type": "function", "function": function});
    json!({"role": "assistant", "content": null, "tool_calls": [call]})
}

/// An answer that rests on what the search found.
fn answer(prompt: &str, results: Option<&str>, digest: u64) -> Value {
    let question = values(prompt, "user_message").pop().unwrap_or_default();
    let found = words(results.unwrap_or("nothing was searched"), 40);
    let confidences = ["low", "medium", "high"];
    let queries: Vec<&String> = results.iter().map(|_| &question).collect();
    json!({
        "assistant_message": format!("Answer {digest:016x}: it follows as documented."),
        "reasoning_trace": {
            "question": question,
            "retrieval_queries": {"vector_db_search": queries, "web_search": []},
            "evidence": [{"id": "E1", "cue": "search results", "content": found}],
            "premises": [{"id": "P1", "text": "The passage says so.", "evidence_refs": ["E1"], "assumption": ""}],
            "thinking": [{"text": "The passage answers the question."}],
            "confidence": confidences[digest as usize % confidences.len()],
            "known_limits": [],
        },
        "did_web_search": false,
    })
}

fn verdict(digest: u64) -> Value {
    let score = digest % 11;
    let reasons: &[&str] = if score < 6 { &["vague"] } else { &[] };
    json!({
        "score": score,
        "reasons": reasons,
        "notes": format!("verdict {digest:016x}"),
        "question_ok": true,
        "answer_ok": score >= 5,
    })
}

fn words(text: &str, count: usize) -> String {
    text.split_whitespace().take(count).collect::<Vec<_>>().join(" ")
}

/// Every string that is a value of `key` in the JSON within a text.
fn values(text: &str, key: &str) -> Vec<String> {
    let key = format!("\"{key}\"");
    let after_colon = |at: usize| text[at + key.len()..].trim_start().strip_prefix(':');
    text.match_indices(&key)
        .filter_map(|(at, _)| after_colon(at))
        .filter_map(|rest| serde_json::Deserializer::from_str(rest).into_iter::<String>().next()?.ok())
        .collect()
}
