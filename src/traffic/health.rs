//! Whether an endpoint can be asked: a circuit breaker (M. Nygard, Release It!, 2007).

use super::admission::Admission;
use std::time::Duration;
use tokio::time::Instant;

/// Calls that fail one after the other before an endpoint counts as down.
const FAILING_CALLS: usize = 3;
/// The pause before the first probe, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What went wrong so long ago has nothing to do with what goes wrong now.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// Health of an endpoint.
#[derive(Debug)]
pub(super) struct Health {
    state: Condition,
    /// Calls that failed since the last reply.
    failing: Vec<u64>,
    /// Since when there have been failures or errors, and no reply; and the last one.
    ailing: Option<(Instant, Instant)>,
    /// What went wrong last.
    pub error: String,
    longest_pause: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Condition {
    Up,
    /// Down; to be tried with one request then.
    Down {
        until: Instant,
        pause: Duration,
    },
    /// That request is out.
    Probed {
        pause: Duration,
    },
}

impl Health {
    /// Well; whatever happens, it is probed several times within this time.
    pub fn new(max_outage: Duration) -> Self {
        let longest_pause = (max_outage / 8).clamp(Duration::from_millis(10), LONGEST_PAUSE);
        Self { state: Condition::Up, failing: Vec::new(), ailing: None, error: String::new(), longest_pause }
    }

    /// When a request may go there.
    pub fn admits(&self, now: Instant) -> Admission {
        match self.state {
            Condition::Up => Admission::Now,
            Condition::Down { until, .. } if now >= until => Admission::Now,
            Condition::Down { until, .. } => Admission::At(until),
            Condition::Probed { .. } => Admission::OnChange,
        }
    }

    /// Whether it counts as down.
    pub fn is_down(&self) -> bool {
        self.state != Condition::Up
    }

    /// Since when there have been failures or errors, and no reply.
    pub fn ailing_since(&self) -> Option<Instant> {
        self.ailing.map(|(since, _)| since)
    }

    /// A request is sent. Whether it is a probe.
    pub fn sent(&mut self, now: Instant) -> bool {
        self.ailing = self.ailing.filter(|(_, last)| now - *last < FORGOTTEN);
        let Condition::Down { pause, .. } = self.state else { return false };
        self.state = Condition::Probed { pause };
        true
    }

    /// A probe has not been carried out.
    pub fn unprobed(&mut self, now: Instant) {
        if let Condition::Probed { pause } = self.state {
            self.state = Condition::Down { until: now, pause };
        }
    }

    /// It replied. Whether that ends an outage.
    pub fn replied(&mut self) -> bool {
        self.failing.clear();
        self.ailing = None;
        std::mem::replace(&mut self.state, Condition::Up) != Condition::Up
    }

    /// It has too much to do.
    pub fn overloaded(&mut self, error: &str, now: Instant) {
        self.ailing = Some((self.ailing.map_or(now, |(since, _)| since), now));
        error.clone_into(&mut self.error);
    }

    /// A call failed there: it could not be reached at all, or gave no usable response. Whether that begins an outage.
    pub fn failed(&mut self, call: u64, unreachable: bool, probe: bool, error: &str, now: Instant) -> bool {
        self.overloaded(error, now);
        if !self.failing.contains(&call) && self.failing.len() < FAILING_CALLS {
            self.failing.push(call);
        }
        let pause = match self.state {
            Condition::Up if unreachable || self.failing.len() >= FAILING_CALLS => FIRST_PAUSE,
            Condition::Probed { pause } if probe => pause * 2,
            _ => return false,
        };
        let pause = pause.min(self.longest_pause);
        let began = self.state == Condition::Up;
        self.state = Condition::Down { until: now + pause, pause };
        began
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTAGE: Duration = Duration::from_secs(600);

    #[test]
    fn failing_calls_open_the_circuit_and_a_probe_closes_it() {
        let (mut health, now) = (Health::new(OUTAGE), Instant::now());
        // One call that keeps failing says more of the call than of the endpoint.
        assert!((0..9).all(|_| !health.failed(1, false, false, "500", now)));
        assert!(!health.failed(2, false, false, "500", now));
        assert!(!health.replied());
        assert!((1..3).all(|call| !health.failed(call, false, false, "500", now)));
        assert!(health.failed(3, false, false, "500", now));
        assert_eq!(health.admits(now), Admission::At(now + FIRST_PAUSE));
        let later = now + FIRST_PAUSE;
        assert!(health.admits(later).is_now() && health.sent(later));
        assert_eq!(health.admits(later), Admission::OnChange, "one probe at a time");
        assert!(!health.failed(4, false, true, "500", later));
        assert_eq!(health.admits(later), Admission::At(later + 2 * FIRST_PAUSE));
        // What was out before the outage tells nothing new.
        assert!(!health.failed(5, false, false, "500", later));
        assert_eq!(health.admits(later), Admission::At(later + 2 * FIRST_PAUSE));
        assert!(health.sent(later));
        health.unprobed(later);
        assert!(health.admits(later).is_now() && health.sent(later));
        assert!(health.replied() && !health.is_down());
    }

    #[test]
    fn an_endpoint_that_can_not_be_reached_is_down_at_once_and_probed_ever_less_often() {
        let (mut health, mut now) = (Health::new(OUTAGE), Instant::now());
        assert!(health.failed(1, true, false, "refused", now));
        let mut pauses = Vec::new();
        for _ in 0..9 {
            let until = health.admits(now).time().expect("a time");
            pauses.push((until - now).as_secs_f64());
            now = until;
            assert!(health.sent(now));
            health.failed(1, true, true, "refused", now);
        }
        assert_eq!(pauses, [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        assert_eq!(health.ailing_since(), Some(now - Duration::from_secs_f64(pauses.iter().sum())));
        // Nobody has asked for long: what goes wrong now is another matter.
        let later = now + Duration::from_secs(100);
        health.sent(later);
        health.overloaded("429", later);
        assert_eq!(health.ailing_since(), Some(later));
    }
}
