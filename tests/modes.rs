//! Questions that are none of the plain ones. Would catch: shares that are missed, a mode that the models are not told of, right
//! answers that are rejected, short messages of different conversations that count as one, a need that gets lost.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint, Reply};
use crate::support::{Project, asking, builtin, edited, remote};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const RUN: &str =
    "  batch_size: 8\n  total_samples: 40\n  target_languages: [en, fr]\n  turns: {mode: range, min: 2, max: 4}";

const SHARES: &str = "coverage: {modes: {unanswerable: 0.1, underspecified: 0.1, sharded: 0.1, nonstandalone: 0.12, correction: 0.1, \
    challenge: 0.1}, registers: {terse: 0.2, chatty: 0.15, typos: 0.15, formal: 0.15}}";

fn text<'v>(row: &'v Value, key: &str) -> &'v str {
    row[key].as_str().expect("a text")
}

/// How many rows have each value of a key.
fn counts<'v>(rows: &'v [Value], key: &str) -> BTreeMap<&'v str, usize> {
    let mut counts = BTreeMap::new();
    rows.iter().for_each(|row| *counts.entry(text(row, key)).or_default() += 1);
    counts
}

#[test]
fn the_built_in_model_does_every_mode_and_register() {
    let project = Project::with(&builtin(RUN, SHARES));
    let ran = project.generate(&[]);
    assert!(ran.stdout.contains("80 of 80 accepted"), "{}", ran.stdout);
    for row in [
        "  modes          unanswerable: ",
        "                 sharded: 8 conversations (asked for: 8.0)\n",
        "  registers      terse: 16 conversations (asked for: 16.0)\n                 chatty: 12 conversations (asked for: 12.0)",
    ] {
        assert!(ran.stdout.contains(row), "{row}: {}", ran.stdout);
    }
    // What thin passages tell is soon told.
    assert!(project.rows("outputs/dropped.jsonl").len() <= 3, "{}", ran.stdout);
    let turns = project.rows("outputs/turns.jsonl");
    let modes = counts(&turns, "question_mode");
    assert_eq!(modes["underspecified"], modes["clarification"], "{modes:?}");
    for (mode, least) in
        [("unanswerable", 18), ("underspecified", 10), ("nonstandalone", 12), ("correction", 10), ("challenge", 10)]
    {
        assert!(modes[mode] >= least, "{mode}: {modes:?}");
    }
    let mut conversations: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    turns.iter().for_each(|turn| conversations.entry(text(turn, "conversation_id")).or_default().push(turn));
    let registers = |register: &str| conversations.values().filter(|turns| turns[0]["register"] == register).count();
    assert_eq!(["terse", "chatty", "typos", "formal"].map(registers), [16, 12, 12, 12]);
    let sharded = conversations.values().filter(|turns| turns[0]["question_mode"] == "sharded");
    assert_eq!(sharded.clone().count(), 8);
    for turns in sharded {
        let need = text(turns[0], "whole_need");
        assert!(
            need.len() > text(turns[0], "user_message").len().min(20)
                && turns.iter().all(|turn| turn["whole_need"] == need)
        );
    }
    for (mode, at_least) in [("unanswerable", 0.9), ("underspecified", 0.9), ("challenge", 0.6), ("clarification", 0.6)]
    {
        let of_mode: Vec<_> = turns.iter().filter(|turn| turn["question_mode"] == mode).collect();
        let good = of_mode.iter().filter(|turn| turn["judge_score"].as_u64() >= Some(6)).count();
        assert!(good as f64 >= at_least * of_mode.len() as f64, "{mode}: {good} of {} are good", of_mode.len());
    }
    let asked_back = |turn: &&Value| turn["question_mode"] == "underspecified";
    assert!(turns.iter().filter(asked_back).all(|turn| text(turn, "assistant_message").ends_with(['?', '.'])));
    let documents = project.rows("outputs/conversations_sharegpt.jsonl");
    assert!(documents.iter().any(|row| row["metadata"]["register"] == "terse"));
    assert!(documents.iter().any(|row| row["metadata"]["whole_need"] != ""));
}

/// The system and user message of requests whose prompt has this text.
fn asked<'v>(log: &'v [Value], part: &str) -> Vec<&'v Value> {
    log.iter().filter(|request| request["messages"].to_string().contains(part)).collect()
}

#[test]
fn what_only_its_conversation_explains_is_no_duplicate_in_another() {
    let short = |request: &Value, _: u64| {
        let prompt = request["messages"].to_string();
        let message = ["And in winter?", "And by night?"][usize::from(prompt.contains("And in winter?"))];
        let is_later = prompt.contains("next question, in English");
        asking(reply(request, Latency::NONE), || is_later.then(|| message.to_owned()))
    };
    let run = "  batch_size: 4\n  total_samples: 6\n  turns: {mode: exact, exact: 3}";
    for (mode, is_made) in [("nonstandalone", true), ("followup", false)] {
        let endpoint = Endpoint::start(Behaviour::new(short));
        let project = Project::with(&remote(&endpoint.base_url(), run, &format!("coverage: {{modes: {{{mode}: 1}}}}")));
        let ran = project.run(&["run", "config.yaml"]);
        assert_eq!(ran.stdout.contains("6 of 6 accepted, 0 dropped"), is_made, "{mode}: {}", ran.stdout);
        if is_made {
            assert!(ran.stdout.contains("  duplicates     0 questions rejected"), "{}", ran.stdout);
            assert_eq!(counts(&project.rows("outputs/turns.jsonl"), "user_message")["And by night?"], 6);
        }
    }
}

