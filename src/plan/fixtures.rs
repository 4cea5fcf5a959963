//! Small catalogues and conversations for the tests of this room.

use super::Asking;
use super::{CoverageOptions, Distribution, MatchLanguage, Options, TopicOptions, TurnOptions};
use crate::domain::{
    Catalogue, ChunkIndex, Conversation, Coverage, Normalisation, Slot, Turn, TurnIndex, Used, fixtures,
};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Balanced, without topics, personas or exploration.
pub fn options() -> Options {
    Options {
        seed: 11,
        turns: TurnOptions { min: 2, max: 6, distribution: Distribution::Poisson, mean: None },
        question: String::new(),
        topics: TopicOptions::default(),
        languages: vec!["en".into()],
        unknown: 0,
        coverage: CoverageOptions {
            balanced: true,
            epsilon: 0.0,
            fraction: 0.2,
            match_language: MatchLanguage::Prefer,
            linked: 0.0,
            dedup_retries: 3,
            normalisation: Normalisation::Full,
            near: None,
            candidates: 1,
        },
        user_personas: Vec::new(),
        assistant_personas: Vec::new(),
        modes: Default::default(),
        style: Default::default(),
    }
}

/// Documents with so many chunks each.
pub fn catalogue(chunks: &[u32]) -> Catalogue {
    fixtures::catalogue(chunks.iter().enumerate().map(|(source, &count)| {
        let texts = (0..count).map(|number| format!("Passage {number} of document {source}."));
        (format!("{source:032x}"), format!("notes/{source:03}.md"), texts.collect())
    }))
}

/// A conversation of the first language with so many answered turns, none of which used a chunk.
pub fn conversation(index: u32, turns: u16) -> Known {
    let turns = (1..=turns).map(|index| turn(TurnIndex(index), None)).collect();
    let conversation = fixtures::conversation(Slot { index, ..Slot::default() }, 6);
    Known { conversation: Conversation { language: "en".into(), turns, ..conversation }, coverage: Coverage::default() }
}

/// The same, which knows that nothing was used yet of a knowledge base.
pub fn knowing(catalogue: &Catalogue, index: u32, turns: u16) -> Known {
    Known { coverage: Coverage::none(catalogue), ..conversation(index, turns) }
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
    let text = format!("question {index}");
    let question = fixtures::question(&text, Used { chunk, ..fixtures::used(&text) });
    Arc::new(fixtures::turn(index.0, question, fixtures::answer(&format!("answer {index}"))))
}
