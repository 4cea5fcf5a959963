//! How many turns a conversation has.

use super::draw::{self, Purpose};
use super::{Distribution, TurnOptions};
use crate::domain::Slot;
use rand::RngExt;
use rand_distr::{Distribution as _, Exp1, Poisson};

/// The turn count of a slot, within `[min, max]`; `min` when the bounds leave no choice. Counts drawn beyond a bound
/// become that bound, so its probability is that of all counts beyond it. A mean that is missing or not positive is the
/// midpoint of the bounds.
pub(super) fn count(options: &TurnOptions, seed: u64, slot: Slot) -> u16 {
    let TurnOptions { min, max, distribution, mean } = *options;
    if min >= max {
        return min;
    }
    let mut stream = draw::stream(seed, Purpose::Turns, &[slot.language.0.into(), slot.index.into()]);
    let midpoint = (f64::from(min) + f64::from(max)) / 2.0;
    let mean = mean.filter(|mean| mean.is_finite() && *mean > 0.0).unwrap_or(midpoint);
    let drawn: f64 = match distribution {
        Distribution::Uniform => return stream.random_range(min..=max),
        // Refused only when the mean exceeds every count: the largest stands for it.
        Distribution::Poisson => Poisson::new(mean).map_or(mean, |poisson| poisson.sample(&mut stream)),
        Distribution::Exponential => {
            let unit: f64 = Exp1.sample(&mut stream);
            (unit * mean).round()
        }
    };
    drawn.clamp(min.into(), max.into()) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::LanguageIndex;
    use proptest::prelude::*;

    const SLOTS: u32 = 4000;

    fn options(min: u16, max: u16, distribution: Distribution, mean: Option<f64>) -> TurnOptions {
        TurnOptions { min, max, distribution, mean }
    }

    fn counts(options: &TurnOptions) -> Vec<u16> {
        (0..SLOTS).map(|index| count(options, 3, Slot { language: LanguageIndex(0), index })).collect()
    }

    fn mean(counts: &[u16]) -> f64 {
        counts.iter().map(|&count| f64::from(count)).sum::<f64>() / counts.len() as f64
    }

    #[test]
    fn means_are_those_asked_for() {
        use Distribution::{Exponential, Poisson, Uniform};
        for (distribution, wanted, expected) in [
            (Uniform, Some(90.0), 500.0),
            (Poisson, Some(5.0), 5.0),
            (Poisson, Some(60.0), 60.0),
            (Poisson, None, 500.0),
            (Poisson, Some(-1.0), 500.0),
            (Poisson, Some(f64::NAN), 500.0),
            (Poisson, Some(1e300), 1000.0),
            (Exponential, Some(30.0), 30.0),
        ] {
            let found = mean(&counts(&options(0, 1000, distribution, wanted)));
            assert!((found - expected).abs() <= 0.03 * expected, "{distribution:?} {wanted:?}: {found}");
        }
    }

    #[test]
    fn counts_have_the_shape_of_their_distribution() {
        let share = |counts: &[u16], wanted| counts.iter().filter(|&&count| count == wanted).count() as f64 / 4000.0;
        let uniform = counts(&options(2, 5, Distribution::Uniform, None));
        for turns in 2..=5 {
            assert!((share(&uniform, turns) - 0.25).abs() < 0.03);
        }
        let poisson = counts(&options(2, 6, Distribution::Poisson, Some(3.0)));
        // P(N <= 2) = e^-3 (1 + 3 + 9/2); P(N = 3) = e^-3 27/6.
        assert!((share(&poisson, 2) - 0.423).abs() < 0.03);
        assert!((share(&poisson, 3) - 0.224).abs() < 0.03);
        let exponential = counts(&options(1, 100, Distribution::Exponential, Some(4.0)));
        // P(round(X) <= 1) = 1 - e^(-1.5/4); P(round(X) = 2) = e^(-1.5/4) - e^(-2.5/4).
        assert!((share(&exponential, 1) - 0.313).abs() < 0.03);
        assert!((share(&exponential, 2) - 0.152).abs() < 0.03);
    }

    #[test]
    fn counts_are_pinned() {
        use Distribution::{Exponential, Poisson, Uniform};
        for (distribution, expected) in [
            (Uniform, [8, 5, 9, 4, 9, 9, 7, 4]),
            (Poisson, [5, 4, 6, 8, 2, 5, 3, 3]),
            (Exponential, [2, 3, 6, 7, 4, 9, 7, 1]),
        ] {
            assert_eq!(counts(&options(1, 9, distribution, Some(4.0)))[..8], expected, "{distribution:?}");
        }
    }

    proptest! {
        #[test]
        fn counts_stay_within_bounds(seed: u64, index: u32, min in 1u16..50, more in 0u16..50, mean in 0.1f64..200.0) {
            let slot = Slot { language: LanguageIndex(1), index };
            for distribution in [Distribution::Uniform, Distribution::Poisson, Distribution::Exponential] {
                let options = options(min, min + more, distribution, Some(mean));
                let drawn = count(&options, seed, slot);
                prop_assert!((min..=min + more).contains(&drawn));
                prop_assert_eq!(drawn, count(&options, seed, slot));
            }
        }
    }
}
