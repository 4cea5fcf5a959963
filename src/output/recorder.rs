//! The recorder: takes ended conversations in slot order and brings each to every file it belongs in.

use super::columns::{ConversationColumns, TurnColumns};
use super::files::{self, WrittenFile, shown};
use super::json::{Lines, pretty};
use super::ledger::{self, LedgerRow};
use super::rows::{ConversationDocument, IndexRow, JudgeColumn, Parts, ShareGpt, SyntheticQa, TurnRow};
use super::shards::Shards;
use super::state::{self, RunState};
use super::table::{Table, append_all};
use super::{Columns, Options, OutputError, RunFacts, Stamp};
use crate::words::{Catalogue, Conversation, Ending};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Name of the pipeline's logger.
const LOG: &str = "dlgforge.pipeline";

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It made all it was asked for.
    Completed,
    /// It was asked to stop.
    Interrupted,
    /// It had to give up.
    Failed,
}

impl Status {
    /// The `status` of the run state.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Interrupted | Self::Failed => "in_progress",
        }
    }
}

/// Writes the outputs of one run. Files of the output folder belong to it until it is finished or dropped.
///
/// A conversation that was interrupted, or dropped before its first turn, is told of in the run state only.
pub struct Recorder {
    options: Options,
    facts: RunFacts,
    stamp: Stamp,
    catalogue: Arc<Catalogue>,
    tables: [Table; 6],
    documents: Documents,
    shards: Shards,
    state: RunState,
    /// Held for its lock.
    _claim: Option<File>,
}

impl Recorder {
    /// Makes the folders and empty files of a run and records that it has started. Chunks and documents that questions
    /// use are looked up in the catalogue. Temporary files of a run that died are removed.
    ///
    /// # Errors
    /// When the output folder can't be written or belongs to another run that goes on, when the run id was used before
    /// or can't be a file name, and when two ShareGPT columns share a name.
    pub fn create(
        options: Options,
        mut facts: RunFacts,
        stamp: Stamp,
        catalogue: Arc<Catalogue>,
    ) -> Result<Self, OutputError> {
        check_run_id(&facts.run_id)?;
        check_columns(&options.columns)?;
        let folder = options.folder.as_path();
        let [conversations, run_state, parquet] =
            ["conversations", "run_state", "parquet"].map(|name| folder.join(name));
        for folder in [&conversations, &run_state, &parquet] {
            files::create_folder(folder)?;
        }
        let claim = files::claim_folder(folder)?;
        if claim.is_some() {
            files::clear_temporaries(&run_state)?;
            files::clear_temporaries(&parquet)?;
        }
        let tables = open_tables(folder)?;
        facts.topics_path = without_root(&facts.topics_path, &options);
        let state = RunState::create(&run_state, &facts, stamp)?;
        tracing::info!(target: LOG, "[run-state] run_id={} status=started", facts.run_id);
        files::sync_folder(folder)?;
        let documents = Documents { folder: conversations, written: 0, bytes: 0 };
        let shards = Shards::new(parquet, &facts);
        Ok(Self { options, facts, stamp, catalogue, tables, documents, shards, state, _claim: claim })
    }

    /// Records an ended conversation; they arrive in slot order. Its lines are with the operating system on return;
    /// a line is written whole or, on an error, not at all.
    ///
    /// # Errors
    /// When a file can't be written; the error names it. When the conversation has not ended.
    pub fn record(&mut self, conversation: &Conversation) -> Result<(), OutputError> {
        let Some(ending) = &conversation.ending else {
            return Err(OutputError::NotEnded { id: conversation.id.to_string() });
        };
        let timestamp = self.stamp.utc();
        let parts = Parts::new(conversation, ending, &self.facts, &timestamp);
        let slot = state::slot(&parts)?;
        if *ending != Ending::Interrupted && !conversation.turns.is_empty() {
            let path = self.documents.path(conversation);
            let lines = lines(
                &parts,
                &self.options.columns,
                &shown(&path, bases(&self.options)),
                &self.ledger_rows(conversation),
            )?;
            let document = pretty("conversation", &ConversationDocument::of(&parts))?;
            let turns = conversation.turns.iter().map(|turn| TurnColumns::of(&parts, turn, &self.catalogue));
            self.documents.write(&path, document)?;
            append_all(&mut self.tables, &lines)?;
            self.shards.push(conversation.slot, ConversationColumns::of(&parts), &turns.collect::<Vec<_>>())?;
        }
        self.state.push(&slot)
    }

