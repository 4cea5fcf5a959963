//! An endpoint as the traffic knows it: how much it takes, how fast it is, whether it is up.

use super::bucket::{Bucket, told};
use super::flights::Flights;
use super::health::Health;
use super::pace::Pace;
use crate::domain::clock;
use reqwest::header::HeaderMap;
use std::time::Duration;
use tokio::time::Instant;

/// Agents there can be.
const ROUTES: usize = 8;
/// What an endpoint's latency is taken for before its first reply, and the longest that counts, in seconds.
const FIRST_LATENCY: f64 = 0.5;
const LONGEST_LATENCY: f64 = 600.0;
/// The weight of a reply in the latency.
const MEMORY: f64 = 0.2;
/// The wait after the first of several complaints without a time to wait, and the longest one.
const FIRST_HOLD: Duration = Duration::from_millis(100);
const LONGEST_HOLD: Duration = Duration::from_secs(10);
/// How often an endpoint's complaints are told of.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Rates of requests and of tokens.
#[derive(Debug, Default)]
pub(super) struct Rates([Option<Bucket>; 2]);

impl Rates {
    pub fn new(per_minute: [Option<f64>; 2], now: Instant) -> Self {
        Self(per_minute.map(|amount| amount.map(|amount| Bucket::per_minute(amount, now))))
    }

    /// When one more request of so many tokens may go: now, or later.
    pub fn ready(&mut self, tokens: f64, now: Instant) -> Result<(), Instant> {
        let mut latest = None;
        for (bucket, amount) in self.0.iter_mut().zip([1.0, tokens]) {
            if let Some(Err(later)) = bucket.as_mut().map(|bucket| bucket.ready(amount, now)) {
                latest = latest.max(Some(later));
            }
        }
        latest.map_or(Ok(()), Err)
    }

    pub fn take(&mut self, amounts: [f64; 2]) {
        self.0.iter_mut().zip(amounts).for_each(|(bucket, amount)| {
            if let Some(bucket) = bucket {
                bucket.take(amount);
            }
        });
    }
}

/// What the settings say of an endpoint.
#[derive(Debug, Clone)]
pub struct LaneOptions {
    /// What makes it the same for all agents.
    pub identity: String,
    /// Its name in messages.
    pub name: String,
    /// Its share of the work, relative to the others.
    pub weight: f64,
    /// Most requests at a time; none where the settings set no limit.
    pub max_in_flight: Option<u32>,
    /// Requests and tokens.
    pub per_minute: [Option<f64>; 2],
}

/// A request as its endpoint knows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flight {
    pub route: usize,
    /// Which limit of flights it was sent under.
    pub era: u64,
    /// Whether it tries whether the endpoint is up again.
    pub probe: bool,
}

/// An endpoint.
pub(super) struct Lane {
    options: LaneOptions,
    in_flight: u32,
    flights: Flights,
    pace: Pace,
    health: Health,
    /// Moving average, in seconds.
    pub latency: f64,
    rates: Rates,
    /// As response headers tell.
    told: Rates,
    /// No request before this time, and how many complaints in a row said so.
    hold: Option<Instant>,
    complaints: u32,
    /// Whether it has ever replied, and whether it has ever given a sign that it will, such as a complaint.
    pub has_replied: bool,
    pub is_known: bool,
    /// Whether it does not take all of a request, and is sent part of it.
    pub takes_less: bool,
    last_told: Option<Instant>,
}

impl Lane {
    pub fn new(options: LaneOptions, max_outage: Duration, now: Instant) -> Self {
        Self {
            rates: Rates::new(options.per_minute, now),
            options,
            in_flight: 0,
            flights: Flights::new(ROUTES),
            pace: Pace::new(),
            health: Health::new(max_outage),
            latency: FIRST_LATENCY,
            told: Rates::default(),
            hold: None,
            complaints: 0,
            has_replied: false,
            is_known: false,
            takes_less: false,
            last_told: None,
        }
    }

    pub fn weight(&self) -> f64 {
        self.options.weight
    }

    /// The work it has, for its weight and speed: the least is the best.
    pub fn load(&self) -> f64 {
        f64::from(self.in_flight + 1) / self.options.weight.max(1e-6) * self.latency.max(1e-3)
    }

    /// Whether it counts as down: the next request tries whether it is up again.
    pub fn is_down(&self) -> bool {
        self.health.is_down()
    }

    /// Whether it can be expected to take a request: it is not down, and has not complained for long without a reply.
    pub fn is_well(&self, now: Instant) -> bool {
        !self.is_down() && self.health.ailing_since().is_none_or(|since| now - since < LONGEST_HOLD)
    }

    /// Since when nothing has come of requests, where nothing more may come of those that are out.
    pub fn ailing_since(&self) -> Option<Instant> {
        self.health.ailing_since().filter(|_| self.in_flight == 0)
    }

