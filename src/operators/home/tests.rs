//! Verdicts one after the other, at the home of one conversation.

use super::*;
use crate::domain::{Candidate, Normalisation, Slot, Turn, Used, fixtures};
use std::sync::mpsc;

const RETRIES: Retries = Retries { duplicates: 1, regenerations: 0 };

fn conversation() -> InFlight {
    InFlight::new(fixtures::conversation(Slot::default(), 2), Arc::default())
}

fn verdict(rank: Rank, question: &str, won: bool) -> Verdict {
    let ruling = if won { Ruling::Stands } else { Ruling::Duplicate };
    Verdict { rank, fingerprint: of(question), ruling }
}

fn of(question: &str) -> Fingerprint {
    Fingerprint::of(question, Normalisation::default())
}

fn question(text: &str) -> Question {
    fixtures::question(text, Used { chunk: Some(ChunkIndex(1)), ..fixtures::used(text) })
}

/// The conversation as it comes back with its question answered.
fn answered(mut conversation: InFlight) -> InFlight {
    let (index, attempt) = (conversation.turn_index(), conversation.round.attempt);
    let Round { question, regenerated, .. } = std::mem::take(&mut conversation.round);
    let made = Turn {
        index,
        attempt,
        question: question.unwrap(),
        answer: fixtures::answer("Yes."),
        judgement: Some(fixtures::judgement(8)),
        rejected: Vec::new(),
        regenerated,
        near_duplicates: Vec::new(),
    };
    conversation.turns.push(made.into());
    conversation
}

fn moved(home: &mut Home) -> (Route, InFlight) {
    let mut moves: Vec<_> = home.moves().collect();
    assert_eq!(moves.len(), 1);
    moves.remove(0)
}

/// Sends what there is at a tick; what was sent.
fn sent(home: &mut Home, tick: u64) -> Vec<(Rank, isize)> {
    let changes = home.changes(Tick(tick)).into_iter().flatten();
    changes.map(|((_, rank, _), diff)| (rank, diff)).collect()
}

/// A home whose conversation asked "a", won, was answered, and asked "b".
fn at_second_turn() -> (Home, Rank, Rank) {
    let mut home = Home::new(0, RETRIES, Observer::default());
    home.register(conversation());
    home.ask(conversation(), Ok(question("a")));
    let first = conversation().rank();
    assert_eq!(sent(&mut home, 0), [(first, 1)]);
    home.apply(verdict(first, "a", true));
    assert_eq!(home.close(Tick(0), vec![]).bound, conversation().rank_at(TurnIndex(2), Attempt(0)));
    let (route, accepted) = moved(&mut home);
    assert_eq!(route, Route::Accepted);
    let second = answered(accepted);
    home.ask(second.clone(), Ok(question("b")));
    assert_eq!(sent(&mut home, 1), [(second.rank(), 1)]);
    (home, first, second.rank())
}

#[test]
fn a_conversation_is_pending_from_its_registration_to_its_end() {
    let mut home = Home::new(0, RETRIES, Observer::default());
    assert_eq!(home.close(Tick(0), vec![]).bound, Rank::END);
    home.register(conversation());
    let report = home.close(Tick(1), vec![]);
    assert_eq!((report.bound, report.registered, report.open), (conversation().rank(), 1, 1));
    home.end(&conversation());
    assert!(home.changes(Tick(2)).is_some(), "an end is news");
    assert!(home.changes(Tick(3)).is_none());
    let report = home.close(Tick(2), vec![]);
    assert_eq!((report.bound, report.open, report.held), (Rank::END, 0, 1));
    home.settle(conversation().rank());
    assert_eq!(home.close(Tick(3), vec![]).held, 1, "its own rank is not past");
    home.settle(Rank { index: conversation().slot.index + 1, ..conversation().rank() });
    assert_eq!(home.close(Tick(4), vec![]).held, 0, "whatever others of its wave do");
}

