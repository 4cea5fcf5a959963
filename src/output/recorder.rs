//! The recorder: takes ended conversations in slot order and brings each to every file it belongs in.

use super::conversations::{self, inside};
use super::formats::Format;
use super::parquet;
use super::run_state::{self, RunState};
use super::{Columns, Entry, OutputError, Rendered, Renderer, RunFacts, coverage_ledger};
use crate::domain::slot::conversation_id;
use crate::domain::{Balance, Fingerprint, HeldClaim, Outcome, SettledConversation, Slot};
use crate::files::{self, Changes, Documents, Existing, FilesError, Folder, Shards, Table, WrittenFile, append_all};
use crate::store::{Admission, Run, Settled, State};
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// Name of the pipeline's logger.
const LOG: &str = "dlgforge.pipeline";

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
    renderer: Arc<Renderer>,
    folder: Folder,
    keep_calls: bool,
    /// A table for each file of rows.
    tables: Vec<Table>,
    documents: Option<Documents>,
    shards: Option<Shards>,
    state: RunState,
    /// Conversations with turns that were recorded since the process began.
    recorded: u64,
    /// Recorded and not admitted.
    pending: Vec<Settled>,
    /// See [`Admission::unfinished`].
    unfinished: Vec<(Slot, Vec<Fingerprint>)>,
    /// See [`Admission::claims`].
    claims: Vec<(Slot, Vec<HeldClaim>)>,
    /// Entries of what the run's stop leaves unsettled.
    left: Vec<Vec<u8>>,
}

impl Recorder {
    /// Begins a run in the folder for which conversations are rendered, or goes on with one that has `settled` so much.
    ///
    /// # Errors
    /// When the output folder can't be written; when the run id was used before or can't be a file name, or two ShareGPT
    /// columns share a name; when a file is not as the run has left it.
    pub fn open(
        renderer: Arc<Renderer>,
        folder: Folder,
        begins: Begins,
        keep_calls: bool,
    ) -> Result<Self, OutputError> {
        let Renderer { options, facts, formats, .. } = &*renderer;
        check_run_id(&facts.run_id)?;
        check_columns(&options.columns)?;
        let root = options.folder.as_path();
        if let Begins::New(_) = begins {
            run_state::expect_new(root, &facts.run_id)?;
        }
        files::create_folder(&root.join(run_state::NAME))?;
        clear_leftovers(&folder, root)?;
        if let Begins::Resumed(settled) = &begins {
            expect_documents(&root.join(conversations::NAME), settled, facts)?;
        }
        let documents = options.files.has(conversations::NAME).then(|| Documents::open(root.join(conversations::NAME)));
        let documents = documents.transpose()?;
        let known = |name: &str, unknown: Existing| match (folder.files.get(name), &begins) {
            (None, _) => unknown,
            (Some(mark), Begins::New(_)) => Existing::Tolerate { mark: *mark, died: folder.died },
            (Some(mark), Begins::Resumed(_)) => Existing::Require { mark: *mark, died: folder.died },
        };
        let open = |format: &Format| Table::open(root, &format.file_name(), known(&format.file_name(), Existing::Keep));
        let tables = formats.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let last = match &begins {
            Begins::New(_) => None,
            Begins::Resumed(settled) => {
                // Every turn has a row of the ledger.
                let has_rows = |one: &&Settled| !one.ledger.is_empty();
                settled.iter().rev().find(has_rows).map(|one| one.slot)
            }
        };
        let open =
            || Shards::open(root, parquet::layout(options), facts.run_id.clone(), &folder.files, folder.died, last);
        let shards = options.files.has(parquet::NAME).then(open).transpose()?;
        let spool = known(&run_state::spool(&facts.run_id), Existing::Truncate);
        let state = RunState::open(root, facts, spool)?;
        files::sync_folder(root)?;
        let (pending, unfinished, left) = (Vec::new(), Vec::new(), Vec::new());
        let mut recorder = Self {
            renderer,
            folder,
            keep_calls,
            tables,
            documents,
            shards,
            state,
            recorded: 0,
            pending,
            unfinished,
            claims: Vec::new(),
            left,
        };
        // First what the files hold now: rows of a process that dies before they are admitted are cut off again. Then they
        // are as the store records them, whoever wrote them last.
        recorder.admit_all(false)?;
        recorder.begin(&begins)?;
        Ok(recorder)
    }

