//! `dlgforge judge`: conversations that are there are judged, under any settings, whatever stops it.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint, Reply};
use crate::support::{Project, Ran, builtin, edited, expect_same, files, remote, turn};
use serde_json::{Value, json};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const RUN: &str = "  run_id: r\n  batch_size: 4\n  total_samples: 6\n  target_languages: [en, fr]\n  \
    turns: {mode: exact, exact: 2}";

/// The same configuration, judged later.
fn offline(config: &str) -> String {
    assert!(config.contains("mode: online"));
    config.replace("mode: online", "mode: offline")
}

fn judged(project: &Project, arguments: &[&str]) -> Ran {
    let mut command = project.command(&[&["judge", "config.yaml"], arguments].concat());
    Ran::from(command.env("SOURCE_DATE_EPOCH", "1735689600").output().expect("the binary runs"))
}

fn made(config: &str, arguments: &[&str]) -> Project {
    let project = Project::with(config);
    Ran::of(project.stamped(arguments)).succeeded();
    project
}

/// What a command printed, on one line.
fn said(ran: &Ran) -> String {
    ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The scores of all turns.
fn scores(project: &Project) -> Vec<Value> {
    project.rows("outputs/turns.jsonl").iter().map(|row| row["judge_score"].clone()).collect()
}

#[test]
fn a_run_that_is_judged_later_is_the_run_that_was_judged_while_it_was_made() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    for granularity in ["turn", "conversation"] {
        for (more, config) in [
            ("", builtin(RUN, "")),
            ("saving: {raw: true}", builtin(RUN, "saving: {raw: true}")),
            ("remote", remote(&endpoint.base_url(), RUN, "")),
        ] {
            let config = config.replace("mode: online", &format!("mode: online, granularity: {granularity}"));
            let online = made(&config, &[]);
            for workers in ["1", "3"] {
                let later = made(&offline(&config), &[]);
                let unjudged = later.rows("outputs/turns.jsonl");
                assert!(unjudged.iter().all(|row| row["judge_score"].is_null()), "{more}");
                let ran = judged(&later, &["--workers", workers]).succeeded();
                assert!(ran.stdout.contains("12 of 12 judged"), "{}", ran.stdout);
                expect_same(&online.outputs(), &later.outputs(), &format!("{granularity} {more} {workers}"));
            }
        }
    }
}

#[test]
fn a_folder_that_was_judged_goes_on_as_any_other() {
    let config = offline(&builtin(RUN, ""));
    let project = made(&config, &[]);
    judged(&project, &[]).succeeded();
    let ran = Ran::of(project.stamped(&["--resume"])).succeeded();
    assert_eq!(ran.stdout, "run r is complete: nothing to do\n", "every file is as it was recorded");
    let before = project.outputs();
    let again = judged(&project, &[]).succeeded();
    assert!(again.stdout.contains("pass judge/1 has judged these conversations so"), "{}", again.stdout);
    expect_same(&before, &project.outputs(), "nothing to do");
    // Another run is added, and judged with what was there: by another judge, so that all is asked.
    Ran::of(project.stamped(&["--set", "run.run_id=s", "--set", "run.seed=6"])).succeeded();
    let ran = judged(&project, &["--only-unjudged"]).succeeded();
    assert!(ran.stdout.contains("pass judge/2 complete") && ran.stdout.contains("12 of 12 judged"), "{}", ran.stdout);
    let rows = project.rows("outputs/turns.jsonl");
    assert_eq!(rows.len(), 48);
    assert!(rows.iter().all(|row| row["judge_score"].is_u64()));
    assert_eq!(project.rows("outputs/conversations_sharegpt_judged.jsonl").len(), 24);
    for (name, content) in before.iter().filter(|(name, _)| name.starts_with("conversations/r-")) {
        assert!(*content == project.outputs()[name], "{name} had its verdicts");
    }
    let status = project.run(&["status"]).succeeded();
    assert!(status.stdout.contains("pass judge/2: completed"), "{}", status.stdout);
    let none = judged(&project, &["--only-unjudged"]).succeeded();
    assert!(none.stdout.contains("every conversation has its verdicts"), "{}", none.stdout);
}

#[test]
fn a_sample_is_judged_and_the_rest_stays_as_it_is() {
    let project = made(&offline(&builtin(RUN, "")), &[]);
    let before = project.outputs();
    let ran = judged(&project, &["--sample", "4"]).succeeded();
    assert!(ran.stdout.contains("4 of 4 judged"), "{}", ran.stdout);
    let rows = project.rows("outputs/conversations_sharegpt_judged.jsonl");
    let judged: Vec<_> = rows.iter().map(|row| row["metadata"]["conversation_id"].as_str().expect("an id")).collect();
    for language in ["en", "fr"] {
        assert_eq!(judged.iter().filter(|id| id.contains(language)).count(), 2, "{judged:?}");
    }
    let after = project.outputs();
    for (name, content) in &before {
        let is_of = |id: &&str| name.contains(id);
        if name.starts_with("conversations/") && !judged.iter().any(is_of) {
            assert!(*content == after[name], "{name}");
        }
    }
    assert_eq!(scores(&project).iter().filter(|score| score.is_u64()).count(), 8);
    let again = self::judged(&project, &["--sample", "4"]).succeeded();
    assert!(again.stdout.contains("nothing to do"), "{}", again.stdout);
    let others = self::judged(&project, &["--sample", "4", "--set", "run.seed=6"]).succeeded();
    assert!(others.stdout.contains("pass judge/2 complete"), "another seed draws others: {}", others.stdout);
    Ran::of(project.stamped(&["--resume"])).succeeded();
}

