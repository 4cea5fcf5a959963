//! Who may send a request, where and when: one for all models of a run.
//!
//! An endpoint is a lane, shared by all agents that use it; an agent is a route over its lanes. A request waits at its
//! route until a lane admits it: its breaker is closed, it has flights left, and its rates and the route's allow it. Routes
//! with the fewest flights come first, so that no agent keeps another from its work.

mod bucket;
pub mod budget;
mod flights;
mod health;
mod lane;
mod pace;
pub mod patience;
mod permit;

use crate::llm::{Halt, ModelError};
pub use budget::Budget;
use lane::Lane;
pub use lane::LaneOptions;
pub use permit::{Permit, Refusal};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// The traffic of a run.
#[derive(Clone)]
pub struct Traffic(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    halt: Arc<Halt>,
    max_outage: Duration,
    calls: AtomicU64,
    /// A request has ended.
    ended: Notify,
}

#[derive(Default)]
struct State {
    lanes: Vec<Lane>,
    by_identity: BTreeMap<String, usize>,
    routes: Vec<Route>,
    /// When a timer will look again.
    wake: Option<Instant>,
}

/// An agent's way to its endpoints.
struct Route {
    lanes: Vec<usize>,
    strategy: Strategy,
    rates: lane::Rates,
    flights: u32,
    waiting: VecDeque<Waiting>,
    /// What lanes are owed, where they take turns.
    owed: Vec<f64>,
    /// Why a lane is of no use to this agent.
    gone: Vec<Option<String>>,
    /// What came of this agent's requests to a lane.
    tries: Vec<Tries>,
}

#[derive(Debug, Clone, Default)]
struct Tries {
    /// Those that are out.
    out: u32,
    has_replied: bool,
    /// Calls that were refused before the first reply.
    refused: Vec<u64>,
}

struct Waiting {
    request: Request,
    admitted: oneshot::Sender<Permit>,
}

/// What a request is to the traffic.
#[derive(Debug, Clone)]
pub struct Request {
    /// Tells calls apart: tries of one are the same.
    pub call: u64,
    /// Tokens it will come to, as far as one can say.
    pub tokens: f64,
    /// The position of an endpoint that another is better than: it has just failed.
    pub avoid: Option<usize>,
    /// The positions of endpoints that do not take it.
    pub refused: Vec<usize>,
}

impl Traffic {
    /// None yet. What an endpoint takes may be down for so long before `halt` is told.
    pub fn new(halt: Arc<Halt>, max_outage: Duration) -> Self {
        Self(Arc::new(Inner {
            state: Mutex::default(),
            halt,
            max_outage,
            calls: AtomicU64::new(0),
            ended: Notify::new(),
        }))
    }

    /// Opens an agent's way to these endpoints, with so many requests and tokens per minute. Endpoints of the same
    /// identity are one.
    pub fn route(&self, endpoints: Vec<LaneOptions>, strategy: Strategy, per_minute: [Option<f64>; 2]) -> usize {
        let (mut state, now) = (self.lock(), Instant::now());
        let mut lanes = Vec::with_capacity(endpoints.len());
        for options in endpoints {
            let next = state.lanes.len();
            let at = *state.by_identity.entry(options.identity.clone()).or_insert(next);
            if at == next {
                state.lanes.push(Lane::new(options, self.0.max_outage, now));
            }
            lanes.push(at);
        }
        let (owed, gone, tries) =
            (vec![0.0; lanes.len()], vec![None; lanes.len()], vec![Tries::default(); lanes.len()]);
        let (rates, waiting) = (lane::Rates::new(per_minute, now), VecDeque::new());
        state.routes.push(Route { lanes, strategy, rates, flights: 0, waiting, owed, gone, tries });
        state.routes.len() - 1
    }

