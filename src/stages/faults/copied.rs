//! A message that repeats the instructions it was asked with.

use super::words;
use std::collections::HashSet;
use xxhash_rust::xxh3::xxh3_64;

/// Words in a row that nobody writes by chance as a prompt has them.
const RUN: usize = 8;
/// Words that nobody begins a message with by chance as a prompt begins a line.
const OPENING: usize = 5;

/// The prompts' own text, ready for finding pieces of it in messages.
#[derive(Debug, Clone, Default)]
pub(in crate::stages) struct PromptText {
    /// A hash of every run of eight words that stands in one template between two tags.
    runs: HashSet<u64>,
    /// A hash of the first five words of every line that begins with so many.
    openings: HashSet<u64>,
    /// The words of each direction.
    directions: Vec<Vec<String>>,
}

impl PromptText {
    /// The text of MiniJinja templates, without what they fill in, and without statements and comments; and directions,
    /// short messages that nobody says.
    pub(in crate::stages) fn new<'a>(templates: impl IntoIterator<Item = &'a str>, directions: &[&str]) -> Self {
        let directions = directions.iter().map(|direction| words(direction)).collect();
        let mut own = Self { directions, ..Self::default() };
        for template in templates {
            own.runs.extend(pieces(template).into_iter().flat_map(|piece| runs(&words(piece), RUN)));
            let openings = template.lines().filter_map(|line| pieces(line).first().map(|piece| words(piece)));
            own.openings.extend(openings.filter_map(|words| opening(&words)));
        }
        own
    }

    /// The fault of a message with eight words in a row of the prompts' own, or that begins with the first five of a line
    /// of theirs or with a direction, case and punctuation aside.
    pub(in crate::stages) fn found_in(&self, message: &str) -> Option<String> {
        let said = self.said_in(message)?;
        Some(format!("the message repeats its instructions ({said:?}): write only what its writer would say"))
    }

    /// What such a message repeats, in lower case and without punctuation.
    pub(in crate::stages) fn said_in(&self, message: &str) -> Option<String> {
        let words = words(message);
        let run = runs(&words, RUN).iter().position(|run| self.runs.contains(run)).map(|at| &words[at..at + RUN]);
        let opening = || opening(&words).filter(|opening| self.openings.contains(opening)).map(|_| &words[..OPENING]);
        let direction = || self.directions.iter().find(|direction| words.starts_with(direction)).map(Vec::as_slice);
        Some(run.or_else(opening).or_else(direction)?.join(" "))
    }
}

/// A hash of the first words of a text, if it has so many.
fn opening(words: &[String]) -> Option<u64> {
    runs(words.get(..OPENING)?, OPENING).pop()
}

/// A hash of each run of so many words of a text, in order.
fn runs(words: &[String], length: usize) -> Vec<u64> {
    let hashes: Vec<u64> = words.iter().map(|word| xxh3_64(word.as_bytes())).collect();
    let bytes = |run: &[u64]| run.iter().flat_map(|hash| hash.to_le_bytes()).collect::<Vec<u8>>();
    hashes.windows(length).map(|run| xxh3_64(&bytes(run))).collect()
}

/// The text of a template between its tags, and the texts in its expressions.
fn pieces(template: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = template;
    loop {
        let tags = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")];
        let next = tags.iter().filter_map(|(open, close)| Some((rest.find(open)?, *close))).min();
        let Some((at, close)) = next else {
            pieces.push(rest);
            return pieces;
        };
        pieces.push(&rest[..at]);
        let inside = &rest[at + 2..];
        let end = inside.find(close);
        if close == "}}" {
            // What an expression chooses from stands in it between quotation marks.
            pieces.extend(inside[..end.unwrap_or(inside.len())].split('"').skip(1).step_by(2));
        }
        rest = end.map_or("", |end| &inside[end + 2..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "Write the user's message of turn {{ turn_index }} of {{ n_turns }}.\n\
        {# a note that no model ever reads, whatever it says #}{% if x == \"one two three four five six seven eight\" %}\n\
        Ask the one question this person would really ask next: specific.{% endif %}\n\
        Écrivez le prochain message de la personne, et rien de plus.";

    #[test]
    fn text_between_tags_is_the_prompts_own() {
        assert_eq!(pieces("a {{ b }}c{% d == \"x\" %}{# e #} f"), ["a ", "c", "", " f"]);
        assert_eq!(pieces("a {{ {\"b\": \"It is so.\"}[c] }}."), ["a ", "b", "It is so.", "."]);
        assert_eq!(pieces("a {{ b"), ["a ", ""]);
        assert_eq!(pieces("a } b"), ["a } b"]);
    }

    #[test]
    fn words_of_a_prompt_are_told() {
        let prompts = PromptText::new([TEMPLATE], &[]);
        for message in [
            "Ask the one question this person would really ask next",
            "Okay: \"ask THE one question, this person would really ask\" it is.",
            "Question ? Écrivez le prochain message de la personne et rien de plus.",
            "Ask the one question this person has.",
            "Write the user's message of turn 1 of 2.",
        ] {
            assert!(prompts.found_in(message).is_some(), "{message}");
        }
        let fault = prompts.found_in("Ask the one question this person would really ask").unwrap_or_default();
        assert!(fault.contains("(\"ask the one question this person would really\")"), "{fault}");
    }

    #[test]
    fn other_text_passes() {
        let prompts = PromptText::new([TEMPLATE, "How long does"], &[]);
        for message in [
            "So ask the one question this person would",
            "a note that no model ever reads, whatever it says",
            "one two three four five six seven eight",
            "Write the message of turn 1 of 2.",
            "How long does the dough rest before it is baked?",
            "",
        ] {
            assert_eq!(prompts.found_in(message), None, "{message}");
        }
        assert_eq!(PromptText::default().found_in(TEMPLATE), None);
    }
}
