//! `dlgforge push`, and the push after a run: a whole program against a Hub that checks what it gets.

use crate::support::hub::{Behaviour, Came, Fault, Hub, TOKEN};
use crate::support::{Project, Ran, builtin, files, signal};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A run of two conversations in Arabic and two in French, with this in `saving.hf_push`.
fn project(hf_push: &str) -> Project {
    let run = "  run_id: R\n  total_samples: 2\n  target_languages: [ar, fr]\n  turns: {mode: exact, exact: 1}";
    Project::with(&builtin(run, &format!("saving: {{hf_push: {{repo_id: me/d, {hf_push}}}}}")))
}

fn command(project: &Project, hub: &Hub, arguments: &[&str]) -> Command {
    let mut command = project.command(arguments);
    command.env("HF_ENDPOINT", hub.root()).env("HF_TOKEN", TOKEN);
    command
}

fn push(project: &Project, hub: &Hub, arguments: &[&str]) -> Ran {
    Ran::of(command(project, hub, &[&["push", "config.yaml"], arguments].concat()))
}

/// Demands that a repository has what the export folder has.
fn expect_exported(project: &Project, hub: &Hub, name: &str) {
    let mut exported = files(&project.path("outputs/hf_export"));
    exported.retain(|path, _| !path.starts_with('.'));
    let mut found = hub.repo(name).files;
    found.remove(".gitattributes");
    assert!(exported == found, "{:?} became {:?}", exported.keys(), found.keys());
    assert!(!found.is_empty());
    hub.expect_proper();
}

/// Demands that the token stands nowhere but where it belongs.
fn expect_secret(project: &Project, ran: &Ran) {
    assert!(!ran.stdout.contains(TOKEN) && !ran.stderr.contains(TOKEN), "{}{}", ran.stdout, ran.stderr);
    for (path, content) in files(&project.path("")) {
        assert!(!content.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes()), "{path}");
    }
}

#[test]
fn a_run_is_exported_and_pushed_and_the_next_push_sends_nothing() {
    let (project, hub) = (project("private: false"), Hub::start(Behaviour::default()));
    project.generate(&[]);
    let ran = push(&project, &hub, &["--include-run-state", "--commit-message", "رسالة"]).succeeded();
    assert!(ran.stdout.contains(&format!("pushed     {}/datasets/me/d\n", hub.root())), "{}", ran.stdout);
    expect_exported(&project, &hub, "datasets/me/d");
    let repo = hub.repo("datasets/me/d");
    assert!(repo.files.contains_key("run_state/R.json") && !repo.is_private);
    assert_eq!(repo.commits.last().map(|(_, message)| message.as_str()), Some("رسالة"));
    expect_secret(&project, &ran);

    let again = push(&project, &hub, &["--include-run-state"]).succeeded();
    assert!(again.stdout.contains(" 0 were new or changed (0 bytes sent)"), "{}", again.stdout);
    // What was pushed and is not exported any more stays unless it is told to go.
    push(&project, &hub, &[]).succeeded();
    assert!(hub.repo("datasets/me/d").files.contains_key("run_state/R.json"));
    push(&project, &hub, &["--clean-remote"]).succeeded();
    expect_exported(&project, &hub, "datasets/me/d");
}

#[test]
fn an_export_and_a_push_can_be_made_apart() {
    let (project, hub) = (project(""), Hub::start(Behaviour::default()));
    project.generate(&[]);
    // Neither a repository nor a token is needed for an export.
    project.run(&["push", "config.yaml", "--no-push", "--set", "saving.hf_push.repo_id="]).succeeded();
    assert!(hub.came("").is_empty());
    let as_space = ["--no-export", "--repo-type", "space", "--repo-id", "me/s"];
    push(&project, &hub, &as_space).succeeded();
    expect_exported(&project, &hub, "spaces/me/s");
    assert!(hub.repo("spaces/me/s").is_private);
}

#[test]
fn folders_of_the_command_line_start_where_it_is_typed() {
    let (project, hub) = (project(""), Hub::start(Behaviour::default()));
    project.generate(&[]);
    std::fs::rename(project.path("outputs"), project.path("elsewhere")).expect("a move");
    push(&project, &hub, &["--source-dir", "elsewhere", "--export-dir", "deep/export"]).succeeded();
    let exported = files(&project.path("deep/export"));
    assert_eq!(hub.repo("datasets/me/d").files.len(), exported.len(), "the marker stays, .gitattributes is there");
}

