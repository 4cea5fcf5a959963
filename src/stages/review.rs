//! What becomes of a turn that has its answer: the judge's verdict, and another answer where the verdict is not good enough.

use super::{Accept, CheckOptions, Granularity, Judge, JudgeOptions, Responder};
use crate::domain::{Acceptance, Conversation, Failure, Judged, RejectedAnswer, Repaired, Round};
use std::sync::Arc;

/// The judge of a run, with the assistant that answers again what is rejected, by the checks or by the judge.
pub struct Review {
    judge: Option<Arc<Judge>>,
    responder: Arc<Responder>,
    granularity: Granularity,
    repairs: u16,
    regenerations: u16,
    checks: CheckOptions,
}

impl Review {
    /// Verdicts of this judge, if there is one, and what these options make of them, on what these checks have not rejected.
    pub fn new(
        judge: Option<Arc<Judge>>,
        responder: Arc<Responder>,
        options: &JudgeOptions,
        checks: CheckOptions,
    ) -> Self {
        let JudgeOptions { granularity, accept: Accept { repairs, regenerations, .. }, .. } = *options;
        Self { judge, responder, granularity, repairs, regenerations, checks }
    }

    /// The verdict on what there is to judge: see [`Judge::judge`]. A turn that the checks reject costs no verdict. A turn that is
    /// rejected is answered again, by an assistant that is shown what is wrong, and looked at again; the last answer counts. Where
    /// the judge rejects that too, the turn may be made once more.
    ///
    /// # Errors
    /// As of [`Judge::judge`]; when the run stops or the assistant model can't be asked.
    pub async fn judged(&self, conversation: &Conversation) -> Result<Judged, Failure> {
        let mut judged = self.verdict(conversation).await?;
        if let (Some(judge), Judged::Turn(judgement)) = (&self.judge, &mut judged) {
            judge.calibrate(conversation, judgement).await?;
        }
        let mut now = conversation.clone();
        while let Some(rejected) = self.rejected(&now, &judged) {
            now.round.rejected.push(rejected);
            match self.responder.answer(&now).await {
                Ok(other) => now.round.answer = Some(other),
                // There is no other answer: the last one counts, with its verdict.
                Err(
                    Failure::Reply { .. }
                    | Failure::Refused { .. }
                    | Failure::Filtered { .. }
                    | Failure::Language { .. }
                    | Failure::Ungrounded { .. },
                ) => {
                    now.round.rejected.pop();
                    break;
                }
                Err(failure) => return Err(failure),
            }
            judged = self.verdict(&now).await?;
        }
        let Round { rejected, answer, regenerated, .. } = now.round;
        let judged = match judged {
            Judged::Turn(judgement)
                if judgement.acceptance == Acceptance::Rejected
                    && regenerated.len() < usize::from(self.regenerations) =>
            {
                Judged::Regenerate(judgement)
            }
            judged => judged,
        };
        Ok(match answer.filter(|_| !rejected.is_empty()) {
            Some(answer) => Judged::Repaired(Box::new(Repaired { rejected, answer, judged })),
            None => judged,
        })
    }

    async fn verdict(&self, conversation: &Conversation) -> Result<Judged, Failure> {
        let answer = conversation.round.answer.as_ref().filter(|_| conversation.outcome.is_none());
        let is_rejected = answer.is_some_and(|answer| answer.findings.acceptance == Acceptance::Rejected);
        let Some(judge) = self.judge.as_ref().filter(|_| !is_rejected) else { return Ok(Judged::Nothing) };
        let judgement = judge.judge(conversation).await?;
        Ok(judgement.map_or(
            Judged::Nothing,
            match self.granularity {
                Granularity::Turn => Judged::Turn,
                Granularity::Conversation => Judged::Conversation,
            },
        ))
    }

