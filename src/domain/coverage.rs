//! What has been asked so far: how often each passage and each document was used, and the latest questions.

use super::corpus::{Catalogue, ChunkIndex, SourceIndex};
use super::list::List;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
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
    /// Further passages that it needs, each with its document.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub linked: Vec<(ChunkIndex, SourceIndex)>,
}

impl Used {
    /// The passages that it needs.
    pub fn chunks(&self) -> impl Iterator<Item = ChunkIndex> {
        self.chunk.into_iter().chain(self.linked.iter().map(|(chunk, _)| *chunk))
    }

    /// The documents that it is about, each once with the passages of it.
    fn sources(&self) -> BTreeMap<SourceIndex, Vec<ChunkIndex>> {
        let mut sources: BTreeMap<SourceIndex, Vec<ChunkIndex>> = BTreeMap::new();
        if let Some(source) = self.source {
            sources.entry(source).or_default().extend(self.chunk);
        }
        for (chunk, source) in &self.linked {
            sources.entry(*source).or_default().push(*chunk);
        }
        sources
    }
}

/// Usage of one document.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SourceUse {
    /// Accepted questions about it.
    pub questions: u32,
    /// The last [`RECENT`] of them, oldest first, each with the passages it was about.
    pub recent: VecDeque<(Vec<ChunkIndex>, Arc<str>)>,
}

impl SourceUse {
    fn add(&mut self, chunks: Vec<ChunkIndex>, question: &Arc<str>) {
        self.questions += 1;
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((chunks, question.clone()));
    }
}

/// What earlier runs have used: counted while their ledger is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uses {
    /// Accepted questions per chunk, by [`ChunkIndex`].
    pub chunks: Vec<u32>,
    /// Usage per document, by [`SourceIndex`].
    pub sources: Vec<SourceUse>,
    /// How often each seed question was used.
    pub seeds: BTreeMap<Arc<str>, u32>,
}

impl Uses {
    /// Nothing used yet of a knowledge base.
    pub fn none(catalogue: &Catalogue) -> Self {
        let sources = vec![SourceUse::default(); catalogue.sources.len()];
        Self { chunks: vec![0; catalogue.len()], sources, seeds: BTreeMap::new() }
    }

    /// Adds one accepted question.
    pub fn add(&mut self, used: &Used) {
        for chunk in used.chunks() {
            self.chunks.get_mut(chunk.0 as usize).into_iter().for_each(|count| *count += 1);
        }
        for (source, chunks) in used.sources() {
            if let Some(usage) = self.sources.get_mut(source.0 as usize) {
                usage.add(chunks, &used.question);
            }
        }
        if let Some((_, question)) = &used.seed {
            *self.seeds.entry(question.clone()).or_default() += 1;
        }
    }
}

/// A snapshot of all that earlier runs and settled conversations of this one have used. Conversations read it; only settled
/// work is added to it, in slot order. Snapshots share what they have in common, and hold documents and chunks in the order
/// of their use, so that nobody goes through all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Coverage {
    shelves: Arc<[Shelf]>,
    /// Accepted questions per chunk.
    chunks: List<u32>,
    /// The chunks of each document in its place, least used first.
    ranked_chunks: List<RankedChunk>,
    sources: List<Arc<SourceUse>>,
    /// All documents, fewest questions per chunk first, and those of each language.
    ranked: BTreeMap<Option<Arc<str>>, List<RankedSource>>,
    /// How often earlier runs used each seed question.
    pub seeds: Arc<BTreeMap<Arc<str>, u32>>,
}

/// How evenly documents and chunks were asked about.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Balance {
    /// The Gini coefficient of questions per document: 0 where each has as many, near 1 where one has all.
    pub gini: f64,
    /// Share of the documents that nobody asked about.
    pub unused_documents: f64,
    /// Share of their chunks that nobody asked about.
    pub unused_chunks: f64,
}

/// What is to be known of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Shelf {
    chunks: Range<u32>,
    language: Option<Arc<str>>,
}

/// A chunk among those of its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct RankedChunk {
    questions: u32,
    chunk: ChunkIndex,
}

/// A document among others: by questions per chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct RankedSource {
    questions: u32,
    chunks: u32,
    source: SourceIndex,
}

