//! The verdicts of the judges of a jury.

use super::json::Text;
use crate::domain::{Judgement, Vote};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What one judge of a jury made of a turn or a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VoteRow<'a> {
    pub(crate) model: Text<'a>,
    /// The score, from 0 to 10; none, as of all that follows, where it made no verdict.
    pub(crate) score: Option<u8>,
    pub(crate) reasons: Cow<'a, [String]>,
    pub(crate) notes: Text<'a>,
    pub(crate) question_ok: Option<bool>,
    pub(crate) answer_ok: Option<bool>,
}

impl<'a> VoteRow<'a> {
    fn of(Vote { model, verdict }: &'a Vote) -> Self {
        let verdict = verdict.as_ref();
        Self {
            model: (&**model).into(),
            score: verdict.map(|verdict| verdict.score),
            reasons: Cow::Borrowed(verdict.map_or(&[], |verdict| &verdict.reasons)),
            notes: verdict.map_or("", |verdict| &verdict.notes).into(),
            question_ok: verdict.map(|verdict| verdict.question_ok),
            answer_ok: verdict.map(|verdict| verdict.answer_ok),
        }
    }
}

/// Those of each judge, in the order of the settings; none without a jury.
pub(crate) fn votes(judgement: Option<&Judgement>) -> Vec<VoteRow<'_>> {
    judgement.map_or_else(Vec::new, |judgement| judgement.votes.iter().map(VoteRow::of).collect())
}
