//! The log's lines on a run: what it has heard, as `run.log` tells it.

use super::events::{Event, Listener, WaveFigures};
use crate::domain::turns::Contaminated;
use crate::domain::{DropReason, Outcome, SettledConversation, Slot};
use crate::llm::{self, EventKind};
use crate::operators::{self, Tally};
use crate::servers;
use crate::traffic;

/// The target of lines on conversations, and that of lines on models.
const PIPELINE: &str = "dlgforge.pipeline";
const LLM: &str = "dlgforge.llm";

/// Logs what it hears.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogLines;

impl Listener for LogLines {
    fn hear(&self, event: &Event<'_>) {
        match event {
            Event::Call(event) => call(event),
            Event::Traffic(event) => traffic(event),
            Event::Serving(event) => serving(event),
            Event::Conversation(event) => taken_back(event),
            Event::Settled(conversation) => settled(conversation),
            Event::WaveSettled(figures) => wave(figures),
            Event::Ended(tally) => ended(tally),
            Event::Preparing(_)
            | Event::Prepared
            | Event::Started { .. }
            | Event::Judged(_)
            | Event::Progress(_)
            | Event::Final(_) => {}
        }
    }
}

/// The built-in model's calls, which go nowhere, have no lines.
fn call(llm::Event { model, endpoint, kind, .. }: &llm::Event) {
    let Some(endpoint) = endpoint else { return };
    match kind {
        EventKind::Requested { messages, tools } => tracing::debug!(
            target: LLM,
            "[llm] request model={model} endpoint={endpoint} messages={messages} tools={tools}"
        ),
        EventKind::Answered { latency, tool_calls, characters, .. } => tracing::debug!(
            target: LLM,
            "[llm] response model={model} tool_calls={tool_calls} content_chars={characters} elapsed={:.2}s",
            latency.as_secs_f64()
        ),
        EventKind::Failed { error } => tracing::warn!(target: LLM, "[llm] request failed model={model}: {error}"),
        EventKind::RateLimited { .. } | EventKind::Retried { .. } | EventKind::Ended(_) => {}
    }
}

/// That the budget is used up is among the reasons for which a run stops, which have a line of their own.
fn traffic(event: &traffic::Event) {
    match event {
        traffic::Event::Down { endpoint, error } => {
            tracing::warn!(target: LLM, "[llm] {endpoint}: down: {error}; it is asked again from time to time");
        }
        traffic::Event::Up { endpoint } => tracing::info!(target: LLM, "[llm] {endpoint}: answers again"),
        traffic::Event::Slowed { endpoint, why, limit } => {
            tracing::warn!(
                target: LLM,
                "[llm] {endpoint}: slowing down: {why}; at most {limit} requests at a time now"
            );
        }
        traffic::Event::LeftOut { error, .. } => tracing::error!(target: LLM, "[llm] not used any more: {error}"),
        traffic::Event::Learned { endpoint, text } => tracing::warn!(target: LLM, "[llm] endpoint {endpoint}: {text}"),
        traffic::Event::Spent { .. } | traffic::Event::CapReached { .. } => {}
    }
}

fn serving(event: &servers::Event) {
    match event {
        servers::Event::Started { name, command, log } => {
            tracing::info!(target: LLM, "[servers] {name}: started, with its log in {}: {command}", log.display());
        }
        servers::Event::Ready { name, base_url, took } => {
            tracing::info!(target: LLM, "[servers] {name}: answers at {base_url}, after {:.0} s", took.as_secs_f64());
        }
        servers::Event::Died { name, how, pause } => tracing::warn!(
            target: LLM,
            "[servers] {name}: gone: {how}; it is started again in {} s", pause.as_secs()
        ),
        servers::Event::Left { name, base_url, pid } => tracing::warn!(
            target: LLM,
            "[servers] {name}: goes on at {base_url} after the run (auto_stop_on_exit: false); `kill {pid}` ends it"
        ),
        servers::Event::Loading { .. } => {}
    }
}

/// What a conversation has lost again, because another one asked its question before it.
fn taken_back(event: &operators::Event) {
    let operators::Event::RolledBack { slot, turn, attempt, calls, .. } = event else { return };
    tracing::info!(target: PIPELINE, "{}turn={turn} attempt={attempt} wasted_calls={calls}", rollback(*slot));
}

/// How a line on a roll-back of the conversation of a slot begins.
pub fn rollback(slot: Slot) -> String {
    format!("[rollback] language_index={} conversation_index={} ", slot.language.0, slot.index)
}

fn settled(conversation: &SettledConversation) {
    let (id, index) = (&conversation.id, conversation.slot.index);
    for (turn, (mode, attempt)) in (1..).zip(&conversation.questions) {
        tracing::info!(
            target: PIPELINE,
            "[turn] {turn}/{} conversation_index={index} mode={} attempt={attempt}",
            conversation.target_turns, mode.as_str()
        );
    }
    for (turn, near) in &conversation.near_duplicates {
        tracing::info!(
            target: PIPELINE,
            "[near] conversation={id} turn={} attempt={} rejected: {near}",
            turn.0, near.attempt.0
        );
    }
    for (held_out, Contaminated { questions, answers }) in &conversation.turns.contaminated {
        tracing::info!(
            target: PIPELINE,
            "[decontaminate] conversation={id} held_out={held_out} rejected_questions={questions} rejected_answers={answers}"
        );
    }
    if let Outcome::Dropped(reason) = &conversation.outcome {
        let (tag, cause) = match reason {
            DropReason::DedupExhausted => ("dedup", String::new()),
            DropReason::NearDuplicateExhausted(last) => ("dedup", format!(": {last}")),
            DropReason::AskedElsewhere(detail) => ("merge", format!(": {detail}")),
            DropReason::Judged(verdict) => ("judge", format!(": {verdict}")),
            DropReason::Checked(labels) => ("checks", format!(": {labels}")),
            DropReason::Failed(failure) => ("samples", format!(": {failure}")),
        };
        tracing::warn!(
            target: PIPELINE,
            "[{tag}] conversation={id} dropped drop_reason={} turns={}/{}{cause}",
            reason.as_str(), conversation.questions.len(), conversation.target_turns
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
