//! An answer that is the question, or none.

use super::{is_question, words};

/// Words that may stand around the repeated question.
const AROUND: usize = 5;
/// Words, or else characters, that a question must have for an answer that equals it to be an echo: greetings are
/// returned as they are.
const LEAST: (usize, usize) = (3, 12);

/// The fault of an answer that is the question, punctuation and case aside, or the question with a few words around it
/// that is still a question.
pub(in crate::stages) fn echo(answer: &str, question: &str) -> Option<String> {
    let (said, asked) = (words(answer), words(question));
    let length: usize = asked.iter().map(|word| word.chars().count()).sum();
    if asked.is_empty() || (asked.len() < LEAST.0 && length < LEAST.1 && !is_question(answer)) {
        return None;
    }
    let within = said.len() <= asked.len() + AROUND && said.windows(asked.len()).any(|part| part == asked);
    let echoed = said == asked || (within && asked.len() >= LEAST.0 && is_question(answer));
    echoed.then(|| "the answer only repeats the question: answer it".to_owned())
}

/// The fault of an answer that announces what does not follow.
pub(in crate::stages) fn unfinished(answer: &str) -> Option<String> {
    let ends = answer.trim_end_matches(|c: char| c.is_whitespace() || c == '*').ends_with([':', '：']);
    ends.then(|| "the answer announces what does not follow: write all of it".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_given_back_is_an_echo() {
        for (answer, question) in [
            ("How long does it rest?", "How long does it rest?"),
            ("how long does it rest", "How long  does it rest?"),
            ("So, how long does it rest?", "How long does it rest?"),
            ("You are asking: how long does it rest?", "How long does it rest?"),
            ("« Combien de temps repose-t-elle ? »", "Combien de temps repose-t-elle ?"),
            ("كم من الوقت يرتاح العجين؟", "كم من الوقت يرتاح العجين؟"),
            ("Wie lange ruht der Teig?", "wie lange ruht der teig"),
            ("面团要醒发多久才能烘烤呢？", "面团要醒发多久才能烘烤呢？"),
            ("Why?", "Why?"),
        ] {
            assert!(echo(answer, question).is_some(), "{answer}");
        }
    }

    #[test]
    fn an_answer_is_no_echo() {
        for (answer, question) in [
            ("How long does it rest? Four hours.", "How long does it rest?"),
            ("It rests for four hours.", "How long does it rest?"),
            ("How long does it rest depends on the flour, the water and the salt?", "How long does it rest?"),
            ("Hello!", "Hello!"),
            ("Do you mean the first rest or the second?", "How long does it rest?"),
            ("أربع ساعات.", "كم من الوقت يرتاح العجين؟"),
            ("", ""),
            ("Why?", ""),
        ] {
            assert_eq!(echo(answer, question), None, "{answer}");
        }
    }

    #[test]
    fn an_announcement_is_no_answer() {
        assert!(
            ["Follow these steps:", "1. **The setting says:**\n", "步骤如下："]
                .iter()
                .all(|it| unfinished(it).is_some())
        );
        assert!(["At 10:30.", "Yes: it does.", ""].iter().all(|it| unfinished(it).is_none()));
    }
}
