//! `dedup`: which claim to a question wins.

use super::Flow;
use crate::domain::{Fingerprint, Rank};
use differential_dataflow::operators::arrange::arrangement::arrange_core;
use differential_dataflow::trace::implementations::{ValBatcher, ValBuilder, ValSpine};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::progress::Antichain;
use timely::progress::operate::FrontierInterest;

/// Who claims a question: the lowest rank wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Claimant {
    /// Rank of the question.
    pub rank: Rank,
    /// The worker that is the home of its conversation, which waits for the verdict.
    pub home: u64,
}

/// A change to the collection of claims: the question of this rank claims to be the first of its fingerprint.
pub type Claim = ((Fingerprint, Claimant), u64, isize);

/// A change to the collection of verdicts: whether the claim of this rank wins its fingerprint.
pub type Verdict = ((Fingerprint, (Claimant, bool)), u64, isize);

/// Maintains, over all workers, the winner of every fingerprint: its lowest claim; none when it was asked in an `earlier`
/// run (these fingerprints are in order). A verdict is given at the tick of its claim, and again whenever it changes.
///
/// The collection holds what may still change. A fingerprint whose winner is below the watermark leaves it for a set,
/// and claims to it are rejected from then on. `watermarks` must reach every worker.
pub fn dedup<'scope>(
    claims: Flow<'scope, Claim>,
    watermarks: Flow<'scope, Rank>,
    earlier: Arc<[Fingerprint]>,
) -> Flow<'scope, Verdict> {
    let (live, rejected) = unsettled(claims, watermarks, earlier);
    // Claims are at the worker of their fingerprint already.
    let claims =
        arrange_core::<_, _, _, ValSpine<Fingerprint, Claimant, u64, isize>>(live, Pipeline, "claims", ValBatcher::new);
    let verdicts = claims.reduce_abelian::<_, ValBuilder<_, _, _, _>, ValSpine<_, (Claimant, bool), _, _>, _, _>(
        "dedup",
        |_, claims, verdicts| {
            verdicts.extend(claims.iter().enumerate().map(|(place, (claimant, _))| ((**claimant, place == 0), 1)));
        },
        |updates, fingerprint, changes| {
            updates.clear();
            updates.extend(changes.drain(..).map(|(verdict, tick, diff)| ((*fingerprint, verdict), tick, diff)));
        },
    );
    verdicts.as_collection(|fingerprint, verdict| (*fingerprint, *verdict)).inner.concat(rejected)
}

/// Splits claims into those that the collection must rule on, and verdicts on those whose fingerprint is settled.
fn unsettled<'scope>(
    claims: Flow<'scope, Claim>,
    watermarks: Flow<'scope, Rank>,
    earlier: Arc<[Fingerprint]>,
) -> (Flow<'scope, Claim>, Flow<'scope, Verdict>) {
    let scope = claims.scope();
    let along = [(0, Antichain::from_elem(0))];
    let mut builder = OperatorBuilder::new("unsettled".into(), scope);
    let mut claims = builder.new_input(claims, Exchange::new(|((fingerprint, _), _, _): &Claim| fingerprint.home()));
    let mut watermarks = builder.new_input_connection(watermarks, Pipeline, Vec::<(usize, Antichain<u64>)>::new());
    builder.set_notify_for(0, FrontierInterest::Always);
    let (live, live_stream) = builder.new_output_connection::<Vec<Claim>, _>(along.clone());
    let (rejected, rejected_stream) = builder.new_output_connection::<Vec<Verdict>, _>(along);
    let (mut live, mut rejected) = (OutputBuilder::from(live), OutputBuilder::from(rejected));
    assert!(earlier.is_sorted(), "fingerprints of earlier runs are in order");

    builder.build(move |capabilities| {
        let mut capabilities: Option<[_; 2]> = capabilities.try_into().ok();
        let mut open: BTreeMap<u64, Vec<Claim>> = BTreeMap::new();
        let mut claimed = Claimed { earlier, ..Claimed::default() };
        let mut watermark = Rank::default();
        move |frontiers| {
            claims.for_each(|_, batch| {
                batch.drain(..).for_each(|claim| open.entry(claim.1).or_default().push(claim));
            });
            watermarks.for_each(|_, batch| watermark = batch.drain(..).fold(watermark, Rank::max));
            let Some([keeping, rejecting]) = &mut capabilities else { return };
            let frontier = frontiers[0].frontier().first().copied();
            let later = frontier.map(|tick| open.split_off(&tick)).unwrap_or_default();
            let closed = std::mem::replace(&mut open, later).into_values().flatten();
            let (live_claims, lost): (Vec<_>, Vec<_>) = closed.partition(|claim| claimed.take(claim));
            live.activate().session(keeping).give_iterator(live_claims.into_iter());
            let lost = lost.into_iter().filter(|(_, _, diff)| *diff > 0);
            let verdicts = lost.map(|((fingerprint, claimant), tick, _)| ((fingerprint, (claimant, false)), tick, 1));
            rejected.activate().session(rejecting).give_iterator(verdicts);
            let Some(tick) = frontier else {
                capabilities = None;
                return;
            };
            [&mut *keeping, rejecting].into_iter().for_each(|capability| capability.downgrade(&tick));
            let leaving = claimed.settle(watermark).into_iter().map(|claim| (claim, tick, -1));
            live.activate().session(keeping).give_iterator(leaving);
        }
    });
    (live_stream, rejected_stream)
}

