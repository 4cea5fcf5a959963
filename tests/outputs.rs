//! The files of a run, field by field: keys in their documented order, and Parquet that tells what JSON Lines tell.

use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint, Reply};
use crate::support::{Project, Ran, asking, builtin, expect_same as expect_same_files, remote};
use arrow::json::WriterBuilder;
use arrow::json::writer::JsonArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};

const INPUTS: &str = "question target_language target_languages question_seed run_id resume_run_id total_samples min_turns \
    max_turns turn_count_distribution turn_count_mean seed_topics_path seed_topics_variant seed_topics_probability \
    seed_topics_enabled retrieval_default_k user_persona assistant_persona user_persona_id assistant_persona_id \
    user_agent_used_name assistant_agent_used_name judge_enabled judge_granularity judge_reasons project_root config_dir";

const ROWS: [(&str, &str); 4] = [
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
         retrieved unsupported_numbers judge_accepted conversation_judge_accepted persona_applied run_id \
         unknown_citations provenance linked_targets register words_asked whole_need judge_votes question_labels answer_labels \
          checks_accepted question_language answer_language question_words answer_words evidence_overlap \
          unsupported_names pii leaks abstains",
    ),
    (
        "coverage_ledger",
        "timestamp topic_id source_path question question_hash question_mode seed_topic seed_question \
         seed_question_hash run_id fingerprint",
    ),
];

const DROPPED: &str = "messages messages_with_tools tools metadata user_reasoning assistant_reasoning judge drop_reason \
    drop_detail";
/// What differs by `saving.raw`: with it, as the original.
struct Fields {
    raw: bool,
    synthetic_qa: &'static str,
    document: &'static str,
    raw_result: &'static str,
    slot: &'static str,
}
const FIELDS: [Fields; 2] = [
    Fields {
        raw: true,
        synthetic_qa: "conversation_id timestamp question inputs qa_generation_plan kb_final_answer qa_judge \
            conversation_judge turns conversation_history messages raw_result raw_results run_id",
        document: "conversation_id timestamp seed_question inputs n_turns language personas messages messages_with_tools \
            tools user_reasoning assistant_reasoning conversation_judge turns conversation_history raw_results run_id \
            state format_version",
        raw_result: "turn_index attempt qa_raw kb_raw judge_raw qa_output kb_output qa_judge",
        slot: "conversation_index conversation_id target_n_turns status drop_reason inputs turns raw_results",
    },
    Fields {
        raw: false,
        synthetic_qa: "conversation_id timestamp question inputs conversation_judge conversation_file run_id",
        document: "conversation_id timestamp seed_question inputs n_turns language tools conversation_judge turns \
            raw_results run_id state format_version",
        raw_result: "turn_index attempt qa_raw kb_raw judge_raw",
        slot: "conversation_index conversation_id target_n_turns status drop_reason n_turns conversation_file",
    },
];
const STATE: &str = "run_id status updated_at n_turns batch_size inputs coverage format_version conversations";
const METADATA: &str = "conversation_id timestamp n_turns language judge_granularity personas difficulty_sequence \
    difficulty_max intent_sequence coverage_targets question_modes seed_topics seed_questions conversation_status \
    drop_reason persona_applied retrieved unsupported_numbers judge_accepted run_id unknown_citations provenance register \
    whole_need question_labels answer_labels";

