//! Which of an agent's endpoints a request goes to, and whose turn it is.

use super::admission::Admission;
use super::endpoint::{Endpoint, RateLimits};
use super::permit::Granted;
use super::{FIRST_REPLY, PermitRequest, Strategy, Traffic};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// An agent's way to its endpoints, by its number among those of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteId(pub(super) usize);

/// An endpoint, by its number among those of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EndpointId(usize);

/// An endpoint of a route, by its position in the settings of the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetId(pub usize);

/// Everything the traffic of a run knows.
#[derive(Default)]
pub(super) struct Routes {
    endpoints: Vec<Endpoint>,
    by_identity: BTreeMap<String, EndpointId>,
    routes: Vec<Route>,
    /// Most requests of all routes at a time, where that is limited.
    pub most: Option<u32>,
    /// When a timer will look for requests to admit again; none is set.
    pub wake: Option<Instant>,
}

/// An agent's way to its endpoints.
pub(super) struct Route {
    /// The agent's endpoints, in the order of its settings.
    pub targets: Vec<Target>,
    strategy: Strategy,
    /// The agent's own limits, beside those of the endpoints.
    pub rates: RateLimits,
    /// Requests that hold a permit.
    pub in_flight: u32,
    /// Requests that wait for one, the first one first.
    pub waiting: VecDeque<Waiter>,
    /// Whether its endpoints replied to requests of the run before this process asked them.
    pub has_replied_before: bool,
    /// Whether it leads to one judge of a jury, which may go on without it.
    pub is_of_jury: bool,
    /// Why it is of no use any more, where the run goes on without it.
    pub lost: Option<String>,
}

/// An endpoint, as one agent uses it.
pub(super) struct Target {
    pub endpoint: EndpointId,
    /// What it is owed where endpoints take turns: its weight is added for every request, the sum of all weights taken off
    /// for each of its own.
    credit: f64,
    /// Why it is of no use to this agent, from the moment that is known on.
    pub unusable: Option<String>,
    /// What came of this agent's requests to it.
    pub attempts: Attempts,
}

/// What came of an agent's requests to an endpoint.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempts {
    /// Requests of the route that are in flight.
    pub in_flight: u32,
    /// Whether any of them was answered; that stays so.
    pub has_replied: bool,
    /// Calls that were refused before the first reply.
    pub refused: Vec<u64>,
}

/// A request that waits for a permit.
pub(super) struct Waiter {
    pub request: PermitRequest,
    pub admitted: oneshot::Sender<Granted>,
}

/// What becomes of a request.
enum Choice {
    /// It goes to this endpoint of the route.
    Target(TargetId),
    /// It waits: until then, or until something changes.
    Wait(Admission),
}

/// What dispatching has come to.
pub(super) struct Dispatched {
    /// Permits that nobody waited for any more.
    pub unwanted: Vec<Granted>,
    /// When to look again, if nothing changes before.
    pub wake: Option<Instant>,
}

/// Whether all endpoints that a waiting request could go to are down.
#[derive(Debug, PartialEq)]
pub(super) enum Outage {
    /// One of them at least is up, or may be.
    None,
    /// They are, and the run has to stop at this time if none of them replies.
    Until(Instant),
    /// No waiting request will ever be sent, for this reason.
    Final(String),
}

impl Route {
    /// The endpoints that can be asked this.
    fn usable(&self, request: &PermitRequest) -> impl Iterator<Item = (TargetId, EndpointId)> {
        let targets = self.targets.iter().enumerate().map(|(at, target)| (TargetId(at), target));
        let usable = targets.filter(|(id, target)| target.unusable.is_none() && !request.refused.contains(id));
        usable.map(|(id, target)| (id, target.endpoint))
    }

    /// The endpoint of this id.
    pub fn target(&mut self, target: TargetId) -> &mut Target {
        &mut self.targets[target.0]
    }
}

impl Routes {
    /// Adds a route over these endpoints, which are made where there is none of this identity yet.
    pub fn add_route(
        &mut self,
        endpoints: impl IntoIterator<Item = (String, Endpoint)>,
        strategy: Strategy,
        rates: RateLimits,
    ) -> RouteId {
        let mut targets = Vec::new();
        for (identity, new) in endpoints {
            let next = EndpointId(self.endpoints.len());
            let endpoint = *self.by_identity.entry(identity).or_insert(next);
            if endpoint == next {
                self.endpoints.push(new);
            }
            targets.push(Target { endpoint, credit: 0.0, unusable: None, attempts: Attempts::default() });
        }
        self.routes.push(Route {
            targets,
            strategy,
            rates,
            in_flight: 0,
            waiting: VecDeque::new(),
            has_replied_before: false,
            is_of_jury: false,
            lost: None,
        });
        RouteId(self.routes.len() - 1)
    }

