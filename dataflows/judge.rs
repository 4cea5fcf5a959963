//! The graph of `dlgforge judge`.
//!
//! ```text
//!   ┌───── landed: the next ─────┐
//!   ▼                            │
//! conversations ─▶ judge ────────┴─▶ record
//! ```

use crate::domain::{Failure, Slot};
use crate::operators::call::Cancellable;
use crate::operators::{Executor, call, feed, record};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use timely::ExchangeData;
use timely::dataflow::Scope;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{ConnectLoop, Feedback};
use tokio_util::sync::CancellationToken;

/// A conversation that is to be judged. Nobody recalls it.
#[derive(Debug, Clone, Default)]
pub struct Due {
    /// The number of its run, among those whose conversations are judged.
    pub run: usize,
    /// Its place in the run.
    pub slot: Slot,
    recalled: CancellationToken,
}

impl Due {
    /// The conversation of a run in this slot.
    pub fn new(run: usize, slot: Slot) -> Self {
        Self { run, slot, ..Self::default() }
    }
}

impl Cancellable for Due {
    fn recalled(&self) -> &CancellationToken {
        &self.recalled
    }
}

/// An asynchronous function from a conversation to what the judge makes of it.
pub type Judging<O> = Arc<dyn Fn(Arc<Due>) -> Pin<Box<dyn Future<Output = Result<O, Failure>> + Send>> + Send + Sync>;

/// Builds the graph on one of so many workers: its share of the conversations is judged, so many at a time, and handed over in the
/// order of landing, each with the number of its run and its slot.
pub fn judge<O: ExchangeData + Clone>(
    scope: Scope<'_, u64>,
    due: Arc<[(usize, Slot)]>,
    (at_a_time, threads): (usize, usize),
    judging: Judging<O>,
    executor: &Executor,
    mut write: impl FnMut((usize, Slot), Result<O, Failure>) + 'static,
) {
    let (landed_loop, landed) = scope.feedback(1);
    let own = (scope.index()..due.len()).step_by(scope.peers());
    let own = own.map(move |at| Due::new(due[at].0, due[at].1));

    let conversations = feed(landed, own, at_a_time, executor.stop().clone());
    let judged = call("judge", conversations, executor, move |due| judging(due));
    let judged = judged.map(|(due, judged)| ((due.run, due.slot), judged));
    record(judged.clone(), threads, |judged| judged, move |_, (place, judged)| write(place, judged));

    judged.map(|_| ()).connect_loop(landed_loop);
}
