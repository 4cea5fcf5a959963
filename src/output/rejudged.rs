//! From new verdicts on conversations of an output folder to its files: every file that tells of verdicts is written anew, and
//! all of them take the places of the old ones together.

use super::formats::{FORMATS, Format, chosen};
use super::past_run::{Judging, PastRun};
use super::run_state::{self, RunStateDocument};
use super::{Options, OutputError, Rendered, Stamp, conversations, parquet};
use crate::domain::{Slot, Turns};
use crate::files::{self, Changes, FilesError, Folder, Lines, Rewrite, Shards, WrittenFile};
use crate::store::{Revision, Settled, State};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::{ControlFlow, Range};
use std::path::Path;

/// Where what was rendered lies until files are made of it.
const SCRATCH: &str = ".rendered";

/// A run whose conversations are judged once more, with what it has settled.
pub type SettledRun = (PastRun, Vec<Settled>);

/// What is kept of a rendered conversation: where its rows lie in the scratch file.
struct Kept {
    id: String,
    /// Of each file of rows, in the order of its run's formats.
    lines: Vec<Part>,
    parquet: Vec<Part>,
    entry: Part,
    document: u64,
    turns: Turns,
}

/// Rows in the scratch file, in bytes, and how many they are.
type Part = (Range<u64>, u64);

/// Conversations with new verdicts, on their way into the files of their folder.
pub struct Rejudged<'a> {
    folder: &'a Folder,
    options: &'a Options,
    runs: &'a [SettledRun],
    rewrite: Rewrite,
    scratch: Scratch,
    /// By the number of their run, and slot: the order in which files have them.
    kept: BTreeMap<(usize, Slot), Kept>,
}

/// A file of bytes that are read back by where they lie.
struct Scratch {
    file: File,
    length: u64,
}

impl Scratch {
    fn at(path: &Path) -> Result<Self, FilesError> {
        let opened = File::options().read(true).write(true).create(true).truncate(true).open(path);
        Ok(Self { file: opened.map_err(FilesError::io("create", path))?, length: 0 })
    }

    fn push(&mut self, bytes: &[u8], rows: u64) -> io::Result<Part> {
        self.file.write_all(bytes)?;
        let start = self.length;
        self.length += bytes.len() as u64;
        Ok((start..self.length, rows))
    }

    fn read(&mut self, (range, rows): &Part) -> io::Result<Lines> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.file.seek(SeekFrom::Start(range.start))?;
        self.file.read_exact(&mut bytes)?;
        Ok(Lines { bytes, rows: *rows })
    }
}

impl<'a> Rejudged<'a> {
    /// Begins, with none of the conversations of these runs judged anew.
    ///
    /// # Errors
    /// When the output folder can't be written.
    pub fn begin(folder: &'a Folder, options: &'a Options, runs: &'a [SettledRun]) -> Result<Self, OutputError> {
        let rewrite = Rewrite::begin(&options.folder)?;
        let scratch = Scratch::at(&rewrite.folder().join(SCRATCH))?;
        Ok(Self { folder, options, runs, rewrite, scratch, kept: BTreeMap::new() })
    }

