//! Questions that are none of the plain ones, in every language.

use super::super::languages::{detect, find};
use super::super::modes::Calls;
use super::*;
use crate::domain::Register;
use unicode_segmentation::UnicodeSegmentation;

const NEW: [QuestionMode; 6] = [
    QuestionMode::Unanswerable,
    QuestionMode::Underspecified,
    QuestionMode::Clarification,
    QuestionMode::Nonstandalone,
    QuestionMode::Correction,
    QuestionMode::Challenge,
];

/// A later message of this mode, about one passage, after its text was said.
fn later(code: &str, mode: QuestionMode, variety: u64) -> AskTask {
    let passages = snippets(code);
    let shown = &passages[variety as usize % passages.len()];
    let said = shown.text.to_string();
    AskTask {
        turn_index: 2,
        public_conversation_history: format!("Turn 1 - User: ?\nTurn 1 - Assistant: {}", said.replace('\n', " ")),
        last_assistant_message: said,
        ..ask_task(code, mode, vec![shown.clone()], variety)
    }
}

#[test]
fn every_mode_has_its_message_in_every_language() {
    for code in LANGUAGES {
        for mode in NEW {
            let messages: BTreeSet<String> =
                (0..12).map(|variety| ask(later(code, mode, variety)).user_message).collect();
            assert!(messages.len() >= 6, "{code} {mode:?}: {messages:?}");
            for message in messages {
                assert!(!message.contains(['{', '}']) && message.trim() == message, "{message}");
                assert!(detect(&message).is_none_or(|own| own.sheet.code == code), "{code} {mode:?}: {message}");
                let asks = message.contains(['?', '؟']);
                assert!(asks || mode.may_state(), "{mode:?}: {message}");
            }
        }
    }
}

#[test]
fn the_assistant_sees_by_the_words_what_a_message_calls_for() {
    for code in LANGUAGES {
        let language = find(code).unwrap();
        for register in [None, Some(Register::Typos), Some(Register::Chatty), Some(Register::Formal)] {
            for (mode, expected) in [
                (QuestionMode::Unanswerable, Some(Calls::Unknown)),
                (QuestionMode::Underspecified, Some(Calls::Back)),
                (QuestionMode::Challenge, Some(Calls::Stand)),
                (QuestionMode::Correction, None),
                (QuestionMode::Nonstandalone, None),
                (QuestionMode::Followup, None),
            ] {
                for variety in 0..8 {
                    let message = ask(AskTask { register, ..later(code, mode, variety) }).user_message;
                    assert_eq!(Calls::of(&message, language, [].iter()), expected, "{mode:?}: {message}");
                }
            }
        }
    }
}

#[test]
fn right_answers_are_given_and_judged_right() {
    for code in LANGUAGES {
        let passages = snippets(code);
        for variety in 0..6 {
            let task = later(code, QuestionMode::Unanswerable, variety);
            let asked = ask(task.clone());
            assert!(asked.grounding_facts.is_empty() && !asked.coverage_target.is_empty());
            let (_, answered) = answer(code, &asked, &passages, &task.public_conversation_history);
            assert!(answered.reasoning_trace.evidence.is_empty(), "{asked:?} {answered:?}");
            let verdict = |mode, answered: &AssistantReply| {
                let task = JudgeTurnTask {
                    judge_user_message: asked.user_message.clone(),
                    judge_assistant_message: answered.assistant_message.clone(),
                    judge_reasons: vec!["hallucinated".to_owned()],
                    target_language: code.to_owned(),
                    question_mode: mode,
                    ..JudgeTurnTask::default()
                };
                let reply = chat(Task::JudgeTurn(task), Vec::new(), false).unwrap();
                serde_json::from_str::<JudgeReply>(&reply.text).unwrap()
            };
            assert_eq!(verdict(QuestionMode::Unanswerable, &answered).score, 9, "{answered:?}");
            let open = ask(later(code, QuestionMode::Underspecified, variety));
            let (_, back) = answer(code, &open, &passages, "");
            assert!(back.assistant_message.contains(['?', '؟']), "{back:?}");
            assert_eq!(verdict(QuestionMode::Underspecified, &back).score, 9, "{back:?}");
            let wrong = verdict(QuestionMode::Unanswerable, &back);
            assert_eq!((wrong.score, wrong.answer_ok, wrong.reasons.len()), (3, false, 1));
        }
    }
}

#[test]
fn what_is_doubted_is_said_again_with_other_words_before_it() {
    let passages = snippets("en");
    for variety in 0..6 {
        let first = ask(ask_task("en", QuestionMode::Fresh, passages[..1].to_vec(), variety));
        let (_, said) = answer("en", &first, &passages[..1], "");
        let history = format!("Turn 1 - Assistant: {}", said.assistant_message.replace('\n', " "));
        let task = AskTask {
            last_assistant_message: said.assistant_message.clone(),
            public_conversation_history: history.clone(),
            turn_index: 2,
            ..ask_task("en", QuestionMode::Challenge, passages[..1].to_vec(), variety)
        };
        let (_, again) = answer("en", &ask(task), &passages[..1], &history);
        // The first word after a colon has lost its capital.
        let quoted = again.reasoning_trace.evidence[0].content.to_lowercase();
        assert!(said.assistant_message.to_lowercase().contains(&quoted), "{again:?} {said:?}");
        assert_ne!(again.assistant_message, said.assistant_message);
    }
}

