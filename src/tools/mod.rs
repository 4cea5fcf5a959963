//! What the assistant may call: knowledge search.

mod passages;
mod toolbox;

pub use toolbox::{Called, SEARCH, Toolbox};
