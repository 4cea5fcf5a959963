//! `dlgforge check` and `dlgforge status --watch`, by the real program. Would catch: a problem of a run that the check does not
//! tell, one that it makes up, anything that it writes, a key that it shows, a call that it was told not to make.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Address, Behaviour, Endpoint, Reply};
use crate::support::{Project, Ran, builtin, expect_same, files, remote};
use serde_json::{Value, json};
use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};

const RUN: &str = "  run_id: r\n  batch_size: 4\n  total_samples: 4\n  turns: {mode: exact, exact: 2}";

/// The report of a check, which ends with this exit code and leaves the project as it was.
fn checked(project: &Project, arguments: &[&str], code: i32) -> Value {
    let before = files(&project.path(""));
    let ran = project.run(&[&["check", "--json"], arguments].concat());
    assert_eq!(ran.code, Some(code), "{}{}", ran.stdout, ran.stderr);
    expect_same(&before, &files(&project.path("")), "a check");
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
}

/// The findings of a group at a level, in a row.
fn told(report: &Value, group: &str, level: &str) -> String {
    let groups = report["groups"].as_array().expect("groups");
    let found = groups.iter().filter(|one| one["name"] == group);
    let findings = found.flat_map(|one| one["findings"].as_array().expect("findings"));
    let texts = findings.filter(|one| one["level"] == level).map(|one| one["text"].as_str().expect("a text"));
    texts.collect::<Vec<_>>().join("\n")
}

/// Demands that all of these are told.
fn expect(told: &str, parts: &[&str]) {
    parts.iter().for_each(|part| assert!(told.contains(part), "no `{part}` in:\n{told}"));
}

/// An endpoint that lists its model and answers with this function, or as all roles where that has no answer.
fn endpoint(refuse: impl Fn(&Value) -> Option<Reply> + Send + Sync + 'static) -> Endpoint {
    let answer = move |request: &Value, _| refuse(request).unwrap_or_else(|| reply(request, Latency::NONE));
    Endpoint::start(Behaviour::new(answer).listing(Reply::json(200, &json!({"data": [{"id": "test-model"}]}))))
}

#[test]
fn a_run_that_can_go_ahead_is_clear_before_and_after_it() {
    let project = Project::with(&builtin(RUN, ""));
    let report = checked(&project, &[], 0);
    assert_eq!(
        (&report["version"], &report["problems"], &report["config"]),
        (&1.into(), &0.into(), &"config.yaml".into())
    );
    expect(
        &told(&report, "documents", "ok"),
        &["documents (", " .md", "5 en", "the index is not current", "found by their words"],
    );
    expect(&told(&report, "endpoints", "ok"), &["llm.agents.judge: the built-in model"]);
    expect(&told(&report, "output", "ok"), &["has no runs yet", "are free"]);
    expect(&told(&report, "inputs", "ok"), &["prompts can be used", "personas who ask"]);
    let figures = &report["figures"];
    assert_eq!(
        (&figures["conversations"], &figures["turns"], &figures["index_is_current"]),
        (&4.into(), &8.into(), &false.into())
    );
    assert_eq!((&figures["calls"], &figures["usd"], &figures["seconds"]), (&24.into(), &0.0.into(), &Value::Null));
    assert_eq!(figures["bytes"], 8 * 30_000);

    project.generate(&[]);
    let report = checked(&project, &["--set", "run.run_id=other"], 0);
    expect(&told(&report, "documents", "ok"), &["the index is current"]);
    expect(&told(&report, "output", "ok"), &["has 1 runs that are over"]);
    let report = checked(&project, &[], 1);
    expect(&told(&report, "output", "problem"), &["use `run.run_id` \"r\": the store has a run of that name"]);
    project.write(
        "knowledge/en/more.md",
        b"# Lamps\n\nA lamp of the tower is lit by its keeper every evening before the sea is dark.",
    );
    expect(&told(&checked(&project, &["--set", "run.run_id=other"], 0), "documents", "ok"), &["reads 1 files"]);
}

