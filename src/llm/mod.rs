//! Models as the stages meet them: one trait, requests and replies, the journal in front, and what a reply costs.
//!
//! A stage gives a [`ChatRequest`] to a [`Model`]. [`Journalled`] looks it up among the replies that the store keeps, and
//! asks the model behind it for what is not there; a reply is durable before the stage sees it.

pub mod chat;
pub mod dry_run;
pub mod events;
pub mod halt;
mod journalled;
pub mod meter;
pub mod prices;
#[cfg(test)]
pub(crate) mod samples;

pub use crate::domain::{Tier, Usage};
pub use chat::{ChatReply, ChatRequest, Finish, Message, Model, ModelError, ReplySchema, Role, request_of};
pub use events::{CallEnd, Event, EventKind, Parameters};
pub use halt::Halt;
pub use journalled::Journalled;
pub use meter::{Meter, Reading};
pub use prices::Prices;
