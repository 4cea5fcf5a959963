//! A message that only says again what was said in its conversation.

use super::{runs, words};
use std::collections::HashSet;

/// Words that a message must have for its return to be a fault: short ones are said again for good reasons.
const LEAST: usize = 5;
/// Words in a row that are not said again by chance, and words of an answer of which two thirds must not be such.
const RUN: usize = 8;
const LONG: usize = 24;
/// Letters of a word that its inflections share at least, and by how many they may differ in length.
const INFLECTED: (usize, usize) = (4, 2);
/// Letters of the longest word that may be there or not without a difference.
const SLIGHT: usize = 2;
/// Articles that are longer, and the words of asking that stand for one another.
const LONGER: [&str; 24] = [
    "the", "les", "des", "une", "der", "die", "das", "ein", "eine", "los", "las", "una", "what", "which", "quel",
    "quelle", "quels", "quelles", "was", "welche", "welcher", "welches", "cuál", "qué",
];

/// The question of a conversation that a message asks again, in the same words but for articles and inflections.
pub(in crate::stages) fn asked_before<'a>(message: &str, questions: &[&'a str]) -> Option<&'a str> {
    let said = words(message);
    questions.iter().find(|before| same(&said, &words(before))).copied()
}

/// The fault of a question that is what an answer said.
pub(in crate::stages) fn told_before(message: &str, answers: &[&str]) -> Option<String> {
    let said = words(message);
    let told = |before: &&str| said.len() >= LEAST && words(before).windows(said.len()).any(|part| part == said);
    let repeats = answers.iter().any(told);
    repeats.then(|| "the message repeats an answer: write the person's next question".to_owned())
}

/// The fault of an answer that was given before, word for word, or most of it in runs of words.
pub(in crate::stages) fn answers_again(message: &str, answers: &[&str]) -> Option<String> {
    let said = words(message);
    let before: Vec<Vec<String>> = answers.iter().map(|before| words(before)).collect();
    let is_same = said.len() >= LEAST && before.contains(&said);
    let is_mostly = || {
        let known: HashSet<u64> = before.iter().flat_map(|before| runs(before, RUN)).collect();
        let mut is_again = vec![false; said.len()];
        for (at, _) in runs(&said, RUN).iter().enumerate().filter(|(_, run)| known.contains(run)) {
            is_again[at..at + RUN].fill(true);
        }
        let again = is_again.into_iter().filter(|is_again| *is_again).count();
        said.len() >= LONG && 3 * again >= 2 * said.len()
    };
    (is_same || is_mostly())
        .then(|| "the answer was given before in this conversation: answer the question that is asked now".to_owned())
}

/// Whether two texts of some length have the same words, whatever their order.
fn same(one: &[String], other: &[String]) -> bool {
    let covers = |these: &[String], those: &[String]| {
        these.iter().filter(|word| !is_slight(word)).all(|word| those.iter().any(|other| alike(word, other)))
    };
    one.len().min(other.len()) >= LEAST && covers(one, other) && covers(other, one)
}

fn is_slight(word: &str) -> bool {
    LONGER.contains(&word) || (word.chars().count() <= SLIGHT && !has_digit(word))
}

/// Whether two words are one, or inflections of one: what they begin with is the same, Arabic articles aside.
fn alike(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(without_article);
    let [shorter, longer] = if one.chars().count() <= other.chars().count() { [one, other] } else { [other, one] };
    let (letters, over) = (shorter.chars().count(), longer.chars().count() - shorter.chars().count());
    let inflected = letters >= INFLECTED.0 && over <= INFLECTED.1 && longer.starts_with(shorter);
    one == other || (inflected && !has_digit(longer))
}

fn has_digit(word: &str) -> bool {
    word.contains(char::is_numeric)
}

fn without_article(word: &str) -> &str {
    let rest = word.strip_prefix("ال").or_else(|| word.strip_prefix("لل")).or_else(|| word.strip_prefix('ل'));
    rest.filter(|rest| rest.chars().count() > SLIGHT - 1).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_in_the_same_words_was_asked_before() {
        for (message, before) in [
            (
                "What is the range of temperatures at which the pump operates at 35 °C?",
                "What is the temperature range at which the pump operates at 35 °C?",
            ),
            ("ما هو أفضل وقت لري الحديقة؟", "ما هو الأفضل وقت للري الحديقة؟"),
            ("Quel est le prix du stage de deux jours ?", "Quel est le prix d'un stage de deux jours ?"),
            ("How long is a ride free for subscribers?", "how long is a free ride for subscribers"),
            (
                "What is the purpose of the `commit_delay` parameter?",
                "Which is the purpose of the `commit_delay` parameter?",
            ),
        ] {
            assert_eq!(asked_before(message, &["Why?", before]), Some(before), "{message}");
        }
    }

    #[test]
    fn another_question_was_not() {
        for (message, before) in [
            (
                "What is the maximum time limit for a single request?",
                "What is the maximum size limit for a single request?",
            ),
            ("When can I return the tool to the library?", "Where can I return the tool to the library?"),
            ("Why is the kiln lit on Fridays?", "When is the kiln lit on Fridays?"),
            ("How much do 4 hours cost a member?", "How much do 40 hours cost a member?"),
            ("Why?", "Why?"),
        ] {
            assert_eq!(asked_before(message, &[before]), None, "{message}");
        }
    }

    #[test]
    fn what_an_answer_said_is_no_question_and_no_other_answer() {
        let answer = "According to the policy, vaccines are carried between 2 °C and 8 °C. The logger records it.";
        let part = "According to the policy, vaccines are carried between 2 °C and 8 °C.";
        assert!(told_before(part, &[answer]).is_some() && told_before("The logger?", &[answer]).is_none());
        assert!(answers_again(&answer.to_uppercase(), &["Yes.", answer]).is_some());
        assert!(answers_again(part, &[answer]).is_none() && answers_again("Yes.", &["Yes."]).is_none());
    }

    #[test]
    fn an_answer_under_another_beginning_was_given_before() {
        let told = "you can use the `pg_dump -Fc` command to create a compressed dump file. This will produce dump file sizes \
                    similar to using `gzip`, but it has the added advantage that tables can be restored selectively.";
        let before = format!("To handle large databases using its custom dump format, {told}");
        let again = format!("To create a compressed dump file that can be selectively restored, {told} Here it is.");
        assert!(answers_again(&again, &["Yes.", &before]).is_some());
        // What was told in two answers, as one.
        let other =
            "The dump can be restored by `pg_restore` alone, in parallel if there is more than one table to be loaded.";
        assert!(answers_again(&format!("{told} {other}"), &[&before, other]).is_some());
        // Half of it is new, or it is no more than a sentence of it.
        let half = format!(
            "{told} Such a dump is read by pg_restore alone, which can load one table or several of them at the \
                            same time, in any order that you like, as long as what they refer to is there first."
        );
        assert!(answers_again(&half, &[&before]).is_none());
        assert!(answers_again(other, &[&before, &format!("{other} It asks for a password.")]).is_none());
    }
}
