//! The gate of the claims: what is settled leaves the collection, and is rejected before it comes there.

use super::{Asked, Claim, Claimant, Entrant, Verdict};
use crate::domain::{Fingerprint, Rank, Ruling, Sketch};
use crate::operators::Flow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::progress::Antichain;
use timely::progress::operate::FrontierInterest;

/// A change to the collection of claims that may still change their verdict.
pub(super) type Live = ((Fingerprint, Entrant), u64, isize);

/// A question that is accepted for good, and the tick at which its claim leaves the collection.
pub(super) type Accepted = (Asked, u64);

/// The streams of the gate, each at the worker of its fingerprint.
pub(super) struct Gate<'scope> {
    /// Changes to the collection that must be ruled on.
    pub live: Flow<'scope, Live>,
    /// Verdicts on claims to a fingerprint that is settled.
    pub rejected: Flow<'scope, Verdict>,
    /// Questions that are accepted for good, as their claims leave the collection.
    pub settled: Flow<'scope, Accepted>,
}

/// The input with the verdicts on what it let pass.
const RULED: usize = 2;

/// Splits claims into those that the collection must rule on, and verdicts on those whose fingerprint is settled: asked `earlier`
/// (these are in order), or accepted below the watermark. A claim below the watermark leaves the collection, and where it is
/// accepted, so do all others to its fingerprint, in the same tick.
///
/// `watermarks` must reach every worker. `ruled` are the verdicts that come of the collection; where there are none, the lowest claim to a
/// fingerprint is the one that is accepted.
pub(super) fn gate<'scope>(
    claims: Flow<'scope, Claim>,
    watermarks: Flow<'scope, Rank>,
    ruled: Option<Flow<'scope, Verdict>>,
    earlier: Arc<[Fingerprint]>,
) -> Gate<'scope> {
    let scope = claims.scope();
    let along = [(0, Antichain::from_elem(0))];
    let apart: Vec<(usize, Antichain<u64>)> = Vec::new();
    let mut claimed = Claimed { earlier, lowest_wins: ruled.is_none(), ..Claimed::default() };
    let ruled = ruled.unwrap_or_else(|| timely::dataflow::operators::generic::operator::empty(scope));
    let mut builder = OperatorBuilder::new("gate".into(), scope);
    let mut claims = builder.new_input(claims, Exchange::new(|((fingerprint, ..), ..): &Claim| fingerprint.home()));
    let mut watermarks = builder.new_input_connection(watermarks, Pipeline, apart.clone());
    let home = Exchange::new(|((fingerprint, _), ..): &Verdict| fingerprint.home());
    let mut ruled = builder.new_input_connection(ruled, home, apart);
    [0, RULED].into_iter().for_each(|input| builder.set_notify_for(input, FrontierInterest::Always));
    let (live, live_stream) = builder.new_output_connection::<Vec<Live>, _>(along.clone());
    let (rejected, rejected_stream) = builder.new_output_connection::<Vec<Verdict>, _>(along.clone());
    let (settled, settled_stream) = builder.new_output_connection::<Vec<Accepted>, _>(along);
    let (mut live, mut rejected) = (OutputBuilder::from(live), OutputBuilder::from(rejected));
    let mut settled = OutputBuilder::from(settled);
    assert!(claimed.earlier.is_sorted(), "fingerprints of earlier runs are in order");

    builder.build(move |capabilities| {
        let mut capabilities: Option<[_; 3]> = capabilities.try_into().ok();
        let mut open: BTreeMap<u64, Vec<Claim>> = BTreeMap::new();
        let mut received = VecDeque::new();
        let mut watermark = Rank::default();
        move |frontiers| {
            claims.for_each(|_, batch| {
                batch.drain(..).for_each(|claim| open.entry(claim.1).or_default().push(claim));
            });
            let mut highest = None;
            watermarks.for_each(|_, batch| highest = batch.drain(..).max().max(highest));
            ruled.for_each(|_, batch| batch.drain(..).for_each(|verdict| claimed.rule(verdict)));
            let Some([keeping, rejecting, settling]) = &mut capabilities else { return };
            let frontier = frontiers[0].frontier().first().copied();
            let later = frontier.map(|tick| open.split_off(&tick)).unwrap_or_default();
            let closed = std::mem::replace(&mut open, later).into_values().flatten();
            let (live_claims, lost): (Vec<_>, Vec<_>) = closed.partition(|claim| claimed.take(claim));
            live.activate().session(keeping).give_iterator(live_claims.into_iter().map(entrant));
            let lost = lost.into_iter().filter(|(_, _, diff)| *diff > 0);
            let verdicts = lost
                .map(|((fingerprint, claimant, _), tick, _)| ((fingerprint, (claimant, Ruling::Duplicate)), tick, 1));
            rejected.activate().session(rejecting).give_iterator(verdicts);
            let Some(tick) = frontier else {
                capabilities = None;
                return;
            };
            [&mut *keeping, rejecting, settling].into_iter().for_each(|capability| capability.downgrade(&tick));
            // What ranks below a watermark has its last verdict at a tick that this gate had closed when the watermark came; the
            // loop of the verdicts adds one to every time.
            received.extend(highest.map(|highest| (tick + 1, highest)));
            let ruled = frontiers[RULED].frontier().first().copied().unwrap_or(u64::MAX);
            while let Some((_, highest)) = received.pop_front_if(|(tick, _)| *tick <= ruled) {
                watermark = watermark.max(highest);
            }
            let (leaving, accepted) = claimed.settle(watermark);
            live.activate().session(keeping).give_iterator(leaving.into_iter().map(|claim| (claim, tick, -1)));
            settled.activate().session(settling).give_iterator(accepted.into_iter().map(|one| (one, tick)));
        }
    });
    Gate { live: live_stream, rejected: rejected_stream, settled: settled_stream }
}

