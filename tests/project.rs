//! `dlgforge init`, and what the program tells of itself: version, schema, completions, manual.

use crate::support::{Project, copy, shipped};
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

#[test]
fn a_new_project_makes_conversations_once_it_has_documents() {
    let project = Project::empty();
    let told = project.run(&["init", "new", "--language", "en,fr", "-n", "2"]).succeeded().stdout;
    assert!(told.contains("wrote  new/config.yaml") && told.contains("dlgforge preview new"), "{told}");
    project.run(&["run", "new"]).failed(&["No supported knowledge files found"]);
    copy(&shipped("knowledge"), &project.path("new/knowledge"));
    project.run(&["run", "new"]).succeeded();
    let rows = project.rows("new/outputs/conversations_sharegpt_judged.jsonl");
    let languages: Vec<_> = rows.iter().map(|row| row["metadata"]["language"].as_str().unwrap_or_default()).collect();
    assert_eq!(languages, ["en", "en", "fr", "fr"]);
}

#[test]
fn every_kind_of_new_project_can_be_loaded() {
    for (arguments, provider, key) in [
        (&["--answers", "openai"][..], "openai", "OPENAI_API_KEY"),
        (&["--answers", "anthropic", "--model", "m: #1"], "anthropic", "ANTHROPIC_API_KEY"),
        (&["--answers", "http://127.0.0.1:9/v1", "--model", "m"], "http://127.0.0.1:9", "NONE"),
        (&["--answers", "ollama", "--model", "m", "-y"], "ollama", "NONE"),
    ] {
        let project = Project::empty();
        project.run(&[&["init"], arguments].concat()).succeeded();
        project.write("knowledge/a.md", b"# Tides\n\nTides rise twice a day.\n");
        let env = project.read(".env.example");
        assert_eq!(env.contains(&format!("LLM_JUDGE_API_KEY_ENV={key}\n")), key != "NONE", "{env}");
        project.write(".env", env.replace(&format!("\n{key}=\n"), &format!("\n{key}=s3cret\n")).as_bytes());
        let told = project.run(&["run", "--dry-run"]).succeeded();
        assert!(project.read("config.yaml").contains(provider), "{}{}", told.stdout, told.stderr);
    }
}

#[test]
fn nothing_is_written_over() {
    let project = Project::empty();
    project.write(".gitignore", b"mine\n");
    let told = project.run(&["init"]).succeeded().stdout;
    assert!(told.contains("kept   ./.gitignore"), "{told}");
    assert_eq!(project.read(".gitignore"), "mine\n");
    let before = project.read("config.yaml");
    project.run(&["init", "--answers", "openai"]).failed_as("init", &["./config.yaml is there already"]);
    assert_eq!(project.read("config.yaml"), before);
}

#[test]
fn what_nobody_is_called_writes_nothing() {
    let project = Project::empty();
    project.run(&["init", "--answers", "opnai"]).failed_as("init", &["`opnai` is no provider", "`openai`"]);
    project.run(&["init", "--answers", "mistral"]).failed_as("init", &["`mistral` has many models; say which"]);
    assert_eq!(project.names("."), [""; 0]);
}

#[test]
fn the_schema_is_the_shipped_one() {
    let printed = Project::empty().run(&["schema"]).succeeded().stdout;
    assert_eq!(printed, std::fs::read_to_string(shipped("config/schema.json")).expect("a file"));
    let schema: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(schema["properties"]["run"]["properties"]["batch_size"]["default"], 1);
}

#[test]
fn shells_can_complete_and_readers_can_read() {
    let project = Project::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let told = project.run(&["completions", shell]).succeeded().stdout;
        assert!(told.contains("seeds-migrate") && !told.contains("guard-server"), "{shell}: {told}");
    }
    let mut shell = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().expect("bash runs");
    let told = project.run(&["completions", "bash"]).stdout;
    shell.stdin.take().expect("a pipe").write_all(told.as_bytes()).expect("bash reads");
    assert!(shell.wait().expect("a child").success());
    let page = project.run(&["man", "export"]).succeeded().stdout;
    assert!(page.contains(".TH") && page.contains("\\-\\-min\\-score"), "{page}");
    project.run(&["man", "guard-server"]).failed_as("man", &["there is no command `guard-server`"]);
}

#[test]
fn the_version_tells_what_it_was_built_of() {
    let told = Project::empty().run(&["--version"]).succeeded().stdout;
    assert!(told.starts_with(concat!("dlgforge ", env!("CARGO_PKG_VERSION"), " (")) && told.ends_with(")\n"), "{told}");
    assert_eq!(told.contains(", otel)"), cfg!(feature = "otel"), "{told}");
}
