//! Whether a request may go now.

use tokio::time::Instant;

/// When a request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// The request may be sent at once.
    Now,
    /// Not before this time.
    At(Instant),
    /// When another request has ended.
    OnChange,
}

impl Admission {
    /// When both conditions are met.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::OnChange, _) | (_, Self::OnChange) => Self::OnChange,
            (Self::At(one), Self::At(two)) => Self::At(one.max(two)),
            (Self::Now, other) | (other, Self::Now) => other,
        }
    }

    /// When one of them is met.
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Now, _) | (_, Self::Now) => Self::Now,
            (Self::At(one), Self::At(two)) => Self::At(one.min(two)),
            (Self::OnChange, other) | (other, Self::OnChange) => other,
        }
    }

    /// Whether it is now.
    pub fn is_now(self) -> bool {
        self == Self::Now
    }

    /// The time there is to wait until, where that is known.
    pub fn time(self) -> Option<Instant> {
        if let Self::At(time) = self { Some(time) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn all_conditions_take_the_longest_and_alternatives_the_shortest() {
        let now = Instant::now();
        let later = Admission::At(now + Duration::from_secs(1));
        for (one, other, both, either) in [
            (Admission::Now, later, later, Admission::Now),
            (Admission::At(now), later, later, Admission::At(now)),
            (later, Admission::OnChange, Admission::OnChange, later),
        ] {
            assert_eq!((one.and(other), other.and(one)), (both, both));
            assert_eq!((one.or(other), other.or(one)), (either, either));
        }
    }
}
