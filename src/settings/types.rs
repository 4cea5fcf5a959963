//! What keys hold as the program reads it: a key that is asked for gives a value of its type.

use super::keys::{Choice, Kind, Limit};
use super::table::endpoint;
use serde_json::{Map, Value};
use std::fmt;
use std::marker::PhantomData;

/// A key by which its value is asked for, as a `T`: one of the constants of the table.
pub(super) struct Setting<T> {
    /// Dotted path; the name of a key in an item of a list.
    pub path: &'static str,
    holds: PhantomData<fn() -> T>,
}

impl<T> Setting<T> {
    /// The key of this path.
    pub const fn new(path: &'static str) -> Self {
        Self { path, holds: PhantomData }
    }

    /// The last name of its path.
    pub fn name(self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }
}

impl<T> Clone for Setting<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Setting<T> {}

impl<T> fmt::Display for Setting<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path)
    }
}

/// A type of values.
pub(super) trait Holds {
    /// The type that a reader of the key gets.
    type Value<'a>;
    /// Which values there are.
    const KIND: Kind;
    /// Whether null is one of them.
    const NULLABLE: bool = false;

    /// The value of JSON that fits.
    fn read(value: &Value) -> Option<Self::Value<'_>>;
}

/// A text of any content, which may be empty.
pub(super) enum Text {}
/// A list of texts.
pub(super) enum Texts {}
/// A mapping with any keys and values, JSON in the environment.
pub(super) enum Mapping {}
/// A list of endpoints, each with the keys of [`endpoint`].
pub(super) enum Endpoints {}
/// One of the words of a [`Choices`].
pub(super) struct OneOf<T>(PhantomData<T>);

/// A type that has a word for each of its values.
pub(super) trait Choices: Copy + 'static {
    /// The words that a user may write, with their other spellings.
    const CHOICES: &'static [Choice];
    /// The values, in the same order.
    const VALUES: &'static [Self];
}

impl Holds for bool {
    type Value<'a> = bool;
    const KIND: Kind = Kind::Boolean;

    fn read(value: &Value) -> Option<bool> {
        value.as_bool()
    }
}

impl Holds for f64 {
    type Value<'a> = f64;
    const KIND: Kind = Kind::Number(Limit { least: f64::NEG_INFINITY, exclusive: false, most: f64::INFINITY });

    fn read(value: &Value) -> Option<f64> {
        value.as_f64()
    }
}

macro_rules! integers {
    ($($type:ty: $least:expr, $most:expr;)+) => {
        $(impl Holds for $type {
            type Value<'a> = $type;
            const KIND: Kind = Kind::Integer(Limit { least: $least, exclusive: false, most: $most });

            fn read(value: &Value) -> Option<$type> {
                let number = value.as_u64().map(i128::from).or_else(|| value.as_i64().map(i128::from))?;
                Self::try_from(number).ok()
            }
        })+
    };
}

integers! {
    u8: 0.0, u8::MAX as f64;
    u16: 0.0, u16::MAX as f64;
    u32: 0.0, u32::MAX as f64;
    u64: 0.0, f64::INFINITY;
    usize: 0.0, f64::INFINITY;
    i64: f64::NEG_INFINITY, f64::INFINITY;
}

impl<T: Holds> Holds for Option<T> {
    type Value<'a> = Option<T::Value<'a>>;
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;

    fn read(value: &Value) -> Option<Option<T::Value<'_>>> {
        if value.is_null() { Some(None) } else { T::read(value).map(Some) }
    }
}

impl Holds for Text {
    type Value<'a> = &'a str;
    const KIND: Kind = Kind::Text;

    fn read(value: &Value) -> Option<&str> {
        value.as_str()
    }
}

impl Holds for Texts {
    type Value<'a> = Vec<&'a str>;
    const KIND: Kind = Kind::Texts;

    fn read(value: &Value) -> Option<Vec<&str>> {
        value.as_array()?.iter().map(Value::as_str).collect()
    }
}

impl Holds for Mapping {
    type Value<'a> = &'a Map<String, Value>;
    const KIND: Kind = Kind::Mapping;

    fn read(value: &Value) -> Option<&Map<String, Value>> {
        value.as_object()
    }
}

impl Holds for Endpoints {
    type Value<'a> = Vec<&'a Map<String, Value>>;
    const KIND: Kind = Kind::Mappings(endpoint::KEYS);

    fn read(value: &Value) -> Option<Vec<&Map<String, Value>>> {
        value.as_array()?.iter().map(Value::as_object).collect()
    }
}

impl<T: Choices> Holds for OneOf<T> {
    type Value<'a> = T;
    const KIND: Kind = Kind::Choice(T::CHOICES);

    fn read(value: &Value) -> Option<T> {
        let word = value.as_str()?;
        let at = T::CHOICES.iter().position(|choice| choice.word == word)?;
        T::VALUES.get(at).copied()
    }
}

/// The word of a value.
pub(super) fn word_of<T: Choices + PartialEq>(value: T) -> &'static str {
    let words = T::VALUES.iter().zip(T::CHOICES);
    words.into_iter().find(|(known, _)| **known == value).map_or("", |(_, choice)| choice.word)
}