impl RankedSource {
    fn load(&self, other: &Self) -> Ordering {
        let product = |one: u32, other: u32| u64::from(one) * u64::from(other);
        product(self.questions, other.chunks).cmp(&product(other.questions, self.chunks))
    }
}

impl Ord for RankedSource {
    fn cmp(&self, other: &Self) -> Ordering {
        self.load(other).then(self.source.cmp(&other.source))
    }
}

impl PartialOrd for RankedSource {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Coverage {
    /// What was used of a knowledge base.
    pub fn new(catalogue: &Catalogue, usage: Uses) -> Self {
        let shelf = |source: &super::Source| Shelf { chunks: source.chunks.clone(), language: source.language.clone() };
        let shelves: Arc<[Shelf]> = catalogue.sources.iter().map(shelf).collect();
        let mut ranked_chunks = Vec::with_capacity(usage.chunks.len());
        for shelf in shelves.iter() {
            let own = shelf.chunks.clone().map(|chunk| RankedChunk {
                questions: usage.chunks.get(chunk as usize).copied().unwrap_or_default(),
                chunk: ChunkIndex(chunk),
            });
            ranked_chunks.extend(own);
            ranked_chunks[shelf.chunks.start as usize..].sort_unstable();
        }
        let mut ranked: BTreeMap<Option<Arc<str>>, Vec<RankedSource>> = BTreeMap::new();
        for ((shelf, usage), source) in shelves.iter().zip(&usage.sources).zip(0..) {
            let chunks = shelf.chunks.len() as u32;
            let one = RankedSource { questions: usage.questions, chunks, source: SourceIndex(source) };
            shelf.groups().for_each(|group| ranked.entry(group).or_default().push(one));
        }
        ranked.values_mut().for_each(|group| group.sort_unstable());
        let unused = Arc::new(SourceUse::default());
        let shared = |usage: SourceUse| if usage == *unused { unused.clone() } else { Arc::new(usage) };
        Self {
            shelves,
            chunks: usage.chunks.into_iter().collect(),
            ranked_chunks: ranked_chunks.into_iter().collect(),
            sources: usage.sources.into_iter().map(shared).collect(),
            ranked: ranked.into_iter().map(|(group, sources)| (group, sources.into_iter().collect())).collect(),
            seeds: usage.seeds.into(),
        }
    }

    /// Nothing used yet of a knowledge base.
    pub fn none(catalogue: &Catalogue) -> Self {
        Self::new(catalogue, Uses::none(catalogue))
    }

    /// Adds one accepted question. Seed questions are shared out beforehand: of those only earlier runs tell.
    pub fn add(&mut self, used: &Used) {
        used.chunks().for_each(|chunk| self.add_to_chunk(chunk));
        used.sources().into_iter().for_each(|(source, chunks)| self.add_to_source(source, chunks, &used.question));
    }

    fn add_to_chunk(&mut self, chunk: ChunkIndex) {
        let source = self.shelves.partition_point(|shelf| shelf.chunks.end <= chunk.0);
        let Some(shelf) = self.shelves.get(source) else { return };
        let (start, end) = (shelf.chunks.start as usize, shelf.chunks.end as usize);
        let Some(count) = self.chunks.get_mut(chunk.0 as usize) else { return };
        let was = RankedChunk { questions: *count, chunk };
        *count += 1;
        let is = RankedChunk { questions: *count, chunk };
        let at = self.ranked_chunks.partition_point(start..end, |one| *one < was);
        self.ranked_chunks.remove(at);
        let at = self.ranked_chunks.partition_point(at..end - 1, |one| *one < is);
        self.ranked_chunks.insert(at, is);
    }

    fn add_to_source(&mut self, source: SourceIndex, chunks: Vec<ChunkIndex>, question: &Arc<str>) {
        let at = source.0 as usize;
        let (Some(usage), Some(shelf)) = (self.sources.get_mut(at), self.shelves.get(at)) else { return };
        let usage = Arc::make_mut(usage);
        let was = RankedSource { questions: usage.questions, chunks: shelf.chunks.len() as u32, source };
        usage.add(chunks, question);
        let is = RankedSource { questions: usage.questions, ..was };
        for group in shelf.groups() {
            let Some(ranked) = self.ranked.get_mut(&group) else { continue };
            let at = ranked.partition_point(0..ranked.len(), |one| *one < was);
            ranked.remove(at);
            let at = ranked.partition_point(at..ranked.len(), |one| *one < is);
            ranked.insert(at, is);
        }
    }

