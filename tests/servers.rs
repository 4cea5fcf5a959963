//! Model servers that a run starts, or is attached to: what they make is what any endpoint makes, and none is left behind.

use crate::support::endpoint::dialogue::Latency;
use crate::support::endpoint::{Address, Behaviour, Endpoint, Reply};
use crate::support::vllm::{free_ports, install, is_alive, processes, until};
use crate::support::{Files, Project, Ran, expect_same, signal};
use serde_json::json;
use std::net::TcpListener;
use std::process::Child;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

const RUN: &str = "run: {seed: 5, run_id: r, batch_size: 8, total_samples: 12, turns: {mode: exact, exact: 1}}\n";

/// A project whose agents ask servers that the run starts, with these settings of theirs.
fn managed(vllm: &str, args: &str) -> (Project, u16) {
    let project = Project::with("");
    let (command, port) = (install(&project), free_ports(2));
    project.write(
        "config.yaml",
        format!(
            "{RUN}llm:\n  mode: vllm_managed\n  vllm: {{command: '{command}', model: org/test-model, \
             served_model_name: test-model, port_start: {port}, args: [{args}], {vllm}}}\n  \
             agents: {{user: {{provider: openai}}, assistant: {{provider: openai}}, judge: {{provider: openai}}}}\n\
             judge: {{mode: online}}\n"
        )
        .as_bytes(),
    );
    (project, port)
}

/// What the same run makes with an endpoint that somebody else has started.
static ALONE: LazyLock<Files> = LazyLock::new(|| {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let agent = format!("{{provider: openai, model: test-model, base_url: '{}'}}", endpoint.base_url());
    let agents = format!("{{user: {agent}, assistant: {agent}, judge: {agent}}}");
    let project = Project::with(&format!("{RUN}llm: {{agents: {agents}}}\njudge: {{mode: online}}\n"));
    Ran::of(project.stamped(&[])).succeeded();
    project.outputs()
});

fn start(project: &Project, servers: usize) -> Child {
    let child = project.stamped(&[]).spawn().expect("the binary runs");
    until("servers are started", || processes(project).len() >= servers);
    child
}

/// Waits until a run is under way: the log has this line.
fn until_logged(project: &Project, line: &str) {
    until(line, || std::fs::read_to_string(project.path("logs/run.log")).is_ok_and(|log| log.contains(line)));
}

fn expect_gone(project: &Project) {
    let all = processes(project);
    assert!(!all.is_empty());
    until("all processes end", || !all.iter().flatten().any(|pid| is_alive(*pid)));
}

fn kill(pid: u32) {
    let status = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(status.expect("kill runs").success());
}

#[test]
fn servers_are_started_asked_and_stopped_and_nothing_of_it_is_in_the_data() {
    let (project, port) = managed("replicas: 2", "--stand-in-loads-ms, '400', --enforce-eager");
    let mut command = project.stamped(&[]);
    // A key that is there for other servers, and GPUs that are this run's.
    command.env("VLLM_API_KEY", "k").env("CUDA_VISIBLE_DEVICES", "4,6");
    let ran = Ran::of(command).succeeded();
    expect_same(&ALONE, &project.outputs(), "managed");
    expect_gone(&project);
    let log = project.read("logs/run.log");
    for (replica, gpu) in [(0, 4), (1, 6)] {
        let own = project.read(&format!("logs/managed-vllm-{replica}.log"));
        assert!(
            own.contains("model org/test-model") && own.contains(&format!("CUDA_VISIBLE_DEVICES={gpu}\n")),
            "{own}"
        );
        let port = port + replica;
        let started = format!(
            "bin/vllm serve org/test-model --host 127.0.0.1 --port {port} --served-model-name test-model \
             --tensor-parallel-size 1 --gpu-memory-utilization 0.9 --max-num-seqs 256 --stand-in-loads-ms 400 --enforce-eager"
        );
        assert!(log.contains(&started) && log.contains(&format!("answers at http://127.0.0.1:{port}/v1")), "{log}");
        TcpListener::bind(("127.0.0.1", port)).expect("a free port");
    }
    // A run that is over starts nothing, and neither does a dry run.
    project.run(&["estimate", "--pilot", "2"]).succeeded();
    let before = processes(&project).len();
    for arguments in [&["run", "--resume"][..], &["run", "--dry-run"]] {
        project.run(arguments).succeeded();
    }
    assert_eq!((before, processes(&project).len()), (4, 4), "{}", ran.stderr);
    expect_gone(&project);
}

#[test]
fn a_replica_that_is_killed_is_started_again_and_the_files_are_the_same() {
    let (project, _) = managed("replicas: 2", "--stand-in-takes-ms, '250'");
    let child = start(&project, 2);
    until_logged(&project, "Starting generation");
    // Its engine is left, and must go before another one comes.
    let [server, engine] = processes(&project)[0];
    kill(server);
    let ran = Ran::from(child.wait_with_output().expect("it ends")).succeeded();
    expect_same(&ALONE, &project.outputs(), "killed");
    assert!(ran.stderr.contains("gone: signal 9; it is started again in 1 s"), "{}", ran.stderr);
    assert!(!is_alive(engine) && processes(&project).len() == 3, "{:?}", processes(&project));
    expect_gone(&project);
}

