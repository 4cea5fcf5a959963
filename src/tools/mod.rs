//! What the assistant may call: a trait for tools, and the knowledge search.

mod knowledge_search;
mod tool;
mod toolbox;

pub use knowledge_search::{KnowledgeSearch, SEARCH};
pub use tool::{Called, Calling, Tool};
pub use toolbox::Toolbox;
