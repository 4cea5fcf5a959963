//! What the assistant may call: a trait for tools, the knowledge search, and the search of the web.
//!
//! What the web says differs from moment to moment and is paid for, so that [`JournalledWeb`] keeps it as replies of models are
//! kept: a run that goes on asks nothing twice. [`JournalledSearch`] does the same for searches of the knowledge base that
//! servers and models take part in, and [`QuestionVectors`] for the vectors of questions.

mod domains;
mod journalled_search;
mod journalled_web;
mod knowledge_search;
mod question_vectors;
mod tool;
mod toolbox;
mod web;
mod web_search;

pub use domains::Domains;
pub use journalled_search::{JournalledSearch, KeptSearch};
pub use journalled_web::{JournalledWeb, KeptWeb};
pub use knowledge_search::{KnowledgeSearch, SEARCH};
pub use question_vectors::{QuestionVectors, vectors};
pub use tool::{Called, Calling, Tool, ToolError};
pub use toolbox::Toolbox;
pub use web::{Asked, SearchMeter, SearchReading, Web, WebError, WebReply, WebSearching};
pub use web_search::{WEB_SEARCH, WebSearch};