fn entrant(((fingerprint, claimant, sketch), tick, diff): Claim) -> Live {
    ((fingerprint, Entrant { claimant, sketch }), tick, diff)
}

/// What is claimed, on one worker.
#[derive(Debug, Default)]
struct Claimed {
    /// Fingerprints that are taken for good: since earlier runs, in order, and in this one.
    earlier: Arc<[Fingerprint]>,
    settled: HashSet<Fingerprint>,
    /// Claims in the collection, by fingerprint and by rank.
    by_fingerprint: HashMap<Fingerprint, BTreeSet<Claimant>>,
    by_rank: BTreeMap<(Claimant, Fingerprint), Held>,
    /// Whether the lowest claim to a fingerprint is accepted, whatever the verdict on it is.
    lowest_wins: bool,
}

/// A claim in the collection.
#[derive(Debug)]
struct Held {
    sketch: Option<Arc<Sketch>>,
    /// The tick of its latest verdict, and whether it is accepted by that.
    ruled: (u64, bool),
}

impl Claimed {
    /// Whether a change belongs to the collection; its fingerprint is settled otherwise.
    fn take(&mut self, ((fingerprint, claimant, sketch), _, diff): &Claim) -> bool {
        if self.settled.contains(fingerprint) || self.earlier.binary_search(fingerprint).is_ok() {
            return false;
        }
        let claims = self.by_fingerprint.entry(*fingerprint).or_default();
        if *diff > 0 {
            claims.insert(*claimant);
            let held = Held { sketch: sketch.clone(), ruled: (0, self.lowest_wins) };
            self.by_rank.insert((*claimant, *fingerprint), held);
        } else {
            claims.remove(claimant);
            self.by_rank.remove(&(*claimant, *fingerprint));
            if claims.is_empty() {
                self.by_fingerprint.remove(fingerprint);
            }
        }
        true
    }

    /// Notes a verdict. Those of one claim may come in any order.
    fn rule(&mut self, ((fingerprint, (claimant, ruling)), tick, diff): Verdict) {
        let held = self.by_rank.get_mut(&(claimant, fingerprint)).filter(|held| diff > 0 && held.ruled.0 <= tick);
        if let Some(held) = held {
            held.ruled = (tick, ruling == Ruling::Stands);
        }
    }

