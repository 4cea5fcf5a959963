//! RateLimits: so much per minute, spread evenly.

use super::admission::Admission;
use reqwest::header::HeaderMap;
use std::time::Duration;
use tokio::time::Instant;

/// How much of a minute's amount may be used at once.
const BURST: f64 = 1.0 / 60.0;

/// The longest time to the end of a limit that requests are held back for.
const LONGEST_RESET: Duration = Duration::from_secs(3600);

/// A token bucket (J. Turner, New directions in communications, 1986). What is asked of it may be more than it ever
/// holds: then it is let through when the bucket is full, and paid off afterwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bucket {
    capacity: f64,
    per_second: f64,
    level: f64,
    at: Instant,
}

impl Bucket {
    /// So much per minute, of which a second's worth may be used at once.
    pub fn per_minute(amount: f64, now: Instant) -> Self {
        let capacity = (amount * BURST).max(1.0);
        Self { capacity, per_second: amount / 60.0, level: capacity, at: now }
    }

    /// So much per second, of which a twentieth of a second's worth may be used at once.
    pub fn paced(per_second: f64, now: Instant) -> Self {
        Self { capacity: (per_second / 20.0).max(1.0), per_second, level: 0.0, at: now }
    }

    /// Changes what comes in per second.
    pub fn set_rate(&mut self, per_second: f64, now: Instant) {
        self.refill(now);
        (self.per_second, self.capacity) = (per_second, (per_second / 20.0).max(1.0));
    }

    /// What comes in per second.
    pub fn rate(&self) -> f64 {
        self.per_second
    }

    /// What an endpoint says is left of a limit, and when all of it will be there again.
    pub fn reported(reported: Reported, now: Instant) -> Self {
        let Reported { limit, remaining, reset } = reported;
        let per_second = (limit - remaining).max(1.0) / reset.as_secs_f64().max(1e-3);
        Self { capacity: limit, per_second, level: remaining, at: now }
    }

    fn refill(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.level = (self.level + since * self.per_second).min(self.capacity);
        self.at = self.at.max(now);
    }

    /// When so much may be taken.
    pub fn ready(&mut self, amount: f64, now: Instant) -> Admission {
        self.refill(now);
        let missing = amount.min(self.capacity) - self.level;
        // A hair below is enough: the clock and the sums are not that exact.
        if missing <= 1e-6 {
            return Admission::Now;
        }
        let wait = Duration::try_from_secs_f64(missing / self.per_second).unwrap_or(Duration::from_secs(86_400));
        Admission::At(now + wait.max(Duration::from_millis(1)))
    }

    /// Takes so much; a negative amount is given back.
    pub fn take(&mut self, amount: f64) {
        self.level = (self.level - amount).min(self.capacity);
    }
}

/// What response headers say of a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reported {
    pub limit: f64,
    pub remaining: f64,
    pub reset: Duration,
}

/// The limits on requests and on tokens that response headers tell of: `x-ratelimit-limit-requests` and its like (OpenAI and
/// most others), `anthropic-ratelimit-requests-limit` and its like.
pub(super) fn reported(headers: &HeaderMap, now: jiff::Timestamp) -> [Option<Reported>; 2] {
    ["requests", "tokens"].map(|kind| {
        let openai = |what: &str| format!("x-ratelimit-{what}-{kind}");
        let anthropic = |what: &str| format!("anthropic-ratelimit-{kind}-{what}");
        read(headers, openai, now).or_else(|| read(headers, anthropic, now))
    })
}

fn read(headers: &HeaderMap, name: impl Fn(&str) -> String, now: jiff::Timestamp) -> Option<Reported> {
    let text = |what| headers.get(name(what))?.to_str().ok().map(str::trim);
    let number = |what| text(what)?.parse::<f64>().ok().filter(|number| *number >= 0.0 && number.is_finite());
    // A limit per day is met by going on with the run later, not by holding requests back.
    let reset = span(text("reset")?, now).filter(|reset| *reset <= LONGEST_RESET)?;
    Some(Reported { limit: number("limit")?, remaining: number("remaining")?, reset })
}

