//! How alike two questions are in what they mean: the cosine of their vectors, and the signs by which those that can't be alike are
//! told apart fast (random hyperplanes; Charikar 2002).

use super::sketch::Similarity;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A vector in whole numbers from -127 to 127: what is counted with them is the same on every machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vector(Box<[i8]>);

/// Whether a vector lies on the one or the other side of each of 192 planes.
pub type Signs = [u64; PLANES / 64];

/// Planes that vectors lie on one or the other side of.
const PLANES: usize = 192;

impl Vector {
    /// The nearest to a direction, of any length.
    pub fn of(direction: &[f32]) -> Self {
        let largest = direction.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = if largest > 0.0 { 127.0 / f64::from(largest) } else { 0.0 };
        Self(direction.iter().map(|value| (f64::from(*value) * scale).round() as i8).collect())
    }

    /// Its values, as many as the model has dimensions.
    pub fn values(&self) -> &[i8] {
        &self.0
    }

    /// On which sides of the planes it lies: the signs of a random rotation of it, of which the planes are the axes.
    pub fn signs(&self) -> Signs {
        let length = self.0.len().max(PLANES).next_power_of_two();
        let mut rotated: Vec<i64> = self.0.iter().map(|value| i64::from(*value)).collect();
        rotated.resize(length, 0);
        // Twice: flips drawn by SplitMix64, and the Hadamard transform (Ailon and Chazelle 2006).
        let mut state = 0u64;
        for _ in 0..2 {
            for some in rotated.chunks_mut(64) {
                let flips = mixed(&mut state);
                some.iter_mut()
                    .enumerate()
                    .filter(|(at, _)| flips >> at & 1 == 1)
                    .for_each(|(_, value)| *value = -*value);
            }
            hadamard(&mut rotated);
        }
        let mut signs = Signs::default();
        for (signs, some) in signs.iter_mut().zip(rotated.chunks(64)) {
            *signs = some.iter().enumerate().fold(0, |signs, (at, value)| signs | u64::from(*value >= 0) << at);
        }
        signs
    }
}

/// In place; the length is a power of two.
fn hadamard(values: &mut [i64]) {
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_mut(2 * half) {
            let (left, right) = pair.split_at_mut(half);
            for (left, right) in left.iter_mut().zip(right) {
                (*left, *right) = (*left + *right, *left - *right);
            }
        }
        half *= 2;
    }
}

/// The next number of SplitMix64 (Steele, Lea and Flood 2014).
fn mixed(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// From which cosine on two questions are near-duplicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cosine {
    threshold: Similarity,
    /// On the other side of so many planes two of them may lie at most.
    apart: u32,
}

/// So many standard deviations above the mean lie fewer than 2 of 100.
const RARELY: f64 = 2.06;

impl Cosine {
    /// For a threshold above 0, and 1 at most. Pairs at the threshold are found in 98 cases of 100, and more alike ones more often: a plane
    /// parts two vectors with the probability that their angle is of a half turn.
    pub fn new(threshold: f64) -> Self {
        let share = threshold.acos() / std::f64::consts::PI;
        let (planes, spread) = (PLANES as f64, (PLANES as f64 * share * (1.0 - share)).sqrt());
        Self { threshold: Similarity::of(threshold), apart: (planes * share + RARELY * spread).ceil() as u32 }
    }

    /// From which similarity on two questions are near-duplicates.
    pub fn threshold(&self) -> Similarity {
        self.threshold
    }

    /// Whether vectors with these signs may be near-duplicates.
    pub fn may_be(&self, one: &Signs, other: &Signs) -> bool {
        let apart: u32 = one.iter().zip(other).map(|(one, other)| (one ^ other).count_ones()).sum();
        apart <= self.apart
    }

    /// How alike two vectors are, where that is the threshold or more.
    pub fn alike(&self, one: &[i8], other: &[i8]) -> Option<Similarity> {
        let lengths = dot(one, one) as f64 * dot(other, other) as f64;
        // Whole numbers below 2^53, a root and a quotient: rounded in the same way everywhere.
        let cosine = if lengths > 0.0 { dot(one, other) as f64 / lengths.sqrt() } else { 0.0 };
        let similarity = Similarity::of(cosine.max(0.0));
        (similarity >= self.threshold).then_some(similarity)
    }
}

fn dot(one: &[i8], other: &[i8]) -> i64 {
    let sum = |(one, other): (&[i8], &[i8])| -> i32 {
        one.iter().zip(other).map(|(one, other)| i32::from(*one) * i32::from(*other)).sum()
    };
    one.chunks(1 << 16).zip(other.chunks(1 << 16)).map(|pair| i64::from(sum(pair))).sum()
}

