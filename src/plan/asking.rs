//! A conversation that is about to ask.

use crate::domain::{Conversation, Coverage};
use std::ops::Deref;

/// A conversation that is about to ask, with what it knows of the others. It reads as the conversation.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// The conversation whose next question is planned.
    pub conversation: &'a Conversation,
    /// What earlier conversations used, as of the opening of this one.
    pub coverage: &'a Coverage,
}

impl Deref for Asking<'_> {
    type Target = Conversation;

    fn deref(&self) -> &Conversation {
        self.conversation
    }
}
