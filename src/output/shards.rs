//! Parquet shards: for every thousand slots of a language one file of conversations and one of turns.
//!
//! A Parquet file can be read only once its footer is written. So the rows of a shard are spooled as lines to a hidden
//! file beside it, which a run that dies leaves whole; when all of them are admitted, the shard is composed from its
//! spool and moved into place. Shards are numbered from 0 in the order in which they begin.

use super::columns::{ConversationColumns, SCHEMA_VERSION, TurnColumns};
use super::files::{self, WrittenFile};
use super::json::Lines;
use super::table::{self, Known, Table};
use super::{OutputError, RunFacts};
use crate::domain::{LanguageIndex, Slot};
use crate::store::Mark;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder of the shards in the output folder.
pub(crate) const FOLDER: &str = "parquet";
/// Slots of one language in a shard.
const SLOTS: u32 = 1_000;
/// Rows of an Arrow batch.
const BATCH_ROWS: usize = 256;
const ROW_GROUP_ROWS: usize = 10_000;
const ROW_GROUP_BYTES: usize = 64 << 20;
const ZSTD_LEVEL: i32 = 3;

/// The shards of a run.
pub(crate) struct Shards {
    /// The output folder.
    folder: PathBuf,
    run_id: Arc<str>,
    next: u32,
    /// Shards whose rows are spooled, in order; all but the last have all their rows.
    open: Vec<Shard>,
    finished: Vec<WrittenFile>,
}

struct Shard {
    range: Option<(LanguageIndex, u32)>,
    conversations: Spool,
    turns: Spool,
}

/// The rows of a shard's file to be.
struct Spool {
    table: Table,
    /// The file's path in the output folder.
    name: String,
    schema: SchemaRef,
}

/// Files that have come to be (how they end) or to nothing, by their path in the output folder.
pub(crate) type Changes = BTreeMap<String, Option<Mark>>;

impl Shards {
    /// The shards of a run that has left these files; `last` is the last slot whose rows were spooled.
    ///
    /// # Errors
    /// When one of the files is not as the run left it.
    pub fn open(
        folder: &Path,
        facts: &RunFacts,
        files: &BTreeMap<String, Mark>,
        died: bool,
        last: Option<Slot>,
    ) -> Result<Self, OutputError> {
        let (folder, run_id) = (folder.to_owned(), facts.run_id.clone());
        let mut shards = Self { folder, run_id, next: 0, open: Vec::new(), finished: Vec::new() };
        loop {
            let [conversations, turns] = shards.names(shards.next);
            if let (Some(first), Some(second)) = (files.get(&conversations), files.get(&turns)) {
                table::expect(&shards.folder.join(&conversations), *first)?;
                table::expect(&shards.folder.join(&turns), *second)?;
            } else if files.contains_key(&spool_name(&conversations)) {
                let shard = shards.shard(None, |name| {
                    files.get(name).map_or(Known::Fresh, |mark| Known::Exactly { mark: *mark, died })
                })?;
                shards.open.push(shard);
            } else {
                break;
            }
            shards.next += 1;
        }
        if let Some(open) = shards.open.last_mut() {
            open.range = last.map(range);
        }
        Ok(shards)
    }

    /// Adds a conversation and its turns; a slot of another range than the last begins a new shard.
    pub fn push(&mut self, slot: Slot, row: ConversationColumns, turns: &[TurnColumns]) -> Result<(), OutputError> {
        let range = Some(range(slot));
        if self.open.last().is_none_or(|open| open.range != range) {
            let shard = self.shard(range, |_| Known::Fresh)?;
            self.open.push(shard);
            self.next += 1;
        }
        let (mut conversation_lines, mut turn_lines) = (Lines::default(), Lines::default());
        conversation_lines.push("row of a Parquet shard", &row)?;
        turns.iter().try_for_each(|turn| turn_lines.push("row of a Parquet shard", turn))?;
        match self.open.last_mut() {
            Some(open) => {
                open.conversations.table.append(&conversation_lines)?;
                open.turns.table.append(&turn_lines)
            }
            None => Ok(()),
        }
    }

