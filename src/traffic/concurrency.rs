//! How many requests an endpoint is given at a time.

use super::throughput::{Call, Change, Outcome, ThroughputSearch};
use std::time::Duration;

/// What back pressure leaves of the requests in flight.
const DECREASE: f64 = 0.7;
/// An increase per round of replies, as a share of what there was before the last decrease.
const INCREASE: f64 = 1.0 / 16.0;
/// A limit is in the way from this share of it on, and only then raised.
const IN_THE_WAY: f64 = 0.8;
/// Requests that may wait at a server, as a share of those that it works on: enough to keep it busy.
const QUEUE: f64 = 1.0 / 8.0;
/// What is left of the requests in flight at least, however long the queue is: others may wait there too.
const LEAST_LEFT: f64 = 0.5;

/// The concurrency limit of an endpoint: the lowest one of three.
///
/// Back pressure, that is a complaint of too many requests or a reply that did not come in time, decreases one of them
/// multiplicatively, and replies increase it additively again (D. Chiu, R. Jain, 1989). The other one is found by comparing
/// throughput, see [`super::throughput`]. The third is for servers that tell how many requests wait there: as many are in flight as
/// it works on, and a few more.
///
/// # Examples
///
/// ```
/// # use dlgforge::traffic::concurrency::ConcurrencyLimit;
/// # use dlgforge::traffic::throughput::Outcome;
/// let mut limit = ConcurrencyLimit::new();
/// assert!(limit.admits(9) && limit.current_limit() == 24);
/// let requests: Vec<_> = (1..=10).map(|in_flight| limit.sent(0, in_flight)).collect();
/// // All of them are refused for the same reason: that counts once.
/// let decreases = requests.into_iter().filter(|request| limit.pressed(*request, Outcome::Unknown, 10));
/// assert_eq!(decreases.count(), 1);
/// assert_eq!(limit.current_limit(), 7);
/// ```
#[derive(Debug)]
pub struct ConcurrencyLimit {
    /// What back pressure has left: unlimited until there is any.
    pressed_limit: f64,
    /// The requests in flight at the last decrease, which increases go by.
    before_decrease: f64,
    /// Decreases so far: only a request sent since the last one tells of the limit in force.
    epoch: u64,
    /// What a server's own account of its queue has left: unlimited until requests wait there.
    queue_limit: f64,
    /// The other limit, from the first request on.
    throughput: ThroughputSearch,
}

/// A request in flight, as the limit it was sent under knows it.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    epoch: u64,
    call: Call,
}

impl Default for ConcurrencyLimit {
    fn default() -> Self {
        Self::new()
    }
}

impl ConcurrencyLimit {
    /// The limit of an endpoint of which nothing is known.
    pub fn new() -> Self {
        let throughput = ThroughputSearch::new();
        Self { pressed_limit: f64::INFINITY, before_decrease: 1.0, epoch: 0, queue_limit: f64::INFINITY, throughput }
    }

    fn limit(&self) -> f64 {
        self.pressed_limit.min(self.queue_limit).min(self.throughput.limit()).max(1.0)
    }

    /// The most requests at a time, at least one.
    pub fn current_limit(&self) -> u32 {
        self.limit() as u32
    }

    /// Whether one more may go out beside so many.
    pub fn admits(&self, in_flight: u32) -> bool {
        f64::from(in_flight) + 1.0 <= self.limit()
    }

    /// A request of this role, by its number, goes out as one of so many.
    pub fn sent(&mut self, role: usize, in_flight: u32) -> Sent {
        Sent { epoch: self.epoch, call: self.throughput.sent(role, in_flight) }
    }

    /// One of so many was answered. The latency is the endpoint's: from the request's first byte to the reply's last one,
    /// without any time that it waited here.
    pub fn answered(&mut self, sent: Sent, latency: Duration, in_flight: u32) -> Change {
        if f64::from(in_flight) >= IN_THE_WAY * self.pressed_limit {
            self.pressed_limit += (self.before_decrease * INCREASE).max(1.0) / self.pressed_limit.max(1.0);
        }
        self.throughput.ended(sent.call, Outcome::Answered(latency))
    }

