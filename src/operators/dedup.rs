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
