//! What a run learns of its endpoints: told once, and kept with the run for `dlgforge status`.

use crate::domain::Observer;
use crate::store::{Fact, StoreError};
use crate::traffic::Event;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Keeps a fact with its run.
type Keeping = Box<dyn Fn(&Fact) -> Result<(), StoreError> + Send + Sync>;

/// The facts of one run, shared by all its endpoints.
#[derive(Default)]
pub(super) struct Facts {
    /// What was told in this process.
    known: Mutex<BTreeSet<Fact>>,
    /// Keeps them with the run; none before it has begun.
    keep: OnceLock<Keeping>,
    observer: Observer<Event>,
}

impl Facts {
    /// No facts yet; this observer hears of those to come.
    pub fn new(observer: Observer<Event>) -> Self {
        Self { observer, ..Self::default() }
    }

    /// Takes note of how what is learned from now on is kept.
    pub fn keep_by(&self, keep: Keeping) {
        _ = self.keep.set(keep);
    }

    /// Tells and keeps what is so of an endpoint, unless that is known.
    pub fn learn(&self, endpoint: &str, text: String) {
        let fact = Fact { endpoint: endpoint.to_owned(), text };
        if !self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(fact.clone()) {
            return;
        }
        self.observer.tell(|| Event::Learned { endpoint: endpoint.to_owned(), text: fact.text.clone() });
        let kept = self.keep.get().map_or(Ok(()), |keep| keep(&fact));
        // It is for people: the run goes on without.
        kept.unwrap_or_else(|error: StoreError| tracing::warn!(target: "dlgforge.llm", "[llm] failed to {error}"));
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Facts").field(&self.known).finish()
    }
}