#[test]
fn people_are_told_the_same_in_rows() {
    let project = Project::with(&builtin(RUN, ""));
    let ran = project.run(&["check"]).succeeded();
    assert!(ran.stdout.starts_with("settings\n  ok             config.yaml can be used\n"), "{}", ran.stdout);
    expect(&ran.stdout, &["\ndocuments\n", "\ncost\n", "config.yaml: 0 problems, "]);
}

#[test]
fn what_an_endpoint_refuses_is_told_in_the_words_of_a_run() {
    let all = endpoint(|_| None);
    let project = Project::with(&remote(&all.base_url(), RUN, "tools: {retrieval: {mode: both}}"));
    let ran = project.run(&["check"]).succeeded();
    expect(&ran.stderr, &["asks 3 endpoints for a few tokens each, which is paid for; --no-calls leaves that out"]);
    let asked = all.requests();
    assert!((3..=4).contains(&asked), "{asked} requests");
    assert!(all.log().iter().all(|request| request["max_tokens"].as_u64().is_some_and(|most| most <= 16)));
    let report = checked(&project, &[], 0);
    expect(
        &told(&report, "endpoints", "ok"),
        &["llm.agents.assistant: ", "lists `test-model`; replied in 0.", "takes a JSON schema, tools, system messages"],
    );
    assert!(report["figures"]["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{report}");

    for (refuse, what) in [
        (
            (|request: &Value| request["response_format"].is_object()) as fn(&Value) -> bool,
            "does not take response_format",
        ),
        (|request| request["tools"].is_array(), "does not take tools; searches are made for it"),
        (
            |request| request["messages"][0]["role"] == "system",
            "takes no system messages; user messages begin with their text",
        ),
    ] {
        let words = match what {
            "does not take response_format" => "response_format: expected json_schema or text, which are unsupported",
            "does not take tools; searches are made for it" => "this model does not support tools",
            _ => "System role not supported",
        };
        let less = endpoint(move |request| refuse(request).then(|| Reply::error(400, words)));
        let project = Project::with(&remote(&less.base_url(), RUN, "tools: {retrieval: {mode: both}}"));
        let report = checked(&project, &[], 0);
        expect(&told(&report, "endpoints", "warning"), &[what, "(model test-model)"]);
    }
}

#[test]
fn endpoints_that_no_run_can_use_are_problems() {
    let shut = Endpoint::start(Behaviour::dialogue(Latency::NONE).guarded_by("the right key"));
    let mine = Project::with(&remote(&shut.base_url(), RUN, ""));
    let mut command = mine.command(&["check", "--json"]);
    command.env("OWN_KEY", "a wrong secret");
    ["USER", "ASSISTANT", "JUDGE"]
        .iter()
        .for_each(|role| _ = command.env(format!("LLM_{role}_API_KEY_ENV"), "OWN_KEY"));
    let ran = Ran::of(command);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    expect(&ran.stdout, &["HTTP 401", "check the key in the variable that LLM_USER_API_KEY_ENV names"]);
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("a wrong secret"));

    let address = Address::free();
    let report = checked(&Project::with(&remote(&address.base_url, RUN, "")), &[], 1);
    expect(
        &told(&report, "endpoints", "problem"),
        &["is the server running, and is llm.agents.judge.base_url its address?"],
    );

    let refuses = endpoint(|_| Some(Reply::error(400, "no, said the endpoint")));
    let report = checked(&Project::with(&remote(&refuses.base_url(), RUN, "")), &[], 1);
    expect(&told(&report, "endpoints", "problem"), &["llm.agents.user: ", "HTTP 400: no, said the endpoint"]);

    let busy = endpoint(|_| Some(Reply::error(429, "later")));
    let report = checked(&Project::with(&remote(&busy.base_url(), RUN, "")), &[], 0);
    expect(&told(&report, "endpoints", "warning"), &["HTTP 429"]);
}

