//! Conversations that have ended are judged, as they would have been while they were made.

use super::{Granularity, Judge};
use crate::domain::{Conversation, Failure, Judgement, Outcome, Round, Turn};
use std::sync::Arc;

/// What is judged of a conversation that has ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rejudging {
    /// Only what has no verdict.
    pub only_unjudged: bool,
    /// Spoiled answers too, where the first turn is judged.
    pub calibrates: bool,
}

impl Judge {
    /// A conversation that has ended, with verdicts: on each of its turns or on the whole, as the judge's granularity is. What
    /// the judge makes no verdict of is without one then. With `only_unjudged` the verdicts that there are stay, and only what has
    /// none is judged. Verdicts of the other granularity stay. What the judge makes of spoiled answers goes with its verdict. None
    /// where there is nothing to judge.
    ///
    /// The judge is asked what it would have been asked in the run that made the conversation, at the same places.
    ///
    /// # Errors
    /// When the model can't be asked.
    pub async fn rejudge(
        &self,
        conversation: &Conversation,
        Rejudging { only_unjudged, calibrates }: Rejudging,
    ) -> Result<Option<Conversation>, Failure> {
        if !self.has_work(conversation, only_unjudged) {
            return Ok(None);
        }
        let mut judged = conversation.clone();
        match self.granularity() {
            Granularity::Conversation => judged.judgement = self.judge(&when_over(conversation)).await?,
            Granularity::Turn => {
                for (at, turn) in judged.turns.iter_mut().enumerate() {
                    if !only_unjudged || turn.judgement.is_none() {
                        let then = when_answered(conversation, at);
                        let mut judgement = self.judge(&then).await?;
                        if let Some(judgement) = judgement.as_mut().filter(|_| calibrates) {
                            self.score_spoiled(&then, judgement).await?;
                        }
                        let mut judged = Turn { judgement, ..Turn::clone(turn) };
                        uncalibrate(&mut judged);
                        *turn = Arc::new(judged);
                    }
                }
            }
        }
        Ok(Some(judged))
    }

    /// Whether a conversation that has ended is to be judged: it has turns, and with `only_unjudged` lacks a verdict.
    pub fn has_work(&self, conversation: &Conversation, only_unjudged: bool) -> bool {
        let lacks = |judgement: &Option<Judgement>| !only_unjudged || judgement.is_none();
        match self.granularity() {
            Granularity::Conversation => !conversation.turns.is_empty() && lacks(&conversation.judgement),
            Granularity::Turn => conversation.turns.iter().any(|turn| lacks(&turn.judgement)),
        }
    }
}

/// Takes back what an earlier judge has made of spoiled answers, beside verdicts on what was rejected before the turn was good.
fn uncalibrate(turn: &mut Turn) {
    let clear = |judgement: &mut Option<Judgement>| judgement.iter_mut().for_each(|one| one.calibration.clear());
    turn.rejected.iter_mut().for_each(|one| clear(&mut one.judgement));
    for replaced in turn.regenerated.iter_mut().map(Arc::make_mut) {
        clear(&mut replaced.judgement);
        uncalibrate(replaced);
    }
}

/// The conversation when this turn had its answer.
fn when_answered(conversation: &Conversation, at: usize) -> Conversation {
    let turn = &conversation.turns[at];
    Conversation {
        turns: conversation.turns[..at].to_vec(),
        round: Round {
            attempt: turn.attempt,
            question: Some(turn.question.clone()),
            answer: Some(turn.answer.clone()),
            rejected: turn.rejected.clone(),
            ..Round::default()
        },
        judgement: None,
        outcome: None,
        ..conversation.clone()
    }
}

