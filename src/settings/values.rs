//! The merged values, by path and type.

use super::error::Place;
use super::layers::{Entry, Layer};
use serde_json::{Map, Value};

/// Every key with the value that counts.
pub(super) struct Values(Layer);

impl Values {
    /// Values over the defaults: every key of the table is there, with a value that fits it.
    pub fn new(layer: Layer) -> Self {
        Self(layer)
    }

    /// A value with its place.
    pub fn entry(&self, path: &str) -> &Entry {
        self.0.get(path).expect("the defaults hold every key")
    }

    fn typed<'a, T>(&'a self, path: &str, convert: impl Fn(&'a Value) -> Option<T>) -> T {
        convert(&self.entry(path).value).expect("values were checked against the table of keys")
    }

    fn optional<'a, T>(&'a self, path: &str, convert: impl Fn(&'a Value) -> Option<T>) -> Option<T> {
        (!self.entry(path).value.is_null()).then(|| self.typed(path, convert))
    }

    /// Where the value was given; none for a default.
    pub fn place(&self, path: &str) -> Option<Place> {
        Some(self.entry(path).place.clone()).filter(|place| *place != Place::Shipped)
    }

    /// The text at a path.
    pub fn text(&self, path: &str) -> &str {
        self.typed(path, Value::as_str)
    }

    /// The switch at a path.
    pub fn boolean(&self, path: &str) -> bool {
        self.typed(path, Value::as_bool)
    }

    /// The number at a path.
    pub fn number(&self, path: &str) -> f64 {
        self.typed(path, Value::as_f64)
    }

    /// A number that may be left open.
    pub fn optional_number(&self, path: &str) -> Option<f64> {
        self.optional(path, Value::as_f64)
    }

    /// An integer; its limits in the table keep it within `T`.
    pub fn integer<T: TryFrom<i128>>(&self, path: &str) -> T {
        self.typed(path, integer)
    }

    /// An integer that may be left open.
    pub fn optional_integer<T: TryFrom<i128>>(&self, path: &str) -> Option<T> {
        self.optional(path, integer)
    }

    /// A list of texts.
    pub fn texts(&self, path: &str) -> Vec<String> {
        let items = self.typed(path, Value::as_array);
        items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// The mapping at a path.
    pub fn mapping(&self, path: &str) -> Map<String, Value> {
        self.typed(path, Value::as_object).clone()
    }
}

/// An integer of JSON, if it is one and fits.
pub(super) fn integer<T: TryFrom<i128>>(value: &Value) -> Option<T> {
    let number = value.as_u64().map(i128::from).or_else(|| value.as_i64().map(i128::from))?;
    T::try_from(number).ok()
}
