//! Show: a conversation as people read it, turn by turn, with what its answers rest on and what became of them.
//!
//! Documents tell most. Where a folder has none (`saving.files`), the tables of conversations tell what they have, and so do the
//! files of an export.

mod marks;
mod tables;
mod text;

use super::RunError;
use super::explain::{ExplainedTurn, Explanation, explain};
use super::identity::{drawn, languages_of};
use crate::domain::slot::conversation_id;
use crate::domain::{JudgeReply, Vote};
use crate::files::Folder;
use crate::publish::ExportError;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// A conversation, to be shown.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Transcript {
    /// The id of the conversation.
    pub conversation_id: String,
    /// The run that it is of.
    pub run_id: String,
    /// The language of the conversation.
    pub language: String,
    /// How it ended: `completed` or `dropped`.
    pub status: String,
    /// Why it was dropped; empty where it was not.
    pub drop_reason: String,
    /// What happened then, for people; empty where it was not dropped.
    pub drop_detail: String,
    /// The person who asks, as the user model was told; empty where nobody was to be played.
    pub user_persona: String,
    /// The manner in which is answered, as the assistant model was told; empty as the other one.
    pub assistant_persona: String,
    /// Its turns, the one that it never finished last.
    pub turns: Vec<ExplainedTurn>,
    /// The verdict on the whole conversation.
    pub conversation_judge: Option<JudgeReply>,
    /// What each judge of a jury made of it.
    pub conversation_judge_votes: Vec<Vote>,
    /// What its replies came to; none where the journal has none of them (any more).
    pub calls: Option<CallFigures>,
}

/// What the replies of a conversation came to, those that were of no use included.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct CallFigures {
    /// How many models have replied.
    pub replies: usize,
    /// Tokens read, as far as endpoints say.
    pub prompt_tokens: u64,
    /// Tokens written, as far as endpoints say.
    pub completion_tokens: u64,
    /// Their price in USD; none where that of some is unknown.
    pub cost_usd: Option<f64>,
}

impl CallFigures {
    fn of(explained: &Explanation) -> Option<Self> {
        // What a search found has no model.
        let replies: Vec<_> = explained.replies.iter().filter(|reply| !reply.model.is_empty()).collect();
        (!replies.is_empty()).then(|| Self {
            replies: replies.len(),
            prompt_tokens: replies.iter().filter_map(|reply| reply.tokens.0).sum(),
            completion_tokens: replies.iter().filter_map(|reply| reply.tokens.1).sum(),
            cost_usd: replies.iter().map(|reply| reply.cost_usd).sum(),
        })
    }
}

impl From<Explanation> for Transcript {
    fn from(explained: Explanation) -> Self {
        let calls = CallFigures::of(&explained);
        Self {
            conversation_id: explained.conversation_id,
            run_id: explained.run_id,
            language: explained.language,
            status: explained.status,
            drop_reason: explained.drop_reason,
            drop_detail: explained.drop_detail,
            user_persona: explained.user_persona,
            assistant_persona: explained.assistant_persona,
            turns: explained.turns,
            conversation_judge: explained.conversation_judge,
            conversation_judge_votes: explained.conversation_judge_votes,
            calls,
        }
    }
}

/// The conversation of an output folder, or of an export, that is meant by its id, its number in the last run, `last` or `random`;
/// `dsn` and `logs` as [`explain`] has them.
///
/// # Errors
/// When there is no such conversation, or it can't be read.
pub fn show(outputs: &Path, dsn: Option<&str>, which: &str, logs: &Path) -> Result<Transcript, RunError> {
    if !outputs.exists() {
        let text = format!("there is no {}; name the output folder of a project", outputs.display());
        return Err(RunError::Unexplained(text));
    }
    let folder = if outputs.is_dir() { Folder::find(outputs, dsn)? } else { None };
    let Some(folder) = folder.filter(|folder| !folder.runs.is_empty()) else {
        return tables::find(outputs, which)?.ok_or_else(|| none(outputs, which));
    };
    let explained = match which {
        "last" | "random" => {
            let (id, run) = chosen(&folder, which)?.ok_or_else(|| none(outputs, which))?;
            explain(outputs, dsn, (&id, Some(&run)), logs)?
        }
        _ => explain(outputs, dsn, (which, None), logs)?,
    };
    let mut shown = Transcript::from(explained);
    // Where no document was written, rows tell less, but they tell what was said. There may be no table either.
    let row = || match tables::find(outputs, &shown.conversation_id) {
        Err(RunError::Export(ExportError::NoTable { .. })) => Ok(None),
        found => found,
    };
    if shown.turns.iter().all(|turn| turn.question.is_none())
        && let Some(row) = row()?
    {
        let (drop_detail, calls) = (shown.drop_detail, shown.calls);
        shown = Transcript { drop_detail, calls, ..row };
    }
    Ok(shown)
}

fn none(outputs: &Path, which: &str) -> RunError {
    let what = match which {
        "last" | "random" => "no conversation".to_owned(),
        id => format!("no conversation `{id}`"),
    };
    RunError::Unexplained(format!("{} has {what} that is accepted", outputs.display()))
}

/// The accepted conversation that stands last in the last run that has any, or any one of all runs; with its run.
fn chosen(folder: &Folder, which: &str) -> Result<Option<(String, String)>, RunError> {
    let mut ids = Vec::new();
    for run in folder.runs.iter().rev() {
        let languages: Vec<Arc<str>> = languages_of(run).into_iter().map(Arc::from).collect();
        let mut settled = folder.store.settled(&run.id)?;
        settled.retain(|one| one.dropped.is_none());
        settled.sort_by_key(|one| (one.slot.index, one.slot.language));
        ids.extend(settled.iter().rev().map(|one| (conversation_id(&run.id, &languages, one.slot), run.id.clone())));
        if which == "last" && !ids.is_empty() {
            return Ok(ids.into_iter().next());
        }
    }
    let at = drawn().checked_rem(ids.len() as u64);
    Ok(at.map(|at| ids.swap_remove(at as usize)))
}
