//! What the assistant may call: knowledge search.
