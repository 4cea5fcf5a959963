//! A run that several processes make is the run that one makes: the same bytes, the same requests, whatever becomes of the
//! processes. Would catch: anything that depends on where a conversation is made, a limit that each process has for itself,
//! a process that waits for one that is gone, one that outlives the others.

use crate::durability::{Counting, journalled, undisturbed};
use crate::support::endpoint::dialogue::Latency;
use crate::support::endpoint::{Behaviour, Endpoint};
use crate::support::{Project, Ran, expect_same, remote, signal};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ON: &str = "run.distributed.enabled=true";

/// The command of a run of several processes, with these keys set.
pub fn command(project: &Project, set: &[&str], more: &[&str]) -> Command {
    let set = set.iter().flat_map(|key| ["--set", key]);
    let arguments: Vec<&str> =
        ["run", "config.yaml", "--set", ON].into_iter().chain(set).chain(more.iter().copied()).collect();
    let mut command = project.command(&arguments);
    command.env("SOURCE_DATE_EPOCH", "1735689600").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// The processes that a process has started, by their ids.
pub fn started_by(child: &Child) -> Vec<String> {
    let found = Command::new("pgrep").args(["-P", &child.id().to_string()]).output().expect("pgrep runs");
    String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect()
}

pub fn is_there(process: &str) -> bool {
    // One that has ended and was not waited for is gone as well.
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

pub fn send(name: &str, process: &str) {
    // It may have ended meanwhile.
    _ = Command::new("kill").args([name, process]).stderr(Stdio::null()).status().expect("kill runs");
}

/// Waits for something, for a while.
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn processes_make_what_one_makes_and_ask_for_nothing_else() {
    for (counting, processes, workers) in [
        (Counting::start(), "2", "1"),
        (Counting::start(), "3", "2"),
        (Counting::paraphrasing("minhash"), "2", "2"),
        (Counting::paraphrasing("embedding"), "2", "2"),
    ] {
        let (expected, _) = undisturbed(&counting);
        let project = counting.project();
        let shape = [format!("run.distributed.processes={processes}"), format!("run.distributed.workers={workers}")];
        let ended = command(&project, &[&shape[0], &shape[1]], &[]).output().expect("the binary runs");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        let asked = counting.look();
        assert!(asked.values().all(|times| *times == 1), "sent the same twice");
        let mut kept = journalled(&project);
        kept.sort_unstable();
        assert_eq!(asked.keys().copied().collect::<Vec<_>>(), kept, "the journal has every reply");
        expect_same(&expected, &project.outputs(), &format!("{processes} processes of {workers} workers"));
        // It may go on in another shape, or alone: here there is nothing left to do.
        let over = command(&project, &[], &["--resume", "r"]).output().expect("the binary runs");
        assert!(over.status.success(), "{}", String::from_utf8_lossy(&over.stderr));
    }
}

#[test]
fn killed_or_hung_processes_are_replaced_and_it_ends_the_same() {
    let counting = Counting::start();
    let (expected, took) = undisturbed(&counting);
    let mut draws = ChaCha8Rng::seed_from_u64(3);
    let (mut kills, mut run) = (0, 0);
    while kills < 24 {
        run += 1;
        let project = counting.project();
        let set = [format!("run.distributed.processes={}", 2 + run % 2), "run.distributed.restarts=100".to_owned()];
        let mut child = command(&project, &[&set[0], &set[1]], &[]).spawn().expect("the binary runs");
        let mut left = 6;
        while left > 0 {
            let pause = took.mul_f64(0.3 + 0.7 * f64::from(draws.next_u32()) / f64::from(u32::MAX));
            std::thread::sleep(pause + Duration::from_millis(300));
            if child.try_wait().expect("a child").is_some() {
                break;
            }
            let processes = started_by(&child);
            let Some(one) = processes.get(draws.next_u32() as usize % processes.len().max(1)) else { continue };
            // The last one of a run hangs.
            send(if left == 1 { "-STOP" } else { "-KILL" }, one);
            (left, kills) = (left - 1, kills + 1);
        }
        wait_for("the end of a run", || child.try_wait().expect("a child").is_some());
        let ended = child.wait_with_output().expect("it ends");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        expect_same(&expected, &project.outputs(), &format!("run {run}"));
        let again = counting.look().values().filter(|times| **times > 1).count();
        assert!(again <= 6 * 16, "{again} requests were sent again: more than were in the air");
    }
}

#[test]
fn no_process_outlives_its_supervisor() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency { median_ms: 300.0, sigma: 0.1, seed: 1 }));
    let project =
        Project::with(&remote(&endpoint.base_url(), "  run_id: r\n  batch_size: 4\n  total_samples: 400", ""));
    let mut child = command(&project, &["run.distributed.processes=3"], &[]).spawn().expect("the binary runs");
    wait_for("requests", || endpoint.requests() > 3);
    let processes = started_by(&child);
    assert_eq!(processes.len(), 3);
    child.kill().expect("a kill");
    child.wait().expect("it ends");
    wait_for("the end of all processes", || processes.iter().all(|process| !is_there(process)));
}

