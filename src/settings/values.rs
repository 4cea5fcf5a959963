//! The merged values, by key.

use super::error::Location;
use super::layers::{Entry, Layer};
use super::types::{Holds, Setting};

/// Every key with the value that counts.
pub(super) struct Values(Layer);

impl Values {
    /// Values over the defaults: every key of the table is there, with a value that fits it.
    pub fn new(layer: Layer) -> Self {
        Self(layer)
    }

    /// A value with its place.
    pub fn entry<T>(&self, key: Setting<T>) -> &Entry {
        self.0.get(key.path).expect("the defaults hold every key")
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
