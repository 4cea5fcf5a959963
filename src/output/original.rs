//! Rows of the Python original's training files, as rows of ours: what it does not tell is left empty, and calls of tools get the ids of
//! what they returned.

use super::ShareGpt;
use crate::domain::reply::{Difficulty, Intent};
use crate::domain::text::legible;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A row of `conversations_sharegpt.jsonl` or `conversations_sharegpt_judged.jsonl` that the original has written, with its columns under
/// their own names.
///
/// # Errors
/// When it has no conversation, in a few words.
pub fn row_of_original(row: &Value) -> Result<Value, String> {
    let said: Vec<Value> = items(&row["messages"]).map(said).collect();
    let questions = said.iter().filter(|message| message["role"] == "user").count();
    if questions == 0 || !said.iter().any(|message| message["role"] == "assistant") {
        return Err("it has no question with an answer in `messages`".to_owned());
    }
    if text(&row["metadata"]["conversation_id"]).is_empty() {
        return Err("it has no `metadata.conversation_id`".to_owned());
    }
    let asked: Vec<Value> = items(&row["user_reasoning"]).enumerate().map(question).collect();
    let answered: Vec<Value> = items(&row["assistant_reasoning"]).enumerate().map(answer).collect();
    let mut new = json!({
        "messages": said,
        "messages_with_tools": with_tools(&row["messages_with_tools"]),
        "tools": [],
        "metadata": metadata(&row["metadata"], questions),
        "user_reasoning": asked,
        "assistant_reasoning": answered,
    });
    if row["judge"].is_object() {
        new["judge"] = judge(&row["judge"]);
    }
    let checked: Result<ShareGpt<'_>, _> = serde_json::from_value(new.clone());
    checked.map(|_| new).map_err(|error| error.to_string())
}

fn said(message: &Value) -> Value {
    json!({"role": text(&message["role"]), "content": text(&message["content"]), "agent": text(&message["agent"])})
}

/// Messages with calls: what is returned is named by its call, in order, for the original counts them apart.
fn with_tools(messages: &Value) -> Vec<Value> {
    let mut open: Vec<Value> = Vec::new();
    let message = |message: &Value| {
        if message["role"] == "tool" {
            let id = if open.is_empty() { message["tool_call_id"].clone() } else { open.remove(0) };
            let [name, content] = ["name", "content"].map(|key| text(&message[key]));
            return json!({"role": "tool", "tool_call_id": text(&id), "name": name, "content": content});
        }
        let mut new = said(message);
        let calls: Vec<Value> = items(&message["tool_calls"]).enumerate().map(call).collect();
        if !calls.is_empty() {
            open = calls.iter().map(|call| call["id"].clone()).collect();
            new["tool_calls"] = calls.into();
        }
        new
    };
    items(messages).map(message).collect()
}

