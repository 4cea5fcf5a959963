//! The dataset in a browser: pages over an output folder, served to this machine alone.
//!
//! An [`Index`] beside the files knows of every conversation what lists are filtered, sorted and searched by, and where its row lies; the
//! rows themselves are read where one is shown. It follows the files while a run goes on. The `server` hands out pages and JSON to who
//! has the token; nothing in them is HTML of a model. [`Labels`] are what a person thinks of conversations, in a file that people can edit.
//! What only runs know comes in as a [`Known`].

mod compare;
mod error;
mod help;
mod index;
mod labels;
mod overview;
mod query;
mod row;
mod server;

pub use error::ViewError;
pub use index::{Index, Progress};
pub use labels::Labels;
pub use overview::{Overview, overview};
pub use query::{Filter, Listed, Sort};
pub use server::{Known, Viewed, serve};
