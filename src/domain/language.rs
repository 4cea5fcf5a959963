//! The language of a conversation: what it is called, its code and its script, by any of its spellings.

use super::normalisation::collapsed;
use super::script::Script;
use super::yaml::{self, Dialect};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

/// A language or dialect that conversations are written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Language {
    /// What prompts call it, in English where it is known: `Moroccan Arabic (Darija)`.
    pub name: Arc<str>,
    /// ISO 639-1 code; dialects share that of their language. None for a language that is not in the table.
    pub code: Option<Arc<str>>,
    /// What it is written in; none for a language that is not in the table.
    pub script: Option<Script>,
}

impl Language {
    /// The language that an item of `run.target_languages` names: by a key or another spelling of
    /// `config/languages.yaml`, in any case, with `_` or `-`. A code with a region that the table lacks is the language
    /// of the code (`es-PE` is "Spanish (PE)"); any other text is the name of a language of which nothing is known.
    ///
    /// ```
    /// # use dlgforge::domain::Language;
    /// let language = Language::of("Morocco");
    /// assert_eq!((&*language.name, language.code.as_deref()), ("Moroccan Arabic (Darija)", Some("ar")));
    /// let unknown = Language::of("Klingon");
    /// assert_eq!((&*unknown.name, unknown.code), ("Klingon", None));
    /// ```
    pub fn of(spelled: &str) -> Self {
        let key = folded(spelled);
        if let Some(language) = TABLE.languages.get(&key) {
            return language.clone();
        }
        let spelled = spelled.trim();
        match key.split_once('-').and_then(|(code, region)| Some((TABLE.languages.get(code)?, region))) {
            Some((language, region)) if is_region(region) && key.find('-').is_some_and(|at| at < 4) => {
                Self { name: format!("{} ({})", language.name, region.to_uppercase()).into(), ..language.clone() }
            }
            _ => Self { name: spelled.into(), code: None, script: None },
        }
    }
}

/// Words by which the language with a code is told from others of its script; empty where the table has none.
pub fn frequent(code: &str) -> &'static BTreeSet<String> {
    TABLE.frequent.get(code).unwrap_or(&NONE)
}

/// The number words of each language that has some in the table, as written there, with their values.
pub fn number_words() -> &'static BTreeMap<String, BTreeMap<String, u64>> {
    &TABLE.numbers
}

static NONE: BTreeSet<String> = BTreeSet::new();

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let file: File = yaml::read(include_str!("../../config/languages.yaml"), Dialect::Typed).expect("a test reads it");
    Table::new(file)
});

/// What the file holds, ready for looking things up.
struct Table {
    /// By folded spelling.
    languages: HashMap<String, Language>,
    /// By code.
    frequent: BTreeMap<String, BTreeSet<String>>,
    /// By code.
    numbers: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Table {
    fn new(file: File) -> Self {
        let mut languages = HashMap::new();
        for (key, entry) in file.languages {
            let language = Language {
                name: entry.name.into(),
                code: Some(entry.code.as_deref().unwrap_or(&key).into()),
                script: Some(entry.script.unwrap_or(Script::Latin)),
            };
            for spelling in entry.also.iter().chain([&key]) {
                languages.insert(folded(spelling), language.clone());
            }
        }
        let words = |(code, words): (String, String)| (code, words.split_whitespace().map(str::to_owned).collect());
        Self { languages, frequent: file.frequent.into_iter().map(words).collect(), numbers: file.numbers }
    }
}

/// `config/languages.yaml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    languages: BTreeMap<String, Entry>,
    frequent: BTreeMap<String, String>,
    numbers: BTreeMap<String, BTreeMap<String, u64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    code: Option<String>,
    script: Option<Script>,
    #[serde(default)]
    also: Vec<String>,
}

/// A spelling without its case, with hyphens for `_` and single spaces.
fn folded(spelled: &str) -> String {
    collapsed(&spelled.to_lowercase().replace('_', "-"))
}

/// Two letters of ISO 3166, or three digits of UN M49.
fn is_region(text: &str) -> bool {
    let all = |is: fn(&u8) -> bool| text.bytes().all(|byte| is(&byte));
    (text.len() == 2 && all(u8::is_ascii_alphabetic)) || (text.len() == 3 && all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> File {
        yaml::read(include_str!("../../config/languages.yaml"), Dialect::Typed).expect("YAML of that form")
    }

    #[test]
    fn spellings_of_a_language_are_alike() {
        for (spelled, name, code) in [
            ("en", "English", Some("en")),
            (" EN ", "English", Some("en")),
            ("Français", "French", Some("fr")),
            ("fr_CA", "Canadian French", Some("fr")),
            ("fr-BE", "French (BE)", Some("fr")),
            ("es_419", "Spanish (419)", Some("es")),
            ("PT_br", "Brazilian Portuguese", Some("pt")),
            ("no", "Norwegian (Bokmål)", Some("nb")),
            ("msa", "Modern Standard Arabic", Some("ar")),
            ("العربية", "Modern Standard Arabic", Some("ar")),
            ("Morocco", "Moroccan Arabic (Darija)", Some("ar")),
            ("egypt", "Egyptian Arabic", Some("ar")),
            ("Saudi", "Saudi Arabic", Some("ar")),
            ("Klingon", "Klingon", None),
            ("Plain  English for children ", "Plain  English for children", None),
            ("french-based creole", "french-based creole", None),
            ("english-xx", "english-xx", None),
            ("", "", None),
        ] {
            let language = Language::of(spelled);
            assert_eq!((&*language.name, language.code.as_deref()), (name, code), "{spelled:?}");
        }
    }

    #[test]
    fn no_spelling_stands_there_twice() {
        let mut seen = BTreeSet::new();
        for (key, entry) in file().languages {
            for spelling in entry.also.iter().chain([&key]) {
                assert!(seen.insert(folded(spelling)), "{spelling}");
            }
        }
    }

    #[test]
    fn codes_are_keys_and_share_a_script() {
        let file = file();
        for (key, entry) in &file.languages {
            let code = entry.code.as_ref().unwrap_or(key);
            assert!(file.languages.contains_key(code), "{key}");
            assert_eq!(file.languages[code].script, entry.script, "{key}");
        }
        for code in file.frequent.keys().chain(file.numbers.keys()) {
            assert!(file.languages.contains_key(code), "{code}");
        }
    }

    #[test]
    fn the_built_in_model_speaks_languages_of_the_table() {
        for code in crate::builtin::LANGUAGES {
            assert_eq!(Language::of(code).code.as_deref(), Some(code));
            assert!(code == "ar" || !frequent(code).is_empty(), "{code}");
            assert!(!number_words()[code].is_empty(), "{code}");
        }
    }

    #[test]
    fn words_are_in_lower_case_and_numbers_complete() {
        let file = file();
        for words in file.frequent.values() {
            assert_eq!(*words, words.to_lowercase());
        }
        for (code, words) in &file.numbers {
            assert!(words.keys().all(|word| *word == word.to_lowercase()), "{code}");
            let compound = |value| match code.as_str() {
                "fr" => matches!(value, 17..=19),
                "ar" => matches!(value, 11..=19),
                _ => false,
            };
            for value in (0..=20).chain((3..=10).map(|ten| ten * 10)) {
                assert!(compound(value) || words.values().any(|known| *known == value), "{code} {value}");
            }
        }
    }
}
