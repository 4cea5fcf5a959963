//! YAML as a tree that remembers where everything stands.
//!
//! Booleans are `true` and `false` alone, so that the language `no` stays a word; numbers with leading zeros or
//! underscores stay text.

use super::capabilities::is_unread;
use super::error::{Place, Report};
use super::expand::expand;
use super::renames::current;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{DuplicateKeyPolicy, Spanned, UserMessageFormatter};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A node, with the line and column (from 1) where it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Located {
    pub node: Node,
    pub line: u64,
    pub column: u64,
}

/// A mapping's key, with its line and column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Name {
    pub text: String,
    pub line: u64,
    pub column: u64,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Null,
    Boolean(bool),
    Number(Number),
    Text {
        text: String,
        /// Whether a `${VAR}` was replaced in it: then it may stand for a value of any type.
        expanded: bool,
    },
    List(Vec<Located>),
    Mapping(Vec<(Name, Located)>),
}

/// YAML that can't be read.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub text: String,
    pub line: u64,
    pub column: u64,
}

/// Reads one YAML document; empty text is [`Node::Null`].
pub(super) fn parse(text: &str) -> Result<Located, SyntaxError> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Node>>(text, options) {
        Ok(node) => Ok(located(node)),
        Err(error) => {
            let (line, column) = error.location().map_or((1, 1), |place| (place.line(), place.column()));
            let text = error.render_with_formatter(&UserMessageFormatter);
            let text = text.split(" at line ").next().unwrap_or_default().to_owned();
            Err(SyntaxError { text, line, column })
        }
    }
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

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Boolean(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        Number::from_f64(value).map(Node::Number).ok_or_else(|| E::custom("numbers must be finite"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
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

    /// Reports keys that a mapping holds twice.
    pub fn report_duplicates(&self, path: &str, source: &Place, report: &mut Report) {
        let mut seen = BTreeSet::new();
        for (name, value) in self.entries() {
            let child = join(path, &name.text);
            if !seen.insert(&name.text) {
                let text = format!("`{child}` is given twice; keep one");
                report.problem(&child, source.at(name.line, name.column), text);
            }
            value.report_duplicates(&child, source, report);
        }
        if let Node::List(items) = &self.node {
            items.iter().for_each(|item| item.report_duplicates(path, source, report));
        }
    }

    /// Replaces `${VAR}` in texts; `$${` stands for `${`.
    pub fn expand(&mut self, path: &str, env: &BTreeMap<String, String>, source: &Place, report: &mut Report) {
        let (line, column) = (self.line, self.column);
        match &mut self.node {
            Node::Text { text, expanded } => match expand(text, env) {
                Ok(Some((new, replaced))) => (*text, *expanded) = (new, replaced),
                Ok(None) => {}
                Err(_) if is_unread(&current(path)) => {}
                Err(why) => report.problem(path, source.at(line, column), format!("`{path}`: {why}")),
            },
            Node::List(items) => items.iter_mut().for_each(|item| item.expand(path, env, source, report)),
            Node::Mapping(entries) => {
                for (name, value) in entries {
                    value.expand(&join(path, &name.text), env, source, report);
                }
            }
            Node::Null | Node::Boolean(_) | Node::Number(_) => {}
        }
    }
}

/// A key below a dotted path; the path is empty at the top.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn tree(text: &str) -> Located {
        parse(text).unwrap()
    }

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
            assert_eq!(tree(text).to_json(), value, "{text}");
        }
    }

    #[test]
    fn places_are_those_of_the_text() {
        let root = tree("run:\n  seed: 7\n  list:\n    - x\n");
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
            let error = parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text}: {}", error.text);
            assert!(error.column > 0 && !error.text.is_empty() && !error.text.contains(" line "), "{}", error.text);
        }
    }

    #[test]
    fn duplicates_are_all_found() {
        let source = Place::File { name: "c.yaml".into(), line: 0, column: 0 };
        let mut report = Report::default();
        tree("a: 1\nb: {c: 1, c: 2}\na: 3\n").report_duplicates("", &source, &mut report);
        assert_eq!(
            report.finish().unwrap_err().to_string(),
            "2 problems in the configuration:\n  `b.c` is given twice; keep one (c.yaml:2:11)\n  \
             `a` is given twice; keep one (c.yaml:3:1)"
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[a-c:\\-{}\\[\\]&*!|>\"'#%?, \n\t<]{0,40}") {
            let _ = parse(&text);
        }
    }
}
