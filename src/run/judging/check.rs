//! The judge of a pass is judged by what it makes of spoiled answers, before any file changes.

use super::super::judge_check::low;
use crate::domain::{Calibration, Slot, Turns};
use crate::stages::LeastAuc;
use std::collections::BTreeSet;

/// What the judge has made of spoiled answers so far.
pub struct Check {
    /// Conversations that have not been with the judge yet, among those in whose first turn it scores spoiled answers.
    open: BTreeSet<(usize, Slot)>,
    least: LeastAuc,
    /// The scores of answers as they are and of spoiled ones.
    pub calibration: Calibration,
}

impl Check {
    /// Of a judge that scores spoiled answers in these conversations, each named by the number of its run and its slot.
    pub fn new(open: BTreeSet<(usize, Slot)>, least: LeastAuc) -> Self {
        Self { open, least, calibration: Calibration::default() }
    }

    /// Takes the turns of a conversation that has been with the judge, if they have new verdicts. What is wrong with a judge that is
    /// not good enough, once it has scored all spoiled answers.
    pub fn take(&mut self, place: (usize, Slot), turns: Option<&Turns>) -> Option<String> {
        if !self.open.remove(&place) {
            return None;
        }
        self.calibration.add(turns.map(|turns| turns.calibration).unwrap_or_default());
        let told = low(&self.calibration, self.least).filter(|_| self.open.is_empty())?;
        Some(format!("the judge {told}"))
    }
}