    /// How evenly the documents in these languages were asked about; none where there are no documents. Unlike all else it
    /// goes through all of them.
    pub fn balance(&self, languages: &BTreeSet<Option<Arc<str>>>) -> Option<Balance> {
        let all = BTreeSet::from([None]);
        let languages = if languages.contains(&None) { &all } else { languages };
        let groups = languages.iter().filter_map(|language| self.ranked.get(language));
        let mut documents: Vec<&RankedSource> = groups.flat_map(List::iter).collect();
        documents.sort_unstable_by_key(|document| document.questions);
        let (count, mut questions, mut ranked, mut unused, mut chunks) = (documents.len() as f64, 0.0, 0.0, 0, 0);
        for (document, rank) in documents.iter().zip(1..) {
            questions += f64::from(document.questions);
            ranked += f64::from(rank) * f64::from(document.questions);
            chunks += u64::from(document.chunks);
            let least = self.chunk_at(document.source, 0).map(|chunk| self.of_chunk(chunk));
            unused += if least == Some(0) { self.chunks_like(document.source, 0).len() } else { 0 };
        }
        let unasked = documents.iter().filter(|document| document.questions == 0).count();
        (!documents.is_empty()).then(|| Balance {
            gini: if questions > 0.0 { 2.0 * ranked / (count * questions) - (count + 1.0) / count } else { 0.0 },
            unused_documents: unasked as f64 / count,
            unused_chunks: unused as f64 / (chunks as f64).max(1.0),
        })
    }

    /// How many questions used a chunk.
    pub fn of_chunk(&self, chunk: ChunkIndex) -> u32 {
        self.chunks.get(chunk.0 as usize).copied().unwrap_or_default()
    }

    /// How a document was used.
    pub fn of_source(&self, source: SourceIndex) -> Option<&SourceUse> {
        self.sources.get(source.0 as usize).map(|usage| &**usage)
    }

    /// How many documents there are, in all or in a language.
    pub fn sources(&self, language: &Option<Arc<str>>) -> usize {
        self.ranked.get(language).map_or(0, List::len)
    }

    /// The document at a place of the order by questions per chunk, fewest first, of all or of those in a language.
    pub fn source_at(&self, language: &Option<Arc<str>>, place: usize) -> Option<SourceIndex> {
        self.ranked.get(language)?.get(place).map(|ranked| ranked.source)
    }

    /// How many documents, of all or of those in a language, nobody asked about.
    pub fn unused_sources(&self, language: &Option<Arc<str>>) -> usize {
        self.ranked.get(language).map_or(0, |ranked| ranked.partition_point(0..ranked.len(), |one| one.questions == 0))
    }

    /// The places of the documents with as many questions per chunk as the one at a place.
    pub fn sources_like(&self, language: &Option<Arc<str>>, place: usize) -> Range<usize> {
        let Some((ranked, like)) = self.ranked.get(language).and_then(|ranked| Some((ranked, ranked.get(place)?)))
        else {
            return place..place;
        };
        let start = ranked.partition_point(0..place, |one| one.load(like).is_lt());
        start..ranked.partition_point(place..ranked.len(), |one| one.load(like).is_le())
    }

    /// The chunk at a place of the order by use, least used first, of a document's chunks.
    pub fn chunk_at(&self, source: SourceIndex, place: usize) -> Option<ChunkIndex> {
        let Range { start, end } = self.shelves.get(source.0 as usize)?.chunks.clone();
        let at = start as usize + place;
        self.ranked_chunks.get(at).filter(|_| at < end as usize).map(|ranked| ranked.chunk)
    }

