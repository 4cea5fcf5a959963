//! What is made of finished conversations: exports that people train on, statistics, plots, the dataset's card, and the Hub.
//!
//! The source is a table of an output folder: [`source`] finds and reads it part by part, [`filter`] keeps rows, [`split`] tells where
//! each belongs, [`formats`] are those that people train on, and [`export`] is all of it for one table. Rows are seen as [`Dialogue`]s and
//! [`Pair`]s.

pub mod card;
mod content;
mod dialogue;
mod error;
pub mod export;
pub mod filter;
#[cfg(test)]
mod fixtures;
mod folder;
pub mod formats;
mod hub;
pub mod labelled;
mod options;
pub mod plots;
mod sink;
pub mod source;
pub mod split;
pub mod stats;
pub mod view;

pub use dialogue::{Dialogue, Exchange, Pair, Said, Speakers, ToolCall};
pub use error::ExportError;
pub use folder::{ExportFolderError, replace};
pub use hub::{Destination, HubError, Pushed, RepoType, Token, push};
pub use options::PushOptions;
pub use sink::TableFormat;
