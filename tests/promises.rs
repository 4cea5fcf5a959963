//! What the README promises beside the main job: each promise with the test that would miss it.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint, Reply};
use crate::support::{Project, builtin, copy, remote, shipped};
use dlgforge::domain::Agent;
use dlgforge::pages::{PAGES, Page};
use dlgforge::settings::{Flags, Settings};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

const SMALL: &str = "  batch_size: 2\n  total_samples: 2\n  turns: {mode: exact, exact: 1}";

fn readme() -> String {
    fs::read_to_string(shipped("README.md")).expect("the README")
}

/// The first fenced block with this info string after a heading.
fn block(text: &str, heading: &str, info: &str) -> String {
    let section = text.split_once(heading).expect("the heading").1;
    let block = section.split_once(&format!("```{info}\n")).expect("the block").1;
    block.split_once("```").expect("its end").0.to_owned()
}

fn accepted(project: &Project) -> usize {
    project.rows("outputs/conversations_sharegpt.jsonl").len()
}

fn dialogue() -> Endpoint {
    Endpoint::start(Behaviour::dialogue(Latency::NONE))
}

#[test]
fn the_configuration_in_one_screen_is_accepted() {
    let project = Project::with(&block(Page::on("configuration").expect("a page").text, "# Configuration", "yaml"));
    let flags = Flags { config: project.path("config.yaml"), ..Flags::default() };
    let env = [("LLM_USER_API_KEY_ENV", "OPENAI_API_KEY"), ("OPENAI_API_KEY", "k")];
    let env = env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    let settings = Settings::load(&flags, &env).expect("settings");
    assert_eq!((settings.batch_size, settings.total_samples, settings.languages.len()), (64, 1000, 3));
    assert_eq!(settings.warnings, Vec::<String>::new());
    assert!(settings.agents.get(Agent::Judge).is_some());
}

#[test]
fn the_map_and_the_links_lead_somewhere() {
    let readme = readme();
    let map = block(&readme, "## Map", "");
    let folders = map.lines().scan(String::new(), |folder, line| {
        let name = line.split_whitespace().next().unwrap_or_default();
        if !line.starts_with(' ') {
            folder.clear();
        }
        let path = format!("{folder}{name}");
        if !line.starts_with(' ') {
            *folder = name.to_owned();
        }
        Some(path)
    });
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_owned);
    let paths: Vec<String> = folders.chain(links).filter(|path| !path.contains("://")).collect();
    assert!(paths.len() > 15, "{paths:?}");
    for path in paths {
        assert!(shipped(&path).exists(), "the README names {path}");
    }
    for page in PAGES {
        for link in page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let is_there = link.contains("://") || shipped("config/help").join(link).exists();
            assert!(is_there, "the page on {} names {link}", page.topic);
        }
    }
}

#[test]
fn it_can_be_run_again_under_another_id_and_adds_to_the_files() {
    let project = Project::with(&builtin(SMALL, "").replace("  seed: 5\n", ""));
    project.generate(&[]);
    project.generate(&[]);
    assert_eq!(accepted(&project), 4);
    let states: Vec<_> =
        project.names("outputs/run_state").into_iter().filter(|name| name.ends_with(".json")).collect();
    assert_eq!(states.len(), 2);
    let seeds: BTreeSet<u64> = states
        .iter()
        .map(|name| {
            let state: Value = serde_json::from_str(&project.read(&format!("outputs/run_state/{name}"))).expect("JSON");
            state["inputs"]["run_seed"].as_u64().unwrap_or_else(|| panic!("no seed recorded in {name}"))
        })
        .collect();
    assert_eq!(seeds.len(), 2, "each run draws its own");
}

#[test]
fn one_conversation_at_a_time_a_seed_gives_the_same_files() {
    let run = "  run_id: r\n  batch_size: 1\n  total_samples: 4\n  turns: {min: 2, max: 4}";
    let files = [(); 2].map(|()| {
        let project = Project::with(&builtin(run, ""));
        let mut command = project.command(&["run", "config.yaml"]);
        assert!(command.env("SOURCE_DATE_EPOCH", "1735689600").output().expect("it runs").status.success());
        let names = ["synthetic_qa.jsonl", "turns.jsonl", "conversations_sharegpt_judged.jsonl", "run_state/r.json"];
        names.map(|name| project.read(&format!("outputs/{name}")))
    });
    assert_eq!(files[0], files[1]);
    assert!(files[0][0].contains("2025-01-01"), "the epoch is every row's time");
}

