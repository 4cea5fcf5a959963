//! A local OpenAI-compatible endpoint over real HTTP, for tests and benchmarks: what it answers is a function.

#[path = "endpoint/dialogue.rs"]
pub mod dialogue;

use dialogue::Latency;
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

/// Requests whose headers and bodies are kept for inspection: enough for tests, bounded for benchmarks.
const LOGGED: usize = 4096;

/// A response.
#[derive(Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers, the content type among them where it is not JSON.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// Time from the request's end to the response's start.
    pub delay: Duration,
    /// Whether the connection is closed after the body's bytes as if there were more; without any bytes, before the
    /// response.
    pub close: bool,
    /// What follows the body, if it is too long to be held.
    pub tail: Option<Tail>,
}

/// One chunk of bytes, again and again.
#[derive(Clone, Copy)]
pub struct Tail {
    /// The chunk.
    pub chunk: &'static [u8],
    /// How often it is sent.
    pub times: u64,
    /// Whether the response announces its length.
    pub announced: bool,
}

impl Reply {
    /// A JSON response, at once.
    pub fn json(status: u16, body: &Value) -> Self {
        let body = body.to_string().into();
        Self { status, headers: Vec::new(), body, delay: Duration::ZERO, close: false, tail: None }
    }

    /// An error as OpenAI writes it.
    pub fn error(status: u16, message: &str) -> Self {
        Self::json(status, &json!({"error": {"message": message, "type": "error", "param": null, "code": null}}))
    }
}

/// The response to a request without a body.
type Page = dyn Fn() -> Reply + Send + Sync;

/// The reply to a request with this number, from 0.
type Answer = dyn Fn(&Value, u64) -> Reply + Send + Sync;

/// What an endpoint answers.
#[derive(Clone)]
pub struct Behaviour {
    answer: Arc<Answer>,
    /// The list of models, if there is one.
    models: Option<Reply>,
    /// What else there is to get, by its path.
    pages: Vec<(&'static str, Arc<Page>)>,
    /// The key that what lies below `/v1` is kept by, as vLLM has it.
    key: Option<Arc<str>>,
    /// Where it answers; empty for everywhere.
    path: &'static str,
}

impl Behaviour {
    /// Answers with this function.
    pub fn new(reply: impl Fn(&Value, u64) -> Reply + Send + Sync + 'static) -> Self {
        Self { answer: Arc::new(reply), models: None, pages: Vec::new(), key: None, path: "/v1/chat/completions" }
    }

    /// The same, with this response to `GET /v1/models`; without one there is no such place.
    pub fn listing(self, models: Reply) -> Self {
        Self { models: Some(models), ..self }
    }

    /// The same with a page at another path.
    pub fn page(mut self, path: &'static str, page: impl Fn() -> Reply + Send + Sync + 'static) -> Self {
        self.pages.push((path, Arc::new(page)));
        self
    }

    /// The same, kept by a key.
    pub fn guarded_by(self, key: &str) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// The same at another path than that of chats; at an empty one, everywhere.
    pub fn serving(self, path: &'static str) -> Self {
        Self { path, ..self }
    }

    /// Plays user, assistant and judge.
    pub fn dialogue(latency: Latency) -> Self {
        Self::new(move |request, _| dialogue::reply(request, latency))
    }

    /// Answers every request with this status.
    pub fn status(status: u16, headers: &[(&str, &str)]) -> Self {
        let headers: Vec<_> = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self::new(move |_, _| Reply { headers: headers.clone(), ..Reply::error(status, "no, said the endpoint") })
    }

    /// Refuses the first requests with 503, then plays all roles.
    pub fn flaky(failures: u64) -> Self {
        Self::new(
            move |request, number| {
                if number < failures { Reply::error(503, "down") } else { dialogue::reply(request, Latency::NONE) }
            },
        )
    }