    /// The places of those chunks of a document that are used as often as the one at a place.
    pub fn chunks_like(&self, source: SourceIndex, place: usize) -> Range<usize> {
        let Some(shelf) = self.shelves.get(source.0 as usize) else { return place..place };
        let (start, end) = (shelf.chunks.start as usize, shelf.chunks.end as usize);
        let Some(like) = self.ranked_chunks.get(start + place) else { return place..place };
        let first = self.ranked_chunks.partition_point(start..start + place, |one| one.questions < like.questions);
        first - start
            ..self.ranked_chunks.partition_point(start + place..end, |one| one.questions <= like.questions) - start
    }
}

impl Shelf {
    /// What the document is ranked among: all, and those in its language.
    fn groups(&self) -> impl Iterator<Item = Option<Arc<str>>> + use<> {
        let of_language = self.language.clone().map(Some);
        [None].into_iter().chain(of_language)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::fixtures;
    use proptest::prelude::*;

    /// Documents with so many chunks, the odd ones in French.
    fn catalogue(chunks: &[u32]) -> Catalogue {
        let document = |(at, &chunks): (usize, &u32)| {
            (format!("{at}"), format!("{at:03}.md"), (0..chunks).map(|chunk| format!("{at} {chunk}")).collect())
        };
        let mut catalogue = fixtures::catalogue(chunks.iter().enumerate().map(document));
        catalogue.sources.iter_mut().skip(1).step_by(2).for_each(|source| source.language = Some("fr".into()));
        catalogue
    }

    fn used(catalogue: &Catalogue, chunk: u32) -> Used {
        let chunk = ChunkIndex(chunk);
        let other = ChunkIndex((chunk.0 * 7 + 3) % catalogue.len() as u32);
        let linked = if chunk.0.is_multiple_of(3) && other != chunk {
            vec![(other, catalogue.source_of(other))]
        } else {
            vec![]
        };
        let source = Some(catalogue.source_of(chunk));
        Used { chunk: Some(chunk), source, linked, ..fixtures::used(&format!("{chunk:?}")) }
    }

    proptest! {
        #[test]
        fn what_is_added_bit_by_bit_is_what_is_counted_at_once(
            sizes in prop::collection::vec(1u32..30, 1..40),
            questions in prop::collection::vec(any::<u32>(), 0..300),
        ) {
            let catalogue = catalogue(&sizes);
            let (mut coverage, mut uses) = (Coverage::none(&catalogue), Uses::none(&catalogue));
            let mut snapshots = Vec::new();
            for (number, question) in questions.iter().enumerate() {
                let used = used(&catalogue, question % catalogue.len() as u32);
                coverage.add(&used);
                uses.add(&used);
                if number.is_multiple_of(64) {
                    snapshots.push((coverage.clone(), uses.clone()));
                }
            }
            snapshots.push((coverage, uses));
            for (coverage, uses) in snapshots {
                prop_assert!(coverage == Coverage::new(&catalogue, uses.clone()));
                for (source, at) in catalogue.sources.iter().zip(0..) {
                    let own = (0..source.chunks.len()).map(|place| coverage.chunk_at(SourceIndex(at), place).unwrap());
                    let counts = own.clone().map(|chunk| uses.chunks[chunk.0 as usize]).collect::<Vec<_>>();
                    prop_assert!(counts.is_sorted());
                    prop_assert_eq!(own.collect::<std::collections::BTreeSet<_>>().len(), counts.len());
                    for place in 0..counts.len() {
                        let like = coverage.chunks_like(SourceIndex(at), place);
                        let all = (0..counts.len()).filter(|other| counts[*other] == counts[place]);
                        prop_assert_eq!(like.collect::<Vec<_>>(), all.collect::<Vec<_>>());
                    }
                }
            }
        }
    }

    #[test]
    fn balance_is_told_of_the_documents_in_question() {
        let catalogue = catalogue(&[1, 2, 1, 4]);
        let mut coverage = Coverage::none(&catalogue);
        let told = |coverage: &Coverage, languages: &[Option<&str>]| {
            let languages = languages.iter().map(|language| language.map(Arc::from)).collect();
            coverage.balance(&languages).map(|told| (told.gini, told.unused_documents, told.unused_chunks))
        };
        assert_eq!(told(&coverage, &[None]), Some((0.0, 1.0, 1.0)));
        // Documents 0, 1, 2, 3 have 0, 3, 0, 1 questions.
        for chunk in [1, 2, 1, 4] {
            coverage.add(&Used { linked: vec![], ..used(&catalogue, chunk) });
        }
        assert_eq!(told(&coverage, &[None, Some("fr")]), Some((0.625, 0.5, 0.625)));
        assert_eq!(told(&coverage, &[Some("fr")]), Some((0.25, 0.0, 0.5)));
        assert_eq!(told(&coverage, &[Some("de")]), None);
    }
}
