//! The thread that writes: settlements of all workers come in, conversations go to the recorder in slot order.

use crate::operators::{Settlement, Stop};
use crate::output::{OutputError, Recorder, RunFacts};
use crate::words::{Conversation, DropReason, Ending, Rank, Slot, Wave};
use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

/// A running writer.
pub struct Writer {
    messages: mpsc::Sender<(usize, Settlement)>,
    thread: JoinHandle<(Recorder, Option<OutputError>)>,
}

impl Writer {
    /// Starts writing what so many workers settle. When that fails, the run is stopped.
    pub fn start(recorder: Recorder, facts: &RunFacts, workers: usize, stop: Stop) -> Self {
        let (messages, inbox) = mpsc::channel();
        let waves = Waves { target: facts.total_samples, ..Waves::default() };
        let mut pen = Pen { recorder, failure: None, stop, waves };
        let thread = std::thread::spawn(move || {
            let mut order = Order::new(workers);
            for (worker, settlement) in inbox {
                order.take(worker, settlement).for_each(|conversation| pen.write(&conversation));
            }
            pen.waves.close();
            (pen.recorder, pen.failure)
        });
        Self { messages, thread }
    }

    /// Where workers send what they settle, with their number.
    pub fn inbox(&self) -> mpsc::Sender<(usize, Settlement)> {
        self.messages.clone()
    }

    /// Waits until all is written; the recorder, and what went wrong.
    pub fn finish(self) -> (Recorder, Option<OutputError>) {
        drop(self.messages);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Puts the settlements of all workers into one order: a conversation is due when every worker's floor is past its wave.
struct Order {
    floors: Vec<Rank>,
    held: BTreeMap<Slot, Arc<Conversation>>,
}

impl Order {
    fn new(workers: usize) -> Self {
        Self { floors: vec![Rank::default(); workers], held: BTreeMap::new() }
    }

    fn take(&mut self, worker: usize, settlement: Settlement) -> impl Iterator<Item = Arc<Conversation>> + use<> {
        match settlement {
            Settlement::Conversation(conversation) => _ = self.held.insert(conversation.slot, conversation),
            Settlement::Floor(floor) => self.floors[worker] = floor,
        }
        let floor = self.floors.iter().min().copied().unwrap_or_default();
        let waits = |(slot, held): (&Slot, &Arc<Conversation>)| !floor.is_past(slot.language, held.wave);
        let first = self.held.iter().find(|held| waits(*held)).map(|(slot, _)| *slot);
        let later = first.map(|slot| self.held.split_off(&slot)).unwrap_or_default();
        std::mem::replace(&mut self.held, later).into_values()
    }
}

struct Pen {
    recorder: Recorder,
    failure: Option<OutputError>,
    stop: Stop,
    waves: Waves,
}

impl Pen {
    fn write(&mut self, conversation: &Conversation) {
        if self.failure.is_some() {
            return;
        }
        if let Err(failure) = self.recorder.record(conversation) {
            tracing::error!(target: "dlgforge.pipeline", "[training-data] {failure}; stopping the run");
            self.failure = Some(failure);
            self.stop.admitting.cancel();
            self.stop.flying.cancel();
        }
        self.log(conversation);
    }

    fn log(&mut self, conversation: &Conversation) {
        let (id, index) = (&conversation.id, conversation.slot.index);
        for turn in &conversation.turns {
            tracing::info!(
                target: "dlgforge.pipeline",
                "[turn] {}/{} conversation_index={index} mode={} attempt={}",
                turn.index, conversation.target_turns, turn.question.mode.as_str(), turn.attempt
            );
        }
        if let Some(Ending::Dropped(reason)) = &conversation.ending {
            let (tag, cause) = match reason {
                DropReason::DedupExhausted => ("dedup", String::new()),
                DropReason::Failed(failure) => ("samples", format!(": {failure}")),
            };
            tracing::warn!(
                target: "dlgforge.pipeline",
                "[{tag}] conversation={id} dropped drop_reason={} turns={}/{}{cause}",
                reason.as_str(), conversation.turns.len(), conversation.target_turns
            );
        }
        self.waves.count(conversation);
    }
}

/// Logs a line for each wave of a language, once all its conversations are there.
#[derive(Default)]
struct Waves {
    /// Conversations to accept per language.
    target: u32,
    open: Option<(Arc<str>, Wave)>,
    /// Conversations of the open wave, and those of them that count.
    requested: u32,
    persisted: u32,
    /// In the language, waves and accepted conversations up to the wave before.
    number: u32,
    generated: u32,
}

impl Waves {
    fn count(&mut self, conversation: &Conversation) {
        let (language, wave) = (&conversation.language, conversation.wave);
        if self.open.as_ref().is_none_or(|open| open.0 != *language || open.1 != wave) {
            self.close();
            if self.open.as_ref().is_some_and(|open| open.0 != *language) {
                (self.number, self.generated) = (0, 0);
            }
            self.open = Some((language.clone(), wave));
        }
        self.requested += 1;
        self.persisted += u32::from(conversation.ending == Some(Ending::Completed));
    }

    fn close(&mut self) {
        let Some((language, _)) = &self.open else { return };
        self.number += 1;
        self.generated += self.persisted;
        tracing::info!(
            target: "dlgforge.pipeline",
            "[samples] wave={} requested_batch={} persisted={} generated={}/{} language={language}",
            self.number, self.requested, self.persisted, self.generated, self.target
        );
        (self.requested, self.persisted) = (0, 0);
    }
}
