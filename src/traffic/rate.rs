//! How fast requests follow each other to an endpoint that has complained: the rate it admits is not told, it is found.

use super::admission::Admission;
use super::bucket::Bucket;
use std::time::Duration;
use tokio::time::Instant;

/// What is left of the rate after a complaint.
const DECREASE: f64 = 0.7;
/// How fast the rate grows around the one that led to a complaint, in requests per second per second cubed.
const GROWTH: f64 = 0.2;
/// Where growth is slowest, as a share of the rate that led to a complaint.
const PLATEAU: f64 = 0.95;
/// The lowest rate, in requests per second.
const LEAST: f64 = 0.5;
/// How long replies are counted for a measure of the rate, and its weight in the measure.
const SPAN: Duration = Duration::from_millis(250);
const WEIGHT: f64 = 0.5;

/// A rate that is lowered by complaints and grows as a cubic function of the time since the last one: fast at first, slow
/// near the rate that was too much, fast again beyond it (S. Ha, I. Rhee, L. Xu, CUBIC, 2008; for request rates as in the
/// adaptive retries of AWS' clients). Before the second complaint it doubles every second.
#[derive(Debug)]
pub(super) struct AdaptiveRate {
    /// The rate in force: none until the first complaint after a reply, then for good.
    rate: Option<Rate>,
    /// Replies a second, as measured of late.
    answered: f64,
    /// Replies counted for the next measure, and since when; none before the first reply and after a time without any.
    counted: Option<(u32, Instant)>,
}

#[derive(Debug)]
struct Rate {
    /// What is left of the rate at the moment.
    bucket: Bucket,
    /// The rate after the first complaint, from which it doubles.
    per_second: f64,
    /// The rate that led to the last complaint; none before the second one.
    limit_found: Option<f64>,
    /// The time of the last complaint.
    since: Instant,
}

impl AdaptiveRate {
    /// Starts without a rate and without replies counted.
    pub fn new() -> Self {
        Self { rate: None, answered: 0.0, counted: None }
    }

    /// When one more request may go.
    pub fn ready(&mut self, now: Instant) -> Admission {
        self.rate.as_mut().map_or(Admission::Now, |rate| rate.bucket.ready(1.0, now))
    }

    pub fn sent(&mut self) {
        self.rate.iter_mut().for_each(|rate| rate.bucket.take(1.0));
    }

    /// The endpoint answered: its replies count from the second on.
    pub fn answered(&mut self, now: Instant) {
        // From a first reply on, which opens the span and does not count.
        let (count, since) = self.counted.get_or_insert((0, now));
        let elapsed = now.saturating_duration_since(*since);
        *count += u32::from(!elapsed.is_zero());
        if elapsed >= SPAN {
            let measured = f64::from(*count) / elapsed.as_secs_f64();
            let weight = if self.answered > 0.0 { WEIGHT } else { 1.0 };
            self.answered += weight * (measured - self.answered);
            self.counted = (elapsed < 4 * SPAN).then_some((0, now));
        }
        if let Some(rate) = &mut self.rate {
            let seconds = (now - rate.since).as_secs_f64();
            let per_second = match rate.limit_found {
                None => rate.per_second.max(1.0) * (seconds.min(60.0)).exp2(),
                Some(limit_found) => {
                    let plateau = PLATEAU * limit_found;
                    let until = ((plateau - DECREASE * limit_found) / GROWTH).cbrt();
                    GROWTH * (seconds - until).powi(3) + plateau
                }
            };
            rate.bucket.set_rate(per_second.max(LEAST), now);
        }
    }

    /// The endpoint complained of the rate. Whether there is one now: not before it has answered something.
    pub fn exceeded(&mut self, now: Instant) -> bool {
        let Some(rate) = &mut self.rate else {
            if self.answered > 0.0 {
                let (per_second, since) = ((DECREASE * self.answered).max(LEAST), now);
                let bucket = Bucket::paced(per_second, now);
                self.rate = Some(Rate { bucket, per_second, limit_found: None, since });
            }
            return self.rate.is_some();
        };
        // What was answered of late is what is admitted, unless it was little for want of requests.
        let now_at = rate.bucket.rate();
        let limit_found = now_at.min(self.answered.max(0.5 * now_at));
        rate.bucket.set_rate((DECREASE * limit_found).max(LEAST), now);
        (rate.limit_found, rate.since) = (Some(limit_found), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends as fast as the rate allows to an endpoint that admits 100 a second and answers after 200 ms; the share of what
    /// it admits that is answered, and the share of requests that it refuses, from the second second on.
    fn drive(seconds: u64) -> (f64, f64) {
        let start = Instant::now();
        let (mut rate, mut now) = (AdaptiveRate::new(), start);
        let (mut level, mut answers, mut answered, mut refused) = (10.0_f64, Vec::new(), 0_u64, 0_u64);
        let (mut epoch, mut decreases) = (0, 0);
        while now < start + Duration::from_secs(seconds) {
            now += Duration::from_millis(1);
            level = (level + 0.1).min(10.0);
            answers.retain(|due| {
                let is_due = *due <= now;
                if is_due {
                    rate.answered(now);
                    answered += 1;
                }
                !is_due
            });
            // At most 200 at a time, a few a millisecond.
            for _ in 0..5 {
                if answers.len() >= 200 || !rate.ready(now).is_now() {
                    break;
                }
                rate.sent();
                if level >= 1.0 {
                    level -= 1.0;
                    answers.push(now + Duration::from_millis(200));
                } else {
                    refused += u64::from(now > start + Duration::from_secs(1));
                    // Those that were on their way count once; they arrive within a few milliseconds.
                    if decreases == epoch && rate.exceeded(now) {
                        decreases += 1;
                    }
                }
            }
            epoch = decreases;
        }
        (answered as f64 / (100.0 * seconds as f64), refused as f64 / (answered + refused) as f64)
    }

    #[test]
    fn most_of_what_an_unknown_limit_admits_is_used_and_little_refused() {
        let (used, refused) = drive(60);
        assert!(used > 0.85, "{used}");
        assert!(refused < 0.05, "{refused}");
    }
}
