//! An endpoint as the traffic knows it: how much it takes, how fast it is, whether it is up.

use super::admission::Admission;
use super::bucket::{Bucket, reported};
use super::concurrency::{ConcurrencyLimit, Sent};
use super::events::Event;
use super::health::Health;
use super::rate::AdaptiveRate;
use super::route::RouteId;
use super::throughput::{Change, Outcome};
use crate::domain::{Observer, clock};
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;

/// What an endpoint's latency is taken for before its first reply, and the longest that counts, in seconds.
const FIRST_LATENCY: f64 = 0.5;
const LONGEST_LATENCY: f64 = 600.0;
/// The weight of a reply in the latency.
const MEMORY: f64 = 0.2;
/// The pause after the first of several overloads that ask for no time, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The least time between two warnings of an endpoint's back pressure.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// RateLimits of requests and of tokens.
#[derive(Debug, Default)]
pub(super) struct RateLimits([Option<Bucket>; 2]);

impl RateLimits {
    pub fn new(per_minute: [Option<f64>; 2], now: Instant) -> Self {
        Self(per_minute.map(|amount| amount.map(|amount| Bucket::per_minute(amount, now))))
    }

    /// When one more request of so many tokens may go.
    pub fn ready(&mut self, tokens: f64, now: Instant) -> Admission {
        let buckets = self.0.iter_mut().zip([1.0, tokens]);
        let ready = buckets.filter_map(|(bucket, amount)| Some(bucket.as_mut()?.ready(amount, now)));
        ready.fold(Admission::Now, Admission::and)
    }

    /// So many requests and tokens are used.
    pub fn take(&mut self, amounts: [f64; 2]) {
        self.0.iter_mut().zip(amounts).for_each(|(bucket, amount)| {
            if let Some(bucket) = bucket {
                bucket.take(amount);
            }
        });
    }
}

/// What the settings say of how much an endpoint is given.
#[derive(Debug, Clone)]
pub struct EndpointLimits {
    /// What makes it the same for all agents.
    pub identity: String,
    /// Its name in messages.
    pub name: String,
    /// Its share of the work, relative to the others.
    pub weight: f64,
    /// Most requests at a time; none where the settings set no limit.
    pub max_in_flight: Option<u32>,
    /// Requests and tokens per minute, where the settings limit them.
    pub per_minute: [Option<f64>; 2],
}

/// How a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// Nobody could be reached.
    Unreachable,
    /// No complete response came in time.
    TimedOut,
    /// There was no usable response.
    Unusable,
}

/// A request as its endpoint knows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct InFlight {
    /// What the concurrency limit has to know of it.
    sent: Sent,
    /// Whether it tries whether the endpoint is up again.
    probe: bool,
}

/// An endpoint of a run, from its start to its end.
pub(super) struct Endpoint {
    limits: EndpointLimits,
    /// Requests that hold a permit for it.
    in_flight: u32,
    /// What it can do at a time, as far as its replies show.
    concurrency: ConcurrencyLimit,
    /// The rate it admits; unknown until it first complains of one.
    adaptive_rate: AdaptiveRate,
    health: Health,
    /// Moving average in seconds, by which endpoints are chosen. Failures count as slow replies.
    pub latency: f64,
    /// The rates of the settings.
    rates: RateLimits,
    /// The rates that its response headers report, from the first such header on.
    reported: RateLimits,
    /// No request before this time; set by back pressure.
    paused_until: Option<Instant>,
    /// How often it was overloaded since its last reply.
    overloads: u32,
    /// Whether it has ever replied.
    pub has_replied: bool,
    /// Whether it has ever given a sign that it will reply, such as back pressure.
    pub is_known: bool,
    /// Whether it does not take all of a request, and is sent part of it; once known that stays so.
    pub takes_less: bool,
    /// When its back pressure was last told.
    last_warning: Option<Instant>,
    observer: Observer<Event>,
}

impl Endpoint {
    /// An endpoint nothing is known of but its settings.
    pub fn new(limits: EndpointLimits, max_outage: Duration, observer: Observer<Event>, now: Instant) -> Self {
        Self {
            rates: RateLimits::new(limits.per_minute, now),
            limits,
            in_flight: 0,
            concurrency: ConcurrencyLimit::new(),
            adaptive_rate: AdaptiveRate::new(),
            health: Health::new(max_outage),
            latency: FIRST_LATENCY,
            reported: RateLimits::default(),
            paused_until: None,
            overloads: 0,
            has_replied: false,
            is_known: false,
            takes_less: false,
            last_warning: None,
            observer,
        }
    }

    /// Its share of the work.
    pub fn weight(&self) -> f64 {
        self.limits.weight
    }

    /// The work it has, for its weight and speed: the least is the best.
    pub fn load(&self) -> f64 {
        f64::from(self.in_flight + 1) / self.limits.weight.max(1e-6) * self.latency.max(1e-3)
    }

    /// Whether it counts as down: the next request tries whether it is up again.
    pub fn is_down(&self) -> bool {
        self.health.is_down()
    }

    /// Whether it can be expected to take a request: it is not down, and has not complained for long without a reply.
    pub fn is_well(&self, now: Instant) -> bool {
        !self.is_down() && self.health.ailing_since().is_none_or(|since| now - since < LONGEST_PAUSE)
    }

    /// Since when nothing has come of requests, where nothing more may come of those that are out.
    pub fn ailing_since(&self) -> Option<Instant> {
        self.health.ailing_since().filter(|_| self.in_flight == 0)
    }

    /// What went wrong last.
    pub fn error(&self) -> &str {
        &self.health.error
    }

