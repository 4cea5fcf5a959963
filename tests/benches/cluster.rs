//! What several processes gain, and what they cost: a load that takes a core of its own from each, bytes between them, the time until
//! they ask for something, and the same after one is killed; SQLite and PostgreSQL as the store of the same run.
//!
//! `cargo bench --bench cluster -- [gain] [traffic] [start] [store]`, by default all of them. Ratios are of runs that take turns
//! (A B B A) on one machine. `gain` gives each process a core of its own; with `TMPDIR` in memory the disk has no part in it. Its
//! second ratio, which others on the machine change less, is the CPU time of one process to the most that one of two has used.
//! `store` needs a server, whose connection string is in `DLGFORGE_POSTGRES_DSN`. Linux with `taskset`, `ss` and `pgrep` only.

#[expect(dead_code, unused_imports, reason = "a benchmark needs part of the harness")]
#[path = "../support/mod.rs"]
mod support;

use dlgforge::store::DSN_VARIABLE;
use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::endpoint::dialogue::Latency;
use support::endpoint::{Behaviour, Endpoint};
use support::{Project, builtin, remote};

/// Runs of a kind that are compared, and those whose times have a median.
const RUNS: usize = 6;
const STARTS: usize = 7;

fn main() {
    let given: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let parts: [(&str, fn()); 4] = [("gain", gain), ("traffic", traffic), ("start", start), ("store", store)];
    for (name, measure) in parts {
        if given.is_empty() || given.iter().any(|one| one == name) {
            measure();
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Takes turns (A B B A); what each came to, in order.
fn in_turns<T>(mut one: impl FnMut() -> T, mut other: impl FnMut() -> T) -> (Vec<T>, Vec<T>) {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        if run % 2 == 0 {
            ones.push(one());
            others.push(other());
        } else {
            others.push(other());
            ones.push(one());
        }
    }
    (ones, others)
}

/// CPU seconds of all processes so far that were waited for, with those that they waited for.
fn spent() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit_once(") ").expect("fields").1.split(' ').collect();
    fields[13..15].iter().map(|ticks| ticks.parse::<f64>().expect("ticks")).sum::<f64>() / TICKS_PER_SECOND
}

/// The processes that these have started.
fn started_by(children: &[Child]) -> Vec<String> {
    let parents: Vec<_> = children.iter().map(|child| child.id().to_string()).collect();
    let found = Command::new("pgrep").args(["-P", &parents.join(",")]).output().expect("pgrep runs");
    String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect()
}

fn set(command: &mut Command, keys: &[&str]) {
    keys.iter().for_each(|key| _ = command.args(["--set", key]));
    command.stdout(Stdio::null());
}

/// A port that nobody listens at now, below those that the system gives away.
fn port() -> u16 {
    let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let first = 20_000 + (std::process::id() % 8000) as u16;
    (first..first + 1000).find(free).expect("a free port")
}

/// Processes of a run, each started by hand.
fn by_hand(project: &Project, processes: usize, port: u16) -> Vec<Command> {
    let (hosts, count) =
        (format!("run.distributed.hosts=['127.0.0.1:{port}']"), format!("run.distributed.processes={processes}"));
    let worker = |process: usize| {
        let mut command = project.command(&["worker", "config.yaml", "--process", &process.to_string()]);
        set(&mut command, &["run.distributed.enabled=true", "run.distributed.launcher=manual", &hosts, &count]);
        command.env("DLGFORGE_CLUSTER_SECRET", "word").stderr(Stdio::null());
        command
    };
    (0..processes).map(worker).collect()
}

/// The same command on one core.
fn on_core(core: usize, command: &Command) -> Command {
    let mut pinned = Command::new("taskset");
    pinned.arg("--cpu-list").arg(core.to_string()).arg(command.get_program()).args(command.get_args());
    pinned.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    pinned.current_dir(command.get_current_dir().expect("a folder")).stdin(Stdio::null());
    pinned.stdout(Stdio::null()).stderr(Stdio::null());
    pinned
}

/// Runs them together; how long that took, and the CPU seconds of each.
fn together(commands: Vec<Command>) -> (f64, Vec<f64>) {
    let began = Instant::now();
    let children: Vec<Child> = commands.into_iter().map(|mut one| one.spawn().expect("it runs")).collect();
    let each = children.into_iter().map(|mut child| {
        let before = spent();
        assert!(child.wait().expect("it ends").success());
        spent() - before
    });
    let cpu = each.collect();
    (began.elapsed().as_secs_f64(), cpu)
}

fn gain() {
    let project =
        || Project::with(&builtin("  run_id: r\n  batch_size: 64\n  concurrency: 128\n  total_samples: 1500", ""));
    let one = || {
        let project = project();
        together(vec![on_core(0, &project.command(&["run", "config.yaml"]))])
    };
    let two = || {
        let project = project();
        let commands = by_hand(&project, 2, port());
        together(commands.iter().enumerate().map(|(core, command)| on_core(core, command)).collect())
    };
    let (ones, twos) = in_turns(one, two);
    println!("1,500 conversations of the built-in model with its judge, all files; seconds, CPU seconds");
    for ((took, cpu), (both, cpus)) in ones.iter().zip(&twos) {
        println!("  one process {took:.2} ({:.2}), two {both:.2} ({:.2} and {:.2})", cpu[0], cpus[0], cpus[1]);
    }
    let (pairs, most) = (ones.iter().zip(&twos), |cpus: &[f64]| cpus.iter().copied().fold(0.0, f64::max));
    let ratios = pairs.clone().map(|((one, _), (two, _))| one / two).collect();
    let ideal = pairs.map(|((_, one), (_, two))| one[0] / most(two)).collect();
    println!("  two are {:.2} times as fast, by CPU time {:.2} (medians of {RUNS})", median(ratios), median(ideal));
}

/// What a connection has sent so far: bytes, and segments with data.
type Sent = (u64, u64);

/// What these processes have sent to each other so far, by the ends of each connection.
fn sent(processes: &[String], into: &mut BTreeMap<(String, String), Sent>) {
    let told = Command::new("ss").args(["-tnipOH"]).output().expect("ss runs");
    let mine = |line: &&str| processes.iter().any(|process| line.contains(&format!("pid={process},")));
    for line in String::from_utf8_lossy(&told.stdout).lines().filter(mine) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.parse().ok()).unwrap_or(0);
        let (bytes, segments) = (number("bytes_sent:"), number("data_segs_out:"));
        into.insert((words[3].to_owned(), words[4].to_owned()), (bytes, segments));
    }
}

