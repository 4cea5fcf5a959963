//! How long things are, in whole numbers: least, most, mean, and histograms.

use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// How often each number is there.
pub type Distribution = BTreeMap<u64, u64>;

/// How often numbers lie within bins of one width, in order; bins without any are left out.
pub type Histogram = BTreeMap<Bin, u64>;

/// The numbers from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bin {
    /// The least number that lies in it.
    pub start: u64,
    /// The greatest number that lies in it.
    pub end: u64,
}

/// Spelled with both ends, such as `120-149`.
impl fmt::Display for Bin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.start, self.end)
    }
}

impl Serialize for Bin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Lengths, each with how often it is there: as many entries as there are different ones, which the longest bounds.
#[derive(Debug, Default)]
pub(super) struct Lengths {
    counted: Distribution,
    count: u64,
    sum: u64,
}

impl Lengths {
    pub fn add(&mut self, length: u64) {
        *self.counted.entry(length).or_default() += 1;
        self.count += 1;
        self.sum += length;
    }

    pub fn min(&self) -> Option<u64> {
        self.counted.first_key_value().map(|(length, _)| *length)
    }

    pub fn max(&self) -> Option<u64> {
        self.counted.last_key_value().map(|(length, _)| *length)
    }

    pub fn mean(&self) -> Option<f64> {
        super::mean(self.sum as f64, self.count)
    }

    pub fn sum(&self) -> u64 {
        self.sum
    }

    pub fn distribution(self) -> Distribution {
        self.counted
    }

    /// At most twelve bins of one width from the least to the most; one of one number where all are the same.
    pub fn histogram(&self) -> Histogram {
        let (Some(min), Some(max)) = (self.min(), self.max()) else { return Histogram::new() };
        let width = (max - min + 1).div_ceil(12).max(1);
        let mut bins = Histogram::new();
        for (length, times) in &self.counted {
            let start = min + (length - min) / width * width;
            let end = if min == max { start } else { start + width - 1 };
            *bins.entry(Bin { start, end }).or_default() += times;
        }
        bins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(lengths: &[u64]) -> String {
        let mut all = Lengths::default();
        lengths.iter().for_each(|length| all.add(*length));
        serde_json::to_string(&all.histogram()).expect("text")
    }

    #[test]
    fn bins_are_of_one_width_and_empty_ones_are_left_out() {
        for (lengths, expected) in [
            (&[][..], "{}"),
            (&[354, 354], r#"{"354-354":2}"#),
            (&[1, 2, 4, 2], r#"{"1-1":1,"2-2":2,"4-4":1}"#),
            (&[0, 12, 1], r#"{"0-1":2,"12-13":1}"#),
            (&[9, 100, 16, 17], r#"{"9-16":2,"17-24":1,"97-104":1}"#),
        ] {
            assert_eq!(histogram(lengths), expected);
        }
    }
}
