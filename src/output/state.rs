//! `run_state/`: what became of every slot of a run, readable as one document.
//!
//! While the run goes on its settled slots are spooled to a hidden file, so that memory does not grow with the run; the
//! document is a view, composed from it now and then, and moved into place.

use super::files::{self, WrittenFile};
use super::json::{Lines, pretty};
use super::rows::{Inputs, Parts, RawResult, TurnPayload};
use super::table::{Known, Table};
use super::{OutputError, RunFacts, Stamp};
use crate::store::Mark;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The folder of run states in the output folder.
pub(crate) const FOLDER: &str = "run_state";
const LAST_RUN: &str = "last_run_id.txt";
/// Fewest settled slots that make a new document worth while.
const STALE: u64 = 64;
/// Slots stand two levels deep in the document.
const INDENT: &[u8] = b"    ";

#[derive(Serialize)]
struct Head<'a> {
    run_id: &'a str,
    status: &'static str,
    updated_at: String,
    n_turns: u16,
    batch_size: u32,
    inputs: Inputs<'a>,
}

impl<'a> Head<'a> {
    fn of(facts: &'a RunFacts, status: &'static str, stamp: Stamp) -> Self {
        Self {
            run_id: &facts.run_id,
            status,
            updated_at: stamp.utc_z(),
            n_turns: facts.max_turns,
            batch_size: facts.batch_size,
            inputs: Inputs::of_run(facts),
        }
    }

    /// The document up to the bracket that opens `conversations`.
    fn opened(&self) -> Result<Vec<u8>, OutputError> {
        let mut text = pretty("run state", self)?;
        text.truncate(text.len() - "\n}".len());
        text.extend_from_slice(b",\n  \"conversations\": [");
        Ok(text)
    }
}

#[derive(Serialize)]
struct SlotState<'a> {
    conversation_index: u32,
    conversation_id: &'a str,
    target_n_turns: u16,
    status: &'static str,
    drop_reason: &'static str,
    inputs: Inputs<'a>,
    turns: &'a [TurnPayload<'a>],
    raw_results: &'a [RawResult<'a>],
}

/// A slot's entry, as it stands in the document.
pub(crate) fn slot(parts: &Parts) -> Result<Vec<u8>, OutputError> {
    let conversation = parts.conversation;
    let state = SlotState {
        conversation_index: conversation.slot.index,
        conversation_id: &conversation.id,
        target_n_turns: conversation.target_turns,
        status: parts.status,
        drop_reason: parts.drop_reason,
        inputs: parts.inputs.within_run(parts.facts),
        turns: &parts.turns,
        raw_results: &parts.raw_results,
    };
    let flat = pretty("slot of the run state", &state)?;
    let lines: Vec<_> = flat.split(|byte| *byte == b'\n').map(|line| [INDENT, line].concat()).collect();
    Ok(lines.join(&b'\n'))
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
    format!("{FOLDER}/{run_id}.json")
}

/// Demands that no run of this name has left a document.
pub(crate) fn expect_new(folder: &Path, run_id: &str) -> Result<(), OutputError> {
    let path = folder.join(document(run_id));
    match fs::exists(&path).map_err(OutputError::io("look for", &path))? {
        true => Err(OutputError::RunExists { run_id: run_id.to_owned(), path }),
        false => Ok(()),
    }
}

/// Demands that there is a state of this run.
pub(crate) fn expect_told(folder: &Path, run_id: &str) -> Result<(), OutputError> {
    let path = folder.join(document(run_id));
    match fs::exists(&path).map_err(OutputError::io("look for", &path))? {
        true => Ok(()),
        false => Err(OutputError::Changed { path, detail: "it is missing".to_owned() }),
    }
}

/// The spool of a run's settled slots, by its path in the output folder.
pub(crate) fn spool(run_id: &str) -> String {
    format!("{FOLDER}/.{run_id}.slots")
}

impl RunState {
    /// The state of a run whose spool is so, with its document as it may be.
    pub fn open(folder: &Path, facts: &RunFacts, known: Known) -> Result<Self, OutputError> {
        let spool = Table::open(folder, &spool(&facts.run_id), known)?;
        files::replace(&folder.join(FOLDER).join(LAST_RUN), facts.run_id.as_bytes())?;
        Ok(Self { path: folder.join(document(&facts.run_id)), shown: spool.rows(), spool })
    }

    /// Adds the entry of the next slot that is settled.
    pub fn push(&mut self, slot: &[u8]) -> Result<(), OutputError> {
        let bytes = [separator(self.spool.rows()), slot].concat();
        self.spool.append(&Lines { bytes, rows: 1 })
    }

