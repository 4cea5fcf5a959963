//! What a question may be about: documents, and the chunks to draw from them.
//!
//! A question knows what was used some waves ago, so it must not rely on it too closely: a few documents that look unused
//! would be asked about by all conversations in flight. So draws are made from a share of what is least used, unless so few
//! conversations can be in flight that less is enough, and conversations share that out among them (see
//! [`super::passages`]). Nothing is listed for a question: documents and chunks stand in the order of their use, and are looked
//! up by their places.

use super::draw::{self, Permutation, Purpose};
use super::{Asking, MatchLanguage, Options};
use crate::domain::{Catalogue, ChunkIndex, Conversation, Coverage, Language, SourceIndex, Used};
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// Documents that are drawn from at least when many conversations are in flight.
const DOCUMENTS: usize = 6;

/// Share of a document's chunks that are drawn from when many conversations are in flight.
const CHUNKS: f64 = 0.5;

/// The documents of a knowledge base by language.
#[derive(Debug, Clone)]
pub(super) struct Documents {
    all: usize,
    by_language: BTreeMap<Arc<str>, Arc<[SourceIndex]>>,
}

/// The documents that a conversation may be about: those in a language, or all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The code of their language; none for all documents.
    pub(super) language: Option<Arc<str>>,
    listed: Option<Arc<[SourceIndex]>>,
    len: usize,
}

impl Documents {
    pub(super) fn of(catalogue: &Catalogue) -> Self {
        let mut by_language: BTreeMap<Arc<str>, Vec<SourceIndex>> = BTreeMap::new();
        for (source, at) in catalogue.sources.iter().zip(0..) {
            let language = source.language.iter().cloned();
            language.for_each(|language| by_language.entry(language).or_default().push(SourceIndex(at)));
        }
        let by_language = by_language.into_iter().map(|(language, sources)| (language, sources.into())).collect();
        Self { all: catalogue.sources.len(), by_language }
    }

    /// What conversations in a language may be about.
    pub(super) fn group(&self, matched: MatchLanguage, language: &str) -> Group {
        let code = Language::of(language).code.filter(|_| matched != MatchLanguage::Off);
        match code.and_then(|code| self.by_language.get_key_value(&code)) {
            Some((language, sources)) => {
                Group { language: Some(language.clone()), listed: Some(sources.clone()), len: sources.len() }
            }
            None => Group { language: None, listed: None, len: self.all },
        }
    }
}

impl Group {
    /// Whether a document is one of them.
    pub(super) fn has(&self, catalogue: &Catalogue, source: SourceIndex) -> bool {
        self.language.is_none() || catalogue.source(source).language == self.language
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The document at a position in the order of paths.
    fn at(&self, position: usize) -> Option<SourceIndex> {
        match &self.listed {
            Some(listed) => listed.get(position).copied(),
            None => Some(SourceIndex(position as u32)).filter(|_| position < self.len),
        }
    }
}

/// The documents to draw from: so many of a group, least used first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    pub(super) group: Group,
    pub(super) kept: usize,
}

impl Pool {
    /// The whole of a group.
    pub(super) fn all(group: Group) -> Self {
        Self { kept: group.len(), group }
    }

    /// All when balance is off or, with probability `epsilon`, ignored; else those never asked about, if any; else the share
    /// `fraction` with the fewest questions per chunk. Where there are fewer than that share, or than [`DOCUMENTS`], as many
    /// more as there may be conversations that draw beside this one.
    pub(super) fn balanced(options: &Options, group: Group, asking: Asking<'_>) -> Self {
        if !balanced(options, &asking) {
            return Self::all(group);
        }
        let unused = asking.coverage.unused_sources(&group.language);
        let share = share(group.len(), options.coverage.fraction);
        let beside = (1 + options.unknown as usize).min(share.max(DOCUMENTS));
        let kept = if unused > 0 { unused } else { share }.max(beside).min(group.len());
        Self { group, kept }
    }

