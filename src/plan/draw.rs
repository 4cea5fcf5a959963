//! The room's only source of randomness: streams and permutations that are functions of the run's seed, a purpose and
//! a place in the run. Nothing is carried from one draw to the next, so draws can be made in any order.

use crate::domain::Conversation;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What a stream decides. Streams of different purposes are independent: a draw added to one moves no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The shuffles of user personas.
    UserPersona,
    /// The shuffles of assistant personas.
    AssistantPersona,
    /// How many turns a conversation has.
    Turns,
    /// How a question relates to what was said.
    Mode,
    /// Whether an opening question is seeded.
    Seeding,
    /// The shuffles of seed topics.
    SeedTopic,
    /// The shuffles of a topic's seed questions.
    SeedQuestion,
    /// Whether balance is ignored.
    Exploration,
    /// Which of equally used documents are kept.
    Ties,
    /// Which of a document's equally used chunks are kept.
    ChunkTies,
    /// The shuffles of documents.
    Documents,
    /// The order of a document's chunks.
    Chunks,
    /// Whether a question needs several passages, and how many.
    Linked,
    /// The number handed to the user model.
    Variety,
    /// What a question wants after one was rejected.
    Angle,
    /// Which of the questions of a reply is asked, and which then.
    Candidates,
    /// Which turns of a block of slots have which mode, and which slots which register.
    Quotas,
    /// How many words a message has.
    Words,
    /// Which conversations are judged where not all are.
    Sample,
}

impl Purpose {
    /// Part of the key of every stream: a changed tag changes the datasets of all seeds.
    fn tag(self) -> &'static str {
        match self {
            Self::UserPersona => "user persona",
            Self::AssistantPersona => "assistant persona",
            Self::Turns => "turns",
            Self::Mode => "mode",
            Self::Seeding => "seeding",
            Self::SeedTopic => "seed topic",
            Self::SeedQuestion => "seed question",
            Self::Exploration => "exploration",
            Self::Ties => "ties",
            Self::ChunkTies => "chunk ties",
            Self::Documents => "documents",
            Self::Chunks => "chunks",
            Self::Linked => "linked",
            Self::Variety => "variety",
            Self::Angle => "angle",
            Self::Candidates => "candidates",
            Self::Quotas => "quotas",
            Self::Words => "words",
            Self::Sample => "sample",
        }
    }
}

/// The stream of a purpose at a place: ChaCha8 keyed with the SHA-256 of tag, seed and place. All places of one purpose
/// have the same number of parts.
pub fn stream(seed: u64, purpose: Purpose, place: &[u64]) -> ChaCha8Rng {
    let mut digest = Sha256::new();
    digest.update(purpose.tag());
    digest.update([0]);
    digest.update(seed.to_le_bytes());
    for part in place {
        digest.update(part.to_le_bytes());
    }
    ChaCha8Rng::from_seed(digest.finalize().into())
}

/// The place of the question being asked: language, slot, turn, attempt.
pub fn question(conversation: &Conversation) -> [u64; 4] {
    [
        conversation.slot.language.0.into(),
        conversation.slot.index.into(),
        conversation.turn_index().0.into(),
        conversation.round.attempt.0.into(),
    ]
}

const ROUNDS: usize = 6;

/// A keyed permutation of `0..len` that answers for one place without listing the others: a Feistel network over the
/// next even number of bits, applied until the result is below `len` (cycle walking: Black and Rogaway, "Ciphers with
/// Arbitrary Finite Domains", 2002). At most four times as many numbers as members, so few applications.
#[derive(Debug, Clone)]
pub struct Permutation {
    keys: [u64; ROUNDS],
    half: u32,
    len: u64,
}

impl Permutation {
    /// A permutation of `0..len` keyed by a stream; one of `0..1` when `len` is 0.
    pub fn new(mut stream: ChaCha8Rng, len: usize) -> Self {
        let len = len.max(1) as u64;
        let bits = u64::BITS - (len - 1).leading_zeros();
        Self { keys: std::array::from_fn(|_| stream.next_u64()), half: bits.div_ceil(2), len }
    }

