//! A model with the journal in front: what was replied before is not asked again.

use super::chat::Replying;
use super::{ChatReply, ChatRequest, Meter, Model, ModelError};
use crate::domain::{Agent, Digest};
use crate::store::journal::Paid;
use crate::store::{Journal, Recorded};
use std::sync::Arc;
use std::time::Instant;

/// A model whose replies are durable before anybody sees them.
///
/// A request goes out on a task of its own: when the conversation that made it is rolled back, its reply still lands in
/// the journal, for it is paid for, and the step may come back. Its permit is free meanwhile: for that long one request
/// more may be out than there are permits.
pub struct Journalled {
    model: Arc<dyn Model>,
    agent: Agent,
    replies: Recorded<Arc<ChatReply>, ModelError>,
    meter: Arc<Meter>,
    keeps_requests: bool,
}

impl Journalled {
    /// This model as this agent, behind this journal, which keeps what was asked too where it `keeps_requests`.
    pub fn new(
        model: Arc<dyn Model>,
        agent: Agent,
        journal: Arc<Journal>,
        meter: Arc<Meter>,
        keeps_requests: bool,
    ) -> Self {
        Self { model, agent, replies: Recorded::new(journal), meter, keeps_requests }
    }
}

impl Model for Journalled {
    fn name(&self) -> &Arc<str> {
        self.model.name()
    }

    fn plays_personas(&self) -> bool {
        self.model.plays_personas()
    }

    fn digest(&self, request: &ChatRequest) -> Result<Digest, ModelError> {
        self.model.digest(request)
    }

    fn chat<'a>(&'a self, request: &'a ChatRequest) -> Replying<'a> {
        Box::pin(async move {
            let digest = self.model.digest(request)?;
            let (model, agent, meter, place) = (self.model.clone(), self.agent, self.meter.clone(), request.place);
            let (request, keeps_request) = (request.clone(), self.keeps_requests);
            let ask = async move {
                let start = Instant::now();
                let mut reply = model.chat(&request).await?;
                reply.request.take_if(|_| !keeps_request);
                let paid = Paid {
                    agent,
                    model: reply.model.clone(),
                    usage: reply.usage,
                    latency_us: start.elapsed().as_micros() as u64,
                    nanousd: reply.cost_nanousd,
                };
                Ok((Arc::new(reply), Some(paid)))
            };
            let reply = self.replies.answer(place, digest, move || meter.recalled(), ModelError::Lost, ask);
            // Conversations wait in thousands: what they need is the reply.
            reply.await.map(|reply| ChatReply { request: None, ..Arc::unwrap_or_clone(reply) })
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::llm::{Usage, samples};
    use crate::store::{Sqlite, Store, StoreError};
    use std::sync::atomic::{AtomicU64, Ordering};
    use tokio::sync::Semaphore;

    /// A model that waits for leave to reply, and counts what it is asked.
    struct Slow {
        name: Arc<str>,
        asked: AtomicU64,
        leave: Semaphore,
    }

    impl Model for Slow {
        fn name(&self) -> &Arc<str> {
            &self.name
        }

        fn digest(&self, request: &ChatRequest) -> Result<Digest, ModelError> {
            Ok(Digest(request.messages[0].content.len() as u128))
        }

        fn chat<'a>(&'a self, request: &'a ChatRequest) -> Replying<'a> {
            Box::pin(async move {
                self.asked.fetch_add(1, Ordering::SeqCst);
                self.leave.acquire().await.unwrap().forget();
                let text = format!("to {}", request.messages[0].content);
                let usage = Usage { prompt_tokens: Some(1), ..Usage::default() };
                Ok(ChatReply { text, reasoning: Some("because".to_owned()), usage, ..ChatReply::default() })
            })
        }
    }

    fn behind(
        folder: &std::path::Path,
        broken: impl Fn(&StoreError) + Send + Sync + 'static,
    ) -> (Arc<Slow>, Journalled) {
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(folder).unwrap());
        let journal = Arc::new(Journal::start(store, "r".into(), None, broken));
        let slow = Arc::new(Slow { name: "slow".into(), asked: AtomicU64::new(0), leave: Semaphore::new(0) });
        (slow.clone(), Journalled::new(slow, Agent::User, journal, Arc::default(), true))
    }

    #[tokio::test]
    async fn a_request_that_nobody_waits_for_lands_and_is_not_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let (slow, model) = behind(folder.path(), |error| panic!("{error}"));
        let request = samples::request("a question");
        let given_up = tokio::time::timeout(std::time::Duration::from_millis(20), model.chat(&request)).await;
        assert!(given_up.is_err() && slow.asked.load(Ordering::SeqCst) == 1);
        // The step comes back while the first request is out, and again when it has landed.
        slow.leave.add_permits(1);
        let first = model.chat(&request).await.unwrap();
        let second = model.chat(&request).await.unwrap();
        assert_eq!((first.text.as_str(), slow.asked.load(Ordering::SeqCst)), ("to a question", 1));
        assert_eq!(first, second);
        drop(model);
        let (slow, model) = behind(folder.path(), |error| panic!("{error}"));
        assert_eq!((model.chat(&request).await.unwrap(), slow.asked.load(Ordering::SeqCst)), (first, 0));
        // Another place is another question.
        let elsewhere = ChatRequest { place: request.place.next(), ..request };
        slow.leave.add_permits(1);
        model.chat(&elsewhere).await.unwrap();
        assert_eq!(slow.asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_damaged_reply_is_asked_for_again() {
        let folder = tempfile::tempdir().unwrap();
        let request = samples::request("a question");
        let asked = async || {
            let (slow, model) = behind(folder.path(), |error| panic!("{error}"));
            slow.leave.add_permits(1);
            model.chat(&request).await.unwrap();
            slow.asked.load(Ordering::SeqCst)
        };
        assert_eq!(asked().await, 1);
        for damaged in ["x'00'", "zeroblob(9)", "substr(body, 1, length(body) - 3)"] {
            let journal = rusqlite::Connection::open(folder.path().join("store/journal.sqlite")).unwrap();
            journal.execute(&format!("UPDATE replies SET body = {damaged}"), []).unwrap();
            drop(journal);
            assert_eq!((asked().await, asked().await), (1, 0), "{damaged}");
        }
    }
}
