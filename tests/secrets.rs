//! Keys of providers: sent to their endpoint, and to nowhere else.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint, Reply};
use crate::support::{Project, edited, remote};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;

const KEY: &str = "sk-live/4f9a+77cQ";
const SMALL: &str = "  batch_size: 2\n  total_samples: 2\n  turns: {mode: exact, exact: 1}";

/// The command with the key in the environment, for all roles.
fn with_key(project: &Project) -> Command {
    let mut command = project.command(&["run", "config.yaml"]);
    command.env("MY_KEY", KEY);
    command.envs(["USER", "ASSISTANT", "JUDGE"].map(|role| (format!("LLM_{role}_API_KEY_ENV"), "MY_KEY")));
    command
}

/// Every file below a folder that holds the key.
fn holding_key(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(holding_key(&path));
        } else if String::from_utf8_lossy(&fs::read(&path).expect("a file")).contains(KEY) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// Runs to the end; the exit code, after looking for the key everywhere.
fn code(project: &Project, mut command: Command) -> Option<i32> {
    let output = command.output().expect("the binary runs");
    for text in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(text);
        assert!(!text.contains(KEY), "{text}");
    }
    assert_eq!(holding_key(&project.path("")), Vec::<String>::new());
    for reply in project.journalled() {
        assert!(!reply.contains(KEY), "{reply}");
    }
    output.status.code()
}

#[test]
fn a_key_is_sent_and_found_nowhere_else() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let project = Project::with(&remote(&endpoint.base_url(), SMALL, ""));
    assert_eq!(code(&project, with_key(&project)), Some(0));
    assert!(endpoint.requests() > 0);
    assert!(endpoint.headers().iter().all(|headers| headers["authorization"] == format!("Bearer {KEY}")));
}

#[test]
fn a_key_of_dotenv_is_sent_too_and_settings_in_it_are_warned_about() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let project = Project::with(&remote(&endpoint.base_url(), SMALL, ""));
    project.write(".env", b"LLM_USER_API_KEY_ENV=SOME_API_KEY\nexport SOME_API_KEY='from-dotenv'\nBATCH_SIZE=9\n");
    let ran = project.generate(&[]);
    assert!(ran.stderr.contains("[env] Ignoring non-secret .env key: BATCH_SIZE."), "{}", ran.stderr);
    let (sent, without): (Vec<_>, Vec<_>) =
        endpoint.headers().into_iter().partition(|headers| headers.contains_key("authorization"));
    assert!(!sent.is_empty() && !without.is_empty(), "the user model alone has a key");
    assert!(sent.iter().all(|headers| headers["authorization"] == "Bearer from-dotenv"));
}

#[test]
fn an_endpoint_that_echoes_the_key_in_an_error_does_not_make_it_known() {
    let echo = format!("Incorrect API key provided: {KEY}.");
    let replies: [fn(&str) -> Reply; 6] = [
        |echo| Reply::error(401, echo),
        |echo| Reply {
            body: json!({"error": echo}).to_string().replace('/', "\\/").into(),
            ..Reply::json(401, &json!({}))
        },
        |echo| Reply::json(403, &json!({"detail": echo})),
        |echo| Reply { body: format!("<html>{echo}</html>").into(), ..Reply::json(404, &json!({})) },
        |echo| Reply { body: format!("{{\"choices\": {echo}").into(), ..Reply::json(200, &json!({})) },
        |echo| Reply { headers: vec![("location".into(), format!("/{}", echo.len()))], ..Reply::error(302, echo) },
    ];
    for reply in replies {
        let text = echo.clone();
        let endpoint = Endpoint::start(Behaviour::new(move |_, _| reply(&text)));
        let project =
            Project::with(&remote(&endpoint.base_url(), SMALL, "").replace("llm:\n", "llm:\n  max_outage: 1\n"));
        assert_eq!(code(&project, with_key(&project)), Some(1));
        assert!(endpoint.requests() > 0);
        assert!(project.read("logs/llm.log").contains("request failed"));
    }
}

