//! What calls cost, counted as they end.

use super::chat::{ChatReply, Finish};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Counters of one run, shared by all its models.
#[derive(Debug, Default)]
pub struct Meter {
    calls: AtomicU64,
    failures: AtomicU64,
    retries: AtomicU64,
    recalled: AtomicU64,
    slowed: AtomicU64,
    cut: AtomicU64,
    empty: AtomicU64,
    refused: AtomicU64,
    filtered: AtomicU64,
    prompt_tokens: AtomicU64,
    completion_tokens: AtomicU64,
    cached_tokens: AtomicU64,
    reasoning_tokens: AtomicU64,
    at_endpoints_us: AtomicU64,
    /// What the calls of other processes have come to, by their numbers.
    elsewhere: Mutex<BTreeMap<usize, Reading>>,
}

/// The counters at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reading {
    /// Calls that were answered.
    pub calls: u64,
    /// Calls that failed for good.
    pub failures: u64,
    /// Requests repeated after a failure.
    pub retries: u64,
    /// Calls that the journal answered.
    pub recalled: u64,
    /// Requests that endpoints had no room for (HTTP 429): they were sent again later.
    pub slowed: u64,
    /// Replies that ended at the limit of tokens.
    pub cut: u64,
    /// Replies without text and tool calls.
    pub empty: u64,
    /// Replies that were refusals.
    pub refused: u64,
    /// Replies that providers withheld.
    pub filtered: u64,
    /// Tokens read, as far as endpoints say.
    pub prompt_tokens: u64,
    /// Tokens written, as far as endpoints say.
    pub completion_tokens: u64,
    /// Those of the tokens read that came from a provider's cache.
    pub cached_tokens: u64,
    /// Those of the tokens written that were thoughts.
    pub reasoning_tokens: u64,
    /// Time that requests were at endpoints, answered or not, summed over the requests.
    pub at_endpoints: Duration,
}

impl Reading {
    fn plus(self, other: &Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            failures: self.failures + other.failures,
            retries: self.retries + other.retries,
            recalled: self.recalled + other.recalled,
            slowed: self.slowed + other.slowed,
            cut: self.cut + other.cut,
            empty: self.empty + other.empty,
            refused: self.refused + other.refused,
            filtered: self.filtered + other.filtered,
            prompt_tokens: self.prompt_tokens + other.prompt_tokens,
            completion_tokens: self.completion_tokens + other.completion_tokens,
            cached_tokens: self.cached_tokens + other.cached_tokens,
            reasoning_tokens: self.reasoning_tokens + other.reasoning_tokens,
            at_endpoints: self.at_endpoints + other.at_endpoints,
        }
    }
}

impl Meter {
    /// Counts a reply and what it used.
    pub fn answered(&self, reply: &ChatReply) {
        let usage = &reply.usage;
        self.calls.fetch_add(1, Ordering::Relaxed);
        let kind = match reply.finish {
            Finish::Length => Some(&self.cut),
            Finish::Refused(_) => Some(&self.refused),
            Finish::Filtered(_) => Some(&self.filtered),
            Finish::Stop if reply.text.trim().is_empty() && reply.tool_calls.is_empty() => Some(&self.empty),
            Finish::Stop => None,
        };
        kind.into_iter().for_each(|counter| _ = counter.fetch_add(1, Ordering::Relaxed));
        for (counter, tokens) in [
            (&self.prompt_tokens, usage.prompt_tokens),
            (&self.completion_tokens, usage.completion_tokens),
            (&self.cached_tokens, usage.cached_tokens),
            (&self.reasoning_tokens, usage.reasoning_tokens),
        ] {
            counter.fetch_add(tokens.unwrap_or(0), Ordering::Relaxed);
        }
    }

    /// Counts the time that a request was at an endpoint.
    pub fn asked(&self, time: Duration) {
        self.at_endpoints_us.fetch_add(time.as_micros() as u64, Ordering::Relaxed);
    }

    /// Counts a call that failed for good.
    pub fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request that an endpoint had no room for.
    pub fn slowed(&self) {
        self.slowed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a repeated request.
    pub fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a call that the journal answered.
    pub fn recalled(&self) {
        self.recalled.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes note of what the calls of another process have come to so far.
    pub fn elsewhere(&self, process: usize, reading: Reading) {
        self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner).insert(process, reading);
    }

    /// The counters as they are now, those of other processes included.
    pub fn read(&self) -> Reading {
        let elsewhere = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        elsewhere.values().fold(self.own(), |sum, reading| sum.plus(reading))
    }

    fn own(&self) -> Reading {
        Reading {
            calls: self.calls.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            recalled: self.recalled.load(Ordering::Relaxed),
            slowed: self.slowed.load(Ordering::Relaxed),
            cut: self.cut.load(Ordering::Relaxed),
            empty: self.empty.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            filtered: self.filtered.load(Ordering::Relaxed),
            prompt_tokens: self.prompt_tokens.load(Ordering::Relaxed),
            completion_tokens: self.completion_tokens.load(Ordering::Relaxed),
            cached_tokens: self.cached_tokens.load(Ordering::Relaxed),
            reasoning_tokens: self.reasoning_tokens.load(Ordering::Relaxed),
            at_endpoints: Duration::from_micros(self.at_endpoints_us.load(Ordering::Relaxed)),
        }
    }
}
