//! How the endpoints of a run are: a small file beside the state of runs, for whoever looks on from outside of the process.
//!
//! It is written anew every two seconds at most while something happens, and once at the end; nothing is made of it. Of a run of
//! several processes it has the calls of the first one, which knows for all whom they may ask.

use super::events::{Event, Listener};
use crate::domain::clock;
use crate::files;
use crate::llm::{self, EventKind};
use crate::store::FOLDER;
use crate::traffic;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the file is written at most.
const EVERY: Duration = Duration::from_secs(2);
/// Calls whose latency is held.
const HELD: usize = 512;

/// Keeps the file of an output folder.
pub struct Health {
    figures: Arc<Mutex<Figures>>,
    news: Mutex<Option<SyncSender<()>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What the file has.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// The run, or the pass of the judge.
    pub run: String,
    /// When it was written.
    pub at: Timestamp,
    /// How each endpoint is, by its name in messages.
    pub endpoints: BTreeMap<String, EndpointHealth>,
}

/// How an endpoint is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct EndpointHealth {
    /// Whether it answers, as far as is known.
    pub state: EndpointState,
    /// What went wrong last; empty where nothing did.
    pub error: String,
    /// The most requests at a time that it is given, where it has been slowed.
    pub limit: Option<u32>,
    /// Requests that went out.
    pub requests: u64,
    /// Requests that came to nothing, those for which there was no room included.
    pub failed: u64,
    /// Requests for which there was no room (HTTP 429).
    pub rate_limited: u64,
    /// Requests on their way.
    pub in_flight: u64,
    /// The median latency of the last 512 replies, in seconds; none before the first.
    pub p50_s: Option<f64>,
    /// The latency that 95 of 100 of them stay below, in seconds.
    pub p95_s: Option<f64>,
}

/// Whether an endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// Nothing says that it does not.
    #[default]
    Up,
    /// It is asked from time to time only.
    Down,
    /// An agent does not ask it any more.
    LeftOut,
}

#[derive(Default)]
struct Figures {
    run: String,
    endpoints: BTreeMap<String, (EndpointHealth, VecDeque<Duration>)>,
}

impl Health {
    /// Of the runs of this output folder.
    pub fn of(outputs: &Path) -> Self {
        let figures = Arc::<Mutex<Figures>>::default();
        let (news, heard) = sync_channel(1);
        let (kept, path) = (figures.clone(), path(outputs));
        let writer = std::thread::Builder::new().name("health".into()).spawn(move || keep(&heard, &kept, &path));
        // Without a thread nobody looks on.
        Self { figures, news: Mutex::new(Some(news)), writer: Mutex::new(writer.ok()) }
    }
}

/// How the endpoints were when the last run of an output folder told; none where it has asked none.
pub fn read(outputs: &Path) -> Option<Snapshot> {
    serde_json::from_slice(&std::fs::read(path(outputs)).ok()?).ok()
}

fn path(outputs: &Path) -> PathBuf {
    outputs.join(FOLDER).join("endpoints.json")
}

/// Writes the file as long as there is news, and when there will be none any more.
fn keep(heard: &Receiver<()>, figures: &Mutex<Figures>, path: &Path) {
    let mut is_new = false;
    while is_new || heard.recv().is_ok() {
        write(figures, path);
        let quiet = Instant::now() + EVERY;
        is_new = loop {
            match heard.recv_timeout(quiet.saturating_duration_since(Instant::now())) {
                Ok(()) => is_new = true,
                Err(RecvTimeoutError::Timeout) => break is_new,
                Err(RecvTimeoutError::Disconnected) => return write(figures, path),
            }
        };
    }
}

/// Writes the file where there is something to tell and a folder for it.
fn write(figures: &Mutex<Figures>, path: &Path) {
    let snapshot = held(figures).snapshot();
    if snapshot.endpoints.is_empty() || !path.parent().is_some_and(Path::is_dir) {
        return;
    }
    let written = serde_json::to_vec_pretty(&snapshot).map_err(|error| error.to_string());
    let written = written.and_then(|text| files::write(path, &text).map_err(|error| error.to_string()));
    if let Err(error) = written {
        tracing::debug!(target: "dlgforge.pipeline", "how endpoints are is not kept: {error}");
    }
}

fn held(figures: &Mutex<Figures>) -> MutexGuard<'_, Figures> {
    figures.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Listener for Health {
    fn hear(&self, event: &Event<'_>) {
        let is_heard = match event {
            Event::Started { run, .. } => {
                held(&self.figures).run = (*run).to_owned();
                false
            }
            Event::Call(call) => held(&self.figures).call(call),
            Event::Traffic(event) => held(&self.figures).traffic(event),
            _ => false,
        };
        if is_heard && let Some(news) = &*self.news.lock().unwrap_or_else(PoisonError::into_inner) {
            // One that waits is enough.
            _ = news.try_send(());
        }
    }

    fn end(&self) {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).take();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        _ = writer.map(JoinHandle::join);
    }
}

