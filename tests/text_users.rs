//! User models whose replies are plain text (`llm.agents.user.reply: text`): they see a chat, and end it.
//! Would catch: a form that is asked for all the same, a conversation that goes on after its end or ends too soon, and whatever
//! of it depends on the order in which replies come.

use crate::determinism::expect_same_files;
use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint, Reply};
use crate::support::{Project, builtin, edited, remote, turn};
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use xxhash_rust::xxh3::xxh3_64;

const RUN: &str = "  run_id: r\n  batch_size: 8\n  lookahead: 2\n  total_samples: 26\n  target_languages: [en, de]\n  \
    turns: {mode: range, min: 2, max: 4}";

/// A request for the user's next message.
fn is_user(request: &Value) -> bool {
    request["messages"][0]["content"].as_str().is_some_and(|text| text.starts_with("You are a user who chats"))
}

/// A user that often asks what others ask and ends half of the conversations a turn once it may. What it says too soon, or
/// not at all, it says again.
fn user(request: &Value, digest: u64) -> Reply {
    let reply = reply(request, Latency::NONE);
    let say = |text: &str| edited(reply.clone(), |message| message["content"] = text.into());
    match digest % 40 {
        0 => say("<|endconversation|>"),
        1 => say(" "),
        2..20 if turn(request) > 2 => say("thanks, that is all. <|endconversation|>"),
        20..34 => say(&format!("What of {}?", digest % 200)),
        _ => reply,
    }
}

fn text(config: &str) -> String {
    let agent = config.lines().find(|line| line.trim_start().starts_with("user: {")).expect("the user model");
    config.replacen(agent, &agent.replacen('{', "{reply: text, ", 1), 1)
}

#[test]
fn a_model_trained_to_be_the_user_asks_and_ends_conversations() {
    let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
    let requests = seen.clone();
    let endpoint = Endpoint::start(Behaviour::new(move |request, _| {
        if !is_user(request) {
            return reply(request, Latency::NONE);
        }
        requests.lock().expect("no test panics here").push(request.clone());
        user(request, xxh3_64(request.to_string().as_bytes()))
    }));
    let project = Project::with(&text(&remote(&endpoint.base_url(), RUN, "coverage: {question_dedup_retries: 3}")));
    project.generate(&[]);
    for request in seen.lock().expect("no test panics here").iter() {
        assert!(request.get("response_format").is_none(), "{request}");
        let roles: Vec<&str> =
            request["messages"].as_array().expect("messages").iter().filter_map(|one| one["role"].as_str()).collect();
        let expected = ["system"].into_iter().chain(["user", "assistant"].into_iter().cycle()).take(roles.len());
        assert!(expected.eq(roles.iter().copied()) && roles.last() != Some(&"user"), "{roles:?}");
    }
    let rows = project.rows("outputs/turns.jsonl");
    for row in &rows {
        assert_eq!((&row["intent"], &row["difficulty"]), (&"unknown".into(), &"unknown".into()));
        let message = row["user_message"].as_str().expect("a message");
        assert!(
            !message.contains("endconversation") && !row["coverage_target"].as_str().unwrap_or_default().is_empty()
        );
    }
    let state: Value = serde_json::from_str(&project.read("outputs/run_state/r.json")).expect("JSON");
    let slots = state["conversations"].as_array().expect("slots");
    let completed = || slots.iter().filter(|slot| slot["status"] == "completed");
    assert_eq!(completed().count(), 52);
    let mut short = 0;
    for slot in completed() {
        let [turns, target] = ["n_turns", "target_n_turns"].map(|key| slot[key].as_u64().expect("a number"));
        assert!((2..=target).contains(&turns), "{slot}");
        short += u64::from(turns < target);
    }
    assert!(short > 5, "{short} ended by their users");
    // Two replies running that end it too soon, or say nothing, cost a conversation.
    assert!(project.drops().contains_key("unusable_reply"), "{:?}", project.drops());
}

#[test]
fn ended_conversations_make_the_same_files_whatever_comes_first() {
    let number = AtomicU64::new(0);
    let endpoint = Endpoint::start(Behaviour::new(move |request, _| {
        let digest = xxh3_64(request.to_string().as_bytes());
        let reply = if is_user(request) { user(request, digest) } else { reply(request, Latency::NONE) };
        let seed = number.fetch_add(1, Ordering::SeqCst);
        Reply { delay: Latency { median_ms: 2.0, sigma: 1.5, seed }.of(digest), ..reply }
    }));
    let run = RUN.replacen("  run_id: r\n", "", 1);
    expect_same_files(&text(&remote(&endpoint.base_url(), &run, "coverage: {question_dedup_retries: 3}")));
}

#[test]
fn the_built_in_model_writes_plain_text_too() {
    let run = "  run_id: r\n  batch_size: 4\n  total_samples: 6\n  turns: {mode: exact, exact: 2}";
    let project = Project::with(&text(&builtin(run, "")));
    project.generate(&[]);
    let rows = project.rows("outputs/turns.jsonl");
    assert!(rows.len() == 12 && rows.iter().all(|row| row["intent"] == "unknown"));
    assert!(rows.iter().all(|row| !row["user_message"].as_str().expect("a message").contains('{')));
}
