//! How many requests an endpoint is given at a time: fewer when it complains or gets slow, more again when it copes.

/// What is left of the flights when the endpoint complains.
const DECREASE: f64 = 0.7;
/// An increase per round of replies, as a share of what there was before the last decrease.
const INCREASE: f64 = 1.0 / 16.0;
/// How much slower than usual replies may be.
const TOLERANCE: f64 = 2.0;
/// The weight of a reply in what is usual.
const MEMORY: f64 = 1.0 / 200.0;
/// Fewest replies that tell of a slow endpoint.
const WINDOW: u32 = 16;

/// Additive increase, multiplicative decrease of the flights (D. Chiu, R. Jain, 1989) on complaints, and a gradient of
/// latencies for endpoints that queue instead of complaining (as Gradient2 of Netflix' concurrency-limits).
#[derive(Debug)]
pub(super) struct Flights {
    /// The most at a time.
    limit: f64,
    /// The limit before the last decrease.
    before: f64,
    /// Decreases so far: only a request sent since the last one tells of the limit in force.
    decreases: u64,
    /// What is usual, by role, in seconds, and the replies it is taken from.
    usual: Vec<(f64, u32)>,
    ratios: (f64, u32),
}

impl Flights {
    pub fn new(roles: usize) -> Self {
        Self { limit: f64::INFINITY, before: 1.0, decreases: 0, usual: vec![(0.0, 0); roles], ratios: (0.0, 0) }
    }

    /// Whether one more may go out beside so many.
    pub fn admits(&self, now: u32) -> bool {
        f64::from(now) + 1.0 <= self.limit.max(1.0)
    }

    /// What tells a request which limit it was sent under.
    pub fn era(&self) -> u64 {
        self.decreases
    }

    /// The limit, where there is one.
    pub fn limit(&self) -> Option<u32> {
        self.limit.is_finite().then(|| self.limit.max(1.0) as u32)
    }

    /// The endpoint complained of a request that was sent in this era, one of so many. Whether there are fewer now.
    pub fn complained(&mut self, era: u64, flights: u32) -> bool {
        era == self.decreases && {
            self.decrease(flights, DECREASE);
            true
        }
    }

    /// The endpoint answered one of so many, sent in this era, in this time. Whether there are fewer now.
    pub fn answered(&mut self, role: usize, era: u64, seconds: f64, flights: u32) -> bool {
        let (usual, replies) = &mut self.usual[role];
        *replies = replies.saturating_add(1);
        if era == self.decreases && *replies > WINDOW {
            self.ratios = (self.ratios.0 + seconds / usual.max(1e-6), self.ratios.1 + 1);
        }
        *usual += (seconds - *usual) * MEMORY.max(1.0 / f64::from(*replies));
        // Only a limit that is in the way is raised.
        if f64::from(flights) >= 0.8 * self.limit {
            self.limit += (self.before * INCREASE).max(1.0) / self.limit.max(1.0);
        }
        let (sum, count) = self.ratios;
        if count < WINDOW.max(flights / 2) {
            return false;
        }
        self.ratios = (0.0, 0);
        let gradient = TOLERANCE * f64::from(count) / sum.max(f64::MIN_POSITIVE);
        gradient < 1.0 && flights > 1 && {
            self.decrease(flights, gradient.max(0.5));
            true
        }
    }

    fn decrease(&mut self, flights: u32, factor: f64) {
        self.before = self.limit.min(f64::from(flights)).max(1.0);
        self.limit = (self.before * factor).max(1.0);
        self.decreases += 1;
        self.ratios = (0.0, 0);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn complaints_of_one_round_count_once_and_replies_bring_the_flights_back() {
        let mut flights = Flights::new(1);
        assert!(flights.admits(9_999) && flights.limit().is_none());
        let era = flights.era();
        assert!(flights.complained(era, 100));
        assert!((0..99).all(|_| !flights.complained(era, 99)));
        assert_eq!(flights.limit(), Some(70));
        assert!(flights.admits(69) && !flights.admits(70));
        // A round of 70 replies brings a sixteenth of 100 back.
        (0..70).for_each(|_| _ = flights.answered(0, 1, 1.0, 70));
        assert!((75..=77).contains(&flights.limit().unwrap()), "{flights:?}");
        // A limit that nobody meets stays.
        (0..70).for_each(|_| _ = flights.answered(0, 1, 1.0, 10));
        assert!((75..=77).contains(&flights.limit().unwrap()), "{flights:?}");
        flights.complained(flights.era(), 60);
        assert_eq!(flights.limit(), Some(42), "what was out counts, not what might have been");
    }

    #[test]
    fn one_flight_is_always_left() {
        let mut flights = Flights::new(1);
        (0..99).for_each(|_| _ = flights.complained(flights.era(), 1));
        assert!(flights.admits(0) && !flights.admits(1));
    }

    #[test]
    fn an_endpoint_that_gets_slow_is_given_less() {
        let mut flights = Flights::new(2);
        (0..200).for_each(|_| assert!(!flights.answered(0, 0, 1.0, 64)));
        // Another role is slower, which is not the endpoint getting slow.
        (0..200).for_each(|_| assert!(!flights.answered(1, 0, 9.0, 64)));
        assert_eq!(flights.limit(), None);
        let slow = (0..128).filter(|_| flights.answered(0, 0, 4.0, 64)).count();
        assert_eq!(slow, 1, "what was sent before tells nothing of the new limit");
        assert!(flights.limit().unwrap() < 64, "{flights:?}");
    }
}