fn call((number, call): (usize, &Value)) -> Value {
    let id = Some(text(&call["id"])).filter(|id| !id.is_empty()).unwrap_or_else(|| format!("call_{number}"));
    let [name, arguments] = ["name", "arguments"].map(|key| text(&call["function"][key]));
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

fn metadata(told: &Value, questions: usize) -> Value {
    let personas: Map<String, Value> = ["user", "assistant", "user_id", "assistant_id"]
        .into_iter()
        .map(|key| (key.to_owned(), text(&told["personas"][key]).into()))
        .collect();
    json!({
        "conversation_id": text(&told["conversation_id"]),
        "timestamp": text(&told["timestamp"]),
        // The original tells how many were planned.
        "n_turns": questions,
        "language": text(&told["language"]),
        "judge_granularity": text(&told["judge_granularity"]),
        "personas": personas,
        "difficulty_sequence": items(&told["difficulty_sequence"]).map(difficulty).collect::<Vec<_>>(),
        "difficulty_max": Some(difficulty(&told["difficulty_max"])).filter(|it| *it != Difficulty::Unknown).map_or(json!(""), |it| json!(it)),
        "intent_sequence": items(&told["intent_sequence"]).map(intent).collect::<Vec<_>>(),
        "coverage_targets": texts(&told["coverage_targets"]),
        "question_modes": texts(&told["question_modes"]),
        "seed_topics": texts(&told["seed_topics"]),
        "seed_questions": texts(&told["seed_questions"]),
        "conversation_status": "completed",
        "drop_reason": "",
        "persona_applied": personas.values().any(|name| name != ""),
        "retrieved": [],
        "unsupported_numbers": [],
        "judge_accepted": null,
        "run_id": "original",
        "unknown_citations": [],
        "provenance": {"passages": [], "turns": []},
        "register": "",
        "whole_need": "",
        "question_labels": [],
        "answer_labels": [],
    })
}

fn question((number, told): (usize, &Value)) -> Value {
    let fact =
        |fact: &Value| json!({"fact": text(&fact["fact"]), "source_descriptor": text(&fact["source_descriptor"])});
    json!({
        "turn_index": told["turn_index"].as_u64().unwrap_or(number as u64 + 1),
        "user_message": text(&told["user_message"]),
        "intent": intent(&told["intent"]),
        "difficulty": difficulty(&told["difficulty"]),
        "coverage_target": text(&told["coverage_target"]),
        "grounding_facts": items(&told["grounding_facts"]).map(fact).collect::<Vec<_>>(),
        "notes_for_assistant": texts(&told["notes_for_assistant"]),
        "seed_topic": text(&told["seed_topic"]),
        "seed_question": text(&told["seed_question"]),
        "question_mode": text(&told["question_mode"]),
        "model_reasoning": "",
    })
}

fn answer((number, told): (usize, &Value)) -> Value {
    let trace = &told["reasoning_trace"];
    let of = |keys: &'static [&'static str]| {
        move |item: &Value| -> Value {
            let fields: Map<String, Value> =
                keys.iter().map(|key| ((*key).to_owned(), text(&item[*key]).into())).collect();
            fields.into()
        }
    };
    let premise = |premise: &Value| {
        let mut new = of(&["id", "text", "assumption"])(premise);
        new["evidence_refs"] = texts(&premise["evidence_refs"]).into();
        new
    };
    let thought =
        |thought: &Value| json!({"text": if thought.is_object() { text(&thought["text"]) } else { text(thought) }});
    let confidence = text(&trace["confidence"]).to_lowercase();
    json!({
        "turn_index": told["turn_index"].as_u64().unwrap_or(number as u64 + 1),
        "assistant_message": text(&told["assistant_message"]),
        "reasoning_trace": {
            "question": text(&trace["question"]),
            "retrieval_queries": {
                "vector_db_search": texts(&trace["retrieval_queries"]["vector_db_search"]),
                "web_search": texts(&trace["retrieval_queries"]["web_search"]),
            },
            "evidence": items(&trace["evidence"]).map(of(&["id", "cue", "content"])).collect::<Vec<_>>(),
            "premises": items(&trace["premises"]).map(premise).collect::<Vec<_>>(),
            "thinking": items(&trace["thinking"]).map(thought).collect::<Vec<_>>(),
            "confidence": if ["low", "medium", "high"].contains(&confidence.as_str()) { &confidence } else { "low" },
            "known_limits": texts(&trace["known_limits"]),
        },
        "did_web_search": told["did_web_search"] == true,
        "model_reasoning": "",
    })
}

fn judge(told: &Value) -> Value {
    let turn = |(number, turn): (usize, &Value)| {
        let mut new = verdict(turn);
        new["turn_index"] = turn["turn_index"].as_u64().unwrap_or(number as u64 + 1).into();
        for key in ["user_message", "assistant_message"] {
            new[key] = text(&turn[key]).into();
        }
        new["accepted"] = true.into();
        new
    };
    let scored = items(&told["per_turn"]).filter(|turn| turn["score"].is_number());
    let per_turn: Vec<Value> = scored.enumerate().map(turn).collect();
    let scores: Vec<f64> = per_turn.iter().filter_map(|turn| turn["score"].as_f64()).collect();
    let whole = &told["conversation"];
    json!({
        "per_turn": per_turn,
        "avg_score": (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64),
        "conversation": if whole["score"].is_number() { verdict(whole) } else { json!({}) },
    })
}

fn verdict(told: &Value) -> Value {
    let score = told["score"].as_f64().unwrap_or_default().clamp(0.0, 10.0).round_ties_even();
    json!({
        "score": score as u8,
        "reasons": texts(&told["reasons"]),
        "notes": text(&told["notes"]),
        "question_ok": told["question_ok"] != false,
        "answer_ok": told["answer_ok"] != false,
    })
}

