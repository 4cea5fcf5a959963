//! A whole run against the files in `golden/`, then what the recorder refuses and leaves out.

mod reading;

use super::super::{Files, Options, sample};
use super::*;
use crate::domain::{Conversation, Outcome};
use crate::store::Backend;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Files that are the same whatever `saving.raw` says.
const GOLDEN: [(&str, &str); 4] = [
    ("conversations_index.jsonl", include_str!("../golden/conversations_index.jsonl")),
    ("turns.jsonl", include_str!("../golden/turns.jsonl")),
    ("preferences.jsonl", include_str!("../golden/preferences.jsonl")),
    ("coverage_ledger.jsonl", include_str!("../golden/coverage_ledger.jsonl")),
];

/// The others, without and with it.
const BY_RAW: [[(&str, &str); 6]; 2] = [
    [
        ("synthetic_qa.jsonl", include_str!("../golden/synthetic_qa.jsonl")),
        ("conversations_sharegpt.jsonl", include_str!("../golden/conversations_sharegpt.jsonl")),
        ("conversations_sharegpt_judged.jsonl", include_str!("../golden/conversations_sharegpt_judged.jsonl")),
        ("conversations/run-1-ar-0000.json", include_str!("../golden/run-1-ar-0000.json")),
        ("conversations/run-1-en-0000.json", include_str!("../golden/run-1-en-0000.json")),
        ("run_state/run-1.json", include_str!("../golden/run-1.json")),
    ],
    [
        ("synthetic_qa.jsonl", include_str!("../golden/raw/synthetic_qa.jsonl")),
        ("conversations_sharegpt.jsonl", include_str!("../golden/raw/conversations_sharegpt.jsonl")),
        ("conversations_sharegpt_judged.jsonl", include_str!("../golden/raw/conversations_sharegpt_judged.jsonl")),
        ("conversations/run-1-ar-0000.json", include_str!("../golden/raw/run-1-ar-0000.json")),
        ("conversations/run-1-en-0000.json", include_str!("../golden/raw/run-1-en-0000.json")),
        ("run_state/run-1.json", include_str!("../golden/raw/run-1.json")),
    ],
];

fn recorder(root: &Path) -> Recorder {
    create(sample::options(root), sample::facts()).unwrap()
}

fn create(options: Options, facts: RunFacts) -> Result<Recorder, OutputError> {
    let run = sample::run(&facts.run_id);
    open(options, facts, Begins::New(run))
}

fn open(options: Options, facts: RunFacts, begins: Begins) -> Result<Recorder, OutputError> {
    let folder = Folder::claim(&options.folder, &Backend::Sqlite)?;
    let renderer = Renderer::new(options, facts, sample::stamp(), Arc::new(sample::catalogue()));
    Recorder::open(Arc::new(renderer), folder, begins, true)
}

fn record(recorder: &mut Recorder, conversation: &Conversation) -> Result<(), OutputError> {
    let rendered = recorder.renderer().render(conversation)?;
    recorder.record(rendered)
}

fn leave(recorder: &mut Recorder, conversation: &Conversation) {
    let entry = recorder.renderer().left(conversation).unwrap();
    recorder.leave(entry);
}

/// The same run, gone on with.
fn resumed(root: &Path) -> Result<Recorder, OutputError> {
    let (options, facts) = (sample::options(root), sample::facts());
    let settled = Folder::look(&options.folder, &Backend::Sqlite)?.unwrap().store.settled(&facts.run_id)?;
    open(options, facts, Begins::Resumed(settled))
}

/// Records the two sample conversations.
fn recorded(root: &Path, status: State) -> Vec<WrittenFile> {
    recorded_by(sample::options(root), status)
}

fn recorded_by(options: Options, status: State) -> Vec<WrittenFile> {
    let mut recorder = create(options, sample::facts()).unwrap();
    record(&mut recorder, &sample::sample_conversation()).unwrap();
    record(&mut recorder, &sample::dropped_conversation()).unwrap();
    recorder.finish(status, None).unwrap()
}