#[test]
fn dropped_conversations_are_marked_wherever_they_stand() {
    let run = "  batch_size: 1\n  total_samples: 2\n  turns: {mode: exact, exact: 2}";
    let failing = Endpoint::start(Behaviour::new(|request, _| {
        // The first turn works, the second one never.
        if crate::support::turn(request) > 1 {
            Reply::error(400, "no second turn")
        } else {
            reply(request, Latency::NONE)
        }
    }));
    let project = Project::with(&remote(&failing.base_url(), run, ""));
    assert_eq!(project.run(&["run", "config.yaml"]).code, Some(1));
    for file in ["synthetic_qa", "conversations_index", "dropped"] {
        let rows = project.rows(&format!("outputs/{file}.jsonl"));
        assert!(!rows.is_empty(), "{file}");
        for row in rows {
            assert!(row.to_string().contains("\"drop_reason\":\"model_failed\""), "{file}: {row}");
        }
    }
}

#[test]
fn file_environment_and_flags_override_each_other_in_this_order() {
    for (env, set, expected) in
        [(None, None, 2), (Some("3"), None, 3), (Some("3"), Some("run.total_samples=4"), 4), (Some(""), None, 2)]
    {
        let project = Project::with(&builtin(SMALL, ""));
        let mut command = project.command(&["run", "config.yaml"]);
        command.args(set.iter().flat_map(|set| ["--set", set]));
        command.envs(env.map(|value| ("TOTAL_SAMPLES", value)));
        assert!(command.output().expect("it runs").status.success());
        assert_eq!(accepted(&project), expected, "{env:?} {set:?}");
    }
}

#[test]
fn an_agent_is_overridden_by_its_variables_and_references_are_expanded() {
    let endpoint = dialogue();
    let config = remote("${WHERE}", SMALL, "").replacen("test-model", "other-model", 1);
    let project = Project::with(&config);
    let mut command = project.command(&["run", "config.yaml"]);
    command.envs([("WHERE", endpoint.base_url().as_str()), ("LLM_USER_MODEL", "from-env")]);
    assert!(command.output().expect("it runs").status.success());
    let models: BTreeSet<String> =
        endpoint.log().iter().map(|request| request["model"].as_str().expect("a model").to_owned()).collect();
    assert_eq!(models, ["from-env", "test-model"].map(str::to_owned).into());
}

#[test]
fn old_spellings_work_and_warn_on_the_console_and_in_the_log() {
    let project = Project::with(&builtin("  batch_size: 2\n  total_samples: 2\n  n_turns: 3", ""));
    let ran = project.generate(&[]);
    let warning = "DEPRECATED: `run.n_turns` is now `run.turns.exact`.";
    assert!(ran.stderr.contains(warning), "{}", ran.stderr);
    assert!(project.read("logs/run.log").contains(&format!("| WARNING | dlgforge.config | {warning}\n")));
    assert_eq!(project.rows("outputs/turns.jsonl").len(), 6);
}

#[test]
fn the_root_is_the_folder_the_parent_of_config_or_what_the_flag_says() {
    for (config, arguments, root) in [
        ("here/c.yaml", &["run", "here/c.yaml"][..], "here"),
        ("here/config/c.yaml", &["run", "here/config/c.yaml"], "here"),
        ("here/config/c.yaml", &["run", "here/config/c.yaml", "--root", "there"], "there"),
    ] {
        let project = Project::empty();
        project.write(config, builtin(SMALL, "").as_bytes());
        copy(&shipped("knowledge"), &project.path(&format!("{root}/knowledge")));
        let ran = project.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.stderr);
        assert!(project.path(&format!("{root}/outputs/turns.jsonl")).is_file(), "{arguments:?}");
        assert!(project.path(&format!("{root}/logs/run.log")).is_file(), "{arguments:?}");
    }
}

#[test]
fn a_changed_prompt_is_what_the_model_reads() {
    let endpoint = dialogue();
    let project = Project::with(&remote(&endpoint.base_url(), SMALL, "prompts: {path: mine}"));
    let text = fs::read_to_string(shipped("config/prompts/ask.system.j2")).expect("a shipped prompt");
    project.write("mine/ask.system.j2", format!("{text}\nMind the gap.\n").as_bytes());
    project.generate(&[]);
    let mine = endpoint.log().iter().filter(|request| request.to_string().contains("Mind the gap.")).count();
    assert_eq!(mine, 2, "every question, and nothing else");
}

