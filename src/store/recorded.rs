//! Answers from outside that are durable before anybody sees them.

use super::journal::{Found, Paid};
use super::{Flights, Journal, Recalled, Reuse, Store, StoreError, recall};
use crate::domain::{Digest, Place};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::sync::Arc;

/// Answers of one kind, with the journal in front: what it has is not asked for again, and what it has not is kept before it
/// is told. Asking goes on when whoever wanted the answer has gone, for it is paid for and may be wanted again. Failures are
/// told and not kept.
pub struct Recorded<T, E> {
    journal: Arc<Journal>,
    flights: Flights<Result<T, E>>,
}

impl<T, E> Recorded<T, E>
where
    T: Clone + Send + Sync + Serialize + DeserializeOwned + 'static,
    E: Clone + Send + Sync + From<StoreError> + 'static,
{
    /// Answers that this journal keeps.
    pub fn new(journal: Arc<Journal>) -> Self {
        Self { journal, flights: Flights::default() }
    }

    /// The answer to what has this digest at this place: the journal's, of which `recalled` is told, or else the one that
    /// comes of `ask`, with what was paid for it. `lost` says what a panic comes to.
    ///
    /// # Errors
    /// That of `ask`, or the store's when an answer can't be looked up or kept; nothing more is kept then.
    pub async fn answer(
        &self,
        place: Place,
        digest: Digest,
        recalled: impl FnOnce() + Send + 'static,
        lost: impl FnOnce(String) -> E + Send + 'static,
        ask: impl Future<Output = Result<(T, Option<Paid>), E>> + Send + 'static,
    ) -> Result<T, E> {
        let journal = self.journal.clone();
        let work = async move {
            let read = |answer: &[u8]| serde_json::from_slice(answer).map_err(|error| error.to_string());
            if let Some((answer, Found { reply, reused })) = journal.recall(&place, digest, read)? {
                if reused {
                    journal.keep(place, digest, reply, None).await?;
                }
                recalled();
                return Ok(answer);
            }
            let (answer, paid) = ask.await?;
            let unwritable = |error: serde_json::Error| StoreError::Pack { cause: error.to_string() };
            let written = serde_json::to_vec(&answer).map_err(|error| journal.fail(unwritable(error)))?;
            journal.keep(place, digest, written, paid).await?;
            Ok(answer)
        };
        self.flights.join((place, digest), |error| Err(lost(error)), work).await
    }
}

/// What a run has in the journal, only to be read: what dry runs go by.
#[derive(Clone, Default)]
pub struct Kept {
    /// Where answers may be, with the run whose they are.
    pub journal: Option<(Arc<dyn Store>, Arc<str>)>,
    /// Another run whose answers serve too.
    pub reuse: Option<Reuse>,
    /// Who is told when the store can't be read.
    pub broken: Option<Broken>,
}

/// Somebody who is told that a store can't be read.
pub type Broken = Arc<dyn Fn(&StoreError) + Send + Sync>;

impl Kept {
    /// The answer that is kept, if it can be read.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn answer<T: DeserializeOwned>(&self, place: &Place, digest: Digest) -> Result<Option<T>, StoreError> {
        let Some((store, run)) = &self.journal else { return Ok(None) };
        let recalled = recall(&**store, run, self.reuse.as_ref(), place, digest);
        let told = |error: &StoreError| self.broken.iter().for_each(|broken| broken(error));
        Ok(match recalled.inspect_err(told)? {
            Recalled::Found(found) => serde_json::from_slice(&found.reply).ok(),
            Recalled::Nothing | Recalled::Unreadable(_) => None,
        })
    }
}
