//! When two questions are the same: the pipelines that take away what does not tell them apart.

use super::script::Script;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;

/// A version of how questions are normalised before they are compared. Stored fingerprints depend on it, so a version
/// never changes: another way is another version, and an output folder stays with the one it began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Normalisation {
    /// Lower case, and white space collapsed: that of the Python original.
    Contract,
    /// The same on compatibility forms (NFKC): that of earlier releases, which did not record it.
    Compatible,
    /// The same without invisible characters, the tatweel and vowel signs of Arabic, the points of Hebrew, and the
    /// punctuation of sentences.
    #[default]
    Full,
}

impl Normalisation {
    const NAMES: [(Self, &'static str); 3] =
        [(Self::Contract, "contract"), (Self::Compatible, "compatible"), (Self::Full, "full")];

    /// The name it is recorded and configured under.
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(version, _)| *version == self).map_or("", |(_, name)| name)
    }

    /// The version of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(version, _)| *version)
    }

    /// What is left of a text; two are the same question where that is equal.
    ///
    /// ```
    /// use dlgforge::domain::Normalisation;
    ///
    /// assert_eq!(Normalisation::Full.of("“What is C++ 1.5”, please？"), "what is c++ 1.5 please");
    /// assert_eq!(Normalisation::Contract.of(" What  is C++?"), "what is c++?");
    /// ```
    pub fn of(self, text: &str) -> String {
        match self {
            Self::Contract => collapsed(&text.to_lowercase()),
            Self::Compatible => compatible(text),
            Self::Full => full(text),
        }
    }
}

/// Unicode NFKC, lower-cased, white space collapsed to single spaces and trimmed.
pub fn compatible(text: &str) -> String {
    collapsed(&lowered(&nfkc(text)))
}

fn full(text: &str) -> String {
    let telling = |c: &char| matches!(c, ' '..='~') || !is_invisible(*c) && !is_optional(*c);
    let lowered = lowered(&nfkc(text).chars().filter(telling).collect::<String>());
    // Letters that come to stand side by side may be one.
    let plain = nfkc(&without_marks(&lowered)).into_owned();
    // What is nothing but punctuation is told apart by it.
    if plain.is_empty() { collapsed(&lowered) } else { plain }
}

/// The compatibility form of a text; ASCII is its own.
pub fn nfkc(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { text.into() } else { text.nfkc().collect::<String>().into() }
}

/// Lower-cased, and composed again where that parted anything.
fn lowered(text: &str) -> String {
    nfkc(&text.to_lowercase()).into_owned()
}

/// Without white space at its ends; single blanks for the rest of it.
pub fn collapsed(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// What no reader sees: control characters, and what Unicode calls default ignorable (`DerivedCoreProperties.txt`), among
/// it marks of direction, variation selectors and joiners. Joiners too: in Persian and the scripts of India they choose
/// between shapes of a word, and writers leave them out.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
        || c.is_control() && !c.is_whitespace()
}

/// Signs that writers of Arabic and Hebrew may leave out: tatweel, tashkil and the signs of the Quran; niqqud and the
/// accents of the Bible. Not the hamza, which is part of its letter, nor the marks of any other script: there they are
/// vowels and letters of their own.
pub fn is_optional(c: char) -> bool {
    matches!(c,
        '\u{640}' | '\u{64b}'..='\u{652}' | '\u{656}'..='\u{658}' | '\u{670}' | '\u{610}'..='\u{61a}'
        | '\u{6d6}'..='\u{6dc}' | '\u{6df}'..='\u{6e4}' | '\u{6e7}'..='\u{6e8}' | '\u{6ea}'..='\u{6ed}'
        | '\u{8d3}'..='\u{8e1}' | '\u{8e3}' | '\u{8f0}'..='\u{8f3}'
        | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}'..='\u{5c2}' | '\u{5c4}'..='\u{5c5}' | '\u{5c7}')
}

/// Signs that end or part sentences, in ASCII.
fn is_stop(c: char) -> bool {
    matches!(c, '.' | ',' | ';' | ':' | '!' | '?')
}

