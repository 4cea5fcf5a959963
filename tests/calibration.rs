//! `dlgforge judge --calibrate`: the judge of a pass scores spoiled answers too. Would catch: other spoiled answers than those of a
//! run, or at other places of the journal; replies that are paid for twice; files that change although the judge is refused.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint};
use crate::support::{Project, Ran, builtin, edited, expect_same, remote};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::{Duration, Instant};

const RUN: &str = "  run_id: r\n  batch_size: 4\n  total_samples: 6\n  target_languages: [en, fr]\n  \
    turns: {mode: exact, exact: 2}";
/// A gate that rejects nothing: runs look at its judge by two conversations of each language.
const GATE: &str = "calibrate: 2, accept: {reject_reasons: [unsafe], on_fail: drop}}";

/// The configuration of a run that looks at its judge itself, or is judged later.
fn gated(config: &str, mode: &str) -> String {
    assert!(config.contains("judge: {mode: online}"));
    config.replace("judge: {mode: online}", &format!("judge: {{mode: {mode}, {GATE}"))
}

fn made(config: &str) -> Project {
    let project = Project::with(config);
    Ran::of(project.stamped(&[])).succeeded();
    project
}

fn judged(project: &Project, arguments: &[&str]) -> Ran {
    let mut command = project.command(&[&["judge", "config.yaml"], arguments].concat());
    Ran::from(command.env("SOURCE_DATE_EPOCH", "1735689600").output().expect("the binary runs"))
}

/// What a command printed, on one line.
fn said(ran: &Ran) -> String {
    ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The spoiled answers in the first turn of a conversation: what is wrong with each, and its score.
fn spoiled(project: &Project, conversation: &str) -> Vec<(String, u64)> {
    let document: Value = serde_json::from_str(&project.read(&format!("outputs/conversations/{conversation}.json")))
        .expect("a document is JSON");
    let turns = document["state"]["turns"].as_array().expect("turns");
    assert!(turns.iter().skip(1).all(|turn| turn["judgement"]["calibration"].is_null()), "the first turn alone");
    let scores = turns[0]["judgement"]["calibration"].as_array().map_or(&[][..], Vec::as_slice);
    let one = |score: &Value| (score["spoil"].as_str().expect("a fault").to_owned(), score["score"].as_u64());
    scores.iter().map(one).map(|(spoil, score)| (spoil, score.expect("a score"))).collect()
}

/// Of all conversations of the run, those with spoiled answers.
fn calibrated(project: &Project) -> Vec<String> {
    let mut names = project.names("outputs/conversations");
    names.retain(|name| name.ends_with(".json"));
    let ids = names.iter().filter_map(|name| name.strip_suffix(".json").map(str::to_owned));
    ids.filter(|id| !spoiled(project, id).is_empty()).collect()
}

/// An endpoint whose judge gives these scores, by the request; none stands for a reply that is no verdict.
fn scoring(score: impl Fn(&str) -> Option<u64> + Send + Sync + 'static) -> Endpoint {
    Endpoint::start(Behaviour::new(move |request, _| {
        let score = score(&request.to_string());
        edited(reply(request, Latency::NONE), |message| {
            let said: Option<Value> = message["content"].as_str().and_then(|text| serde_json::from_str(text).ok());
            let Some(mut said) = said.filter(|said| said.get("question_ok").is_some()) else { return };
            let Some(score) = score else {
                message["content"] = json!("I would rather not.");
                return;
            };
            said["score"] = score.into();
            said["reasons"] = if score < 6 { json!(["vague"]) } else { json!([]) };
            said["answer_ok"] = true.into();
            message["content"] = said.to_string().into();
        })
    }))
}

#[test]
fn a_pass_shows_the_judge_the_spoiled_answers_that_a_run_shows_it() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    for config in [builtin(RUN, ""), remote(&endpoint.base_url(), RUN, "")] {
        let online = made(&gated(&config, "online"));
        assert_eq!(calibrated(&online), ["r-en-0000", "r-en-0001", "r-fr-0000", "r-fr-0001"]);
        let explained = online.run(&["explain", "r-en-0000"]).succeeded();
        assert!(!explained.stdout.contains("for the verdict"), "{}", explained.stdout);
        for workers in ["1", "3"] {
            let later = made(&gated(&config, "offline"));
            let ran = judged(&later, &["--calibrate", "2", "--workers", workers]).succeeded();
            assert!(
                said(&ran).contains("judge's check AUC") && said(&ran).contains(" over 4 answers and"),
                "{}",
                ran.stdout
            );
            expect_same(&online.outputs(), &later.outputs(), workers);
            let log = later.read("logs/judge.log");
            assert!(log.contains("[judge] pass=judge/1 AUC"), "{log}");
            let explained = said(&later.run(&["explain", "r-en-0000"]).succeeded());
            assert!(explained.contains("pass judge/1 spoiled (a refusal): "), "{explained}");
            // The summary of the run tells what is stored.
            Ran::of(later.stamped(&["--resume"])).succeeded();
        }
    }
}

