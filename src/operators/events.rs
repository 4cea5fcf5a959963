//! What happens to conversations in the graph, told as it happens.

use crate::domain::{Attempt, Slot, TurnIndex, Wave};

/// What has happened to a conversation. That it has ended is told when it is settled, by whoever writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The conversation has opened.
    Opened {
        /// The slot it is opened for.
        slot: Slot,
        /// The wave it belongs to.
        wave: Wave,
    },
    /// Its question is the first of its kind, as far as is known: it is to be answered.
    Accepted {
        /// The slot of the conversation.
        slot: Slot,
        /// The turn that the question begins.
        turn: TurnIndex,
        /// The attempt at it, from 0.
        attempt: Attempt,
    },
    /// Its question is a duplicate, as far as is known.
    Rejected {
        /// The slot of the conversation.
        slot: Slot,
        /// The turn that the question was to begin.
        turn: TurnIndex,
        /// The attempt at it, from 0.
        attempt: Attempt,
        /// Whether it is asked again; else the conversation is dropped.
        again: bool,
    },
    /// The verdict on one of its questions has changed, and what came after that is taken back. The new verdict is told next.
    RolledBack {
        /// The slot of the conversation.
        slot: Slot,
        /// The turn of the question that it goes back to.
        turn: TurnIndex,
        /// The attempt at that turn.
        attempt: Attempt,
        /// Accepted questions that are not any more, the one it goes back to included.
        accepted: u32,
        /// Rejected questions that are not any more, the one it goes back to included.
        rejected: u32,
        /// Model calls that came to nothing by it.
        calls: u64,
    },
}
