//! Which passages a question is shown.

use super::coverage;
use super::draw::{self, Permutation, Purpose};
use super::{Asking, Options};
use crate::domain::{Catalogue, ChunkIndex, Conversation, SourceIndex};
use std::collections::BTreeSet;
use std::ops::Range;

/// Passages shown to a question that goes on from the last answer: to another one a single one is shown. Small models that
/// choose among several ask about all of them at once, or name one and ask about another (seen with 0.5 and 1.5 billion
/// parameters: of eight questions from four passages two could be used, of twelve from one passage ten).
pub(super) const SHOWN: usize = 2;

/// Passages drawn for a question without a query: so many documents and chunks neighbours share out among them, although each
/// is shown the first alone.
const DRAWN: usize = 6;

/// The passages nearest to the question's query, of documents of the pool, that this conversation did not use.
pub(super) fn nearest(
    catalogue: &Catalogue,
    conversation: &Conversation,
    pool: &[SourceIndex],
    hits: &[ChunkIndex],
) -> Vec<ChunkIndex> {
    let used = coverage::used(conversation);
    let mut seen = BTreeSet::new();
    let in_pool = |hit: &ChunkIndex| pool.binary_search(&catalogue.source_of(*hit)).is_ok();
    let fresh = hits.iter().copied().filter(|hit| in_pool(hit) && !used.contains(hit) && seen.insert(*hit));
    fresh.take(SHOWN).collect()
}

/// Passages to dig deeper into: of the document that the last turn was about, the nearest first to what the last question
/// asked about and the last answer rests on. Those that this conversation has asked about are shown only where there are no
/// others: models would ask the same again. Empty where the last turn was about no passage.
pub(super) fn deeper(catalogue: &Catalogue, conversation: &Conversation) -> Vec<ChunkIndex> {
    let Some(last) = conversation.turns.last() else { return Vec::new() };
    let mut anchors: Vec<ChunkIndex> = last.question.used.chunk.into_iter().chain(last.answer.used.clone()).collect();
    let Some(source) = anchors.first().map(|anchor| catalogue.source_of(*anchor)) else { return Vec::new() };
    anchors.retain(|anchor| catalogue.source_of(*anchor) == source);
    let used = coverage::used(conversation);
    let Range { start, end } = catalogue.source(source).chunks;
    // Beyond that distance lie no passages that could be among the nearest unused ones.
    let reach = (SHOWN + used.len()) as u32;
    let around = |anchor: &ChunkIndex| anchor.0.saturating_sub(reach).max(start)..(anchor.0 + reach + 1).min(end);
    let near: BTreeSet<u32> = anchors.iter().flat_map(around).collect();
    let distance = |chunk: u32| anchors.iter().map(|anchor| anchor.0.abs_diff(chunk)).min();
    let mut near: Vec<ChunkIndex> = near.into_iter().map(ChunkIndex).collect();
    near.sort_by_key(|chunk| (used.contains(chunk), distance(chunk.0)));
    let unused = near.iter().filter(|chunk| !used.contains(chunk)).count();
    near.truncate(if unused > 0 { unused.min(SHOWN) } else { SHOWN });
    near
}

/// Passages to move on to: first unused ones of the document that the last turn was about, then the nearest of `hits` in
/// other documents of the pool.
pub(super) fn beside(
    catalogue: &Catalogue,
    conversation: &Conversation,
    pool: &[SourceIndex],
    hits: &[ChunkIndex],
) -> Vec<ChunkIndex> {
    let used = coverage::used(conversation);
    let mut beside = deeper(catalogue, conversation);
    beside.retain(|chunk| !used.contains(chunk));
    beside.truncate(SHOWN / 2);
    let own = beside.first().map(|chunk| catalogue.source_of(*chunk));
    let mut others = nearest(catalogue, conversation, pool, hits);
    others.retain(|chunk| Some(catalogue.source_of(*chunk)) != own);
    beside.extend(others);
    beside.truncate(SHOWN);
    beside
}

/// Passages for a question without a query, best first: of the least used chunks of the least used documents, unless the
/// conversation used them. Where these are too few, the least used ones there are, and last those of the conversation
/// itself: there are passages as long as there is a knowledge base.
pub(super) fn drawn(
    options: &Options,
    catalogue: &Catalogue,
    asking: Asking<'_>,
    pool: &[SourceIndex],
) -> Vec<ChunkIndex> {
    let walk = Walk { seed: options.seed, catalogue, conversation: asking.conversation };
    let sources = coverage::widened(options, catalogue, asking, pool, DRAWN);
    let candidates = coverage::chunks(options, catalogue, asking, &sources, DRAWN);
    let mut drawn = walk.laps(&sources, &candidates);
    if drawn.len() < DRAWN {
        let own = coverage::used(&asking);
        let mut rest = walk.chunks(&sources);
        rest.extend(walk.chunks(&coverage::not_rejected(
            catalogue,
            &asking,
            coverage::all(options, catalogue, &asking),
        )));
        rest.sort_by_key(|chunk| (own.contains(chunk), coverage::usage(asking, *chunk)));
        for chunk in rest {
            if drawn.len() < DRAWN && !drawn.contains(&chunk) {
                drawn.push(chunk);
            }
        }
    }
    drawn
}

