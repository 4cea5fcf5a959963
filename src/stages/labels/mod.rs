//! What is found in a turn without a model: labels of its question and answer, and which of them are not accepted.
//!
//! Where a fault makes a message unusable it is asked for again, and stands in no turn: see the checks of replies. What is
//! found here stays with the turn as a label. A label that is missed costs a little, one on a good message costs a good
//! turn where it is a gate, so each check is certain rather than complete.

mod abstention;
mod leaks;
mod names;
mod overlap;
mod pii;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod table;

use super::faults::{self, PromptText};
use super::language;
use crate::domain::findings::{Findings, Label, PersonalData};
use crate::domain::{Acceptance, Answer, HeldOut, Language, Passage, QuestionMode};
use unicode_segmentation::UnicodeSegmentation;

/// `checks`: which labels are not accepted, and what becomes of a turn that has one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CheckOptions {
    /// Labels that no message may have.
    pub reject: Vec<Label>,
    /// Whether the conversation is dropped, and not only labelled.
    pub drop: bool,
    /// Whether that is done where it has [`Label::Contaminated`], whatever the other labels are.
    pub drop_contaminated: bool,
    /// Most answers after the first that a rejected one is asked for before that.
    pub repairs: u16,
    /// Most words of a question; any number when none.
    pub max_question_words: Option<u32>,
    /// Most words of an answer; any number when none.
    pub max_answer_words: Option<u32>,
    /// Least share of the words of an answer that must stand in what was retrieved, from 0 to 1; 0 accepts every one.
    pub min_overlap: f64,
}

/// A turn with what it is looked at beside.
pub(super) struct Answered<'a> {
    /// The question that was asked.
    pub question: &'a str,
    /// How it was to be asked.
    pub mode: QuestionMode,
    /// The answer that was given.
    pub answer: &'a str,
    /// Numbers of the answer that stand in no known text.
    pub unsupported_numbers: &'a [String],
    /// What the answer cites that was not retrieved.
    pub unknown_citations: &'a [String],
    /// What was retrieved for the answer.
    pub passages: &'a [Passage],
    /// What was said before, and who is said to speak.
    pub said: &'a [&'a str],
    /// The language of the conversation.
    pub target: &'a Language,
    /// What neither may have too much in common with.
    pub held_out: Option<&'a HeldOut>,
}

impl CheckOptions {
    /// What is found in a turn, and what becomes of it. Models were asked with these prompts.
    pub(super) fn findings(&self, turn: &Answered<'_>, prompts: &PromptText) -> Findings {
        let Answered { question, mode, answer, passages, said, target, held_out, .. } = *turn;
        let texts: Vec<&str> = passages.iter().flat_map(|passage| [&*passage.title, &*passage.text]).collect();
        let known: Vec<&str> = texts.iter().chain(said).copied().chain([question]).collect();
        let code = target.code.as_deref().unwrap_or_default();
        let is_own = language::detected(&texts.join(" "), target).is_none_or(|language| language == code);
        let of_question = Message::of(question, passages, &texts, prompts, target);
        let of_answer = Message::of(answer, passages, &[&texts[..], &[question]].concat(), prompts, target);
        let mut findings = Findings {
            evidence_overlap: target
                .script
                .filter(|_| is_own)
                .and_then(|script| overlap::share(answer, &texts, code, script)),
            unsupported_names: if is_own { names::unsupported(answer, &known, code) } else { Vec::new() },
            abstains: abstention::abstains(answer),
            question_words: words(question),
            answer_words: words(answer),
            ..Findings::default()
        };
        let [in_question, in_answer] = match held_out {
            Some(held_out) => [held_out.in_question(question), held_out.in_answer(answer)],
            None => [None, None],
        };
        let is_below = findings.evidence_overlap.is_some_and(|share| share < self.min_overlap);
        let is_unanswerable = mode == QuestionMode::Unanswerable;
        // What is left open, or told in part, may be asked back for, and not known yet.
        let asks_back = matches!(mode, QuestionMode::Underspecified | QuestionMode::Sharded);
        let abstains = !is_unanswerable && !asks_back && abstention::abstains_beside(answer, &texts);
        let too_long = |words: u32, most: Option<u32>| most.is_some_and(|most| words > most);
        let of_answer_alone = [
            (Label::Refusal, !findings.abstains && faults::refuses(answer)),
            (Label::UnsupportedNumbers, !turn.unsupported_numbers.is_empty()),
            (Label::UnsupportedNames, !findings.unsupported_names.is_empty()),
            (Label::UnknownCitations, !turn.unknown_citations.is_empty()),
            (Label::LowOverlap, is_below && !findings.abstains && !asks_back),
            (Label::Abstention, abstains),
            (Label::MissingAbstention, is_unanswerable && !findings.abstains),
            (Label::Contaminated, in_answer.is_some()),
        ];
        findings.question_labels = of_question.labels(
            too_long(findings.question_words, self.max_question_words),
            &[(Label::Contaminated, in_question.is_some())],
        );
        let too_long = too_long(findings.answer_words, self.max_answer_words);
        findings.answer_labels = of_answer.labels(too_long, &of_answer_alone);
        for Message { pii, leaks, copied, .. } in [&of_question, &of_answer] {
            findings.pii.extend(pii);
            let leaks = leaks.iter().chain(copied).filter(|one| !findings.leaks.contains(one));
            let leaks: Vec<String> = leaks.cloned().collect();
            findings.leaks.extend(leaks);
        }
        findings.pii.sort_unstable();
        findings.pii.dedup();
        (findings.question_language, findings.answer_language) = (of_question.language, of_answer.language);
        findings.held_out = in_question.or(in_answer);
        findings.acceptance = self.of(&findings);
        findings
    }

