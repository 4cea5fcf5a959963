//! The forms a topic file may have, read into [`Topics`].

use super::error::PlanError;
use super::topic_node::{Entries, Node};
use super::topics::{Layout, Topic, Topics};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names that tell a file grouped by variant from one grouped by topic.
const VARIANTS: [&str; 13] = [
    "english",
    "france",
    "msa",
    "morocco",
    "egypt",
    "gulf",
    "levantine",
    "saudi",
    "ar",
    "en",
    "fr",
    "arabic",
    "french",
];

/// Keys of a file that says what its parts are.
const KEYS: [&str; 7] =
    ["version", "variants", "topics", "defaults", "aliases", "default_variant_by_target_language", "final_fallback"];

/// The warning of a file that is grouped by topic, after the name of the file.
pub const OLD_FORM: &str = "grouped by topic, an old form: `dlgforge seeds-migrate` writes it anew, grouped by variant";

/// Reads a file of any form; without questions the layout is empty.
pub(super) fn read(root: Node, file: &str) -> Result<Topics, PlanError> {
    let entries = root.entries(file)?;
    let mut topics = Topics::default();
    let mut reader = Reader { file, warnings: &mut topics.warnings };
    let structured = entries.iter().any(|(key, node)| KEYS.contains(&key.as_str()) && !matches!(node, Node::List(_)));
    if structured {
        structured_file(entries, &mut topics, file);
    } else if entries.iter().any(|(_, node)| matches!(node, Node::List(_))) {
        let flat = reader.topics("", entries);
        topics.layout = Layout::ByTopic(flat.into_iter().map(|topic| vec![("english".to_owned(), topic)]).collect());
    } else if grouped_by_topic(&entries) {
        reader.warn("", OLD_FORM);
        topics.layout = Layout::ByTopic(reader.by_topic(entries));
    } else {
        structured_file(entries, &mut topics, file);
    }
    Ok(topics)
}

/// Reads the file of one variant: `{topic: [question]}`.
pub(super) fn read_variant(root: Node, file: &str, warnings: &mut Vec<String>) -> Result<Vec<Topic>, PlanError> {
    Ok(Reader { file, warnings }.topics("", root.entries(file)?))
}

fn grouped_by_topic(entries: &Entries) -> bool {
    let labels = entries.iter().filter(|(key, _)| VARIANTS.contains(&key.to_lowercase().as_str())).count();
    let holds_list = |node: &Node| match node {
        Node::Map(texts) => texts.iter().any(|(_, text)| matches!(text, Node::List(_))),
        _ => false,
    };
    entries.iter().all(|(_, node)| holds_list(node)) && labels * 2 < entries.len()
}

/// A file that says what its parts are; a mapping under any other key is a variant.
fn structured_file(entries: Entries, topics: &mut Topics, file: &str) {
    let mut variants = Vec::new();
    let mut reader = Reader { file, warnings: &mut topics.warnings };
    for (key, node) in entries {
        match (key.as_str(), node) {
            ("version", _) => {}
            ("variants" | "topics", Node::Map(parts)) => reader.variants(&key, parts, &mut variants),
            ("aliases", Node::Map(names)) => topics.aliases.extend(reader.names(&key, names)),
            ("default_variant_by_target_language", Node::Map(names)) => {
                topics.by_language.extend(reader.names(&key, names));
            }
            ("final_fallback", Node::Text(name)) => topics.fallback = Some(name.trim().to_lowercase()),
            ("defaults", Node::Map(defaults)) => {
                for (key, node) in defaults {
                    match (key.as_str(), node) {
                        ("by_target_language", Node::Map(names)) => {
                            topics.by_language.extend(reader.names(&key, names));
                        }
                        ("final_fallback", Node::Text(name)) => topics.fallback = Some(name.trim().to_lowercase()),
                        _ => reader.warn(&format!("defaults.{key}"), "not a default"),
                    }
                }
            }
            (_, node @ Node::Map(_)) => reader.variants("", vec![(key, node)], &mut variants),
            _ => reader.warn(&key, "not a variant"),
        }
    }
    topics.layout = Layout::ByVariant(variants);
}

/// Reads parts of a file, and notes what it leaves out.
struct Reader<'a> {
    file: &'a str,
    warnings: &'a mut Vec<String>,
}