#[test]
fn those_that_were_dropped_are_told_apart_until_they_are_final_or_go_on() {
    let (mut home, first, second) = at_second_turn();
    home.apply(verdict(second, "b", true));
    let (_, mut dropped) = moved(&mut home);
    dropped.outcome = Some(Outcome::Dropped(DropReason::DedupExhausted));
    home.end(&dropped);
    let report = home.close(Tick(2), vec![]);
    assert_eq!((report.held, report.dropped), (1, 1));
    // Its first question loses after all: it goes on.
    let report = home.close(Tick(3), vec![verdict(first, "a", false)]);
    assert_eq!((report.held, report.dropped), (0, 0));
}

#[test]
fn a_late_loss_takes_back_what_came_after_and_tries_again() {
    let (mut home, first, second) = at_second_turn();
    home.apply(verdict(second, "b", true));
    let (_, mut stale) = moved(&mut home);
    assert_eq!(home.close(Tick(1), vec![]).bound.turn, TurnIndex(3));
    home.apply(verdict(first, "a", false));
    let (route, again) = moved(&mut home);
    assert_eq!(
        (route, again.rank(), again.turns.len()),
        (Route::Rejected, conversation().rank_at(TurnIndex(1), Attempt(1)), 0)
    );
    assert!(stale.epoch.is_over() && !again.epoch.is_over());
    let report = home.close(Tick(2), vec![]);
    assert_eq!(report.bound, again.rank().min(second), "the withdrawal is pending although it was not sent");
    // Its question, its answer with a verdict, and the answer on its way.
    assert_eq!((report.rollbacks, report.wasted), (1, 4));
    assert_eq!(sent(&mut home, 3), [(second, -1)]);
    assert_eq!(home.close(Tick(2), vec![]).bound, again.rank());
    stale.outcome = Some(Outcome::Completed);
    home.end(&stale);
    home.ask(stale, Ok(question("c")));
    assert!(home.changes(Tick(4)).is_none(), "what an earlier epoch asked for comes to nothing");
    assert_eq!(again.round.avoid, question("a").used.chunk.into_iter().collect::<Vec<_>>());
}

