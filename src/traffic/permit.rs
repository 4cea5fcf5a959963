//! Leave to send one request, and what came of it.

use super::desk::{Ending, Lent, Told, written};
use super::endpoint::{Endpoint, Failure, InFlight};
use super::{PermitRequest, RouteId, TargetId, Traffic};
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;

/// Refused requests, without any reply before, after which an endpoint takes none.
const REFUSALS: usize = 3;

/// Leave to send one request. It ends with what came of the request; dropped before, it tells nothing of the endpoint.
pub struct Permit {
    /// The endpoint that it is for.
    pub endpoint: TargetId,
    /// Whether the endpoint counted as one that takes all of a request.
    pub is_whole: bool,
    given: Given,
}

/// Who has given a permit.
enum Given {
    Here(Granted),
    Elsewhere(Lent),
}

impl Permit {
    pub(super) fn granted(granted: Granted) -> Self {
        Self { endpoint: granted.endpoint, is_whole: granted.is_whole, given: Given::Here(granted) }
    }

    #[cfg(test)]
    pub(super) fn age(&self) -> Duration {
        match &self.given {
            Given::Here(granted) => granted.since.elapsed(),
            Given::Elsewhere(_) => Duration::ZERO,
        }
    }

    pub(super) fn lent(lent: Lent, endpoint: TargetId, is_whole: bool) -> Self {
        Self { endpoint, is_whole, given: Given::Elsewhere(lent) }
    }

    /// The request was answered, with so many tokens in all, as far as the reply says. The latency is the endpoint's alone:
    /// without what the request waited for on this side.
    pub fn answered(self, tokens: Option<u64>, latency: Duration, headers: &HeaderMap) {
        match self.given {
            Given::Here(granted) => granted.answered(tokens, latency, headers),
            Given::Elsewhere(lent) => drop(lent.end(Ending::Answered(tokens, latency, written(headers)))),
        }
    }

    /// The endpoint has too much to do, and asks for so much time.
    pub fn overloaded(self, retry_after: Option<Duration>, headers: &HeaderMap, error: &str) {
        match self.given {
            Given::Here(granted) => granted.overloaded(retry_after, headers, error),
            Given::Elsewhere(lent) => {
                drop(lent.end(Ending::Overloaded(retry_after, written(headers), error.to_owned())));
            }
        }
    }

    /// The endpoint could not be reached, or gave no usable response. Whether it is the endpoint's doing, as far as one can
    /// say: then it counts as down.
    pub async fn failed(self, failure: Failure, error: &str) -> bool {
        match self.given {
            Given::Here(granted) => granted.failed(failure, error),
            Given::Elsewhere(lent) => {
                matches!(lent.end(Ending::Failed(failure, error.to_owned())).await, Told::Is(true))
            }
        }
    }

    /// The endpoint will not take any request of this agent.
    pub fn unusable(self, error: &str) {
        match self.given {
            Given::Here(granted) => granted.unusable(error),
            Given::Elsewhere(lent) => drop(lent.end(Ending::Unusable(error.to_owned()))),
        }
    }

    /// Something else answers there. Waiting does not change that: unless there were replies of late, the endpoint is not used
    /// any more. Whether it is so.
    pub async fn misled(self, error: &str) -> bool {
        match self.given {
            Given::Here(granted) => granted.misled(error),
            Given::Elsewhere(lent) => matches!(lent.end(Ending::Misled(error.to_owned())).await, Told::Is(true)),
        }
    }

    /// The endpoint does not take this request, which `request` says from now on. One that has refused all requests so far
    /// is not used any more.
    pub async fn refused(self, request: &mut PermitRequest, error: &str) -> Refusal {
        match self.given {
            Given::Here(granted) => granted.refused(request, error).await,
            Given::Elsewhere(lent) => match lent.end(Ending::Refused(request.clone(), error.to_owned())).await {
                Told::Refusal(refusal, changed) => {
                    *request = changed;
                    refusal
                }
                _ => Refusal::Final,
            },
        }
    }
}

