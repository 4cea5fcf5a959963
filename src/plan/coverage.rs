//! What a question may be about: documents, and the chunks to draw from them.
//!
//! A question knows what was used some waves ago, so it must not rely on it too closely: a few documents that look unused
//! would be asked about by all conversations in flight. So draws are made from a share of what is least used, and
//! conversations share that out among them (see [`super::passages`]).

use super::draw::{self, Purpose};
use super::{Asking, Options};
use crate::domain::{Catalogue, ChunkIndex, Conversation, Language, SourceIndex};
use rand::{Rng, RngExt};
use std::collections::BTreeSet;

/// Share of the chunks of the documents in question that are drawn from when fewer were never used.
const CHUNKS: f64 = 0.5;

/// Something to ask about: how often it was, and for how many chunks that counts.
struct Usage<T> {
    questions: u64,
    chunks: u64,
    item: T,
}

/// The documents to ask about, in order: all when balance is off or, with probability `epsilon`, ignored; else those
/// never asked about, if any; else the share `fraction` with the fewest questions per chunk, at least one. Without the
/// documents whose questions were just rejected; when none would be left, all but these; when none is left even then, all.
pub(super) fn pool(options: &Options, catalogue: &Catalogue, asking: Asking<'_>) -> Vec<SourceIndex> {
    let pool = if balanced(options, &asking) {
        let sources = sources(catalogue, asking, all(options, catalogue, &asking));
        let unused = sources.iter().filter(|source| source.questions == 0).count();
        let kept = if unused > 0 { unused } else { share(sources.len(), options.coverage.fraction).max(1) };
        least_used(options, &asking, sources, kept)
    } else {
        all(options, catalogue, &asking)
    };
    [pool, all(options, catalogue, &asking)]
        .into_iter()
        .map(|sources| not_rejected(catalogue, &asking, sources))
        .find(|sources| !sources.is_empty())
        .unwrap_or_else(|| all(options, catalogue, &asking))
}

/// The documents to draw from, in order: the pool; when that is less than the share `fraction` of all or than `least`
/// documents, as many of the others as are missing, least used first.
pub(super) fn widened(
    options: &Options,
    catalogue: &Catalogue,
    asking: Asking<'_>,
    pool: &[SourceIndex],
    least: usize,
) -> Vec<SourceIndex> {
    let missing = share(catalogue.sources.len(), options.coverage.fraction).max(least).saturating_sub(pool.len());
    let mut others = not_rejected(catalogue, &asking, all(options, catalogue, &asking));
    others.retain(|source| pool.binary_search(source).is_err());
    let mut widened = least_used(options, &asking, sources(catalogue, asking, others), missing);
    widened.extend(pool);
    widened.sort_unstable();
    widened
}

/// The chunks of some documents to draw from, in order: of those this conversation did not use, the ones never used; when
/// these are less than a share of them or than `least`, as many of the others as are missing, least used first.
pub(super) fn chunks(
    options: &Options,
    catalogue: &Catalogue,
    asking: Asking<'_>,
    sources: &[SourceIndex],
    least: usize,
) -> Vec<ChunkIndex> {
    let own = used(&asking);
    let chunks: Vec<_> = sources
        .iter()
        .flat_map(|source| catalogue.source(*source).chunks.clone())
        .map(ChunkIndex)
        .filter(|chunk| !own.contains(chunk))
        .map(|item| Usage { questions: usage(asking, item).into(), chunks: 1, item })
        .collect();
    let unused = chunks.iter().filter(|chunk| chunk.questions == 0).count();
    let kept = share(chunks.len(), CHUNKS).max(least).max(unused);
    least_used(options, &asking, chunks, kept)
}

/// Every document that a conversation may be about, in order: those in its language, or all where there are none or
/// `coverage.document_language` says so.
pub(super) fn all(options: &Options, catalogue: &Catalogue, conversation: &Conversation) -> Vec<SourceIndex> {
    let every = || (0..catalogue.sources.len() as u32).map(SourceIndex);
    let code = Language::of(&conversation.language).code.filter(|_| options.coverage.own_language);
    let own = |source: &SourceIndex| code.is_some() && catalogue.source(*source).language == code;
    if every().any(|source| own(&source)) { every().filter(own).collect() } else { every().collect() }
}

/// Those of some documents whose questions were not just rejected.
pub(super) fn not_rejected(
    catalogue: &Catalogue,
    conversation: &Conversation,
    mut sources: Vec<SourceIndex>,
) -> Vec<SourceIndex> {
    let rejected: Vec<_> = conversation.round.avoid.iter().map(|chunk| catalogue.source_of(*chunk)).collect();
    sources.retain(|source| !rejected.contains(source));
    sources
}

