//! Parquet shards: for every thousand slots of a language one file of conversations and one of turns.
//!
//! A Parquet file can be read only once its footer is written, so a shard is written under a temporary name and moved
//! into place when its range of slots is complete. Shards are numbered from 0 in the order in which they begin.

use super::columns::{ConversationColumns, SCHEMA_VERSION, TurnColumns};
use super::files::{self, WrittenFile};
use super::{OutputError, RunFacts};
use crate::words::{LanguageIndex, Slot};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::json::reader::Decoder;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde::Serialize;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Slots of one language in a shard.
const SLOTS: u32 = 1_000;
/// Rows held as JSON before they become an Arrow batch.
const BATCH_ROWS: usize = 256;
const ROW_GROUP_ROWS: usize = 10_000;
const ROW_GROUP_BYTES: usize = 64 << 20;
const ZSTD_LEVEL: i32 = 3;

/// The shards of a run.
pub(crate) struct Shards {
    folder: PathBuf,
    run_id: Arc<str>,
    next: u32,
    open: Option<Shard>,
    finished: Vec<(PathBuf, u64)>,
}

struct Shard {
    range: (LanguageIndex, u32),
    conversations: ShardFile,
    turns: ShardFile,
}

impl Shards {
    /// No shard yet; files will be made in `folder`.
    pub fn new(folder: PathBuf, facts: &RunFacts) -> Self {
        Self { folder, run_id: facts.run_id.clone(), next: 0, open: None, finished: Vec::new() }
    }

    /// Adds a conversation and its turns; a slot of another range than the last begins a new shard.
    pub fn push(&mut self, slot: Slot, row: ConversationColumns, turns: &[TurnColumns]) -> Result<(), OutputError> {
        let range = (slot.language, slot.index / SLOTS);
        let mut shard = match self.open.take() {
            Some(shard) if shard.range == range => shard,
            complete => {
                self.close(complete)?;
                self.begin(range)?
            }
        };
        let pushed = shard.conversations.push(&[row]).and_then(|()| shard.turns.push(turns));
        self.open = Some(shard);
        pushed
    }

    /// Completes the last shard; all files of the run.
    pub fn finish(mut self, bases: [&Path; 2]) -> Result<Vec<WrittenFile>, OutputError> {
        let last = self.open.take();
        self.close(last)?;
        self.finished
            .iter()
            .map(|(path, rows)| {
                let bytes = path.metadata().map_err(OutputError::io("look at", path))?.len();
                Ok(WrittenFile { path: files::shown(path, bases), rows: Some(*rows), bytes })
            })
            .collect()
    }

    fn begin(&mut self, range: (LanguageIndex, u32)) -> Result<Shard, OutputError> {
        let number = self.next;
        self.next += 1;
        let path = |kind| self.folder.join(format!("{kind}-{}-{number:05}.parquet", self.run_id));
        let conversations = ShardFile::create(path("conversations"), ConversationColumns::schema(), &self.run_id)?;
        let turns = ShardFile::create(path("turns"), TurnColumns::schema(), &self.run_id)?;
        Ok(Shard { range, conversations, turns })
    }

    fn close(&mut self, shard: Option<Shard>) -> Result<(), OutputError> {
        let Some(shard) = shard else { return Ok(()) };
        self.finished.push(shard.conversations.finish()?);
        self.finished.push(shard.turns.finish()?);
        files::sync_folder(&self.folder)
    }
}

struct ShardFile {
    path: PathBuf,
    temporary: PathBuf,
    decoder: Decoder,
    writer: ArrowWriter<File>,
    rows: u64,
}

impl ShardFile {
    fn create(path: PathBuf, schema: SchemaRef, run_id: &str) -> Result<Self, OutputError> {
        let temporary = files::temporary(&path);
        let file = files::create(&temporary)?;
        let decoder = ReaderBuilder::new(schema.clone()).build_decoder().map_err(columns(&path))?;
        let writer = properties(run_id).and_then(|properties| ArrowWriter::try_new(file, schema, Some(properties)));
        let writer = writer.map_err(parquet(&temporary))?;
        Ok(Self { path, temporary, decoder, writer, rows: 0 })
    }

