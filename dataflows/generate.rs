//! The graph of `dlgforge run`.
//!
//! ```text
//!          ┌──────── rejected: next attempt ─────────┐
//!          ▼                                         │
//! slots ─▶ ask ─▶ accept ─▶ answer ─▶ judge ─▶ advance ─▶ settle ─▶ record
//!                 │    ▲
//!          claims ▼    │ verdicts
//!                 dedup: first of its fingerprint ─▶ not too close to what stands (near)
//! ```

use crate::domain::{Answer, Conversation, Failure, Fingerprint, Judged, Observer, Question};
use crate::operators::{
    Completion, Event, Executor, InFlight, Inputs, Near, Opening, Outputs, Quota, Retries, Settlement, Tally, accept,
    advance, call, dedup, record, settle, slots,
};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use timely::ExchangeData;
use timely::dataflow::Scope;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Concat, ConnectLoop, Feedback};

/// An asynchronous function from a conversation in flight to what a model made of it.
pub type Stage<O> =
    Arc<dyn Fn(Arc<InFlight>) -> Pin<Box<dyn Future<Output = Result<O, Failure>> + Send>> + Send + Sync>;

/// What the verbs mean.
#[derive(Clone)]
pub struct Stages {
    /// Begins a conversation in the slot that was opened.
    pub open: Arc<dyn Fn(&Opening) -> Conversation + Send + Sync>,
    /// The user model asks.
    pub ask: Stage<Question>,
    /// The assistant model answers.
    pub answer: Stage<Answer>,
    /// The judge model scores, and the assistant model answers again what it rejects.
    pub judge: Stage<Judged>,
}

/// What a run generates: how many conversations, on top of which questions.
#[derive(Clone)]
pub struct Order {
    /// Which conversations to open.
    pub quota: Quota,
    /// How often turns are begun anew.
    pub retries: Retries,
    /// The questions of earlier runs, in order.
    pub earlier: Arc<[Fingerprint]>,
    /// How near-duplicates of questions are found; none where they are not looked for.
    pub near: Option<Near>,
    /// Worker threads of each process.
    pub threads: usize,
}

/// Builds the graph of a run on one worker. What is settled is rendered where it was made, and written by the first process.
pub fn generate<R: ExchangeData>(
    scope: Scope<'_, u64>,
    order: Order,
    stages: Stages,
    executor: &Executor,
    observer: Observer<Event>,
    report: impl Fn(&Tally) + 'static,
    (render, write): (impl FnMut(Settlement) -> R + 'static, impl FnMut(usize, R) + 'static),
) {
    let (completion_loop, outcomes) = scope.feedback::<Vec<Completion>>(1);
    let (report_loop, reports) = scope.feedback(1);
    let (verdict_loop, verdicts) = scope.feedback(1);
    let (rejected_loop, again) = scope.feedback(1);
    let (more_loop, more) = scope.feedback(1);
    let (ended_loop, ended) = scope.feedback(1);

    let (openings, watermarks) =
        slots(outcomes, reports, order.quota, order.threads, executor.stop().clone(), observer.clone(), report);
    let opened = openings.map(move |opening| InFlight::new((stages.open)(&opening), opening.coverage));
    let asking = opened.clone().concat(again).concat(more);
    let asked = call("ask", asking, executor, move |conversation| (stages.ask)(conversation));
    let inputs = Inputs { opened, asked, ended, verdicts, watermarks: watermarks.clone() };
    let Outputs { accepted, rejected, dropped, claims, reports } = accept(inputs, order.retries, observer);
    let answered = call("answer", accepted, executor, move |conversation| (stages.answer)(conversation));
    let judging = answered.map(|(conversation, answer)| conversation.answered(answer)).concat(dropped);
    let judged = call("judge", judging, executor, move |conversation| (stages.judge)(conversation));
    let (unfinished, finished) = advance(judged);
    let finished = finished.map(Arc::new);
    let settled = settle(finished.clone(), watermarks.clone());
    record(settled.clone(), order.threads, render, write);

    rejected.connect_loop(rejected_loop);
    unfinished.connect_loop(more_loop);
    finished.connect_loop(ended_loop);
    dedup(claims, watermarks, order.earlier, order.near).connect_loop(verdict_loop);
    reports.connect_loop(report_loop);
    settled.flat_map(|settlement| settlement.completion()).connect_loop(completion_loop);
}
