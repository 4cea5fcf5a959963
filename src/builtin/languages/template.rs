//! Texts that were made from a template: which they are, and what was filled in.

use super::Language;
use unicode_segmentation::UnicodeSegmentation;

/// What stands in a text in the place of the mark of the template that it was made from; none where it was made otherwise.
/// Words with letters in another order count as the same, since people mistype them.
pub(in crate::builtin) fn filled_in<'t>(template: &str, text: &'t str) -> Option<&'t str> {
    let (before, after) = template.split_once('{')?;
    let (before, after) = (keys(before), keys(after.split_once('}')?.1));
    let words: Vec<(usize, &str)> = text.unicode_word_indices().collect();
    let found: Vec<String> = words.iter().map(|(_, word)| key(word)).collect();
    let start = place(&before, &found)? + before.len();
    let from = words.get(start)?.0;
    let rest = &text[from..];
    let end = if after.is_empty() {
        from + rest.find(['.', '?', '!', '؟', '\u{a0}', ':']).unwrap_or(rest.len())
    } else {
        let last = place(&after, &found[start..]).filter(|length| *length > 0)?;
        let (at, word) = words[start + last - 1];
        at + word.len()
    };
    Some(text[from..end].trim_matches(|c: char| !c.is_alphanumeric()))
}

/// Where the words begin among others; at the start where there are none.
fn place(words: &[String], among: &[String]) -> Option<usize> {
    if words.is_empty() {
        return Some(0);
    }
    among.windows(words.len()).position(|window| window == words)
}

fn keys(text: &str) -> Vec<String> {
    text.unicode_words().map(key).collect()
}

fn key(word: &str) -> String {
    let mut letters: Vec<char> = word.to_lowercase().chars().collect();
    letters.sort_unstable();
    letters.into_iter().collect()
}

impl Language {
    /// A message without the words around what it is about: those of a greeting, and of a template that it was made from.
    pub(super) fn bare(&self, message: &str) -> String {
        let speech = &self.sheet.speech;
        let mut bare = message.to_owned();
        for greeting in speech.chatty.iter().chain(&speech.formal) {
            bare = bare.replace(greeting.as_str(), "");
        }
        let filled = speech.modes.templates().find_map(|template| filled_in(template, &bare)).map(str::to_owned);
        filled.unwrap_or(bare)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::find;
    use super::*;

    #[test]
    fn what_was_filled_in_is_found() {
        for (template, text, expected) in [
            ("which book about {a} is it?", "Which book about the old kiln is it?", Some("the old kiln")),
            ("which book about {a} is it?", "whcih boko about the kiln is it", Some("the kiln")),
            ("which book about {a} is it?", "Which film about the kiln is it?", None),
            ("which book about {a} is it?", "Which book about is it?", None),
            ("I am thinking of {a}.", "Hi! I am thinking of rye bread. Be brief.", Some("rye bread")),
            ("I am thinking of {a}.", "I am thinking of", None),
            ("أفكر هنا في {a}.", "أفكر هنا في الخبز.", Some("الخبز")),
        ] {
            assert_eq!(filled_in(template, text), expected, "{text}");
        }
    }

    #[test]
    fn greetings_and_frames_are_no_subject() {
        let english = find("en").unwrap();
        let words = |text| english.subject(text).into_iter().map(|(word, _)| word).collect::<Vec<_>>();
        assert_eq!(
            words("Hi there! I have been wondering about this all day. And is it the same with rye dough?"),
            ["rye", "dough"]
        );
        assert_eq!(words("How long does rye dough rest?"), ["rye", "dough", "rest"]);
    }
}
