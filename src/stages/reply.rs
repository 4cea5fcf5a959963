//! From a JSON object to a word: replies read leniently in form, strictly in meaning.
//!
//! Forms that say the same are read alike (a text for a list of one, `"7/10"` for 7, `How-To` for `how_to`). What is
//! missing and can be empty is empty; what is missing and can't is an error that names the field.

use super::lenient::{choice, flag, folded, items, message, part, text, texts};
use crate::llm::ReplySchema;
use crate::words::reply::{Evidence, GroundingFact, Premise, ReasoningTrace, RetrievalQueries, Thought};
use crate::words::{AssistantReply, JudgeReply, UserReply};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};
use std::sync::Arc;

type Object = Map<String, Value>;

/// The form of the user model's reply.
pub(super) fn user_schema() -> ReplySchema {
    schema::<UserReply>("user_reply")
}

/// The form of the assistant model's reply.
pub(super) fn assistant_schema() -> ReplySchema {
    schema::<AssistantReply>("assistant_reply")
}

/// The form of the judge model's reply.
pub(super) fn judge_schema() -> ReplySchema {
    schema::<JudgeReply>("judge_reply")
}

fn schema<T: JsonSchema>(name: &'static str) -> ReplySchema {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    ReplySchema { name, schema: Arc::new(settings.into_generator().into_root_schema_for::<T>().to_value()) }
}

/// Reads the user model's reply.
pub(super) fn user(object: &Object) -> Result<UserReply, String> {
    Ok(UserReply {
        user_message: message(object, "user_message")?,
        intent: choice(object, "intent", "intent")?,
        difficulty: choice(object, "difficulty", "difficulty")?,
        grounding_facts: items(object.get("grounding_facts"))
            .into_iter()
            .map(|item| GroundingFact {
                fact: part(item, &["fact"], true),
                source_descriptor: part(item, &["source_descriptor"], false),
            })
            .filter(|fact| !fact.fact.is_empty())
            .collect(),
        coverage_target: text(object.get("coverage_target")),
        notes_for_assistant: texts(object.get("notes_for_assistant")),
    })
}

/// Reads the assistant model's reply. `searched_web` is what `did_web_search` is where the reply does not say.
pub(super) fn assistant(object: &Object, searched_web: bool) -> Result<AssistantReply, String> {
    Ok(AssistantReply {
        assistant_message: message(object, "assistant_message")?,
        reasoning_trace: trace(object.get("reasoning_trace"))?,
        did_web_search: flag(object, "did_web_search")?.unwrap_or(searched_web),
    })
}

/// Reads the judge model's reply. Reasons are matched with `labels` whatever their case and hyphens; one that is not
/// among them is left out where others are, and counts as `other`, if that is a label, where it stands alone.
pub(super) fn judge(object: &Object, labels: &[String]) -> Result<JudgeReply, String> {
    Ok(JudgeReply {
        score: score(object.get("score"))?,
        reasons: reasons(&texts(object.get("reasons")), labels),
        notes: text(object.get("notes")),
        question_ok: flag(object, "question_ok")?.ok_or("`question_ok` is missing: true or false")?,
        answer_ok: flag(object, "answer_ok")?.ok_or("`answer_ok` is missing: true or false")?,
    })
}

fn trace(value: Option<&Value>) -> Result<ReasoningTrace, String> {
    let trace = match value {
        Some(Value::Object(trace)) => trace,
        None | Some(Value::Null) => return Err("`reasoning_trace` is missing".to_owned()),
        Some(_) => return Err("`reasoning_trace` must be an object".to_owned()),
    };
    Ok(ReasoningTrace {
        question: text(trace.get("question")),
        retrieval_queries: queries(trace.get("retrieval_queries")),
        evidence: evidence(trace.get("evidence")),
        premises: premises(trace.get("premises")),
        thinking: items(trace.get("thinking"))
            .into_iter()
            .map(|item| Thought { text: item.get("text").map_or_else(|| text(Some(item)), |part| text(Some(part))) })
            .filter(|thought| !thought.text.is_empty())
            .collect(),
        confidence: choice(trace, "confidence", "reasoning_trace.confidence")?,
        known_limits: texts(trace.get("known_limits")),
    })
}

