//! The user's side.

use super::super::languages::detect;
use super::*;
use crate::domain::normalisation::compatible;
use crate::domain::reply::Intent;
use proptest::prelude::*;

/// Thirty overlapping passages of one language.
fn thirty(code: &str) -> Vec<Passage> {
    let text: String = DOCUMENTS.iter().filter(|(language, _)| *language == code).map(|(_, text)| *text).collect();
    let letters: Vec<char> = text.chars().collect();
    let step = (letters.len() - 500) / 29;
    let cut = |number: usize| Passage {
        topic_id: format!("{code}-{number}"),
        source_path: "text.md".to_owned(),
        source_descriptor: format!("text.md#chunk{number}"),
        text: letters[number * step..number * step + 500].iter().collect::<String>().trim().into(),
        title: "".into(),
        label: "P1".to_owned(),
    };
    (0..30).map(cut).collect()
}

fn some(snippets: &[Passage], from: usize) -> Vec<Passage> {
    snippets.iter().cycle().skip(from).take(3).cloned().collect()
}

#[test]
fn five_hundred_questions_are_seldom_the_same() {
    for code in LANGUAGES {
        let snippets = thirty(code);
        let asked: BTreeSet<String> = (0..500)
            .map(|variety| {
                let shown = some(&snippets, variety as usize * 3);
                compatible(&ask(ask_task(code, QuestionMode::Fresh, shown, variety)).user_message)
            })
            .collect();
        assert!(asked.len() >= 400, "{code}: {}", asked.len());
    }
}

#[test]
fn intents_are_spread() {
    let snippets = thirty("en");
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for variety in 0..400 {
        let reply = ask(ask_task("en", QuestionMode::Fresh, some(&snippets, variety as usize), variety));
        *counts.entry(format!("{:?}", reply.intent)).or_default() += 1;
    }
    assert_eq!(counts.len(), 8);
    assert!(counts.values().all(|count| (20..=90).contains(count)), "{counts:?}");
}

#[test]
fn a_rejected_question_is_asked_differently() {
    for code in LANGUAGES {
        let snippets = some(&thirty(code), 0);
        let asked: BTreeSet<String> = (0..8)
            .map(|attempt| {
                ask(AskTask { attempt, ..ask_task(code, QuestionMode::Fresh, snippets.clone(), 5) }).user_message
            })
            .collect();
        assert!(asked.len() >= 7, "{code}: {asked:?}");
    }
}

#[test]
fn several_questions_of_a_reply_are_different() {
    for code in LANGUAGES {
        for variety in 0..10 {
            let task = ask_task(code, QuestionMode::Fresh, some(&thirty(code), variety as usize), variety);
            let reply = chat(Task::Ask(AskTask { candidates: 4, ..task.clone() }), Vec::new(), false).unwrap();
            let reply: serde_json::Value = serde_json::from_str(&reply.text).unwrap();
            let listed = reply["candidates"].as_array().unwrap();
            let messages: Vec<&str> = listed.iter().map(|one| one["user_message"].as_str().unwrap()).collect();
            assert_eq!(messages.iter().collect::<BTreeSet<_>>().len(), 4, "{code}: {messages:?}");
            assert_eq!(messages[0], ask(task).user_message, "the one that it asks where it asks one");
            let probabilities: Vec<f64> = listed.iter().map(|one| one["probability"].as_f64().unwrap()).collect();
            assert_eq!(probabilities, [0.5, 0.25, 0.125, 0.0625]);
        }
    }
}

#[test]
fn what_was_asked_is_not_asked_again() {
    let snippets = some(&thirty("en"), 0);
    let mut recent: Vec<Arc<str>> = Vec::new();
    for variety in 0..60 {
        let task = AskTask {
            recent_user_questions: recent.clone(),
            ..ask_task("en", QuestionMode::Fresh, snippets.clone(), variety % 3)
        };
        let question = ask(task).user_message;
        assert!(!recent.iter().any(|asked| compatible(asked) == compatible(&question)), "{question}");
        recent.push(question.into());
    }
}