#[test]
fn what_a_run_or_a_pass_was_replied_is_not_asked_again() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let asked = |project: &Project, arguments: &[&str]| {
        let before = endpoint.requests();
        let ran = judged(project, arguments).succeeded();
        (endpoint.requests() - before, ran)
    };
    let config = remote(&endpoint.base_url(), RUN, "");
    let online = made(&gated(&config, "online"));
    let before = online.outputs();
    let (requests, ran) = asked(&online, &["--calibrate", "2"]);
    assert_eq!(requests, 0, "{}", ran.stdout);
    assert!(said(&ran).contains("12 of 12 judged") && said(&ran).contains("0 answered,"), "{}", ran.stdout);
    expect_same(&before, &online.outputs(), "the same verdicts");
    let (requests, _) = asked(&online, &["--calibrate", "3"]);
    let more: usize = ["r-en-0002", "r-fr-0002"].iter().map(|id| spoiled(&online, id).len()).sum();
    assert_eq!((requests, more), (more as u64, more), "one conversation more of each language");
    assert!(more >= 8, "{more} spoiled answers of two conversations");

    let (requests, ran) = asked(&online, &["--set", "judge.accept.min_score=7"]);
    assert!(requests == 0 && ran.stdout.contains("pass judge/3 complete"), "{}", ran.stdout);
    for turn in online.rows("outputs/turns.jsonl") {
        assert_eq!(turn["judge_accepted"], turn["judge_score"].as_u64() >= Some(7), "measured anew");
    }

    // A pass that calibrates goes on from one that does not; the other way round there is nothing to do.
    let later = made(&gated(&config, "offline"));
    assert_eq!(asked(&later, &[]).0, 24);
    assert_eq!(calibrated(&later), [""; 0]);
    let (requests, _) = asked(&later, &["--calibrate", "2"]);
    let spoils: usize = calibrated(&later).iter().map(|id| spoiled(&later, id).len()).sum();
    assert_eq!((requests, calibrated(&later).len()), (spoils as u64, 4));
    expect_same(&before, &later.outputs(), "in two passes");
    let (requests, ran) = asked(&later, &[]);
    assert!(requests == 0 && ran.stdout.contains("pass judge/2 has judged these conversations so"), "{}", ran.stdout);
}

#[test]
fn the_first_ones_that_are_judged_count() {
    let config = gated(&builtin(RUN, ""), "offline");
    let project = made(&config);
    let ran = judged(&project, &["--sample", "6", "--calibrate", "1"]).succeeded();
    assert!(said(&ran).contains(" over 2 answers and"), "{}", ran.stdout);
    let rows = project.rows("outputs/conversations_sharegpt_judged.jsonl");
    let sampled: Vec<_> = rows.iter().map(|row| row["metadata"]["conversation_id"].as_str().expect("an id")).collect();
    let first = |language: &str| *sampled.iter().find(|id| id.contains(language)).expect("one of each language");
    assert_eq!(calibrated(&project), [first("-en-"), first("-fr-")]);

    // Of another run, those of the one before have their verdicts.
    judged(&project, &[]).succeeded();
    assert_eq!(calibrated(&project), [""; 0], "what was scored goes with the verdicts");
    Ran::of(project.stamped(&["--set", "run.run_id=s", "--set", "run.seed=6"])).succeeded();
    let ran = judged(&project, &["--only-unjudged", "--calibrate", "2"]).succeeded();
    assert!(said(&ran).contains(" over 4 answers and"), "{}", ran.stdout);
    assert_eq!(calibrated(&project), ["s-en-0000", "s-en-0001", "s-fr-0000", "s-fr-0001"]);
}

