//! `in_order`: what comes numbered is handed over in the order of the numbers, at the first worker.

use super::Flow;
use std::collections::BTreeMap;
use timely::ExchangeData;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Operator;

/// Hands items over to `take` on the first worker, from number 0 on without a gap: what comes early waits. Emits each number once its
/// item was taken.
///
/// # Examples
///
/// ```
/// use dlgforge::operators::in_order;
/// use std::sync::mpsc;
/// use timely::dataflow::operators::vec::ToStream;
///
/// let (sender, taken) = mpsc::channel();
/// timely::execute(timely::Config::process(2), move |worker| {
///     let (sender, own) = (sender.clone(), worker.index() as u64);
///     worker.dataflow::<u64, _, _>(|scope| {
///         let numbered = [own + 2, own].map(|number| (number, 7_u8)).to_stream(scope);
///         in_order(numbered, move |number, _| sender.send(number).expect("somebody listens"));
///     });
/// })
/// .expect("workers");
/// assert_eq!(taken.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
/// ```
pub fn in_order<'scope, T: ExchangeData>(
    numbered: Flow<'scope, (u64, T)>,
    mut take: impl FnMut(u64, T) + 'static,
) -> Flow<'scope, u64> {
    let (mut next, mut early) = (0, BTreeMap::new());
    numbered.unary(Exchange::new(|_| 0), "in_order", move |_, _| {
        move |input, output| {
            input.for_each(|time, batch| {
                early.extend(batch.drain(..));
                let mut session = output.session(&time);
                while let Some(item) = early.remove(&next) {
                    take(next, item);
                    session.give(next);
                    next += 1;
                }
            });
        }
    })
}
