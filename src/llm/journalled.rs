//! A model with the journal in front: what was replied before is not asked again.

use super::chat::Replying;
use super::{ChatReply, ChatRequest, Meter, Model, ModelError};
use crate::store::journal::{Found, Paid};
use crate::store::{Journal, StoreError};
use crate::words::{Digest, Place};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

type Outcome = Result<Arc<ChatReply>, ModelError>;

/// Requests that are out, by what they ask and where.
type Flights = Arc<Mutex<HashMap<(Place, Digest), Shared<BoxFuture<'static, Outcome>>>>>;

/// A model whose replies are durable before anybody sees them.
///
/// A request goes out on a task of its own: when the conversation that made it is rolled back, its reply still lands in
/// the journal, for it is paid for, and the step may come back.
pub struct Journalled {
    model: Arc<dyn Model>,
    role: &'static str,
    journal: Arc<Journal>,
    meter: Arc<Meter>,
    flights: Flights,
}

impl Journalled {
    /// This model in this role, behind this journal.
    pub fn new(model: Arc<dyn Model>, role: &'static str, journal: Arc<Journal>, meter: Arc<Meter>) -> Self {
        Self { model, role, journal, meter, flights: Flights::default() }
    }

    async fn found(&self, place: Place, digest: Digest) -> Result<Option<ChatReply>, ModelError> {
        let Some(Found { reply, reused }) = self.journal.recall(&place, digest)? else { return Ok(None) };
        let unreadable = |error: serde_json::Error| self.journal.fail(StoreError::Unpack { cause: error.to_string() });
        let read = serde_json::from_slice(&reply).map_err(unreadable)?;
        if reused {
            self.journal.keep(place, digest, reply, None).await?;
        }
        self.meter.recalled();
        Ok(Some(read))
    }

    /// The request on its way: a new one, unless the same is out already.
    fn flight(&self, request: &ChatRequest, digest: Digest) -> Shared<BoxFuture<'static, Outcome>> {
        let key = (request.place, digest);
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        let started = || {
            let (model, journal, role) = (self.model.clone(), self.journal.clone(), self.role);
            let (request, flights) = (request.clone(), self.flights.clone());
            let landed = tokio::spawn(async move {
                let outcome = asked(&*model, role, &journal, &request, digest).await;
                flights.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
                outcome
            });
            landed.map(|outcome| outcome.unwrap_or_else(|lost| Err(ModelError::Lost(lost.to_string())))).boxed().shared()
        };
        flights.entry(key).or_insert_with(started).clone()
    }
}

/// Asks the model, and keeps its reply.
async fn asked(
    model: &dyn Model,
    role: &'static str,
    journal: &Journal,
    request: &ChatRequest,
    digest: Digest,
) -> Outcome {
    let start = Instant::now();
    let reply = model.chat(request).await?;
    let paid = Paid {
        role,
        model: model.name().clone(),
        prompt_tokens: reply.usage.prompt_tokens,
        completion_tokens: reply.usage.completion_tokens,
        latency_us: start.elapsed().as_micros() as u64,
    };
    let unwritable = |error: serde_json::Error| journal.fail(StoreError::Pack { cause: error.to_string() });
    let written = serde_json::to_vec(&reply).map_err(unwritable)?;
    journal.keep(request.place, digest, written, Some(paid)).await?;
    Ok(Arc::new(reply))
}

impl Model for Journalled {
    fn name(&self) -> &Arc<str> {
        self.model.name()
    }

    fn digest(&self, request: &ChatRequest) -> Result<Digest, ModelError> {
        self.model.digest(request)
    }

    fn chat<'a>(&'a self, request: &'a ChatRequest) -> Replying<'a> {
        Box::pin(async move {
            let digest = self.model.digest(request)?;
            if let Some(reply) = self.found(request.place, digest).await? {
                return Ok(reply);
            }
            self.flight(request, digest).await.map(Arc::unwrap_or_clone)
        })
    }
}
