//! From a JSON object to a word.
//!
//! What we know is not asked for: a passage is named by its number, and its text, its source and the searches that found it
//! are filled in here, so that nobody can misquote them. Replies are read leniently in form, strictly in meaning: forms that
//! say the same are read alike (a text for a list of one, `"7/10"` for 7, `How-To` for `how_to`); what is missing and can be
//! empty is empty; what is missing and can't is an error that names the field.

use super::faults::{misquote, without_lead};
use super::lenient::{choice, flag, folded, items, message, part, text, texts, thought};
use super::schemas::labels;
use crate::domain::reply::{Evidence, GroundingFact, Premise, ReasoningTrace, RetrievalQueries, Thought};
use crate::domain::{AssistantReply, JudgeReply, Passage, UserReply};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

type Object = Map<String, Value>;

/// The position of the passage that a reply names, by its number or its chunk's id.
fn named(passages: &[Passage], name: &str) -> Option<usize> {
    let name = name.trim().trim_matches(['[', ']', '(', ')']);
    let number = name.strip_prefix(['P', 'p']).unwrap_or(name);
    passages.iter().position(|passage| passage.topic_id == name || passage.label.strip_prefix('P') == Some(number))
}

/// Reads the user model's reply about these passages.
pub(super) fn user(object: &Object, shown: &[Passage]) -> Result<UserReply, String> {
    let target = target(object, shown)?;
    Ok(UserReply {
        user_message: said(object, "user_message", &texts_of(shown).collect::<Vec<_>>())?,
        intent: choice(object, "intent", "intent")?,
        difficulty: choice(object, "difficulty", "difficulty")?,
        grounding_facts: target.map(fact).into_iter().collect(),
        coverage_target: target.map(|passage| passage.topic_id.clone()).unwrap_or_default(),
        notes_for_assistant: texts(object.get("notes_for_assistant")),
        whole_need: text(object.get("whole_need")).trim().to_owned(),
    })
}

fn texts_of(passages: &[Passage]) -> impl Iterator<Item = &str> {
    passages.iter().map(|passage| &*passage.text)
}

/// A message without what models put around it: a clause that speaks of the passages, brackets that nothing opened.
fn said(object: &Object, key: &str, known: &[&str]) -> Result<String, String> {
    let message = message(object, key)?;
    let debris = |(open, close)| if message.contains(open) { None } else { Some(close) };
    let debris: Vec<char> = [('{', '}'), ('[', ']')].into_iter().filter_map(debris).collect();
    let end = message.trim_end_matches(|c: char| debris.contains(&c) || c.is_whitespace());
    if end.is_empty() { Err(format!("`{key}` is empty")) } else { Ok(without_lead(end, known)) }
}

/// A passage as the fact that a question builds on.
pub(super) fn fact(passage: &Passage) -> GroundingFact {
    GroundingFact { fact: passage.text.to_string(), source_descriptor: passage.source_descriptor.clone() }
}

/// The passage a message is about: the one it names, or the only one.
fn target<'a>(object: &Object, shown: &'a [Passage]) -> Result<Option<&'a Passage>, String> {
    match shown {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        several => match named(several, &text(object.get("coverage_target"))) {
            Some(at) => Ok(Some(&several[at])),
            None => Err(format!(
                "`coverage_target` must be the number of the passage that the message is about, one of {}",
                labels(several).join(", ")
            )),
        },
    }
}

/// What an answer can rest on, and what it answers.
pub(super) struct Basis<'a> {
    /// The question it answers.
    pub question: &'a str,
    /// The passages that were retrieved for it, in the order of their numbers.
    pub passages: &'a [Passage],
    /// What was searched for.
    pub queries: RetrievalQueries,
}

/// An answer, and the positions of the passages it rests on.
#[derive(Debug, PartialEq)]
pub(super) struct Grounded {
    pub reply: AssistantReply,
    pub used: Vec<usize>,
    /// What the model quoted of its own accord.
    pub quotes: Vec<String>,
    /// What it cites that was not retrieved, as it wrote it.
    pub unknown: Vec<String>,
}