#[test]
fn the_facts_are_sentences_of_the_passage_that_is_named() {
    for code in LANGUAGES {
        for variety in 0..12 {
            let snippets = snippets(code);
            let reply = ask(ask_task(code, QuestionMode::Fresh, snippets.clone(), variety));
            let named = snippets.iter().find(|snippet| snippet.topic_id == reply.coverage_target).unwrap();
            let text = crate::domain::normalisation::collapsed(&named.text);
            assert!(!reply.grounding_facts.is_empty());
            for fact in &reply.grounding_facts {
                assert!(text.contains(&fact.fact), "{} / {text}", fact.fact);
                assert_eq!(fact.source_descriptor, named.source_descriptor);
            }
            assert_eq!(detect(&reply.user_message).unwrap().sheet.code, code, "{}", reply.user_message);
            assert_eq!(reply.notes_for_assistant.len(), 1);
        }
    }
}

#[test]
fn a_seed_is_asked_word_for_word_once_and_in_its_own_language_only() {
    let seed = |code: &str, seed: &str, attempt: u16, snippets: Vec<Passage>| {
        let task = ask_task(code, QuestionMode::Seeded, snippets, 1);
        ask(AskTask { seed_question: seed.to_owned(), seed_topic: "bread".to_owned(), attempt, ..task })
    };
    let question = "How do I keep the starter alive in the refrigerator?";
    let first = seed("en", question, 0, snippets("en"));
    assert_eq!((first.user_message.as_str(), first.intent), (question, Intent::HowTo));
    assert!(first.grounding_facts[0].fact.contains("refrigerator"), "{first:?}");
    assert_ne!(seed("en", question, 1, snippets("en")).user_message, question);
    let french = seed("fr", question, 0, snippets("fr")).user_message;
    assert_eq!(detect(&french).unwrap().sheet.code, "fr", "{french}");
    let alone = seed("en", question, 0, Vec::new());
    assert_eq!((alone.user_message.as_str(), alone.coverage_target.as_str()), (question, ""));
}

#[test]
fn without_material_it_still_asks() {
    for code in LANGUAGES {
        let fresh = ask(ask_task(code, QuestionMode::Fresh, Vec::new(), 3));
        assert!(fresh.user_message.contains(['?', '؟']) && fresh.grounding_facts.is_empty());
        let quoted = AskTask {
            question: "Qué es la espuma de los días?".to_owned(),
            ..ask_task(code, QuestionMode::Seeded, Vec::new(), 3)
        };
        assert!(!ask(quoted).user_message.is_empty());
    }
}

#[test]
fn passages_in_the_target_language_come_first() {
    let mixed: Vec<Passage> = snippets("fr").into_iter().chain(snippets("es")).collect();
    for variety in 0..40 {
        let reply = ask(ask_task("es", QuestionMode::Fresh, mixed.clone(), variety));
        assert!(reply.coverage_target.starts_with("es"), "{reply:?}");
    }
}

#[test]
fn passages_in_other_languages_are_not_asked_about() {
    for code in LANGUAGES {
        let foreign: Vec<Passage> =
            LANGUAGES.iter().filter(|other| **other != code).flat_map(|other| snippets(other)).collect();
        let seed =
            if code == "en" { "Que fait la vapeur sur la croûte ?" } else { "What does steam do to the crust?" };
        for variety in 0..8 {
            let task = ask_task(code, QuestionMode::Seeded, foreign.clone(), variety);
            let reply = ask(AskTask { seed_question: seed.to_owned(), ..task });
            assert_eq!(detect(&reply.user_message).unwrap().sheet.code, code, "{}", reply.user_message);
            assert!(!reply.user_message.contains(['“', '„', '«']), "{}", reply.user_message);
            assert_eq!((reply.coverage_target.as_str(), reply.grounding_facts.len()), ("", 0));
        }
    }
}

#[test]
fn a_followup_refers_to_the_last_answer() {
    let said = "A baker feeds the starter with equal weights of flour and water.";
    let passages = snippets("en");
    let near: Vec<Passage> = nearest(said, &passages).into_iter().cloned().collect();
    let mut referring = 0;
    for variety in 0..40 {
        let task = AskTask {
            turn_index: 2,
            last_assistant_message: said.to_owned(),
            ..ask_task("en", QuestionMode::Followup, near.clone(), variety)
        };
        let reply = ask(task);
        referring += usize::from(
            ["baker", "starter", "flour", "water", "weights"].iter().any(|it| reply.user_message.contains(it)),
        );
    }
    assert!(referring >= 36, "{referring}");
}