#[test]
fn what_is_no_verdict_is_left_out() {
    // It has no verdict on the first turn of French conversations, and none on refusals.
    let endpoint = scoring(|asked| {
        let is_first = asked.contains("Turn 1 - User") && !asked.contains("Turn 2 - User");
        let is_none = asked.contains("help with that request") || (is_first && asked.contains("Language: French"));
        (!is_none).then_some(if asked.contains("It is as in ") { 8 } else { 3 })
    });
    let project = made(&gated(&remote(&endpoint.base_url(), RUN, ""), "offline"));
    let ran = judged(&project, &["--calibrate", "2"]).succeeded();
    assert_eq!(calibrated(&project), ["r-en-0000", "r-en-0001"]);
    for id in calibrated(&project) {
        let spoils = spoiled(&project, &id);
        assert!(spoils.iter().all(|(spoil, _)| spoil != "refusal") && spoils.len() >= 3, "{spoils:?}");
    }
    assert!(said(&ran).contains("over 2 answers and") && said(&ran).contains("6 turns not judged"), "{}", ran.stdout);
    // What is left are first turns that the judge makes no verdict of: no answer is spoiled.
    let ran = judged(&project, &["--only-unjudged", "--calibrate", "2"]).succeeded();
    assert!(said(&ran).contains("judge's check no first turn has a verdict"), "{}", ran.stdout);
    assert_eq!(calibrated(&project), ["r-en-0000", "r-en-0001"], "they stay with verdicts that stay");
}

#[test]
fn a_judge_that_tells_nothing_is_warned_of_or_refused() {
    let endpoint = scoring(|_| Some(7));
    let project = made(&gated(&remote(&endpoint.base_url(), RUN, ""), "offline"));
    let before = project.outputs();
    let refuse = ["--calibrate", "6", "--set", "judge.on_low_auc=refuse"];
    for _ in 0..2 {
        let ran = judged(&project, &refuse);
        ran.failed_as("judge", &["AUC 0.50 over 12 answers and", "(judge.on_low_auc: refuse); no file has changed"]);
        expect_same(&before, &project.outputs(), "refused");
    }
    let asked = endpoint.requests();
    let ran = judged(&project, &["--calibrate", "6"]).succeeded();
    let told = said(&ran);
    assert!(told.contains("pass judge/1 complete") && told.contains("judge's check AUC 0.50"), "{}", ran.stdout);
    assert!(told.contains("WARNING the judge does not tell good answers from spoiled ones"), "{}", ran.stdout);
    assert!(project.read("logs/judge.log").contains("does not tell good answers from spoiled ones"));
    assert_eq!(endpoint.requests(), asked, "all of it is in the journal");

    // One that is as good as it must be goes on, and where it is refused the rest is not asked for.
    let other = made(&gated(&remote(&endpoint.base_url(), RUN, ""), "offline"));
    let asked = endpoint.requests();
    judged(&other, &["--calibrate", "1", "--set", "judge.on_low_auc=refuse", "--set", "run.concurrency=1"])
        .failed_as("judge", &["AUC 0.50 over 2 answers"]);
    assert!(endpoint.requests() - asked <= 2 * (2 + 5) + 2, "{} requests", endpoint.requests() - asked);
    let least = ["--calibrate", "1", "--set", "judge.on_low_auc=refuse", "--set", "judge.min_auc=0.5"];
    assert!(!judged(&other, &least).succeeded().stdout.contains("WARNING"));
}

#[test]
fn a_pass_that_was_killed_while_it_calibrated_goes_on() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency { median_ms: 5.0, sigma: 0.3, seed: 1 }));
    let config = remote(&endpoint.base_url(), RUN, "");
    let whole = made(&gated(&config, "online"));
    let project = made(&gated(&config, "offline"));
    let (before, asked) = (project.outputs(), endpoint.requests());
    for killed in [4, 19, 33] {
        let mut command = project.command(&["judge", "config.yaml", "--calibrate", "2"]);
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
    let ran = judged(&project, &["--calibrate", "2"]).succeeded();
    assert!(ran.stdout.contains("pass judge/1 complete"), "{}", ran.stdout);
    let spoils: usize = calibrated(&project).iter().map(|id| spoiled(&project, id).len()).sum();
    // What was in the air at a kill is asked for once more.
    let excess = endpoint.requests() - asked - 24 - spoils as u64;
    assert!(excess <= 3 * 4, "{excess} more than the verdicts");
    expect_same(&whole.outputs(), &project.outputs(), "judged in the end");
}

#[test]
fn only_verdicts_on_turns_are_calibrated_by_one_conversation_or_more() {
    let project = made(&gated(&builtin(RUN, ""), "offline"));
    judged(&project, &["--calibrate", "2", "--set", "judge.granularity=conversation"])
        .failed_as("judge", &["`judge.granularity` is `conversation`: set it to `turn`"]);
    for wrong in ["0", "-1", "some", "5000000000"] {
        let ran = judged(&project, &[&format!("--calibrate={wrong}")]);
        assert!(ran.code == Some(2) && ran.stderr.contains("--calibrate <N>"), "{}", ran.stderr);
    }
}