    /// The route of this id.
    pub fn route(&mut self, route: RouteId) -> &mut Route {
        &mut self.routes[route.0]
    }

    /// This endpoint of a route.
    pub fn endpoint(&mut self, route: RouteId, target: TargetId) -> &mut Endpoint {
        let endpoint = self.routes[route.0].target(target).endpoint;
        &mut self.endpoints[endpoint.0]
    }

    /// Drops all requests that wait.
    pub fn drop_waiting(&mut self) {
        self.routes.iter_mut().for_each(|route| route.waiting.clear());
    }

    /// Whether there is an endpoint for a request that can be expected to take one.
    pub fn has_way(&self, route: RouteId, request: &PermitRequest) -> bool {
        let now = Instant::now();
        self.routes[route.0].usable(request).any(|(_, endpoint)| self.endpoints[endpoint.0].is_well(now))
    }

    /// A permit, if nobody waits and there is one now.
    pub fn try_admit(&mut self, traffic: &Traffic, route: RouteId, request: &PermitRequest) -> Option<Granted> {
        if self.routes.iter().any(|route| !route.waiting.is_empty()) {
            return None;
        }
        match self.choose(route, request, &[], Instant::now()) {
            Choice::Target(target) => Some(self.admit(traffic, route, target, request.clone())),
            Choice::Wait(_) => None,
        }
    }

    /// Where a request goes. Some endpoints are kept for others.
    fn choose(&mut self, route: RouteId, request: &PermitRequest, kept: &[EndpointId], now: Instant) -> Choice {
        let Self { endpoints, routes, most, .. } = self;
        if most.is_some_and(|most| routes.iter().map(|route| route.in_flight).sum::<u32>() >= most) {
            return Choice::Wait(Admission::OnChange);
        }
        let route = &mut routes[route.0];
        let rates = route.rates.ready(request.tokens, now);
        if !rates.is_now() {
            return Choice::Wait(rates);
        }
        let mut open = Vec::with_capacity(route.targets.len());
        let mut wait = Admission::OnChange;
        let usable: Vec<_> = route.usable(request).collect();
        // Nothing is left out of a request while another endpoint can take it whole.
        let takes_whole = |endpoint: &Endpoint| !endpoint.takes_less && endpoint.is_well(now);
        let whole = usable.iter().any(|(_, endpoint)| takes_whole(&endpoints[endpoint.0]));
        for (target, endpoint) in usable.into_iter().filter(|(_, endpoint)| !kept.contains(endpoint)) {
            if whole && endpoints[endpoint.0].takes_less {
                continue;
            }
            match endpoints[endpoint.0].admits(request.tokens, now) {
                Admission::Now => open.push(target),
                later => wait = wait.or(later),
            }
        }
        if open.len() > 1 {
            open.retain(|target| Some(*target) != request.avoid);
        }
        let endpoint = |target: TargetId| &endpoints[route.targets[target.0].endpoint.0];
        // Nothing else tells whether it is up again.
        if let Some(probe) = open.iter().find(|target| endpoint(**target).is_down()) {
            return Choice::Target(*probe);
        }
        let least = |score: &dyn Fn(&Endpoint) -> f64| {
            open.iter().copied().min_by(|a, b| score(endpoint(*a)).total_cmp(&score(endpoint(*b))))
        };
        let chosen = match route.strategy {
            Strategy::WeightedLeastInflight => least(&Endpoint::load),
            Strategy::LowestLatency => least(&|endpoint: &Endpoint| endpoint.latency),
            Strategy::RoundRobin => {
                // Smooth weighted round robin, as nginx has it.
                let weights: Vec<f64> = open.iter().map(|target| endpoint(*target).weight()).collect();
                open.iter().zip(&weights).for_each(|(target, weight)| route.target(*target).credit += weight);
                let credit = |target: &TargetId| route.targets[target.0].credit;
                // The first of those that are owed as much.
                let most = open.iter().copied().rev().max_by(|a, b| credit(a).total_cmp(&credit(b)));
                most.iter().for_each(|target| route.target(*target).credit -= weights.iter().sum::<f64>());
                most
            }
        };
        chosen.map_or(Choice::Wait(wait), Choice::Target)
    }