#[test]
fn questions_are_about_what_a_passage_dwells_on() {
    let text = "# Lights\n\n## The Fresnel lens\n\nThe stepped lens bends the light of the lamp. The lamp stands behind the \
                lens in September. A beacon by the toaster turns the lens around the lamp. The light leaves the lens as a beam.";
    let snippet = Passage { text: text.into(), ..snippets("en").remove(0) };
    let mut dwelling = 0;
    for variety in 0..60 {
        let question = ask(ask_task("en", QuestionMode::Fresh, vec![snippet.clone()], variety)).user_message;
        assert!(!question.contains("September") && !question.contains("toaster"), "{question}");
        dwelling += usize::from(["lens", "light", "lamp"].iter().any(|it| question.contains(it)));
    }
    assert!(dwelling >= 45, "{dwelling}");
}

/// A passage from the middle of a document.
fn passage(text: &str) -> Passage {
    Passage { text: text.into(), source_descriptor: "text.md#chunk3".to_owned(), ..snippets("en").remove(0) }
}

/// The questions asked about passages, in lower case.
fn questions(code: &str, passages: &[Passage]) -> Vec<String> {
    let asked = |variety| ask(ask_task(code, QuestionMode::Fresh, passages.to_vec(), variety)).user_message;
    (0..60).map(|variety| asked(variety).to_lowercase()).collect()
}

/// Words that come back in their passage and still carry no subject: verbs, and nouns that say too little.
#[test]
fn verbs_and_vague_nouns_are_no_subjects() {
    for (code, text, wrong, right) in [
        (
            "en",
            "The difference between the two lamps is small. A keeper can see the difference at night. The way to the lamp \
             is steep. There is no other way up for the keeper. One part of the lamp turns. The other part of the lamp \
             stays still. The thing by the lamp is an example of an old clock. A keeper gave another example of such a \
             thing. The advantage of the oil is its price. Another advantage of the oil is its smell.",
            &["difference", "the way", "part of", "example of", "thing by", "advantage"][..],
            &["lamp", "keeper", "oil"][..],
        ),
        (
            "fr",
            "On range le carton pour le retrouver sans peine. Un bon index aide à retrouver le carton en une minute. La \
             différence entre le carton et la chemise est grande. Une différence de prix compte peu pour le carton. Il \
             faut ouvrir la chemise avant de la ranger. On peut ranger la chemise dans le carton. L'avantage de la chemise \
             est son prix. Un autre avantage de la chemise est son poids.",
            &["retrouver", "différence", "ranger", "avantage"],
            &["carton", "chemise"],
        ),
        (
            "es",
            "La diferencia entre el faro y la torre es clara. El guarda conoce la diferencia desde lejos. Al volver al \
             faro, el guarda enciende la lámpara. No se puede volver a la torre de noche. La ventaja del faro es la \
             lámpara. Otra ventaja de la torre es la altura de los muros.",
            &["diferencia", "volver", "ventaja"],
            &["faro", "torre", "guarda", "lámpara"],
        ),
        (
            "de",
            "Der Unterschied zwischen dem Turm und der Bake ist klein. Ein Wärter sieht den kleinen Unterschied am Turm. \
             Beim Gehen trägt der Wärter eine Lampe. Auch das Gehen auf dem Deich ist ohne Lampe schwer. Ein Vorteil der \
             Lampe ist ihr Licht. Ein anderer Vorteil ist der Preis der Lampe.",
            &["unterschied", "„gehen", "vorteil"],
            &["turm", "wärter", "lampe"],
        ),
        (
            "ar",
            "يظهر الفرق بين المنارة والبرج في الليل. ويعرف الحارس هذا الفرق من بعيد. تقع المشكلة في زيت المصباح داخل المنارة. \
             ويحل الحارس هذه المشكلة قبل الفجر. يضيء المصباح فوق المنارة طوال الليل. ويملأ الحارس المصباح بالزيت.",
            &["الفرق", "المشكلة", "الليل"],
            &["المنارة", "الحارس", "المصباح"],
        ),
    ] {
        for question in questions(code, &[passage(text)]) {
            assert!(wrong.iter().all(|word| !question.contains(word)), "{code}: {question}");
            assert!(right.iter().any(|word| question.contains(word)), "{code}: {question}");
        }
    }
}

