//! A server under load on a virtual clock: what an endpoint's concurrency limit makes of it, within milliseconds and the same
//! every time.

use dlgforge::traffic::concurrency::{ConcurrencyLimit, Sent};
use dlgforge::traffic::throughput::Outcome;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, LogNormal, StandardUniform};
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

/// What a server does with more requests than it has slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// It has slots for all of them: latency does not depend on load.
    Unlimited,
    /// Its slots share their speed among them.
    Shares,
    /// They wait for a slot, first come first served.
    Queues,
    /// Its slots share, and it loses a quarter of a slot's work for each as many requests as it has slots.
    Falls,
}

/// What calls are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    /// One role, a mean of a second.
    One,
    /// Half of them judge, in a ninth of the time that an answer takes.
    Two,
    /// Few judge in the first half of the run, most in the second.
    Shifts,
    /// The first call of every permit takes twice as long.
    FirstLonger,
}

/// A change of the server between two moments, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    pub from: f64,
    pub until: f64,
    pub slots: f64,
    /// Of every slot; 1 is normal.
    pub speed: f64,
}

/// A load to simulate.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub server: Server,
    pub slots: f64,
    /// Calls that could be under way at a time; there is always a next one.
    pub permits: usize,
    /// Of the log-normal distribution of the work of a call, whose mean is a second of a slot.
    pub sigma: f64,
    pub mix: Mix,
    pub change: Option<Change>,
    /// Seconds after which a call is given up, and sent again. The server goes on with it.
    pub timeout: Option<f64>,
    /// Calls to be answered, for each permit.
    pub rounds: usize,
    pub seed: u64,
}

impl Load {
    /// Calls whose latency does not depend on load.
    pub fn unlimited(permits: usize, sigma: f64, seed: u64) -> Self {
        let (server, mix) = (Server::Unlimited, Mix::One);
        Self { server, slots: 8.0, permits, sigma, mix, change: None, timeout: None, rounds: 200, seed }
    }

    /// Calls to a server with so many slots.
    pub fn limited(server: Server, slots: f64, permits: usize, sigma: f64, seed: u64) -> Self {
        Self { server, slots, ..Self::unlimited(permits, sigma, seed) }
    }

    /// Calls a second that are answered with a fixed limit.
    pub fn fixed(self, limit: usize) -> f64 {
        self.run(&mut Fixed(limit)).throughput
    }

    /// Calls a second that are answered with the best fixed limit, of those around the number of slots and none.
    pub fn best(self) -> f64 {
        let around = [0.84, 1.0, 1.19].map(|factor| (self.slots * factor).round() as usize);
        around.into_iter().chain([usize::MAX]).map(|limit| self.fixed(limit)).fold(0.0, f64::max)
    }

    /// What comes of it without any limit.
    pub fn unlimited_outcomes(self) -> Outcomes {
        self.run(&mut Fixed(usize::MAX))
    }

    /// What the product's limit comes to.
    pub fn limited_by(self, limit: &mut ConcurrencyLimit) -> Outcomes {
        self.run(&mut Adaptive(limit))
    }

    fn run(self, limit: &mut dyn Limit) -> Outcomes {
        let mut run = Run::new(self);
        let wanted = self.rounds * self.permits;
        // Where most calls are given up there may be no end of it.
        let longest = 2.0 * wanted as f64 / self.slots.min(self.permits as f64);
        while run.answered < wanted && (self.timeout.is_none() || run.now < longest) {
            run.step(limit);
        }
        let calls = (run.answered as f64).max(1.0);
        Outcomes { throughput: calls / run.now, in_flight: run.area / run.now, timed_out: run.timed_out as f64 / calls }
    }
}

/// What came of a simulation.
#[derive(Debug, Clone, Copy)]
pub struct Outcomes {
    /// Calls a second that were answered.
    pub throughput: f64,
    /// Requests in flight, on average.
    pub in_flight: f64,
    /// Calls that were given up, for each one that was answered.
    pub timed_out: f64,
}

/// A concurrency limit as the simulated client asks it.
trait Limit {
    fn admits(&self, in_flight: usize) -> bool;
    fn sent(&mut self, role: usize, in_flight: usize) -> Option<Sent>;
    fn ended(&mut self, sent: Option<Sent>, outcome: Outcome, in_flight: usize);
}

struct Fixed(usize);

impl Limit for Fixed {
    fn admits(&self, in_flight: usize) -> bool {
        in_flight < self.0
    }

    fn sent(&mut self, _: usize, _: usize) -> Option<Sent> {
        None
    }

    fn ended(&mut self, _: Option<Sent>, _: Outcome, _: usize) {}
}

struct Adaptive<'a>(&'a mut ConcurrencyLimit);

impl Limit for Adaptive<'_> {
    fn admits(&self, in_flight: usize) -> bool {
        self.0.admits(in_flight as u32)
    }

    fn sent(&mut self, role: usize, in_flight: usize) -> Option<Sent> {
        Some(self.0.sent(role, in_flight as u32))
    }

    fn ended(&mut self, sent: Option<Sent>, outcome: Outcome, in_flight: usize) {
        let sent = sent.expect("a call that was sent");
        match outcome {
            Outcome::Answered(latency) => _ = self.0.answered(sent, latency, in_flight as u32),
            outcome => _ = self.0.pressed(sent, outcome, in_flight as u32),
        }
    }
}

