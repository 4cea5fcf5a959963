//! What questions are compared by, and how alike they are: by their words or by what they mean.

use super::cosine::{Cosine, Signs, Vector};
use super::minhash::{MinHash, Shingles};
use super::slot::Rank;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::sync::Arc;

/// How alike two questions are, from 0 to 1, in millionths: a whole number is the same on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Similarity(pub u32);

impl Similarity {
    /// The nearest to a share from 0 to 1.
    pub fn of(share: f64) -> Self {
        Self((share * 1e6).round() as u32)
    }

    /// As a share from 0 to 1.
    pub fn share(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

/// A question that another one is too close to. The lowest comes first, and of several the closest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its rank; the lowest there is where it was asked before the run.
    pub rank: Rank,
    /// How alike the two are.
    pub similarity: Similarity,
    /// The words in which it is asked.
    pub text: Arc<str>,
}

impl Ord for Neighbour {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.rank.cmp(&other.rank).then(other.similarity.cmp(&self.similarity));
        order.then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for Neighbour {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A question to compare: its words and, where it is compared by one, its vector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// The question as it was asked.
    pub text: Arc<str>,
    /// Its vector, where questions are compared by them.
    pub vector: Option<Vector>,
}

/// What a question is compared by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Sketch {
    /// The question as it was asked.
    pub text: Arc<str>,
    features: Features,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Features {
    Words(Shingles),
    Vector(Vector, Signs),
}

impl Sketch {
    /// Of a question that is compared by its words.
    pub(super) fn of_words(text: &str, shingles: Shingles) -> Self {
        Self { text: text.into(), features: Features::Words(shingles) }
    }

    /// Of a question that is compared by its vector.
    pub fn of_vector(text: &str, vector: Vector) -> Self {
        let signs = vector.signs();
        Self { text: text.into(), features: Features::Vector(vector, signs) }
    }

    /// The hashes at which it meets others, by band. Those with vectors all meet: what they are rarely far from says nothing of
    /// which are near.
    pub fn bands(&self) -> &[u32] {
        match &self.features {
            Features::Words(shingles) => shingles.bands(),
            Features::Vector(..) => &[0],
        }
    }

    /// What its words are compared by, if they are.
    pub(super) fn shingles(&self) -> Option<&Shingles> {
        match &self.features {
            Features::Words(shingles) => Some(shingles),
            Features::Vector(..) => None,
        }
    }

    /// Its vector with the signs of that, if it is compared by one.
    pub(super) fn vector(&self) -> Option<(&Vector, &Signs)> {
        match &self.features {
            Features::Words(_) => None,
            Features::Vector(vector, signs) => Some((vector, signs)),
        }
    }

    /// The question with all that it is compared by.
    pub fn compared(&self) -> Compared {
        Compared { text: self.text.clone(), vector: self.vector().map(|(vector, _)| vector.clone()) }
    }
}

/// When two questions are near-duplicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// By the words that they share.
    MinHash(MinHash),
    /// By the cosine of their vectors.
    Cosine(Cosine),
}

impl Measure {
    /// What this question is compared by; none of one without the vector that it takes.
    pub fn sketch(&self, Compared { text, vector }: &Compared) -> Option<Sketch> {
        match self {
            Self::MinHash(minhash) => Some(minhash.sketch(text)),
            Self::Cosine(_) => vector.clone().map(|vector| Sketch::of_vector(text, vector)),
        }
    }

    /// From which similarity on two questions are near-duplicates.
    pub fn threshold(&self) -> Similarity {
        match self {
            Self::MinHash(minhash) => minhash.threshold(),
            Self::Cosine(cosine) => cosine.threshold(),
        }
    }

    /// Whether two questions are near-duplicates, and how alike they are then: they meet, and are alike.
    pub fn near(&self, one: &Sketch, other: &Sketch) -> Option<Similarity> {
        if self.meet(one, other) { self.alike(one, other) } else { None }
    }

    /// Whether two questions are ever held against each other: in a band, or by the signs of their vectors.
    pub fn meet(&self, one: &Sketch, other: &Sketch) -> bool {
        match (self, &one.features, &other.features) {
            (Self::MinHash(_), Features::Words(one), Features::Words(other)) => one.meets(other),
            (Self::Cosine(cosine), Features::Vector(_, one), Features::Vector(_, other)) => cosine.may_be(one, other),
            _ => false,
        }
    }

    /// How alike two questions are, where that is the threshold or more.
    pub fn alike(&self, one: &Sketch, other: &Sketch) -> Option<Similarity> {
        match (self, &one.features, &other.features) {
            (Self::MinHash(minhash), Features::Words(one), Features::Words(other)) => minhash.alike(one, other),
            (Self::Cosine(cosine), Features::Vector(one, _), Features::Vector(other, _)) => {
                cosine.alike(one.values(), other.values())
            }
            _ => None,
        }
    }
}
