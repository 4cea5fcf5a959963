//! What the tables hold, read back.

use super::super::rows::{Context, Times};
use super::super::sample;
use super::*;
use crate::domain::{Conversation, LanguageIndex, Slot};
use crate::files::{Shards, WrittenFile, remove};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    Float32Type, Float64Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

fn write(folder: &Path, conversations: &[Conversation]) -> Vec<WrittenFile> {
    write_as(&sample::options(folder), folder, conversations)
}

fn write_as(options: &Options, folder: &Path, conversations: &[Conversation]) -> Vec<WrittenFile> {
    let (facts, catalogue) = (sample::facts(), sample::catalogue());
    let files = BTreeMap::new();
    let mut shards = Shards::open(folder, layout(options), facts.run_id.clone(), &files, false, None).unwrap();
    let context = Context { options, facts: &facts, catalogue: &catalogue };
    let times = Times { utc: sample::stamp().utc(), utc_z: String::new() };
    for conversation in conversations {
        let outcome = conversation.outcome.as_ref().unwrap();
        let parts = Parts::new(conversation, outcome, context, &times, String::new());
        shards.push(conversation.slot, &rows(&parts).unwrap()).unwrap();
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
    for (key, value) in [("run_id", "run-1"), ("schema", VERSION), ("version", env!("CARGO_PKG_VERSION"))] {
        let key = format!("dlgforge.{key}");
        assert!(told.iter().any(|pair| pair.key == key && pair.value.as_deref() == Some(value)), "{key}");
    }
    reader.build().unwrap().next().unwrap().unwrap()
}

#[test]
fn conversations_read_back_nested() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &two());
    let batch = read(&folder.path().join("parquet/conversations/run-1-00000.parquet"));
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
    assert_eq!(&told, sample::facts().tools.list());
    assert_eq!((&told[0]["function"]["name"], tools.value(0)), (&"vector_db_search".into(), tools.value(1)));
    assert_eq!(column("n_turns").as_primitive::<UInt16Type>().values().as_ref(), [2, 1]);
    assert_eq!(column("target_turns").as_primitive::<UInt16Type>().values().as_ref(), [2, 3]);
    assert_eq!(column("timestamp").as_primitive::<TimestampMicrosecondType>().value(0), 1_795_390_453_000_000);
    assert_eq!(column("judge_score").as_primitive::<Float64Type>().value(0), 7.5);
    assert_eq!(column("intent_sequence").as_list::<i32>().value(0).as_string::<i32>().value(1), "compare");
    let judge = column("judge").as_struct().column_by_name("conversation").unwrap().as_struct().clone();
    assert_eq!((judge.is_null(0), judge.is_null(1)), (true, false));
    assert_eq!(judge.column_by_name("score").unwrap().as_primitive::<UInt8Type>().value(1), 4);
    assert_eq!(column("drop_reason").as_string::<i32>().value(1), "dedup_exhausted");
    let provenance = column("provenance").as_struct();
    let lengths = |name| provenance.column_by_name(name).unwrap().as_list::<i32>().value(0).len();
    assert_eq!((lengths("passages"), lengths("turns")), (2, 2));
}

#[test]
fn turns_read_back_nested() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &two());
    let batch = read(&folder.path().join("parquet/turns/run-1-00000.parquet"));
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
    assert_eq!(evidence.as_struct().column_by_name("cue").unwrap().as_string::<i32>().value(0), "KB: backup.md#chunk1");
    assert_eq!(column("tool_calls").as_primitive::<UInt32Type>().values().as_ref(), [1, 0, 0]);
    assert_eq!(column("judge_reasons").as_list::<i32>().value(0).as_string::<i32>().value(0), "vague");
    assert!(column("judge_answer_ok").as_boolean().value(0));
    assert_eq!(column("unknown_citations").as_list::<i32>().value(1).as_string::<i32>().value(0), "P9");
    let shown = column("provenance").as_list::<i32>().value(0);
    let of_shown = |name| shown.as_struct().column_by_name(name).unwrap().clone();
    assert_eq!((shown.len(), of_shown("id").as_string::<i32>().value(0)), (2, "5f0c-1"));
    assert_eq!(of_shown("char_end").as_primitive::<UInt64Type>().values().as_ref(), [24, 23]);
    let scores = of_shown("scores").as_list::<i32>().value(0);
    assert_eq!(scores.as_struct().column(1).as_primitive::<Float32Type>().value(0), 2.5);
}

#[test]
fn pairs_of_answers_have_a_file_where_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &two());
    let batch = read(&folder.path().join("parquet/preferences/run-1-00000.parquet"));
    assert_eq!((batch.num_rows(), batch.schema()), (1, preference_schema()));
    let column = |name| batch.column_by_name(name).unwrap();
    let said = |name| {
        let messages = column(name).as_list::<i32>().value(0);
        let content = messages.as_struct().column_by_name("content").unwrap().as_string::<i32>().clone();
        content.iter().flatten().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!((said("prompt").len(), said("prompt")[2].as_str()), (3, "وهل تُختبر؟"));
    assert_eq!([said("chosen"), said("rejected")].concat(), ["نعم، تُختبر الاستعادة.", "لا أعرف، ربما 7 مرات."]);
    let score = |name| column(name).as_primitive::<UInt8Type>().value(0);
    assert_eq!((score("score_chosen"), score("score_rejected")), (8, 2));
    let options = sample::options(folder.path());
    let without = Options { files: options.files.clone().without(preferences::NAME), ..options };
    let names: Vec<_> = layout(&without).kinds.iter().map(|kind| kind.name).collect();
    assert_eq!(names, ["conversations", "turns", "dropped", "calls"]);
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
    let told: Vec<_> = written.iter().map(|file| (file.path.clone(), file.rows.unwrap())).collect();
    let rows = [("conversations", [2, 1, 2]), ("turns", [4, 2, 4]), ("preferences", [2, 1, 2]), ("dropped", [0; 3])];
    let rows = rows.into_iter().chain([("calls", [16, 8, 16])]);
    let expected = |number: usize| {
        rows.clone().map(move |(table, rows)| (format!("parquet/{table}/run-1-{number:05}.parquet"), rows[number]))
    };
    assert_eq!(told, (0..3).flat_map(expected).collect::<Vec<_>>());
    for table in Table::ALL {
        let files = fs::read_dir(folder.path().join(NAME).join(table.name())).unwrap();
        assert_eq!(files.count(), 3, "no temporary file of {table:?} is left");
    }
    assert!(written.iter().all(|file| file.bytes > 0));
}

