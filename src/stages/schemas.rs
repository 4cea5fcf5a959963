//! The forms that replies are asked for in, as JSON Schemas: what we know is not asked for, and what is one of a few values
//! is an enumeration of just those that this request can mean.

use crate::domain::Passage;
use crate::domain::reply::{Difficulty, Intent};
use crate::llm::ReplySchema;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The form of the user model's reply about these passages; `begins_need` asks for the whole of what is told piece by piece too.
pub(super) fn user_schema(shown: &[Passage], begins_need: bool) -> ReplySchema {
    let need = begins_need.then(|| ("whole_need", json!({ "type": "string" })));
    schema("user_reply", user_properties(shown, need))
}

/// The form of its reply with so many questions about these passages.
pub(super) fn candidates_schema(shown: &[Passage], count: u16) -> ReplySchema {
    let one = object(user_properties(shown, None).chain([("probability", json!({ "type": "number" }))]));
    let list = json!({ "type": "array", "items": one, "minItems": count, "maxItems": count });
    schema("user_candidates", [("candidates", list)])
}

fn user_properties(
    shown: &[Passage],
    need: Option<(&'static str, Value)>,
) -> impl Iterator<Item = (&'static str, Value)> {
    let target = (!shown.is_empty()).then(|| ("coverage_target", json!({ "enum": labels(shown) })));
    target.into_iter().chain(need).chain([
        ("user_message", json!({ "type": "string" })),
        ("intent", json!({ "enum": Intent::ALL })),
        ("difficulty", json!({ "enum": Difficulty::ALL })),
    ])
}

/// The form of the assistant model's reply from these passages; `full` asks for premises and the steps from them too.
pub(super) fn assistant_schema(passages: &[Passage], full: bool) -> ReplySchema {
    let string = || json!({ "type": "string" });
    let refs = (!passages.is_empty())
        .then(|| ("evidence_refs", json!({ "type": "array", "items": { "enum": labels(passages) } })));
    let mut premise = vec![("text", string())];
    premise.extend(refs.clone());
    premise.push(("assumption", string()));
    let reasoning = full.then(|| {
        let premises = json!({ "type": "array", "items": object(premise) });
        [("premises", premises), ("thinking", json!({ "type": "array", "items": string() }))]
    });
    let answer = [
        ("assistant_message", string()),
        ("confidence", json!({ "enum": ["low", "medium", "high"] })),
        ("known_limits", string()),
    ];
    schema("assistant_reply", refs.into_iter().chain(reasoning.into_iter().flatten()).chain(answer))
}

/// The form of the judge model's reply: what decides first, the score last.
pub(super) fn judge_schema(reasons: &[String]) -> ReplySchema {
    let reasons = (!reasons.is_empty()).then(|| ("reasons", json!({ "type": "array", "items": { "enum": reasons } })));
    let boolean = || json!({ "type": "boolean" });
    let first = [("notes", json!({ "type": "string" }))].into_iter().chain(reasons);
    let verdicts = [
        ("question_ok", boolean()),
        ("answer_ok", boolean()),
        ("score", json!({ "type": "integer", "minimum": 0, "maximum": 10 })),
    ];
    schema("judge_reply", first.chain(verdicts))
}

fn schema(name: &'static str, properties: impl IntoIterator<Item = (&'static str, Value)>) -> ReplySchema {
    ReplySchema { name, schema: shared(object(properties)) }
}

/// The same tree for equal schemas: they are few, and thousands of requests wait at a time.
fn shared(schema: Value) -> Arc<Value> {
    static KNOWN: Mutex<BTreeMap<String, Arc<Value>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.entry(schema.to_string()).or_insert_with(|| Arc::new(schema)).clone()
}

/// An object with all of these properties, in this order, and no others.
fn object(properties: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let properties: Map<String, Value> =
        properties.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    let required: Vec<&String> = properties.keys().collect();
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}

/// The numbers of the passages.
pub(super) fn labels(passages: &[Passage]) -> Vec<&str> {
    passages.iter().map(|passage| passage.label.as_str()).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::stages::script::passages;

    #[test]
    fn schemas_allow_only_what_can_be_meant() {
        let keys = |schema: &ReplySchema| -> Vec<String> {
            schema.schema["properties"].as_object().unwrap().keys().cloned().collect()
        };
        let asked = user_schema(&passages(), false);
        assert_eq!(keys(&asked), ["coverage_target", "user_message", "intent", "difficulty"]);
        assert_eq!(asked.schema["properties"]["coverage_target"], json!({"enum": ["P1", "P2", "P3"]}));
        assert_eq!(asked.schema["properties"]["intent"]["enum"][1], "how_to");
        assert_eq!(keys(&user_schema(&[], false)), ["user_message", "intent", "difficulty"]);
        assert_eq!(keys(&user_schema(&[], true)), ["whole_need", "user_message", "intent", "difficulty"]);
        let several = candidates_schema(&passages(), 4);
        let list = &several.schema["properties"]["candidates"];
        assert_eq!((&list["minItems"], &list["maxItems"]), (&json!(4), &json!(4)));
        assert_eq!(
            list["items"]["required"],
            json!(["coverage_target", "user_message", "intent", "difficulty", "probability"])
        );
        let light = ["evidence_refs", "assistant_message", "confidence", "known_limits"];
        assert_eq!(keys(&assistant_schema(&passages(), false)), light);
        assert_eq!(keys(&assistant_schema(&[], false)), light[1..]);
        let full = assistant_schema(&passages(), true);
        assert_eq!(keys(&full)[1..3], ["premises", "thinking"]);
        let refs = "/properties/premises/items/properties/evidence_refs/items/enum/2";
        assert_eq!(full.schema.pointer(refs), Some(&json!("P3")));
        let judged = judge_schema(&["weak_grounding", "Too-Vague", "other"].map(String::from));
        assert_eq!(keys(&judged), ["notes", "reasons", "question_ok", "answer_ok", "score"]);
        assert_eq!(judged.schema.pointer("/properties/reasons/items/enum/2"), Some(&json!("other")));
        assert_eq!(judged.schema["required"].as_array().map(Vec::len), Some(5));
        assert_eq!(keys(&judge_schema(&[])).len(), 4);
    }
}
