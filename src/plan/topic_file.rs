//! Topics as the text of a topic file: YAML, grouped by variant.

use super::topics::{Layout, Topic, Topics};
use std::collections::BTreeMap;
use std::fmt::{self, Display, Write};

/// Which variant a language uses.
const LANGUAGES: [(&str, &str); 3] = [("ar", "msa"), ("en", "english"), ("fr", "france")];

/// Other names of variants.
const ALIASES: [(&str, &str); 5] =
    [("arabic", "msa"), ("french", "france"), ("ar", "msa"), ("en", "english"), ("fr", "france")];

/// Words that YAML, or an old reader of it, takes for other than text; in small letters.
const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

/// Bytes of the longest key that may stand in front of its colon on one line: YAML allows for 1024 characters.
const LONGEST_KEY: usize = 1000;

/// A topic and its questions.
type Asked<'a> = (&'a str, Vec<&'a str>);

/// How many variants, topics and questions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicCounts {
    /// Languages and dialects that there are questions in.
    pub variants: usize,
    /// Topics; one that is written in two variants counts twice.
    pub topics: usize,
    /// Questions of all topics.
    pub questions: usize,
}

impl Topics {
    /// How many there are.
    pub fn counts(&self) -> TopicCounts {
        let variants = self.by_variant();
        let topics = || variants.iter().flat_map(|(_, topics)| topics);
        let questions = topics().map(|(_, questions)| questions.len()).sum();
        TopicCounts { variants: variants.len(), topics: topics().count(), questions }
    }

    /// The text of a topic file with these topics, whatever form they were read from: `version`, `defaults`, `aliases`, and
    /// `variants` sorted by name, their topics and questions in the order they had. What the first file says of defaults and
    /// aliases is kept, beside the usual ones. [`Topics::parse`] reads the same topics from it.
    ///
    /// ```
    /// use dlgforge::plan::topics::Topics;
    ///
    /// let topics = Topics::parse(r#"{"Tea": {"english": ["How hot?"], "msa": ["ما حرارته؟"]}}"#, "old.json")?;
    /// assert!(topics.to_yaml().ends_with("  english:\n    Tea:\n      - How hot?\n  msa:\n    Tea:\n      - ما حرارته؟\n"));
    /// # Ok::<(), dlgforge::plan::PlanError>(())
    /// ```
    pub fn to_yaml(&self) -> String {
        let variants = self.by_variant();
        let languages = completed(Vec::new(), &self.by_language, &LANGUAGES);
        let themselves = variants.iter().map(|(name, _)| (name.to_string(), name.to_string())).collect();
        let aliases = completed(themselves, &self.aliases, &ALIASES);
        let fallback = Scalar(self.fallback.as_deref().unwrap_or("english"));
        let named = |indent, names: &[(String, String)]| -> String {
            names.iter().map(|(name, variant)| format!("{} {}\n", key(indent, name), Scalar(variant))).collect()
        };
        let mut text = format!(
            "version: 1\ndefaults:\n  by_target_language:\n{}  final_fallback: {fallback}\naliases:\n{}variants:\n",
            named("    ", &languages),
            named("  ", &aliases)
        );
        let sorted: BTreeMap<_, _> = variants.into_iter().collect();
        for (variant, topics) in sorted {
            text.push_str(&format!("{}\n", key("  ", variant)));
            for (topic, questions) in topics {
                text.push_str(&format!("{}\n", key("    ", topic)));
                text.extend(questions.iter().map(|question| format!("      - {}\n", Scalar(question))));
            }
        }
        text
    }

    /// The topics of each variant with their questions, each name once, in order of appearance.
    fn by_variant(&self) -> Vec<(&str, Vec<Asked<'_>>)> {
        let all: Vec<(&str, &Topic)> = match &self.layout {
            Layout::ByVariant(variants) => {
                variants.iter().flat_map(|(variant, topics)| topics.iter().map(|topic| (&**variant, topic))).collect()
            }
            Layout::ByTopic(topics) => topics.iter().flatten().map(|(variant, topic)| (&**variant, topic)).collect(),
        };
        let mut variants = Vec::<(&str, Vec<Asked<'_>>)>::new();
        let mut places = BTreeMap::new();
        for (variant, topic) in all {
            let at = variants.iter().position(|(name, _)| *name == variant).unwrap_or_else(|| {
                variants.push((variant, Vec::new()));
                variants.len() - 1
            });
            let topics = &mut variants[at].1;
            let place = *places.entry((variant, &*topic.name)).or_insert_with(|| {
                topics.push((&*topic.name, Vec::new()));
                topics.len() - 1
            });
            topics[place].1.extend(topic.questions.iter().map(|question| &**question));
        }
        variants
    }
}

/// Names with what they stand for: the first ones, then the usual ones, then a file's own; its own word counts most, and what
/// comes first after that.
fn completed(
    mut names: Vec<(String, String)>,
    own: &BTreeMap<String, String>,
    usual: &[(&str, &str)],
) -> Vec<(String, String)> {
    let usual = usual.iter().map(|&(name, variant)| (name.to_owned(), variant.to_owned()));
    for (name, variant) in usual.chain(own.clone()) {
        if !names.iter().any(|(known, _)| *known == name) {
            names.push((name, variant));
        }
    }
    for (name, variant) in &mut names {
        if let Some(own) = own.get(name) {
            own.clone_into(variant);
        }
    }
    names
}

/// A name as the key of a mapping that is indented so far, with its colon.
fn key(indent: &str, name: &str) -> String {
    let name = Scalar(name).to_string();
    if name.len() > LONGEST_KEY { format!("{indent}? {name}\n{indent}:") } else { format!("{indent}{name}:") }
}

/// A text as YAML: plain where nothing in it means something else, else in double quotes.
struct Scalar<'a>(&'a str);

