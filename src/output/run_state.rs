//! `run_state/`: what became of every slot of a run, readable as one document.
//!
//! While the run goes on its settled slots are spooled to a hidden file, so that memory does not grow with the run; the
//! document is a view, composed from it now and then, and moved into place.

use super::rows::{Inputs, Parts, RawResult, Text, TurnPayload, raw_results};
use super::{FORMAT_VERSION, OutputError, RunFacts, Stamp};
use crate::domain::Balance;
use crate::files::{self, Existing, FilesError, Lines, Table, WrittenFile, pretty, spaced_row};
use crate::store::Mark;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Its name in `saving.files`, and the folder of run states in the output folder. It is always written.
pub(super) const NAME: &str = "run_state";
const LAST_RUN: &str = "last_run_id.txt";
/// Fewest settled slots that make a new document worth while.
const STALE: u64 = 64;
/// Slots stand two levels deep in the document.
const INDENT: &[u8] = b"    ";

/// What the document tells of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head<'a> {
    pub(crate) run_id: Text<'a>,
    pub(crate) status: Text<'a>,
    pub(crate) updated_at: String,
    pub(crate) n_turns: u16,
    pub(crate) batch_size: u32,
    pub(crate) inputs: Inputs<'a>,
    /// How evenly documents were asked about, by this run and those before it in the folder; told at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) coverage: Option<Balance>,
    /// [`FORMAT_VERSION`]; run states of before 2 do not tell.
    #[serde(default = "unversioned")]
    pub(crate) format_version: u32,
}

fn unversioned() -> u32 {
    1
}

impl<'a> Head<'a> {
    fn of(facts: &'a RunFacts, (status, coverage): (&'static str, Option<Balance>), stamp: Stamp) -> Self {
        Self {
            run_id: (&*facts.run_id).into(),
            status: status.into(),
            updated_at: stamp.utc_z(),
            n_turns: facts.max_turns,
            batch_size: facts.batch_size,
            inputs: Inputs::of_run(facts),
            coverage,
            format_version: FORMAT_VERSION,
        }
    }

    /// The document up to the bracket that opens `conversations`.
    fn opened(&self) -> Result<Vec<u8>, FilesError> {
        let mut text = pretty("run state", self)?;
        text.truncate(text.len() - "\n}".len());
        text.extend_from_slice(b",\n  \"conversations\": [");
        Ok(text)
    }
}

/// A document of `run_state/`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct RunStateDocument<'a> {
    /// What the state says of the run as a whole.
    #[serde(flatten)]
    pub(crate) run: Head<'a>,
    /// Its settled slots in their order, then those that its stop has left.
    pub(crate) conversations: Vec<SlotState<'a>>,
}

impl RunStateDocument<'_> {
    /// Reads a run state, of this or an earlier format.
    ///
    /// # Errors
    /// When it can't be read, is no run state, or was written in a later format.
    pub fn read(path: &Path) -> Result<Self, OutputError> {
        let text = fs::read(path).map_err(FilesError::io("read", path))?;
        let decode = |cause| FilesError::Decode { path: path.to_owned(), line: 1, cause };
        let state: Self = serde_json::from_slice(&text).map_err(decode)?;
        if state.run.format_version > FORMAT_VERSION {
            return Err(OutputError::Later { path: path.to_owned(), version: state.run.format_version });
        }
        Ok(state)
    }
}

/// What became of a slot. With `saving.raw` its entry has the whole conversation, else its document has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlotState<'a> {
    pub(crate) conversation_index: u32,
    pub(crate) conversation_id: Text<'a>,
    pub(crate) target_n_turns: u16,
    pub(crate) status: Text<'a>,
    pub(crate) drop_reason: Text<'a>,
    /// Turns that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) n_turns: Option<usize>,
    /// Its document, from the project's root; empty where none is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) conversation_file: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) inputs: Option<Inputs<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) turns: Option<Cow<'a, [TurnPayload<'a>]>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) raw_results: Option<Vec<RawResult<'a>>>,
}

impl<'a> SlotState<'a> {
    pub(super) fn of(parts: &'a Parts<'a>) -> Self {
        let (conversation, raw) = (parts.conversation, parts.options.raw);
        Self {
            conversation_index: conversation.slot.index,
            conversation_id: (&*conversation.id).into(),
            target_n_turns: conversation.target_turns,
            status: parts.status.into(),
            drop_reason: parts.drop_reason.into(),
            n_turns: (!raw).then(|| parts.n_turns()),
            conversation_file: (!raw).then(|| (&parts.file).into()),
            inputs: raw.then(|| parts.inputs.within_run(parts.facts)),
            turns: raw.then_some(Cow::Borrowed(&parts.turns)),
            raw_results: raw.then(|| raw_results(conversation, true)),
        }
    }

