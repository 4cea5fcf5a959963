//! Who may send a request, where and when: one for all models of a run.
//!
//! An agent's requests go over a route: its endpoints, some of which it shares with other agents. A request waits at its route
//! until an endpoint admits it: its circuit breaker is closed, neither its concurrency limit nor that of all requests is reached,
//! and its rate limits and the route's allow it. Routes with the fewest requests in flight come first, so that no agent keeps another from its work.

mod admission;
mod bucket;
pub mod budget;
pub mod concurrency;
pub mod desk;
mod endpoint;
pub mod events;
mod health;
pub mod patience;
mod permit;
mod rate;
mod route;
pub mod throughput;

use crate::domain::Observer;
use crate::llm::{Halt, ModelError};
pub use budget::Budget;
use desk::{Asked, Desk, Lent, Told};
use endpoint::{Endpoint, RateLimits};
pub use endpoint::{EndpointLimits, Failure};
pub use events::Event;
use permit::Granted;
pub use permit::{Permit, Refusal};
use route::{Dispatched, Outage, Routes, Waiter};
pub use route::{RouteId, TargetId};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// How long an endpoint that has never replied may give no sign of it: that is no outage, but most often a mistake.
const FIRST_REPLY: Duration = Duration::from_secs(10);
/// How long a request that is refused before the first reply waits for what becomes of others.
const VERDICT: Duration = Duration::from_secs(1);

/// How an endpoint is chosen among those that can take a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// The one with the least work for its weight and speed.
    #[default]
    WeightedLeastInflight,
    /// In turn, as often as their weights say.
    RoundRobin,
    /// The fastest of late.
    LowestLatency,
}

/// The traffic of a run: every request of its models needs a permit from here.
///
/// # Examples
///
/// Two agents share an endpoint that takes one request at a time:
///
/// ```
/// # use dlgforge::domain::Observer;
/// # use dlgforge::traffic::{EndpointLimits, PermitRequest, Strategy, Traffic};
/// # use std::{sync::Arc, time::Duration};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), dlgforge::llm::ModelError> {
/// let traffic = Traffic::new(Arc::default(), Duration::from_secs(600), Observer::default());
/// let limits = || EndpointLimits {
///     identity: "http://localhost:8080/v1".into(),
///     name: "local".into(),
///     weight: 1.0,
///     max_in_flight: Some(1),
///     per_minute: [None; 2],
/// };
/// let [user, judge] = [(); 2].map(|_| traffic.route(vec![limits()], Strategy::default(), [None; 2]));
/// let request = |call| PermitRequest { call, tokens: 100.0, avoid: None, refused: Vec::new() };
/// let permit = traffic.acquire(user, request(1)).await?;
/// let waiting = traffic.acquire(judge, request(2));
/// permit.answered(Some(120), Duration::from_secs(1), &Default::default());
/// waiting.await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Traffic(Arc<Inner>);

struct Inner {
    /// Locked for moments only, never across an await.
    state: Mutex<Routes>,
    /// Set when no request will ever be sent again.
    halt: Arc<Halt>,
    /// How long all endpoints of an agent may be down (`llm.max_outage`).
    max_outage: Duration,
    /// The calls so far.
    calls: AtomicU64,
    /// Told whenever a request has ended.
    ended: Notify,
    /// Where another process decides, if one does.
    desk: OnceLock<Desk>,
    /// Who hears what happens to endpoints.
    observer: Observer<Event>,
}

/// What a request is to the traffic.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PermitRequest {
    /// Tells calls apart: attempts of one are the same.
    pub call: u64,
    /// Tokens it will come to, as far as one can say.
    pub tokens: f64,
    /// An endpoint that another is better than: it has just failed.
    pub avoid: Option<TargetId>,
    /// The endpoints that do not take it.
    pub refused: Vec<TargetId>,
}

impl Traffic {
    /// No endpoints yet. All that an agent has may be down for so long before the run is halted.
    pub fn new(halt: Arc<Halt>, max_outage: Duration, observer: Observer<Event>) -> Self {
        let (state, calls) = (Mutex::default(), AtomicU64::new(0));
        Self(Arc::new(Inner { state, halt, max_outage, calls, ended: Notify::new(), desk: OnceLock::new(), observer }))
    }

    /// Opens an agent's way to these endpoints, with so many requests and tokens per minute. Endpoints of the same
    /// identity are one.
    pub fn route(&self, endpoints: Vec<EndpointLimits>, strategy: Strategy, per_minute: [Option<f64>; 2]) -> RouteId {
        let now = Instant::now();
        let endpoint = |limits: EndpointLimits| {
            let identity = limits.identity.clone();
            (identity, Endpoint::new(limits, self.0.max_outage, self.0.observer.clone(), now))
        };
        let endpoints = endpoints.into_iter().map(endpoint);
        self.lock().add_route(endpoints, strategy, RateLimits::new(per_minute, now))
    }

    /// Takes note that the run had replies over this route before this process went on with it.
    pub fn has_replied_before(&self, route: RouteId) {
        self.lock().route(route).has_replied_before = true;
    }

    /// Takes note that a route leads to one judge of a jury: where it is of no use any more, and more than half of the jury is
    /// left, the run goes on without it.
    pub fn is_of_jury(&self, route: RouteId) {
        self.lock().route(route).is_of_jury = true;
    }

    /// Has no more than so many requests in flight at a time, over all routes.
    pub fn at_most(&self, requests: u32) {
        self.lock().most = Some(requests);
    }

