//! `advance`: a judged round becomes a turn, and the conversation goes on or is finished.

use super::Flow;
use crate::words::{Conversation, Ending, Failure, Judged, Round, Turn};
use std::sync::Arc;
use timely::dataflow::operators::vec::{Map, Partition};

/// Splits judged conversations into those with more turns to come and those that are finished.
pub fn advance<'scope>(
    judged: Flow<'scope, (Conversation, Result<Judged, Failure>)>,
) -> (Flow<'scope, Conversation>, Flow<'scope, Conversation>) {
    let mut ways = judged
        .map(|(conversation, judged)| advanced(conversation, judged))
        .partition(2, |conversation| (u64::from(conversation.ending.is_some()), conversation))
        .into_iter();
    match (ways.next(), ways.next()) {
        (Some(unfinished), Some(finished)) => (unfinished, finished),
        _ => unreachable!("partition returns as many streams as it is asked for"),
    }
}

fn advanced(mut conversation: Conversation, judged: Result<Judged, Failure>) -> Conversation {
    let judged = match judged {
        Ok(judged) => judged,
        // Cut short, even one that is dropped: it may still be judged as a whole when the run goes on.
        Err(Failure::Stopped) => return Conversation { ending: Some(Ending::Interrupted), ..conversation },
        // A conversation that ended before it was judged keeps the reason it has.
        Err(failure) => {
            conversation.ending.get_or_insert(failure.into());
            return conversation;
        }
    };
    let (of_turn, of_conversation) = match judged {
        Judged::Nothing => (None, None),
        Judged::Turn(judgement) => (Some(judgement), None),
        Judged::Conversation(judgement) => (None, Some(judgement)),
    };
    conversation.judgement = of_conversation;
    if conversation.ending.is_some() {
        return conversation;
    }
    let index = conversation.turn_index();
    if let Round { attempt, question: Some(question), answer: Some(answer), .. } =
        std::mem::take(&mut conversation.round)
    {
        conversation.turns.push(Arc::new(Turn { index, attempt, question, answer, judgement: of_turn }));
    }
    if conversation.turns.len() >= usize::from(conversation.target_turns) {
        conversation.ending = Some(Ending::Completed);
    }
    conversation
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample::dropped_conversation;
    use crate::words::DropReason;

    #[test]
    fn a_dropped_conversation_keeps_its_reason_unless_the_run_stops_before_it_is_judged() {
        let dropped = Some(Ending::Dropped(DropReason::DedupExhausted));
        for (failure, ending) in [(Failure::Lost, dropped), (Failure::Stopped, Some(Ending::Interrupted))] {
            assert_eq!(advanced(dropped_conversation(), Err(failure)).ending, ending);
        }
    }
}
