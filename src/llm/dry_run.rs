//! The model of a dry run, which asks nobody: what the journal has is its reply, and where it has none, a stand-in that is counted.

use super::chat::Replying;
use super::{ChatReply, ChatRequest, Model, ModelError, ReplySchema};
use crate::domain::{Digest, Place, Stage, Task, ToolCall, ToolDefinition};
use crate::store::Kept;
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// What a dry run has asked for, by [`Stage::number`].
#[derive(Debug, Default)]
pub struct Counts {
    found: [AtomicU64; 3],
    missing: [AtomicU64; 3],
    bytes: [AtomicU64; 3],
    earlier: [AtomicU64; 3],
    first: [OnceLock<(Vec<ToolDefinition>, ReplySchema)>; 3],
}

impl Counts {
    /// Calls of a stage that the journal answers, and calls that would be made.
    pub fn of(&self, stage: Stage) -> (u64, u64) {
        let read = |counters: &[AtomicU64; 3]| counters[usize::from(stage.number())].load(Ordering::Relaxed);
        (read(&self.found), read(&self.missing))
    }

    /// Bytes of the messages of a stage's calls that would be made, and the turns that were before them in their conversations.
    pub fn length(&self, stage: Stage) -> (u64, u64) {
        let read = |counters: &[AtomicU64; 3]| counters[usize::from(stage.number())].load(Ordering::Relaxed);
        (read(&self.bytes), read(&self.earlier))
    }

    /// The tools and the form of the reply that the first call of a stage asks for, if there was one.
    pub fn first(&self, stage: Stage) -> Option<&(Vec<ToolDefinition>, ReplySchema)> {
        self.first[usize::from(stage.number())].get()
    }

    fn would_ask(&self, request: &ChatRequest) {
        let at = usize::from(request.place.stage.number());
        let bytes: usize = request.messages.iter().map(|message| message.content.len()).sum();
        self.missing[at].fetch_add(1, Ordering::Relaxed);
        self.bytes[at].fetch_add(bytes as u64, Ordering::Relaxed);
        self.earlier[at].fetch_add(u64::from(request.place.turn.0.saturating_sub(1)), Ordering::Relaxed);
        self.first[at].get_or_init(|| (request.tools.clone(), request.schema.clone()));
    }
}

/// A model of which only the name and the journalled replies are real.
pub struct StandIn {
    /// The model it stands in for.
    pub model: Arc<dyn Model>,
    /// The replies that are there.
    pub kept: Kept,
    /// What was asked for.
    pub counts: Arc<Counts>,
}

impl Model for StandIn {
    fn name(&self) -> &Arc<str> {
        self.model.name()
    }

    fn digest(&self, request: &ChatRequest) -> Result<Digest, ModelError> {
        self.model.digest(request)
    }

    fn chat<'a>(&'a self, request: &'a ChatRequest) -> Replying<'a> {
        Box::pin(async move {
            let digest = self.model.digest(request)?;
            let recalled = self.kept.answer(&request.place, digest)?;
            match recalled {
                Some(_) => {
                    self.counts.found[usize::from(request.place.stage.number())].fetch_add(1, Ordering::Relaxed);
                }
                None => self.counts.would_ask(request),
            }
            Ok(recalled.unwrap_or_else(|| stand_in(request)))
        })
    }
}

/// A usable reply. No two questions are the same, and each is made of a passage's words, so that it finds passages. An answer
/// that has no passages is searched for first.
fn stand_in(request: &ChatRequest) -> ChatReply {
    let Place { slot, turn, attempt, .. } = request.place;
    let object = match &*request.task {
        Task::Ask(task) => {
            let passage = task.passages.first();
            let words: Vec<&str> = passage.map_or("", |passage| &*passage.text).split_whitespace().take(6).collect();
            let message = format!("{} q{}-{}-{turn}-{attempt}?", words.join(" "), slot.language, slot.index);
            if request.schema.is_text() {
                return ChatReply { text: message, ..ChatReply::default() };
            }
            json!({
                "user_message": message,
                "intent": "clarify",
                "difficulty": "easy",
                "coverage_target": passage.map_or("", |passage| passage.label.as_str()),
            })
        }
        Task::Answer(task) if task.passages.is_empty() && !request.tools.is_empty() => {
            let (name, arguments) = (request.tools[0].name.clone(), json!({ "query": task.question }));
            let call = ToolCall { id: "call_1".to_owned(), name, arguments };
            return ChatReply { tool_calls: vec![call], ..ChatReply::default() };
        }
        Task::Answer(_) => json!({"assistant_message": "To be answered.", "confidence": "low"}),
        Task::JudgeTurn(_) | Task::JudgeConversation(_) => {
            json!({"score": 10, "reasons": [], "notes": "", "question_ok": true, "answer_ok": true})
        }
    };
    ChatReply { text: object.to_string(), ..ChatReply::default() }
}