/// A run over two short documents: some conversations are dropped, some of them after a turn or more. Every fourth
/// opening question and every fifth later one is the same. The assistant counts its tool calls anew in every turn.
fn project(granularity: &str, raw: bool) -> Project {
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
    project.generate(&["--set", &format!("saving.raw={raw}")]);
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
    let file = File::open(project.path(&format!("outputs/parquet/{kind}/r-00000.parquet"))).expect("a shard");
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
    let inputs = format!("{INPUTS} n_turns batch_size");
    for (granularity, judged) in [("turn", ""), ("conversation", " conversation_judge")] {
        for fields in FIELDS {
            let project = project(granularity, fields.raw);
            let inputs = format!("{inputs}{judged} conversation_index conversation_status drop_reason run_seed");
            for (name, keys) in ROWS.into_iter().chain([("synthetic_qa", fields.synthetic_qa)]) {
                let rows = project.rows(&format!("outputs/{name}.jsonl"));
                assert!(rows.len() >= 12, "{name}");
                rows.iter().for_each(|row| expect(row, keys, name));
            }
            for row in project.rows("outputs/synthetic_qa.jsonl") {
                expect(&row["inputs"], &inputs, "inputs of synthetic_qa");
                let id = row["conversation_id"].as_str().expect("id");
                let document = json(&project, &format!("outputs/conversations/{id}.json"));
                expect(&document, fields.document, "a conversation");
                expect(&document["raw_results"][0], fields.raw_result, "a raw result");
                assert_eq!(document["inputs"], row["inputs"]);
                if fields.raw {
                    assert_eq!(document["turns"], row["turns"]);
                } else {
                    assert_eq!(json(&project, row["conversation_file"].as_str().expect("a path")), document);
                }
            }
            for row in project.rows("outputs/conversations_sharegpt_judged.jsonl") {
                expect(&row["metadata"], METADATA, "metadata");
                expect(&row["judge"], "per_turn avg_score conversation", "judge");
                assert_eq!(row["judge"]["avg_score"].is_null(), granularity == "conversation");
            }
            let state = json(&project, "outputs/run_state/r.json");
            expect(&state, STATE, "run state");
            for slot in state["conversations"].as_array().expect("slots") {
                expect(slot, fields.slot, "a slot");
            }
            assert_eq!(project.read("outputs/run_state/last_run_id.txt"), "r");
        }
    }
}

