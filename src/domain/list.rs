//! A list whose copies share what they have in common.

use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// Entries of a node at most.
const WIDTH: usize = 64;

/// A list that costs nothing to copy, and little to change afterwards: a B-tree whose nodes know how many items lie below
/// them, and are copied when they are changed and another list has them too. Finding, changing, inserting and removing an
/// item all take time that grows with the logarithm of the length.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct List<T>(Arc<Node<T>>);

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Node<T> {
    Leaf(Vec<T>),
    /// Nodes of the same height, none of them empty, each with the number of its items.
    Inner(Vec<(usize, Arc<Node<T>>)>),
}

impl<T: Clone> List<T> {
    /// How many items there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The item at a position.
    pub fn get(&self, mut at: usize) -> Option<&T> {
        let mut node = &*self.0;
        loop {
            match node {
                Node::Leaf(items) => return items.get(at),
                Node::Inner(children) => node = &children.get(child(children, &mut at))?.1,
            }
        }
    }

    /// The item at a position, to be changed.
    pub fn get_mut(&mut self, mut at: usize) -> Option<&mut T> {
        let mut node = Arc::make_mut(&mut self.0);
        loop {
            match node {
                Node::Leaf(items) => return items.get_mut(at),
                Node::Inner(children) => {
                    let place = child(children, &mut at);
                    node = Arc::make_mut(&mut children.get_mut(place)?.1);
                }
            }
        }
    }

    /// Puts an item before the one at a position, or behind the last one.
    pub fn insert(&mut self, at: usize, item: T) {
        let root = Arc::make_mut(&mut self.0);
        if let Some(right) = root.insert(at.min(root.len()), item) {
            let left = std::mem::replace(root, Node::Leaf(Vec::new()));
            *root = Node::Inner([left, right].map(counted).to_vec());
        }
    }

    /// Takes the item at a position out; none where there is none.
    pub fn remove(&mut self, at: usize) -> Option<T> {
        if at >= self.len() {
            return None;
        }
        let removed = Arc::make_mut(&mut self.0).remove(at);
        while let Node::Inner(children) = &*self.0
            && let [(_, only)] = children.as_slice()
        {
            self.0 = only.clone();
        }
        removed
    }

    /// The first position in a range whose item does not have a property that all items up to some position have; the
    /// range's end where all have it.
    pub fn partition_point(&self, Range { start, end }: Range<usize>, has: impl Fn(&T) -> bool) -> usize {
        let (mut low, mut high) = (start, end.min(self.len()));
        while low < high {
            let middle = low.midpoint(high);
            if self.get(middle).is_some_and(&has) { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// All items, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len()).map_while(|at| self.get(at))
    }
}

impl<T: Clone> Node<T> {
    fn len(&self) -> usize {
        match self {
            Self::Leaf(items) => items.len(),
            Self::Inner(children) => children.iter().map(|(count, _)| count).sum(),
        }
    }

    fn entries(&self) -> usize {
        match self {
            Self::Leaf(items) => items.len(),
            Self::Inner(children) => children.len(),
        }
    }

    /// Inserts an item; the right half of the node where it has become too wide.
    fn insert(&mut self, mut at: usize, item: T) -> Option<Self> {
        match self {
            Self::Leaf(items) => {
                items.insert(at, item);
                (items.len() > WIDTH).then(|| Self::Leaf(items.split_off(WIDTH / 2)))
            }
            Self::Inner(children) => {
                let last = children.len() - 1;
                let mut place = 0;
                while place < last && at > children[place].0 {
                    at -= children[place].0;
                    place += 1;
                }
                let (count, node) = &mut children[place];
                *count += 1;
                if let Some(right) = Arc::make_mut(node).insert(at, item) {
                    *count -= right.len();
                    children.insert(place + 1, counted(right));
                }
                (children.len() > WIDTH).then(|| Self::Inner(children.split_off(WIDTH / 2)))
            }
        }
    }

    fn remove(&mut self, mut at: usize) -> Option<T> {
        match self {
            Self::Leaf(items) => Some(items.remove(at)),
            Self::Inner(children) => {
                let place = child(children, &mut at);
                let (count, node) = children.get_mut(place)?;
                let removed = Arc::make_mut(node).remove(at);
                *count -= 1;
                if node.entries() < WIDTH / 4 {
                    join(children, place);
                }
                removed
            }
        }
    }
}

/// Joins a narrow child with its neighbour, where both have room in one; an empty one goes.
fn join<T: Clone>(children: &mut Vec<(usize, Arc<Node<T>>)>, place: usize) {
    let left = if place + 1 < children.len() { place } else { place.saturating_sub(1) };
    if left + 1 >= children.len() || children[left].1.entries() + children[left + 1].1.entries() > WIDTH {
        return;
    }
    let (more, right) = children.remove(left + 1);
    let (count, node) = &mut children[left];
    *count += more;
    match (Arc::make_mut(node), Arc::unwrap_or_clone(right)) {
        (Node::Leaf(items), Node::Leaf(mut others)) => items.append(&mut others),
        (Node::Inner(nodes), Node::Inner(mut others)) => nodes.append(&mut others),
        _ => unreachable!("children of a node are of one height"),
    }
}

fn counted<T: Clone>(node: Node<T>) -> (usize, Arc<Node<T>>) {
    (node.len(), Arc::new(node))
}

/// The child that a position lies in, which becomes the position within it.
fn child<T>(children: &[(usize, Arc<Node<T>>)], at: &mut usize) -> usize {
    for (place, (count, _)) in children.iter().enumerate() {
        if *at < *count {
            return place;
        }
        *at -= count;
    }
    children.len()
}

impl<T: Clone> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut items = items.into_iter().peekable();
        let mut level = Vec::new();
        while items.peek().is_some() {
            level.push(Node::Leaf(items.by_ref().take(WIDTH).collect()));
        }
        while level.len() > 1 {
            let mut nodes = level.into_iter().peekable();
            level = Vec::new();
            while nodes.peek().is_some() {
                level.push(Node::Inner(nodes.by_ref().take(WIDTH).map(counted).collect()));
            }
        }
        Self(Arc::new(level.pop().unwrap_or_else(|| Node::Leaf(Vec::new()))))
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Arc::new(Node::Leaf(Vec::new())))
    }
}