fn traffic() {
    const CONVERSATIONS: u64 = 1000;
    println!("between processes, for each of {CONVERSATIONS} conversations of 4 turns:");
    for processes in [2, 4, 8] {
        let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
        let run = format!(
            "  run_id: r\n  batch_size: 64\n  total_samples: {CONVERSATIONS}\n  turns: {{mode: exact, exact: 4}}"
        );
        let (project, port) = (Project::with(&remote(&endpoint.base_url(), &run, "")), port());
        let commands = by_hand(&project, processes, port);
        let mut children: Vec<_> = commands.into_iter().map(|mut one| one.spawn().expect("it runs")).collect();
        let mut all = BTreeMap::new();
        while children.iter_mut().any(|child| child.try_wait().expect("a child").is_none()) {
            sent(&started_by(&children), &mut all);
            std::thread::sleep(Duration::from_millis(50));
        }
        let elsewhere = endpoint.base_url().trim_start_matches("http://").trim_end_matches("/v1").to_owned();
        all.retain(|(here, there), _| *there != elsewhere && all_local(here, there));
        let hub = format!("127.0.0.1:{port}");
        let is_line = |(here, there): &(String, String)| *here == hub || *there == hub;
        for (name, lines) in [("lines to process 0", true), ("the dataflow", false)] {
            let these = all.iter().filter(|(ends, _)| is_line(ends) == lines).map(|(_, sent)| *sent);
            let (bytes, segments) = these.fold((0, 0), |sum, sent| (sum.0 + sent.0, sum.1 + sent.1));
            let each = |count: u64| count as f64 / CONVERSATIONS as f64;
            println!("  {processes} processes, {name}: {:.0} bytes in {:.0} segments", each(bytes), each(segments));
        }
        println!("    {:.1} calls", endpoint.requests() as f64 / CONVERSATIONS as f64);
    }
}

fn all_local(here: &str, there: &str) -> bool {
    [here, there].iter().all(|end| end.starts_with("127.0.0.1:"))
}

