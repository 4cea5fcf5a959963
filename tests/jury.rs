//! Several judges. Would catch: a jury that one lost judge stops, a verdict that is not that of the votes, votes that are lost on
//! the way to the files, or that depend on which judge was faster.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint, Reply};
use crate::support::{Project, Ran, expect_same, remote};
use serde_json::{Value, json};
use std::net::TcpListener;

const RUN: &str = "  run_id: r\n  batch_size: 4\n  total_samples: 6\n  target_languages: [en, fr]\n  \
    turns: {mode: exact, exact: 2}";

/// A model that has no key here.
const LOCKED: &str = "locked";

fn endpoint() -> Endpoint {
    Endpoint::start(Behaviour::new(|request, number| match request["model"] == LOCKED {
        true => Reply::error(401, "no such key"),
        // Which judge is faster is another thing each time.
        false => reply(request, Latency { median_ms: 3.0, sigma: 1.0, seed: number }),
    }))
}

/// A configuration with these judges, each a model and the address it is asked at.
fn config(base_url: &str, judges: &[(&str, &str)], judge: &str) -> String {
    let config = remote(base_url, RUN, "").replace("judge: {mode: online}", &format!("judge: {{{judge}}}"));
    let (before, after) = config.split_once("    judge: ").expect("a judge");
    let rest = after.split_once('\n').expect("more").1;
    let item = |(model, url): &(&str, &str)| {
        format!("      - {{provider: openai, model: {model}, base_url: \"{url}\", max_retries: 0}}\n")
    };
    let items: String = judges.iter().map(item).collect();
    format!("{before}    judge:\n{items}{rest}").replace("llm:\n", "llm:\n  max_outage: 1\n")
}

fn said(ran: &Ran) -> String {
    ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The verdict and the votes of each turn.
fn verdicts(project: &Project) -> Vec<(Value, Vec<Value>)> {
    let rows = project.rows("outputs/turns.jsonl");
    rows.iter()
        .map(|row| (row["judge_score"].clone(), row["judge_votes"].as_array().expect("a list").clone()))
        .collect()
}

#[test]
fn a_jury_goes_on_without_a_judge_that_is_lost() {
    let endpoint = endpoint();
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let (here, nowhere) = (endpoint.base_url(), format!("http://{nobody}/v1"));
    for (third, url) in [(LOCKED, here.as_str()), ("c", nowhere.as_str())] {
        let judges = [("a", here.as_str()), ("b", here.as_str()), (third, url)];
        let config = config(&here, &judges, "mode: online, jury: mean");
        let made = |workers: &str| {
            let project = Project::with(&config);
            let ran = Ran::of(project.stamped(&["--workers", workers, "--no-check"])).succeeded();
            (project, said(&ran), ran.stderr)
        };
        let (project, told, complaint) = made("1");
        assert!(complaint.contains("the run goes on without a judge of its jury"), "{complaint}");
        let missing = format!("openai/{third} no verdicts (24 missing); Krippendorff's alpha ");
        assert!(told.contains("jury openai/a ") && told.contains(&missing), "{told}");
        assert!(told.contains("over 24, openai/b "), "{told}");
        let verdicts = verdicts(&project);
        assert_eq!(verdicts.len(), 24);
        for (score, votes) in &verdicts {
            assert_eq!(
                votes.iter().map(|vote| vote["model"].as_str().expect("a name")).collect::<Vec<_>>(),
                ["openai/a", "openai/b", &format!("openai/{third}")]
            );
            let of = |vote: &Value| vote["score"].as_u64().expect("a score");
            assert_eq!(*score, json!((of(&votes[0]) + of(&votes[1])).div_ceil(2)), "{votes:?}");
            assert!(votes[2]["score"].is_null() && votes[2]["answer_ok"].is_null(), "{votes:?}");
        }
        assert!(verdicts.iter().any(|(_, votes)| votes[0]["score"] != votes[1]["score"]), "they are two judges");
        expect_same(&project.outputs(), &made("3").0.outputs(), "three workers");
        if url == nowhere {
            let checked = Project::with(&config).run(&["run", "config.yaml"]);
            assert!(checked.stderr.contains("`--no-check` leaves this check out"), "{}", checked.stderr);
        }
        // Judged later, it is the same.
        let later = Project::with(&config.replace("mode: online", "mode: offline"));
        Ran::of(later.stamped(&[])).succeeded();
        let mut pass = later.command(&["judge", "config.yaml", "--no-check"]);
        let pass =
            Ran::from(pass.env("SOURCE_DATE_EPOCH", "1735689600").output().expect("the binary runs")).succeeded();
        assert!(said(&pass).contains(&missing), "{}", pass.stdout);
        expect_same(&project.outputs(), &later.outputs(), "judged later");
    }
}

#[test]
fn half_of_a_jury_is_none() {
    let endpoint = endpoint();
    let here = endpoint.base_url();
    let config = config(&here, &[("a", &here), (LOCKED, &here)], "mode: online");
    let project = Project::with(&config);
    let ran = project.run(&["run", "config.yaml"]);
    assert_ne!(ran.code, Some(0), "{}", ran.stdout);
    assert!(ran.stderr.contains("HTTP 401: no such key"), "{}", ran.stderr);
    // A run goes on with the judges that it began with, and says what is another one.
    let other = config.replace("model: a,", "model: b,").replace(LOCKED, "c");
    project.write("config.yaml", other.as_bytes());
    let ran = project.run(&["run", "config.yaml", "--resume", "r"]);
    assert!(ran.stderr.contains("llm.agents.judge.model") && ran.stderr.contains("a | locked"), "{}", ran.stderr);
    project.write("config.yaml", config.replace(LOCKED, "c").replace("  run_id: r\n", "  run_id: s\n").as_bytes());
    let ran = project.run(&["run", "config.yaml"]).succeeded();
    assert!(ran.stdout.contains("12 of 12 accepted"), "{}", ran.stdout);
}

#[test]
fn votes_on_whole_conversations_stand_with_them() {
    let endpoint = endpoint();
    let here = endpoint.base_url();
    let judges = [("a", here.as_str()), ("b", &here), ("c", &here)];
    let gate = "mode: online, granularity: conversation, jury: majority, accept: {min_score: 4, on_fail: drop}";
    let project = Project::with(&config(&here, &judges, gate));
    let ran = Ran::of(project.stamped(&[])).succeeded();
    let told = said(&ran);
    assert!(told.contains("12 of 12 accepted") && told.contains("judge_rejected"), "{told}");
    let documents = project.names("outputs/conversations");
    let mut rejected = 0;
    for name in &documents {
        let document: Value =
            serde_json::from_str(&project.read(&format!("outputs/conversations/{name}"))).expect("JSON");
        let votes = document["state"]["judgement"]["votes"].as_array().expect("votes");
        let scores = votes.iter().map(|vote| vote["verdict"]["score"].as_u64().expect("a score"));
        let is_accepted = scores.filter(|score| *score >= 4).count() >= 2;
        assert_eq!(document["state"]["judgement"]["acceptance"] == "accepted", is_accepted, "{votes:?}");
        rejected += usize::from(!is_accepted);
    }
    assert_eq!(documents.len(), 12 + rejected);
    assert!(rejected > 0);
}
