//! The concurrency at which an endpoint answers most, for servers whose throughput falls when they get too much.
//!
//! Most endpoints need no such limit. A server that queues what it can't serve yet answers as much however long its queue is,
//! and one whose latency does not depend on load answers the more the more it gets; both lose by a limit that is too low. So
//! latency alone is no reason to send less, as it is for a proxy that protects a service (`Gradient2Limit` of Netflix'
//! concurrency-limits, the adaptive concurrency of Envoy and Vector). What is compared is throughput, by Little's law the
//! requests in flight over their latency; latency only says when a comparison is worth it.
//! `cargo bench --bench limits` simulates the cases, and what the search costs and gains in each.
//!
//! # Algorithm
//!
//! 1. The limit starts at `FIRST_LIMIT`, and is multiplied by `GROWTH` whenever half of the calls that went out at once have
//!    been answered, until it is in nobody's way.
//! 2. Rounds of calls are compared by the medians of their latencies, role by role: the same quantile of the same kind of call.
//!    A call that is still out counts as slower than all that were answered.
//! 3. Where latency has grown by more than `SATURATED` of what it would at a saturated server (on a logarithmic scale), or to
//!    `SLOWER` times as much at the same concurrency, half as many requests are tried.
//! 4. A trial that brings a higher throughput, by more than its standard error, is kept and followed by the next one; any other
//!    is undone. It is cut short as soon as either is clear.
//! 5. A saturated endpoint is tried with more and with fewer requests from time to time, after pauses that double. One that
//!    answers clearly less in a trial was not saturated, and is left alone.

use std::time::Duration;

/// The limit before the first replies: enough of them for a median, few enough for a small server.
const FIRST_LIMIT: f64 = 24.0;
/// How many times as many requests there may be after a round that did not show saturation.
const GROWTH: f64 = 8.0;
/// A saturated server's latency grows as its requests do: the share of that growth from which on an endpoint may be saturated.
const SATURATED: f64 = 0.6;
/// How many times slower an endpoint may get at the same concurrency before half as many requests are tried.
const SLOWER: f64 = 3.0;
/// Concurrencies count as the same up to this factor.
const SAME: f64 = 1.5;
/// The logarithm of the throughput's increase that a limit must bring.
const WORTH_IT: f64 = 0.1;
/// The logarithm of the throughput's decrease, in a trial with half as many requests, that says that nothing was saturated.
const UNSATURATED: f64 = -0.35;
/// Standard errors that make a difference clear enough to act on it; one of them is enough to leave things as they are.
const CLEAR: f64 = 2.0;
/// The smallest round that is looked at, and the smallest one that decides.
const FEW: usize = 32;
const MANY: usize = 256;
/// The share of a round's calls, of every role, that have to be answered: of calls that were sent at once, and of others.
const HALF: f64 = 0.5;
const MOST: f64 = 0.875;
/// The steps of trials: the first ones, and those near what was found to be best.
const LARGE_STEP: f64 = 2.0;
const SMALL_STEP: f64 = std::f64::consts::SQRT_2;
/// A limit is in the way from this share of it on.
const FULL: f64 = 0.9;
/// The most rounds between trials.
const LONGEST_PAUSE: u32 = 8;

/// The limit on requests in flight with the highest throughput, found by trials.
///
/// # Examples
///
/// An endpoint whose latency does not depend on load is given more at once:
///
/// ```
/// # use dlgforge::traffic::throughput::{Outcome, ThroughputSearch};
/// # use std::time::Duration;
/// let mut search = ThroughputSearch::new();
/// let calls: Vec<_> = (1..=24).map(|in_flight| search.sent(0, in_flight)).collect();
/// assert_eq!(search.limit(), 24.0);
/// for call in calls {
///     search.ended(call, Outcome::Answered(Duration::from_secs(2)));
/// }
/// assert_eq!(search.limit(), 192.0);
/// ```
#[derive(Debug)]
pub struct ThroughputSearch {
    /// The limit in force: [`Self::settled`], or that of a trial.
    limit: f64,
    /// The limit that a trial which fails goes back to. It changes when the first rounds pass and when a trial is accepted.
    settled: f64,
    /// The trial under way.
    trial: Option<Trial>,
    /// Calls sent since the limit was last changed or judged, up to as many as a decision takes.
    round: Round,
    /// The round to compare with: the last one under the settled limit, or the first one of those that were alike.
    past: Option<Round>,
    /// Tells calls of this round from earlier ones, which say nothing of it.
    number: u64,
    /// Whether more requests have made the endpoint slower instead of busier, as far as is known.
    saturated: bool,
    /// Whole rounds since the last trial, and how many there are to be before the next one.
    rested: u32,
    pause: u32,
}

#[derive(Debug, Clone, Copy)]
struct Trial {
    direction: Direction,
    /// Whether the other direction has failed just before.
    is_second: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Fewer,
    More,
}

/// A call of a round, as its request carries it.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    round: u64,
    index: usize,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// It was answered, so long after it was sent.
    Answered(Duration),
    /// It was not answered in the time it had.
    TimedOut,
    /// It ended in a way that says nothing of the endpoint's speed.
    Unknown,
}

