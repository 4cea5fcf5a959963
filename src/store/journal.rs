//! The journal of a run: replies go to the store in groups, and whoever brought one waits until it is durable.

use super::packing::{Packer, unpacked};
use super::places::Places;
pub use super::records::Paid;
use super::{Entry, Replies, StoreError};
use crate::domain::{Digest, LanguageIndex, Place, Slot};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Replies that become durable together, at most.
const GROUP: usize = 1024;

/// Replies of one run: those kept before, and those to keep. Ends with its last reference.
pub struct Journal {
    store: Arc<dyn Replies>,
    run: Arc<str>,
    reuse: Vec<Reuse>,
    /// Read at the first look.
    places: Mutex<Option<Places>>,
    inbox: mpsc::Sender<Message>,
    thread: Mutex<Option<JoinHandle<Delays>>>,
    failure: Arc<Failure>,
    ended: AtomicBool,
}

/// The first failure, and who is told of it.
struct Failure {
    error: OnceLock<StoreError>,
    broken: Box<dyn Fn(&StoreError) + Send + Sync>,
}

impl Failure {
    fn of(&self, error: StoreError) -> StoreError {
        if self.error.set(error.clone()).is_ok() {
            (self.broken)(&error);
        }
        error
    }
}

/// Another run whose replies serve too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reuse {
    /// The id of the run whose replies are used.
    pub run: String,
    /// For every language of this run, its position in that one.
    pub languages: Vec<Option<LanguageIndex>>,
}

/// A reply the journal has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The reply, as it was kept.
    pub reply: Vec<u8>,
    /// Whether another run paid for it.
    pub reused: bool,
}

enum Message {
    Keep(Box<Waiting>),
    End,
}

struct Waiting {
    entry: Entry,
    since: Instant,
    done: oneshot::Sender<Result<(), StoreError>>,
}

impl Journal {
    /// The journal of a run, with the replies of those that serve too. Its first failure is told to `broken`; nothing is kept after it.
    pub fn start(
        store: Arc<dyn Replies>,
        run: Arc<str>,
        reuse: impl IntoIterator<Item = Reuse>,
        broken: impl Fn(&StoreError) + Send + Sync + 'static,
    ) -> Self {
        let (inbox, messages) = mpsc::channel();
        let failure = Arc::new(Failure { error: OnceLock::new(), broken: Box::new(broken) });
        let writer =
            Writer { store: store.clone(), run: run.clone(), failure: failure.clone(), delays: Delays::default() };
        let thread = std::thread::spawn(move || writer.write(&messages));
        let (thread, places) = (Mutex::new(Some(thread)), Mutex::default());
        let reuse = reuse.into_iter().collect();
        Self { store, run, reuse, places, inbox, thread, failure, ended: AtomicBool::new(false) }
    }