/// Lists are the same if their items are, whatever has become of them on the way.
impl<T: Clone + PartialEq> PartialEq for List<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<T: Clone + Eq> Eq for List<T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_list_does_what_a_vector_does_and_its_copies_stay(
            len in 0usize..5000,
            steps in prop::collection::vec((0u8..4, any::<usize>(), any::<u32>()), 0..400),
        ) {
            let mut expected = Vec::from_iter(0..len as u32);
            let mut list: List<u32> = expected.iter().copied().collect();
            let mut copies = Vec::new();
            for (step, at, item) in steps {
                let at = at % (expected.len() + 1);
                match step {
                    0 => {
                        expected.insert(at, item);
                        list.insert(at, item);
                    }
                    1 => prop_assert_eq!(list.remove(at), (at < expected.len()).then(|| expected.remove(at))),
                    2 => match (list.get_mut(at), expected.get_mut(at)) {
                        (Some(one), Some(other)) => (*one, *other) = (item, item),
                        (one, other) => prop_assert_eq!(one, other),
                    },
                    _ => copies.push((list.clone(), expected.clone())),
                }
            }
            copies.push((list, expected));
            for (list, expected) in copies {
                prop_assert_eq!(list.iter().copied().collect::<Vec<_>>(), expected.clone());
                prop_assert_eq!(list, expected.into_iter().collect::<List<_>>());
            }
        }
    }

    #[test]
    fn items_that_move_from_one_end_to_the_other_leave_no_gaps() {
        let mut list: List<u32> = (0..20_000).collect();
        for step in 0..40_000 {
            let first = list.remove(step * 7919 % 10_000);
            first.into_iter().for_each(|item| list.insert(20_000, item));
        }
        assert_eq!(list.iter().collect::<std::collections::BTreeSet<_>>().len(), 20_000);
        fn leaves(node: &Node<u32>) -> usize {
            match node {
                Node::Leaf(_) => 1,
                Node::Inner(children) => children.iter().map(|(_, node)| leaves(node)).sum(),
            }
        }
        assert!(leaves(&list.0) <= 4 * 20_000 / WIDTH, "{}", leaves(&list.0));
    }

    #[test]
    fn what_is_sorted_is_searched() {
        let list: List<u32> = (0..1000).map(|item| item / 10).collect();
        for (range, item, expected) in
            [(0..1000, 0, 0), (0..1000, 7, 70), (75..1000, 7, 75), (0..40, 7, 40), (5..5, 0, 5), (0..2000, 200, 1000)]
        {
            assert_eq!(list.partition_point(range.clone(), |one| *one < item), expected, "{range:?} {item}");
        }
        assert_eq!((List::<u32>::default().get(0), List::<u32>::default().remove(0)), (None, None));
    }
}
