//! The time of day as the outputs record it: the only clock whose reading reaches a row.

use super::OutputError;
use crate::domain::clock;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Source of timestamps: one fixed moment for reproducible outputs, else the wall clock.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Stamp {
    fixed: Option<Timestamp>,
}

impl Stamp {
    /// Fixed at `source_date_epoch` (seconds since 1970) when given, as
    /// <https://reproducible-builds.org/specs/source-date-epoch/> asks; an unset or empty variable means the wall clock.
    ///
    /// # Errors
    /// When the text is not a number of seconds within the calendar.
    pub fn from_env(source_date_epoch: Option<&str>) -> Result<Self, OutputError> {
        let Some(text) = source_date_epoch.map(str::trim).filter(|text| !text.is_empty()) else {
            return Ok(Self { fixed: None });
        };
        let moment = text.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        moment.map(|moment| Self { fixed: Some(moment) }).ok_or_else(|| OutputError::Epoch { value: text.to_owned() })
    }

    /// Fixed at a moment as rows tell it; none when the text is none.
    pub fn at(text: &str) -> Option<Self> {
        Some(Self { fixed: Some(text.parse().ok()?) })
    }

    /// Now in UTC with microseconds and offset: `2026-11-22T23:34:13.492376+00:00`.
    pub fn utc(&self) -> String {
        self.now().strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
    }

    /// Now in UTC with microseconds and `Z`: `2026-11-22T23:34:13.492376Z`.
    pub fn utc_z(&self) -> String {
        self.now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
    }

    /// The present time, or the fixed one.
    pub fn now(&self) -> Timestamp {
        self.fixed.unwrap_or_else(clock::now)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_environment_fixes_the_moment() {
        let stamp = Stamp::from_env(Some("1795390453")).unwrap();
        assert_eq!(stamp.utc(), "2026-11-22T23:34:13.000000+00:00");
        assert_eq!(stamp.utc_z(), "2026-11-22T23:34:13.000000Z");
        let finer = Stamp { fixed: Some("2026-11-22T23:34:13.492376999Z".parse().unwrap()) };
        assert_eq!(finer.utc_z(), "2026-11-22T23:34:13.492376Z");
    }

    #[test]
    fn without_it_the_clock_runs() {
        for unset in [None, Some(""), Some("  ")] {
            let stamp = Stamp::from_env(unset).unwrap();
            let before = Timestamp::now();
            let told: Timestamp = stamp.utc().parse().unwrap();
            // The text is cut to microseconds, so it may lie just before the moment it was read.
            assert!(told.as_microsecond() >= before.as_microsecond(), "{told} < {before}");
        }
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for nonsense in ["now", "12.5", "99999999999999999"] {
            let error = Stamp::from_env(Some(nonsense)).unwrap_err().to_string();
            assert!(error.contains("SOURCE_DATE_EPOCH") && error.contains(nonsense), "{error}");
        }
    }
}
