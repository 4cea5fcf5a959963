//! The watermark: the lowest rank that anything in the run can still claim or withdraw.

use crate::domain::{Rank, Tick};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// What a home tells after the verdicts of a tick, and before those of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The worker whose home reports.
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
    /// Those of them that were dropped.
    pub dropped: u32,
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

    /// The home with the fewest conversations that go on, the first of several: whoever is done sooner is given more.
    pub fn idlest(&self) -> usize {
        let busy = |home: &usize| {
            self.latest[*home].map_or(0, |report| report.open as usize) + self.unregistered[*home].1.len()
        };
        (0..self.latest.len()).min_by_key(busy).unwrap_or(0)
    }

    /// The latest report of each home.
    pub fn reports(&self) -> impl Iterator<Item = &Report> {
        self.latest.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{LanguageIndex, Wave};

    fn rank(wave: u32) -> Rank {
        Rank::lowest(LanguageIndex(0), Wave(wave))
    }

    fn report(worker: usize, tick: u64, bound: u32, registered: u64) -> Report {
        let (tick, bound) = (Tick(tick), rank(bound));
        Report { worker, tick, bound, registered, open: 1, held: 0, dropped: 0, rollbacks: 0, wasted: 0 }
    }

    #[test]
    fn only_reports_of_the_same_tick_fit_together() {
        let mut homes = Watermark::new(2);
        assert_eq!(homes.get(rank(9)), rank(9), "nothing is open");
        homes.report(report(0, 0, 3, 0));
        homes.report(report(0, 1, 7, 0));
        assert_eq!(homes.get(rank(9)), rank(9));
        homes.report(report(1, 0, 5, 0));
        assert_eq!(homes.get(rank(9)), rank(3), "home 0 is at 7 by now, home 1 was at 5 before");
        homes.report(report(1, 1, 6, 0));
        assert_eq!((homes.get(rank(9)), homes.get(rank(2))), (rank(6), rank(2)));
    }

    #[test]
    fn a_conversation_counts_until_its_home_reports_it() {
        let mut homes = Watermark::new(2);
        homes.open(1, rank(4));
        homes.open(1, rank(2));
        assert_eq!((homes.get(Rank::END), homes.active()), (rank(2), 2));
        homes.report(report(0, 0, 9, 0));
        homes.report(report(1, 0, 8, 1));
        assert_eq!((homes.get(Rank::END), homes.active()), (rank(2), 3), "one is registered, and on its way no more");
        homes.report(report(0, 1, 9, 0));
        homes.report(report(1, 1, 8, 2));
        assert_eq!((homes.get(Rank::END), homes.active()), (rank(8), 2));
    }

    #[test]
    fn whoever_has_the_fewest_conversations_is_the_idlest() {
        let mut homes = Watermark::new(3);
        for (home, expected) in [(0, 1), (1, 2), (0, 2), (2, 1)] {
            homes.open(home, rank(1));
            assert_eq!(homes.idlest(), expected);
        }
        let reports = [(0, 2, 0), (1, 1, 1), (2, 1, 1)];
        reports.into_iter().for_each(|(home, registered, open)| {
            homes.report(Report { open, ..report(home, 0, 9, registered) });
        });
        assert_eq!(homes.idlest(), 0, "both of its conversations have ended");
    }
}