    /// What tells the next call from all others.
    pub fn next_call(&self) -> u64 {
        self.0.calls.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for leave to send a request.
    ///
    /// # Errors
    /// When the run has to stop.
    pub async fn enter(&self, route: usize, request: Request) -> Result<Permit, ModelError> {
        let waiting = {
            let mut state = self.lock();
            if let Some(reason) = self.0.halt.reason() {
                return Err(ModelError::Halted(reason.to_owned()));
            }
            if state.routes.iter().all(|route| route.waiting.is_empty())
                && let Ok(position) = state.choose(route, &request, &[], Instant::now())
            {
                return Ok(state.admit(self, route, position, request));
            }
            let (admitted, waiting) = oneshot::channel();
            state.routes[route].waiting.push_back(Waiting { request, admitted });
            waiting
        };
        self.move_on(|_, _| {});
        waiting.await.map_err(|_| ModelError::Halted(self.0.halt.reason().unwrap_or_default().to_owned()))
    }

    /// Something has changed: admits who can be admitted.
    fn move_on(&self, change: impl FnOnce(&mut State, Instant)) {
        let now = Instant::now();
        let mut state = self.lock();
        change(&mut state, now);
        let (unwanted, mut wake) = state.admit_waiting(self, now);
        let outage = state.outage(self.0.max_outage, now);
        if let Err(Some(over)) = &outage {
            wake = Some(wake.map_or(*over, |wake| wake.min(*over)));
        }
        if let Ok(reason) = &outage {
            self.0.halt.halt(reason.clone());
            // Whoever waits is told by the end of the channel.
            state.routes.iter_mut().for_each(|route| route.waiting.clear());
        } else if let Some(wake) = wake.filter(|wake| state.wake.is_none_or(|set| *wake < set)) {
            state.wake = Some(wake);
            self.look_again(wake);
        }
        drop(state);
        // Each gives its place to the next.
        drop(unwanted);
    }

    /// Takes note that an endpoint is sent only part of a request.
    pub fn takes_less(&self, route: usize, endpoint: usize) {
        let mut state = self.lock();
        let lane = state.routes[route].lanes[endpoint];
        state.lanes[lane].takes_less = true;
    }

    /// Whether all endpoints that can be expected to take a request have refused this one.
    pub fn has_refused(&self, route: usize, request: &Request) -> bool {
        let state = self.lock();
        state.routes[route].gone.iter().any(Option::is_none) && !state.has_way(route, request)
    }

    fn has_replied(&self, route: usize, endpoint: usize) -> bool {
        let state = self.lock();
        state.lanes[state.routes[route].lanes[endpoint]].has_replied
    }

    fn give_up(&self, route: usize, endpoint: usize, complaint: &str) {
        let mut state = self.lock();
        let gone = &mut state.routes[route].gone[endpoint];
        if gone.is_none() {
            tracing::error!(target: "dlgforge.llm", "[llm] not used any more: {complaint}");
            *gone = Some(complaint.to_owned());
        }
        self.0.ended.notify_waiters();
    }

    /// Whose fault it is that all endpoints of an agent refuse a request. Before the first reply that is not known: then it
    /// waits a little for others to be replied to, or refused as well.
    async fn verdict(&self, route: usize) -> Refusal {
        let told = async {
            loop {
                let ended = self.0.ended.notified();
                tokio::pin!(ended);
                ended.as_mut().enable();
                {
                    let state = self.lock();
                    let route = &state.routes[route];
                    let mut left = route.tries.iter().zip(&route.gone).filter(|(_, gone)| gone.is_none()).peekable();
                    if left.peek().is_none() || self.0.halt.reason().is_some() {
                        return Refusal::GoOn;
                    }
                    if left.any(|(tries, _)| tries.has_replied) {
                        return Refusal::Final;
                    }
                }
                ended.await;
            }
        };
        tokio::time::timeout(VERDICT, told).await.unwrap_or(Refusal::Final)
    }

    fn look_again(&self, wake: Instant) {
        let traffic = self.clone();
        // At the end of a run there is nothing to wait for any more.
        _ = Handle::try_current().map(|runtime| {
            runtime.spawn(async move {
                tokio::time::sleep_until(wake).await;
                traffic.move_on(|state, now| state.wake = state.wake.filter(|set| *set > now));
            })
        });
    }
}

impl Route {
    /// Positions and lanes that can be asked this.
    fn usable(&self, request: &Request) -> impl Iterator<Item = (usize, usize)> {
        let lanes = self.lanes.iter().copied().enumerate();
        lanes.filter(|(at, _)| self.gone[*at].is_none() && !request.refused.contains(at))
    }
}

impl State {
    /// Whether there is an endpoint for a request that can be expected to take one.
    fn has_way(&self, route: usize, request: &Request) -> bool {
        let now = Instant::now();
        self.routes[route].usable(request).any(|(_, lane)| self.lanes[lane].is_well(now))
    }

    /// The position of the endpoint a request goes to: now, or what it waits for. Some lanes are kept for others.
    fn choose(
        &mut self,
        route: usize,
        request: &Request,
        kept: &[usize],
        now: Instant,
    ) -> Result<usize, Option<Instant>> {
        let Self { lanes, routes, .. } = self;
        let route = &mut routes[route];
        route.rates.ready(request.tokens, now).map_err(Some)?;
        let mut open = Vec::with_capacity(route.lanes.len());
        let mut wake: Option<Instant> = None;
        let usable: Vec<_> = route.usable(request).collect();
        // Nothing is left out of a request while another endpoint can take it whole.
        let whole = usable.iter().any(|(_, lane)| !lanes[*lane].takes_less && lanes[*lane].is_well(now));
        for (position, lane) in usable.into_iter().filter(|(_, lane)| !kept.contains(lane)) {
            if whole && lanes[lane].takes_less {
                continue;
            }
            match lanes[lane].admits(request.tokens, now) {
                Ok(()) => open.push(position),
                Err(Some(later)) => wake = Some(wake.map_or(later, |wake| wake.min(later))),
                Err(None) => {}
            }
        }
        if open.len() > 1 {
            open.retain(|position| Some(*position) != request.avoid);
        }
        let lane = |position: usize| &lanes[route.lanes[position]];
        // Nothing else tells whether it is up again.
        if let Some(probe) = open.iter().find(|position| lane(**position).is_down()) {
            return Ok(*probe);
        }
        let least = |score: &dyn Fn(&Lane) -> f64| {
            open.iter().copied().min_by(|a, b| score(lane(*a)).total_cmp(&score(lane(*b)))).ok_or(wake)
        };
        match route.strategy {
            Strategy::WeightedLeastInflight => least(&Lane::load),
            Strategy::LowestLatency => least(&|lane: &Lane| lane.latency),
            Strategy::RoundRobin => {
                // Smooth weighted round robin, as nginx has it.
                let (mut sum, mut chosen) = (0.0, None::<usize>);
                for position in open {
                    let weight = lanes[route.lanes[position]].weight();
                    sum += weight;
                    route.owed[position] += weight;
                    if chosen.is_none_or(|chosen| route.owed[position] > route.owed[chosen]) {
                        chosen = Some(position);
                    }
                }
                let chosen = chosen.ok_or(wake)?;
                route.owed[chosen] -= sum;
                Ok(chosen)
            }
        }
    }