#[test]
fn verdicts_and_roll_backs_are_told_as_they_come() {
    let (told, heard) = mpsc::channel();
    let mut home = Home::new(0, RETRIES, Observer::new(move |event: &Event| told.send(*event).unwrap()));
    home.register(conversation());
    home.ask(conversation(), Ok(question("a")));
    let (slot, first) = (Slot::default(), conversation().rank());
    home.apply(verdict(first, "a", true));
    home.apply(verdict(first, "a", true));
    let second = answered(moved(&mut home).1);
    home.ask(second.clone(), Ok(question("b")));
    home.apply(verdict(second.rank(), "b", false));
    let again = moved(&mut home).1;
    home.ask(again.clone(), Ok(question("c")));
    home.apply(verdict(again.rank(), "c", false));
    home.apply(verdict(first, "a", false));
    let [one, two] = [TurnIndex(1), TurnIndex(2)];
    let expected = [
        Event::Accepted { slot, turn: one, attempt: Attempt(0) },
        Event::Rejected { slot, turn: two, attempt: Attempt(0), again: true },
        Event::Rejected { slot, turn: two, attempt: Attempt(1), again: false },
        Event::RolledBack { slot, turn: one, attempt: Attempt(0), accepted: 1, rejected: 2, calls: 5 },
        Event::Rejected { slot, turn: one, attempt: Attempt(0), again: true },
    ];
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_late_win_goes_on_from_there() {
    let mut home = Home::new(0, RETRIES, Observer::default());
    home.register(conversation());
    home.ask(conversation(), Ok(question("a")));
    home.apply(verdict(conversation().rank(), "a", false));
    let (_, again) = moved(&mut home);
    home.ask(again.clone(), Ok(question("b")));
    home.apply(verdict(again.rank(), "b", false));
    let (route, dropped) = moved(&mut home);
    assert_eq!((route, dropped.outcome.clone()), (Route::Ended, Some(Outcome::Dropped(DropReason::DedupExhausted))));
    home.end(&dropped);
    _ = sent(&mut home, 0);
    let report = home.close(Tick(0), vec![verdict(conversation().rank(), "a", true)]);
    assert_eq!(report.bound, again.rank(), "to be withdrawn");
    let (route, accepted) = moved(&mut home);
    assert_eq!((route, &accepted.outcome, accepted.round.attempt), (Route::Accepted, &None, Attempt(0)));
    assert_eq!(accepted.conversation.round.question.unwrap().reply.user_message, "a");
    assert_eq!(sent(&mut home, 2), [(again.rank(), -1)]);
    assert_eq!(home.close(Tick(1), vec![]).bound, again.rank(), "withdrawn at a tick that has not closed");
    assert_eq!(home.close(Tick(2), vec![]).bound.turn, TurnIndex(2));
}

#[test]
fn a_rejected_question_hands_on_what_is_left_of_its_reply() {
    let mut home = Home::new(0, Retries { duplicates: 2, regenerations: 0 }, Observer::default());
    home.register(conversation());
    let candidate = |text: &str| {
        let Question { reply, used, fingerprint, .. } = question(text);
        Candidate { reply, used, fingerprint, sketch: None, held_out: None }
    };
    home.ask(conversation(), Ok(Question { candidates: vec![candidate("b"), candidate("c")], ..question("a") }));
    let mut at = conversation();
    for (asked, next) in [("a", "b"), ("b", "c")] {
        home.apply(verdict(at.rank(), asked, false));
        let (route, again) = moved(&mut home);
        assert_eq!((route, again.rank().attempt), (Route::Rejected, Attempt(at.round.attempt.0 + 1)));
        let handed = Question::clone(again.round.question.as_ref().unwrap());
        assert_eq!((handed.reply.user_message.as_str(), handed.calls), (next, 0));
        home.ask(again.clone(), Ok(handed));
        at = again;
    }
    // The second to last verdict changes: the last question comes again, from the same reply.
    home.apply(verdict(conversation().rank(), "a", true));
    assert_eq!(moved(&mut home).1.round.question.as_ref().unwrap().reply.user_message, "a");
    home.apply(verdict(conversation().rank(), "a", false));
    let (_, again) = moved(&mut home);
    assert_eq!(again.round.question.as_ref().unwrap().reply.user_message, "b");
    // One that dies before it is asked was not asked.
    home.ask(again, Err(Failure::Lost));
    let (route, lost) = moved(&mut home);
    assert_eq!((route, lost.unfinished()), (Route::Ended, vec![]));
}

#[test]
fn nobody_is_called_for_a_candidate_that_a_roll_back_takes() {
    for (candidates, wasted) in [(vec![], 1), (vec![question("b")], 0)] {
        let mut home = Home::new(0, RETRIES, Observer::default());
        home.register(conversation());
        let of = |Question { reply, used, fingerprint, .. }| Candidate {
            reply,
            used,
            fingerprint,
            sketch: None,
            held_out: None,
        };
        home.ask(
            conversation(),
            Ok(Question { candidates: candidates.into_iter().map(of).collect(), ..question("a") }),
        );
        home.apply(verdict(conversation().rank(), "a", false));
        home.apply(verdict(conversation().rank(), "a", true));
        assert_eq!(home.close(Tick(0), vec![]).wasted, wasted);
    }
}

#[test]
fn a_claim_is_pending_until_its_own_tick_has_closed() {
    let (mut home, first, second) = at_second_turn();
    home.close(Tick(1), vec![verdict(first, "a", false)]);
    _ = moved(&mut home);
    assert_eq!(sent(&mut home, 7), [(second, -1)]);
    home.close(Tick(2), vec![verdict(first, "a", true)]);
    let (_, accepted) = moved(&mut home);
    home.ask(answered(accepted), Ok(question("b")));
    assert_eq!(sent(&mut home, 8), [(second, 1)]);
    // A verdict on the claim that was withdrawn looks like one on the claim that was made again.
    home.close(Tick(3), vec![verdict(second, "b", true)]);
    assert_eq!(home.close(Tick(7), vec![]).bound, second);
    assert_eq!(home.close(Tick(8), vec![]).bound.turn, TurnIndex(3));
}

#[test]
fn a_report_tells_of_the_verdicts_of_its_tick() {
    let (mut home, first, second) = at_second_turn();
    home.close(Tick(1), vec![verdict(second, "b", false)]);
    let (_, again) = moved(&mut home);
    home.ask(again.clone(), Ok(question("c")));
    _ = sent(&mut home, 2);
    // The other one is late, and would be news to this tick's report if it came after.
    let verdicts = vec![verdict(again.rank(), "c", true), verdict(first, "a", false)];
    let report = home.close(Tick(2), verdicts);
    assert_eq!(report.bound, conversation().rank_at(TurnIndex(1), Attempt(1)));
    assert_eq!(sent(&mut home, 3), [(second, -1), (again.rank(), -1)]);
}

#[test]
fn a_verdict_for_a_withdrawn_claim_is_ignored() {
    let (mut home, first, second) = at_second_turn();
    home.apply(verdict(first, "a", false));
    _ = moved(&mut home);
    home.apply(verdict(second, "b", true));
    home.apply(verdict(first, "another", true));
    assert_eq!(home.moves().count(), 0);
}

#[test]
#[should_panic(expected = "a final verdict changed")]
fn a_final_verdict_never_changes() {
    let (mut home, first, second) = at_second_turn();
    home.settle(second);
    home.apply(verdict(first, "a", false));
}

/// The conversation as it comes back when its turn is to be made again.
fn regenerated(conversation: InFlight) -> InFlight {
    let mut again = answered(conversation);
    let mut turn = Arc::unwrap_or_clone(again.turns.pop().unwrap());
    let attempt = Attempt(turn.attempt.0 + 1);
    let mut regenerated = std::mem::take(&mut turn.regenerated);
    regenerated.push(turn.into());
    again.round = Round { attempt, regenerated, ..Round::default() };
    again
}

#[test]
fn a_turn_that_may_be_made_again_holds_back_the_watermark() {
    let mut home = Home::new(0, Retries { regenerations: 1, ..RETRIES }, Observer::default());
    home.register(conversation());
    home.ask(conversation(), Ok(question("a")));
    let rank = |turn, attempt| conversation().rank_at(TurnIndex(turn), Attempt(attempt));
    sent(&mut home, 0);
    home.apply(verdict(rank(1, 0), "a", true));
    assert_eq!(home.close(Tick(0), vec![]).bound, rank(1, 1), "it may be rejected by the judge yet");
    let again = regenerated(moved(&mut home).1);
    home.ask(again, Ok(question("b")));
    assert_eq!(sent(&mut home, 1), [(rank(1, 1), 1)]);
    home.apply(verdict(rank(1, 1), "b", true));
    assert_eq!(home.close(Tick(1), vec![]).bound, rank(2, 0), "it was made again once");
    let (route, accepted) = moved(&mut home);
    assert_eq!((route, accepted.round.regenerated.len()), (Route::Accepted, 1));
    home.ask(answered(accepted), Ok(question("c")));
    sent(&mut home, 2);

    // The second question is lost late: it is followed by a third one, and the turn made again is remembered.
    home.apply(verdict(rank(1, 1), "b", false));
    assert_eq!(sent(&mut home, 3), [(rank(2, 0), -1)]);
    let (route, third) = moved(&mut home);
    assert_eq!((route, third.round.attempt, third.round.regenerated.len()), (Route::Rejected, Attempt(2), 1));
    home.ask(third, Ok(question("d")));
    sent(&mut home, 4);
    // The first question is lost: nothing came of it, and nothing is left of what was made again.
    home.apply(verdict(rank(1, 0), "a", false));
    assert_eq!(sent(&mut home, 5), [(rank(1, 1), -1), (rank(1, 2), -1)]);
    let (route, second) = moved(&mut home);
    assert_eq!((route, second.round.attempt, second.round.regenerated.len()), (Route::Rejected, Attempt(1), 0));
}
