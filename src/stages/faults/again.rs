//! A message that only says again what was said in its conversation.

use super::words;

/// Words that a message must have for its return to be a fault: short ones are said again for good reasons.
const LEAST: usize = 5;
/// Letters of a word that its inflections share at least, and by how many they may differ in length.
const INFLECTED: (usize, usize) = (4, 2);
/// Letters of the longest word that may be there or not without a difference.
const SLIGHT: usize = 2;
/// Articles that are longer, and the words of asking that stand for one another.
const LONGER: [&str; 24] = [
    "the", "les", "des", "une", "der", "die", "das", "ein", "eine", "los", "las", "una", "what", "which", "quel",
    "quelle", "quels", "quelles", "was", "welche", "welcher", "welches", "cuál", "qué",
];

/// Sentences of an answer that must stand in those before it, for it to be one that was given before: two or three are said again where
/// passages are few.
const SENTENCES: usize = 4;

/// Words from which on a question is long, and the share of its words that are in a row in an answer where it is what that said.
const LONG: usize = 10;
const TOLD: f64 = 0.8;

/// Share of the words of an answer from which on it is one that was given before, where they stand in its sentences.
const REPEATED: f64 = 0.7;

/// What ends a sentence, or the words of somebody else.
const ENDS: [char; 13] = ['?', '؟', '？', '.', '!', ':', '"', '“', '”', '«', '»', '‘', '’'];

/// The fault of an answer that was given before.
const GIVEN: &str = "the answer was given before in this conversation: answer the question that is asked now";

/// The question of a conversation that a message asks again, in the same words but for articles and inflections; or that one of
/// its sentences is.
pub(in crate::stages) fn asked_before<'a>(message: &str, questions: &[&'a str]) -> Option<&'a str> {
    let said = words(message);
    let sentences: Vec<Vec<String>> = message.split(ENDS).map(words).collect();
    let again = |before: &&&str| {
        let asked = words(before);
        same(&said, &asked) || (asked.len() >= LEAST && sentences.contains(&asked))
    };
    questions.iter().find(again).copied()
}

/// The fault of a message that the person has sent before, in the same words.
pub(in crate::stages) fn repeated(message: &str, before: &[&str]) -> Option<String> {
    let said = words(message);
    let is_there = before.iter().any(|sent| words(sent) == said);
    is_there.then(|| "the person has sent this message before: write their next one".to_owned())
}

/// The fault of a question that is what an answer said, also but for a few words at either end where it does not quote that to
/// say something of it.
pub(in crate::stages) fn told_before(message: &str, answers: &[&str], may_quote: bool) -> Option<String> {
    let said = words(message);
    let run = if may_quote || said.len() < LONG { said.len() } else { (said.len() as f64 * TOLD).ceil() as usize };
    let holds = |before: &[String], part: &[String]| before.windows(run).any(|known| known == part);
    let told = |before: &&str| {
        let before = words(before);
        said.len() >= LEAST && said.windows(run).any(|part| holds(&before, part))
    };
    let repeats = answers.iter().any(told);
    repeats.then(|| "the message repeats an answer: write the person's next question".to_owned())
}

/// The fault of an answer that was given before, word for word or but for a sentence.
pub(in crate::stages) fn answers_again(message: &str, answers: &[&str]) -> Option<String> {
    let said = words(message);
    let given = said.len() >= LEAST && answers.iter().any(|before| words(before) == said);
    let [all, again, count] = repeated_words(message, answers);
    let repeats = count >= SENTENCES && again as f64 >= REPEATED * all as f64;
    (given || repeats).then(|| GIVEN.to_owned())
}

/// The fault of an answer of some length all of whose sentences were given before.
pub(in crate::stages) fn nothing_new(message: &str, answers: &[&str]) -> Option<String> {
    let [all, again, count] = repeated_words(message, answers);
    (count >= SENTENCES && again == all).then(|| GIVEN.to_owned())
}

/// The words of an answer, those of them in sentences that stand in answers before, and the number of these sentences.
fn repeated_words(message: &str, answers: &[&str]) -> [usize; 3] {
    let before: Vec<_> = answers.iter().flat_map(|answer| sentences(answer)).collect();
    let said = sentences(message);
    let again = said.iter().filter(|sentence| sentence.len() >= LEAST && before.contains(sentence));
    [said.iter().map(Vec::len).sum::<usize>(), again.clone().map(Vec::len).sum(), again.count()]
}

/// The words of each sentence of a text; a point within a number ends none.
fn sentences(text: &str) -> Vec<Vec<String>> {
    let mut ends: Vec<usize> = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if ENDS.contains(&c) && chars.peek().is_none_or(|(_, next)| !next.is_alphanumeric()) {
            ends.push(at);
        }
    }
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let parts = starts.zip(ends.iter().copied().chain([text.len()])).map(|(start, end)| words(&text[start..end]));
    parts.filter(|words| !words.is_empty()).collect()
}

/// The fault of an answer that is the one in whose place it was asked for, in the same words.
pub(in crate::stages) fn unchanged(message: &str, rejected: &[&str]) -> Option<String> {
    let said = words(message);
    let is_there = rejected.iter().any(|before| words(before) == said);
    is_there.then(|| "it is the answer that was not good enough: write a better one".to_owned())
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
                "What would you say if you were asked: 'What does a stream insect reveal about water quality? '",
                "What does a stream insect reveal about water quality?",
            ),
            ("Thanks! And again: how long is a ride free? I forgot.", "How long is a ride free?"),
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
            ("How long is a ride free for subscribers on Sundays?", "How long is a ride free?"),
        ] {
            assert_eq!(asked_before(message, &[before]), None, "{message}");
        }
    }

    #[test]
    fn what_an_answer_said_is_no_question_and_no_other_answer() {
        let answer = "According to the policy, vaccines are carried between 2 °C and 8 °C. The logger records it.";
        let part = "According to the policy, vaccines are carried between 2 °C and 8 °C.";
        let told = |message: &str| told_before(message, &[answer], false).is_some();
        assert!(told(part) && !told("The logger?"));
        let nearly = part.replace("According to", "By");
        assert!(told(&nearly) && told_before(&nearly, &[answer], true).is_none(), "it may be quoted to doubt it");
        assert!(!told("So vaccines are carried between 2 °C and 8 °C, is that also so in summer?"));
        assert!(answers_again(&answer.to_uppercase(), &["Yes.", answer]).is_some());
        assert!(answers_again(part, &[answer]).is_none() && answers_again("Yes.", &["Yes."]).is_none());
        let told = "Rivers shape the land by eroding it. They form deltas where they meet the sea. The sun lifts water \
                    into the air. Cold air gives it back as rain. The cycle has no end.";
        let again = told.replace("The cycle has no end.", "Here is a little more.");
        let more =
            "Rivers shape the land by eroding it. They form deltas where they meet the sea. A lake holds what it gets.";
        assert!(answers_again(&again, &[told]).is_some() && answers_again(more, &[told]).is_none());
        assert!(nothing_new(&again, &[told]).is_none() && nothing_new(told, &[told]).is_some());
        assert!(nothing_new(more, &[told]).is_none() && nothing_new(answer, &[answer]).is_none(), "it is brief");
        assert!(nothing_new(&format!("It is so, I looked. {told}"), &[told]).is_none(), "it says something of its own");
        let measured = "It is 1.8 mm thick at first. At 1.5 mm it is worn out.";
        assert!(answers_again(&format!("So I said: {measured}"), &[measured]).is_none(), "two sentences, not four");
        assert_eq!(sentences("It is 1.8 mm thick. Why? So.").len(), 3);
    }
}
