//! Seed topics.

/// Topics with their questions, by variant.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Topics {}