#[test]
fn a_passage_without_a_subject_leaves_it_to_another_or_to_its_heading() {
    let scattered = "## Where nobody sails\n\nA sailor looked for the harbour in vain. Rain hid the moon behind a curtain. \
                     The crew poured coffee into a kettle.";
    let dwelling = "The starter needs flour. A baker feeds the starter every day. In the cold the starter sleeps.";
    for question in questions("en", &[passage(scattered), passage(dwelling)]) {
        assert!(question.contains("starter"), "{question}");
    }
    let alone = [passage(scattered)];
    for question in questions("en", &alone) {
        assert!(question.contains("“where nobody sails”"), "{question}");
    }
    let reply = ask(ask_task("en", QuestionMode::Fresh, alone.to_vec(), 1));
    assert!(reply.grounding_facts[0].fact.starts_with("A sailor"), "{reply:?}");
}

#[test]
fn a_seed_that_no_sentence_answers_gives_no_facts() {
    let task = ask_task("en", QuestionMode::Seeded, snippets("en"), 1);
    let reply = ask(AskTask { seed_question: "Why do zeppelins and xylophones need water?".to_owned(), ..task });
    assert!(reply.grounding_facts.is_empty() && !reply.coverage_target.is_empty(), "{reply:?}");
}

#[test]
fn a_persona_speaks_up_on_the_first_turn_now_and_then() {
    let says = |turn_index: u16| {
        let asked = |variety| {
            let task = AskTask {
                turn_index,
                user_persona: "Museum Guide | patient | asks for the details of it".to_owned(),
                ..ask_task("en", QuestionMode::Fresh, snippets("en"), variety)
            };
            ask(task).user_message.contains("as a museum guide")
        };
        (0..60).filter(|variety| asked(*variety)).count()
    };
    assert!((3..40).contains(&says(1)), "{}", says(1));
    assert_eq!(says(2), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_text_can_be_asked_about(text in "\\PC{0,200}", markdown in "([#*_>|`\\[\\](){}-]|[a-zé ]{1,8}|[.:\n]){0,60}", variety: u64) {
        let snippet = |text: &str| Passage {
            topic_id: "t".to_owned(),
            source_path: "s.md".to_owned(),
            source_descriptor: "s.md#chunk1".to_owned(),
            text: text.into(),
            title: "".into(),
            label: "P1".to_owned(),
        };
        for code in LANGUAGES {
            for mode in [QuestionMode::Fresh, QuestionMode::Followup, QuestionMode::Adjacent] {
                let snippets = vec![snippet(&text), snippet(&markdown)];
                let task = AskTask {
                    turn_index: 2,
                    last_assistant_message: markdown.clone(),
                    user_persona: text.clone(),
                    seed_question: text.clone(),
                    ..ask_task(code, mode, snippets, variety)
                };
                let reply = ask(task);
                prop_assert!(!reply.user_message.trim().is_empty());
            }
        }
    }
}

#[test]
fn a_question_over_two_passages_is_about_both() {
    for code in LANGUAGES {
        let snippets = thirty(code);
        for variety in 0..20 {
            let shown = vec![snippets[variety as usize % 10].clone(), snippets[15 + variety as usize % 10].clone()];
            let task = AskTask { linked: true, ..ask_task(code, QuestionMode::Fresh, shown.clone(), variety) };
            let question = ask(task);
            let named: BTreeSet<_> = question.grounding_facts.iter().map(|fact| &fact.source_descriptor).collect();
            assert_eq!(named, shown.iter().map(|passage| &passage.source_descriptor).collect(), "{question:?}");
            assert_eq!(question.coverage_target, shown[0].topic_id);
        }
    }
}
