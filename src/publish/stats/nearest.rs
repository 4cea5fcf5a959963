//! How far messages lie from the one that is nearest to each in meaning, by vectors of an embedding model.

use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;

/// Messages that are compared at most: each is compared with all others.
const COMPARED: usize = 2_048;

/// How far messages lie from each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NearestNeighbour {
    /// The mean, over the messages, of one less the cosine with the nearest other one: 0 where each is said twice.
    pub mean_distance: f64,
    /// The messages that were compared: all, or an even part of them.
    pub compared: usize,
    /// What made the vectors.
    pub model: String,
}

/// An even part of the messages: those with the least keys.
#[derive(Debug, Default)]
pub(super) struct Sample(BTreeMap<u64, String>);

impl Sample {
    /// Adds a message under its key, a hash.
    pub fn add(&mut self, key: u64, text: &str) {
        let is_full = self.0.len() == COMPARED;
        if is_full && self.0.last_key_value().is_some_and(|(last, _)| key > *last) {
            return;
        }
        self.0.insert(key, text.to_owned());
        if self.0.len() > COMPARED {
            self.0.pop_last();
        }
    }

    /// The messages, in the order of their keys.
    pub fn texts(&self) -> Vec<String> {
        self.0.values().cloned().collect()
    }
}

/// The figures of messages with these vectors, each of length 1; none of fewer than two.
pub fn nearest_neighbour(vectors: &[Vec<f32>], model: &str) -> Option<NearestNeighbour> {
    if vectors.len() < 2 {
        return None;
    }
    let cosine = |one: &[f32], other: &[f32]| one.iter().zip(other).map(|(a, b)| a * b).sum::<f32>();
    let distance = |(at, vector): (usize, &Vec<f32>)| {
        let others = vectors.iter().enumerate().filter(|(other, _)| *other != at);
        let nearest = others.map(|(_, other)| cosine(vector, other)).fold(-1.0, f32::max);
        f64::from((1.0 - nearest).max(0.0))
    };
    // Summed in order: the sum of floats depends on it.
    let distances: Vec<f64> = vectors.par_iter().enumerate().map(distance).collect();
    let mean_distance = distances.iter().sum::<f64>() / vectors.len() as f64;
    Some(NearestNeighbour { mean_distance, compared: vectors.len(), model: model.to_owned() })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_other_message_counts() {
        let vectors = [vec![1.0, 0.0], vec![0.0, 1.0], vec![0.6, 0.8]];
        let told = nearest_neighbour(&vectors, "m").unwrap();
        // The cosines are 0.6 with the first, 0.8 with the second, and 0.8 of the third.
        assert!((told.mean_distance - (0.4 + 0.2 + 0.2) / 3.0).abs() < 1e-6, "{told:?}");
        assert_eq!((told.compared, told.model.as_str()), (3, "m"));
        assert_eq!(nearest_neighbour(&[vec![1.0], vec![1.0]], "m").unwrap().mean_distance, 0.0);
        assert_eq!(nearest_neighbour(&vectors[..1], "m"), None);
    }

    #[test]
    fn the_messages_with_the_least_keys_are_compared() {
        let mut sample = Sample::default();
        for key in (0..2 * COMPARED as u64).rev() {
            sample.add(key, &format!("رسالة {key}"));
        }
        let texts = sample.texts();
        assert_eq!((texts.len(), texts[0].as_str()), (COMPARED, "رسالة 0"));
        assert_eq!(texts[COMPARED - 1], format!("رسالة {}", COMPARED - 1));
    }
}
