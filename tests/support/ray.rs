//! A stand-in for Ray's Jobs API: its jobs are processes of this machine, whichever node they ask for.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use tempfile::TempDir;

/// A Ray of two nodes with two CPUs each.
pub struct Ray {
    /// The address of its API.
    pub address: String,
    state: Arc<State>,
}

struct State {
    jobs: Mutex<BTreeMap<String, Job>>,
    logs: TempDir,
    /// Whether no job is ever started.
    is_full: bool,
}

/// A job that was submitted.
struct Job {
    submitted: Value,
    /// None for one that waits.
    child: Option<Child>,
    is_stopped: bool,
}

impl Ray {
    /// Starts one; on a full one all jobs wait.
    pub fn start(is_full: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let logs = TempDir::new().expect("a temporary folder");
        let state = Arc::new(State { jobs: Mutex::default(), logs, is_full });
        let serving = Arc::downgrade(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Some(state) = serving.upgrade() else { return };
                // A client may go away at any time.
                thread::spawn(move || _ = state.serve(stream.expect("a connection")));
            }
        });
        Self { address, state }
    }

    /// What was submitted, in the order of the names.
    pub fn submitted(&self) -> Vec<Value> {
        self.state.jobs().values().map(|job| job.submitted.clone()).collect()
    }

    /// The ids of the processes that jobs are, of those that have not ended.
    pub fn processes(&self) -> Vec<String> {
        let mut jobs = self.state.jobs();
        let children = jobs.values_mut().filter_map(|job| job.child.as_mut());
        let running = children.filter_map(|child| child.try_wait().expect("a child").is_none().then(|| child.id()));
        running.map(|id| id.to_string()).collect()
    }
}

impl Drop for Ray {
    fn drop(&mut self) {
        self.state.jobs().values_mut().filter_map(|job| job.child.as_mut()).for_each(|child| {
            _ = child.kill();
            _ = child.wait();
        });
    }
}

impl State {
    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let (mut head, mut length) = (String::new(), 0);
        reader.read_line(&mut head)?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            match line.to_lowercase().split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse().expect("a length"),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let mut words = head.split_whitespace();
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (status, answer) = self.answer(method, path, &serde_json::from_slice(&body).unwrap_or_default());
        let length = answer.len();
        write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{answer}")
    }

    fn answer(&self, method: &str, path: &str, body: &Value) -> (u16, String) {
        let path: Vec<&str> = path.split(['/', '?']).filter(|word| !word.is_empty()).collect();
        let answer = match (method, &path[1..]) {
            ("GET", ["version"]) => json!({"version": "4", "ray_version": "2.60.0"}),
            ("GET", ["v0", "nodes", ..]) => {
                let node = |ip: &str| json!({"node_ip": ip, "state": "ALIVE", "resources_total": {"CPU": 2.0}});
                let dead = json!({"node_ip": "10.255.255.1", "state": "DEAD", "resources_total": {"CPU": 9.0}});
                json!({"result": true, "data": {"result": {"result": [dead, node("127.0.0.1"), node("127.0.0.2")]}}})
            }
            ("POST", ["jobs"]) => {
                let id = body["submission_id"].as_str().expect("a name").to_owned();
                if self.jobs().contains_key(&id) {
                    return (500, format!("Traceback\nRuntimeError: job {id} already exists"));
                }
                let child = (!self.is_full).then(|| self.run(&id, body));
                self.jobs().insert(id.clone(), Job { submitted: body.clone(), child, is_stopped: false });
                json!({"job_id": id, "submission_id": id})
            }
            (_, ["jobs", id, rest @ ..]) => {
                let mut jobs = self.jobs();
                let Some(job) = jobs.get_mut(*id) else { return (404, format!("Job {id} does not exist")) };
                match (method, rest) {
                    ("GET", []) => job.look(),
                    ("GET", ["logs"]) => {
                        json!({"logs": fs::read_to_string(self.logs.path().join(id)).unwrap_or_default()})
                    }
                    ("POST", ["stop"]) => job.stop(),
                    _ => return (405, "no such method".to_owned()),
                }
            }
            _ => return (404, "404: Not Found".to_owned()),
        };
        (200, answer.to_string())
    }

    fn run(&self, id: &str, body: &Value) -> Child {
        let log = File::create(self.logs.path().join(id)).expect("a log");
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", body["entrypoint"].as_str().expect("a command")])
            .current_dir("/")
            .env_clear()
            .process_group(0);
        for (name, value) in body["runtime_env"]["env_vars"].as_object().expect("variables") {
            command.env(name, value.as_str().expect("text"));
        }
        // As Ray does it, whose other interfaces are there.
        command.env("RAY_ADDRESS", "127.0.0.1:6379").env("SOURCE_DATE_EPOCH", "1735689600");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        command.spawn().expect("a shell")
    }
}

impl Job {
    fn look(&mut self) -> Value {
        let Some(child) = &mut self.child else {
            return json!({"status": "PENDING", "message": "Job has not started yet. It may be waiting for resources."});
        };
        match child.try_wait().expect("a child") {
            None => json!({"status": "RUNNING", "message": "Job is currently running."}),
            Some(_) if self.is_stopped => json!({"status": "STOPPED", "message": "Job was intentionally stopped."}),
            Some(status) if status.success() => json!({"status": "SUCCEEDED", "driver_exit_code": 0}),
            Some(status) => {
                let code = status.code().unwrap_or_else(|| -status.signal().unwrap_or_default());
                json!({"status": "FAILED", "driver_exit_code": code, "message": "Job entrypoint command failed"})
            }
        }
    }

    /// As Ray does it: it asks, and after three seconds it kills.
    fn stop(&mut self) -> Value {
        self.is_stopped = true;
        if let Some(child) = &mut self.child
            && child.try_wait().is_ok_and(|ended| ended.is_none())
        {
            let group = child.id();
            let send = move |signal: &str| {
                Command::new("kill")
                    .args([signal, "--", &format!("-{group}")])
                    .stderr(Stdio::null())
                    .status()
                    .expect("kill")
            };
            send("-TERM");
            thread::spawn(move || {
                thread::sleep(std::time::Duration::from_secs(3));
                send("-KILL")
            });
        }
        json!({"stopped": true})
    }
}
