//! The search of the knowledge base with the journal in front: what was found before is not searched for again.

use crate::domain::{Digest, Place};
use crate::knowledge::{Hit, KnowledgeError, Retriever, Searching};
use crate::store::{Journal, Kept, Recorded, StoreError};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

/// Who is told that the knowledge base can't be searched any more.
pub(super) type Told = Arc<dyn Fn(&KnowledgeError) + Send + Sync>;

/// A retriever whose hits are durable before anybody sees them: a server that embeds or ranks may answer otherwise the next
/// time, and so may another version of a library. A search that fails stops the run, which can go on later; but where a server
/// refuses the query itself, it costs the conversation alone: it would be refused again.
pub struct JournalledSearch {
    retriever: Arc<dyn Retriever>,
    setup: Arc<str>,
    hits: Recorded<Vec<Hit>, Unsearched>,
    broken: Told,
}

/// A retriever that finds what the journal has, and where it has nothing, what another one finds. For dry runs.
pub struct KeptSearch {
    /// What searches where nothing is kept: by words, which asks nobody.
    pub retriever: Arc<dyn Retriever>,
    /// What searches follow from beside the query.
    pub setup: Arc<str>,
    /// The hits that are there.
    pub kept: Kept,
}

/// Why a search comes to nothing, to be told to all who wait for it.
#[derive(Debug, Clone)]
pub(super) struct Unsearched(pub(super) Arc<KnowledgeError>);

impl From<StoreError> for Unsearched {
    fn from(error: StoreError) -> Self {
        Self(Arc::new(KnowledgeError::Halted(format!("failed to {error}"))))
    }
}

impl JournalledSearch {
    /// This retriever behind this journal; `setup` tells all that its hits follow from beside the query. Who is `broken` is
    /// told of the first search that fails, and of others.
    pub fn new(
        retriever: Arc<dyn Retriever>,
        setup: Arc<str>,
        journal: Arc<Journal>,
        broken: impl Fn(&KnowledgeError) + Send + Sync + 'static,
    ) -> Self {
        Self { retriever, setup, hits: Recorded::new(journal), broken: Arc::new(broken) }
    }
}

impl Retriever for JournalledSearch {
    fn search<'a>(&'a self, place: Place, query: &'a str, k: usize) -> Searching<'a> {
        let (retriever, query, digest) = (self.retriever.clone(), query.to_owned(), digest(&self.setup, query, k));
        let broken = self.broken.clone();
        let ask = async move {
            let found = retriever.search(place, &query, k).await;
            let found = found.inspect_err(|error| {
                if refused(error).is_none() {
                    broken(error)
                }
            });
            Ok((found.map_err(|error| Unsearched(Arc::new(error)))?, None))
        };
        let lost = |cause| Unsearched(Arc::new(KnowledgeError::Lost(cause)));
        let hits = self.hits.answer(place, digest, || (), lost, ask);
        Box::pin(async move { hits.await.map_err(|Unsearched(error)| halted(&error)) })
    }
}

/// The failure of a search that others wait for too.
pub(super) fn halted(error: &KnowledgeError) -> KnowledgeError {
    match error {
        KnowledgeError::Lost(cause) => KnowledgeError::Lost(cause.clone()),
        other => refused(other).unwrap_or_else(|| KnowledgeError::Halted(other.to_string())),
    }
}

/// The same error, where a server has said that it can't take this query, which may be too long for it.
pub(super) fn refused(error: &KnowledgeError) -> Option<KnowledgeError> {
    const OF_THE_QUERY: [&str; 4] = ["400", "413", "414", "422"];
    match error {
        KnowledgeError::Server { section, url, cause }
            if OF_THE_QUERY.iter().any(|status| cause.starts_with(status)) =>
        {
            Some(KnowledgeError::Server { section, url: url.clone(), cause: cause.clone() })
        }
        _ => None,
    }
}

impl Retriever for KeptSearch {
    fn search<'a>(&'a self, place: Place, query: &'a str, k: usize) -> Searching<'a> {
        Box::pin(async move {
            let kept = self.kept.answer(&place, digest(&self.setup, query, k));
            match kept.map_err(|error| KnowledgeError::Halted(format!("failed to {error}")))? {
                Some(hits) => Ok(hits),
                None => self.retriever.search(place, query, k).await,
            }
        })
    }
}

/// Tells searches apart: equal when the same is searched for in the same way.
fn digest(setup: &str, query: &str, k: usize) -> Digest {
    Digest(xxh3_128(format!("search\n{k}\n{setup}\n{query}").as_bytes()))
}