#[test]
fn a_pass_that_was_killed_goes_on_and_pays_nothing_twice() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency { median_ms: 5.0, sigma: 0.3, seed: 1 }));
    let config = remote(&endpoint.base_url(), RUN, "");
    let whole = made(&config, &[]);
    let project = made(&offline(&config), &[]);
    let (before, asked) = (project.outputs(), endpoint.requests());
    for killed in [3, 11, 18] {
        let mut command = project.command(&["judge", "config.yaml"]);
        command.env("SOURCE_DATE_EPOCH", "1735689600").stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary runs");
        let started = Instant::now();
        while endpoint.requests() - asked < killed {
            assert!(started.elapsed() < Duration::from_secs(60), "the pass asks");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().expect("a kill");
        child.wait().expect("it ends");
        let mut now = project.outputs();
        now.retain(|name, _| !name.starts_with(".rewrite.tmp"));
        expect_same(&before, &now, "no file has changed");
    }
    let ran = judged(&project, &[]).succeeded();
    assert!(ran.stdout.contains("pass judge/1 complete"), "{}", ran.stdout);
    // What was in the air at a kill is asked for once more.
    let excess = endpoint.requests() - asked - 24;
    assert!(excess <= 3 * 4, "{excess} more than the verdicts");
    expect_same(&whole.outputs(), &project.outputs(), "judged in the end");
    Ran::of(project.stamped(&["--resume"])).succeeded();
}

#[test]
fn what_the_judge_makes_no_verdict_of_is_left_out_and_asked_for_again() {
    let sane = Arc::new(AtomicBool::new(false));
    let is_sane = sane.clone();
    let behaviour = Behaviour::new(move |request, _| {
        let is_verdict = request.to_string().contains("question_ok");
        let fails = is_verdict && !is_sane.load(Ordering::SeqCst) && turn(request) == 2;
        let reply = reply(request, Latency::NONE);
        if fails { edited(reply, |message| message["content"] = json!("I would rather not.")) } else { reply }
    });
    let endpoint = Endpoint::start(behaviour);
    let config = remote(&endpoint.base_url(), RUN, "");
    let project = made(&config.replace("mode: online", "mode: offline, accept: {min_score: 5, on_fail: drop}"), &[]);
    let ran = judged(&project, &[]).succeeded();
    assert!(said(&ran).contains("12 turns not judged"), "{}", ran.stdout);
    for row in project.rows("outputs/conversations_sharegpt_judged.jsonl") {
        let verdicts = row["judge"]["per_turn"].as_array().expect("verdicts");
        assert_eq!((verdicts.len(), &row["judge"]["avg_score"]), (1, &json!(verdicts[0]["score"].as_f64())));
        let accepted = verdicts[0]["score"].as_u64() >= Some(5);
        assert_eq!(row["metadata"]["judge_accepted"], accepted, "labelled, and not dropped");
    }
    sane.store(true, Ordering::SeqCst);
    let (first, asked) = (scores(&project), endpoint.requests());
    let ran = judged(&project, &["--only-unjudged"]).succeeded();
    assert!(said(&ran).contains("12 of 12 judged") && said(&ran).contains(", 0 turns not judged"), "{}", ran.stdout);
    assert_eq!(endpoint.requests() - asked, 12, "what has a verdict is not judged again");
    let second = scores(&project);
    for (before, after) in first.iter().zip(&second) {
        assert!(after.is_u64() && (before.is_null() || before == after));
    }
    assert!(project.read("logs/judge.log").contains("[judge] pass=judge/2 conversations=12 judged=12 failed=0"));
}

