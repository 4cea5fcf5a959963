//! `launcher: ray`: every process but the first is a job of a Ray cluster, submitted by its Jobs API and pinned to a node.
//!
//! Process 0 runs where the command was typed, as that is where its outputs are to be. A job that can't be placed waits without
//! an end in Ray; here the first process gives up on it after `run.distributed.start_timeout_s`. Ray's API is asked how jobs are
//! once a second; while it does not answer, nothing is known to be lost: the processes see to that themselves.

use super::super::RunError;
use super::super::knowledge::waited;
use super::{End, Launch, LaunchError, Others, Placed, Say, Start, at, toward};
use crate::domain::causes::causes;
use crate::settings::{ClusterSettings, RaySettings};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How long Ray may take to answer.
const ANSWERING: Duration = Duration::from_secs(10);
/// How often it is asked how a job is.
const ASKING: Duration = Duration::from_secs(1);
/// How long it may take to end a job.
const ENDING: Duration = Duration::from_secs(30);
/// Lines of the log of a job that has failed.
const LINES: usize = 20;
/// How much a job asks for of the resource that pins it to a node; a node has 1 of it.
const OF_NODE: f64 = 0.001;

/// Ray's variable for the address of its Jobs API.
const ADDRESS: &str = "RAY_API_SERVER_ADDRESS";

/// A Ray cluster, by its Jobs API.
#[derive(Debug, Clone)]
pub struct Ray {
    client: Client,
    options: RaySettings,
    token: Option<String>,
    /// What the names of the run's jobs begin with.
    name: String,
}

/// A node that jobs may be on.
#[derive(Debug, Clone, PartialEq)]
struct Node {
    ip: String,
    cpus: f64,
    gpus: f64,
}

/// What there is to start: process 0 here, and the others in Ray, or all of them here where there is none and that is fine.
///
/// # Errors
/// When there is no Ray.
pub fn launch(cluster: &ClusterSettings, env: &BTreeMap<String, String>, say: Say<'_>) -> Result<Launch, RunError> {
    let options = cluster.ray.clone();
    let client = Client::builder().timeout(ANSWERING).build().map_err(|error| no_ray(&options, causes(&error)))?;
    let name = format!("{}-{:016x}", options.namespace, rand::random::<u64>());
    let ray = Ray { client, token: env.get("RAY_AUTH_TOKEN").cloned(), name, options };
    match waited(ray.ask(Method::GET, "api/version", None))? {
        Ok(_) => Ok(Launch { cluster: cluster.clone(), here: vec![0], others: Others::Jobs(ray), run: None }),
        Err(LaunchError::NoRay { address, .. }) if cluster.ray.or_local => {
            let key = "run.distributed.ray.auto_start_local";
            say(format!("no Ray answers at {address}: all processes start on this machine (`{key}`)"));
            Ok(Launch::here(cluster))
        }
        Err(error) => Err(error.into()),
    }
}

fn no_ray(options: &RaySettings, cause: String) -> LaunchError {
    LaunchError::NoRay { address: options.address.clone(), cause }
}

impl Ray {
    /// Sends a request; what is answered, and none for what Ray does not know.
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Option<Value>, LaunchError> {
        let lost = |error: reqwest::Error| no_ray(&self.options, causes(&error.without_url()));
        let mut request = self.client.request(method, format!("{}/{path}", self.options.address));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(lost)?;
        let (status, text) = (response.status(), response.text().await.map_err(lost)?);
        match serde_json::from_str(&text) {
            _ if status == StatusCode::NOT_FOUND => Ok(None),
            Ok(answer) if status.is_success() => Ok(Some(answer)),
            _ => {
                let answer = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
                let hint = if status == StatusCode::UNAUTHORIZED { " (set RAY_AUTH_TOKEN)" } else { "" };
                let (address, what) = (self.options.address.clone(), format!("`/{path}`"));
                Err(LaunchError::Refused { address, what, answer: format!("{status}{hint}: {answer}") })
            }
        }
    }

    /// The address of a node for each of so many jobs, those that this machine is not first.
    ///
    /// # Errors
    /// When there is no room for them.
    pub async fn places(&self, jobs: usize) -> Result<Vec<String>, LaunchError> {
        let answer = self.ask(Method::GET, "api/v0/nodes?limit=10000", None).await?.unwrap_or_default();
        let mut nodes = nodes(&answer);
        nodes.sort_by_key(|node| toward(&node.ip).is_ok_and(|own| own.to_string() == node.ip));
        places(&nodes, &self.options, jobs).map_err(|room| {
            let RaySettings { cpus, gpus, .. } = self.options;
            LaunchError::NoRoom { room, wanted: jobs, cpus, gpus }
        })
    }

