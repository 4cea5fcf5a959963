//! Held-out texts: what no question and no answer may repeat, or come near.
//! Would catch: a question or an answer of a test in the data, one that is rejected and not told of, a file of tests that is read in
//! part, or a run that goes on with other tests.

use crate::support::documents::parquet;
use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint};
use crate::support::{Project, answering, asking, paraphrased, remote, turn};
use serde_json::{Value, json};
use std::sync::Mutex;

const TWO: &str =
    "  run_id: r\n  batch_size: 1\n  total_samples: 2\n  target_languages: [en]\n  turns: {mode: exact, exact: 2}";

/// What the assistant says of itself, until it is told that it must not.
const SAID: &str = "The harbour lamps were lit at dusk by a keeper who rowed from pier to pier.";

/// Asks these questions, one after the other, and answers the first of each conversation with what is held out, as often as it is
/// asked if it is stubborn.
fn endpoint(questions: Vec<String>, is_stubborn: bool) -> Endpoint {
    let asked = Mutex::new(0);
    Endpoint::start(Behaviour::new(move |request, _| {
        let reply = asking(reply(request, Latency::NONE), || {
            let mut asked = asked.lock().expect("no test panics here");
            *asked += 1;
            Some(questions[(*asked - 1) % questions.len()].clone())
        });
        let text = request.to_string();
        let is_first = turn(request) == 1;
        let is_told = text.contains("must not have these words");
        assert!(!is_told || text.contains("lit at dusk by a keeper who rowed"), "the words are told");
        if is_first && (is_stubborn || !is_told) { answering(reply, SAID) } else { reply }
    }))
}

fn held_out(project: &Project) -> &str {
    let question = format!("As the test asks it: {}", paraphrased(0));
    let rows = [json!({"id": 1, "question": "Who?"}), json!({"id": 2, "question": question})];
    project.write("tests/held.jsonl", rows.map(|row| format!("{row}\n")).concat().as_bytes());
    project.write(
        "tests/held.parquet",
        &parquet(&[(
            "answer",
            &[None, Some("Few knew that the harbour lamps were lit at dusk by a keeper who rowed.")],
        )]),
    );
    project.write("tests/held.txt", format!("# Tests\n\n{}\n{}\n", paraphrased(30), paraphrased(60)).as_bytes());
    "decontaminate: [tests/held.jsonl#question, tests/held.parquet#answer, tests/held.txt]"
}

fn project(endpoint: &Endpoint, more: &str) -> Project {
    let project = Project::empty();
    let coverage = format!("coverage: {{question_dedup_retries: 2, {}}}\n{more}", held_out(&project));
    project.write("config.yaml", remote(&endpoint.base_url(), TWO, &coverage).as_bytes());
    project.write("knowledge/a.md", b"# Lamps\n\nThe lamps of the harbour are lit at dusk. They are fed with oil.\n");
    project
}

#[test]
fn a_test_is_neither_asked_nor_answered() {
    // A question of the first file, one of the third in other words, and then such as are in none.
    let questions = [0, 90, 32, 120, 150, 180];
    let endpoint = endpoint(questions.map(paraphrased).to_vec(), false);
    let project = project(&endpoint, "");
    let ran = project.generate(&[]);
    let told = "2 questions and 2 answers rejected, for what they have of tests/held.parquet:2 (2), tests/held.jsonl:2 (1), \
                tests/held.txt:3 (1)";
    let told: String = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ").contains(&told), "{}", ran.stdout);
    let rows = project.rows("outputs/turns.jsonl");
    assert_eq!(rows.len(), 4);
    for row in &rows {
        let [question, answer] = ["user_message", "assistant_message"].map(|key| row[key].as_str().expect("a text"));
        assert!(!answer.contains("keeper"), "{answer}");
        assert!(![0, 32].map(paraphrased).contains(&question.to_owned()), "{question}");
        assert_eq!((&row["answer_labels"], &row["checks_accepted"]), (&json!([]), &json!(true)));
    }
    assert!(project.rows("outputs/preferences.jsonl").is_empty(), "what is held out is no pair");
    let log = project.read("logs/run.log");
    assert!(log.contains("[decontaminate] held_out_texts=7") && log.contains("held_out=tests/held.jsonl:2"), "{log}");

    let explained = |id: &str| -> Value {
        serde_json::from_str(&project.run(&["explain", id, "--json"]).succeeded().stdout).expect("JSON")
    };
    let first = &explained("r-0000")["turns"][0];
    let near = &first["near_duplicates"][0];
    assert_eq!((&near["question"], &near["held_out"]), (&json!(paraphrased(0)), &json!("tests/held.jsonl:2")));
    assert_eq!((&near["similarity"], &near["asked_by"]), (&Value::Null, &Value::Null));
    assert!(first["rejected"][0]["labels"].as_str().is_some_and(|labels| labels.contains("contaminated")), "{first}");
    let second = &explained("r-0000")["turns"][1]["near_duplicates"][0];
    assert!(second["similarity"].as_f64().is_some_and(|similarity| similarity >= 0.8), "{second}");
    assert_eq!(second["close_to"], paraphrased(30));
    for command in ["explain", "show"] {
        let said = project.run(&[command, "r-0000"]).succeeded().stdout;
        let words: Vec<&str> = said.split_whitespace().collect();
        assert!(words.join(" ").contains("the held-out tests/held.jsonl:2"), "{said}");
    }
    assert!(
        !endpoint.log().iter().any(|request| request.to_string().contains("As the test asks it")),
        "no model is shown a test"
    );
}

