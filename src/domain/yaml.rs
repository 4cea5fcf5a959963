//! The reader of YAML: values of a form, or a tree that remembers where everything stands.

pub use serde_saphyr::Spanned;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{DuplicateKeyPolicy, UserMessageFormatter};
use std::fmt;
use thiserror::Error;

/// A node, with the line and column (from 1) where it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// The value that stands there.
    pub node: Node,
    /// The line, from 1; 0 for what was no YAML.
    pub line: u64,
    /// The column, from 1; 0 for what was no YAML.
    pub column: u64,
}

/// A mapping's key, with its line and column.
#[derive(Debug, Clone, PartialEq)]
pub struct Name {
    /// The key as it is written.
    pub text: String,
    /// The line, from 1; 0 for what was no YAML.
    pub line: u64,
    /// The column, from 1; 0 for what was no YAML.
    pub column: u64,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Nothing: `null`, `~` or an empty value.
    Null,
    /// A truth value: `true` or `false`.
    Boolean(bool),
    /// A number, whole or with a fraction.
    Number(Number),
    /// A text, quoted or plain.
    Text {
        /// What the text says, without its quotes.
        text: String,
        /// Whether a `${VAR}` was replaced in it: then it may stand for a value of any type.
        expanded: bool,
    },
    /// A list, in the order of the text.
    List(Vec<Located>),
    /// A mapping, in the order of the text; keys may stand twice.
    Mapping(Vec<(Name, Located)>),
}

/// YAML that can't be read: what is wrong, and where. It shows both on one line.
#[derive(Debug, Error)]
#[error("{shown}")]
pub struct YamlError {
    /// What is wrong, without its place.
    pub text: String,
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
    shown: String,
}

/// What plain words and numbers of a document stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// What the form that is read asks for.
    Typed,
    /// The same, but only `true` and `false` are truth values, so that the language `no` stays a word.
    Strict,
    /// The same, but numbers with leading zeros or underscores stay text, and keys that stand twice are passed on.
    Settings,
}

/// Reads one YAML document.
///
/// # Errors
/// Text that is not YAML of that form, at the place of the first thing that is wrong.
///
/// ```
/// use dlgforge::domain::yaml::{Dialect, read};
///
/// let error = read::<Vec<u32>>("- 1\n- two\n", Dialect::Typed).unwrap_err();
/// assert_eq!((error.line, error.column), (2, 3));
/// ```
pub fn read<T: DeserializeOwned>(text: &str, dialect: Dialect) -> Result<T, YamlError> {
    let is_settings = dialect == Dialect::Settings;
    let duplicates = if is_settings { DuplicateKeyPolicy::PassThrough } else { DuplicateKeyPolicy::Error };
    let options = serde_saphyr::options! {
        strict_booleans: dialect != Dialect::Typed,
        leading_zero_numbers_as_strings: is_settings,
        underscored_numbers_as_strings: is_settings,
        duplicate_keys: duplicates,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |place| (place.line(), place.column()));
        let text = error.render_with_formatter(&UserMessageFormatter);
        let text = text.split(" at line ").next().unwrap_or_default().to_owned();
        YamlError { text, line, column, shown: error.to_string() }
    })
}

/// Reads the tree of a configuration; empty text is [`Node::Null`].
///
/// # Errors
/// Text that is not YAML.
pub fn tree(text: &str) -> Result<Located, YamlError> {
    read(text, Dialect::Settings).map(located)
}

fn located(node: Spanned<Node>) -> Located {
    let place = node.referenced;
    Located { node: node.value, line: place.line(), column: place.column() }
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
        f.write_str("a YAML value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Boolean(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node, E> {
        Number::from_f64(value).map(Node::Number).ok_or_else(|| E::custom("numbers must be finite"))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text { text: value.to_owned(), expanded: false })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(located(item));
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut mapping = Vec::new();
        while let Some((name, value)) = entries.next_entry::<Spanned<String>, Spanned<Node>>()? {
            let place = name.referenced;
            let name = Name { text: name.value, line: place.line(), column: place.column() };
            mapping.push((name, located(value)));
        }
        Ok(Node::Mapping(mapping))
    }
}

