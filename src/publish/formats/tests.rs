//! Rows of every format beside the conversations that they are of, and what holds for all conversations.

use super::*;
use crate::domain::control_tokens::neutralised;
use crate::publish::fixtures::{TOOLS, arabic, dialogues, english, french, pair};
use crate::publish::{Exchange, Said, ToolCall};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn options() -> FormatOptions {
    FormatOptions::default()
}

/// The rows of a conversation in a format.
fn text(format: &str, options: &FormatOptions, dialogue: &Dialogue) -> Result<String, FormatError> {
    let format = Format::named(format)?;
    let choices = format.choices(options)?;
    let mut lines = Lines::default();
    match format.rows {
        Rows::Dialogues(rows) | Rows::FileEach(rows) => rows(dialogue, &choices, &mut lines)?,
        Rows::Pairs(rows) => rows(&pair(), &choices, &mut lines)?,
    }
    let text = String::from_utf8(lines.bytes).unwrap();
    assert_eq!(text.lines().count() as u64, lines.rows);
    Ok(text)
}

fn rows(format: &str, options: &FormatOptions, dialogue: &Dialogue) -> Vec<Value> {
    text(format, options, dialogue).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A conversation in which two tools are called at once.
fn two_calls() -> Dialogue<'static> {
    let call = |id, name, arguments| ToolCall { id, name, arguments };
    let calls = vec![call("x", "search", r#"{"of":"été"}"#), call("y", "add", r#"{"of":[1,2.5]}"#)];
    let returned = |tool_call_id, name, content| Said {
        role: "tool",
        content,
        turn_index: 1,
        tool_call_id,
        name,
        ..Said::default()
    };
    let mut dialogue = french();
    dialogue.tools = TOOLS;
    let asked = Said { role: "assistant", turn_index: 1, calls, ..Said::default() };
    dialogue.messages.splice(1..1, [asked, returned("y", "add", "3.5"), returned("x", "search", "juin")]);
    dialogue
}

#[test]
fn a_row_for_every_format() {
    let tools = serde_json::to_string(TOOLS).unwrap();
    for (format, dialogue, expected) in [
        (
            "sharegpt",
            arabic(),
            r#"{"conversations": [{"from": "human", "value": "ما هو حدّ الموافقة؟"}, {"from": "function_call", "value": "{\"name\": \"vector_db_search\", \"arguments\": {\"query\": \"حدّ الموافقة\", \"k\": 3}}"}, {"from": "observation", "value": "{\"results\":[\"١٢٫٥٪\"]}"}, {"from": "gpt", "value": "حدّ الموافقة ١٢٫٥٪."}], "tools": TOOLS}"#,
        ),
        (
            "sharegpt",
            french(),
            r#"{"conversations": [{"from": "human", "value": "Où est l’été ?"}, {"from": "gpt", "value": "Après le printemps."}, {"from": "human", "value": "Et l’hiver ?"}, {"from": "gpt", "value": "Je ne sais pas."}], "tools": "[]"}"#,
        ),
        (
            "llamafactory",
            english(),
            r#"{"conversations": [{"from": "human", "value": "What does <|im_end|> \"mean\"?\n"}, {"from": "gpt", "value": "The end of a message."}], "tools": ""}"#,
        ),
        (
            "openai",
            arabic(),
            r#"{"messages": [{"role": "user", "content": "ما هو حدّ الموافقة؟"}, {"role": "assistant", "content": "", "tool_calls": [{"id": "call00001", "type": "function", "function": {"name": "vector_db_search", "arguments": "{\"query\":\"حدّ الموافقة\",\"k\":3}"}}], "weight": 1}, {"role": "tool", "tool_call_id": "call00001", "name": "vector_db_search", "content": "{\"results\":[\"١٢٫٥٪\"]}"}, {"role": "assistant", "content": "حدّ الموافقة ١٢٫٥٪.", "weight": 1}], "tools": [{"type": "function", "function": {"name": "vector_db_search", "description": "Searches the documents.", "parameters": {"type": "object", "properties": {"query": {"type": "string"}, "k": {"type": "integer"}}, "required": ["query"]}}}]}"#,
        ),
        (
            "openai",
            english(),
            r#"{"messages": [{"role": "user", "content": "What does <|im_end|> \"mean\"?\n"}, {"role": "assistant", "content": "The end of a message.", "weight": 1}]}"#,
        ),
        (
            "trl",
            arabic(),
            r#"{"messages": [{"role": "user", "content": "ما هو حدّ الموافقة؟", "turn_index": 1}, {"role": "assistant", "content": "", "tool_calls": [{"id": "call00001", "type": "function", "function": {"name": "vector_db_search", "arguments": {"query": "حدّ الموافقة", "k": 3}}}]}, {"role": "tool", "tool_call_id": "call00001", "name": "vector_db_search", "content": "{\"results\":[\"١٢٫٥٪\"]}"}, {"role": "assistant", "content": "حدّ الموافقة ١٢٫٥٪.", "reasoning_content": "أبحث عن الحدّ."}], "tools": TOOLS}"#,
        ),
        (
            "trl",
            french(),
            r#"{"messages": [{"role": "user", "content": "Où est l’été ?", "turn_index": 1}, {"role": "assistant", "content": "Après le printemps.", "reasoning_content": "Les saisons se suivent."}, {"role": "user", "content": "Et l’hiver ?", "turn_index": 2}, {"role": "assistant", "content": "Je ne sais pas."}], "tools": "null"}"#,
        ),
        (
            "axolotl",
            french(),
            r#"{"messages": [{"role": "user", "content": "Où est l’été ?"}, {"role": "assistant", "content": "Après le printemps.", "reasoning_content": "Les saisons se suivent.", "train": true}, {"role": "user", "content": "Et l’hiver ?"}, {"role": "assistant", "content": "Je ne sais pas.", "train": true}], "tools": "[]"}"#,
        ),
        (
            "chatml",
            english(),
            r#"{"text": "<|im_start|>user\nWhat does <| im_end |> \"mean\"?\n<|im_end|>\n<|im_start|>assistant\nThe end of a message.<|im_end|>\n"}"#,
        ),
        (
            "chatml",
            arabic(),
            r#"{"text": "<|im_start|>system\nThe tools that can be called:\n<tools>\n{\"type\": \"function\", \"function\": {\"name\": \"vector_db_search\", \"description\": \"Searches the documents.\", \"parameters\": {\"type\": \"object\", \"properties\": {\"query\": {\"type\": \"string\"}, \"k\": {\"type\": \"integer\"}}, \"required\": [\"query\"]}}}\n</tools><|im_end|>\n<|im_start|>user\nما هو حدّ الموافقة؟<|im_end|>\n<|im_start|>assistant\n<tool_call>\n{\"name\": \"vector_db_search\", \"arguments\": {\"query\": \"حدّ الموافقة\", \"k\": 3}}\n</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\n{\"results\":[\"١٢٫٥٪\"]}\n</tool_response><|im_end|>\n<|im_start|>assistant\nحدّ الموافقة ١٢٫٥٪.<|im_end|>\n"}"#,
        ),
        (
            "alpaca",
            french(),
            r#"{"instruction": "Et l’hiver ?", "input": "", "output": "Je ne sais pas.", "history": [["Où est l’été ?", "Après le printemps."]]}"#,
        ),
        (
            "alpaca",
            arabic(),
            r#"{"instruction": "ما هو حدّ الموافقة؟", "input": "", "output": "حدّ الموافقة ١٢٫٥٪.", "history": []}"#,
        ),
        (
            "traces",
            arabic(),
            concat!(
                r#"{"type": "session", "harness": "dlgforge", "id": "run-ar-0000", "name": "ما هو حدّ الموافقة؟", "language": "ar"}"#,
                "\n",
                r#"{"type": "message", "message": {"role": "user", "content": "ما هو حدّ الموافقة؟", "timestamp": 1795000000000}}"#,
                "\n",
                r#"{"type": "message", "message": {"role": "assistant", "content": "", "toolCalls": [{"id": "call00001", "function": {"name": "vector_db_search", "arguments": "{\"query\":\"حدّ الموافقة\",\"k\":3}"}}], "timestamp": 1795000000000, "model": "answerer"}}"#,
                "\n",
                r#"{"type": "message", "message": {"role": "tool", "content": "{\"results\":[\"١٢٫٥٪\"]}", "toolCallId": "call00001", "timestamp": 1795000000000}}"#,
                "\n",
                r#"{"type": "message", "message": {"role": "assistant", "content": "حدّ الموافقة ١٢٫٥٪.", "reasoningContent": "أبحث عن الحدّ.", "timestamp": 1795000000000, "model": "answerer"}}"#,
            ),
        ),
        (
            "trl-dpo",
            french(),
            r#"{"prompt": [{"role": "user", "content": "Où est l’été ?"}, {"role": "assistant", "content": "Après le printemps."}, {"role": "user", "content": "Et l’hiver ?"}], "chosen": [{"role": "assistant", "content": "Après l’automne."}], "rejected": [{"role": "assistant", "content": "Je ne sais pas."}]}"#,
        ),
        (
            "trl-kto",
            french(),
            concat!(
                r#"{"prompt": [{"role": "user", "content": "Où est l’été ?"}, {"role": "assistant", "content": "Après le printemps."}, {"role": "user", "content": "Et l’hiver ?"}], "completion": [{"role": "assistant", "content": "Après l’automne."}], "label": true}"#,
                "\n",
                r#"{"prompt": [{"role": "user", "content": "Où est l’été ?"}, {"role": "assistant", "content": "Après le printemps."}, {"role": "user", "content": "Et l’hiver ?"}], "completion": [{"role": "assistant", "content": "Je ne sais pas."}], "label": false}"#,
            ),
        ),
        (
            "llamafactory-dpo",
            french(),
            r#"{"conversations": [{"from": "human", "value": "Où est l’été ?"}, {"from": "gpt", "value": "Après le printemps."}, {"from": "human", "value": "Et l’hiver ?"}], "chosen": {"from": "gpt", "value": "Après l’automne."}, "rejected": {"from": "gpt", "value": "Je ne sais pas."}}"#,
        ),
    ] {
        assert_eq!(
            text(format, &options(), &dialogue).unwrap().trim_end(),
            expected.replace("TOOLS", &tools),
            "{format}"
        );
    }
}

#[test]
fn calls_that_were_made_at_once_follow_each_other_where_turns_alternate() {
    let said = rows("sharegpt", &options(), &two_calls()).remove(0)["conversations"].take();
    let expected = json!([
        {"from": "human", "value": "Où est l’été ?"},
        {"from": "function_call", "value": r#"{"name": "add", "arguments": {"of": [1, 2.5]}}"#},
        {"from": "observation", "value": "3.5"},
        {"from": "function_call", "value": r#"{"name": "search", "arguments": {"of": "été"}}"#},
        {"from": "observation", "value": "juin"},
        {"from": "gpt", "value": "Après le printemps."},
        {"from": "human", "value": "Et l’hiver ?"},
        {"from": "gpt", "value": "Je ne sais pas."},
    ]);
    assert_eq!(said, expected);
    let said = rows("chatml", &options(), &two_calls()).remove(0)["text"].take();
    let results =
        "<|im_start|>user\n<tool_response>\n3.5\n</tool_response>\n<tool_response>\njuin\n</tool_response><|im_end|>\n";
    let calls = "{\"of\": \"été\"}}\n</tool_call>\n<tool_call>\n{\"name\": \"add\"";
    assert!(said.as_str().unwrap().contains(results) && said.as_str().unwrap().contains(calls), "{said}");
}

#[test]
fn thoughts_go_where_they_are_wanted() {
    for (format, reasoning, message) in [
        ("trl", Reasoning::None, json!({"role": "assistant", "content": "Après le printemps."})),
        (
            "trl",
            Reasoning::Thinking,
            json!({"role": "assistant", "content": "Après le printemps.", "thinking": "Les saisons se suivent."}),
        ),
        (
            "axolotl",
            Reasoning::ThinkTags,
            json!({"role": "assistant", "content": "<think>\nLes saisons se suivent.\n</think>\n\nAprès le printemps.", "train": true}),
        ),
        (
            "openai",
            Reasoning::ReasoningContent,
            json!({"role": "assistant", "content": "Après le printemps.", "reasoning_content": "Les saisons se suivent.", "weight": 1}),
        ),
    ] {
        let options = FormatOptions { reasoning: Some(reasoning), ..options() };
        assert_eq!(rows(format, &options, &french())[0]["messages"][1], message, "{format}");
    }
    let tagged = FormatOptions { reasoning: Some(Reasoning::ThinkTags), ..options() };
    let mut dialogue = french();
    dialogue.turns[0].thoughts = "So </think> <|im_end|>.";
    let answer = "<think>\nSo < /think > <| im_end |>.\n</think>\n\nAprès le printemps.";
    assert_eq!(rows("alpaca", &tagged, &dialogue)[0]["history"], json!([["Où est l’été ?", answer]]));
    assert_eq!(rows("llamafactory", &tagged, &dialogue)[0]["conversations"][1]["value"], answer);
    let text = rows("chatml", &tagged, &dialogue)[0]["text"].take();
    assert!(text.as_str().unwrap().contains(&format!("<|im_start|>assistant\n{answer}<|im_end|>\n")), "{text}");
}

#[test]
fn answers_below_a_score_are_not_learned() {
    let masked = |least| FormatOptions { mask_below: Some(least), ..options() };
    let mut dialogue = french();
    (dialogue.turns[0].score, dialogue.turns[1].score) = (Some(3), Some(8));
    for (format, list, key, [low, high]) in [
        ("openai", "messages", "weight", [json!(0), json!(1)]),
        ("axolotl", "messages", "train", [json!(false), json!(true)]),
        ("sharegpt", "conversations", "train", [json!(false), json!(true)]),
    ] {
        let row = rows(format, &masked(6.5), &dialogue).remove(0)[list].take();
        let said: Vec<_> = row.as_array().unwrap().iter().map(|message| message.get(key)).collect();
        assert_eq!(said, [None, Some(&low), None, Some(&high)], "{format}");
        // Behind the last answer that is learned there is nothing to know.
        let cut = rows(format, &masked(6.5), &french()).remove(0)[list].take();
        assert_eq!(cut.as_array().unwrap().len(), 2, "{format}");
        assert_eq!(text(format, &masked(9.5), &french()).unwrap(), "", "{format}");
        // No verdict, no mask; but that of the whole conversation is one.
        assert_eq!(rows(format, &masked(6.5), &english()).len(), 1, "{format}");
        let whole = Dialogue { conversation_score: Some(4), ..english() };
        assert_eq!(text(format, &masked(6.5), &whole).unwrap(), "", "{format}");
    }
}

#[test]
fn system_messages_and_tools_are_there_if_they_are_wanted() {
    let persona = FormatOptions { system: SystemMessage::Persona, tools: false, ..options() };
    let brief = FormatOptions { system: SystemMessage::Text("Réponds.".to_owned()), ..options() };
    let row = &rows("trl", &persona, &arabic())[0];
    assert_eq!(row["messages"][0], json!({"role": "system", "content": "مستشار | واضح"}));
    assert_eq!((row["messages"].as_array().unwrap().len(), row.get("tools")), (3, None));
    let row = &rows("llamafactory", &persona, &arabic())[0];
    assert_eq!((&row["system"], row.get("tools")), (&json!("مستشار | واضح"), None));
    assert_eq!(rows("llamafactory", &persona, &english())[0]["system"], "");
    assert_eq!(rows("alpaca", &brief, &english())[0]["system"], "Réponds.");
    let text = rows("chatml", &brief, &arabic())[0]["text"].take();
    let start = "<|im_start|>system\nRéponds.\n\nThe tools that can be called:\n<tools>\n";
    assert!(text.as_str().unwrap().starts_with(start), "{text}");
    let text = rows("chatml", &persona, &arabic())[0]["text"].take();
    let start = "<|im_start|>system\nمستشار | واضح<|im_end|>\n<|im_start|>user\nما هو";
    assert!(text.as_str().unwrap().starts_with(start) && !text.as_str().unwrap().contains("tool"), "{text}");
    assert_eq!(rows("traces", &brief, &english())[1]["message"]["role"], "system");
    assert_eq!(rows("trl-dpo", &brief, &english())[0]["prompt"][0], json!({"role": "system", "content": "Réponds."}));
    assert_eq!(rows("llamafactory-dpo", &brief, &english())[0]["system"], "Réponds.");
}

#[test]
fn llama_factory_is_told_what_the_files_are() {
    let format = Format::named("llamafactory").unwrap();
    let system = FormatOptions { system: SystemMessage::Persona, ..options() };
    let choices = format.choices(&system).unwrap();
    let told = format.companions(&["train-00001-of-00002.jsonl", "test-00000-of-00001.jsonl"], &choices).unwrap();
    let [(name, bytes)] = &told[..] else { panic!("one file") };
    let columns = json!({"messages": "conversations", "system": "system", "tools": "tools"});
    let entry = |file| json!({"file_name": file, "formatting": "sharegpt", "columns": columns});
    let (train, test) = (entry("train-00001-of-00002.jsonl"), entry("test-00000-of-00001.jsonl"));
    let expected = json!({"dlgforge_train-00001-of-00002": train, "dlgforge_test": test});
    assert_eq!((&**name, serde_json::from_slice::<Value>(bytes).unwrap()), ("dataset_info.json", expected));

    let format = Format::named("llamafactory-dpo").unwrap();
    let told = format.companions(&["train.jsonl"], &format.choices(&options()).unwrap()).unwrap();
    let columns = json!({"messages": "conversations", "chosen": "chosen", "rejected": "rejected"});
    let expected = json!({"file_name": "train.jsonl", "formatting": "sharegpt", "ranking": true, "columns": columns});
    assert_eq!(serde_json::from_slice::<Value>(&told[0].1).unwrap()["dlgforge_train"], expected);
    let format = Format::named("trl").unwrap();
    assert_eq!(format.companions(&["train.jsonl"], &format.choices(&options()).unwrap()).unwrap(), []);
}

#[test]
fn what_a_format_cannot_take_is_refused() {
    let thinking = FormatOptions { reasoning: Some(Reasoning::Thinking), ..options() };
    let masked = FormatOptions { mask_below: Some(5.0), ..options() };
    let persona = FormatOptions { system: SystemMessage::Persona, ..options() };
    for (format, options, expected) in [
        ("json", options(), "`json` is no format: take one of `sharegpt`, `openai`, `trl`, `trl-dpo`,"),
        (
            "openai",
            thinking,
            "`openai` has no place for the model's thoughts as `thinking`: take one of `none`, `reasoning_content`",
        ),
        (
            "trl",
            masked,
            "`trl` can't leave messages out of what is learned: take one of `sharegpt`, `openai`, `axolotl`, or",
        ),
        ("trl-kto", persona, "`trl-kto` is made of pairs of answers, which have no persona: give"),
    ] {
        let error = text(format, &options, &french()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn what_is_wrong_in_a_conversation_is_named() {
    let with = |change: fn(&mut Dialogue)| {
        let mut dialogue = arabic();
        change(&mut dialogue);
        dialogue
    };
    let strange_result = with(|dialogue| dialogue.messages[2].tool_call_id = "other");
    let no_json = with(|dialogue| dialogue.messages[1].calls[0].arguments = "{");
    let no_result = with(|dialogue| drop(dialogue.messages.remove(2)));
    let no_tools = with(|dialogue| dialogue.tools = "[{]");
    for (format, dialogue, expected) in [
        ("openai", &strange_result, "conversation `run-ar-0000`: a tool answers the call `other`, which nobody made"),
        ("trl", &no_json, "conversation `run-ar-0000`: arguments of a call are no JSON: EOF"),
        ("chatml", &no_tools, "conversation `run-ar-0000`: tools are no JSON: key"),
        (
            "sharegpt",
            &no_result,
            "conversation `run-ar-0000`: the message of turn 1 by `assistant` comes where `sharegpt`",
        ),
    ] {
        let error = text(format, &options(), dialogue).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn what_nobody_answered_is_left_out() {
    let mut dialogue = french();
    dialogue.messages.pop();
    for format in &FORMATS {
        if let Rows::Dialogues(_) = format.rows {
            let text = text(format.name, &options(), &dialogue).unwrap();
            assert!(text.contains("printemps") && !text.contains("hiver"), "{text}");
        }
    }
    dialogue.messages.truncate(1);
    assert_eq!(text("openai", &options(), &dialogue).unwrap(), "");
}

/// A turn of owned texts: the question, the answer, the thoughts, and what tools returned.
type Turn = (String, String, String, Vec<String>);

type Turns = Vec<Turn>;

fn turns() -> impl Strategy<Value = Turns> {
    let said = || prop_oneof!["\\PC{1,12}", "[\\n\"\\\\\u{2028}\u{85}\t]{1,4}", "(<\\|im_end\\|>|</think>|أ|é| ){1,3}"];
    prop::collection::vec((said(), said(), said(), prop::collection::vec(said(), 0..3)), 1..4)
}

fn dialogue(turns: &Turns) -> Dialogue<'_> {
    const IDS: [&str; 3] = ["a", "b", "c"];
    let mut dialogue = Dialogue { id: "run-en-0000", tools: TOOLS, ..Dialogue::default() };
    for (at, (user, assistant, thoughts, results)) in turns.iter().enumerate() {
        let said = |role, content| Said { role, content, turn_index: at as u16 + 1, ..Said::default() };
        dialogue.messages.push(said("user", user));
        let calls: Vec<_> = IDS.map(|id| ToolCall { id, name: "search", arguments: r#"{"of":"é"}"# }).into();
        if !results.is_empty() {
            let calls = calls[..results.len()].to_vec();
            dialogue.messages.push(Said { calls, ..said("assistant", "") });
        }
        let result = |(id, content)| Said { tool_call_id: id, name: "search", ..said("tool", content) };
        dialogue.messages.extend(IDS.into_iter().zip(results.iter().map(String::as_str)).map(result));
        dialogue.messages.push(said("assistant", assistant));
        dialogue.turns.push(Exchange { index: at as u16 + 1, user, assistant, thoughts, ..Exchange::default() });
    }
    dialogue
}

proptest! {
    #[test]
    fn results_name_calls_and_texts_survive(turns in turns()) {
        let dialogue = dialogue(&turns);
        for format in ["openai", "trl", "axolotl"] {
            let row = rows(format, &options(), &dialogue).remove(0);
            let messages = row["messages"].as_array().unwrap();
            let mut open = BTreeSet::new();
            let mut known = BTreeSet::new();
            for (message, said) in messages.iter().zip(&dialogue.messages) {
                prop_assert_eq!((&message["role"], &message["content"]), (&json!(said.role), &json!(said.content)));
                for call in message["tool_calls"].as_array().into_iter().flatten() {
                    let id = call["id"].as_str().unwrap();
                    prop_assert!(id.len() == 9 && id.chars().all(|c| c.is_ascii_alphanumeric()));
                    prop_assert!(known.insert(id) && open.insert(id));
                }
                if said.role == "tool" {
                    prop_assert!(open.remove(message["tool_call_id"].as_str().unwrap()));
                }
            }
            prop_assert_eq!((messages.len(), open.len()), (dialogue.messages.len(), 0));
        }
    }

    #[test]
    fn turns_alternate_in_words_of_sharegpt(turns in turns()) {
        let row = rows("llamafactory", &options(), &dialogue(&turns)).remove(0);
        let said = row["conversations"].as_array().unwrap();
        for (at, message) in said.iter().enumerate() {
            let may = if at % 2 == 0 { ["human", "observation"] } else { ["gpt", "function_call"] };
            prop_assert!(may.contains(&message["from"].as_str().unwrap()), "{:?}", said);
        }
        let of = |role: &str| -> Vec<Value> {
            said.iter().filter(|line| line["from"] == role).map(|line| line["value"].clone()).collect()
        };
        let all = |texts: fn(&Turn) -> Vec<String>| -> Vec<Value> {
            turns.iter().flat_map(texts).map(Value::from).collect()
        };
        prop_assert_eq!(of("human"), all(|turn| vec![turn.0.clone()]));
        prop_assert_eq!(of("gpt"), all(|turn| vec![turn.1.clone()]));
        prop_assert_eq!(of("observation"), all(|turn| turn.3.clone()));
    }

    #[test]
    fn texts_have_no_control_tokens_but_those_of_the_format(turns in turns(), is_tagged in any::<bool>()) {
        let reasoning = if is_tagged { Reasoning::ThinkTags } else { Reasoning::None };
        let options = FormatOptions { reasoning: Some(reasoning), ..options() };
        let row = rows("chatml", &options, &dialogue(&turns)).remove(0);
        let text = row["text"].as_str().unwrap();
        let calls = turns.iter().filter(|turn| !turn.3.is_empty()).count();
        let messages = 1 + 2 * turns.len() + 2 * calls;
        prop_assert_eq!([text.matches("<|im_start|>").count(), text.matches("<|im_end|>").count()], [messages; 2]);
        let thoughts = if is_tagged { turns.len() } else { 0 };
        prop_assert_eq!([text.matches("<think>").count(), text.matches("</think>").count()], [thoughts; 2]);
        let row = rows("alpaca", &FormatOptions::default(), &dialogue(&turns)).remove(0);
        let (history, last) = (row["history"].as_array().unwrap(), [row["instruction"].clone(), row["output"].clone()]);
        let said = history.iter().flat_map(|turn| turn.as_array().unwrap().clone()).chain(last);
        let said: Vec<_> = said.map(|text| text.as_str().unwrap().to_owned()).collect();
        let safe = |text: &String| neutralised(text).map_or_else(|| text.clone(), |(safe, _)| safe);
        let expected: Vec<_> = turns.iter().flat_map(|turn| [safe(&turn.0), safe(&turn.1)]).collect();
        prop_assert_eq!(said, expected);
    }
}

/// Readers that infer types then keep every message as it is.
#[test]
fn messages_of_users_and_assistants_differ_in_their_keys() {
    for format in ["openai", "trl", "axolotl"] {
        for dialogue in dialogues() {
            let row = rows(format, &options(), &dialogue).remove(0);
            let messages = row["messages"].as_array().unwrap();
            let keys = |role: &str| {
                let message = messages.iter().rfind(|message| message["role"] == role);
                message.unwrap().as_object().unwrap().keys().collect::<BTreeSet<_>>()
            };
            assert_ne!(keys("user"), keys("assistant"), "{format}");
        }
    }
}
