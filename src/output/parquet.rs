//! `parquet/`: the conversations and turns that are trained on as Arrow tables: their schemas, and the rows that fill them.

mod findings;
mod verdicts;

use super::rows::{Message, Metadata, Parts, ToolMessage, VoteRow, mean_score, messages, votes};
use super::turns::TurnRow;
use super::{Options, preferences};
use crate::domain::{JudgeReply, Turn};
use crate::files::{FilesError, Kind, Layout, Lines};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::Serialize;
use std::sync::Arc;
use verdicts::{verdict, vote};

/// Its name in `saving.files`.
pub(super) const NAME: &str = "parquet";

/// The version of the schemas, in the key-value metadata of every file.
const VERSION: &str = "8";

/// The files of a shard; pairs of answers have one where they are asked for.
const KINDS: [Kind; 3] = [
    Kind { name: "conversations", schema: ConversationColumns::schema },
    Kind { name: "turns", schema: TurnColumns::schema },
    Kind { name: preferences::NAME, schema: preference_schema },
];

/// The files of a shard of a run with these options.
pub(super) fn layout(options: &Options) -> Layout {
    const ALL: &[Kind] = &KINDS;
    let kinds = if options.files.has(preferences::NAME) { ALL } else { &ALL[..2] };
    Layout { folder: NAME, version: VERSION, kinds }
}

/// The rows of a conversation, for each kind.
pub(super) fn rows(parts: &Parts) -> Result<Vec<Lines>, FilesError> {
    const WHAT: &str = "row of a Parquet shard";
    let [mut conversations, mut turns, mut pairs] = [Lines::default(), Lines::default(), Lines::default()];
    conversations.push(WHAT, &ConversationColumns::of(parts))?;
    parts.conversation.turns.iter().try_for_each(|turn| turns.push(WHAT, &TurnColumns::of(parts, turn)))?;
    preferences::pairs(parts).try_for_each(|pair| pairs.push(WHAT, &pair))?;
    let mut rows = vec![conversations, turns, pairs];
    rows.truncate(layout(parts.options).kinds.len());
    Ok(rows)
}

/// Schema of `preferences-*.parquet`, whose rows are those of `preferences.jsonl`.
fn preference_schema() -> SchemaRef {
    let messages = |name| list(name, record(["role", "content"]));
    Arc::new(Schema::new(vec![
        text("conversation_id"),
        always("turn_index", DataType::UInt16),
        text("language"),
        messages("prompt"),
        messages("chosen"),
        messages("rejected"),
        maybe("score_chosen", DataType::UInt8),
        maybe("score_rejected", DataType::UInt8),
        list("reasons_rejected", DataType::Utf8),
        text("notes_rejected"),
        list("unsupported_numbers_rejected", DataType::Utf8),
        text("assistant_agent"),
        text("conversation_status"),
        text("run_id"),
    ]))
}

/// A row of `conversations-*.parquet`: messages, what `metadata` tells, and the verdict.
#[derive(Debug, Serialize)]
pub(crate) struct ConversationColumns<'a> {
    messages: Vec<Message<'a>>,
    messages_with_tools: &'a [ToolMessage<'a>],
    tools: &'a str,
    #[serde(flatten)]
    metadata: Metadata<'a>,
    target_turns: u16,
    avg_score: Option<f64>,
    conversation_judge: Option<&'a JudgeReply>,
    conversation_judge_votes: Vec<VoteRow<'a>>,
}

