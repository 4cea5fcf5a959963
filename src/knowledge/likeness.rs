//! How much two passages are about the same.

use super::Index;
use crate::domain::ChunkIndex;
use std::collections::BTreeMap;
use tantivy::Term;

impl Index {
    /// How much each of these chunks is about the same as the first one: the cosine, from 0 to 1, of their telling words, as they
    /// are or inflected, each by its inverse document frequency `ln(1 + (N - n + 0.5) / (n + 0.5))` for a word in `n` of `N`
    /// chunks. A word that only one of them has weighs against them, so that long passages that share a few words by chance are
    /// not alike.
    pub fn likeness(&self, first: ChunkIndex, others: &[ChunkIndex]) -> Vec<f32> {
        let first = self.weights(first);
        let likeness = |other: &ChunkIndex| {
            let other = self.weights(*other);
            let shared = |(term, weight): (_, &f32)| other.get(term).map(|other| weight * other);
            let shared: f32 = first.iter().filter_map(shared).sum();
            if shared > 0.0 { shared / (length(&first) * length(&other)) } else { 0.0 }
        };
        others.iter().map(likeness).collect()
    }

    /// The terms of a chunk's telling words with their inverse document frequencies.
    fn weights(&self, chunk: ChunkIndex) -> BTreeMap<Term, f32> {
        let (text, total) = (self.catalogue().chunk(chunk).text, self.catalogue().len() as f32);
        let mut weights = BTreeMap::new();
        for word in self.telling_words(&text) {
            let weight = |frequency: f32| (1.0 + (total - frequency + 0.5) / (frequency + 0.5)).ln();
            let known = self.known_terms(&word);
            weights.extend(known.iter().map(|(term, info)| (term.clone(), weight(info.doc_freq as f32))));
        }
        weights
    }
}

fn length(weights: &BTreeMap<Term, f32>) -> f32 {
    weights.values().map(|weight| weight * weight).sum::<f32>().sqrt()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::fixtures;

    #[test]
    fn passages_about_the_same_are_alike_and_those_that_share_words_by_chance_are_not() {
        let mut texts = vec![
            "The Longstone lighthouse stands on the outer Farne islands. Grace Darling rowed from it in 1838 to save nine people.",
            "Grace Darling grew up in the Longstone lighthouse, which her father kept; a museum in Bamburgh tells of the rescue.",
            "A rented boat must be back at the pier before the evening. Nine people may be in it; the outer ones wear a vest.",
            "Rye dough rests for nine hours. The outer crust is dark when the loaf leaves the oven, and people save the crumbs.",
        ];
        // Others, in which some of these words are.
        texts.extend([
            "Nine people.",
            "The outer door.",
            "To save water.",
            "People row.",
            "The rented vest.",
            "A dark oven.",
        ]);
        let documents = texts.iter().enumerate();
        let mut catalogue =
            fixtures::catalogue(documents.map(|(at, text)| (format!("{at:032x}"), format!("{at}.txt"), vec![*text])));
        catalogue.sources.iter_mut().for_each(|source| source.language = Some("en".into()));
        let index = Index::build(catalogue.into(), &|_| ()).unwrap();
        let likeness = index.likeness(ChunkIndex(0), &[ChunkIndex(0), ChunkIndex(1), ChunkIndex(2), ChunkIndex(3)]);
        assert!((likeness[0] - 1.0).abs() < 1e-5 && likeness[1] > 0.2, "{likeness:?}");
        assert!(likeness[2] < 0.1 && likeness[3] < 0.1, "{likeness:?}");
    }
}
