//! The vectors of all chunks, and those nearest to one.
//!
//! Of few chunks, a query is compared with every vector. Of more, the signs of all vectors are compared first, a bit for each
//! dimension, and then the vectors of those that agree best: the result is the same on any number of threads, as that of a graph
//! that is built in parallel would not be. What is compared lies in a file of its own beside the inventory, in the order of the
//! chunks: an index that has not changed is ready once it is read.

use super::embeddings::{Embedder, Purpose};
use super::inventory::{Inventory, Key};
use super::{KnowledgeError, Step, Watch, embeddings, progress::Counter};
use crate::domain::{Catalogue, Chunk, ChunkIndex};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What names of files with vectors begin with; the digest of all that they follow from comes after it.
pub(super) const PREFIX: &str = "vectors-";

/// Up to how many chunks their vectors are compared and held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Chunks up to which every vector is compared.
    pub scanned: usize,
    /// Chunks up to which the vectors are held in memory; of more, they are read from the file.
    pub held: usize,
}

/// A vector of 384 dimensions takes 110 nanoseconds to compare, and 1,536 bytes.
pub(super) const LIMITS: Limits = Limits { scanned: 20_000, held: 200_000 };

/// For each chunk that is looked for, so many whose signs agree best are compared by their vectors.
const OVERSAMPLING: usize = 50;

/// At least so many are, and at least this share of all: a sixteenth of those that are held, a fiftieth of those that are read.
/// Of the ten nearest of 8,700 passages of a manual (MiniLM), the best sixteenth by signs has 0.999, the best fiftieth 0.97.
const LEAST: usize = 1_000;
const HELD_SHARE: usize = 16;
const FILED_SHARE: usize = 50;

/// Texts embedded between two writes: what an interruption costs.
const BATCH: usize = 256;

/// Products added up side by side.
const LANES: usize = 16;

/// A vector for every chunk of a catalogue, by its position.
pub(super) struct Vectors {
    dimensions: usize,
    /// The signs of all of them, in words of 64 bits; none where every vector is compared.
    signs: Vec<u64>,
    rows: Rows,
}

enum Rows {
    /// All of them, one after the other.
    Held(Vec<f32>),
    /// Where they are.
    Filed(File),
}

/// Whether there is a file of this digest in the folder of the index.
pub(super) fn are_kept(folder: &Path, digest: &str) -> bool {
    file(folder, digest).exists()
}

fn file(folder: &Path, digest: &str) -> PathBuf {
    folder.join(format!("{PREFIX}{digest}"))
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
    /// The vectors of these texts, all of which the inventory has; from the file of this digest in its folder, which is written
    /// where it is not there.
    ///
    /// # Errors
    /// When one is missing or of another length, or the file can't be written or read.
    pub fn kept(
        inventory: &Inventory,
        model: &str,
        texts: &[Key],
        digest: &str,
        limits: Limits,
    ) -> Result<Self, KnowledgeError> {
        let folder = inventory.folder();
        let path = file(folder, digest);
        let failed = |cause: io::Error| KnowledgeError::IndexFolder { path: path.clone(), cause: cause.to_string() };
        if !path.exists() {
            // Under another name until it is whole.
            let begun = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder).map_err(failed)?;
            write(inventory, model, texts, begun.as_file()).map_err(|error| match error {
                Unwritten::Knowledge(error) => error,
                Unwritten::File(cause) => failed(cause),
            })?;
            begun.persist(&path).map_err(|error| failed(error.error))?;
        }
        Self::read(&path, texts.len(), limits).map_err(failed)
    }

    /// Reads what is compared: as many dimensions as there are, the vectors, their signs.
    fn read(path: &Path, count: usize, Limits { scanned, held }: Limits) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut dimensions = [0; WORD];
        file.read_exact(&mut dimensions)?;
        let dimensions = usize::try_from(u64::from_le_bytes(dimensions)).map_err(io::Error::other)?;
        let (row, signs) = (4 * dimensions, WORD * dimensions.div_ceil(64));
        if dimensions == 0 || file.metadata()?.len() != (WORD + count * (row + signs)) as u64 {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("it does not hold {count} vectors")));
        }
        let mut vectors = Vec::new();
        if count <= held {
            vectors.reserve_exact(count * dimensions);
            let mut rows = vec![0; count.min(READ) * row];
            for at in (0..count).step_by(READ) {
                let rows = &mut rows[..READ.min(count - at) * row];
                file.read_exact(rows)?;
                vectors.extend(floats(rows));
            }
        }
        let mut words = Vec::new();
        if count > scanned {
            let mut bytes = vec![0; count * signs];
            file.seek(SeekFrom::Start((WORD + count * row) as u64))?;
            file.read_exact(&mut bytes)?;
            let (whole, _) = bytes.as_chunks();
            words = whole.iter().map(|word| u64::from_le_bytes(*word)).collect();
        }
        let rows = if count <= held { Rows::Held(vectors) } else { Rows::Filed(file) };
        Ok(Self { dimensions, signs: words, rows })
    }

    /// The `k` chunks whose vectors are nearest to one, by the cosine, nearest first, equal ones in order.
    ///
    /// # Errors
    /// When the vector has another length, or one can't be read.
    pub fn nearest(&self, query: &[f32], k: usize) -> Result<Vec<(ChunkIndex, f32)>, KnowledgeError> {
        let dimensions = self.dimensions;
        if query.len() != dimensions {
            let cause = format!("it gives a query {} dimensions, and passages {dimensions}", query.len());
            return Err(KnowledgeError::Embedding { model: "the embedding model".to_owned(), cause });
        }
        let signs: Vec<u64> = signs(query).collect();
        let count = self.signs.len() / signs.len();
        let compared = |share: usize| (k * OVERSAMPLING).max(LEAST).max(count / share);
        match &self.rows {
            Rows::Held(rows) if self.signs.is_empty() => {
                let scores = rows.chunks_exact(dimensions).map(|row| dot(query, row));
                Ok(best((0..).map(ChunkIndex).zip(scores), k))
            }
            Rows::Held(rows) => {
                let row = |chunk: ChunkIndex| &rows[chunk.0 as usize * dimensions..][..dimensions];
                let agreeing = agreeing(&signs, &self.signs, compared(HELD_SHARE)).into_iter();
                Ok(best(agreeing.map(|chunk| (chunk, dot(query, row(chunk)))), k))
            }
            Rows::Filed(file) => {
                let length = 4 * dimensions;
                let mut row = vec![0; length];
                let mut scored = Vec::new();
                for chunk in agreeing(&signs, &self.signs, compared(FILED_SHARE)) {
                    let read = file.read_exact_at(&mut row, (WORD + chunk.0 as usize * length) as u64);
                    read.map_err(|cause| KnowledgeError::Embedding {
                        model: "the vectors in the index folder".to_owned(),
                        cause: cause.to_string(),
                    })?;
                    scored.push((chunk, dot(query, &Vec::from_iter(floats(&row)))));
                }
                Ok(best(scored.into_iter(), k))
            }
        }
    }
}