/// What a reply has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing that lasts from sample to sample.
    None,
    /// The limit is lower from now on: the endpoint answers more that way.
    Lowered,
}

/// Calls sent one after the other under one limit.
#[derive(Debug, Clone, Default)]
struct Round {
    /// The most requests in flight when one was sent.
    in_flight: f64,
    /// Role, and the logarithm of the latency in seconds: infinite until it is known, none when it never will be.
    calls: Vec<(usize, Option<f64>)>,
    /// How many calls, from the first on, are looked at next; and how many decide.
    wanted: usize,
    enough: usize,
    /// The share of them that has to be answered.
    share: f64,
    /// Calls that have ended.
    ended: usize,
}

/// The difference of two rounds, as logarithms.
#[derive(Debug, Clone, Copy)]
struct Comparison {
    /// Of the requests in flight.
    in_flight: f64,
    /// Of the latency, and its standard error.
    latency: f64,
    error: f64,
}

impl Comparison {
    /// Of the throughput: requests in flight over latency.
    fn throughput(&self) -> f64 {
        self.in_flight - self.latency
    }
}

impl Round {
    /// The first calls of every role, sorted.
    fn by_role(&self) -> Vec<Vec<f64>> {
        let mut roles: Vec<Vec<f64>> = Vec::new();
        for (role, latency) in self.calls.iter().take(self.wanted) {
            roles.resize(roles.len().max(role + 1), Vec::new());
            roles[*role].extend(*latency);
        }
        roles.iter_mut().for_each(|latencies| latencies.sort_by(f64::total_cmp));
        roles
    }

    /// Whether so many calls have been sent, and enough of every role answered.
    fn is_ready(&self) -> bool {
        let answered = |latencies: &Vec<f64>| {
            let known = latencies.iter().filter(|latency| latency.is_finite()).count();
            known as f64 >= self.share * latencies.len() as f64
        };
        self.calls.len() >= self.wanted
            && self.ended as f64 >= self.share * self.wanted as f64
            && self.by_role().iter().all(answered)
    }

    /// How this round differs from another, by the roles of both: their medians, weighted by what each pair of them says.
    fn compared(&self, past: &Self) -> Option<Comparison> {
        let at = |latencies: &[f64], share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
        let (mut sum, mut weight, mut variance) = (0.0, 0.0, 0.0);
        for (now, past) in self.by_role().iter().zip(&past.by_role()) {
            let is_known = |latencies: &[f64]| latencies.len() > 3 && at(latencies, 0.5).is_finite();
            if !is_known(now) || !is_known(past) {
                continue;
            }
            let pairs = (now.len() * past.len()) as f64 / (now.len() + past.len()) as f64;
            // The lower half is known even where slow calls are still out; 0.6745 is the normal distribution's quartile,
            // and a median's variance is half of pi times a mean's.
            let deviation = |latencies: &[f64]| (at(latencies, 0.5) - at(latencies, 0.25)) / 0.6745;
            let deviation = deviation(now).max(deviation(past));
            sum += pairs * (at(now, 0.5) - at(past, 0.5));
            variance += pairs * std::f64::consts::FRAC_PI_2 * deviation * deviation;
            weight += pairs;
        }
        let in_flight = (self.in_flight / past.in_flight).ln();
        (weight > 0.0).then(|| Comparison { in_flight, latency: sum / weight, error: variance.sqrt() / weight })
    }
}

impl Default for ThroughputSearch {
    fn default() -> Self {
        Self::new()
    }
}

impl ThroughputSearch {
    /// Nothing is known yet.
    pub fn new() -> Self {
        let mut search = Self {
            limit: FIRST_LIMIT,
            settled: FIRST_LIMIT,
            trial: None,
            round: Round::default(),
            past: None,
            number: 0,
            saturated: false,
            rested: 0,
            pause: 1,
        };
        search.open(true);
        search
    }

    /// The most requests at a time.
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// A request of this role goes out as one of so many.
    pub fn sent(&mut self, role: usize, in_flight: u32) -> Call {
        let round = &mut self.round;
        // What was sent before the limit was lowered takes its time to come back.
        if f64::from(in_flight) <= self.limit {
            round.in_flight = round.in_flight.max(f64::from(in_flight));
        }
        let index = round.calls.len();
        if index < round.enough {
            round.calls.push((role, Some(f64::INFINITY)));
        }
        Call { round: self.number, index }
    }

    /// A request has come back, or will not.
    pub fn ended(&mut self, call: Call, outcome: Outcome) -> Change {
        let is_full = self.is_full();
        let round = &mut self.round;
        let Some(entry) = round.calls.get_mut(call.index).filter(|_| call.round == self.number) else {
            return Change::None;
        };
        entry.1 = match outcome {
            Outcome::Answered(latency) => Some(latency.as_secs_f64().max(1e-6).ln()),
            Outcome::TimedOut => Some(f64::MAX.ln()),
            Outcome::Unknown => None,
        };
        round.ended += 1;
        // Those that went out at once are a round of their own.
        if round.wanted == usize::MAX && (is_full || round.calls.len() >= FEW) {
            round.wanted = round.calls.len();
        }
        if self.round.is_ready() { self.judge() } else { Change::None }
    }

