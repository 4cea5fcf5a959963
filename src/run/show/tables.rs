//! A conversation from its row, in an output folder without documents or in an export.

use super::super::RunError;
use super::super::explain::{ExplainedPassage, ExplainedTurn};
use super::super::identity::drawn;
use super::Transcript;
use crate::domain::JudgeReply;
use crate::output::Table;
use crate::publish::source::Source;
use crate::publish::view::{DIALOGUE_COLUMNS, dialogues};
use crate::publish::{Dialogue, Exchange, ExportError};
use serde_json::Value;
use std::path::Path;

/// The conversation of this id, the last one or a random one; none where there is none.
///
/// # Errors
/// When the folder has no table of conversations, or it can't be read.
pub fn find(outputs: &Path, which: &str) -> Result<Option<Transcript>, RunError> {
    let found = in_table(&Source::open(outputs, Table::Conversations)?, which)?;
    if found.is_some() || matches!(which, "last" | "random") || outputs.is_file() {
        return Ok(found);
    }
    match Source::open(outputs, Table::Dropped) {
        Ok(dropped) => Ok(in_table(&dropped, which)?),
        Err(ExportError::NoTable { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn in_table(source: &Source, which: &str) -> Result<Option<Transcript>, ExportError> {
    let columns = source.columns(&DIALOGUE_COLUMNS);
    let (mut found, mut seen) = (None, 0);
    // The last row is in the last part that has any.
    for part in source.parts().iter().rev() {
        for batch in part.read(&columns)?.iter().rev() {
            let mut rows: Vec<Dialogue<'_>> = dialogues(batch).collect();
            match which {
                "last" => found = rows.last().map(transcript),
                "random" => {
                    seen += rows.len() as u64;
                    let at = drawn() % seen.max(1);
                    let is_of_batch = (at as usize) < rows.len();
                    found = if is_of_batch { Some(transcript(&rows.swap_remove(at as usize))) } else { found };
                    continue;
                }
                id => found = rows.iter().find(|row| row.id == id).map(transcript),
            }
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

fn transcript(row: &Dialogue<'_>) -> Transcript {
    Transcript {
        conversation_id: row.id.to_owned(),
        run_id: row.run_id.to_owned(),
        language: row.language.to_owned(),
        status: row.status.to_owned(),
        drop_reason: row.drop_reason.to_owned(),
        user_persona: row.personas.user.to_owned(),
        assistant_persona: row.personas.assistant.to_owned(),
        turns: row.turns.iter().map(|exchange| turn(row, exchange)).collect(),
        ..Transcript::default()
    }
}

fn turn(row: &Dialogue<'_>, exchange: &Exchange<'_>) -> ExplainedTurn {
    let calls = row.messages.iter().filter(|said| said.turn_index == exchange.index).flat_map(|said| &said.calls);
    let arguments = calls.filter_map(|call| serde_json::from_str::<Value>(call.arguments).ok());
    let passage = |source: &&str| ExplainedPassage { source: (*source).to_owned(), ..ExplainedPassage::default() };
    ExplainedTurn {
        turn_index: exchange.index,
        finished: true,
        question_mode: exchange.mode.to_owned(),
        register: row.register.to_owned(),
        question: Some(exchange.user.to_owned()),
        searches: arguments.filter_map(|arguments| arguments["query"].as_str().map(str::to_owned)).collect(),
        passages: exchange.sources.iter().map(passage).collect(),
        answer: Some(exchange.assistant.to_owned()),
        labels: exchange.answer_labels.join(", "),
        judge: exchange.score.map(|score| JudgeReply {
            score,
            reasons: exchange.reasons.iter().map(|reason| (*reason).to_owned()).collect(),
            notes: exchange.notes.to_owned(),
            question_ok: exchange.sound.is_none_or(|[question, _]| question),
            answer_ok: exchange.sound.is_none_or(|[_, answer]| answer),
        }),
        judge_accepted: exchange.accepted,
        ..ExplainedTurn::default()
    }
}