/// Reads the assistant model's reply. Its reasoning may stand in an object of its own (`reasoning_trace`).
pub(super) fn assistant(object: &Object, basis: Basis<'_>) -> Result<Grounded, String> {
    let known: Vec<&str> = texts_of(basis.passages).chain([basis.question]).collect();
    let assistant_message = said(object, "assistant_message", &known)?;
    let trace = match object.get("reasoning_trace") {
        Some(Value::Object(trace)) => trace,
        None | Some(Value::Null) => object,
        Some(_) => return Err("`reasoning_trace` must be an object".to_owned()),
    };
    let Basis { question, passages, queries } = basis;
    let refs = texts(object.get("evidence_refs").or_else(|| trace.get("evidence_refs")));
    let quoted = evidence(trace.get("evidence"), passages);
    let of_premises = || items(trace.get("premises")).into_iter().flat_map(|item| texts(item.get("evidence_refs")));
    let is_quoted = |name: &String| quoted.iter().any(|(_, evidence)| evidence.id == *name);
    let cited = || refs.iter().cloned().chain(of_premises().filter(|name| !is_quoted(name)));
    let used = once(cited().filter_map(|name| named(passages, &name)).chain(quoted.iter().filter_map(|(at, _)| *at)));
    let unknown = once(cited().filter(|name| named(passages, name).is_none() && !is_quoted(name)));
    let quotes = quoted.iter().map(|(_, evidence)| evidence.content.clone()).collect();
    let evidence = filled(quoted, &used, &unknown, passages);
    let did_web_search = flag(object, "did_web_search")?.unwrap_or(!queries.web_search.is_empty());
    let premises = premises(trace.get("premises"), &evidence, passages);
    let reasoning_trace = ReasoningTrace {
        question: question.to_owned(),
        retrieval_queries: queries,
        evidence: evidence.into_iter().map(|(_, evidence)| evidence).collect(),
        premises,
        thinking: items(trace.get("thinking"))
            .into_iter()
            .map(|item| Thought { text: thought(item) })
            .filter(|thought| !thought.text.is_empty())
            .collect(),
        confidence: choice(trace, "confidence", "confidence")?,
        known_limits: limits(trace.get("known_limits")),
    };
    Ok(Grounded { reply: AssistantReply { assistant_message, reasoning_trace, did_web_search }, used, quotes, unknown })
}

/// Each once, in order.
fn once<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut once = Vec::new();
    for item in items {
        if !once.contains(&item) {
            once.push(item);
        }
    }
    once
}

