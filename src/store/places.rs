//! Where replies are kept: nothing is looked up where there is none.

use crate::domain::{Place, Slot};
use std::collections::BTreeSet;

/// The most places that are known one by one.
const MOST: usize = 1 << 18;

/// The places of a run's replies. Of those kept before the process began only the conversations are known; of those kept since,
/// the highest ones are known exactly, for conversations are settled in order and ask for nothing then.
#[derive(Debug)]
pub struct Places {
    /// In order.
    before: Vec<Slot>,
    since: BTreeSet<Place>,
    /// Up to it anything may have been kept.
    forgotten: Option<Place>,
}

impl Places {
    /// Of a run with replies of these conversations.
    pub fn new(mut before: Vec<Slot>) -> Self {
        before.sort_unstable();
        Self { before, since: BTreeSet::new(), forgotten: None }
    }

    /// A reply is about to be kept there.
    pub fn add(&mut self, place: Place) {
        self.since.insert(place);
        if self.since.len() > MOST {
            self.forgotten = self.forgotten.max(self.since.pop_first());
        }
    }

    /// Whether there may be a reply.
    pub fn may_have(&self, place: &Place) -> bool {
        Some(*place) <= self.forgotten || self.since.contains(place) || self.before.binary_search(&place.slot).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{LanguageIndex, Stage, TurnIndex};

    fn place(index: u32, turn: u16) -> Place {
        let slot = Slot { language: LanguageIndex(0), index };
        Place { slot, turn: TurnIndex(turn), stage: Stage::Answer, ..Place::default() }
    }

    #[test]
    fn there_may_be_replies_of_conversations_of_before_and_where_one_was_kept() {
        let mut places = Places::new(vec![place(2, 0).slot, place(1, 0).slot]);
        places.add(place(3, 1));
        assert!(places.may_have(&place(1, 0)) && places.may_have(&place(2, 7)), "any turn of those of before");
        assert_eq!(
            [(3, 1), (3, 0), (4, 0)].map(|(index, turn)| places.may_have(&place(index, turn))),
            [true, false, false]
        );
    }

    #[test]
    fn what_is_forgotten_may_be_there() {
        let mut places = Places::new(Vec::new());
        (0..=MOST as u32).rev().for_each(|index| places.add(place(index, 1)));
        assert_eq!(places.since.len(), MOST);
        assert!(places.may_have(&place(0, 1)) && places.may_have(&place(0, 0)), "the lowest is not known any more");
        assert_eq!(
            [(1, 1), (1, 2), (MOST as u32, 1)].map(|(at, turn)| places.may_have(&place(at, turn))),
            [true, false, true]
        );
    }
}
