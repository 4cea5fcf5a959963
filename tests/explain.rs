//! `dlgforge explain`: why a conversation is as it is.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint};
use crate::support::{Project, asking, builtin, edited, remote, turn};
use serde_json::{Value, json};

const RUN: &str = "  run_id: r\n  batch_size: 1\n  total_samples: 4\n  target_languages: [en, fr]\n  \
    turns: {mode: exact, exact: 2}";

fn explained(project: &Project, arguments: &[&str]) -> Value {
    let ran = project.run(&[&["explain"], arguments, &["--json"]].concat()).succeeded();
    serde_json::from_str(&ran.stdout).expect("JSON")
}

/// Every third question is the same, and the first verdict on a second turn can't be read.
fn stubborn() -> Endpoint {
    Endpoint::start(Behaviour::new(|request, number| {
        let asked = asking(reply(request, Latency::NONE), || (number % 3 == 0).then(|| "Who is there?".to_owned()));
        let messages = request["messages"].as_array().map_or(0, Vec::len);
        let is_first = request.to_string().contains("question_ok") && messages == 2;
        let fails = is_first && turn(request) == 2;
        if fails { edited(asked, |message| message["content"] = json!("Hm.")) } else { asked }
    }))
}

#[test]
fn every_question_answer_and_verdict_is_told_with_what_came_to_nothing() {
    let endpoint = stubborn();
    let project = Project::with(&remote(&endpoint.base_url(), RUN, "coverage: {question_dedup_retries: 9}"));
    project.generate(&[]);
    let turns = project.rows("outputs/turns.jsonl");
    let mut duplicates = 0;
    for row in project.rows("outputs/conversations_index.jsonl") {
        let id = row["conversation_id"].as_str().expect("an id");
        let told = explained(&project, &[id]);
        let own: Vec<&Value> = turns.iter().filter(|turn| turn["conversation_id"] == id).collect();
        assert_eq!((&told["status"], told["turns"].as_array().map(Vec::len)), (&json!("completed"), Some(own.len())));
        let mut rejected = 0;
        for (row, turn) in own.iter().zip(told["turns"].as_array().expect("turns")) {
            for (told, written) in [
                ("question", "user_message"),
                ("answer", "assistant_message"),
                ("question_mode", "question_mode"),
                ("judge_accepted", "judge_accepted"),
            ] {
                assert_eq!(turn[told], row[written], "{id} {told}");
            }
            assert_eq!(turn["judge"]["score"], row["judge_score"]);
            let ids = |list: &Value| -> Vec<Value> {
                list.as_array().expect("places").iter().map(|place| place["id"].clone()).collect()
            };
            assert_eq!(ids(&turn["passages"]), ids(&row["provenance"]));
            let shown = turn["passages"].as_array().expect("passages");
            assert!(shown.iter().all(|passage| passage["text"].as_str().is_some_and(|text| !text.is_empty())));
            let questions = turn["duplicates"].as_array().expect("questions");
            assert!(questions.iter().all(|question| question == "Who is there?"));
            rejected += questions.len();
        }
        assert_eq!(told["duplicates"], rejected, "{id}");
        duplicates += rejected;
        let text = project.run(&["explain", id]).succeeded().stdout;
        assert!(text.starts_with(&format!("conversation {id} of run r: completed\n")), "{text}");
        assert!(text.contains("1 times for the verdict: a reply could not be used"), "{text}");
        assert!(text.contains("passage 1") && text.contains("of 10"), "{text}");
        assert_eq!(text.contains("  duplicate      Who is there?"), rejected > 0, "{text}");
    }
    assert!(duplicates > 0, "the endpoint repeats itself");
    assert_eq!(explained(&project, &["fr/2"])["conversation_id"], "r-fr-0002");
}

#[test]
fn a_conversation_that_was_dropped_says_why() {
    let project =
        Project::with(&builtin(RUN, "").replace("mode: online", "mode: online, accept: {min_score: 8, on_fail: drop}"));
    project.generate(&[]);
    let dropped = project.rows("outputs/dropped.jsonl");
    let row = dropped.first().expect("some are dropped");
    let id = row["metadata"]["conversation_id"].as_str().expect("an id");
    let told = explained(&project, &[id]);
    assert_eq!((&told["status"], &told["drop_reason"]), (&json!("dropped"), &json!("judge_rejected")));
    assert_eq!(told["drop_detail"], row["drop_detail"]);
    let text = project.run(&["explain", id]).succeeded().stdout;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "dropped for judge_rejected: the judge's verdict does not meet judge.accept",
        "judge below judge.accept: ",
        &format!("[judge] conversation={id} dropped drop_reason=judge_rejected"),
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn what_is_not_there_is_told_with_what_is_near() {
    let project = Project::with(&builtin(RUN, ""));
    project.run(&["explain", "3"]).failed_as("explain", &["outputs has no runs"]);
    project.generate(&[]);
    for (arguments, reasons) in [
        (&["explain", "r-en-002"][..], &["no conversation `r-en-002` is settled", "near are r-en-0002, "][..]),
        (&["explain", "3"], &["run r has several languages: write en/3 or fr/3"]),
        (&["explain", "fr/99"], &["no conversation `fr/99`"]),
        (&["explain", "en/1", "--run", "q"], &["find run \"q\": the store has only r"]),
    ] {
        project.run(arguments).failed_as("explain", reasons);
    }
    assert_eq!(explained(&project, &["en/1", "--run", "r"])["conversation_id"], "r-en-0001");
}
