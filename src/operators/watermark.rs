//! The watermark: the lowest rank that anything in the run can still claim or withdraw.

use crate::words::{Rank, Tick};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// What a home tells after the verdicts of a tick, and before those of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whose home.
    pub worker: usize,
    /// All verdicts up to it are applied.
    pub tick: Tick,
    /// The lowest rank of an open conversation, or of a claim or withdrawal that is not ruled on.
    pub bound: Rank,
    /// Conversations registered there so far.
    pub registered: u64,
    /// Conversations that go on.
    pub open: u32,
    /// Conversations that have ended and are not final.
    pub held: u32,
    /// Verdicts that changed so far.
    pub rollbacks: u64,
    /// Model calls that came to nothing by it.
    pub wasted: u64,
}

/// Puts the reports of all homes together. Only reports of the same tick fit together: between two ticks a roll-back
/// could be on its way from one home to the other and be missed by both.
#[derive(Debug)]
pub struct Watermark {
    ticks: BTreeMap<Tick, Vec<Report>>,
    /// The reports of the last tick that all homes have reported.
    latest: Vec<Option<Report>>,
    /// Per home, the conversations sent there that it had not registered at that tick, and how many it had.
    unregistered: Vec<(u64, VecDeque<Rank>)>,
}

impl Watermark {
    /// For so many homes, none of which knows of a conversation.
    pub fn new(homes: usize) -> Self {
        let unregistered = vec![(0, VecDeque::new()); homes];
        Self { ticks: BTreeMap::new(), latest: vec![None; homes], unregistered }
    }

    /// A conversation is on its way to its home; its first question will have this rank.
    pub fn open(&mut self, home: usize, first: Rank) {
        self.unregistered[home].1.push_back(first);
    }

    /// Takes a report. Each home reports every tick, in turn.
    pub fn report(&mut self, report: Report) {
        self.ticks.entry(report.tick).or_default().push(report);
        while let Some(first) = self.ticks.first_entry().filter(|first| first.get().len() == self.latest.len()) {
            for report in first.remove() {
                let (registered, on_their_way) = &mut self.unregistered[report.worker];
                on_their_way.drain(..(report.registered - *registered) as usize);
                *registered = report.registered;
                self.latest[report.worker] = Some(report);
            }
        }
    }

    /// The watermark, when conversations not opened yet rank no lower than this.
    pub fn get(&self, unopened: Rank) -> Rank {
        let reported = self.reports().map(|report| report.bound);
        let on_their_way = self.unregistered.iter().flat_map(|(_, firsts)| firsts).copied();
        reported.chain(on_their_way).fold(unopened, Rank::min)
    }

    /// Conversations that go on.
    pub fn active(&self) -> u32 {
        let on_their_way: usize = self.unregistered.iter().map(|(_, firsts)| firsts.len()).sum();
        self.reports().map(|report| report.open).sum::<u32>() + on_their_way as u32
    }

    /// The latest report of each home.
    pub fn reports(&self) -> impl Iterator<Item = &Report> {
        self.latest.iter().flatten()
    }
}