#[test]
fn a_model_that_is_not_listed_is_told_and_nobody_is_asked_who_must_not_be() {
    let endpoint = endpoint(|_| None);
    let config = remote(&endpoint.base_url(), RUN, "").replacen("test-model", "tset-model", 1);
    let report = checked(&Project::with(&config), &["--no-calls"], 0);
    expect(
        &told(&report, "endpoints", "warning"),
        &["llm.agents.user: ", "does not list the model `tset-model`; it lists test-model"],
    );
    expect(&told(&report, "endpoints", "ok"), &["lists `test-model`"]);
    assert_eq!((endpoint.requests(), endpoint.looks() > 0), (0, true));
}

#[test]
fn one_endpoint_of_several_may_be_down() {
    let (endpoint, address) = (endpoint(|_| None), Address::free());
    let routing = format!(
        "llm:\n  routing: {{endpoints: [{{base_url: \"{}\", model: test-model}}, {{base_url: \"{}\", model: test-model}}]}}\n",
        endpoint.base_url(),
        address.base_url
    );
    let agents = "  agents: {user: {model: test-model}, assistant: {model: test-model}}\njudge: {mode: offline}\n";
    let project = Project::with(&format!("run:\n  seed: 5\n{RUN}\n{routing}{agents}"));
    let report = checked(&project, &[], 0);
    expect(&told(&report, "endpoints", "warning"), &["llm.agents.user at llm.routing.endpoints[1]"]);
    expect(&told(&report, "judge", "ok"), &["conversations are not judged"]);
}

#[test]
fn all_that_is_wrong_with_the_settings_is_told_and_documents_still_are() {
    let project = Project::with(&builtin(RUN, "").replace("total_samples: 4", "total_sample: 4\n  concurrency: many"));
    let report = checked(&project, &[], 1);
    expect(&told(&report, "settings", "problem"), &["total_sample", "config.yaml:", "concurrency"]);
    assert_eq!(report["problems"], 2, "{report}");
    let report =
        checked(&Project::with(&builtin(RUN, "").replace("provider: builtin", "provider: openai, model: m")), &[], 1);
    expect(&told(&report, "settings", "problem"), &["API_KEY"]);
    expect(&told(&report, "documents", "ok"), &["documents ("]);
    let nothing = checked(&Project::empty(), &["nowhere.yaml"], 1);
    expect(&told(&nothing, "settings", "problem"), &["Config file not found: nowhere.yaml"]);
}

#[test]
fn documents_are_told_by_kind_and_language_with_what_is_left_out() {
    let endpoint = endpoint(|_| None);
    let run = format!("{RUN}\n  target_languages: [fr, ar, de]");
    let project = Project::empty();
    project.write("config.yaml", remote(&endpoint.base_url(), &run, "").as_bytes());
    let french =
        "Le phare du port a été construit en pierre en 1848. Son gardien nettoie la lampe chaque matin avant le jour.";
    let arabic = "بُنيت منارة الميناء من الحجر في عام 1848. ينظف حارسها المصباح كل صباح قبل أن تخرج القوارب إلى البحر.";
    project.write("knowledge/phare.md", french.as_bytes());
    project.write("knowledge/manara.txt", arabic.as_bytes());
    project.write("knowledge/broken.pdf", b"no");
    project.write("knowledge/picture.png", b"no");
    let report = checked(&project, &["--no-calls"], 0);
    expect(&told(&report, "documents", "ok"), &["2 documents (1 .md, 1 .txt)", "documents by language: 1 ar, 1 fr"]);
    let warned = told(&report, "documents", "warning");
    expect(&warned, &["it is no PDF file that can be read", "broken.pdf", ".png", "no document is in `de`"]);
    assert_eq!(report["figures"]["languages"], json!({"ar": 1, "fr": 1}));
    let required = ["--no-calls", "--set", "coverage.match_language=require"];
    expect(&told(&checked(&project, &required, 1), "documents", "problem"), &["none in `de`"]);

    project.write("config.yaml", builtin(&run, "").as_bytes());
    expect(&told(&checked(&project, &[], 1), "documents", "problem"), &["the built-in model quotes documents", "`de`"]);
    std::fs::remove_dir_all(project.path("knowledge")).expect("a folder");
    expect(&told(&checked(&project, &[], 1), "documents", "problem"), &["Missing knowledge directory"]);
}