    /// Takes a conversation of the run with this number, as it was rendered with its new verdicts.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn add(&mut self, run: usize, rendered: Rendered) -> Result<(), OutputError> {
        let Rendered { about, lines, document, parquet, entry, .. } = rendered;
        let mut length = 0;
        if let Some(document) = document {
            let path = self.rewrite.place(&format!("{}/{}", conversations::NAME, document.place))?;
            length = document.bytes.len() as u64;
            fs::write(&path, document.bytes).map_err(FilesError::io("write", &path))?;
        }
        let path = self.rewrite.folder().join(SCRATCH);
        let mut push = |lines: &Lines| self.scratch.push(&lines.bytes, lines.rows);
        let keep = || -> io::Result<Kept> {
            Ok(Kept {
                id: about.id.to_string(),
                lines: lines.iter().map(&mut push).collect::<Result<_, _>>()?,
                parquet: parquet.iter().map(&mut push).collect::<Result<_, _>>()?,
                entry: push(&Lines { bytes: entry.0.clone(), rows: 1 })?,
                document: length,
                turns: about.turns,
            })
        };
        let kept = keep().map_err(FilesError::io("write", &path))?;
        self.kept.insert((run, about.slot), kept);
        Ok(())
    }

    /// Makes the new files and puts them in their places, all together; what they are. `state` is that of the pass of this name
    /// then.
    ///
    /// # Errors
    /// When a file can't be read or written. Then every file is as it was, or the next process that claims the folder finishes.
    pub fn finish(
        mut self,
        judging: &Judging,
        state: (String, State),
        stamp: Stamp,
    ) -> Result<Vec<WrittenFile>, OutputError> {
        let mut revision =
            Revision { at: stamp.utc_z(), files: BTreeMap::new(), conversations: Vec::new(), state: Some(state) };
        let runs = (0..).zip(self.runs);
        let places = runs.flat_map(|(number, (run, settled))| {
            settled.iter().map(move |one| (run.conversation_id(one.slot), (number, one.slot)))
        });
        let places: BTreeMap<String, (usize, Slot)> = places.collect();
        let mut written = Vec::new();
        for format in FORMATS.iter().filter(|format| !format.needed) {
            written.extend(self.table(format, &places, &mut revision)?);
        }
        let changed: Vec<usize> = (0..self.runs.len()).filter(|run| self.of_run(*run).next().is_some()).collect();
        for run in &changed {
            if self.runs[*run].0.has_parquet(self.folder) {
                written.append(&mut self.shards(*run, &mut revision)?);
            }
            self.run_state(*run, judging)?;
        }
        let documents = self.kept.values().filter(|kept| kept.document > 0);
        let (rows, bytes) = documents.fold((0, 0), |(rows, bytes), kept| (rows + 1, bytes + kept.document));
        let path = files::shown(&self.options.folder.join(conversations::NAME), self.options.bases()) + "/";
        written.push(WrittenFile { path, rows: Some(rows), bytes });
        let revised = self
            .kept
            .iter()
            .map(|((run, slot), kept)| (self.runs[*run].0.id.to_string(), *slot, kept.document, kept.turns.clone()));
        revision.conversations = revised.collect();
        self.rewrite.commit(revision, &*self.folder.store)?;
        Ok(written)
    }

    /// The conversations of a run that have new verdicts.
    fn of_run(&self, run: usize) -> impl Iterator<Item = (&Slot, &Kept)> {
        let slots = (run, Slot::default())..(run + 1, Slot::default());
        self.kept.range(slots).map(|((_, slot), kept)| (slot, kept))
    }

    /// A file of rows, with the new rows in the places of the old ones; those of a conversation that has none come before those
    /// of the next one. None where the folder has no such file.
    fn table(
        &mut self,
        format: &Format,
        places: &BTreeMap<String, (usize, Slot)>,
        revision: &mut Revision,
    ) -> Result<Option<WrittenFile>, OutputError> {
        let name = format.file_name();
        let old = self.options.folder.join(&name);
        let Some(recorded) = self.folder.files.get(&name).filter(|_| old.is_file()) else { return Ok(None) };
        let length = self.folder.length(&self.options.folder, &name)?;
        let path = self.rewrite.place(&name)?;
        let of_format = |(place, kept): (&(usize, Slot), &Kept)| {
            let formats = chosen(&self.runs[place.0].0.options.files);
            let at = formats.iter().position(|one| one.name == format.name)?;
            Some((*place, kept.lines.get(at)?.clone()))
        };
        let new = self.kept.iter().filter_map(of_format).collect();
        let file = BufWriter::new(files::create(&path)?);
        let mut merged = Merged { scratch: &mut self.scratch, new, file, rows: 0 };
        let (mut before, mut failed) = (0, Ok(()));
        let metadata = &self.options.columns.metadata;
        let parse = |text: &[u8]| Ok((conversation_of(text, metadata)?, text.trim_ascii_end().to_vec()));
        let kept = &self.kept;
        files::read_with(&old, length, parse, |_, (id, text)| {
            before += 1;
            let place = places.get(&id);
            failed = merged.pass(place.copied(), place.is_some_and(|place| kept.contains_key(place)), &text);
            if failed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        let rows = failed.and_then(|()| merged.finish()).map_err(FilesError::io("write", &path))?;
        let mark = files::mark(&path, (recorded.rows + rows).saturating_sub(before))?;
        let bytes = mark.length;
        revision.files.insert(name, mark);
        Ok(Some(WrittenFile { path: files::shown(&old, self.options.bases()), rows: Some(rows), bytes }))
    }

    /// The Parquet files of a run.
    fn shards(&mut self, number: usize, revision: &mut Revision) -> Result<Vec<WrittenFile>, OutputError> {
        let (run, settled) = &self.runs[number];
        let (layout, bases) = (parquet::layout(&run.options), self.options.bases());
        let folder = self.rewrite.folder().to_owned();
        let mut shards = Shards::open(&folder, layout, run.id.clone(), &BTreeMap::new(), false, None)?;
        for slot in settled.iter().filter(|one| one.document > 0).map(|one| one.slot) {
            let rows = match self.kept.get(&(number, slot)) {
                None => run.rendered(slot)?.parquet,
                Some(kept) => {
                    let rows = kept.parquet.iter().map(|part| self.scratch.read(part)).collect::<Result<_, _>>();
                    rows.map_err(FilesError::io("read", &folder.join(SCRATCH)))?
                }
            };
            if !rows.is_empty() {
                shards.push(slot, &rows)?;
            }
        }
        shards.sync(&mut Changes::new())?;
        let (changes, spools) = shards.compose(true, bases)?;
        files::remove(&spools)?;
        let mut written = Vec::new();
        for (name, mark) in changes.into_iter().filter_map(|(name, mark)| Some((name, mark?))) {
            self.rewrite.place(&name)?;
            let path = files::shown(&self.options.folder.join(&name), bases);
            written.push(WrittenFile { path, rows: Some(mark.rows), bytes: mark.length });
            revision.files.insert(name, mark);
        }
        Ok(written)
    }

    /// The state of a run: its conversations, and that they are judged.
    fn run_state(&mut self, number: usize, judging: &Judging) -> Result<(), OutputError> {
        let name = run_state::document(&self.runs[number].0.id);
        let old = self.options.folder.join(&name);
        if !old.is_file() {
            return Ok(());
        }
        let mut state = RunStateDocument::read(&old)?;
        state.run.inputs.judge_enabled = true;
        state.run.inputs.judge_granularity = judging.granularity.into();
        state.run.inputs.judge_reasons = judging.reasons.clone().into();
        let new: BTreeMap<String, Part> =
            self.of_run(number).map(|(_, kept)| (kept.id.clone(), kept.entry.clone())).collect();
        let scratch = self.rewrite.folder().join(SCRATCH);
        let entry = |slot: &run_state::SlotState<'_>| match new.get(&*slot.conversation_id) {
            None => Ok(slot.entry()?),
            Some(part) => {
                let lines = self.scratch.read(part).map_err(FilesError::io("read", &scratch))?;
                Ok::<_, OutputError>(lines.bytes)
            }
        };
        let entries = state.conversations.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        let path = self.rewrite.place(&name)?;
        fs::write(&path, run_state::composed(&state.run, &entries)?).map_err(FilesError::io("write", &path))?;
        Ok(())
    }
}

