//! A verdict, of the only judge or of a jury: each of its judges is asked the same, at the same time and blind to the others.

use super::super::exchange::{Usable, joined};
use super::Judge;
use crate::domain::{Conversation, Failure, JudgeReply, Judgement, Task, Vote, jury};
use futures_util::future::join_all;
use serde_json::Value;

/// How far the places of one judge's requests are from those of the next one's: no judge makes so many of a turn.
pub(super) const APART: usize = 4_096;

impl Judge {
    /// The verdict on a task, asked at the place of the verdict and so many requests on. In a jury a judge without a usable
    /// verdict has no vote, and the verdict is made where more than half of them have one.
    ///
    /// # Errors
    /// When the run stops; when the only judge, or too many of a jury, can't be asked or make no verdict.
    pub(super) async fn verdict(
        &self,
        conversation: &Conversation,
        task: Task,
        round: u16,
    ) -> Result<Judgement, Failure> {
        let seats = (round..).step_by(APART).zip(&self.models);
        let asked = seats.map(|(round, model)| self.of_judge(&**model, conversation, task.clone(), round));
        let outcomes = join_all(asked).await;
        if let [_] = self.models.as_slice() {
            let only = outcomes.into_iter().next().unwrap_or(Err(Failure::Lost))?;
            return Ok(self.judgement(only, Vec::new()));
        }
        let (mut votes, mut made, mut failure) = (Vec::new(), Vec::new(), Failure::Lost);
        for (model, outcome) in self.models.iter().zip(outcomes) {
            let verdict = match outcome {
                Ok(usable) => {
                    let verdict = usable.value.clone();
                    made.push(usable);
                    Some(verdict)
                }
                Err(stopped @ (Failure::Stopped | Failure::Lost)) => return Err(stopped),
                Err(why) => {
                    tracing::info!(
                        target: "dlgforge.judge",
                        "[judge] conversation={} no verdict of {}: {why}", conversation.id, model.name()
                    );
                    failure = why;
                    None
                }
            };
            votes.push(Vote { model: model.name().clone(), verdict });
        }
        let accept = &self.options.accept;
        let Some(value) = jury::verdict(self.options.jury, &votes, |verdict| accept.meets(verdict)) else {
            return Err(failure);
        };
        let calls = made.iter().map(|usable| usable.calls).sum();
        let (reasoning, raw): (Vec<_>, Vec<_>) = made.into_iter().map(|usable| (usable.reasoning, usable.raw)).unzip();
        let whole = Usable { value, reasoning: joined(reasoning), raw: Value::Array(raw), calls };
        Ok(self.judgement(whole, votes))
    }

    fn judgement(&self, made: Usable<JudgeReply>, votes: Vec<Vote>) -> Judgement {
        let Usable { value: reply, reasoning, raw, calls } = made;
        let acceptance = self.options.accept.of(&reply);
        Judgement { reply, acceptance, reasoning, raw: raw.into(), calls, calibration: Vec::new(), votes }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::{Acceptance, Agent, Jury};
    use crate::stages::script::{Script, answer, catalogue, conversation, question, refused};
    use crate::stages::{Accept, JudgeOptions, PromptOptions, Prompts};
    use std::sync::Arc;

    fn verdict(score: u8) -> String {
        let reasons = if score < 6 { r#"["vague"]"# } else { "[]" };
        format!(
            r#"{{"notes": "Scored {score}.", "score": {score}, "reasons": {reasons}, "question_ok": true, "answer_ok": true}}"#
        )
    }

    /// A turn judged by these judges, where those below the least score are dropped.
    async fn judged(judges: &[&Arc<Script>], jury: Jury) -> Result<Option<Judgement>, Failure> {
        let mut conversation = conversation();
        conversation.round.question = Some(question("When is tea dried?").into());
        conversation.round.answer = Some(answer("Soon after picking."));
        let prompts = Arc::new(Prompts::load(&PromptOptions::default()).unwrap());
        let accept = Accept { min_score: 6, drop: true, ..Accept::default() };
        let options = JudgeOptions { reasons: vec!["vague".to_owned()], accept, jury, ..JudgeOptions::default() };
        let models = judges.iter().map(|judge| Arc::clone(judge) as _).collect();
        Judge::new(models, prompts, catalogue(), options).judge(&conversation).await
    }

    #[tokio::test]
    async fn each_judge_of_a_jury_is_asked_the_same_at_places_of_its_own() {
        for (jury, score, acceptance) in [
            (Jury::Mean, 6, Acceptance::Accepted),
            (Jury::Median, 8, Acceptance::Accepted),
            (Jury::Majority, 9, Acceptance::Accepted),
        ] {
            let judges = [9, 8, 2].map(|score| Script::texts(&[&verdict(score)]));
            let judgement = judged(&judges.each_ref(), jury).await.unwrap().unwrap();
            assert_eq!(
                (judgement.reply.score, judgement.acceptance, judgement.calls),
                (score, acceptance, 3),
                "{jury:?}"
            );
            let scores = judgement.votes.iter().map(|vote| vote.verdict.as_ref().map(|verdict| verdict.score));
            assert_eq!(scores.collect::<Vec<_>>(), [Some(9), Some(8), Some(2)]);
            let requests = judges.each_ref().map(|judge| judge.request(0));
            assert!(requests.iter().all(|request| request.messages == requests[0].messages));
            assert_eq!(requests.map(|request| request.place.round), [0, 4_096, 8_192]);
        }
    }

    #[tokio::test]
    async fn a_jury_does_without_a_judge_but_not_without_half_of_them() {
        let dead = || Script::new(|_, _| Err(refused()));
        let one =
            judged(&[&Script::texts(&[&verdict(7)]), &dead(), &Script::texts(&[&verdict(9)])], Jury::Median).await;
        let one = one.unwrap().unwrap();
        assert_eq!((one.reply.score, one.votes.len(), one.votes[1].verdict.is_none()), (8, 3, true));
        let mute = || Script::texts(&["Good.", "Good."]);
        let two = judged(&[&Script::texts(&[&verdict(7)]), &dead(), &mute()], Jury::Median).await;
        assert!(matches!(two, Err(Failure::Reply { agent: Agent::Judge, .. })), "{two:?}");
        let even = judged(&[&Script::texts(&[&verdict(7)]), &dead()], Jury::Mean).await;
        assert!(matches!(even, Err(Failure::Model { agent: Agent::Judge, .. })), "{even:?}");
        // One that contradicts itself is asked again, at the next place of its own.
        let unsure = Script::texts(&[&verdict(2).replace("\"score\": 2", "\"score\": 9"), &verdict(7)]);
        let again = judged(&[&Script::texts(&[&verdict(8)]), &unsure], Jury::Mean).await.unwrap().unwrap();
        assert_eq!((again.reply.score, again.calls, unsure.request(1).place.round), (8, 3, 4_097), "{again:?}");
    }
}
