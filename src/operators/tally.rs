//! What became of conversations, and how far a run is.

use super::watermark::Watermark;
use crate::domain::{Conversation, LanguageIndex, Outcome, Slot, Turns, Used, Wave};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a conversation does not count; a replacement is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// The `drop_reason` of the outputs.
    pub reason: String,
    /// What happened, for people.
    pub detail: String,
}

/// The end of a conversation, as the quota sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// Its place among the conversations of its language.
    pub slot: Slot,
    /// The wave it belongs to.
    pub wave: Wave,
    /// Why it was dropped; none when it counts.
    pub dropped: Option<Dropped>,
    /// What its accepted questions used.
    #[serde(with = "super::crossing")]
    pub used: Vec<Used>,
    /// Questions of it that were rejected as duplicates.
    pub duplicates: u32,
    /// What its turns came to.
    pub turns: Turns,
}

impl Completion {
    /// Of a conversation that has come to its end.
    pub fn of(conversation: &Conversation) -> Option<Self> {
        let dropped = match conversation.outcome.as_ref()? {
            Outcome::Completed => None,
            Outcome::Dropped(reason) => Some(Dropped { reason: reason.as_str().into(), detail: reason.detail() }),
            Outcome::Interrupted => return None,
        };
        Some(Self {
            slot: conversation.slot,
            wave: conversation.wave,
            dropped,
            used: conversation.turns.iter().map(|turn| turn.question.used.clone()).collect(),
            duplicates: conversation.duplicates(),
            turns: Turns::of(conversation),
        })
    }
}

/// How far a language is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// Conversations that were accepted.
    pub accepted: u32,
    /// Conversations that were dropped.
    pub dropped: u32,
    /// Conversations that were opened.
    pub opened: u32,
    /// Drops since the last acceptance.
    pub(super) consecutive_drops: u32,
    pub(super) given_up: bool,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// By language, in order.
    pub languages: Vec<Progress>,
    /// Questions rejected as duplicates.
    pub duplicates: u64,
    /// What the turns of conversations that have ended came to.
    pub turns: Turns,
    /// Conversations dropped, by the reason that outputs give.
    pub drops: BTreeMap<String, u32>,
    /// What happened to the conversation dropped last.
    pub last_drop: Option<String>,
    /// Conversations that have ended and wait for the watermark.
    pub held: u32,
    /// Those of them that were dropped.
    pub held_dropped: u32,
    /// The most of them at a time: how far the run was ahead of its watermark.
    pub lag: u32,
    /// Verdicts on claims that changed later.
    pub rollbacks: u64,
    /// Model calls that came to nothing by it.
    pub wasted: u64,
}

impl Tally {
    /// Counts a conversation. They come in slot order.
    pub fn count(&mut self, completion: Completion) {
        let language = &mut self.languages[usize::from(completion.slot.language.0)];
        match completion.dropped {
            None => {
                language.accepted += 1;
                language.consecutive_drops = 0;
            }
            Some(Dropped { reason, detail }) => {
                language.dropped += 1;
                language.consecutive_drops += 1;
                *self.drops.entry(reason).or_default() += 1;
                self.last_drop = Some(detail);
            }
        }
        self.duplicates += u64::from(completion.duplicates);
        self.turns.add(completion.turns);
    }

    /// Takes note of how far the homes are ahead of the watermark.
    pub fn observe(&mut self, homes: &Watermark) {
        self.held = homes.reports().map(|report| report.held).sum();
        self.held_dropped = homes.reports().map(|report| report.dropped).sum();
        self.lag = self.lag.max(self.held);
        self.rollbacks = homes.reports().map(|report| report.rollbacks).sum();
        self.wasted = homes.reports().map(|report| report.wasted).sum();
    }

    /// Conversations accepted in all languages.
    pub fn accepted(&self) -> u32 {
        self.languages.iter().map(|language| language.accepted).sum()
    }

    /// The languages that fell short of so many conversations.
    pub fn shortfalls(&self, total: u32) -> Vec<Shortfall> {
        let short = |(at, language): (usize, &Progress)| {
            (language.accepted < total).then_some(Shortfall {
                language: LanguageIndex(at as u16),
                accepted: language.accepted,
                dropped: language.dropped,
                consecutive_drops: if language.given_up { language.consecutive_drops } else { 0 },
            })
        };
        self.languages.iter().enumerate().filter_map(short).collect()
    }

    /// Conversations dropped in all languages.
    pub fn dropped(&self) -> u32 {
        self.languages.iter().map(|language| language.dropped).sum()
    }
}

/// A language that could not be completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortfall {
    /// The language that falls short, by its place in the settings.
    pub language: LanguageIndex,
    /// Conversations that were accepted.
    pub accepted: u32,
    /// Conversations that were dropped.
    pub dropped: u32,
    /// Drops in a row after which it was given up; 0 when it was not given up.
    pub consecutive_drops: u32,
}