    /// The entry as it stands in the document.
    pub(super) fn entry(&self) -> Result<Vec<u8>, FilesError> {
        const WHAT: &str = "slot of the run state";
        let is_raw = self.turns.is_some();
        if !is_raw {
            return Ok([INDENT, &spaced_row(WHAT, self)?].concat());
        }
        let flat = pretty(WHAT, self)?;
        let lines: Vec<_> = flat.split(|byte| *byte == b'\n').map(|line| [INDENT, line].concat()).collect();
        Ok(lines.join(&b'\n'))
    }
}

/// A slot's entry, as it stands in the document.
pub(crate) fn slot(parts: &Parts) -> Result<Vec<u8>, FilesError> {
    SlotState::of(parts).entry()
}

/// The document of a run that has ended, with these entries.
pub(super) fn composed(head: &Head<'_>, entries: &[Vec<u8>]) -> Result<Vec<u8>, OutputError> {
    let mut text = Vec::new();
    let composed = compose(&mut text, &head.opened()?, (&mut io::empty(), 0), entries);
    composed.map_err(FilesError::io("write", Path::new(NAME)))?;
    Ok(text)
}

/// The run state: slots that are settled stay, and are written out again only once they have doubled in number.
pub(crate) struct RunState {
    path: PathBuf,
    spool: Table,
    /// Slots in the document.
    shown: u64,
}

/// The document of a run, by its path in the output folder.
pub(crate) fn document(run_id: &str) -> String {
    format!("{NAME}/{run_id}.json")
}

/// Demands that no run of this name has left a document.
pub(crate) fn expect_new(folder: &Path, run_id: &str) -> Result<(), OutputError> {
    let path = folder.join(document(run_id));
    match fs::exists(&path).map_err(FilesError::io("look for", &path))? {
        true => Err(OutputError::RunExists { run_id: run_id.to_owned(), path }),
        false => Ok(()),
    }
}

/// Demands that there is a state of this run.
pub(crate) fn expect_told(folder: &Path, run_id: &str) -> Result<(), FilesError> {
    let path = folder.join(document(run_id));
    match fs::exists(&path).map_err(FilesError::io("look for", &path))? {
        true => Ok(()),
        false => Err(FilesError::Changed { path, detail: "it is missing".to_owned() }),
    }
}

/// The spool of a run's settled slots, by its path in the output folder.
pub(crate) fn spool(run_id: &str) -> String {
    format!("{NAME}/.{run_id}.slots")
}

impl RunState {
    /// The state of a run whose spool is so, with its document as it may be.
    pub fn open(folder: &Path, facts: &RunFacts, known: Existing) -> Result<Self, FilesError> {
        let spool = Table::open(folder, &spool(&facts.run_id), known)?;
        files::replace(&folder.join(NAME).join(LAST_RUN), facts.run_id.as_bytes())?;
        Ok(Self { path: folder.join(document(&facts.run_id)), shown: spool.rows(), spool })
    }

    /// Adds the entry of the next slot that is settled.
    pub fn push(&mut self, slot: &[u8]) -> Result<(), FilesError> {
        let bytes = [separator(self.spool.rows()), slot].concat();
        self.spool.append(&Lines { bytes, rows: 1 })
    }

    /// Brings the settled slots to disk; how their spool ends, where it has grown.
    pub fn sync(&mut self) -> Result<Option<(String, Mark)>, FilesError> {
        self.spool.sync()
    }

    /// Whether the document tells of less than half of what is settled.
    pub fn is_stale(&self) -> bool {
        self.spool.rows() >= 2 * self.shown.max(STALE)
    }

    /// Replaces the document by one with all settled slots, and then these; its length in bytes. It tells the status of the
    /// run and, at its end, how evenly documents were asked about.
    pub fn show(
        &mut self,
        status: (&'static str, Option<Balance>),
        facts: &RunFacts,
        stamp: Stamp,
        left: &[Vec<u8>],
    ) -> Result<u64, FilesError> {
        let temporary = files::temporary(&self.path);
        let mut document = BufWriter::new(files::create(&temporary)?);
        let head = Head::of(facts, status, stamp).opened()?;
        let mut spool = File::open(self.spool.path()).map_err(FilesError::io("open", self.spool.path()))?;
        let bytes = compose(&mut document, &head, (&mut spool, self.spool.rows()), left);
        let bytes = bytes.map_err(FilesError::io("write", &temporary))?;
        let document =
            document.into_inner().map_err(|error| FilesError::io("write", &temporary)(error.into_error()))?;
        files::settle(document, &temporary, &self.path)?;
        if let Some(folder) = self.path.parent() {
            files::sync_folder(folder)?;
        }
        self.shown = self.spool.rows();
        Ok(bytes)
    }

    /// The document, of so many bytes.
    pub fn written(&self, bytes: u64, bases: [&Path; 2]) -> WrittenFile {
        WrittenFile { path: files::shown(&self.path, bases), rows: None, bytes }
    }

    /// Removes the spool, which is of no use once the document holds all there will be.
    pub fn close(self) -> Result<(), FilesError> {
        fs::remove_file(self.spool.path()).map_err(FilesError::io("remove", self.spool.path()))
    }
}

fn compose(
    into: &mut impl Write,
    head: &[u8],
    (spool, spooled): (&mut impl io::Read, u64),
    left: &[Vec<u8>],
) -> io::Result<u64> {
    into.write_all(head)?;
    let mut bytes = head.len() as u64 + io::copy(spool, into)?;
    for (number, slot) in (spooled..).zip(left) {
        into.write_all(separator(number))?;
        into.write_all(slot)?;
        bytes += (separator(number).len() + slot.len()) as u64;
    }
    let end: &[u8] = if spooled == 0 && left.is_empty() { b"]\n}\n" } else { b"\n  ]\n}\n" };
    into.write_all(end)?;
    into.flush()?;
    Ok(bytes + end.len() as u64)
}

/// What stands before the entry with this number, from 0.
fn separator(number: u64) -> &'static [u8] {
    if number == 0 { b"\n" } else { b",\n" }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::rows::{Context, Times};
    use super::super::{Options, sample};
    use super::*;
    use serde_json::Value;