#[test]
fn what_is_wrong_is_told_before_anything_is_sent() {
    let (project, hub) = (project(""), Hub::start(Behaviour::default()));
    let fails = |arguments: &[&str], reason: &str| drop(push(&project, &hub, arguments).failed_as("push", &[reason]));
    fails(
        &[],
        &format!(
            "Source directory not found: {}",
            project.path("outputs").canonicalize().unwrap_or(project.path("outputs")).display()
        ),
    );
    project.write("outputs/notes.txt", b"x");
    fails(&[], "conversations_sharegpt_judged.jsonl not found in ");
    fails(&["--set", "saving.hf_push.source_file=turns.jsonl"], "turns.jsonl not found in ");
    project.generate(&[]);
    fails(&["--set", "saving.hf_push.repo_id="], "HF repo_id is required. ");
    fails(&["--repo-id", "me"], "`me` is no repository of the Hub");
    let no_token = project.command(&["push", "config.yaml"]);
    Ran::of(no_token)
        .failed_as("push", &["HF token not found. Pass --token, or set HF_TOKEN or HUGGINGFACE_HUB_TOKEN"]);
    project.write("outputs/hf_export/thesis.tex", b"mine");
    fails(&[], "thesis.tex is of no export of dlgforge, so the folder is left as it is");
    assert_eq!(project.read("outputs/hf_export/thesis.tex"), "mine");
    assert!(hub.came("").is_empty());
    let wrong = push(&project, &hub, &["--export-dir", "export", "--token", "hf_wrong"]);
    let wrong = wrong.failed_as("push", &["the Hub says 401: Invalid username or password.; look at the token"]);
    assert!(!wrong.stderr.contains("hf_wrong"), "{}", wrong.stderr);
    assert_eq!(push(&project, &hub, &["--repo-type", "table"]).code, Some(2));
}

#[test]
fn a_run_pushes_at_its_end_where_that_is_enabled() {
    for (hf_push, pushes) in
        [("enabled: true, auto_push_on_run: true", true), ("enabled: true", false), ("auto_push_on_run: true", false)]
    {
        let (project, hub) = (project(hf_push), Hub::start(Behaviour::default()));
        let ran = Ran::of(command(&project, &hub, &["run", "config.yaml"])).succeeded();
        expect_secret(&project, &ran);
        if pushes {
            expect_exported(&project, &hub, "datasets/me/d");
        }
        assert_eq!(!hub.came("").is_empty(), pushes, "{hf_push}");
    }
}

#[test]
fn a_push_that_fails_does_not_fail_the_run() {
    let hub = Hub::start(Behaviour::failing(|came: &Came| {
        came.to.contains("/commit/").then(|| Fault::Refuse(400, Vec::new()))
    }));
    for (hf_push, why) in [
        ("enabled: true, auto_push_on_run: true", "failed to commit"),
        ("enabled: true, auto_push_on_run: true, repo_id: ''", "HF repo_id is required. "),
        ("enabled: true, auto_push_on_run: true, export_dir: ..", "is of no export of dlgforge"),
    ] {
        let config = hf_push.replace(", repo_id: ''", "");
        let project = project(&config);
        let mut arguments = vec!["run", "config.yaml"];
        if hf_push.contains("repo_id") {
            arguments.extend(["--set", "saving.hf_push.repo_id="]);
        }
        let ran = Ran::of(command(&project, &hub, &arguments)).succeeded();
        let told = "the run was not pushed to the Hub: ";
        assert!(ran.stderr.contains(told) && ran.stderr.contains(why), "{}", ran.stderr);
        expect_secret(&project, &ran);
    }
}

#[test]
fn a_push_that_was_killed_goes_on_and_uploads_nothing_twice() {
    // The third commit of the first push never gets a reply in time.
    let hub = Hub::start(Behaviour::failing(|came: &Came| {
        let waits = came.to.contains("/commit/") && came.before == 2;
        waits.then(|| Fault::Refuse(503, vec![("retry-after", "600".to_owned())]))
    }));
    let project = project("");
    for number in 0..320 {
        let table = format!("outputs/hf_export/data/train-{number:05}-of-00320.parquet");
        project.write(&table, format!("PAR1 {number} مرحبا").as_bytes());
    }
    let mut killed = command(&project, &hub, &["push", "config.yaml", "--no-export"]).spawn().expect("the binary runs");
    let began = Instant::now();
    while hub.came("/commit/").len() < 3 {
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(&killed, "-KILL");
    killed.wait().expect("it ends");
    assert_eq!(hub.repo("datasets/me/d").files.len(), 201);
    let uploaded = hub.came("PUT /storage/").len();
    assert_eq!(uploaded, 300, "three batches");

    let ran = push(&project, &hub, &["--no-export"]).succeeded();
    assert!(ran.stdout.contains("files      320, of which 120 were new or changed"), "{}", ran.stdout);
    assert_eq!(hub.came("PUT /storage/").len(), 320);
    expect_exported(&project, &hub, "datasets/me/d");
}

#[test]
fn a_push_after_a_run_ends_when_it_is_told_to() {
    let hub = Hub::start(Behaviour::failing(|came: &Came| {
        came.to.contains("/commit/").then(|| Fault::Refuse(503, vec![("retry-after", "600".to_owned())]))
    }));
    let project = project("enabled: true, auto_push_on_run: true");
    let mut run = command(&project, &hub, &["run", "config.yaml"]);
    let run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let began = Instant::now();
    while hub.came("/commit/").is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(&run, "-INT");
    let ran = Ran::from(run.wait_with_output().expect("it ends")).succeeded();
    assert!(
        ran.stderr.contains("the run was not pushed to the Hub: stopped; what has arrived stays"),
        "{}",
        ran.stderr
    );
    assert!(began.elapsed() < Duration::from_secs(60));
}