    /// The places where there may be replies.
    fn places(&self) -> Result<MutexGuard<'_, Option<Places>>, StoreError> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.is_none() {
            let mut slots = self.store.replied(&self.run)?;
            for Reuse { run, languages } in &self.reuse {
                let here = |slot: Slot| {
                    let language = languages.iter().position(|there| *there == Some(slot.language))?;
                    Some(Slot { language: LanguageIndex(language as u16), ..slot })
                };
                slots.extend(self.store.replied(run)?.into_iter().filter_map(here));
            }
            *places = Some(Places::new(slots));
        }
        Ok(places)
    }

    /// See [`recall`]. A reply that can't be read is given up, with a warning, and another one kept in its place.
    ///
    /// # Errors
    /// As there; nothing is kept any more then.
    pub fn recall<T>(
        &self,
        place: &Place,
        digest: Digest,
        read: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<Option<(T, Found)>, StoreError> {
        let may_have = self.places().map(|places| places.as_ref().is_some_and(|places| places.may_have(place)));
        if !may_have.map_err(|error| self.failure.of(error))? {
            return Ok(None);
        }
        let found = recall(&*self.store, &self.run, &self.reuse, place, digest);
        let unread = match found.map_err(|error| self.failure.of(error))? {
            Recalled::Nothing => return Ok(None),
            Recalled::Unreadable(cause) => cause,
            Recalled::Found(found) => match read(&found.reply) {
                Ok(value) => return Ok(Some((value, found))),
                Err(cause) => cause,
            },
        };
        tracing::warn!("the kept reply for {place} can't be read ({unread}): it is asked for again");
        self.store.discard(&self.run, place, digest).map_err(|error| self.failure.of(error))?;
        Ok(None)
    }

    /// Keeps a reply: durable on return.
    ///
    /// # Errors
    /// When it could not be kept. The journal keeps nothing more then.
    pub async fn keep(
        &self,
        place: Place,
        digest: Digest,
        reply: Vec<u8>,
        paid: Option<Paid>,
    ) -> Result<(), StoreError> {
        self.places().map_err(|error| self.failure.of(error))?.iter_mut().for_each(|places| places.add(place));
        let (done, kept) = oneshot::channel();
        let entry = Entry { place, digest, body: reply, paid };
        let waiting = Waiting { entry, since: Instant::now(), done };
        // Nobody is there to take it: after the end that is in order, before it the thread has panicked.
        let stopped = || match self.ended.load(Ordering::SeqCst) {
            true => StoreError::Stopped,
            false => self.failure.of(StoreError::Stopped),
        };
        self.inbox.send(Message::Keep(Box::new(waiting))).map_err(|_| stopped())?;
        kept.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Takes note that what it holds is no reply.
    pub fn fail(&self, error: StoreError) -> StoreError {
        self.failure.of(error)
    }

    /// Why the journal keeps nothing more, if so.
    pub fn failure(&self) -> Option<&StoreError> {
        self.failure.error.get()
    }

    /// Ends when all replies brought so far are durable; how long they took. Nothing is kept afterwards.
    pub fn end(&self) -> Delays {
        self.ended.store(true, Ordering::SeqCst);
        // A thread that is gone has ended already.
        _ = self.inbox.send(Message::End);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        thread.and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the journal has for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recalled {
    /// No reply is kept.
    Nothing,
    /// What is kept is damaged: why it can't be read.
    Unreadable(String),
    /// The reply that was kept, with what it cost.
    Found(Found),
}

/// The reply kept for this request at this place, by this run or the first of those whose replies serve too.
///
/// # Errors
/// When the store can't be read.
pub fn recall<'r>(
    store: &dyn Replies,
    run: &str,
    reuse: impl IntoIterator<Item = &'r Reuse>,
    place: &Place,
    digest: Digest,
) -> Result<Recalled, StoreError> {
    let read = |packed: Vec<u8>, reused: bool| match unpacked(&packed) {
        Ok(reply) => Recalled::Found(Found { reply, reused }),
        Err(cause) => Recalled::Unreadable(cause),
    };
    if let Some(packed) = store.recall(run, place, digest)? {
        return Ok(read(packed, false));
    }
    for Reuse { run, languages } in reuse {
        let Some(Some(language)) = languages.get(usize::from(place.slot.language.0)) else { continue };
        let there = Place { slot: Slot { language: *language, ..place.slot }, ..*place };
        if let Some(packed) = store.recall(run, &there, digest)? {
            return Ok(read(packed, true));
        }
    }
    Ok(Recalled::Nothing)
}

struct Writer {
    store: Arc<dyn Replies>,
    run: Arc<str>,
    failure: Arc<Failure>,
    delays: Delays,
}

impl Writer {
    /// Whatever has come while a group went to disk is the next group: alone, a reply waits for nobody.
    fn write(mut self, messages: &mpsc::Receiver<Message>) -> Delays {
        let mut packer = Packer::new();
        let mut ended = false;
        while !ended && let Ok(first) = messages.recv() {
            let mut group = Vec::new();
            for message in std::iter::once(first).chain(messages.try_iter()) {
                match message {
                    Message::Keep(waiting) => group.push(*waiting),
                    Message::End => ended = true,
                }
                if ended || group.len() == GROUP {
                    break;
                }
            }
            self.keep(group, &mut packer);
        }
        self.delays
    }

    fn keep(&mut self, group: Vec<Waiting>, packer: &mut Result<Packer, StoreError>) {
        if group.is_empty() {
            return;
        }
        let (mut entries, waiting): (Vec<_>, Vec<_>) =
            group.into_iter().map(|waiting| (waiting.entry, (waiting.since, waiting.done))).unzip();
        let kept = match self.failure.error.get() {
            Some(_) => Err(StoreError::Stopped),
            None => packed(&mut entries, packer)
                .and_then(|()| self.store.append(&self.run, &entries))
                .map_err(|error| self.failure.of(error)),
        };
        self.delays.groups += 1;
        for (since, done) in waiting {
            self.delays.add(since.elapsed());
            // Whoever brought it may have gone: it is kept all the same.
            _ = done.send(kept.clone());
        }
    }
}

fn packed(entries: &mut [Entry], packer: &mut Result<Packer, StoreError>) -> Result<(), StoreError> {
    let packer = packer.as_mut().map_err(|error| error.clone())?;
    for entry in entries {
        entry.body = packer.pack(&entry.body)?;
    }
    Ok(())
}

/// How long replies waited until they were durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delays {
    /// Replies that were made durable.
    pub replies: u64,
    /// Groups they became durable in.
    pub groups: u64,
    /// By the time they took: each bucket holds those up to `2^(at / 4)` microseconds.
    buckets: [u64; 96],
}

impl Default for Delays {
    fn default() -> Self {
        Self { replies: 0, groups: 0, buckets: [0; 96] }
    }
}

impl Delays {
    fn add(&mut self, delay: Duration) {
        let at = ((delay.as_secs_f64() * 1e6).max(1.0).log2() * 4.0).ceil() as usize;
        self.replies += 1;
        self.buckets[at.min(self.buckets.len() - 1)] += 1;
    }

    /// The time that this share of the replies did not exceed, within a fifth.
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = (share * self.replies as f64).ceil() as u64;
        let mut passed = 0;
        let at = self.buckets.iter().position(|count| {
            passed += count;
            passed >= rank.max(1)
        });
        at.map_or(Duration::ZERO, |at| Duration::from_secs_f64(2_f64.powf(at as f64 / 4.0) / 1e6))
    }
}

impl fmt::Display for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |share| self.quantile(share).as_secs_f64() * 1e3;
        write!(
            f,
            "{} replies kept in {} groups, durable after {:.2} ms (median), {:.2} ms (99 %)",
            self.replies,
            self.groups,
            milliseconds(0.5),
            milliseconds(0.99)
        )
    }
}