    fn admit(&mut self, traffic: &Traffic, route: RouteId, target: TargetId, request: PermitRequest) -> Granted {
        let since = Instant::now();
        let sent = self.endpoint(route, target).sent(route, request.tokens, since);
        let is_whole = !self.endpoint(route, target).takes_less;
        let own = self.route(route);
        own.in_flight += 1;
        own.target(target).attempts.in_flight += 1;
        own.rates.take([1.0, request.tokens]);
        Granted { traffic: traffic.clone(), route, endpoint: target, is_whole, request, sent, since, ended: false }
    }

    /// Admits who can be admitted.
    pub fn admit_waiting(&mut self, traffic: &Traffic, now: Instant) -> Dispatched {
        let mut unwanted = Vec::new();
        if self.routes.iter().all(|route| route.waiting.is_empty()) {
            return Dispatched { unwanted, wake: None };
        }
        'admitted: loop {
            let mut wait = Admission::OnChange;
            // What a poorer route waits for by its rate is not given to a richer one.
            let mut kept = Vec::new();
            let mut routes: Vec<RouteId> = (0..self.routes.len()).map(RouteId).collect();
            routes.sort_by_key(|route| self.routes[route.0].in_flight);
            for route in routes {
                let waiting = &mut self.route(route).waiting;
                while waiting.front().is_some_and(|first| first.admitted.is_closed()) {
                    waiting.pop_front();
                }
                let Some(request) = waiting.front().map(|first| first.request.clone()) else { continue };
                match self.choose(route, &request, &kept, now) {
                    Choice::Wait(later) => {
                        wait = wait.or(later);
                        let own = self.route(route);
                        if later != Admission::OnChange && own.rates.ready(request.tokens, now).is_now() {
                            kept.extend(own.targets.iter().map(|target| target.endpoint));
                        }
                    }
                    Choice::Target(target) => {
                        let permit = self.admit(traffic, route, target, request);
                        let first = self.route(route).waiting.pop_front();
                        unwanted.extend(first.and_then(|first| first.admitted.send(permit).err()));
                        continue 'admitted;
                    }
                }
            }
            return Dispatched { unwanted, wake: wait.time() };
        }
    }

    /// Whether waiting requests can still be sent. The way to a judge that a jury can do without is closed where they can't.
    pub fn outage(&mut self, max_outage: Duration, now: Instant) -> Outage {
        let mut soonest: Option<Instant> = None;
        for at in 0..self.routes.len() {
            match self.outage_of(&self.routes[at], max_outage, now) {
                Outage::Final(reason) if self.can_do_without(at) => {
                    tracing::error!(target: "dlgforge.llm", "[llm] the run goes on without a judge of its jury: {reason}");
                    let route = &mut self.routes[at];
                    route.lost = Some(reason);
                    route.waiting.clear();
                }
                Outage::Final(reason) => return Outage::Final(reason),
                Outage::Until(end) => soonest = Some(soonest.map_or(end, |soonest| soonest.min(end))),
                Outage::None => {}
            }
        }
        soonest.map_or(Outage::None, Outage::Until)
    }

    /// Whether more than half of the jury is left without the judge that this route leads to.
    fn can_do_without(&self, route: usize) -> bool {
        let jury = || self.routes.iter().filter(|route| route.is_of_jury);
        let left = jury().filter(|route| route.lost.is_none()).count();
        self.routes[route].is_of_jury && left > 0 && (left - 1) * 2 > jury().count()
    }

    fn outage_of(&self, route: &Route, max_outage: Duration, now: Instant) -> Outage {
        if route.targets.is_empty() || route.waiting.is_empty() {
            return Outage::None;
        }
        let endpoint = |target: &Target| &self.endpoints[target.endpoint.0];
        let errors = route.targets.iter().map(|target| target.unusable.as_deref().unwrap_or(endpoint(target).error()));
        let errors = errors.collect::<Vec<_>>().join("; ");
        if route.targets.iter().all(|target| target.unusable.is_some()) {
            return Outage::Final(errors);
        }
        // Down as a whole since the last of them is.
        let usable = route.targets.iter().filter(|target| target.unusable.is_none());
        let since = usable.map(|target| endpoint(target).ailing_since());
        let since = since.collect::<Option<Vec<_>>>().and_then(|since| since.into_iter().max());
        let is_known = route.targets.iter().any(|target| endpoint(target).is_known);
        let most = if is_known { max_outage } else { max_outage.min(FIRST_REPLY) };
        let Some(end) = since.map(|since| since + most) else { return Outage::None };
        if now >= end {
            let key = if most == max_outage { " (`llm.max_outage`)" } else { " since the start" };
            return Outage::Final(format!("no reply for {} s{key}: {errors}", most.as_secs_f64()));
        }
        Outage::Until(end)
    }
}
