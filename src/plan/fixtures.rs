//! Small catalogues and conversations for the tests of this room.

use super::Asking;
use super::{CoverageOptions, Distribution, Options, TopicOptions, TurnOptions};
use crate::domain::conversation::Round;
use crate::domain::reply::{Confidence, Difficulty, Intent, ReasoningTrace, RetrievalQueries};
use crate::domain::{
    Answer, AssistantReply, Attempt, Catalogue, Chunk, ChunkIndex, Conversation, Coverage, Fingerprint, LanguageIndex,
    Normalisation, Question, QuestionMode, Slot, Source, SourceIndex, Turn, TurnIndex, Used, UserReply, Wave,
};
use serde_json::Value;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Balanced, without topics, personas or exploration.
pub fn options() -> Options {
    Options {
        seed: 11,
        turns: TurnOptions { min: 2, max: 6, distribution: Distribution::Poisson, mean: None },
        question: String::new(),
        topics: TopicOptions::default(),
        coverage: CoverageOptions {
            balanced: true,
            epsilon: 0.0,
            fraction: 0.2,
            own_language: true,
            dedup_retries: 3,
            normalisation: Normalisation::Full,
        },
        user_personas: Vec::new(),
        assistant_personas: Vec::new(),
    }
}

/// Documents with so many chunks each.
pub fn catalogue(chunks: &[u32]) -> Catalogue {
    let mut catalogue = Catalogue::default();
    for (source, &count) in chunks.iter().enumerate() {
        let first = catalogue.chunks.len() as u32;
        catalogue.sources.push(Source {
            path: format!("notes/{source:03}.md"),
            language: None,
            chunks: first..first + count,
        });
        catalogue.chunks.extend((0..count).map(|number| Chunk {
            id: format!("{source:032x}-{number}"),
            text: format!("Passage {number} of document {source}.").into(),
            context: "".into(),
            source: SourceIndex(source as u32),
            chunk_index: number,
            char_start: 0,
            char_end: 0,
        }));
    }
    catalogue
}

/// A conversation of the first language with so many answered turns, none of which used a chunk.
pub fn conversation(index: u32, turns: u16) -> Known {
    let conversation = Conversation {
        slot: Slot { language: LanguageIndex(0), index },
        wave: Wave(0),
        id: format!("run-{index:04}").into(),
        language: "en".into(),
        target_turns: 6,
        user_persona: Arc::default(),
        assistant_persona: Arc::default(),
        turns: (1..=turns).map(|index| turn(TurnIndex(index), None)).collect(),
        round: Round::default(),
        judgement: None,
        ending: None,
    };
    Known { conversation, coverage: Coverage::default() }
}

/// A conversation, with what it knows of the others.
#[derive(Clone)]
pub struct Known {
    pub conversation: Conversation,
    pub coverage: Coverage,
}

impl Known {
    pub fn asking(&self) -> Asking<'_> {
        Asking { conversation: &self.conversation, coverage: &self.coverage }
    }
}

impl Deref for Known {
    type Target = Conversation;

    fn deref(&self) -> &Conversation {
        &self.conversation
    }
}

impl DerefMut for Known {
    fn deref_mut(&mut self) -> &mut Conversation {
        &mut self.conversation
    }
}

/// A turn whose question used a chunk.
pub fn turn(index: TurnIndex, chunk: Option<ChunkIndex>) -> Arc<Turn> {
    let question: Arc<str> = format!("question {index}").into();
    let reply = UserReply {
        user_message: question.to_string(),
        intent: Intent::Clarify,
        difficulty: Difficulty::Easy,
        grounding_facts: Vec::new(),
        coverage_target: String::new(),
        notes_for_assistant: Vec::new(),
    };
    let asked = Question {
        mode: QuestionMode::Fresh,
        seed_topic: String::new(),
        seed_question: String::new(),
        reply,
        fingerprint: Fingerprint::of(&question, Normalisation::default()),
        used: Used { chunk, source: None, question, seed: None },
        agent: "test/user".into(),
        reasoning: None,
        raw: Value::Null.into(),
        calls: 1,
    };
    Arc::new(Turn { index, attempt: Attempt(0), question: asked.into(), answer: answer(index), judgement: None })
}

fn answer(index: TurnIndex) -> Answer {
    let reasoning_trace = ReasoningTrace {
        question: String::new(),
        retrieval_queries: RetrievalQueries::default(),
        evidence: Vec::new(),
        premises: Vec::new(),
        thinking: Vec::new(),
        confidence: Confidence::High,
        known_limits: Vec::new(),
    };
    let reply = AssistantReply { assistant_message: format!("answer {index}"), reasoning_trace, did_web_search: false };
    Answer {
        reply,
        tool_events: Vec::new(),
        retrieved: Vec::new(),
        used: Vec::new(),
        unsupported_numbers: Vec::new(),
        agent: "test/assistant".into(),
        reasoning: None,
        raw: Value::Null.into(),
        calls: 1,
    }
}
