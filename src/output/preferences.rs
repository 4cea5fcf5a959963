//! `preferences.jsonl`: pairs of answers to the same question, of which the judge or the checks have rejected one, and the other
//! was accepted. The columns are those that trainers of preferences read: `prompt`, `chosen` and `rejected`, each a list of chat messages.

use super::formats::Format;
use super::rows::{Parts, Text, accepted};
use crate::domain::{RejectedAnswer, Turn};
use crate::files::{FilesError, Lines};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Its name in `saving.files`.
pub(super) const NAME: &str = "preferences";

pub(super) const FORMAT: Format = Format { name: NAME, needed: false, rows };

fn rows(parts: &Parts, lines: &mut Lines) -> Result<(), FilesError> {
    pairs(parts).try_for_each(|pair| lines.push("row of preferences", &pair))
}

/// The pairs of a conversation that is trained on.
pub(super) fn pairs<'a>(parts: &'a Parts<'a>) -> impl Iterator<Item = PreferenceRow<'a>> {
    let turns = parts.conversation.turns.iter().filter(|_| parts.is_trained_on());
    let turns = turns.filter(|turn| turn.judgement.as_ref().is_none_or(accepted) && turn.answer.findings.is_accepted());
    turns.flat_map(|turn| {
        // What is held out is trained on in no way.
        let rejected = turn.rejected.iter().filter(|rejected| rejected.answer.findings.held_out.is_none());
        rejected.map(|rejected| PreferenceRow::of(parts, turn, rejected))
    })
}

/// A chat message of a pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatMessage<'a> {
    pub(crate) role: Text<'a>,
    pub(crate) content: Text<'a>,
}

/// A row of `preferences.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreferenceRow<'a> {
    pub(crate) conversation_id: Text<'a>,
    pub(crate) turn_index: u16,
    pub(crate) language: Text<'a>,
    /// The conversation up to the question, which is its last message.
    pub(crate) prompt: Vec<ChatMessage<'a>>,
    pub(crate) chosen: Vec<ChatMessage<'a>>,
    pub(crate) rejected: Vec<ChatMessage<'a>>,
    /// The judge's scores; none where it was not asked.
    pub(crate) score_chosen: Option<u8>,
    pub(crate) score_rejected: Option<u8>,
    /// What the judge has named, or else the labels of the rejected answer.
    pub(crate) reasons_rejected: Vec<Text<'a>>,
    pub(crate) notes_rejected: Text<'a>,
    /// Numbers of the rejected answer that stand in no passage.
    pub(crate) unsupported_numbers_rejected: Cow<'a, [String]>,
    pub(crate) assistant_agent: Text<'a>,
    pub(crate) conversation_status: Text<'a>,
    pub(crate) run_id: Text<'a>,
}

impl<'a> PreferenceRow<'a> {
    fn of(parts: &'a Parts<'a>, turn: &'a Turn, RejectedAnswer { answer, judgement }: &'a RejectedAnswer) -> Self {
        let before = parts.conversation.turns.iter().take_while(|other| other.index < turn.index);
        let said = before.flat_map(|turn| [asked(turn), answered(&turn.answer.reply.assistant_message)]);
        let verdict = judgement.as_ref().map(|judgement| &judgement.reply);
        let labels = answer.findings.answer_labels.iter().map(|label| label.as_str().into());
        Self {
            conversation_id: (&*parts.conversation.id).into(),
            turn_index: turn.index.0,
            language: (&*parts.conversation.language).into(),
            prompt: said.chain([asked(turn)]).collect(),
            chosen: vec![answered(&turn.answer.reply.assistant_message)],
            rejected: vec![answered(&answer.reply.assistant_message)],
            score_chosen: turn.judgement.as_ref().map(|judgement| judgement.reply.score),
            score_rejected: verdict.map(|verdict| verdict.score),
            reasons_rejected: verdict.map_or_else(|| labels.collect(), |verdict| named(&verdict.reasons)),
            notes_rejected: verdict.map_or("", |verdict| &verdict.notes).into(),
            unsupported_numbers_rejected: Cow::Borrowed(&answer.unsupported_numbers),
            assistant_agent: (&*answer.agent).into(),
            conversation_status: parts.status.into(),
            run_id: (&*parts.facts.run_id).into(),
        }
    }
}

fn named(reasons: &[String]) -> Vec<Text<'_>> {
    reasons.iter().map(Text::from).collect()
}

fn asked(turn: &Turn) -> ChatMessage<'_> {
    ChatMessage { role: "user".into(), content: (&turn.question.reply.user_message).into() }
}

fn answered(message: &str) -> ChatMessage<'_> {
    ChatMessage { role: "assistant".into(), content: message.into() }
}
