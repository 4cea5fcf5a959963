//! `record`: what is settled leaves the graph.

use super::Flow;
use super::settle::Settlement;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Operator;

/// Hands every settlement to `write`, in order.
pub fn record(settled: Flow<'_, Settlement>, mut write: impl FnMut(Settlement) + 'static) {
    settled.sink(Pipeline, "record", move |(input, _)| {
        input.for_each(|_, settlements| settlements.drain(..).for_each(&mut write));
    });
}
