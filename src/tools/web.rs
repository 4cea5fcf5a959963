//! The web as tools meet it: one trait, what is asked, and what comes of it.

use super::Domains;
use crate::domain::{Digest, Page, Place};
use crate::store::StoreError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use xxhash_rust::xxh3::xxh3_128;

/// What is asked of the web.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The query, as the assistant wrote it.
    pub query: String,
    /// How many results are wanted, 1 or more.
    pub results: usize,
    /// The domains that results may come from.
    pub domains: Arc<Domains>,
}

impl Asked {
    /// Tells searches apart: equal when the same is asked.
    pub fn digest(&self) -> Digest {
        let Self { query, results, domains } = self;
        Digest(xxh3_128(format!("web_search\n{results}\n{domains:?}\n{query}").as_bytes()))
    }
}

/// What came of a search, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebReply {
    /// The pages that were found, best first; maybe none.
    Pages(Vec<Page>),
    /// It has failed, after all tries: the engine's words. The assistant is told, and goes on without.
    Failed(String),
}

/// Why a search comes to nothing that a conversation could go on with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// No search can be made any more: the run has to stop.
    #[error("{0}")]
    Halted(String),
    /// What was found can't be kept, or not be looked up: the run has to stop.
    #[error("failed to {0}")]
    Store(#[from] StoreError),
    /// The task that searched ended without a result.
    #[error("the task that searched the web was lost: {0}")]
    Lost(String),
}

/// The future of what comes of a search.
pub type WebSearching<'a> = Pin<Box<dyn Future<Output = Result<WebReply, WebError>> + Send + 'a>>;

/// Something that can be asked for pages of the web.
pub trait Web: Send + Sync {
    /// Searches once, with the patience its settings give it, for a call at this place of the run.
    fn search<'a>(&'a self, place: Place, asked: &'a Asked) -> WebSearching<'a>;
}

/// Counters of the searches of one run.
#[derive(Debug, Default)]
pub struct SearchMeter {
    made: AtomicU64,
    failed: AtomicU64,
    retries: AtomicU64,
    recalled: AtomicU64,
    /// The searches of other processes, by their numbers.
    elsewhere: Mutex<BTreeMap<usize, SearchReading>>,
}

/// The counters at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SearchReading {
    /// Searches that the engine was asked for.
    pub made: u64,
    /// Those of them that failed for good.
    pub failed: u64,
    /// Requests repeated after a failure.
    pub retries: u64,
    /// Searches that the journal answered.
    pub recalled: u64,
}

impl SearchMeter {
    /// Counts a search that has come to its end.
    pub fn made(&self, reply: &WebReply) {
        self.made.fetch_add(1, Ordering::Relaxed);
        self.failed.fetch_add(u64::from(matches!(reply, WebReply::Failed(_))), Ordering::Relaxed);
    }

    /// Counts a repeated request.
    pub fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a search that the journal answered.
    pub fn recalled(&self) {
        self.recalled.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes note of what the searches of another process have come to.
    pub fn elsewhere(&self, process: usize, reading: SearchReading) {
        self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner).insert(process, reading);
    }

    /// The counters as they are now, those of other processes included.
    pub fn read(&self) -> SearchReading {
        let own = SearchReading {
            made: self.made.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            recalled: self.recalled.load(Ordering::Relaxed),
        };
        let elsewhere = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        elsewhere.values().fold(own, |sum, one| SearchReading {
            made: sum.made + one.made,
            failed: sum.failed + one.failed,
            retries: sum.retries + one.retries,
            recalled: sum.recalled + one.recalled,
        })
    }
}
