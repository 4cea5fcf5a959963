//! The logical clock of claims on one worker.
//!
//! A tick is an event, not a duration. A worker that has something to tell does so at its present tick and nudges every
//! other worker's clock past it, so that the tick closes after one exchange of messages; between events nobody wakes.

use super::dedup::{Claim, Claimant};
use super::home::Change;
use crate::domain::Tick;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;

/// Tells a worker, by its number, to move its clock to a tick.
pub type Nudge = (u64, u64);

type Output<D> = OutputBuilder<u64, CapacityContainerBuilder<Vec<D>>>;

/// Stamps claims, and keeps the capabilities that say how far this worker's clock is.
pub struct Clock {
    claiming: Capability<u64>,
    nudging: Capability<u64>,
    claims: Output<Claim>,
    nudges: Output<Nudge>,
    index: u64,
    others: Vec<u64>,
}

impl Clock {
    /// The clock of worker `index` among `peers`, at its first tick.
    pub fn new(
        (claiming, claims): (Capability<u64>, Output<Claim>),
        (nudging, nudges): (Capability<u64>, Output<Nudge>),
        index: u64,
        peers: u64,
    ) -> Self {
        let others = (0..peers).filter(|worker| *worker != index).collect();
        Self { claiming, nudging, claims, nudges, index, others }
    }

    /// The tick at which it stands now.
    pub fn now(&self) -> Tick {
        Tick(*self.claiming.time())
    }

    /// Moves on to a tick that another worker has reached.
    pub fn catch_up(&mut self, tick: u64) {
        let tick = tick.max(*self.claiming.time());
        self.claiming.downgrade(&tick);
        self.nudging.downgrade(&tick);
    }

    /// Sends all these changes at the present tick, and moves everyone past it.
    pub fn send(&mut self, changes: impl Iterator<Item = Change>) {
        let (Tick(tick), home) = (self.now(), self.index);
        let claims =
            changes.map(|((question, rank, sketch), diff)| ((question, Claimant { rank, home }, sketch), tick, diff));
        self.claims.activate().session(&self.claiming).give_iterator(claims);
        let nudges = self.others.iter().map(|worker| (*worker, tick + 1));
        self.nudges.activate().session(&self.nudging).give_iterator(nudges);
        self.catch_up(tick + 1);
    }
}
