//! Whole turns, and what every call has in common.

use super::super::languages::{detect, find};
use super::*;
use crate::domain::task::{JudgeConversationTask, JudgedTurn};
use std::sync::Mutex;

/// A conversation of three turns: questions, answers and verdicts.
fn conversation(code: &str, variety: u64) -> Vec<(UserReply, AssistantReply, JudgeReply)> {
    let passages = snippets(code);
    let mut turns: Vec<(UserReply, AssistantReply, JudgeReply)> = Vec::new();
    let mut history = String::new();
    for (number, mode) in [QuestionMode::Fresh, QuestionMode::Followup, QuestionMode::Adjacent].into_iter().enumerate()
    {
        let last = turns.last().map(|(_, answer, _)| answer.assistant_message.clone());
        let shown = match &last {
            Some(said) => nearest(said, &passages).into_iter().cloned().collect(),
            None => passages.iter().cycle().skip(variety as usize).take(6).cloned().collect(),
        };
        let task = AskTask {
            turn_index: number as u16 + 1,
            last_assistant_message: last.unwrap_or_else(|| "No prior assistant answer.".to_owned()),
            recent_user_questions: turns.iter().map(|(asked, ..)| asked.user_message.as_str().into()).collect(),
            ..ask_task(code, mode, shown, variety)
        };
        let asked = ask(task);
        let (_, answered) = answer(code, &asked, &passages, &history);
        let judged = judge(code, &asked, &answered);
        history.push_str(&format!("{}\n{}\n", asked.user_message, answered.assistant_message));
        turns.push((asked, answered, judged));
    }
    turns
}

#[test]
fn conversations_hold_together_in_every_language() {
    for code in LANGUAGES {
        let mut scores = BTreeSet::new();
        for variety in 0..10 {
            let turns = conversation(code, variety);
            let questions: BTreeSet<&str> = turns.iter().map(|(asked, ..)| asked.user_message.as_str()).collect();
            assert_eq!(questions.len(), 3);
            for (asked, answered, judged) in &turns {
                let texts =
                    [&asked.user_message, &answered.assistant_message, &judged.notes, &asked.notes_for_assistant[0]];
                for text in texts {
                    assert!(!text.contains(['{', '}']) && !text.contains("  ") && text.trim() == text, "{text:?}");
                    assert_eq!(detect(text).unwrap().sheet.code, code, "{text}");
                }
                assert!(!answered.reasoning_trace.evidence.is_empty(), "{asked:?}");
                assert!(judged.question_ok && judged.score <= 10, "{judged:?}");
                scores.insert(judged.score);
            }
        }
        assert!(scores.len() >= 3, "{code}: {scores:?}");
    }
}

#[test]
fn the_same_conversation_comes_twice() {
    assert_eq!(conversation("fr", 7), conversation("fr", 7));
    assert_ne!(conversation("fr", 7), conversation("fr", 8));
}

#[test]
fn a_conversation_is_judged_as_a_whole() {
    let turns = conversation("en", 2);
    let judged = |answers: Vec<String>| -> JudgeReply {
        let evidence = turns.iter().flat_map(|(_, answered, _)| &answered.reasoning_trace.evidence);
        let evidence =
            evidence.map(|piece| JudgeEvidence { source: piece.cue.clone(), content: piece.content.clone() });
        let asked = turns.iter().zip(answers).enumerate().map(|(at, ((asked, ..), assistant_message))| JudgedTurn {
            turn_index: at as u16 + 1,
            user_message: asked.user_message.clone(),
            assistant_message,
            unsupported_numbers: Vec::new(),
            unknown_citations: Vec::new(),
            question_mode: QuestionMode::Fresh,
        });
        let task = JudgeConversationTask {
            judge_turn_count: turns.len(),
            judge_conversation_turns: asked.collect(),
            judge_conversation_evidence: evidence.collect(),
            judge_reasons: vec!["incomplete".to_owned(), "other".to_owned()],
            target_language: "en".to_owned(),
            ..JudgeConversationTask::default()
        };
        serde_json::from_str(&chat(Task::JudgeConversation(task), Vec::new(), false).unwrap().text).unwrap()
    };
    let given: Vec<String> = turns.iter().map(|(_, answered, _)| answered.assistant_message.clone()).collect();
    let whole = judged(given.clone());
    let gap = judged(vec![given[0].clone(), "MISSING_ASSISTANT_MESSAGE".to_owned(), given[2].clone()]);
    let nothing = judged(vec![String::new(); 3]);
    assert!(whole.score > gap.score && gap.score > nothing.score, "{whole:?} {gap:?} {nothing:?}");
    assert!(whole.answer_ok && !nothing.answer_ok && nothing.score == 0);
}

