//! What is made of finished conversations: exports that people train on, statistics, plots, the dataset's card, and the Hub.
//!
//! The source is the table `conversations` of an output folder, whose rows are read as [`Dialogue`]s, and its `preferences`
//! ([`Pair`]s).

mod dialogue;
mod folder;
mod hub;
mod options;

pub use dialogue::{Dialogue, Exchange, Pair, Said, Speakers, ToolCall};
pub use folder::{ExportFolderError, replace};
pub use hub::{Destination, HubError, Pushed, RepoType, Token, push};
pub use options::PushOptions;
