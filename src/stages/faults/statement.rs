//! A message that says nothing of its own: a piece of its passage, a bare label or heading, or the description of a person.

use super::{is_question, phrase, words};

/// Words in a row that nobody takes over by chance from a passage, or from the description of a person.
const OF_PASSAGE: usize = 8;
const OF_PERSON: usize = 5;
/// Fewest words of a request that is not put as a question, and of one that is not even a sentence.
const REQUEST: usize = 4;
const FRAGMENT: usize = 8;
/// From here on come the scripts that do without spaces, or without question marks.
const UNSPACED: char = '\u{e00}';

/// The fault of a message that asks for nothing: it is not put as a question, and is a label of a few words or a piece of one
/// of the passages. Requests such as "Tell me how to …" are fine.
pub(in crate::stages) fn statement(message: &str, passages: &[&str]) -> Option<String> {
    if asks(message) {
        return None;
    }
    let said = words(message);
    let sentence = message.trim_end().ends_with(['.', '!', '…']);
    let spaced = message.chars().filter(|c| c.is_alphabetic()).all(|c| c < UNSPACED);
    let label = spaced && said.len() < if sentence { REQUEST } else { FRAGMENT };
    let piece = || passages.iter().any(|passage| shares_run(&said, &words(passage), OF_PASSAGE));
    (label || piece()).then(|| "the message asks for nothing: write one question, in the person's own words".to_owned())
}

/// Whether a message asks something; some languages do without the mark.
fn asks(message: &str) -> bool {
    is_question(message) || message.contains(['?', '؟', '？', ';', '\u{37e}', '。'])
}

/// The fault of a message that need not ask anything, and is a piece of one of the passages.
pub(in crate::stages) fn piece(message: &str, passages: &[&str]) -> Option<String> {
    let said = words(message);
    let taken = !asks(message) && passages.iter().any(|passage| shares_run(&said, &words(passage), OF_PASSAGE));
    taken.then(|| "the message is a piece of the passage: write it in the person's own words".to_owned())
}

/// The fault of a message that is to be the first piece of what a person wants to know, where that whole tells no more than it.
pub(in crate::stages) fn no_whole(need: &str, message: &str) -> Option<String> {
    let said = words(message);
    words(need).iter().all(|word| said.contains(word)).then(|| {
        "`whole_need` must be all that the person wants to know, with every detail, and `user_message` only its beginning"
            .to_owned()
    })
}

/// The fault of a message that repeats the description of the person it is written for, or speaks of that person ("the
/// bookkeeper") as none of the passages does.
pub(in crate::stages) fn description(message: &str, person: &str, passages: &[&str]) -> Option<String> {
    const AFTER: [&str; 6] = ["of", "for", "from", "in", "at", "who"];
    let title = words(person.split('|').next().unwrap_or_default());
    let title = title.split(|word| AFTER.contains(&word.as_str())).next().unwrap_or_default().join(" ");
    let holds = |text: &str, part: &str| phrase(text).contains(part);
    let third = !title.is_empty()
        && holds(message, &format!(" the {title} "))
        && !passages.iter().any(|passage| holds(passage, &format!(" {title}")));
    (third || shares_run(&words(message), &words(person), OF_PERSON)).then(|| {
        "the message repeats the description of the person: write what this person asks about the passage".to_owned()
    })
}

/// The fault of an answer that is a piece of the description of the assistant, or repeats one, as neither the question nor
/// any of the passages does.
pub(in crate::stages) fn self_description(answer: &str, assistant: &str, known: &[&str]) -> Option<String> {
    let (said, described) = (words(answer), words(assistant));
    let is_known = |part: &[String]| known.iter().any(|text| shares_run(part, &words(text), part.len()));
    let is_piece = !said.is_empty() && shares_run(&said, &described, said.len()) && !is_known(&said);
    let repeats = said.windows(OF_PERSON).any(|run| shares_run(run, &described, OF_PERSON) && !is_known(run));
    (is_piece || repeats).then(|| {
        "the message repeats the description of the assistant: answer the question, from the passages".to_owned()
    })
}

/// The fault of an answer that is one of the headings above the passages and nothing else.
pub(in crate::stages) fn heading<'a>(answer: &str, titles: impl IntoIterator<Item = &'a str>) -> Option<String> {
    is_heading(answer, titles)
        .then(|| "the answer is only a heading: answer the question in a sentence, from the passages".to_owned())
}

/// Whether a message is one of the headings that lead to passages, or several of them.
fn is_heading<'a>(message: &str, titles: impl IntoIterator<Item = &'a str>) -> bool {
    let said = words(message);
    let is_it = |title: &str| words(title) == said || title.split(" › ").any(|heading| words(heading) == said);
    !said.is_empty() && titles.into_iter().any(is_it)
}

