//! Whether the judge of a run can be relied on: it must tell answers from spoiled ones.

use crate::domain::Calibration;
use crate::llm::Halt;
use crate::operators::Tally;
use crate::settings::Settings;
use crate::stages::LeastAuc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Looks at what the judge makes of spoiled answers, once all that it is looked at by are in.
pub struct JudgeCheck {
    /// Conversations of each language that it is looked at by.
    conversations: u32,
    least: LeastAuc,
    halt: Arc<Halt>,
    is_told: AtomicBool,
}

impl JudgeCheck {
    /// Of the judge that these settings ask, where its verdicts drop anything; it may stop the run.
    pub fn of(settings: &Settings, halt: &Arc<Halt>) -> Option<Arc<Self>> {
        let conversations = settings.judge.calibrate.min(settings.total_samples);
        let (least, halt) = (settings.judge.least, halt.clone());
        (conversations > 0).then(|| Arc::new(Self { conversations, least, halt, is_told: AtomicBool::new(false) }))
    }

    /// Warns, or stops the run, where the judge is not good enough.
    pub fn look(&self, tally: &Tally) {
        let is_due = tally.languages.iter().all(|one| one.accepted + one.dropped >= self.conversations);
        let Some(fault) = fault(tally, self.least).filter(|_| is_due) else { return };
        if self.is_told.swap(true, Ordering::Relaxed) {
            return;
        }
        if self.least.refuse {
            _ = self.halt.halt(format!("{fault} (judge.on_low_auc: refuse)"));
        } else {
            tracing::warn!(target: "dlgforge.judge", "[judge] {fault}");
        }
    }
}

/// What is wrong with the judge of a run, where it tells answers from spoiled ones worse than it must.
pub fn fault(tally: &Tally, least: LeastAuc) -> Option<String> {
    let told = low(&tally.turns.calibration, least)?;
    Some(format!("judge.accept drops conversations by a judge that {told}, or let checks.reject decide"))
}

/// What a judge does not do that tells answers from spoiled ones worse than it must, and what to do.
pub fn low(calibration: &Calibration, least: LeastAuc) -> Option<String> {
    let told = calibration.told().filter(|_| calibration.auc().is_some_and(|auc| auc < least.min))?;
    Some(format!(
        "does not tell good answers from spoiled ones: {told}; at least {} is wanted (judge.min_auc): take a better judge",
        least.min
    ))
}
