//! How rows spell what is absent.

use serde::de::{DeserializeOwned, Error};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// A text of a row: borrowed where it is written, owned where it was read.
pub(crate) type Text<'a> = Cow<'a, str>;

/// For `with`: the object, or `{}` where there is none.
pub(crate) mod or_empty {
    use super::*;

    pub fn serialize<T: Serialize, S: Serializer>(object: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match object {
            Some(object) => object.serialize(serializer),
            None => serializer.serialize_map(Some(0))?.end(),
        }
    }

    pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
        match Value::deserialize(from)? {
            Value::Object(object) if object.is_empty() => Ok(None),
            object => serde_json::from_value(object).map(Some).map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        #[serde(with = "or_empty")]
        none: Option<Vec<u8>>,
        #[serde(with = "or_empty")]
        some: Option<Vec<u8>>,
    }

    #[test]
    fn nothing_is_an_empty_object() {
        let row = Row { none: None, some: Some(vec![1]) };
        let text = serde_json::to_string(&row).unwrap();
        assert_eq!(text, r#"{"none":{},"some":[1]}"#);
        assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), row);
        assert!(serde_json::from_str::<Row>(r#"{"none":{},"some":"x"}"#).is_err());
    }
}
