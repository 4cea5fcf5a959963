//! Shards of a run are made apart, and merged into what one run would be: nothing is asked twice, nothing is missing. Would catch:
//! two shards that make the same conversation, a question that stays although another shard asked it first, a merge that
//! depends on when it is made or on how often it was killed.

use crate::durability::Counting;
use crate::support::vllm::until;
use crate::support::{Files, Project, Ran, expect_same, files, signal, vector};
use dlgforge::domain::{Compared, Cosine, Measure, MinHash, Vector};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

const SHARDS: usize = 8;

fn stamped(project: &Project, arguments: &[&str]) -> Command {
    let mut command = project.command(arguments);
    command.env("SOURCE_DATE_EPOCH", "1735689600").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The command that makes a shard.
fn make(project: &Project, shard: &str) -> Command {
    stamped(project, &["run", "config.yaml", "--shard", shard])
}

/// The command that merges all shards into a folder.
fn merge(project: &Project, into: &str) -> Command {
    stamped(project, &["merge", "--into", into])
}

fn folder(shard: usize) -> String {
    format!("outputs/shards/{shard}-of-{SHARDS}")
}

fn by_id(rows: Vec<Value>) -> BTreeMap<String, Vec<Value>> {
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for row in rows {
        found.entry(row["conversation_id"].as_str().expect("an id").to_owned()).or_default().push(row);
    }
    found
}

#[test]
fn shards_that_are_made_apart_become_one_run_in_which_nothing_is_asked_twice() {
    made_apart(&Counting::start());
}

#[test]
fn shards_that_are_made_apart_become_one_run_in_which_nothing_is_asked_twice_in_other_words() {
    for method in ["minhash", "embedding"] {
        made_apart(&Counting::paraphrasing(method));
    }
}

fn made_apart(counting: &Counting) {
    let project = counting.project();
    for shard in 0..SHARDS {
        let name = format!("{shard}/{SHARDS}");
        if shard == 3 {
            let mut child = make(&project, &name).spawn().expect("the binary runs");
            until("it has begun", || project.path(&format!("{}/run_state/r.json", folder(shard))).exists());
            child.kill().expect("a kill");
            child.wait().expect("it ends");
            let early = Ran::of(merge(&project, "outputs"));
            assert!(
                early.code == Some(1) && early.stderr.contains("run `dlgforge run --shard 3/8` again"),
                "{}",
                early.stderr
            );
        }
        Ran::of(make(&project, &name)).succeeded();
        let again = Ran::of(make(&project, &name)).succeeded();
        assert!(again.stdout.contains("run r is complete: nothing to do"), "{}", again.stdout);
    }
    let again = counting.look().values().filter(|times| **times > 1).count();
    assert!(again <= 8, "{again} requests were sent again: more than were in the air when a shard was killed");

    let merged = Ran::of(merge(&project, "outputs")).succeeded();
    let ledger = project.rows("outputs/coverage_ledger.jsonl");
    if let Some(method) = counting.near {
        let measure = match method {
            "minhash" => Measure::MinHash(MinHash::new(0.8)),
            _ => Measure::Cosine(Cosine::new(0.8)),
        };
        let sketch = |row: &Value| {
            let text = row["question"].as_str().expect("text");
            let vector = Some(Vector::of(&vector(text)));
            measure.sketch(&Compared { text: text.into(), vector }).expect("a sketch")
        };
        let sketches: Vec<_> = ledger.iter().map(sketch).collect();
        let near = |at: usize| sketches[..at].iter().find(|other| measure.near(&sketches[at], other).is_some());
        let pairs: Vec<_> = (0..sketches.len()).filter_map(|at| Some((&sketches[at].text, &near(at)?.text))).collect();
        assert_eq!(pairs, [], "a question was asked twice, in other words");
    }
    let hashes: BTreeSet<_> = ledger.iter().map(|row| row["question_hash"].to_string()).collect();
    assert_eq!(hashes.len(), ledger.len(), "a question was asked twice");
    let drops = project.drops();
    assert!(drops["asked_elsewhere"] > 3, "{drops:?}");
    assert!(merged.stdout.contains("80 of 80 accepted"), "{}", merged.stdout);

    // What was kept is as its shard made it; only the total of the run is another one, and what is missing was made anew.
    let index = project.rows("outputs/conversations_index.jsonl");
    let ids: Vec<_> = index.iter().map(|row| row["conversation_id"].as_str().expect("an id").to_owned()).collect();
    let number =
        |id: &String| (id.contains("-de-"), id.rsplit('-').next().and_then(|number| number.parse::<u32>().ok()));
    assert!(ids.is_sorted_by_key(number), "{ids:?}");
    let of_shards = (0..SHARDS).flat_map(|shard| project.rows(&format!("{}/turns.jsonl", folder(shard)))).collect();
    let (of_shards, of_rest) = (by_id(of_shards), by_id(project.rows("outputs/shards/rest/turns.jsonl")));
    let mut made_anew = 0;
    for (id, turns) in by_id(project.rows("outputs/turns.jsonl")) {
        let before = of_shards.get(&id).or_else(|| of_rest.get(&id)).expect("a conversation of a part");
        made_anew += usize::from(of_rest.contains_key(&id));
        for (turn, before) in turns.iter().zip(before) {
            for field in ["user_message", "assistant_message", "timestamp", "source_path", "chunk_id"] {
                assert_eq!(turn[field], before[field], "{id} {field}");
            }
        }
    }
    assert!(made_anew > 3, "{made_anew}");
    let over = Ran::of(merge(&project, "outputs")).succeeded();
    assert!(over.stdout.contains("run r is complete: nothing to do"), "{}", over.stdout);
    let refused = Ran::of(stamped(&project, &["run", "config.yaml", "--resume", "r"]));
    assert!(refused.stderr.contains("run r is what `dlgforge merge` made of shards"), "{}", refused.stderr);

    // The same shards come to the same files, however often the merge is killed.
    let of_merge = || -> Files {
        let all = files(&project.path("outputs"));
        all.into_iter().filter(|(name, _)| !name.starts_with("shards/") && !name.starts_with("store/")).collect()
    };
    let expected = of_merge();
    for entry in fs::read_dir(project.path("outputs")).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_file() {
            fs::remove_file(entry).expect("a file");
        } else if !entry.ends_with("shards") {
            fs::remove_dir_all(entry).expect("a folder");
        }
    }
    fs::remove_dir_all(project.path("outputs/shards/rest")).expect("a folder");
    let shards: Vec<_> = (0..SHARDS).rev().map(folder).collect();
    let mut kills = 0;
    for pause in (60..).step_by(40).take(60) {
        let mut merging = merge(&project, "outputs");
        let mut child =
            merging.args(&shards).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
        std::thread::sleep(Duration::from_millis(pause));
        if child.try_wait().expect("a child").is_some() {
            break;
        }
        signal(&child, if kills % 3 == 2 { "-TERM" } else { "-KILL" });
        child.wait().expect("it ends");
        kills += 1;
    }
    Ran::of(merge(&project, "outputs")).succeeded();
    assert!(project.path("outputs/shards/rest").exists() && kills > 3, "{kills}");
    expect_same(&expected, &of_merge(), "killed");
}

