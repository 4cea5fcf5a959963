//! The judge model scores a turn or a whole conversation.

mod calibrate;
mod jury;

pub use calibrate::spoil_at;

use super::exchange::{ReplyError, Usable, exchange, request};
use super::history::{Exchanged, exchanged, history};
use super::prompts::Prompts;
use super::{Granularity, JudgeOptions, reply, schemas};
use crate::domain::task::{JudgeConversationTask, JudgeEvidence, JudgeTurnTask, JudgedTurn};
use crate::domain::{
    Agent, Catalogue, Conversation, Failure, Found, JudgeReply, Judgement, Language, Outcome, Stage, Task,
};
use crate::llm::Model;
use std::sync::Arc;

const AGENT: Agent = Agent::Judge;

/// Pieces of evidence the judge of a conversation is shown at most.
const EVIDENCE: usize = 120;

/// Longest passage that the judge is shown whole, in characters; of a longer one it is shown the beginning.
const PASSAGE: usize = 1200;

/// What stands for an answer without text. Generation makes none; stored conversations may hold some.
const MISSING_ANSWER: &str = "MISSING_ASSISTANT_MESSAGE";

/// Makes verdicts: the judge model, or a jury of them, with what the answers rest on.
pub struct Judge {
    models: Vec<Arc<dyn Model>>,
    prompts: Arc<Prompts>,
    catalogue: Arc<Catalogue>,
    options: JudgeOptions,
}

impl Judge {
    /// Verdicts by these models, one or a jury of them, on conversations about this knowledge base.
    pub fn new(
        models: Vec<Arc<dyn Model>>,
        prompts: Arc<Prompts>,
        catalogue: Arc<Catalogue>,
        options: JudgeOptions,
    ) -> Self {
        Self { models, prompts, catalogue, options }
    }

    /// The verdict on what there is to judge; none where there is nothing, and where the model makes none that can be read:
    /// what it was to judge is paid for and stays, unjudged, unless `judge.accept` drops what is not accepted.
    ///
    /// Turn by turn, that is the turn being made, once it has its answer. For whole conversations it is the conversation
    /// with the turn being made, once that turn is its last; or the complete turns of one that was dropped.
    ///
    /// # Errors
    /// When the model can't be asked; when it makes no verdict, and only what is accepted is kept.
    pub async fn judge(&self, conversation: &Conversation) -> Result<Option<Judgement>, Failure> {
        let task = match self.options.granularity {
            Granularity::Turn => self.turn(conversation),
            Granularity::Conversation => self.whole(conversation),
        };
        let Some(task) = task else { return Ok(None) };
        let judgement = match self.verdict(conversation, task, 0).await {
            Ok(judgement) => judgement,
            Err(failure @ (Failure::Reply { .. } | Failure::Refused { .. } | Failure::Filtered { .. }))
                if !self.options.accept.drop =>
            {
                tracing::warn!(target: "dlgforge.judge", "[judge] conversation={} not judged: {failure}", conversation.id);
                return Ok(None);
            }
            Err(failure) => return Err(failure),
        };
        tracing::info!(target: "dlgforge.judge", "{}", line(self.options.granularity, conversation, &judgement.reply));
        Ok(Some(judgement))
    }

    /// The verdict of one judge on a task, asked at the place of the verdict and so many requests on.
    async fn of_judge(
        &self,
        model: &dyn Model,
        conversation: &Conversation,
        task: Task,
        round: u16,
    ) -> Result<Usable<JudgeReply>, Failure> {
        let schema = schemas::judge_schema(&self.options.reasons);
        let mut request = request(&self.prompts, AGENT, (conversation, Stage::Judge), &[], task, schema)?;
        request.place.round += round;
        let read = |object: &serde_json::Map<_, _>| {
            let verdict = reply::judge(object, &self.options.reasons)?;
            contradiction(&verdict, &self.options.reasons).map_or(Ok(verdict), |fault| Err(ReplyError::Content(fault)))
        };
        exchange(model, AGENT, request, read).await
    }

    /// What verdicts are about.
    pub(super) fn granularity(&self) -> Granularity {
        self.options.granularity
    }