/// The conversation when it was over: with the answer to its last question, or given up.
fn when_over(conversation: &Conversation) -> Conversation {
    match conversation.outcome {
        Some(Outcome::Completed) => when_answered(conversation, conversation.turns.len() - 1),
        _ => conversation.clone(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use crate::domain::calibration::{Spoil, SpoiledScore};
    use crate::domain::fixtures::judgement;
    use crate::domain::{Conversation, DropReason, Judgement, Outcome, RejectedAnswer, Stage, Task, Turn};
    use crate::llm::ChatRequest;
    use crate::stages::prompts::Prompts;
    use crate::stages::script::{Script, answer, catalogue, conversation, said, turn};
    use crate::stages::{Granularity, Judge, JudgeOptions, PromptOptions, Rejudging};
    use std::sync::Arc;

    const ALL: Rejudging = Rejudging { only_unjudged: false, calibrates: false };
    const MISSING: Rejudging = Rejudging { only_unjudged: true, ..ALL };

    /// A judge whose verdicts have the scores 1, 2, 3 ...; of its second request it makes none.
    fn judge(granularity: Granularity) -> (Arc<Script>, Judge) {
        let model = Script::new(|_, number| {
            let verdict = format!(
                r#"{{"score": {}, "reasons": ["other"], "notes": "n", "question_ok": true, "answer_ok": true}}"#,
                number % 9
            );
            Ok(said(if (1..3).contains(&number) { "no" } else { &verdict }))
        });
        let prompts = Arc::new(Prompts::load(&PromptOptions::default()).unwrap());
        let options = JudgeOptions { granularity, reasons: vec!["other".to_owned()], ..JudgeOptions::default() };
        (model.clone(), Judge::new(vec![model], prompts, catalogue(), options))
    }

    fn ended(turns: u16, outcome: Outcome) -> Conversation {
        let turns = (1..=turns).map(|number| turn(number, &format!("Question {number}?"), "Answer.")).collect();
        Conversation { turns, target_turns: 3, outcome: Some(outcome), ..conversation() }
    }

    fn scores(conversation: &Conversation) -> Vec<Option<u8>> {
        let score = |turn: &Arc<Turn>| turn.judgement.as_ref().map(|judgement| judgement.reply.score);
        conversation.turns.iter().map(score).collect()
    }

    #[tokio::test]
    async fn turns_are_judged_as_when_they_were_made() {
        let (model, judge) = judge(Granularity::Turn);
        let judged = judge.rejudge(&ended(3, Outcome::Completed), ALL).await.unwrap().unwrap();
        assert_eq!(scores(&judged), [Some(0), None, Some(3)], "what can't be read leaves a turn unjudged");
        let place = |request: ChatRequest| (request.place.turn.0, request.place.stage, request.place.round);
        let places: Vec<_> = (0..4).map(|number| place(model.request(number))).collect();
        assert_eq!(places, [(1, Stage::Judge, 0), (2, Stage::Judge, 0), (2, Stage::Judge, 1), (3, Stage::Judge, 0)]);
        let Task::JudgeTurn(task) = &*model.request(3).task else { panic!("not a turn") };
        assert!(task.public_conversation_history.contains("Question 2?") && task.turn_index == 3);

        let again = judge.rejudge(&judged, MISSING).await.unwrap().unwrap();
        assert_eq!((scores(&again), model.calls()), (vec![Some(0), Some(4), Some(3)], 5), "only what has no verdict");
        assert_eq!(judge.rejudge(&again, MISSING).await.unwrap(), None);
        assert_eq!(model.calls(), 5);
    }

    #[tokio::test]
    async fn the_first_turn_is_spoiled_where_it_is_judged() {
        let (model, judge) = judge(Granularity::Turn);
        let spoiled = |conversation: &Conversation| -> Vec<Vec<Spoil>> {
            let of = |judgement: &Judgement| judgement.calibration.iter().map(|one| one.spoil).collect();
            let first = &conversation.turns[0];
            let rejected = first.rejected.iter().filter_map(|one| one.judgement.as_ref());
            let replaced = first.regenerated.iter().filter_map(|turn| turn.judgement.as_ref());
            rejected
                .chain(replaced)
                .chain(conversation.turns.iter().filter_map(|turn| turn.judgement.as_ref()))
                .map(of)
                .collect()
        };
        let old =
            || Some(Judgement { calibration: vec![SpoiledScore { spoil: Spoil::Echo, score: 9 }], ..judgement(2) });
        let mut before = ended(2, Outcome::Completed);
        let first = Arc::make_mut(&mut before.turns[0]);
        (first.rejected, first.judgement) = (vec![RejectedAnswer { answer: answer("No."), judgement: old() }], old());
        first.regenerated = vec![Arc::new(Turn { judgement: old(), ..Turn::clone(first) })];
        let judged = judge.rejudge(&before, MISSING).await.unwrap().unwrap();
        assert_eq!(spoiled(&judged), [&[Spoil::Echo][..], &[Spoil::Echo], &[Spoil::Echo], &[]], "its verdict stays");
        let calls = model.calls();
        let judged = judge.rejudge(&before, ALL).await.unwrap().unwrap();
        assert_eq!(
            spoiled(&judged),
            [[]; 3],
            "scores of spoiled answers go with the verdict, which there is none of now"
        );
        assert_eq!(model.calls(), calls + 3);
        let judged = judge.rejudge(&before, Rejudging { calibrates: true, ..ALL }).await.unwrap().unwrap();
        let made = [Spoil::OtherPassage, Spoil::Echo, Spoil::Refusal, Spoil::OtherLanguage];
        assert_eq!(spoiled(&judged), [&[][..], &[], &made, &[]]);
        let places: Vec<_> = (calls + 3..model.calls()).map(|at| model.request(at).place).collect();
        let places: Vec<_> = places.iter().map(|place| (place.turn.0, place.round)).collect();
        assert_eq!(
            places,
            [(1, 100), (1, 2110), (1, 2120), (1, 2130), (1, 2140), (2, 0)],
            "after the answer that was rejected"
        );
    }

    #[tokio::test]
    async fn a_conversation_is_judged_as_when_it_was_over() {
        let (model, judge) = judge(Granularity::Conversation);
        let judged = judge.rejudge(&ended(3, Outcome::Completed), ALL).await.unwrap().unwrap();
        assert_eq!(judged.judgement.map(|judgement| judgement.reply.score), Some(0));
        assert_eq!((model.request(0).place.turn.0, judged.outcome), (3, Some(Outcome::Completed)));
        let dropped = ended(2, Outcome::Dropped(DropReason::DedupExhausted));
        let judged = judge.rejudge(&dropped, ALL).await.unwrap().unwrap();
        assert_eq!((judged.judgement, model.request(1).place.turn.0), (None, 3));
        assert_eq!(judge.rejudge(&ended(0, Outcome::Completed), ALL).await.unwrap(), None);
    }
}
