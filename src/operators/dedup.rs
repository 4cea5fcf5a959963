//! `dedup`: which claim to a question wins.
//!
//! ```text
//!            ┌─────────────── verdicts ───────────────┐
//!            ▼                                        │
//! claims ─▶ gate ─▶ first of its fingerprint ─▶ near ─┴─▶ verdicts
//!            │                                   ▲
//!            └───────── settled questions ───────┘
//! ```

mod gate;
mod near;

use super::Flow;
use crate::domain::{Fingerprint, Neighbour, Rank, Ruling, Sketch};
use differential_dataflow::AsCollection;
use differential_dataflow::operators::arrange::arrangement::arrange_core;
use differential_dataflow::trace::implementations::{ValBatcher, ValBuilder, ValSpine};
use gate::{Gate, gate};
pub use near::Near;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::{Concat, ConnectLoop, Feedback};

/// Who claims a question: the lowest rank wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Claimant {
    /// Rank of the question.
    pub rank: Rank,
    /// The worker that is the home of its conversation, which waits for the verdict.
    pub home: u64,
}

/// A change to the collection of claims: the question of this rank claims to be the first of its fingerprint, and, where it has a
/// sketch, of all that are too close to it.
pub type Claim = ((Fingerprint, Claimant, Option<Arc<Sketch>>), u64, isize);

/// A change to the collection of verdicts on claims.
pub type Verdict = ((Fingerprint, (Claimant, Ruling)), u64, isize);

/// A claim in the collection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Entrant {
    claimant: Claimant,
    sketch: Option<Arc<Sketch>>,
}

/// A question that is compared with others, at its rank.
type Asked = (Rank, Arc<Sketch>);

/// What the verdicts on the claims to one fingerprint follow from, in order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Ground {
    /// The first of them is too close to this question.
    Blocked(Neighbour),
    /// One of them.
    Claim(Claimant),
}

/// Maintains, over all workers, which claims win: of those to a fingerprint the lowest; none where it was asked in an `earlier` run
/// (these fingerprints are in order); and under [`Near`] none where a question that is accepted and ranks lower is a near-duplicate of it.
/// A verdict is given at the tick of its claim, and again whenever it changes.
///
/// The collection holds what may still change. A claim below the watermark leaves it: the fingerprint of one that is accepted for a
/// set, its sketch for an index, and what is the same or too close is rejected from then on. `watermarks` must reach every worker.
pub fn dedup<'scope>(
    claims: Flow<'scope, Claim>,
    watermarks: Flow<'scope, Rank>,
    earlier: Arc<[Fingerprint]>,
    near: Option<Near>,
) -> Flow<'scope, Verdict> {
    let Some(near) = near else {
        let Gate { live, rejected, .. } = gate(claims, watermarks, None, earlier);
        let claims = live.as_collection().map(|(fingerprint, Entrant { claimant, .. })| (fingerprint, claimant)).inner;
        // Claims are at the worker of their fingerprint already.
        let claims = arrange_core::<_, _, _, ValSpine<Fingerprint, Claimant, u64, isize>>(
            claims,
            Pipeline,
            "claims",
            ValBatcher::new,
        );
        let verdicts = claims.reduce_abelian::<_, ValBuilder<_, _, _, _>, ValSpine<_, (Claimant, Ruling), _, _>, _, _>(
            "dedup",
            |_, claims, verdicts| {
                let ruling = |place| if place == 0 { Ruling::Stands } else { Ruling::Duplicate };
                verdicts
                    .extend(claims.iter().enumerate().map(|(place, (claimant, _))| ((**claimant, ruling(place)), 1)));
            },
            |updates, fingerprint, changes| {
                updates.clear();
                updates.extend(changes.drain(..).map(|(verdict, tick, diff)| ((*fingerprint, verdict), tick, diff)));
            },
        );
        return verdicts.as_collection(|fingerprint, verdict| (*fingerprint, verdict.clone())).inner.concat(rejected);
    };
    let (ruled_loop, ruled) = claims.scope().feedback(1);
    let Gate { live, rejected, settled } = gate(claims, watermarks, Some(ruled), earlier);
    let claims = live.as_collection();
    let first = claims.clone().reduce_named("first", |_, claims, first| first.push((claims[0].0.clone(), 1)));
    let blocked = near::blockers(first, settled, &near).map(|(fingerprint, by)| (fingerprint, Ground::Blocked(by)));
    let claims = claims.map(|(fingerprint, Entrant { claimant, .. })| (fingerprint, Ground::Claim(claimant)));
    let verdicts = claims.concat(blocked).reduce_named("dedup", |_, grounds, verdicts| rule(grounds, verdicts));
    let verdicts = verdicts.inner;
    verdicts.clone().connect_loop(ruled_loop);
    verdicts.concat(rejected)
}

/// The verdicts on the claims to one fingerprint: what blocks the first blocks all, and of several the lowest is told.
fn rule(grounds: &[(&Ground, isize)], verdicts: &mut Vec<((Claimant, Ruling), isize)>) {
    let mut lowest = None;
    for (ground, _) in grounds {
        match ground {
            Ground::Blocked(by) => lowest = lowest.or(Some(Ruling::TooClose(by.clone()))),
            Ground::Claim(claimant) => {
                let ruling =
                    lowest.clone().unwrap_or(if verdicts.is_empty() { Ruling::Stands } else { Ruling::Duplicate });
                verdicts.push(((*claimant, ruling), 1));
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::{Attempt, LanguageIndex, TurnIndex, Wave};
    use differential_dataflow::input::InputSession;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};
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
                let verdicts = dedup(claims.to_collection(scope).inner, watermarks, earlier, None);
                let (probe, verdicts) = verdicts.probe();
                verdicts.inspect(move |change| out.send(change.clone()).unwrap());
                (input, probe)
            });
            for (tick, (changes, watermark)) in ticks.iter().enumerate() {
                let changes = changes.iter().filter(|_| first);
                changes.for_each(|((question, rank), diff)| claims.update((*question, claimant(*rank), None), *diff));
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
                while let Some(((fingerprint, (claimant, ruling)), _, _)) = changes.next_if(|(_, at, _)| *at <= tick) {
                    state.insert((fingerprint, claimant.rank), ruling == Ruling::Stands);
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
