//! Patience with an endpoint: how long to wait before another try.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The longest wait an endpoint can ask for before a retry with `Retry-After`, and the longest that is understood at all.
const LONGEST_ASKED: Duration = Duration::from_secs(60);
const LONGEST_UNDERSTOOD: Duration = Duration::from_secs(7 * 86_400);

/// How often and how slowly to ask again.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Further tries after the first.
    pub max_retries: u32,
    /// The longest pause before the first of them; each further one may be twice as long.
    pub first_pause: Duration,
    /// The longest pause of all.
    pub longest_pause: Duration,
}

impl Patience {
    /// The usual pauses: up to 0.5 s, doubling up to 30 s.
    pub fn new(max_retries: u32) -> Self {
        Self { max_retries, first_pause: Duration::from_millis(500), longest_pause: Duration::from_secs(30) }
    }

    /// Waits before a retry; how long it did. `retries` counts earlier ones.
    pub async fn wait(&self, retries: u32, asked: Option<Duration>) -> Duration {
        let pause = self.pause(retries, asked, random_share());
        tokio::time::sleep(pause).await;
        pause
    }

    /// The pause before a retry: the time asked for by the endpoint, then a share of the exponential pause, "full jitter"
    /// (M. Brooker, Exponential Backoff and Jitter, 2015), so that calls refused together do not return together.
    /// `retries` counts earlier ones; `share` is in [0, 1).
    fn pause(&self, retries: u32, asked: Option<Duration>, share: f64) -> Duration {
        let most = self.first_pause.saturating_mul(2_u32.saturating_pow(retries)).min(self.longest_pause);
        asked.unwrap_or_default().min(LONGEST_ASKED) + most.mul_f64(share)
    }
}

/// The wait a response asks for: `Retry-After` in seconds or as an HTTP date (RFC 9110, section 10.2.3).
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds.min(LONGEST_UNDERSTOOD.as_secs_f64())).ok();
    }
    let date = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

/// A random number in [0, 1). It spreads retries over time and reaches no output, so the run's seed has no part in it.
fn random_share() -> f64 {
    (RandomState::new().hash_one(()) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn the_endpoint_is_given_the_time_it_asks_for() {
        for (asked, least) in [(7, 7), (3600, 60)] {
            let start = Instant::now();
            Patience::new(1).wait(0, Some(Duration::from_secs(asked))).await;
            let elapsed = start.elapsed();
            assert!(elapsed >= Duration::from_secs(least) && elapsed <= Duration::from_secs(least + 1), "{elapsed:?}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let patience = Patience::new(9);
        let longest = |retries| patience.pause(retries, None, 1.0).as_secs_f64();
        let pauses: Vec<f64> = (0..8).map(longest).collect();
        assert_eq!(pauses, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        assert_eq!(longest(u32::MAX), 30.0);
        assert_eq!(patience.pause(3, None, 0.0), Duration::ZERO);
    }

    #[test]
    fn random_shares_differ_and_stay_below_one() {
        let shares: Vec<f64> = (0..100).map(|_| random_share()).collect();
        assert!(shares.iter().all(|share| (0.0..1.0).contains(share)));
        assert!(shares.windows(2).any(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "1994-11-06T08:49:30Z".parse().unwrap();
        for (text, expected) in [
            ("0", Some(0.0)),
            ("2", Some(2.0)),
            (" 1.5 ", Some(1.5)),
            ("1e300", Some(604_800.0)),
            ("-3", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7.0)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0.0)),
            ("soon", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            assert_eq!(retry_after(&headers, now).map(|wait| wait.as_secs_f64()), expected, "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    proptest! {
        #[test]
        fn any_header_is_survived(text in "[ -~]{0,30}") {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            let asked = retry_after(&headers, Timestamp::UNIX_EPOCH);
            prop_assert!(Patience::new(1).pause(0, asked, 0.5) <= LONGEST_ASKED + Duration::from_secs(1));
        }
    }
}
