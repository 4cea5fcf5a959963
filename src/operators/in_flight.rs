//! A conversation on its way through the graph: the data, and what only lives while it is being made.

use super::call::Cancellable;
use crate::domain::{Answer, Attempt, Conversation, Coverage, Failure, Outcome, Rank, TurnIndex};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A conversation in flight. It reads as the conversation that it carries.
#[derive(Debug, Clone, PartialEq)]
pub struct InFlight {
    /// The data: all that is left when it is settled.
    pub conversation: Conversation,
    /// What earlier conversations used, as of the opening of this one: it never changes while it is made.
    pub coverage: Arc<Coverage>,
    /// How often it was rolled back; whoever works on an earlier epoch works in vain.
    pub epoch: Epoch,
}

impl InFlight {
    /// A conversation as it opens, with what it knows of the others.
    pub fn new(conversation: Conversation, coverage: Arc<Coverage>) -> Self {
        Self { conversation, coverage, epoch: Epoch::default() }
    }

    /// With its question answered, or ended by the failure to answer it.
    pub fn answered(mut self, answer: Result<Answer, Failure>) -> Self {
        match answer {
            Ok(answer) => self.round.answer = Some(answer),
            Err(failure) => self.outcome = Some(failure.into()),
        }
        self
    }

    /// Whether nothing can change it any more, once nothing can that ranks below the watermark: it has ended, and whatever
    /// verdict on one of its questions changed, it would go on at a rank that is not above this one.
    pub fn is_final(&self, watermark: Rank) -> bool {
        let asked = match &self.outcome {
            // Before a user ends it, questions of a further turn may have been rejected.
            Some(Outcome::Completed) => self.turns.len() + usize::from(self.round.attempt.0 > 0),
            Some(Outcome::Dropped(_)) => self.turns.len() + 1,
            Some(Outcome::Interrupted) | None => return false,
        };
        let next = self.rank_at(TurnIndex(asked as u16 + 1), Attempt(0));
        next < watermark && !self.epoch.is_over()
    }
}

impl Deref for InFlight {
    type Target = Conversation;

    fn deref(&self) -> &Conversation {
        &self.conversation
    }
}

impl DerefMut for InFlight {
    fn deref_mut(&mut self) -> &mut Conversation {
        &mut self.conversation
    }
}

impl Cancellable for InFlight {
    fn recalled(&self) -> &CancellationToken {
        &self.epoch.over
    }
}

/// The time of a conversation between two roll-backs. What was asked for in an earlier epoch comes to nothing.
#[derive(Debug, Clone, Default)]
pub struct Epoch {
    /// How many roll-backs came before it; no two epochs of a conversation share a number.
    number: u32,
    /// Cancelled by the roll-back that ends this epoch, and with it every task that works for it.
    over: CancellationToken,
}

impl Epoch {
    /// Ends this epoch and begins the next.
    pub fn advance(&mut self) {
        self.over.cancel();
        *self = Self { number: self.number + 1, over: CancellationToken::new() };
    }

    /// Whether a roll-back has ended it.
    pub fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }
}

/// Two epochs are the same if as many roll-backs came before both.
impl PartialEq for Epoch {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

/// An epoch is earlier than another one if fewer roll-backs came before it.
impl PartialOrd for Epoch {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.number.partial_cmp(&other.number)
    }
}
