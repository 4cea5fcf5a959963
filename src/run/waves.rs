//! The waves of a run as they are settled.

use super::events::{Event, Listeners, WaveFigures};
use crate::domain::{Outcome, SettledConversation, Wave};
use crate::operators::Completion;
use std::sync::Arc;

/// Counts the conversations of each wave of a language, and tells of it once all of them are there.
#[derive(Default)]
pub struct Waves {
    listeners: Listeners,
    /// Conversations to accept per language.
    target: u32,
    open: Option<(Arc<str>, Wave)>,
    /// Conversations of the open wave, and those of them that count.
    requested: u32,
    persisted: u32,
    /// Whether any of them has come since the process began.
    news: bool,
    /// In the language, waves and accepted conversations up to the wave before.
    number: u32,
    generated: u32,
}

impl Waves {
    /// Of a run that wants so many conversations of every language, and has settled some. Who listens hears of the waves that
    /// have conversations from now on.
    pub fn new(target: u32, languages: &[Arc<str>], settled: &[Completion], listeners: Listeners) -> Self {
        let mut waves = Self { target, listeners, ..Self::default() };
        for completion in settled {
            let language = &languages[usize::from(completion.slot.language.0)];
            waves.add(language, completion.wave, completion.dropped.is_none());
        }
        waves
    }

    /// Counts a conversation that is settled; they come in slot order.
    pub fn count(&mut self, conversation: &SettledConversation) {
        self.add(&conversation.language, conversation.wave, conversation.outcome == Outcome::Completed);
        self.news = true;
    }

    fn add(&mut self, language: &Arc<str>, wave: Wave, accepted: bool) {
        if self.open.as_ref().is_none_or(|open| open.0 != *language || open.1 != wave) {
            self.close();
            if self.open.as_ref().is_some_and(|open| open.0 != *language) {
                (self.number, self.generated) = (0, 0);
            }
            self.open = Some((language.clone(), wave));
        }
        self.requested += 1;
        self.persisted += u32::from(accepted);
    }

    /// All conversations of the open wave are settled.
    pub fn close(&mut self) {
        let Some((language, wave)) = &self.open else { return };
        if self.requested == 0 {
            return;
        }
        self.number += 1;
        self.generated += self.persisted;
        if self.news {
            self.listeners.tell(&Event::WaveSettled(WaveFigures {
                language,
                wave: *wave,
                number: self.number,
                opened: self.requested,
                accepted: self.persisted,
                of_language: self.generated,
                target: self.target,
            }));
        }
        (self.requested, self.persisted, self.news) = (0, 0, false);
    }
}