    /// The endpoint had too much to do for one of so many requests. Whether there are to be fewer now: what was sent before
    /// the last decrease is no reason for another.
    pub fn pressed(&mut self, sent: Sent, outcome: Outcome, in_flight: u32) -> bool {
        self.throughput.ended(sent.call, outcome);
        let is_news = sent.epoch == self.epoch;
        if is_news {
            self.before_decrease = self.limit().min(f64::from(in_flight)).max(1.0);
            self.pressed_limit = (self.before_decrease * DECREASE).max(1.0);
            self.epoch += 1;
        }
        is_news
    }

    /// The server says that so many of the requests in flight wait there. A limit that was too low is raised again.
    pub fn queued(&mut self, waiting: u32, in_flight: u32) {
        let (waiting, in_flight) = (f64::from(waiting), f64::from(in_flight));
        let working = (in_flight - waiting).max(in_flight * LEAST_LEFT).max(1.0);
        let wanted = working + (working * QUEUE).ceil();
        if waiting > (working * QUEUE).ceil() {
            self.queue_limit = self.queue_limit.min(wanted);
        } else if waiting == 0.0 && in_flight >= IN_THE_WAY * self.queue_limit {
            self.queue_limit += (self.queue_limit * QUEUE).max(1.0);
        }
    }

    /// A request ended in a way that says nothing of how much the endpoint can do.
    pub fn ended(&mut self, sent: Sent) {
        self.throughput.ended(sent.call, Outcome::Unknown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn complaints_of_one_round_count_once_and_replies_bring_the_requests_back() {
        let mut limit = ConcurrencyLimit::new();
        let first = limit.sent(0, 1);
        assert!(limit.pressed(first, Outcome::Unknown, 20));
        assert!((0..19).all(|_| !limit.pressed(first, Outcome::Unknown, 19)));
        assert!(limit.current_limit() == 14 && limit.admits(13) && !limit.admits(14));
        // A round of 14 replies brings a sixteenth of 20 back.
        let second = limit.sent(0, 14);
        (0..14).for_each(|_| _ = limit.answered(second, SECOND, 14));
        assert_eq!(limit.current_limit(), 15);
        // A limit that is in nobody's way stays.
        (0..70).for_each(|_| _ = limit.answered(second, SECOND, 10));
        assert_eq!(limit.current_limit(), 15);
        assert!(limit.pressed(second, Outcome::TimedOut, 10));
        assert_eq!(limit.current_limit(), 7, "what was in flight counts, not what might have been");
    }

    #[test]
    fn what_waits_at_a_server_is_held_back_and_comes_again_when_nothing_waits() {
        let mut limit = ConcurrencyLimit::new();
        limit.queued(0, 24);
        limit.queued(3, 24);
        assert_eq!(limit.current_limit(), 24, "a few keep it busy");
        // It works on 16 at a time.
        limit.queued(8, 24);
        assert_eq!(limit.current_limit(), 18);
        limit.queued(2, 18);
        assert_eq!(limit.current_limit(), 18);
        limit.queued(0, 18);
        assert_eq!(limit.current_limit(), 20);
        // Nobody uses the limit: that says nothing of it.
        limit.queued(0, 4);
        assert_eq!(limit.current_limit(), 20);
        // A queue of others takes half at a time, and never all.
        for left in [12, 7, 4, 3, 2, 2] {
            limit.queued(1000, limit.current_limit());
            assert_eq!(limit.current_limit(), left);
        }
    }

    #[test]
    fn one_request_is_always_left() {
        let mut limit = ConcurrencyLimit::new();
        for _ in 0..99 {
            let sent = limit.sent(0, 1);
            assert!(limit.pressed(sent, Outcome::Unknown, 1));
        }
        assert!(limit.admits(0) && !limit.admits(1));
    }
}