    /// Takes what ranks below the watermark out of the collection. All claims to the fingerprint of one that is accepted must leave
    /// at once, or the best of the losers would win.
    fn settle(&mut self, watermark: Rank) -> (Vec<(Fingerprint, Entrant)>, Vec<Asked>) {
        let (mut leaving, mut accepted) = (Vec::new(), Vec::new());
        while let Some(first) = self.by_rank.first_entry().filter(|first| first.key().0.rank < watermark) {
            let ((claimant, fingerprint), Held { sketch, ruled: (_, is_accepted) }) = first.remove_entry();
            let mut others = BTreeSet::new();
            if is_accepted {
                self.settled.insert(fingerprint);
                accepted.extend(sketch.clone().map(|sketch| (claimant.rank, sketch)));
                others = self.by_fingerprint.remove(&fingerprint).unwrap_or_default();
                others.remove(&claimant);
            } else if let Some(claims) = self.by_fingerprint.get_mut(&fingerprint) {
                claims.remove(&claimant);
            }
            leaving.push((fingerprint, Entrant { claimant, sketch }));
            for claimant in others {
                let held = self.by_rank.remove(&(claimant, fingerprint));
                leaving.extend(held.map(|held| (fingerprint, Entrant { claimant, sketch: held.sketch })));
            }
        }
        (leaving, accepted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Attempt, LanguageIndex, MinHash, TurnIndex, Wave};
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;
    use timely::dataflow::operators::{Input, Inspect};

    fn claimant(wave: u32, index: u32) -> Claimant {
        let (language, wave) = (LanguageIndex(0), Wave(wave));
        Claimant { rank: Rank { language, wave, turn: TurnIndex(1), attempt: Attempt(0), index }, home: 0 }
    }

    fn claim(question: u128, claimant: Claimant) -> Claim {
        ((Fingerprint(question), claimant, None), 0, 1)
    }

    /// Would catch: a claim that leaves as one that was rejected, because its verdict is still on its way.
    #[test]
    fn a_claim_stays_until_its_verdict_has_come() {
        timely::execute_directly(|worker| {
            let (live, settled) = (Rc::<RefCell<Vec<isize>>>::default(), Rc::<Cell<usize>>::default());
            let (lives, settles) = (live.clone(), settled.clone());
            let (mut claims, mut watermarks, mut ruled) = worker.dataflow::<u64, _, _>(|scope| {
                let (claims, claimed) = scope.new_input();
                let (watermarks, marked) = scope.new_input();
                let (ruled, verdicts) = scope.new_input();
                let gate = gate(claimed, marked, Some(verdicts), Arc::default());
                gate.live.inspect(move |(_, _, diff)| lives.borrow_mut().push(*diff));
                gate.settled.inspect(move |_| settles.set(settles.get() + 1));
                (claims, watermarks, ruled)
            });
            let (question, first) = (Fingerprint(7), claimant(0, 0));
            let sketch = MinHash::new(0.8).sketch("Who built it?");
            claims.send(((question, first, Some(Arc::new(sketch))), 0, 1));
            claims.advance_to(1);
            watermarks.send(claimant(1, 0).rank);
            watermarks.advance_to(1);
            (0..20).for_each(|_| _ = worker.step());
            assert_eq!((&live.borrow()[..], settled.get()), (&[1][..], 0));
            ruled.advance_to(1);
            ruled.send(((question, (first, Ruling::Stands)), 0, 1));
            ruled.advance_to(2);
            (0..20).for_each(|_| _ = worker.step());
            assert_eq!((&live.borrow()[..], settled.get()), (&[1, -1][..], 1));
        });
    }

    #[test]
    fn the_collection_holds_only_what_may_change() {
        let mut claimed = Claimed { lowest_wins: true, ..Claimed::default() };
        for index in 0..100 {
            assert!(claimed.take(&claim((index % 60).into(), claimant(index / 10, index))));
        }
        let (leaving, _) = claimed.settle(claimant(5, 0).rank);
        assert_eq!(leaving.len(), 50 + 40, "fifty winners, and forty losers with a fingerprint of theirs");
        assert_eq!((claimed.settled.len(), claimed.by_fingerprint.len(), claimed.by_rank.len()), (50, 10, 10));
        assert!(!claimed.take(&claim(3, claimant(9, 999))));
    }

    #[test]
    fn a_rejected_claim_leaves_alone_and_its_fingerprint_stays_free() {
        let mut claimed = Claimed::default();
        let (first, second) = (claimant(0, 0), claimant(1, 1));
        assert!(claimed.take(&claim(7, first)) && claimed.take(&claim(7, second)));
        // The verdicts come in any order; the last one is that of the later tick.
        claimed.rule(((Fingerprint(7), (first, Ruling::Duplicate)), 5, 1));
        claimed.rule(((Fingerprint(7), (first, Ruling::Stands)), 4, 1));
        let (leaving, accepted) = claimed.settle(second.rank);
        assert_eq!((leaving.len(), accepted.len(), claimed.settled.len()), (1, 0, 0));
        assert_eq!(claimed.by_fingerprint[&Fingerprint(7)], BTreeSet::from([second]));
        assert!(claimed.take(&claim(7, claimant(2, 2))));
    }
}
