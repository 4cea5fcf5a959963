//! The files of a run, field by field: keys in their documented order, and Parquet that tells what JSON Lines tell.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint, Reply};
use crate::support::{Project, asking, remote};
use arrow::json::WriterBuilder;
use arrow::json::writer::JsonArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};

const INPUTS: &str = "question target_language target_languages question_seed run_id resume_run_id total_samples min_turns \
    max_turns turn_count_distribution turn_count_mean seed_topics_path seed_topics_variant seed_topics_probability \
    seed_topics_enabled retrieval_default_k user_persona assistant_persona user_persona_id assistant_persona_id \
    user_agent_used_name assistant_agent_used_name judge_enabled judge_granularity judge_reasons project_root config_dir";

const ROWS: [(&str, &str); 5] = [
    (
        "synthetic_qa",
        "conversation_id timestamp question inputs qa_generation_plan kb_final_answer qa_judge conversation_judge turns \
         conversation_history messages raw_result raw_results run_id",
    ),
    (
        "conversations_index",
        "conversation_id timestamp n_turns seed_question language conversation_file conversation_status drop_reason run_id",
    ),
    (
        "conversations_sharegpt_judged",
        "messages messages_with_tools tools metadata user_reasoning assistant_reasoning judge",
    ),
    (
        "turns",
        "conversation_id timestamp turn_index user_message assistant_message question_mode seed_topic seed_question \
         intent difficulty coverage_target grounding_facts notes_for_assistant reasoning_trace did_web_search \
         judge_granularity judge_score judge_reasons judge_notes judge_question_ok judge_answer_ok \
         conversation_judge_score conversation_judge_reasons conversation_status drop_reason \
         retrieved unsupported_numbers judge_accepted conversation_judge_accepted persona_applied run_id",
    ),
    (
        "coverage_ledger",
        "timestamp topic_id source_path question question_hash question_mode seed_topic seed_question \
         seed_question_hash run_id",
    ),
];

const DROPPED: &str = "messages messages_with_tools tools metadata user_reasoning assistant_reasoning judge drop_reason \
    drop_detail";
const DOCUMENT: &str = "conversation_id timestamp seed_question inputs n_turns language personas messages \
    messages_with_tools tools user_reasoning assistant_reasoning conversation_judge turns conversation_history \
    raw_results run_id";
const STATE: &str = "run_id status updated_at n_turns batch_size inputs conversations";
const SLOT: &str = "conversation_index conversation_id target_n_turns status drop_reason inputs turns raw_results";
const METADATA: &str = "conversation_id timestamp n_turns language judge_granularity personas difficulty_sequence \
    difficulty_max intent_sequence coverage_targets question_modes seed_topics seed_questions conversation_status \
    drop_reason persona_applied retrieved unsupported_numbers judge_accepted run_id";

/// A run over two short documents: some conversations are dropped, some of them after a turn or more. Every fourth
/// opening question and every fifth later one is the same. The assistant counts its tool calls anew in every turn.
fn project(granularity: &str) -> Project {
    let (openings, others) = (AtomicU64::new(0), AtomicU64::new(0));
    let endpoint = Endpoint::start(Behaviour::new(move |request, _| {
        let later = crate::support::turn(request) > 1;
        let (count, every, question) = if later { (&others, 5, "What now?") } else { (&openings, 4, "What first?") };
        let same = || count.fetch_add(1, Ordering::Relaxed).is_multiple_of(every).then(|| question.into());
        calling(asking(reply(request, Latency::NONE), same))
    }));
    let project = Project::empty();
    let run = "  run_id: r\n  batch_size: 6\n  total_samples: 12\n  turns: {mode: range, min: 3, max: 6}";
    let config = remote(&endpoint.base_url(), run, "coverage: {question_dedup_retries: 0}");
    let config = config.replace("{mode: online}", &format!("{{mode: online, granularity: {granularity}}}"));
    project.write("config.yaml", config.as_bytes());
    project.write("knowledge/tea.md", "Tea is made from leaves. The water must be at 80 degrees.".as_bytes());
    project.write("knowledge/coffee.txt", "القهوة تصنع من الحبوب. يجب أن يكون الماء بدرجة تسعين.".as_bytes());
    project.generate(&[]);
    project
}

/// The reply with an id for its tool call that every turn's first call has.
fn calling(reply: Reply) -> Reply {
    let mut body: Value = serde_json::from_slice(&reply.body).expect("JSON");
    let Some(call) = body.pointer_mut("/choices/0/message/tool_calls/0/id") else { return reply };
    *call = "call_1".into();
    Reply { body: body.to_string().into(), ..reply }
}

