//! What is made of finished conversations: exports that people train on, statistics, plots, the dataset's card, and the Hub.
//!
//! The source is the table `conversations` of an output folder, whose rows are read as [`Dialogue`]s, and its `preferences`
//! ([`Pair`]s).

pub mod card;
mod dialogue;
pub mod plots;
pub mod stats;

pub use dialogue::{Dialogue, Exchange, Pair, Said, Speakers, ToolCall};