    /// What tells the next call from all others.
    pub fn next_call(&self) -> u64 {
        self.0.calls.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Routes> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has another process, which makes the run with this one, decide from now on.
    pub fn ask_at(&self, desk: Desk) {
        _ = self.0.desk.set(desk);
    }

    /// Waits for leave to send a request.
    ///
    /// # Errors
    /// When the run has to stop, or goes on without the judge that is to be asked.
    pub async fn acquire(&self, route: RouteId, request: PermitRequest) -> Result<Permit, ModelError> {
        match self.0.desk.get() {
            None => self.grant(route, request).await.map(Permit::granted),
            Some(desk) => Lent::acquire(desk, route, request).await,
        }
    }

    async fn grant(&self, route: RouteId, request: PermitRequest) -> Result<Granted, ModelError> {
        let waiting = {
            let mut state = self.lock();
            if let Some(reason) = self.0.halt.reason() {
                return Err(ModelError::Halted(reason.to_owned()));
            }
            if let Some(reason) = &state.route(route).lost {
                return Err(ModelError::Gone(reason.clone()));
            }
            if let Some(permit) = state.try_admit(self, route, &request) {
                return Ok(permit);
            }
            let (admitted, waiting) = oneshot::channel();
            state.route(route).waiting.push_back(Waiter { request, admitted });
            waiting
        };
        self.dispatch(|_, _| {});
        waiting.await.map_err(|_| match self.lock().route(route).lost.clone() {
            Some(reason) => ModelError::Gone(reason),
            None => ModelError::Halted(self.0.halt.reason().unwrap_or_default().to_owned()),
        })
    }

    /// Something has changed: admits who can be admitted.
    fn dispatch(&self, change: impl FnOnce(&mut Routes, Instant)) {
        let now = Instant::now();
        let mut state = self.lock();
        change(&mut state, now);
        let Dispatched { unwanted, mut wake } = state.admit_waiting(self, now);
        // Whoever waits is told by the end of the channel.
        match state.outage(self.0.max_outage, now) {
            Outage::Final(reason) => {
                self.0.halt.halt(reason);
                state.drop_waiting();
                wake = None;
            }
            Outage::Until(end) => wake = Some(wake.map_or(end, |wake| wake.min(end))),
            Outage::None => {}
        }
        if let Some(wake) = wake.filter(|wake| state.wake.is_none_or(|set| *wake < set)) {
            state.wake = Some(wake);
            self.wake_at(wake);
        }
        drop(state);
        // Each gives its place to the next.
        drop(unwanted);
    }

    /// Takes note that an endpoint is sent only part of a request.
    pub fn takes_less(&self, route: RouteId, target: TargetId) {
        if let Some(desk) = self.0.desk.get() {
            drop(desk.ask(Asked::TakesLess(route, target)));
        }
        self.lock().endpoint(route, target).takes_less = true;
    }

    /// Takes note of how many requests wait at an endpoint, by its own account: while some do, it is given fewer at a time.
    pub fn queued(&self, route: RouteId, target: TargetId, waiting: u32) {
        self.dispatch(|state, _| state.endpoint(route, target).queued(waiting));
    }

    /// Whether all endpoints that can be expected to take a request have refused this one.
    pub async fn has_refused(&self, route: RouteId, request: &PermitRequest) -> bool {
        if let Some(desk) = self.0.desk.get() {
            return matches!(desk.ask(Asked::HasRefused(route, request.clone())).await, Told::Is(true));
        }
        let mut state = self.lock();
        state.route(route).targets.iter().any(|target| target.unusable.is_none()) && !state.has_way(route, request)
    }

    fn has_replied(&self, route: RouteId, target: TargetId) -> bool {
        self.lock().endpoint(route, target).has_replied
    }

    fn give_up(&self, route: RouteId, target: TargetId, error: &str) {
        let mut state = self.lock();
        let unusable = &mut state.route(route).target(target).unusable;
        if unusable.is_none() {
            *unusable = Some(error.to_owned());
            state.endpoint(route, target).left_out(error);
        }
        self.0.ended.notify_waiters();
    }

    /// Whose fault it is that all endpoints of an agent refuse a request. Before the first reply that is not known: then it
    /// waits a little for others to be replied to, or refused as well.
    async fn verdict(&self, route: RouteId) -> Refusal {
        let known = async {
            loop {
                let ended = self.0.ended.notified();
                tokio::pin!(ended);
                ended.as_mut().enable();
                {
                    let mut state = self.lock();
                    let route = state.route(route);
                    let mut left = route.targets.iter().filter(|target| target.unusable.is_none()).peekable();
                    if left.peek().is_none() || self.0.halt.reason().is_some() {
                        return Refusal::GoOn;
                    }
                    if route.has_replied_before || left.any(|target| target.attempts.has_replied) {
                        return Refusal::Final;
                    }
                }
                ended.await;
            }
        };
        tokio::time::timeout(VERDICT, known).await.unwrap_or(Refusal::Final)
    }

    fn wake_at(&self, wake: Instant) {
        let traffic = self.clone();
        // At the end of a run there is nothing to wait for any more.
        _ = Handle::try_current().map(|runtime| {
            runtime.spawn(async move {
                tokio::time::sleep_until(wake).await;
                traffic.dispatch(|state, now| state.wake = state.wake.filter(|set| *set > now));
            })
        });
    }
}

#[cfg(test)]
mod tests;
