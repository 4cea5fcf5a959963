//! Several questions in one reply of the user model (`coverage.candidates`): a duplicate takes the next one, without a call.
//! Would catch: a call for a question that was there already, and whatever of it depends on the order in which replies come.

use crate::determinism::expect_same_files;
use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint, Reply};
use crate::support::{Project, asking_each, builtin, remote};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Asks from a pool of so many questions, counting the requests for questions.
fn pool(questions: u64, asked: &Arc<AtomicU64>) -> Behaviour {
    let asked = asked.clone();
    Behaviour::new(move |request, _| {
        let digest = xxh3_64(request.to_string().as_bytes());
        let number = |place: u64| xxh3_64_with_seed(&digest.to_le_bytes(), place) % questions;
        let count = || _ = asked.fetch_add(1, Ordering::SeqCst);
        asking_each(reply(request, Latency::NONE), count, |place| format!("What is rule {}?", number(place)))
    })
}

/// The number before a word of the summary.
fn figure(stdout: &str, after: &str) -> u64 {
    let rest = stdout.split_once(after).expect("a count").1.trim_start();
    rest.split([' ', ',']).next().and_then(|count| count.parse().ok()).expect("a number")
}

#[test]
fn a_duplicate_takes_the_next_question_of_its_reply() {
    let run = "  run_id: r\n  batch_size: 8\n  total_samples: 60\n  turns: {mode: exact, exact: 1}";
    let mut calls = Vec::new();
    for candidates in [1, 4] {
        let asked = Arc::<AtomicU64>::default();
        let endpoint = Endpoint::start(pool(120, &asked));
        let more = format!("coverage: {{candidates: {candidates}, question_dedup_retries: 7}}");
        let project = Project::with(&remote(&endpoint.base_url(), run, &more));
        let ran = project.run(&["run", "config.yaml"]).succeeded();
        let duplicates = figure(&ran.stdout, "  duplicates");
        let rows = project.rows("outputs/turns.jsonl");
        let messages: BTreeSet<&str> = rows.iter().filter_map(|row| row["user_message"].as_str()).collect();
        assert_eq!((rows.len(), messages.len()), (60, 60), "no question twice");
        let asked = asked.load(Ordering::SeqCst);
        println!("{candidates} candidates: {asked} calls for {} questions", 60 + duplicates);
        assert!(duplicates > 10);
        match candidates {
            1 => assert!(asked >= 60 + duplicates, "{asked} calls, {duplicates} duplicates"),
            _ => assert!(asked < 60 + duplicates / 2, "{asked} calls, {duplicates} duplicates"),
        }
        calls.push(asked);
    }
    assert!(calls[1] < calls[0], "{calls:?}");
}

/// Replies come in any order, some are refused, some have nothing that can be asked, and most questions are duplicates.
#[test]
fn candidates_make_the_same_files_whatever_comes_first() {
    const RUN: &str = "  batch_size: 8\n  lookahead: 2\n  total_samples: 26\n  target_languages: [en, de]\n  \
        turns: {mode: range, min: 1, max: 3}";
    let endpoint = Endpoint::start(Behaviour::new(|request, number| {
        let digest = xxh3_64(request.to_string().as_bytes());
        if digest.is_multiple_of(150) {
            return Reply::error(400, "not this one");
        }
        let question = |place: u64| match xxh3_64_with_seed(&digest.to_le_bytes(), place) {
            unusable if digest.is_multiple_of(20) || unusable.is_multiple_of(9) => "string".to_owned(),
            drawn => format!("What of {}?", drawn % 320),
        };
        let reply = asking_each(reply(request, Latency::NONE), || (), question);
        Reply { delay: Latency { median_ms: 2.0, sigma: 1.5, seed: number }.of(digest), ..reply }
    }));
    let more = "coverage: {candidates: 4, question_dedup_retries: 5}";
    let made = expect_same_files(&remote(&endpoint.base_url(), RUN, more));
    assert!(
        made.duplicates > 20 && made.rollbacks > 0,
        "{} duplicates, {} roll-backs",
        made.duplicates,
        made.rollbacks
    );
}

#[test]
fn the_built_in_model_makes_candidates_and_the_same_files() {
    let run = "  batch_size: 8\n  lookahead: 2\n  total_samples: 26\n  target_languages: [en, de]\n  turns: {mode: range, min: 1, max: 3}";
    expect_same_files(&builtin(run, "coverage: {candidates: 3}"));
}