    /// How the documents of the group stand for a question.
    pub(super) fn sources<'a>(&'a self, options: &Options, asking: Asking<'a>) -> Sources<'a> {
        let (coverage, language) = (asking.coverage, &self.group.language);
        let ties = Purpose::Ties;
        let front = Front::new(options, asking, (ties, None), (self.kept, self.group.len()), |last| {
            coverage.sources_like(language, last)
        });
        Sources { group: &self.group, coverage, front }
    }
}

/// The documents of a group in the order in which a question draws from them.
pub(super) struct Sources<'a> {
    group: &'a Group,
    coverage: &'a Coverage,
    front: Front,
}

impl Sources<'_> {
    /// How many come before the others.
    pub(super) fn kept(&self) -> usize {
        self.front.kept
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.front.len
    }

    /// The document at a position.
    pub(super) fn at(&self, position: usize) -> Option<SourceIndex> {
        match self.front.place(position) {
            None => self.group.at(position),
            Some(place) => self.coverage.source_at(&self.group.language, place),
        }
    }
}

/// The chunks of a document in the order in which a question draws from them.
pub(super) struct Chunks<'a> {
    source: SourceIndex,
    first: u32,
    coverage: &'a Coverage,
    front: Front,
}

impl<'a> Chunks<'a> {
    /// Those of a document that is one of so many to draw from. Those used as seldom as any come before the others; where they
    /// are less than the share [`CHUNKS`], as many more as there may be questions about the document that this one does not
    /// know of.
    pub(super) fn of(
        options: &Options,
        catalogue: &Catalogue,
        asking: Asking<'a>,
        source: SourceIndex,
        among: usize,
    ) -> Self {
        let Range { start, end } = catalogue.source(source).chunks;
        let (coverage, len) = (asking.coverage, (end - start) as usize);
        let beside = (1 + (options.unknown as usize).div_ceil(among.max(1))).min(share(len, CHUNKS));
        let kept = coverage.chunks_like(source, 0).end.max(beside).min(len);
        let front = Front::new(options, asking, (Purpose::ChunkTies, Some(source)), (kept, len), |last| {
            coverage.chunks_like(source, last)
        });
        Self { source, first: start, coverage, front }
    }

    /// How many come before the others.
    pub(super) fn kept(&self) -> usize {
        self.front.kept
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.front.len
    }

    /// The chunk at a position.
    pub(super) fn at(&self, position: usize) -> Option<ChunkIndex> {
        match self.front.place(position) {
            None => Some(ChunkIndex(self.first + position as u32)).filter(|_| position < self.front.len),
            Some(place) => self.coverage.chunk_at(self.source, place),
        }
    }
}

/// The first of some things that stand in the order of their use. Where only some of those that are used alike are among
/// the first, these are chosen anew in each wave and alike for all its conversations: they share one choice out among them,
/// and waves that know the same do not all make the same choice.
struct Front {
    kept: usize,
    len: usize,
    ties: Range<usize>,
    shuffle: Permutation,
}

impl Front {
    fn new(
        options: &Options,
        conversation: Asking<'_>,
        (purpose, source): (Purpose, Option<SourceIndex>),
        (kept, len): (usize, usize),
        alike: impl Fn(usize) -> Range<usize>,
    ) -> Self {
        let ties = if (1..len).contains(&kept) { alike(kept - 1) } else { 0..0 };
        let wave = [conversation.slot.language.0.into(), conversation.wave.0.into()];
        let place: Vec<u64> = wave.into_iter().chain(source.map(|source| source.0.into())).collect();
        let shuffle = Permutation::new(draw::stream(options.seed, purpose, &place), ties.len());
        Self { kept, len, ties, shuffle }
    }

    /// The place in the order of use that a position stands for; none where all are drawn from, and the order says nothing.
    fn place(&self, position: usize) -> Option<usize> {
        if self.kept >= self.len {
            return None;
        }
        let among = self.ties.contains(&position).then(|| (position - self.ties.start) as u64);
        Some(among.map_or(position, |among| self.ties.start + self.shuffle.at(among)))
    }
}