#[test]
fn a_need_comes_piece_by_piece() {
    for code in LANGUAGES {
        let shown = vec![snippets(code)[0].clone()];
        let first = ask(ask_task(code, QuestionMode::Sharded, shown.clone(), 2));
        let has = |text: &str, word: &str| text.unicode_words().any(|one| one == word);
        assert!(first.whole_need.unicode_words().any(|word| !has(&first.user_message, word)), "{first:?}");
        let mut history = format!("Turn 1 - User: {}", first.user_message);
        let mut told = BTreeSet::from([first.user_message.clone()]);
        for turn_index in 2..=3 {
            let task = AskTask {
                turn_index,
                whole_need: first.whole_need.clone(),
                public_conversation_history: history.clone(),
                ..ask_task(code, QuestionMode::Sharded, shown.clone(), 2)
            };
            let next = ask(task).user_message;
            history.push_str(&format!("\nTurn {turn_index} - User: {next}"));
            assert!(told.insert(next), "{told:?}");
        }
    }
}

#[test]
fn registers_and_lengths_show() {
    let passages = snippets("en");
    let of = |register, words, variety| {
        ask(AskTask { register, words, ..ask_task("en", QuestionMode::Fresh, passages[..2].to_vec(), variety) })
            .user_message
    };
    let count = |text: &str| text.unicode_words().count();
    for variety in 0..10 {
        let terse = of(Some(Register::Terse), None, variety);
        assert!(terse.ends_with('?') && count(&terse) <= 20, "{terse}");
        let chatty = of(Some(Register::Chatty), None, variety);
        assert!(chatty.starts_with('H') && chatty.contains('!'), "{chatty}");
        assert!(of(Some(Register::Formal), None, variety).starts_with("Good day."));
        let typos = of(Some(Register::Typos), None, variety);
        assert_eq!(typos, typos.to_lowercase());
        let (short, long) = (of(None, Some(4), variety), of(None, Some(30), variety));
        assert!(count(&short) + 8 <= count(&long) && count(&long) <= 36, "{short} / {long}");
    }
}

#[test]
fn who_has_told_all_asks_for_the_whole_at_the_end_and_is_answered_about_it() {
    for code in LANGUAGES {
        let language = find(code).unwrap();
        let shown = vec![snippets(code)[0].clone()];
        let first = ask(AskTask { n_turns: 2, ..ask_task(code, QuestionMode::Sharded, shown.clone(), 2) });
        // Everything in the passage that could be told has been told.
        let told = shown[0].text.replace('\n', " ");
        let history = format!("Turn 1 - User: {} {told}\nTurn 1 - Assistant: I see.", first.user_message);
        let later = |turn_index, variety| AskTask {
            turn_index,
            whole_need: first.whole_need.clone(),
            public_conversation_history: history.clone(),
            ..ask_task(code, QuestionMode::Sharded, shown.clone(), variety)
        };
        let last = ask(later(3, 1)).user_message;
        assert!(last.starts_with(&first.whole_need), "{last} / {}", first.whole_need);
        let between = ask(later(2, 1));
        assert!(!between.user_message.contains(&first.whole_need), "{between:?}");
        let (call, answered) = answer(code, &between, &snippets(code), &history);
        let query = call.arguments["query"].as_str().unwrap();
        let subject = language.subject(&first.user_message);
        assert!(subject.iter().all(|(word, _)| query.contains(word.as_str())), "{query} / {subject:?}");
        assert!(!answered.reasoning_trace.evidence.is_empty(), "{answered:?}");
    }
}

#[test]
fn words_that_tell_what_a_question_is_about_are_not_mistyped() {
    for code in LANGUAGES {
        let language = find(code).unwrap();
        let terms = |text: &str| language.subject(text).into_iter().map(|(_, term)| term).collect::<BTreeSet<_>>();
        let (mut damaged, mut whole) = (0, 0);
        for variety in 0..40 {
            let asked = |register| {
                let passages = snippets(code)[..2].to_vec();
                ask(AskTask { register, words: Some(4), ..ask_task(code, QuestionMode::Fresh, passages, variety) })
            };
            let (plain, typed) = (asked(None).user_message.to_lowercase(), asked(Some(Register::Typos)).user_message);
            damaged += usize::from(plain != typed);
            whole += usize::from(terms(&plain) == terms(&typed));
            // One of several may be mistyped where there is no other long word.
            assert!(!terms(&plain).is_disjoint(&terms(&typed)), "{plain} / {typed}");
        }
        assert!(damaged >= 20 && whole >= 30, "{code}: {damaged} have an error, {whole} keep their subject");
    }
}

#[test]
fn people_greet_once() {
    for code in LANGUAGES {
        let speech = &find(code).unwrap().sheet.speech;
        let registers = [
            (Register::Chatty, &speech.chatty, &speech.chatty_later),
            (Register::Formal, &speech.formal, &speech.formal_later),
        ];
        for (register, first, later) in registers {
            let mut history = String::new();
            for turn_index in 1..=3 {
                let task = AskTask {
                    turn_index,
                    register: Some(register),
                    public_conversation_history: history.clone(),
                    ..ask_task(code, QuestionMode::Fresh, snippets(code)[..2].to_vec(), 5)
                };
                let message = ask(task).user_message;
                let begins = |sentences: &[String]| sentences.iter().find(|one| message.starts_with(*one)).cloned();
                let greeting = begins(if turn_index == 1 { first } else { later });
                assert!(greeting.is_some_and(|one| !history.contains(&one)), "{register:?} {turn_index}: {message}");
                assert!(turn_index == 1 || begins(first).is_none(), "{message}");
                history.push_str(&format!("Turn {turn_index} - User: {message}\n"));
            }
        }
    }
}
