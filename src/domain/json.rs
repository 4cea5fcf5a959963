//! A JSON value that is kept for long.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// A JSON value as its text, which takes a fraction of the room of a tree: a run holds thousands of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(Arc<str>);

impl Json {
    /// The text of the value, without white space.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The value; its numbers and the order of its keys are as they were.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Self {
        Self(value.to_string().into())
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Self::from(&value)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_as_it_was() {
        for text in ["null", r#"{"b":[1,0.30000000000000004,-0.0,18446744073709551615],"a":{"é":"\u0001\"\\"}}"#] {
            let value: Value = serde_json::from_str(text).unwrap();
            let json = Json::from(&value);
            assert_eq!((json.text(), json.value()), (text, value.clone()));
            assert_eq!(serde_json::to_string_pretty(&json).unwrap(), serde_json::to_string_pretty(&value).unwrap());
            assert_eq!(serde_json::from_str::<Json>(text).unwrap(), json);
        }
    }
}
