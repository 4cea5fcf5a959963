//! A request for tests.

use super::{ChatRequest, Message, ReplySchema, Role};
use crate::domain::Task;
use crate::domain::task::JudgeConversationTask;
use serde_json::Value;
use std::sync::Arc;

/// A request of one user message, without tools.
pub(crate) fn request(prompt: &str) -> ChatRequest {
    let task = JudgeConversationTask {
        public_conversation_history: String::new(),
        user_persona: String::new(),
        assistant_persona: String::new(),
        judge_turn_count: 0,
        judge_conversation_turns: Vec::new(),
        judge_conversation_evidence: Vec::new(),
        judge_reasons: Vec::new(),
        target_language: "en".into(),
    };
    ChatRequest {
        place: crate::domain::Place::default(),
        conversation: "c".into(),
        task: Arc::new(Task::JudgeConversation(task)),
        messages: vec![Message::new(Role::User, prompt)].into(),
        tools: Vec::new(),
        schema: ReplySchema::new("any", Value::Null),
    }
}
