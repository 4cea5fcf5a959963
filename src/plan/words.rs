//! How long a message is to be.

use super::draw::{self, Purpose};
use super::{Options, Words};
use crate::domain::Conversation;
use rand_distr::{Distribution, StandardNormal};

/// Most words that a message is asked to have.
const MOST: f64 = 400.0;

/// About how many words the message being asked is to have; none where that is left open.
pub(super) fn drawn(options: &Options, conversation: &Conversation) -> Option<u16> {
    let Words { mean, sigma } = options.style.words?;
    let mut stream = draw::stream(options.seed, Purpose::Words, &draw::question(conversation));
    let normal: f64 = StandardNormal.sample(&mut stream);
    // The mean of a log-normal distribution is the exponential of its location and half of its variance.
    let words = (mean.ln() - sigma * sigma / 2.0 + sigma * normal).exp();
    Some(words.round().clamp(1.0, MOST) as u16)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::plan::{Style, fixtures};

    #[test]
    fn lengths_are_log_normal_around_their_mean() {
        for (mean, sigma) in [(14.0, 0.5), (8.0, 0.2), (20.0, 0.0)] {
            let style = Style { words: Some(Words { mean, sigma }), ..Style::default() };
            let options = Options { style, ..fixtures::options() };
            let of_slot = |slot| f64::from(drawn(&options, &fixtures::conversation(slot, 0)).unwrap());
            let words: Vec<f64> = (0..4000).map(of_slot).collect();
            let found = words.iter().sum::<f64>() / 4000.0;
            assert!((found - mean).abs() < 0.05 * mean, "{found} for {mean}");
            let location = mean.ln() - sigma * sigma / 2.0;
            let variance = words.iter().map(|words| (words.ln() - location).powi(2)).sum::<f64>() / 4000.0;
            assert!((variance.sqrt() - sigma).abs() < 0.05, "{} for {sigma}", variance.sqrt());
        }
        assert_eq!(drawn(&fixtures::options(), &fixtures::conversation(0, 0)), None);
    }
}