impl<'a> ConversationColumns<'a> {
    /// Schema of the file.
    pub fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            text("conversation_id"),
            moment("timestamp"),
            text("language"),
            text("conversation_status"),
            text("drop_reason"),
            always("n_turns", DataType::UInt16),
            always("target_turns", DataType::UInt16),
            list("messages", message(&[])),
            list(
                "messages_with_tools",
                message(&[
                    maybe("turn_index", DataType::UInt16),
                    maybe_list("tool_calls", call()),
                    maybe_text("tool_call_id"),
                    maybe_text("name"),
                ]),
            ),
            text("tools"),
            always("personas", record(["user", "assistant", "user_id", "assistant_id"])),
            list("difficulty_sequence", DataType::Utf8),
            text("difficulty_max"),
            list("intent_sequence", DataType::Utf8),
            list("coverage_targets", DataType::Utf8),
            list("question_modes", DataType::Utf8),
            list("seed_topics", DataType::Utf8),
            list("seed_questions", DataType::Utf8),
            always("persona_applied", DataType::Boolean),
            list("retrieved", DataType::Boolean),
            list("unsupported_numbers", texts()),
            maybe("judge_accepted", DataType::Boolean),
            text("judge_granularity"),
            maybe("avg_score", DataType::Float64),
            maybe("conversation_judge", verdict()),
            text("run_id"),
            list("unknown_citations", texts()),
            always("provenance", provenance()),
            text("register"),
            text("whole_need"),
            list("question_labels", texts()),
            list("answer_labels", texts()),
            list("conversation_judge_votes", vote()),
        ]))
    }

    /// The row of one conversation.
    pub fn of(parts: &'a Parts<'a>) -> Self {
        Self {
            messages: messages(&parts.conversation.turns, false),
            messages_with_tools: &parts.messages_with_tools,
            tools: parts.facts.tools.text(),
            metadata: Metadata::of(parts),
            target_turns: parts.conversation.target_turns,
            avg_score: mean_score(&parts.conversation.turns),
            conversation_judge: parts.judgement,
            conversation_judge_votes: votes(parts.conversation.judgement.as_ref()),
        }
    }
}

/// A row of `turns-*.parquet`: that of `turns.jsonl`, and what a reader would have to look up in other files.
#[derive(Debug, Serialize)]
pub(crate) struct TurnColumns<'a> {
    #[serde(flatten)]
    row: TurnRow<'a>,
    language: &'a str,
    source_path: Option<&'a str>,
    tool_calls: usize,
    user_agent: &'a str,
    assistant_agent: &'a str,
    user_model_reasoning: Option<&'a str>,
    assistant_model_reasoning: Option<&'a str>,
}

impl<'a> TurnColumns<'a> {
    /// Schema of the file.
    pub fn schema() -> SchemaRef {
        let own = vec![
            text("conversation_id"),
            moment("timestamp"),
            always("turn_index", DataType::UInt16),
            text("user_message"),
            text("assistant_message"),
            text("question_mode"),
            text("seed_topic"),
            text("seed_question"),
            text("intent"),
            text("difficulty"),
            text("coverage_target"),
            list("grounding_facts", record(["fact", "source_descriptor"])),
            list("notes_for_assistant", DataType::Utf8),
            always("reasoning_trace", trace()),
            always("did_web_search", DataType::Boolean),
            text("judge_granularity"),
            maybe("judge_score", DataType::UInt8),
            list("judge_reasons", DataType::Utf8),
            text("judge_notes"),
            maybe("judge_question_ok", DataType::Boolean),
            maybe("judge_answer_ok", DataType::Boolean),
            maybe("conversation_judge_score", DataType::UInt8),
            list("conversation_judge_reasons", DataType::Utf8),
            text("conversation_status"),
            text("drop_reason"),
            always("retrieved", DataType::Boolean),
            list("unsupported_numbers", DataType::Utf8),
            maybe("judge_accepted", DataType::Boolean),
            maybe("conversation_judge_accepted", DataType::Boolean),
            always("persona_applied", DataType::Boolean),
            text("run_id"),
            list("unknown_citations", DataType::Utf8),
            list("provenance", fields(&[place(), used()].concat())),
            list("linked_targets", DataType::Utf8),
            text("register"),
            maybe("words_asked", DataType::UInt16),
            text("whole_need"),
            list("judge_votes", vote()),
        ];
        let more = [
            text("language"),
            maybe_text("source_path"),
            always("tool_calls", DataType::UInt32),
            text("user_agent"),
            text("assistant_agent"),
            maybe_text("user_model_reasoning"),
            maybe_text("assistant_model_reasoning"),
        ];
        let fields = own.into_iter().chain(findings::of_turn()).chain(more);
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// The row of one of the conversation's turns.
    pub fn of(parts: &Parts<'a>, turn: &'a Turn) -> Self {
        Self {
            row: TurnRow::of(parts, turn),
            language: &parts.conversation.language,
            source_path: turn.question.used.source.map(|source| parts.catalogue.source(source).path.as_str()),
            tool_calls: turn.answer.tool_events.len(),
            user_agent: &turn.question.agent,
            assistant_agent: &turn.answer.agent,
            user_model_reasoning: turn.question.reasoning.as_deref(),
            assistant_model_reasoning: turn.answer.reasoning.as_deref(),
        }
    }
}

fn always(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, false)
}

fn maybe(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, true)
}

fn text(name: &str) -> Field {
    always(name, DataType::Utf8)
}

fn maybe_text(name: &str) -> Field {
    maybe(name, DataType::Utf8)
}