#[test]
fn other_languages_are_refused_by_name() {
    let model = model();
    let mut task = ask_task("nl", QuestionMode::Fresh, Vec::new(), 0);
    task.target_language = "Dutch".to_owned();
    let refused = chat(Task::Ask(task), Vec::new(), false).unwrap_err();
    let ModelError::Refused { endpoint, status, detail } = &refused else { panic!("{refused}") };
    assert_eq!((endpoint.as_str(), *status), ("builtin", 400));
    assert!(detail.contains("`Dutch`") && detail.contains("en, fr, ar, es, de") && detail.contains("llm.agents"));
    assert_eq!(model.meter.read().failures, 0);
}

#[test]
fn calls_are_counted_and_look_like_an_endpoints() {
    let meter: Arc<Meter> = Arc::default();
    let heard: Arc<Mutex<Vec<Event>>> = Arc::default();
    let hearing = heard.clone();
    let observer = Observer::new(move |event: &Event| hearing.lock().unwrap().push(event.clone()));
    let name = "builtin/demo".into();
    let model = Builtin::new(name, Agent::User, meter.clone(), None, &Prices::default(), observer);
    let request = |language: &str| ChatRequest {
        place: crate::domain::Place::default(),
        conversation: "".into(),
        task: Arc::new(Task::Ask(ask_task(language, QuestionMode::Fresh, snippets("en"), 1))),
        messages: vec![Message::new(Role::System, "Ask a question."), Message::new(Role::User, "Now, please!")].into(),
        tools: Vec::new(),
        schema: ReplySchema::new("reply", json!({})),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let reply = runtime.block_on(model.chat(&request("en"))).unwrap();
    assert!(runtime.block_on(model.chat(&request("xx"))).is_err());
    let reading = meter.read();
    assert_eq!((reading.calls, reading.failures, reading.prompt_tokens), (1, 1, 5));
    assert_eq!(reply.usage.completion_tokens, Some(reading.completion_tokens));
    assert_eq!(reply.raw["choices"][0]["message"]["content"], reply.text.as_str());
    assert_eq!(reply.raw["choices"][0]["finish_reason"], "stop");
    assert_eq!(reply.raw["model"], "builtin/demo");
    assert_eq!(reply.raw["usage"]["total_tokens"], 5 + reading.completion_tokens);
    assert_eq!(&**model.name(), "builtin/demo");
    let heard = heard.lock().unwrap();
    let user = |event: &Event| event.agent == Agent::User && event.endpoint.is_none();
    assert!(heard.iter().all(user), "{heard:?}");
    let [EventKind::Answered { usage, .. }, EventKind::Ended(end)] = [&heard[0].kind, &heard[1].kind] else {
        panic!("{heard:?}");
    };
    assert_eq!((heard.len(), *usage, &end.outcome), (2, reply.usage, &Ok(reply.without_raw())));
}

#[test]
fn names_of_languages_work_in_requests_too() {
    for (name, code) in [("French", "fr"), ("العربية", "ar"), ("de-AT", "de")] {
        let mut task = ask_task(code, QuestionMode::Fresh, snippets(code), 4);
        task.target_language = name.to_owned();
        assert_eq!(detect(&ask(task).user_message), find(code));
    }
}
