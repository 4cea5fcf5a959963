//! `advance`: a judged round becomes a turn, and the conversation goes on or is finished.

use super::{Flow, InFlight};
use crate::domain::{
    Acceptance, Answer, Attempt, DropReason, Failure, Judged, Judgement, Outcome, Repaired, Round, Turn,
};
use std::sync::Arc;
use timely::dataflow::operators::vec::{Map, Partition};

/// Splits judged conversations into those with more turns to come and those that are finished.
pub fn advance<'scope>(
    judged: Flow<'scope, (InFlight, Result<Judged, Failure>)>,
) -> (Flow<'scope, InFlight>, Flow<'scope, InFlight>) {
    let mut ways = judged
        .map(|(conversation, judged)| advanced(conversation, judged))
        .partition(2, |conversation| (u64::from(conversation.outcome.is_some()), conversation))
        .into_iter();
    match (ways.next(), ways.next()) {
        (Some(unfinished), Some(finished)) => (unfinished, finished),
        _ => unreachable!("partition returns as many streams as it is asked for"),
    }
}

fn advanced(mut conversation: InFlight, judged: Result<Judged, Failure>) -> InFlight {
    let judged = match judged {
        Ok(judged) => judged,
        // Cut short, even one that is dropped: it may still be judged as a whole when the run goes on.
        Err(Failure::Stopped) => {
            conversation.outcome = Some(Outcome::Interrupted);
            return conversation;
        }
        // A conversation that was dropped before it was judged keeps the reason it has.
        Err(failure) => {
            if matches!(conversation.outcome, None | Some(Outcome::Completed)) {
                conversation.outcome = Some(failure.into());
            }
            return conversation;
        }
    };
    let judged = match judged {
        Judged::Repaired(repaired) => {
            let Repaired { rejected, answer, judged } = *repaired;
            (conversation.round.rejected, conversation.round.answer) = (rejected, Some(answer));
            judged
        }
        judged => judged,
    };
    let (of_turn, of_conversation) = match judged {
        Judged::Turn(judgement) => (Some(judgement), None),
        Judged::Conversation(judgement) => (None, Some(judgement)),
        Judged::Regenerate(judgement) => {
            regenerate(&mut conversation, judgement);
            return conversation;
        }
        Judged::Nothing | Judged::Repaired(_) => (None, None),
    };
    let checked = conversation.round.answer.as_ref().and_then(unchecked);
    let rejected = checked.or_else(|| of_turn.as_ref().or(of_conversation.as_ref()).and_then(rejection));
    conversation.judgement = of_conversation;
    if conversation.outcome.is_some() {
        // Its user ended it: the verdict on the whole decides, as where its last turn does.
        if conversation.outcome == Some(Outcome::Completed) {
            conversation.outcome = rejected.map(Outcome::Dropped).or(Some(Outcome::Completed));
        }
        return conversation;
    }
    let turn = turn(&mut conversation, of_turn);
    conversation.turns.extend(turn.map(Arc::new));
    // The turn stays, with its verdict: its question has been asked.
    conversation.outcome = rejected.map(Outcome::Dropped);
    if conversation.outcome.is_none() && conversation.turns.len() >= usize::from(conversation.target_turns) {
        conversation.outcome = Some(Outcome::Completed);
    }
    conversation
}

/// The turn that the round has become, whose place is taken by an empty one.
fn turn(conversation: &mut InFlight, judgement: Option<Judgement>) -> Option<Turn> {
    let index = conversation.turn_index();
    let Round { attempt, near_duplicates, question, answer, rejected, regenerated, .. } =
        std::mem::take(&mut conversation.round);
    let (question, answer) = (question?, answer?);
    Some(Turn { index, attempt, question, answer, judgement, rejected, regenerated, near_duplicates })
}

/// The turn is made once more: another question, about other passages. Its own stays claimed, and what was made is kept.
fn regenerate(conversation: &mut InFlight, judgement: Judgement) {
    let mut avoid = std::mem::take(&mut conversation.round.avoid);
    let near_duplicates = conversation.round.near_duplicates.clone();
    if let Some(mut turn) = turn(conversation, Some(judgement)) {
        avoid.extend(turn.question.used.chunk);
        avoid.sort_unstable();
        avoid.dedup();
        let attempt = Attempt(turn.attempt.0 + 1);
        let mut regenerated = std::mem::take(&mut turn.regenerated);
        regenerated.push(turn.into());
        conversation.round = Round { attempt, avoid, near_duplicates, regenerated, ..Round::default() };
    }
}