/// Old rows and new ones on their way into one file.
struct Merged<'s> {
    scratch: &'s mut Scratch,
    /// The new rows that are still to come.
    new: BTreeMap<(usize, Slot), Part>,
    file: BufWriter<File>,
    rows: u64,
}

impl Merged<'_> {
    /// Lets an old row pass, of the conversation of this place if it is known, unless new rows have come in its place.
    fn pass(&mut self, place: Option<(usize, Slot)>, is_replaced: bool, row: &[u8]) -> io::Result<()> {
        while let Some(next) = self.new.first_entry().filter(|next| place.is_some_and(|place| *next.key() <= place)) {
            let part = next.remove();
            self.put(&part)?;
        }
        if is_replaced {
            return Ok(());
        }
        self.rows += 1;
        self.file.write_all(row)?;
        self.file.write_all(b"\n")
    }

    fn put(&mut self, part: &Part) -> io::Result<()> {
        self.rows += part.1;
        let lines = self.scratch.read(part)?;
        self.file.write_all(&lines.bytes)
    }

    /// Adds the new rows that are left; how many rows the file has.
    fn finish(mut self) -> io::Result<u64> {
        for part in std::mem::take(&mut self.new).into_values() {
            self.put(&part)?;
        }
        self.file.flush()?;
        Ok(self.rows)
    }
}

/// The id of the conversation that a row is of, itself or in its column of this name; empty where it does not tell.
fn conversation_of(row: &[u8], metadata: &str) -> serde_json::Result<String> {
    const ID: &str = "conversation_id";
    let row: Value = serde_json::from_slice(row)?;
    let id = row.get(ID).or_else(|| row.get(metadata)?.get(ID));
    Ok(id.and_then(Value::as_str).unwrap_or_default().to_owned())
}
