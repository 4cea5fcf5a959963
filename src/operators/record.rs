//! `record`: what is settled leaves the graph.

use super::Flow;
use timely::ExchangeData;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Operator;
use timely::dataflow::operators::vec::Map;

/// Renders all that is settled where it is, and hands it to `write`, each worker's in order, with the number of the worker. The first
/// process writes for all, whose `threads` workers hand on their own; those of other processes come to its first one.
pub fn record<S: Clone + 'static, R: ExchangeData>(
    settled: Flow<'_, S>,
    threads: usize,
    mut render: impl FnMut(S) -> R + 'static,
    mut write: impl FnMut(usize, R) + 'static,
) {
    let worker = settled.scope().index();
    let writes = move |worker: usize| if worker < threads { worker as u64 } else { 0 };
    let to = Exchange::new(move |(worker, _): &(usize, R)| writes(*worker));
    settled.map(move |settlement| (worker, render(settlement))).sink(to, "record", move |(input, _)| {
        input.for_each(|_, rendered| rendered.drain(..).for_each(|(worker, one)| write(worker, one)));
    });
}
