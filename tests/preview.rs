//! `dlgforge preview` and `dlgforge show`. Would catch: a preview that is not like the run or leaves something in the outputs, and
//! conversations that are shown otherwise than the files have them.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint};
use crate::support::{Project, asking, builtin, edited, expect_same, files, remote, turn};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

const RUN: &str = "  run_id: r\n  batch_size: 2\n  total_samples: 3\n  target_languages: [en, fr]\n  \
    turns: {mode: exact, exact: 2}";

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_preview_shows_conversations_and_leaves_the_outputs_as_they_are() {
    let project = Project::with(&builtin(RUN, ""));
    let alone = project.run(&["preview", "config.yaml", "-n", "2"]).succeeded();
    assert!(!project.path("outputs").exists() && !project.path("logs").exists(), "{}", alone.stderr);
    project.generate(&[]);
    let before = files(&project.path("outputs"));
    let shown = project.run(&["preview", "config.yaml", "-n", "3"]).succeeded().stdout;
    expect_same(&before, &files(&project.path("outputs")), "after a preview");
    // Three over two languages are two in each.
    assert_eq!(shown.matches(": completed\n").count(), 4, "{shown}");
    assert!(shown.contains(", in en\n") && shown.contains(", in fr\n"), "{shown}");
    assert!(shown.ends_with("nothing of it is kept (--save FOLDER keeps it)\n"), "{shown}");
    let wide: Vec<_> = shown.lines().filter(|line| line.width() > 80).collect();
    assert!(wide.is_empty() && !shown.contains('\u{1b}'), "{wide:?}");
    for part in
        ["  user\n", "  assistant\n", "  searched     ", "  passage 1    ", "⟦", " of 10; question sound, answer sound"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // The same seed makes the same, and that is what the run makes of an empty folder.
    let question =
        project.rows("outputs/turns.jsonl").swap_remove(0)["user_message"].as_str().expect("text").to_owned();
    assert!(words(&shown).contains(&words(&question)), "{question}: {shown}");
}

#[test]
fn languages_modes_and_seeds_are_those_that_are_asked_for() {
    let project = Project::with(&builtin(RUN, "coverage: {modes: {unanswerable: 0.3, underspecified: 0.2}}"));
    let previewed = |more: &[&str]| project.run(&[&["preview", "config.yaml", "-n", "2"], more].concat());
    let modes = |shown: &str| -> Vec<String> {
        let of = |line: &str| Some(line.strip_prefix("turn ")?.split(" · ").nth(1).unwrap_or_default().to_owned());
        shown.lines().filter_map(of).collect()
    };
    for (mode, expected) in [
        ("challenge", ["fresh", "challenge"]),
        ("unanswerable", ["unanswerable", "unanswerable"]),
        ("sharded", ["sharded", "sharded"]),
        ("underspecified", ["underspecified", "clarification"]),
    ] {
        let shown = previewed(&["--mode", mode, "--language", "de"]).succeeded().stdout;
        assert_eq!(modes(&shown), [expected, expected].concat(), "{mode}");
        assert!(shown.contains(", in de\n") && !shown.contains(", in en\n"), "{shown}");
    }
    let [first, again, other] =
        ["3", "3", "4"].map(|seed| previewed(&["--seed", seed, "--language", "en"]).succeeded());
    let said =
        |shown: &str| shown.lines().filter(|line| line.starts_with("    ")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(said(&first.stdout), said(&again.stdout));
    assert_ne!(said(&first.stdout), said(&other.stdout));
    assert!(first.stdout.contains("preview (seed 3): 2 conversations, "), "{}", first.stdout);
    assert_eq!(previewed(&["--mode", "seeded"]).code, Some(2));
    previewed(&["--mode", "challenge", "--set", "run.turns.exact=1"])
        .failed_as("preview", &["`coverage.modes.challenge` needs conversations of two turns"]);
}

#[test]
fn a_preview_can_be_kept_and_shown_again() {
    let project = Project::with(&builtin(RUN, ""));
    let shown = project.run(&["preview", "config.yaml", "-n", "2", "--save", "tried"]).succeeded().stdout;
    assert!(shown.ends_with("kept in tried\n"), "{shown}");
    let again = project.run(&["show", "last", "tried"]).succeeded().stdout;
    assert!(shown.contains(&again), "{again}\nis not in\n{shown}");
    assert!(project.path("tried/logs/run.log").is_file() && !project.path("outputs").exists());
    project
        .run(&["preview", "config.yaml", "--save", "tried"])
        .failed_as("preview", &["--save: tried: the folder is not empty; name another one"]);
}

#[test]
fn rejected_attempts_are_shown_with_their_reasons_and_what_calls_cost() {
    // Every third question is the same, and the first verdict on a second turn can't be read.
    let endpoint = Endpoint::start(Behaviour::new(|request, number| {
        let asked = asking(reply(request, Latency::NONE), || (number % 3 == 0).then(|| "Who is there?".to_owned()));
        let is_first =
            request.to_string().contains("question_ok") && request["messages"].as_array().map_or(0, Vec::len) == 2;
        if is_first && turn(request) == 2 { edited(asked, |message| message["content"] = json!("Hm.")) } else { asked }
    }));
    let config = remote(&endpoint.base_url(), RUN, "coverage: {question_dedup_retries: 9}");
    let project = Project::with(&config.replace("llm:\n", "llm:\n  prices: prices.yaml\n"));
    project.write(
        "prices.yaml",
        b"version: mine\nusd_per_million_tokens: {openai/test-model: {input: 1000, output: 5000}}\n",
    );
    let shown = project.run(&["preview", "config.yaml", "-n", "6"]).succeeded().stdout;
    for part in [
        "  rejected     a duplicate: Who is there?\n",
        "asked again  1 times for the verdict: a reply could not be used",
        "  not usable   Hm.\n",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let costs: Vec<f64> = shown
        .lines()
        .filter_map(|line| line.strip_prefix("  calls ")?.rsplit_once(", ")?.1.strip_suffix(" USD")?.parse().ok())
        .collect();
    let all =
        shown.lines().find_map(|line| line.split_once("tokens, cost ")?.1.strip_suffix(" USD")?.parse::<f64>().ok());
    let all = all.expect("a cost");
    assert!(costs.len() == 6 && all > 0.0 && (costs.iter().sum::<f64>() - all).abs() < 0.001, "{costs:?} {all}");
    // What can't be used at all is shown with what is wrong about it.
    let vague = Endpoint::start(Behaviour::new(|request, _| {
        edited(reply(request, Latency::NONE), |message| {
            if turn(request) >= 2 {
                message["content"] = json!("{\"user_message\": 7}");
            }
        })
    }));
    let project = Project::with(&remote(&vague.base_url(), RUN, ""));
    let ran = project.run(&["preview", "config.yaml", "-n", "2"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let shown = &ran.stdout;
    assert_eq!(shown.matches(": dropped\n").count(), 2, "{shown}");
    let turn = shown.split_once("\nturn 2 · never finished\n").expect("a second turn").1;
    assert!(turn.contains("  not usable   {\"user_message\": 7}\n"), "{turn}");
    assert!(words(shown).contains("dropped for unusable_reply: user model: unusable reply: "), "{shown}");
    let refused = Endpoint::start(Behaviour::status(401, &[]));
    let project = Project::with(&remote(&refused.base_url(), RUN, ""));
    project.run(&["preview", "config.yaml"]).failed_as("preview", &["HTTP 401"]);
}

#[test]
fn what_is_shown_is_what_the_files_have() {
    let more = "saving: {files: [conversations_sharegpt_judged, turns, coverage_ledger, parquet, conversations]}";
    let project = Project::with(&builtin(RUN, more));
    project.run(&["show", "last"]).failed_as("show", &["there is no outputs; name the output folder"]);
    project.generate(&[]);
    let json = |arguments: &[&str]| -> Value {
        let ran = project.run(&[&["show"], arguments, &["--json"]].concat()).succeeded();
        serde_json::from_str(&ran.stdout).expect("JSON")
    };
    let last = json(&["last"]);
    assert_eq!(last["conversation_id"], "r-fr-0002");
    let known: Vec<Value> = project
        .rows("outputs/conversations_sharegpt_judged.jsonl")
        .iter()
        .map(|row| row["metadata"]["conversation_id"].clone())
        .collect();
    assert!(known.contains(&json(&["random"])["conversation_id"]));
    assert_eq!(json(&["fr/2"]), last);
    project.run(&["show", "r-fr-9999"]).failed_as("show", &["no conversation `r-fr-9999`"]);
    // Rows tell what was said and judged where there are no documents, in Parquet, in training files, in an export.
    let said = |told: &Value| -> Vec<Value> {
        let turns = told["turns"].as_array().expect("turns").iter();
        turns
            .map(|turn| {
                json!([turn["question_mode"], turn["question"], turn["answer"], turn["judge"], turn["searches"]])
            })
            .collect()
    };
    project.run(&["export", "--format", "parquet", "--to", "exported"]).succeeded();
    let export = project.names("exported").into_iter().find(|name| !name.starts_with('.')).expect("a folder");
    let of_export = json(&["r-fr-0002", &format!("exported/{export}")]);
    std::fs::remove_dir_all(project.path("outputs/store")).expect("the store");
    std::fs::remove_dir_all(project.path("outputs/conversations")).expect("documents");
    let of_parquet = json(&["r-fr-0002"]);
    std::fs::remove_dir_all(project.path("outputs/parquet")).expect("tables");
    let of_rows = json(&["r-fr-0002"]);
    for told in [&of_export, &of_parquet, &of_rows] {
        assert_eq!((said(told), &told["user_persona"]), (said(&last), &last["user_persona"]));
    }
    assert!(json(&["last"])["turns"].is_array() && known.contains(&json(&["random"])["conversation_id"]));
    project.run(&["show", "r-fr-9999"]).failed_as("show", &["outputs has no conversation `r-fr-9999`"]);
}

#[test]
fn a_dropped_conversation_says_why_without_documents_too() {
    let more = "saving: {files: [conversations_sharegpt_judged, coverage_ledger, parquet, dropped]}";
    let config = builtin(RUN, more).replace("mode: online", "mode: online, accept: {min_score: 8, on_fail: drop}");
    let project = Project::with(&config);
    project.generate(&[]);
    let row = project.rows("outputs/dropped.jsonl").swap_remove(0);
    let id = row["metadata"]["conversation_id"].as_str().expect("an id");
    let text = project.run(&["show", id]).succeeded().stdout;
    assert!(text.starts_with(&format!("conversation {id}: dropped\n")), "{text}");
    assert!(
        words(&text).contains("dropped for judge_rejected: the judge's verdict does not meet judge.accept"),
        "{text}"
    );
    assert!(text.contains("\nturn 1 · ") && text.contains("  calls        "), "{text}");
}
