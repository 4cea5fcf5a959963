//! `dedup`: which claim to a question wins.

use super::Flow;
use crate::words::{Fingerprint, Rank, Tick};
use differential_dataflow::AsCollection;
use serde::{Deserialize, Serialize};

/// What one conversation claims of a question: that it was first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Proposal {
    /// When it was claimed.
    pub tick: Tick,
    /// By whom, and at which of their questions.
    pub rank: Rank,
}

/// A change to the collection of claims.
pub type Claim = ((Fingerprint, Proposal), u64, isize);

/// A change to the collection of verdicts: whether the claim of this rank won its fingerprint.
pub type Verdict = ((Fingerprint, (Proposal, bool)), u64, isize);

/// Maintains, over all workers, the winner of every fingerprint: the first claim to arrive, ties going to the lowest
/// rank. One verdict a claim; as a claim never arrives before one that was ruled on, no verdict is taken back.
pub fn dedup(claims: Flow<'_, Claim>) -> Flow<'_, Verdict> {
    claims
        .as_collection()
        .reduce_named("dedup", |_, claims, verdicts| {
            verdicts.extend(claims.iter().enumerate().map(|(place, (proposal, _))| ((**proposal, place == 0), 1)));
        })
        .inner
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::words::{Attempt, LanguageIndex, TurnIndex, Wave};
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::sync::mpsc;
    use timely::dataflow::operators::{Inspect, ToStream};

    fn claim(question: u128, tick: u64, index: u32) -> (Fingerprint, Proposal) {
        let rank = Rank { language: LanguageIndex(0), wave: Wave(0), turn: TurnIndex(1), attempt: Attempt(0), index };
        (Fingerprint(question), Proposal { tick: Tick(tick), rank })
    }

    /// The final collection of verdicts, and how many were taken back on the way.
    fn verdicts(
        claims: Vec<(Fingerprint, Proposal)>,
        workers: usize,
    ) -> (BTreeMap<(Fingerprint, Proposal), bool>, usize) {
        let (out, changes) = mpsc::channel();
        timely::execute(timely::Config::process(workers), move |worker| {
            let (out, peers, index) = (out.clone(), worker.peers(), worker.index());
            let mine: Vec<Claim> =
                claims.iter().skip(index).step_by(peers).map(|claim| (*claim, claim.1.tick.0, 1)).collect();
            worker.dataflow::<u64, _, _>(|scope| {
                dedup(mine.to_stream(scope)).inspect(move |change| out.send(*change).unwrap());
            });
        })
        .unwrap()
        .join()
        .into_iter()
        .for_each(|worker| worker.unwrap());
        let (given, taken): (Vec<Verdict>, Vec<Verdict>) = changes.into_iter().partition(|(_, _, diff)| *diff > 0);
        let pairs = given.into_iter().map(|((fingerprint, (proposal, won)), _, _)| ((fingerprint, proposal), won));
        (pairs.collect(), taken.len())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn the_first_claim_wins_for_good(
            claims in proptest::collection::btree_set((0u128..6, 0u64..9, 0u32..12), 0..60), workers in 1usize..5,
        ) {
            let claims: Vec<_> = claims.into_iter().map(|(question, tick, index)| claim(question, tick, index)).collect();
            let mut expected = BTreeMap::new();
            for (fingerprint, proposal) in &claims {
                let first = claims.iter().filter(|(other, _)| other == fingerprint).map(|(_, proposal)| proposal).min();
                expected.insert((*fingerprint, *proposal), Some(proposal) == first);
            }
            prop_assert_eq!(verdicts(claims, workers), (expected, 0));
        }
    }
}