#[test]
fn batches_are_written_as_they_fill() {
    const ROWS: usize = 257;
    let folder = tempfile::tempdir().unwrap();
    let conversations = vec![sample::sample_conversation(); ROWS];
    write(folder.path(), &conversations);
    let file = File::open(folder.path().join("parquet/turns/run-1-00000.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows() as usize, 2 * ROWS);
}

#[test]
fn what_is_dropped_and_not_trained_on_has_a_table_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { keep_dropped_rows: false, ..sample::options(folder.path()) };
    write_as(&options, folder.path(), &two());
    let ids = |table: &str| {
        let batch = read(&folder.path().join(format!("parquet/{table}/run-1-00000.parquet")));
        let ids = batch.column_by_name("conversation_id").unwrap().as_string::<i32>().clone();
        ids.iter().flatten().map(str::to_owned).collect::<Vec<_>>()
    };
    let [trained, dropped] = [ids("conversations"), ids("dropped")];
    assert_eq!((trained.len(), dropped.len()), (1, 1));
    assert_ne!(trained, dropped);
    let batch = read(&folder.path().join("parquet/dropped/run-1-00000.parquet"));
    assert!(!batch.column_by_name("drop_detail").unwrap().as_string::<i32>().value(0).is_empty());
    assert!(ids("calls").contains(&dropped[0]), "what it took counts all the same");
}

#[test]
fn every_reply_that_a_conversation_holds_is_a_call() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &two()[..1]);
    let batch = read(&folder.path().join("parquet/calls/run-1-00000.parquet"));
    let text = |name: &str, row| batch.column_by_name(name).unwrap().as_string::<i32>().value(row).to_owned();
    let rows: Vec<_> = (0..batch.num_rows())
        .map(|row| {
            let number = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<UInt16Type>().value(row);
            (number("turn_index"), text("reply", row), batch.column_by_name("is_kept").unwrap().as_boolean().value(row))
        })
        .collect();
    let told: Vec<_> = rows.iter().map(|(turn, reply, is_kept)| (*turn, reply.as_str(), *is_kept)).collect();
    let expected = [
        (1, "question", true),
        (1, "answer", true),
        (1, "verdict", true),
        (2, "question", true),
        (2, "answer", false),
        (2, "verdict", false),
        (2, "answer", true),
        (2, "verdict", true),
    ];
    assert_eq!(told, expected);
}

#[test]
fn every_column_of_conversations_is_told_of() {
    let told = Table::told_columns();
    assert!(told.iter().all(|column| column.iter().all(|part| !part.is_empty())), "{told:?}");
    assert_eq!(told.len(), conversations::MEANINGS.len());
    let kind = |name: &str| told.iter().find(|[known, ..]| known == name).map(|[_, kind, _]| kind.clone()).unwrap();
    assert_eq!([kind("tools"), kind("question_labels")], ["JSON text", "list of list of text"]);
}

#[test]
fn files_tell_the_hub_their_types_and_give_renamed_columns_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = sample::options(folder.path());
    options.columns.messages = "chat".to_owned();
    write_as(&options, folder.path(), &two());
    let path = folder.path().join("parquet/conversations/run-1-00000.parquet");
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
    let metadata = reader.metadata().clone();
    let told = |wanted: &str| {
        let pairs = metadata.file_metadata().key_value_metadata().unwrap();
        let value = pairs.iter().find(|pair| pair.key == wanted).and_then(|pair| pair.value.clone());
        serde_json::from_str::<serde_json::Value>(&value.unwrap()).unwrap()
    };
    assert_eq!(told(COLUMNS_KEY)["messages"], "chat");
    let features = &told("huggingface")["info"]["features"];
    assert_eq!(features["tools"], serde_json::json!({"_type": "Json"}));
    assert_eq!(features["chat"]["feature"]["content"], serde_json::json!({"dtype": "string", "_type": "Value"}));
    assert_eq!(features["n_turns"]["dtype"], "uint16");
    assert_eq!(features["timestamp"]["dtype"], "timestamp[us, tz=+00:00]");
    assert_eq!(told("content_defined_chunking")["min_chunk_size"], 262_144);
    assert!(reader.schema().field_with_name("messages").is_err());
    let tools = reader.schema().field_with_name("tools").unwrap().clone();
    assert_eq!(tools.extension_type_name(), Some("arrow.json"));
    let group = metadata.row_group(0);
    assert!(group.columns().iter().all(|column| column.offset_index_offset().is_some()), "pages have an index");
    assert!(group.column(0).statistics().is_some() && group.column(0).column_index_offset().is_some());
}