    fn admit(&mut self, traffic: &Traffic, route: usize, endpoint: usize, request: Request) -> Permit {
        let lane = self.routes[route].lanes[endpoint];
        self.routes[route].flights += 1;
        self.routes[route].tries[endpoint].out += 1;
        self.routes[route].rates.take([1.0, request.tokens]);
        let since = Instant::now();
        let flight = self.lanes[lane].sent(route, request.tokens, since);
        let is_whole = !self.lanes[lane].takes_less;
        Permit { traffic: traffic.clone(), route, endpoint, is_whole, request, flight, since, ended: false }
    }

    /// Admits who can be admitted; what nobody waited for any more, and when to look again.
    fn admit_waiting(&mut self, traffic: &Traffic, now: Instant) -> (Vec<Permit>, Option<Instant>) {
        let mut unwanted = Vec::new();
        if self.routes.iter().all(|route| route.waiting.is_empty()) {
            return (unwanted, None);
        }
        'admitted: loop {
            let mut wake: Option<Instant> = None;
            // What a poorer route waits for by its rate is not given to a richer one.
            let mut kept = Vec::new();
            let mut routes: Vec<usize> = (0..self.routes.len()).collect();
            routes.sort_by_key(|route| self.routes[*route].flights);
            for route in routes {
                let waiting = &mut self.routes[route].waiting;
                while waiting.front().is_some_and(|first| first.admitted.is_closed()) {
                    waiting.pop_front();
                }
                let Some(request) = waiting.front().map(|first| first.request.clone()) else { continue };
                match self.choose(route, &request, &kept, now) {
                    Err(Some(later)) => {
                        wake = Some(wake.map_or(later, |wake| wake.min(later)));
                        if self.routes[route].rates.ready(request.tokens, now).is_ok() {
                            kept.extend(&self.routes[route].lanes);
                        }
                    }
                    Err(None) => {}
                    Ok(position) => {
                        let permit = self.admit(traffic, route, position, request);
                        let first = self.routes[route].waiting.pop_front();
                        unwanted.extend(first.and_then(|first| first.admitted.send(permit).err()));
                        continue 'admitted;
                    }
                }
            }
            return (unwanted, wake);
        }
    }

    /// Why no waiting request will ever be sent; else when that will be so if nothing changes, where it may come to that.
    fn outage(&self, max_outage: Duration, now: Instant) -> Result<String, Option<Instant>> {
        let mut soonest: Option<Instant> = None;
        for route in &self.routes {
            if route.lanes.is_empty() || route.waiting.is_empty() {
                continue;
            }
            let ways = || route.lanes.iter().map(|lane| &self.lanes[*lane]).zip(&route.gone);
            let told: Vec<_> = ways().map(|(lane, gone)| gone.as_deref().unwrap_or(lane.complaint())).collect();
            if route.gone.iter().all(Option::is_some) {
                return Ok(told.join("; "));
            }
            // Down as a whole since the last of them is.
            let since = ways().filter(|(_, gone)| gone.is_none()).map(|(lane, _)| lane.ailing_since());
            let since = since.collect::<Option<Vec<_>>>().and_then(|since| since.into_iter().max());
            let is_known = ways().any(|(lane, _)| lane.is_known);
            let most = if is_known { max_outage } else { max_outage.min(FIRST_REPLY) };
            let Some(over) = since.map(|since| since + most) else { continue };
            if now >= over {
                let key = if most == max_outage { " (`llm.max_outage`)" } else { " since the start" };
                return Ok(format!("no reply for {} s{key}: {}", most.as_secs_f64(), told.join("; ")));
            }
            soonest = Some(soonest.map_or(over, |soonest| soonest.min(over)));
        }
        Err(soonest)
    }
}

#[cfg(test)]
mod tests;
