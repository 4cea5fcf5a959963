//! The languages of the built-in model: which there are, which one a text is in, and what their sheets hold.

mod sheet;
mod template;

pub(super) use sheet::Sheet;
pub(super) use template::{Piece, Template, Words};

use super::token::{Class, folded, meaningful, swaps, terms};
use crate::domain::yaml::{self, Dialect};
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;
use unicode_segmentation::UnicodeSegmentation;

/// Codes of the languages the built-in model speaks.
pub const LANGUAGES: [&str; 5] = ["en", "fr", "ar", "es", "de"];

/// What `config/builtin` holds, in the order of [`LANGUAGES`].
const FILES: [&str; 5] = [
    include_str!("../../../config/builtin/en.yaml"),
    include_str!("../../../config/builtin/fr.yaml"),
    include_str!("../../../config/builtin/ar.yaml"),
    include_str!("../../../config/builtin/es.yaml"),
    include_str!("../../../config/builtin/de.yaml"),
];

static SHEETS: LazyLock<[Sheet; 5]> =
    LazyLock::new(|| FILES.map(|file| yaml::read(file, Dialect::Typed).expect("a test reads it")));

static SPOKEN: LazyLock<Vec<Language>> = LazyLock::new(|| SHEETS.iter().map(Language::new).collect());

/// Whether the built-in model speaks a language: its code, with or without a region (`fr`, `fr-CA`), its English name or
/// its own name, in any case.
pub fn speaks(language: &str) -> bool {
    find(language).is_some()
}

/// The code of a language that the built-in model speaks, under any of the names that [`speaks`] knows.
pub fn code(language: &str) -> Option<&'static str> {
    find(language).map(|language| language.sheet.code.as_str())
}

/// The language of this code or name, as [`speaks`] reads it.
pub(super) fn find(name: &str) -> Option<&'static Language> {
    let name = name.trim().to_lowercase();
    let code = name.split(['-', '_']).next().unwrap_or_default();
    SPOKEN.iter().find(|language| language.sheet.code == code || language.sheet.names.contains(&name))
}

/// Words of a text that are looked at to tell its language.
const DETECTED: usize = 60;
/// Share of them that must be known.
const KNOWN: f64 = 0.12;
/// Fewest letters of a word that is mistyped: shorter ones are too much like others.
pub(super) const MISTYPED: usize = 5;

/// The language a text is written in, by its script and its function words; none when too few words tell.
pub(super) fn detect(text: &str) -> Option<&'static Language> {
    let words: Vec<String> = text.unicode_words().take(DETECTED).map(folded).collect();
    let share = |language: &Language| {
        let known: usize = words.iter().map(|word| language.recognises(word)).sum();
        known as f64 / words.len().max(1) as f64
    };
    let mut best = None;
    let mut most = KNOWN;
    for language in SPOKEN.iter() {
        let share = share(language);
        if share > most {
            (best, most) = (Some(language), share);
        }
    }
    best
}

/// A sheet, made ready for looking words up.
pub(super) struct Language {
    /// What was written about it.
    pub(super) sheet: &'static Sheet,
    classes: HashMap<&'static str, Class>,
    vague: HashSet<&'static str>,
    pointers: HashSet<&'static str>,
    frame: HashSet<String>,
    /// The words of the model's own turns of phrase, folded.
    spoken: HashSet<String>,
    /// What is said in the modes that have shares, ready to be told again.
    templates: Vec<(&'static str, Template)>,
}

impl Language {
    fn new(sheet: &'static Sheet) -> Self {
        let grammar = &sheet.grammar;
        let lists = [
            (&grammar.stop_words, Class::Stop),
            (&grammar.verbs, Class::Verb),
            (&grammar.prepositions, Class::Preposition),
        ];
        let mut classes = HashMap::new();
        for (list, class) in lists {
            classes.extend(list.split_whitespace().map(|word| (word, class)));
        }
        classes.extend(grammar.articles.keys().map(|written| (written.as_str(), Class::Article)));
        let mut language = Self {
            sheet,
            classes,
            vague: grammar.vague.split_whitespace().collect(),
            pointers: grammar.pointers.split_whitespace().collect(),
            frame: HashSet::new(),
            spoken: sheet.speech.said().flat_map(UnicodeSegmentation::unicode_words).map(folded).collect(),
            templates: sheet.speech.modes.templates().map(|text| (text, Template::of(text))).collect(),
        };
        language.frame = sheet.speech.said().flat_map(|said| terms(said, &language)).collect();
        language
    }

