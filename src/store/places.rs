//! Where replies are kept: nothing is looked up where there is none.

use super::StoreError;
use crate::domain::{Place, Slot};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The places of each run's replies, as far as conversations can still ask for them. Of what was kept before it was opened,
/// conversations alone are known; what is settled is forgotten.
#[derive(Default)]
pub(super) struct Places {
    runs: Mutex<BTreeMap<String, Known>>,
}

#[derive(Default)]
struct Known {
    /// Read at the first question for it.
    before: Option<BTreeSet<Slot>>,
    since: BTreeSet<Place>,
}

impl Places {
    fn runs(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of replies that are about to be kept: whoever reads what was kept before may miss them.
    pub fn add(&self, run: &str, places: impl Iterator<Item = Place>) {
        let mut runs = self.runs();
        if !runs.contains_key(run) {
            runs.insert(run.to_owned(), Known::default());
        }
        if let Some(known) = runs.get_mut(run) {
            known.since.extend(places);
        }
    }

    /// Whether a reply may be kept there. `read` finds the conversations of the run that have replies.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn may_have(
        &self,
        run: &str,
        place: &Place,
        read: impl FnOnce() -> Result<BTreeSet<Slot>, StoreError>,
    ) -> Result<bool, StoreError> {
        let mut runs = self.runs();
        let known = match runs.get_mut(run) {
            Some(known) => known,
            None => runs.entry(run.to_owned()).or_default(),
        };
        let before = match &mut known.before {
            Some(before) => before,
            unread => unread.insert(read()?),
        };
        Ok(before.contains(&place.slot) || known.since.contains(place))
    }

    /// Forgets conversations that ask for nothing any more.
    pub fn forget(&self, run: &str, slots: impl Iterator<Item = Slot>) {
        let mut runs = self.runs();
        let Some(Known { before, since }) = runs.get_mut(run) else { return };
        for slot in slots {
            if let Some(before) = before {
                before.remove(&slot);
            }
            let of_slot = since.range(Place { slot, ..Place::default() }..).take_while(|place| place.slot == slot);
            for place in of_slot.copied().collect::<Vec<_>>() {
                since.remove(&place);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::{LanguageIndex, Stage, TurnIndex};

    fn place(index: u32, turn: u16) -> Place {
        let slot = Slot { language: LanguageIndex(0), index };
        Place { slot, turn: TurnIndex(turn), stage: Stage::Answer, ..Place::default() }
    }

    #[test]
    fn what_was_kept_before_or_since_may_be_there_until_it_is_settled() {
        let places = Places::default();
        let slots = |indices: &[u32]| indices.iter().map(|index| place(*index, 0).slot).collect::<BTreeSet<_>>();
        // Kept before anybody asks.
        places.add("r", [place(3, 1)].into_iter());
        let has = |index, turn| places.may_have("r", &place(index, turn), || Ok(slots(&[1, 2]))).unwrap();
        assert_eq!([has(1, 0), has(1, 7), has(2, 0)], [true; 3], "any turn of those of before");
        assert_eq!([has(3, 1), has(3, 0), has(4, 0)], [true, false, false], "exactly what was kept since");
        places.add("r", [place(4, 0), place(4, 1)].into_iter());
        assert!(has(4, 1));
        places.forget("r", slots(&[1, 4]).into_iter());
        assert_eq!([has(1, 0), has(4, 0), has(4, 1), has(2, 0), has(3, 1)], [false, false, false, true, true]);
        assert!(!places.may_have("other", &place(2, 0), || Ok(slots(&[]))).unwrap());
        let failed = places.may_have("third", &place(1, 0), || Err(StoreError::Stopped));
        assert!(failed.is_err());
        assert!(places.may_have("third", &place(1, 0), || Ok(slots(&[1]))).unwrap(), "read once it can be");
    }
}
