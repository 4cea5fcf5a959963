//! What has been asked so far: how often each passage was used, and the latest questions.

use super::corpus::{ChunkIndex, SourceIndex};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Questions remembered per document.
pub const RECENT: usize = 8;

/// What one accepted question used: the unit in which coverage grows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// The passage the question is about; none when the model named no known one.
    pub chunk: Option<ChunkIndex>,
    /// The document that the passage belongs to.
    pub source: Option<SourceIndex>,
    /// The question it counts as: its own text, or that of the earlier question of its conversation that it asks again.
    pub question: Arc<str>,
    /// The seed topic and seed question it came from.
    pub seed: Option<(Arc<str>, Arc<str>)>,
}

/// Usage of one document.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SourceUse {
    /// Accepted questions about it.
    pub questions: u32,
    /// The last [`RECENT`] of them, oldest first, each with the passage it was about.
    pub recent: VecDeque<(Option<ChunkIndex>, Arc<str>)>,
}

/// A snapshot of all that settled conversations (of this run and the ledger) have used. Conversations read it; only
/// settled work is added to it, in slot order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Coverage {
    /// Accepted questions per chunk, by [`ChunkIndex`].
    pub chunks: Vec<u32>,
    /// Usage per document, by [`SourceIndex`].
    pub sources: Vec<SourceUse>,
    /// How often each seed topic was used.
    pub seed_topics: BTreeMap<Arc<str>, u32>,
    /// Seed questions already used.
    pub seed_questions: BTreeSet<Arc<str>>,
}

impl Coverage {
    /// Nothing used yet, of a knowledge base with so many chunks and documents.
    pub fn empty(chunks: usize, sources: usize) -> Self {
        Self { chunks: vec![0; chunks], sources: vec![SourceUse::default(); sources], ..Self::default() }
    }

    /// Adds one accepted question.
    pub fn add(&mut self, used: &Used) {
        if let Some(count) = used.chunk.and_then(|chunk| self.chunks.get_mut(chunk.0 as usize)) {
            *count += 1;
        }
        if let Some(source) = used.source.and_then(|source| self.sources.get_mut(source.0 as usize)) {
            source.questions += 1;
            if source.recent.len() == RECENT {
                source.recent.pop_front();
            }
            source.recent.push_back((used.chunk, used.question.clone()));
        }
        if let Some((topic, question)) = &used.seed {
            *self.seed_topics.entry(topic.clone()).or_default() += 1;
            self.seed_questions.insert(question.clone());
        }
    }
}