/// Signs that part sentences or quote and do nothing else, wherever they stand: dashes, and the stops and quotation marks
/// of many scripts.
fn is_mark(c: char) -> bool {
    matches!(
        c,
        '¿' | '¡'
            | '«'
            | '»'
            | '–'
            | '—'
            | '―'
            | '“'
            | '”'
            | '„'
            | '‟'
            | '‚'
            | '‛'
            | '‹'
            | '›'
            | '…'
            | '،'
            | '؛'
            | '؟'
            | '۔'
            | '।'
            | '॥'
            | '።'
            | '፣'
            | '፤'
            | '፥'
            | '፧'
            | '՜'
            | '՝'
            | '՞'
            | '։'
            | '។'
            | '៕'
            | '၊'
            | '။'
            | '·'
            | '、'
            | '。'
            | '〈'
            | '〉'
            | '《'
            | '》'
            | '「'
            | '」'
            | '『'
            | '』'
            | '・'
    )
}

/// Plain signs for those that are written in several ways within words.
fn folded(c: char) -> char {
    match c {
        '’' | '‘' | 'ʼ' | '′' | '׳' | '`' => '\'',
        '״' | '″' => '"',
        '‐' | '‑' | '־' => '-',
        c => c,
    }
}

/// Without the punctuation of sentences, which stands at the ends of words. What stands within a word (`1.5`, `don't`,
/// `node.js`) and stops in front of one (`.net`, `!=`) stay, and so does every sign that is no punctuation of sentences
/// (`c++`, `-5`, `#1`).
fn without_marks(text: &str) -> String {
    let (mut plain, mut before, mut signs) = (String::with_capacity(text.len()), ' ', Vec::new());
    let mut letters = text.chars().map(folded).peekable();
    while let Some(letter) = letters.next() {
        if is_sign(letter) {
            signs.push(letter);
            signs.extend(std::iter::from_fn(|| letters.next_if(|letter| is_sign(*letter))));
            plain.extend(kept(before, &signs, letters.peek().copied().unwrap_or(' ')));
            signs.clear();
        } else {
            plain.push(letter);
            before = letter;
        }
    }
    collapsed(&plain)
}

/// What stays of a run of signs between these two letters.
fn kept(before: char, signs: &[char], after: char) -> Vec<char> {
    let unparted = is_unparted(before) || is_unparted(after);
    if unparted || after.is_whitespace() {
        Vec::new()
    } else if before.is_whitespace() {
        signs.iter().copied().filter(|sign| is_stop(*sign)).collect()
    } else if signs.len() == 1 && before.is_ascii_digit() && after.is_ascii_digit()
        || !signs.iter().any(|c| is_mark(*c))
    {
        signs.to_vec()
    } else {
        vec![' ']
    }
}

fn is_sign(c: char) -> bool {
    if c.is_ascii() { is_stop(c) || matches!(c, '"' | '\'') } else { is_mark(c) }
}

