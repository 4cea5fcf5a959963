//! The knowledge base as the run sees it: sources cut into chunks, addressed by position.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Position of a chunk in [`Catalogue::chunks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChunkIndex(pub u32);

/// Position of a source in [`Catalogue::sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceIndex(pub u32);

/// A piece of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// `<32 hexadecimal digits of the source's path>-<number within the source>`: the same on every machine.
    pub id: String,
    /// The text, trimmed; of a chunk that starts inside a table, the table's header first.
    pub text: Arc<str>,
    /// The headings it stands under, outermost first, joined with ` › `; those that its text starts with are left out.
    /// Empty where there are none, and where documents are cut into windows of a fixed length.
    pub context: Arc<str>,
    /// The document it was cut from.
    pub source: SourceIndex,
    /// Number within the source, from 0.
    pub chunk_index: u32,
    /// Where it starts in the document, in characters; of a window of fixed length, before trimming.
    pub char_start: usize,
    /// Where it ends, in characters; of a window of fixed length, before trimming.
    pub char_end: usize,
}

/// A document of the knowledge base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Path relative to the knowledge folder, with `/` between parts.
    pub path: String,
    /// ISO 639-1 code of the language it is written in; none where that can't be told.
    pub language: Option<Arc<str>>,
    /// Digest of the texts of its chunks: what follows from the document follows from it.
    pub digest: Arc<str>,
    /// Its chunks' positions in the catalogue.
    pub chunks: Range<u32>,
}

/// Where the chunks of a catalogue are: in memory, or in files.
pub trait ChunkStore: Send + Sync {
    /// The chunk at a position, which is one of the catalogue's.
    fn chunk(&self, index: ChunkIndex) -> Chunk;
}

impl ChunkStore for Vec<Chunk> {
    fn chunk(&self, index: ChunkIndex) -> Chunk {
        self[index.0 as usize].clone()
    }
}

/// Every chunk of the knowledge base: sources sorted by path, chunks in reading order. What a source is told by is held in
/// memory; chunks are where their store has them.
#[derive(Clone)]
pub struct Catalogue {
    /// Documents that yielded at least one chunk, sorted by path.
    pub sources: Vec<Source>,
    store: Arc<dyn ChunkStore>,
}

impl Catalogue {
    /// The catalogue of these sources, whose chunks are in a store.
    pub fn new(sources: Vec<Source>, store: Arc<dyn ChunkStore>) -> Self {
        Self { sources, store }
    }

    /// How many chunks there are.
    pub fn len(&self) -> usize {
        self.sources.last().map_or(0, |source| source.chunks.end as usize)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All chunks, in order.
    pub fn chunks(&self) -> impl Iterator<Item = Chunk> + '_ {
        (0..self.len() as u32).map(|index| self.chunk(ChunkIndex(index)))
    }

    /// The chunk at a position.
    pub fn chunk(&self, index: ChunkIndex) -> Chunk {
        self.store.chunk(index)
    }

    /// The position of the document that a chunk is of.
    pub fn source_of(&self, chunk: ChunkIndex) -> SourceIndex {
        SourceIndex(self.sources.partition_point(|source| source.chunks.end <= chunk.0) as u32)
    }

    /// A chunk's number within its document, from 0.
    pub fn number(&self, chunk: ChunkIndex) -> u32 {
        chunk.0 - self.source(self.source_of(chunk)).chunks.start
    }

    /// The document at a position.
    pub fn source(&self, index: SourceIndex) -> &Source {
        &self.sources[index.0 as usize]
    }

    /// The chunk at a position as the passage of this number, from 1.
    pub fn passage(&self, index: ChunkIndex, number: usize) -> Passage {
        let chunk = self.chunk(index);
        let path = &self.source(chunk.source).path;
        let file = path.rsplit('/').next().unwrap_or(path);
        Passage {
            label: format!("P{number}"),
            topic_id: chunk.id,
            source_path: path.clone(),
            source_descriptor: format!("{file}#chunk{}", chunk.chunk_index),
            title: chunk.context,
            text: chunk.text,
        }
    }

