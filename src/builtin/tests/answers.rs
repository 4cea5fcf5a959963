//! The assistant's side.

use super::*;
use crate::domain::fixtures::user_reply as question;
use crate::domain::reply::{Confidence, GroundingFact};
use proptest::prelude::*;

#[test]
fn answers_quote_the_sentences_that_speak_to_the_question() {
    for (code, asked, wanted) in [
        ("en", "What does steam do to the crust in the oven?", "Steam keeps the crust soft"),
        ("fr", "De quoi dépend la portée d'un phare ?", "La portée d'un phare dépend de la hauteur"),
        ("ar", "كم بيضة تضع الملكة في فصل الربيع؟", "تضع الملكة نحو 2000 بيضة"),
        ("es", "¿Qué conserva la adaptación de los ojos?", "Una linterna roja conserva la adaptación"),
        ("de", "Wann behandelt der Imker gegen die Varroamilbe?", "behandelt gegen die Varroamilbe im Dezember"),
    ] {
        let (call, reply) = answer(code, &question(asked), &snippets(code), "");
        let said = reply.assistant_message.to_lowercase();
        assert!(said.contains(&wanted.to_lowercase()), "{}", reply.assistant_message);
        assert_eq!(call.arguments["k"], 4);
        assert_ne!(reply.reasoning_trace.confidence, Confidence::Low);
        assert!(!reply.did_web_search);
    }
}

#[test]
fn a_call_is_named_by_its_request() {
    let (one, _) = answer("en", &question("What does steam do?"), &snippets("en"), "");
    let (same, _) = answer("en", &question("What does steam do?"), &snippets("en"), "");
    let (other, _) = answer("en", &question("What does salt do?"), &snippets("en"), "");
    assert_eq!(one, same);
    assert_ne!(one.id, other.id);
    assert!(one.id.len() == 21 && one.id.starts_with("call_"), "{}", one.id);
}

fn fact(fact: &str) -> GroundingFact {
    GroundingFact { fact: fact.to_owned(), source_descriptor: String::new() }
}

#[test]
fn facts_lend_their_terms_to_the_search() {
    let given = vec![fact("Steam keeps the crust soft."), fact("La vapeur garde la croûte du pain souple.")];
    let asked = UserReply { grounding_facts: given, ..question("What happens in the oven?") };
    let (call, _) = answer("en", &asked, &snippets("en"), "");
    let query = call.arguments["query"].as_str().unwrap();
    assert!(query.contains("Steam") && !query.contains("vapeur"), "{query}");
}

#[test]
fn another_document_is_quoted_only_for_what_it_alone_tells() {
    let of = |path: &str, text: &str| Passage {
        label: "P1".to_owned(),
        topic_id: format!("{path}-1"),
        source_path: path.to_owned(),
        source_descriptor: format!("{path}#chunk0"),
        title: "".into(),
        text: text.into(),
    };
    let tower = "The light of the tower was seen by ships for many miles. Keepers trimmed the light at midnight.";
    let sky = "The light takes more than one second from the Moon to the Earth in summer.";
    for (asked, other, is_quoted) in [
        ("What should I know about the light?", sky, false),
        ("What do the tower and the Moon have in common?", sky, true),
        ("What is the light of the tower itself?", "In the Moon of May the yeast comes with the flour itself.", false),
    ] {
        let passages = [of("tower.md", tower), of("other.md", other)];
        let (_, reply) = answer("en", &question(asked), &passages, "");
        let quoted = |text: &str| reply.reasoning_trace.evidence.iter().any(|piece| piece.content.contains(text));
        assert!(quoted("tower"), "{asked}: {}", reply.assistant_message);
        assert_eq!(quoted("Moon"), is_quoted, "{asked}: {}", reply.assistant_message);
    }
}

#[test]
fn passages_in_other_languages_are_not_quoted() {
    let asked = question("Que fait le levain (the starter, the crust, the oven) dans le four ?");
    let (_, reply) = answer("fr", &asked, &snippets("en"), "");
    let trace = &reply.reasoning_trace;
    assert_eq!((trace.evidence.len(), trace.confidence), (0, Confidence::Low), "{}", reply.assistant_message);
    assert!(reply.assistant_message.contains("fiable") || reply.assistant_message.contains("insuffisants"));
    assert!(trace.thinking[1].text.contains("lus\u{a0}: 0"), "{trace:?}");
}

#[test]
fn what_was_rejected_is_not_said_again() {
    let asked = question("What does steam do to a loaf?");
    let (_, first) = answer("en", &asked, &snippets("en"), "");
    let rejected = RejectedReply { message: first.assistant_message.clone(), reasons: vec![], notes: String::new() };
    let (_, second) = answer_again("en", &asked, &snippets("en"), "", Some(rejected));
    let sentences = |reply: &AssistantReply| reply.reasoning_trace.evidence.clone();
    assert_ne!(first.assistant_message, second.assistant_message);
    assert_ne!(sentences(&first), sentences(&second));
}

#[test]
fn what_was_said_is_not_said_again() {
    let asked = question("How does a baker feed the starter?");
    let (_, first) = answer("en", &asked, &snippets("en"), "");
    let (_, second) = answer("en", &asked, &snippets("en"), &first.assistant_message);
    let best = &first.reasoning_trace.evidence[0].content;
    assert!(second.reasoning_trace.evidence.iter().all(|piece| piece.content != *best), "{second:?}");
}

#[test]
fn without_evidence_it_says_so() {
    for code in LANGUAGES {
        let (_, reply) = answer(code, &question("xylophone zeppelin?"), &snippets(code), "");
        let trace = &reply.reasoning_trace;
        assert!(reply.assistant_message.contains("zeppelin"), "{}", reply.assistant_message);
        assert_eq!((trace.confidence, trace.evidence.len()), (Confidence::Low, 0));
        assert_eq!(trace.known_limits.len(), 2);
        let (_, nothing) = answer(code, &question("?"), &[], "");
        assert_eq!(nothing.reasoning_trace.confidence, Confidence::Low);
    }
}

#[test]
fn evidence_is_cited_where_it_stands() {
    let (_, reply) = answer("en", &question("What is the water table?"), &snippets("en"), "");
    let trace = &reply.reasoning_trace;
    assert!(trace.evidence.iter().any(|piece| piece.cue.starts_with('P')), "{trace:?}");
    for (piece, premise) in trace.evidence.iter().zip(&trace.premises) {
        assert!(reply.assistant_message.to_lowercase().contains(&piece.content.to_lowercase()));
        assert_eq!(premise.evidence_refs, std::slice::from_ref(&piece.id));
    }
    assert_eq!((trace.thinking.len(), trace.premises.len()), (3, trace.evidence.len()));
    assert!(reply.assistant_message.contains("the section “Groundwater”"), "{}", reply.assistant_message);
    assert!(!reply.assistant_message.contains("#chunk") && !reply.assistant_message.contains(".md"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_question_and_passage_get_an_answer(asked in "\\PC{0,80}", text in "\\PC{0,200}", known in "[a-zA-Zé .,]{0,200}") {
        let passage = |text: &str, number: u32| Passage {
            topic_id: "t".to_owned(),
            source_path: "s.md".to_owned(),
            source_descriptor: format!("s.md#chunk{number}"),
            text: text.into(),
            title: "".into(),
            label: "P1".to_owned(),
        };
        for code in LANGUAGES {
            let (_, reply) = answer(code, &question(&format!("{asked} {known}")), &[passage(&text, 0), passage(&known, 1)], "");
            prop_assert!(!reply.assistant_message.trim().is_empty());
            judge(code, &question(&asked), &reply);
        }
    }
}