/// A permit that this process has given.
pub(super) struct Granted {
    pub(super) traffic: Traffic,
    pub(super) route: RouteId,
    /// The endpoint that it is for.
    pub endpoint: TargetId,
    /// Whether the endpoint counted as one that takes all of a request.
    pub is_whole: bool,
    pub(super) request: PermitRequest,
    pub(super) sent: InFlight,
    /// When the permit was given.
    pub(super) since: Instant,
    pub(super) ended: bool,
}

/// What becomes of a request that an endpoint does not take, for no reason that is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// There is another endpoint to ask, or none that takes anything.
    GoOn,
    /// It is the request's own fault.
    Final,
}

/// What came of the request, as [`Permit`] says.
impl Granted {
    pub fn answered(mut self, tokens: Option<u64>, latency: Duration, headers: &HeaderMap) {
        self.traffic.lock().route(self.route).target(self.endpoint).attempts.has_replied = true;
        self.end(|endpoint, permit, now| {
            let more = tokens.map_or(0.0, |tokens| tokens as f64 - permit.request.tokens);
            endpoint.answered(permit.sent, latency, more, headers, now);
            more
        });
    }

    pub fn overloaded(mut self, retry_after: Option<Duration>, headers: &HeaderMap, error: &str) {
        self.end(|endpoint, permit, now| {
            endpoint.overloaded(permit.sent, retry_after, headers, error, now);
            -permit.request.tokens
        });
    }

    pub fn failed(mut self, failure: Failure, error: &str) -> bool {
        let mut down = false;
        self.end(|endpoint, permit, now| {
            down = endpoint.failed(permit.request.call, permit.sent, failure, now - permit.since, error, now);
            0.0
        });
        down
    }

    pub fn unusable(self, error: &str) {
        self.traffic.give_up(self.route, self.endpoint, error);
    }

    pub fn misled(self, error: &str) -> bool {
        let (traffic, route, endpoint) = (self.traffic.clone(), self.route, self.endpoint);
        let is_unusable = !traffic.has_replied(route, endpoint) | self.failed(Failure::Unusable, error);
        if is_unusable {
            traffic.give_up(route, endpoint, error);
        }
        is_unusable
    }

    pub async fn refused(mut self, request: &mut PermitRequest, error: &str) -> Refusal {
        let (traffic, route, endpoint) = (self.traffic.clone(), self.route, self.endpoint);
        request.refused.push(endpoint);
        let mut is_useless = false;
        self.end(|endpoint, permit, now| {
            endpoint.refused(now - permit.since);
            endpoint.abandoned(permit.sent, now);
            -permit.request.tokens
        });
        let has_way = {
            let mut state = traffic.lock();
            let has_way = state.has_way(route, request);
            let route = state.route(route);
            let has_replied_before = route.has_replied_before;
            let attempts = &mut route.target(endpoint).attempts;
            if !attempts.has_replied && !attempts.refused.contains(&request.call) {
                attempts.refused.push(request.call);
                // What is out elsewhere may say otherwise yet; another endpoint need not wait for that. Where the agent was replied
                // to before, and nobody else can be asked, it is the requests' fault: they alone are left of what was asked then.
                let is_alone = attempts.in_flight == 0 && !has_replied_before;
                is_useless = attempts.refused.len() >= REFUSALS && (has_way || is_alone);
            }
            has_way
        };
        if is_useless {
            traffic.give_up(route, endpoint, error);
        }
        if has_way { Refusal::GoOn } else { traffic.verdict(route).await }
    }

    /// Ends the request; `change` tells how many tokens more there were than thought.
    fn end(&mut self, change: impl FnOnce(&mut Endpoint, &Self, Instant) -> f64) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.traffic.clone().dispatch(|state, now| {
            let endpoint = state.endpoint(self.route, self.endpoint);
            let more = change(endpoint, self, now);
            endpoint.ended();
            let route = state.route(self.route);
            route.in_flight -= 1;
            route.target(self.endpoint).attempts.in_flight -= 1;
            route.rates.take([0.0, more]);
        });
        self.traffic.0.ended.notify_waiters();
    }
}

impl Drop for Granted {
    /// A request that was refused, or given up, tells nothing of the endpoint.
    fn drop(&mut self) {
        self.end(|endpoint, permit, now| {
            endpoint.abandoned(permit.sent, now);
            0.0
        });
    }
}
