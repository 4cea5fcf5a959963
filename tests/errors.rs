//! Bad input: each case with the text it must be answered with.

use crate::support::endpoint::dialogue::Latency;
use crate::support::endpoint::{Address, Behaviour, Endpoint, Reply};
use crate::support::{Project, builtin, remote};
use serde_json::json;
use std::process::Stdio;
use std::time::{Duration, Instant};

const SMALL: &str = "  batch_size: 2\n  total_samples: 2\n  turns: {mode: exact, exact: 1}";

fn fails(project: &Project, expected: &[&str]) {
    let ran = project.run(&["run", "config.yaml"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    let message = ran.stderr.split_once("dlgforge run failed: ").map(|(_, message)| message);
    let message = message.unwrap_or_else(|| panic!("no `dlgforge run failed: ` in {}", ran.stderr));
    for part in expected {
        assert!(message.contains(part), "no `{part}` in `{message}`");
    }
}

#[test]
fn configuration_missing_or_broken() {
    fails(&Project::empty(), &["Config file not found:", "config.yaml"]);
    let ran = Project::with("run: [unclosed").run(&["run", "config.yaml"]);
    assert_eq!(ran.stderr, "dlgforge run failed: unclosed bracket '[' (config.yaml:1:6)\n", "and nothing that follows");
    let project = Project::empty();
    project.write("config.yaml", b"run: \xff");
    let ran = project.run(&["run", "config.yaml"]);
    assert_eq!(ran.stderr, "dlgforge run failed: read config.yaml: stream did not contain valid UTF-8\n");
    fails(&Project::with("- a\n- b\n"), &["Config must be a YAML object."]);
    let wrong = "run:\n  batch_sise: 3\n  total_samples: many\n";
    fails(
        &Project::with(wrong),
        &["config.yaml:2:3", "batch_sise", "run.batch_size", "config.yaml:3", "run.total_samples"],
    );
}

#[test]
fn usage_errors_exit_with_2() {
    for arguments in [&[][..], &["walk"], &["serve"], &["run", "config.yaml", "--nope"]] {
        let ran = Project::empty().run(arguments);
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.contains("Usage"), "{arguments:?}: {}", ran.stderr);
    }
    for workers in ["0", "257", "many", "-1"] {
        let ran = Project::empty().run(&["run", "config.yaml", &format!("--workers={workers}")]);
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.contains("--workers <N>"), "{}", ran.stderr);
    }
}

#[test]
fn help_names_the_commands() {
    let help = Project::empty().run(&["--help"]).stdout;
    assert!(["run", "estimate", "push", "view"].iter().all(|name| help.contains(&format!("\n  {name} "))), "{help}");
    assert!(!help.contains("guard-server"), "{help}");
}

#[test]
fn flags_that_make_no_sense() {
    let project = Project::with(&builtin(SMALL, ""));
    for (arguments, message) in [
        (["--root", "nowhere"], "root folder not found: nowhere; `--root` takes an existing folder"),
        (["--set", "run.batch_size"], "`--set run.batch_size` must have the form `--set key.path=value`"),
        (["--set", "run.batch_sise=3"], "unknown key `run.batch_sise`; did you mean `run.batch_size`?"),
        (["--set", "run.batch_size=many"], "`run.batch_size`: found text `many`, wanted an integer (--set"),
    ] {
        let ran = project.run(&[&["run", "config.yaml"][..], &arguments].concat());
        assert_eq!(ran.code, Some(1));
        assert!(ran.stderr.starts_with(&format!("dlgforge run failed: {message}")), "{}", ran.stderr);
    }
}

#[test]
fn a_reader_that_goes_away_does_not_fail_the_run() {
    let project = Project::with(&builtin("  batch_size: 2\n  total_samples: 2\n  n_turns: 1", ""));
    let mut child = project.command(&["run", "config.yaml"]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(project.rows("outputs/turns.jsonl").len(), 2);
}

#[test]
fn knowledge_missing_empty_or_unusable() {
    let project = Project::empty();
    project.write("config.yaml", builtin(SMALL, "").as_bytes());
    fails(&project, &["Missing knowledge directory:", "knowledge"]);
    project.write("knowledge/picture.png", b"no text");
    fails(&project, &["No supported knowledge files found."]);
    project.write("knowledge/empty.md", b"  \n");
    fails(
        &project,
        &["No supported knowledge files found.", "1 file of types .png (1) left out", "it is empty: empty.md"],
    );
}

#[test]
fn knowledge_not_utf8_is_read_as_what_it_is_and_what_is_left_out_is_named() {
    let project = Project::empty();
    project.write("config.yaml", builtin(SMALL, "").as_bytes());
    let sentence = b"The caf\xe9 in the old harbour opens at seven in the morning and closes at nine in the evening. ";
    project.write("knowledge/latin.txt", &sentence.repeat(12));
    project.write("knowledge/empty.md", b"");
    project.write("knowledge/page.odt", b"PK");
    project.write("knowledge/notes.txt", b"\0\x01\x02");
    let ran = project.generate(&[]);
    for part in [
        "windows-1252, which it looks like: latin.txt",
        "empty: empty.md",
        ".odt (1)",
        "NUL bytes, as no text does: notes.txt",
    ] {
        assert!(ran.stderr.contains(part), "no `{part}` in {}", ran.stderr);
    }
    assert!(project.read("outputs/turns.jsonl").contains("café"));
}

#[test]
fn output_folder_not_writable() {
    let project = Project::with(&builtin(SMALL, "saving: {output_dir: taken/outputs}"));
    project.write("taken", b"a file, not a folder");
    fails(&project, &["taken/logs"]);
}

#[test]
fn model_missing() {
    let config = builtin(SMALL, "")
        .replace("assistant: {provider: builtin}", "assistant: {base_url: \"http://127.0.0.1:9/v1\"}");
    fails(&Project::with(&config), &["Missing LLM model for required agent(s): kb_responder"]);
}

#[test]
fn endpoint_refusing_connections() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let base_url = endpoint.base_url();
    drop(endpoint);
    let run = format!("{SMALL}\n  run_id: r");
    let project = Project::with(&remote(&base_url, &run, "").replace("llm:\n", "llm:\n  max_outage: 1\n"));
    fails(&project, &["no reply for 1 s (`llm.max_outage`)", "Connection refused", &base_url, "--resume r"]);
    assert!(project.rows("outputs/conversations_sharegpt.jsonl").is_empty());
    assert!(project.drops().is_empty(), "no conversation is to blame");
}

