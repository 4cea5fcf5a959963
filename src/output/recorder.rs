//! The recorder: takes ended conversations in slot order and brings each to every file it belongs in.

use super::columns::{ConversationColumns, TurnColumns};
use super::files::{self, WrittenFile, shown};
use super::json::{Lines, pretty};
use super::ledger::{self, LedgerRow};
use super::rows::{ConversationDocument, Dropped, IndexRow, JudgeColumn, Parts, ShareGpt, SyntheticQa, TurnRow};
use super::shards::{self, Changes, Shards};
use super::state::{self, RunState};
use super::table::{Known, Table, append_all};
use super::{Columns, Folder, Options, OutputError, RunFacts, Stamp};
use crate::domain::slot::conversation_id;
use crate::domain::{Catalogue, Conversation, Ending, Fingerprint, Slot};
use crate::store::{Admission, Run, Settled, State};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Name of the pipeline's logger.
const LOG: &str = "dlgforge.pipeline";
/// The folder of documents in the output folder.
pub(super) const CONVERSATIONS: &str = "conversations";
/// Position of the ledger among the tables.
const LEDGER: usize = 5;

/// How a recorder begins.
pub enum Begins {
    /// With a new run.
    New(Run),
    /// With a run that has settled so much.
    Resumed(Vec<Settled>),
}

/// Writes the outputs of one run, and has the store admit them. Files of the output folder belong to it until it is
/// finished or dropped.
///
/// Rows are admitted in groups: first all bytes go to disk, then one transaction of the store records how long every file
/// is. When the process dies in between, the next one cuts the files back to what is recorded. A conversation that was
/// dropped before its first turn is told of in the run state only, and so is one that is not settled when the run stops.
pub struct Recorder {
    options: Options,
    facts: RunFacts,
    stamp: Stamp,
    catalogue: Arc<Catalogue>,
    folder: Folder,
    keep_calls: bool,
    tables: [Table; 7],
    documents: Documents,
    shards: Shards,
    state: RunState,
    /// Recorded and not admitted.
    pending: Vec<Settled>,
    /// See [`Admission::unfinished`].
    unfinished: Vec<(Slot, Fingerprint)>,
    /// Entries of what the run's stop leaves unsettled.
    left: Vec<Vec<u8>>,
}

impl Recorder {
    /// Begins a run in a folder, or goes on with one that has `settled` so much. Chunks and documents that questions use
    /// are looked up in the catalogue.
    ///
    /// # Errors
    /// When the output folder can't be written; when the run id was used before or can't be a file name, or two ShareGPT
    /// columns share a name; when a file is not as the run has left it.
    pub fn open(
        options: Options,
        mut facts: RunFacts,
        stamp: Stamp,
        catalogue: Arc<Catalogue>,
        folder: Folder,
        begins: Begins,
        keep_calls: bool,
    ) -> Result<Self, OutputError> {
        check_run_id(&facts.run_id)?;
        check_columns(&options.columns)?;
        facts.topics_path = without_root(&facts.topics_path, &options);
        let root = options.folder.as_path();
        if let Begins::New(_) = begins {
            state::expect_new(root, &facts.run_id)?;
        }
        for name in [CONVERSATIONS, state::FOLDER, shards::FOLDER] {
            files::create_folder(&root.join(name))?;
        }
        folder.clear_leftovers(root)?;
        let documents = Documents { folder: root.join(CONVERSATIONS), unsynced: Vec::new(), written: 0, bytes: 0 };
        if let Begins::Resumed(settled) = &begins {
            expect_documents(&documents.folder, settled, &facts)?;
        }
        let known = |name: &str, unknown: Known| match (folder.files.get(name), &begins) {
            (None, _) => unknown,
            (Some(mark), Begins::New(_)) => Known::Loosely { mark: *mark, died: folder.died },
            (Some(mark), Begins::Resumed(_)) => Known::Exactly { mark: *mark, died: folder.died },
        };
        let tables = open_tables(root, |name| known(name, Known::New))?;
        let last = match &begins {
            Begins::New(_) => None,
            Begins::Resumed(settled) => {
                let has_rows =
                    |one: &&Settled| one.document > 0 && (options.keep_dropped_rows || one.dropped.is_none());
                settled.iter().rev().find(has_rows).map(|one| one.slot)
            }
        };
        let shards = Shards::open(root, &facts, &folder.files, folder.died, last)?;
        let spool = known(&state::spool(&facts.run_id), Known::Fresh);
        let state = RunState::open(root, &facts, spool)?;
        files::sync_folder(root)?;
        let (pending, unfinished, left) = (Vec::new(), Vec::new(), Vec::new());
        let mut recorder = Self {
            options,
            facts,
            stamp,
            catalogue,
            folder,
            keep_calls,
            tables,
            documents,
            shards,
            state,
            pending,
            unfinished,
            left,
        };
        // First what the files hold now: rows of a process that dies before they are admitted are cut off again. Then they
        // are as the store records them, whoever wrote them last.
        recorder.admit_all(false)?;
        recorder.begin(&begins)?;
        Ok(recorder)
    }