/// Bytes of a number of 64 bits.
const WORD: usize = 8;

/// Vectors read at a time.
const READ: usize = 1_024;

/// Why vectors could not be written.
enum Unwritten {
    Knowledge(KnowledgeError),
    File(io::Error),
}

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

/// Writes how many dimensions the vectors of these texts have, the vectors, and their signs.
fn write(inventory: &Inventory, model: &str, texts: &[Key], file: &File) -> Result<(), Unwritten> {
    let (key, mut dimensions, mut words) = (embeddings::key(model), 0, Vec::new());
    let mut file = BufWriter::new(file);
    for text in texts {
        let vector = inventory.vector(&key, text).map_err(Unwritten::Knowledge)?.unwrap_or_default();
        if dimensions == 0 {
            dimensions = vector.len();
            file.write_all(&(dimensions as u64).to_le_bytes())?;
        }
        if vector.len() != dimensions || dimensions == 0 {
            let cause = format!("it gives vectors of {dimensions} and of {} dimensions", vector.len());
            return Err(Unwritten::Knowledge(KnowledgeError::Embedding { model: model.to_owned(), cause }));
        }
        vector.iter().try_for_each(|value| file.write_all(&value.to_le_bytes()))?;
        words.extend(signs(&vector));
    }
    words.iter().try_for_each(|word| file.write_all(&word.to_le_bytes()))?;
    file.flush()?;
    file.get_ref().sync_all()?;
    Ok(())
}

/// Numbers from their bytes, the least first.
fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value))
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
fn agreeing(query: &[u64], words: &[u64], count: usize) -> Vec<ChunkIndex> {
    let differing =
        |row: &[u64]| row.iter().zip(query).map(|(one, other)| (one ^ other).count_ones()).sum::<u32>() as u16;
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

    const SCANNED: Limits = Limits { scanned: usize::MAX, held: usize::MAX };
    const HELD: Limits = Limits { scanned: 0, held: usize::MAX };
    const FILED: Limits = Limits { scanned: 0, held: 0 };

    fn kept(vectors: &[Vec<f32>], limits: Limits) -> (tempfile::TempDir, Vectors) {
        let folder = tempfile::tempdir().unwrap();
        let inventory = Inventory::open(folder.path()).unwrap();
        let texts: Vec<Key> = (0..vectors.len()).map(|at| embeddings::key(&at.to_string())).collect();
        let rows: Vec<_> = texts.iter().copied().zip(vectors.iter().cloned()).collect();
        inventory.keep_vectors(&embeddings::key("m"), &rows).unwrap();
        let vectors = Vectors::kept(&inventory, "m", &texts, "0", limits).unwrap();
        (folder, vectors)
    }

    #[test]
    fn the_nearest_come_first_and_equal_ones_in_order() {
        let vectors = [vec![1.0, 0.0], vec![0.0, 1.0], vec![0.6, 0.8], vec![1.0, 0.0], vec![-1.0, 0.0]];
        for limits in [SCANNED, HELD, FILED] {
            let (_folder, kept) = kept(&vectors, limits);
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
        let ((_one, whole), (_other, held), (_third, filed)) =
            (kept(&vectors, SCANNED), kept(&vectors, HELD), kept(&vectors, FILED));
        let queries = clustered(100, 384, 200);
        let (mut same, mut all) = (0, 0);
        for query in &queries {
            let expected = whole.nearest(query, 10).unwrap();
            assert_eq!(held.nearest(query, 10).unwrap(), expected);
            let found = filed.nearest(query, 10).unwrap();
            same += expected.iter().filter(|hit| found.contains(hit)).count();
            all += expected.len();
        }
        assert!(same * 100 >= all * 97, "{same} of {all}");
    }

    #[test]
    fn as_many_agree_as_are_asked_for() {
        let words: Vec<u64> = (0..64).map(|bits| (1_u64 << bits) - 1).collect();
        for count in [0, 1, 5, 64, 70] {
            let found = agreeing(&[0], &words, count);
            let expected: Vec<_> = (0..count.min(64) as u32).map(ChunkIndex).collect();
            assert_eq!(found, expected);
        }
        assert_eq!(agreeing(&[0], &[1, 2, 4, 0], 2), [ChunkIndex(0), ChunkIndex(3)]);
    }
}
