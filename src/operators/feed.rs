//! `feed`: from a list to a stream, so many at a time.

use super::Flow;
use super::call::Stop;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::progress::Antichain;

/// Emits items in order: so many at first, then one for each that has `landed`. Ends with the last of them, or when one lands
/// after `stop`.
///
/// # Examples
///
/// ```
/// use dlgforge::operators::{Stop, feed};
/// use std::sync::mpsc;
/// use timely::dataflow::operators::vec::Map;
/// use timely::dataflow::operators::{ConnectLoop, Feedback, Inspect};
///
/// let (sender, fed) = mpsc::channel();
/// timely::execute(timely::Config::thread(), move |worker| {
///     let sender = sender.clone();
///     worker.dataflow::<u64, _, _>(|scope| {
///         let (landed_loop, landed) = scope.feedback(1);
///         let numbers = feed(landed, 1..=5, 2, Stop::default());
///         let numbers = numbers.inspect(move |number| sender.send(*number).expect("somebody listens"));
///         numbers.map(|_| ()).connect_loop(landed_loop);
///     });
/// })
/// .expect("a worker")
/// .join();
/// assert_eq!(fed.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
/// ```
pub fn feed<'scope, T: Clone + 'static>(
    landed: Flow<'scope, ()>,
    mut items: impl Iterator<Item = T> + 'static,
    at_a_time: usize,
    stop: Stop,
) -> Flow<'scope, T> {
    let apart: Vec<(usize, Antichain<u64>)> = Vec::new();
    let scope = landed.scope();
    let mut builder = OperatorBuilder::new("feed".into(), scope);
    let again = scope.worker().activator_for(builder.operator_info().address);
    let mut landed = builder.new_input_connection(landed, Pipeline, apart.clone());
    let (fed, fed_stream) = builder.new_output_connection::<Vec<T>, _>(apart);
    let mut fed = OutputBuilder::from(fed);
    builder.build(move |mut capabilities| {
        let mut open = capabilities.pop();
        let mut free = at_a_time;
        move |_| {
            landed.for_each(|_, batch| free += batch.drain(..).count());
            let Some(feeding) = &open else { return };
            let mut is_over = stop.admitting.is_cancelled();
            {
                let mut output = fed.activate();
                let mut session = output.session(feeding);
                // One at a time, so that what comes behind works on it while the next one is made.
                if !is_over && free > 0 {
                    match items.next() {
                        Some(item) => session.give(item),
                        None => is_over = true,
                    }
                    free -= 1;
                    again.activate();
                }
            }
            if is_over {
                open = None;
            }
        }
    });
    fed_stream
}