    fn turn(&self, conversation: &Conversation) -> Option<Task> {
        let mut turns = exchanged(&conversation.turns);
        let (turn_index, question, answer) = current(conversation)?;
        turns.push((turn_index, question, answer));
        Some(Task::JudgeTurn(JudgeTurnTask {
            public_conversation_history: history(&turns),
            turn_index,
            user_persona: conversation.user_persona.rendered(),
            assistant_persona: conversation.assistant_persona.rendered(),
            judge_user_message: question.reply.user_message.clone(),
            judge_assistant_message: said(&answer.reply.assistant_message),
            judge_evidence: self.evidence(&turns[turns.len() - 1..]),
            unsupported_numbers: answer.unsupported_numbers.clone(),
            unknown_citations: answer.unknown_citations.clone(),
            judge_reasons: self.options.reasons.clone(),
            target_language: Language::of(&conversation.language).name.to_string(),
            question_mode: question.mode,
            whole_need: conversation.whole_need().to_owned(),
            is_last: turn_index == conversation.target_turns,
        }))
    }

    fn whole(&self, conversation: &Conversation) -> Option<Task> {
        let mut turns = exchanged(&conversation.turns);
        turns.extend(current(conversation));
        let over = match conversation.outcome {
            None => turns.len() >= usize::from(conversation.target_turns),
            Some(Outcome::Completed | Outcome::Dropped(_)) => true,
            Some(Outcome::Interrupted) => false,
        };
        (over && !turns.is_empty()).then(|| {
            Task::JudgeConversation(JudgeConversationTask {
                public_conversation_history: history(&turns),
                user_persona: conversation.user_persona.rendered(),
                assistant_persona: conversation.assistant_persona.rendered(),
                judge_turn_count: turns.len(),
                judge_conversation_turns: turns.iter().map(judged).collect(),
                judge_conversation_evidence: self.evidence(&turns),
                judge_reasons: self.options.reasons.clone(),
                target_language: Language::of(&conversation.language).name.to_string(),
                whole_need: conversation.whole_need().to_owned(),
            })
        })
    }

    /// What was retrieved for these turns, each passage once, numbered; then what the assistant quoted as evidence, marked as
    /// found in one of the passages or not.
    fn evidence(&self, turns: &[Exchanged<'_>]) -> Vec<JudgeEvidence> {
        let mut retrieved: Vec<&Found> = Vec::new();
        for hit in turns.iter().flat_map(|(_, _, answer)| &answer.retrieved) {
            if !retrieved.contains(&&hit.found) {
                retrieved.push(&hit.found);
            }
        }
        let passages = retrieved.iter().zip(1..).map(|(found, number)| found.passage(&self.catalogue, number));
        let passages: Vec<_> = passages.collect();
        let shown = passages.iter().map(|passage| JudgeEvidence {
            source: format!("{} {}", passage.label, passage.title).trim_end().to_owned(),
            content: beginning(&passage.text),
        });
        let quotes = turns.iter().flat_map(|(_, _, answer)| &answer.reply.reasoning_trace.evidence);
        let quoted = quotes.filter(|quote| !passages.iter().any(|passage| *passage.text == *quote.content));
        let quoted = quoted.map(|quote| {
            let holder = passages.iter().find(|passage| reply::holds(&passage.text, &quote.content));
            let source = match holder {
                Some(passage) => format!("quoted by the assistant, found in {}", passage.label),
                None => "quoted by the assistant, found in no passage".to_owned(),
            };
            JudgeEvidence { source, content: quote.content.clone() }
        });
        shown.chain(quoted).take(EVIDENCE).collect()
    }
}

/// The least score of what has nothing of substance to improve, and the most of what has a serious fault.
const FAULTLESS: u8 = 9;
const FAULTY: u8 = 4;

/// The label of faults that no other label names.
const OTHER: &str = "other";

/// How a verdict contradicts itself, in words for the model. Where no label need fit, a fault may go without one.
fn contradiction(verdict: &JudgeReply, labels: &[String]) -> Option<String> {
    let JudgeReply { score, reasons, answer_ok, .. } = verdict;
    let wrong = match (*score, reasons.as_slice()) {
        (FAULTLESS.., []) if !answer_ok => format!("`score` is {score} but `answer_ok` is false"),
        (FAULTLESS.., [_, ..]) => format!("`score` is {score} but `reasons` names faults ({})", reasons.join(", ")),
        (..=FAULTY, []) if labels.iter().any(|label| label == OTHER) => {
            format!("`score` is {score} but `reasons` names no fault")
        }
        _ => return None,
    };
    Some(format!("{wrong}: look at the answer once more, decide which is right, and change the other"))
}

fn line(granularity: Granularity, conversation: &Conversation, verdict: &JudgeReply) -> String {
    let tag = match granularity {
        Granularity::Turn => format!("[judge-online] turn={}", conversation.turn_index()),
        Granularity::Conversation => "[judge-online-conversation]".to_owned(),
    };
    let JudgeReply { score, reasons, question_ok, answer_ok, .. } = verdict;
    format!(
        "{tag} conversation_index={} score={score} question_ok={question_ok} answer_ok={answer_ok} reasons=[{}]",
        conversation.slot.index,
        reasons.join(", ")
    )
}

/// The turn being made, where it has its answer and the conversation goes on.
fn current(conversation: &Conversation) -> Option<Exchanged<'_>> {
    let round = &conversation.round;
    match (&round.question, &round.answer, &conversation.outcome) {
        (Some(question), Some(answer), None) => Some((conversation.turn_index().0, question, answer)),
        _ => None,
    }
}