    /// Brings the settled slots to disk; how their spool ends, where it has grown.
    pub fn sync(&mut self) -> Result<Option<(String, Mark)>, OutputError> {
        self.spool.sync()
    }

    /// Whether the document tells of less than half of what is settled.
    pub fn is_stale(&self) -> bool {
        self.spool.rows() >= 2 * self.shown.max(STALE)
    }

    /// Replaces the document by one with all settled slots, and then these; its length in bytes.
    pub fn show(
        &mut self,
        status: &'static str,
        facts: &RunFacts,
        stamp: Stamp,
        left: &[Vec<u8>],
    ) -> Result<u64, OutputError> {
        let temporary = files::temporary(&self.path);
        let mut document = BufWriter::new(files::create(&temporary)?);
        let head = Head::of(facts, status, stamp).opened()?;
        let mut spool = File::open(self.spool.path()).map_err(OutputError::io("open", self.spool.path()))?;
        let bytes = compose(&mut document, &head, (&mut spool, self.spool.rows()), left);
        let bytes = bytes.map_err(OutputError::io("write", &temporary))?;
        let document =
            document.into_inner().map_err(|error| OutputError::io("write", &temporary)(error.into_error()))?;
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
    pub fn close(self) -> Result<(), OutputError> {
        fs::remove_file(self.spool.path()).map_err(OutputError::io("remove", self.spool.path()))
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
    use super::super::sample;
    use super::*;
    use serde_json::Value;

    fn finished(slots: usize, left: usize, status: &'static str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let (facts, stamp) = (sample::facts(), sample::stamp());
        fs::create_dir(folder.path().join(FOLDER)).unwrap();
        let mut state = RunState::open(folder.path(), &facts, Known::Fresh).unwrap();
        let conversation = sample::sample_conversation();
        let parts = Parts::new(&conversation, conversation.ending.as_ref().unwrap(), &facts, "t");
        let entry = slot(&parts).unwrap();
        (0..slots).for_each(|_| state.push(&entry).unwrap());
        let bytes = state.show(status, &facts, stamp, &vec![entry; left]).unwrap();
        let text = fs::read_to_string(folder.path().join("run_state/run-1.json")).unwrap();
        let written = state.written(bytes, [folder.path(), folder.path()]);
        assert_eq!(written, WrittenFile { path: "run_state/run-1.json".into(), rows: None, bytes: text.len() as u64 });
        state.close().unwrap();
        assert_eq!(fs::read_dir(folder.path().join(FOLDER)).unwrap().count(), 2, "only the document and {LAST_RUN}");
        text
    }

    #[test]
    fn the_document_is_pretty_printed_whole() {
        for (slots, left) in [(0, 0), (1, 0), (3, 0), (0, 2), (2, 1)] {
            let text = finished(slots, left, "completed");
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(text, serde_json::to_string_pretty(&value).unwrap() + "\n");
            assert_eq!(value["conversations"].as_array().unwrap().len(), slots + left);
            assert_eq!(value["status"], "completed");
        }
    }

    #[test]
    fn a_started_run_can_be_read_and_its_id_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(FOLDER)).unwrap();
        expect_new(folder.path(), "run-1").unwrap();
        let mut state = RunState::open(folder.path(), &sample::facts(), Known::Fresh).unwrap();
        state.show("started", &sample::facts(), sample::stamp(), &[]).unwrap();
        let text = fs::read(folder.path().join("run_state/run-1.json")).unwrap();
        let value: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!((value["status"].as_str(), value["conversations"].as_array().unwrap().len()), (Some("started"), 0));
        assert_eq!(fs::read_to_string(folder.path().join(FOLDER).join(LAST_RUN)).unwrap(), "run-1");
        let error = expect_new(folder.path(), "run-1").unwrap_err().to_string();
        assert!(error.contains("`run.run_id` \"run-1\"") && error.contains("run-1.json"), "{error}");
    }

    #[test]
    fn the_document_is_made_anew_when_its_slots_have_doubled() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(FOLDER)).unwrap();
        let mut state = RunState::open(folder.path(), &sample::facts(), Known::Fresh).unwrap();
        let mut made = Vec::new();
        for number in 1..=600 {
            state.push(b"    {}").unwrap();
            if state.is_stale() {
                state.show("in_progress", &sample::facts(), sample::stamp(), &[]).unwrap();
                made.push(number);
            }
        }
        assert_eq!(made, [128, 256, 512]);
    }
}
