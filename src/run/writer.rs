//! The thread that writes: settlements of all workers come in, conversations go to the recorder in slot order.

use super::events::{Event, Listeners};
use super::waves::Waves;
use crate::domain::{Conversation, Coverage, Numbers, Outcome, Rank, SettledConversation, Slot, Used};
use crate::operators::{Settlement, Stop, crossing};
use crate::output::{Entry, OutputError, Recorder, Rendered, Renderer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long rows wait until they are admitted together, at least.
const ADMIT_AFTER: Duration = Duration::from_millis(200);
/// How much longer than the last admission took, at least: what is admitted late is only done again when the process dies.
const ADMIT_PACE: u32 = 10;

/// What a worker hands to the writer, which may be that of another process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Handed {
    /// A conversation that is final.
    Conversation(Box<Final>),
    /// The worker has handed over all conversations of the languages before that of this rank.
    Floor(Rank),
    /// A conversation that the run's stop leaves unsettled, by its entry in the run state.
    Left(Slot, Entry),
}

/// A conversation that nothing can change any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Final {
    /// What its questions used.
    #[serde(with = "crossing")]
    used: Vec<Used>,
    /// See [`first_exchange`].
    example: Option<[String; 2]>,
    rendered: Rendered,
}

impl Handed {
    /// What is settled, as the files will have it.
    pub fn of(settlement: Settlement, renderer: &Renderer) -> Self {
        const TEXT: &str = "a conversation that has ended has a JSON form";
        match settlement {
            Settlement::Conversation(conversation) => Self::Conversation(Box::new(Final {
                used: conversation.turns.iter().map(|turn| turn.question.used.clone()).collect(),
                example: first_exchange(&conversation),
                rendered: renderer.render(&conversation).expect(TEXT),
            })),
            Settlement::Floor(floor) => Self::Floor(floor),
            Settlement::Left(conversation) => Self::Left(conversation.slot, renderer.left(&conversation).expect(TEXT)),
        }
    }

    /// What is told of the conversation, if it is final.
    pub fn about(&self) -> Option<&SettledConversation> {
        match self {
            Self::Conversation(conversation) => Some(&conversation.rendered.about),
            Self::Floor(_) | Self::Left(..) => None,
        }
    }
}

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
    messages: mpsc::Sender<(usize, Handed)>,
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
                    Some((_, Handed::Left(slot, entry))) => _ = left.insert(slot, entry),
                    Some((worker, handed)) => recording.write(order.take(worker, handed)),
                    None => recording.admit(),
                }
            }
            // What comes after a conversation that was cut short is left with it.
            left.extend(order.held.into_iter().map(|(slot, conversation)| (slot, conversation.rendered.left())));
            if left.is_empty() {
                recording.waves.close();
            }
            let Recording { mut recorder, failure, example, used, .. } = recording;
            left.into_values().for_each(|entry| recorder.leave(entry));
            Written { recorder, failure, example, used }
        });
        Self { messages, thread }
    }

    /// Where workers send what they settle, with their number.
    pub fn inbox(&self) -> mpsc::Sender<(usize, Handed)> {
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
    held: BTreeMap<Slot, Box<Final>>,
}

impl Order {
    fn take(&mut self, worker: usize, handed: Handed) -> impl Iterator<Item = Box<Final>> {
        match handed {
            Handed::Conversation(conversation) => _ = self.held.insert(conversation.rendered.about.slot, conversation),
            Handed::Floor(floor) => self.floors[worker] = floor,
            Handed::Left(..) => {}
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

    fn write(&mut self, settled: impl Iterator<Item = Box<Final>>) {
        for conversation in settled {
            let Final { used, example, rendered } = *conversation;
            let told = rendered.about.clone();
            if self.failure.is_none() {
                let written = self.recorder.record(rendered);
                self.note(written);
                self.due.get_or_insert_with(|| Instant::now() + self.wait);
            }
            self.example = self.example.take().or(example);
            used.iter().for_each(|used| self.used.add(used));
            self.listeners.tell(&Event::Settled(&told));
            self.waves.count(&told);
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

    fn note(&mut self, outcome: Result<(), OutputError>) {
        if let Err(failure) = outcome {
            tracing::error!(target: "dlgforge.pipeline", "[training-data] failed to {failure}; stopping the run");
            self.failure = Some(failure);
            self.stop.admitting.cancel();
            self.stop.flying.cancel();
        }
    }
}
