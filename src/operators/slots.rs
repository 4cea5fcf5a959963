//! `slots`: opens conversations, as many as there are seats, until enough are accepted.

use super::Flow;
use super::call::Stop;
use super::quota::{Opening, Outcome, Quota, Tally};
use crate::words::Slot;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::operators::{Capability, Exchange as _};
use timely::progress::Antichain;

/// Opens conversations by `quota`, each at its home worker, and tells every worker the floor: the slot below which all
/// conversations are finished. One worker decides (the first); of the others only the finished conversations' outcomes
/// reach it. `report` gets the tally after every change. Ends when the quota is met, or after `stop` when nothing is
/// open any more.
pub fn slots<'scope>(
    outcomes: Flow<'scope, Outcome>,
    mut quota: Quota,
    stop: Stop,
    report: impl Fn(&Tally) + 'static,
) -> (Flow<'scope, Opening>, Flow<'scope, Slot>) {
    let scope = outcomes.scope();
    let (decides, peers) = (scope.index() == 0, scope.peers() as u64);
    let apart: Vec<(usize, Antichain<u64>)> = Vec::new();
    let mut builder = OperatorBuilder::new("slots".into(), scope);
    let mut outcomes = builder.new_input_connection(outcomes, Exchange::new(|_: &Outcome| 0), apart.clone());
    let (openings, openings_stream) = builder.new_output_connection::<Vec<Opening>, _>(apart.clone());
    let (floors, floors_stream) = builder.new_output_connection::<Vec<Slot>, _>(apart);
    let (mut openings, mut floors) = (OutputBuilder::from(openings), OutputBuilder::from(floors));

    builder.build(move |capabilities| {
        let mut open: Option<[Capability<u64>; 2]> = if decides { capabilities.try_into().ok() } else { None };
        let mut floor = quota.floor();
        move |_| {
            outcomes.for_each(|_, outcomes| outcomes.drain(..).for_each(|outcome| quota.end(outcome)));
            let Some([opening, flooring]) = &open else { return };
            if stop.admitting.is_cancelled() {
                quota.stop();
            }
            openings.activate().session(opening).give_iterator(std::iter::from_fn(|| quota.open()));
            if quota.floor() != floor {
                floor = quota.floor();
                floors.activate().session(flooring).give(floor);
            }
            report(quota.tally());
            if quota.is_met() {
                open = None;
            }
        }
    });
    (openings_stream.exchange(move |opening| opening.slot.home(peers)), floors_stream.broadcast())
}