    /// When one more request may go there.
    pub fn admits(&mut self, tokens: f64, now: Instant) -> Admission {
        let is_full = self.limits.max_in_flight.is_some_and(|most| self.in_flight >= most);
        if is_full || !self.concurrency.admits(self.in_flight) {
            return Admission::OnChange;
        }
        let paused = self.paused_until.filter(|until| *until > now).map_or(Admission::Now, Admission::At);
        self.health
            .admits(now)
            .and(paused)
            .and(self.adaptive_rate.ready(now))
            .and(self.rates.ready(tokens, now))
            .and(self.reported.ready(tokens, now))
    }

    /// A request of this route goes there.
    pub fn sent(&mut self, route: RouteId, tokens: f64, now: Instant) -> InFlight {
        self.in_flight += 1;
        self.rates.take([1.0, tokens]);
        self.reported.take([1.0, tokens]);
        self.adaptive_rate.sent();
        InFlight { sent: self.concurrency.sent(route.0, self.in_flight), probe: self.health.sent(now) }
    }

    /// A request is over, whatever came of it.
    pub fn ended(&mut self) {
        self.in_flight -= 1;
    }

    /// It answered after this latency, with so many tokens more than was thought.
    pub fn answered(&mut self, request: InFlight, latency: Duration, more: f64, headers: &HeaderMap, now: Instant) {
        let seconds = latency.as_secs_f64();
        self.latency += MEMORY * (seconds - self.latency);
        self.rates.take([0.0, more]);
        self.overloads = 0;
        (self.has_replied, self.is_known) = (true, true);
        self.adaptive_rate.answered(now);
        if self.concurrency.answered(request.sent, latency, self.in_flight) == Change::Lowered {
            self.warn(now, "it answers less when it is given more");
        }
        self.learn(headers, now);
        if self.health.replied() {
            // What it was like before is of no use.
            self.latency = seconds;
            self.observer.tell(|| Event::Up { endpoint: self.limits.name.clone() });
        }
    }

    /// So many requests wait there, by its own account.
    pub fn queued(&mut self, waiting: u32) {
        self.concurrency.queued(waiting, self.in_flight);
    }

    /// It has too much to do, and asks for so much time.
    pub fn overloaded(
        &mut self,
        request: InFlight,
        retry_after: Option<Duration>,
        headers: &HeaderMap,
        error: &str,
        now: Instant,
    ) {
        if request.probe {
            self.health.unprobed(now);
        }
        self.health.overloaded(error, now);
        self.is_known = true;
        if self.concurrency.pressed(request.sent, Outcome::Unknown, self.in_flight) {
            self.overloads = (self.overloads + 1).min(16);
            // Where the rate is not known, or slower is not slow enough, it waits.
            let waits = !self.adaptive_rate.exceeded(now) || self.overloads > 3;
            let pause = waits.then(|| (FIRST_PAUSE * (1 << (self.overloads - 1))).min(LONGEST_PAUSE));
            self.paused_until = self.paused_until.max(retry_after.or(pause).map(|pause| now + pause));
        } else if let Some(retry_after) = retry_after {
            self.paused_until = self.paused_until.max(Some(now + retry_after));
        }
        self.learn(headers, now);
        self.warn(now, error);
    }

    /// A refusal or a failure is slower than a reply, however fast it is: it must not draw more requests.
    pub fn refused(&mut self, took: Duration) {
        let seconds = took.as_secs_f64().max(4.0 * self.latency).min(LONGEST_LATENCY);
        self.latency += MEMORY * (seconds - self.latency);
    }

    /// It could not be reached, or gave no usable response. Whether it counts as down now.
    pub fn failed(
        &mut self,
        call: u64,
        request: InFlight,
        failure: Failure,
        took: Duration,
        error: &str,
        now: Instant,
    ) -> bool {
        // Once it counts as down, its breaker keeps requests away.
        if !self.health.is_down() {
            self.refused(took);
        }
        if failure != Failure::TimedOut {
            self.concurrency.ended(request.sent);
        } else if self.concurrency.pressed(request.sent, Outcome::TimedOut, self.in_flight) {
            self.warn(now, error);
        }
        if self.health.failed(call, failure == Failure::Unreachable, request.probe, error, now) {
            self.observer.tell(|| Event::Down { endpoint: self.limits.name.clone(), error: error.to_owned() });
        }
        self.health.is_down()
    }

    /// A request ended in a way that tells nothing of the endpoint.
    pub fn abandoned(&mut self, request: InFlight, now: Instant) {
        self.concurrency.ended(request.sent);
        if request.probe {
            self.health.unprobed(now);
        }
    }

    /// An agent does not ask it any more.
    pub fn left_out(&self, error: &str) {
        self.observer.tell(|| Event::LeftOut { endpoint: self.limits.name.clone(), error: error.to_owned() });
    }

    fn learn(&mut self, headers: &HeaderMap, now: Instant) {
        if headers.is_empty() {
            return;
        }
        for (bucket, reported) in self.reported.0.iter_mut().zip(reported(headers, clock::now())) {
            *bucket = reported.map(|reported| Bucket::reported(reported, now)).or(*bucket);
        }
    }

    fn warn(&mut self, now: Instant, why: &str) {
        if self.last_warning.is_none_or(|last| now - last >= WARN_EVERY) {
            self.last_warning = Some(now);
            self.observer.tell(|| Event::Slowed {
                endpoint: self.limits.name.clone(),
                why: why.to_owned(),
                limit: self.concurrency.current_limit(),
            });
        }
    }
}