#[test]
fn no_server_outlives_the_run_however_it_ends() {
    for (end, args) in [
        ("-KILL", "--stand-in-takes-ms, '60000'"),
        ("-KILL", "--stand-in-loads-ms, '60000'"),
        ("-TERM", "--stand-in-loads-ms, '60000'"),
    ] {
        let (project, _) = managed("replicas: 2", args);
        let mut child = start(&project, 2);
        if args.contains("takes") {
            // A request is under way that takes long.
            until("warm up", || project.read("logs/managed-vllm-1.log").contains("startup complete"));
        }
        signal(&child, end);
        child.wait().expect("it ends");
        expect_gone(&project);
    }
}

#[test]
fn one_that_does_not_end_when_it_is_asked_to_is_killed() {
    let (project, _) = managed("replicas: 1", "--stand-in-ignores-sigterm");
    let began = Instant::now();
    Ran::of(project.stamped(&[])).succeeded();
    assert!(began.elapsed() > Duration::from_secs(10));
    expect_gone(&project);
}

#[test]
fn one_that_dies_while_it_loads_shows_its_log_at_once() {
    let (project, _) = managed("replicas: 2", "--stand-in-dies, '3'");
    let began = Instant::now();
    let log = project.path("logs/managed-vllm-0.log").display().to_string();
    Ran::of(project.stamped(&[])).failed(&[
        "ended while it was loading (exit status 3); the end of ",
        "torch.OutOfMemoryError: CUDA out of memory.",
    ]);
    assert!(began.elapsed() < Duration::from_secs(60) && !project.path("outputs/run_state").exists(), "{log}");
    expect_gone(&project);
    // A flag that vLLM does not know is told likewise.
    let (project, _) = managed("replicas: 1", "--no-such-flag");
    Ran::of(project.stamped(&[])).failed(&["(exit status 2)", "unrecognized arguments: --no-such-flag"]);
}

#[test]
fn one_that_takes_too_long_is_given_up_and_all_are_stopped() {
    let (project, _) = managed("replicas: 2, health_timeout_s: 6", "--stand-in-loads-ms, '60000'");
    Ran::of(project.stamped(&[]))
        .failed(&["was not ready within 6 s (`llm.vllm.health_timeout_s`)", "Loading weights"]);
    expect_gone(&project);
}

#[test]
fn what_can_not_be_started_is_told_before_anything_is() {
    let (project, port) = managed("replicas: 2", "");
    let taken = TcpListener::bind(("127.0.0.1", port + 1)).expect("a free port");
    let address = format!("managed-vllm-1 can't listen on 127.0.0.1:{}", port + 1);
    Ran::of(project.stamped(&[])).failed(&["`llm.vllm.port_start`", &address, "`llm.mode: vllm_attach`"]);
    drop(taken);
    let mut few = project.stamped(&[]);
    few.env("CUDA_VISIBLE_DEVICES", "0");
    Ran::of(few).failed(&["`llm.vllm.replicas`: 2 replicas want 2 GPUs, and there are 1", "num_gpus_per_replica: 0.5"]);
    let missing = ["--set", "llm.vllm.command=no-such-vllm"];
    Ran::of(project.stamped(&missing))
        .failed(&["`llm.vllm.command`: there is no program `no-such-vllm`", "pip install vllm"]);
    assert!(processes(&project).is_empty());
}

#[test]
fn servers_that_are_to_stay_are_left_and_can_be_attached_to() {
    let (project, port) = managed("replicas: 1, auto_stop_on_exit: false", "");
    let ran = Ran::of(project.stamped(&[])).succeeded();
    let [server, engine] = processes(&project)[0];
    let told = format!("goes on at http://127.0.0.1:{port}/v1 after the run (auto_stop_on_exit: false); `kill ");
    let (_, rest) = ran.stderr.split_once(&told).unwrap_or_else(|| panic!("{}", ran.stderr));
    assert!(is_alive(server) && is_alive(engine));
    // The next run finds the port taken, and says what to do; attached, it makes the same.
    Ran::of(project.stamped(&["--set", "run.run_id=s"])).failed(&["`llm.mode: vllm_attach`"]);
    let attach = |project: &Project, arguments: &[&str]| {
        let list = format!("llm.routing.endpoints=['http://127.0.0.1:{port}/v1']");
        Ran::of(project.stamped(&[&["--set", "llm.mode=vllm_attach", "--set", &list], arguments].concat())).succeeded()
    };
    let other = Project::with(&project.read("config.yaml"));
    attach(&other, &[]);
    expect_same(&ALONE, &other.outputs(), "attached");
    // To the run itself it is all one who has started the server: it is the same run, which is over.
    assert!(attach(&project, &["--resume"]).stdout.contains("nothing to do"));
    let guard: u32 = rest.split('`').next().and_then(|pid| pid.parse().ok()).expect("a process");
    assert!(std::process::Command::new("kill").arg(guard.to_string()).status().expect("kill runs").success());
    until("the server ends with its guard", || !is_alive(server));
    kill(engine);
}