    fn finished(slots: usize, left: usize, raw: bool) -> String {
        let folder = tempfile::tempdir().unwrap();
        let (facts, stamp) = (sample::facts(), sample::stamp());
        fs::create_dir(folder.path().join(NAME)).unwrap();
        let mut state = RunState::open(folder.path(), &facts, Existing::Truncate).unwrap();
        let conversation = sample::sample_conversation();
        let (options, catalogue) = (Options { raw, ..sample::options(folder.path()) }, sample::catalogue());
        let context = Context { options: &options, facts: &facts, catalogue: &catalogue };
        let times = Times { utc: "t".into(), utc_z: "t".into() };
        let outcome = conversation.outcome.as_ref().unwrap();
        let parts = Parts::new(&conversation, outcome, context, &times, "c/a.json".into());
        let entry = slot(&parts).unwrap();
        (0..slots).for_each(|_| state.push(&entry).unwrap());
        let bytes = state.show(("completed", None), &facts, stamp, &vec![entry; left]).unwrap();
        let text = fs::read_to_string(folder.path().join("run_state/run-1.json")).unwrap();
        let written = state.written(bytes, [folder.path(), folder.path()]);
        assert_eq!(written, WrittenFile { path: "run_state/run-1.json".into(), rows: None, bytes: text.len() as u64 });
        state.close().unwrap();
        assert_eq!(fs::read_dir(folder.path().join(NAME)).unwrap().count(), 2, "only the document and {LAST_RUN}");
        text
    }

    #[test]
    fn the_document_is_whole_whatever_is_settled_and_left() {
        for (slots, left) in [(0, 0), (1, 0), (3, 0), (0, 2), (2, 1)] {
            let text = finished(slots, left, true);
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(text, serde_json::to_string_pretty(&value).unwrap() + "\n");
            assert_eq!(value["conversations"].as_array().unwrap().len(), slots + left);
            assert_eq!(value["status"], "completed");
            let state: RunStateDocument = serde_json::from_str(&finished(slots, left, false)).unwrap();
            assert_eq!((state.conversations.len(), &*state.run.status), (slots + left, "completed"));
            for slot in &state.conversations {
                assert_eq!((slot.n_turns, slot.conversation_file.as_deref()), (Some(2), Some("c/a.json")));
                assert_eq!((&slot.turns, &slot.raw_results, &slot.inputs), (&None, &None, &None));
            }
        }
    }

    #[test]
    fn a_started_run_can_be_read_and_its_id_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(NAME)).unwrap();
        expect_new(folder.path(), "run-1").unwrap();
        let mut state = RunState::open(folder.path(), &sample::facts(), Existing::Truncate).unwrap();
        state.show(("started", None), &sample::facts(), sample::stamp(), &[]).unwrap();
        let text = fs::read(folder.path().join("run_state/run-1.json")).unwrap();
        let value: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!((value["status"].as_str(), value["conversations"].as_array().unwrap().len()), (Some("started"), 0));
        assert_eq!(fs::read_to_string(folder.path().join(NAME).join(LAST_RUN)).unwrap(), "run-1");
        let error = expect_new(folder.path(), "run-1").unwrap_err().to_string();
        assert!(error.contains("`run.run_id` \"run-1\"") && error.contains("run-1.json"), "{error}");
    }

    #[test]
    fn the_document_is_made_anew_when_its_slots_have_doubled() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(NAME)).unwrap();
        let mut state = RunState::open(folder.path(), &sample::facts(), Existing::Truncate).unwrap();
        let mut made = Vec::new();
        for number in 1..=600 {
            state.push(b"    {}").unwrap();
            if state.is_stale() {
                state.show(("in_progress", None), &sample::facts(), sample::stamp(), &[]).unwrap();
                made.push(number);
            }
        }
        assert_eq!(made, [128, 256, 512]);
    }
}
