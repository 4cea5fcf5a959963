//! What becomes of calls to models, told as it happens.

use super::ChatReply;
use crate::domain::{Agent, Usage};
use std::sync::Arc;
use std::time::Duration;

/// What has become of a call. A call is one question to a model, however many requests it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The agent that is asked.
    pub agent: Agent,
    /// The conversation that asks, by its id.
    pub conversation: Arc<str>,
    /// The model, by the name that its endpoint knows it by.
    pub model: Arc<str>,
    /// The endpoint that is asked, by its name in messages; none where the model is part of the program.
    pub endpoint: Option<Arc<str>>,
    /// What it is that has happened.
    pub kind: EventKind,
}

/// What can become of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// A request goes out.
    Requested {
        /// Messages that it has.
        messages: usize,
        /// Tools that it offers.
        tools: usize,
    },
    /// The call is answered.
    Answered {
        /// From the first byte of the request to the last one of the reply; zero where the model is part of the program, which
        /// has no clock.
        latency: Duration,
        /// The tokens that it used, as far as the reply says.
        usage: Usage,
        /// Its price in billionths of a USD; none when it is unknown.
        nanousd: Option<u64>,
        /// Tool calls that the reply asks for.
        tool_calls: usize,
        /// Characters of the text of the reply.
        characters: usize,
    },
    /// A request has come to nothing. What becomes of the call is told next, unless it fails with that.
    Failed {
        /// What went wrong, for people.
        error: String,
    },
    /// The endpoint had no room for the request: it is sent again later, and is not held against the call.
    RateLimited {
        /// The time that the endpoint asks for.
        retry_after: Option<Duration>,
    },
    /// The call is tried again, where it can be.
    Retried {
        /// Why it has to be, for people.
        reason: String,
        /// How long it has waited before.
        wait: Duration,
    },
}

impl EventKind {
    /// The call was answered by this reply, after this time.
    pub fn answered(reply: &ChatReply, latency: Duration) -> Self {
        let (tool_calls, characters) = (reply.tool_calls.len(), reply.text.chars().count());
        Self::Answered { latency, usage: reply.usage, nanousd: reply.cost_nanousd, tool_calls, characters }
    }
}