#[test]
fn programs_that_read_documents_are_not_run() {
    let project = Project::with(&builtin(RUN, "tools: {retrieval: {convert: {xyz: 'touch made {input}'}}}"));
    project.write("knowledge/a.xyz", b"scan");
    let report = checked(&project, &[], 0);
    expect(&told(&report, "documents", "warning"), &["`touch` of `tools.retrieval.convert` has yet to read it: a.xyz"]);
}

#[test]
fn the_cost_is_that_of_the_whole_run_and_is_held_against_the_budget() {
    let endpoint = endpoint(|_| None);
    let config = remote(&endpoint.base_url(), RUN, "")
        .replace("llm:\n", "llm:\n  prices: prices.yaml\n")
        .replace("total_samples: 4", "total_samples: 1000");
    let project = Project::with(&config);
    let prices =
        "version: mine\nusd_per_million_tokens: {openai/test-model: {input: 1, output: 5, shutdown: 2020-01-01}}\n";
    project.write("prices.yaml", prices.as_bytes());
    let most = ["user", "assistant", "judge"].map(|role| format!("llm.agents.{role}.max_tokens=500"));
    let most: Vec<&str> = most.iter().flat_map(|set| ["--set", set]).collect();
    let report = checked(&project, &[&most[..], &["--set", "run.budget={calls: 3000, usd: 1000}"]].concat(), 0);
    let figures = &report["figures"];
    let calls = figures["calls"].as_u64().expect("a number");
    assert!((6_000..=9_000).contains(&calls), "{calls} calls for 2,000 turns");
    assert!(figures["usd"].as_f64().is_some_and(|usd| usd > 1.0 && usd < 500.0), "{figures}");
    expect(
        &told(&report, "cost", "ok"),
        &["the price of openai/test-model is known", "the budget is 1000 USD, 3000 calls", "rules of thumb"],
    );
    expect(
        &told(&report, "cost", "warning"),
        &["has been out of service since 2020-01-01", "run.budget.calls is 3000, and the run comes to about"],
    );
    let unpriced = checked(&project, &["--set", "llm.prices="], 0);
    assert_eq!(unpriced["figures"]["usd"], Value::Null);
    let capped = checked(&project, &[&most[..], &["--set", "llm.prices=", "--set", "run.budget.usd=5"]].concat(), 1);
    expect(&told(&capped, "endpoints", "problem"), &["run.budget.usd: the price of `openai/test-model` is unknown"]);

    project.generate(&["--set", "run.total_samples=4"]);
    let measured = checked(&project, &["--set", "run.run_id=other"], 0);
    expect(&told(&measured, "cost", "ok"), &["by what earlier runs of the folder took for a call"]);
}

#[test]
fn a_judge_that_drops_is_to_be_measured() {
    let endpoint = endpoint(|_| None);
    let gate = "judge: {mode: online, calibrate: 0, accept: {min_score: 2, on_fail: drop}}";
    let config = remote(&endpoint.base_url(), RUN, "").replace("judge: {mode: online}", gate);
    let project = Project::with(&config);
    let report = checked(&project, &["--no-calls"], 0);
    expect(
        &told(&report, "judge", "warning"),
        &["a judge that nobody has measured", "dlgforge judge config.yaml --calibrate 10"],
    );
    let report = checked(&project, &["--no-calls", "--set", "judge.calibrate=3"], 0);
    expect(&told(&report, "judge", "ok"), &["the first 3 conversations of each language"]);
    project.generate(&["--set", "judge.calibrate=4", "--set", "judge.min_auc=0"]);
    let report = checked(&project, &["--no-calls", "--set", "run.run_id=other", "--set", "judge.min_auc=1"], 0);
    expect(&told(&report, "judge", "warning"), &["does not tell good answers from spoiled ones: AUC"]);
}

