//! `run_state/`: what became of every slot of a run, readable as one document once the run has ended.
//!
//! While the run goes on its slots are spooled to a temporary file, so that memory does not grow with the run; the
//! document is composed from it at the end and moved into place.

use super::files::{self, WrittenFile};
use super::json::pretty;
use super::rows::{Inputs, Parts, RawResult, TurnPayload};
use super::{OutputError, RunFacts, Stamp};
use serde::Serialize;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

const LAST_RUN: &str = "last_run_id.txt";
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

/// The run state while the run goes on.
pub(crate) struct RunState {
    path: PathBuf,
    spool_path: PathBuf,
    spool: BufWriter<File>,
    slots: u64,
}

impl RunState {
    /// Records in the folder that the run has started; refuses an id that was used before.
    pub fn create(folder: &Path, facts: &RunFacts, stamp: Stamp) -> Result<Self, OutputError> {
        let path = folder.join(format!("{}.json", facts.run_id));
        if fs::exists(&path).map_err(OutputError::io("look for", &path))? {
            return Err(OutputError::RunExists { run_id: facts.run_id.to_string(), path });
        }
        let spool_path = files::temporary(&folder.join(format!("{}.slots", facts.run_id)));
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&spool_path);
        let spool = BufWriter::new(options.map_err(OutputError::io("create", &spool_path))?);
        let mut document = Head::of(facts, "started", stamp).opened()?;
        document.extend_from_slice(b"]\n}\n");
        files::replace(&path, &document)?;
        files::replace(&folder.join(LAST_RUN), facts.run_id.as_bytes())?;
        files::sync_folder(folder)?;
        Ok(Self { path, spool_path, spool, slots: 0 })
    }

    /// Adds the entry of the next slot.
    pub fn push(&mut self, slot: &[u8]) -> Result<(), OutputError> {
        let separator: &[u8] = if self.slots == 0 { b"\n" } else { b",\n" };
        let written = self.spool.write_all(separator).and_then(|()| self.spool.write_all(slot));
        written.map_err(OutputError::io("append to", &self.spool_path))?;
        self.slots += 1;
        Ok(())
    }

    /// Replaces the document by one that holds all slots.
    pub fn finish(
        self,
        status: &'static str,
        facts: &RunFacts,
        stamp: Stamp,
        bases: [&Path; 2],
    ) -> Result<WrittenFile, OutputError> {
        let Self { path, spool_path, spool, slots } = self;
        let mut spool =
            spool.into_inner().map_err(|error| OutputError::io("append to", &spool_path)(error.into_error()))?;
        spool.rewind().map_err(OutputError::io("read", &spool_path))?;
        let temporary = files::temporary(&path);
        let mut document = BufWriter::new(files::create(&temporary)?);
        let head = Head::of(facts, status, stamp).opened()?;
        let end: &[u8] = if slots == 0 { b"]\n}\n" } else { b"\n  ]\n}\n" };
        let bytes = compose(&mut document, &head, &mut BufReader::new(spool), end);
        let bytes = bytes.map_err(OutputError::io("write", &temporary))?;
        let document =
            document.into_inner().map_err(|error| OutputError::io("write", &temporary)(error.into_error()))?;
        files::settle(document, &temporary, &path)?;
        fs::remove_file(&spool_path).map_err(OutputError::io("remove", &spool_path))?;
        if let Some(folder) = path.parent() {
            files::sync_folder(folder)?;
        }
        Ok(WrittenFile { path: files::shown(&path, bases), rows: None, bytes })
    }
}

fn compose(into: &mut impl Write, head: &[u8], slots: &mut impl io::Read, end: &[u8]) -> io::Result<u64> {
    into.write_all(head)?;
    let copied = io::copy(slots, into)?;
    into.write_all(end)?;
    into.flush()?;
    Ok(copied + (head.len() + end.len()) as u64)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::sample;
    use super::*;
    use serde_json::Value;

    fn finished(slots: usize, status: &'static str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let (facts, stamp) = (sample::facts(), sample::stamp());
        let mut state = RunState::create(folder.path(), &facts, stamp).unwrap();
        let conversation = sample::sample_conversation();
        for _ in 0..slots {
            let parts = Parts::new(&conversation, conversation.ending.as_ref().unwrap(), &facts, "t");
            state.push(&slot(&parts).unwrap()).unwrap();
        }
        let written = state.finish(status, &facts, stamp, [folder.path(), folder.path()]).unwrap();
        let text = fs::read_to_string(folder.path().join("run-1.json")).unwrap();
        assert_eq!(written, WrittenFile { path: "run-1.json".into(), rows: None, bytes: text.len() as u64 });
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "only the document and {LAST_RUN}");
        text
    }

    #[test]
    fn the_document_is_pretty_printed_whole() {
        for slots in [0, 1, 3] {
            let text = finished(slots, "completed");
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(text, serde_json::to_string_pretty(&value).unwrap() + "\n");
            assert_eq!(value["conversations"].as_array().unwrap().len(), slots);
            assert_eq!(value["status"], "completed");
        }
    }

    #[test]
    fn a_started_run_can_be_read_and_its_id_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let _state = RunState::create(folder.path(), &sample::facts(), sample::stamp()).unwrap();
        let text = fs::read(folder.path().join("run-1.json")).unwrap();
        let value: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!((value["status"].as_str(), value["conversations"].as_array().unwrap().len()), (Some("started"), 0));
        assert_eq!(fs::read_to_string(folder.path().join(LAST_RUN)).unwrap(), "run-1");
        let again = RunState::create(folder.path(), &sample::facts(), sample::stamp());
        let error = again.err().unwrap().to_string();
        assert!(error.contains("`run.run_id` \"run-1\"") && error.contains("run-1.json"), "{error}");
    }
}
