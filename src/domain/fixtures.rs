//! The smallest of each word, for the tests of all rooms: they say what differs and take the rest from here.

#[path = "../../tests/support/plain.rs"]
mod plain;

use super::{
    Acceptance, Answer, Attempt, Catalogue, Chunk, JudgeReply, Judgement, Question, Source, SourceIndex, Turn,
    TurnIndex, Used,
};
pub use plain::{answer, conversation, question, user_reply};
use std::sync::Arc;

/// A use of no passage: the question alone.
pub fn used(question: &str) -> Used {
    Used { chunk: None, source: None, question: question.into(), seed: None, linked: vec![] }
}

/// A complete turn, accepted at its first attempt and not judged.
pub fn turn(index: u16, question: Question, answer: Answer) -> Turn {
    Turn {
        index: TurnIndex(index),
        attempt: Attempt(0),
        question: question.into(),
        answer,
        judgement: None,
        rejected: Vec::new(),
        regenerated: Vec::new(),
        near_duplicates: Vec::new(),
    }
}

/// A verdict that was accepted, without a reason to complain.
pub fn judgement(score: u8) -> Judgement {
    let reply = JudgeReply { score, reasons: vec![], notes: String::new(), question_ok: true, answer_ok: true };
    let raw = serde_json::Value::Null.into();
    Judgement {
        reply,
        acceptance: Acceptance::Accepted,
        reasoning: None,
        raw,
        calls: 1,
        calibration: Vec::new(),
        votes: Vec::new(),
    }
}

/// Documents of no known language: the digest their chunks are named by, a path, and the text of each chunk.
pub fn catalogue<T: AsRef<str>>(documents: impl IntoIterator<Item = (String, String, Vec<T>)>) -> Catalogue {
    let (mut sources, mut chunks) = (Vec::new(), Vec::new());
    for (digest, path, texts) in documents {
        let (source, first) = (SourceIndex(sources.len() as u32), chunks.len() as u32);
        let range = first..first + texts.len() as u32;
        sources.push(Source { path, language: None, digest: digest.as_str().into(), chunks: range });
        chunks.extend(texts.iter().map(AsRef::as_ref).zip(0..).map(|(text, chunk_index)| Chunk {
            id: format!("{digest}-{chunk_index}"),
            text: text.into(),
            context: "".into(),
            source,
            chunk_index,
            char_start: 0,
            char_end: text.chars().count(),
        }));
    }
    Catalogue::new(sources, Arc::new(chunks))
}