/// The documents whose questions were just rejected.
pub(super) fn rejected(catalogue: &Catalogue, conversation: &Conversation) -> BTreeSet<SourceIndex> {
    conversation.round.avoid.iter().map(|chunk| catalogue.source_of(*chunk)).collect()
}

/// The chunks the conversation's own questions used, also those that were just rejected, and how often.
pub(super) fn used(conversation: &Conversation) -> BTreeMap<ChunkIndex, u32> {
    let asked = conversation.turns.iter().map(|turn| &turn.question.used).flat_map(Used::chunks);
    let mut used = BTreeMap::new();
    asked.chain(conversation.round.avoid.iter().copied()).for_each(|chunk| *used.entry(chunk).or_default() += 1);
    used
}

fn share(count: usize, fraction: f64) -> usize {
    (count as f64 * fraction).floor() as usize
}

fn balanced(options: &Options, conversation: &Conversation) -> bool {
    let mut stream = draw::stream(options.seed, Purpose::Exploration, &draw::question(conversation));
    options.coverage.balanced && stream.random::<f64>() >= options.coverage.epsilon
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Uses, Wave};
    use crate::plan::CoverageOptions;
    use crate::plan::fixtures::{self, Known};

    fn options(balanced: bool, epsilon: f64, fraction: f64) -> Options {
        let coverage = CoverageOptions { balanced, epsilon, fraction, ..fixtures::options().coverage };
        Options { coverage, ..fixtures::options() }
    }

    /// A conversation that knows of so many questions about each document and each chunk.
    fn asked(catalogue: &Catalogue, questions: &[u32], chunks: &[u32]) -> Known {
        let mut uses = Uses::none(catalogue);
        uses.sources.iter_mut().zip(questions).for_each(|(source, &count)| source.questions = count);
        uses.chunks.iter_mut().zip(chunks).for_each(|(chunk, &count)| *chunk = count);
        Known { coverage: Coverage::new(catalogue, uses), ..fixtures::conversation(0, 0) }
    }

    fn pool(options: &Options, catalogue: &Catalogue, conversation: &Known) -> BTreeSet<u32> {
        let group = Documents::of(catalogue).group(MatchLanguage::Off, "en");
        let pool = Pool::balanced(options, group, conversation.asking());
        let sources = pool.sources(options, conversation.asking());
        let all: BTreeSet<_> = (0..sources.len()).filter_map(|position| sources.at(position)).collect();
        assert_eq!(all.len(), catalogue.sources.len(), "every document has a position");
        (0..sources.kept()).filter_map(|position| sources.at(position)).map(|source| source.0).collect()
    }

    #[test]
    fn the_pool_is_what_balance_leaves() {
        // Documents of 1, 2, 3, 4 and 5 chunks.
        let catalogue = fixtures::catalogue(&[1, 2, 3, 4, 5]);
        for (balanced, fraction, unknown, questions, expected) in [
            (false, 0.2, 0, [9, 0, 1, 1, 1], &[0, 1, 2, 3, 4][..]),
            (true, 0.2, 0, [9, 0, 1, 0, 1], &[1, 3]),
            // As many as there may be conversations beside this one, least used first; per chunk: 9, 0, 0.33, 0, 0.2.
            (true, 0.2, 2, [9, 0, 1, 0, 1], &[1, 3, 4]),
            (true, 0.2, 3, [9, 0, 1, 0, 1], &[1, 2, 3, 4]),
            (true, 0.2, 900, [9, 0, 1, 0, 1], &[0, 1, 2, 3, 4]),
            // Per chunk: 1, 1.5, 0.67, 0.5, 0.8.
            (true, 0.2, 0, [1, 3, 2, 2, 4], &[3]),
            (true, 0.05, 0, [1, 3, 2, 2, 4], &[3]),
            (true, 0.4, 0, [1, 3, 2, 2, 4], &[2, 3]),
            (true, 0.79, 0, [1, 3, 2, 2, 4], &[2, 3, 4]),
            (true, 1.0, 0, [1, 3, 2, 2, 4], &[0, 1, 2, 3, 4]),
        ] {
            let options = Options { unknown, ..options(balanced, 0.0, fraction) };
            let found = pool(&options, &catalogue, &asked(&catalogue, &questions, &[]));
            assert_eq!(Vec::from_iter(found), expected, "{balanced} {fraction} {unknown} {questions:?}");
        }
    }

    #[test]
    fn balance_is_ignored_as_often_as_asked_for() {
        let catalogue = fixtures::catalogue(&[1; 4]);
        let (options, mut conversation) = (options(true, 0.15, 0.25), asked(&catalogue, &[1, 0, 1, 1], &[]));
        let ignored = |slot: &u32| {
            conversation.slot.index = *slot;
            pool(&options, &catalogue, &conversation).len() == 4
        };
        let ignored = (0..2000).filter(ignored).count();
        assert!((240..=360).contains(&ignored), "{ignored}");
    }

    #[test]
    fn equally_used_documents_take_turns_from_wave_to_wave() {
        let catalogue = fixtures::catalogue(&[2; 10]);
        let mut conversation = asked(&catalogue, &[3; 10], &[]);
        let mut seen = BTreeSet::new();
        for wave in 0..40 {
            let mut pools = BTreeSet::new();
            for slot in 0..4 {
                conversation.wave = Wave(wave);
                conversation.slot.index = 4 * wave + slot;
                pools.insert(pool(&options(true, 0.0, 0.2), &catalogue, &conversation));
            }
            assert_eq!(pools.len(), 1, "one wave, one pool");
            seen.extend(pools.into_iter().flatten());
        }
        assert_eq!(seen.len(), 10);
    }

    #[test]
    fn chunks_are_the_least_used_and_as_many_as_may_be_asked_about_at_a_time() {
        // Chunks 0..2, 2..8, 8..10.
        let catalogue = fixtures::catalogue(&[2, 6, 2]);
        for (uses, source, unknown, among, expected) in [
            ([0; 10], 1, 0, 1, &[2, 3, 4, 5, 6, 7][..]),
            ([0, 0, 1, 0, 0, 0, 0, 1, 0, 0], 1, 0, 1, &[3, 4, 5, 6]),
            ([0, 0, 9, 2, 7, 2, 8, 3, 0, 0], 1, 0, 1, &[3, 5]),
            ([0, 0, 9, 2, 7, 1, 8, 3, 0, 0], 1, 2, 1, &[3, 5, 7]),
            ([0, 0, 9, 2, 7, 1, 8, 3, 0, 0], 1, 2, 2, &[3, 5]),
            ([0, 0, 9, 2, 7, 1, 8, 3, 0, 0], 1, 99, 1, &[3, 5, 7]),
            ([5; 10], 2, 0, 1, &[8, 9]),
        ] {
            let known = asked(&catalogue, &[], &uses);
            let options = Options { unknown, ..fixtures::options() };
            let chunks = Chunks::of(&options, &catalogue, known.asking(), SourceIndex(source), among);
            let of = |positions: Range<usize>| -> BTreeSet<u32> {
                positions.filter_map(|position| chunks.at(position)).map(|chunk| chunk.0).collect()
            };
            assert_eq!(Vec::from_iter(of(0..chunks.kept())), expected, "{uses:?} {source} {unknown} {among}");
            assert_eq!(of(0..chunks.len()).len(), catalogue.sources[source as usize].chunks.len());
        }
    }

    #[test]
    fn there_may_be_no_documents() {
        let empty = fixtures::catalogue(&[]);
        assert!(pool(&options(true, 0.0, 0.2), &empty, &asked(&empty, &[], &[])).is_empty());
    }
}