    fn begin(&mut self, begins: &Begins) -> Result<(), OutputError> {
        let (run_id, at) = (&self.facts.run_id, self.stamp.utc_z());
        self.folder.bury(&self.options.folder, &at)?;
        match begins {
            Begins::New(run) => {
                self.folder.store.begin(run)?;
                tracing::info!(target: LOG, "[run-state] run_id={run_id} status=started");
                self.state.show("started", &self.facts, self.stamp, &[])?;
            }
            Begins::Resumed(_) => {
                self.folder.store.turn(run_id, State::Running, &at)?;
                tracing::info!(target: LOG, "[run-state] run_id={run_id} status=resumed");
            }
        }
        Ok(())
    }

    /// Records a conversation that is settled; they arrive in slot order. It counts once it is admitted.
    ///
    /// # Errors
    /// When a file can't be written; the error names it. When the conversation has not ended.
    pub fn record(&mut self, conversation: &Conversation) -> Result<(), OutputError> {
        let ending = conversation.ending.as_ref().filter(|ending| **ending != Ending::Interrupted);
        let ending = ending.ok_or_else(|| OutputError::NotEnded { id: conversation.id.to_string() })?;
        let timestamp = self.stamp.utc();
        let parts = Parts::new(conversation, ending, &self.facts, &timestamp);
        let slot = state::slot(&parts)?;
        let start = self.tables[LEDGER].length();
        let mut document = 0;
        if !conversation.turns.is_empty() {
            let path = document_path(&self.documents.folder, &conversation.id);
            let file = shown(&path, bases(&self.options));
            let lines = lines(&parts, ending, &self.options, &file, &self.ledger_rows(conversation))?;
            document = self.documents.write(path, pretty("conversation", &ConversationDocument::of(&parts))?)?;
            append_all(&mut self.tables, &lines)?;
            if self.options.keep_dropped_rows || *ending == Ending::Completed {
                let turns = conversation.turns.iter().map(|turn| TurnColumns::of(&parts, turn, &self.catalogue));
                self.shards.push(conversation.slot, ConversationColumns::of(&parts), &turns.collect::<Vec<_>>())?;
            }
        }
        self.state.push(&slot)?;
        let slot = conversation.slot;
        self.unfinished.extend(conversation.unfinished().map(|question| (slot, question)));
        self.pending.push(Settled {
            slot: conversation.slot,
            wave: conversation.wave,
            dropped: match ending {
                Ending::Dropped(reason) => Some((reason.as_str().to_owned(), reason.detail())),
                Ending::Completed | Ending::Interrupted => None,
            },
            duplicates: conversation.duplicates(),
            ledger: start..self.tables[LEDGER].length(),
            document,
        });
        Ok(())
    }