/// The chunks the conversation's own questions used, also those that were just rejected.
pub(super) fn used(conversation: &Conversation) -> BTreeSet<ChunkIndex> {
    let asked = conversation.turns.iter().filter_map(|turn| turn.question.used.chunk);
    asked.chain(conversation.round.avoid.iter().copied()).collect()
}

/// How many earlier questions used a chunk, as far as is known.
pub(super) fn usage(asking: Asking<'_>, chunk: ChunkIndex) -> u32 {
    asking.coverage.chunks.get(chunk.0 as usize).copied().unwrap_or(0)
}

fn balanced(options: &Options, conversation: &Conversation) -> bool {
    let mut stream = draw::stream(options.seed, Purpose::Exploration, &draw::question(conversation));
    options.coverage.balanced && stream.random::<f64>() >= options.coverage.epsilon
}

fn share(count: usize, fraction: f64) -> usize {
    (count as f64 * fraction).floor() as usize
}

fn sources(catalogue: &Catalogue, asking: Asking<'_>, sources: Vec<SourceIndex>) -> Vec<Usage<SourceIndex>> {
    let known = &asking.coverage.sources;
    sources
        .into_iter()
        .map(|item| Usage {
            questions: known.get(item.0 as usize).map_or(0, |usage| usage.questions.into()),
            chunks: catalogue.source(item).chunks.len() as u64,
            item,
        })
        .collect()
}