fn models(names: &[&str]) -> Reply {
    let data: Vec<_> = names.iter().map(|name| json!({"id": name, "object": "model", "owned_by": "vllm"})).collect();
    Reply::json(200, &json!({"object": "list", "data": data}))
}

fn attached(endpoints: &str, agent: &str) -> Project {
    Project::with(&format!(
        "{RUN}llm:\n  mode: vllm_attach\n  routing: {{endpoints: [{endpoints}]}}\n  agents: {{user: {agent}, assistant: \
         {agent}, judge: {agent}}}\njudge: {{mode: online}}\n"
    ))
}

#[test]
fn attached_servers_are_all_looked_at_and_every_failure_is_told() {
    let good = Endpoint::start(Behaviour::dialogue(Latency::NONE).listing(models(&["m"])));
    let other = Endpoint::start(Behaviour::dialogue(Latency::NONE).listing(models(&["n", "o"])));
    let keyed = Endpoint::start(Behaviour::dialogue(Latency::NONE).listing(models(&["m"])).guarded_by("secret-key"));
    let bare = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let absent = Address::free();
    let [good, other, keyed, bare] = [good, other, keyed, bare].map(|endpoint| (endpoint.base_url(), endpoint));
    let endpoints = format!(
        "'{}', {{name: other, base_url: '{}'}}, {{base_url: '{}', api_key: wrong-key}}, '{}', {{name: absent, base_url: '{}'}}",
        good.0, other.0, keyed.0, bare.0, absent.base_url
    );
    let project = attached(&endpoints, "{provider: openai, model: m}");
    let ran = project.run(&["run"]).failed(&[
        "`llm.mode` is `vllm_attach`, and not all servers can be used:",
        &format!("other: {} -> it serves n, o, and not m", other.0),
        &format!("llm.routing.endpoints[2]: {} -> GET /v1/models answers HTTP 401: ", keyed.0),
        &format!("llm.routing.endpoints[3]: {} -> GET /v1/models answers HTTP 404: ", bare.0),
        &format!("absent: {} -> ", absent.base_url),
    ]);
    assert!(!ran.stderr.contains(&good.0) && !ran.stderr.contains("wrong-key"), "{}", ran.stderr);
    assert_eq!(good.1.requests() + other.1.requests() + keyed.1.requests(), 0);
}

#[test]
fn an_agent_without_a_model_asks_for_what_is_served() {
    let served =
        |_| Endpoint::start(Behaviour::dialogue(Latency::NONE).listing(models(&["test-model"])).guarded_by("key-12"));
    let endpoints = [0, 1].map(served);
    let list = endpoints.each_ref().map(|one| format!("{{base_url: '{}', api_key: key-12}}", one.base_url()));
    let project = attached(&list.join(", "), "{provider: openai}");
    // What is served is known without a conversation, too.
    let dry = project.run(&["run", "--dry-run"]).succeeded();
    assert!(dry.stdout.contains("a new run would make at least"), "{}", dry.stdout);
    Ran::of(project.stamped(&[])).succeeded();
    expect_same(&ALONE, &project.outputs(), "attached");
    assert!(endpoints.iter().all(|endpoint| endpoint.requests() > 0));
    assert!(endpoints[0].log().iter().all(|request| request["model"] == "test-model"));
}

#[test]
fn a_server_whose_requests_wait_is_given_fewer() {
    let in_flight = |metrics: bool| {
        let (under_way, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        // It works on two at a time, whatever it is given, and tells how many of those that it has wait.
        let crowd = Behaviour::queues(2, Duration::from_millis(40)).listing(models(&["test-model"]));
        let (now, late) = (under_way.clone(), most.clone());
        let told = move || {
            let text = format!("vllm:num_requests_waiting{{engine=\"0\"}} {}.0\n", now.load(Ordering::SeqCst));
            late.fetch_add(1, Ordering::SeqCst);
            Reply { body: text.into(), ..Reply::json(200, &json!(null)) }
        };
        let endpoint = Endpoint::start(if metrics { crowd.page("/metrics", told) } else { crowd });
        under_way.store(20, Ordering::SeqCst);
        let project = attached(&format!("'{}'", endpoint.base_url()), "{provider: openai}");
        let set = ["run.total_samples=48", "run.batch_size=24"].map(|set| ["--set", set]).concat();
        Ran::of(project.stamped(&set)).succeeded();
        (endpoint.mean_in_flight(), most.load(Ordering::SeqCst), project.outputs())
    };
    let (steered, looks, one) = in_flight(true);
    let (free, _, other) = in_flight(false);
    assert!(looks > 1 && steered < 0.8 * free, "{looks}: {steered} and {free}");
    expect_same(&other, &one, "steered");
}
