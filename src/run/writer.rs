//! The thread that writes: settlements of all workers come in, conversations go to the recorder in slot order.

use super::events::{Event, Listeners};
use super::waves::Waves;
use crate::domain::{Conversation, Coverage, Numbers, Outcome, Rank, Slot};
use crate::operators::{InFlight, Settlement, Stop};
use crate::output::{OutputError, Recorder};
use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long rows wait until they are admitted together, at least.
const ADMIT_AFTER: Duration = Duration::from_millis(200);
/// How much longer than the last admission took, at least: what is admitted late is only done again when the process dies.
const ADMIT_PACE: u32 = 10;

/// What a writer has come to.
pub struct Written {
    /// Everything is recorded, unless something went wrong.
    pub recorder: Recorder,
    /// What could not be written, if that ended the writing.
    pub failure: Option<OutputError>,
    /// Question and answer of the first turn of the first conversation that was accepted.
    pub example: Option<[String; 2]>,
    /// What they and those before them have used.
    pub used: Coverage,
}

/// The thread that writes settled conversations.
pub struct Writer {
    messages: mpsc::Sender<(usize, Settlement)>,
    thread: JoinHandle<Written>,
}

impl Writer {
    /// Starts writing what so many workers settle, from the slot on that is due, after waves that have used so much. Conversations
    /// have these numbers in each language. When writing fails, the run is stopped.
    pub fn start(
        recorder: Recorder,
        (waves, used): (Waves, Coverage),
        workers: usize,
        (due, numbers): (Slot, Vec<Numbers>),
        stop: Stop,
        listeners: Listeners,
    ) -> Self {
        let (messages, inbox) = mpsc::channel();
        let (failure, example, wait) = (None, None, ADMIT_AFTER);
        let mut recording = Recording { recorder, failure, stop, waves, used, listeners, example, due: None, wait };
        let mut order = Order { floors: vec![Rank::default(); workers], numbers, due, held: BTreeMap::new() };
        let thread = std::thread::spawn(move || {
            let mut left = BTreeMap::new();
            while let Some(message) = recording.next(&inbox) {
                match message {
                    Some((_, Settlement::Left(conversation))) => _ = left.insert(conversation.slot, conversation),
                    Some((worker, settlement)) => recording.write(order.take(worker, settlement)),
                    None => recording.admit(),
                }
            }
            // What comes after a conversation that was cut short is left with it.
            left.append(&mut order.held);
            left.values().for_each(|conversation| recording.leave(conversation));
            if left.is_empty() {
                recording.waves.close();
            }
            let Recording { recorder, failure, example, used, .. } = recording;
            Written { recorder, failure, example, used }
        });
        Self { messages, thread }
    }

    /// Where workers send what they settle, with their number.
    pub fn inbox(&self) -> mpsc::Sender<(usize, Settlement)> {
        self.messages.clone()
    }

    /// Waits until all is written.
    pub fn finish(self) -> Written {
        drop(self.messages);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Puts the settlements of all workers into one order: a conversation is due when all that come before it in its language
/// are written, and every worker is past the languages before.
struct Order {
    floors: Vec<Rank>,
    /// The numbers of conversations in each language.
    numbers: Vec<Numbers>,
    /// The next to be written, unless its language has no more.
    due: Slot,
    held: BTreeMap<Slot, Arc<InFlight>>,
}

impl Order {
    fn take(&mut self, worker: usize, settlement: Settlement) -> impl Iterator<Item = Arc<InFlight>> {
        match settlement {
            Settlement::Conversation(conversation) => _ = self.held.insert(conversation.slot, conversation),
            Settlement::Floor(floor) => self.floors[worker] = floor,
            Settlement::Left(_) => {}
        }
        let reached = self.floors.iter().min().copied().unwrap_or_default().language;
        std::iter::from_fn(move || {
            let (first, _) = self.held.first_key_value()?;
            let numbers = self.numbers[usize::from(first.language.0)];
            if first.language > self.due.language && first.language <= reached {
                self.due = Slot { language: first.language, index: numbers.first };
            }
            let next = self.held.remove(&self.due)?;
            self.due.index += numbers.step;
            Some(next)
        })
    }
}

/// The loop that records what is settled, and has it admitted now and then.
struct Recording {
    recorder: Recorder,
    failure: Option<OutputError>,
    stop: Stop,
    waves: Waves,
    used: Coverage,
    listeners: Listeners,
    example: Option<[String; 2]>,
    /// When what is recorded must be admitted, if there is any.
    due: Option<Instant>,
    /// How long it may wait.
    wait: Duration,
}

/// The first question of an accepted conversation, with its answer.
pub fn first_exchange(conversation: &Conversation) -> Option<[String; 2]> {
    let turn = conversation.turns.first().filter(|_| conversation.outcome == Some(Outcome::Completed))?;
    Some([&turn.question.reply.user_message, &turn.answer.reply.assistant_message].map(ToString::to_string))
}

impl Recording {
    /// The next message, or none inside when it is time to admit what is recorded; none at all at the end.
    fn next<M>(&self, inbox: &mpsc::Receiver<M>) -> Option<Option<M>> {
        let Some(due) = self.due else { return inbox.recv().ok().map(Some) };
        match inbox.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(message) => Some(Some(message)),
            Err(mpsc::RecvTimeoutError::Timeout) => Some(None),
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
        }
    }

    fn write(&mut self, settled: impl Iterator<Item = Arc<InFlight>>) {
        for conversation in settled {
            if self.failure.is_none() {
                let written = self.recorder.record(&conversation);
                self.note(written);
                self.due.get_or_insert_with(|| Instant::now() + self.wait);
            }
            self.example = self.example.take().or_else(|| first_exchange(&conversation));
            conversation.turns.iter().for_each(|turn| self.used.add(&turn.question.used));
            self.listeners.tell(&Event::Settled(&conversation));
            self.waves.count(&conversation);
        }
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.admit();
        }
    }

    fn admit(&mut self) {
        self.due = None;
        if self.failure.is_none() {
            let began = Instant::now();
            let admitted = self.recorder.admit();
            self.wait = ADMIT_AFTER.max(began.elapsed() * ADMIT_PACE);
            self.note(admitted);
        }
    }

    fn leave(&mut self, conversation: &Conversation) {
        if self.failure.is_none() {
            let left = self.recorder.leave(conversation);
            self.note(left);
        }
    }

    fn note(&mut self, outcome: Result<(), OutputError>) {
        if let Err(failure) = outcome {
            tracing::error!(target: "dlgforge.pipeline", "[training-data] failed to {failure}; stopping the run");
            self.failure = Some(failure);
            self.stop.admitting.cancel();
            self.stop.flying.cancel();
        }
    }
}
