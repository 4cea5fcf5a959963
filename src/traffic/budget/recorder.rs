//! What a run may have spent, on disk before it is spent.

use super::{Account, Cost};
use crate::store::{Store, StoreError};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Brings an account to the store, for all who wait for it in one go. Its last state is there once it is dropped.
pub(super) struct Recorder {
    inbox: Option<mpsc::Sender<oneshot::Sender<Result<(), StoreError>>>>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Records this account of a run.
    pub fn start(store: Arc<dyn Store>, run: Arc<str>, account: Arc<Mutex<Account>>) -> Self {
        let (inbox, waiting) = mpsc::channel::<oneshot::Sender<_>>();
        let thread = std::thread::spawn(move || {
            let record = |known: &mut Cost| {
                let spent = account.lock().unwrap_or_else(PoisonError::into_inner).at_most();
                if spent == *known {
                    return Ok(());
                }
                store.record_spending(&run, spent)?;
                *known = spent;
                Ok(())
            };
            let mut known = Cost::default();
            while let Ok(first) = waiting.recv() {
                // Whoever has come while the disk was busy has changed the account before.
                let group: Vec<_> = std::iter::once(first).chain(waiting.try_iter()).collect();
                let recorded = record(&mut known);
                for one in group {
                    // Whoever waited may have gone: it is recorded all the same.
                    _ = one.send(recorded.clone());
                }
            }
            if let Err(error) = record(&mut known) {
                tracing::warn!("what the run has spent counts as the most that it may have: failed to {error}");
            }
        });
        Self { inbox: Some(inbox), thread: Some(thread) }
    }

    /// Returns once what stands in the account now is durable.
    ///
    /// # Errors
    /// When it can't be recorded.
    pub async fn recorded(&self) -> Result<(), StoreError> {
        let (done, recorded) = oneshot::channel();
        let sent = self.inbox.as_ref().is_some_and(|inbox| inbox.send(done).is_ok());
        if sent { recorded.await.unwrap_or(Err(StoreError::Stopped)) } else { Err(StoreError::Stopped) }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.inbox = None;
        // One that has panicked has recorded the most that may be spent.
        self.thread.take().map(JoinHandle::join);
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}