    /// What becomes of a turn with these labels.
    fn of(&self, findings: &Findings) -> Acceptance {
        let is_contaminated = findings.held_out.is_some();
        let mut labels = findings.question_labels.iter().chain(&findings.answer_labels);
        let is_faulty = labels.any(|label| self.reject.contains(label));
        match (is_faulty, is_contaminated) {
            (false, false) => Acceptance::Accepted,
            (true, _) if self.drop => Acceptance::Rejected,
            (_, true) if self.drop_contaminated => Acceptance::Rejected,
            _ => Acceptance::Flagged,
        }
    }

    /// Whether another answer could be accepted in the place of a rejected one: its question has to be.
    pub(super) fn is_mendable(&self, findings: &Findings) -> bool {
        !findings.question_labels.iter().any(|label| self.reject.contains(label) || *label == Label::Contaminated)
    }
}

/// What is found in one message.
struct Message {
    language: Option<String>,
    is_other: bool,
    pii: Vec<PersonalData>,
    leaks: Vec<String>,
    copied: Option<String>,
}

impl Message {
    /// A message beside these passages, of which the writer may know these texts.
    fn of(message: &str, passages: &[Passage], known: &[&str], prompts: &PromptText, target: &Language) -> Self {
        let language = language::detected(message, target);
        let is_other = language.is_some_and(|found| target.code.as_deref() != Some(found));
        Self {
            language: language.map(str::to_owned),
            is_other,
            pii: pii::kinds(message),
            leaks: leaks::found(message, passages, known),
            copied: prompts.said_in(message),
        }
    }

    /// The labels of the message, with these of its own, in the order of all labels.
    fn labels(&self, too_long: bool, more: &[(Label, bool)]) -> Vec<Label> {
        let own = [
            (Label::OtherLanguage, self.is_other),
            (Label::TooLong, too_long),
            (Label::Leak, !self.leaks.is_empty()),
            (Label::Pii, !self.pii.is_empty()),
            (Label::PromptText, self.copied.is_some()),
        ];
        let is_there = |label: &Label| own.iter().chain(more).any(|(one, is_there)| one == label && *is_there);
        Label::ALL.into_iter().filter(is_there).collect()
    }
}

/// Words of a message, by the rules of Unicode.
fn words(message: &str) -> u32 {
    message.unicode_words().count() as u32
}

/// What is wrong with an answer, for the model that is to write another one: a sentence for each label that is not accepted.
pub(super) fn told(answer: &Answer, options: &CheckOptions) -> String {
    let findings = &answer.findings;
    let listed = |items: &[String]| items.join(", ");
    let told = |label: &Label| match label {
        Label::OtherLanguage => "It is not in the language of the conversation.".to_owned(),
        Label::TooLong => {
            let most = options.max_answer_words.unwrap_or_default();
            format!("It has {} words; write {most} at most.", findings.answer_words)
        }
        Label::Refusal => "It declines to answer.".to_owned(),
        Label::Leak => format!("It names what the reader does not know: {}.", listed(&findings.leaks)),
        Label::Pii => {
            "It holds an e-mail address, or the number of a telephone, a card or an account: leave them out.".to_owned()
        }
        Label::UnsupportedNumbers => {
            format!("These numbers stand in none of the passages: {}.", listed(&answer.unsupported_numbers))
        }
        Label::UnsupportedNames => {
            format!("These names stand in none of the passages: {}.", listed(&findings.unsupported_names))
        }
        Label::UnknownCitations => format!("It cites what was not found: {}.", listed(&answer.unknown_citations)),
        Label::LowOverlap => "Little of it stands in the passages: say what they say.".to_owned(),
        Label::Abstention => "It says that the answer is not known: give the answer that the passages hold.".to_owned(),
        Label::PromptText => "It repeats what it was asked with: write the answer alone.".to_owned(),
        Label::Contaminated => {
            let words = findings.held_out.as_ref().map_or("", |overlap| &overlap.text);
            format!("It must not have these words in a row, nor nearly so: `{words}`. Say it in other words.")
        }
        Label::MissingAbstention => "The passages do not tell what is asked: say so, and fill nothing in.".to_owned(),
    };
    let is_told = |label: &&Label| options.reject.contains(label) || **label == Label::Contaminated;
    let labels = findings.answer_labels.iter().filter(is_told);
    labels.map(told).collect::<Vec<_>>().join(" ")
}
