//! The vectors of all chunks, and those nearest to one.
//!
//! Up to [`EXACT`] chunks, a query is compared with every vector. Of more, the signs of all vectors are compared first, a bit
//! for each dimension, and then the vectors of the best of these, which lie in the inventory: the result is the same on any
//! number of threads, as that of a graph that is built in parallel would not be.

use super::embeddings::{Embedder, Purpose};
use super::inventory::{Inventory, Key};
use super::{KnowledgeError, Step, Watch, embeddings, progress::Counter};
use crate::domain::{Catalogue, Chunk, ChunkIndex};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

/// Chunks up to which every vector is compared.
pub(super) const EXACT: usize = 200_000;

/// For each chunk that is looked for, so many whose signs agree best are compared by their vectors.
const OVERSAMPLING: usize = 50;

/// At least so many are.
const LEAST: usize = 1_000;

/// Texts embedded between two writes: what an interruption costs.
const BATCH: usize = 256;

/// Products added up side by side.
const LANES: usize = 16;

/// A vector for every chunk of a catalogue, by its position.
pub(super) struct Vectors {
    inventory: Arc<Inventory>,
    model: Key,
    dimensions: usize,
    rows: Rows,
}

enum Rows {
    /// All of them, one after the other.
    Whole(Vec<f32>),
    /// Their signs, in words of 64 bits, and the digests of their texts.
    Signs { words: Vec<u64>, texts: Vec<Key> },
}

/// A chunk as it is embedded, behind the prefix that the model wants: what it stands under, and its text.
pub(super) fn passage(chunk: &Chunk) -> String {
    if chunk.context.is_empty() { chunk.text.to_string() } else { format!("{}\n{}", chunk.context, chunk.text) }
}

/// Embeds every chunk whose text has no vector of this model yet, each text once, and keeps the vectors. What is cut off goes
/// on where it was.
///
/// # Errors
/// When the model fails, or the vectors can't be kept.
pub(super) async fn embed_missing(
    catalogue: &Catalogue,
    embedder: &dyn Embedder,
    (inventory, texts): (&Inventory, &[Key]),
    watch: Watch<'_>,
) -> Result<(), KnowledgeError> {
    let model = embeddings::key(embedder.name());
    let known = inventory.has_vectors(&model, texts)?;
    let missing: BTreeMap<Key, ChunkIndex> = (0u32..)
        .zip(texts)
        .zip(known)
        .filter(|(_, known)| !known)
        .map(|((chunk, text), _)| (*text, ChunkIndex(chunk)))
        .collect();
    // In the order of the chunks: what is embedded first does not depend on digests.
    let mut missing: Vec<(ChunkIndex, Key)> = missing.into_iter().map(|(text, chunk)| (chunk, text)).collect();
    missing.sort_unstable();
    if missing.is_empty() {
        return Ok(());
    }
    let prefixed = |text: &str| embeddings::prefixed(embedder, Purpose::Passage, text);
    let counter = Counter::new(Step::Vectors, missing.len(), watch);
    for batch in missing.chunks(BATCH) {
        let passages = batch.iter().map(|(chunk, _)| prefixed(&passage(&catalogue.chunk(*chunk)))).collect();
        let vectors = embedder.embed(passages).await?;
        let kept: Vec<(Key, Vec<f32>)> = batch.iter().map(|(_, text)| *text).zip(vectors).collect();
        inventory.keep_vectors(&model, &kept)?;
        counter.add(batch.len());
    }
    Ok(())
}

impl Vectors {
    /// The vectors of these texts, all of which the inventory has.
    ///
    /// # Errors
    /// When one is missing or of another length.
    pub fn load(inventory: Arc<Inventory>, name: &str, texts: Vec<Key>, exact: usize) -> Result<Self, KnowledgeError> {
        let model = embeddings::key(name);
        let mut dimensions = 0;
        let mut whole = Vec::new();
        let mut words = Vec::new();
        let is_whole = texts.len() <= exact;
        for text in &texts {
            let vector = inventory.vector(&model, text)?.unwrap_or_default();
            if dimensions == 0 {
                dimensions = vector.len();
                if is_whole {
                    whole.reserve_exact(dimensions * texts.len());
                }
            }
            if vector.len() != dimensions || dimensions == 0 {
                let cause = format!("it gives vectors of {dimensions} and of {} dimensions", vector.len());
                return Err(KnowledgeError::Embedding { model: name.to_owned(), cause });
            }
            if is_whole {
                whole.extend_from_slice(&vector);
            } else {
                words.extend(signs(&vector));
            }
        }
        let rows = if is_whole { Rows::Whole(whole) } else { Rows::Signs { words, texts } };
        Ok(Self { inventory, model, dimensions, rows })
    }

