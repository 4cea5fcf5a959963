//! What accepted conversations hold of what shares ask for: question modes and registers.

use super::{Conversation, Outcome, QuestionMode, Register};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many turns of accepted conversations have which question mode, and how many of these conversations which register.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Delivered {
    /// Conversations that were accepted.
    pub conversations: u64,
    /// Those of them that have more than one turn.
    pub longer: u64,
    /// The turns of all of them.
    pub turns: u64,
    /// Turns by the mode of their question.
    pub modes: BTreeMap<QuestionMode, OfMode>,
    /// Conversations by the way in which their person was to write.
    pub registers: BTreeMap<Register, u64>,
}

/// What accepted conversations hold of one question mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OfMode {
    /// Conversations that have such a turn.
    pub conversations: u64,
    /// Turns whose question has the mode.
    pub turns: u64,
    /// Those of them whose answer says that it is not known.
    pub abstaining: u64,
}

impl Delivered {
    /// What a conversation holds; nothing where it was not accepted.
    pub fn of(conversation: &Conversation) -> Self {
        if conversation.outcome != Some(Outcome::Completed) {
            return Self::default();
        }
        let turns = &conversation.turns;
        let mut modes: BTreeMap<QuestionMode, OfMode> = BTreeMap::new();
        for turn in turns {
            let mode = modes.entry(turn.question.mode).or_default();
            mode.conversations = 1;
            mode.turns += 1;
            mode.abstaining += u64::from(turn.answer.findings.abstains);
        }
        let register = turns.first().and_then(|turn| turn.question.register);
        Self {
            conversations: 1,
            longer: u64::from(turns.len() > 1),
            turns: turns.len() as u64,
            modes,
            registers: register.into_iter().map(|register| (register, 1)).collect(),
        }
    }

    /// Adds what other conversations hold.
    pub fn add(&mut self, more: Self) {
        self.conversations += more.conversations;
        self.longer += more.longer;
        self.turns += more.turns;
        for (mode, more) in more.modes {
            let mode = self.modes.entry(mode).or_default();
            mode.conversations += more.conversations;
            mode.turns += more.turns;
            mode.abstaining += more.abstaining;
        }
        for (register, more) in more.registers {
            *self.registers.entry(register).or_default() += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample::{dropped_conversation, sample_conversation};
    use std::sync::Arc;

    #[test]
    fn what_accepted_conversations_hold_is_counted() {
        let mut first = sample_conversation();
        let asked = |conversation: &mut Conversation, mode, abstains| {
            for turn in &mut conversation.turns {
                let turn = Arc::make_mut(turn);
                let question = Arc::make_mut(&mut turn.question);
                (question.mode, question.register) = (mode, Some(Register::Terse));
                turn.answer.findings.abstains = abstains;
            }
        };
        let turns = first.turns.len() as u64;
        asked(&mut first, QuestionMode::Unanswerable, true);
        let mut second = sample_conversation();
        second.turns.truncate(1);
        asked(&mut second, QuestionMode::Fresh, false);
        let mut all = Delivered::default();
        [first, second, dropped_conversation()].iter().for_each(|one| all.add(Delivered::of(one)));
        let held = |conversations, turns, abstaining| OfMode { conversations, turns, abstaining };
        let expected = Delivered {
            conversations: 2,
            longer: 1,
            turns: turns + 1,
            modes: [(QuestionMode::Fresh, held(1, 1, 0)), (QuestionMode::Unanswerable, held(1, turns, turns))].into(),
            registers: [(Register::Terse, 2)].into(),
        };
        assert_eq!(all, expected);
        assert!(turns > 1);
    }
}
