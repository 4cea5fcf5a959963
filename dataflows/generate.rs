//! The graph of `dlgforge run`.
//!
//! ```text
//!           ┌──────────────── rejected: next attempt ─────┐
//!           ▼                                             │
//! slots ──▶ ask ──▶ accept ──▶ answer ──▶ judge ──▶ advance ──▶ settle ──▶ record
//!   ▲       ▲       │ ▲ └──────── ended ────▲         │  │
//!   │       │       ▼ │ verdicts                      │  │
//!   │       │     dedup: claims.reduce(first)         │  │
//!   │       └──────────────── more turns ─────────────┘  │
//!   └──────────────── outcomes ──────────────────────────┘
//! ```

use crate::operators::dedup::{Claim, Proposal};
use crate::operators::{
    Accepted, Desk, Flow, Opening, Outcome, Quota, Settlement, Tally, accept, advance, call, dedup, record, settle,
    slots,
};
use crate::words::{Answer, Attempt, Conversation, Failure, Fingerprint, Judged, Question, Rank, Tick};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use timely::dataflow::Scope;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Concat, ConnectLoop, Feedback, ToStream};

/// An asynchronous function from a conversation to what a model made of it.
pub type Stage<O> =
    Arc<dyn Fn(Arc<Conversation>) -> Pin<Box<dyn Future<Output = Result<O, Failure>> + Send>> + Send + Sync>;

/// What the verbs mean.
#[derive(Clone)]
pub struct Stages {
    /// Begins a conversation.
    pub open: Arc<dyn Fn(Opening) -> Conversation + Send + Sync>,
    /// The user model asks.
    pub ask: Stage<Question>,
    /// The assistant model answers.
    pub answer: Stage<Answer>,
    /// The judge model scores.
    pub judge: Stage<Judged>,
}

/// What a run generates: how many conversations, on top of which questions.
#[derive(Clone)]
pub struct Order {
    /// Which conversations to open.
    pub quota: Quota,
    /// Further attempts at a rejected question.
    pub retries: Attempt,
    /// This worker's share of the questions of earlier runs.
    pub earlier: Vec<Fingerprint>,
}

/// Builds the graph of a run on one worker.
pub fn generate(
    scope: Scope<'_, u64>,
    order: Order,
    stages: Stages,
    desk: &Desk,
    report: impl Fn(&Tally) + 'static,
    write: impl FnMut(Settlement) + 'static,
) {
    let (outcome_loop, outcomes) = scope.feedback::<Vec<Outcome>>(1);
    let (verdict_loop, verdicts) = scope.feedback(1);
    let (rejected_loop, again) = scope.feedback(1);
    let (more_loop, more) = scope.feedback(1);

    let (openings, floors) = slots(outcomes, order.quota, desk.stop().clone(), report);
    let opened = openings.map(move |opening| (stages.open)(opening));
    let asked = call("ask", opened.concat(again).concat(more), desk, move |conversation| (stages.ask)(conversation));
    let Accepted { accepted, rejected, ended, claims } = accept(asked, verdicts, order.retries);
    let answered = call("answer", accepted, desk, move |conversation| (stages.answer)(conversation));
    let judging = answered.map(|(conversation, answer)| conversation.answered(answer)).concat(ended);
    let judged = call("judge", judging, desk, move |conversation| (stages.judge)(conversation));
    let (unfinished, finished) = advance(judged);
    let finished = finished.map(Arc::new);
    let settled = settle(finished.clone(), floors);
    record(settled, write);

    unfinished.connect_loop(more_loop);
    rejected.connect_loop(rejected_loop);
    dedup(claims.concat(earlier_claims(scope, order.earlier))).connect_loop(verdict_loop);
    finished.map(|conversation| Outcome::from(&*conversation)).connect_loop(outcome_loop);
}

/// Questions of earlier runs, ranked below all of this run's.
fn earlier_claims<'scope>(scope: Scope<'scope, u64>, earlier: Vec<Fingerprint>) -> Flow<'scope, Claim> {
    let proposal = Proposal { tick: Tick(0), rank: Rank::EARLIER_RUNS };
    earlier.into_iter().map(move |fingerprint| ((fingerprint, proposal), 0, 1)).to_stream(scope)
}