/// Queries by tool; a bare list or text is what was asked of the knowledge base.
fn queries(value: Option<&Value>) -> RetrievalQueries {
    let (knowledge, web) = match value {
        Some(Value::Object(queries)) => (queries.get("vector_db_search"), queries.get("web_search")),
        other => (other, None),
    };
    RetrievalQueries { vector_db_search: clean_queries(texts(knowledge)), web_search: clean_queries(texts(web)) }
}

/// Words that models put where a query should be.
const PLACEHOLDERS: [&str; 14] = [
    "ar",
    "en",
    "fr",
    "english",
    "french",
    "arabic",
    "morocco",
    "moroccan",
    "egypt",
    "egyptian",
    "levantine",
    "uae",
    "gulf",
    "saudi",
];

/// Queries without single words that search for nothing: of one or two characters, or the name of a language or place.
fn clean_queries(queries: Vec<String>) -> Vec<String> {
    let searches = |query: &String| {
        query.split_whitespace().nth(1).is_some()
            || (query.chars().count() > 2 && !PLACEHOLDERS.contains(&query.to_lowercase().as_str()))
    };
    queries.into_iter().filter(searches).collect()
}

fn evidence(value: Option<&Value>) -> Vec<Evidence> {
    items(value)
        .into_iter()
        .map(|item| (part(item, &["id"], false), part(item, &["cue"], false), part(item, &["content"], true)))
        .filter(|(_, cue, content)| !cue.is_empty() || !content.is_empty())
        .enumerate()
        .map(|(at, (id, cue, content))| Evidence { id: label(id, 'E', at), cue, content })
        .collect()
}

fn premises(value: Option<&Value>) -> Vec<Premise> {
    items(value)
        .into_iter()
        .map(|item| Premise {
            id: part(item, &["id"], false),
            text: part(item, &["text"], true),
            evidence_refs: texts(item.get("evidence_refs")),
            assumption: part(item, &["assumption", "note", "text_note"], false),
        })
        .filter(|premise| !premise.text.is_empty() || !premise.assumption.is_empty())
        .enumerate()
        .map(|(at, premise)| Premise { id: label(premise.id, 'P', at), ..premise })
        .collect()
}

/// The label, or one made of its position.
fn label(id: String, letter: char, at: usize) -> String {
    if id.is_empty() { format!("{letter}{}", at + 1) } else { id }
}

fn score(value: Option<&Value>) -> Result<u8, String> {
    let number = match value {
        None | Some(Value::Null) => return Err("`score` is missing: a whole number from 0 to 10".to_owned()),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => match text.split_once('/') {
            Some((number, full)) if full.trim() == "10" => number.trim().parse().ok(),
            _ => text.trim().parse().ok(),
        },
        Some(_) => None,
    };
    match number {
        Some(number) if (0.0..=10.0).contains(&number) => Ok(number.round() as u8),
        _ => Err("`score` must be a whole number from 0 to 10".to_owned()),
    }
}

