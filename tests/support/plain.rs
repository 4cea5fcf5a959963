//! Words that carry a text and nothing else: what the graphs of the tests work on, and what fixtures of all rooms begin with.

use dlgforge::domain::reply::{Confidence, Difficulty, Intent, ReasoningTrace};
use dlgforge::domain::*;
use std::sync::Arc;

/// A conversation that begins: of the first wave, with so many turns ahead and none made, between personas without a name.
pub fn conversation(slot: Slot, target_turns: u16) -> Conversation {
    Conversation {
        slot,
        wave: Wave::default(),
        id: format!("{}-{}", slot.language, slot.index).into(),
        language: "xx".into(),
        target_turns,
        user_persona: Arc::default(),
        assistant_persona: Arc::default(),
        turns: vec![],
        round: Round::default(),
        judgement: None,
        outcome: None,
    }
}

/// What a user model says to ask this.
pub fn user_reply(text: &str) -> UserReply {
    UserReply {
        user_message: text.into(),
        intent: Intent::Clarify,
        difficulty: Difficulty::Easy,
        grounding_facts: vec![],
        coverage_target: String::new(),
        notes_for_assistant: vec![],
        whole_need: String::new(),
    }
}

/// A question that took one call.
pub fn question(text: &str, used: Used) -> Question {
    Question {
        mode: QuestionMode::Fresh,
        seed_topic: String::new(),
        seed_question: String::new(),
        reply: user_reply(text),
        fingerprint: Fingerprint::of(&used.question, Normalisation::default()),
        used,
        sketch: None,
        held_out: None,
        agent: "plain".into(),
        reasoning: None,
        raw: serde_json::Value::Null.into(),
        calls: 1,
        candidates: vec![],
        register: None,
        words: None,
    }
}

/// An answer that took one call.
pub fn answer(text: &str) -> Answer {
    let reasoning_trace = ReasoningTrace {
        question: String::new(),
        retrieval_queries: Default::default(),
        evidence: vec![],
        premises: vec![],
        thinking: vec![],
        confidence: Confidence::High,
        known_limits: vec![],
    };
    Answer {
        reply: AssistantReply { assistant_message: text.into(), reasoning_trace, did_web_search: false },
        tool_events: vec![],
        retrieved: Vec::new(),
        used: Vec::new(),
        unsupported_numbers: Vec::new(),
        unknown_citations: Vec::new(),
        findings: Default::default(),
        agent: "plain".into(),
        reasoning: None,
        raw: serde_json::Value::Null.into(),
        calls: 1,
    }
}