    /// The member at a place; places count on from `len` as from 0.
    pub fn at(&self, place: u64) -> usize {
        let mut number = self.scrambled(place % self.len);
        while number >= self.len {
            number = self.scrambled(number);
        }
        number as usize
    }

    fn scrambled(&self, number: u64) -> u64 {
        let mask = (1 << self.half) - 1;
        let (left, right) = self.keys.iter().fold((number >> self.half, number & mask), |(left, right), &key| {
            (right, left ^ (xxh3_64_with_seed(&right.to_le_bytes(), key) & mask))
        });
        left << self.half | right
    }
}

/// The member at a position of an endless sequence of shuffles of `0..len`: each run of `len` positions that starts at
/// a multiple of `len` holds every member once. None when there are no members.
pub fn cycled(seed: u64, purpose: Purpose, place: &[u64], len: usize, position: u64) -> Option<usize> {
    let cycle = position.checked_div(len as u64)?;
    let key = [place, &[cycle]].concat();
    Some(Permutation::new(stream(seed, purpose, &key), len).at(position))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn streams_are_pinned() {
        let first = |seed, purpose, place: &[u64]| stream(seed, purpose, place).next_u64();
        let order: Vec<_> = (0..10).filter_map(|at| cycled(7, Purpose::UserPersona, &[0], 5, at)).collect();
        assert_eq!(
            (first(7, Purpose::Mode, &[0, 0, 1, 0]), first(7, Purpose::Turns, &[0, 0]), order),
            (15_025_295_796_724_105_416, 18_115_161_462_668_005_446, vec![1, 4, 2, 3, 0, 3, 4, 1, 0, 2]),
            "every dataset depends on these"
        );
    }

    #[test]
    fn every_part_of_the_key_matters() {
        let first = |seed, purpose, place: &[u64]| stream(seed, purpose, place).next_u64();
        let one = first(1, Purpose::Mode, &[0, 1, 2, 3]);
        assert_ne!(one, first(2, Purpose::Mode, &[0, 1, 2, 3]));
        assert_ne!(one, first(1, Purpose::Variety, &[0, 1, 2, 3]));
        for place in [[1, 1, 2, 3], [0, 2, 2, 3], [0, 1, 3, 3], [0, 1, 2, 4]] {
            assert_ne!(one, first(1, Purpose::Mode, &place));
        }
    }

    #[test]
    fn small_permutations_are_equally_likely() {
        for (len, permutations) in [(2u64, 2u32), (3, 6), (4, 24)] {
            let mut seen = BTreeMap::<Vec<usize>, u32>::new();
            let trials = permutations * 500;
            for key in 0..trials {
                let permutation = Permutation::new(stream(1, Purpose::Documents, &[key.into()]), len as usize);
                *seen.entry((0..len).map(|place| permutation.at(place)).collect()).or_default() += 1;
            }
            assert_eq!(seen.len() as u32, permutations, "of {len}");
            for (order, count) in seen {
                assert!((380..=620).contains(&count), "{order:?}: {count} of {trials}");
            }
        }
    }

    #[test]
    fn nothing_can_be_drawn_from_nothing() {
        assert_eq!(cycled(1, Purpose::Documents, &[], 0, 3), None);
        assert_eq!(cycled(1, Purpose::Documents, &[], 1, 3), Some(0));
    }

    proptest! {
        #[test]
        fn a_cycle_holds_every_member_once(seed: u64, len in 1usize..200, cycle in 0u64..1000) {
            let start = cycle * len as u64;
            let mut members: Vec<_> =
                (start..start + len as u64).filter_map(|at| cycled(seed, Purpose::Documents, &[3], len, at)).collect();
            members.sort_unstable();
            prop_assert_eq!(members, (0..len).collect::<Vec<_>>());
        }
    }
}
