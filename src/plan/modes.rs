//! How a question relates to what was said before.

use super::Options;
use super::draw::{self, Purpose};
use crate::domain::{Conversation, QuestionMode};
use rand::RngExt;

/// Shares of the modes in the second turn; the last takes what is left.
const SECOND_TURN: [(QuestionMode, f64); 4] = [
    (QuestionMode::Followup, 0.70),
    (QuestionMode::Adjacent, 0.20),
    (QuestionMode::Fresh, 0.08),
    (QuestionMode::OffTopic, 0.02),
];

/// Shares of the modes in later turns.
const LATER_TURNS: [(QuestionMode, f64); 4] = [
    (QuestionMode::Followup, 0.45),
    (QuestionMode::Adjacent, 0.30),
    (QuestionMode::Fresh, 0.23),
    (QuestionMode::OffTopic, 0.02),
];

/// The mode of the question being asked, where no share gives it one: fresh after a rejected one; in the first turn seeded when
/// the settings give a question, else fresh; fresh while nothing was answered; otherwise drawn from those without a share.
pub(super) fn drawn(options: &Options, conversation: &Conversation) -> QuestionMode {
    if conversation.round.attempt.0 > 0 {
        return QuestionMode::Fresh;
    }
    if conversation.turns.is_empty() && !options.question.trim().is_empty() {
        return QuestionMode::Seeded;
    }
    if last_answer(conversation).is_none() {
        return QuestionMode::Fresh;
    }
    let shares = if conversation.turn_index().0 <= 2 { SECOND_TURN } else { LATER_TURNS };
    let point = draw::stream(options.seed, Purpose::Mode, &draw::question(conversation)).random();
    let left: Vec<(QuestionMode, f64)> =
        shares.into_iter().filter(|(mode, _)| !options.modes.contains_key(mode)).collect();
    match left.len() {
        0 | 4 => picked(&shares, point),
        _ => picked(&left, point * left.iter().map(|(_, share)| share).sum::<f64>()),
    }
}

/// The assistant's last message, unless it is blank.
pub(super) fn last_answer(conversation: &Conversation) -> Option<&str> {
    let message = conversation.turns.last()?.answer.reply.assistant_message.as_str();
    (!message.trim().is_empty()).then_some(message)
}

/// The mode at a point of the shares laid side by side; the last takes what is left.
fn picked(shares: &[(QuestionMode, f64)], mut point: f64) -> QuestionMode {
    let mut last = QuestionMode::Fresh;
    for (mode, share) in shares {
        last = *mode;
        if point < *share {
            break;
        }
        point -= share;
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Attempt;
    use crate::plan::fixtures;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    #[test]
    fn shares_are_those_of_the_tables() {
        for (turns, shares) in [(1, SECOND_TURN), (2, LATER_TURNS), (5, LATER_TURNS)] {
            assert!((shares.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-9);
            let mut seen = BTreeMap::<&str, f64>::new();
            for index in 0..4000 {
                let conversation = fixtures::conversation(index, turns);
                *seen.entry(drawn(&fixtures::options(), &conversation).as_str()).or_default() += 1.0;
            }
            // Chi-square with 3 degrees of freedom: 16.3 is exceeded once in a thousand.
            let deviation: f64 = shares
                .iter()
                .map(|(mode, share)| (seen[mode.as_str()] - share * 4000.0).powi(2) / (share * 4000.0))
                .sum();
            assert!(deviation < 16.3, "after {turns} turns: {seen:?}");
        }
    }

    #[test]
    fn what_has_a_share_is_not_drawn_beside_it() {
        let modes = [(QuestionMode::Followup, 0.1), (QuestionMode::OffTopic, 0.0), (QuestionMode::Challenge, 0.1)];
        let options = Options { modes: modes.into(), ..fixtures::options() };
        let drawn: Vec<_> = (0..1000).map(|index| drawn(&options, &fixtures::conversation(index, 2))).collect();
        let adjacent = drawn.iter().filter(|mode| **mode == QuestionMode::Adjacent).count();
        // 0.30 of 0.53, with a standard deviation of 16.
        assert!((500..632).contains(&adjacent), "{adjacent}");
        assert!(drawn.iter().all(|mode| matches!(mode, QuestionMode::Adjacent | QuestionMode::Fresh)));
    }

    #[test]
    fn what_is_known_beforehand_is_not_drawn() {
        let plain = fixtures::options();
        let asked = Options { question: "What is tea?".into(), ..fixtures::options() };
        let mut rejected = fixtures::conversation(0, 3);
        rejected.round.attempt = Attempt(1);
        let mut rejected_opening = fixtures::conversation(0, 0);
        rejected_opening.round.attempt = Attempt(1);
        let mut unanswered = fixtures::conversation(0, 3);
        Arc::make_mut(&mut unanswered.turns[2]).answer.reply.assistant_message = " ".into();
        for (options, conversation, expected) in [
            (&plain, fixtures::conversation(0, 0), QuestionMode::Fresh),
            (&asked, fixtures::conversation(0, 0), QuestionMode::Seeded),
            (&asked, rejected_opening, QuestionMode::Fresh),
            (&plain, rejected.clone(), QuestionMode::Fresh),
            (&asked, rejected, QuestionMode::Fresh),
            (&plain, unanswered, QuestionMode::Fresh),
        ] {
            assert_eq!(drawn(options, &conversation), expected);
        }
    }

    #[test]
    fn slots_have_streams_of_their_own_even_under_one_question() {
        let asked = Options { question: "What is tea?".into(), ..fixtures::options() };
        let modes: Vec<_> = (0..40).map(|index| drawn(&asked, &fixtures::conversation(index, 2))).collect();
        assert!(modes.iter().any(|mode| *mode != modes[0]));
    }
}