    /// The answer of the turn being made, where it is rejected and another one may be asked for.
    fn rejected(&self, now: &Conversation, judged: &Judged) -> Option<RejectedAnswer> {
        let answer = now.round.answer.as_ref().filter(|_| now.outcome.is_none())?;
        let (judgement, most) = match judged {
            Judged::Turn(judgement) if judgement.acceptance == Acceptance::Rejected => {
                (Some(judgement.clone()), self.repairs)
            }
            _ if answer.findings.acceptance == Acceptance::Rejected && self.checks.is_mendable(&answer.findings) => {
                (None, self.checks.repairs)
            }
            _ => return None,
        };
        let is_due = now.round.rejected.len() < usize::from(most);
        is_due.then(|| RejectedAnswer { answer: answer.clone(), judgement })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::Task;
    use crate::domain::calibration::Spoil;
    use crate::domain::findings::Label;
    use crate::domain::task::{RejectedReply, RetrievalMode};
    use crate::knowledge::Index;
    use crate::stages::script::{
        Script, answer, answer_text, catalogue, conversation, question, refused, said, toolbox,
    };
    use crate::stages::{AnswerOptions, Checks, PromptOptions, Prompts};

    const ANSWERS: [&str; 3] = ["It is dried late.", "It is dried soon.", "It is dried soon after picking."];

    fn verdict(score: u8) -> String {
        let reasons = if score < 6 { "[\"vague\"]" } else { "[]" };
        format!(
            r#"{{"notes": "Scored {score}.", "score": {score}, "reasons": {reasons}, "question_ok": true, "answer_ok": true}}"#
        )
    }

    /// A turn with its first answer, reviewed by a judge that gives these scores, with an assistant that replies so.
    async fn reviewed(scores: &[u8], assistant: &Arc<Script>, repairs: u16) -> Result<Judged, Failure> {
        let verdicts: Vec<String> = scores.iter().map(|score| verdict(*score)).collect();
        let judge = Script::texts(&verdicts.iter().map(String::as_str).collect::<Vec<_>>());
        let prompts = Arc::new(Prompts::load(&PromptOptions::default()).unwrap());
        let index = Arc::new(Index::build(catalogue(), &|_| ()).unwrap());
        let toolbox = Arc::new(toolbox(&index));
        let checks = Arc::new(Checks::new(&prompts, &toolbox.definitions()));
        let options =
            AnswerOptions { retrieval: RetrievalMode::First, require_retrieval: true, full_trace: false, top_k: 4 };
        let responder = Responder::new(assistant.clone(), prompts.clone(), checks, index, toolbox, options);
        let accept = Accept { min_score: 6, drop: true, repairs, ..Accept::default() };
        let options = JudgeOptions { reasons: vec!["vague".to_owned()], accept, ..JudgeOptions::default() };
        let judge = Judge::new(vec![judge], prompts, catalogue(), options.clone());
        let mut conversation = conversation();
        conversation.round.question = Some(question("When is green tea dried?").into());
        conversation.round.answer = Some(answer(ANSWERS[0]));
        Review::new(Some(judge.into()), responder.into(), &options, CheckOptions::default()).judged(&conversation).await
    }

    fn replies(texts: &[&str]) -> Arc<Script> {
        let texts: Vec<String> = texts.iter().map(|text| answer_text(text)).collect();
        Script::texts(&texts.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[tokio::test]
    async fn a_rejected_answer_is_written_again_with_the_verdict_before_the_model() {
        let assistant = replies(&ANSWERS[1..]);
        let Judged::Repaired(repaired) = reviewed(&[2, 5, 8], &assistant, 3).await.unwrap() else { panic!() };
        let score = |judged: &Judged| matches!(judged, Judged::Turn(judgement) if judgement.reply.score == 8);
        assert_eq!(repaired.answer.reply.assistant_message, ANSWERS[2]);
        assert!(score(&repaired.judged));
        let score = |one: &RejectedAnswer| one.judgement.as_ref().map(|judgement| judgement.reply.score);
        let rejected = repaired.rejected.iter().map(|one| (&*one.answer.reply.assistant_message, score(one)));
        assert_eq!(rejected.collect::<Vec<_>>(), [(ANSWERS[0], Some(2)), (ANSWERS[1], Some(5))]);
        assert_eq!(assistant.calls(), 2);
        for (number, score) in [(0, 2), (1, 5)] {
            let request = assistant.request(number);
            let Task::Answer(task) = &*request.task else { panic!("not an answer") };
            let (message, notes) = (ANSWERS[number].to_owned(), format!("Scored {score}."));
            let prompt = &request.messages.last().unwrap().content;
            assert!(prompt.contains(&message) && prompt.contains(&notes) && prompt.contains("(vague)"), "{prompt}");
            assert_eq!(task.rejected, Some(RejectedReply { message, reasons: vec!["vague".to_owned()], notes }));
        }
        let places = [assistant.request(0).place, assistant.request(1).place];
        assert_eq!(places.map(|place| place.round), [100, 200], "each has a place of its own in the journal");
    }

    #[tokio::test]
    async fn an_accepted_answer_stands_and_the_last_verdict_counts() {
        let assistant = replies(&ANSWERS[1..]);
        assert!(
            matches!(reviewed(&[6], &assistant, 3).await, Ok(Judged::Turn(judgement)) if judgement.reply.score == 6)
        );
        assert!(
            matches!(reviewed(&[2], &assistant, 0).await, Ok(Judged::Turn(judgement)) if judgement.reply.score == 2)
        );
        assert_eq!(assistant.calls(), 0);
        let Ok(Judged::Repaired(last)) = reviewed(&[2, 3, 9], &assistant, 1).await else { panic!() };
        let Judged::Turn(judgement) = &last.judged else { panic!("not judged") };
        assert_eq!((last.rejected.len(), judgement.acceptance), (1, Acceptance::Rejected));
    }

    /// A turn with this answer and these checks, reviewed by a judge that gives an 8 to whatever it is asked about.
    async fn checked(
        said: &str,
        checks: CheckOptions,
        calibrate: u32,
    ) -> (Result<Judged, Failure>, Arc<Script>, usize) {
        let judge = Script::new(|_, _| Ok(crate::stages::script::said(&verdict(8))));
        let prompts = Arc::new(Prompts::load(&PromptOptions::default()).unwrap());
        let index = Arc::new(Index::build(catalogue(), &|_| ()).unwrap());
        let toolbox = Arc::new(toolbox(&index));
        let stage = Arc::new(Checks::new(&prompts, &toolbox.definitions()).labelled(checks.clone()));
        let options =
            AnswerOptions { retrieval: RetrievalMode::First, require_retrieval: true, full_trace: false, top_k: 4 };
        let assistant = replies(&[said, ANSWERS[0]]);
        let responder = Arc::new(Responder::new(assistant.clone(), prompts.clone(), stage, index, toolbox, options));
        let options = JudgeOptions { reasons: vec!["vague".to_owned()], calibrate, ..JudgeOptions::default() };
        let stage = Arc::new(Judge::new(vec![judge.clone()], prompts, catalogue(), options.clone()));
        let mut conversation = conversation();
        conversation.round.question = Some(question("When is green tea dried?").into());
        conversation.round.answer = Some(responder.answer(&conversation).await.unwrap());
        let review = Review::new(Some(stage), responder, &options, checks);
        let judged = review.judged(&conversation).await;
        (judged, judge, assistant.calls())
    }

    #[tokio::test]
    async fn what_a_check_rejects_costs_no_verdict() {
        const SAID: &str = "It is dried late, ask tea@example.org.";
        let gate = |drop, repairs| CheckOptions { reject: vec![Label::Pii], drop, repairs, ..CheckOptions::default() };
        let (judged, judge, calls) = checked(SAID, gate(true, 1), 0).await;
        let Ok(Judged::Repaired(repaired)) = judged else { panic!("{judged:?}") };
        assert_eq!((repaired.answer.reply.assistant_message.as_str(), calls), (ANSWERS[0], 2));
        assert!(matches!(repaired.judged, Judged::Turn(_)) && judge.calls() == 1, "only the second one is judged");
        assert_eq!((repaired.rejected.len(), &repaired.rejected[0].judgement), (1, &None));
        let (judged, judge, _) = checked(SAID, gate(true, 0), 0).await;
        assert!(matches!(judged, Ok(Judged::Nothing)) && judge.calls() == 0);
        let (judged, judge, _) = checked(SAID, gate(false, 0), 0).await;
        assert!(matches!(judged, Ok(Judged::Turn(_))) && judge.calls() == 1, "what is kept is judged");
    }

    #[tokio::test]
    async fn the_judge_is_shown_spoiled_answers_too() {
        let (judged, judge, _) = checked("It is dried within 24 hours.", CheckOptions::default(), u32::MAX).await;
        let Ok(Judged::Turn(judgement)) = judged else { panic!("{judged:?}") };
        let spoils: Vec<Spoil> = judgement.calibration.iter().map(|one| one.spoil).collect();
        // There is one document: no sentence of another one can stand for the answer.
        assert_eq!(spoils, [Spoil::Numbers, Spoil::Echo, Spoil::Refusal, Spoil::OtherLanguage]);
        assert_eq!((judgement.calls, judge.calls()), (5, 5));
        let places: Vec<u16> = (0..5).map(|number| judge.request(number).place.round).collect();
        assert_eq!(places, [0, 2000, 2020, 2030, 2040], "each has a place of its own in the journal");
        let Task::JudgeTurn(task) = &*judge.request(1).task else { panic!("not a turn") };
        assert_eq!(
            (task.judge_assistant_message.as_str(), &task.unsupported_numbers[..]),
            ("It is dried within 68 hours.", &["68".to_owned()][..])
        );
        let (judged, judge, _) = checked("It is dried within 24 hours.", CheckOptions::default(), 0).await;
        assert!(judged.is_ok() && judge.calls() == 1);
    }

    #[tokio::test]
    async fn without_another_answer_the_one_before_counts() {
        // The same words again, also when it is asked once more; a refusal to be asked at all is the run's business.
        let stubborn = replies(&[ANSWERS[0]]);
        assert!(
            matches!(reviewed(&[2], &stubborn, 3).await, Ok(Judged::Turn(judgement)) if judgement.reply.score == 2)
        );
        assert_eq!(stubborn.calls(), 2);
        let told = &stubborn.request(1).messages.last().unwrap().content.clone();
        assert!(told.contains("it is the answer that was not good enough"), "{told}");
        let once =
            Script::new(|_, number| if number == 0 { Ok(said(&answer_text(ANSWERS[1]))) } else { Err(refused()) });
        assert!(matches!(reviewed(&[2, 3], &once, 3).await, Err(Failure::Model { .. })));
    }
}
