//! Which passages a question is shown.

use super::coverage::{self, Chunks, Group, Pool, Sources};
use super::draw::{self, Permutation, Purpose};
use super::{Asking, Options};
use crate::domain::{Catalogue, ChunkIndex, Conversation, SourceIndex};
use std::collections::BTreeSet;
use std::ops::Range;

/// Passages shown to a question that goes on from the last answer: to another one a single one is shown. Small models that
/// choose among several ask about all of them at once, or name one and ask about another (seen with 0.5 and 1.5 billion
/// parameters: of eight questions from four passages two could be used, of twelve from one passage ten).
pub(super) const SHOWN: usize = 2;

/// Passages that a question needs at most.
pub(super) const LINKED: usize = 3;

/// The passages nearest to the question's query, of documents of the group, that this conversation did not use.
pub(super) fn nearest(
    catalogue: &Catalogue,
    conversation: &Conversation,
    group: &Group,
    hits: &[ChunkIndex],
) -> Vec<ChunkIndex> {
    let used = coverage::used(conversation);
    let mut seen = BTreeSet::new();
    let in_group = |hit: &ChunkIndex| group.has(catalogue, catalogue.source_of(*hit));
    let fresh = hits.iter().copied().filter(|hit| in_group(hit) && !used.contains_key(hit) && seen.insert(*hit));
    fresh.take(SHOWN).collect()
}

/// The passages that belong to another one, as `hits` has them: of other documents of the group, nearest first, then of its
/// own document; unless the conversation used them.
pub(super) fn linked(
    catalogue: &Catalogue,
    conversation: &Conversation,
    group: &Group,
    first: ChunkIndex,
    hits: &[ChunkIndex],
) -> Vec<ChunkIndex> {
    let (used, own) = (coverage::used(conversation), catalogue.source_of(first));
    let fits = |hit: &&ChunkIndex| **hit != first && !used.contains_key(hit);
    let mut linked: Vec<_> = hits.iter().filter(fits).copied().collect();
    linked.retain(|hit| group.has(catalogue, catalogue.source_of(*hit)));
    linked.sort_by_key(|hit| catalogue.source_of(*hit) == own);
    linked
}

/// Passages to dig deeper into: of the document that the last turn was about, the nearest first to what the last question
/// asked about and the last answer rests on. Those that this conversation has asked about are shown only where there are no
/// others: models would ask the same again. Empty where the last turn was about no passage of the group.
pub(super) fn deeper(catalogue: &Catalogue, conversation: &Conversation, group: &Group) -> Vec<ChunkIndex> {
    let Some(last) = conversation.turns.last() else { return Vec::new() };
    let mut anchors: Vec<ChunkIndex> = last.question.used.chunk.into_iter().chain(last.answer.used.clone()).collect();
    anchors.retain(|anchor| group.has(catalogue, catalogue.source_of(*anchor)));
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
    near.sort_by_key(|chunk| (used.contains_key(chunk), distance(chunk.0)));
    let unused = near.iter().filter(|chunk| !used.contains_key(chunk)).count();
    near.truncate(if unused > 0 { unused.min(SHOWN) } else { SHOWN });
    near
}

/// The passage that the last question was about, to stay with it; else one to dig deeper into.
pub(super) fn same(catalogue: &Catalogue, conversation: &Conversation, group: &Group) -> Vec<ChunkIndex> {
    let last = conversation.turns.last().and_then(|turn| turn.question.used.chunk);
    match last.filter(|chunk| group.has(catalogue, catalogue.source_of(*chunk))) {
        Some(chunk) => vec![chunk],
        None => deeper(catalogue, conversation, group),
    }
}

/// Passages to move on to: first unused ones of the document that the last turn was about, then the nearest of `hits` in
/// other documents of the group.
pub(super) fn beside(
    catalogue: &Catalogue,
    conversation: &Conversation,
    group: &Group,
    hits: &[ChunkIndex],
) -> Vec<ChunkIndex> {
    let used = coverage::used(conversation);
    let mut beside = deeper(catalogue, conversation, group);
    beside.retain(|chunk| !used.contains_key(chunk));
    beside.truncate(SHOWN / 2);
    let own = beside.first().map(|chunk| catalogue.source_of(*chunk));
    let mut others = nearest(catalogue, conversation, group, hits);
    others.retain(|chunk| Some(catalogue.source_of(*chunk)) != own);
    beside.extend(others);
    beside.truncate(SHOWN);
    beside
}

