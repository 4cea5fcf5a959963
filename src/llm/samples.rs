//! A request for tests.

use super::{ChatRequest, Message, ReplySchema, Role};
use crate::domain::Task;
use crate::domain::task::JudgeConversationTask;
use serde_json::Value;
use std::sync::Arc;

/// A request of one user message, without tools.
pub(crate) fn request(prompt: &str) -> ChatRequest {
    let task = JudgeConversationTask { target_language: "en".into(), ..Default::default() };
    ChatRequest {
        place: crate::domain::Place::default(),
        conversation: "c".into(),
        task: Arc::new(Task::JudgeConversation(task)),
        messages: vec![Message::new(Role::User, prompt)].into(),
        tools: Vec::new(),
        schema: ReplySchema::new("any", Value::Null),
    }
}
