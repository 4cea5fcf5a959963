//! A Hub over real HTTP that checks what it gets: tokens, digests, lengths, parents of commits. Faults are a function.

mod kept;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderMap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// The token that it takes.
pub const TOKEN: &str = "hf_secretOfTheHub0123456789";

/// Entries of a page of a list.
const PAGE: usize = 3;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Came {
    /// The method and the path with its query, such as `POST /api/repos/create`.
    pub to: String,
    /// How many requests to the same place came before it.
    pub before: usize,
}

/// What goes wrong with a request.
pub enum Fault {
    /// It is refused with this status and these headers.
    Refuse(u16, Vec<(&'static str, String)>),
    /// The connection is closed before it is carried out.
    Cut,
    /// It is carried out, but the connection is closed before the reply.
    LoseReply,
}

type Faults = dyn Fn(&Came) -> Option<Fault> + Send + Sync;

/// What the server answers, but for the faults that it is told to make.
pub struct Behaviour {
    faults: Box<Faults>,
    /// Bytes of a part of an upload; larger files go in parts.
    part: usize,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { faults: Box::new(|_| None), part: usize::MAX }
    }
}

impl Behaviour {
    /// With these faults.
    pub fn failing(faults: impl Fn(&Came) -> Option<Fault> + Send + Sync + 'static) -> Self {
        Self { faults: Box::new(faults), ..Self::default() }
    }

    /// With uploads in parts of so many bytes.
    pub fn in_parts(self, part: usize) -> Self {
        Self { part, ..self }
    }
}

/// A repository as the server has it.
#[derive(Debug, Clone, Default)]
pub struct Repo {
    /// The content of each file, by path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Those of them that are large.
    pub large: BTreeSet<String>,
    /// Its commits, the last one at the end, with their messages.
    pub commits: Vec<(String, String)>,
    /// Whether it is private.
    pub is_private: bool,
}

impl Repo {
    fn commit(&mut self, message: &str) {
        let name = hex(&Sha1::digest(format!("{} {message}", self.commits.len())));
        self.commits.push((name, message.to_owned()));
    }

    fn head(&self) -> &str {
        self.commits.last().map_or("", |(name, _)| name)
    }
}

#[derive(Default)]
struct Kept {
    repos: BTreeMap<String, Repo>,
    objects: BTreeMap<String, Vec<u8>>,
    parts: BTreeMap<(String, usize), Vec<u8>>,
    came: Vec<Came>,
    problems: Vec<String>,
}

struct State {
    behaviour: Behaviour,
    root: String,
    kept: Mutex<Kept>,
}

/// A running Hub; it ends when dropped.
pub struct Hub {
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Hub {
    /// Starts on a free port of the loopback interface, on a thread of its own.
    pub fn start(behaviour: Behaviour) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let root = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(State { behaviour, root, kept: Mutex::default() });
        let (stop, stopped) = oneshot::channel();
        let shared = state.clone();
        let thread = thread::spawn(move || runtime.block_on(accept(listener, shared, stopped)));
        Self { state, stop: Some(stop), thread: Some(thread) }
    }

    /// Its address, for `HF_ENDPOINT`.
    pub fn root(&self) -> &str {
        &self.state.root
    }

    /// A repository, such as `datasets/me/d`; it must be there.
    pub fn repo(&self, name: &str) -> Repo {
        self.state.kept().repos.get(name).unwrap_or_else(|| panic!("no {name}")).clone()
    }

    /// Changes a repository, or makes it.
    pub fn edit(&self, name: &str, edit: impl FnOnce(&mut Repo)) {
        let mut kept = self.state.kept();
        let repo = kept.repos.entry(name.to_owned()).or_default();
        edit(repo);
        repo.commit("by others");
    }

    /// The requests to places with this in them, in order.
    pub fn came(&self, to: &str) -> Vec<Came> {
        self.state.kept().came.iter().filter(|came| came.to.contains(to)).cloned().collect()
    }

    /// Demands that every request was as the protocol has it.
    pub fn expect_proper(&self) {
        let problems = self.state.kept().problems.clone();
        assert!(problems.is_empty(), "{problems:#?}");
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl State {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, state: Arc<State>, mut stopped: oneshot::Receiver<()>) {
    loop {
        let accepted = tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, _) = accepted.expect("a connection");
        let state = state.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| respond(&state, request));
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
        });
    }
}