impl Scalar<'_> {
    fn is_plain(&self) -> bool {
        let text = self.0;
        text.starts_with(char::is_alphabetic)
            && !text.ends_with(|c: char| c == ':' || c.is_whitespace())
            && ![": ", " #"].iter().any(|mark| text.contains(mark))
            && !text.contains(is_escaped)
            && !WORDS.contains(&text.to_ascii_lowercase().as_str())
    }
}

/// Whether it stands as an escape: what readers can't take, or take for the end of a line.
fn is_escaped(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

impl Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_plain() {
            return f.write_str(self.0);
        }
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                c if is_escaped(c) => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The file of these variants, in the order of the file that they come from; `further` are aliases at the end.
    fn file(aliases: &[&str], further: &str, variants: &str) -> String {
        let themselves: String = aliases.iter().map(|name| format!("  {name}: {name}\n")).collect();
        format!(
            "version: 1\ndefaults:\n  by_target_language:\n    ar: msa\n    en: english\n    fr: france\n  final_fallback: english\n\
             aliases:\n{themselves}  arabic: msa\n  french: france\n  ar: msa\n  en: english\n  fr: france\n{further}\
             variants:\n{variants}"
        )
    }

    #[test]
    fn every_form_becomes_the_same_file() {
        let english = "  english:\n    Tea:\n      - How hot?\n      - Why?\n";
        let both = format!("{english}  msa:\n    Tea:\n      - ما حرارته؟\n");
        for (name, text, aliases, variants) in [
            ("t.json", r#"{"Tea": ["How hot?", "Why?"], "Ale": [" ", 1]}"#, &["english"][..], english),
            ("t.yaml", "Tea: [How hot?, Why?]", &["english"], english),
            (
                "t.json",
                r#"{"Tea": {"msa": ["ما حرارته؟"], "english": ["How hot?", "Why?"]}}"#,
                &["msa", "english"],
                &both,
            ),
            ("t.yml", "Tea:\n  english: [How hot?, Why?]\n  msa: [ما حرارته؟]", &["english", "msa"], &both),
            ("t", "variants: {MSA: {Tea: [ما حرارته؟]}, english: {Tea: [How hot?, Why?]}}", &["msa", "english"], &both),
            (
                "t",
                "english: {Tea: [How hot?]}\nmsa: {Tea: [ما حرارته؟]}\nEnglish: {Tea: [Why?]}",
                &["english", "msa"],
                &both,
            ),
        ] {
            let topics = Topics::parse(text, name).unwrap();
            assert_eq!(topics.to_yaml(), file(aliases, "", variants), "{text}");
            let written = Topics::parse(&topics.to_yaml(), "t.yaml").unwrap();
            assert_eq!((written.warnings(), written.by_variant().len()), (&[][..], aliases.len()), "{text}");
        }
    }

    #[test]
    fn what_a_file_says_of_its_variants_is_kept() {
        let text = "variants: {gulf: {Tea: [شحرارته؟]}, ar: {T: [a]}}\nfinal_fallback: gulf\n\
                    aliases: {french: gulf, khaliji: gulf}\ndefaults: {by_target_language: {ar: gulf, sw: gulf}}";
        let text = Topics::parse(text, "t.yaml").unwrap().to_yaml();
        for part in [
            "    ar: gulf\n    en: english\n    fr: france\n    sw: gulf\n  final_fallback: gulf\naliases:\n",
            "aliases:\n  gulf: gulf\n  ar: ar\n  arabic: msa\n  french: gulf\n  en: english\n  fr: france\n  khaliji: gulf\nvariants:\n  ar:\n",
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
    }

    #[test]
    fn only_what_means_something_else_is_quoted() {
        for (text, expected) in [
            ("Qu'est-ce qu'un « fonds » ?", "Qu'est-ce qu'un « fonds » ?"),
            ("ما الطائفة؟ كم ملكة، وكم ذكرًا؟", "ما الطائفة؟ كم ملكة، وكم ذكرًا؟"),
            ("می‌خواهم 😀 #1 a:b", "\"می‌خواهم 😀 #1 a:b\""),
            ("a:b, [c] {d} - e#f", "a:b, [c] {d} - e#f"),
            ("Note: why?", "\"Note: why?\""),
            ("why:", "\"why:\""),
            ("¿Por qué?", "\"¿Por qué?\""),
            ("No", "\"No\""),
            ("", "\"\""),
            ("a \"b\" \\\n\tc\u{85}\u{2028}\u{feff}\u{1b}", r#""a \"b\" \\\n\u0009c\u0085\u2028\ufeff\u001b""#),
        ] {
            assert_eq!(Scalar(text).to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            found in prop::collection::vec(("[a-c]{1,2}|ar|no", "\\PC{0,8}|[a: #?\\-\\[\n\t'\"&*!|>%@`\u{85}\u{2028}\u{feff}]{0,6}|x{1100}", "\\S|\\S\\PC{0,8}\\S|[a: #\\\\\n\u{7f}\"]{0,6}x"), 1..12),
        ) {
            let topic = |(variant, name, question): (String, String, String)| {
                vec![(variant, Topic { name: name.into(), questions: vec![question.trim().into()] })]
            };
            let found = found.into_iter().filter(|(_, _, question)| !question.trim().is_empty());
            let topics = Topics { layout: Layout::ByTopic(found.map(topic).collect()), ..Topics::default() };
            prop_assume!(topics.counts().questions > 0);
            let read = Topics::parse(&topics.to_yaml(), "t.yaml").unwrap();
            let mut expected = topics.by_variant();
            expected.sort();
            prop_assert_eq!(read.by_variant(), expected);
            prop_assert_eq!(read.warnings(), &[] as &[String]);
        }
    }
}
