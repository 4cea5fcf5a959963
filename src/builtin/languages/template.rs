//! Texts that were made from a template: which they are, and what was filled in.

use super::Language;
use unicode_segmentation::UnicodeSegmentation;

/// A sentence with a mark in it, as the words before and after the mark. Words with letters in another order count as the same,
/// since people mistype them.
pub(in crate::builtin) struct Template {
    before: Vec<String>,
    after: Vec<String>,
}

impl Template {
    /// That of a sentence; all its words stand before the mark where it has none.
    pub(in crate::builtin) fn of(sentence: &str) -> Self {
        let (before, rest) = sentence.split_once('{').unwrap_or((sentence, ""));
        let after = rest.split_once('}').map_or("", |(_, after)| after);
        let keys = |text: &str| text.unicode_words().map(key).collect();
        Self { before: keys(before), after: keys(after) }
    }

    /// What stands in a text in the place of the mark; none where the text is not made from the template.
    pub(in crate::builtin) fn filled_in<'t>(&self, text: &Words<'t>) -> Option<&'t str> {
        let Words { text, words, keys } = text;
        let start = place(&self.before, keys)? + self.before.len();
        let from = *words.get(start)?;
        let rest = &text[from..];
        let end = if self.after.is_empty() {
            from + rest.find(['.', '?', '!', '؟', ':']).unwrap_or(rest.len())
        } else {
            let after = place(&self.after, &keys[start..]).filter(|length| *length > 0)?;
            words[start + after]
        };
        Some(text[from..end].trim_matches(|c: char| !c.is_alphanumeric()))
    }
}

/// A text, by its words.
pub(in crate::builtin) struct Words<'t> {
    text: &'t str,
    /// Where each word begins.
    words: Vec<usize>,
    keys: Vec<String>,
}

impl<'t> Words<'t> {
    /// Those of a text, in order.
    pub(in crate::builtin) fn of(text: &'t str) -> Self {
        let (words, keys) = text.unicode_word_indices().map(|(at, word)| (at, key(word))).unzip();
        Self { text, words, keys }
    }
}

/// Where the words begin among others; at the start where there are none.
fn place(words: &[String], among: &[String]) -> Option<usize> {
    if words.is_empty() {
        return Some(0);
    }
    among.windows(words.len()).position(|window| window == words)
}

fn key(word: &str) -> String {
    let mut letters: Vec<char> = word.to_lowercase().chars().collect();
    letters.sort_unstable();
    letters.into_iter().collect()
}

/// What a message adds to a need that is told piece by piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::builtin) enum Piece {
    /// One more piece of it.
    Something,
    /// That there is no more of it.
    Nothing,
}

impl Language {
    /// What a later message adds to a need, by its words; none of a message of another kind.
    pub(in crate::builtin) fn piece(&self, message: &str) -> Option<Piece> {
        let modes = &self.sheet.speech.modes;
        let words = Words::of(message);
        let says = |sentence: &String| place(&Words::of(sentence).keys, &words.keys).is_some();
        if modes.no_more.iter().any(says) {
            return Some(Piece::Nothing);
        }
        let pieces = [&modes.piece, &modes.last_piece];
        let is_made = self.template(message).is_some_and(|(template, _)| pieces.iter().any(|one| *one == template));
        is_made.then_some(Piece::Something)
    }

    /// The template of a mode that a message was made from, and what is filled in; none of any other message.
    pub(in crate::builtin) fn template<'t>(&self, message: &'t str) -> Option<(&'static str, &'t str)> {
        let words = Words::of(message);
        self.templates.iter().find_map(|(sentence, template)| Some((*sentence, template.filled_in(&words)?)))
    }

    /// A message without the words around what it is about: those of a greeting, and of a template that it was made from.
    pub(super) fn bare(&self, message: &str) -> String {
        let mut bare = message.to_owned();
        for greeting in self.sheet.speech.greetings() {
            bare = bare.replace(greeting.as_str(), "");
        }
        self.template(&bare).map(|(_, about)| about.to_owned()).unwrap_or(bare)
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
            assert_eq!(Template::of(template).filled_in(&Words::of(text)), expected, "{text}");
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
        assert_eq!(words("How long does rye dough rest?"), ["long", "rye", "dough", "rest"]);
    }
}
