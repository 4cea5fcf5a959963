//! The graph of `dlgforge export`.
//!
//! ```text
//!   ┌────────────── written: the next ──────────────┐
//!   ▼                                               │
//! parts ─▶ read ─▶ keep ─▶ split ─▶ render ─▶ write ┘
//! ```

use crate::operators::{Stop, feed, in_order};
use std::sync::Arc;
use timely::ExchangeData;
use timely::dataflow::Scope;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{ConnectLoop, Exchange, Feedback};

/// A function from what one step of the export hands on to what the next one takes.
pub type Step<A, B> = Arc<dyn Fn(A) -> B + Send + Sync>;

/// What the verbs mean, for parts of a table, what is read of them, and what is made of that.
pub struct Steps<P, B, S, R> {
    /// Reads the rows of a part.
    pub read: Step<P, B>,
    /// Keeps the rows that are asked for.
    pub keep: Step<B, B>,
    /// Tells which split each row belongs to.
    pub split: Step<B, S>,
    /// Renders them in every format.
    pub render: Step<S, R>,
}

impl<P, B, S, R> Clone for Steps<P, B, S, R> {
    fn clone(&self) -> Self {
        let Self { read, keep, split, render } = self;
        Self { read: read.clone(), keep: keep.clone(), split: split.clone(), render: render.clone() }
    }
}

/// Builds the graph on one worker of two or more: parts are read and rendered by all workers but the first, so many at a time and
/// worker, and written by the first one in their order. So what is held is bounded, however large the table is.
pub fn export<P: Clone + Send + Sync + 'static, B: Clone + 'static, S: Clone + 'static, R: ExchangeData>(
    scope: Scope<'_, u64>,
    parts: Arc<[P]>,
    at_a_time: usize,
    steps: Steps<P, B, S, R>,
    stop: Stop,
    mut write: impl FnMut(R) + 'static,
) {
    let (written_loop, written) = scope.feedback(1);
    let readers = scope.peers() - 1;
    let first = scope.index().checked_sub(1).unwrap_or(parts.len());
    let own = (first..parts.len()).step_by(readers);
    let own = own.map(move |number| (number as u64, parts[number].clone()));
    let Steps { read, keep, split, render } = steps;

    let parts = feed(written, own, at_a_time, stop);
    let rows = parts.map(move |(number, part)| (number, read(part)));
    let kept = rows.map(move |(number, rows)| (number, keep(rows)));
    let split = kept.map(move |(number, rows)| (number, split(rows)));
    let rendered = split.map(move |(number, rows)| (number, render(rows)));
    let written = in_order(rendered, move |_, rendered| write(rendered));

    let reader = move |number: u64| number % readers as u64 + 1;
    written.exchange(move |number| reader(*number)).map(|_| ()).connect_loop(written_loop);
}
