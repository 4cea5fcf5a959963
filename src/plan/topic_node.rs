//! A topic file before its form is known.

use super::error::{self, PlanError};
use crate::domain::yaml::{self, Dialect};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A mapping's keys and values, in the order of the file.
pub(super) type Entries = Vec<(String, Node)>;

/// A file before its form is known. Keys are always text, and keep the order of the file.
#[derive(Debug)]
pub(super) enum Node {
    Map(Entries),
    List(Vec<Node>),
    Text(String),
    /// A number, a truth value or nothing.
    Other,
}

impl Node {
    /// Reads JSON when the name ends in `.json`, else YAML; a file without content is an empty mapping.
    pub(super) fn parse(text: &str, name: &str) -> Result<Self, PlanError> {
        let text = text.trim_start_matches('\u{feff}');
        let root = if name.ends_with(".json") {
            let form = |error: serde_json::Error| PlanError::Form { file: name.to_owned(), detail: error.to_string() };
            serde_json::from_str::<Option<Self>>(text).map_err(form)?
        } else {
            // `no` is a language, not a truth value.
            yaml::read::<Option<Self>>(text, Dialect::Strict).map_err(|error| error::form(name, &error))?
        };
        Ok(root.unwrap_or_else(|| Self::Map(Vec::new())))
    }

    /// The entries of a file's root.
    pub(super) fn entries(self, file: &str) -> Result<Entries, PlanError> {
        match self {
            Self::Map(entries) => Ok(entries),
            _ => Err(PlanError::Form { file: file.to_owned(), detail: "a mapping of topics was expected".to_owned() }),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("topics and questions")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Other)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_in_the_order_of_the_file() {
        let entries = Node::parse("no: no\nb: [true, 1, -1, 2.5, ~, 'true', x]\na: {}", "t.yaml").unwrap();
        let shown = format!("{:?}", entries.entries("t.yaml").unwrap());
        let expected = r#"[("no", Text("no")), ("b", List([Other, Other, Other, Other, Other, Text("true"), Text("x")])), ("a", Map([]))]"#;
        assert_eq!(shown, expected);
    }

    #[test]
    fn json_is_read_as_json() {
        assert!(
            matches!(Node::parse("{\n\t\"a\": [\"b\"]\n}", "t.json"), Ok(Node::Map(entries)) if entries.len() == 1)
        );
        assert!(Node::parse("\u{feff}{}", "t.json").is_ok(), "some editors begin files so");
        assert!(Node::parse("a: [b]", "t.json").is_err());
    }
}