/// The `kept` items with the fewest questions per chunk, in order. Ties are broken anew in each wave and alike for all its
/// conversations: these share one choice out among them, and waves that know the same do not all make the same choice.
fn least_used<T: Copy + Ord>(
    options: &Options,
    conversation: &Conversation,
    mut items: Vec<Usage<T>>,
    kept: usize,
) -> Vec<T> {
    if kept < items.len() {
        let wave = [conversation.slot.language.0.into(), conversation.wave.0.into()];
        let mut ties = draw::stream(options.seed, Purpose::Ties, &wave);
        let mut ranked: Vec<_> = items.into_iter().map(|item| (item, ties.next_u64())).collect();
        ranked.select_nth_unstable_by(kept, |(a, a_tie), (b, b_tie)| {
            (a.questions * b.chunks).cmp(&(b.questions * a.chunks)).then(a_tie.cmp(b_tie))
        });
        ranked.truncate(kept);
        items = ranked.into_iter().map(|(item, _)| item).collect();
    }
    let mut kept: Vec<_> = items.into_iter().map(|usage| usage.item).collect();
    kept.sort_unstable();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Normalisation;
    use crate::domain::{Coverage, TurnIndex, Wave};
    use crate::plan::CoverageOptions;
    use crate::plan::fixtures::{self, Known};
    use std::collections::BTreeSet;

    fn options(balanced: bool, epsilon: f64, fraction: f64) -> Options {
        Options {
            coverage: CoverageOptions {
                balanced,
                epsilon,
                fraction,
                own_language: true,
                dedup_retries: 3,
                normalisation: Normalisation::Full,
            },
            ..fixtures::options()
        }
    }

    /// A conversation that knows of so many questions about each document, and whose questions about these chunks were
    /// rejected.
    fn asked(questions: &[u32], avoid: &[u32]) -> Known {
        let mut conversation = fixtures::conversation(0, 0);
        let mut coverage = Coverage::empty(0, questions.len());
        for (source, &count) in coverage.sources.iter_mut().zip(questions) {
            source.questions = count;
        }
        conversation.coverage = coverage;
        conversation.round.avoid = avoid.iter().copied().map(ChunkIndex).collect();
        conversation
    }

    #[test]
    fn the_pool_is_what_balance_leaves() {
        // Documents of 1, 2, 3, 4 and 5 chunks.
        let catalogue = fixtures::catalogue(&[1, 2, 3, 4, 5]);
        for (balanced, fraction, questions, avoid, expected) in [
            (false, 0.2, [9, 0, 1, 1, 1], &[][..], &[0, 1, 2, 3, 4][..]),
            (true, 0.2, [9, 0, 1, 0, 1], &[], &[1, 3]),
            (true, 0.2, [9, 0, 1, 0, 1], &[7], &[1]),
            (true, 0.2, [9, 0, 1, 0, 1], &[6, 1], &[0, 2, 4]),
            (true, 0.2, [9, 0, 1, 0, 1], &[0, 1, 3, 6, 10], &[0, 1, 2, 3, 4]),
            // Per chunk: 1, 1.5, 0.67, 0.5, 0.8.
            (true, 0.2, [1, 3, 2, 2, 4], &[], &[3]),
            (true, 0.05, [1, 3, 2, 2, 4], &[], &[3]),
            (true, 0.4, [1, 3, 2, 2, 4], &[], &[2, 3]),
            (true, 0.79, [1, 3, 2, 2, 4], &[], &[2, 3, 4]),
            (true, 1.0, [1, 3, 2, 2, 4], &[], &[0, 1, 2, 3, 4]),
        ] {
            let found: Vec<_> = pool(&options(balanced, 0.0, fraction), &catalogue, asked(&questions, avoid).asking())
                .into_iter()
                .map(|source| source.0)
                .collect();
            assert_eq!(found, expected, "{balanced} {fraction} {questions:?} {avoid:?}");
        }
    }

    #[test]
    fn balance_is_ignored_as_often_as_asked_for() {
        let catalogue = fixtures::catalogue(&[1; 4]);
        let options = options(true, 0.15, 0.25);
        let ignored = (0..2000)
            .filter(|&slot| {
                let mut conversation = asked(&[1, 0, 1, 1], &[]);
                conversation.slot.index = slot;
                pool(&options, &catalogue, conversation.asking()).len() == 4
            })
            .count();
        assert!((240..=360).contains(&ignored), "{ignored}");
    }

    #[test]
    fn equally_used_documents_take_turns_from_wave_to_wave() {
        let catalogue = fixtures::catalogue(&[2; 10]);
        let mut seen = BTreeSet::new();
        for wave in 0..40 {
            let mut pools = BTreeSet::new();
            for slot in 0..4 {
                let mut conversation = asked(&[3; 10], &[]);
                conversation.wave = Wave(wave);
                conversation.slot.index = 4 * wave + slot;
                pools.insert(pool(&options(true, 0.0, 0.2), &catalogue, conversation.asking()));
            }
            assert_eq!(pools.len(), 1, "one wave, one pool");
            seen.extend(pools.into_iter().flatten());
        }
        assert_eq!(seen.len(), 10);
    }

    #[test]
    fn a_small_pool_is_widened_by_the_least_used() {
        // Per chunk of the 1, 2, 3, 4 and 5: 3, 1, 0, 2, 4.
        let catalogue = fixtures::catalogue(&[1, 2, 3, 4, 5]);
        for (pool, avoid, fraction, least, expected) in [
            (&[2][..], &[][..], 0.2, 1, &[2][..]),
            (&[2], &[], 0.4, 1, &[1, 2]),
            (&[2], &[], 0.2, 3, &[1, 2, 3]),
            (&[2], &[2], 0.2, 3, &[0, 2, 3]),
            (&[2], &[1, 7, 12], 0.2, 4, &[0, 2]),
            (&[0, 4], &[], 0.2, 2, &[0, 4]),
            (&[0, 4], &[], 0.2, 9, &[0, 1, 2, 3, 4]),
        ] {
            let pool: Vec<_> = pool.iter().copied().map(SourceIndex).collect();
            let conversation = asked(&[3, 2, 0, 8, 20], avoid);
            let found = widened(&options(true, 0.0, fraction), &catalogue, conversation.asking(), &pool, least);
            assert_eq!(found.iter().map(|source| source.0).collect::<Vec<_>>(), expected, "{pool:?} {avoid:?} {least}");
        }
    }

    #[test]
    fn chunks_are_the_unused_and_at_least_a_share() {
        // Chunks 0..2, 2..8, 8..10.
        let catalogue = fixtures::catalogue(&[2, 6, 2]);
        for (usage, own, sources, least, expected) in [
            ([0; 10], None, &[1][..], 1, &[2, 3, 4, 5, 6, 7][..]),
            ([0; 10], Some(4), &[1], 1, &[2, 3, 5, 6, 7]),
            ([0, 0, 1, 0, 0, 0, 0, 1, 0, 0], None, &[1], 1, &[3, 4, 5, 6]),
            ([0, 0, 9, 0, 7, 1, 8, 3, 0, 0], None, &[1], 1, &[3, 5, 7]),
            ([0, 0, 9, 0, 7, 1, 8, 3, 0, 0], None, &[1], 4, &[3, 4, 5, 7]),
            ([0, 0, 9, 0, 7, 1, 8, 3, 0, 0], Some(3), &[0, 1], 1, &[0, 1, 5]),
            ([5; 10], None, &[0, 2], 6, &[0, 1, 8, 9]),
        ] {
            let mut conversation = asked(&[0; 3], &[]);
            conversation.coverage.chunks = usage.to_vec();
            conversation.turns.push(fixtures::turn(TurnIndex(1), own.map(ChunkIndex)));
            let sources: Vec<_> = sources.iter().copied().map(SourceIndex).collect();
            let found = chunks(&fixtures::options(), &catalogue, conversation.asking(), &sources, least);
            assert_eq!(found.iter().map(|chunk| chunk.0).collect::<Vec<_>>(), expected, "{usage:?} {own:?}");
        }
    }

    #[test]
    fn there_may_be_no_documents() {
        let empty = fixtures::catalogue(&[]);
        assert!(pool(&options(true, 0.0, 0.2), &empty, asked(&[], &[]).asking()).is_empty());
    }
}