    /// Plays all roles, but takes no format other than text.
    pub fn text_only() -> Self {
        Self::new(|request, _| match request["response_format"]["type"].as_str() {
            None | Some("text") => dialogue::reply(request, Latency::NONE),
            Some(_) => Reply::json(
                400,
                &json!({"error": "'response_format.type' must be 'text', not 'json_schema' or 'json_object', which are unsupported"}),
            ),
        })
    }
}

/// An address where nothing listens yet: connections are refused.
pub struct Address {
    socket: TcpSocket,
    /// The root of the API that an endpoint will have there.
    pub base_url: String,
}

impl Address {
    /// A free port of the loopback interface, which nobody else can take.
    pub fn free() -> Self {
        Self::bound(0).expect("a free port")
    }

    /// This port of the loopback interface; a free one where it is 0.
    pub fn bound(port: u16) -> io::Result<Self> {
        Self::at(([127, 0, 0, 1], port).into())
    }

    /// This address; a free port of it where that is 0.
    pub fn at(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        if address.port() > 0 {
            // What an earlier server has left of its connections is in nobody's way.
            socket.set_reuseaddr(true)?;
        }
        socket.bind(address)?;
        let base_url = format!("http://{}/v1", socket.local_addr()?);
        Ok(Self { socket, base_url })
    }

    /// Starts an endpoint there, on a thread of its own.
    pub fn start(self, behaviour: Behaviour) -> Endpoint {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = {
            let _context = runtime.enter();
            self.socket.listen(4096).expect("a listener")
        };
        let state = Arc::new(State {
            behaviour,
            requests: AtomicU64::new(0),
            looks: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            max_in_flight: AtomicU64::new(0),
            changes: Mutex::new(Vec::new()),
            log: Mutex::new(Vec::new()),
        });
        let (stop, stopped) = oneshot::channel();
        let shared = state.clone();
        let thread = thread::spawn(move || runtime.block_on(accept(listener, shared, stopped)));
        Endpoint { base_url: self.base_url, state, stop: Some(stop), thread: Some(thread) }
    }
}

/// A running endpoint; it ends when dropped.
pub struct Endpoint {
    base_url: String,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the connections of an endpoint share.
struct State {
    behaviour: Behaviour,
    requests: AtomicU64,
    looks: AtomicU64,
    in_flight: AtomicU64,
    max_in_flight: AtomicU64,
    /// When a request came, and when one was over.
    changes: Mutex<Vec<(Instant, bool)>>,
    log: Mutex<Vec<(HeaderMap, Bytes)>>,
}

impl Endpoint {
    /// Starts on a free port of the loopback interface, on a thread of its own.
    pub fn start(behaviour: Behaviour) -> Self {
        Address::free().start(behaviour)
    }

    /// The root of its API.
    pub fn base_url(&self) -> String {
        self.base_url.clone()
    }

    /// Requests received.
    pub fn requests(&self) -> u64 {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// Requests for the list of models, which count for nothing else.
    pub fn looks(&self) -> u64 {
        self.state.looks.load(Ordering::SeqCst)
    }

    /// The most requests that were being answered at one moment.
    pub fn max_in_flight(&self) -> u64 {
        self.state.max_in_flight.load(Ordering::SeqCst)
    }

    /// Requests that were being answered at a time, on average between the moments when the 5th and the 75th percent of them
    /// came: after the start and before the tail of a run.
    pub fn mean_in_flight(&self) -> f64 {
        let changes = self.state.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let came: Vec<Instant> = changes.iter().filter(|(_, came)| *came).map(|(at, _)| *at).collect();
        let [from, until] = [0.05, 0.75].map(|share| came[(came.len() as f64 * share) as usize]);
        // A request counts from when it comes to when it is over, as far as that lies between the two.
        let seconds = |at: &Instant| (until - *at.clamp(&from, &until)).as_secs_f64();
        let sum: f64 = changes.iter().map(|(at, came)| if *came { seconds(at) } else { -seconds(at) }).sum();
        sum / (until - from).as_secs_f64()
    }

    /// Bodies of the first 4096 requests, in the order of their numbers.
    pub fn log(&self) -> Vec<Value> {
        let log = self.state.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().map(|(_, body)| serde_json::from_slice(body).expect("a logged body is JSON")).collect()
    }

    /// Headers of the same requests.
    pub fn headers(&self) -> Vec<HeaderMap> {
        let log = self.state.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().map(|(headers, _)| headers.clone()).collect()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the endpoint's thread has been printed; a second one here would abort the test.
            thread.join().ok();
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<State>, mut stopped: oneshot::Receiver<()>) {
    loop {
        let accepted = tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, _) = accepted.expect("a connection");
        stream.set_nodelay(true).ok();
        let state = state.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| respond(&state, request));
            // A client may go away at any time.
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
        });
    }
}