fn rows(root: &Path, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(root.join("outputs").join(name)).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{name} ends in a whole line");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The names of an object's keys, in order, separated by spaces.
fn keys(object: &Value) -> String {
    object.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// Expects a file to be as it was recorded; where the variable `DLGFORGE_GOLDEN` is set, it is recorded anew instead.
fn expect_golden(root: &Path, name: &str, expected: &str, raw: bool) {
    let path = root.join("outputs").join(name);
    if std::env::var_os("DLGFORGE_GOLDEN").is_some() {
        let golden = Path::new("src/output/golden").join(if raw { "raw" } else { "" });
        fs::copy(&path, golden.join(path.file_name().unwrap())).unwrap();
    } else {
        assert_eq!(fs::read_to_string(path).unwrap(), expected, "{name}");
    }
}

#[test]
fn a_run_leaves_exactly_these_files() {
    let root = tempfile::tempdir().unwrap();
    let written = recorded(root.path(), State::Completed);
    for (name, expected) in GOLDEN.into_iter().chain(BY_RAW[1]) {
        expect_golden(root.path(), name, expected, !GOLDEN.iter().any(|(other, _)| *other == name));
    }
    let lean = tempfile::tempdir().unwrap();
    recorded_by(Options { raw: false, ..sample::options(lean.path()) }, State::Completed);
    for (name, expected) in GOLDEN.into_iter().chain(BY_RAW[0]) {
        expect_golden(lean.path(), name, expected, false);
    }
    assert_eq!(fs::read_to_string(root.path().join("outputs/run_state/last_run_id.txt")).unwrap(), "run-1");
    let told: Vec<_> = written.iter().map(|file| (file.path.as_str(), file.rows)).collect();
    assert_eq!(
        told,
        [
            ("outputs/synthetic_qa.jsonl", Some(2)),
            ("outputs/conversations_index.jsonl", Some(2)),
            ("outputs/conversations_sharegpt.jsonl", Some(2)),
            ("outputs/conversations_sharegpt_judged.jsonl", Some(2)),
            ("outputs/turns.jsonl", Some(3)),
            ("outputs/preferences.jsonl", Some(1)),
            ("outputs/coverage_ledger.jsonl", Some(3)),
            ("outputs/dropped.jsonl", Some(0)),
            ("outputs/parquet/conversations/run-1-00000.parquet", Some(1)),
            ("outputs/parquet/turns/run-1-00000.parquet", Some(2)),
            ("outputs/parquet/preferences/run-1-00000.parquet", Some(1)),
            ("outputs/parquet/dropped/run-1-00000.parquet", Some(0)),
            ("outputs/parquet/calls/run-1-00000.parquet", Some(8)),
            ("outputs/parquet/conversations/run-1-00001.parquet", Some(1)),
            ("outputs/parquet/turns/run-1-00001.parquet", Some(1)),
            ("outputs/parquet/preferences/run-1-00001.parquet", Some(0)),
            ("outputs/parquet/dropped/run-1-00001.parquet", Some(0)),
            ("outputs/parquet/calls/run-1-00001.parquet", Some(3)),
            ("outputs/conversations/", Some(2)),
            ("outputs/run_state/run-1.json", None),
        ]
    );
    let files = written.iter().filter(|file| !file.path.ends_with('/'));
    files
        .for_each(|file| assert_eq!(file.bytes, fs::metadata(root.path().join(&file.path)).unwrap().len(), "{file:?}"));
    let text: String = GOLDEN.into_iter().chain(BY_RAW.concat()).map(|(_, text)| text).collect();
    assert!(!text.contains(&root.path().display().to_string()), "no path of this machine");
}

#[test]
fn keys_stand_in_the_documented_order() {
    let root = tempfile::tempdir().unwrap();
    recorded(root.path(), State::Completed);
    let first = |name: &str| rows(root.path(), name).swap_remove(0);
    let (qa, gpt) = (first("synthetic_qa.jsonl"), first("conversations_sharegpt_judged.jsonl"));
    let text = fs::read(root.path().join("outputs/conversations/run-1-ar-0000.json")).unwrap();
    let document: Value = serde_json::from_slice(&text).unwrap();
    let expected = include_str!("../golden/key_order.txt").lines().filter(|line| !line.is_empty());
    let found = [
        ("synthetic_qa", &qa),
        ("inputs", &qa["inputs"]),
        ("turns[]", &qa["turns"][0]),
        ("tool_events[]", &qa["turns"][0]["tool_events"][0]),
        ("user history", &qa["conversation_history"][0]),
        ("assistant history", &qa["conversation_history"][1]),
        ("messages[]", &qa["messages"][0]),
        ("raw_results[]", &qa["raw_results"][0]),
        ("document", &document),
        ("index", &first("conversations_index.jsonl")),
        ("turn row", &first("turns.jsonl")),
        ("ledger", &first("coverage_ledger.jsonl")),
        ("sharegpt", &gpt),
        ("sharegpt messages[]", &gpt["messages"][0]),
        ("tool call row", &gpt["messages_with_tools"][1]),
        ("tool result row", &gpt["messages_with_tools"][2]),
        ("tools[]", &gpt["tools"][0]),
        ("tools[].function", &gpt["tools"][0]["function"]),
        ("metadata", &gpt["metadata"]),
        ("personas", &gpt["metadata"]["personas"]),
        ("user_reasoning[]", &gpt["user_reasoning"][0]),
        ("assistant_reasoning[]", &gpt["assistant_reasoning"][0]),
        ("judge", &gpt["judge"]),
        ("per_turn[]", &gpt["judge"]["per_turn"][0]),
    ];
    let found: Vec<_> = found.iter().map(|(name, object)| format!("{name}: {}", keys(object))).collect();
    assert_eq!(found, expected.collect::<Vec<_>>());
}

#[test]
fn a_dropped_conversation_is_not_trained_on() {
    let root = tempfile::tempdir().unwrap();
    let options = Options { keep_dropped_rows: false, ..sample::options(root.path()) };
    let mut recorder = create(options, sample::facts()).unwrap();
    record(&mut recorder, &sample::sample_conversation()).unwrap();
    record(&mut recorder, &sample::dropped_conversation()).unwrap();
    let written = recorder.finish(State::Completed, None).unwrap();
    let told = |name: &str| written.iter().find(|file| file.path.ends_with(name)).and_then(|file| file.rows);
    let of = |name: &str| rows(root.path(), name);
    for name in ["conversations_sharegpt.jsonl", "conversations_sharegpt_judged.jsonl"] {
        assert_eq!(
            of(name).iter().map(|row| &row["metadata"]["conversation_status"]).collect::<Vec<_>>(),
            ["completed"]
        );
    }
    assert!(of("turns.jsonl").iter().all(|row| row["conversation_status"] == "completed"));
    assert_eq!((told("conversations/run-1-00000.parquet"), told("turns/run-1-00000.parquet")), (Some(1), Some(2)));
    assert_eq!(told("parquet/dropped/run-1-00001.parquet"), Some(1));
    assert_eq!(written.iter().filter(|file| file.path.contains("parquet")).count(), 10);
    let dropped = of("dropped.jsonl");
    assert_eq!(
        (&dropped[0]["drop_reason"], &dropped[0]["drop_detail"]),
        (&"dedup_exhausted".into(), &"every attempt at a question was a duplicate".into())
    );
    assert_eq!((dropped.len(), &dropped[0]["metadata"]["run_id"]), (1, &"run-1".into()));
    assert!(dropped[0]["messages"].is_array() && dropped[0]["judge"].is_object());
    // The rest of the contract's files tell of it all the same.
    assert_eq!((of("synthetic_qa.jsonl").len(), of("conversations_index.jsonl").len()), (2, 2));
    assert_eq!(of("coverage_ledger.jsonl").len(), 3, "what it has asked is not asked again");
}

#[test]
fn a_dropped_conversation_says_so_everywhere() {
    let root = tempfile::tempdir().unwrap();
    recorded(root.path(), State::Completed);
    for (name, within) in [
        ("synthetic_qa.jsonl", "/inputs"),
        ("conversations_index.jsonl", ""),
        ("turns.jsonl", ""),
        ("conversations_sharegpt.jsonl", "/metadata"),
        ("conversations_sharegpt_judged.jsonl", "/metadata"),
    ] {
        let row = rows(root.path(), name).pop().unwrap();
        let marked = row.pointer(within).unwrap();
        assert_eq!(
            (&marked["conversation_status"], &marked["drop_reason"]),
            (&"dropped".into(), &"dedup_exhausted".into())
        );
    }
    assert_eq!(rows(root.path(), "conversations_index.jsonl")[1]["n_turns"], 1);
}

#[test]
fn unfinished_conversations_are_told_of_in_the_run_state_only() {
    let root = tempfile::tempdir().unwrap();
    let mut recorder = recorder(root.path());
    let interrupted = Conversation { outcome: Some(Outcome::Interrupted), ..sample::sample_conversation() };
    let turnless = Conversation { turns: Vec::new(), judgement: None, ..sample::dropped_conversation() };
    record(&mut recorder, &turnless).unwrap();
    let renderer = recorder.renderer().clone();
    // One that had ended is left the same way where another one before it has not.
    let left = renderer.left(&interrupted).unwrap();
    assert_eq!(renderer.render(&sample::sample_conversation()).unwrap().left(), left);
    recorder.leave(left);
    let written = recorder.finish(State::Interrupted, None).unwrap();
    let (state, rest) = written.split_last().unwrap();
    assert_eq!(state.path, "outputs/run_state/run-1.json");
    assert!(rest.iter().all(|file| file.rows == Some(0) && file.bytes == 0), "{rest:?}");
    let state: Value = serde_json::from_slice(&fs::read(root.path().join(&state.path)).unwrap()).unwrap();
    let slots = state["conversations"].as_array().unwrap();
    let told = slots.iter().map(|slot| (slot["status"].as_str().unwrap(), slot["turns"].as_array().unwrap().len()));
    assert_eq!(told.collect::<Vec<_>>(), [("dropped", 0), ("active", 2)]);
    assert_eq!(state["status"], "in_progress");
    let error = record(&mut self::recorder(tempfile::tempdir().unwrap().path()), &interrupted).unwrap_err();
    assert!(matches!(error, OutputError::NotEnded { .. }));
}

#[test]
fn a_run_that_is_not_judged_has_no_judged_rows() {
    let root = tempfile::tempdir().unwrap();
    let facts = RunFacts { judge_enabled: false, ..sample::facts() };
    let mut recorder = create(sample::options(root.path()), facts).unwrap();
    let mut conversation = sample::sample_conversation();
    conversation.turns.iter_mut().for_each(|turn| Arc::make_mut(turn).judgement = None);
    record(&mut recorder, &conversation).unwrap();
    record(&mut recorder, &sample::dropped_conversation()).unwrap();
    recorder.finish(State::Completed, None).unwrap();
    let judged = rows(root.path(), "conversations_sharegpt_judged.jsonl");
    assert_eq!(judged.len(), 1, "only the conversation that was judged as a whole");
    assert_eq!(
        (&judged[0]["judge"]["avg_score"], &judged[0]["judge"]["conversation"]["score"]),
        (&Value::Null, &4.into())
    );
    let turn = &rows(root.path(), "turns.jsonl")[0];
    assert_eq!((&turn["judge_score"], &turn["judge_question_ok"]), (&Value::Null, &Value::Null));
}

#[test]
fn columns_take_the_names_they_are_given() {
    let root = tempfile::tempdir().unwrap();
    let mut options = sample::options(root.path());
    options.columns.messages = "conversations".into();
    options.columns.tools = "functions".into();
    options.columns.assistant_reasoning = "thoughts".into();
    options.columns.judge = "verdict".into();
    let mut recorder = create(options.clone(), sample::facts()).unwrap();
    record(&mut recorder, &sample::sample_conversation()).unwrap();
    recorder.finish(State::Completed, None).unwrap();
    let expected = "conversations messages_with_tools functions metadata user_reasoning thoughts";
    let row = &rows(root.path(), "conversations_sharegpt.jsonl")[0];
    assert_eq!(keys(row), expected);
    let trace = &row["thoughts"][0]["reasoning_trace"];
    let of_items = ["evidence", "premises", "thinking"].map(|list| keys(&trace[list][0]));
    assert_eq!(keys(trace), "question retrieval_queries evidence premises thinking confidence known_limits");
    assert_eq!(of_items, ["id cue content", "id text evidence_refs assumption", "text"]);
    assert_eq!(keys(&trace["retrieval_queries"]), "vector_db_search web_search");
    assert_eq!(keys(&rows(root.path(), "conversations_sharegpt_judged.jsonl")[0]), format!("{expected} verdict"));
    options.columns.metadata = "conversations".into();
    let error = create(options, sample::facts()).err().unwrap().to_string();
    assert!(error.contains("\"conversations\"") && error.contains("saving.output_columns"), "{error}");
}

#[test]
fn a_second_run_appends_and_a_taken_or_impossible_id_is_refused() {
    let root = tempfile::tempdir().unwrap();
    recorded(root.path(), State::Completed);
    let again = create(sample::options(root.path()), sample::facts());
    assert!(matches!(again, Err(OutputError::RunExists { .. })));
    let second = RunFacts { run_id: "run-2".into(), ..sample::facts() };
    let mut recorder = create(sample::options(root.path()), second.clone()).unwrap();
    let busy = create(sample::options(root.path()), RunFacts { run_id: "run-3".into(), ..second.clone() });
    assert!(matches!(busy, Err(OutputError::Files(FilesError::Busy { .. }))));
    record(&mut recorder, &Conversation { id: "run-2-ar-0000".into(), ..sample::sample_conversation() }).unwrap();
    let written = recorder.finish(State::Completed, None).unwrap();
    assert_eq!(written[0].rows, Some(1));
    assert_eq!(rows(root.path(), "synthetic_qa.jsonl").len(), 3);
    let mut rows = 0;
    coverage_ledger::read(
        &root.path().join("outputs"),
        u64::MAX,
        |_| (),
        |_, ()| {
            rows += 1;
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    assert_eq!(rows, 5);
    for run_id in ["", ".hidden", "a/b", "..", "a\\b"] {
        let refused = create(sample::options(root.path()), RunFacts { run_id: run_id.into(), ..second.clone() });
        assert!(matches!(refused, Err(OutputError::RunId { .. })), "{run_id:?}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("outputs"), "a file").unwrap();
    let error = create(sample::options(root.path()), sample::facts()).err().unwrap().to_string();
    assert!(error.contains(&root.path().join("outputs").display().to_string()), "{error}");
}

#[test]
fn paths_outside_the_project_are_told_from_the_output_folder() {
    let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = Options { folder: elsewhere.path().join("outputs"), ..sample::options(root.path()) };
    let facts = RunFacts { topics_path: root.path().join("data/topics.yaml").display().to_string(), ..sample::facts() };
    let mut recorder = create(options, facts).unwrap();
    record(&mut recorder, &sample::sample_conversation()).unwrap();
    let written = recorder.finish(State::Completed, None).unwrap();
    assert_eq!(written[0].path, "synthetic_qa.jsonl");
    let index = rows(elsewhere.path(), "conversations_index.jsonl");
    assert_eq!(index[0]["conversation_file"], "conversations/run-1-ar-0000.json");
    assert_eq!(rows(elsewhere.path(), "synthetic_qa.jsonl")[0]["inputs"]["seed_topics_path"], "data/topics.yaml");
}

/// Every file of the outputs but the store, by its path, hidden ones too.
fn contents(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = walkdir::WalkDir::new(root.join("outputs")).into_iter().map(Result::unwrap);
    let files =
        files.filter(|entry| entry.file_type().is_file() && !entry.path().starts_with(root.join("outputs/store")));
    files.map(|entry| (entry.path().strip_prefix(root).unwrap().to_owned(), fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn what_a_dead_run_left_is_cut_off_and_a_new_run_appends() {
    let root = tempfile::tempdir().unwrap();
    let mut dead = create(sample::options(root.path()), RunFacts { run_id: "dead".into(), ..sample::facts() }).unwrap();
    record(&mut dead, &sample::sample_conversation()).unwrap();
    dead.admit().unwrap();
    record(&mut dead, &sample::dropped_conversation()).unwrap();
    drop(dead);
    let turns = root.path().join("outputs/turns.jsonl");
    let text = fs::read_to_string(&turns).unwrap();
    fs::write(&turns, &text[..text.len() - 20]).unwrap();
    recorded(root.path(), State::Completed);
    assert_eq!(rows(root.path(), "turns.jsonl").len(), 2 + 3, "what was admitted, and what the new run made");
    let left: Vec<_> =
        contents(root.path()).into_keys().filter(|path| path.extension() == Some("tmp".as_ref())).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

#[test]
fn a_run_that_died_anywhere_ends_with_the_same_files() {
    let expected = tempfile::tempdir().unwrap();
    recorded(expected.path(), State::Completed);
    let conversations = [sample::sample_conversation(), sample::dropped_conversation()];
    // How many conversations are recorded, and how many of them admitted, before the process dies.
    for (written, admitted) in [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)] {
        let root = tempfile::tempdir().unwrap();
        let mut recorder = recorder(root.path());
        for (number, conversation) in conversations.iter().enumerate().take(written) {
            record(&mut recorder, conversation).unwrap();
            if number < admitted {
                recorder.admit().unwrap();
            }
        }
        drop(recorder);
        let mut recorder = resumed(root.path()).unwrap();
        conversations.iter().skip(admitted).for_each(|conversation| record(&mut recorder, conversation).unwrap());
        recorder.finish(State::Completed, None).unwrap();
        assert_eq!(contents(root.path()), contents(expected.path()), "{written} written, {admitted} admitted");
    }
}

#[test]
fn a_stopped_run_goes_on_and_a_changed_file_is_named() {
    let expected = tempfile::tempdir().unwrap();
    recorded(expected.path(), State::Completed);
    let root = tempfile::tempdir().unwrap();
    let mut stopped = recorder(root.path());
    record(&mut stopped, &sample::sample_conversation()).unwrap();
    leave(&mut stopped, &Conversation { turns: Vec::new(), ..sample::dropped_conversation() });
    stopped.finish(State::Interrupted, None).unwrap();
    let outputs = root.path().join("outputs");
    for name in [
        "turns.jsonl",
        "coverage_ledger.jsonl",
        "conversations/run-1-ar-0000.json",
        "run_state/.run-1.slots",
        "parquet/turns/.run-1-00000.rows",
    ] {
        let path = outputs.join(name);
        let content = fs::read(&path).unwrap();
        for changed in [None, Some(&content[1..]), Some(&[&content[..], b"x"].concat()[..])] {
            match changed {
                Some(changed) => fs::write(&path, changed).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let error = resumed(root.path()).err().unwrap().to_string();
            assert!(error.contains(&path.display().to_string()), "{name}: {error}");
            fs::write(&path, &content).unwrap();
        }
    }
    let mut recorder = resumed(root.path()).unwrap();
    record(&mut recorder, &sample::dropped_conversation()).unwrap();
    recorder.finish(State::Completed, None).unwrap();
    assert_eq!(contents(root.path()), contents(expected.path()));
}

#[test]
fn a_run_without_documents_and_parquet_goes_on_in_its_shard() {
    let files = |names: &[&str]| Files::named(names).unwrap();
    for (names, expected) in [(&["parquet"][..], 7), (&["turns"], 2), (&[], 1)] {
        let roots = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let options = roots.each_ref().map(|root| Options { files: files(names), ..sample::options(root.path()) });
        recorded_by(options[0].clone(), State::Completed);
        let mut stopped = create(options[1].clone(), sample::facts()).unwrap();
        record(&mut stopped, &sample::sample_conversation()).unwrap();
        stopped.finish(State::Interrupted, None).unwrap();
        let settled =
            Folder::look(&options[1].folder, &Backend::Sqlite).unwrap().unwrap().store.settled("run-1").unwrap();
        let mut resumed = open(options[1].clone(), sample::facts(), Begins::Resumed(settled)).unwrap();
        record(&mut resumed, &sample::dropped_conversation()).unwrap();
        resumed.finish(State::Completed, None).unwrap();
        let [whole, found] = roots.each_ref().map(|root| contents(root.path()));
        assert_eq!(whole, found, "{names:?}");
        let (states, others): (Vec<_>, Vec<_>) = whole.keys().partition(|path| path.starts_with("outputs/run_state"));
        assert_eq!((states.len(), others.len()), (2, expected), "{others:?}");
    }
}
