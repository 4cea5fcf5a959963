//! What the index has of a conversation, as a line of a run's files or a row of its tables tells it.

use super::words::searched;
use crate::publish::Dialogue;
use jiff::Timestamp;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Characters of the first question that lists show.
const OPENING: usize = 240;

/// A conversation as it is indexed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Entry {
    pub id: String,
    pub run: String,
    pub language: String,
    /// `completed`, `dropped` or `active`.
    pub status: String,
    /// Why it was dropped; empty where it was not.
    pub reason: String,
    pub score: Option<f64>,
    pub turns: u32,
    /// The id of the person who asks.
    pub persona: String,
    /// When it was recorded, in microseconds since 1970.
    pub recorded: i64,
    /// Words of all that was said.
    pub words: u32,
    /// The beginning of its first question.
    pub opening: String,
    /// Its turns of each mode.
    pub modes: BTreeMap<String, u32>,
    /// The documents and pages that the assistant was shown, each once.
    pub documents: Vec<String>,
    /// What is searched: all that was said.
    pub said: String,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
    metadata: Metadata,
    #[serde(default)]
    judge: Judge,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Metadata {
    conversation_id: String,
    run_id: String,
    timestamp: String,
    n_turns: u32,
    language: String,
    conversation_status: String,
    #[serde(default)]
    drop_reason: String,
    personas: Personas,
    #[serde(default)]
    question_modes: Vec<String>,
    #[serde(default)]
    provenance: Provenance,
}

#[derive(Deserialize)]
struct Personas {
    user_id: String,
}

#[derive(Deserialize, Default)]
struct Provenance {
    passages: Vec<Passage>,
}

#[derive(Deserialize)]
struct Passage {
    source: String,
}

#[derive(Deserialize, Default)]
struct Judge {
    avg_score: Option<f64>,
    #[serde(default)]
    conversation: Whole,
}

#[derive(Deserialize, Default)]
struct Whole {
    score: Option<f64>,
}

impl Entry {
    /// The entry of a line of the training files, or of those of dropped conversations.
    pub fn of_line(line: &[u8]) -> serde_json::Result<Self> {
        let Line { messages, metadata, judge } = serde_json::from_slice(line)?;
        let entry = Self {
            id: metadata.conversation_id,
            run: metadata.run_id,
            language: metadata.language,
            status: metadata.conversation_status,
            reason: metadata.drop_reason,
            score: judge.avg_score.or(judge.conversation.score),
            turns: metadata.n_turns,
            persona: metadata.personas.user_id,
            recorded: metadata.timestamp.parse().map_or(0, Timestamp::as_microsecond),
            ..Self::default()
        };
        let sources = metadata.provenance.passages.into_iter().map(|passage| passage.source);
        Ok(entry.with(messages.iter().map(|message| &*message.content), metadata.question_modes, sources))
    }

    /// The entry of a row of the tables `conversations` and `dropped`.
    pub fn of_row(row: &Dialogue<'_>) -> Self {
        let entry = Self {
            id: row.id.to_owned(),
            run: row.run_id.to_owned(),
            language: row.language.to_owned(),
            status: row.status.to_owned(),
            reason: row.drop_reason.to_owned(),
            score: row.score,
            turns: row.turns.len() as u32,
            persona: row.personas.user_id.to_owned(),
            recorded: row.timestamp,
            ..Self::default()
        };
        let said = row.turns.iter().flat_map(|turn| [turn.user, turn.assistant]);
        let modes = row.turns.iter().map(|turn| turn.mode.to_owned());
        let sources = row.turns.iter().flat_map(|turn| &turn.sources).map(|source| (*source).to_owned());
        entry.with(said, modes, sources)
    }

    fn with<'t>(
        mut self,
        said: impl Iterator<Item = &'t str>,
        modes: impl IntoIterator<Item = String>,
        documents: impl Iterator<Item = String>,
    ) -> Self {
        let said: Vec<&str> = said.collect();
        self.opening = said.first().map_or(String::new(), |text| text.chars().take(OPENING).collect());
        self.words = said.iter().map(|text| text.split_whitespace().count() as u32).sum();
        self.said = searched(&said.join("\n"));
        modes.into_iter().for_each(|mode| *self.modes.entry(mode).or_default() += 1);
        for document in documents {
            if !self.documents.contains(&document) {
                self.documents.push(document);
            }
        }
        self
    }

    /// Its number among the conversations of its run and language: what its id ends with.
    pub fn slot(&self) -> Option<u32> {
        self.id.rsplit('-').next()?.parse().ok()
    }
}
