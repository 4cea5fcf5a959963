//! What was written is read back.

use super::super::super::conversations_index::IndexRow;
use super::super::super::rendered::times;
use super::super::super::rows::{FoundState, JudgeColumn};
use super::super::super::synthetic_qa::SyntheticQa;
use super::super::super::turns::TurnRow;
use super::super::super::{ConversationDocument, FORMAT_VERSION, RunStateDocument, ShareGpt, SlotState};
use super::*;
use crate::domain::{
    Agent, Answer, Attempt, Catalogue, ChunkIndex, DropReason, Failure, Found, NearDuplicate, Neighbour, Overlap,
    Round, Similarity, SourceIndex, TooClose, Wave, fixtures,
};
use serde::de::DeserializeOwned;
use serde_json::Map;
use std::ops::ControlFlow;

fn renderer(options: Options) -> Renderer {
    Renderer::new(options, sample::facts(), sample::stamp(), Arc::new(sample::catalogue()))
}

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
        let (renderer, catalogue, times) = (renderer(options.clone()), sample::catalogue(), times(sample::stamp()));
        let conversations = [sample::sample_conversation(), sample::dropped_conversation()];
        let all = conversations.each_ref().map(|one| renderer.parts(one, one.outcome.as_ref().unwrap(), &times));
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
            let path = root.path().join(&parts.file);
            assert_eq!(document.conversation(&path, &catalogue).unwrap(), *parts.conversation, "raw {raw}");
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

/// A conversation whose second turn came to nothing, with everything that such a turn can have.
fn failed_conversation() -> Conversation {
    let mut failed = sample::sample_conversation();
    let (first, second) = (failed.turns[0].clone(), failed.turns.remove(1));
    failed.wave = Wave(3);
    let neighbour = Neighbour { rank: failed.rank(), similarity: Similarity(812_500), text: "Is it?".into() };
    let overlap = Overlap { held_out: "tests.jsonl:4".into(), text: "is it so or not".into(), similarity: None };
    let near =
        |(attempt, neighbour)| NearDuplicate { attempt: Attempt(attempt), question: "Is it so?".into(), neighbour };
    let near_duplicates = [(0, TooClose::Question(neighbour)), (1, TooClose::HeldOut(overlap))].map(near).to_vec();
    failed.round = Round {
        attempt: Attempt(2),
        avoid: vec![ChunkIndex(1), ChunkIndex(0)],
        near_duplicates,
        question: Some(first.question.clone()),
        answer: Some(Answer { retrieved: vec![Found::Chunk(ChunkIndex(0)).into()], ..second.answer.clone() }),
        judgement: None,
        rejected: vec![sample::rejected()],
        regenerated: vec![first.clone()],
    };
    let failure = Failure::Refused { agent: Agent::Judge, detail: "I'd rather not.".into() };
    failed.outcome = Some(Outcome::Dropped(DropReason::Failed(failure)));
    failed
}

fn document(raw: bool, conversation: &Conversation) -> ConversationDocument<'static> {
    let options = Options { raw, ..sample::options(Path::new("/p")) };
    let (renderer, times) = (renderer(options), times(sample::stamp()));
    let parts = renderer.parts(conversation, conversation.outcome.as_ref().unwrap(), &times);
    let text = serde_json::to_string(&ConversationDocument::of(&parts)).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_conversation_that_failed_is_made_again_of_its_document() {
    let failed = failed_conversation();
    for raw in [false, true] {
        let found = document(raw, &failed).conversation(Path::new("c.json"), &sample::catalogue());
        assert_eq!(found.unwrap(), failed, "raw {raw}");
    }
    // Where its documents stand elsewhere in the knowledge base, so do its passages.
    let (texts, more) = (vec!["Restores are rehearsed.", "Backups are taken daily."], vec!["Alpha.", "Beta."]);
    let documents = [("0".to_owned(), "a.md".to_owned(), more), ("5f0c".to_owned(), "backup.md".to_owned(), texts)];
    let moved = document(false, &failed).conversation(Path::new("c.json"), &fixtures::catalogue(documents)).unwrap();
    let used = &moved.turns[0].question.used;
    assert_eq!((used.chunk, used.source), (Some(ChunkIndex(3)), Some(SourceIndex(1))));
    let retrieved: Vec<_> = moved.turns[0].answer.retrieved.iter().filter_map(|hit| hit.found.chunk()).collect();
    assert_eq!(retrieved, [ChunkIndex(3), ChunkIndex(2)]);
    assert_eq!(moved.round.avoid, [ChunkIndex(3), ChunkIndex(2)]);
}

#[test]
fn what_keeps_a_document_from_being_a_conversation_is_named() {
    let whole = || document(false, &sample::sample_conversation());
    let told = |document: &ConversationDocument, catalogue: &Catalogue| {
        document.conversation(Path::new("c.json"), catalogue).unwrap_err().to_string()
    };
    let catalogue = sample::catalogue();
    let mut earlier = whole();
    earlier.state = None;
    assert_eq!(
        told(&earlier, &catalogue),
        "read c.json: `state`: it is missing: an earlier release wrote the document"
    );
    let mut short = whole();
    short.raw_results.pop();
    let expected = "read c.json: `raw_results`: it tells of 1 turns, and the conversation has 2";
    assert_eq!(told(&short, &catalogue), expected);
    let mut unjudged = whole();
    unjudged.turns.to_mut()[1].qa_judge = None;
    let expected = "read c.json: `turns[1].qa_judge`: it and `state` do not tell of the same verdict";
    assert_eq!(told(&unjudged, &catalogue), expected);
    let mut strange = whole();
    strange.turns.to_mut()[0].question_mode = "rude".into();
    assert!(told(&strange, &catalogue).starts_with("read c.json: `turns[0].question_mode`: unknown variant `rude`"));
    let mut lost = whole();
    lost.state.as_mut().unwrap().turns[1].retrieved.push(FoundState::Chunk(ChunkIndex(9)));
    assert_eq!(told(&lost, &catalogue), "read c.json: `state`: it names chunk 9, which its lists do not have");
    let of = |path: &str, texts| fixtures::catalogue([("5f0c".to_owned(), path.to_owned(), texts)]);
    let other = "read the document with the knowledge base that it was made from";
    let expected = format!("read c.json: `state.sources[0]`: there is no document `backup.md`; {other}");
    assert_eq!(told(&whole(), &of("other.md", vec!["A.", "B."])), expected);
    let expected = format!("read c.json: `state.chunks[0]`: there is no chunk 1 of document `backup.md`; {other}");
    assert_eq!(told(&whole(), &of("backup.md", vec!["A."])), expected);
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
