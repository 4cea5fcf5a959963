//! What a run holds of the modes and registers that its shares ask for, in words.

use crate::domain::{Delivered, OfMode, QuestionMode, Register};
use crate::plan;
use std::collections::BTreeMap;

/// A line for each mode that has a share: how many of the turns that were asked for the accepted conversations hold. They are
/// opened by a question of the settings, or not.
pub fn modes(shares: &BTreeMap<QuestionMode, f64>, are_opened: bool, delivered: &Delivered) -> Vec<String> {
    let line = |(mode, share): (&QuestionMode, &f64)| {
        let OfMode { conversations, turns, abstaining } = delivered.modes.get(mode).copied().unwrap_or_default();
        let (held, unit) = match mode {
            QuestionMode::Sharded => (conversations, "conversations"),
            _ => (turns, "turns"),
        };
        let wanted = share * plan::places(*mode, are_opened, delivered) as f64;
        // In every other mode an answer is to be had, so it is told only where some have none.
        let is_told = abstaining > 0 || *mode == QuestionMode::Unanswerable;
        let unknown = if is_told { format!(", {abstaining} answered as not known") } else { String::new() };
        format!("{}: {held} {unit} (asked for: {wanted:.1}){unknown}", mode.as_str())
    };
    shares.iter().map(line).collect()
}

/// The same for registers, which are shares of the conversations.
pub fn registers(shares: &BTreeMap<Register, f64>, delivered: &Delivered) -> Vec<String> {
    let line = |(register, share): (&Register, &f64)| {
        let held = delivered.registers.get(register).copied().unwrap_or_default();
        let wanted = share * delivered.conversations as f64;
        format!("{}: {held} conversations (asked for: {wanted:.1})", register.as_str())
    };
    shares.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stands_beside_what_there_is() {
        let of_mode = |conversations, turns, abstaining| OfMode { conversations, turns, abstaining };
        let delivered = Delivered {
            conversations: 10,
            longer: 8,
            turns: 30,
            modes: [
                (QuestionMode::Unanswerable, of_mode(3, 4, 3)),
                (QuestionMode::Sharded, of_mode(1, 3, 0)),
                (QuestionMode::Correction, of_mode(2, 2, 1)),
                (QuestionMode::Fresh, of_mode(10, 21, 2)),
            ]
            .into(),
            registers: [(Register::Terse, 4)].into(),
        };
        let shares = [
            (QuestionMode::Unanswerable, 0.1),
            (QuestionMode::Sharded, 0.25),
            (QuestionMode::Correction, 0.08),
            (QuestionMode::Challenge, 0.07),
        ];
        assert_eq!(
            modes(&shares.into(), false, &delivered),
            [
                "unanswerable: 4 turns (asked for: 3.0), 3 answered as not known",
                "sharded: 1 conversations (asked for: 2.0)",
                "correction: 2 turns (asked for: 1.6), 1 answered as not known",
                "challenge: 0 turns (asked for: 1.4)",
            ]
        );
        let told = registers(&[(Register::Terse, 0.33), (Register::Formal, 0.1)].into(), &delivered);
        assert_eq!(told, ["terse: 4 conversations (asked for: 3.3)", "formal: 0 conversations (asked for: 1.0)"]);
        assert!(modes(&BTreeMap::new(), false, &delivered).is_empty());
    }
}
