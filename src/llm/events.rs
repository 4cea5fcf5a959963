//! What becomes of calls to models, told as it happens.

use super::{ChatReply, ChatRequest, ModelError};
use crate::domain::{Agent, Usage};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// What has become of a call. A call is one question to a model, however many requests it takes.
#[derive(Debug, Clone, PartialEq)]
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
#[derive(Debug, Clone, PartialEq)]
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
    /// The call is over: told once a call, after all else.
    Ended(Box<CallEnd>),
}

/// A call from its beginning to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct CallEnd {
    /// The request as the agent made it, whatever of it the endpoint takes.
    pub request: ChatRequest,
    /// The reply without the endpoint's response, or why there is none.
    pub outcome: Result<ChatReply, ModelError>,
    /// The id that the endpoint's response has for itself.
    pub response_id: Option<String>,
    /// The model that the endpoint's response says it is from.
    pub response_model: Option<String>,
    /// When it began, before it waited for its turn; none where the model is part of the program, which has no clock.
    pub began: Option<Timestamp>,
    /// Its requests that came to nothing: when, and why, for people.
    pub failures: Vec<(Timestamp, String)>,
    /// The provider whose endpoint was asked last, as settings name it.
    pub provider: &'static str,
    /// That endpoint's host and port; none where the model is part of the program.
    pub server: Option<(Arc<str>, u16)>,
    /// The settings that were sent with it, by the names that OpenAI has for them.
    pub parameters: Parameters,
}

/// How a model was to sample; none of what was left to the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Parameters {
    /// How far from the likeliest tokens it may stray.
    pub temperature: Option<f64>,
    /// The share of the probability that tokens are drawn from.
    pub top_p: Option<f64>,
    /// The most tokens that the reply may have.
    pub max_tokens: Option<u64>,
}

impl EventKind {
    /// The call was answered by this reply, after this time.
    pub fn answered(reply: &ChatReply, latency: Duration) -> Self {
        let (tool_calls, characters) = (reply.tool_calls.len(), reply.text.chars().count());
        Self::Answered { latency, usage: reply.usage, nanousd: reply.cost_nanousd, tool_calls, characters }
    }
}