/// Passages for a question without a query, best first, as many as are `wanted` where there are so many: of the least used
/// chunks of the least used documents, unless the conversation used them or their questions were just rejected; else of
/// other documents, then of those whose questions were rejected, and last a passage that the conversation has used, the least
/// used one: there are passages as long as there is a knowledge base.
pub(super) fn drawn(
    options: &Options,
    catalogue: &Catalogue,
    asking: Asking<'_>,
    pool: &Pool,
    wanted: usize,
) -> Vec<ChunkIndex> {
    let (own, rejected) = (coverage::used(&asking), coverage::rejected(catalogue, &asking));
    let walk = Walk { options, catalogue, asking, sources: pool.sources(options, asking) };
    let mut drawn = Vec::new();
    for again in [false, true] {
        let mut before = None;
        while drawn.len() < wanted && before != Some(drawn.len()) {
            before = Some(drawn.len());
            for (source, visit) in walk.sources() {
                if rejected.contains(&source) == again {
                    let is_new = |chunk: &ChunkIndex| !own.contains_key(chunk) && !drawn.contains(chunk);
                    let found = walk.chunks_of(source, visit).find(is_new);
                    drawn.extend(found);
                }
                if drawn.len() == wanted {
                    return drawn;
                }
            }
        }
        if !drawn.is_empty() {
            return drawn;
        }
    }
    let asked = own.iter().filter(|(chunk, _)| pool.group.has(catalogue, catalogue.source_of(**chunk)));
    let least = asked.min_by_key(|&(chunk, own)| (own, asking.coverage.of_chunk(*chunk)));
    least.map(|(chunk, _)| *chunk).into_iter().collect()
}

/// The order in which a question comes upon documents and chunks.
struct Walk<'a> {
    options: &'a Options,
    catalogue: &'a Catalogue,
    asking: Asking<'a>,
    sources: Sources<'a>,
}

/// At which document a walk is.
#[derive(Debug, Clone, Copy)]
struct Visit {
    /// How often the walks of the slots before have been through all documents to draw from.
    round: u64,
    /// Whether it is the document that the walk begins with.
    first: bool,
}