fn intent(name: &Value) -> Intent {
    Intent::deserialize(name).unwrap_or(Intent::Unknown)
}

fn difficulty(name: &Value) -> Difficulty {
    Difficulty::deserialize(name).unwrap_or(Difficulty::Unknown)
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// A text, or what stands in the place of one; empty for null.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => legible(text).into_owned(),
        other => legible(&other.to_string()).into_owned(),
    }
}

/// The texts of a list that are not blank.
fn texts(list: &Value) -> Vec<String> {
    items(list).map(text).filter(|text| !text.trim().is_empty()).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// As the original writes one, with its faults: results whose ids are not their calls', a list of thoughts that are texts, nulls.
    fn original() -> Value {
        json!({
            "messages": [{"role": "user", "content": "Où est la gare ?"}, {"role": "assistant", "content": "Au bout.\u{1b}[0m", "agent": "m"}],
            "messages_with_tools": [
                {"role": "user", "content": "Où est la gare ?"},
                {"role": "assistant", "content": "", "tool_calls": [
                    {"type": "function", "function": {"name": "vector_db_search", "arguments": "{\"query\": \"gare\"}"}},
                    {"id": "x", "type": "function", "function": {"name": "web_search", "arguments": "{}"}},
                ]},
                {"role": "tool", "tool_call_id": "call_7", "name": "vector_db_search", "content": "[]"},
                {"role": "tool", "tool_call_id": "call_8", "name": "web_search", "content": "[]"},
                {"role": "assistant", "content": "Au bout."},
            ],
            "metadata": {"conversation_id": "c1", "timestamp": "2026-01-01T00:00:00.000000+00:00", "n_turns": 4, "language": "fr",
                "judge_granularity": "turn", "personas": {"user": "Ada"}, "difficulty_sequence": ["easy", "odd"],
                "difficulty_max": "", "intent_sequence": ["how_to", null], "question_modes": ["fresh", " "]},
            "user_reasoning": [{"turn_index": 1, "user_message": "Où est la gare ?", "intent": "else", "coverage_target": null}],
            "assistant_reasoning": [{"turn_index": 1, "reasoning_trace": {"thinking": ["so"], "confidence": "High",
                "premises": [{"id": "P1", "text": true, "evidence_refs": ["E1"]}]}}],
            "judge": {"per_turn": [{"turn_index": 1, "score": 7.5, "reasons": ["weak"]}, {"disabled": true}], "conversation": {}},
        })
    }

    #[test]
    fn a_row_has_what_the_original_tells_and_nothing_else() {
        let row = row_of_original(&original()).unwrap();
        assert_eq!(row["messages"][1], json!({"role": "assistant", "content": "Au bout.", "agent": "m"}));
        let ids: Vec<_> =
            row["messages_with_tools"].as_array().unwrap().iter().map(|one| &one["tool_call_id"]).collect();
        assert_eq!(ids[2..4], ["call_0", "x"]);
        assert_eq!(row["metadata"]["n_turns"], 1);
        assert_eq!(row["metadata"]["difficulty_sequence"], json!(["easy", "unknown"]));
        assert_eq!(row["metadata"]["question_modes"], json!(["fresh"]));
        assert_eq!(row["user_reasoning"][0]["intent"], "unknown");
        assert_eq!(row["assistant_reasoning"][0]["reasoning_trace"]["premises"][0]["text"], "true");
        assert_eq!(row["assistant_reasoning"][0]["reasoning_trace"]["confidence"], "high");
        assert_eq!(row["judge"]["per_turn"].as_array().unwrap().len(), 1);
        assert_eq!((&row["judge"]["avg_score"], &row["judge"]["conversation"]), (&json!(8.0), &json!({})));
    }

    #[test]
    fn what_is_no_conversation_is_refused() {
        for (key, value, expected) in [
            ("messages", json!([{"role": "user", "content": "?"}]), "no question with an answer"),
            ("metadata", json!({}), "no `metadata.conversation_id`"),
        ] {
            let mut row = original();
            row[key] = value;
            let told = row_of_original(&row).unwrap_err();
            assert!(told.contains(expected), "{told}");
        }
    }
}