#[test]
fn interrupted_it_stops_everywhere_and_goes_on_to_the_same_bytes() {
    let counting = Counting::start();
    let (expected, took) = undisturbed(&counting);
    for (name, code) in [("-INT", 130), ("-TERM", 143), ("-USR1", 75)] {
        let project = counting.project();
        let child = command(&project, &[], &[]).spawn().expect("the binary runs");
        std::thread::sleep(took.mul_f64(0.4));
        let processes = started_by(&child);
        signal(&child, name);
        let ended = child.wait_with_output().expect("it ends");
        assert_eq!(ended.status.code(), Some(code), "{}", String::from_utf8_lossy(&ended.stderr));
        assert!(processes.iter().all(|process| !is_there(process)), "{name}: a process is left");
        let ended =
            command(&project, &["run.distributed.processes=3"], &["--resume", "r"]).output().expect("the binary");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        expect_same(&expected, &project.outputs(), name);
        assert!(counting.look().values().all(|times| *times == 1), "{name}: a reply was lost");
    }
}

#[test]
fn limits_are_those_of_the_whole_run() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency { median_ms: 20.0, sigma: 0.5, seed: 1 }));
    let routing = format!("  routing: {{endpoints: [{{base_url: \"{}\", max_in_flight: 3}}]}}\n", endpoint.base_url());
    let run = "  run_id: r\n  batch_size: 16\n  total_samples: 24";
    let config = remote(&endpoint.base_url(), run, "").replace("llm:\n", &format!("llm:\n{routing}"));
    let project = Project::with(&config);
    Ran::of(command(&project, &["run.distributed.processes=3"], &[])).succeeded();
    assert_eq!(endpoint.max_in_flight(), 3, "all three, and never more");

    let endpoint = Endpoint::start(Behaviour::dialogue(Latency { median_ms: 5.0, sigma: 0.5, seed: 1 }));
    let project = Project::with(&remote(&endpoint.base_url(), run, ""));
    let cap = ["run.budget.calls=50"];
    Ran::of(command(&project, &cap, &[])).failed(&["run.budget.calls (50)", "50 calls", "--resume r"]);
    assert_eq!(endpoint.requests(), 50, "all of them, and not one more");
    // What is spent counts when it goes on, in any shape.
    Ran::of(command(&project, &cap, &["--resume", "r"])).failed(&["run.budget.calls (50)"]);
    assert_eq!(endpoint.requests(), 50);
}

/// Settings by which processes are started by hand.
fn by_hand(port: u16, secret: &str) -> [String; 4] {
    [
        "run.distributed.launcher=manual".to_owned(),
        format!("run.distributed.hosts=['127.0.0.1:{port}']"),
        format!("run.distributed.secret={secret}"),
        "run.distributed.start_timeout_s=2".to_owned(),
    ]
}

/// One process that is started by hand.
fn worker(project: &Project, process: &str, set: &[String]) -> Command {
    let mut command = project.command(&["worker", "config.yaml", "--process", process, "--set", ON]);
    set.iter().for_each(|key| _ = command.args(["--set", key]));
    command.env("SOURCE_DATE_EPOCH", "1735689600").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Demands that a process ends with these reasons.
fn refused(mut worker: Command, reasons: &[&str]) {
    let ended = worker.output().expect("the binary runs");
    let complaint = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("dlgforge worker failed: "), "{complaint}");
    reasons.iter().for_each(|reason| assert!(complaint.contains(reason), "no `{reason}` in {complaint}"));
}

/// A port that nobody listens at now.
pub fn port() -> u16 {
    loop {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|one| one.local_addr()).expect("a port").port();
        if port < 32_768 {
            return port;
        }
        let low = 20_000 + port % 12_000;
        if std::net::TcpListener::bind(("127.0.0.1", low)).is_ok() {
            return low;
        }
    }
}

#[test]
fn processes_can_be_started_by_hand() {
    let counting = Counting::start();
    let (expected, _) = undisturbed(&counting);
    let (first, second, set) = (counting.project(), counting.project(), by_hand(port(), "word"));
    let member = worker(&second, "1", &set).spawn().expect("the binary runs");
    Ran::of(worker(&first, "0", &set)).succeeded();
    let ended = member.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    expect_same(&expected, &first.outputs(), "by hand");
    assert!(!second.path("outputs").exists(), "only the first process needs the output folder");
}

#[test]
fn what_keeps_processes_apart_is_told() {
    let counting = Counting::start();
    let project = counting.project();
    let set = by_hand(port(), "word");
    // Nobody comes.
    refused(worker(&project, "0", &set), &["begin without process 1, of 2 in all", "dlgforge worker --process N"]);
    refused(worker(&project, "1", &set), &["reach the first process at 127.0.0.1:", "run.distributed.hosts"]);
    refused(worker(&project, "2", &set), &["--process 2: `run.distributed.processes` is 2: 0 to 1"]);
    // Another word.
    let first = worker(&project, "0", &set).spawn().expect("the binary runs");
    let stranger = by_hand(
        set[1].rsplit(':').next().and_then(|port| port.strip_suffix("']")?.parse().ok()).expect("a port"),
        "other",
    );
    refused(worker(&counting.project(), "1", &stranger), &["the secret word of the cluster is another one"]);
    first.wait_with_output().expect("it ends");
    // Another document.
    let set = by_hand(port(), "word");
    let (project, other) = (counting.project(), counting.project());
    other.write("knowledge/more.md", b"# Rain\n\nRain falls on the hills in spring, and on the plains in autumn.\n");
    let member = worker(&other, "1", &set).spawn().expect("the binary runs");
    refused(worker(&project, "0", &set), &["process 1, which has not read the same: knowledge/more.md is xxh3:"]);
    let ended = member.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(1), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(counting.look().len(), 0, "nothing was asked");
}