#[test]
fn a_folder_in_use_is_a_problem_and_what_is_not_complete_can_go_on() {
    let project = Project::with(&builtin(RUN, ""));
    project.generate(&[]);
    let lock = File::open(project.path("outputs")).expect("a folder");
    lock.lock().expect("a lock");
    let report = checked(&project, &["--set", "run.run_id=other"], 1);
    expect(&told(&report, "output", "problem"), &["outputs is in use by another run"]);
    drop(lock);
    let capped = project.run(&["run", "config.yaml", "--set", "run.run_id=cut", "--set", "run.budget.calls=6"]);
    assert_eq!(capped.code, Some(1), "{}", capped.stdout);
    let report = checked(&project, &["--set", "run.run_id=other"], 0);
    expect(&told(&report, "output", "ok"), &["dlgforge run config.yaml --resume cut goes on with it"]);
}

#[test]
fn what_else_a_run_asks_is_told() {
    let push = "saving: {hf_push: {enabled: true, auto_push_on_run: true, repo_id: me/it}}";
    let project = Project::with(&builtin(RUN, push));
    let report = checked(&project, &[], 0);
    expect(&told(&report, "services", "warning"), &["set HF_TOKEN or HUGGINGFACE_HUB_TOKEN"]);
    let mut command = project.command(&["check", "--json", "--set", "tools.web_search.enabled=true"]);
    command.env("HF_TOKEN", "hf_secret").env("SERPER_API_KEY", "serper secret");
    let ran = Ran::of(command).succeeded();
    expect(&ran.stdout, &["pushed to me/it at its end; its token is set", "web search: its key is set"]);
    assert!(!ran.stdout.contains("secret"), "{}", ran.stdout);
    let several = Project::with(&builtin(&format!("{RUN}\n  distributed: {{enabled: true}}"), ""));
    let report = checked(&several, &[], 0);
    expect(&told(&report, "services", "ok"), &["processes make the run, started on this machine"]);
}

#[test]
fn prompts_personas_and_topics_are_read() {
    let project = Project::with(&builtin(RUN, "prompts: {path: mine}\npersonas: {path: people.yaml}"));
    project.write("mine/ask.user.j2", b"{{ nobody_knows_this }}");
    project.write("people.yaml", b"personas: {user: [{id: a, nam: b}]}");
    project.write("topics.yaml", b"harbour: []");
    let topics = "run.data.seeding.topics={enabled: true, path: topics.yaml}";
    let wrong = told(&checked(&project, &["--set", topics], 1), "inputs", "problem");
    expect(&wrong, &["nobody_knows_this", "people.yaml", "topics.yaml"]);
    assert_eq!(wrong.lines().count(), 3, "{wrong}");
}

#[test]
fn where_a_run_writes_there_must_be_a_folder_and_room() {
    let project = Project::with(&builtin(RUN, ""));
    let endless = checked(&project, &["--set", "run.total_samples=1000000000"], 1);
    expect(&told(&endless, "output", "problem"), &["TB will be written, and ", "name fewer files in saving.files"]);
    let file = checked(&project, &["--set", "saving.output_dir=config.yaml/outputs"], 1);
    expect(&told(&file, "output", "problem"), &["saving.output_dir: ", "config.yaml is no folder"]);
    let reused = checked(&project, &["--set", "run.reuse_from=nobody"], 1);
    expect(&told(&reused, "output", "problem"), &["find run"]);
}

