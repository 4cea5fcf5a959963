//! The log's lines on a run: what it has heard, as `run.log` tells it.

use super::events::{Event, Listener, WaveFigures};
use crate::domain::{Conversation, DropReason, Outcome};
use crate::operators::Tally;

/// The target of these lines.
const PIPELINE: &str = "dlgforge.pipeline";

/// Logs what it hears.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogLines;

impl Listener for LogLines {
    fn hear(&self, event: &Event<'_>) {
        match event {
            Event::Settled(conversation) => settled(conversation),
            Event::WaveSettled(figures) => wave(figures),
            Event::Ended(tally) => ended(tally),
            Event::Preparing(_) | Event::Prepared | Event::Started { .. } | Event::Progress(_) => {}
        }
    }
}

fn settled(conversation: &Conversation) {
    let (id, index) = (&conversation.id, conversation.slot.index);
    for turn in &conversation.turns {
        tracing::info!(
            target: PIPELINE,
            "[turn] {}/{} conversation_index={index} mode={} attempt={}",
            turn.index, conversation.target_turns, turn.question.mode.as_str(), turn.attempt
        );
    }
    if let Some(Outcome::Dropped(reason)) = &conversation.outcome {
        let (tag, cause) = match reason {
            DropReason::DedupExhausted => ("dedup", String::new()),
            DropReason::Judged(verdict) => ("judge", format!(": {verdict}")),
            DropReason::Failed(failure) => ("samples", format!(": {failure}")),
        };
        tracing::warn!(
            target: PIPELINE,
            "[{tag}] conversation={id} dropped drop_reason={} turns={}/{}{cause}",
            reason.as_str(), conversation.turns.len(), conversation.target_turns
        );
    }
}

fn wave(figures: &WaveFigures<'_>) {
    let WaveFigures { language, number, opened, accepted, of_language, target, .. } = figures;
    tracing::info!(
        target: PIPELINE,
        "[samples] wave={number} requested_batch={opened} persisted={accepted} generated={of_language}/{target} \
         language={language}"
    );
}

fn ended(tally: &Tally) {
    tracing::info!(
        target: PIPELINE,
        "[run] accepted={} dropped={} duplicates={} rollbacks={} wasted_calls={} watermark_lag={}",
        tally.accepted(), tally.dropped(), tally.duplicates, tally.rollbacks, tally.wasted, tally.lag
    );
}