/// The order in which a question comes upon documents and chunks.
struct Walk<'a> {
    seed: u64,
    catalogue: &'a Catalogue,
    conversation: &'a Conversation,
}

impl Walk<'_> {
    /// Up to [`DRAWN`] of the candidates: one of each document in the order of the walk, then a second one of each, and so
    /// on.
    fn laps(&self, sources: &[SourceIndex], candidates: &[ChunkIndex]) -> Vec<ChunkIndex> {
        let mut drawn = Vec::with_capacity(DRAWN);
        let mut before = None;
        while before != Some(drawn.len()) {
            before = Some(drawn.len());
            for (source, start) in self.sources(sources) {
                let wanted = |chunk: &ChunkIndex| candidates.binary_search(chunk).is_ok() && !drawn.contains(chunk);
                let found = self.chunks_of(source, start).find(wanted);
                drawn.extend(found);
                if drawn.len() == DRAWN {
                    return drawn;
                }
            }
        }
        drawn
    }

    /// All chunks of documents, in the order of the walk.
    fn chunks(&self, sources: &[SourceIndex]) -> Vec<ChunkIndex> {
        self.sources(sources).flat_map(|(source, start)| self.chunks_of(source, start)).collect()
    }

    /// All documents, each once, from the one whose turn it is, with the place in the document's chunks to start at.
    ///
    /// In the same turn of `n` consecutive slots that draw from the same `n` documents, each document comes first once,
    /// second once, and so on to [`DRAWN`]: the slots walk side by side over one shuffle of the documents, in steps so
    /// long that the first ones of neighbours do not overlap. Each visit starts at another of the document's chunks.
    fn sources<'b>(&self, sources: &'b [SourceIndex]) -> impl Iterator<Item = (SourceIndex, u64)> + use<'b> {
        let [language, slot, turn, attempt] = draw::question(self.conversation);
        let (len, shown) = (sources.len() as u64, DRAWN as u64);
        let round = slot.checked_div(len).unwrap_or(0);
        let stream = draw::stream(self.seed, Purpose::Documents, &[language, turn, attempt, round]);
        let shuffle = Permutation::new(stream, sources.len());
        let (visits, taken) = (len.min(shown), shown.div_ceil(len.max(1)));
        let steps: Vec<_> = (0..visits).map(|stop| stop * len / visits).collect();
        let between: Vec<_> = (0..len).filter(|ahead| !steps.contains(ahead)).collect();
        let stops = steps.into_iter().chain(between).zip(0..);
        stops.map(move |(ahead, stop)| (sources[shuffle.at(slot + ahead)], (round * visits + stop) * taken))
    }

    /// The chunks of a document in an order of its own, from a place in that order.
    fn chunks_of(&self, source: SourceIndex, start: u64) -> impl Iterator<Item = ChunkIndex> + use<> {
        let [language, _, turn, _] = draw::question(self.conversation);
        let Range { start: first, end } = self.catalogue.source(source).chunks;
        let stream = draw::stream(self.seed, Purpose::Chunks, &[language, turn, source.0.into()]);
        let shuffle = Permutation::new(stream, (end - first) as usize);
        (0..u64::from(end - first)).map(move |place| ChunkIndex(first + shuffle.at(start + place) as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Coverage, TurnIndex, Used, Wave};
    use crate::plan::{
        Brief, CoverageOptions, Options, Plan,
        fixtures::{self, Known},
    };
    use std::collections::VecDeque;
    use std::sync::Arc;

    fn sources(indices: &[u32]) -> Vec<SourceIndex> {
        indices.iter().copied().map(SourceIndex).collect()
    }

    fn numbers(chunks: Vec<ChunkIndex>) -> Vec<u32> {
        chunks.into_iter().map(|chunk| chunk.0).collect()
    }

    fn chunks(indices: &[u32]) -> Vec<ChunkIndex> {
        indices.iter().copied().map(ChunkIndex).collect()
    }

    /// A conversation whose turns asked about one chunk each; the last answer rests on some.
    fn asked(own: &[u32], rests: &[u32]) -> Known {
        let mut conversation = fixtures::conversation(0, 0);
        conversation.turns.extend(own.iter().map(|&own| fixtures::turn(TurnIndex(1), Some(ChunkIndex(own)))));
        if let Some(last) = conversation.turns.last_mut() {
            Arc::make_mut(last).answer.used = chunks(rests);
        }
        conversation
    }

    #[test]
    fn hits_are_narrowed_to_the_pool_and_to_what_is_new() {
        // Chunks 0..4, 4..8, 8..12.
        let catalogue = fixtures::catalogue(&[4, 4, 4]);
        for (pool, hits, expected) in [
            (&[1][..], &[0, 5, 4, 9, 6][..], &[4, 6][..]),
            (&[1], &[0, 5, 9], &[]),
            (&[0, 1, 2], &[0, 5, 0, 9, 1, 2], &[0, 9]),
            (&[1], &[5], &[]),
        ] {
            let found = nearest(&catalogue, &asked(&[5], &[]), &sources(pool), &chunks(hits));
            assert_eq!(numbers(found), expected, "{pool:?} {hits:?}");
        }
    }

    #[test]
    fn digging_deeper_stays_in_the_document_near_the_last_answer() {
        // Chunks 0..2, 2..12, 12..13.
        let catalogue = fixtures::catalogue(&[2, 10, 1]);
        for (own, rests, expected) in [
            // Beside what was asked about; what the answer rests on first.
            (&[6][..], &[][..], &[5, 7][..]),
            (&[6], &[9, 6], &[9, 5]),
            (&[6], &[12, 0], &[5, 7]),
            // At the ends of the document.
            (&[2], &[], &[3, 4]),
            (&[11], &[], &[10, 9]),
            // What this conversation asked about comes last.
            (&[5, 7, 6], &[], &[4, 8]),
            (&[0, 1], &[], &[1, 0]),
            (&[0], &[], &[1]),
            (&[12], &[12], &[12]),
            (&[], &[], &[]),
        ] {
            assert_eq!(numbers(deeper(&catalogue, &asked(own, rests))), expected, "{own:?} {rests:?}");
        }
        let ungrounded = fixtures::conversation(0, 2);
        assert!(deeper(&catalogue, &ungrounded).is_empty());
    }

    #[test]
    fn moving_on_takes_from_the_document_and_from_the_nearest_others() {
        // Chunks 0..4, 4..8, 8..12.
        let catalogue = fixtures::catalogue(&[4, 4, 4]);
        for (own, hits, expected) in
            [(&[5][..], &[5, 6, 9, 0][..], &[4, 9][..]), (&[4, 6, 7, 5], &[5, 6, 9, 0], &[9, 0]), (&[5], &[], &[4])]
        {
            let found = beside(&catalogue, &asked(own, &[]), &sources(&[0, 1, 2]), &chunks(hits));
            assert_eq!(numbers(found), expected, "{own:?} {hits:?}");
        }
    }

    #[test]
    fn draws_prefer_what_is_unused() {
        let catalogue = fixtures::catalogue(&[4; 8]);
        let odd: Vec<_> = (0..32).map(|chunk| (chunk + 1) % 2).collect();
        for slot in 0..16 {
            let mut conversation = fixtures::conversation(slot, 0);
            conversation.coverage = Coverage { chunks: odd.clone(), ..Coverage::empty(0, 8) };
            let shown =
                drawn(&fixtures::options(), &catalogue, conversation.asking(), &sources(&[0, 1, 2, 3, 4, 5, 6]));
            assert_eq!(shown.len(), DRAWN);
            assert!(shown.iter().all(|chunk| chunk.0 % 2 == 1 && chunk.0 < 28), "{shown:?}");
            assert_eq!(shown.iter().map(|chunk| chunk.0 / 4).collect::<BTreeSet<_>>().len(), DRAWN, "{shown:?}");
        }
    }

    #[test]
    fn draws_never_run_dry() {
        // Chunks 0..2, 2..4, 4..7.
        let catalogue = fixtures::catalogue(&[2, 2, 3]);
        for (usage, own, pool, avoid, expected) in [
            ([2, 1, 3, 4, 5, 6, 7], &[1][..], &[0, 1, 2][..], &[][..], &[0, 2, 3, 4, 5, 6][..]),
            ([0, 0, 0, 0, 0, 9, 9], &[], &[1, 2], &[0], &[2, 3, 4, 5, 6]),
            ([9, 9, 0, 0, 0, 0, 0], &[0], &[0], &[2, 4], &[0, 1]),
            ([0, 1, 2, 3, 4, 5, 6], &[0, 1, 2, 3, 4, 5, 6], &[0, 1, 2], &[], &[0, 1, 2, 3, 4, 5]),
        ] {
            let mut conversation = asked(own, &[]);
            conversation.coverage = Coverage { chunks: usage.to_vec(), ..Coverage::empty(0, 3) };
            conversation.round.avoid = chunks(avoid);
            let mut shown = drawn(&fixtures::options(), &catalogue, conversation.asking(), &sources(pool));
            if own.len() == 1 && avoid.len() == 2 {
                assert_eq!(shown[1], ChunkIndex(0), "its own come last");
            }
            shown.sort_unstable();
            assert_eq!(numbers(shown), expected);
        }
        let empty = drawn(&fixtures::options(), &fixtures::catalogue(&[]), fixtures::conversation(0, 0).asking(), &[]);
        assert!(empty.is_empty());
    }

    #[test]
    fn neighbours_are_shown_different_passages() {
        for (documents, each) in [(1, 60), (2, 30), (4, 20), (7, 7), (20, 5), (100, 1)] {
            let catalogue = fixtures::catalogue(&vec![each; documents]);
            let pool = coverage::all(&fixtures::options(), &catalogue, &fixtures::conversation(0, 0));
            let all: Vec<_> = (0..3 * documents as u32)
                .map(|slot| drawn(&fixtures::options(), &catalogue, fixtures::conversation(slot, 0).asking(), &pool))
                .collect();
            for round in all.chunks(documents) {
                for place in 0..DRAWN.min(documents) {
                    let mut shown: Vec<_> = round.iter().map(|shown| catalogue.source_of(shown[place])).collect();
                    shown.sort_unstable();
                    assert_eq!(shown, pool, "in each place each document once, of {documents}");
                }
            }
            let neighbours: Vec<_> = all.iter().take((documents / DRAWN).max(1)).flatten().collect();
            let distinct: BTreeSet<_> = neighbours.iter().collect();
            assert_eq!(distinct.len(), neighbours.len(), "{documents} documents");
        }
    }

    #[test]
    fn a_document_shows_all_its_chunks_before_any_again() {
        let catalogue = fixtures::catalogue(&[60]);
        let shown: BTreeSet<_> = (0..10)
            .flat_map(|slot| {
                drawn(&fixtures::options(), &catalogue, fixtures::conversation(slot, 0).asking(), &[SourceIndex(0)])
            })
            .collect();
        assert_eq!(shown.len(), 60);
    }

    /// How often each of 100 chunks of 20 documents is used by so many opening questions, when each knows of all but the
    /// last `lag` before it, and `choose` says which of the passages shown the user model takes.
    fn usage(questions: u32, lag: usize, choose: fn(&Brief, usize) -> usize) -> Vec<u32> {
        let catalogue = Arc::new(fixtures::catalogue(&[5; 20]));
        let coverage = CoverageOptions { epsilon: 0.15, ..fixtures::options().coverage };
        let plan = Plan::new(Options { coverage, ..fixtures::options() }, catalogue.clone());
        let mut known = Coverage::empty(100, 20);
        let mut usage = vec![0; 100];
        let mut unknown = VecDeque::new();
        for index in 0..questions {
            let mut conversation = fixtures::conversation(index, 0);
            conversation.wave = Wave(index);
            conversation.coverage = known.clone();
            let brief = plan.brief(conversation.asking());
            let shown = plan.passages(conversation.asking(), &brief, &[]);
            let chunk = shown[choose(&brief, shown.len())].0;
            usage[chunk.0 as usize] += 1;
            let source = Some(catalogue.source_of(chunk));
            unknown.push_back(Used { chunk: Some(chunk), source, question: format!("q{index}").into(), seed: None });
            while unknown.len() > lag {
                unknown.pop_front().iter().for_each(|used| known.add(used));
            }
        }
        usage
    }

    #[test]
    fn usage_stays_even_although_questions_know_little() {
        // Blind draws of 100 among 100 leave 37 unused, of 200 leave 14 and use one chunk 7 times.
        for (lag, choose, unused_at_100, unused_at_200, most_at_200) in [
            (0, (|_, _| 0) as fn(&Brief, usize) -> usize, 20, 2, 4),
            (0, |brief, shown| (brief.variety % shown as u64) as usize, 20, 2, 4),
            (16, |_, _| 0, 25, 3, 5),
            (16, |brief, shown| (brief.variety % shown as u64) as usize, 25, 3, 5),
            (1000, |_, _| 0, 0, 0, 2),
        ] {
            let [early, late] = [100, 200].map(|questions| usage(questions, lag, choose));
            let unused = |usage: &[u32]| usage.iter().filter(|&&count| count == 0).count();
            assert!(unused(&early) <= unused_at_100, "lag {lag}: {early:?}");
            assert!(early.iter().all(|&count| count <= most_at_200), "lag {lag}: {early:?}");
            assert!(unused(&late) <= unused_at_200, "lag {lag}: {late:?}");
            assert!(late.iter().all(|&count| count <= most_at_200), "lag {lag}: {late:?}");
            let documents = late.chunks(5).map(|chunks| chunks.iter().sum::<u32>());
            assert!(documents.clone().all(|count| (6..=14).contains(&count)), "lag {lag}: {documents:?}");
        }
    }
}