fn reasons(given: &[String], labels: &[String]) -> Vec<String> {
    let named = |name: &str| labels.iter().find(|label| folded(label) == folded(name));
    let mut reasons: Vec<String> = Vec::new();
    for label in given.iter().filter_map(|reason| named(reason)) {
        if !reasons.contains(label) {
            reasons.push(label.clone());
        }
    }
    if reasons.is_empty() && !given.is_empty() {
        reasons.extend(named("other").cloned());
    }
    reasons
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn object(value: Value) -> Object {
        value.as_object().cloned().unwrap_or_default()
    }

    fn labels() -> Vec<String> {
        ["weak_grounding", "Too-Vague", "other"].map(String::from).to_vec()
    }

    #[test]
    fn a_question_is_read_in_many_forms() {
        let exact = json!({
            "user_message": "كيف؟", "intent": "how_to", "difficulty": "hard",
            "grounding_facts": [{"fact": "f", "source_descriptor": "a.md#chunk1"}],
            "coverage_target": "x-1", "notes_for_assistant": ["be brief"],
        });
        let loose = json!({
            "user_message": " كيف؟\n", "intent": " How-To ", "difficulty": "HARD",
            "grounding_facts": [{"fact": " f", "source_descriptor": "a.md#chunk1"}, null, {"fact": ""}],
            "coverage_target": " x-1", "notes_for_assistant": "be brief", "extra": 1,
        });
        let expected: UserReply = serde_json::from_value(exact.clone()).unwrap();
        assert_eq!(user(&object(exact)), Ok(expected.clone()));
        assert_eq!(user(&object(loose)), Ok(expected));
        let least = user(&object(json!({"user_message": "q", "intent": "edge case", "difficulty": "easy"}))).unwrap();
        assert_eq!((least.grounding_facts.len(), least.coverage_target.as_str()), (0, ""));
        let facts = json!({"user_message": "q", "intent": "compare", "difficulty": "easy", "grounding_facts": "f"});
        assert_eq!(user(&object(facts)).unwrap().grounding_facts[0].fact, "f");
    }

    #[test]
    fn an_answer_is_read_in_many_forms() {
        let exact = json!({
            "assistant_message": "a",
            "reasoning_trace": {
                "question": "q",
                "retrieval_queries": {"vector_db_search": ["tea leaves"], "web_search": []},
                "evidence": [{"id": "E1", "cue": "KB", "content": "c"}, {"id": "E2", "cue": "", "content": "bare"}],
                "premises": [
                    {"id": "P1", "text": "t", "evidence_refs": ["E1", "2"], "assumption": "true"},
                    {"id": "P2", "text": "u", "evidence_refs": [], "assumption": "noted"},
                    {"id": "P3", "text": "bare", "evidence_refs": [], "assumption": ""},
                ],
                "thinking": [{"text": "one"}, {"text": "2"}, {"text": "{\"step\":\"three\"}"}],
                "confidence": "low",
                "known_limits": ["l"],
            },
            "did_web_search": true,
        });
        let loose = json!({
            "assistant_message": " a ",
            "reasoning_trace": {
                "question": "q",
                "retrieval_queries": "tea leaves",
                "evidence": [{"cue": "KB", "content": "c"}, "bare", {"id": "E9"}],
                "premises": [
                    {"id": "P1", "text": "t", "evidence_refs": ["E1", 2], "assumption": true},
                    {"text": "u", "note": "noted"},
                    "bare",
                ],
                "thinking": ["one", 2, {"step": "three"}, ""],
                "confidence": "LOW",
                "known_limits": "l",
            },
            "did_web_search": "True",
        });
        let expected: AssistantReply = serde_json::from_value(exact.clone()).unwrap();
        assert_eq!(assistant(&object(exact), false), Ok(expected.clone()));
        assert_eq!(assistant(&object(loose), false), Ok(expected));
    }

    #[test]
    fn missing_parts_of_a_trace_are_empty() {
        let bare =
            object(json!({"assistant_message": "a", "reasoning_trace": {"thinking": "t", "confidence": "high"}}));
        for searched in [true, false] {
            let reply = assistant(&bare, searched).unwrap();
            assert_eq!(reply.did_web_search, searched);
            assert_eq!(reply.reasoning_trace.thinking, [Thought { text: "t".to_owned() }]);
            assert!(reply.reasoning_trace.evidence.is_empty() && reply.reasoning_trace.known_limits.is_empty());
        }
    }

    #[test]
    fn queries_that_search_for_nothing_are_dropped() {
        let given =
            json!({"vector_db_search": [" Arabic ", "tea", "of", "", "Arabic tea", 7, "UAE"], "web_search": "x"});
        let queries = queries(Some(&given));
        assert_eq!(queries.vector_db_search, ["tea", "Arabic tea"]);
        assert!(queries.web_search.is_empty());
    }

    #[test]
    fn scores_are_numbers_from_0_to_10() {
        for (given, expected) in [
            (json!(7), Some(7)),
            (json!(7.5), Some(8)),
            (json!("6.4"), Some(6)),
            (json!(" 8 / 10"), Some(8)),
            (json!("4/5"), None),
            (json!(0), Some(0)),
            (json!(10.0), Some(10)),
            (json!(10.1), None),
            (json!(-1), None),
            (json!("nan"), None),
            (json!("good"), None),
            (json!([7]), None),
            (json!(null), None),
        ] {
            assert_eq!(score(Some(&given)).ok(), expected, "{given}");
        }
    }

    #[test]
    fn reasons_are_labels_of_the_list() {
        for (given, expected) in [
            (json!(["Weak-Grounding", "too vague", "weak grounding"]), vec!["weak_grounding", "Too-Vague"]),
            (json!(["weak_grounding", "invented"]), vec!["weak_grounding"]),
            (json!("invented"), vec!["other"]),
            (json!([]), vec![]),
            (json!(null), vec![]),
        ] {
            assert_eq!(reasons(&texts(Some(&given)), &labels()), expected, "{given}");
        }
        assert!(reasons(&["invented".to_owned()], &labels()[..2]).is_empty());
    }

    #[test]
    fn what_cannot_be_meant_is_an_error_that_names_the_field() {
        let question = |change: Value| {
            let mut reply = object(json!({"user_message": "q", "intent": "compare", "difficulty": "easy"}));
            reply.extend(object(change));
            user(&reply).unwrap_err()
        };
        assert_eq!(question(json!({"user_message": null})), "`user_message` is missing");
        assert_eq!(question(json!({"user_message": " \n"})), "`user_message` is empty");
        assert_eq!(question(json!({"user_message": ["q"]})), "`user_message` must be a text");
        assert_eq!(question(json!({"intent": 3})), "`intent` must be a text");
        let unknown = question(json!({"intent": "chat"}));
        assert!(unknown.starts_with("`intent`: unknown variant `chat`, expected one of `clarify`"), "{unknown}");
        assert!(question(json!({"difficulty": null})).starts_with("`difficulty`: unknown variant ``"));

        let answer =
            |trace: Value| assistant(&object(json!({"assistant_message": "a", "reasoning_trace": trace})), false);
        assert_eq!(answer(json!(null)).unwrap_err(), "`reasoning_trace` is missing");
        assert_eq!(answer(json!("because")).unwrap_err(), "`reasoning_trace` must be an object");
        assert!(answer(json!({})).unwrap_err().starts_with("`reasoning_trace.confidence`: "));

        let verdict = |reply: Value| judge(&object(reply), &labels()).unwrap_err();
        assert_eq!(verdict(json!({"question_ok": true})), "`score` is missing: a whole number from 0 to 10");
        assert_eq!(verdict(json!({"score": 1, "question_ok": 2})), "`question_ok` must be true or false");
        assert_eq!(verdict(json!({"score": 1, "question_ok": "no"})), "`answer_ok` is missing: true or false");
    }

    #[test]
    fn schemas_name_every_field_and_refer_to_nothing() {
        for (schema, key) in [
            (user_schema(), "\"coverage_target\""),
            (assistant_schema(), "\"reasoning_trace\""),
            (judge_schema(), "\"question_ok\""),
        ] {
            let text = schema.schema.to_string();
            assert!(text.contains(key) && !text.contains("$ref") && !text.contains("$schema"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_object_is_read_or_refused(text in ".{0,20}", number in any::<f64>(), key in 0_usize..8) {
            let keys = ["thinking", "premises", "evidence", "retrieval_queries", "question", "known_limits", "x", "id"];
            for odd in [json!(text), json!(number), json!([text, [number]]), json!({"id": [text], "text": {"a": number}})] {
                let trace = json!({"confidence": "low", keys[key]: odd.clone()});
                let answer = json!({"assistant_message": "a", "reasoning_trace": trace});
                prop_assert_eq!(assistant(&object(answer), false).err(), None);
                let verdict = json!({"score": odd.clone(), "reasons": odd, "question_ok": true, "answer_ok": true});
                let _ = judge(&object(verdict), &[]);
            }
        }
    }
}