/// `dlgforge run` with so many processes.
fn run(project: &Project, processes: usize) -> Child {
    let mut command = project.command(&["run", "config.yaml"]);
    if processes > 1 {
        set(&mut command, &["run.distributed.enabled=true", &format!("run.distributed.processes={processes}")]);
    }
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs")
}

fn kill(process: &str) {
    _ = Command::new("kill").args(["-KILL", process]).stderr(Stdio::null()).status().expect("kill runs");
}

/// Ends a run with all its processes.
fn end(mut child: Child) {
    let processes = started_by(std::slice::from_ref(&child));
    child.kill().and_then(|()| child.wait()).expect("it ends");
    processes.iter().for_each(|process| kill(process));
}

/// Seconds until there are more requests than so many.
fn until_more_than(requests: u64, endpoint: &Endpoint) -> f64 {
    let began = Instant::now();
    while endpoint.requests() <= requests {
        std::thread::sleep(Duration::from_micros(500));
    }
    began.elapsed().as_secs_f64()
}

fn start() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency { median_ms: 200.0, sigma: 0.5, seed: 1 }));
    let config = remote(&endpoint.base_url(), "  run_id: r\n  batch_size: 64\n  total_samples: 5000", "");
    println!("seconds from the command to the first call (medians of {STARTS}):");
    let counts = [1, 2, 4];
    let mut took = counts.map(|_| Vec::new());
    for _ in 0..STARTS {
        for (processes, took) in counts.into_iter().zip(&mut took) {
            let (project, before) = (Project::with(&config), endpoint.requests());
            let child = run(&project, processes);
            took.push(until_more_than(before, &endpoint));
            end(child);
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    for (processes, took) in counts.into_iter().zip(took) {
        println!("  {processes} processes: {:.3}", median(took));
    }
    let restarted = (0..STARTS).map(|_| {
        let project = Project::with(&config);
        let before = endpoint.requests();
        let child = run(&project, 2);
        until_more_than(before + 300, &endpoint);
        let processes = started_by(std::slice::from_ref(&child));
        kill(&processes[1]);
        let killed = Instant::now();
        while processes.iter().any(|process| std::fs::exists(format!("/proc/{process}")).expect("a look")) {
            std::thread::sleep(Duration::from_micros(500));
        }
        let gone = killed.elapsed().as_secs_f64();
        until_more_than(endpoint.requests(), &endpoint);
        let whole = killed.elapsed().as_secs_f64();
        end(child);
        (gone, whole)
    });
    let (gone, whole): (Vec<f64>, Vec<f64>) = restarted.unzip();
    println!(
        "from the kill of one of two to the first call after it: {:.2}, of which {:.2} until both are gone",
        median(whole),
        median(gone)
    );
}

fn store() {
    let Ok(dsn) = std::env::var(DSN_VARIABLE) else {
        return println!("the stores are left out: set {DSN_VARIABLE} to a server's connection string");
    };
    const CONVERSATIONS: usize = 400;
    for in_flight in [16, 256] {
        let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
        let run =
            format!("  batch_size: {in_flight}\n  total_samples: {CONVERSATIONS}\n  turns: {{mode: exact, exact: 4}}");
        let calls = |backend: &str| {
            let (project, before) = (Project::with(&remote(&endpoint.base_url(), &run, "")), endpoint.requests());
            let mut command = project.command(&["run", "config.yaml"]);
            set(&mut command, &[&format!("store.backend={backend}")]);
            command.env(DSN_VARIABLE, &dsn).stderr(Stdio::null());
            let (took, cpu) = together(vec![command]);
            let calls = (endpoint.requests() - before) as f64;
            (calls / took, cpu[0] / calls * 1e6)
        };
        let (sqlite, postgres) = in_turns(|| calls("sqlite"), || calls("postgres"));
        let ratio = median(postgres.iter().zip(&sqlite).map(|(one, other)| one.0 / other.0).collect());
        let [(files, cpu), (server, its_cpu)] = [sqlite, postgres].map(|runs| {
            let (rates, cpus): (Vec<f64>, Vec<f64>) = runs.into_iter().unzip();
            (median(rates), median(cpus))
        });
        println!(
            "{in_flight} conversations at a time: {files:.0} calls a second with SQLite ({cpu:.0} us of CPU each), {server:.0} with \
             PostgreSQL ({its_cpu:.0} us); {ratio:.2} of it"
        );
    }
}
