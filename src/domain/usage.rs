//! What a model call used.

use super::Tier;
use serde::{Deserialize, Serialize};

/// Tokens of one call; none where the endpoint does not report them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, those of a cache included.
    pub prompt_tokens: Option<u64>,
    /// Tokens written, thoughts included.
    pub completion_tokens: Option<u64>,
    /// Those of the tokens read that the provider had in its cache.
    pub cached_tokens: Option<u64>,
    /// Those of the tokens read that the provider has put into its cache.
    #[serde(default)]
    pub cache_write_tokens: Option<u64>,
    /// Those of the tokens written that were thoughts.
    pub reasoning_tokens: Option<u64>,
    /// The tier in which it was served, which decides their price.
    #[serde(default)]
    pub tier: Tier,
}