    fn begin(&mut self, begins: &Begins) -> Result<(), OutputError> {
        let (run_id, at) = (&self.renderer.facts.run_id, self.renderer.stamp.utc_z());
        self.folder.close_dead_runs(&self.renderer.options.folder, &at)?;
        match begins {
            Begins::New(run) => {
                self.folder.store.begin(run)?;
                tracing::info!(target: LOG, "[run-state] run_id={run_id} status=started");
                self.state.show(("started", None), &self.renderer.facts, self.renderer.stamp, &[])?;
            }
            Begins::Resumed(_) => {
                self.folder.store.set_state(run_id, State::Running, &at)?;
                tracing::info!(target: LOG, "[run-state] run_id={run_id} status=resumed");
            }
        }
        Ok(())
    }

    /// What renders the conversations that are recorded.
    pub fn renderer(&self) -> &Arc<Renderer> {
        &self.renderer
    }

    /// Records a conversation that is settled; they arrive in slot order. It counts once it is admitted.
    ///
    /// # Errors
    /// When a file can't be written; the error names it.
    pub fn record(&mut self, rendered: Rendered) -> Result<(), OutputError> {
        let Rendered { about, lines, document, parquet, entry, .. } = rendered;
        let SettledConversation { slot, wave, duplicates, unfinished, claims, turns, outcome, .. } = about;
        let (start, mut length) = (self.ledger(), 0);
        if let (Some(documents), Some(document)) = (&mut self.documents, &document) {
            length = documents.write(&document.place, &document.bytes)?;
        }
        append_all(&mut self.tables, &lines)?;
        self.recorded += u64::from(turns.all > 0);
        if let Some(shards) = self.shards.as_mut().filter(|_| !parquet.is_empty()) {
            shards.push(slot, &parquet)?;
        }
        self.state.push(&entry.0)?;
        self.unfinished.extend(Some((slot, unfinished)).filter(|(_, questions)| !questions.is_empty()));
        self.claims.extend(Some((slot, claims)).filter(|(_, claims)| !claims.is_empty()));
        let dropped = match outcome {
            Outcome::Dropped(reason) => Some((reason.as_str().to_owned(), reason.detail())),
            Outcome::Completed | Outcome::Interrupted => None,
        };
        let ledger = start..self.ledger();
        self.pending.push(Settled { slot, wave, dropped, duplicates, ledger, document: length, turns });
        Ok(())
    }

    /// Takes note of a conversation that the run's stop leaves unsettled.
    pub fn leave(&mut self, entry: Entry) {
        self.left.push(entry.0);
    }

    /// Admits what is recorded: all of it, or on an error none.
    ///
    /// # Errors
    /// When a file can't be brought to disk, or the store can't be written.
    pub fn admit(&mut self) -> Result<(), OutputError> {
        self.admit_all(false)?;
        if self.state.is_stale() {
            self.state.show(("in_progress", None), &self.renderer.facts, self.renderer.stamp, &[])?;
        }
        Ok(())
    }

    /// Admits what is recorded, completes all files when the run is over, and tells what was written. The run state tells how
    /// evenly documents were asked about.
    ///
    /// # Errors
    /// When a file can't be completed; the error names it.
    pub fn finish(mut self, state: State, balance: Option<Balance>) -> Result<Vec<WrittenFile>, OutputError> {
        self.admit_all(state.is_over())?;
        let status = if state == State::Completed { "completed" } else { "in_progress" };
        let bytes = self.state.show((status, balance), &self.renderer.facts, self.renderer.stamp, &self.left)?;
        let mut changes = Changes::new();
        if state.is_over() {
            changes.insert(run_state::spool(&self.renderer.facts.run_id), None);
        } else if let Some(shards) = &mut self.shards {
            shards.show(self.renderer.options.bases())?;
        }
        self.record_changes(changes, Some(state))?;
        let renderer = self.renderer.clone();
        let bases = renderer.options.bases();
        let mut written: Vec<_> = self.tables.iter().map(|table| table.written(bases)).collect();
        let tables = written.len();
        written.extend(self.shards.into_iter().flat_map(Shards::written));
        written.extend(self.documents.as_ref().map(|documents| documents.written(bases)));
        written.push(self.state.written(bytes, bases));
        if state.is_over() {
            self.state.close()?;
        }
        let (rows, files) = (self.recorded, written.len());
        tracing::info!(target: LOG, "[training-data] conversations={rows} files={files} tables={tables}");
        tracing::info!(target: LOG, "[run-state] run_id={} status={status}", self.renderer.facts.run_id);
        Ok(written)
    }

