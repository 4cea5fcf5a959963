//! What was written is read back.

use super::super::super::conversations_index::IndexRow;
use super::super::super::rows::JudgeColumn;
use super::super::super::synthetic_qa::SyntheticQa;
use super::super::super::turns::TurnRow;
use super::super::super::{ConversationDocument, FORMAT_VERSION, RunStateDocument, ShareGpt, SlotState};
use super::*;
use serde::de::DeserializeOwned;
use serde_json::Map;
use std::ops::ControlFlow;

/// All rows of a file, read back.
fn read<Row: DeserializeOwned + Send>(root: &Path, name: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    files::read(&root.join("outputs").join(name), u64::MAX, |_, row| rows.push(row)).unwrap();
    rows
}

#[test]
fn what_was_written_is_read_back_as_it_was() {
    for raw in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let mut options = Options { raw, keep_dropped_rows: false, ..sample::options(root.path()) };
        options.columns.messages = "conversations".into();
        options.columns.metadata = "messages".into();
        recorded_by(options.clone(), State::Completed);
        let (facts, catalogue, times) = (sample::facts(), sample::catalogue(), times(sample::stamp()));
        let conversations = [sample::sample_conversation(), sample::dropped_conversation()];
        let all = conversations
            .each_ref()
            .map(|one| parts(one, one.outcome.as_ref().unwrap(), (&options, &facts, &catalogue), &times));
        let [completed, dropped] = &all;
        assert_eq!(read::<SyntheticQa>(root.path(), "synthetic_qa.jsonl"), all.each_ref().map(SyntheticQa::of));
        assert_eq!(read::<IndexRow>(root.path(), "conversations_index.jsonl"), all.each_ref().map(IndexRow::of));
        let turns = completed.conversation.turns.iter().map(|turn| TurnRow::of(completed, turn));
        assert_eq!(read::<TurnRow>(root.path(), "turns.jsonl"), turns.collect::<Vec<_>>());
        let named = |name: &str| {
            let rows: Vec<Map<String, Value>> = read(root.path(), name);
            let rows = rows.into_iter().map(|row| ShareGpt::named(row, &options.columns).unwrap());
            rows.collect::<Vec<_>>()
        };
        assert_eq!(named("conversations_sharegpt.jsonl"), [ShareGpt::of(completed)]);
        let judged = |parts| ShareGpt { judge: JudgeColumn::of(parts), ..ShareGpt::of(parts) };
        assert_eq!(named("conversations_sharegpt_judged.jsonl"), [judged(completed)]);
        let (drop_reason, drop_detail) =
            (Some("dedup_exhausted".into()), Some("every attempt at a question was a duplicate".into()));
        assert_eq!(named("dropped.jsonl"), [ShareGpt { drop_reason, drop_detail, ..judged(dropped) }]);
        for parts in &all {
            let document = ConversationDocument::read(&root.path().join(&parts.file)).unwrap();
            assert_eq!(document, ConversationDocument::of(parts));
        }
        let state = RunStateDocument::read(&root.path().join("outputs/run_state/run-1.json")).unwrap();
        assert_eq!(state.conversations, all.each_ref().map(SlotState::of));
        assert_eq!((&*state.run.run_id, &*state.run.status), ("run-1", "completed"));
        let mut ledger = 0;
        coverage_ledger::read(
            &root.path().join("outputs"),
            u64::MAX,
            |_| (),
            |_, ()| {
                ledger += 1;
                ControlFlow::Continue(())
            },
        )
        .unwrap();
        assert_eq!(ledger, 3);
    }
}

#[test]
fn documents_of_other_formats_are_read_or_refused() {
    let root = tempfile::tempdir().unwrap();
    recorded(root.path(), State::Completed);
    for (name, id) in [("conversations/run-1-en-0000.json", "run-1-en-0000"), ("run_state/run-1.json", "run-1")] {
        let path = root.path().join("outputs").join(name);
        let text = fs::read_to_string(&path).unwrap();
        let (of_now, version) = (format!("\"format_version\": {FORMAT_VERSION}"), FORMAT_VERSION + 1);
        assert!(text.contains(&of_now), "{name}");
        let read = |text: String| {
            fs::write(&path, text).unwrap();
            if name.starts_with("run_state") {
                RunStateDocument::read(&path).map(|state| (state.run.run_id.into_owned(), state.run.format_version))
            } else {
                let found = ConversationDocument::read(&path);
                found.map(|document| (document.conversation_id.into_owned(), document.format_version))
            }
        };
        let unversioned = text.replace(&format!(",\n  {of_now}"), "");
        assert_eq!(read(unversioned).unwrap(), (id.to_owned(), 1), "what was written before there were versions");
        let later = read(text.replace(&of_now, &format!("\"format_version\": {version}"))).unwrap_err().to_string();
        assert!(later.contains(name) && later.contains(&format!("format {version} ")), "{later}");
        let error = read("{}".into()).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("missing field"), "{error}");
    }
}