fn moment(name: &str) -> Field {
    always(name, DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())))
}

fn list(name: &str, item: DataType) -> Field {
    always(name, DataType::List(Arc::new(Field::new_list_field(item, false))))
}

/// The type of a list of texts.
fn texts() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, false)))
}

fn maybe_list(name: &str, item: DataType) -> Field {
    list(name, item).with_nullable(true)
}

fn record<const N: usize>(texts: [&str; N]) -> DataType {
    DataType::Struct(texts.into_iter().map(text).collect())
}

/// A chat message with these fields besides its own; each message has those of its kind.
fn message(more: &[Field]) -> DataType {
    let own = [text("role"), text("content"), maybe_text("agent")];
    DataType::Struct(own.iter().chain(more).cloned().collect())
}

fn call() -> DataType {
    let fields = [text("id"), text("type"), always("function", record(["name", "arguments"]))];
    DataType::Struct(fields.into_iter().collect())
}

fn trace() -> DataType {
    let premise = [text("id"), text("text"), list("evidence_refs", DataType::Utf8), text("assumption")];
    let queries = [list("vector_db_search", DataType::Utf8), list("web_search", DataType::Utf8)];
    let fields = [
        text("question"),
        always("retrieval_queries", DataType::Struct(queries.into_iter().collect())),
        list("evidence", record(["id", "cue", "content"])),
        list("premises", DataType::Struct(premise.into_iter().collect())),
        list("thinking", record(["text"])),
        text("confidence"),
        list("known_limits", DataType::Utf8),
    ];
    DataType::Struct(fields.into_iter().collect())
}

/// What of a passage or page tells where it is.
fn place() -> Vec<Field> {
    let number = |name| always(name, DataType::UInt64);
    vec![text("id"), text("source"), text("heading"), number("char_start"), number("char_end")]
}

/// What was made of it.
fn used() -> Vec<Field> {
    let score = fields(&[text("by"), always("score", DataType::Float32)]);
    vec![list("scores", score), list("evidence_ids", DataType::Utf8)]
}

/// The places of a conversation, each once, and turn by turn which of them were found.
fn provenance() -> DataType {
    let turn = DataType::List(Arc::new(Field::new_list_field(DataType::UInt32, false)));
    fields(&[list("passages", fields(&place())), list("turns", turn)])
}

fn fields(fields: &[Field]) -> DataType {
    DataType::Struct(fields.to_vec().into())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
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
        let (facts, catalogue, options) = (sample::facts(), sample::catalogue(), sample::options(folder));
        let files = BTreeMap::new();
        let mut shards = Shards::open(folder, layout(&options), facts.run_id.clone(), &files, false, None).unwrap();
        let context = Context { options: &options, facts: &facts, catalogue: &catalogue };
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
        assert_eq!(&told, sample::facts().tools.list());
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
        let provenance = column("provenance").as_struct();
        let lengths = |name| provenance.column_by_name(name).unwrap().as_list::<i32>().value(0).len();
        assert_eq!((lengths("passages"), lengths("turns")), (2, 2));
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
        assert_eq!(
            evidence.as_struct().column_by_name("cue").unwrap().as_string::<i32>().value(0),
            "KB: backup.md#chunk1"
        );
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
        let batch = read(&folder.path().join("parquet/preferences-run-1-00000.parquet"));
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
        assert_eq!(layout(&without).kinds.len(), 2);
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
                ("parquet/preferences-run-1-00000.parquet", 2),
                ("parquet/conversations-run-1-00001.parquet", 1),
                ("parquet/turns-run-1-00001.parquet", 2),
                ("parquet/preferences-run-1-00001.parquet", 1),
                ("parquet/conversations-run-1-00002.parquet", 2),
                ("parquet/turns-run-1-00002.parquet", 4),
                ("parquet/preferences-run-1-00002.parquet", 2),
            ]
        );
        assert_eq!(fs::read_dir(folder.path().join(NAME)).unwrap().count(), 9, "no temporary file is left");
        assert!(written.iter().all(|file| file.bytes > 0));
    }

    #[test]
    fn batches_are_written_as_they_fill() {
        const ROWS: usize = 257;
        let folder = tempfile::tempdir().unwrap();
        let conversations = vec![sample::sample_conversation(); ROWS];
        write(folder.path(), &conversations);
        let file = File::open(folder.path().join("parquet/turns-run-1-00000.parquet")).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows() as usize, 2 * ROWS);
    }
}