    /// Brings the spools to disk.
    pub fn sync(&mut self, into: &mut Changes) -> Result<(), OutputError> {
        for Shard { conversations, turns, .. } in &mut self.open {
            for spool in [conversations, turns] {
                into.extend(spool.table.sync()?.map(|(name, mark)| (name, Some(mark))));
            }
        }
        Ok(())
    }

    /// Composes the shards that have all their rows, or all of them when the run is `over`. The spools are of no use any
    /// more once the changes are recorded: the second half removes them.
    pub fn compose(&mut self, over: bool, bases: [&Path; 2]) -> Result<(Changes, Vec<PathBuf>), OutputError> {
        let complete = if over { self.open.len() } else { self.open.len().saturating_sub(1) };
        let (mut changes, mut spools) = (Changes::new(), Vec::new());
        for Shard { conversations, turns, .. } in self.open.drain(..complete) {
            for spool in [conversations, turns] {
                let mark = spool.compose(&self.folder, &self.run_id)?;
                self.finished.push(spool.written(mark, &self.folder, bases));
                changes.insert(spool.table.name().to_owned(), None);
                changes.insert(spool.name, Some(mark));
                spools.push(spool.table.path().to_owned());
            }
        }
        if complete > 0 {
            files::sync_folder(&self.folder.join(FOLDER))?;
        }
        Ok((changes, spools))
    }

    /// Composes the files of what is spooled so far, for those who look at a run that has stopped. They count for nothing:
    /// when the run goes on, whole ones take their place.
    pub fn show(&mut self, bases: [&Path; 2]) -> Result<(), OutputError> {
        for Shard { conversations, turns, .. } in &self.open {
            for spool in [conversations, turns] {
                let mark = spool.compose(&self.folder, &self.run_id)?;
                self.finished.push(spool.written(mark, &self.folder, bases));
            }
        }
        Ok(())
    }

    /// The files that were made, each with its rows.
    pub fn written(self) -> Vec<WrittenFile> {
        self.finished
    }

    fn names(&self, number: u32) -> [String; 2] {
        ["conversations", "turns"].map(|kind| format!("{FOLDER}/{kind}-{}-{number:05}.parquet", self.run_id))
    }

    fn shard(&self, range: Option<(LanguageIndex, u32)>, known: impl Fn(&str) -> Known) -> Result<Shard, OutputError> {
        let [conversations, turns] = self.names(self.next);
        let spool = |name: String, schema| {
            let spooled = spool_name(&name);
            let table = Table::open(&self.folder, &spooled, known(&spooled))?;
            Ok::<_, OutputError>(Spool { table, name, schema })
        };
        let conversations = spool(conversations, ConversationColumns::schema())?;
        Ok(Shard { range, conversations, turns: spool(turns, TurnColumns::schema())? })
    }
}

fn range(slot: Slot) -> (LanguageIndex, u32) {
    (slot.language, slot.index / SLOTS)
}

/// The spool of a file in the output folder.
fn spool_name(name: &str) -> String {
    name.replacen("/", "/.", 1).replace(".parquet", ".rows")
}

impl Spool {
    fn written(&self, mark: Mark, folder: &Path, bases: [&Path; 2]) -> WrittenFile {
        let path = files::shown(&folder.join(&self.name), bases);
        WrittenFile { path, rows: Some(mark.rows), bytes: mark.length }
    }

    /// Writes the file under a temporary name and moves it into place.
    fn compose(&self, folder: &Path, run_id: &str) -> Result<Mark, OutputError> {
        let path = folder.join(&self.name);
        let temporary = files::temporary(&path);
        let spool = self.table.path();
        let rows = File::open(spool).map_err(OutputError::io("open", spool))?;
        let batches = ReaderBuilder::new(self.schema.clone()).with_batch_size(BATCH_ROWS).build(BufReader::new(rows));
        let file = files::create(&temporary)?;
        let writer = properties(run_id).and_then(|made| ArrowWriter::try_new(file, self.schema.clone(), Some(made)));
        let mut writer = writer.map_err(parquet(&temporary))?;
        for batch in batches.map_err(columns(&path))? {
            writer.write(&batch.map_err(columns(&path))?).map_err(parquet(&temporary))?;
        }
        let file = writer.into_inner().map_err(parquet(&temporary))?;
        files::settle(file, &temporary, &path)?;
        table::mark(&path, self.table.rows())
    }
}

