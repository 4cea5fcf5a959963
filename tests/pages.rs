//! The README and the pages of `dlgforge help`: every command in them is one that the program takes, and those that need nothing from
//! elsewhere are run.

use crate::support::{Project, builtin, copy, shipped};
use dlgforge::cli::{Cli, Command};
use dlgforge::pages::PAGES;

/// Commands need more than a machine has: the Hub, a cluster, model servers, a browser, shards that others make.
const ELSEWHERE: [&str; 7] = ["push", "worker", "fetch", "view", "merge", "init", "import"];

/// The commands in the fenced blocks of a text, without comments, as the words of a shell; continued lines are one.
fn commands(text: &str) -> Vec<Vec<String>> {
    let fenced = text.split("```").skip(1).step_by(2);
    let lines = fenced.flat_map(|block| block.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>());
    let lines = lines.filter(|line| line.starts_with("dlgforge "));
    // What comes behind a semicolon is another command.
    lines
        .map(|line| shlex::split(line.split(';').next().unwrap_or_default()).expect("words of a shell"))
        .map(|words| words.into_iter().take_while(|word| !word.starts_with(['#', '>'])).collect())
        .collect()
}

fn texts() -> Vec<(String, String)> {
    let readme = std::fs::read_to_string(shipped("README.md")).expect("the README");
    let pages = PAGES.map(|page| (page.topic.to_owned(), page.text.to_owned()));
    [("README".to_owned(), readme)].into_iter().chain(pages).collect()
}

#[test]
fn every_command_is_one() {
    let mut found = 0;
    for (topic, text) in texts() {
        for words in commands(&text) {
            found += 1;
            let parsed = <Cli as clap::Parser>::try_parse_from(&words);
            assert!(parsed.is_ok(), "{topic}: {words:?}: {}", parsed.expect_err("an error"));
        }
    }
    assert!(found > 30, "{found}");
}

#[test]
fn commands_that_need_nothing_from_elsewhere_do_what_they_say() {
    let run = "  batch_size: 4\n  total_samples: 13\n  target_languages: [en, fr]\n  turns: {mode: exact, exact: 2}";
    let project = Project::with(&builtin(run, ""));
    project.generate(&["--set", "run.run_id=smoke"]);
    let id = project.rows("outputs/conversations_index.jsonl")[0]["conversation_id"].clone();
    project.write("outputs/labels.jsonl", format!("{{\"conversation_id\": {id}, \"label\": \"keep\"}}\n").as_bytes());
    // The project of the README and of the page for agents.
    copy(&project.path("outputs"), &project.path("project/outputs"));
    copy(&shipped("knowledge"), &project.path("project/knowledge"));
    project.write("project/config.yaml", project.read("config.yaml").as_bytes());
    for (topic, text) in texts() {
        for words in commands(&text) {
            let parsed = <Cli as clap::Parser>::try_parse_from(&words).expect("a command");
            let is_elsewhere = ELSEWHERE.contains(&words[1].as_str()) && !words.contains(&"--no-push".to_owned());
            // Shards and clusters are started by what is not here.
            let is_part = words.iter().any(|word| word.starts_with("--shard") || word.contains("launcher"));
            if is_elsewhere || is_part || matches!(parsed.command, Command::Worker(_)) {
                continue;
            }
            let arguments: Vec<_> = words[1..].iter().map(String::as_str).collect();
            let ran = project.run(&arguments);
            assert_eq!(ran.code, Some(0), "{topic}: {words:?}\n{}{}", ran.stdout, ran.stderr);
        }
    }
}

#[test]
fn help_explains_commands_and_topics_and_everything_at_once() {
    let project = Project::empty();
    let told = |topic: &str| project.run(&["help", topic]).succeeded().stdout;
    for page in PAGES {
        assert_eq!(told(page.topic), page.text);
    }
    assert!(told("export").contains("--min-score <SCORE>"));
    project.run(&["help", "exprot"]).failed_as("help", &["there is no command and no topic `exprot`", "  resume "]);
    let all = project.run(&["help", "--all"]).succeeded().stdout;
    assert!(PAGES.iter().all(|page| all.contains(page.text)) && all.contains("## dlgforge run\n\n```text\n"), "{all}");
    assert!(!all.contains("guard-server"));
}
