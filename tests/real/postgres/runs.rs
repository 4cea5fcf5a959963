//! Whole runs whose state is kept on a server.

use super::server::{PASSWORD, Server};
use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint};
use crate::support::{Project, Ran, asking_each, embedding, embedding_at, expect_same, paraphrased, remote};
use std::process::Stdio;
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::xxh3_64;

const RUN: &str = "  run_id: r\n  batch_size: 4\n  total_samples: 12\n  target_languages: [en, fr]\n  \
    turns: {mode: exact, exact: 2}";

fn stamped(project: &Project, server: &Server, arguments: &[&str]) -> std::process::Command {
    let mut command = project.stamped(arguments);
    command.env("DLGFORGE_POSTGRES_DSN", server.dsn());
    command
}

/// Starts a run, and kills it after so many requests; after as many as `dies` the server is killed, and started again.
fn kill(project: &Project, server: &Server, endpoint: &Endpoint, arguments: &[&str], requests: u64, dies: Option<u64>) {
    let before = endpoint.requests();
    let until = |requests: u64| {
        let started = Instant::now();
        while endpoint.requests() - before < requests {
            assert!(started.elapsed() < Duration::from_secs(90), "the run asks");
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    let mut command = stamped(project, server, arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
    if let Some(requests) = dies {
        until(requests);
        server.kill();
        std::thread::sleep(Duration::from_millis(300));
        server.restart();
    }
    until(requests);
    child.kill().expect("a kill");
    child.wait().expect("it ends");
}

#[test]
fn a_check_reaches_for_the_server() {
    let server = Server::start();
    let project = Project::with(&remote("http://127.0.0.1:9/v1", RUN, "store: {backend: postgres}"));
    let told = || {
        let mut command = project.command(&["check", "config.yaml", "--no-calls"]);
        command.env("DLGFORGE_POSTGRES_DSN", server.dsn());
        let ran = Ran::of(command);
        assert!(!ran.stdout.contains(PASSWORD), "{}", ran.stdout);
        ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let reached = format!("PostgreSQL at 127.0.0.1:{}", server.port());
    let text = told();
    assert!(text.contains(&reached) && text.contains("which can be reached"), "{text}");
    server.kill();
    let text = told();
    assert!(!text.contains("which can be reached") && text.contains(&server.port().to_string()), "{text}");
}

#[test]
fn a_run_comes_through_though_it_and_its_server_are_killed() {
    let server = Server::start();
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency { median_ms: 5.0, sigma: 0.3, seed: 1 }));
    let whole = Project::with(&remote(&endpoint.base_url(), RUN, ""));
    Ran::of(whole.stamped(&[])).succeeded();
    let (asked, spent) = (endpoint.requests(), whole.run(&["status", "outputs"]).succeeded().stdout);

    let project = Project::with(&remote(&endpoint.base_url(), RUN, "store: {backend: postgres}"));
    kill(&project, &server, &endpoint, &[], 60, Some(25));
    kill(&project, &server, &endpoint, &["--resume"], 40, Some(10));
    let looked = Ran::of(stamped(&project, &server, &["--resume", "--dry-run"])).succeeded();
    assert!(looked.stdout.contains('r'), "{}", looked.stdout);
    Ran::of(stamped(&project, &server, &["--resume"])).succeeded();
    expect_same(&whole.outputs(), &project.outputs(), "killed, and its server with it");
    let excess = endpoint.requests() - 2 * asked;
    assert!(excess <= 16, "{excess} more than an undisturbed run: what was in flight when it was killed");
    assert_eq!(
        server.sql("SELECT sum(calls) FROM dlgforge.spent"),
        server.sql("SELECT count(*) FROM dlgforge.replies")
    );

    let mut status = project.command(&["status", "outputs"]);
    status.env("DLGFORGE_POSTGRES_DSN", server.dsn());
    let told = Ran::of(status).succeeded().stdout;
    let figures = |text: &str| text.lines().filter(|line| line.contains("accepted")).collect::<Vec<_>>().join("\n");
    assert_eq!(figures(&told), figures(&spent));
    let blind = project.run(&["status", "outputs"]);
    assert!(blind.code == Some(1) && blind.stderr.contains("DLGFORGE_POSTGRES_DSN is not set"), "{}", blind.stderr);
    let over = Ran::of(stamped(&project, &server, &["--resume"])).succeeded();
    assert_eq!(over.stdout, "run r is complete: nothing to do\n");
    for (name, content) in crate::support::files(&project.path("")) {
        let has = String::from_utf8_lossy(&content).contains(PASSWORD);
        assert!(!has, "{name} has the password");
    }
}

/// Would catch: a question that the server gives back without its vector, or to another run under another rank.
#[test]
fn what_is_too_close_to_what_stays_the_same_though_runs_and_their_server_are_killed() {
    const LATENCY: Latency = Latency { median_ms: 5.0, sigma: 0.3, seed: 1 };
    const SECOND: &[&str] = &["--set", "run.run_id=s", "--set", "run.seed=2"];
    let endpoint = Endpoint::start(Behaviour::new(|request, _| {
        let digest = xxh3_64(request.to_string().as_bytes());
        asking_each(reply(request, LATENCY), || (), |place| paraphrased(digest.rotate_left(16 * place as u32) % 1200))
    }));
    let embedder = Endpoint::start(Behaviour::new(|request, _| embedding(request)).serving(""));
    for method in ["minhash", "embedding"] {
        let server = Server::start();
        let project = |store: &str| {
            let near = format!(
                "coverage: {{question_dedup_retries: 2, near_duplicates: {{method: {method}, scope: folder}}, decontaminate: [held.txt]}}"
            );
            let tools = if method == "embedding" { embedding_at(&embedder.base_url(), "") } else { String::new() };
            let project = Project::with(&remote(&endpoint.base_url(), RUN, &format!("{near}\n{tools}\n{store}")));
            let tests = (0..1200).step_by(6).map(|number| paraphrased(number) + "\n");
            project.write("held.txt", tests.collect::<String>().as_bytes());
            project
        };
        let whole = project("");
        for arguments in [&[], SECOND] {
            let told = Ran::of(whole.stamped(arguments)).succeeded().stdout;
            assert!(told.contains("the least close of them: ") && told.contains("contaminated"), "{told}");
        }

        let project = project("store: {backend: postgres}");
        let resumed = |arguments: &[&str]| Ran::of(stamped(&project, &server, arguments)).succeeded();
        kill(&project, &server, &endpoint, &[], 60, Some(25));
        kill(&project, &server, &endpoint, &["--resume"], 30, None);
        resumed(&["--resume"]);
        kill(&project, &server, &endpoint, SECOND, 50, Some(20));
        resumed(&[SECOND, &["--resume", "s"]].concat());
        expect_same(&whole.outputs(), &project.outputs(), &format!("{method}: killed, and its server with it"));
    }
}