impl From<&[i8]> for Vector {
    fn from(values: &[i8]) -> Self {
        Self(values.into())
    }
}

impl Serialize for Vector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer
            .serialize_str(&STANDARD.encode(self.0.iter().map(|value| value.cast_unsigned()).collect::<Vec<u8>>()))
    }
}

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = STANDARD.decode(String::deserialize(deserializer)?).map_err(de::Error::custom)?;
        Ok(Self(bytes.into_iter().map(u8::cast_signed).collect()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    /// A direction that is as likely as any other.
    fn direction(draws: &mut ChaCha8Rng, length: usize) -> Vec<f32> {
        let mut uniform = || (f64::from(draws.next_u32()) + 0.5) / 2f64.powi(32);
        let mut normal = || ((-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos()) as f32;
        let drawn: Vec<f32> = (0..length).map(|_| normal()).collect();
        let size = drawn.iter().map(|value| value * value).sum::<f32>().sqrt();
        drawn.iter().map(|value| value / size).collect()
    }

    /// Two directions with this cosine.
    fn pair(draws: &mut ChaCha8Rng, length: usize, cosine: f32) -> [Vec<f32>; 2] {
        let (one, other) = (direction(draws, length), direction(draws, length));
        let along: f32 = one.iter().zip(&other).map(|(one, other)| one * other).sum();
        let across: Vec<f32> = one.iter().zip(&other).map(|(one, other)| other - along * one).collect();
        let size = across.iter().map(|value| value * value).sum::<f32>().sqrt();
        let rest = (1.0 - cosine * cosine).sqrt() / size;
        let other = one.iter().zip(&across).map(|(one, across)| cosine * one + rest * across).collect();
        [one, other]
    }

    /// Of pairs whose cosine is just the threshold, the share that few enough planes lie between; and of pairs of which one would say the
    /// same of any two sentences of a model.
    #[test]
    fn what_is_alike_is_found_and_what_is_not_is_seldom_looked_at() {
        let mut draws = ChaCha8Rng::seed_from_u64(3);
        for (threshold, length, unlike) in [(0.8, 384, 0.4), (0.9, 384, 0.6), (0.9, 768, 0.6), (0.95, 128, 0.7)] {
            let cosine = Cosine::new(threshold);
            let mut share = |of: f64| {
                let found = (0..3000).filter(|_| {
                    let [one, other] = pair(&mut draws, length, of as f32).map(|one| Vector::of(&one).signs());
                    cosine.may_be(&one, &other)
                });
                found.count() as f64 / 3000.0
            };
            assert!(share(threshold) > 0.97, "{threshold}: {}", share(threshold));
            assert!(share(unlike) < 0.01, "{threshold}: {}", share(unlike));
        }
    }

    #[test]
    fn the_cosine_is_counted_within_a_hundredth() {
        let mut draws = ChaCha8Rng::seed_from_u64(4);
        let cosine = Cosine::new(0.5);
        for of in [0.55, 0.8, 0.9, 0.99] {
            let [one, other] = pair(&mut draws, 384, of).map(|one| Vector::of(&one));
            let found = cosine.alike(one.values(), other.values()).unwrap().share();
            assert!((found - f64::from(of)).abs() < 0.01, "{of}: {found}");
        }
        let vector = Vector::of(&direction(&mut draws, 384));
        assert!(Cosine::new(1.0).may_be(&vector.signs(), &vector.signs()));
        assert_eq!(Cosine::new(1.0).alike(vector.values(), vector.values()), Some(Similarity(1_000_000)));
        assert_eq!(cosine.alike(&[0, 0], &[0, 0]), None, "nothing is like nothing");
        assert_eq!(cosine.alike(&[3, 1], &[-3, -1]), None);
    }

    /// They are the same on every machine and in every release: a run that goes on asks what it would have asked.
    #[test]
    fn vectors_are_pinned() {
        let vector = Vector::of(&[0.5, -1.0, 0.25, 0.0]);
        assert_eq!(vector.values(), [64, -127, 32, 0]);
        assert_eq!(Vector::of(&[0.0; 3]).values(), [0; 3]);
        assert_eq!(vector.signs()[0], 8_801_540_710_351_613_395);
        let written = serde_json::to_string(&vector).unwrap();
        assert_eq!((written.as_str(), serde_json::from_str(&written).unwrap()), ("\"QIEgAA==\"", vector));
        assert!(serde_json::from_str::<Vector>("\"?\"").is_err());
    }
}
