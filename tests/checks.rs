//! What is found in turns without a model, and whether the judge can be relied on. Would catch: a label that decides nothing, a
//! verdict that is paid for although a check has decided, a judge that tells nothing and drops conversations all the same.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint, Reply};
use crate::support::{Project, answering, builtin, edited, remote};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use xxhash_rust::xxh3::xxh3_64;

const RUN: &str = "  run_id: r\n  batch_size: 8\n  total_samples: 24\n  turns: {mode: exact, exact: 2}";
const ADDRESS: &str = "office@example.org";

/// A third of the answers hold an address of e-mail, but for those that are written again.
fn telling(request: &Value) -> Reply {
    let text = request.to_string();
    let tells = xxh3_64(text.as_bytes()).is_multiple_of(3) && !text.contains("and is not good enough:");
    let reply = reply(request, Latency::NONE);
    if tells { answering(reply, &format!("Write to {ADDRESS}.")) } else { reply }
}

fn has_address(turn: &Value) -> bool {
    turn["assistant_message"].as_str().is_some_and(|said| said.contains(ADDRESS))
}

#[test]
fn labels_keep_drop_or_mend_turns_before_the_judge_sees_them() {
    for (on_fail, judge) in
        [("keep", "online"), ("drop", "online"), ("repair", "online"), ("drop", "offline"), ("repair", "offline")]
    {
        let endpoint = Endpoint::start(Behaviour::new(|request, _| telling(request)));
        let checks = format!("checks: {{reject: [pii], on_fail: {on_fail}}}");
        let config = remote(&endpoint.base_url(), RUN, &checks)
            .replace("judge: {mode: online}", &format!("judge: {{mode: {judge}}}"));
        let project = Project::with(&config);
        let ran = project.generate(&[]);
        assert!(ran.stdout.contains("conversations  24 of 24 accepted"), "{}", ran.stdout);
        let turns = project.rows("outputs/turns.jsonl");
        assert_eq!(turns.len(), 48);
        for turn in &turns {
            let labels = if has_address(turn) { json!(["pii"]) } else { json!([]) };
            assert_eq!(turn["answer_labels"], labels, "{turn}");
            let kinds = if has_address(turn) { json!(["email"]) } else { json!([]) };
            assert_eq!(turn["pii"], kinds, "{turn}");
            assert_eq!(turn["checks_accepted"], !has_address(turn), "{turn}");
            assert_eq!(turn["judge_score"].is_u64(), judge == "online", "{turn}");
        }
        let labelled = turns.iter().filter(|turn| has_address(turn)).count();
        assert_eq!(labelled > 5, on_fail == "keep", "{on_fail}: {labelled}");
        let asked = endpoint.log();
        let texts = asked.iter().map(Value::to_string);
        let shown = texts.filter(|text| text.contains("question_ok") && text.contains(ADDRESS)).count();
        assert_eq!(shown > 0, on_fail == "keep", "what a check rejects costs no verdict");
        let drops = project.drops();
        assert_eq!(drops.contains_key("check_rejected"), on_fail == "drop", "{drops:?}");
        let has_pairs = project.path("outputs/preferences.jsonl").exists();
        assert_eq!(has_pairs, on_fail == "repair");
        if has_pairs {
            let pairs = project.rows("outputs/preferences.jsonl");
            assert!(pairs.len() > 5, "{}", pairs.len());
            for pair in &pairs {
                assert!(
                    pair["rejected"].to_string().contains(ADDRESS) && !pair["chosen"].to_string().contains(ADDRESS),
                    "{pair}"
                );
                assert_eq!((&pair["reasons_rejected"], &pair["score_rejected"]), (&json!(["pii"]), &Value::Null));
            }
            let told = endpoint
                .log()
                .iter()
                .filter(|request| request.to_string().contains("of a telephone, a card or an account: leave them out"))
                .count();
            assert!(told >= pairs.len(), "the assistant is told what is wrong: {told}");
        }
        if on_fail == "drop" {
            let dropped = project.rows("outputs/dropped.jsonl");
            let labelled =
                dropped.iter().filter(|row| row["metadata"]["answer_labels"].to_string().contains("pii")).count();
            assert!(labelled > 0, "the turn stays, with its label");
        }
    }
}

#[test]
fn rows_of_the_built_in_model_have_few_labels() {
    let project =
        Project::with(&builtin("  run_id: r\n  total_samples: 20\n  target_languages: [en, fr, de, es, ar]", ""));
    project.generate(&[]);
    let turns = project.rows("outputs/turns.jsonl");
    let mut labels: BTreeSet<String> = BTreeSet::new();
    let mut labelled = 0;
    for turn in &turns {
        let found = turn["answer_labels"].as_array().expect("labels");
        labels.extend(found.iter().chain(turn["question_labels"].as_array().expect("labels")).map(Value::to_string));
        // A turn that leaves the documents is answered by what they lack.
        let is_answered = turn["abstains"] == false;
        labelled += usize::from(is_answered && !found.is_empty());
        assert!(turn["question_words"].as_u64() > Some(0) && turn["answer_words"].as_u64() > Some(0), "{turn}");
        assert!(!is_answered || turn["evidence_overlap"].as_f64().is_none_or(|share| share > 0.4), "{turn}");
    }
    println!("{labelled} of {} turns with a label; labels: {labels:?}", turns.len());
    assert!(100 * labelled <= 3 * turns.len(), "{labelled} of {}: {labels:?}", turns.len());
}