fn judged((turn_index, question, answer): &Exchanged<'_>) -> JudgedTurn {
    JudgedTurn {
        turn_index: *turn_index,
        user_message: question.reply.user_message.clone(),
        assistant_message: said(&answer.reply.assistant_message),
        unsupported_numbers: answer.unsupported_numbers.clone(),
        unknown_citations: answer.unknown_citations.clone(),
        question_mode: question.mode,
    }
}

/// A passage as it is, or its first characters where it is too long.
fn beginning(text: &str) -> String {
    text.char_indices().nth(PASSAGE).map_or_else(|| text.to_owned(), |(end, _)| format!("{}…", &text[..end]))
}

fn said(message: &str) -> String {
    if message.trim().is_empty() { MISSING_ANSWER.to_owned() } else { message.to_owned() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::reply::Evidence;
    use crate::domain::{Acceptance, Answer, ChunkIndex, DropReason, Question};
    use crate::stages::Accept;
    use crate::stages::PromptOptions;
    use crate::stages::script::{Script, answer, catalogue, conversation, question, refused, turn};

    const VERDICT: &str = r#"{"score": "7.6", "reasons": ["Too Vague", "odd"], "notes": "n", "question_ok": true,
                              "answer_ok": "false",}"#;

    fn stage(model: Arc<Script>, granularity: Granularity) -> Judge {
        let reasons = ["too_vague", "other"].map(String::from).to_vec();
        let prompts = Prompts::load(&PromptOptions::default()).unwrap();
        let accept =
            Accept { min_score: 5, answer_ok: true, reject_reasons: vec!["other".to_owned()], ..Accept::default() };
        Judge::new(
            vec![model],
            Arc::new(prompts),
            catalogue(),
            JudgeOptions { granularity, reasons, accept, ..JudgeOptions::default() },
        )
    }

    fn grounded(number: u16) -> (Question, Answer) {
        let question = question(&format!("Question {number}?"));
        let mut answer = answer(&format!("Answer {number}."));
        let quoted = |content: &str| Evidence { id: "E".to_owned(), cue: String::new(), content: content.to_owned() };
        answer.retrieved = [1, 0].map(|at| Found::Chunk(ChunkIndex(at)).into()).to_vec();
        answer.unknown_citations = vec!["P9".to_owned()];
        answer.reply.reasoning_trace.evidence = vec![
            quoted(&catalogue().chunk(ChunkIndex(1)).text),
            quoted("dried soon after picking"),
            quoted("boiled for nine hours"),
        ];
        answer.unsupported_numbers = vec![format!("4{number}")];
        (question, answer)
    }

    /// Complete turns, and one being made with an answer.
    fn answered(turns: u16) -> Conversation {
        let mut conversation = conversation();
        for number in 1..=turns {
            let (question, answer) = grounded(number);
            let turn = crate::domain::Turn { question: question.into(), answer, ..(*turn(number, "", "")).clone() };
            conversation.turns.push(turn.into());
        }
        let (question, answer) = grounded(turns + 1);
        conversation.round.question = Some(question.into());
        conversation.round.answer = Some(answer);
        conversation
    }

    #[tokio::test]
    async fn a_turn_is_judged_by_itself() {
        let model = Script::texts(&[VERDICT]);
        let verdict = stage(model.clone(), Granularity::Turn).judge(&answered(1)).await.unwrap().unwrap();
        assert_eq!((verdict.reply.score, verdict.reply.reasons), (8, vec!["too_vague".to_owned()]));
        assert_eq!((verdict.reply.question_ok, verdict.reply.answer_ok), (true, false));
        assert_eq!(verdict.acceptance, Acceptance::Flagged, "the answer is not sound");
        let Task::JudgeTurn(task) = &*model.request(0).task else { panic!("not a turn") };
        let history = "Turn 1 - User: Question 1?\nTurn 1 - Assistant: Answer 1.\n\
                       Turn 2 - User: Question 2?\nTurn 2 - Assistant: Answer 2.";
        assert_eq!((task.public_conversation_history.as_str(), task.turn_index), (history, 2));
        assert_eq!((&*task.judge_user_message, &*task.judge_assistant_message), ("Question 2?", "Answer 2."));
        let evidence: Vec<_> = task.judge_evidence.iter().map(|it| (it.source.as_str(), it.content.as_str())).collect();
        let chunks = Vec::from_iter(catalogue().chunks());
        assert_eq!(
            evidence,
            [
                ("P1", &*chunks[1].text),
                ("P2", &*chunks[0].text),
                ("quoted by the assistant, found in P2", "dried soon after picking"),
                ("quoted by the assistant, found in no passage", "boiled for nine hours"),
            ]
        );
        assert_eq!((&*task.user_persona, &*task.assistant_persona), ("Cook", "Tutor"));
        let request = model.request(0);
        assert!(request.messages[0].content.contains("too_vague, other"));
        assert!(request.messages[1].content.contains("said before: 42"), "{}", request.messages[1].content);
        assert!(
            request.messages[1].content.contains("not found:\n<untrusted name=\"citations\">\nP9\n"),
            "{}",
            request.messages[1].content
        );
        assert_eq!(request.schema.schema["properties"]["reasons"]["items"]["enum"][0], "too_vague");
    }

    #[tokio::test]
    async fn a_conversation_is_judged_whole_and_once_it_is_over() {
        let model = Script::texts(&[VERDICT]);
        let verdict = stage(model.clone(), Granularity::Conversation).judge(&answered(2)).await.unwrap();
        assert_eq!(verdict.map(|verdict| verdict.reply.score), Some(8));
        let Task::JudgeConversation(task) = &*model.request(0).task else { panic!("not a conversation") };
        assert_eq!((task.judge_turn_count, task.judge_conversation_turns.len()), (3, 3));
        assert_eq!(task.judge_conversation_turns[2].turn_index, 3);
        assert_eq!(task.judge_conversation_evidence.len(), 2 + 3 * 2, "every passage once");
        assert!(task.public_conversation_history.ends_with("Turn 3 - Assistant: Answer 3."));
    }

    #[tokio::test]
    async fn a_turn_that_cannot_be_judged_stays_unless_only_accepted_ones_do() {
        for drop in [false, true] {
            let mut stage = stage(Script::texts(&["Good.", "Well."]), Granularity::Turn);
            stage.options.accept.drop = drop;
            let verdict = stage.judge(&answered(1)).await;
            assert!(
                if drop { matches!(verdict, Err(Failure::Reply { .. })) } else { verdict == Ok(None) },
                "{verdict:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_verdict_that_contradicts_itself_is_asked_for_again() {
        let verdict = |score: u8, reasons: &str, answer_ok: bool| {
            format!(
                r#"{{"notes": "n", "score": {score}, "reasons": [{reasons}], "question_ok": true, "answer_ok": {answer_ok}}}"#
            )
        };
        for (score, reasons, answer_ok, told) in [
            (9, r#""too_vague""#, true, "`score` is 9 but `reasons` names faults (too_vague)"),
            (10, "", false, "`score` is 10 but `answer_ok` is false"),
            (4, "", true, "`score` is 4 but `reasons` names no fault"),
        ] {
            let (wrong, right) = (verdict(score, reasons, answer_ok), verdict(7, r#""other""#, true));
            let model = Script::texts(&[&wrong, &right]);
            let made = stage(model.clone(), Granularity::Turn).judge(&answered(1)).await.unwrap().unwrap();
            assert_eq!(
                (made.reply.score, made.calls, made.acceptance),
                (7, 2, Acceptance::Flagged),
                "a rejected label"
            );
            assert!(model.request(1).messages.last().unwrap().content.contains(told), "{told}");
            let stubborn = Script::texts(&[&wrong, &wrong]);
            assert_eq!(stage(stubborn, Granularity::Turn).judge(&answered(1)).await.unwrap(), None);
        }
        for (score, reasons) in [(8, r#""too_vague""#), (9, ""), (5, ""), (4, r#""other""#)] {
            let model = Script::texts(&[&verdict(score, reasons, true)]);
            assert_eq!(stage(model, Granularity::Turn).judge(&answered(1)).await.unwrap().unwrap().calls, 1);
        }
        // Where no label need fit, none may.
        let free =
            JudgeReply { score: 0, reasons: Vec::new(), notes: String::new(), question_ok: true, answer_ok: false };
        assert_eq!(contradiction(&free, &["too_vague".to_owned()]), None);
    }

    #[tokio::test]
    async fn there_is_not_always_something_to_judge() {
        let dropped = || Some(Outcome::Dropped(DropReason::DedupExhausted));
        let unanswered = |turns, outcome| {
            let mut conversation = answered(turns);
            conversation.round.answer = None;
            conversation.outcome = outcome;
            conversation
        };
        let stopped = Conversation { outcome: Some(Outcome::Interrupted), ..answered(3) };
        let dropped_answered = Conversation { outcome: dropped(), ..answered(2) };
        for (conversation, turn, whole) in [
            (answered(0), true, None),
            (answered(1), true, None),
            (answered(2), true, Some(3)),
            (unanswered(2, None), false, None),
            (unanswered(3, None), false, Some(3)),
            (unanswered(3, Some(Outcome::Completed)), false, Some(3)),
            (unanswered(1, Some(Outcome::Completed)), false, Some(1)),
            (unanswered(0, dropped()), false, None),
            (unanswered(1, dropped()), false, Some(1)),
            (dropped_answered, false, Some(2)),
            (stopped, false, None),
        ] {
            let model = Script::texts(&[VERDICT]);
            let verdict = stage(model, Granularity::Turn).judge(&conversation).await.unwrap();
            assert_eq!(verdict.is_some(), turn, "{conversation:?}");
            let judge = stage(Script::texts(&[VERDICT]), Granularity::Conversation);
            let turns = judge.whole(&conversation).map(|task| match task {
                Task::JudgeConversation(task) => task.judge_turn_count,
                other => panic!("{other:?}"),
            });
            assert_eq!(turns, whole, "{conversation:?}");
        }
    }

    #[test]
    fn a_verdicts_line_says_which_and_what() {
        let object = super::super::repair::object(VERDICT).unwrap().object;
        let verdict = reply::judge(&object, &["too_vague".to_owned()]).unwrap();
        for (granularity, expected) in [
            (Granularity::Turn, "[judge-online] turn=3 conversation_index=4 score=8"),
            (Granularity::Conversation, "[judge-online-conversation] conversation_index=4 score=8"),
        ] {
            let expected = format!("{expected} question_ok=true answer_ok=false reasons=[too_vague]");
            assert_eq!(line(granularity, &answered(2), &verdict), expected);
        }
    }

    #[tokio::test]
    async fn evidence_is_capped_and_a_missing_answer_is_named() {
        let mut conversation = answered(80);
        conversation.round.answer = Some(answer(" "));
        let judge = stage(Script::texts(&[VERDICT]), Granularity::Conversation);
        let Some(Task::JudgeConversation(task)) = judge.whole(&conversation) else { panic!("nothing to judge") };
        assert_eq!(task.judge_conversation_evidence.len(), EVIDENCE);
        assert_eq!(task.judge_conversation_turns[80].assistant_message, "MISSING_ASSISTANT_MESSAGE");
        let Some(Task::JudgeTurn(task)) = judge.turn(&conversation) else { panic!("nothing to judge") };
        assert_eq!(task.judge_assistant_message, "MISSING_ASSISTANT_MESSAGE");
    }

    #[tokio::test]
    async fn failures_say_whose_they_are() {
        let model = Script::texts(&["fine", r#"{"score": 11}"#]);
        let mut strict = stage(model.clone(), Granularity::Turn);
        strict.options.accept.drop = true;
        let failure = strict.judge(&answered(0)).await.unwrap_err();
        let detail = "`score` must be a whole number from 0 to 10".to_owned();
        assert_eq!((failure, model.calls()), (Failure::Reply { agent: Agent::Judge, detail }, 2));
        let model = Script::new(|_, _| Err(refused()));
        let failure = stage(model, Granularity::Turn).judge(&answered(0)).await.unwrap_err();
        assert!(matches!(failure, Failure::Model { agent: Agent::Judge, .. }));
    }

    #[test]
    fn the_future_can_move_between_threads() {
        fn sendable<T: Send>(_: T) {}
        sendable(stage(Script::texts(&[""]), Granularity::Turn).judge(&answered(0)));
    }
}