    /// Where process 0 listens for jobs on these nodes, at any free port.
    ///
    /// # Errors
    /// When the address by which nodes reach this machine is not known.
    pub fn hub(&self, places: &[String]) -> Result<String, LaunchError> {
        Ok(at(toward(places.first().map_or("127.0.0.1", String::as_str))?, 0))
    }

    /// Submits a process as a job on a node. It is among those that were placed before Ray answers: what has become of a
    /// request without an answer is not known.
    ///
    /// # Errors
    /// When Ray does not take it.
    pub async fn submit(
        &self,
        (process, started): (usize, u32),
        node: &str,
        start: &Start,
        placed: &mut Vec<Placed>,
    ) -> Result<(), LaunchError> {
        let id = format!("{}-{started}-{process}", self.name);
        let job =
            Job { process, id: id.clone(), ray: self.clone(), next: Instant::now(), ending: None, is_told: false };
        placed.push(Placed::Job(job));
        let mut resources = serde_json::Map::new();
        resources.insert(format!("node:{node}"), OF_NODE.into());
        // Ray sets RAY_ADDRESS for jobs, to another kind of address.
        let start = start.of(process).with(ADDRESS, &self.options.address);
        let env: BTreeMap<_, _> = start.env.iter().cloned().collect();
        let body = json!({
            "entrypoint": entrypoint(&start),
            "submission_id": id,
            "entrypoint_num_cpus": self.options.cpus,
            "entrypoint_num_gpus": self.options.gpus,
            "entrypoint_resources": resources,
            "runtime_env": {"env_vars": env},
            "metadata": {"dlgforge_process": process.to_string()},
        });
        self.ask(Method::POST, "api/jobs/", Some(&body)).await.map(|_| ())
    }
}

/// The command of a job, in the words of a shell: the same program with the same arguments, in the same folder.
fn entrypoint(start: &Start) -> String {
    let folder = std::env::current_dir().unwrap_or_default();
    let words = [start.program.as_os_str()].into_iter().chain(start.arguments.iter().map(|word| word.as_os_str()));
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    // Only a zero byte can't be quoted, which no argument has.
    let quoted = |words: &[&str]| shlex::try_join(words.iter().copied()).unwrap_or_default();
    let words: Vec<&str> = words.iter().map(|word| &**word).collect();
    format!("cd {} && exec {}", quoted(&[&folder.to_string_lossy()]), quoted(&words))
}

/// The nodes that are there, by the answer of Ray's state API.
fn nodes(answer: &Value) -> Vec<Node> {
    let rows = answer["data"]["result"]["result"].as_array();
    let alive = rows.into_iter().flatten().filter(|row| row["state"] == "ALIVE");
    let node = |row: &Value| {
        let total = |name: &str| row["resources_total"][name].as_f64().unwrap_or_default();
        Some(Node { ip: row["node_ip"].as_str()?.to_owned(), cpus: total("CPU"), gpus: total("GPU") })
    };
    alive.filter_map(node).collect()
}

/// The node of each of so many jobs, in turns as far as there is room; how many there is room for, where that is too few.
fn places(nodes: &[Node], options: &RaySettings, jobs: usize) -> Result<Vec<String>, usize> {
    let times = |has: f64, takes: f64| if takes > 0.0 { (has / takes + 1e-9) as usize } else { usize::MAX };
    let room = |node: &Node| times(node.cpus, options.cpus).min(times(node.gpus, options.gpus));
    let mut places = Vec::new();
    for round in 0..jobs {
        places.extend(nodes.iter().filter(|node| room(node) > round).map(|node| node.ip.clone()));
    }
    if places.len() < jobs {
        return Err(places.len());
    }
    places.truncate(jobs);
    Ok(places)
}

/// A process that is a job of Ray.
#[derive(Debug)]
pub struct Job {
    /// Its number in the cluster.
    pub process: usize,
    id: String,
    ray: Ray,
    /// When Ray is asked next how it is.
    next: Instant,
    /// Since when it is to end.
    ending: Option<Instant>,
    /// Whether Ray has been told that it is to end.
    is_told: bool,
}

