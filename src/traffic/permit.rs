//! Leave to send one request, and what came of it.

use super::lane::{Flight, Lane};
use super::{Request, Traffic};
use reqwest::header::HeaderMap;
use std::time::Duration;
use tokio::time::Instant;

/// Refused requests, without any reply before, after which an endpoint takes none.
const REFUSALS: usize = 3;

/// Leave to send one request.
pub struct Permit {
    pub(super) traffic: Traffic,
    pub(super) route: usize,
    /// The endpoint, by its position among the agent's.
    pub endpoint: usize,
    /// Whether the endpoint counted as one that takes all of a request.
    pub is_whole: bool,
    pub(super) request: Request,
    pub(super) flight: Flight,
    pub(super) since: Instant,
    pub(super) ended: bool,
}

/// What becomes of a request that an endpoint does not take, for no reason that is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is another endpoint to ask, or none that takes anything.
    GoOn,
    /// It is the request's own fault.
    Final,
}

impl Permit {
    /// The request was answered, with so many tokens in all, as far as the reply says.
    pub fn answered(mut self, tokens: Option<u64>, headers: &HeaderMap) {
        self.traffic.lock().routes[self.route].tries[self.endpoint].has_replied = true;
        self.end(|lane, permit, now| {
            let more = tokens.map_or(0.0, |tokens| tokens as f64 - permit.request.tokens);
            lane.answered(permit.flight, now - permit.since, more, headers, now);
            more
        });
    }

    /// The endpoint has too much to do, and asks for so much time.
    pub fn complained(mut self, asked: Option<Duration>, headers: &HeaderMap, complaint: &str) {
        self.end(|lane, permit, now| {
            lane.complained(permit.flight, asked, headers, complaint, now);
            -permit.request.tokens
        });
    }

    /// The endpoint could not be reached, or gave no usable response. Whether it is the endpoint's doing, as far as one can
    /// say: then it counts as down.
    pub fn failed(mut self, unreachable: bool, complaint: &str) -> bool {
        let mut down = false;
        self.end(|lane, permit, now| {
            down = lane.failed(permit.request.call, unreachable, permit.flight, now - permit.since, complaint, now);
            0.0
        });
        down
    }

    /// The endpoint will not take any request of this agent.
    pub fn gone(self, complaint: &str) {
        self.traffic.give_up(self.route, self.endpoint, complaint);
    }

    /// Something else answers there. Waiting does not change that: unless there were replies of late, the endpoint is not used
    /// any more. Whether it is so.
    pub fn misled(self, complaint: &str) -> bool {
        let (traffic, route, endpoint) = (self.traffic.clone(), self.route, self.endpoint);
        let is_gone = !traffic.has_replied(route, endpoint) | self.failed(false, complaint);
        if is_gone {
            traffic.give_up(route, endpoint, complaint);
        }
        is_gone
    }

    /// The endpoint does not take this request, which `request` says from now on. One that has refused all requests so far
    /// is not used any more.
    pub async fn refused(mut self, request: &mut Request, complaint: &str) -> Refusal {
        let (traffic, route, endpoint) = (self.traffic.clone(), self.route, self.endpoint);
        request.refused.push(endpoint);
        let mut is_useless = false;
        self.end(|lane, permit, now| {
            lane.refused(now - permit.since);
            lane.untold(permit.flight.probe, now);
            -permit.request.tokens
        });
        let has_way = {
            let mut state = traffic.lock();
            let has_way = state.has_way(route, request);
            let tries = &mut state.routes[route].tries[endpoint];
            if !tries.has_replied && !tries.refused.contains(&request.call) {
                tries.refused.push(request.call);
                // What is out elsewhere may say otherwise yet; another endpoint need not wait for that.
                is_useless = tries.refused.len() >= REFUSALS && (has_way || tries.out == 0);
            }
            has_way
        };
        if is_useless {
            traffic.give_up(route, endpoint, complaint);
        }
        if has_way { Refusal::GoOn } else { traffic.verdict(route).await }
    }

    /// Ends the flight; `change` tells how many tokens more there were than thought.
    fn end(&mut self, change: impl FnOnce(&mut Lane, &Self, Instant) -> f64) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.traffic.clone().move_on(|state, now| {
            let lane = state.routes[self.route].lanes[self.endpoint];
            let more = change(&mut state.lanes[lane], self, now);
            state.lanes[lane].landed();
            state.routes[self.route].flights -= 1;
            state.routes[self.route].tries[self.endpoint].out -= 1;
            state.routes[self.route].rates.take([0.0, more]);
        });
        self.traffic.0.ended.notify_waiters();
    }
}

impl Drop for Permit {
    /// A request that was refused, or given up, tells nothing of the endpoint.
    fn drop(&mut self) {
        self.end(|lane, permit, now| {
            lane.untold(permit.flight.probe, now);
            0.0
        });
    }
}