const GATE: &str = "judge: {mode: online, calibrate: 6, accept: {min_score: 1, on_fail: drop}}";

/// A project whose judge gives these scores, by the message that it is shown.
fn judged(score: fn(&str) -> u8, more: &str) -> (Endpoint, Project) {
    let endpoint = Endpoint::start(Behaviour::new(move |request, _| {
        let text = request.to_string();
        let given = score(&text);
        edited(reply(request, Latency::NONE), |message| {
            let said: Option<Value> = message["content"].as_str().and_then(|text| serde_json::from_str(text).ok());
            let Some(mut said) = said.filter(|said| said.get("question_ok").is_some()) else { return };
            said["score"] = given.into();
            said["reasons"] = if given < 6 { json!(["vague"]) } else { json!([]) };
            said["answer_ok"] = true.into();
            message["content"] = said.to_string().into();
        })
    }));
    let gate = GATE.replace("calibrate: 6", &format!("calibrate: 6{more}"));
    let project = Project::with(&remote(&endpoint.base_url(), RUN, "").replace("judge: {mode: online}", &gate));
    (endpoint, project)
}

#[test]
fn a_judge_that_tells_nothing_is_told_of_or_refused() {
    let (endpoint, project) = judged(|_| 7, "");
    let ran = project.generate(&[]);
    let told: Vec<&str> = ran.stdout.split_whitespace().collect();
    let told = told.join(" ");
    assert!(told.contains("AUC 0.50 over 6 answers and"), "{}", ran.stdout);
    assert!(told.contains("WARNING") && told.contains("at least 0.7 is wanted (judge.min_auc)"), "{}", ran.stdout);
    assert!(project.read("logs/run.log").contains("does not tell good answers from spoiled ones"));
    let spoiled = endpoint
        .log()
        .iter()
        .filter(|request| request.to_string().contains("I'm sorry, but I can't help with that"))
        .count();
    assert_eq!(spoiled, 6, "the first turns of six conversations");

    let (_endpoint, project) = judged(|_| 7, ", on_low_auc: refuse");
    for resume in [&["run", "config.yaml"][..], &["run", "config.yaml", "--resume", "r"]] {
        let ran = project.run(resume);
        assert_ne!(ran.code, Some(0), "{}", ran.stdout);
        assert!(ran.stderr.contains("does not tell good answers from spoiled ones"), "{}", ran.stderr);
    }
}

#[test]
fn a_judge_that_tells_them_goes_on_in_peace() {
    // It gives all that it is told to be good, which the answers of the endpoint are by their words.
    let score = |asked: &str| if asked.contains("It is as in ") && !asked.contains("I'm sorry") { 8 } else { 2 };
    let (_endpoint, project) = judged(score, ", on_low_auc: refuse");
    let ran = project.generate(&[]);
    assert!(ran.stdout.contains("24 of 24 accepted") && !ran.stdout.contains("WARNING"), "{}", ran.stdout);
    let (_endpoint, project) = judged(|_| 7, ", min_auc: 0.5");
    assert!(!project.generate(&[]).stdout.contains("WARNING"), "it is as good as it must be");
    let kept = Project::with(&builtin("  run_id: r\n  total_samples: 2", ""));
    assert!(!kept.generate(&[]).stdout.contains("AUC"), "nothing depends on the judge");
}

#[test]
fn the_built_in_judge_tells_spoiled_answers() {
    let judge = "judge: {mode: online, calibrate: 4, accept: {min_score: 1, on_fail: drop}}";
    let run = "  run_id: r\n  total_samples: 6\n  target_languages: [en, fr, de, es, ar]";
    let made = |workers: &str| {
        let project = Project::with(&builtin(run, "").replace("judge: {mode: online}", judge));
        let ran = project.generate(&["--workers", workers]);
        let document = project.read("outputs/conversations/r-en-0000.json");
        let scores =
            document.split("\"calibration\":").nth(1).and_then(|rest| rest.split(']').next()).map(str::to_owned);
        (scores, ran.stdout)
    };
    let (scores, told) = made("1");
    let kinds = scores.as_ref().map_or(0, |scores| scores.matches("\"spoil\"").count());
    assert!(kinds >= 4, "the scores stay with the turn: {scores:?}");
    assert_eq!(scores, made("3").0, "the same for any number of threads");
    let auc = told.split("AUC ").nth(1).and_then(|rest| rest.split(' ').next()).and_then(|auc| auc.parse::<f64>().ok());
    println!("{told}");
    assert!(auc >= Some(0.9), "{told}");
}
