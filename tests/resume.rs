//! Runs that stop and go on, runs that take over replies, and what is told of them.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint};
use crate::support::{Project, Ran, builtin, expect_same, remote, shipped, signal};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const RUN: &str = "  run_id: r\n  batch_size: 4\n  total_samples: 12\n  target_languages: [en, fr]\n  \
    turns: {mode: exact, exact: 2}";

fn dialogue(median_ms: f64) -> Endpoint {
    Endpoint::start(Behaviour::dialogue(Latency { median_ms, sigma: 0.3, seed: 1 }))
}

/// A project whose run was killed after so many requests.
fn killed(endpoint: &Endpoint, run: &str, more: &str, requests: u64) -> Project {
    let project = Project::with(&remote(&endpoint.base_url(), run, more));
    let before = endpoint.requests();
    let mut command = project.command(&["run", "config.yaml"]);
    let child = command.env("SOURCE_DATE_EPOCH", "1735689600").stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.expect("the binary runs");
    let started = Instant::now();
    while endpoint.requests() - before < requests {
        assert!(started.elapsed() < Duration::from_secs(60), "the run asks");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("a kill");
    child.wait().expect("it ends");
    project
}

fn resumed(project: &Project, arguments: &[&str]) -> Ran {
    let mut command = project.command(&[&["run", "config.yaml"], arguments].concat());
    Ran::from(command.env("SOURCE_DATE_EPOCH", "1735689600").output().expect("the binary runs"))
}

fn succeeded(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn it_goes_on_by_the_flag_with_or_without_an_id_or_by_the_key() {
    let endpoint = dialogue(3.0);
    let whole = Project::with(&remote(&endpoint.base_url(), RUN, ""));
    succeeded(&resumed(&whole, &[]));
    let asked = endpoint.requests();
    for how in [&["--resume"][..], &["--resume", "r"], &["--set", "run.resume_run_id=r"]] {
        let before = endpoint.requests();
        let project = killed(&endpoint, RUN, "", 60);
        let ran = resumed(&project, how);
        succeeded(&ran);
        assert!(ran.stdout.contains("run r complete") && ran.stdout.contains("24 of 24 accepted"), "{}", ran.stdout);
        expect_same(&whole.outputs(), &project.outputs(), &format!("{how:?}"));
        let excess = endpoint.requests() - before - asked;
        assert!(excess <= 8, "{excess} more than an undisturbed run");
    }
}

#[test]
fn messages_that_need_their_history_are_the_same_after_a_kill() {
    let endpoint = dialogue(3.0);
    let run = format!("{}\n  lookahead: 1", RUN.replace("exact: 2", "exact: 4"));
    let more =
        "coverage: {modes: {sharded: 0.25, underspecified: 0.1, nonstandalone: 0.2, correction: 0.1, challenge: 0.1}}";
    let whole = Project::with(&remote(&endpoint.base_url(), &run, more));
    succeeded(&resumed(&whole, &[]));
    for requests in [60, 150] {
        let project = killed(&endpoint, &run, more, requests);
        succeeded(&resumed(&project, &["--resume"]));
        expect_same(&whole.outputs(), &project.outputs(), &format!("killed after {requests} requests"));
    }
}

#[test]
fn a_finished_run_has_nothing_to_do_and_stays_as_it_is() {
    let project = Project::with(&builtin(RUN, ""));
    succeeded(&resumed(&project, &[]));
    let (outputs, before) = (project.outputs(), fs::read(project.path("outputs/store/runs.sqlite")).expect("a store"));
    // A process that is killed when it has just recorded the end leaves what it no longer needs.
    project.write("outputs/run_state/.r.slots", b"{}\n");
    let ran = resumed(&project, &["--resume"]);
    succeeded(&ran);
    assert_eq!(ran.stdout, "run r is complete: nothing to do\n");
    expect_same(&outputs, &project.outputs(), "resumed");
    assert!(before == fs::read(project.path("outputs/store/runs.sqlite")).expect("a store"));
}

#[test]
fn a_finished_run_whose_outputs_were_altered_says_so() {
    type Alter = fn(&Path);
    let remove: Alter = |path| fs::remove_file(path).expect("it goes");
    let halve: Alter = |path| {
        let content = fs::read(path).expect("a file");
        fs::write(path, &content[..content.len() / 2]).expect("a file");
    };
    let flip: Alter = |path| {
        let mut content = fs::read(path).expect("a file");
        let last = content.len() - 2;
        content[last] ^= 1;
        fs::write(path, content).expect("a file");
    };
    let whole = Project::with(&builtin(RUN, ""));
    succeeded(&resumed(&whole, &[]));
    for (name, alter) in [
        ("turns.jsonl", remove),
        ("conversations_sharegpt.jsonl", halve),
        ("coverage_ledger.jsonl", flip),
        ("conversations/r-en-0002.json", remove),
        ("conversations/r-en-0003.json", halve),
        ("parquet/turns/r-00000.parquet", flip),
        ("run_state/r.json", remove),
    ] {
        let path = whole.path(&format!("outputs/{name}"));
        let before = fs::read(&path).expect(name);
        alter(&path);
        let ran = resumed(&whole, &["--resume"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{name}");
        assert!(ran.stderr.contains(&format!("outputs/{name}: it ")), "{name}: {}", ran.stderr);
        fs::write(&path, before).expect(name);
    }
    assert_eq!(resumed(&whole, &["--resume"]).stdout, "run r is complete: nothing to do\n");
    // The state of a run that is complete, in the folder of one that is not.
    let endpoint = dialogue(3.0);
    let half = killed(&endpoint, RUN, "", 60);
    let project = killed(&endpoint, RUN, "", 60);
    succeeded(&resumed(&project, &["--resume"]));
    for name in ["runs.sqlite", "runs.sqlite-wal", "runs.sqlite-shm"] {
        _ = fs::remove_file(half.path(&format!("outputs/store/{name}")));
    }
    fs::copy(project.path("outputs/store/runs.sqlite"), half.path("outputs/store/runs.sqlite")).expect("a copy");
    let ran = resumed(&half, &["--resume"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("it is not the file of"), "{}", ran.stderr);
}

#[test]
fn a_run_that_would_use_the_ids_of_another_is_refused() {
    let project = Project::with(&builtin("  run_id: exp\n  total_samples: 2\n  target_languages: [en, fr]", ""));
    project.generate(&[]);
    let before = project.outputs();
    let ran = resumed(&project, &["--set", "run.run_id=exp-en", "--set", "run.target_languages=[en]"]);
    assert_eq!(ran.code, Some(1));
    let expected =
        "conversations of `exp-en` would have the ids of those of run `exp` in this folder (exp-en-0000 and on)";
    assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    expect_same(&before, &project.outputs(), "refused");
    succeeded(&resumed(&project, &["--set", "run.run_id=exp-2", "--set", "run.target_languages=[en]"]));
}

#[test]
fn a_state_of_runs_that_was_cut_is_an_error_and_nothing_is_made() {
    let project = Project::with(&builtin(RUN, ""));
    project.generate(&[]);
    let (before, path) = (project.outputs(), project.path("outputs/store/runs.sqlite"));
    let whole = fs::read(&path).expect("a store");
    for gone in [512, 4096] {
        fs::write(&path, &whole[..whole.len() - gone]).expect("a store");
        for arguments in [&["--resume"][..], &["--set", "run.run_id=s"], &["--resume", "--dry-run"]] {
            let ran = resumed(&project, arguments);
            assert!(ran.code == Some(1) && ran.stderr.contains("store/runs.sqlite: "), "{arguments:?}: {}", ran.stderr);
        }
        let told = project.run(&["status"]);
        assert!(told.code == Some(1) && told.stderr.contains("store/runs.sqlite: "), "{}", told.stderr);
        expect_same(&before, &project.outputs(), "cut");
    }
}

#[test]
fn only_what_can_not_alter_the_data_may_change() {
    let (endpoint, moved) = (dialogue(3.0), dialogue(0.0));
    let project = killed(&endpoint, RUN, "", 60);
    for (set, expected) in [
        ("run.batch_size=3", "dlgforge run failed: Batch size mismatch for resume: requested=3, state=4.\n"),
        ("run.seed=6", "run.seed (was 5, is 6)"),
        ("run.total_samples=13", "run.total_samples (was 12, is 13)"),
        ("llm.agents.judge.temperature=0.5", "llm.agents.judge.temperature (was empty, is 0.5)"),
        ("llm.agents.user.model=other", "llm.agents.user.model (was test-model, is other)"),
        ("judge.granularity=conversation", "judge.granularity (was turn, is conversation)"),
    ] {
        let ran = resumed(&project, &["--resume", "--set", set]);
        assert_eq!(ran.code, Some(1), "{set}");
        assert!(ran.stderr.contains(expected), "{set}: {}", ran.stderr);
    }
    let bicycles = project.path("knowledge/en/bicycle-maintenance.md");
    let text = fs::read_to_string(&bicycles).expect("a document");
    fs::write(&bicycles, format!("{text}\nOil the chain.\n")).expect("a document");
    project.write("mine/ask.user.j2", &fs::read(shipped("config/prompts/ask.user.j2")).expect("a prompt"));
    project.write("mine/ask.system.j2", b"Ask.");
    project.write("knowledge/new.md", b"Something new.");
    let ran = resumed(&project, &["--resume", "--set", "prompts.path=mine"]);
    let changed = "changed: knowledge/en/bicycle-maintenance.md (changed); knowledge/new.md (new); prompts/ask.system.j2 \
                   (changed); change it back";
    assert!(ran.stderr.contains(changed), "{}", ran.stderr);
    fs::write(&bicycles, text).expect("a document");
    fs::remove_file(project.path("knowledge/new.md")).expect("a document");
    let [base_url, requests] = [moved.base_url(), moved.requests().to_string()];
    let bases = ["user", "assistant", "judge"].map(|role| format!("llm.agents.{role}.base_url={base_url}"));
    let sets = bases.iter().flat_map(|base| ["--set", base]).chain(["--set", "llm.agents.user.timeout=7"]);
    let sets: Vec<_> = ["--resume", "--workers", "2"].into_iter().chain(sets).collect();
    succeeded(&resumed(&project, &sets));
    assert_eq!((requests.as_str(), moved.requests() > 0), ("0", true));
}

#[test]
fn concurrency_decides_how_fast_a_run_is_and_not_what_it_makes() {
    const WAVES: &str = "  run_id: r\n  batch_size: 8\n  total_samples: 20\n  turns: {mode: exact, exact: 2}";
    let [two, eight, many] = [2, 8, 40].map(|seats| format!("{WAVES}\n  concurrency: {seats}"));
    let endpoint = dialogue(5.0);
    let narrow = Project::with(&remote(&endpoint.base_url(), &two, ""));
    succeeded(&resumed(&narrow, &[]));
    assert_eq!(endpoint.max_in_flight(), 2, "as many as are wanted, and never more");
    for run in [WAVES, &eight, &many] {
        let wide = Project::with(&remote(&endpoint.base_url(), run, ""));
        succeeded(&resumed(&wide, &[]));
        expect_same(&narrow.outputs(), &wide.outputs(), run);
    }
    assert!(endpoint.max_in_flight() > 8, "more than a wave: {}", endpoint.max_in_flight());
    for (begun, set) in [(&two, "run.concurrency=8"), (&eight, "run.concurrency=2"), (&two, "run.concurrency=null")] {
        let project = killed(&endpoint, begun, "", 60);
        succeeded(&resumed(&project, &["--resume", "--set", set]));
        expect_same(&narrow.outputs(), &project.outputs(), set);
    }
}

#[test]
fn runs_that_are_not_there_or_files_that_have_changed_are_named() {
    let project = Project::with(&builtin(RUN, ""));
    let ran = resumed(&project, &["--resume"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("find a run to go on with: the output folder has none"), "{}", ran.stderr);
    let endpoint = dialogue(3.0);
    let project = killed(&endpoint, RUN, "", 150);
    let ran = resumed(&project, &["--resume", "other", "--set", "run.run_id="]);
    assert!(ran.stderr.contains("find run \"other\": the store has only r"), "{}", ran.stderr);
    let ran = resumed(&project, &[]);
    assert!(ran.stderr.contains("`run.run_id` \"r\"") && ran.stderr.contains("--resume r"), "{}", ran.stderr);
    // Half of a run, orderly stopped by a signal: its files tell of what is settled.
    let project = Project::with(&remote(&endpoint.base_url(), &RUN.replace("12", "200"), ""));
    let mut child = project.command(&["run", "config.yaml"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn();
    let child = child.as_mut().expect("the binary runs");
    let turns = project.path("outputs/turns.jsonl");
    let started = Instant::now();
    while fs::metadata(&turns).map_or(0, |file| file.len()) == 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "something is settled");
        std::thread::sleep(Duration::from_millis(5));
    }
    signal(child, "-TERM");
    assert_eq!(child.wait().expect("it ends").code(), Some(143));
    let document = project.path(&format!("outputs/conversations/{}", project.names("outputs/conversations")[0]));
    for path in [turns, document] {
        let content = fs::read(&path).expect("a file");
        fs::write(&path, &content[..content.len() - 1]).expect("a file");
        let ran = resumed(&project, &["--resume"]);
        assert_eq!(ran.code, Some(1));
        assert!(ran.stderr.contains(&format!("go on with {}: it has ", path.display())), "{}", ran.stderr);
        fs::remove_file(&path).expect("a file");
        let ran = resumed(&project, &["--resume"]);
        assert!(ran.stderr.contains(&format!("go on with {}: it is missing", path.display())), "{}", ran.stderr);
        fs::write(&path, content).expect("a file");
    }
    succeeded(&resumed(&project, &["--resume"]));
}

#[test]
fn a_folder_is_used_by_one_run_at_a_time_and_a_dead_one_holds_nothing() {
    let endpoint = dialogue(300.0);
    let project = Project::with(&remote(&endpoint.base_url(), RUN, ""));
    let mut child = project.command(&["run", "config.yaml"]).stderr(Stdio::null()).spawn().expect("the binary runs");
    while endpoint.requests() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let ran = resumed(&project, &["--set", "run.run_id=other"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("another run is writing there"), "{}", ran.stderr);
    let running = |count: usize| format!("run r: running, {count} of 24 conversations settled\n");
    let (began, mut told) = (Instant::now(), running(0));
    while told.starts_with(&running(0)) {
        assert!(began.elapsed() < Duration::from_secs(60), "something is settled");
        told = project.run(&["status"]).stdout;
    }
    assert!((1..24).any(|count| told.starts_with(&running(count))), "{told}");
    child.kill().expect("a kill");
    child.wait().expect("it ends");
    let told = project.run(&["status"]).stdout;
    assert!(
        told.contains("run r: cut off, its process is gone\n") && told.contains("dlgforge run config.yaml --resume r"),
        "{told}"
    );
    succeeded(&resumed(&project, &["--set", "run.run_id=other", "--set", "run.total_samples=1"]));
}

#[test]
fn another_run_takes_over_the_replies_that_still_fit() {
    let endpoint = dialogue(0.0);
    let project = Project::with(&remote(&endpoint.base_url(), RUN, ""));
    succeeded(&resumed(&project, &[]));
    let first = project.rows("outputs/turns.jsonl");
    let asked = endpoint.requests();
    assert_eq!(asked, 2 * 12 * 2 * 4, "a question, two calls for an answer, a verdict");
    let again = ["--set", "run.run_id=s", "--set", "run.reuse_from=r", "--set", "llm.agents.judge.temperature=0.5"];
    let dry = resumed(&project, &[&again[..], &["--dry-run"]].concat());
    succeeded(&dry);
    assert!(
        dry.stdout.starts_with("a new run would make at least 48 calls; the journal has 144 replies"),
        "{}",
        dry.stdout
    );
    assert!(dry.stdout.contains("verdicts       48 to ask for, 0 in the journal"), "{}", dry.stdout);
    assert_eq!(endpoint.requests(), asked, "a dry run asks nobody");
    assert!(!project.path("outputs/run_state/s.json").exists(), "nor does it write");
    succeeded(&resumed(&project, &again));
    assert_eq!(endpoint.requests() - asked, 48);
    let rows = project.rows("outputs/turns.jsonl");
    let said = |row: &serde_json::Value| (row["user_message"].clone(), row["assistant_message"].clone());
    assert_eq!(rows.len(), 2 * first.len());
    assert!(rows[first.len()..].iter().map(said).eq(first.iter().map(said)), "the same questions and answers");
    let ran = resumed(&project, &["--set", "run.run_id=t", "--set", "run.reuse_from=nowhere"]);
    assert!(ran.stderr.contains("find run \"nowhere\": the store has only r, s"), "{}", ran.stderr);
}

#[test]
fn a_dry_run_counts_what_a_resumed_run_asks_for() {
    let endpoint = Endpoint::start(Behaviour::new(|request, _| {
        // No tools, so that every word takes one call.
        let mut request = request.clone();
        request.as_object_mut().expect("an object").remove("tools");
        reply(&request, Latency { median_ms: 3.0, sigma: 0.3, seed: 1 })
    }));
    let project = killed(&endpoint, RUN, "", 80);
    let dry = resumed(&project, &["--resume", "--dry-run"]);
    succeeded(&dry);
    let count: u64 = dry.stdout.split_whitespace().nth(6).and_then(|count| count.parse().ok()).expect("a number");
    let before = endpoint.requests();
    succeeded(&resumed(&project, &["--resume"]));
    assert_eq!(endpoint.requests() - before, count, "{}", dry.stdout);
}

#[test]
fn a_resumed_run_tells_of_all_its_turns() {
    let endpoint = dialogue(3.0);
    let turns = |ran: &Ran| {
        let told = ["turns ", "judge "];
        let lines = ran.stdout.lines().filter(|line| told.iter().any(|word| line.trim_start().starts_with(word)));
        let told: Vec<String> = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(told.len(), 2, "{}", ran.stdout);
        told
    };
    let whole = turns(&resumed(&Project::with(&remote(&endpoint.base_url(), RUN, "")), &[]));
    let project = killed(&endpoint, RUN, "", 110);
    let ran = resumed(&project, &["--resume"]);
    succeeded(&ran);
    assert_eq!(turns(&ran), whole, "{}", ran.stdout);
    // Also where nothing was left to do in this process but to find out.
    let more = resumed(&project, &["--resume"]);
    assert_eq!(more.code, Some(0), "{}", more.stderr);
}

#[test]
fn an_output_that_can_not_be_written_stops_the_run_and_leaves_nothing_behind() {
    let endpoint = dialogue(0.0);
    let whole = Project::with(&remote(&endpoint.base_url(), RUN, ""));
    succeeded(&resumed(&whole, &[]));
    let project = Project::with(&remote(&endpoint.base_url(), RUN, ""));
    let obstacle = project.path("outputs/conversations/r-fr-0006.json");
    fs::create_dir_all(obstacle.join("in the way")).expect("a folder");
    let ran = resumed(&project, &[]);
    assert_eq!(ran.code, Some(1));
    let last = ran.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("r-fr-0006.json") && last.contains("dlgforge run config.yaml --resume r"), "{}", ran.stderr);
    assert!(project.run(&["status"]).stdout.starts_with("run r: failed\n"));
    // Another run in between appends to what was admitted, and to nothing else; it asks other questions.
    let other = ["run.run_id=s", "run.total_samples=1", "run.seed=6"].map(|set| ["--set", set]).concat();
    succeeded(&resumed(&project, &other));
    let ids: Vec<_> = project.rows("outputs/conversations_index.jsonl");
    let position = ids.iter().position(|row| row["conversation_id"] == "s-en-0000").expect("the other run");
    assert_eq!(ids.len(), position + 2);
    fs::remove_dir_all(&obstacle).expect("it goes");
    succeeded(&resumed(&project, &["--resume", "r"]));
    for name in ["conversations/r-en-0000.json", "run_state/r.json"] {
        assert_eq!(project.outputs()[name], whole.outputs()[name], "{name}");
    }
    assert_eq!(project.rows("outputs/conversations_index.jsonl").len(), 24 + 2);
}

#[test]
fn a_ledger_that_was_edited_under_a_later_run_is_named() {
    let endpoint = dialogue(3.0);
    let project = killed(&endpoint, &RUN.replace("12", "60"), "", 900);
    let ledger = project.path("outputs/coverage_ledger.jsonl");
    succeeded(&resumed(&project, &["--set", "run.run_id=s", "--set", "run.total_samples=1"]));
    let text = fs::read_to_string(&ledger).expect("a ledger");
    fs::write(&ledger, text.split_once('\n').expect("lines").1).expect("a ledger");
    succeeded(&resumed(&project, &["--set", "run.run_id=t", "--set", "run.total_samples=1"]));
    let ran = resumed(&project, &["--resume", "r", "--set", "run.total_samples=60"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("coverage_ledger.jsonl: it does not tell of what the run has settled"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_dry_run_counts_replies_that_can_not_be_read_as_those_to_ask_for() {
    let endpoint = dialogue(3.0);
    let project = killed(&endpoint, RUN, "", 60);
    let journal = rusqlite::Connection::open(project.path("outputs/store/journal.sqlite")).expect("a journal");
    journal.execute("UPDATE replies SET body = x'00'", []).expect("an update");
    drop(journal);
    let ran = resumed(&project, &["--resume", "--dry-run"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains(" 0 in the journal"), "{}", ran.stdout);
}

#[test]
fn settled_replies_go_when_they_are_not_to_be_kept() {
    for (keep, expected) in [("true", 144), ("false", 0)] {
        let project = Project::with(&builtin(RUN, &format!("store: {{keep_calls: {keep}}}")));
        succeeded(&resumed(&project, &[]));
        assert_eq!(project.journalled().len(), expected, "{keep}");
        let told = project.run(&["status", "outputs"]).stdout;
        assert!(told.contains("calls          144 answered"), "{told}");
    }
}

#[test]
fn status_tells_of_every_run_and_how_to_go_on() {
    let project = Project::empty();
    let ran = project.run(&["status"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.starts_with("dlgforge status failed: there is no folder outputs"), "{}", ran.stderr);
    let endpoint = dialogue(3.0);
    let project = killed(&endpoint, RUN, "", 60);
    succeeded(&resumed(&project, &["--set", "run.run_id=s", "--set", "run.total_samples=1"]));
    let told = project.run(&["status"]).stdout;
    let (first, second) = told.split_once("run s: completed").expect("two runs");
    assert!(first.starts_with("run r: interrupted\n") && first.contains("--resume r"), "{told}");
    assert!(second.contains("1 of 1 accepted") && !second.contains("--resume"), "{told}");
    assert!(second.contains("calls          16 answered") && second.contains("openai/test-model: 8 calls"), "{told}");
    assert!(second.contains("cost           unknown"), "a model without a price: {told}");
    // The first one goes on beside what the second one has written.
    succeeded(&resumed(&project, &["--resume", "r"]));
    let told = project.run(&["status"]).stdout;
    assert!(told.contains("run r: completed"), "{told}");
    assert_eq!(project.rows("outputs/conversations_index.jsonl").len(), 24 + 2);
}

#[test]
fn cost_is_counted_with_the_prices_that_are_set() {
    let endpoint = dialogue(0.0);
    let project = Project::with(&remote(&endpoint.base_url(), RUN, ""));
    project.write("mine.yaml", b"version: today\nusd_per_million_tokens: {test-model: {input: 1000000, output: 0}}\n");
    succeeded(&resumed(&project, &["--set", "llm.prices=mine.yaml"]));
    let told = project.run(&["status"]).stdout;
    let read =
        told.split_once("tokens         ").and_then(|(_, rest)| rest.split_once(" tokens read")).expect("tokens").0;
    assert!(told.contains(&format!("cost           {read}.0000 USD\n")), "a USD for each token read: {told}");
    let project = Project::with(&builtin(RUN, ""));
    succeeded(&resumed(&project, &[]));
    assert!(project.run(&["status"]).stdout.contains("cost           0.0000 USD\n"));
}
