//! The state of runs: what models replied, what is settled, how long the files are that record it.
//!
//! A model's reply is the only thing in a run that is neither deterministic nor free, so the journal of replies *is* a
//! run's state; everything else follows from it. A [`Store`] keeps it behind one trait; [`Journal`] brings replies to it
//! in groups, each durable before the graph sees it.

mod backend;
mod database;
mod error;
mod flights;
pub mod journal;
mod packing;
mod places;
pub mod postgres;
mod recorded;
mod records;
mod replies;
mod runs;
mod salvage;
mod sqlite;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

pub use backend::{Backend, DSN_VARIABLE, find, look, open};
pub use database::cause;
pub use error::StoreError;
pub use flights::Flights;
pub use journal::{Delays, Journal, Recalled, Reuse, recall};
pub use recorded::{Broken, Kept, Recorded};
pub use records::{
    Admission, Charge, Cost, Entry, Fact, KeptReply, Mark, Paid, Revision, Run, Settled, Spending, Spent, State, Tiered,
};

pub use postgres::Postgres;
pub use sqlite::{FOLDER, Sqlite};

use crate::domain::{Digest, Fingerprint, HeldClaim, Place, Slot};
use std::collections::BTreeMap;

/// What the section `store` of the settings says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where the state of runs is kept.
    pub backend: Backend,
    /// Whether replies stay once their conversation is settled.
    pub keep_calls: bool,
    /// Whether replies are kept with the requests that they are to.
    pub keep_requests: bool,
}

/// Where the replies of runs are kept: what a process needs that makes conversations.
///
/// Whatever a method has written is durable when it returns: it outlives the process and a power cut. A method that
/// fails has written nothing.
pub trait Replies: Send + Sync {
    /// Keeps replies. One that is there already stays as it is.
    fn append(&self, run: &str, replies: &[Entry]) -> Result<(), StoreError>;

    /// The kept reply to this request at this place. A point read: it may hold up its caller for that long.
    fn recall(&self, run: &str, place: &Place, digest: Digest) -> Result<Option<Vec<u8>>, StoreError>;

    /// Gives up a kept reply that can't be read, so that another one can be kept in its place.
    fn discard(&self, run: &str, place: &Place, digest: Digest) -> Result<(), StoreError>;

    /// The conversations of a run that have replies, in any order.
    fn replied(&self, run: &str) -> Result<Vec<Slot>, StoreError>;
}

/// Where the state of all runs of an output folder is kept, under the terms of [`Replies`].
pub trait Store: Replies {
    /// All runs, in the order in which they began.
    fn runs(&self) -> Result<Vec<Run>, StoreError>;

    /// Records that a run begins.
    fn begin(&self, run: &Run) -> Result<(), StoreError>;

    /// Records that a run has come to this state.
    fn set_state(&self, run: &str, state: State, at: &str) -> Result<(), StoreError>;

    /// Records conversations that are settled, and how long every file is that tells of them.
    fn admit(&self, run: &str, admission: &Admission) -> Result<(), StoreError>;

    /// Records that files were written anew, and what they tell of conversations that are settled: all of it, or nothing.
    /// Done twice, it is as if it was done once.
    fn revise(&self, revision: &Revision) -> Result<(), StoreError>;

    /// What a run has settled, in slot order.
    fn settled(&self, run: &str) -> Result<Vec<Settled>, StoreError>;

    /// The accepted questions of settled conversations that none of their turns has, of all runs, each with its run.
    fn unfinished(&self) -> Result<Vec<(String, Fingerprint)>, StoreError>;

    /// The accepted questions of settled conversations that near-duplicates are looked for of, of all runs, each with its run.
    fn claims(&self) -> Result<Vec<(String, Slot, Vec<HeldClaim>)>, StoreError>;

    /// Length and end of every file that some run has written to, by its path in the output folder.
    fn files(&self) -> Result<BTreeMap<String, Mark>, StoreError>;

    /// The replies that are kept of a conversation of a run, by their places, and in the order in which they came there.
    fn replies_of(&self, run: &str, slot: Slot) -> Result<Vec<KeptReply>, StoreError>;

    /// What a run has spent so far, by agent, model and language.
    fn spent(&self, run: &str) -> Result<Vec<Spent>, StoreError>;

    /// What the replies of a run have cost in every service tier but the standard one.
    ///
    /// # Errors
    /// When it can't be read.
    fn tiers(&self, run: &str) -> Result<Vec<Tiered>, StoreError>;

    /// Records what a run may have spent in all, requests that are out among it.
    fn record_spending(&self, run: &str, spending: Spending) -> Result<(), StoreError>;

    /// What a run with a budget may have spent in all, as it was recorded last; nothing where nothing was.
    fn spending(&self, run: &str) -> Result<Spending, StoreError>;

    /// What the kept replies of a run have cost that were not taken over from another one, by conversation.
    fn charges(&self, run: &str) -> Result<Vec<Charge>, StoreError>;

    /// Keeps what a run has learned of an endpoint. What is known already is not kept twice.
    fn learn(&self, run: &str, fact: &Fact) -> Result<(), StoreError>;

    /// What a run has learned of its endpoints, in the order in which it did.
    fn learned(&self, run: &str) -> Result<Vec<Fact>, StoreError>;
}
