//! Public benchmarks, held out: what they ask is asked by nobody, in their words or nearly so, and what they do not ask stays.

use crate::parts::real;
use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint};
use crate::support::{Project, asking, builtin, remote};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Mutex;

const HELD_OUT: [&str; 4] = ["mmlu", "nq-open", "openbookqa", "truthfulqa"];

/// The questions of a benchmark, with the line of each.
fn questions(name: &str) -> BTreeMap<String, usize> {
    let text = fs::read_to_string(real("benchmarks").join(format!("{name}.jsonl"))).expect("a benchmark");
    let question =
        |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["question"].as_str().map(str::to_owned);
    let mut first = BTreeMap::new();
    for (line, number) in text.lines().zip(1..) {
        question(line).into_iter().for_each(|question| _ = first.entry(question).or_insert(number));
    }
    first
}

fn coverage() -> String {
    let file = |name| format!("{}#question", real("benchmarks").join(format!("{name}.jsonl")).display());
    format!("coverage: {{question_dedup_retries: 12, decontaminate: [{}]}}", HELD_OUT.map(file).join(", "))
}

/// The question as a person may ask it who has read it somewhere.
fn asked_again(question: &str, way: usize) -> String {
    match way % 3 {
        0 => question.trim().to_owned(),
        1 => format!("One more thing I was asked at school: {} I have no idea.", question.to_uppercase()),
        _ => format!("{}, please?", question.trim_start().trim_end_matches(['.', '?', ' ', '_'])),
    }
}

/// Whether it has words in a row to be found by, and one more: shorter ones are part of what anybody may ask.
fn is_whole(question: &str) -> bool {
    question.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).count() >= 9
}

#[test]
fn questions_of_benchmarks_are_asked_by_nobody() {
    let some_of = |name: &&'static str| {
        let (name, whole) = (*name, questions(name).into_iter().filter(|(question, _)| is_whole(question)));
        whole.step_by(40).map(move |(question, line)| (question, format!("{name}.jsonl:{line}")))
    };
    let held: Vec<(String, String)> = HELD_OUT.iter().flat_map(some_of).collect();
    let free: BTreeSet<String> =
        questions("piqa").into_keys().filter(|question| question.len() > 30).take(200).collect();
    // Two of the benchmarks, then one that is held out by nobody.
    let mut asks = Vec::new();
    for (at, question) in free.iter().enumerate() {
        asks.extend(
            held.iter().skip(2 * at).take(2).enumerate().map(|(way, (held, _))| asked_again(held, 2 * at + way)),
        );
        asks.push(question.clone());
    }
    let asks = Mutex::new(asks.into_iter());
    let endpoint = Endpoint::start(Behaviour::new(move |request, _| {
        asking(reply(request, Latency::NONE), || asks.lock().expect("no test panics here").next())
    }));
    let run =
        "  run_id: r\n  batch_size: 1\n  total_samples: 50\n  target_languages: [en]\n  turns: {mode: exact, exact: 2}";
    let project = Project::with(&remote(&endpoint.base_url(), run, &coverage()));
    project.generate(&[]);
    let rows = project.rows("outputs/turns.jsonl");
    let accepted: Vec<&str> = rows.iter().map(|row| row["user_message"].as_str().expect("a text")).collect();
    assert_eq!(accepted.len(), 100);
    for question in accepted {
        assert!(free.contains(question), "held out, and asked: {question}");
    }
    // Each of those that were asked was rejected, for where it stands.
    let mut told = BTreeMap::new();
    for row in project.rows("outputs/coverage_ledger.jsonl") {
        for near in row["near_duplicates"].as_array().into_iter().flatten() {
            let stands =
                near["held_out"].as_str().and_then(|stands| stands.rsplit('/').next()).expect("where it stands");
            told.insert(near["question"].as_str().expect("a text").to_owned(), stands.to_owned());
        }
    }
    // Or it was no question of a run: it asks for nothing, or speaks of an excerpt that nobody sees.
    let ids = rows.iter().map(|row| row["conversation_id"].as_str().expect("an id"));
    let unusable: BTreeSet<String> =
        ids.collect::<BTreeSet<_>>().into_iter().flat_map(|id| unusable(&project, id)).collect();
    let (mut exact, mut refused) = (0, 0);
    for (at, (question, stands)) in held.iter().enumerate() {
        let question = asked_again(question, at);
        let Some(place) = told.get(&question) else {
            assert!(unusable.contains(&question), "neither rejected nor unusable: {question}");
            refused += 1;
            continue;
        };
        assert_eq!(place.split(':').next(), stands.split(':').next(), "{question}");
        exact += usize::from(place == stands);
    }
    assert!(refused < held.len() / 10, "{refused} of {}", held.len());
    // Some begin as others of their benchmark do, and the first is told.
    assert!(exact > held.len() * 9 / 10, "{exact} of {}", held.len());
}

/// The questions of replies that could not be used, of a conversation.
fn unusable(project: &Project, id: &str) -> Vec<String> {
    let explained: Value =
        serde_json::from_str(&project.run(&["explain", id, "--json"]).succeeded().stdout).expect("JSON");
    let turns = explained["turns"].as_array().expect("turns").iter();
    let replies = turns.flat_map(|turn| turn["unusable"].as_array().expect("replies"));
    let question = |reply: &Value| {
        let reply: Value = serde_json::from_str(reply.as_str()?).ok()?;
        reply["user_message"].as_str().map(str::to_owned)
    };
    replies.filter_map(question).collect()
}

#[test]
fn what_benchmarks_do_not_ask_stays() {
    let run =
        "  run_id: r\n  total_samples: 40\n  target_languages: [en, de, ar]\n  turns: {mode: range, min: 1, max: 3}";
    let project = Project::with(&builtin(run, &coverage()));
    let told = project.generate(&[]).stdout;
    assert!(told.contains("120 of 120 accepted") && !told.contains("held out"), "{told}");
    let log = project.read("logs/run.log");
    assert!(log.contains("[decontaminate] held_out_texts="), "{log}");
}