#[test]
fn what_can_not_be_said_otherwise_is_dropped() {
    let asks = endpoint(vec![paraphrased(0)], false);
    let ran = project(&asks, "").run(&["run", "config.yaml"]);
    let asked = ran.failed(&["contaminated", "held-out tests/held.jsonl:2", "raise coverage.question_dedup_retries"]);
    assert!(asked.stdout.contains("dropped for"), "{}", asked.stdout);
    for (more, calls) in [("", 2), ("checks: {reject: [pii], on_fail: drop}", 1)] {
        let answers = endpoint((30..60).map(|number| paraphrased(3 * number)).collect(), true);
        let project = project(&answers, more);
        project.run(&["run", "config.yaml"]).failed(&["check_rejected", "held-out tests/held.parquet:2"]);
        let dropped = &project.rows("outputs/dropped.jsonl")[0];
        assert_eq!(dropped["drop_reason"], "check_rejected");
        let explained = project.run(&["explain", "en/0", "--json"]).succeeded().stdout;
        let explained: Value = serde_json::from_str(&explained).expect("JSON");
        let rejected = explained["turns"][0]["rejected"].as_array().map_or(0, Vec::len);
        assert_eq!(rejected + 1, calls, "{explained}");
    }
}

#[test]
fn a_file_of_tests_that_can_not_be_used_is_named() {
    let endpoint = endpoint(vec![paraphrased(90)], false);
    let project = project(&endpoint, "");
    project.write("tests/empty.txt", b" \n");
    project.write("tests/bytes.txt", b"\xff\xfe");
    for (files, reasons) in [
        ("[tests/gone.jsonl#question]", &["coverage.decontaminate", "tests/gone.jsonl"][..]),
        ("[tests/held.jsonl]", &["say which column", "tests/held.jsonl#question"]),
        ("[tests/held.txt#question]", &["has no columns"]),
        ("[tests/held.jsonl#query]", &["it has no column `query`", "`id`, `question`"]),
        ("[tests/held.parquet#query]", &["it has no column `query`", "`answer`"]),
        ("[tests/empty.txt]", &["tests/empty.txt", "no text"]),
        ("[tests/bytes.txt]", &["tests/bytes.txt", "UTF-8"]),
    ] {
        let set = format!("coverage.decontaminate={files}");
        project.run(&["run", "config.yaml", "--set", &set]).failed(reasons);
    }
    project
        .run(&["run", "config.yaml", "--set", "coverage.decontaminate_ngram=3"])
        .failed(&["decontaminate_ngram", "4"]);
    assert!(!project.path("outputs").exists(), "nothing is written");
}

#[test]
fn a_run_goes_on_with_the_tests_it_began_with() {
    let questions = (30..90).map(|number| paraphrased(3 * number)).collect();
    let endpoint = endpoint(questions, false);
    let project = project(&endpoint, "");
    project.generate(&[]);
    let more = ["--resume", "r", "--set", "run.total_samples=3"];
    project.write("tests/held.txt", b"Another test?\n");
    project.run(&[&["run", "config.yaml"], &more[..]].concat()).failed(&["held-out texts"]);
}
