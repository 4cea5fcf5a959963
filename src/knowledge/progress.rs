//! How far reading a knowledge base has come.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A step of reading a knowledge base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Documents are read and cut into chunks.
    Documents,
    /// The words of chunks are found and indexed.
    Chunks,
    /// Chunks of documents are embedded.
    Vectors,
}

/// How far a step has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The step that is under way.
    pub step: Step,
    /// Documents or chunks that are done.
    pub done: usize,
    /// As many as there are in the step.
    pub total: usize,
}

/// Is told of progress, from any thread; steps come in order, the counts within one may not.
pub type Watch<'a> = &'a (dyn Fn(Progress) + Sync);

/// Counts within a step.
pub(super) struct Counter<'a> {
    step: Step,
    done: AtomicUsize,
    total: usize,
    watch: Watch<'a>,
}

impl<'a> Counter<'a> {
    pub fn new(step: Step, total: usize, watch: Watch<'a>) -> Self {
        Self { step, done: AtomicUsize::new(0), total, watch }
    }

    /// So many more are done.
    pub fn add(&self, more: usize) {
        let done = self.done.fetch_add(more, Ordering::Relaxed) + more;
        (self.watch)(Progress { step: self.step, done, total: self.total });
    }
}