/// Whether a letter is of a script that does not part its words by blanks.
fn is_unparted(letter: char) -> bool {
    matches!(Script::of(letter), Some(Script::Han | Script::Japanese | Script::Thai))
        || matches!(letter, '\u{e80}'..='\u{eff}' | '\u{f00}'..='\u{fff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_does_not_tell_questions_apart_is_left_out() {
        for (one, others) in [
            (
                "ما هي قاعدة التخزين؟",
                &["ما هي قاعدة\u{200f} التخزين؟", "ما هي قاعدة التخـــزين", "ما هِيَ قاعِدَةُ التَّخْزِين؟!"][..],
            ),
            (
                "What is a WAL?",
                &["what is a  WAL", "“What is a ‘WAL’”?", "What is a WAL…", "What, is a WAL?!", "Ｗｈａｔ is a WAL？"],
            ),
            ("מה זה שבת?", &["מַה זֶּה שַׁבָּת?", "מה זה שבת", "\u{202b}מה זה שבת\u{202c}?"]),
            ("Don't we – all?", &["don’t we—all", "«Don't» we, all?"]),
            ("ﬁle № 1", &["FILE no 1", "fi\u{ad}le no 1"]),
            ("Caf\u{e9}", &["cafe\u{301}", "cafe\u{200d}\u{301}"]),
            ("你好，世界？", &["你好世界", "你好,世界。", "「你好」世界!"]),
            ("¿Qué es?", &["qué es"]),
            ("می\u{200c}خواهم؟", &["میخواهم"]),
            ("यह क्या है?", &["यह क्या है।", "यह क\u{94d}\u{200d}या है"]),
            ("Quoi ?", &["quoi?", "Quoi"]),
        ] {
            for other in others {
                assert_eq!(Normalisation::Full.of(one), Normalisation::Full.of(other), "{one:?} / {other:?}");
            }
        }
    }

    #[test]
    fn what_tells_questions_apart_stays() {
        let apart = [
            ("What is C++?", "What is C?"),
            ("What is -5?", "What is 5?"),
            ("Is it 1.5?", "Is it 15?"),
            ("Is it 1–5?", "Is it 15?"),
            ("Is #1 here?", "Is 1 here?"),
            ("What is .NET?", "What is NET?"),
            ("a != b?", "a = b?"),
            ("3:15?", "315?"),
            ("What is [] here?", "What is {} here?"),
            ("5%", "5"),
            ("we're", "were"),
            ("résumé", "resume"),
            ("की", "का"),
            ("कि", "क"),
            ("ไม่", "ไม"),
            ("ใกล้ไหม", "ใกลไหม"),
            ("각", "가"),
            ("கி", "க"),
            ("أن", "ان"),
            ("سأل", "سال"),
            ("が", "か"),
            ("й", "и"),
            ("???", "!!!"),
        ];
        for (one, other) in apart {
            assert_ne!(Normalisation::Full.of(one), Normalisation::Full.of(other), "{one:?} / {other:?}");
        }
    }

    #[test]
    fn earlier_versions_are_as_they_were() {
        let of = |version: Normalisation| ["ＡＢＣ\u{3000}x?", "ﬁ\u{200f}"].map(|text| version.of(text));
        assert_eq!(of(Normalisation::Contract), ["ａｂｃ x?", "ﬁ\u{200f}"]);
        assert_eq!(of(Normalisation::Compatible), ["abc x?", "fi\u{200f}"]);
        for (version, name) in Normalisation::NAMES {
            assert_eq!((Normalisation::named(name), version.as_str()), (Some(version), name));
        }
    }

    /// Words of scripts whose marks are letters, and of those whose marks are optional.
    const WORDS: [&str; 12] = [
        "हिन्दी",
        "বাংলা",
        "தமிழ்",
        "ภาษาไทย",
        "한국어",
        "français",
        "Ελλάδα",
        "العربية",
        "עברית",
        "日本語",
        "русский",
        "ລາວ",
    ];

    proptest! {
        #[test]
        fn ascii_is_its_own_compatibility_form(text in "[\\x00-\\x7f]{0,40}") {
            prop_assert_eq!(text.nfkc().collect::<String>(), nfkc(&text));
        }

        #[test]
        fn what_is_normalised_stays_as_it_is(text in any::<String>(), marks in "[a1 .,!?'\"“”«»—…،؟。「」\u{640}\u{64e}\u{5b8}\u{200d}語न]{0,20}") {
            for version in [Normalisation::Contract, Normalisation::Compatible, Normalisation::Full] {
                for text in [&text, &marks] {
                    let once = version.of(text);
                    prop_assert_eq!(version.of(&once), once.clone(), "{:?}", version);
                }
            }
        }

        #[test]
        fn signs_between_letters_make_no_other_question(
            words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 1..5),
            at in any::<prop::sample::Index>(), end in "[?!.؟۔…»”]{0,3}",
            sign in prop::sample::select(vec!['\u{200b}', '\u{200e}', '\u{200f}', '\u{2066}', '\u{feff}', '\u{fe0f}', '\u{e0020}', '\u{1}']),
        ) {
            let plain = words.join(" ");
            let mut letters: Vec<char> = plain.chars().collect();
            letters.insert(at.index(letters.len() + 1), sign);
            let marked: String = letters.into_iter().collect();
            prop_assert_eq!(Normalisation::Full.of(&format!("{marked}{end}")), Normalisation::Full.of(&plain));
        }

        #[test]
        fn letters_and_marks_of_other_scripts_are_all_kept(word in prop::sample::select(WORDS.to_vec())) {
            prop_assert_eq!(Normalisation::Full.of(word), compatible(word));
        }
    }
}