    /// What went wrong last.
    pub fn complaint(&self) -> &str {
        &self.health.complaint
    }

    /// Whether one more request may go there: now, later, or when something changes.
    pub fn admits(&mut self, tokens: f64, now: Instant) -> Result<(), Option<Instant>> {
        self.health.admits(now)?;
        if self.options.max_in_flight.is_some_and(|most| self.in_flight >= most) || !self.flights.admits(self.in_flight)
        {
            return Err(None);
        }
        if let Some(hold) = self.hold.filter(|hold| *hold > now) {
            return Err(Some(hold));
        }
        self.pace.ready(now).map_err(Some)?;
        self.rates.ready(tokens, now).and_then(|()| self.told.ready(tokens, now)).map_err(Some)
    }

    /// A request of this route goes there.
    pub fn sent(&mut self, route: usize, tokens: f64, now: Instant) -> Flight {
        self.in_flight += 1;
        self.rates.take([1.0, tokens]);
        self.told.take([1.0, tokens]);
        self.pace.sent();
        Flight { route, era: self.flights.era(), probe: self.health.sent(now) }
    }

    pub fn landed(&mut self) {
        self.in_flight -= 1;
    }

    pub fn answered(&mut self, flight: Flight, took: Duration, more: f64, headers: &HeaderMap, now: Instant) {
        let seconds = took.as_secs_f64();
        self.latency += MEMORY * (seconds - self.latency);
        self.rates.take([0.0, more]);
        self.complaints = 0;
        (self.has_replied, self.is_known) = (true, true);
        self.pace.answered(now);
        if self.flights.answered(flight.route.min(ROUTES - 1), flight.era, seconds, self.in_flight) {
            self.tell(now, "gets slow");
        }
        self.learn(headers, now);
        if self.health.replied() {
            // What it was like before is of no use.
            self.latency = seconds;
            tracing::info!(target: "dlgforge.llm", "[llm] {}: answers again", self.options.name);
        }
    }

    pub fn complained(
        &mut self,
        flight: Flight,
        asked: Option<Duration>,
        headers: &HeaderMap,
        complaint: &str,
        now: Instant,
    ) {
        if flight.probe {
            self.health.unprobed(now);
        }
        self.health.complained(complaint, now);
        self.is_known = true;
        if self.flights.complained(flight.era, self.in_flight) {
            self.complaints = (self.complaints + 1).min(16);
            // Where the pace is not known, or slower is not slow enough, it waits.
            let waits = !self.pace.complained(now) || self.complaints > 3;
            let hold = waits.then(|| (FIRST_HOLD * (1 << (self.complaints - 1))).min(LONGEST_HOLD));
            self.hold = self.hold.max(asked.or(hold).map(|hold| now + hold));
        } else if let Some(asked) = asked {
            self.hold = self.hold.max(Some(now + asked));
        }
        self.learn(headers, now);
        self.tell(now, complaint);
    }

    /// A refusal or a failure is slower than a reply, however fast it is: it must not draw more requests.
    pub fn refused(&mut self, took: Duration) {
        let seconds = took.as_secs_f64().max(4.0 * self.latency).min(LONGEST_LATENCY);
        self.latency += MEMORY * (seconds - self.latency);
    }

    /// Whether it counts as down now.
    pub fn failed(
        &mut self,
        call: u64,
        unreachable: bool,
        flight: Flight,
        took: Duration,
        complaint: &str,
        now: Instant,
    ) -> bool {
        // Once it counts as down, its breaker keeps requests away.
        if !self.health.is_down() {
            self.refused(took);
        }
        if self.health.failed(call, unreachable, flight.probe, complaint, now) {
            tracing::warn!(
                target: "dlgforge.llm",
                "[llm] {}: down: {complaint}; it is asked again from time to time", self.options.name
            );
        }
        self.health.is_down()
    }

    pub fn untold(&mut self, probe: bool, now: Instant) {
        if probe {
            self.health.unprobed(now);
        }
    }

    fn learn(&mut self, headers: &HeaderMap, now: Instant) {
        if headers.is_empty() {
            return;
        }
        for (bucket, told) in self.told.0.iter_mut().zip(told(headers, clock::now())) {
            *bucket = told.map(|told| Bucket::told(told, now)).or(*bucket);
        }
    }

    fn tell(&mut self, now: Instant, what: &str) {
        if self.last_told.is_none_or(|last| now - last >= TELL_EVERY) {
            self.last_told = Some(now);
            let most = self
                .flights
                .limit()
                .map_or_else(String::new, |most| format!("; at most {most} requests at a time now"));
            tracing::warn!(target: "dlgforge.llm", "[llm] {}: slowing down: {what}{most}", self.options.name);
        }
    }
}