#[test]
fn a_need_that_is_told_piece_by_piece_reaches_the_end() {
    const NEED: &str = "How long must rye dough rest in a cold kitchen when it is baked at night?";
    let run = "  batch_size: 1\n  total_samples: 1\n  turns: {mode: exact, exact: 3}";
    for (fault, drops) in [(false, 0), (true, 1)] {
        let piece = move |request: &Value, _: u64| {
            let prompt = request["messages"].to_string();
            let plain = reply(request, Latency::NONE);
            let is_first = prompt.contains("over 3 messages");
            let is_again = prompt.contains("`whole_need` must be all");
            let part = if prompt.contains("all that they have not told yet") {
                "It is baked at night."
            } else {
                "It is cold in the kitchen."
            };
            let message = if is_first { "I have a question about dough." } else { part };
            let need = if is_first && is_again && !fault { NEED } else { "Dough." };
            let with_need = |message: &mut Value| {
                let mut text: Value = message["content"]
                    .as_str()
                    .map_or(Value::Null, |text| serde_json::from_str(text).unwrap_or_default());
                if text.get("whole_need").is_some() {
                    text["whole_need"] = need.into();
                    message["content"] = text.to_string().into();
                }
            };
            edited(asking(plain, || Some(message.to_owned())), with_need)
        };
        let endpoint = Endpoint::start(Behaviour::new(piece));
        let project = Project::with(&remote(&endpoint.base_url(), run, "coverage: {modes: {sharded: 1}}"));
        let ran = project.run(&["run", "config.yaml"]);
        if fault {
            assert!(ran.stdout.contains("unusable_reply"), "{drops}: {}", ran.stdout);
            continue;
        }
        assert!(ran.stdout.contains("1 of 1 accepted, 0 dropped"), "{}{}", ran.stdout, ran.stderr);
        let log = endpoint.log();
        assert_eq!(asked(&log, "`whole_need` must be all that the person wants to know").len(), 1);
        let judged = asked(&log, "All of it has now been told");
        assert!(judged.len() == 1 && judged[0]["messages"].to_string().contains(NEED));
        let turns = project.rows("outputs/turns.jsonl");
        let said: Vec<_> = turns.iter().map(|turn| text(turn, "user_message")).collect();
        assert_eq!(said, ["I have a question about dough.", "It is cold in the kitchen.", "It is baked at night."]);
        assert!(turns.iter().all(|turn| turn["whole_need"] == NEED && turn["question_mode"] == "sharded"));
    }
}

#[test]
fn models_are_told_of_the_mode_but_the_assistant_is_not() {
    let endpoint =
        Endpoint::start(Behaviour::new(|request: &Value, _: u64| -> Reply { reply(request, Latency::NONE) }));
    let modes = [
        ("unanswerable", "that the passage does not tell", "were not to answer this question"),
        ("nonstandalone", "can only be understood from the conversation", "understood only from the conversation"),
        ("correction", "correct a detail of their last question", "goes by what counts now"),
        ("challenge", "They doubt the last answer", "giving in is a serious fault"),
        ("underspecified", "leaves something open", "asks back for it"),
    ];
    let shares: Vec<String> = modes.iter().map(|(mode, ..)| format!("{mode}: 0.15")).collect();
    let more = format!(
        "coverage: {{modes: {{{}}}, registers: {{terse: 0.5, formal: 0.5}}, words: {{mean: 9}}}}",
        shares.join(", ")
    );
    let run = "  batch_size: 4\n  total_samples: 20\n  turns: {mode: exact, exact: 4}";
    let project = Project::with(&remote(&endpoint.base_url(), run, &more));
    project.generate(&[]);
    let log = endpoint.log();
    let of = |part: &str| asked(&log, part).into_iter().cloned().collect::<Vec<_>>();
    let (asks, answers, verdicts) = (of("Write the person's"), of("Answer it in English"), of("Judge turn"));
    for (mode, told, judged) in modes {
        assert!(!asked(&asks, told).is_empty() && !asked(&verdicts, judged).is_empty(), "{mode}");
        assert!(
            !answers.is_empty() && asked(&answers, told).is_empty() && asked(&answers, judged).is_empty(),
            "{mode}"
        );
    }
    assert!(!asked(&asks, "The person is curt").is_empty() && !asked(&asks, "The person is formal").is_empty());
    // Whoever is curt is told of the length in the same sentence, and of no other.
    let (curt, sized) = (asked(&asks, "The person is curt: no politeness, and about "), asked(&asks, "It has about "));
    assert!(curt.len() + sized.len() == asks.len() && asked(&asks, "as few words as will do").is_empty());
    assert_eq!(asked(&asks, "The person is curt").len(), curt.len());
    let turns = project.rows("outputs/turns.jsonl");
    let asked: Vec<u64> = turns.iter().filter_map(|turn| turn["words_asked"].as_u64()).collect();
    assert_eq!(asked.len(), turns.len());
    let mean = asked.iter().sum::<u64>() as f64 / asked.len() as f64;
    assert!((7.0..11.5).contains(&mean), "{mean} words on average");
    assert_eq!(json!(["formal", "terse"]), json!(counts(&turns, "register").keys().collect::<Vec<_>>()));
}