/// A configuration with every agent at its own address.
fn apart(user: &str, assistant: &str, judge: &str) -> Project {
    let config = remote("USER", &format!("{SMALL}\n  run_id: r"), "");
    let (first, rest) = config.split_once("    assistant:").expect("an assistant");
    let (second, third) = rest.split_once("    judge:").expect("a judge");
    let [first, second, third] =
        [(first, user), (second, assistant), (third, judge)].map(|(part, url)| part.replace("USER", url));
    Project::with(&format!("{first}    assistant:{second}    judge:{third}"))
}

#[test]
fn endpoints_are_looked_at_before_the_first_conversation_and_all_problems_told_together() {
    let dialogue = || Behaviour::dialogue(Latency::NONE);
    let locked = Endpoint::start(dialogue().listing(Reply::error(401, "No such key")));
    let (absent, good) = (Address::free(), Endpoint::start(dialogue()));
    let project = apart(&locked.base_url(), &absent.base_url, &good.base_url());
    let began = Instant::now();
    fails(
        &project,
        &[
            &format!("{}: HTTP 401: No such key; check the key", locked.base_url()),
            &format!("{}: ", absent.base_url),
            "Connection refused",
            "is the server running, and is llm.agents.assistant.base_url its address?",
            "`--no-check` leaves this check out",
            "--resume r",
        ],
    );
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}: an outage would be waited for", began.elapsed());
    assert_eq!([&locked, &good].map(|one| (one.requests(), one.looks())), [(0, 1), (0, 1)]);
    assert!(project.drops().is_empty() && project.rows("outputs/conversations_sharegpt.jsonl").is_empty());
}

#[test]
fn a_look_at_an_endpoint_costs_nothing_and_any_response_will_do() {
    let models = |names: &[&str]| {
        Reply::json(200, &json!({"data": names.iter().map(|id| json!({"id": id})).collect::<Vec<_>>()}))
    };
    let scopes = "You have insufficient permissions for this operation. Missing scopes: api.model.read";
    let page = Reply { body: "<html>".into(), ..Reply::json(200, &json!(null)) };
    for (listed, hint) in [
        (models(&["org/test-model", "other"]), None),
        (models(&["a", "b"]), Some("does not list the model `test-model` of llm.agents.user.model; it lists a, b")),
        (Reply::error(503, "Loading model"), None),
        (Reply::error(405, "POST only"), None),
        (Reply::error(401, scopes), None),
        (page, None),
    ] {
        let told = format!("{} {:?}", listed.status, listed.body);
        let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE).listing(listed));
        let ran = Project::with(&remote(&endpoint.base_url(), SMALL, "")).generate(&[]);
        assert_eq!((endpoint.looks(), endpoint.requests()), (1, 2 * 4), "{told}: three agents, one look");
        let hinted = ran.stderr.lines().find(|line| line.contains("does not list"));
        assert_eq!(hinted.is_some(), hint.is_some(), "{told}: {}", ran.stderr);
        assert!(hint.is_none_or(|hint| ran.stderr.contains(hint)), "{told}: {}", ran.stderr);
    }
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE).listing(Reply::error(401, "No such key")));
    let project = Project::with(&remote(&endpoint.base_url(), SMALL, ""));
    project.generate(&["--dry-run"]);
    project.generate(&["--no-check"]);
    assert_eq!(endpoint.looks(), 0);
}

#[test]
fn a_language_the_built_in_model_does_not_speak() {
    let project = Project::with(&builtin(&format!("{SMALL}\n  target_languages: [en, Klingon]"), ""));
    fails(&project, &["Klingon", "run.target_languages", "llm.agents.user.provider"]);
}

#[test]
fn languages_that_share_a_tag() {
    let project = Project::with(&builtin(&format!("{SMALL}\n  target_languages: [en, EN]"), ""));
    fails(&project, &["`en` and `EN`"]);
}

#[test]
fn a_prompt_template_with_an_unknown_variable() {
    let project = Project::with(&builtin(SMALL, "prompts: {path: prompts}"));
    project.write("prompts/ask.user.j2", b"{{ public_conversation_history }} {{ topic_snipets }} \"coverage_target\"");
    fails(&project, &["ask.user.j2", "topic_snipets"]);
}
