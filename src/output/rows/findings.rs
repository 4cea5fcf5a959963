//! What rows tell of what was found in a turn without a model.

use super::json::Text;
use crate::domain::Findings;
use crate::domain::findings::{Label, PersonalData};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The columns of a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FindingsColumns<'a> {
    pub(crate) question_labels: Cow<'a, [Label]>,
    pub(crate) answer_labels: Cow<'a, [Label]>,
    /// Whether no label is one of `checks.reject`.
    pub(crate) checks_accepted: bool,
    pub(crate) question_language: Option<Text<'a>>,
    pub(crate) answer_language: Option<Text<'a>>,
    pub(crate) question_words: u32,
    pub(crate) answer_words: u32,
    pub(crate) evidence_overlap: Option<f64>,
    pub(crate) unsupported_names: Cow<'a, [String]>,
    pub(crate) pii: Cow<'a, [PersonalData]>,
    pub(crate) leaks: Cow<'a, [String]>,
    pub(crate) abstains: bool,
}

impl<'a> FindingsColumns<'a> {
    /// Of what was found in a turn.
    pub(crate) fn of(found: &'a Findings) -> Self {
        Self {
            question_labels: Cow::Borrowed(&found.question_labels),
            answer_labels: Cow::Borrowed(&found.answer_labels),
            checks_accepted: found.is_accepted(),
            question_language: found.question_language.as_deref().map(Text::from),
            answer_language: found.answer_language.as_deref().map(Text::from),
            question_words: found.question_words,
            answer_words: found.answer_words,
            evidence_overlap: found.evidence_overlap,
            unsupported_names: Cow::Borrowed(&found.unsupported_names),
            pii: Cow::Borrowed(&found.pii),
            leaks: Cow::Borrowed(&found.leaks),
            abstains: found.abstains,
        }
    }
}