/// The fault of a message that is the heading above a passage, or one of those that lead to it, and asks nothing.
pub(in crate::stages) fn names_heading<'a>(message: &str, titles: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let names = message.contains('›') || is_heading(message, titles);
    (names && !asks(message)).then(|| "the message is a heading: write what the person would say".to_owned())
}

/// Whether two texts have so many words in a row in common.
fn shares_run(one: &[String], other: &[String], length: usize) -> bool {
    one.windows(length).any(|run| other.windows(length).any(|known| known == run))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::plan::personas::Pool;

    const PASSAGE: &str = "The logger records the temperature every 5 minutes. A reading above 12 °C must be reported.";
    const PERSON: &str =
        "Family lawyer | precise | Phrases questions tightly and asks what happens when a condition is not met.";

    #[test]
    fn what_asks_for_nothing_is_seen() {
        for (message, fault) in [
            ("Temperature", true),
            ("Rules of transport", true),
            ("Limited of the Waymark geocoder API", true),
            ("Subscriptions.", true),
            ("Policy › Temperature", true),
            ("سياسة النقل", true),
            ("The logger records the temperature every 5 minutes.", true),
            ("Does it hold that the logger records the temperature every 5 minutes?", false),
            ("What must be reported?", false),
            ("Tell me when a reading must be reported.", false),
            ("اشرح لي متى يُبلغ عن القراءة.", false),
            ("ไปไหนมา", false),
        ] {
            assert_eq!(statement(message, &[PASSAGE]).is_some(), fault, "{message}");
        }
    }

    #[test]
    fn no_question_of_the_built_in_model_is_taken_for_a_shipped_persona() {
        let pool = Pool::shipped().unwrap();
        let sheet = include_str!("../../../config/builtin/en.yaml");
        for line in sheet.lines() {
            for persona in &pool.user {
                assert_eq!(description(line, &persona.rendered(), &[]), None, "{line}");
            }
        }
    }

    #[test]
    fn the_assistants_description_is_no_answer() {
        let vet =
            "Livestock vet | matter-of-fact, humane, quick | Gives the figure, its unit and the assumption behind it.";
        for (answer, fault) in [
            ("Livestock vet, matter-of-fact, humane, quick", true),
            ("Livestock vet", true),
            ("Give it the figure, its unit and the assumption behind it.", true),
            ("The logger records the temperature.", false),
            ("A quick one.", false),
            ("", false),
        ] {
            assert_eq!(self_description(answer, vet, &[PASSAGE, "Who reads it?"]).is_some(), fault, "{answer}");
        }
        assert_eq!(self_description("A livestock vet.", vet, &["It is read by a livestock vet."]), None);
        assert_eq!(self_description("Livestock vet", vet, &["The livestock vet reads it."]), None, "passages have it");
        assert_eq!(self_description("Anything", "", &[]), None);
    }

    #[test]
    fn a_heading_is_no_message() {
        let titles = ["The water cycle and rivers › How rivers shape the land", "Tea"];
        let is_fault = |message: &str| names_heading(message, titles).is_some();
        assert!(is_fault("The water cycle and rivers › How rivers shape the land") && is_fault("Tea."));
        assert!(is_fault("How rivers shape the land") && is_fault("Rivers › Deltas"));
        assert!(!is_fault("How do rivers shape the land?") && !is_fault("Tea?") && !is_fault("I meant green tea."));
        assert!(names_heading("", ["", "Tea"]).is_none());
    }

    #[test]
    fn a_heading_is_no_answer() {
        let titles = ["Policy for the transport of vaccines › Temperature", ""];
        for (answer, fault) in [
            ("Policy for the transport of vaccines", true),
            ("**Temperature**", true),
            ("Policy for the transport of vaccines › Temperature", true),
            ("The temperature is recorded every 5 minutes.", false),
            ("", false),
        ] {
            assert_eq!(heading(answer, titles).is_some(), fault, "{answer}");
        }
    }

    #[test]
    fn the_persons_description_is_not_a_question() {
        for (message, fault) in [
            ("What happens when a condition is not met?", true),
            ("Phrases questions tightly and asks, does it?", true),
            ("What happens when the box is not signed for?", false),
            ("As a family lawyer, what do I do about a lost box?", false),
            ("What does the family lawyer tell about a lost box?", true),
        ] {
            assert_eq!(description(message, PERSON, &[PASSAGE]).is_some(), fault, "{message}");
        }
        assert_eq!(description("What happens?", "", &[]), None);
        let asked = "When must the bookkeeper sign?";
        assert!(description(asked, "Bookkeeper of small shops | orderly", &[PASSAGE]).is_some());
        assert_eq!(description(asked, "Bookkeeper of small shops | orderly", &["Two bookkeepers sign."]), None);
    }
}
