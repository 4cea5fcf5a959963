//! `dedup`: which claim to a question wins.

use super::Flow;
use crate::words::{Fingerprint, Rank};
use differential_dataflow::operators::arrange::arrangement::arrange_core;
use differential_dataflow::trace::implementations::{ValBatcher, ValBuilder, ValSpine};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::progress::Antichain;
use timely::progress::operate::FrontierInterest;

/// A change to the collection of claims: the question of this rank claims to be the first of its fingerprint.
pub type Claim = ((Fingerprint, Rank), u64, isize);

/// A change to the collection of verdicts: whether the claim of this rank wins its fingerprint.
pub type Verdict = ((Fingerprint, (Rank, bool)), u64, isize);

/// Maintains, over all workers, the winner of every fingerprint: its lowest claim; none when it was asked in an `earlier`
/// run. A verdict is given at the tick of its claim, and again whenever it changes.
///
/// The collection holds what may still change. A fingerprint whose winner is below the watermark leaves it for a set,
/// and claims to it are rejected from then on. `watermarks` must reach every worker.
pub fn dedup<'scope>(
    claims: Flow<'scope, Claim>,
    watermarks: Flow<'scope, Rank>,
    earlier: impl IntoIterator<Item = Fingerprint>,
) -> Flow<'scope, Verdict> {
    let (live, rejected) = unsettled(claims, watermarks, earlier);
    // Claims are at the worker of their fingerprint already.
    let claims =
        arrange_core::<_, _, _, ValSpine<Fingerprint, Rank, u64, isize>>(live, Pipeline, "claims", ValBatcher::new);
    let verdicts = claims.reduce_abelian::<_, ValBuilder<_, _, _, _>, ValSpine<_, (Rank, bool), _, _>, _, _>(
        "dedup",
        |_, claims, verdicts| {
            verdicts.extend(claims.iter().enumerate().map(|(place, (rank, _))| ((**rank, place == 0), 1)));
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
    earlier: impl IntoIterator<Item = Fingerprint>,
) -> (Flow<'scope, Claim>, Flow<'scope, Verdict>) {
    let scope = claims.scope();
    let (index, peers) = (scope.index() as u64, scope.peers() as u64);
    let along = [(0, Antichain::from_elem(0))];
    let mut builder = OperatorBuilder::new("unsettled".into(), scope);
    let mut claims = builder.new_input(claims, Exchange::new(|((fingerprint, _), _, _): &Claim| fingerprint.home()));
    let mut watermarks = builder.new_input_connection(watermarks, Pipeline, Vec::<(usize, Antichain<u64>)>::new());
    builder.set_notify_for(0, FrontierInterest::Always);
    let (live, live_stream) = builder.new_output_connection::<Vec<Claim>, _>(along.clone());
    let (rejected, rejected_stream) = builder.new_output_connection::<Vec<Verdict>, _>(along);
    let (mut live, mut rejected) = (OutputBuilder::from(live), OutputBuilder::from(rejected));
    let settled = earlier.into_iter().filter(|fingerprint| fingerprint.home() % peers == index).collect();

    builder.build(move |capabilities| {
        let mut capabilities: Option<[_; 2]> = capabilities.try_into().ok();
        let mut open: BTreeMap<u64, Vec<Claim>> = BTreeMap::new();
        let mut claimed = Claimed { settled, ..Claimed::default() };
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
            let verdicts = lost.map(|((fingerprint, rank), tick, _)| ((fingerprint, (rank, false)), tick, 1));
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
    /// Fingerprints that are taken for good.
    settled: HashSet<Fingerprint>,
    /// Claims in the collection, by fingerprint and by rank.
    by_fingerprint: HashMap<Fingerprint, BTreeSet<Rank>>,
    by_rank: BTreeSet<(Rank, Fingerprint)>,
}

impl Claimed {
    /// Whether a change belongs to the collection; its fingerprint is settled otherwise.
    fn take(&mut self, ((fingerprint, rank), _, diff): &Claim) -> bool {
        if self.settled.contains(fingerprint) {
            return false;
        }
        let claims = self.by_fingerprint.entry(*fingerprint).or_default();
        if *diff > 0 {
            claims.insert(*rank);
            self.by_rank.insert((*rank, *fingerprint));
        } else {
            claims.remove(rank);
            self.by_rank.remove(&(*rank, *fingerprint));
            if claims.is_empty() {
                self.by_fingerprint.remove(fingerprint);
            }
        }
        true
    }

    /// Settles the fingerprints whose lowest claim is below the watermark. All their claims must leave the collection at
    /// once, or the best of the losers would win.
    fn settle(&mut self, watermark: Rank) -> Vec<(Fingerprint, Rank)> {
        let mut leaving = Vec::new();
        while let Some((_, fingerprint)) = self.by_rank.first().copied().filter(|(lowest, _)| *lowest < watermark) {
            self.settled.insert(fingerprint);
            for rank in self.by_fingerprint.remove(&fingerprint).unwrap_or_default() {
                self.by_rank.remove(&(rank, fingerprint));
                leaving.push((fingerprint, rank));
            }
        }
        leaving
    }
}