/// What is not known; words that say nothing is are left out.
fn limits(value: Option<&Value>) -> Vec<String> {
    const NOTHING: [&str; 7] = ["none", "nothing", "empty", "n/a", "null", "-", "no known limits"];
    let told = |limit: &String| !NOTHING.contains(&limit.trim_end_matches('.').to_lowercase().as_str());
    texts(value).into_iter().filter(told).collect()
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

/// A piece of evidence with the position of the passage it comes from, where there is one.
type Sourced = (Option<usize>, Evidence);

/// What the model quotes, each with the passage that holds it.
fn evidence(value: Option<&Value>, passages: &[Passage]) -> Vec<Sourced> {
    let piece = |item: &Value| {
        let (cue, content) = (part(item, &["cue"], false), part(item, &["content"], true));
        let source = passages.iter().position(|passage| holds(&passage.text, &content));
        let cue = source.map_or(cue, |at| passages[at].cue());
        (source, Evidence { id: part(item, &["id"], false), cue, content })
    };
    let mut evidence: Vec<Sourced> = items(value).into_iter().map(piece).collect();
    evidence.retain(|(_, piece)| !piece.content.is_empty());
    label('E', evidence.iter_mut().map(|(_, piece)| &mut piece.id).collect(), &[]);
    evidence
}

/// Whether a passage holds a text, but for its case and punctuation.
pub(super) fn holds(passage: &str, quoted: &str) -> bool {
    misquote(&[quoted], &[passage]).is_none()
}

/// What was quoted, and the text of every passage used that was not, under no name that means nothing.
fn filled(mut evidence: Vec<Sourced>, used: &[usize], unknown: &[String], passages: &[Passage]) -> Vec<Sourced> {
    for at in used {
        if !evidence.iter().any(|(source, _)| source == &Some(*at)) {
            let (id, passage) = (String::new(), &passages[*at]);
            evidence.push((Some(*at), Evidence { id, cue: passage.cue(), content: passage.text.to_string() }));
        }
    }
    label('E', evidence.iter_mut().map(|(_, piece)| &mut piece.id).collect(), unknown);
    evidence
}

/// Premises; where one names a passage by its number it comes to name the evidence.
fn premises(value: Option<&Value>, evidence: &[Sourced], passages: &[Passage]) -> Vec<Premise> {
    let known = |name: &String| evidence.iter().any(|(_, evidence)| evidence.id == *name);
    let resolved = |name: String| {
        let of_passage = named(passages, &name).filter(|_| !known(&name));
        let found = of_passage.and_then(|at| evidence.iter().find(|(source, _)| *source == Some(at)));
        found.map_or(name, |(_, evidence)| evidence.id.clone())
    };
    let premise = |item: &Value| Premise {
        id: part(item, &["id"], false),
        text: part(item, &["text"], true),
        evidence_refs: texts(item.get("evidence_refs")).into_iter().map(resolved).collect(),
        assumption: part(item, &["assumption", "note", "text_note"], false),
    };
    let mut premises: Vec<Premise> = items(value).into_iter().map(premise).collect();
    premises.retain(|premise| !premise.text.is_empty() || !premise.assumption.is_empty());
    label('P', premises.iter_mut().map(|premise| &mut premise.id).collect(), &[]);
    premises
}

/// Gives a label of its own, and none of the `taken` ones, to what has none, or one that another before it has: its position
/// where that is free.
fn label(letter: char, mut ids: Vec<&mut String>, taken: &[String]) {
    let mut own: BTreeSet<String> = BTreeSet::new();
    for id in &mut ids {
        if !id.is_empty() && !own.insert(id.clone()) {
            id.clear();
        }
    }
    let mut taken = own.into_iter().chain(taken.iter().cloned()).collect::<BTreeSet<_>>();
    for (id, at) in ids.into_iter().zip(1..).filter(|(id, _)| id.is_empty()) {
        let mut free = (at..).map(|number| format!("{letter}{number}"));
        *id = free.find(|label| taken.insert(label.clone())).unwrap_or_default();
    }
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
    use crate::stages::script::passages;
    use proptest::prelude::*;
    use serde_json::json;

    fn object(value: Value) -> Object {
        value.as_object().cloned().unwrap_or_default()
    }

    fn reasons_there_are() -> Vec<String> {
        ["weak_grounding", "Too-Vague", "other"].map(String::from).to_vec()
    }

    fn read(reply: Value) -> Result<Grounded, String> {
        let queries = RetrievalQueries { vector_db_search: vec!["green tea".to_owned()], web_search: Vec::new() };
        assistant(&object(reply), Basis { question: "q", passages: &passages(), queries })
    }

    #[test]
    fn a_question_is_read_in_many_forms_and_its_passage_filled_in() {
        let expected = json!({
            "user_message": "كيف؟", "intent": "how_to", "difficulty": "hard",
            "grounding_facts": [{"fact": "Black tea is left to oxidise.", "source_descriptor": "tea.md#chunk2"}],
            "coverage_target": "0a-2", "notes_for_assistant": [],
        });
        let expected: UserReply = serde_json::from_value(expected).unwrap();
        for target in ["P2", "p2", " [P2] ", "2", "0a-2"] {
            let reply = json!({
                "user_message": " كيف؟\n", "intent": " How-To ", "difficulty": "HARD", "coverage_target": target,
                "grounding_facts": [{"fact": "misquoted", "source_descriptor": "elsewhere"}], "extra": 1,
            });
            assert_eq!(user(&object(reply), &passages()), Ok(expected.clone()), "{target}");
        }
        let bare = json!({"user_message": "q", "intent": "edge case", "difficulty": "easy"});
        assert_eq!(user(&object(bare.clone()), &passages()[..1]).unwrap().coverage_target, "0a-1", "the only one");
        let ungrounded = user(&object(bare.clone()), &[]).unwrap();
        assert_eq!((ungrounded.coverage_target.as_str(), ungrounded.grounding_facts.len()), ("", 0));
        for target in [json!(null), json!("P9"), json!("tea")] {
            let mut reply = object(bare.clone());
            reply.insert("coverage_target".to_owned(), target);
            let wrong = user(&reply, &passages()).unwrap_err();
            assert!(wrong.starts_with("`coverage_target` must be") && wrong.ends_with("one of P1, P2, P3"), "{wrong}");
        }
    }

    #[test]
    fn what_an_answer_rests_on_is_filled_in() {
        let light = json!({
            "evidence_refs": ["P2", "2", "P7"], "assistant_message": " a ", "confidence": "LOW", "known_limits": "the price",
        });
        let Grounded { reply, used, quotes, unknown } = read(light).unwrap();
        assert_eq!((reply.assistant_message.as_str(), used, quotes.len()), ("a", vec![1], 0));
        assert_eq!(unknown, ["P7"]);
        let expected = json!({
            "question": "q",
            "retrieval_queries": {"vector_db_search": ["green tea"], "web_search": []},
            "evidence": [{"id": "E1", "cue": "KB: a/tea.md#chunk2", "content": "Black tea is left to oxidise."}],
            "premises": [], "thinking": [], "confidence": "low", "known_limits": ["the price"],
        });
        assert_eq!(serde_json::to_value(&reply.reasoning_trace).unwrap(), expected);
        assert!(!reply.did_web_search);
        for nothing in ["", "None", "N/A.", "nothing"] {
            let reply = json!({"assistant_message": "a", "confidence": "high", "known_limits": nothing});
            assert!(read(reply).unwrap().reply.reasoning_trace.known_limits.is_empty(), "{nothing}");
        }
    }

    #[test]
    fn what_premises_cite_is_evidence_and_what_nobody_found_is_told() {
        let premise = |refs: Value| json!({"text": "t", "evidence_refs": refs});
        let reply = json!({
            "assistant_message": "a", "confidence": "high", "evidence_refs": ["P1", "P9"],
            "premises": [premise(json!(["P3", "0a-2"])), premise(json!(["P9", "E7", "[p1]"]))],
        });
        let Grounded { reply, used, unknown, .. } = read(reply).unwrap();
        assert_eq!((used, unknown), (vec![0, 2, 1], vec!["P9".to_owned(), "E7".to_owned()]));
        let trace = reply.reasoning_trace;
        let refs: Vec<_> = trace.premises.iter().map(|premise| premise.evidence_refs.join(" ")).collect();
        assert_eq!(refs, ["E2 E3", "P9 E7 E1"]);
    }

    #[test]
    fn every_piece_of_evidence_has_a_name_of_its_own() {
        let quote = |id: &str, content: &str| json!({"id": id, "content": content});
        let premise = |refs: Value| json!({"text": "t", "evidence_refs": refs});
        let names = |quotes: Value, premises: Value| {
            let reply = json!({
                "assistant_message": "a", "confidence": "high", "evidence_refs": ["P1", "P3"],
                "evidence": quotes, "premises": premises,
            });
            let trace = read(reply).unwrap().reply.reasoning_trace;
            let evidence = trace.evidence.iter().map(|piece| piece.id.as_str()).collect::<Vec<_>>().join(" ");
            let refs = trace.premises.iter().map(|premise| premise.evidence_refs.join(" ")).collect::<Vec<_>>();
            (evidence, refs)
        };
        // A name that the model made up is no passage's, nor are two pieces of one name.
        assert_eq!(names(json!([]), json!([premise(json!(["E1", "P1"]))])), ("E2 E3".into(), vec!["E1 E2".into()]));
        let twice = json!([quote("E2", "of one"), quote("E2", "of two"), quote("", "of three")]);
        assert_eq!(names(twice, json!([])).0, "E2 E3 E4 E5");
        let named = json!([quote("", "of one"), quote("E1", "of two")]);
        assert_eq!(names(named, json!([premise(json!(["E1", "P3"]))])), ("E2 E1 E3".into(), vec!["E1 E3".into()]));
    }

    #[test]
    fn what_models_put_around_a_message_is_left_out() {
        for (written, expected) in [
            ("According to the passage, you may have five.", Ok("You may have five.")),
            ("You may have five.} ]", Ok("You may have five.")),
            ("Set it to `{five}`", Ok("Set it to `{five}`")),
            ("See [the rules]", Ok("See [the rules]")),
            ("}", Err("`assistant_message` is empty")),
        ] {
            let read = read(json!({"assistant_message": written, "confidence": "high"}));
            let read = read.map(|answer| answer.reply.assistant_message);
            assert_eq!(read, expected.map(str::to_owned).map_err(str::to_owned), "{written}");
        }
    }

    #[test]
    fn reasoning_is_read_in_many_forms() {
        let full = json!({
            "assistant_message": "a", "did_web_search": "True", "evidence_refs": "P1",
            "reasoning_trace": {
                "question": "what the model made of it",
                "retrieval_queries": "invented",
                "evidence": [{"cue": "invented", "content": "left to OXIDISE"}, {"id": "X", "content": "of no passage at all"}],
                "premises": [
                    {"id": "P1", "text": "t", "evidence_refs": ["P1", "X", 2], "assumption": true},
                    {"text": "u", "note": "noted"},
                    "bare",
                ],
                "thinking": ["one", 2, {"step": "three"}, "", {"text": " ", "note": "four"}, {"thought": "خمسة"}, {"text": ""}],
                "confidence": "high",
            },
        });
        let Grounded { reply, used, quotes, unknown } = read(full).unwrap();
        assert_eq!((used, quotes.len(), reply.did_web_search), (vec![0, 1], 2, true));
        assert_eq!(unknown, [""; 0], "`X` is quoted");
        let trace = reply.reasoning_trace;
        assert_eq!(
            (trace.question.as_str(), trace.retrieval_queries.vector_db_search),
            ("q", vec!["green tea".to_owned()])
        );
        let evidence: Vec<_> = trace.evidence.iter().map(|it| (&*it.id, &*it.cue, &*it.content)).collect();
        assert_eq!(
            evidence,
            [
                ("E1", "KB: a/tea.md#chunk2", "left to OXIDISE"),
                ("X", "", "of no passage at all"),
                ("E3", "KB: a/tea.md#chunk1", "Green tea is dried soon."),
            ]
        );
        let premises: Vec<_> = trace.premises.iter().map(|it| (&*it.id, &*it.text, &*it.assumption)).collect();
        assert_eq!(premises, [("P1", "t", "true"), ("P2", "u", "noted"), ("P3", "bare", "")]);
        assert_eq!(trace.premises[0].evidence_refs, ["E3", "X", "E1"]);
        let thoughts: Vec<_> = trace.thinking.iter().map(|it| it.text.as_str()).collect();
        assert_eq!(thoughts, ["one", "2", "{\"step\":\"three\"}", "four", "خمسة"]);
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
            assert_eq!(reasons(&texts(Some(&given)), &reasons_there_are()), expected, "{given}");
        }
        assert!(reasons(&["invented".to_owned()], &reasons_there_are()[..2]).is_empty());
    }

    #[test]
    fn what_cannot_be_meant_is_an_error_that_names_the_field() {
        let question = |change: Value| {
            let mut reply = object(json!({"user_message": "q", "intent": "compare", "difficulty": "easy"}));
            reply.extend(object(change));
            user(&reply, &[]).unwrap_err()
        };
        assert_eq!(question(json!({"user_message": null})), "`user_message` is missing");
        assert_eq!(question(json!({"user_message": " \n"})), "`user_message` is empty");
        assert_eq!(question(json!({"user_message": ["q"]})), "`user_message` must be a text");
        assert_eq!(question(json!({"intent": 3})), "`intent` must be a text");
        let unknown = question(json!({"intent": "chat"}));
        assert!(unknown.starts_with("`intent`: unknown variant `chat`, expected one of `clarify`"), "{unknown}");
        assert!(question(json!({"intent": "Unknown"})).starts_with("`intent` must be one of"));
        assert!(question(json!({"difficulty": null})).starts_with("`difficulty`: unknown variant ``"));

        assert_eq!(read(json!({"confidence": "high"})).unwrap_err(), "`assistant_message` is missing");
        let because = json!({"assistant_message": "a", "reasoning_trace": "because"});
        assert_eq!(read(because).unwrap_err(), "`reasoning_trace` must be an object");
        assert!(read(json!({"assistant_message": "a"})).unwrap_err().starts_with("`confidence`: "));

        let verdict = |reply: Value| judge(&object(reply), &reasons_there_are()).unwrap_err();
        assert_eq!(verdict(json!({"question_ok": true})), "`score` is missing: a whole number from 0 to 10");
        assert_eq!(verdict(json!({"score": 1, "question_ok": 2})), "`question_ok` must be true or false");
        assert_eq!(verdict(json!({"score": 1, "question_ok": "no"})), "`answer_ok` is missing: true or false");
    }

    proptest! {
        #[test]
        fn any_object_is_read_or_refused(text in ".{0,20}", number in any::<f64>(), key in 0_usize..8) {
            let keys = ["thinking", "premises", "evidence", "evidence_refs", "question", "known_limits", "x", "id"];
            for odd in [json!(text), json!(number), json!([text, [number]]), json!({"id": [text], "text": {"a": number}})] {
                let trace = json!({"confidence": "low", keys[key]: odd.clone()});
                prop_assert_eq!(read(json!({"assistant_message": "a", "reasoning_trace": trace})).err(), None);
                let verdict = json!({"score": odd.clone(), "reasons": odd, "question_ok": true, "answer_ok": true});
                let _ = judge(&object(verdict), &[]);
            }
        }
    }
}
