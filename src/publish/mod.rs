//! What is made of finished conversations: exports that people train on, statistics, plots, the dataset's card, and the Hub.
//!
//! The source is the table `conversations` of an output folder, whose rows are read as [`Dialogue`]s, and its `preferences`
//! ([`Pair`]s).

mod content;
mod dialogue;
mod error;
pub mod export;
pub mod filter;
#[cfg(test)]
mod fixtures;
pub mod formats;
mod sink;
pub mod source;
pub mod split;
pub mod view;

pub use dialogue::{Dialogue, Exchange, Pair, Said, Speakers, ToolCall};
pub use error::ExportError;
pub use sink::TableFormat;