fn keys(row: &Value) -> String {
    row.as_object().expect("an object").keys().map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn expect(row: &Value, keys_in_order: &str, what: &str) {
    assert_eq!(keys(row), keys_in_order.split_whitespace().collect::<Vec<_>>().join(" "), "{what}");
}

fn json(project: &Project, file: &str) -> Value {
    serde_json::from_str(&project.read(file)).expect("JSON")
}

/// The rows of the run's only shard of a kind, as JSON with nulls.
fn parquet(project: &Project, kind: &str) -> Vec<Value> {
    let file = File::open(project.path(&format!("outputs/parquet/{kind}-r-00000.parquet"))).expect("a shard");
    let batches = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.build()).expect("Parquet");
    let mut text = Vec::new();
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(&mut text);
    batches.for_each(|batch| writer.write(&batch.expect("a batch")).expect("JSON"));
    writer.finish().expect("JSON");
    drop(writer);
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn keys_stand_in_the_documented_order() {
    for (granularity, more) in [
        ("turn", "n_turns batch_size conversation_index conversation_status drop_reason run_seed"),
        (
            "conversation",
            "n_turns batch_size conversation_judge conversation_index conversation_status drop_reason run_seed",
        ),
    ] {
        let project = project(granularity);
        let inputs = format!("{INPUTS} {more}");
        for (name, keys) in ROWS {
            let rows = project.rows(&format!("outputs/{name}.jsonl"));
            assert!(rows.len() >= 12, "{name}");
            rows.iter().for_each(|row| expect(row, keys, name));
        }
        for row in project.rows("outputs/synthetic_qa.jsonl") {
            expect(&row["inputs"], &inputs, "inputs of synthetic_qa");
            let document =
                json(&project, &format!("outputs/conversations/{}.json", row["conversation_id"].as_str().expect("id")));
            expect(&document, DOCUMENT, "a conversation");
            assert_eq!((&document["inputs"], &document["turns"]), (&row["inputs"], &row["turns"]));
        }
        for row in project.rows("outputs/conversations_sharegpt_judged.jsonl") {
            expect(&row["metadata"], METADATA, "metadata");
            expect(&row["judge"], "per_turn avg_score conversation", "judge");
            assert_eq!(row["judge"]["avg_score"].is_null(), granularity == "conversation");
        }
        let state = json(&project, "outputs/run_state/r.json");
        expect(&state, STATE, "run state");
        for slot in state["conversations"].as_array().expect("slots") {
            expect(slot, SLOT, "a slot");
        }
        assert_eq!(project.read("outputs/run_state/last_run_id.txt"), "r");
    }
}

#[test]
fn dropped_conversations_say_so_and_are_not_trained_on() {
    let project = project("turn");
    let state = json(&project, "outputs/run_state/r.json");
    let slots = state["conversations"].as_array().expect("slots");
    let dropped = |with_turns: bool| {
        slots
            .iter()
            .filter(|slot| slot["status"] == "dropped" && slot["turns"][0].is_null() != with_turns)
            .map(|slot| slot["conversation_id"].clone())
            .collect::<Vec<_>>()
    };
    assert!(!dropped(true).is_empty() && !dropped(false).is_empty(), "both kinds");
    let told = |rows: Vec<Value>, within: &str| {
        let marked = rows.into_iter().map(|mut row| if within.is_empty() { row } else { row[within].take() });
        let mut ids: Vec<_> = marked
            .filter(|row| row["drop_reason"] == "dedup_exhausted" && row["conversation_status"] == "dropped")
            .map(|row| row.get("conversation_id").unwrap_or(&row["run_id"]).clone())
            .collect();
        ids.dedup();
        ids
    };
    for (file, within) in [("synthetic_qa", "inputs"), ("conversations_index", ""), ("dropped", "metadata")] {
        assert_eq!(told(project.rows(&format!("outputs/{file}.jsonl")), within), dropped(true), "{file}");
    }
    for row in project.rows("outputs/dropped.jsonl") {
        expect(&row, DROPPED, "dropped");
    }
    // What is trained on has none of them.
    for file in ["conversations_sharegpt", "conversations_sharegpt_judged", "turns"] {
        assert!(!project.read(&format!("outputs/{file}.jsonl")).contains("dedup_exhausted"), "{file}");
    }
    for kind in ["conversations", "turns"] {
        assert!(parquet(&project, kind).iter().all(|row| row["conversation_status"] == "completed"), "{kind}");
    }
}

/// Asserts that every field of `told` has the same value in `row`; times are written in another form there, and what
/// JSON leaves out is null there.
fn expect_same(row: &Value, told: &Value, what: &str) {
    match (row, told) {
        (Value::Object(row), Value::Object(told)) => {
            told.iter().filter(|(key, _)| *key != "timestamp").for_each(|(key, value)| {
                expect_same(row.get(key).unwrap_or_else(|| panic!("no {what}.{key}")), value, key)
            })
        }
        (Value::Array(row), Value::Array(told)) => {
            assert_eq!(row.len(), told.len(), "{what}");
            row.iter().zip(told).for_each(|(row, told)| expect_same(row, told, what));
        }
        _ => assert_eq!(row, told, "{what}"),
    }
}

#[test]
fn parquet_tells_what_json_lines_tell() {
    let project = project("turn");
    let (turns, conversations) = (parquet(&project, "turns"), parquet(&project, "conversations"));
    expect_same(&turns.into(), &project.rows("outputs/turns.jsonl").into(), "turns");
    let rows = project.rows("outputs/conversations_sharegpt_judged.jsonl");
    assert_eq!(conversations.len(), rows.len());
    for (row, told) in conversations.iter().zip(&rows) {
        expect_same(row, &told["metadata"], "metadata");
        for key in ["messages", "messages_with_tools"] {
            expect_same(&row[key], &told[key], key);
        }
        assert_eq!(row["avg_score"], told["judge"]["avg_score"]);
        let tools: Value = serde_json::from_str(row["tools"].as_str().expect("text")).expect("JSON");
        assert_eq!(tools, told["tools"]);
    }
}

#[test]
fn tool_calls_have_a_definition_and_a_result() {
    let project = project("turn");
    let rows = project.rows("outputs/conversations_sharegpt_judged.jsonl");
    for row in &rows {
        let tools = row["tools"].as_array().expect("definitions");
        tools.iter().for_each(|tool| expect(tool, "type function", "a tool"));
        tools.iter().for_each(|tool| expect(&tool["function"], "name description parameters", "a definition"));
        assert_eq!((&row["tools"], &tools[0]["type"]), (&rows[0]["tools"], &"function".into()));
        let id = row["metadata"]["conversation_id"].as_str().expect("id");
        let document = json(&project, &format!("outputs/conversations/{id}.json"));
        assert_eq!(
            (&document["tools"], &document["messages_with_tools"]),
            (&row["tools"], &row["messages_with_tools"])
        );

        let messages = row["messages_with_tools"].as_array().expect("messages");
        let calls: Vec<_> = messages.iter().filter_map(|message| message["tool_calls"].as_array()).flatten().collect();
        let results = messages.iter().filter_map(|message| message.get("tool_call_id"));
        assert_eq!(calls.iter().map(|call| &call["id"]).collect::<Vec<_>>(), results.collect::<Vec<_>>());
        let unique: BTreeSet<_> = calls.iter().map(|call| call["id"].as_str()).collect();
        assert_eq!(unique.len(), calls.len(), "{unique:?}");
        for call in calls {
            assert!(tools.iter().any(|tool| tool["function"]["name"] == call["function"]["name"]), "{call}");
        }
    }
    assert!(
        rows.iter().any(|row| row["messages_with_tools"].to_string().contains("call_1_2")),
        "turns that reuse an id"
    );
}

#[test]
fn the_log_tells_of_the_run_in_tagged_lines() {
    let project = project("turn");
    let log = project.read("logs/run.log");
    for line in [
        "dlgforge.pipeline | [run-state] run_id=r status=started",
        "dlgforge.pipeline | [language] Starting generation for language=en target_samples=12 (1/1)",
        "dlgforge.pipeline | [turn] 1/",
        "dlgforge.pipeline | [dedup] conversation=r-",
        "dlgforge.pipeline | [samples] wave=1 requested_batch=6 ",
        "dlgforge.judge | [judge-online] turn=1 conversation_index=",
        "dlgforge.retrieval | [retrieval] ",
        "dlgforge.tools | [tools] vector_db_search ",
        "dlgforge.pipeline | [training-data] conversations=",
        "dlgforge.pipeline | [run-state] run_id=r status=completed",
    ] {
        assert!(log.contains(line), "no `{line}` in\n{log}");
    }
    for line in log.lines() {
        let parts: Vec<_> = line.splitn(4, " | ").collect();
        assert!(parts.len() == 4 && parts[0].len() == "2026-11-22 23:32:21,738".len(), "{line}");
        assert!(["INFO", "WARNING", "ERROR"].contains(&parts[1]) && parts[2].starts_with("dlgforge."), "{line}");
    }
    for (name, logger) in
        [("judge", "dlgforge.judge"), ("tools", "dlgforge.tools"), ("retrieval", "dlgforge.retrieval")]
    {
        let own = project.read(&format!("logs/{name}.log"));
        let expected: Vec<_> = log.lines().filter(|line| line.contains(&format!(" | {logger} | "))).collect();
        assert_eq!(own.lines().collect::<Vec<_>>(), expected, "{name}.log");
    }
}