async fn respond(state: &State, request: Request<Incoming>) -> io::Result<Response<Payload>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let bearer = |key: &str| head.headers.get("authorization").is_some_and(|given| *given == format!("Bearer {key}"));
    if head.uri.path().starts_with("/v1") && state.behaviour.key.as_deref().is_some_and(|key| !bearer(key)) {
        return response(Reply::json(401, &json!({"error": "Unauthorized"})));
    }
    if let Some((_, page)) = state.behaviour.pages.iter().find(|(path, _)| head.uri.path() == *path) {
        return response(page());
    }
    if head.method == "GET" && head.uri.path() == "/v1/models" {
        state.looks.fetch_add(1, Ordering::SeqCst);
        let models = state.behaviour.models.clone();
        return response(models.unwrap_or_else(|| Reply::error(404, "there are no models to list")));
    }
    let path = state.behaviour.path;
    if head.method != "POST" || !(path.is_empty() || head.uri.path() == path) {
        return response(Reply::error(404, &format!("there is only POST {path}")));
    }
    let Ok(request) = serde_json::from_slice(&body) else {
        return response(Reply::error(400, "the body is not JSON"));
    };
    let _flight = Flight::start(state);
    let reply = (state.behaviour.answer)(&request, state.number(head.headers, body));
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    response(reply)
}

fn response(reply: Reply) -> io::Result<Response<Payload>> {
    if reply.close && reply.body.is_empty() {
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    let bytes = Some(reply.body);
    let payload = match reply.tail {
        Some(tail) => Payload::Long { bytes, tail },
        None if reply.close => Payload::Cut { bytes, flushed: false },
        None => Payload::Whole(bytes),
    };
    let mut response = Response::builder().status(reply.status);
    if !reply.headers.iter().any(|(name, _)| name == CONTENT_TYPE.as_str()) {
        response = response.header(CONTENT_TYPE, "application/json");
    }
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(payload).map_err(io::Error::other)
}

impl State {
    /// Logs a request and gives its number.
    fn number(&self, headers: HeaderMap, body: Bytes) -> u64 {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() < LOGGED {
            log.push((headers, body));
        }
        self.requests.fetch_add(1, Ordering::SeqCst)
    }
}

impl State {
    fn changed(&self, came: bool) {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), came));
    }
}

/// A request being answered; it is over when dropped, also when its client goes away.
struct Flight<'a>(&'a State);

impl<'a> Flight<'a> {
    fn start(state: &'a State) -> Self {
        let now = state.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        state.max_in_flight.fetch_max(now, Ordering::SeqCst);
        state.changed(true);
        Self(state)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.0.changed(false);
    }
}

/// The bytes of a response's body, complete or breaking off.
enum Payload {
    Whole(Option<Bytes>),
    Cut { bytes: Option<Bytes>, flushed: bool },
    Long { bytes: Option<Bytes>, tail: Tail },
}

impl Body for Payload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Long { bytes, tail } => {
                let next = bytes.take().or_else(|| {
                    tail.times = tail.times.checked_sub(1)?;
                    Some(Bytes::from_static(tail.chunk))
                });
                Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
            }
            Self::Cut { bytes, flushed } => match bytes.take() {
                Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                None if *flushed => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
                None => {
                    // The server writes out what it has when it has to wait for more.
                    *flushed = true;
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
            },
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Long { bytes, tail } if tail.announced => {
                let first = bytes.as_ref().map_or(0, Bytes::len) as u64;
                SizeHint::with_exact(first + tail.times * tail.chunk.len() as u64)
            }
            Self::Cut { .. } | Self::Long { .. } => SizeHint::new(),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }
}