impl Located {
    /// A mapping's entries, none for other nodes.
    pub fn entries(&self) -> &[(Name, Located)] {
        match &self.node {
            Node::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The value without its places.
    pub fn to_json(&self) -> Value {
        match &self.node {
            Node::Null => Value::Null,
            Node::Boolean(value) => Value::Bool(*value),
            Node::Number(number) => Value::Number(number.clone()),
            Node::Text { text, .. } => Value::String(text.clone()),
            Node::List(items) => items.iter().map(Self::to_json).collect(),
            Node::Mapping(entries) => Value::Object(
                entries.iter().map(|(name, value)| (name.text.clone(), value.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// A value of JSON as a tree, all of it at line and column 0.
    pub fn from_json(value: &Value) -> Self {
        let node = match value {
            Value::Null => Node::Null,
            Value::Bool(value) => Node::Boolean(*value),
            Value::Number(number) => Node::Number(number.clone()),
            Value::String(text) => Node::Text { text: text.clone(), expanded: false },
            Value::Array(items) => Node::List(items.iter().map(Self::from_json).collect()),
            Value::Object(entries) => {
                let name = |text: &String| Name { text: text.clone(), line: 0, column: 0 };
                Node::Mapping(entries.iter().map(|(text, value)| (name(text), Self::from_json(value))).collect())
            }
        };
        Self { node, line: 0, column: 0 }
    }

    /// Puts this node below the keys of a dotted path.
    pub fn below(self, path: &str) -> Self {
        path.rsplit('.').fold(self, |value, name| {
            let (line, column) = (value.line, value.column);
            let name = Name { text: name.to_owned(), line, column };
            Self { node: Node::Mapping(vec![(name, value)]), line, column }
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn yaml_becomes_values() {
        for (text, value) in [
            ("", json!(null)),
            ("# only a comment\n", json!(null)),
            ("a: [en, no, y, on]", json!({"a": ["en", "no", "y", "on"]})),
            ("a: true\nb: False", json!({"a": true, "b": false})),
            ("a: 007\nb: 1_000\nc: 0x10", json!({"a": "007", "b": "1_000", "c": 16})),
            ("a: -3\nb: 1.5\nc: 18446744073709551615", json!({"a": -3, "b": 1.5, "c": u64::MAX})),
            ("a: '1'\nb: \"true\"\nc: ~\nd: \"\"", json!({"a": "1", "b": "true", "c": null, "d": ""})),
            ("base: &b {x: 1, y: 2}\na:\n  <<: *b\n  y: 3", json!({"base": {"x": 1, "y": 2}, "a": {"y": 3, "x": 1}})),
            ("a: |\n  two\n  lines\n", json!({"a": "two\nlines\n"})),
            ("- 1\n- {b: 2}", json!([1, {"b": 2}])),
        ] {
            assert_eq!(tree(text).unwrap().to_json(), value, "{text}");
        }
    }

    #[test]
    fn places_are_those_of_the_text() {
        let root = tree("run:\n  seed: 7\n  list:\n    - x\n").unwrap();
        let (run, section) = &root.entries()[0];
        assert_eq!((run.line, run.column), (1, 1));
        let (seed, value) = &section.entries()[0];
        assert_eq!((seed.line, seed.column, value.line, value.column), (2, 3, 2, 9));
        let Node::List(items) = &section.entries()[1].1.node else { panic!("a list") };
        assert_eq!((items[0].line, items[0].column), (4, 7));
    }

    #[test]
    fn syntax_errors_have_a_place() {
        for (text, line) in [
            ("a: [1, 2\nb: 3\n", 2),
            ("a:\n\t- 1\n", 2),
            ("a: 1\n b: 2\n", 2),
            ("a: .nan", 1),
            ("a: 1\n---\nb: 2\n", 3),
        ] {
            let error = tree(text).unwrap_err();
            assert_eq!(error.line, line, "{text}: {}", error.text);
            assert!(error.column > 0 && !error.text.is_empty() && !error.text.contains(" line "), "{}", error.text);
        }
    }

    #[test]
    fn what_words_and_keys_stand_for_is_the_dialect_s() {
        type Read = Result<std::collections::BTreeMap<String, Value>, YamlError>;
        let first = |text: &str, dialect| {
            let read: Read = read(text, dialect);
            read.map(|map| map["a"].clone()).map_err(|error| error.text)
        };
        for (text, typed, strict, settings) in [
            ("a: no", json!(false), json!("no"), json!("no")),
            ("a: 007", json!(7.0), json!(7.0), json!("007")),
            ("a: 'no'", json!("no"), json!("no"), json!("no")),
        ] {
            let all = [Dialect::Typed, Dialect::Strict, Dialect::Settings].map(|dialect| first(text, dialect).unwrap());
            assert_eq!(all, [typed, strict, settings], "{text}");
        }
        assert_eq!(first("a: 1\na: 2", Dialect::Settings), Ok(json!(2)));
        for dialect in [Dialect::Typed, Dialect::Strict] {
            assert!(first("a: 1\na: 2", dialect).unwrap_err().contains("duplicate"));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[a-c:\\-{}\\[\\]&*!|>\"'#%?, \n\t<]{0,40}") {
            let _ = tree(&text);
        }
    }
}
