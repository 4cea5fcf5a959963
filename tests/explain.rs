//! `dlgforge explain`: why a conversation is as it is.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint};
use crate::support::{Project, asking, builtin, edited, paraphrased, remote, turn};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

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

#[test]
fn roll_backs_come_from_the_log_of_the_own_run_alone() {
    // The second question of every conversation is the same one, and that of the first conversation comes last.
    let last = Arc::new(Mutex::new(None::<String>));
    let known = last.clone();
    let endpoint = Endpoint::start(Behaviour::new(move |request, _| {
        // After a duplicate the person is told what else to want.
        let prompt = request.to_string();
        let is_first =
            turn(request) == 2 && !["It wants ", "an unusual case"].iter().any(|angle| prompt.contains(angle));
        let waits = known.lock().expect("a text").as_ref().is_some_and(|said| is_first && prompt.contains(said));
        let pause = Latency { median_ms: if waits { 1000.0 } else { 0.0 }, ..Latency::NONE };
        asking(reply(request, pause), || is_first.then(|| "Who is there?".to_owned()))
    }));
    let run = RUN.replace("batch_size: 1", "batch_size: 4");
    let config = remote(&endpoint.base_url(), &run, "coverage: {question_dedup_retries: 9}");
    let first = Project::with(&config);
    first.generate(&[]);
    let opening = first.rows("outputs/turns.jsonl").swap_remove(0)["user_message"].to_string();
    *last.lock().expect("a text") = Some(opening.trim_matches('"').to_owned());
    let project = Project::with(&config);
    let ran = project.generate(&["--workers", "2"]);
    let log = project.read("logs/run.log");
    let told: Vec<&str> = log.lines().filter(|line| line.contains("[rollback] language_index=")).collect();
    assert!(!told.is_empty(), "{}", ran.stdout);
    let mut found = 0;
    for (number, language) in ["en", "fr"].iter().enumerate() {
        for index in 0..4 {
            let lines = explained(&project, &[&format!("{language}/{index}")])["log"].clone();
            let lines = lines.as_array().expect("lines").iter().filter_map(Value::as_str);
            let own: Vec<&str> = lines.filter(|line| line.contains("[rollback]")).collect();
            let name = format!("language_index={number} conversation_index={index} ");
            assert_eq!(own, told.iter().filter(|line| line.contains(&name)).copied().collect::<Vec<_>>());
            found += own.len();
        }
    }
    assert_eq!(found, told.len());
    // What another run of before has lost at the same number is not told.
    let line = told[0].split_once("[rollback]").expect("a line").1;
    let earlier = format!("2020-01-01 00:00:00,000 INFO dlgforge.pipeline: [rollback]{line}\n");
    project.write("logs/run.log", format!("{earlier}{log}").as_bytes());
    let index = line.split_once("conversation_index=").expect("a number").1.split(' ').next().expect("a number");
    let language = if line.contains("language_index=0") { "en" } else { "fr" };
    let again = explained(&project, &[&format!("{language}/{index}")])["log"].to_string();
    assert!(again.contains("[rollback]") && !again.contains("2020-01-01"), "{again}");
}

