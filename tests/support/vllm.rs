//! A stand-in for the program `vllm`: it parses the flags of `vllm serve` as strictly as vLLM does, takes its time to load, has an
//! engine that is a process of its own, and answers as the scripted endpoint of the tests does.
//!
//! It is the test binary itself: a script that is called `vllm` starts it with the test [`stands_in_for_vllm`] alone.

use super::Project;
use super::endpoint::dialogue::{Latency, reply};
use super::endpoint::{Address, Behaviour, Reply};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// The variable with the arguments, each in a line.
const ARGUMENTS: &str = "STAND_IN_ARGUMENTS";

/// The variable with the file in which each server notes its processes.
const PROCESSES: &str = "STAND_IN_PROCESSES";

/// The flags of `vllm serve` that are known here, and whether a value follows.
const FLAGS: [(&str, bool); 14] = [
    ("--host", true),
    ("--port", true),
    ("--served-model-name", true),
    ("--tensor-parallel-size", true),
    ("--gpu-memory-utilization", true),
    ("--max-num-seqs", true),
    ("--max-model-len", true),
    ("--dtype", true),
    ("--api-key", true),
    ("--enforce-eager", false),
    // Of the stand-in alone: how long it loads, how long it takes to answer, how it dies, and whom it lets in.
    ("--stand-in-loads-ms", true),
    ("--stand-in-takes-ms", true),
    ("--stand-in-dies", true),
    ("--stand-in-ignores-sigterm", false),
];

/// Writes the program into a project; its path.
pub fn install(project: &Project) -> String {
    let binary = std::env::current_exe().expect("this binary");
    let processes = project.path("bin/processes").display().to_string();
    let script = format!(
        "#!/bin/sh\n{ARGUMENTS}=$(printf '%s\\n' \"$@\")\n{PROCESSES}='{processes}'\nexport {ARGUMENTS} {PROCESSES}\n\
         case \"$*\" in *ignores-sigterm*) trap '' TERM;; esac\n\
         exec '{}' --exact support::vllm::stands_in_for_vllm --ignored --nocapture\n",
        binary.display()
    );
    project.write("bin/vllm", script.as_bytes());
    let path = project.path("bin/vllm");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&path, mode).expect("permissions");
    path.display().to_string()
}

/// The first of some free ports that follow each other, below those that the system gives to clients.
pub fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 1000).expect("a small number") * 8;
    (0..1000)
        .map(|_| 20_000 + (first + NEXT.fetch_add(count, Ordering::SeqCst)) % 8000)
        .find(|port| (*port..port + count).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()))
        .expect("free ports")
}

/// Whether a process is there, and not only waits for its exit status to be taken.
pub fn is_alive(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// The processes of all servers that were started in a project: each server, and its engine.
pub fn processes(project: &Project) -> Vec<[u32; 2]> {
    let Ok(text) = fs::read_to_string(project.path("bin/processes")) else { return Vec::new() };
    let pair = |line: &str| {
        let (server, engine) = line.split_once(' ')?;
        Some([server.parse().ok()?, engine.parse().ok()?])
    };
    text.lines().filter_map(pair).collect()
}

/// Waits for something to become so.
pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

struct Arguments(Vec<(String, String)>);

impl Arguments {
    /// As argparse does it: what is not known ends it with the status 2.
    fn parse(text: &str) -> Self {
        let mut words = text.lines();
        let mut parsed = Vec::new();
        let refuse = |what: &str| -> ! {
            eprintln!("usage: vllm serve [model_tag] [options]\nvllm: error: {what}");
            std::process::exit(2)
        };
        if words.next() != Some("serve") {
            refuse("argument subparser: invalid choice");
        }
        let mut is_named = false;
        while let Some(word) = words.next() {
            match FLAGS.iter().find(|(flag, _)| *flag == word) {
                Some((_, true)) => match words.next() {
                    Some(value) => parsed.push((word.to_owned(), value.to_owned())),
                    None => refuse(&format!("argument {word}: expected one argument")),
                },
                Some((_, false)) => parsed.push((word.to_owned(), String::new())),
                None if word.starts_with('-') || is_named => refuse(&format!("unrecognized arguments: {word}")),
                None => {
                    is_named = true;
                    parsed.push(("model".to_owned(), word.to_owned()));
                }
            }
        }
        Self(parsed)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rfind(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn milliseconds(&self, name: &str) -> Duration {
        Duration::from_millis(self.get(name).map_or(0, |value| value.parse().expect("milliseconds")))
    }
}

#[test]
#[ignore = "the program that tests start as `vllm`"]
fn stands_in_for_vllm() {
    let Ok(text) = std::env::var(ARGUMENTS) else { return };
    let arguments = Arguments::parse(&text);
    let model = arguments.get("model").expect("a model");
    let name = arguments.get("--served-model-name").unwrap_or(model).to_owned();
    println!("INFO vLLM API server version 0.32.0, model {model}");
    println!("INFO CUDA_VISIBLE_DEVICES={}", std::env::var("CUDA_VISIBLE_DEVICES").unwrap_or_default());
    // Bound early, and answered late.
    assert_eq!(arguments.get("--host"), Some("127.0.0.1"), "tests listen on this machine alone");
    let port = arguments.get("--port").unwrap_or("8000").parse().expect("a port");
    let address = Address::bound(port).unwrap_or_else(|error| {
        eprintln!("OSError: [Errno 98] {error}");
        std::process::exit(1)
    });
    let mut engine = Command::new("sleep").arg("600").spawn().expect("an engine");
    let processes = std::env::var(PROCESSES).expect("where processes are noted");
    let mut noted = fs::OpenOptions::new().append(true).create(true).open(processes).expect("a file");
    // One write: replicas note theirs at the same time.
    let line = format!("{} {}\n", std::process::id(), engine.id());
    noted.write_all(line.as_bytes()).expect("a line");
    println!("INFO Loading weights");
    std::thread::sleep(arguments.milliseconds("--stand-in-loads-ms"));
    if let Some(code) = arguments.get("--stand-in-dies") {
        eprintln!("torch.OutOfMemoryError: CUDA out of memory.");
        std::process::exit(code.parse().expect("a status"));
    }
    let models =
        json!({"object": "list", "data": [{"id": name, "object": "model", "owned_by": "vllm", "root": model}]});
    let takes = arguments.milliseconds("--stand-in-takes-ms");
    let served = Behaviour::new(move |request, _| match request["model"] == name.as_str() {
        true => Reply { delay: takes, ..reply(request, Latency::NONE) },
        false => Reply::error(404, &format!("The model {} does not exist.", request["model"])),
    });
    let served = served
        .listing(Reply::json(200, &models))
        .page("/health", || Reply { body: "".into(), ..Reply::json(200, &json!(null)) });
    let key = std::env::var("VLLM_API_KEY").ok();
    let key = arguments.get("--api-key").map(str::to_owned).or(key);
    let _serving = address.start(if let Some(key) = key { served.guarded_by(&key) } else { served });
    println!("INFO Application startup complete.");
    // Without its engine it can do nothing.
    engine.wait().expect("an engine");
}