/// Why a conversation with this verdict is dropped, if it is.
fn rejection(judgement: &Judgement) -> Option<DropReason> {
    let reply = &judgement.reply;
    (judgement.acceptance == Acceptance::Rejected).then(|| {
        DropReason::Judged(format!(
            "the judge's verdict does not meet judge.accept: score {}, question_ok {}, answer_ok {}: {}",
            reply.score, reply.question_ok, reply.answer_ok, reply.notes
        ))
    })
}

/// Why a conversation with this answer is dropped before the judge is asked, if it is.
fn unchecked(answer: &Answer) -> Option<DropReason> {
    let findings = &answer.findings;
    (findings.acceptance == Acceptance::Rejected)
        .then(|| DropReason::Checked(format!("a turn does not meet checks.reject: {}", findings.told())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Conversation, Slot, fixtures};

    #[test]
    fn a_dropped_conversation_keeps_its_reason_unless_the_run_stops_before_it_is_judged() {
        let dropped = Some(Outcome::Dropped(DropReason::DedupExhausted));
        for (failure, outcome) in [(Failure::Lost, dropped), (Failure::Stopped, Some(Outcome::Interrupted))] {
            let exhausted = Some(Outcome::Dropped(DropReason::DedupExhausted));
            let conversation = Conversation { outcome: exhausted, ..fixtures::conversation(Slot::default(), 2) };
            assert_eq!(advanced(in_flight(conversation), Err(failure)).outcome, outcome);
        }
    }

    fn in_flight(conversation: Conversation) -> InFlight {
        InFlight::new(conversation, Arc::default())
    }

    /// The last turn of a conversation of two, as it comes from the judge.
    fn judged(acceptance: Acceptance, whole: bool) -> (InFlight, Judged) {
        let question = || fixtures::question("Why?", fixtures::used("Why?"));
        let mut conversation = fixtures::conversation(Slot::default(), 2);
        conversation.turns.push(fixtures::turn(1, question(), fixtures::answer("Yes.")).into());
        let (question, answer) = (Some(question().into()), Some(fixtures::answer("No.")));
        conversation.round = Round { question, answer, ..Round::default() };
        let judgement = Judgement { acceptance, ..fixtures::judgement(8) };
        (in_flight(conversation), if whole { Judged::Conversation(judgement) } else { Judged::Turn(judgement) })
    }

    #[test]
    fn a_rejected_turn_ends_its_conversation_and_stays_in_it() {
        for whole in [false, true] {
            for (acceptance, reason) in
                [(Acceptance::Accepted, ""), (Acceptance::Flagged, ""), (Acceptance::Rejected, "judge_rejected")]
            {
                let (conversation, verdict) = judged(acceptance, whole);
                let advanced = advanced(conversation, Ok(verdict));
                assert_eq!(advanced.turns.len(), 2);
                assert_eq!(advanced.outcome.as_ref().map(Outcome::drop_reason), Some(reason), "{acceptance:?} {whole}");
            }
        }
        let (mut first, verdict) = judged(Acceptance::Rejected, false);
        first.turns.clear();
        let first = advanced(first, Ok(verdict));
        assert_eq!((first.turns.len(), first.outcome.as_ref().map(Outcome::drop_reason)), (1, Some("judge_rejected")));
        // One that its user ended is dropped where it is not good enough, or can't be judged.
        for (verdict, reason) in [
            (Ok(Judged::Nothing), ""),
            (Ok(judged(Acceptance::Accepted, true).1), ""),
            (Ok(judged(Acceptance::Rejected, true).1), "judge_rejected"),
            (Err(Failure::Lost), "lost"),
        ] {
            let (mut ended, _) = judged(Acceptance::Accepted, true);
            (ended.outcome, ended.round) = (Some(Outcome::Completed), Round::default());
            let ended = advanced(ended, verdict);
            assert_eq!((ended.turns.len(), ended.outcome.as_ref().map(Outcome::drop_reason)), (1, Some(reason)));
        }
        // One that was dropped before keeps its reason.
        let (mut ended, verdict) = judged(Acceptance::Rejected, true);
        ended.outcome = Some(Outcome::Dropped(DropReason::DedupExhausted));
        let ended = advanced(ended, Ok(verdict));
        assert_eq!(ended.outcome, Some(Outcome::Dropped(DropReason::DedupExhausted)));
    }
}