#[test]
fn what_a_pass_of_the_judge_was_replied_is_told_with_its_pass() {
    let endpoint = stubborn();
    let config = remote(&endpoint.base_url(), RUN, "coverage: {question_dedup_retries: 9}");
    let project = Project::with(&config.replace("mode: online", "mode: offline"));
    project.generate(&[]);
    let replies = |told: &Value, pass: &str| -> Vec<Value> {
        let all = told["replies"].as_array().expect("replies");
        all.iter().filter(|reply| reply["pass"] == pass).cloned().collect()
    };
    let before = explained(&project, &["en/1"]);
    assert!(!replies(&before, "").is_empty() && replies(&before, "judge/1").is_empty());
    project.run(&["judge", "config.yaml"]).succeeded();
    project.run(&["judge", "config.yaml", "--set", "judge.accept.min_score=3"]).succeeded();
    let told = explained(&project, &["en/1"]);
    assert_eq!(replies(&told, ""), replies(&before, ""));
    for pass in ["judge/1", "judge/2"] {
        let own = replies(&told, pass);
        let places: Vec<_> = own.iter().map(|reply| (&reply["turn_index"], &reply["round"])).collect();
        // The first verdict on the second turn can't be read.
        assert_eq!(json!(places), json!([[1, 0], [2, 0], [2, 1]]), "{own:?}");
        assert!(own.iter().all(|reply| reply["stage"] == "judge"));
    }
    let text = project.run(&["explain", "en/1"]).succeeded().stdout;
    for part in
        ["  pass judge/1   Hm.\n", "  pass judge/2   Hm.\n", "2 times for the verdict: a reply could not be used"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    // A pass over two runs that have conversations of the same numbers.
    project.run(&["run", "config.yaml", "--set", "run.run_id=s", "--set", "run.seed=9"]).succeeded();
    project.run(&["judge", "config.yaml", "--set", "judge.accept.min_score=4"]).succeeded();
    let told = explained(&project, &["en/1", "--run", "s"]);
    assert_eq!((&told["unclear_passes"], replies(&told, "judge/1")), (&json!(["judge/3"]), vec![]));
    assert_eq!(replies(&explained(&project, &["en/1", "--run", "r"]), "judge/2").len(), 3);
    let text = project.run(&["explain", "en/1", "--run", "s"]).succeeded().stdout;
    assert!(text.contains("without those to pass judge/3"), "{text}");
}

#[test]
fn the_journal_has_what_models_were_asked_unless_it_is_not_to() {
    let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
    let heard = asked.clone();
    let endpoint = Endpoint::start(Behaviour::new(move |request, _| {
        heard.lock().expect("a list").push(request.clone());
        reply(request, Latency::NONE)
    }));
    let made = |keeps: bool| {
        let more = format!("store: {{keep_requests: {keeps}}}");
        let project = Project::with(&remote(&endpoint.base_url(), RUN, &more));
        project.generate(&[]);
        project
    };
    let project = made(true);
    let told = |project: &Project| -> Vec<Value> {
        let rows = project.rows("outputs/conversations_index.jsonl");
        let told = rows.iter().map(|row| explained(project, &[row["conversation_id"].as_str().expect("an id")]));
        told.flat_map(|told| told["replies"].as_array().expect("replies").clone()).collect()
    };
    let replies: Vec<Value> = told(&project).into_iter().filter(|reply| reply["model"] != "").collect();
    let asked = asked.lock().expect("a list").clone();
    assert!(replies.len() > 20 && asked.len() >= replies.len(), "{} {}", replies.len(), asked.len());
    for reply in &replies {
        assert!(asked.contains(&reply["request"]), "{}", reply["request"]);
    }
    drop(asked);
    // It makes no other dataset, and costs nothing where it is not kept.
    let without = made(false);
    assert!(told(&without).iter().all(|reply| reply.get("request").is_none()));
    let texts = |project: &Project| {
        project.rows("outputs/turns.jsonl").into_iter().map(|turn| turn["answer"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(texts(&project), texts(&without));
}

#[test]
fn replies_that_could_not_be_used_are_no_duplicates() {
    let endpoint = Endpoint::start(Behaviour::new(|request, _| {
        let asked = reply(request, Latency::NONE);
        // Questions that talk of the passage can't be used.
        asking(asked, || Some("What does the passage say about it?".to_owned()))
    }));
    let project = Project::with(&remote(&endpoint.base_url(), RUN, ""));
    let ran = project.run(&["run", "config.yaml"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let settled = explained(&project, &["en/0"]);
    assert_eq!((&settled["status"], &settled["duplicates"]), (&json!("dropped"), &json!(0)), "{settled}");
    assert_eq!(settled["turns"][0]["duplicates"], json!([]), "{settled}");
    assert!(!settled["turns"][0]["unusable"].as_array().expect("a list").is_empty(), "{settled}");
    // No document and no table has been written of it.
    for command in ["explain", "show"] {
        let text = project.run(&[command, "en/0"]).succeeded().stdout;
        assert!(text.contains("unusable_reply") && !text.contains("duplicate"), "{text}");
    }
}

/// Asks these paraphrases, one after the other; what it was asked.
fn in_other_words(numbers: &'static [u64]) -> (Endpoint, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let heard = asked.clone();
    let endpoint = Endpoint::start(Behaviour::new(move |request, _| {
        asking(reply(request, Latency::NONE), || {
            let mut heard = heard.lock().expect("no test panics here");
            heard.push(request["messages"].to_string());
            Some(paraphrased(numbers[(heard.len() - 1) % numbers.len()]))
        })
    }));
    (endpoint, asked)
}

const TWO: &str =
    "  run_id: r\n  batch_size: 1\n  total_samples: 2\n  target_languages: [en]\n  turns: {mode: exact, exact: 2}";

#[test]
fn what_a_question_is_too_close_to_is_told_to_the_next_attempt_and_to_people() {
    let (endpoint, asked) = in_other_words(&[0, 30, 60, 1, 90, 2, 120, 150, 180, 210]);
    let project = Project::with(&remote(&endpoint.base_url(), TWO, "coverage: {near_duplicates: {method: minhash}}"));
    let ran = project.generate(&[]);
    assert!(ran.stdout.contains("1 questions rejected, 1 of them too close to another one"), "{}", ran.stdout);
    let close_to = paraphrased(0);
    let told = |at: usize| asked.lock().expect("no test panics here")[at].contains(&format!("- {close_to}"));
    assert!(!told(3) && told(4), "the attempt after it");
    let near =
        |arguments: &[&str], turn: usize| explained(&project, arguments)["turns"][turn]["near_duplicates"].clone();
    let found = near(&["r-0001"], 1);
    let similarity = found[0]["similarity"].as_f64().expect("a share");
    assert!((0.8..1.0).contains(&similarity));
    let (question, asked_by) = (paraphrased(1), ("r-0000", 1));
    let expected = json!({"question": question, "close_to": close_to, "similarity": similarity, "asked_by": asked_by});
    assert_eq!(found, json!([expected]));
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let told = format!("`{question}` is too close ({similarity:.2}) to `{close_to}`");
    assert!(words(&ran.stdout).contains(&format!("the least close of them: {told}")), "{}", ran.stdout);
    let log = project.read("logs/run.log");
    assert!(log.contains(&format!("[near] conversation=r-0001 turn=2 attempt=0 rejected: {told}")), "{log}");
    let ledger = project.rows("outputs/coverage_ledger.jsonl");
    let rejected = json!([{"question": question, "close_to": close_to, "similarity": similarity}]);
    assert_eq!(
        ledger.iter().map(|row| row.get("near_duplicates")).collect::<Vec<_>>(),
        [None, None, None, Some(&rejected)]
    );
    for (command, line) in [("explain", "too close"), ("show", "rejected")] {
        let said = project.run(&[command, "r-0001"]).succeeded().stdout;
        let row = said.lines().find(|row| row.trim_start().starts_with(line)).unwrap_or_default();
        assert!(row.contains(&question[..20]), "{said}");
    }

    // Of the questions of other runs it is told that they were asked before; or they are none of its business.
    project.generate(&["--set", "run.run_id=s"]);
    let found = near(&["s-0000"], 0);
    assert_eq!((&found[0]["close_to"], &found[0]["asked_by"]), (&json!(close_to), &Value::Null));
    let apart = in_other_words(&[2, 300, 330, 360]).0;
    let set = format!("llm.agents.user.base_url={}", apart.base_url());
    let arguments = ["--set", "run.run_id=t", "--set", &set, "--set", "coverage.near_duplicates.scope=run"];
    assert!(project.generate(&arguments).stdout.contains(" 0 questions rejected"));
}

#[test]
fn a_conversation_whose_last_attempt_is_too_close_is_dropped_for_that() {
    let (endpoint, _) = in_other_words(&[0, 30, 60, 1, 2]);
    let more = "coverage: {question_dedup_retries: 1, near_duplicates: {method: minhash}}";
    let project = Project::with(&remote(&endpoint.base_url(), TWO, more));
    let ran = project
        .run(&["run", "config.yaml"])
        .failed(&["near_duplicate_exhausted", "raise coverage.question_dedup_retries"]);
    assert!(ran.stderr.contains("is too close (0.9"), "{}", ran.stderr);
    let dropped = &project.rows("outputs/dropped.jsonl")[0];
    assert_eq!(dropped["drop_reason"], "near_duplicate_exhausted");
    let turn = &explained(&project, &["r-0001"])["turns"][1];
    assert_eq!((turn["near_duplicates"].as_array().map(Vec::len), &turn["duplicates"]), (Some(2), &json!([])));

    // One without any turn has no document, and the log tells of it.
    let (endpoint, _) = in_other_words(&[0, 30, 1, 2]);
    let project = Project::with(&remote(&endpoint.base_url(), TWO, more));
    project.run(&["run", "config.yaml"]).failed(&["near_duplicate_exhausted"]);
    let explained = explained(&project, &["r-0001"]);
    let lines = explained["log"].as_array().expect("lines").iter().filter_map(Value::as_str);
    let near: Vec<&str> = lines.filter(|line| line.contains("[near]")).collect();
    assert!(near.len() == 2 && (1..3).zip(&near).all(|(number, line)| line.contains(&paraphrased(number))), "{near:?}");
}