#[test]
fn dropped_conversations_say_so_and_are_not_trained_on() {
    let project = project("turn", false);
    let state = json(&project, "outputs/run_state/r.json");
    let slots = state["conversations"].as_array().expect("slots");
    let dropped = |with_turns: bool| {
        slots
            .iter()
            .filter(|slot| slot["status"] == "dropped" && (slot["n_turns"] == 0) != with_turns)
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
    let project = project("turn", false);
    let (turns, conversations) = (parquet(&project, "turns"), parquet(&project, "conversations"));
    expect_same(&turns.into(), &project.rows("outputs/turns.jsonl").into(), "turns");
    let rows = project.rows("outputs/conversations_sharegpt_judged.jsonl");
    assert_eq!(conversations.len(), rows.len());
    for (row, told) in conversations.iter().zip(&rows) {
        expect_same(row, &told["metadata"], "metadata");
        for key in ["messages", "messages_with_tools"] {
            expect_same(&row[key], &told[key], key);
        }
        let (judge, judged) = (&row["judge"], &told["judge"]);
        assert_eq!((&row["judge_score"], &judge["avg_score"]), (&judged["avg_score"], &judged["avg_score"]));
        let scores = |judge: &Value| -> Vec<Value> {
            let turns = judge["per_turn"].as_array().expect("verdicts").iter();
            turns
                .map(|turn| [&turn["turn_index"], &turn["score"], &turn["reasons"]].map(Value::clone).to_vec().into())
                .collect()
        };
        assert_eq!(scores(judge), scores(judged));
        for (key, part) in [("user_reasoning", "grounding_facts"), ("assistant_reasoning", "reasoning_trace")] {
            let parts = |row: &Value| -> Vec<Value> {
                row[key].as_array().expect("turns").iter().map(|turn| turn[part].clone()).collect()
            };
            expect_same(&parts(row).into(), &parts(told).into(), part);
        }
        let tools: Value = serde_json::from_str(row["tools"].as_str().expect("text")).expect("JSON");
        assert_eq!(tools, told["tools"]);
    }
}

#[test]
fn tool_calls_have_a_definition_and_a_result() {
    let project = project("turn", false);
    let rows = project.rows("outputs/conversations_sharegpt_judged.jsonl");
    for row in &rows {
        let tools = row["tools"].as_array().expect("definitions");
        tools.iter().for_each(|tool| expect(tool, "type function", "a tool"));
        tools.iter().for_each(|tool| expect(&tool["function"], "name description parameters", "a definition"));
        assert_eq!((&row["tools"], &tools[0]["type"]), (&rows[0]["tools"], &"function".into()));
        let id = row["metadata"]["conversation_id"].as_str().expect("id");
        assert_eq!(json(&project, &format!("outputs/conversations/{id}.json"))["tools"], row["tools"]);

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

/// The lines of `run.log`, which has those of each log of its own.
fn logged(project: &Project) -> String {
    let log = project.read("logs/run.log");
    for line in log.lines() {
        let parts: Vec<_> = line.splitn(4, " | ").collect();
        assert!(parts.len() == 4 && parts[0].len() == "2026-11-22 23:32:21,738".len(), "{line}");
        let is_level = ["DEBUG", "INFO", "WARNING", "ERROR"].contains(&parts[1]);
        assert!(is_level && parts[2].starts_with("dlgforge."), "{line}");
    }
    for name in ["llm", "judge", "tools", "retrieval"] {
        let own = project.read(&format!("logs/{name}.log"));
        let expected: Vec<_> = log.lines().filter(|line| line.contains(&format!(" | dlgforge.{name} | "))).collect();
        assert_eq!(own.lines().collect::<Vec<_>>(), expected, "{name}.log");
    }
    log
}

#[test]
fn the_log_tells_of_the_run_in_tagged_lines() {
    let log = logged(&project("turn", false));
    for line in [
        "dlgforge.pipeline | [run-state] run_id=r status=started",
        "dlgforge.pipeline | [language] Starting generation for language=en target_samples=12 (1/1)",
        "dlgforge.pipeline | [turn] 1/",
        "dlgforge.pipeline | [dedup] conversation=r-",
        "dlgforge.pipeline | [samples] wave=1 requested_batch=6 ",
        "dlgforge.judge | [judge-online] turn=1 conversation_index=",
        "dlgforge.pipeline | [training-data] conversations=",
        "dlgforge.pipeline | [run-state] run_id=r status=completed",
    ] {
        assert!(log.contains(line), "no `{line}` in\n{log}");
    }
    // Those on each call are told when asked for.
    let calls = ["retrieval | [retrieval] ", "tools | [tools] vector_db_search ", "llm | [llm] re"];
    assert!(!calls.iter().any(|line| log.contains(line)), "{log}");
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let told = Project::with(&remote(&endpoint.base_url(), "  total_samples: 1", "logs: {level: debug}"));
    told.generate(&[]);
    let log = logged(&told);
    assert!(calls.iter().all(|line| log.contains(&format!(" | DEBUG | dlgforge.{line}"))), "{log}");
}

/// Bytes of every kind of file of the outputs, and all of them, each by the number of turns.
fn bytes_a_turn(project: &Project) -> BTreeMap<String, usize> {
    let turns = project.rows("outputs/turns.jsonl").len();
    let mut kinds = BTreeMap::new();
    for (name, content) in crate::support::files(&project.path("outputs")) {
        let kind = name.split_once('/').map_or(name.as_str(), |(folder, _)| folder);
        *kinds.entry(kind.to_owned()).or_default() += content.len();
    }
    let all = kinds.values().sum();
    kinds.insert("all".to_owned(), all);
    kinds.values_mut().for_each(|bytes| *bytes /= turns);
    kinds
}

#[test]
fn what_a_turn_takes_on_disk() {
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency::NONE));
    let run = "  run_id: r\n  batch_size: 16\n  total_samples: 100\n  turns: {mode: exact, exact: 4}";
    // All files; without the one whose rows another one repeats; for training alone.
    let once =
        "[synthetic_qa, conversations_index, conversations_sharegpt_judged, turns, dropped, parquet, conversations]";
    let lean = "[conversations_sharegpt, turns]";
    // With what models were asked in the journal, and without.
    for (files, keeps, most) in
        [(None, true, 46_000), (None, false, 31_000), (Some(once), false, 24_500), (Some(lean), false, 14_000)]
    {
        let project = Project::with(&remote(&endpoint.base_url(), run, &format!("store: {{keep_requests: {keeps}}}")));
        let set = files.map(|files| format!("saving.files={files}"));
        project.generate(&set.iter().flat_map(|set| ["--set", set]).collect::<Vec<_>>());
        let kinds = bytes_a_turn(&project);
        assert!(kinds["all"] <= most, "{files:?}: {kinds:#?}");
    }
}

#[test]
fn only_the_files_that_are_named_are_written_and_the_run_goes_on() {
    let lean = "saving.files=[conversations_sharegpt, turns, coverage_ledger]";
    let endpoint = Endpoint::start(Behaviour::dialogue(Latency { median_ms: 3.0, sigma: 0.3, seed: 1 }));
    let run = "  run_id: r\n  batch_size: 4\n  total_samples: 24\n  turns: {mode: exact, exact: 2}";
    let project = || Project::with(&remote(&endpoint.base_url(), run, ""));
    let (whole, all) = (project(), project());
    Ran::of(whole.stamped(&["--set", lean])).succeeded();
    Ran::of(all.stamped(&[])).succeeded();
    let expected = [
        "conversations_sharegpt.jsonl",
        "coverage_ledger.jsonl",
        "run_state/last_run_id.txt",
        "run_state/r.json",
        "turns.jsonl",
    ];
    let found = whole.outputs();
    assert_eq!(found.keys().collect::<Vec<_>>(), expected);
    for name in &expected[..3] {
        assert_eq!(found[*name], all.outputs()[*name], "{name}");
    }
    assert!(
        !whole.read("outputs/run_state/r.json").contains("conversations/"),
        "no document is told of that is not there"
    );
    let killed = project();
    let before = endpoint.requests();
    let mut child = killed.stamped(&["--set", lean]).spawn().expect("the binary runs");
    while endpoint.requests() - before < 100 {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().and_then(|()| child.wait()).expect("it ends");
    let ran = Ran::of(killed.stamped(&["--resume"]));
    let told = "saving.files (was conversations_sharegpt, turns, coverage_ledger, is ";
    assert!(ran.code == Some(1) && ran.stderr.contains(told), "{}", ran.stderr);
    Ran::of(killed.stamped(&["--resume", "--set", lean])).succeeded();
    expect_same_files(&found, &killed.outputs(), "killed");
    let ran = killed.run(&["run", "config.yaml", "--set", "saving.files=[turns, turn]"]);
    let told = "`saving.files`: there is no file `turn`; there are `synthetic_qa`, `conversations_index`, ";
    assert!(ran.code == Some(1) && ran.stderr.contains(told), "{}", ran.stderr);
}

#[test]
fn documents_beyond_the_first_thousand_lie_in_sub_folders() {
    // As many as it takes; nothing is asked but the questions, the answers and no verdict.
    let run = "  run_id: r\n  batch_size: 64\n  total_samples: 1001\n  turns: {mode: exact, exact: 1}";
    let project = Project::with(&builtin(run, "").replace("judge: {mode: online}", "judge: {mode: offline}"));
    project.generate(&["--set", "saving.files=[conversations, conversations_index]"]);
    let rows = project.rows("outputs/conversations_index.jsonl");
    let file = |row: &Value| row["conversation_file"].as_str().expect("a path").to_owned();
    assert_eq!(file(&rows[999]), "outputs/conversations/r-0999.json");
    assert_eq!(file(&rows[1000]), "outputs/conversations/000001/r-1000.json");
    assert!(rows.iter().all(|row| json(&project, &file(row))["conversation_id"] == row["conversation_id"]));
    let ran =
        project.run(&["run", "config.yaml", "--resume", "--set", "saving.files=[conversations, conversations_index]"]);
    assert_eq!(ran.stdout, "run r is complete: nothing to do\n", "{}", ran.stderr);
    std::fs::remove_file(project.path("outputs/conversations/000001/r-1000.json")).expect("it goes");
    let ran =
        project.run(&["run", "config.yaml", "--resume", "--set", "saving.files=[conversations, conversations_index]"]);
    assert!(ran.stderr.contains("conversations/000001/r-1000.json: it is missing"), "{}", ran.stderr);
}

#[test]
fn a_run_of_an_earlier_format_is_refused_and_left_as_it_is() {
    let project = project("turn", true);
    let store = rusqlite::Connection::open(project.path("outputs/store/runs.sqlite")).expect("a store");
    let manifest: String = store.query_row("SELECT manifest FROM runs", [], |row| row.get(0)).expect("a run");
    let mut manifest: Value = serde_json::from_str(&manifest).expect("JSON");
    for key in ["format of the files", "saving.files", "saving.raw"] {
        assert!(manifest.as_object_mut().expect("an object").remove(key).is_some(), "{key}");
    }
    store.execute("UPDATE runs SET manifest = ?1, state = 'interrupted'", [manifest.to_string()]).expect("an update");
    drop(store);
    let before = project.outputs();
    let ran = project.run(&["run", "config.yaml", "--resume"]);
    let told =
        format!("run r was begun by dlgforge {}, whose files have format 1 and not 4: ", env!("CARGO_PKG_VERSION"));
    assert!(ran.code == Some(1) && ran.stderr.contains(&told), "{}", ran.stderr);
    expect_same_files(&before, &project.outputs(), "refused");
    // A new run may come after it, and says that its rows have other fields.
    let ran = project.run(&["run", "config.yaml", "--set", "run.run_id=s", "--set", "run.total_samples=1"]);
    assert!(ran.stderr.contains("rows of run r, made as with `saving.raw: true`"), "{}", ran.stderr);
}