/// What a place answers: a status, headers and a body.
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string().into_bytes() }
    }

    fn refused(status: u16, why: &str) -> Self {
        Self::json(status, &json!({"error": why}))
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

async fn respond(state: &State, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let to = format!("{} {}", head.method, head.uri);
    // A body that breaks off is a client that has gone away.
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let came = {
        let mut kept = state.kept();
        let before = kept.came.iter().filter(|came| came.to == to).count();
        let came = Came { to, before };
        kept.came.push(came.clone());
        came
    };
    let fault = (state.behaviour.faults)(&came);
    let answer = match fault {
        Some(Fault::Cut) => return Err(io::ErrorKind::ConnectionAborted.into()),
        Some(Fault::Refuse(status, headers)) => Answer { headers, ..Answer::refused(status, "not now") },
        Some(Fault::LoseReply) => {
            state.answer(&came.to, &head.headers, &body);
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        None => state.answer(&came.to, &head.headers, &body),
    };
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Full::from(answer.body)).map_err(io::Error::other)
}

impl State {
    fn answer(&self, to: &str, headers: &HeaderMap, body: &Bytes) -> Answer {
        let mut kept = self.kept();
        let (method, place) = to.split_once(' ').unwrap_or_default();
        let (path, query) = place.split_once('?').unwrap_or((place, ""));
        let path = percent_decoded(path);
        let given = headers.get("authorization").map(|given| given.to_str().unwrap_or_default().to_owned());
        let is_storage = path.starts_with("/storage/");
        let is_authorised = given.as_deref() == Some(&format!("Bearer {TOKEN}"));
        if is_storage && given.is_some() {
            kept.problems.push(format!("{to}: the storage got the token"));
        }
        if !is_storage && !is_authorised {
            return Answer::refused(401, "Invalid username or password.");
        }
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (method, parts.as_slice()) {
            ("POST", ["api", "repos", "create"]) => kept.create(&json),
            ("POST", ["api", kind, owner, name, "preupload", "main"]) => {
                kept.preupload(&format!("{kind}/{owner}/{name}"), &json)
            }
            ("POST", [.., git, "info", "lfs", "objects", "batch"]) if git.ends_with(".git") => {
                let is_lfs = headers.get("content-type").is_some_and(|kind| kind == "application/vnd.git-lfs+json");
                if !is_lfs {
                    kept.problems.push(format!("{to}: not the type of Git LFS"));
                }
                kept.batch(&json, &self.root, self.behaviour.part)
            }
            ("PUT", ["storage", oid]) => kept.store(oid, body),
            ("PUT", ["storage", oid, part]) => {
                let part: usize = part.parse().expect("a number");
                kept.parts.insert((oid.to_string(), part), body.to_vec());
                Answer::json(200, &json!({})).with("etag", format!("\"{}\"", hex(&Sha256::digest(body))))
            }
            ("POST", ["lfs", "complete", oid]) => kept.complete(oid, &json),
            ("POST", ["lfs", "verify"]) => {
                let oid = json["oid"].as_str().unwrap_or_default();
                match kept.objects.get(oid) {
                    Some(object) if json["size"] == object.len() => Answer::json(200, &json!({})),
                    _ => Answer::refused(404, "no such object"),
                }
            }
            ("POST", ["api", kind, owner, name, "commit", "main"]) => {
                kept.commit(&format!("{kind}/{owner}/{name}"), body)
            }
            ("GET", ["api", kind, owner, name, "tree", _, folder @ ..]) => {
                kept.tree(&format!("{kind}/{owner}/{name}"), &folder.join("/"), query, &self.root)
            }
            ("GET" | "HEAD", ["api", kind, owner, name] | ["api", kind, owner, name, "revision", _]) => {
                kept.information(&format!("{kind}/{owner}/{name}"))
            }
            ("GET" | "HEAD", ["datasets", owner, name, "resolve", _, file @ ..]) => {
                kept.file(&format!("datasets/{owner}/{name}"), &file.join("/"))
            }
            _ => Answer::refused(404, "Sorry, we can't find the page you are looking for."),
        }
    }
}

/// The name that git has for a file.
fn git_oid(content: &[u8]) -> String {
    hex(&Sha1::new_with_prefix(format!("blob {}\0", content.len())).chain_update(content).finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn percent_decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let [first, more @ ..] = rest {
        rest = more;
        let decoded = match more {
            [high, low, ..] if *first == b'%' => {
                let digits = [*high, *low].map(char::from).iter().collect::<String>();
                u8::from_str_radix(&digits, 16).ok()
            }
            _ => None,
        };
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { &rest[2..] } else { rest };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
