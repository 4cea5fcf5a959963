//! Work that is out: it goes on when nobody waits for it any more, and is not begun twice.

use crate::domain::{Digest, Place};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

/// What is out, by what is asked and where.
type Out<T> = Arc<Mutex<HashMap<(Place, Digest), Shared<BoxFuture<'static, T>>>>>;

/// Requests that are out, each on a task of its own: when whoever made one goes, what comes of it is kept all the same, for it
/// is paid for; and whoever makes the same at the same place waits for the one that is out.
///
/// ```
/// # use dlgforge::domain::{Digest, Place};
/// # use dlgforge::store::Flights;
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let flights = Flights::default();
/// let [first, second] = [1, 2].map(|reply| flights.join((Place::default(), Digest(7)), |_| 0, async move { reply }));
/// assert_eq!((first.await, second.await), (1, 1));
/// # });
/// ```
pub struct Flights<T> {
    out: Out<T>,
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self { out: Out::default() }
    }
}

/// A request that is out; it is known as such until this is dropped.
struct Guard<T> {
    key: (Place, Digest),
    out: Out<T>,
}

impl<T> Drop for Guard<T> {
    fn drop(&mut self) {
        self.out.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    /// What comes of the request that is out for this key, else of this new one; `lost` says what a panic comes to. It stays
    /// known until all of its work is done: one that keeps its outcome, and looks for it first, is not made twice.
    pub fn join(
        &self,
        key: (Place, Digest),
        lost: impl FnOnce(String) -> T + Send + 'static,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Shared<BoxFuture<'static, T>> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let started = || {
            let out = self.out.clone();
            let landed = tokio::spawn(async move {
                // Made here, and not beside the lock: a runtime that is ending drops the task at once.
                let _guard = Guard { key, out };
                work.await
            });
            landed.map(|outcome| outcome.unwrap_or_else(|error| lost(error.to_string()))).boxed().shared()
        };
        out.entry(key).or_insert_with(started).clone()
    }
}