    /// Completes all files and brings them to disk; tells what the run has written.
    ///
    /// # Errors
    /// When a file can't be completed; the error names it.
    pub fn finish(self, status: Status) -> Result<Vec<WrittenFile>, OutputError> {
        let (bases, rows) = (bases(&self.options), self.documents.written);
        let state = self.state.finish(status.as_str(), &self.facts, self.stamp, bases)?;
        let mut written = self.shards.finish(bases)?;
        written.push(self.documents.finish(bases)?);
        written.push(state);
        let tables = self.tables.into_iter().map(|table| table.finish(bases)).collect::<Result<Vec<_>, _>>()?;
        tracing::info!(target: LOG, "[training-data] conversations={rows} files={}", tables.len() + written.len());
        tracing::info!(target: LOG, "[run-state] run_id={} status={}", self.facts.run_id, status.as_str());
        Ok(tables.into_iter().chain(written).collect())
    }

    fn ledger_rows(&self, conversation: &Conversation) -> Vec<LedgerRow> {
        let timestamp = self.stamp.utc_z();
        conversation.turns.iter().map(|turn| LedgerRow::of(turn, &self.catalogue, &timestamp)).collect()
    }
}

fn open_tables(folder: &Path) -> Result<[Table; 6], OutputError> {
    let open = |name| Table::open(folder.join(name));
    Ok([
        open("synthetic_qa.jsonl")?,
        open("conversations_index.jsonl")?,
        open("conversations_sharegpt.jsonl")?,
        open("conversations_sharegpt_judged.jsonl")?,
        open("turns.jsonl")?,
        open(ledger::FILE_NAME)?,
    ])
}

/// The lines of a conversation, in the order of [`Recorder::tables`].
fn lines(parts: &Parts, columns: &Columns, file: &str, ledger_rows: &[LedgerRow]) -> Result<[Lines; 6], OutputError> {
    let [mut qa, mut index, mut plain, mut judged, mut turns, mut ledger] = std::array::from_fn(|_| Lines::default());
    qa.push("row of synthetic_qa", &SyntheticQa::of(parts))?;
    index.push("row of conversations_index", &IndexRow::of(parts, file))?;
    plain.push("row of conversations_sharegpt", &ShareGpt::of(parts, columns, None))?;
    if let Some(judge) = JudgeColumn::of(parts) {
        judged.push("row of conversations_sharegpt_judged", &ShareGpt::of(parts, columns, Some(&judge)))?;
    }
    for turn in &parts.conversation.turns {
        turns.push("row of turns", &TurnRow::of(parts, turn))?;
    }
    for row in ledger_rows {
        ledger.push("row of coverage_ledger", row)?;
    }
    Ok([qa, index, plain, judged, turns, ledger])
}

/// `conversations/`: one document per conversation. Each appears whole under its name; that it is on disk is certain
/// only after [`Documents::finish`] and the system's own write-back, for a sync per document would rule the run's speed.
struct Documents {
    folder: PathBuf,
    written: u64,
    bytes: u64,
}

impl Documents {
    fn path(&self, conversation: &Conversation) -> PathBuf {
        self.folder.join(format!("{}.json", conversation.id))
    }

    fn write(&mut self, path: &Path, mut document: Vec<u8>) -> Result<(), OutputError> {
        document.push(b'\n');
        // One name for all: a run that dies leaves at most one, which the next run reuses.
        let temporary = files::temporary(&self.folder.join("document"));
        fs::write(&temporary, &document).map_err(OutputError::io("write", &temporary))?;
        files::rename(&temporary, path)?;
        self.written += 1;
        self.bytes += document.len() as u64;
        Ok(())
    }

    fn finish(self, bases: [&Path; 2]) -> Result<WrittenFile, OutputError> {
        files::sync_folder(&self.folder)?;
        let path = shown(&self.folder, bases) + "/";
        Ok(WrittenFile { path, rows: Some(self.written), bytes: self.bytes })
    }
}

fn bases(options: &Options) -> [&Path; 2] {
    [&options.root, &options.folder]
}

/// A configured path as the rows tell it: an absolute one would tell of the machine.
fn without_root(configured: &str, options: &Options) -> String {
    let path = Path::new(configured);
    if path.is_absolute() { shown(path, bases(options)) } else { configured.to_owned() }
}

fn check_run_id(run_id: &str) -> Result<(), OutputError> {
    if run_id.is_empty() || run_id.starts_with('.') || run_id.contains(['/', '\\', '\0']) {
        return Err(OutputError::RunId { run_id: run_id.to_owned() });
    }
    Ok(())
}

fn check_columns(columns: &Columns) -> Result<(), OutputError> {
    let Columns { messages, messages_with_tools, metadata, user_reasoning, assistant_reasoning, judge } = columns;
    let mut seen = BTreeSet::new();
    for name in [messages, messages_with_tools, metadata, user_reasoning, assistant_reasoning, judge] {
        if !seen.insert(name) {
            return Err(OutputError::ColumnTwice { name: name.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