    /// The position of the source with this path.
    pub fn source_position(&self, path: &str) -> Option<SourceIndex> {
        self.sources.binary_search_by(|source| source.path.as_str().cmp(path)).ok().map(|at| SourceIndex(at as u32))
    }

    /// The position of the chunk of this number in the source with this path.
    pub fn chunk_position(&self, path: &str, number: u32) -> Option<ChunkIndex> {
        let chunks = &self.source(self.source_position(path)?).chunks;
        (number < chunks.end - chunks.start).then(|| ChunkIndex(chunks.start + number))
    }
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalogue").field("sources", &self.sources).finish_non_exhaustive()
    }
}

impl Passage {
    /// Where it comes from, as evidence tells it: a document with the number of the chunk, or the address of a page.
    pub fn cue(&self) -> String {
        if self.source_descriptor == self.source_path {
            return format!("Web: {}", self.source_path);
        }
        let number = self.source_descriptor.rsplit('#').next().unwrap_or_default();
        format!("KB: {}#{number}", self.source_path)
    }
}

impl fmt::Display for Passage {
    /// `[P1] headings`, then the text below it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, title, text, .. } = self;
        let blank = if title.is_empty() { "" } else { " " };
        write!(f, "[{label}]{blank}{title}\n{text}")
    }
}

/// A chunk as models are shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// The name models know it by within one request: `P1`, `P2`, and so on.
    pub label: String,
    /// The id of its chunk, as outputs name it.
    pub topic_id: String,
    /// Path of the document.
    pub source_path: String,
    /// File name and number of the chunk: `<file name>#chunk<i>`.
    pub source_descriptor: String,
    /// The headings it stands under, outermost first; may be empty.
    pub title: Arc<str>,
    /// The text of the chunk, whole.
    pub text: Arc<str>,
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;

    #[test]
    fn a_passage_tells_its_number_and_headings() {
        let texts = vec!["Once.", "Every month."];
        let catalogue = fixtures::catalogue([("7".to_owned(), "a/pump.md".to_owned(), texts)]);
        assert_eq!(catalogue.passage(ChunkIndex(1), 1).to_string(), "[P1]\nEvery month.");
        let below = |chunk| Chunk { context: "Pump › Filter".into(), ..chunk };
        let catalogue =
            Catalogue::new(catalogue.sources.clone(), Arc::new(Vec::from_iter(catalogue.chunks().map(below))));
        let passage = catalogue.passage(ChunkIndex(1), 3);
        assert_eq!(passage.to_string(), "[P3] Pump › Filter\nEvery month.");
        assert_eq!((&*passage.source_path, &*passage.source_descriptor), ("a/pump.md", "pump.md#chunk1"));
    }

    #[test]
    fn chunks_are_found_by_their_place_in_a_document() {
        let documents = [("a", vec!["0", "1"]), ("b", vec!["2"]), ("c", vec!["3", "4", "5"])];
        let catalogue = fixtures::catalogue(documents.map(|(path, texts)| (path.to_owned(), path.to_owned(), texts)));
        assert_eq!(catalogue.len(), 6);
        let sources = |chunk| catalogue.source_of(ChunkIndex(chunk)).0;
        assert_eq!(Vec::from_iter((0..6).map(sources)), [0, 0, 1, 2, 2, 2]);
        for (path, number, expected) in
            [("a", 1, Some(1)), ("b", 0, Some(2)), ("b", 1, None), ("c", 2, Some(5)), ("d", 0, None)]
        {
            assert_eq!(catalogue.chunk_position(path, number), expected.map(ChunkIndex), "{path} {number}");
        }
        assert_eq!(Vec::from_iter((0..6).map(|chunk| catalogue.number(ChunkIndex(chunk)))), [0, 1, 0, 0, 1, 2]);
    }
}