impl Reader<'_> {
    fn warn(&mut self, at: &str, problem: &str) {
        let colon = if at.is_empty() { "" } else { ": " };
        self.warnings.push(format!("{}: {at}{colon}{problem}", self.file));
    }

    fn variants(&mut self, at: &str, parts: Entries, variants: &mut Vec<(String, Vec<Topic>)>) {
        for (name, node) in parts {
            let at = joined(at, &name);
            match node {
                Node::Map(topics) => {
                    let topics = self.topics(&at, topics);
                    let name = name.trim().to_lowercase();
                    match variants.iter_mut().find(|(variant, _)| *variant == name) {
                        _ if topics.is_empty() => {}
                        Some((_, found)) => found.extend(topics),
                        None => variants.push((name, topics)),
                    }
                }
                _ => self.warn(&at, "left out, since it is not a mapping of topics"),
            }
        }
    }

    fn by_topic(&mut self, entries: Entries) -> Vec<Vec<(String, Topic)>> {
        let mut topics = Vec::new();
        for (name, node) in entries {
            let Node::Map(texts) = node else { continue };
            let mut variants = Vec::new();
            for (variant, node) in texts {
                if let Some(questions) = self.questions(&joined(&name, &variant), node) {
                    variants.push((variant.trim().to_lowercase(), Topic { name: name.as_str().into(), questions }));
                }
            }
            topics.push(variants);
        }
        topics.retain(|variants| !variants.is_empty());
        topics
    }

    fn topics(&mut self, at: &str, entries: Entries) -> Vec<Topic> {
        let mut topics = Vec::new();
        for (name, node) in entries {
            if let Some(questions) = self.questions(&joined(at, &name), node) {
                topics.push(Topic { name: name.into(), questions });
            }
        }
        topics
    }

    fn questions(&mut self, at: &str, node: Node) -> Option<Vec<Arc<str>>> {
        let Node::List(items) = node else {
            self.warn(at, "left out, since it is not a list of questions");
            return None;
        };
        let mut questions = Vec::<Arc<str>>::with_capacity(items.len());
        for (number, item) in items.into_iter().enumerate() {
            match item {
                Node::Text(text) if !text.trim().is_empty() => questions.push(text.trim().into()),
                _ => self.warn(at, &format!("item {} left out, since it is not a question", number + 1)),
            }
        }
        (!questions.is_empty()).then_some(questions)
    }

    fn names(&mut self, at: &str, entries: Entries) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        for (name, node) in entries {
            match node {
                Node::Text(variant) => drop(names.insert(name.trim().to_lowercase(), variant.trim().to_lowercase())),
                _ => self.warn(&joined(at, &name), "left out, since it is not the name of a variant"),
            }
        }
        names
    }
}

fn joined(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn topics(text: &str) -> Topics {
        read(Node::parse(text, "t.yaml").unwrap(), "t.yaml").unwrap()
    }

    /// `variant/topic/question` of everything read, in order.
    fn listed(topics: &Topics) -> Vec<String> {
        let line = |variant: &String, topic: &Topic| {
            topic.questions.iter().map(|question| format!("{variant}/{}/{question}", topic.name)).collect::<Vec<_>>()
        };
        match &topics.layout {
            Layout::ByVariant(variants) => {
                variants.iter().flat_map(|(v, topics)| topics.iter().flat_map(|t| line(v, t))).collect()
            }
            Layout::ByTopic(topics) => topics.iter().flatten().flat_map(|(v, t)| line(v, t)).collect(),
        }
    }

    #[test]
    fn forms_are_told_apart() {
        for (text, grouped_by_topic, expected) in [
            ("variants: {English: {T: [a, b], S: [c]}}", false, &["english/T/a", "english/T/b", "english/S/c"][..]),
            ("version: 1\ntopics: {msa: {T: [a]}}", false, &["msa/T/a"]),
            ("version: 1\nmsa: {T: [a]}", false, &["msa/T/a"]),
            ("english: {T: [a]}\ndialect: {T: [b]}", false, &["english/T/a", "dialect/T/b"]),
            (
                "T: {english: [a], msa: [b]}\nfr: {english: [c]}\nU: {x: [d]}",
                true,
                &["english/T/a", "msa/T/b", "english/fr/c", "x/U/d"],
            ),
            ("T: [a]\nS: [b]", true, &["english/T/a", "english/S/b"]),
            ("topics: [a]\nS: [b]", true, &["english/topics/a", "english/S/b"]),
            ("one: {T: {deep: [a]}}", false, &[]),
            ("", false, &[]),
        ] {
            let topics = topics(text);
            assert_eq!(listed(&topics), expected, "{text}");
            assert_eq!(matches!(topics.layout, Layout::ByTopic(_)), grouped_by_topic, "{text}");
        }
    }

    #[test]
    fn what_is_left_out_is_told() {
        for (text, kept, warning) in [
            ("T: [a, 7, '  ', true, ~]", 1, "t.yaml: T: item 2 left out"),
            ("T: [a]\nS: text", 1, "t.yaml: S: left out"),
            ("variants: {english: {T: [a], S: {}}}", 1, "t.yaml: variants.english.S: left out"),
            ("variants: {english: {T: [a]}, msa: []}", 1, "t.yaml: variants.msa: left out"),
            ("variants: {english: {T: [a]}}\naliases: {en: [x]}", 1, "t.yaml: aliases.en: left out"),
            ("variants: {english: {T: [a]}}\ndefaults: {language: en}", 1, "t.yaml: defaults.language: not a default"),
            ("variants: {english: {T: [a]}}\nfallback: english", 1, "t.yaml: fallback: not a variant"),
            ("T: {english: [a]}", 1, "t.yaml: grouped by topic"),
        ] {
            let topics = topics(text);
            assert_eq!(listed(&topics).len(), kept, "{text}");
            assert!(topics.warnings[0].starts_with(warning), "{:?}", topics.warnings);
        }
        assert_eq!(topics("T: [a, 7, '  ', true, ~]").warnings.len(), 4);
    }

    #[test]
    fn defaults_are_read_from_both_places() {
        let text = "
version: 2
default_variant_by_target_language: {SW: Gulf}
final_fallback: MSA
defaults: {by_target_language: {no: english}}
aliases: {Arabic: msa}
variants: {msa: {T: [a]}}
";
        let topics = topics(text);
        assert!(topics.warnings.is_empty(), "{:?}", topics.warnings);
        assert_eq!(topics.fallback.as_deref(), Some("msa"));
        assert_eq!(topics.by_language, [("no", "english"), ("sw", "gulf")].map(|(a, b)| (a.into(), b.into())).into());
        assert_eq!(topics.aliases, [("arabic".to_owned(), "msa".to_owned())].into());
    }
}
