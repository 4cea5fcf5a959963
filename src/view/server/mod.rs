//! The server: pages, what they ask for as JSON, and the one thing that they may write.

mod api;
mod guard;

use super::index::Share;
use super::labels::Stamp;
use super::overview::overview;
use super::{Index, Labels, Progress, ViewError};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use guard::Guard;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often it is looked whether files have changed.
const LOOK: Duration = Duration::from_secs(1);
/// Bytes of a label, at most.
const BODY: usize = 64 << 10;

/// What the pages are made of: a path, its type, its text.
const PAGES: [(&str, &str, &str); 10] = [
    ("/", HTML, include_str!("../pages/index.html")),
    ("/icon.svg", "image/svg+xml", include_str!("../pages/icon.svg")),
    ("/view.css", "text/css; charset=utf-8", include_str!("../pages/view.css")),
    ("/view.js", SCRIPT, include_str!("../pages/view.js")),
    ("/dom.js", SCRIPT, include_str!("../pages/dom.js")),
    ("/browse.js", SCRIPT, include_str!("../pages/browse.js")),
    ("/conversation.js", SCRIPT, include_str!("../pages/conversation.js")),
    ("/overview.js", SCRIPT, include_str!("../pages/overview.js")),
    ("/compare.js", SCRIPT, include_str!("../pages/compare.js")),
    ("/help.js", SCRIPT, include_str!("../pages/help.js")),
];
const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// What only runs know of an output folder, as JSON; a failure is a text for people.
pub struct Known {
    /// All that is known of the conversation of this id in this output folder.
    pub explain: Box<Told<str>>,
    /// How far the runs of this output folder are, and what they have cost.
    pub runs: Box<ToldOf>,
}

/// What is known of an output folder.
type ToldOf = dyn Fn(&Path) -> Result<Value, String> + Send + Sync;

/// What is known of something in an output folder.
type Told<What> = dyn Fn(&Path, &What) -> Result<Value, String> + Send + Sync;

/// An output folder that is shown.
pub struct Viewed {
    outputs: PathBuf,
    dsn: Option<String>,
    path: PathBuf,
    index: Mutex<Index>,
    reader: Mutex<Reader>,
    /// That of figures, which take longer than pages.
    counter: Mutex<Reader>,
    progress: Progress,
    /// Why the index does not follow its files, if it does not.
    trouble: Mutex<Option<String>>,
    /// Grows with every change of the index.
    revision: AtomicU64,
    /// The figures of all conversations, and what they were made of.
    figures: Mutex<Option<(Made, Value)>>,
}

/// The revision of an index, how much of it was done, and the labels.
type Made = (u64, Share, Stamp);

struct Reader {
    connection: Connection,
    labels: Labels,
    /// Why the labels are those of before, if they are.
    trouble: Option<String>,
}

impl Viewed {
    /// An output folder with its index, which is made in a cache folder where the output folder can't be written. Where its store is on a
    /// server, `dsn` is the connection string.
    ///
    /// # Errors
    /// When there is no such folder, or there is nothing in it that can be shown.
    pub fn open(outputs: &Path, dsn: Option<&str>, cache: Option<&Path>) -> Result<Self, ViewError> {
        Index::demand(outputs, dsn)?;
        let index = Index::open(outputs, cache)?;
        let reader = || -> Result<Reader, ViewError> {
            let connection = index.reader()?;
            Ok(Reader { labels: Labels::of(outputs, &connection)?, connection, trouble: None })
        };
        let (reader, counter) = (Mutex::new(reader()?), Mutex::new(reader()?));
        Ok(Self {
            outputs: outputs.to_owned(),
            dsn: dsn.map(str::to_owned),
            path: index.path().to_owned(),
            index: Mutex::new(index),
            reader,
            counter,
            progress: Progress::default(),
            trouble: Mutex::default(),
            revision: AtomicU64::default(),
            figures: Mutex::default(),
        })
    }