    /// Whether a text is in this language, or in none that can be told.
    pub(super) fn fits(&self, text: &str) -> bool {
        detect(text).is_none_or(|own| own == self)
    }

    /// What the word lists say about a folded word; none for a word that carries meaning.
    pub(super) fn class(&self, folded: &str) -> Option<Class> {
        self.classes.get(folded).copied()
    }

    /// Whether a folded word means too little to ask about it alone.
    pub(super) fn is_vague(&self, folded: &str) -> bool {
        self.vague.contains(folded)
    }

    /// Whether a sentence's first word points back at the sentence before.
    pub(super) fn points_back(&self, sentence: &str) -> bool {
        sentence.unicode_words().next().is_some_and(|word| self.pointers.contains(folded(word).as_str()))
    }

    /// Whether a stem belongs to the model's own turns of phrase, so that finding it in a text tells nothing about its
    /// subject.
    pub(super) fn frames(&self, term: &str) -> bool {
        self.frame.contains(term)
    }

    /// Words in the language's quotation marks.
    pub(super) fn quoted(&self, words: &str) -> String {
        let (open, close) = &self.sheet.speech.quotes;
        let bare = words.trim_matches(['"', '“', '”', '„', '«', '»', ' ', '\u{a0}']);
        format!("{open}{bare}{close}")
    }

    /// Terms of a text, less those of the model's own turns of phrase unless nothing else is left.
    pub(super) fn subject(&self, text: &str) -> Vec<(String, String)> {
        let (own, subject): (Vec<_>, Vec<_>) =
            meaningful(&self.bare(text), self).partition(|(word, term)| self.frames(term) || self.is_mistyped(word));
        if subject.is_empty() { own } else { subject }
    }

    /// Whether a word is one of the word lists or of the model's own turns of phrase, with two letters in the wrong order.
    fn is_mistyped(&self, word: &str) -> bool {
        let word = folded(word);
        let is_own = |word: &String| self.class(word).is_some() || self.spoken.contains(word);
        word.chars().count() >= MISTYPED && !is_own(&word) && swaps(&word).iter().any(is_own)
    }

    /// 1 for a word that only this language is likely to have, else 0.
    fn recognises(&self, folded: &str) -> usize {
        let by_script =
            self.sheet.grammar.script.is_some_and(|(first, last)| folded.chars().any(|c| (first..=last).contains(&c)));
        usize::from(by_script || self.classes.contains_key(folded))
    }
}

impl std::fmt::Debug for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sheet.code)
    }
}

impl PartialEq for Language {
    fn eq(&self, other: &Self) -> bool {
        self.sheet.code == other.sheet.code
    }
}