/// A moment in simulated seconds, ordered so that events can wait in a queue.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seconds(f64);

impl Eq for Seconds {}

impl PartialOrd for Seconds {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Seconds {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// A run between two events.
struct Run {
    load: Load,
    draws: ChaCha8Rng,
    now: f64,
    /// The work that every busy slot has done since the start, in seconds.
    done: f64,
    /// Calls in slots, by the work at which they end.
    busy: BinaryHeap<Reverse<(Seconds, usize)>>,
    /// Calls that wait for a slot, with their work.
    queue: VecDeque<(usize, f64)>,
    /// Calls in flight: when they were sent, and what the limit knows of them.
    calls: BTreeMap<usize, (f64, Option<Sent>)>,
    sent: usize,
    answered: usize,
    timed_out: usize,
    /// Requests in flight, times seconds.
    area: f64,
}

impl Run {
    fn new(load: Load) -> Self {
        let draws = ChaCha8Rng::seed_from_u64(load.seed);
        let (busy, queue, calls) = (BinaryHeap::new(), VecDeque::new(), BTreeMap::new());
        let (now, done, area) = (0.0, 0.0, 0.0);
        Self { load, draws, now, done, busy, queue, calls, sent: 0, answered: 0, timed_out: 0, area }
    }

    /// Slots, and the speed of each.
    fn server(&self) -> (f64, f64) {
        let changed = self.load.change.filter(|change| (change.from..change.until).contains(&self.now));
        changed.map_or((self.load.slots, 1.0), |change| (change.slots, change.speed))
    }

    /// The work that every busy slot does in a second.
    fn rate(&self) -> f64 {
        let ((slots, speed), busy) = (self.server(), self.busy.len() as f64);
        speed
            * match self.load.server {
                _ if busy <= slots => 1.0,
                Server::Unlimited | Server::Queues => 1.0,
                Server::Shares => slots / busy,
                Server::Falls => slots / busy / (1.0 + 0.25 * (busy - slots) / slots),
            }
    }

    /// The role of the next call, and its work.
    fn draw(&mut self) -> (usize, f64) {
        let share: f64 = StandardUniform.sample(&mut self.draws);
        let half = self.answered * 2 >= self.load.rounds * self.load.permits;
        let judges = match (self.load.mix, half) {
            (Mix::One | Mix::FirstLonger, _) => 0.0,
            (Mix::Two, _) => 0.5,
            (Mix::Shifts, false) => 0.2,
            (Mix::Shifts, true) => 0.8,
        };
        let (role, mean) = match self.load.mix {
            Mix::FirstLonger if self.sent < self.load.permits => (0, 2.0),
            Mix::One | Mix::FirstLonger => (0, 1.0),
            Mix::Two | Mix::Shifts if share < judges => (1, 0.2),
            Mix::Two | Mix::Shifts => (0, 1.8),
        };
        let sigma = self.load.sigma;
        let work = LogNormal::new(-sigma * sigma / 2.0, sigma).expect("a finite distribution");
        (role, mean * work.sample(&mut self.draws))
    }

    /// Sends what can be sent, then goes on to the next event.
    fn step(&mut self, limit: &mut dyn Limit) {
        while self.calls.len() < self.load.permits && limit.admits(self.calls.len()) {
            let (role, work) = self.draw();
            let sent = limit.sent(role, self.calls.len() + 1);
            self.calls.insert(self.sent, (self.now, sent));
            self.queue.push_back((self.sent, work));
            self.sent += 1;
        }
        let slots = if self.load.server == Server::Queues { self.server().0 as usize } else { usize::MAX };
        while self.busy.len() < slots
            && let Some((call, work)) = self.queue.pop_front()
        {
            self.busy.push(Reverse((Seconds(self.done + work), call)));
        }
        let rate = self.rate();
        let ends = self.busy.peek().map(|Reverse((end, _))| self.now + ((end.0 - self.done) / rate).max(0.0));
        // Those that were sent first are given up first.
        let oldest = self.calls.first_key_value().map(|(call, (since, _))| (*call, *since));
        let given_up = self.load.timeout.zip(oldest).map(|(timeout, (call, since))| (since + timeout, call));
        let changes = self.load.change.iter().flat_map(|change| [change.from, change.until]);
        let change = changes.filter(|at| *at > self.now).fold(f64::INFINITY, f64::min);
        let next = ends.unwrap_or(f64::INFINITY).min(given_up.map_or(f64::INFINITY, |(at, _)| at)).min(change);
        self.area += (next - self.now) * self.calls.len() as f64;
        self.done += (next - self.now) * rate;
        self.now = next;
        if ends == Some(next) {
            let Some(Reverse((_, call))) = self.busy.pop() else { return };
            if let Some((since, sent)) = self.calls.remove(&call) {
                self.answered += 1;
                let latency = Duration::from_secs_f64(self.now - since);
                limit.ended(sent, Outcome::Answered(latency), self.calls.len() + 1);
            }
        } else if let Some((_, call)) = given_up.filter(|(at, _)| *at == next)
            && let Some((_, sent)) = self.calls.remove(&call)
        {
            self.timed_out += 1;
            limit.ended(sent, Outcome::TimedOut, self.calls.len() + 1);
        }
    }
}