    /// The `k` chunks whose vectors are nearest to one, by the cosine, nearest first, equal ones in order.
    ///
    /// # Errors
    /// When the vector has another length, or one can't be read.
    pub fn nearest(&self, query: &[f32], k: usize) -> Result<Vec<(ChunkIndex, f32)>, KnowledgeError> {
        if query.len() != self.dimensions {
            let cause = format!("it gives a query {} dimensions, and passages {}", query.len(), self.dimensions);
            return Err(KnowledgeError::Embedding { model: "the embedding model".to_owned(), cause });
        }
        match &self.rows {
            Rows::Whole(rows) => {
                let scores = rows.chunks_exact(self.dimensions).map(|row| dot(query, row));
                Ok(best((0..).map(ChunkIndex).zip(scores), k))
            }
            Rows::Signs { words, texts } => {
                let mut scored = Vec::new();
                for chunk in agreeing(signs(query), words, (k * OVERSAMPLING).max(LEAST)) {
                    let vector = self.inventory.vector(&self.model, &texts[chunk.0 as usize])?.unwrap_or_default();
                    scored.push((chunk, if vector.len() == query.len() { dot(query, &vector) } else { -1.0 }));
                }
                Ok(best(scored.into_iter(), k))
            }
        }
    }
}

/// The sum of the products, added up in the same order on every machine.
fn dot(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (ones, others) = (one.chunks_exact(LANES), other.chunks_exact(LANES));
    let rest: f32 = ones.remainder().iter().zip(others.remainder()).map(|(one, other)| one * other).sum();
    for (one, other) in ones.zip(others) {
        for lane in 0..LANES {
            sums[lane] += one[lane] * other[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// The signs of a vector, a bit each.
fn signs(vector: &[f32]) -> impl Iterator<Item = u64> + '_ {
    vector.chunks(64).map(|values| values.iter().fold(0, |word, value| word << 1 | u64::from(*value > 0.0)))
}

/// The chunks whose signs differ least from these, `count` of them, in order.
fn agreeing(query: impl Iterator<Item = u64>, words: &[u64], count: usize) -> Vec<ChunkIndex> {
    let query: Vec<u64> = query.collect();
    let differing =
        |row: &[u64]| row.iter().zip(&query).map(|(one, other)| (one ^ other).count_ones()).sum::<u32>() as u16;
    let distances: Vec<u16> = words.chunks_exact(query.len()).map(differing).collect();
    let mut of_distance = vec![0_usize; 64 * query.len() + 1];
    distances.iter().for_each(|distance| of_distance[usize::from(*distance)] += 1);
    let mut left = count;
    let limit = of_distance.iter().position(|number| {
        let is_last = *number >= left;
        left -= if is_last { 0 } else { *number };
        is_last
    });
    // Of those at the limit as many as there is room for, the first ones.
    let (limit, mut room) = (limit.unwrap_or(of_distance.len()), left);
    let taken = |distance: &u16| match usize::from(*distance).cmp(&limit) {
        std::cmp::Ordering::Less => true,
        std::cmp::Ordering::Equal if room > 0 => {
            room -= 1;
            true
        }
        _ => false,
    };
    let mut taken = taken;
    (0..).map(ChunkIndex).zip(&distances).filter(|(_, distance)| taken(distance)).map(|(chunk, _)| chunk).collect()
}

/// The `k` with the greatest scores, greatest first, equal ones in order.
fn best(scored: impl Iterator<Item = (ChunkIndex, f32)>, k: usize) -> Vec<(ChunkIndex, f32)> {
    let mut heap = BinaryHeap::with_capacity(k + 1);
    for (chunk, score) in scored {
        let entry = Reverse((Score(score), Reverse(chunk)));
        if heap.len() < k {
            heap.push(entry);
        } else if heap.peek().is_some_and(|least: &Reverse<_>| entry.0 > least.0) {
            heap.pop();
            heap.push(entry);
        }
    }
    heap.into_sorted_vec().into_iter().map(|Reverse((Score(score), Reverse(chunk)))| (chunk, score)).collect()
}

/// A score in its total order.
#[derive(PartialEq)]
struct Score(f32);

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Vectors of length 1 around as many centres as there are clusters.
    fn clustered(count: usize, dimensions: usize, clusters: usize) -> Vec<Vec<f32>> {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut vector = |around: Option<&Vec<f32>>| -> Vec<f32> {
            let values: Vec<f32> = (0..dimensions)
                .map(|at| around.map_or(0.0, |centre| 1.5 * centre[at]) + random.random_range(-1.0..1.0) * 0.1)
                .collect();
            let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
            values.into_iter().map(|value| value / length).collect()
        };
        let centres: Vec<_> = (0..clusters).map(|_| vector(None)).collect();
        (0..count).map(|at| vector(Some(&centres[at % clusters]))).collect()
    }

    fn kept(vectors: &[Vec<f32>], exact: usize) -> (tempfile::TempDir, Vectors) {
        let folder = tempfile::tempdir().unwrap();
        let inventory = Arc::new(Inventory::open(folder.path()).unwrap());
        let texts: Vec<Key> = (0..vectors.len()).map(|at| embeddings::key(&at.to_string())).collect();
        let rows: Vec<_> = texts.iter().copied().zip(vectors.iter().cloned()).collect();
        inventory.keep_vectors(&embeddings::key("m"), &rows).unwrap();
        let vectors = Vectors::load(inventory, "m", texts, exact).unwrap();
        (folder, vectors)
    }

    #[test]
    fn the_nearest_come_first_and_equal_ones_in_order() {
        let vectors = [vec![1.0, 0.0], vec![0.0, 1.0], vec![0.6, 0.8], vec![1.0, 0.0], vec![-1.0, 0.0]];
        for exact in [5, 0] {
            let (_folder, kept) = kept(&vectors, exact);
            let found = kept.nearest(&[1.0, 0.0], 3).unwrap();
            assert_eq!(found, [(ChunkIndex(0), 1.0), (ChunkIndex(3), 1.0), (ChunkIndex(2), 0.6)]);
            assert_eq!(kept.nearest(&[0.0, 1.0], 9).unwrap().len(), 5);
            assert_eq!(kept.nearest(&[1.0, 0.0], 0).unwrap(), []);
            assert!(kept.nearest(&[1.0], 1).unwrap_err().to_string().contains("1 dimensions"));
        }
    }

    #[test]
    fn signs_lead_to_the_same_chunks() {
        let vectors = clustered(20_000, 384, 200);
        let ((_one, whole), (_other, signs)) = (kept(&vectors, vectors.len()), kept(&vectors, 0));
        let queries = clustered(100, 384, 200);
        let (mut same, mut all) = (0, 0);
        for query in &queries {
            let expected = whole.nearest(query, 10).unwrap();
            let found = signs.nearest(query, 10).unwrap();
            same += expected.iter().filter(|hit| found.contains(hit)).count();
            all += expected.len();
        }
        assert!(same * 100 >= all * 97, "{same} of {all}");
    }

    #[test]
    fn as_many_agree_as_are_asked_for() {
        let words: Vec<u64> = (0..64).map(|bits| (1_u64 << bits) - 1).collect();
        for count in [0, 1, 5, 64, 70] {
            let found = agreeing([0].into_iter(), &words, count);
            let expected: Vec<_> = (0..count.min(64) as u32).map(ChunkIndex).collect();
            assert_eq!(found, expected);
        }
        assert_eq!(agreeing([0].into_iter(), &[1, 2, 4, 0], 2), [ChunkIndex(0), ChunkIndex(3)]);
    }
}