/// Removes spools that are of no use any more.
pub(crate) fn remove(spools: &[PathBuf]) -> Result<(), OutputError> {
    spools.iter().try_for_each(|path| fs::remove_file(path).map_err(OutputError::io("remove", path)))
}

fn properties(run_id: &str) -> Result<WriterProperties, ParquetError> {
    let told = [
        ("dlgforge.run_id", run_id),
        ("dlgforge.schema", SCHEMA_VERSION),
        ("dlgforge.version", env!("CARGO_PKG_VERSION")),
    ];
    let told = told.map(|(key, value)| KeyValue::new(key.to_owned(), value.to_owned()));
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_key_value_metadata(Some(told.into()))
        .build())
}

fn columns(path: &Path) -> impl FnOnce(ArrowError) -> OutputError {
    move |cause| OutputError::Columns { path: path.to_owned(), cause }
}

fn parquet(path: &Path) -> impl FnOnce(ParquetError) -> OutputError {
    move |cause| OutputError::Parquet { path: path.to_owned(), cause }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::rows::Parts;
    use super::super::sample;
    use super::*;
    use crate::domain::Conversation;
    use arrow::array::{Array, AsArray, RecordBatch};
    use arrow::datatypes::{Float64Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use std::fs;

    fn write(folder: &Path, conversations: &[Conversation]) -> Vec<WrittenFile> {
        let (facts, catalogue) = (sample::facts(), sample::catalogue());
        fs::create_dir_all(folder.join(FOLDER)).unwrap();
        let mut shards = Shards::open(folder, &facts, &BTreeMap::new(), false, None).unwrap();
        let timestamp = sample::stamp().utc();
        for conversation in conversations {
            let parts = Parts::new(conversation, conversation.ending.as_ref().unwrap(), &facts, &timestamp);
            let turns = conversation.turns.iter().map(|turn| TurnColumns::of(&parts, turn, &catalogue));
            shards.push(conversation.slot, ConversationColumns::of(&parts), &turns.collect::<Vec<_>>()).unwrap();
        }
        let (_, spools) = shards.compose(true, [folder, folder]).unwrap();
        remove(&spools).unwrap();
        shards.written()
    }

    /// A completed and a dropped conversation of one language.
    fn two() -> [Conversation; 2] {
        let slot = Slot { language: LanguageIndex(0), index: 1 };
        [sample::sample_conversation(), Conversation { slot, ..sample::dropped_conversation() }]
    }

    fn read(path: &Path) -> RecordBatch {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
        let told = reader.metadata().file_metadata().key_value_metadata().unwrap().clone();
        for (key, value) in [("run_id", "run-1"), ("schema", "4"), ("version", env!("CARGO_PKG_VERSION"))] {
            let key = format!("dlgforge.{key}");
            assert!(told.iter().any(|pair| pair.key == key && pair.value.as_deref() == Some(value)), "{key}");
        }
        reader.build().unwrap().next().unwrap().unwrap()
    }

    #[test]
    fn conversations_read_back_nested() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &two());
        let batch = read(&folder.path().join("parquet/conversations-run-1-00000.parquet"));
        assert_eq!((batch.num_rows(), batch.schema()), (2, ConversationColumns::schema()));
        let column = |name| batch.column_by_name(name).unwrap();
        let messages = column("messages").as_list::<i32>().value(0);
        let content = messages.as_struct().column_by_name("content").unwrap().as_string::<i32>();
        assert_eq!((messages.len(), content.value(0)), (4, sample::QUESTION));
        let with_tools = column("messages_with_tools").as_list::<i32>().value(0);
        let id = with_tools.as_struct().column_by_name("tool_call_id").unwrap().as_string::<i32>();
        assert_eq!((with_tools.len(), id.is_null(0), id.value(2)), (6, true, "call_46611"));
        let tools = column("tools").as_string::<i32>();
        let told: serde_json::Value = serde_json::from_str(tools.value(1)).unwrap();
        assert_eq!(told, serde_json::to_value(&sample::facts().tools).unwrap());
        assert_eq!((&told[0]["function"]["name"], tools.value(0)), (&"vector_db_search".into(), tools.value(1)));
        assert_eq!(column("n_turns").as_primitive::<UInt16Type>().values().as_ref(), [2, 1]);
        assert_eq!(column("target_turns").as_primitive::<UInt16Type>().values().as_ref(), [2, 3]);
        assert_eq!(column("timestamp").as_primitive::<TimestampMicrosecondType>().value(0), 1_795_390_453_000_000);
        assert_eq!(column("avg_score").as_primitive::<Float64Type>().value(0), 7.5);
        assert_eq!(column("intent_sequence").as_list::<i32>().value(0).as_string::<i32>().value(1), "compare");
        let judge = column("conversation_judge").as_struct();
        assert_eq!((judge.is_null(0), judge.is_null(1)), (true, false));
        assert_eq!(judge.column_by_name("score").unwrap().as_primitive::<UInt8Type>().value(1), 4);
        assert_eq!(column("drop_reason").as_string::<i32>().value(1), "dedup_exhausted");
    }

    #[test]
    fn turns_read_back_nested() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &two());
        let batch = read(&folder.path().join("parquet/turns-run-1-00000.parquet"));
        assert_eq!((batch.num_rows(), batch.schema()), (3, TurnColumns::schema()));
        let column = |name| batch.column_by_name(name).unwrap();
        let paths = column("source_path").as_string::<i32>();
        assert_eq!((paths.value(0), paths.is_null(1)), ("backup.md", true));
        let score = column("judge_score").as_primitive::<UInt8Type>();
        assert_eq!((score.value(0), score.is_null(2)), (7, true));
        let facts = column("grounding_facts").as_list::<i32>().value(0);
        assert_eq!(facts.as_struct().column(1).as_string::<i32>().value(0), "backup.md#chunk1");
        let trace = column("reasoning_trace").as_struct();
        let evidence = trace.column_by_name("evidence").unwrap().as_list::<i32>().value(0);
        assert_eq!(evidence.as_struct().column_by_name("cue").unwrap().as_string::<i32>().value(0), "backup.md");
        assert_eq!(column("tool_calls").as_primitive::<UInt32Type>().values().as_ref(), [1, 0, 0]);
        assert_eq!(column("judge_reasons").as_list::<i32>().value(0).as_string::<i32>().value(0), "vague");
        assert!(column("judge_answer_ok").as_boolean().value(0));
    }

    #[test]
    fn a_shard_is_a_range_of_slots() {
        let folder = tempfile::tempdir().unwrap();
        let slots = [(0, 0), (0, 999), (0, 2000), (1, 0), (1, 1)];
        let conversations = slots.map(|(language, index)| Conversation {
            slot: Slot { language: LanguageIndex(language), index },
            ..sample::sample_conversation()
        });
        let written = write(folder.path(), &conversations);
        let told: Vec<_> = written.iter().map(|file| (file.path.as_str(), file.rows.unwrap())).collect();
        assert_eq!(
            told,
            [
                ("parquet/conversations-run-1-00000.parquet", 2),
                ("parquet/turns-run-1-00000.parquet", 4),
                ("parquet/conversations-run-1-00001.parquet", 1),
                ("parquet/turns-run-1-00001.parquet", 2),
                ("parquet/conversations-run-1-00002.parquet", 2),
                ("parquet/turns-run-1-00002.parquet", 4),
            ]
        );
        assert_eq!(fs::read_dir(folder.path().join(FOLDER)).unwrap().count(), 6, "no temporary file is left");
        assert!(written.iter().all(|file| file.bytes > 0));
    }

    #[test]
    fn batches_are_written_as_they_fill() {
        let folder = tempfile::tempdir().unwrap();
        let conversations = vec![sample::sample_conversation(); BATCH_ROWS + 1];
        write(folder.path(), &conversations);
        let file = File::open(folder.path().join("parquet/turns-run-1-00000.parquet")).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows() as usize, 2 * (BATCH_ROWS + 1));
    }
}