    fn push(&mut self, rows: &[impl Serialize]) -> Result<(), OutputError> {
        self.decoder.serialize(rows).map_err(columns(&self.path))?;
        self.rows += rows.len() as u64;
        if self.decoder.len() >= BATCH_ROWS { self.write_batch() } else { Ok(()) }
    }

    fn write_batch(&mut self) -> Result<(), OutputError> {
        match self.decoder.flush().map_err(columns(&self.path))? {
            Some(batch) => self.writer.write(&batch).map_err(parquet(&self.temporary)),
            None => Ok(()),
        }
    }

    fn finish(mut self) -> Result<(PathBuf, u64), OutputError> {
        self.write_batch()?;
        let file = self.writer.into_inner().map_err(parquet(&self.temporary))?;
        files::settle(file, &self.temporary, &self.path)?;
        Ok((self.path, self.rows))
    }
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
    use crate::words::Conversation;
    use arrow::array::{Array, AsArray, RecordBatch};
    use arrow::datatypes::{Float64Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use std::fs;

    fn write(folder: &Path, conversations: &[Conversation]) -> Vec<WrittenFile> {
        let (facts, catalogue) = (sample::facts(), sample::catalogue());
        let mut shards = Shards::new(folder.to_owned(), &facts);
        let timestamp = sample::stamp().utc();
        for conversation in conversations {
            let parts = Parts::new(conversation, conversation.ending.as_ref().unwrap(), &facts, &timestamp);
            let turns = conversation.turns.iter().map(|turn| TurnColumns::of(&parts, turn, &catalogue));
            shards.push(conversation.slot, ConversationColumns::of(&parts), &turns.collect::<Vec<_>>()).unwrap();
        }
        shards.finish([folder, folder]).unwrap()
    }

    /// A completed and a dropped conversation of one language.
    fn two() -> [Conversation; 2] {
        let slot = Slot { language: LanguageIndex(0), index: 1 };
        [sample::sample_conversation(), Conversation { slot, ..sample::dropped_conversation() }]
    }

    fn read(path: &Path) -> RecordBatch {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
        let told = reader.metadata().file_metadata().key_value_metadata().unwrap().clone();
        for (key, value) in [("run_id", "run-1"), ("schema", "1"), ("version", env!("CARGO_PKG_VERSION"))] {
            let key = format!("dlgforge.{key}");
            assert!(told.iter().any(|pair| pair.key == key && pair.value.as_deref() == Some(value)), "{key}");
        }
        reader.build().unwrap().next().unwrap().unwrap()
    }

    #[test]
    fn conversations_read_back_nested() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &two());
        let batch = read(&folder.path().join("conversations-run-1-00000.parquet"));
        assert_eq!((batch.num_rows(), batch.schema()), (2, ConversationColumns::schema()));
        let column = |name| batch.column_by_name(name).unwrap();
        let messages = column("messages").as_list::<i32>().value(0);
        let content = messages.as_struct().column_by_name("content").unwrap().as_string::<i32>();
        assert_eq!((messages.len(), content.value(0)), (4, sample::QUESTION));
        let with_tools = column("messages_with_tools").as_list::<i32>().value(0);
        let id = with_tools.as_struct().column_by_name("tool_call_id").unwrap().as_string::<i32>();
        assert_eq!((with_tools.len(), id.is_null(0), id.value(2)), (6, true, "call_46611"));
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
        let batch = read(&folder.path().join("turns-run-1-00000.parquet"));
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
                ("conversations-run-1-00000.parquet", 2),
                ("turns-run-1-00000.parquet", 4),
                ("conversations-run-1-00001.parquet", 1),
                ("turns-run-1-00001.parquet", 2),
                ("conversations-run-1-00002.parquet", 2),
                ("turns-run-1-00002.parquet", 4),
            ]
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 6, "no temporary file is left");
        assert!(written.iter().all(|file| file.bytes > 0));
    }

    #[test]
    fn batches_are_written_as_they_fill() {
        let folder = tempfile::tempdir().unwrap();
        let conversations = vec![sample::sample_conversation(); BATCH_ROWS + 1];
        write(folder.path(), &conversations);
        let file = File::open(folder.path().join("turns-run-1-00000.parquet")).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows() as usize, 2 * (BATCH_ROWS + 1));
    }
}
