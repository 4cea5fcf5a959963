//! The wall clock.

use jiff::Timestamp;
use std::time::SystemTime;

/// Now. A clock that is out of the calendar, past the year 9999 or so far before it, reads as its end.
pub fn now() -> Timestamp {
    held(SystemTime::now())
}

fn held(time: SystemTime) -> Timestamp {
    let beyond = if time < SystemTime::UNIX_EPOCH { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::try_from(time).unwrap_or(beyond)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_clock_out_of_the_calendar_reads_as_its_end() {
        let years = |years: u64| Duration::from_secs(31_557_600 * years);
        assert_eq!(held(SystemTime::UNIX_EPOCH + years(9_000)), Timestamp::MAX);
        assert_eq!(held(SystemTime::UNIX_EPOCH - years(12_000)), Timestamp::MIN);
        assert_eq!(held(SystemTime::UNIX_EPOCH), Timestamp::UNIX_EPOCH);
        let utc = |moment: Timestamp| moment.to_zoned(jiff::tz::TimeZone::UTC).year();
        assert_eq!((utc(Timestamp::MAX), utc(Timestamp::MIN)), (9999, -9999));
    }
}
