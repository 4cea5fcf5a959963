//! The logical clock of claims on one worker.
//!
//! A tick is an event, not a duration. A claim sent at a tick nudges every other worker's clock past it, so that the tick
//! closes after one exchange of messages; between claims nobody wakes.

use super::dedup::{Claim, Proposal};
use crate::words::{Fingerprint, Rank, Tick};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;

/// Tells a worker, by its number, to move its clock to a tick.
pub type Nudge = (u64, u64);

type Output<D> = OutputBuilder<u64, CapacityContainerBuilder<Vec<D>>>;

/// Stamps claims, and keeps the capabilities that say how far this worker's clock is.
pub struct Clock {
    /// To claim and to nudge; none when the clock has ended.
    capabilities: Option<[Capability<u64>; 2]>,
    claims: Output<Claim>,
    nudges: Output<Nudge>,
    others: Vec<u64>,
}

impl Clock {
    /// A clock at its first tick. `capabilities` ends with those of the two outputs.
    pub fn new(
        mut capabilities: Vec<Capability<u64>>,
        claims: Output<Claim>,
        nudges: Output<Nudge>,
        index: u64,
        peers: u64,
    ) -> Self {
        let of_outputs = capabilities.split_off(capabilities.len() - 2);
        let others = (0..peers).filter(|worker| *worker != index).collect();
        Self { capabilities: of_outputs.try_into().ok(), claims, nudges, others }
    }

    /// Moves on to a tick that another worker has reached.
    pub fn catch_up(&mut self, tick: u64) {
        for capability in self.capabilities.iter_mut().flatten() {
            capability.downgrade(&tick.max(*capability.time()));
        }
    }

    /// Sends all these claims at the present tick, if there are any, and moves everyone past it.
    pub fn send(&mut self, claims: &mut Vec<(Fingerprint, Rank)>) {
        let Some([claiming, nudging]) = self.capabilities.as_ref().filter(|_| !claims.is_empty()) else { return };
        let tick = *claiming.time();
        let claim = |(fingerprint, rank)| ((fingerprint, Proposal { tick: Tick(tick), rank }), tick, 1);
        self.claims.activate().session(claiming).give_iterator(claims.drain(..).map(claim));
        self.nudges.activate().session(nudging).give_iterator(self.others.iter().map(|worker| (*worker, tick + 1)));
        self.catch_up(tick + 1);
    }

    /// Lets go: nothing more will be claimed.
    pub fn end(&mut self) {
        self.capabilities = None;
    }
}
