//! Search by words and by meaning.

use super::embeddings::{Embedder, Purpose, prefixed};
use super::retriever::{READ, Ranked, ranked};
use super::vectors::Vectors;
use super::{Hit, Index, KnowledgeError, Retriever, Searching};
use crate::domain::text::beginning;
use crate::domain::{ChunkIndex, Place};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The constant of reciprocal rank fusion (Cormack, Clarke, Büttcher: SIGIR 2009): how little the first ranks stand out.
const CONSTANT: f32 = 60.0;

/// Chunks of each ranking that are fused, for each that is asked for, and at least.
const DEPTH: usize = 4;
const LEAST_DEPTH: usize = 50;

/// Which rankings of chunks count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranking {
    /// That by words and that by vectors, fused by their ranks.
    Hybrid,
    /// That by vectors alone.
    Vector,
}

/// Finds chunks whose vectors are near that of a query, and those that share words with it.
pub(super) struct VectorSearch {
    pub index: Arc<Index>,
    pub embedder: Arc<dyn Embedder>,
    pub vectors: Arc<Vectors>,
    pub ranking: Ranking,
}

impl VectorSearch {
    /// The `k` nearest chunks to a query, found on a thread that may take its time.
    async fn nearest(&self, query: &str, k: usize) -> Result<Vec<(ChunkIndex, f32)>, KnowledgeError> {
        let made = self.embedder.embed(vec![prefixed(&*self.embedder, Purpose::Query, beginning(query, READ))]).await?;
        let (vectors, query) = (self.vectors.clone(), made.into_iter().next().unwrap_or_default());
        let found = tokio::task::spawn_blocking(move || vectors.nearest(&query, k)).await;
        found.map_err(|error| KnowledgeError::Embedding {
            model: self.embedder.name().to_owned(),
            cause: format!("the search for the nearest vectors has ended: {error}"),
        })?
    }
}

impl Retriever for VectorSearch {
    fn search<'a>(&'a self, _: Place, query: &'a str, k: usize) -> Searching<'a> {
        Box::pin(async move {
            let depth = (k * DEPTH).max(LEAST_DEPTH);
            let near = self.nearest(query, depth).await?;
            let shared = match self.ranking {
                Ranking::Hybrid => self.index.best(query, depth)?,
                Ranking::Vector => Vec::new(),
            };
            let mut hits = fused(shared, near, self.ranking);
            hits.truncate(k);
            Ok(hits)
        })
    }
}

/// Two rankings as one: by the sum of `1 / (60 + rank)` over the rankings that a chunk is in, or by the second alone. Equal
/// ones stand in the order of the catalogue.
fn fused(lexical: Vec<(ChunkIndex, f32)>, vector: Vec<(ChunkIndex, f32)>, ranking: Ranking) -> Vec<Hit> {
    let mut hits: BTreeMap<ChunkIndex, Hit> = BTreeMap::new();
    for (chunk, place) in ranked(lexical) {
        hits.entry(chunk).or_insert_with(|| Hit::of(chunk)).lexical = Some(place);
    }
    for (chunk, place) in ranked(vector) {
        hits.entry(chunk).or_insert_with(|| Hit::of(chunk)).vector = Some(place);
    }
    let mut hits = Vec::from_iter(hits.into_values());
    for hit in &mut hits {
        hit.score = match ranking {
            Ranking::Hybrid => {
                let of = |place: Option<Ranked>| place.map_or(0.0, |place| 1.0 / (CONSTANT + place.rank as f32));
                of(hit.lexical) + of(hit.vector)
            }
            Ranking::Vector => hit.vector.map_or(0.0, |place| place.score),
        };
    }
    hits.sort_by(|one, other| other.score.total_cmp(&one.score));
    hits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_fused_and_scores_are_not() {
        let ranking = |chunks: &[u32]| chunks.iter().map(|&chunk| (ChunkIndex(chunk), 9.0)).collect::<Vec<_>>();
        let order = |hits: &[Hit]| hits.iter().map(|hit| hit.chunk.0).collect::<Vec<_>>();
        for (lexical, vector, expected) in [
            (&[1, 2, 3][..], &[3, 2, 4][..], &[3, 2, 1, 4][..]),
            (&[], &[5, 4], &[5, 4]),
            (&[5, 4], &[], &[5, 4]),
            // Equal sums stand in the order of the catalogue.
            (&[7, 2], &[2, 7], &[2, 7]),
        ] {
            let hits = fused(ranking(lexical), ranking(vector), Ranking::Hybrid);
            assert_eq!(order(&hits), expected, "{lexical:?} {vector:?}");
        }
        let hits = fused(ranking(&[1]), ranking(&[2, 1]), Ranking::Hybrid);
        assert_eq!(hits[0].lexical, Some(Ranked { rank: 1, score: 9.0 }));
        assert_eq!(hits[0].vector, Some(Ranked { rank: 2, score: 9.0 }));
        assert!((hits[0].score - (1.0 / 61.0 + 1.0 / 62.0)).abs() < 1e-7);
        assert_eq!(order(&fused(Vec::new(), ranking(&[2, 1]), Ranking::Vector)), [1, 2]);
    }
}