#[test]
fn what_is_not_there_that_a_run_starts_or_reaches_is_a_problem() {
    let agents = "{user: {provider: openai}, assistant: {provider: openai}}";
    let own = format!(
        "run:\n  seed: 5\n{RUN}\nllm: {{mode: vllm_managed, vllm: {{command: no-such-program, model: org/m}}, agents: {agents}}}\n\
         judge: {{mode: offline}}\n"
    );
    let report = checked(&Project::with(&own), &[], 1);
    expect(&told(&report, "endpoints", "problem"), &["no-such-program", "install vLLM"]);
    let attached = own.replace("vllm_managed", "vllm_attach").replace(
        "{provider: openai}",
        &format!("{{provider: openai, model: m, base_url: \"{}\"}}", Address::free().base_url),
    );
    let report = checked(&Project::with(&attached), &[], 1);
    expect(&told(&report, "endpoints", "problem"), &["`llm.mode` is `vllm_attach`, and not all servers can be used"]);
    let project = Project::with(&builtin(RUN, "store: {backend: postgres}"));
    let mut command = project.command(&["check", "--json"]);
    command.env("DLGFORGE_POSTGRES_DSN", "postgresql://me:not-to-be-shown@127.0.0.1:1/d");
    let ran = Ran::of(command);
    assert!(ran.code == Some(1) && !ran.stdout.contains("not-to-be-shown"), "{}", ran.stdout);
    let report = serde_json::from_str(&ran.stdout).expect("JSON");
    expect(&told(&report, "output", "problem"), &["open PostgreSQL at 127.0.0.1:1/d"]);
    let project = Project::with(&builtin(RUN, "tools: {web_search: {enabled: true, base_url: nonsense}}"));
    let mut command = project.command(&["check"]);
    command.env("SERPER_API_KEY", "key").env("SOURCE_DATE_EPOCH", "tomorrow");
    let ran = Ran::of(command);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    expect(&ran.stdout, &["tools.web_search.base_url: not a URL", "SOURCE_DATE_EPOCH"]);
}

#[test]
fn a_configuration_of_the_usual_name_need_not_be_named() {
    let project = Project::with(&builtin(RUN, ""));
    let found = project.run(&["search", "When is a sourdough starter ready?", "-k", "1"]).succeeded();
    assert!(found.stdout.contains("sourdough"), "{}", found.stdout);
    let named = project.run(&["search", "config.yaml", "When is a sourdough starter ready?", "-k", "1"]).succeeded();
    assert_eq!(found.stdout, named.stdout);
    project.generate(&["--set", "tools.retrieval.embeddings.backend=lexical"]);
    let stats = project.run(&["stats", "--embeddings"]);
    assert_ne!(stats.code, Some(2), "{}", stats.stderr);
}

#[test]
fn the_state_of_runs_is_json_and_can_be_watched() {
    let slow = Latency { median_ms: 400.0, sigma: 0.0, seed: 1 };
    let endpoint = Endpoint::start(Behaviour::dialogue(slow));
    let run = RUN.replace("batch_size: 4", "batch_size: 1\n  concurrency: 1").replace("exact: 2", "exact: 1");
    let project = Project::with(&remote(&endpoint.base_url(), &run, ""));
    let mut running =
        project.stamped(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
    let began = Instant::now();
    let status = |arguments: &[&str]| project.run(&[&["status"], arguments].concat());
    while !status(&[]).stdout.contains("run r: running") {
        assert!(began.elapsed() < Duration::from_secs(60) && running.try_wait().expect("a state").is_none(), "it runs");
        std::thread::sleep(Duration::from_millis(50));
    }
    let watched = status(&["--watch"]).succeeded();
    assert!(running.wait().expect("it ends").success());
    let blocks: Vec<&str> = watched.stdout.split("\n\n").collect();
    assert!(blocks.len() >= 2 && blocks[0].starts_with("run r: running"), "{}", watched.stdout);
    assert!(blocks[blocks.len() - 1].starts_with("run r: completed"), "{}", watched.stdout);
    assert!(blocks.windows(2).all(|pair| pair[0] != pair[1]), "{}", watched.stdout);

    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let report = read(&status(&["--json"]).succeeded().stdout);
    assert_eq!((&report["version"], &report["folder"]), (&1.into(), &"outputs".into()));
    let run = &report["runs"][0];
    assert_eq!(
        (&run["id"], &run["kind"], &run["state"], &run["go_on"]),
        (&"r".into(), &"run".into(), &"completed".into(), &Value::Null)
    );
    assert_eq!(run["languages"], json!([{"language": "en", "wanted": 4, "accepted": 4, "dropped": 0}]));
    assert!(run["calls"].as_u64().is_some_and(|calls| calls >= 12) && run["usd"].is_null(), "{run}");
    let lines = status(&["--json", "--watch"]).succeeded().stdout;
    assert_eq!((lines.lines().count(), read(&lines)), (1, report));
}
