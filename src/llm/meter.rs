//! What calls cost, counted as they end.

use super::chat::Usage;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one run, shared by all its models.
#[derive(Debug, Default)]
pub struct Meter {
    calls: AtomicU64,
    failures: AtomicU64,
    retries: AtomicU64,
    recalled: AtomicU64,
    prompt_tokens: AtomicU64,
    completion_tokens: AtomicU64,
}

/// The counters at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// Calls answered.
    pub calls: u64,
    /// Calls that failed for good.
    pub failures: u64,
    /// Requests repeated after a failure.
    pub retries: u64,
    /// Calls that the journal answered.
    pub recalled: u64,
    /// Tokens read, as far as endpoints say.
    pub prompt_tokens: u64,
    /// Tokens written, as far as endpoints say.
    pub completion_tokens: u64,
}

impl Meter {
    /// Counts a reply.
    pub fn answered(&self, usage: Usage) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.prompt_tokens.fetch_add(usage.prompt_tokens.unwrap_or(0), Ordering::Relaxed);
        self.completion_tokens.fetch_add(usage.completion_tokens.unwrap_or(0), Ordering::Relaxed);
    }

    /// Counts a call that failed for good.
    pub fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a repeated request.
    pub fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a call that the journal answered.
    pub fn recalled(&self) {
        self.recalled.fetch_add(1, Ordering::Relaxed);
    }

    /// The counters now.
    pub fn read(&self) -> Reading {
        Reading {
            calls: self.calls.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            recalled: self.recalled.load(Ordering::Relaxed),
            prompt_tokens: self.prompt_tokens.load(Ordering::Relaxed),
            completion_tokens: self.completion_tokens.load(Ordering::Relaxed),
        }
    }
}
