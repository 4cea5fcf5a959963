//! Doubles for the tests of the stages: a model that follows a script, and small conversations.

pub(super) use crate::domain::fixtures::answer;
use crate::domain::{Catalogue, Conversation, Digest, Passage, Persona, Question, Slot, ToolCall, Turn, fixtures};
use crate::knowledge::Index;
use crate::llm::chat::Replying;
use crate::llm::{ChatReply, ChatRequest, Message, Model, ModelError};
use crate::tools::{KnowledgeSearch, Tool, Toolbox};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

type Line = Box<dyn Fn(&ChatRequest, usize) -> Result<ChatReply, ModelError> + Send + Sync>;

/// A model whose replies are a function of the request and its number, from 0; it keeps the requests.
pub(super) struct Script {
    name: Arc<str>,
    line: Line,
    requests: Mutex<Vec<ChatRequest>>,
}

impl Script {
    pub fn new(
        line: impl Fn(&ChatRequest, usize) -> Result<ChatReply, ModelError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { name: "fake/script".into(), line: Box::new(line), requests: Mutex::default() })
    }

    /// Replies in order, the last one again and again.
    pub fn texts(texts: &[&str]) -> Arc<Self> {
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        Self::new(move |_, number| Ok(said(&texts[number.min(texts.len() - 1)])))
    }

    pub fn calls(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    pub fn request(&self, number: usize) -> ChatRequest {
        self.requests.lock().unwrap()[number].clone()
    }

    /// The messages after the prompt of a request.
    pub fn after_prompt(&self, number: usize) -> Vec<Message> {
        self.request(number).messages_mut().split_off(2)
    }
}

impl Model for Script {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn digest(&self, request: &ChatRequest) -> Result<Digest, ModelError> {
        Ok(Digest(request.messages.len() as u128))
    }

    fn chat<'a>(&'a self, request: &'a ChatRequest) -> Replying<'a> {
        let number = {
            let mut requests = self.requests.lock().unwrap();
            requests.push(request.clone());
            requests.len() - 1
        };
        let reply = (self.line)(request, number);
        Box::pin(async move {
            tokio::task::yield_now().await;
            reply
        })
    }
}

/// A reply of text only.
pub(super) fn said(text: &str) -> ChatReply {
    ChatReply { text: text.to_owned(), raw: json!({ "said": text }), ..ChatReply::default() }
}

/// A reply that asks for tools: id, name, arguments.
pub(super) fn wants(calls: &[(&str, &str, Value)]) -> ChatReply {
    let call = |(id, name, arguments): &(&str, &str, Value)| ToolCall {
        id: (*id).to_owned(),
        name: (*name).to_owned(),
        arguments: arguments.clone(),
    };
    ChatReply { tool_calls: calls.iter().map(call).collect(), ..said("") }
}

/// A model error.
pub(super) fn refused() -> ModelError {
    ModelError::Refused { endpoint: "http://localhost/v1".to_owned(), status: 400, detail: "no".to_owned() }
}

/// A usable reply of the assistant model, as text.
pub(super) fn answer_text(message: &str) -> String {
    json!({"evidence_refs": ["P1"], "assistant_message": message, "confidence": "high", "known_limits": ""}).to_string()
}

/// One document in two chunks.
pub(super) fn catalogue() -> Arc<Catalogue> {
    let texts = vec![
        "Green tea is dried soon after picking, so that its leaves stay green.",
        "Black tea is left to oxidise before drying, and its leaves turn dark.",
    ];
    let mut catalogue = fixtures::catalogue([("a".repeat(32), "en/tea.md".to_owned(), texts)]);
    catalogue.sources[0].language = Some("en".into());
    Arc::new(catalogue)
}

/// A conversation at its first turn, of three.
pub(super) fn conversation() -> Conversation {
    let persona = |name: &str| Arc::new(Persona { name: name.to_owned(), ..Persona::default() });
    Conversation {
        id: "run-0004".into(),
        language: "en".into(),
        user_persona: persona("Cook"),
        assistant_persona: persona("Tutor"),
        ..fixtures::conversation(Slot { index: 4, ..Slot::default() }, 3)
    }
}

/// A question with this text.
pub(super) fn question(text: &str) -> Question {
    fixtures::question(text, fixtures::used(text))
}

/// A complete turn.
pub(super) fn turn(index: u16, asked: &str, answered: &str) -> Arc<Turn> {
    Arc::new(fixtures::turn(index, question(asked), fixtures::answer(answered)))
}

/// Three passages about tea.
pub(super) fn passages() -> Vec<Passage> {
    let passage = |number: usize, text: &str| Passage {
        label: format!("P{number}"),
        topic_id: format!("0a-{number}"),
        source_path: "a/tea.md".to_owned(),
        source_descriptor: format!("tea.md#chunk{number}"),
        title: "Tea".into(),
        text: text.into(),
    };
    vec![passage(1, "Green tea is dried soon."), passage(2, "Black tea is left to oxidise."), passage(3, "Tea grows.")]
}

/// The knowledge search alone, over this index.
pub(super) fn toolbox(index: &Arc<Index>) -> Toolbox {
    let search: Arc<dyn Tool> = Arc::new(KnowledgeSearch::new(index.clone(), index.catalogue().clone(), 4));
    Toolbox::new([search])
}
