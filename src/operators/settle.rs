//! `settle`: finished conversations leave in slot order.

use super::Flow;
use crate::words::{Conversation, Slot};
use std::collections::BTreeMap;
use std::sync::Arc;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Operator;

/// What `settle` releases.
#[derive(Debug, Clone)]
pub enum Settlement {
    /// A finished conversation below the floor; on each worker they come in slot order.
    Conversation(Arc<Conversation>),
    /// This worker has released all that it will ever release below this slot.
    Floor(Slot),
}

/// Holds finished conversations back until every lower slot is finished (the floor has passed them), then releases
/// them in slot order. `floors` must reach every worker.
pub fn settle<'scope>(
    finished: Flow<'scope, Arc<Conversation>>,
    floors: Flow<'scope, Slot>,
) -> Flow<'scope, Settlement> {
    finished.binary::<_, CapacityContainerBuilder<Vec<_>>, _, _, _, _>(floors, Pipeline, Pipeline, "settle", |_, _| {
        let mut held = BTreeMap::new();
        let mut floor = Slot::default();
        move |finished, floors, output| {
            finished.for_each(|capability, conversations| {
                for conversation in conversations.drain(..) {
                    let capability = capability.retain_least(output.output_index()).expect("a message has a time");
                    held.insert(conversation.slot, (capability, conversation));
                }
            });
            floors.for_each(|capability, slots| {
                floor = slots.drain(..).fold(floor, Slot::max);
                let waiting = held.split_off(&floor);
                for (_, (capability, conversation)) in std::mem::replace(&mut held, waiting) {
                    output.session(&capability).give(Settlement::Conversation(conversation));
                }
                output.session(&capability).give(Settlement::Floor(floor));
            });
        }
    })
}