/// A template with its `{name}` marks replaced, in one pass: what is put in is not read again.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        out.push_str(before);
        let value = from[1..].find('}').and_then(|end| {
            let (_, value) = values.iter().find(|(name, _)| *name == &from[1..=end])?;
            Some((end, value))
        });
        match value {
            Some((end, value)) => {
                out.push_str(value);
                rest = &from[end + 2..];
            }
            None => {
                out.push('{');
                rest = &from[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// The text with its first letter in upper case; opening marks before it are passed over.
pub(super) fn capitalised(text: &str) -> String {
    let Some((at, first)) = text.char_indices().find(|(_, c)| c.is_alphanumeric()) else { return text.to_owned() };
    let (head, tail) = (&text[..at], &text[at + first.len_utf8()..]);
    head.chars().chain(first.to_uppercase()).chain(tail.chars()).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::ask::INTENTS;
    use super::*;
    use serde_json::Value;

    #[test]
    fn languages_go_by_code_region_and_name() {
        for (name, code) in [
            ("en", "en"),
            ("EN_us", "en"),
            ("fr-FR", "fr"),
            ("French", "fr"),
            ("FRANÇAIS", "fr"),
            ("العربية", "ar"),
            ("arabic", "ar"),
            ("Modern Standard Arabic", "ar"),
            ("English", "en"),
            ("Spanish", "es"),
            ("German", "de"),
            (" Español ", "es"),
            ("castellano", "es"),
            ("deutsch", "de"),
        ] {
            assert_eq!(super::code(name), Some(code), "{name}");
        }
        for name in ["", "nl", "Klingon", "-", "english please"] {
            assert!(!speaks(name) && code(name).is_none(), "{name}");
        }
        assert!(LANGUAGES.iter().all(|code| speaks(code)));
    }

    #[test]
    fn texts_are_told_apart() {
        for (text, code) in [
            ("The water of the river is cold in the spring.", "en"),
            ("L'eau de la rivière est froide au printemps.", "fr"),
            ("ماء النهر بارد في فصل الربيع.", "ar"),
            ("El agua del río está fría en la primavera.", "es"),
            ("Das Wasser des Flusses ist im Frühling kalt.", "de"),
        ] {
            assert_eq!(detect(text).unwrap().sheet.code, code);
        }
        assert_eq!(detect("река зимой"), None);
        assert_eq!(detect(""), None);
    }

    /// The places of all keys of a file, but for those of its articles.
    fn keys(value: &Value, at: &str) -> Vec<String> {
        let entries = value.as_object().into_iter().flatten().filter(|_| !at.ends_with("/articles"));
        let below = |(key, value): (&String, &Value)| {
            let at = format!("{at}/{key}");
            [vec![at.clone()], keys(value, &at)].concat()
        };
        entries.flat_map(below).collect()
    }

    #[test]
    fn every_file_has_every_key_and_no_other() {
        for (file, code) in FILES.iter().zip(LANGUAGES) {
            let whole: Value = yaml::read(file, Dialect::Typed).unwrap();
            assert_eq!(serde_json::from_value::<Sheet>(whole.clone()).unwrap().code, code);
            let keys = keys(&whole, "");
            assert!(keys.len() > 40 && keys.contains(&"/speech/trace/nothing".to_owned()), "{keys:?}");
            for at in keys {
                let (above, key) = at.rsplit_once('/').unwrap();
                let mut without = whole.clone();
                let value = without.pointer_mut(above).unwrap().as_object_mut().unwrap().remove(key).unwrap();
                assert!(serde_json::from_value::<Sheet>(without.clone()).is_err(), "{code} can do without {at}");
                without.pointer_mut(above).unwrap()[format!("{key}s")] = value;
                assert!(serde_json::from_value::<Sheet>(without).is_err(), "{code} has a key that nobody reads");
            }
        }
    }

    #[test]
    fn there_is_something_to_say_for_everything() {
        for (file, code) in FILES.iter().zip(LANGUAGES) {
            let speech = &yaml::read::<Value>(file, Dialect::Typed).unwrap()["speech"];
            for at in keys(speech, "") {
                let said = speech.pointer(&at).unwrap();
                let empty = said.as_array().is_some_and(Vec::is_empty) || said.as_str().is_some_and(str::is_empty);
                assert!(!empty && (!said.is_null() || at == "/persona"), "{code} {at}");
            }
        }
    }

    #[test]
    fn every_sheet_offers_four_questions_for_every_intent() {
        for language in SPOKEN.iter() {
            let speech = &language.sheet.speech;
            for intent in INTENTS {
                let of_intent: Vec<_> = speech.questions.iter().filter(|(of, ..)| *of == intent).collect();
                assert!(of_intent.len() >= 4, "{language:?} {intent:?}");
                let plain = of_intent.iter().filter(|(.., text)| !text.contains("{b}")).count();
                assert!(plain >= 3, "{language:?} {intent:?}");
            }
            let mark = if language.sheet.code == "ar" { '؟' } else { '?' };
            for (.., text) in &speech.questions {
                assert!(text.contains("{a}") && text.ends_with(mark), "{text}");
                assert!(language.sheet.code != "ar" || !text.contains([',', ';', '?']), "{text}");
                assert!(language.sheet.code != "es" || text.contains('¿'), "{text}");
                assert!(language.sheet.code != "fr" || text.contains("\u{a0}?"), "{text}");
            }
        }
    }

    #[test]
    fn no_two_things_said_are_the_same() {
        for language in SPOKEN.iter() {
            let questions: HashSet<_> = language.sheet.speech.questions.iter().map(|(.., text)| text).collect();
            assert_eq!(questions.len(), language.sheet.speech.questions.len(), "{language:?}");
        }
    }

    #[test]
    fn what_is_filled_in_is_not_read_again() {
        assert_eq!(fill("{a} and {b}", &[("a", "{b}"), ("b", "x")]), "{b} and x");
        assert_eq!(fill("{c} {", &[("a", "1")]), "{c} {");
    }

    #[test]
    fn capitals_skip_opening_marks() {
        assert_eq!(capitalised("¿qué es?"), "¿Qué es?");
        assert_eq!(capitalised("« eau »"), "« Eau »");
        assert_eq!(capitalised("…"), "…");
    }
}
