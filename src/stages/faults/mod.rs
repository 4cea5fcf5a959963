//! Why a message can't be used: one function for each fault, which says what to do instead.
//!
//! Each text is a fragment that follows "Your reply can't be used: " and is read by the model that wrote the message.
//! A fault that is missed costs a little quality, one that is seen where there is none costs a conversation, so each
//! check is certain rather than complete.

mod again;
mod copied;
mod echo;
mod material;
mod order;
mod placeholder;
mod quotes;
mod refusal;
mod statement;

pub(super) use again::{answers_again, asked_before, nothing_new, repeated, told_before, unchanged};
pub(super) use copied::PromptText;
pub(super) use echo::{echo, unfinished};
pub(super) use material::{mentions_material, mentions_passage, names_tool, passage_number, without_lead};
pub(super) use order::obeys;
pub(super) use placeholder::{placeholder, wordless};
pub(super) use quotes::misquote;
pub(super) use refusal::{refusal, refuses};
pub(super) use statement::{description, heading, names_heading, no_whole, piece, self_description, statement};

use crate::domain::normalisation::{compatible, is_optional};

/// The words of a text, in lower case, without punctuation and vowel signs: what is compared where texts are.
pub(super) fn words(text: &str) -> Vec<String> {
    plain(text).split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A text in lower case, without the signs that writers of Arabic and Hebrew may leave out.
fn plain(text: &str) -> String {
    let plain = compatible(text);
    if plain.is_ascii() { plain } else { plain.chars().filter(|c| !is_optional(*c)).collect() }
}

/// The words of a text with a space before and after each, so that phrases can be looked for as text.
pub(super) fn phrase(text: &str) -> String {
    format!(" {} ", words(text).join(" "))
}

/// Whether a text ends as a question does.
fn is_question(text: &str) -> bool {
    let closing =
        |c: char| c.is_whitespace() || matches!(c, '"' | '”' | '»' | '“' | '\'' | '’' | ')' | '*' | '!' | '」');
    text.trim_end_matches(closing).ends_with(['?', '؟', '？', '\u{37e}'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_no_case_and_no_punctuation() {
        assert_eq!(words("«L’Eau», it’s\n ＡＢＣ_1!"), ["l", "eau", "it", "s", "abc", "1"]);
        assert_eq!(words("وَفْقًا للنـص؟"), ["وفقا", "للنص"]);
        assert_eq!(phrase("A, b"), " a b ");
    }

    #[test]
    fn questions_end_with_their_mark() {
        assert!(["Why?", "لماذا؟", "为什么？", "« Pourquoi ? »", "(really?)", "**Why?**"].into_iter().all(is_question));
        assert!(!["Why? Because.", "", "Why"].into_iter().any(is_question));
    }
}
