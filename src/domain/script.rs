//! The scripts that languages are written in, and which of them a letter belongs to.

use serde::Deserialize;

/// A script, or the scripts that one language mixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Script {
    /// The letters of English and of most languages of Europe.
    Latin,
    /// The letters of Arabic, Persian and Urdu.
    Arabic,
    /// The letters of Russian and Ukrainian.
    Cyrillic,
    /// The letters of Greek.
    Greek,
    /// The letters of Hebrew.
    Hebrew,
    /// The letters of Hindi and Marathi.
    Devanagari,
    /// The letters of Bengali.
    Bengali,
    /// The letters of Tamil.
    Tamil,
    /// The letters of Thai.
    Thai,
    /// The letters of Korean.
    Hangul,
    /// The characters of Chinese, which Japanese uses too.
    Han,
    /// Hiragana and katakana. As the script of a language: these together with the characters of Chinese.
    Japanese,
}

/// Ranges of the letters of each script, after Unicode's `Blocks.txt`.
const RANGES: [(Script, char, char); 30] = [
    (Script::Latin, 'A', 'Z'),
    (Script::Latin, 'a', 'z'),
    (Script::Latin, '\u{aa}', '\u{24f}'),
    (Script::Latin, '\u{1e00}', '\u{1eff}'),
    (Script::Latin, '\u{ff21}', '\u{ff5a}'),
    (Script::Arabic, '\u{600}', '\u{6ff}'),
    (Script::Arabic, '\u{750}', '\u{77f}'),
    (Script::Arabic, '\u{8a0}', '\u{8ff}'),
    (Script::Arabic, '\u{fb50}', '\u{fdff}'),
    (Script::Arabic, '\u{fe70}', '\u{feff}'),
    (Script::Cyrillic, '\u{400}', '\u{52f}'),
    (Script::Cyrillic, '\u{1c80}', '\u{1c8f}'),
    (Script::Greek, '\u{370}', '\u{3ff}'),
    (Script::Greek, '\u{1f00}', '\u{1fff}'),
    (Script::Hebrew, '\u{590}', '\u{5ff}'),
    (Script::Hebrew, '\u{fb1d}', '\u{fb4f}'),
    (Script::Devanagari, '\u{900}', '\u{97f}'),
    (Script::Bengali, '\u{980}', '\u{9ff}'),
    (Script::Tamil, '\u{b80}', '\u{bff}'),
    (Script::Thai, '\u{e00}', '\u{e7f}'),
    (Script::Hangul, '\u{1100}', '\u{11ff}'),
    (Script::Hangul, '\u{3130}', '\u{318f}'),
    (Script::Hangul, '\u{ac00}', '\u{d7af}'),
    (Script::Han, '\u{3400}', '\u{4dbf}'),
    (Script::Han, '\u{4e00}', '\u{9fff}'),
    (Script::Han, '\u{f900}', '\u{faff}'),
    (Script::Han, '\u{20000}', '\u{323af}'),
    (Script::Japanese, '\u{3040}', '\u{309f}'),
    (Script::Japanese, '\u{30a0}', '\u{30ff}'),
    (Script::Japanese, '\u{ff66}', '\u{ff9f}'),
];

impl Script {
    /// The script of a letter; none for what is not a letter, and for scripts that are not listed here.
    pub fn of(letter: char) -> Option<Self> {
        if !letter.is_alphabetic() {
            return None;
        }
        RANGES.iter().find(|(_, first, last)| (*first..=*last).contains(&letter)).map(|(script, ..)| *script)
    }

    /// Whether texts of this script may hold letters of another one as their own.
    pub fn holds(self, other: Self) -> bool {
        self == other || (self == Self::Japanese && other == Self::Han)
    }

    /// What its letters are called in an English sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Latin => "Latin letters",
            Self::Arabic => "Arabic letters",
            Self::Cyrillic => "Cyrillic letters",
            Self::Greek => "Greek",
            Self::Hebrew => "Hebrew",
            Self::Devanagari => "Devanagari letters",
            Self::Bengali => "Bengali",
            Self::Tamil => "Tamil",
            Self::Thai => "Thai",
            Self::Hangul => "Korean",
            Self::Han => "Chinese",
            Self::Japanese => "Japanese",
        }
    }
}

/// Whether a character is of an alphabet that is written without blanks between words: Thai, Lao, Burmese, Khmer.
pub fn is_unspaced(character: char) -> bool {
    matches!(character, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_have_a_script_and_nothing_else_has() {
        for (letters, script) in [
            ("aZéßÿłạ", Script::Latin),
            ("كپۀ", Script::Arabic),
            ("жЇ", Script::Cyrillic),
            ("ωά", Script::Greek),
            ("א", Script::Hebrew),
            ("क", Script::Devanagari),
            ("ক", Script::Bengali),
            ("த", Script::Tamil),
            ("ก", Script::Thai),
            ("한", Script::Hangul),
            ("水", Script::Han),
            ("のカ", Script::Japanese),
        ] {
            for letter in letters.chars() {
                assert_eq!(Script::of(letter), Some(script), "{letter}");
            }
        }
        for other in "1 ٣.,؟،×÷€→😀".chars() {
            assert_eq!(Script::of(other), None, "{other}");
        }
    }

    #[test]
    fn japanese_holds_chinese_characters() {
        assert!(Script::Japanese.holds(Script::Han) && !Script::Hangul.holds(Script::Han));
        assert!(!Script::Han.holds(Script::Japanese) && !Script::Latin.holds(Script::Greek));
    }
}