    /// Conversations that the run's stop leaves unsettled.
    pub fn left(&self) -> usize {
        self.left.len()
    }

    /// Leaves everything as it was when the run last had something admitted.
    pub fn abandon(self) {
        if let Err(error) =
            self.folder.store.set_state(&self.renderer.facts.run_id, State::Failed, &self.renderer.stamp.utc_z())
        {
            tracing::warn!(target: LOG, "failed to {error}");
        }
    }

    fn admit_all(&mut self, over: bool) -> Result<(), OutputError> {
        let mut changes = Changes::new();
        for table in &mut self.tables {
            changes.extend(table.sync()?.map(|(name, mark)| (name, Some(mark))));
        }
        changes.extend(self.state.sync()?.map(|(name, mark)| (name, Some(mark))));
        if let Some(shards) = &mut self.shards {
            shards.sync(&mut changes)?;
        }
        if let Some(documents) = &mut self.documents {
            documents.sync()?;
        }
        // The names of files made since the last time.
        files::sync_folder(&self.renderer.options.folder.join(run_state::NAME))?;
        self.record_changes(changes, None)?;
        let Some(shards) = &mut self.shards else { return Ok(()) };
        let (changes, spools) = shards.compose(over, self.renderer.options.bases())?;
        self.record_changes(changes, None)?;
        Ok(files::remove(&spools)?)
    }

    fn record_changes(&mut self, files: Changes, state: Option<State>) -> Result<(), OutputError> {
        if files.is_empty() && self.pending.is_empty() && state.is_none() {
            return Ok(());
        }
        let (at, drop_replies) = (self.renderer.stamp.utc_z(), !self.keep_calls);
        let (settled, unfinished) = (std::mem::take(&mut self.pending), std::mem::take(&mut self.unfinished));
        let claims = std::mem::take(&mut self.claims);
        let admission = Admission { at, settled, unfinished, claims, files, drop_replies, state };
        Ok(self.folder.store.admit(&self.renderer.facts.run_id, &admission)?)
    }

    /// Length of the ledger in bytes.
    fn ledger(&self) -> u64 {
        let ledger = self.tables.iter().find(|table| table.name() == coverage_ledger::FILE_NAME);
        ledger.map_or(0, Table::length)
    }
}

/// Removes what a process that died has left in an output folder and nobody needs.
///
/// # Errors
/// When it can't be listed or removed.
pub fn clear_leftovers(folder: &Folder, path: &Path) -> Result<(), FilesError> {
    let tables = parquet::folders();
    let folders = tables.iter().map(String::as_str).chain([run_state::NAME]);
    folder.clear_leftovers(path, &folders.collect::<Vec<_>>())
}

/// Demands that a finished run's outputs are as it left them: every file of the folder, and its own documents.
///
/// # Errors
/// When one is missing or was changed, or can't be looked at.
pub fn expect_whole(folder: &Folder, path: &Path, facts: &RunFacts) -> Result<(), OutputError> {
    folder.expect_whole(path)?;
    expect_documents(&path.join(conversations::NAME), &folder.store.settled(&facts.run_id)?, facts)?;
    Ok(run_state::expect_told(path, &facts.run_id)?)
}

/// Demands that the documents of these conversations are in their folder.
fn expect_documents(folder: &Path, settled: &[Settled], facts: &RunFacts) -> Result<(), FilesError> {
    for one in settled.iter().filter(|one| one.document > 0) {
        let path = folder.join(inside(&conversation_id(&facts.run_id, &facts.languages, one.slot), one.slot));
        let detail = match fs::metadata(&path).map(|file| file.len()) {
            Ok(length) if length == one.document => continue,
            Ok(length) => format!("it has {length} bytes of {}", one.document),
            Err(cause) if cause.kind() == ErrorKind::NotFound => "it is missing".to_owned(),
            Err(cause) => return Err(FilesError::io("look at", &path)(cause)),
        };
        return Err(FilesError::Changed { path, detail });
    }
    Ok(())
}

fn check_run_id(run_id: &str) -> Result<(), OutputError> {
    if run_id.is_empty() || run_id.starts_with('.') || run_id.contains(['/', '\\', '\0']) {
        return Err(OutputError::RunId { run_id: run_id.to_owned() });
    }
    Ok(())
}

fn check_columns(columns: &Columns) -> Result<(), OutputError> {
    let mut seen = BTreeSet::new();
    for (_, name) in columns.pairs() {
        if !seen.insert(name) {
            return Err(OutputError::ColumnTwice { name: name.to_owned() });
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