#[test]
fn what_the_judge_could_not_be_asked_about_is_judged_by_the_same_command() {
    let open = Arc::new(AtomicBool::new(false));
    let is_open = open.clone();
    let behaviour = Behaviour::new(move |request, _| {
        let is_refused = request["model"] == "strict" && request.to_string().contains("Language: French");
        if is_refused && !is_open.load(Ordering::SeqCst) && turn(request) == 2 {
            return Reply::error(400, "not now");
        }
        reply(request, Latency::NONE)
    });
    let endpoint = Endpoint::start(behaviour);
    let project = made(&remote(&endpoint.base_url(), RUN, "store: {keep_calls: false}"), &[]);
    let (before, first) = (project.outputs(), scores(&project));
    let strict = ["--set", "llm.agents.judge.model=strict"];
    judged(&project, &strict)
        .failed_as("judge", &["6 of 12 conversations are as they were", "the same command judges"]);
    for (name, content) in before.iter().filter(|(name, _)| name.starts_with("conversations/r-fr-")) {
        assert!(*content == project.outputs()[name], "{name} is as it was");
    }
    assert_ne!(scores(&project), first, "the others have the verdicts of another judge");
    open.store(true, Ordering::SeqCst);
    let asked = endpoint.requests();
    let ran = judged(&project, &strict).succeeded();
    assert!(ran.stdout.contains("pass judge/1 complete") && ran.stdout.contains("12 of 12 judged"), "{}", ran.stdout);
    assert_eq!(endpoint.requests() - asked, 6, "the second turns of six");
    assert!(judged(&project, &strict).succeeded().stdout.contains("nothing to do"));
}

#[test]
fn a_pass_that_can_t_ask_changes_nothing_and_one_that_is_stopped_goes_on() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let project = made(&offline(&remote(&endpoint.base_url(), RUN, "")), &[]);
    let before = project.outputs();
    let capped = judged(&project, &["--set", "run.budget.calls=5"]);
    assert_eq!(capped.code, Some(1), "{}{}", capped.stdout, capped.stderr);
    assert!(capped.stderr.contains("no file has changed") && capped.stderr.contains("budget"), "{}", capped.stderr);
    expect_same(&before, &project.outputs(), "stopped by its budget");
    let asked = endpoint.requests();
    judged(&project, &[]).succeeded();
    assert_eq!(endpoint.requests() - asked, 24 - 5, "the five are in the journal");
}

#[test]
fn what_can_t_be_judged_is_told_with_what_to_do() {
    let project = Project::with(&builtin(RUN, ""));
    judged(&project, &[]).failed_as("judge", &["has no runs\n"]);
    project.write("outputs/conversations/other.json", b"{}");
    judged(&project, &[]).failed_as("judge", &["has no runs, but conversations: those that another program"]);
    std::fs::remove_dir_all(project.path("outputs")).expect("a folder");
    Ran::of(project.stamped(&[])).succeeded();
    judged(&project, &["--set", "judge.enabled=false"]).failed_as("judge", &["`judge.enabled` is `false`"]);
    judged(&project, &["--run", "q"]).failed_as("judge", &["find run \"q\": the store has only r"]);
    let renamed = ["--set", "saving.output_columns.judge=verdicts"];
    judged(&project, &renamed).failed_as("judge", &["run r was made otherwise", "saving.output_columns"]);
    let document = files(&project.path("knowledge/en")).into_keys().next().expect("a document");
    let text = project.read(&format!("knowledge/en/{document}"));
    project.write(&format!("knowledge/en/{document}"), format!("{text}\nMore.\n").as_bytes());
    judged(&project, &[])
        .failed_as("judge", &["run r was made otherwise", &format!("knowledge/en/{document} (changed)")]);

    let lean = made(&builtin(RUN, "saving: {files: [turns]}"), &[]);
    judged(&lean, &[]).failed_as("judge", &["run r was made without `conversations` in `saving.files`"]);
}

#[test]
fn labels_are_told_anew_with_the_verdicts() {
    let project = made(&offline(&builtin(RUN, "")), &[]);
    let rows = project.rows("outputs/turns.jsonl");
    let words = rows.iter().filter_map(|row| row["answer_words"].as_u64()).max().expect("answers");
    let accepted = |project: &Project| -> Vec<bool> {
        let rows = project.rows("outputs/turns.jsonl");
        rows.iter().map(|row| row["checks_accepted"] == true).collect()
    };
    assert!(accepted(&project).iter().all(|accepted| *accepted));
    // The longest answer is too long now, and would be dropped in a run.
    let most = format!("checks.max_answer_words={}", words - 1);
    let checks = ["--set", &most, "--set", "checks.reject=[too_long]", "--set", "checks.on_fail=drop"];
    let ran = judged(&project, &checks).succeeded();
    assert!(ran.stdout.contains("12 of 12 judged, 0 failed"), "{}", ran.stdout);
    let after = project.rows("outputs/turns.jsonl");
    assert_eq!(after.len(), rows.len(), "none is dropped");
    for row in &after {
        let is_long = row["answer_words"].as_u64() == Some(words);
        assert_eq!(row["answer_labels"].to_string().contains("too_long"), is_long, "{row}");
        assert_eq!(row["checks_accepted"] == false, is_long, "{row}");
    }
    assert!(!accepted(&project).iter().all(|accepted| *accepted));
    let again = judged(&project, &checks).succeeded();
    assert!(again.stdout.contains("nothing to do"), "{}", again.stdout);
    judged(&project, &[]).succeeded();
    assert!(accepted(&project).iter().all(|accepted| *accepted), "other checks are another pass");
}