#[test]
fn waves_are_logged_per_language() {
    let run = "  batch_size: 2\n  total_samples: 3\n  target_languages: [en, fr]\n  turns: {mode: exact, exact: 1}";
    let project = Project::with(&builtin(run, ""));
    project.generate(&[]);
    let log = project.read("logs/run.log");
    let waves: Vec<&str> = log.lines().filter_map(|line| line.split_once("[samples] ").map(|(_, wave)| wave)).collect();
    assert_eq!(
        waves,
        [
            "wave=1 requested_batch=2 persisted=2 generated=2/3 language=en",
            "wave=2 requested_batch=1 persisted=1 generated=3/3 language=en",
            "wave=1 requested_batch=2 persisted=2 generated=2/3 language=fr",
            "wave=2 requested_batch=1 persisted=1 generated=3/3 language=fr",
        ]
    );
}

#[test]
fn the_usual_proxy_variables_work() {
    let proxy = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let project = Project::with(&remote("http://models.example.org/v1", "  batch_size: 1\n  n_turns: 1", ""));
    let address = proxy.base_url().replace("/v1", "");
    let ran = project.command(&["run", "config.yaml"]).env("HTTP_PROXY", &address).output().expect("the binary runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(proxy.requests() > 0);
}

#[test]
fn warnings_that_are_alike_are_told_once_and_counted() {
    // One that refused everything from the start would stop the run.
    let failing = Endpoint::start(Behaviour::new(|request, number| {
        let asks = request["response_format"]["json_schema"]["name"] == "user_reply";
        if asks && number > 0 { Reply::error(400, "no such luck") } else { reply(request, Latency::NONE) }
    }));
    let run = "  run_id: r\n  batch_size: 2\n  total_samples: 2\n  turns: {mode: exact, exact: 1}";
    let project = Project::with(&remote(&failing.base_url(), run, ""));
    let ran = project.run(&["run", "config.yaml"]);
    let log = project.read("logs/run.log");
    let (each, told) = (log.matches("dropped drop_reason=model_failed").count(), "dropped drop_reason=model_failed");
    assert!(each > 10, "{each} in the log");
    let lines: Vec<&str> = ran.stderr.lines().filter(|line| line.contains(told)).collect();
    assert_eq!(lines.len(), 2, "the first, and how many there were: {}", ran.stderr);
    assert!(lines[1].ends_with(&format!(" … (and {} more like it)", each - 2)), "{}", lines[1]);
}

#[test]
fn logs_lie_beside_the_output_folder() {
    let project = Project::with(&builtin(SMALL, ""));
    for (outputs, logs) in [("outputs", "logs"), ("made/here", "made/logs"), (".", "logs")] {
        project.generate(&["--set", &format!("saving.output_dir={outputs}")]);
        assert!(project.path(outputs).join("turns.jsonl").is_file(), "{outputs}");
        assert!(project.path(logs).join("run.log").is_file(), "{outputs}");
    }
}

#[test]
fn nothing_is_written_into_a_project_whose_outputs_lie_elsewhere() {
    let (project, elsewhere) = (Project::with(&builtin(SMALL, "")), Project::empty());
    let before = project.names("");
    let outputs = elsewhere.path("out");
    let index = format!("tools.retrieval.index.persist_dir={}", elsewhere.path("index").display());
    project.generate(&["--set", &format!("saving.output_dir={}", outputs.display()), "--set", &index]);
    assert_eq!(project.names(""), before, "a folder that can only be read would do");
    assert_eq!(elsewhere.names(""), ["index", "logs", "out"]);
    assert!(elsewhere.path("logs/run.log").is_file());
}

#[test]
fn a_folder_stands_for_its_configuration_and_so_does_nothing_at_all() {
    let project = Project::with(&builtin(SMALL, ""));
    for arguments in [&["run"][..], &["run", "."], &["run", "--dry-run"], &["estimate", "--pilot", "2"]] {
        let ran = project.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.stderr);
    }
    assert_eq!(accepted(&project), 4);
    let empty = Project::empty();
    for (arguments, path) in [(&["run"][..], "config.yaml"), (&["run", "."], "./config.yaml")] {
        let ran = empty.run(arguments);
        assert_eq!(ran.stderr, format!("dlgforge run failed: Config file not found: {path}\n"));
    }
}
