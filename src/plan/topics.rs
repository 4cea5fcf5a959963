//! Seed topics: questions by variant and topic, and which of them a language uses.

pub use super::topic_file::TopicCounts;
pub use super::topic_forms::OLD_FORM;

use super::error::{self, PlanError};
use super::topic_forms;
use super::topic_node::Node;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A topic with its questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name, recorded as `seed_topic`.
    pub name: Arc<str>,
    /// Its questions, recorded as `seed_question`; at least one.
    pub questions: Vec<Arc<str>>,
}

/// Topics with their questions, by variant. A variant is a language or dialect the questions are written in.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Topics {
    pub(super) layout: Layout,
    pub(super) aliases: BTreeMap<String, String>,
    pub(super) by_language: BTreeMap<String, String>,
    pub(super) fallback: Option<String>,
    pub(super) warnings: Vec<String>,
}

/// How a file groups its questions. Variant names are lower-case.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Layout {
    /// Variants, each once and with topics of its own, in the order of the file.
    ByVariant(Vec<(String, Vec<Topic>)>),
    /// Topics, each written in some variants; at least one.
    ByTopic(Vec<Vec<(String, Topic)>>),
}

impl Default for Layout {
    fn default() -> Self {
        Self::ByVariant(Vec::new())
    }
}

impl Topics {
    /// Reads text in one of the forms of a topic file: `variants: {variant: {topic: [question]}}` with `defaults` and
    /// `aliases`; the same without the `variants` key; `{topic: {variant: [question]}}`; or `{topic: [question]}`.
    ///
    /// # Errors
    /// Text that is not YAML (JSON, when `name` ends in `.json`), or without any question. `name` is the file's name.
    pub fn parse(text: &str, name: &str) -> Result<Self, PlanError> {
        some(topic_forms::read(Node::parse(text, name)?, name)?, name)
    }

    /// Reads a file, or a folder: `topics.yaml` or `topics.yml` in it; else one `{topic: [question]}` file a variant,
    /// named `<variant>.yaml`, `.yml` or `.json`, and an optional `index` file with `aliases` and
    /// `default_variant_by_target_language`.
    ///
    /// # Errors
    /// A path that can't be read, and those of [`Topics::parse`].
    pub fn load(path: &Path) -> Result<Self, PlanError> {
        if !path.is_dir() {
            return Self::parse(&error::text(path)?, &error::name(path));
        }
        for whole in ["topics.yaml", "topics.yml"].map(|file| path.join(file)) {
            if whole.is_file() {
                return Self::load(&whole);
            }
        }
        let mut topics = Self::default();
        let mut variants = Vec::new();
        for (stem, file) in files(path)? {
            let root = Node::parse(&error::text(&file)?, &error::name(&file))?;
            if stem == "index" {
                let index = topic_forms::read(root, &error::name(&file))?;
                topics.warnings.extend(index.warnings);
                topics =
                    Self { aliases: index.aliases, by_language: index.by_language, fallback: index.fallback, ..topics };
            } else {
                variants.push((stem, topic_forms::read_variant(root, &error::name(&file), &mut topics.warnings)?));
            }
        }
        variants.retain(|(_, found)| !found.is_empty());
        some(Self { layout: Layout::ByVariant(variants), ..topics }, &error::name(path))
    }

    /// What was left out of the files and why, a line each, for the user.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The topics for a language. Names are tried in this order, and the first variant there is wins: `variant`, its
    /// alias, the file's default for the language, the alias of the language, a built-in one (`ar`: `msa`, `en`:
    /// `english`, `fr`: `france`), the file's fallback, `english`. None of them there: no topics, so no seeding. In a
    /// file grouped by topic each topic decides so for itself, and falls back to the variant it lists first.
    pub fn select(&self, variant: &str, language: &str) -> Vec<&Topic> {
        let (variant, language) = (variant.trim().to_lowercase(), language.trim().to_lowercase());
        let names = self.names(&variant, &language);
        match &self.layout {
            Layout::ByVariant(variants) => {
                let of = |name: &&str| variants.iter().find(|(variant, _)| variant == name);
                names.iter().find_map(of).into_iter().flat_map(|(_, topics)| topics).collect()
            }
            Layout::ByTopic(topics) => topics
                .iter()
                .filter_map(|texts| {
                    let wanted = names.iter().find_map(|name| texts.iter().find(|(variant, _)| variant == name));
                    wanted.or(texts.first()).map(|(_, topic)| topic)
                })
                .collect(),
        }
    }

