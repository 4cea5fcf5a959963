//! The merged values, by key.

use super::error::Location;
use super::layers::{Entry, Layer};
use super::types::{Holds, Setting};

/// Every key with the value that counts.
pub(super) struct Values {
    layer: Layer,
    /// The same for each further judge of a jury, with its own values of the judge's keys.
    judges: Vec<Self>,
    /// The name of the variable that holds the key of this judge of a jury, where its item says it.
    pub key_variable: Option<String>,
}

impl Values {
    /// Values over the defaults: every key of the table is there, with a value that fits it.
    pub fn new(layer: Layer) -> Self {
        Self { layer, judges: Vec::new(), key_variable: None }
    }

    /// The same, as those of one judge of a jury.
    pub fn of_judge(layer: Layer, key_variable: Option<String>) -> Self {
        Self { key_variable, ..Self::new(layer) }
    }

    /// The same, with those of the judges after the first.
    pub fn with_judges(self, judges: Vec<Self>) -> Self {
        Self { judges, ..self }
    }

    /// Those of each judge: of the only one, or of all of a jury in their order.
    pub fn judges(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.judges)
    }

    /// A value with its place.
    pub fn entry<T>(&self, key: Setting<T>) -> &Entry {
        self.layer.get(key.path).expect("the defaults hold every key")
    }

    /// The value of a key, in its own type.
    pub fn get<T: Holds>(&self, key: Setting<T>) -> T::Value<'_> {
        T::read(&self.entry(key).value).expect("values were checked against the table of keys")
    }

    /// Where the value was given; none for a default.
    pub fn place<T>(&self, key: Setting<T>) -> Option<Location> {
        Some(self.entry(key).place.clone()).filter(|place| *place != Location::Shipped)
    }
}
