//! `record`: what is settled leaves the graph.

use super::Flow;
use super::settle::Settlement;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Operator;
use timely::dataflow::operators::vec::Map;

/// Hands every settlement to `write`, each worker's in order, with the number of the worker. The first process writes for all,
/// whose `threads` workers hand on their own; those of other processes come to its first one.
pub fn record(settled: Flow<'_, Settlement>, threads: usize, mut write: impl FnMut(usize, Settlement) + 'static) {
    let worker = settled.scope().index();
    let writes = move |worker: usize| if worker < threads { worker as u64 } else { 0 };
    let to = Exchange::new(move |(worker, _): &(usize, Settlement)| writes(*worker));
    settled.map(move |settlement| (worker, settlement)).sink(to, "record", move |(input, _)| {
        input.for_each(|_, settlements| settlements.drain(..).for_each(|(worker, one)| write(worker, one)));
    });
}
