//! `settle`: ended conversations leave in slot order.

use super::tally::Completion;
use super::{Flow, InFlight};
use crate::domain::Rank;
use std::collections::BTreeMap;
use std::sync::Arc;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Operator;

/// What `settle` releases: conversations that nothing can change any more.
#[derive(Debug, Clone)]
pub enum Settlement {
    /// A conversation that is final.
    Conversation(Arc<InFlight>),
    /// This worker has released all conversations of the languages before that of this rank.
    Floor(Rank),
    /// A conversation that the run's stop leaves unsettled: it has been cut short, or one that comes before it.
    Left(Arc<InFlight>),
}

impl Settlement {
    /// The outcome of its conversation, if it is one.
    pub fn completion(&self) -> Option<Completion> {
        match self {
            Self::Conversation(conversation) => Completion::of(conversation),
            Self::Floor(_) | Self::Left(_) => None,
        }
    }
}

/// Holds ended conversations back until the watermark is past all they could still ask, then releases the last epoch
/// of each, in slot order of those it holds. What is still held at [`Rank::END`] is left. `watermarks` must reach every
/// worker.
pub fn settle<'scope>(ended: Flow<'scope, Arc<InFlight>>, watermarks: Flow<'scope, Rank>) -> Flow<'scope, Settlement> {
    ended.binary::<_, CapacityContainerBuilder<Vec<_>>, _, _, _, _>(watermarks, Pipeline, Pipeline, "settle", |_, _| {
        let mut held: BTreeMap<_, Arc<InFlight>> = BTreeMap::new();
        let mut floor = Rank::default();
        move |ended, watermarks, output| {
            ended.for_each(|_, conversations| {
                for conversation in conversations.drain(..) {
                    let is_later = |held: &Arc<InFlight>| held.epoch < conversation.epoch;
                    if !conversation.epoch.is_over() && held.get(&conversation.slot).is_none_or(is_later) {
                        held.insert(conversation.slot, conversation);
                    }
                }
            });
            watermarks.for_each(|capability, ranks| {
                let mut session = output.session(&capability);
                for rank in ranks.drain(..) {
                    floor = floor.max(rank);
                    if floor == Rank::END {
                        session.give_iterator(std::mem::take(&mut held).into_values().map(Settlement::Left));
                    }
                    while let Some(first) = held.first_entry().filter(|first| first.get().is_final(floor)) {
                        session.give(Settlement::Conversation(first.remove()));
                    }
                    session.give(Settlement::Floor(floor));
                }
            });
        }
    })
}