impl Job {
    /// Waits until it has ended, or can't be ended.
    pub async fn ended(&mut self, say: Say<'_>) -> End {
        let (id, path) = (&self.id, format!("api/jobs/{}", self.id));
        loop {
            tokio::time::sleep_until(self.next).await;
            self.next = Instant::now() + ASKING;
            if self.ending.is_some() && !self.is_told {
                self.is_told = self.ray.ask(Method::POST, &format!("{path}/stop"), Some(&json!({}))).await.is_ok();
            }
            let seen = self.ray.ask(Method::GET, &path, None).await;
            let last = |how: String| End { code: None, how };
            if let Ok(Some(seen)) = &seen {
                let message = seen["message"].as_str().unwrap_or_default();
                match (seen["status"].as_str().unwrap_or_default(), seen["driver_exit_code"].as_i64()) {
                    ("SUCCEEDED", _) => return End::coded(0),
                    ("STOPPED", _) => return last("was stopped by Ray".to_owned()),
                    ("FAILED", code) => {
                        if self.ending.is_none() {
                            self.tell_log(say).await;
                        }
                        return match code {
                            Some(code @ 0..) => End::coded(code as i32),
                            Some(signal) => last(format!("was ended by signal {}", -signal)),
                            None => last(format!("is gone, as job {id}: {message}")),
                        };
                    }
                    // It ends as soon as it starts.
                    ("PENDING", _) if self.is_told => {
                        say(format!("process {} was never started by Ray, as job {id}: {message}", self.process));
                        return last("was never started by Ray".to_owned());
                    }
                    _ => {}
                }
            }
            match (self.ending, seen) {
                (_, Ok(None)) => return last(format!("is gone: Ray has no job {id}")),
                (Some(since), seen) if since.elapsed() > ENDING => {
                    let why = seen.err().map_or("it goes on".to_owned(), |error| error.to_string());
                    say(format!("process {} can't be ended, as job {id} of Ray: {why}", self.process));
                    return last("can't be ended".to_owned());
                }
                _ => {}
            }
        }
    }

    /// Tells the last lines of its log.
    async fn tell_log(&self, say: Say<'_>) {
        let Ok(Some(answer)) = self.ray.ask(Method::GET, &format!("api/jobs/{}/logs", self.id), None).await else {
            return;
        };
        let log = answer["logs"].as_str().unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines
            .iter()
            .skip(lines.len().saturating_sub(LINES))
            .for_each(|line| say(format!("process {}: {line}", self.process)));
    }

    /// Has Ray end it.
    pub fn end(&mut self) {
        self.ending.get_or_insert_with(Instant::now);
        self.next = Instant::now();
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn options(cpus: f64, gpus: f64) -> RaySettings {
        RaySettings { address: "http://h:8265".into(), or_local: false, namespace: "n".into(), cpus, gpus }
    }

    #[test]
    fn nodes_that_are_there_are_read() {
        let row = |ip: &str, state: &str, cpus: f64| json!({"node_id": "f", "node_ip": ip, "state": state, "resources_total": {"CPU": cpus, "memory": 1e9}});
        let rows = [row("10.0.0.1", "ALIVE", 2.0), row("10.0.0.2", "DEAD", 2.0), row("10.0.0.3", "ALIVE", 0.0)];
        let answer = json!({"result": true, "data": {"result": {"total": 3, "result": rows}}});
        let found: Vec<_> = nodes(&answer).into_iter().map(|node| (node.ip, node.cpus, node.gpus)).collect();
        assert_eq!(found, [("10.0.0.1".to_owned(), 2.0, 0.0), ("10.0.0.3".to_owned(), 0.0, 0.0)]);
        assert_eq!(nodes(&json!("nonsense")), []);
    }

    #[test]
    fn jobs_take_nodes_in_turns_as_far_as_there_is_room() {
        let node = |ip: &str, cpus, gpus| Node { ip: ip.to_owned(), cpus, gpus };
        let nodes = [node("a", 4.0, 1.0), node("b", 1.0, 0.0), node("c", 2.0, 1.0)];
        for (cpus, gpus, jobs, expected) in [
            (1.0, 0.0, 2, Ok("a b")),
            (1.0, 0.0, 5, Ok("a b c a c")),
            (1.0, 0.0, 8, Err(7)),
            (2.0, 0.0, 3, Ok("a c a")),
            (0.1, 0.0, 4, Ok("a b c a")),
            (1.0, 0.5, 4, Ok("a c a c")),
            (0.0, 0.0, 4, Ok("a b c a")),
        ] {
            let found = places(&nodes, &options(cpus, gpus), jobs).map(|places| places.join(" "));
            assert_eq!(found, expected.map(str::to_owned), "{jobs} of {cpus} CPUs and {gpus} GPUs");
        }
    }

    #[test]
    fn the_entrypoint_is_the_command_that_was_typed() {
        let arguments = ["run", "my config.yaml", "--set", "run.run_id=it's"].map(Into::into).to_vec();
        let start = Start { program: "/opt/dlg forge".into(), arguments, env: vec![("A", "b".into())] };
        let words = shlex::split(&entrypoint(&start)).unwrap();
        let folder = std::env::current_dir().unwrap().display().to_string();
        let expected =
            ["cd", &folder, "&&", "exec", "/opt/dlg forge", "run", "my config.yaml", "--set", "run.run_id=it's"];
        assert_eq!(words, expected);
    }
}