    /// Takes note of a conversation that the run's stop leaves unsettled: the run state tells of it until the run goes on.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn leave(&mut self, conversation: &Conversation) -> Result<(), OutputError> {
        let timestamp = self.stamp.utc();
        self.left.push(state::slot(&Parts::new(conversation, &Ending::Interrupted, &self.facts, &timestamp))?);
        Ok(())
    }

    /// Admits what is recorded: all of it, or on an error none.
    ///
    /// # Errors
    /// When a file can't be brought to disk, or the store can't be written.
    pub fn admit(&mut self) -> Result<(), OutputError> {
        self.admit_all(false)?;
        if self.state.is_stale() {
            self.state.show("in_progress", &self.facts, self.stamp, &[])?;
        }
        Ok(())
    }

    /// Admits what is recorded, completes all files when the run is over, and tells what was written.
    ///
    /// # Errors
    /// When a file can't be completed; the error names it.
    pub fn finish(mut self, state: State) -> Result<Vec<WrittenFile>, OutputError> {
        self.admit_all(state.is_over())?;
        let status = if state == State::Completed { "completed" } else { "in_progress" };
        let bytes = self.state.show(status, &self.facts, self.stamp, &self.left)?;
        let mut changes = Changes::new();
        if state.is_over() {
            changes.insert(state::spool(&self.facts.run_id), None);
        } else {
            self.shards.show(bases(&self.options))?;
        }
        self.record_changes(changes, Some(state))?;
        let bases = bases(&self.options);
        let mut written: Vec<_> = self.tables.iter().map(|table| table.written(bases)).collect();
        let tables = written.len();
        written.extend(self.shards.written());
        written.push(self.documents.written(bases));
        written.push(self.state.written(bytes, bases));
        if state.is_over() {
            self.state.close()?;
        }
        let (rows, files) = (self.documents.written, written.len());
        tracing::info!(target: LOG, "[training-data] conversations={rows} files={files} tables={tables}");
        tracing::info!(target: LOG, "[run-state] run_id={} status={status}", self.facts.run_id);
        Ok(written)
    }

    /// Conversations that the run's stop leaves unsettled.
    pub fn left(&self) -> usize {
        self.left.len()
    }

    /// Leaves everything as it was when the run last had something admitted.
    pub fn abandon(self) {
        if let Err(error) = self.folder.store.turn(&self.facts.run_id, State::Failed, &self.stamp.utc_z()) {
            tracing::warn!(target: LOG, "failed to {error}");
        }
    }

    fn admit_all(&mut self, over: bool) -> Result<(), OutputError> {
        let mut changes = Changes::new();
        for table in &mut self.tables {
            changes.extend(table.sync()?.map(|(name, mark)| (name, Some(mark))));
        }
        changes.extend(self.state.sync()?.map(|(name, mark)| (name, Some(mark))));
        self.shards.sync(&mut changes)?;
        self.documents.sync()?;
        // The names of files made since the last time.
        for name in [shards::FOLDER, state::FOLDER] {
            files::sync_folder(&self.options.folder.join(name))?;
        }
        self.record_changes(changes, None)?;
        let (changes, spools) = self.shards.compose(over, bases(&self.options))?;
        self.record_changes(changes, None)?;
        shards::remove(&spools)
    }

    fn record_changes(&mut self, files: Changes, state: Option<State>) -> Result<(), OutputError> {
        if files.is_empty() && self.pending.is_empty() && state.is_none() {
            return Ok(());
        }
        let (at, drop_replies) = (self.stamp.utc_z(), !self.keep_calls);
        let (settled, unfinished) = (std::mem::take(&mut self.pending), std::mem::take(&mut self.unfinished));
        let admission = Admission { at, settled, unfinished, files, drop_replies, state };
        Ok(self.folder.store.admit(&self.facts.run_id, &admission)?)
    }

    fn ledger_rows(&self, conversation: &Conversation) -> Vec<LedgerRow> {
        let timestamp = self.stamp.utc_z();
        let run_id = &self.facts.run_id;
        conversation.turns.iter().map(|turn| LedgerRow::of(turn, &self.catalogue, run_id, &timestamp)).collect()
    }
}

fn open_tables(folder: &Path, known: impl Fn(&str) -> Known) -> Result<[Table; 7], OutputError> {
    let open = |name| Table::open(folder, name, known(name));
    Ok([
        open("synthetic_qa.jsonl")?,
        open("conversations_index.jsonl")?,
        open("conversations_sharegpt.jsonl")?,
        open("conversations_sharegpt_judged.jsonl")?,
        open("turns.jsonl")?,
        open(ledger::FILE_NAME)?,
        open("dropped.jsonl")?,
    ])
}

