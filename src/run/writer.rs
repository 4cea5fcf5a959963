//! The thread that writes: settlements of all workers come in, conversations go to the recorder in slot order.

use crate::operators::{Settlement, Stop};
use crate::output::{OutputError, Recorder, RunFacts};
use crate::words::{Conversation, Ending, Slot};
use std::collections::BTreeMap;
use std::sync::mpsc;
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
        let mut pen =
            Pen { recorder, failure: None, stop, target: facts.total_samples, batch: facts.batch_size, accepted: 0 };
        let thread = std::thread::spawn(move || {
            let mut order = Order::new(workers);
            for (worker, settlement) in inbox {
                order.take(worker, settlement).for_each(|conversation| pen.write(&conversation));
            }
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

/// Puts the settlements of all workers into one order: a conversation is due when every worker's floor has passed it.
struct Order {
    floors: Vec<Slot>,
    held: BTreeMap<Slot, Conversation>,
}

impl Order {
    fn new(workers: usize) -> Self {
        Self { floors: vec![Slot::default(); workers], held: BTreeMap::new() }
    }

    fn take(&mut self, worker: usize, settlement: Settlement) -> impl Iterator<Item = Conversation> + use<> {
        match settlement {
            Settlement::Conversation(conversation) => _ = self.held.insert(conversation.slot, *conversation),
            Settlement::Floor(floor) => self.floors[worker] = floor,
        }
        let floor = self.floors.iter().min().copied().unwrap_or_default();
        let later = self.held.split_off(&floor);
        std::mem::replace(&mut self.held, later).into_values()
    }
}

struct Pen {
    recorder: Recorder,
    failure: Option<OutputError>,
    stop: Stop,
    target: u32,
    batch: u32,
    accepted: u32,
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
        match &conversation.ending {
            Some(Ending::Dropped(reason)) => tracing::warn!(
                target: "dlgforge.pipeline",
                "[dedup] conversation={id} dropped drop_reason={} turns={}/{}",
                reason.as_str(), conversation.turns.len(), conversation.target_turns
            ),
            Some(Ending::Completed) => self.accepted += 1,
            Some(Ending::Interrupted) | None => {}
        }
        if (index + 1).is_multiple_of(self.batch) {
            tracing::info!(
                target: "dlgforge.pipeline",
                "[samples] wave={} requested_batch={} generated={}/{} language={}",
                conversation.wave.0 + 1, self.batch, self.accepted, self.target, conversation.language
            );
        }
    }
}