impl Walk<'_> {
    /// All documents, each once, from the one whose turn it is; behind those to draw from the others, least used first.
    ///
    /// In the same turn of `n` consecutive slots that draw from the same `n` documents, each document comes first once, and
    /// second once: the slots walk side by side over one shuffle of the documents, and the second step is so long that the
    /// first ones of neighbours do not overlap with it.
    fn sources(&self) -> impl Iterator<Item = (SourceIndex, Visit)> {
        let [language, slot, turn, attempt] = draw::question(&self.asking);
        let kept = self.sources.kept() as u64;
        let round = slot.checked_div(kept).unwrap_or(0);
        let stream = draw::stream(self.options.seed, Purpose::Documents, &[language, turn, attempt, round]);
        let shuffle = Permutation::new(stream, kept as usize);
        let half = kept / 2;
        let steps = [0, half].into_iter().take(kept.min(2) as usize).chain((1..kept).filter(move |step| *step != half));
        let places = steps.map(move |step| shuffle.at(slot + step)).chain(kept as usize..self.sources.len());
        let visits = places.zip(0..).map(move |(place, stop)| (place, Visit { round, first: stop == 0 }));
        visits.filter_map(|(place, visit)| Some((self.sources.at(place)?, visit)))
    }

    /// The chunks of a document in an order of its own. Each time that it comes first in a walk the order begins with
    /// another chunk, and elsewhere with one that is far from that.
    fn chunks_of(&self, source: SourceIndex, visit: Visit) -> impl Iterator<Item = ChunkIndex> {
        let [language, _, turn, _] = draw::question(&self.asking);
        let chunks = Chunks::of(self.options, self.catalogue, self.asking, source, self.sources.kept());
        let stream = draw::stream(self.options.seed, Purpose::Chunks, &[language, turn, source.0.into()]);
        let kept = chunks.kept();
        let shuffle = Permutation::new(stream, kept);
        let start = visit.round + if visit.first { 0 } else { kept as u64 / 2 };
        let places = (0..kept as u64).map(move |place| shuffle.at(start + place)).chain(kept..chunks.len());
        places.filter_map(move |place| chunks.at(place))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::fixtures::used;
    use crate::domain::{Coverage, TurnIndex, Used, Uses, Wave};
    use crate::plan::coverage::Documents;
    use crate::plan::{
        CoverageOptions, MatchLanguage, Options, Plan,
        fixtures::{self, Known},
    };
    use std::collections::VecDeque;
    use std::sync::Arc;

    fn all(catalogue: &Catalogue) -> Group {
        Documents::of(catalogue).group(MatchLanguage::Off, "en")
    }

    /// Those documents of a catalogue are in French, and what conversations in French may be about.
    fn french(catalogue: &mut Catalogue, documents: &[usize]) -> Group {
        documents.iter().for_each(|document| catalogue.sources[*document].language = Some("fr".into()));
        Documents::of(catalogue).group(MatchLanguage::Prefer, "French")
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
    fn hits_are_narrowed_to_the_group_and_to_what_is_new() {
        // Chunks 0..4, 4..8, 8..12.
        for (group, hits, expected) in [
            (&[1][..], &[0, 5, 4, 9, 6][..], &[4, 6][..]),
            (&[1], &[0, 5, 9], &[]),
            (&[0, 1, 2], &[0, 5, 0, 9, 1, 2], &[0, 9]),
            (&[1], &[5], &[]),
        ] {
            let mut catalogue = fixtures::catalogue(&[4, 4, 4]);
            let own = french(&mut catalogue, group);
            let found = nearest(&catalogue, &asked(&[5], &[]), &own, &chunks(hits));
            assert_eq!(numbers(found), expected, "{group:?} {hits:?}");
        }
    }

    #[test]
    fn digging_deeper_stays_in_the_document_near_the_last_answer() {
        // Chunks 0..2, 2..12, 12..13.
        let catalogue = fixtures::catalogue(&[2, 10, 1]);
        let group = all(&catalogue);
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
            assert_eq!(numbers(deeper(&catalogue, &asked(own, rests), &group)), expected, "{own:?} {rests:?}");
        }
        let ungrounded = fixtures::conversation(0, 2);
        assert!(deeper(&catalogue, &ungrounded, &group).is_empty());
        let mut catalogue = catalogue;
        let group = french(&mut catalogue, &[1]);
        assert_eq!(numbers(deeper(&catalogue, &asked(&[0], &[6]), &group)), [6, 5], "not in another language");
    }

    #[test]
    fn moving_on_takes_from_the_document_and_from_the_nearest_others() {
        // Chunks 0..4, 4..8, 8..12.
        let catalogue = fixtures::catalogue(&[4, 4, 4]);
        for (own, hits, expected) in
            [(&[5][..], &[5, 6, 9, 0][..], &[4, 9][..]), (&[4, 6, 7, 5], &[5, 6, 9, 0], &[9, 0]), (&[5], &[], &[4])]
        {
            let found = beside(&catalogue, &asked(own, &[]), &all(&catalogue), &chunks(hits));
            assert_eq!(numbers(found), expected, "{own:?} {hits:?}");
        }
    }

    #[test]
    fn what_belongs_to_a_passage_is_of_other_documents_first() {
        // Chunks 0..4, 4..8, 8..12, the last document in French.
        let mut catalogue = fixtures::catalogue(&[4, 4, 4]);
        french(&mut catalogue, &[2]);
        catalogue.sources[..2].iter_mut().for_each(|source| source.language = Some("en".into()));
        let english = Documents::of(&catalogue).group(MatchLanguage::Prefer, "en");
        for (group, own, first, hits, expected) in [
            (&english, &[][..], 5, &[5, 6, 1, 9, 0][..], &[1, 0, 6][..]),
            (&english, &[1], 5, &[5, 6, 1, 9, 0], &[0, 6]),
            (&all(&catalogue), &[], 5, &[5, 6, 1, 9, 0], &[1, 9, 0, 6]),
            (&english, &[], 5, &[9, 5], &[]),
        ] {
            let found = linked(&catalogue, &asked(own, &[]), group, ChunkIndex(first), &chunks(hits));
            assert_eq!(numbers(found), expected, "{own:?} {hits:?}");
        }
    }

    /// Conversations that know that each chunk was used so often.
    fn knowing(catalogue: &Catalogue, uses: &[u32]) -> Coverage {
        Coverage::new(catalogue, Uses { chunks: uses.to_vec(), ..Uses::none(catalogue) })
    }

    #[test]
    fn draws_prefer_what_is_unused() {
        let catalogue = fixtures::catalogue(&[4; 8]);
        let odd = knowing(&catalogue, &Vec::from_iter((0..32).map(|chunk| (chunk + 1) % 2)));
        for slot in 0..16 {
            let conversation = Known { coverage: odd.clone(), ..fixtures::conversation(slot, 0) };
            let pool = Pool { group: all(&catalogue), kept: 7 };
            let shown = drawn(&fixtures::options(), &catalogue, conversation.asking(), &pool, 7);
            assert_eq!(shown.len(), 7);
            assert!(shown.iter().all(|chunk| chunk.0 % 2 == 1), "{shown:?}");
            assert_eq!(shown.iter().map(|chunk| chunk.0 / 4).collect::<BTreeSet<_>>().len(), 7, "{shown:?}");
        }
    }

    #[test]
    fn draws_never_run_dry() {
        // Chunks 0..2, 2..4, 4..7.
        let catalogue = fixtures::catalogue(&[2, 2, 3]);
        for (uses, own, avoid, wanted, expected) in [
            // Its own come last, of its own the least used one, and those of documents whose question was rejected late.
            ([2, 1, 3, 4, 5, 6, 7], &[1][..], &[][..], 7, &[0, 2, 3, 4, 5, 6][..]),
            ([0, 0, 0, 0, 0, 9, 9], &[], &[0], 7, &[2, 3, 4, 5, 6]),
            ([9, 9, 0, 0, 0, 0, 0], &[0], &[2, 4], 7, &[1]),
            ([9, 9, 9, 9, 9, 9, 9], &[], &[0, 2, 4], 7, &[1, 3, 5, 6]),
            ([9, 0, 9, 1, 9, 9, 9], &[0, 1, 2, 3, 4, 5, 6], &[], 1, &[1]),
            ([9, 0, 9, 1, 9, 9, 9], &[0, 1, 2, 3, 4, 5, 6, 1], &[], 1, &[3]),
        ] {
            let mut conversation = asked(own, &[]);
            conversation.coverage = knowing(&catalogue, &uses);
            conversation.round.avoid = chunks(avoid);
            let pool = Pool { group: all(&catalogue), kept: 2 };
            let mut shown = drawn(&fixtures::options(), &catalogue, conversation.asking(), &pool, wanted);
            shown.sort_unstable();
            assert_eq!(numbers(shown), expected, "{uses:?} {own:?} {avoid:?}");
        }
        let empty = fixtures::catalogue(&[]);
        let pool = Pool::all(all(&empty));
        assert!(drawn(&fixtures::options(), &empty, fixtures::conversation(0, 0).asking(), &pool, 1).is_empty());
    }

    #[test]
    fn neighbours_are_shown_different_passages() {
        for (documents, each) in [(1, 60), (2, 30), (4, 20), (7, 7), (20, 5), (100, 1)] {
            let catalogue = fixtures::catalogue(&vec![each; documents]);
            let pool = Pool::all(all(&catalogue));
            let shown = |slot| {
                let known = fixtures::knowing(&catalogue, slot, 0);
                drawn(&fixtures::options(), &catalogue, known.asking(), &pool, SHOWN)
            };
            let all: Vec<_> = (0..3 * documents as u32).map(shown).collect();
            for round in all.chunks(documents) {
                for place in 0..SHOWN.min(documents) {
                    let shown: BTreeSet<_> = round.iter().map(|shown| catalogue.source_of(shown[place])).collect();
                    assert_eq!(shown.len(), documents, "in each place each document once, of {documents}");
                }
            }
            let neighbours: Vec<_> = all.iter().take((documents / SHOWN).max(1)).flatten().collect();
            let distinct: BTreeSet<_> = neighbours.iter().collect();
            assert_eq!(distinct.len(), neighbours.len(), "{documents} documents");
        }
    }

    #[test]
    fn a_document_shows_all_its_chunks_before_any_again() {
        for (documents, each) in [(1, 60), (1, 7), (3, 8), (10, 2)] {
            let catalogue = fixtures::catalogue(&vec![each; documents]);
            let first = |slot| {
                let known = fixtures::knowing(&catalogue, slot, 0);
                drawn(&fixtures::options(), &catalogue, known.asking(), &Pool::all(all(&catalogue)), 1)[0]
            };
            let shown: BTreeSet<_> = (0..each * documents as u32).map(first).collect();
            assert_eq!(shown.len(), catalogue.len(), "{documents} {each}");
        }
    }

    /// How often each chunk of some documents is used by so many opening questions, when each knows of all but the last
    /// `lag` before it.
    fn usage(documents: &[u32], questions: u32, lag: u32, epsilon: f64) -> Vec<u32> {
        let catalogue = Arc::new(fixtures::catalogue(documents));
        let coverage = CoverageOptions { epsilon, ..fixtures::options().coverage };
        let plan = Plan::new(Options { coverage, unknown: lag, ..fixtures::options() }, catalogue.clone());
        let mut known = Coverage::none(&catalogue);
        let mut usage = vec![0; catalogue.len()];
        let mut unknown = VecDeque::new();
        for index in 0..questions {
            let mut conversation = fixtures::conversation(index, 0);
            conversation.wave = Wave(index);
            conversation.coverage = known.clone();
            let brief = plan.brief(conversation.asking());
            let chunk = plan.passages(conversation.asking(), &brief, &[])[0].0;
            usage[chunk.0 as usize] += 1;
            let source = Some(catalogue.source_of(chunk));
            unknown.push_back(Used { chunk: Some(chunk), source, ..used(&format!("q{index}")) });
            while unknown.len() > lag as usize {
                unknown.pop_front().iter().for_each(|used| known.add(used));
            }
        }
        usage
    }

    #[test]
    fn usage_stays_even_although_questions_know_little() {
        // Blind draws of 100 among 100 leave 37 unused, of 200 leave 14 and use one chunk 7 times.
        for (lag, unused_at_100, unused_at_200, most_at_200) in [(0, 20, 2, 4), (16, 25, 3, 5), (1000, 0, 0, 2)] {
            let [early, late] = [100, 200].map(|questions| usage(&[5; 20], questions, lag, 0.15));
            let unused = |usage: &[u32]| usage.iter().filter(|&&count| count == 0).count();
            println!("{lag} {} {} {:?}", unused(&early), unused(&late), late.iter().max());
            assert!(unused(&early) <= unused_at_100, "lag {lag}: {early:?}");
            assert!(early.iter().all(|&count| count <= most_at_200), "lag {lag}: {early:?}");
            assert!(unused(&late) <= unused_at_200, "lag {lag}: {late:?}");
            assert!(late.iter().all(|&count| count <= most_at_200), "lag {lag}: {late:?}");
            let documents = late.chunks(5).map(|chunks| chunks.iter().sum::<u32>());
            assert!(documents.clone().all(|count| (6..=14).contains(&count)), "lag {lag}: {documents:?}");
        }
    }

    #[test]
    fn questions_that_know_of_all_before_them_use_chunks_evenly() {
        for (documents, epsilon) in [(&[1][..], 0.15), (&[13], 0.15), (&[1, 2, 3], 0.0), (&[1, 40, 7, 7, 2, 1], 0.0)] {
            for questions in [1, 7, 20, 61, 130] {
                let usage = usage(documents, questions, 0, epsilon);
                let (least, most) = (usage.iter().min().unwrap(), usage.iter().max().unwrap());
                assert!(most - least <= 1, "{documents:?} {questions}: {usage:?}");
            }
        }
        // Those that know of none share one round after the other out among them.
        for documents in [&[6][..], &[4, 4, 4]] {
            let usage = usage(documents, 30, 29, 0.0);
            assert!(usage.iter().max().unwrap() - usage.iter().min().unwrap() <= 1, "{documents:?}: {usage:?}");
        }
    }
}