#[test]
fn what_can_not_be_merged_is_told_all_together() {
    let config = crate::support::builtin("  run_id: r\n  batch_size: 4\n  total_samples: 5", "");
    let project = Project::with(&config);
    Ran::of(stamped(&project, &["merge"])).failed_as("merge", &["outputs/shards", "dlgforge run --shard I/N"]);
    let make = |shard: &str, set: &str| Ran::of(stamped(&project, &["run", "--shard", shard, "--set", set]));
    for shard in ["0/3", "1/3"] {
        make(shard, "run.seed=5").succeeded();
    }
    Ran::of(stamped(&project, &["merge"])).failed_as("merge", &["missing: 2/3"]);
    make("2/3", "tools.retrieval.top_k=3").succeeded();
    let named = ["merge", "outputs/shards/1-of-3", "outputs/shards/1-of-3", "outputs/shards/2-of-3", "knowledge"];
    Ran::of(stamped(&project, &named)).failed_as(
        "merge",
        &["(shard 1/3) are the same", "tools.retrieval.top_k (was 3, is ", "knowledge: it has no runs"],
    );
    assert!(!project.path("outputs/turns.jsonl").exists(), "nothing is written");
    for (set, reason) in [
        ("run.seed=", "`run.seed` is empty, and all shards of a run must have the same"),
        ("saving.files=[turns]", "`saving.files` leaves `conversations` out"),
        ("run.reuse_from=x", "`run.reuse_from` names a run of the output folder"),
    ] {
        make("0/3", set).failed(&[reason]);
    }
    make("3/3", "run.seed=5").failed(&["`3/3` is no shard"]);
    make("auto/3", "run.seed=5").failed(&["JOB_COMPLETION_INDEX"]);
}

#[test]
fn without_gaps_a_merge_asks_no_model_and_a_shard_may_be_empty() {
    // Their run has no name but the one that follows from the settings, also where several processes make a shard.
    let project = Project::with(&crate::support::builtin("  batch_size: 4\n  total_samples: 2", ""));
    for index in 0..3 {
        let together = format!("run.distributed.enabled={}", index == 1);
        let mut command = stamped(&project, &["run", "--shard", "auto", "--set", &together]);
        let array = [("SLURM_ARRAY_TASK_ID", (1 + index).to_string()), ("SLURM_ARRAY_TASK_MIN", "1".into())];
        command.envs(array).env("SLURM_ARRAY_TASK_COUNT", "3");
        Ran::of(command).succeeded();
    }
    let merged = Ran::of(stamped(&project, &["merge", "--set", "llm.agents.user.base_url=http://127.0.0.1:1/v1"]));
    let merged = merged.succeeded();
    assert!(
        merged.stdout.contains("2 of 2 accepted") && !project.path("outputs/shards/rest").exists(),
        "{}",
        merged.stdout
    );
    assert_eq!(project.rows("outputs/conversations_index.jsonl").len(), 2);
}