    fn names<'a>(&'a self, variant: &'a str, language: &'a str) -> Vec<&'a str> {
        let built_in = match language {
            "ar" => Some("msa"),
            "en" => Some("english"),
            "fr" => Some("france"),
            _ => None,
        };
        let alias = |name| self.aliases.get(name).map(String::as_str);
        [
            Some(variant),
            alias(variant),
            self.by_language.get(language).map(String::as_str),
            alias(language),
            built_in,
            self.fallback.as_deref(),
            Some("english"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn some(topics: Topics, name: &str) -> Result<Topics, PlanError> {
    let empty = match &topics.layout {
        Layout::ByVariant(variants) => variants.is_empty(),
        Layout::ByTopic(topics) => topics.is_empty(),
    };
    if empty { Err(PlanError::NoQuestions { file: name.to_owned() }) } else { Ok(topics) }
}

/// The topic files of a folder by lower-case stem; of several with one stem the first in the order yaml, yml, json.
fn files(folder: &Path) -> Result<BTreeMap<String, PathBuf>, PlanError> {
    let failed = |source| PlanError::Read { file: error::name(folder), source };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort_unstable();
    let mut files = BTreeMap::new();
    for extension in ["yaml", "yml", "json"] {
        for path in entries.iter().filter(|path| path.extension().is_some_and(|found| found == extension)) {
            if let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) {
                files.entry(stem.to_lowercase()).or_insert_with(|| path.clone());
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::Normalisation;
    use std::collections::BTreeSet;

    fn first(topics: &Topics, variant: &str, language: &str) -> Option<String> {
        topics.select(variant, language).first().map(|topic| topic.questions[0].to_string())
    }

    #[test]
    fn the_topics_of_the_quick_start_are_complete() {
        let text = include_str!("../../config/quickstart_topics.yaml");
        let topics = Topics::parse(text, "config/quickstart_topics.yaml").unwrap();
        assert!(topics.warnings().is_empty(), "{:?}", topics.warnings());
        let mut all = BTreeSet::new();
        for language in ["en", "fr", "ar"] {
            let found = topics.select("", language);
            assert!(found.len() >= 2, "{language}");
            for topic in found {
                assert!(topic.questions.len() >= 6, "{}", topic.name);
                for question in &topic.questions {
                    assert!(question.ends_with(['?', '؟']), "{question}");
                    assert!(all.insert(question.clone()), "{question} stands there twice");
                }
            }
        }
        assert_eq!(all.len(), 60, "each language has its own");
    }

    #[test]
    fn the_shipped_topics_are_complete() {
        const VARIANTS: [&str; 8] = ["egypt", "english", "france", "gulf", "levantine", "morocco", "msa", "saudi"];
        let text = include_str!("../../config/topics.yaml");
        let topics = Topics::parse(text, "config/topics.yaml").unwrap();
        assert!(text.ends_with(&topics.to_yaml()), "it is as `dlgforge seeds-migrate` writes it, after comments");
        let Layout::ByVariant(variants) = &topics.layout else { panic!("by variant") };
        assert_eq!(variants.iter().map(|(variant, _)| &**variant).collect::<Vec<_>>(), VARIANTS);
        let mut all = BTreeSet::new();
        for (variant, topics) in variants {
            assert_eq!(topics.len(), 20, "{variant}");
            let is_arabic = !["english", "france"].contains(&&**variant);
            for Topic { name, questions } in topics {
                assert!(questions.len() >= 8, "{variant}: {name}");
                for question in questions {
                    assert!(question.ends_with(if is_arabic { '؟' } else { '?' }), "{question}");
                    let letters = question.chars().filter(|letter| letter.is_alphabetic());
                    let of_script = |letter: &char| matches!(letter, '\u{620}'..='\u{652}') == is_arabic;
                    assert_eq!(letters.clone().find(|letter| !of_script(letter)), None, "{question}");
                    assert!(all.insert(Normalisation::Full.of(question)), "{question} stands there twice");
                }
            }
        }
        assert_eq!((topics.counts().topics, all.len()), (160, 1300));
        let names = topics.aliases.values().chain(topics.by_language.values()).chain(&topics.fallback);
        assert_eq!(names.filter(|name| !VARIANTS.contains(&name.as_str())).count(), 0);
        for (language, variant) in
            [("ar", "msa"), ("en", "english"), ("fr", "france"), ("egypt", "egypt"), ("ary", "morocco")]
        {
            assert_eq!(topics.select("", language), topics.select(variant, ""), "{language}");
        }
    }

    #[test]
    fn the_first_variant_there_is_wins() {
        let text = "
variants:
  english: {T: [in english]}
  france: {T: [in french]}
  msa: {T: [in arabic]}
  No: {T: [in norwegian]}
defaults:
  by_target_language: {Darija: msa, no: no}
  final_fallback: france
aliases: {classical: msa, parisian: france, gaulish: celtic}
";
        let topics = Topics::parse(text, "t.yaml").unwrap();
        for (variant, language, expected) in [
            ("english", "ar", "in english"),
            ("Classical", "en", "in arabic"),
            ("gaulish", "en", "in english"),
            ("", "darija", "in arabic"),
            ("", " NO ", "in norwegian"),
            ("", "parisian", "in french"),
            ("", "ar", "in arabic"),
            ("", "xx", "in french"),
        ] {
            assert_eq!(first(&topics, variant, language).as_deref(), Some(expected), "{variant}/{language}");
        }
        let english = Topics::parse("variants: {english: {T: [a]}, msa: {T: [b]}}", "t").unwrap();
        assert_eq!(first(&english, "", "xx").as_deref(), Some("a"));
        let arabic = Topics::parse("variants: {msa: {T: [b]}}", "t").unwrap();
        assert_eq!(first(&arabic, "", "en"), None, "no variant for it: no seeding");
    }

    #[test]
    fn topics_with_variants_choose_for_themselves() {
        let text = "Tea: {msa: [tea a], english: [tea e]}\nBees: {france: [bees f], gulf: [bees g]}\n";
        let topics = Topics::parse(text, "t.yaml").unwrap();
        let chosen = |variant, language| -> Vec<_> {
            topics.select(variant, language).iter().map(|topic| topic.questions[0].to_string()).collect()
        };
        assert_eq!(chosen("", "ar"), ["tea a", "bees f"]);
        assert_eq!(chosen("gulf", "en"), ["tea e", "bees g"]);
        assert_eq!(topics.warnings().len(), 1, "the form is an old one");
    }

    #[test]
    fn a_folder_holds_a_file_for_each_variant() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("English.yml", "Tea: [tea e]\n");
        write("english.json", "{\"Tea\": [\"shadowed\"]}");
        write("msa.json", "{\n\t\"Tea\": [\"tea a\"]\n}");
        write("index.yaml", "aliases: {arabic: msa}\ndefault_variant_by_target_language: {sw: msa}\n");
        write("notes.txt", "not topics");
        let topics = Topics::load(folder.path()).unwrap();
        for (variant, language, expected) in [("", "en", "tea e"), ("arabic", "en", "tea a"), ("", "sw", "tea a")] {
            assert_eq!(first(&topics, variant, language).as_deref(), Some(expected));
        }
        write("topics.yml", "Tea: [from the whole]\n");
        assert_eq!(first(&Topics::load(folder.path()).unwrap(), "", "en").as_deref(), Some("from the whole"));
    }

    #[test]
    fn unusable_files_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Topics::load(&folder.path().join("gone.yaml")).unwrap_err().to_string();
        assert!(missing.starts_with("read ") && missing.ends_with("gone.yaml"), "{missing}");
        let empty = Topics::load(folder.path()).unwrap_err().to_string();
        assert!(empty.contains("no seed question"), "{empty}");
        for (text, name, expected) in [
            ("", "t.yaml", "use t.yaml: no seed question"),
            ("variants: {english: {Tea: []}}", "t.yaml", "use t.yaml: no seed question"),
            ("- a list", "t.yaml", "parse t.yaml: a mapping of topics was expected"),
            ("Tea: [a\nBees: b", "t.yaml", "parse t.yaml: "),
            ("Tea: [a]", "t.json", "parse t.json: "),
        ] {
            let message = Topics::parse(text, name).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
            assert_eq!(message.lines().count(), 1, "{message:?}");
        }
    }
}