    /// Has the index follow its files.
    ///
    /// # Errors
    /// When a file or the index can't be read or written.
    pub fn refresh(&self, goes_on: &dyn Fn() -> bool) -> Result<(), ViewError> {
        let refreshed = held(&self.index).refresh(self.dsn.as_deref(), &self.progress, goes_on);
        *held(&self.trouble) = refreshed.as_ref().err().map(ToString::to_string);
        if refreshed? {
            self.revision.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The figures of all conversations, made anew where something has changed.
    fn figures(&self) -> Result<Value, ViewError> {
        held(&self.counter).read(|reader, labels| {
            let now = (self.revision.load(Ordering::Relaxed), self.progress.share(), labels.stamp());
            let mut kept = held(&self.figures);
            if let Some((_, figures)) = kept.as_ref().filter(|(made, _)| *made == now) {
                return Ok(figures.clone());
            }
            let figures = json!(overview(reader, &self.path)?);
            *kept = Some((now, figures.clone()));
            Ok(figures)
        })
    }

    /// Reads the index with the labels of this moment, or of before where the file has a line that is none.
    fn read<T>(&self, work: impl FnOnce(&Connection, &Labels) -> Result<T, ViewError>) -> Result<T, ViewError> {
        held(&self.reader).read(work)
    }
}

impl Reader {
    fn read<T>(&mut self, work: impl FnOnce(&Connection, &Labels) -> Result<T, ViewError>) -> Result<T, ViewError> {
        let Self { connection, labels, trouble } = self;
        *trouble = labels.refresh(connection).err().map(|error| error.to_string());
        work(connection, labels)
    }
}

/// What a task that has panicked has left is whole: nothing is changed step by step.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct State {
    folders: Vec<Viewed>,
    known: Known,
    stopped: AtomicBool,
}

/// Serves these folders at a loopback address to who has the token, until `stop` is there.
///
/// # Errors
/// When the listener can't be used.
pub async fn serve(
    listener: TcpListener,
    token: &str,
    folders: Vec<Viewed>,
    known: Known,
    stop: impl Future<Output = ()>,
) -> Result<(), ViewError> {
    let failed = |cause| ViewError::Listen { port: 0, cause };
    let port = listener.local_addr().map_err(failed)?.port();
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
    let state = Arc::new(State { folders, known, stopped: AtomicBool::new(false) });
    let router = router(state.clone(), Arc::new(Guard::new(port, token)));
    tokio::select! {
        served = async { axum::serve(listener, router).await } => served.map_err(failed)?,
        () = follow(state.clone()) => {}
        () = stop => {}
    }
    state.stopped.store(true, Ordering::Relaxed);
    Ok(())
}

/// Has the indexes follow their files.
async fn follow(state: Arc<State>) {
    loop {
        for number in 0..state.folders.len() {
            let state = state.clone();
            let refresh = move || {
                // It is told on the pages.
                _ = state.folders[number].refresh(&|| !state.stopped.load(Ordering::Relaxed));
            };
            _ = tokio::task::spawn_blocking(refresh).await;
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn router(state: Arc<State>, guard: Arc<Guard>) -> Router {
    let mut router = Router::new()
        .route("/api/folders", get(api::folders))
        .route("/api/compare", get(api::compared))
        .route("/api/help", get(api::help))
        .route("/api/{folder}/list", get(api::list))
        .route("/api/{folder}/conversation", get(api::conversation))
        .route("/api/{folder}/overview", get(api::overview))
        .route("/api/{folder}/runs", get(api::runs))
        .route("/api/{folder}/label", post(api::label));
    for (path, kind, text) in PAGES {
        router = router.route(path, get(move || async move { ([(header::CONTENT_TYPE, kind)], text) }));
    }
    let nothing = || async { (StatusCode::NOT_FOUND, "there is nothing at this address\n").into_response() };
    router
        .fallback(nothing)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(from_fn_with_state(guard, guard::guard))
        .with_state(state)
}

/// Headers of every response: nothing but what this server hands out is loaded, run, kept or told of.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];
