//! Number words: what they are worth one by one ("seven"), joined ("fünfundzwanzig") and in a row ("two hundred").

use crate::domain::language::number_words;
use crate::domain::normalisation::is_optional;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

/// Number words of all languages of the table, with those that are written as one word.
static WORDS: LazyLock<HashMap<String, u64>> = LazyLock::new(|| {
    let mut words = HashMap::new();
    for (code, own) in number_words() {
        words.extend(own.iter().map(|(word, value)| (folded(word), *value)));
        words.extend(joined(code, own));
    }
    words
});

/// Words that may stand between two number words of one number.
const AND: [&str; 8] = ["and", "et", "y", "e", "und", "en", "و", "a"];

/// What a number word in lower case is worth.
pub(super) fn value(word: &str) -> Option<u64> {
    let word = folded(word);
    let known = |word: &str| WORDS.get(word).copied();
    known(&word)
        .or_else(|| ["وال", "ال", "و", "ب", "ل", "ف"].iter().find_map(|prefix| known(word.strip_prefix(prefix)?)))
}

/// All values that the number words of a text stand for, alone and together with their neighbours.
pub(super) fn values(text: &str) -> BTreeSet<u64> {
    let mut values = BTreeSet::new();
    // The number read so far, its thousands and above, and whether the last word was an "and".
    let (mut current, mut above, mut and) = (None::<u64>, 0_u64, false);
    let lower = text.to_lowercase();
    for word in lower.split(|c: char| !c.is_alphabetic() && !is_optional(c)).filter(|word| !word.is_empty()) {
        let Some(value) = value(word) else {
            let goes_on = !and && current.is_some() && AND.contains(&word);
            if !goes_on {
                (current, above) = (None, 0);
            }
            and = goes_on;
            continue;
        };
        values.insert(value);
        if value >= 1_000 {
            above = above.saturating_add(current.unwrap_or(1).saturating_mul(value));
            current = Some(0);
            values.insert(above);
        } else {
            let together = current.and_then(|before| combined(before, value));
            above = if together.is_some() { above } else { 0 };
            current = Some(together.unwrap_or(value));
            values.extend(current.map(|current| above.saturating_add(current)));
        }
        and = false;
    }
    values
}

/// What two number words in a row are worth together; none where they are two numbers.
fn combined(before: u64, value: u64) -> Option<u64> {
    let tens = before % 100;
    match value {
        100 if (2..10).contains(&before) => Some(before * 100),
        20 if before == 4 => Some(80),
        _ if before.is_multiple_of(100) && value < 100 => Some(before + value),
        10 | 20 | 30 | 40 | 50 | 60 | 70 | 80 | 90 if (1..10).contains(&before) => Some(before + value),
        1..10 if tens >= 20 && tens.is_multiple_of(10) => Some(before + value),
        10..20 if tens == 60 || tens == 80 => Some(before + value),
        7..10 if tens == 10 => Some(before + value),
        _ => None,
    }
}

/// Numbers that a language writes as one word: German and Dutch put the unit first, Italian the ten.
fn joined(code: &str, words: &BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let of = |from: u64, to: u64| words.iter().filter(move |(_, value)| (from..to).contains(value));
    let mut joined = Vec::new();
    for (unit, value) in of(1, 10) {
        for (ten, tens) in of(20, 100) {
            let sum = value + tens;
            match code {
                "de" => joined.push((format!("{unit}und{ten}"), sum)),
                "nl" => joined.extend([(format!("{unit}en{ten}"), sum), (format!("{unit}ën{ten}"), sum)]),
                "it" => {
                    let short: String = ten.chars().take(ten.chars().count() - 1).collect();
                    joined.extend([(format!("{ten}{unit}"), sum), (format!("{short}{unit}"), sum)]);
                    joined.push((format!("{ten}tré"), tens + 3));
                }
                _ => {}
            }
        }
        if matches!(code, "de" | "nl" | "it") {
            joined.extend(of(100, 101).map(|(hundred, hundreds)| (format!("{unit}{hundred}"), value * hundreds)));
        }
    }
    joined
}

/// A word without Arabic vowel signs, and with one spelling of the letters that are often written in two ways.
fn folded(word: &str) -> String {
    let fold = |c| match c {
        'أ' | 'إ' | 'آ' => 'ا',
        'ى' => 'ي',
        'ة' => 'ه',
        other => other,
    };
    word.chars().filter(|c| !is_optional(*c)).map(fold).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_a_row_are_one_number() {
        for (text, expected) in [
            ("seven days", 7),
            ("Twenty-five percent", 25),
            ("two hundred and fifty thousand euros", 250_000),
            ("one thousand two hundred", 1_200),
            ("quatre-vingt-dix-sept pages", 97),
            ("soixante et onze ans", 71),
            ("dix-sept", 17),
            ("deux cent trente", 230),
            ("fünfundzwanzig Tage", 25),
            ("zweihundert", 200),
            ("veinticinco, treinta y dos", 32),
            ("ventotto", 28),
            ("ventitré", 23),
            ("vinte e cinco", 25),
            ("tweeëntwintig", 22),
            ("خمسة وعشرون يوما", 25),
            ("ثلاثة عشر", 13),
            ("لسبعة أيام", 7),
            ("أَرْبَعَة", 4),
            ("ثلاثة آلاف", 3_000),
        ] {
            assert!(values(text).contains(&expected), "{text}: {:?}", values(text));
        }
    }

    #[test]
    fn words_apart_are_two_numbers() {
        for (text, never) in [("seven days and twenty nights", 27), ("two, then a few, then thirty", 32)] {
            assert!(!values(text).contains(&never), "{text}");
        }
        assert!(values("nothing to count here").is_empty());
    }

    #[test]
    fn no_word_has_two_values() {
        let mut seen: BTreeMap<String, u64> = BTreeMap::new();
        for (word, value) in number_words().values().flatten() {
            assert_eq!(*seen.entry(folded(word)).or_insert(*value), *value, "{word}");
        }
    }
}