/// A span of time as headers write it: `6m0s`, `120ms`, seconds, or the moment it ends (RFC 3339).
fn span(text: &str, now: jiff::Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        // Some tell the moment, as seconds since 1970.
        let seconds = if seconds > 1e9 { (seconds - now.as_second() as f64).max(0.0) } else { seconds };
        return Duration::try_from_secs_f64(seconds).ok();
    }
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Some(Duration::try_from(moment.duration_since(now)).unwrap_or_default());
    }
    let (mut sum, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, seconds) =
            [("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)]
                .into_iter()
                .find(|(unit, _)| rest.starts_with(unit))?;
        sum += number * seconds;
        rest = &rest[unit.len()..];
    }
    Duration::try_from_secs_f64(sum).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use reqwest::header::{HeaderName, HeaderValue};

    #[test]
    fn a_minute_is_spread_evenly() {
        let start = Instant::now();
        let mut bucket = Bucket::per_minute(120.0, start);
        let (mut now, mut taken) = (start, 0);
        while now < start + Duration::from_secs(30) {
            match bucket.ready(1.0, now) {
                Admission::Now => {
                    bucket.take(1.0);
                    taken += 1;
                }
                later => now = later.time().unwrap(),
            }
        }
        assert!((60..=62).contains(&taken), "{taken}");
    }

    #[test]
    fn what_is_more_than_the_bucket_holds_is_paid_off_afterwards() {
        let start = Instant::now();
        let mut bucket = Bucket::per_minute(600.0, start);
        assert!(bucket.ready(100.0, start).is_now());
        bucket.take(100.0);
        let next = bucket.ready(1.0, start).time().unwrap();
        assert!((next - start).as_secs_f64() > 9.0);
        // Less was used than thought.
        bucket.take(-100.0);
        assert!(bucket.ready(1.0, start).is_now());
    }

    #[test]
    fn headers_tell_of_limits() {
        let now: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let headers = |pairs: &[(&str, &str)]| {
            let pairs = pairs
                .iter()
                .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()));
            HeaderMap::from_iter(pairs)
        };
        let openai = headers(&[
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "59"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-limit-tokens", "150000"),
            ("x-ratelimit-remaining-tokens", "149984"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ]);
        let second = Duration::from_secs(1);
        assert_eq!(
            super::reported(&openai, now),
            [
                Some(Reported { limit: 60.0, remaining: 59.0, reset: second }),
                Some(Reported { limit: 150_000.0, remaining: 149_984.0, reset: 360 * second })
            ]
        );
        let anthropic = headers(&[
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:12Z"),
        ]);
        assert_eq!(
            super::reported(&anthropic, now),
            [Some(Reported { limit: 50.0, remaining: 0.0, reset: 12 * second }), None]
        );
        assert_eq!(super::reported(&HeaderMap::new(), now), [None, None]);
        let start = Instant::now();
        let mut bucket = Bucket::reported(super::reported(&anthropic, now)[0].unwrap(), start);
        let next = bucket.ready(1.0, start).time().unwrap();
        assert!((0.2..0.3).contains(&(next - start).as_secs_f64()), "50 in 12 s");
    }

    #[test]
    fn spans_are_written_in_many_ways() {
        let now: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("1", Some(1.0)),
            ("0.5", Some(0.5)),
            ("8.64s", Some(8.64)),
            ("120ms", Some(0.12)),
            ("1h2m3.5s", Some(3723.5)),
            ("2025-12-31T23:59:00Z", Some(0.0)),
            ("1767225607", Some(7.0)),
            ("-1", None),
            ("soon", None),
            ("1x", None),
        ] {
            assert_eq!(span(text, now).map(|span| span.as_secs_f64()), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_span_is_survived(text in "[0-9.a-z:-]{0,12}") {
            let _ = span(&text, jiff::Timestamp::UNIX_EPOCH);
        }

        #[test]
        fn a_rate_is_never_exceeded(amounts in prop::collection::vec(1_u32..200, 1..60), per_minute in 60_u32..6000) {
            let start = Instant::now();
            let mut bucket = Bucket::per_minute(per_minute.into(), start);
            let (mut now, mut taken, mut last) = (start, 0.0, 0.0);
            for amount in amounts {
                while let Some(later) = bucket.ready(amount.into(), now).time() {
                    prop_assert!(later > now);
                    now = later;
                }
                bucket.take(amount.into());
                let since = (now - start).as_secs_f64();
                taken += last;
                last = f64::from(amount);
                // What was taken before is paid for by the time that has passed.
                prop_assert!(taken <= f64::from(per_minute) / 60.0 * (since + 1.0) + 1.0, "{taken} in {since}");
            }
        }
    }
}