#[test]
fn messages_about_settings_do_not_show_secrets() {
    let config = remote(
        "http://127.0.0.1:9/v1",
        "  batch_size: ${MY_KEY}\n  run_id: /${MY_KEY}",
        "prompts: {path: \"${MY_KEY}\"}",
    );
    let project = Project::with(&config);
    let output = with_key(&project).output().expect("the binary runs");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.starts_with("dlgforge run failed: 3 problems in the configuration:"), "{message}");
    assert!(message.contains("found text `<secret>`, wanted an integer") && !message.contains(KEY), "{message}");
}

#[test]
fn a_key_in_place_of_its_variable_s_name_is_not_shown() {
    let project = Project::with(&remote("http://127.0.0.1:9/v1", SMALL, ""));
    let mut command = project.command(&["run", "config.yaml"]);
    command.env("LLM_JUDGE_API_KEY_ENV", KEY);
    let output = command.output().expect("the binary runs");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("`LLM_JUDGE_API_KEY_ENV` must hold the name of the variable"), "{message}");
    assert!(!message.contains(KEY), "{message}");
}

#[test]
fn a_key_in_the_file_or_in_a_flag_is_refused_and_not_shown() {
    let config = remote("http://127.0.0.1:9/v1", SMALL, "").replacen("max_retries: 1", &format!("api_key: {KEY}"), 1);
    let project = Project::with(&config);
    let mut command = project.command(&["run", "config.yaml", "--set", &format!("llm.agents.judge.api_key={KEY}")]);
    let output = command.output().expect("the binary runs");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(message.matches("Forbidden credential key(s) in YAML").count(), 2, "{message}");
    assert!(!message.contains(KEY), "{message}");
}

#[test]
fn a_key_stays_unseen_in_every_protocol() {
    // Speaks OpenAI's protocol alone: the others' requests end there.
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    for provider in ["anthropic", "gemini", "azure", "mistral"] {
        let base_url = endpoint.base_url().replace("/v1", "");
        let config = remote(&base_url, SMALL, "").replace("provider: openai", &format!("provider: {provider}"));
        let project = Project::with(&config);
        let output = with_key(&project).output().expect("the binary runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains("HTTP 404") && told.contains("check llm.agents.user.model (`test-model`)"), "{told}");
        assert_eq!(code(&project, with_key(&project)), Some(1), "{provider}");
    }
}

#[test]
fn a_key_that_a_reply_repeats_is_masked_and_no_terminal_obeys_a_reply() {
    let said = format!("I can't: {KEY} \u{1b}[31m\u{9b}1m\u{202e}!");
    let behaviour = Behaviour::new(move |request, number| {
        let said = said.clone();
        edited(reply(request, Latency::NONE), |message| match number % 11 {
            0 => message["refusal"] = said.into(),
            1 => message["reasoning_content"] = said.into(),
            2 => {
                let function = json!({"name": format!("find {said}"), "arguments": {KEY: said, "query": [KEY]}});
                message["tool_calls"] = json!([{"id": KEY, "function": function}]);
            }
            _ => {
                let text = message["content"].as_str().map(|text| text.replacen("It is", &format!("It is {KEY}"), 1));
                message["content"] = text.map(|text| text.replace('/', "\\/")).into();
            }
        })
    });
    let endpoint = Endpoint::start(behaviour);
    let project = Project::with(&remote(
        &endpoint.base_url(),
        "  batch_size: 2\n  total_samples: 6\n  turns: {mode: exact, exact: 1}",
        "",
    ));
    assert_eq!(code(&project, with_key(&project)), Some(0));
    let output = with_key(&project).output().expect("the binary runs");
    let told = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat();
    assert!(told.contains(r"I can't: <secret> \u{1b}[31m\u{9b}1m\u{202e}!"), "{told}");
    let log = project.read("logs/run.log");
    for text in [&told, &log] {
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{text}");
    }
    assert!(project.read("outputs/turns.jsonl").contains("It is <secret>"));
}
