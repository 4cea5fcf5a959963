//! What happens in a run, told to whoever listens.

use crate::domain::{Observer, SettledConversation, Wave};
use crate::knowledge;
use crate::llm::{self, Meter};
use crate::operators::{self, Tally};
use crate::servers;
use crate::traffic;
use std::sync::Arc;

/// What has happened. Events are for people: no truth lives in them alone, and a run without listeners is the same run.
#[derive(Debug)]
pub enum Event<'a> {
    /// Documents are being read, or their passages indexed. From many threads at a time.
    Preparing(knowledge::Progress),
    /// Something has happened to the run's own model servers. From the threads that keep them.
    Serving(&'a servers::Event),
    /// Everything is read and in order.
    Prepared,
    /// Conversations are made from now on.
    Started {
        /// The id of the run, or of the pass of the judge.
        run: &'a str,
        /// Its languages, in the order of their numbers in slots.
        languages: &'a [Arc<str>],
        /// Accepted conversations that the run is to have, over all languages.
        total: u64,
        /// What its calls come to; it counts on.
        meter: &'a Arc<Meter>,
    },
    /// A conversation has opened, or there is a verdict on one of its questions. From the workers' threads.
    Conversation(&'a operators::Event),
    /// Something has become of a call to a model. From the threads of the tasks.
    Call(&'a llm::Event),
    /// Something has happened to an endpoint, or to the budget. From the threads of the tasks.
    Traffic(&'a traffic::Event),
    /// What became of its conversations so far, each time that there is news. From the first worker's thread.
    Progress(&'a Tally),
    /// A conversation is final, accepted or dropped. From the worker's thread that made it, in any order.
    Final(&'a SettledConversation),
    /// A conversation that is final goes to the files; those of a language come in slot order. From the writer's thread.
    Settled(&'a SettledConversation),
    /// All conversations of a wave are settled. From the writer's thread.
    WaveSettled(WaveFigures<'a>),
    /// So many conversations that are there have been with the judge. From the thread that began it.
    Judged(u64),
    /// The last conversation is written, or the run has stopped.
    Ended(&'a Tally),
}

/// What a wave came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaveFigures<'a> {
    /// The language it belongs to.
    pub language: &'a str,
    /// Which of its language it is, from 0.
    pub wave: Wave,
    /// The number of waves of the language that had conversations, this one included.
    pub number: u32,
    /// Conversations that were opened.
    pub opened: u32,
    /// Those of them that were accepted.
    pub accepted: u32,
    /// Accepted conversations of the language so far.
    pub of_language: u32,
    /// Accepted conversations that the language is to have.
    pub target: u32,
}

/// Somebody who wants to know how a run comes along: the terminal, the log. Whoever takes long to hear holds the run up.
pub trait Listener: Send + Sync {
    /// Hears of an event.
    fn hear(&self, event: &Event<'_>);

    /// Ends once what was heard is told to whoever it is for. Nothing more is heard.
    fn end(&self) {}
}

/// Everybody who listens to a run, in order; nobody by default.
#[derive(Clone, Default)]
pub struct Listeners(Vec<Arc<dyn Listener>>);

impl Listeners {
    /// Tells these listeners, in this order, what happens.
    pub fn new(listeners: impl IntoIterator<Item = Arc<dyn Listener>>) -> Self {
        Self(listeners.into_iter().collect())
    }

    /// These, and one more.
    #[must_use]
    pub fn and(&self, one: Arc<dyn Listener>) -> Self {
        Self(self.0.iter().cloned().chain([one]).collect())
    }

    /// Tells everybody of an event.
    pub fn tell(&self, event: &Event<'_>) {
        self.0.iter().for_each(|listener| listener.hear(event));
    }

    /// Waits until everybody has told what was heard.
    pub fn end(&self) {
        self.0.iter().for_each(|listener| listener.end());
    }

    /// What a room has that does not know of runs: through it these listeners hear the events of the room.
    pub fn observer<E: 'static>(&self) -> Observer<E>
    where
        for<'a> Event<'a>: From<&'a E>,
    {
        if self.0.is_empty() {
            return Observer::default();
        }
        let listeners = self.clone();
        Observer::new(move |event| listeners.tell(&Event::from(event)))
    }
}

impl<'a> From<&'a operators::Event> for Event<'a> {
    fn from(event: &'a operators::Event) -> Self {
        Self::Conversation(event)
    }
}

impl<'a> From<&'a servers::Event> for Event<'a> {
    fn from(event: &'a servers::Event) -> Self {
        Self::Serving(event)
    }
}

impl<'a> From<&'a llm::Event> for Event<'a> {
    fn from(event: &'a llm::Event) -> Self {
        Self::Call(event)
    }
}

impl<'a> From<&'a traffic::Event> for Event<'a> {
    fn from(event: &'a traffic::Event) -> Self {
        Self::Traffic(event)
    }
}
