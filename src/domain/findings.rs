//! What is found in a turn by looking at its words, without a model.

use super::{Acceptance, Overlap};
use serde::{Deserialize, Serialize};

/// What a message is labelled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// It is written in another language than the conversation.
    OtherLanguage,
    /// It has more words than `checks.max_question_words` or `checks.max_answer_words`.
    TooLong,
    /// It declines to answer, as models do.
    Refusal,
    /// It names what only the program knows: the path of a document, the id of a chunk, the number of a passage, a field of a
    /// reply.
    Leak,
    /// It holds an address of e-mail, or the number of a telephone, a payment card or a bank account.
    Pii,
    /// It has numbers that stand in nothing that was retrieved or said.
    UnsupportedNumbers,
    /// It has names that stand in nothing that was retrieved or said.
    UnsupportedNames,
    /// It cites what was not retrieved.
    UnknownCitations,
    /// Less of its words than `checks.min_overlap` stand in what was retrieved.
    LowOverlap,
    /// It says that the answer is not known, where the question was to be one that can be answered.
    Abstention,
    /// It does not say that the answer is not known, where the question was to be one that can't be answered.
    MissingAbstention,
    /// It repeats the prompts that models are asked with, or the form that replies must have.
    PromptText,
    /// It has too much in common with a text of `coverage.decontaminate`; it is never accepted.
    Contaminated,
}

impl Label {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 13] = [
        Self::OtherLanguage,
        Self::TooLong,
        Self::Refusal,
        Self::Leak,
        Self::Pii,
        Self::UnsupportedNumbers,
        Self::UnsupportedNames,
        Self::UnknownCitations,
        Self::LowOverlap,
        Self::Abstention,
        Self::MissingAbstention,
        Self::PromptText,
        Self::Contaminated,
    ];

    /// The name used in settings and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OtherLanguage => "other_language",
            Self::TooLong => "too_long",
            Self::Refusal => "refusal",
            Self::Leak => "leak",
            Self::Pii => "pii",
            Self::UnsupportedNumbers => "unsupported_numbers",
            Self::UnsupportedNames => "unsupported_names",
            Self::UnknownCitations => "unknown_citations",
            Self::LowOverlap => "low_overlap",
            Self::Abstention => "abstention",
            Self::MissingAbstention => "missing_abstention",
            Self::PromptText => "prompt_text",
            Self::Contaminated => "contaminated",
        }
    }

    /// The label of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|label| label.as_str() == name)
    }
}

/// A kind of data about persons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonalData {
    /// An address of e-mail.
    Email,
    /// The number of a telephone.
    Phone,
    /// The number of a payment card, with a check digit that fits.
    Card,
    /// The number of a bank account (IBAN), with check digits that fit.
    Iban,
}

/// What is found in a turn: labels of its messages, and the figures behind them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Findings {
    /// Labels of the question.
    pub question_labels: Vec<Label>,
    /// Labels of the answer.
    pub answer_labels: Vec<Label>,
    /// ISO 639-1 code of the language that the question is written in; none where that can't be told.
    pub question_language: Option<String>,
    /// The same of the answer.
    pub answer_language: Option<String>,
    /// Words of the question.
    pub question_words: u32,
    /// Words of the answer.
    pub answer_words: u32,
    /// Share of the answer's words that stand in what was retrieved, from 0 to 1 and to the hundredth; none where words
    /// can't be compared: nothing was retrieved, it is in another language, or the script has no blanks.
    pub evidence_overlap: Option<f64>,
    /// Names of the answer that stand in nothing that was retrieved or said.
    pub unsupported_names: Vec<String>,
    /// Kinds of data about persons in the turn.
    pub pii: Vec<PersonalData>,
    /// What the turn names that only the program knows, and what it repeats of the prompts.
    pub leaks: Vec<String>,
    /// Whether the answer says that it is not known.
    pub abstains: bool,
    /// What the question has in common with a held-out text, else the answer, where that is too much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_out: Option<Overlap>,
    /// What `checks` makes of the labels.
    pub acceptance: Acceptance,
}

impl Default for Findings {
    fn default() -> Self {
        Self {
            question_labels: Vec::new(),
            answer_labels: Vec::new(),
            question_language: None,
            answer_language: None,
            question_words: 0,
            answer_words: 0,
            evidence_overlap: None,
            unsupported_names: Vec::new(),
            pii: Vec::new(),
            leaks: Vec::new(),
            abstains: false,
            held_out: None,
            acceptance: Acceptance::Accepted,
        }
    }
}

impl Findings {
    /// Whether nothing has been found that `checks.reject` names.
    pub fn is_accepted(&self) -> bool {
        self.acceptance == Acceptance::Accepted
    }

    /// The labels of the turn in words, with the message that has them.
    pub fn told(&self) -> String {
        let names = |labels: &[Label]| labels.iter().map(|label| label.as_str()).collect::<Vec<_>>().join(", ");
        let sides = [("question", &self.question_labels), ("answer", &self.answer_labels)];
        let told = sides.into_iter().filter(|(_, labels)| !labels.is_empty());
        let told = told.map(|(side, labels)| format!("the {side} has {}", names(labels)));
        let held_out = self.held_out.as_ref().map(|overlap| format!("it {overlap}"));
        told.chain(held_out).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_found_by_their_names() {
        for label in Label::ALL {
            assert_eq!(Label::named(label.as_str()), Some(label));
            assert_eq!(serde_json::json!(label), label.as_str());
        }
        assert_eq!(Label::named("vague"), None);
    }

    #[test]
    fn labels_are_told_with_their_message() {
        let (question_labels, answer_labels) = (vec![Label::Pii], vec![Label::TooLong, Label::Leak]);
        let told = Findings { question_labels, answer_labels, ..Findings::default() }.told();
        assert_eq!(told, "the question has pii; the answer has too_long, leak");
        assert_eq!(Findings::default().told(), "");
    }
}
