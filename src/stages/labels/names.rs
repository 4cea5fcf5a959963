//! The names of an answer that no text it may rest on holds.
//!
//! Names are told by their capitals, where capitals tell names: not in German, whose nouns have them all, and not in Arabic,
//! which has none. A word that begins a sentence, a heading or something emphasised is not looked at.

use super::super::faults::words;
use std::collections::BTreeSet;

/// Languages in which a capital within a sentence begins a name.
const LANGUAGES: [&str; 9] = ["en", "fr", "es", "it", "pt", "nl", "sv", "pl", "ro"];

/// Words with a capital that are no names of anybody or anything in particular: the calendar and languages in English, titles,
/// measures.
const COMMON: &str = "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august \
    september october november december english french german spanish arabic italian european american christmas easter \
    earth internet web celsius fahrenheit kelvin watt mr mrs ms dr st sir god";

/// Most names that are told.
const MOST: usize = 16;

/// The names of an answer, each once and in order, of which some word stands in none of the known texts; nothing for an answer in
/// a language where capitals don't tell names.
pub(super) fn unsupported(answer: &str, known: &[&str], language: &str) -> Vec<String> {
    if !LANGUAGES.contains(&language) {
        return Vec::new();
    }
    let names = names(answer);
    if names.is_empty() {
        return Vec::new();
    }
    let known: BTreeSet<String> = known.iter().flat_map(|text| words(text)).collect();
    let is_common =
        |word: &str| COMMON.split_whitespace().any(|common| common == word || word.strip_suffix('s') == Some(common));
    let is_known = |word: &String| is_common(word) || stands(word, &known);
    let mut unsupported: Vec<String> = Vec::new();
    for name in names {
        if unsupported.len() < MOST && !unsupported.contains(&name) && !words(&name).iter().all(is_known) {
            unsupported.push(name);
        }
    }
    unsupported
}

/// Whether a word stands among others, its last letters aside where it is long: names have endings too.
fn stands(word: &str, known: &BTreeSet<String>) -> bool {
    const STEM: usize = 4;
    let letters = word.chars().count();
    let stem: String = word.chars().take(STEM.max(letters.saturating_sub(2))).collect();
    known.contains(word)
        || (letters > STEM && known.range(stem.clone()..).next().is_some_and(|one| one.starts_with(&stem)))
}

/// Words with a capital within sentences; those side by side are one name.
fn names(answer: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let prose = answer.lines().filter(|line| !line.trim_start().starts_with('#'));
    for line in prose {
        // What is emphasised, quoted or code may be a heading, a title or an identifier.
        let line = line.trim_start();
        let line = line.strip_prefix("* ").unwrap_or(line).replace("**", "*");
        let (mut begins, mut name): (bool, Vec<&str>) = (true, Vec::new());
        for (at, piece) in line.split(['*', '"', '“', '”', '«', '»', '`']).enumerate().step_by(2) {
            begins |= at > 0;
            for chunk in piece.split_whitespace() {
                let word = proper(chunk);
                match word.filter(|_| !begins) {
                    Some(word) => name.push(word),
                    None => names.extend(taken(&mut name)),
                }
                let ended = chunk.trim_end_matches([')', ']', '\'', '’']);
                begins = ended.ends_with(['.', '!', '?', ':', ';', '…', '-', '–', '—', '(', '•', '|'])
                    || (begins && !has_letters(chunk));
                if begins || chunk.ends_with([',', ')', '/']) {
                    names.extend(taken(&mut name));
                }
            }
            names.extend(taken(&mut name));
        }
    }
    names
}

fn taken(name: &mut Vec<&str>) -> Option<String> {
    let words = std::mem::take(name);
    (!words.is_empty()).then(|| words.join(" "))
}

fn has_letters(chunk: &str) -> bool {
    chunk.chars().any(char::is_alphabetic)
}

/// The word of a chunk between blanks that begins with a capital and goes on in small letters, without an article before it or
/// an ending behind it.
fn proper(chunk: &str) -> Option<&str> {
    let core = chunk.trim_matches(|c: char| !c.is_alphanumeric());
    core.split(['\'', '’']).find(|part| {
        let mut letters = part.chars();
        letters.next().is_some_and(char::is_uppercase)
            && letters.clone().count() >= 2
            && letters.all(|c| c.is_lowercase() || c == '-' || c.is_uppercase())
            && part.chars().any(char::is_lowercase)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_stand_nowhere_are_told() {
        for (language, answer, known, expected) in [
            ("en", "It was built by John Smeaton in Plymouth.", "Smeaton built it.", &["John Smeaton", "Plymouth"][..]),
            ("en", "It was Smeaton's tower, in the Eddystone Rocks.", "Smeaton, on the eddystone rocks", &[]),
            ("fr", "Selon lui, c’est l’Église de Paris qui paie.", "Il parle de l'église.", &["Paris"]),
            ("fr", "Le thé vient de Chine. Il arrive à Londres.", "le thé de Chine", &["Londres"]),
            ("es", "Los refugios de Aragón y de los Pirineos abren.", "refugios del Pirineo", &["Aragón"]),
            (
                "en",
                "**Key Points**: I think NASA runs on Monday.\n# The Great Heading\n1. Check The Oven.",
                "",
                &["The Oven"],
            ),
            ("en", "In *The Great Gatsby*, “Old Sport” and `Vec String` are said.", "", &[]),
            ("de", "Das Haus von Goethe in Weimar.", "", &[]),
            ("ar", "قال محمد ذلك.", "", &[]),
        ] {
            assert_eq!(unsupported(answer, &[known], language), expected, "{answer}");
        }
    }
}