impl Figures {
    fn of(&mut self, endpoint: &str) -> &mut (EndpointHealth, VecDeque<Duration>) {
        if !self.endpoints.contains_key(endpoint) {
            self.endpoints.insert(endpoint.to_owned(), Default::default());
        }
        self.endpoints.get_mut(endpoint).unwrap_or_else(|| unreachable!("it was put there"))
    }

    fn call(&mut self, llm::Event { endpoint, kind, .. }: &llm::Event) -> bool {
        let Some(endpoint) = endpoint else { return false };
        let (health, latencies) = self.of(endpoint);
        match kind {
            EventKind::Requested { .. } => {
                health.requests += 1;
                health.in_flight += 1;
            }
            EventKind::Answered { latency, .. } => {
                health.in_flight = health.in_flight.saturating_sub(1);
                latencies.push_back(*latency);
                if latencies.len() > HELD {
                    latencies.pop_front();
                }
            }
            EventKind::Failed { error } => {
                health.in_flight = health.in_flight.saturating_sub(1);
                health.failed += 1;
                health.error.clone_from(error);
            }
            EventKind::RateLimited { .. } => health.rate_limited += 1,
            EventKind::Retried { .. } | EventKind::Ended(_) => return false,
        }
        true
    }

    fn traffic(&mut self, event: &traffic::Event) -> bool {
        let (endpoint, state, error, limit) = match event {
            traffic::Event::Down { endpoint, error } => (endpoint, Some(EndpointState::Down), Some(error), None),
            traffic::Event::LeftOut { endpoint, error } => (endpoint, Some(EndpointState::LeftOut), Some(error), None),
            traffic::Event::Up { endpoint } => (endpoint, Some(EndpointState::Up), None, None),
            traffic::Event::Slowed { endpoint, why, limit } => (endpoint, None, Some(why), Some(*limit)),
            traffic::Event::Learned { .. } | traffic::Event::Spent { .. } | traffic::Event::CapReached { .. } => {
                return false;
            }
        };
        let (health, _) = self.of(endpoint);
        health.state = state.unwrap_or(health.state);
        health.error = error.cloned().unwrap_or_else(|| std::mem::take(&mut health.error));
        health.limit = limit.or(health.limit);
        true
    }

    fn snapshot(&self) -> Snapshot {
        let one = |(name, (health, latencies)): (&String, &(EndpointHealth, VecDeque<Duration>))| {
            let mut sorted: Vec<_> = latencies.iter().collect();
            sorted.sort_unstable();
            let share = |percent: usize| {
                let at = (sorted.len() * percent / 100).min(sorted.len().checked_sub(1)?);
                Some(sorted[at].as_secs_f64())
            };
            (name.clone(), EndpointHealth { p50_s: share(50), p95_s: share(95), ..health.clone() })
        };
        Snapshot { run: self.run.clone(), at: clock::now(), endpoints: self.endpoints.iter().map(one).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Agent, Usage};

    fn call(kind: EventKind) -> llm::Event {
        let (conversation, model) = ("r-0000".into(), "m".into());
        llm::Event { agent: Agent::User, conversation, model, endpoint: Some("http://h/v1".into()), kind }
    }

    #[test]
    fn what_is_heard_is_in_the_file_at_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(read(folder.path()), None);
        std::fs::create_dir(folder.path().join("store")).expect("a folder");
        let health = Health::of(folder.path());
        let hear = |event: llm::Event| health.hear(&Event::Call(&event));
        for number in 1..=100 {
            hear(call(EventKind::Requested { messages: 1, tools: 0 }));
            let latency = Duration::from_millis(number * 10);
            let usage = Usage::default();
            hear(call(EventKind::Answered { latency, usage, nanousd: None, tool_calls: 0, characters: 1 }));
        }
        hear(call(EventKind::Requested { messages: 1, tools: 0 }));
        hear(call(EventKind::Failed { error: "HTTP 503".to_owned() }));
        hear(call(EventKind::Requested { messages: 1, tools: 0 }));
        let down = traffic::Event::Down { endpoint: "http://h/v1".to_owned(), error: "HTTP 503".to_owned() };
        health.hear(&Event::Traffic(&down));
        health.end();
        let snapshot = read(folder.path()).expect("a file");
        let expected = EndpointHealth {
            state: EndpointState::Down,
            error: "HTTP 503".to_owned(),
            requests: 102,
            failed: 1,
            in_flight: 1,
            p50_s: Some(0.51),
            p95_s: Some(0.96),
            ..EndpointHealth::default()
        };
        assert_eq!(snapshot.endpoints, BTreeMap::from([("http://h/v1".to_owned(), expected)]));
    }
}
