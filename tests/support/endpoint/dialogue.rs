//! The fake endpoint's conversation: user, assistant and judge, told apart by the form their requests demand. Equal requests
//! have equal replies. Questions are made of the words of passages, so that they are in their language.

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
    let texts: Vec<&str> = messages.iter().map(content).collect();
    let schema = request.pointer("/response_format/json_schema/schema").map(Value::to_string);
    let form = format!("{}{}", schema.unwrap_or_default(), texts.join("\n"));
    let prompt = messages.iter().rfind(|message| message["role"] == "user").map_or("", content);
    let searched = messages.iter().any(|message| message["role"] == "tool");
    let message = if form.contains("\"question_ok\"") {
        says(&verdict(digest))
    } else if form.contains("\"assistant_message\"") {
        let searches = request["tools"].is_array() && !searched;
        if searches { search(prompt, digest) } else { says(&answer(&passages(&texts), digest)) }
    } else if form.contains("\"candidates\"") {
        says(&candidates(request, &passages(&[prompt]), digest))
    } else if form.contains("\"user_message\"") {
        let mut question = question(&passages(&[prompt]), digest);
        if form.contains("\"whole_need\"") {
            question["whole_need"] =
                format!("{} {}", question["user_message"], "with all that there is to know").into();
        }
        says(&question)
    } else if texts.first().is_some_and(|text| text.starts_with("You are a user who chats")) {
        json!({"role": "assistant", "content": question(&passages(&texts[..1]), digest)["user_message"]})
    } else {
        json!({"role": "assistant", "content": format!("reply {digest:016x}")})
    };
    Reply { delay: latency.of(digest), ..Reply::json(200, &completion(request, prompt, &message, digest)) }
}

fn content(message: &Value) -> &str {
    message["content"].as_str().unwrap_or_default()
}

/// The passages that stand in some texts, as `[P1] headings` above a text: number and text.
fn passages<'a>(texts: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    let of_text = |text: &'a str| {
        let starts = text.match_indices("[P").filter(move |(at, _)| *at == 0 || text[..*at].ends_with('\n'));
        starts.filter_map(move |(at, _)| {
            let (label, rest) = text[at + 1..].split_once(']')?;
            let (_, rest) = rest.split_once('\n')?;
            let end = ["\n\n[P", "\n</untrusted>"].iter().filter_map(|mark| rest.find(mark)).min();
            Some((label, &rest[..end.unwrap_or(rest.len())]))
        })
    };
    texts.iter().flat_map(|text| of_text(text)).collect()
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

/// A question about one of the passages.
fn question(passages: &[(&str, &str)], digest: u64) -> Value {
    let at = digest as usize % passages.len().max(1);
    let (label, passage) = passages.get(at).copied().unwrap_or_default();
    let intents = ["clarify", "how_to", "troubleshoot", "compare", "edge_case", "constraints"];
    let difficulties = ["easy", "medium", "hard"];
    json!({
        "coverage_target": label,
        "user_message": format!("{} ({digest:016x})?", words(passage, 12)),
        "intent": intents[(digest >> 8) as usize % intents.len()],
        "difficulty": difficulties[(digest >> 16) as usize % difficulties.len()],
    })
}

/// As many different questions as the form demands, each half as likely as the one before.
fn candidates(request: &Value, passages: &[(&str, &str)], digest: u64) -> Value {
    let count = request.pointer("/response_format/json_schema/schema/properties/candidates/maxItems");
    let one = |place: u64| {
        let mut question = question(passages, xxh3_64_with_seed(&digest.to_le_bytes(), place));
        question["probability"] = json!(0.5_f64.powi(place as i32 + 1));
        question
    };
    json!({"candidates": (0..count.and_then(Value::as_u64).unwrap_or(1)).map(one).collect::<Vec<_>>()})
}

/// A call of the search tool with the question's own words.
fn search(prompt: &str, digest: u64) -> Value {
    let query = words(prompt.rsplit("Question: ").next().unwrap_or(prompt), 12);
    let function = json!({"name": "vector_db_search", "arguments": json!({"query": query}).to_string()});
    let call = json!({"id": format!("call_{digest:016x}"), "type": "function", "function": function});
    json!({"role": "assistant", "content": null, "tool_calls": [call]})
}

/// An answer that rests on the first passage.
fn answer(passages: &[(&str, &str)], digest: u64) -> Value {
    let confidences = ["low", "medium", "high"];
    let refs: Vec<&str> = passages.first().iter().map(|(label, _)| *label).collect();
    json!({
        "evidence_refs": refs,
        "assistant_message": format!("It is as in {digest:016x}."),
        "confidence": confidences[digest as usize % confidences.len()],
        "known_limits": "",
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