    /// Whether the limit is in the way.
    fn is_full(&self) -> bool {
        self.round.in_flight >= FULL * self.limit.floor()
    }

    fn judge(&mut self) -> Change {
        let round = &self.round;
        let is_enough = round.wanted >= round.enough || round.share == HALF;
        let is_full = self.is_full();
        let compared = self.past.as_ref().and_then(|past| round.compared(past));
        match self.trial {
            Some(trial) => self.judge_trial(trial, compared, is_full),
            None => {
                self.watch(compared, is_full, is_enough);
                Change::None
            }
        }
    }

    /// No trial is under way: whether there is a reason for one.
    fn watch(&mut self, compared: Option<Comparison>, is_full: bool, is_enough: bool) {
        let is_slower = compared.is_some_and(|compared| {
            let grown = compared.in_flight > SAME.ln();
            let most = if grown { SATURATED * compared.in_flight } else { SLOWER.ln() };
            compared.latency > if grown { most } else { most.max(CLEAR * compared.error) }
        });
        if is_slower {
            (self.saturated, self.pause) = (true, 1);
            return self.start(Direction::Fewer, LARGE_STEP, false);
        }
        if !is_enough {
            self.round.wanted = (2 * self.round.wanted).min(self.round.enough);
            return;
        }
        self.rested += 1;
        if self.saturated && self.rested >= self.pause {
            return if is_full {
                self.start(Direction::More, LARGE_STEP, false)
            } else {
                self.start(Direction::Fewer, LARGE_STEP, false)
            };
        }
        let grows = is_full && !self.saturated;
        let is_same = compared.is_some_and(|compared| compared.in_flight.abs() < SAME.ln());
        if grows || self.saturated || !is_same {
            self.past = Some(self.round.clone());
        }
        if grows {
            self.limit *= GROWTH;
            self.settled = self.limit;
        }
        self.open(grows);
    }

    fn judge_trial(&mut self, trial: Trial, compared: Option<Comparison>, is_full: bool) -> Change {
        let is_last = self.round.wanted >= self.round.enough;
        let (gain, error) = compared.map_or((0.0, f64::INFINITY), |compared| (compared.throughput(), compared.error));
        if gain > WORTH_IT + if is_last { 0.0 } else { CLEAR * error } {
            self.settled = self.limit;
            self.pause = 1;
            self.start(trial.direction, LARGE_STEP, false);
            return if trial.direction == Direction::Fewer { Change::Lowered } else { Change::None };
        }
        if !is_last && gain > WORTH_IT - error {
            self.round.wanted = (2 * self.round.wanted).min(self.round.enough);
            return Change::None;
        }
        // More are not asked for: then nothing is to be limited.
        if trial.direction == Direction::More && !is_full {
            (self.settled, self.saturated) = (f64::INFINITY, self.saturated && gain < WORTH_IT);
        }
        let is_limited = self.past.as_ref().is_some_and(|past| past.in_flight >= FULL * self.settled.floor());
        if trial.direction == Direction::Fewer && !is_limited && gain < UNSATURATED {
            self.saturated = false;
        }
        if is_limited && !trial.is_second {
            let other = if trial.direction == Direction::Fewer { Direction::More } else { Direction::Fewer };
            let past = self.past.take().unwrap_or_default();
            self.round = past;
            self.start(other, SMALL_STEP, true);
        } else {
            (self.trial, self.rested, self.past) = (None, 0, None);
            self.pause = (2 * self.pause).min(LONGEST_PAUSE);
            self.limit = self.settled;
            self.open(false);
        }
        Change::None
    }

    /// Starts a trial from the round at hand, which is what it is compared with.
    fn start(&mut self, direction: Direction, step: f64, is_second: bool) {
        let from = self.round.in_flight;
        self.limit = match direction {
            Direction::Fewer => (from / step).round().min(from - 1.0).max(1.0),
            Direction::More => (from * step).round().max(from + 1.0),
        };
        self.trial = Some(Trial { direction, is_second });
        self.past = Some(std::mem::take(&mut self.round));
        self.open(false);
    }

    /// Opens a round. One of calls that go out at once ends with the first of them that is answered.
    fn open(&mut self, at_once: bool) {
        let in_flight = match self.trial {
            Some(_) => self.limit,
            None if at_once => self.limit.min(MANY as f64),
            None => self.limit.min(self.round.in_flight),
        } as usize;
        let enough = MANY.max(2 * in_flight);
        let (wanted, share) = if at_once { (usize::MAX, HALF) } else { (FEW.max(in_flight), MOST) };
        self.number += 1;
        self.round = Round { in_flight: 0.0, calls: Vec::new(), wanted, enough, share, ended: 0 };
    }
}