/// The lines of a conversation, in the order of [`Recorder::tables`].
fn lines(
    parts: &Parts,
    ending: &Ending,
    options: &Options,
    file: &str,
    ledger_rows: &[LedgerRow],
) -> Result<[Lines; 7], OutputError> {
    let [mut qa, mut index, mut plain, mut judged, mut turns, mut ledger, mut dropped] =
        std::array::from_fn(|_| Lines::default());
    let columns = &options.columns;
    let judge = JudgeColumn::of(parts);
    qa.push("row of synthetic_qa", &SyntheticQa::of(parts))?;
    index.push("row of conversations_index", &IndexRow::of(parts, file))?;
    match ending {
        Ending::Dropped(reason) if !options.keep_dropped_rows => {
            let row = Dropped::of(ShareGpt::of(parts, columns, judge.as_ref()), reason);
            dropped.push("row of dropped", &row)?;
        }
        _ => {
            plain.push("row of conversations_sharegpt", &ShareGpt::of(parts, columns, None))?;
            if let Some(judge) = &judge {
                judged.push("row of conversations_sharegpt_judged", &ShareGpt::of(parts, columns, Some(judge)))?;
            }
            for turn in &parts.conversation.turns {
                turns.push("row of turns", &TurnRow::of(parts, turn))?;
            }
        }
    }
    for row in ledger_rows {
        ledger.push("row of coverage_ledger", row)?;
    }
    Ok([qa, index, plain, judged, turns, ledger, dropped])
}

/// Demands that the documents of these conversations are in their folder.
pub(super) fn expect_documents(folder: &Path, settled: &[Settled], facts: &RunFacts) -> Result<(), OutputError> {
    for one in settled.iter().filter(|one| one.document > 0) {
        let path = document_path(folder, &conversation_id(&facts.run_id, &facts.languages, one.slot));
        let detail = match fs::metadata(&path).map(|file| file.len()) {
            Ok(length) if length == one.document => continue,
            Ok(length) => format!("it has {length} bytes of {}", one.document),
            Err(cause) if cause.kind() == ErrorKind::NotFound => "it is missing".to_owned(),
            Err(cause) => return Err(OutputError::io("look at", &path)(cause)),
        };
        return Err(OutputError::Changed { path, detail });
    }
    Ok(())
}

/// Where a conversation's document lies.
fn document_path(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("{id}.json"))
}

/// `conversations/`: one document per conversation. Each appears whole under its name.
struct Documents {
    folder: PathBuf,
    /// Those that may not be on disk yet.
    unsynced: Vec<PathBuf>,
    written: u64,
    bytes: u64,
}

impl Documents {
    /// Its length in bytes.
    fn write(&mut self, path: PathBuf, mut document: Vec<u8>) -> Result<u64, OutputError> {
        document.push(b'\n');
        // One name for all: a run that dies leaves at most one, which the next run reuses.
        let temporary = files::temporary(&self.folder.join("document"));
        fs::write(&temporary, &document).map_err(OutputError::io("write", &temporary))?;
        files::rename(&temporary, &path)?;
        self.unsynced.push(path);
        self.written += 1;
        self.bytes += document.len() as u64;
        Ok(document.len() as u64)
    }

    /// Brings the documents to disk, and then their names.
    fn sync(&mut self) -> Result<(), OutputError> {
        if self.unsynced.is_empty() {
            return Ok(());
        }
        for path in self.unsynced.drain(..) {
            File::open(&path).and_then(|file| file.sync_data()).map_err(OutputError::io("sync", &path))?;
        }
        files::sync_folder(&self.folder)
    }

    fn written(&self, bases: [&Path; 2]) -> WrittenFile {
        WrittenFile { path: shown(&self.folder, bases) + "/", rows: Some(self.written), bytes: self.bytes }
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
    let Columns { messages, messages_with_tools, tools, metadata, user_reasoning, assistant_reasoning, judge } =
        columns;
    let mut seen = BTreeSet::new();
    for name in [messages, messages_with_tools, tools, metadata, user_reasoning, assistant_reasoning, judge] {
        if !seen.insert(name) {
            return Err(OutputError::ColumnTwice { name: name.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
