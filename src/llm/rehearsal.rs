//! A model that asks nobody: what the journal has is its reply, and where it has none, a stand-in that is counted.

use super::chat::Replying;
use super::{ChatReply, ChatRequest, Model, ModelError};
use crate::store::journal::Reuse;
use crate::store::{Store, StoreError, recall};
use crate::words::{Digest, Place, Stage, Task};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a rehearsed run has asked for, by [`Stage::number`].
#[derive(Debug, Default)]
pub struct Rehearsed {
    found: [AtomicU64; 3],
    missing: [AtomicU64; 3],
}

impl Rehearsed {
    /// Calls of a stage that the journal answers, and calls that would be made.
    pub fn of(&self, stage: Stage) -> (u64, u64) {
        let read = |counters: &[AtomicU64; 3]| counters[usize::from(stage.number())].load(Ordering::Relaxed);
        (read(&self.found), read(&self.missing))
    }
}

/// A model of which only the name and the journalled replies are real.
pub struct Rehearsal {
    /// The model it stands in for.
    pub model: Arc<dyn Model>,
    /// Where replies may be, with the run whose they are.
    pub journal: Option<(Arc<dyn Store>, Arc<str>)>,
    /// Another run whose replies serve too.
    pub reuse: Option<Reuse>,
    /// What was asked for.
    pub rehearsed: Arc<Rehearsed>,
    /// Who is told when the journal can't be read.
    pub broken: Arc<dyn Fn(&StoreError) + Send + Sync>,
}

impl Rehearsal {
    fn recalled(&self, place: &Place, digest: Digest) -> Result<Option<ChatReply>, StoreError> {
        let Some((store, run)) = &self.journal else { return Ok(None) };
        let Some(found) = recall(&**store, run, self.reuse.as_ref(), place, digest)? else { return Ok(None) };
        serde_json::from_slice(&found.reply).map(Some).map_err(|error| StoreError::Unpack { cause: error.to_string() })
    }
}

impl Model for Rehearsal {
    fn name(&self) -> &Arc<str> {
        self.model.name()
    }

    fn digest(&self, request: &ChatRequest) -> Result<Digest, ModelError> {
        self.model.digest(request)
    }

    fn chat<'a>(&'a self, request: &'a ChatRequest) -> Replying<'a> {
        Box::pin(async move {
            let digest = self.model.digest(request)?;
            let recalled = self.recalled(&request.place, digest).inspect_err(|error| (self.broken)(error))?;
            let counters = if recalled.is_some() { &self.rehearsed.found } else { &self.rehearsed.missing };
            counters[usize::from(request.place.stage.number())].fetch_add(1, Ordering::Relaxed);
            Ok(recalled.unwrap_or_else(|| stand_in(request)))
        })
    }
}

/// A reply in the form that is asked for. No two questions are the same.
fn stand_in(request: &ChatRequest) -> ChatReply {
    let Place { slot, turn, attempt, .. } = request.place;
    let object = match &*request.task {
        Task::Ask(_) => json!({
            "user_message": format!("{}-{}-{turn}-{attempt}?", slot.language, slot.index),
            "intent": "clarify",
            "difficulty": "easy",
            "grounding_facts": [],
            "coverage_target": "",
            "notes_for_assistant": [],
        }),
        Task::Answer(_) => json!({
            "assistant_message": "To be answered.",
            "reasoning_trace": {
                "question": "",
                "retrieval_queries": {"vector_db_search": [], "web_search": []},
                "evidence": [],
                "premises": [],
                "thinking": [],
                "confidence": "low",
                "known_limits": [],
            },
            "did_web_search": false,
        }),
        Task::JudgeTurn(_) | Task::JudgeConversation(_) => {
            json!({"score": 5, "reasons": [], "notes": "", "question_ok": true, "answer_ok": true})
        }
    };
    ChatReply { text: object.to_string(), ..ChatReply::default() }
}
