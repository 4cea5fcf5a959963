//! Some of many, drawn by the seed.

use super::draw::{Permutation, Purpose, stream};
use std::collections::BTreeSet;

/// So many members of groups of these sizes, as evenly over the groups as their sizes allow; of each group the positions of its
/// members, in order. More are more of the same: those that a smaller number draws are among them.
///
/// # Examples
///
/// ```
/// use dlgforge::plan::sampled;
///
/// let drawn = sampled(7, &[10, 1, 10], 6);
/// assert_eq!(drawn.iter().map(|of_group| of_group.len()).collect::<Vec<_>>(), [3, 1, 2]);
/// assert!(drawn[0].is_subset(&sampled(7, &[10, 1, 10], 12)[0]));
/// ```
pub fn sampled(seed: u64, sizes: &[usize], count: usize) -> Vec<BTreeSet<usize>> {
    let mut drawn = vec![BTreeSet::new(); sizes.len()];
    let orders: Vec<Permutation> = (0u64..)
        .zip(sizes)
        .map(|(group, size)| Permutation::new(stream(seed, Purpose::Sample, &[group]), *size))
        .collect();
    let deepest = sizes.iter().copied().max().unwrap_or_default();
    // The first of every group, then the second of every group that has one, and so on.
    let turns = (0..deepest).flat_map(|depth| (0..sizes.len()).map(move |group| (depth, group)));
    for (depth, group) in turns.filter(|(depth, group)| *depth < sizes[*group]).take(count) {
        drawn[group].insert(orders[group].at(depth as u64));
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_even_over_groups_and_drawn_by_the_seed() {
        let sizes = |drawn: &[BTreeSet<usize>]| drawn.iter().map(BTreeSet::len).collect::<Vec<_>>();
        for (groups, count, expected) in [
            (&[5, 5][..], 4, &[2, 2][..]),
            (&[5, 5], 3, &[2, 1]),
            (&[0, 1, 9], 6, &[0, 1, 5]),
            (&[2, 2], 99, &[2, 2]),
            (&[], 3, &[]),
        ] {
            assert_eq!(sizes(&sampled(1, groups, count)), expected, "{groups:?} {count}");
        }
        let drawn = |seed| sampled(seed, &[1_000], 10);
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        assert!(drawn(1)[0].iter().all(|member| *member < 1_000));
    }
}
