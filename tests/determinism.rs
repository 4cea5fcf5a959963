//! The same seed and the same replies give the same files, to the byte, whatever the number of workers and however long
//! every single call takes. Would catch: anything in a file that depends on a call's latency, on a thread's turn or
//! on the order of a map.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint, Reply};
use crate::support::{Files, Project, asking, builtin, expect_same, paraphrased, remote};
use xxhash_rust::xxh3::xxh3_64;

/// Waves that overlap, and more of them than may be under way.
const RUN: &str = "  batch_size: 8\n  lookahead: 2\n  total_samples: 26\n  target_languages: [en, de]\n  \
    turns: {mode: range, min: 1, max: 3}";

/// Different questions the endpoint knows.
const QUESTIONS: u64 = 320;

/// What two runs into one folder came to.
pub struct Made {
    files: Files,
    pub duplicates: u64,
    dropped: u64,
    pub rollbacks: u64,
}

fn made(config: &str, workers: &str) -> Made {
    let project = Project::with(config);
    let mut made = Made { files: Files::new(), duplicates: 0, dropped: 0, rollbacks: 0 };
    for id in ["run.run_id=one", "run.run_id=two"] {
        let mut command = project.command(&["run", "config.yaml", "--workers", workers, "--set", id]);
        let output = command.env("SOURCE_DATE_EPOCH", "1735689600").output().expect("the binary runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let count = |after: &str| -> u64 {
            let rest = told.split_once(after).expect("a count").1.trim_start();
            rest.split([' ', ',']).next().and_then(|count| count.parse().ok()).expect("a number")
        };
        made.duplicates += count("  duplicates");
        made.dropped += count(" accepted,");
        made.rollbacks += count("  roll-backs");
    }
    made.files = project.outputs();
    made
}

/// Makes the files with one worker, then again with several numbers of them, and compares. Returns the first ones, with
/// the roll-backs of all.
pub fn expect_same_files(config: &str) -> Made {
    let mut first = made(config, "1");
    assert!(first.files.len() > 60 && first.files.keys().any(|name| name.ends_with(".parquet")));
    for (time, workers) in ["1", "2", "4", "4"].into_iter().enumerate() {
        let again = made(config, workers);
        expect_same(&first.files, &again.files, &format!("time {}, {workers} workers", time + 2));
        assert_eq!((first.duplicates, first.dropped), (again.duplicates, again.dropped), "{workers} workers");
        first.rollbacks += again.rollbacks;
    }
    first
}

#[test]
fn the_built_in_model_makes_the_same_files_every_time() {
    expect_same_files(&builtin(RUN, ""));
}

/// Shares of every mode and register, and a length.
const SHARES: &str = "coverage: {modes: {unanswerable: 0.1, underspecified: 0.1, sharded: 0.2, nonstandalone: 0.2, \
    correction: 0.1, challenge: 0.1}, registers: {terse: 0.2, chatty: 0.2, typos: 0.2, formal: 0.2}, words: {mean: 14}}";

#[test]
fn shares_of_modes_make_the_same_files_every_time() {
    expect_same_files(&builtin(RUN, SHARES));
    let endpoint = Endpoint::start(Behaviour::new(unsteady));
    expect_same_files(&remote(&endpoint.base_url(), RUN, SHARES));
}

/// A reply is a function of its request; how long it takes is not.
fn unsteady(request: &serde_json::Value, number: u64) -> Reply {
    let digest = xxh3_64(request.to_string().as_bytes());
    if digest.is_multiple_of(150) {
        return Reply::error(400, "not this one");
    }
    let reply = asking(reply(request, Latency::NONE), || Some(format!("What of {}?", digest % QUESTIONS)));
    Reply { delay: Latency { median_ms: 2.0, sigma: 1.5, seed: number }.of(digest), ..reply }
}

/// The same in other words.
fn paraphrasing(request: &serde_json::Value, number: u64) -> Reply {
    let digest = xxh3_64(request.to_string().as_bytes());
    let reply = unsteady(request, number);
    match reply.status {
        200 => asking(reply, || Some(paraphrased(digest % (4 * QUESTIONS)))),
        _ => reply,
    }
}

#[test]
fn near_duplicates_are_the_same_in_any_order() {
    let endpoint = Endpoint::start(Behaviour::new(paraphrasing));
    let held_out = tempfile::NamedTempFile::new().expect("a file");
    let tests = (0..4 * QUESTIONS).step_by(20).map(|number| paraphrased(number) + "\n");
    std::fs::write(held_out.path(), tests.collect::<String>()).expect("a file");
    let more = format!(
        "coverage: {{question_dedup_retries: 2, near_duplicates: {{method: minhash}}, decontaminate: [{}]}}",
        held_out.path().display()
    );
    let made = expect_same_files(&remote(&endpoint.base_url(), RUN, &more));
    let dropped = |reason: &str| String::from_utf8_lossy(&made.files["dropped.jsonl"]).matches(reason).count();
    let [near, held_out] = ["near_duplicate_exhausted", "contaminated"].map(dropped);
    let told = format!("{} rejected, {near} and {held_out} dropped, {} roll-backs", made.duplicates, made.rollbacks);
    println!("{told}");
    assert!(made.duplicates > 40 && near > 2 && held_out > 0 && made.rollbacks > 0, "{told}");
}

#[test]
fn replies_in_any_order_make_the_same_files() {
    let endpoint = Endpoint::start(Behaviour::new(unsteady));
    let Made { duplicates, dropped, rollbacks, .. } =
        expect_same_files(&remote(&endpoint.base_url(), RUN, "coverage: {question_dedup_retries: 3}"));
    let told = format!("{duplicates} questions rejected, {dropped} conversations dropped, {rollbacks} roll-backs");
    println!("{told}");
    assert!(duplicates > 20 && dropped > 4 && rollbacks > 0, "{told}");
}
