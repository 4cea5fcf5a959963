//! What shares of question modes are shares of, counted over conversations that are there.

use crate::domain::{Delivered, QuestionMode};

/// Turns of these conversations where a mode may stand; of `sharded`, which takes whole ones, conversations. They are opened
/// by a question of the settings, or not.
pub fn places(mode: QuestionMode, are_opened: bool, over: &Delivered) -> u64 {
    let Delivered { conversations, longer, turns, .. } = *over;
    match mode {
        QuestionMode::Unanswerable if are_opened => turns - conversations,
        QuestionMode::Unanswerable => turns,
        QuestionMode::Underspecified if are_opened => turns - conversations - longer,
        QuestionMode::Sharded if are_opened => 0,
        QuestionMode::Sharded => longer,
        _ => turns - conversations,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_stand_where_the_documentation_says() {
        // Conversations of one, two and four turns.
        let over = Delivered { conversations: 3, longer: 2, turns: 7, ..Delivered::default() };
        for (mode, expected) in [
            (QuestionMode::Unanswerable, [7, 4]),
            (QuestionMode::Underspecified, [4, 2]),
            (QuestionMode::Sharded, [2, 0]),
            (QuestionMode::Followup, [4, 4]),
        ] {
            assert_eq!([false, true].map(|are_opened| places(mode, are_opened, &over)), expected, "{mode:?}");
            assert_eq!(places(mode, true, &Delivered::default()), 0);
        }
    }
}
