//! Choices that look arbitrary and are a function of the numbers they start from.

/// A sequence of choices. Two sequences from the same numbers are the same.
pub(super) struct Draw(u64);

impl Draw {
    /// A sequence for these numbers.
    pub(super) fn new(numbers: &[u64]) -> Self {
        let mut draw = Self(0);
        for number in numbers {
            draw.0 ^= *number;
            draw.0 = draw.next();
        }
        draw
    }

    /// A number below `bound`; 0 when the bound is 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// True once in `n` draws on average.
    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of the items; none of none.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let at = self.below(items.len());
        items.get(at)
    }

    /// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_it_starts_from_matters() {
        let first = |numbers: &[u64]| Draw::new(numbers).below(usize::MAX);
        assert_eq!(first(&[1, 2]), first(&[1, 2]));
        assert_ne!(first(&[1, 2]), first(&[2, 1]));
        assert_ne!(first(&[1, 2]), first(&[1, 3]));
        assert_eq!(Draw::new(&[7]).pick::<u8>(&[]), None);
    }

    #[test]
    fn choices_are_spread_evenly() {
        let mut draw = Draw::new(&[3]);
        let mut counts = [0; 8];
        for _ in 0..8000 {
            counts[draw.below(8)] += 1;
        }
        assert!(counts.iter().all(|&count| (850..1150).contains(&count)), "{counts:?}");
    }
}