/// What is claimed, on one worker.
#[derive(Debug, Default)]
struct Claimed {
    /// Fingerprints that are taken for good: since earlier runs, in order, and in this one.
    earlier: Arc<[Fingerprint]>,
    settled: HashSet<Fingerprint>,
    /// Claims in the collection, by fingerprint and by rank.
    by_fingerprint: HashMap<Fingerprint, BTreeSet<Claimant>>,
    by_rank: BTreeSet<(Claimant, Fingerprint)>,
}

impl Claimed {
    /// Whether a change belongs to the collection; its fingerprint is settled otherwise.
    fn take(&mut self, ((fingerprint, claimant), _, diff): &Claim) -> bool {
        if self.settled.contains(fingerprint) || self.earlier.binary_search(fingerprint).is_ok() {
            return false;
        }
        let claims = self.by_fingerprint.entry(*fingerprint).or_default();
        if *diff > 0 {
            claims.insert(*claimant);
            self.by_rank.insert((*claimant, *fingerprint));
        } else {
            claims.remove(claimant);
            self.by_rank.remove(&(*claimant, *fingerprint));
            if claims.is_empty() {
                self.by_fingerprint.remove(fingerprint);
            }
        }
        true
    }

    /// Settles the fingerprints whose lowest claim is below the watermark. All their claims must leave the collection at
    /// once, or the best of the losers would win.
    fn settle(&mut self, watermark: Rank) -> Vec<(Fingerprint, Claimant)> {
        let mut leaving = Vec::new();
        while let Some((_, fingerprint)) = self.by_rank.first().copied().filter(|(lowest, _)| lowest.rank < watermark) {
            self.settled.insert(fingerprint);
            for claimant in self.by_fingerprint.remove(&fingerprint).unwrap_or_default() {
                self.by_rank.remove(&(claimant, fingerprint));
                leaving.push((fingerprint, claimant));
            }
        }
        leaving
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::{Attempt, LanguageIndex, TurnIndex, Wave};
    use differential_dataflow::input::InputSession;
    use proptest::prelude::*;
    use std::sync::mpsc;
    use timely::dataflow::operators::{Input, Inspect, Probe};

    fn rank(wave: u32, index: u32) -> Rank {
        Rank { language: LanguageIndex(0), wave: Wave(wave), turn: TurnIndex(1), attempt: Attempt(0), index }
    }

    fn claimant(rank: Rank) -> Claimant {
        Claimant { rank, home: rank.index.into() }
    }

    /// What happens at a tick: changes, then how far the watermark is.
    type Tick = (Vec<((Fingerprint, Rank), isize)>, Rank);

    /// The verdicts after every tick: positive changes, applied by tick.
    fn verdicts(
        ticks: Vec<Tick>,
        earlier: Vec<Fingerprint>,
        workers: usize,
    ) -> Vec<BTreeMap<(Fingerprint, Rank), bool>> {
        let (out, changes) = mpsc::channel();
        let last = ticks.len();
        timely::execute(timely::Config::process(workers), move |worker| {
            let (out, earlier, first) = (out.clone(), earlier.clone().into(), worker.index() == 0);
            let mut claims = InputSession::new();
            let (mut watermarks, probe) = worker.dataflow::<u64, _, _>(|scope| {
                let (input, watermarks) = scope.new_input::<Vec<Rank>>();
                let verdicts = dedup(claims.to_collection(scope).inner, watermarks, earlier);
                let (probe, verdicts) = verdicts.probe();
                verdicts.inspect(move |change| out.send(*change).unwrap());
                (input, probe)
            });
            for (tick, (changes, watermark)) in ticks.iter().enumerate() {
                let changes = changes.iter().filter(|_| first);
                changes.for_each(|((question, rank), diff)| claims.update((*question, claimant(*rank)), *diff));
                claims.advance_to(tick as u64 + 1);
                claims.flush();
                worker.step_while(|| probe.less_than(claims.time()));
                watermarks.send(*watermark);
                watermarks.flush();
                (0..10).for_each(|_| _ = worker.step());
            }
        })
        .unwrap()
        .join()
        .into_iter()
        .for_each(|worker| worker.unwrap());
        let mut changes: Vec<Verdict> = changes.into_iter().filter(|(_, _, diff)| *diff > 0).collect();
        changes.sort_unstable_by_key(|(_, tick, _)| *tick);
        let mut state = BTreeMap::new();
        let mut changes = changes.into_iter().peekable();
        (0..last as u64)
            .map(|tick| {
                while let Some(((fingerprint, (claimant, won)), _, _)) = changes.next_if(|(_, at, _)| *at <= tick) {
                    state.insert((fingerprint, claimant.rank), won);
                }
                state.clone()
            })
            .collect()
    }

    #[test]
    fn the_lowest_claim_wins_however_late_it_comes() {
        let question = Fingerprint(7);
        let claim = |index, diff| ((question, rank(0, index)), diff);
        let none = Rank::default();
        let ticks = vec![(vec![claim(5, 1)], none), (vec![claim(3, 1)], none), (vec![claim(3, -1)], none)];
        let states = verdicts(ticks, vec![], 2);
        let of = |tick: usize, index| states[tick].get(&(question, rank(0, index))).copied();
        assert_eq!((of(0, 5), of(1, 5), of(1, 3), of(2, 5)), (Some(true), Some(false), Some(true), Some(true)));
    }

    #[test]
    fn what_an_earlier_run_asked_is_rejected() {
        let ticks = vec![(vec![((Fingerprint(7), rank(0, 0)), 1), ((Fingerprint(8), rank(0, 1)), 1)], Rank::default())];
        let state = &verdicts(ticks, vec![Fingerprint(7)], 3)[0];
        assert_eq!(state.values().copied().collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn a_settled_fingerprint_is_lost_to_all_and_crowns_nobody() {
        let question = Fingerprint(1 << 70);
        let claim = |index, diff| ((question, rank(0, index)), diff);
        let past = rank(1, 0);
        let ticks = vec![
            (vec![claim(1, 1), claim(2, 1), claim(3, 1)], past),
            (vec![claim(2, -1)], past),
            (vec![claim(2, 1), claim(0, 1)], past),
        ];
        let states = verdicts(ticks, vec![], 1);
        let won: Vec<_> = states[2].iter().map(|((_, rank), won)| (rank.index, *won)).collect();
        assert_eq!(won, [(0, false), (1, true), (2, false), (3, false)]);
    }

    #[test]
    fn the_collection_holds_only_what_may_change() {
        let mut claimed = Claimed::default();
        for index in 0..100 {
            assert!(claimed.take(&((Fingerprint(u128::from(index % 60)), claimant(rank(index / 10, index))), 0, 1)));
        }
        let leaving = claimed.settle(rank(5, 0));
        assert_eq!(leaving.len(), 50 + 40, "fifty winners, and forty losers with a fingerprint of theirs");
        assert_eq!((claimed.settled.len(), claimed.by_fingerprint.len(), claimed.by_rank.len()), (50, 10, 10));
        assert!(!claimed.take(&((Fingerprint(3), claimant(rank(9, 999))), 0, 1)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        /// Claims come and go in any order; the watermark follows the lowest rank that still changes.
        #[test]
        fn every_tick_has_the_verdicts_of_its_claims(
            moves in proptest::collection::vec((0u128..6, 0u32..30, 0usize..8), 0..60), workers in 1usize..4,
        ) {
            let mut live: BTreeSet<(Fingerprint, Rank)> = BTreeSet::new();
            let mut ticks: Vec<Tick> = vec![(vec![], Rank::default()); 8];
            let mut sorted = moves;
            sorted.sort_by_key(|(_, _, tick)| *tick);
            let mut expected = vec![live.clone(); 8];
            for (tick, slot) in expected.iter_mut().enumerate() {
                for (question, index, _) in sorted.iter().filter(|(_, _, at)| *at == tick) {
                    let claim = (Fingerprint(*question), rank(0, *index));
                    if ticks[tick].0.iter().all(|(other, _)| *other != claim) {
                        let diff = if live.insert(claim) { 1 } else { live.remove(&claim); -1 };
                        ticks[tick].0.push((claim, diff));
                    }
                }
                slot.clone_from(&live);
            }
            for tick in 0..8 {
                let still = ticks[tick + 1..].iter().flat_map(|(changes, _)| changes).map(|((_, rank), _)| *rank);
                ticks[tick].1 = still.min().unwrap_or(rank(0, 0)).min(rank(0, 10));
            }
            let states = verdicts(ticks, vec![], workers);
            for (live, state) in expected.iter().zip(&states) {
                for (fingerprint, rank) in live {
                    let lowest = live.range((*fingerprint, Rank::default())..).next().unwrap().1;
                    prop_assert_eq!(state[&(*fingerprint, *rank)], *rank == lowest, "{:?} {:?}", fingerprint, rank);
                }
            }
        }
    }
}
