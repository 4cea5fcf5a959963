//! Patience with an endpoint: which failures are worth another try, and how long to wait before it.

use super::{Meter, ModelError};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The longest wait an endpoint can ask for with `Retry-After`.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// How often and how slowly to ask again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Further tries after the first.
    pub(super) max_retries: u32,
    /// The longest pause before the first of them; each further one may be twice as long.
    pub(super) first_pause: Duration,
    /// The longest pause of all.
    pub(super) longest_pause: Duration,
}

/// Whether to send a request again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It would fail again.
    Never,
    /// Without a pause and without using up a retry: the next request is a different one.
    AtOnce,
    /// After a pause, and after the time the endpoint asked for.
    Later(Option<Duration>),
}

/// A try that failed.
#[derive(Debug)]
pub(super) struct Setback {
    /// The error, if this is the last try.
    pub(super) error: ModelError,
    /// Whether to try again.
    pub(super) again: Again,
}

impl Patience {
    /// The usual pauses: up to 0.5 s, doubling up to 30 s.
    pub(super) fn new(max_retries: u32) -> Self {
        Self { max_retries, first_pause: Duration::from_millis(500), longest_pause: Duration::from_secs(30) }
    }

    /// The pause before a retry: the time asked for by the endpoint, then a share of the exponential pause, "full jitter"
    /// (M. Brooker, Exponential Backoff and Jitter, 2015), so that calls refused together do not return together.
    /// `retries` counts earlier ones; `share` is in [0, 1).
    fn pause(&self, retries: u32, asked: Option<Duration>, share: f64) -> Duration {
        let most = self.first_pause.saturating_mul(2_u32.saturating_pow(retries)).min(self.longest_pause);
        asked.unwrap_or_default().min(LONGEST_ASKED) + most.mul_f64(share)
    }
}

/// Tries until there is a reply, the failure is final, or patience is exhausted. `attempt` is given the number of the try,
/// from 1.
pub(super) async fn persist<T, F>(
    patience: &Patience,
    meter: &Meter,
    mut attempt: impl FnMut(u32) -> F,
) -> Result<T, ModelError>
where
    F: Future<Output = Result<T, Setback>>,
{
    let (mut tries, mut retries) = (0, 0);
    loop {
        tries += 1;
        let setback = match attempt(tries).await {
            Ok(reply) => return Ok(reply),
            Err(setback) => setback,
        };
        match setback.again {
            Again::AtOnce => {}
            Again::Later(asked) if retries < patience.max_retries => {
                tokio::time::sleep(patience.pause(retries, asked, random_share())).await;
                retries += 1;
            }
            Again::Never | Again::Later(_) => return Err(setback.error),
        }
        meter.retried();
    }
}

/// Whether a response with this HTTP status may be followed by a better one.
pub(super) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 409 | 425 | 429 | 500..=599)
}

/// The wait a response asks for: `Retry-After` in seconds or as an HTTP date (RFC 9110, section 10.2.3).
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds.min(LONGEST_ASKED.as_secs_f64())).ok();
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
    use std::future::ready;
    use tokio::time::Instant;

    fn failure(again: Again) -> Result<u32, Setback> {
        Err(Setback { error: ModelError::Settings("no".into()), again })
    }

    /// Retries and the time they took, when try `n` has the `n`th outcome.
    async fn play(max_retries: u32, outcomes: Vec<Result<u32, Setback>>) -> (Result<u32, ModelError>, u64, Duration) {
        let (meter, start) = (Meter::default(), Instant::now());
        let mut outcomes = outcomes.into_iter();
        let patience = Patience::new(max_retries);
        let outcome = persist(&patience, &meter, |_| ready(outcomes.next().unwrap())).await;
        assert_eq!(outcomes.count(), 0, "every scripted outcome is asked for");
        (outcome, meter.read().retries, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_passing_failure_is_tried_again_until_patience_ends() {
        let later = || failure(Again::Later(None));
        let (outcome, retries, elapsed) = play(2, vec![later(), later(), Ok(7)]).await;
        assert_eq!((outcome.unwrap(), retries), (7, 2));
        assert!(elapsed < Duration::from_millis(1501), "{elapsed:?}");
        let (outcome, retries, _) = play(2, vec![later(), later(), later()]).await;
        assert!(outcome.is_err());
        assert_eq!(retries, 2);
        let (outcome, retries, elapsed) = play(0, vec![later()]).await;
        assert!(outcome.is_err());
        assert_eq!((retries, elapsed), (0, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_final_failure_is_not_tried_again() {
        let (outcome, retries, elapsed) = play(5, vec![failure(Again::Never)]).await;
        assert!(outcome.is_err());
        assert_eq!((retries, elapsed), (0, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_request_costs_no_patience() {
        let (outcome, retries, elapsed) = play(0, vec![failure(Again::AtOnce), Ok(7)]).await;
        assert_eq!((outcome.unwrap(), retries, elapsed), (7, 1, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn the_endpoint_is_given_the_time_it_asks_for() {
        for (asked, least) in [(7, 7), (3600, 60)] {
            let asked = Some(Duration::from_secs(asked));
            let (_, _, elapsed) = play(1, vec![failure(Again::Later(asked)), Ok(7)]).await;
            assert!(elapsed >= Duration::from_secs(least), "{elapsed:?}");
            assert!(elapsed <= Duration::from_secs(least + 1), "{elapsed:?}");
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
    fn statuses_that_pass() {
        let passing: Vec<u16> = (300..500).filter(|&status| is_passing(status)).collect();
        assert_eq!(passing, [408, 409, 425, 429]);
        assert!((500..600).all(is_passing));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "1994-11-06T08:49:30Z".parse().unwrap();
        for (text, expected) in [
            ("0", Some(0.0)),
            ("2", Some(2.0)),
            (" 1.5 ", Some(1.5)),
            ("1e300", Some(60.0)),
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
