//! The whole of the statistics: their form, and that neither batches nor threads show in them.

use super::*;
use crate::publish::{Exchange, Said, ToolCall};
use serde_json::{Value, json};

fn turn<'a>(user: &'a str, assistant: &'a str, score: Option<u8>) -> Exchange<'a> {
    Exchange { user, assistant, score, mode: "direct", difficulty: "easy", ..Exchange::default() }
}

fn value(conversations: &[Dialogue<'_>]) -> Value {
    let mut statistics = Statistics::default();
    statistics.add(conversations);
    serde_json::from_str(&statistics.report("conversations_sharegpt_judged.jsonl", None).json()).expect("JSON")
}

#[test]
fn the_first_keys_are_those_of_other_programs() {
    let first = Dialogue {
        language: "fr",
        turns: vec![turn("Où est la gare ?", "Au bout.", Some(6)), turn("Loin ?", "Non.", Some(7))],
        score: Some(6.5),
        ..Dialogue::default()
    };
    let second = Dialogue {
        language: "ar",
        turns: vec![turn("أين المحطة؟", "في نهاية الشارع، على اليسار.", None)],
        score: Some(7.5),
        conversation_score: Some(9),
        ..Dialogue::default()
    };
    let third = Dialogue { turns: vec![turn("Why?", "", None)], language: "ar", ..Dialogue::default() };
    let value = value(&[first, second, third]);
    let keys: Vec<&String> = value.as_object().expect("an object").keys().collect();
    assert_eq!(keys[..6], ["source_file", "records", "languages", "turn_count", "judge", "text"]);
    assert_eq!(value["languages"].to_string(), r#"{"ar":2,"fr":1}"#);
    assert_eq!(value["turn_count"].to_string(), r#"{"min":1,"max":2,"avg":1.3333,"distribution":{"1":2,"2":1}}"#);
    let judge = json!({
        "conversations_with_scores": 2, "avg_score_mean": 7.0, "avg_score_distribution": {"6": 1, "8": 1},
        "per_turn_score_mean": 6.5, "per_turn_score_distribution": {"6": 1, "7": 1},
        "conversation_score_mean": 9.0, "conversation_score_distribution": {"9": 1},
    });
    assert_eq!(value["judge"].to_string(), judge.to_string());
    // Words: 5 + 2 + 2 + 1, 2 + 5 and 1; characters: 16, 8, 6 and 4, 11 and 28, and 4.
    let text = json!({
        "avg_words_per_conversation": 6.0, "avg_tokens_per_conversation_estimate": 6.6667,
        "avg_words_per_message": 2.5714, "avg_tokens_per_message_estimate": 2.8571,
        "word_count_distribution": {"1-1": 1, "7-7": 1, "10-10": 1},
        "token_estimate_distribution": {"1-1": 1, "9-9": 1, "10-10": 1},
    });
    assert_eq!(value["text"].to_string(), text.to_string());
}

#[test]
fn tokens_of_tools_are_told_apart() {
    let called = Said {
        role: "assistant",
        calls: vec![ToolCall { id: "a", name: "search", arguments: r#"{"query":"eau"}"# }],
        ..Said::default()
    };
    let said = |role, content| Said { role, content, ..Said::default() };
    let conversation = Dialogue {
        tools: r#"[{"type":"function"}]"#,
        messages: vec![said("user", "hello"), called, said("tool", "water"), said("assistant", "world")],
        turns: vec![turn("hello", "world", None)],
        ..Dialogue::default()
    };
    let count = |text: &str| bpe_openai::o200k_base().count(text);
    let beside = ["search", r#"{"query":"eau"}"#, "water", r#"[{"type":"function"}]"#];
    let tokens = &value(&[conversation])["tokens"];
    assert_eq!(tokens["messages_total"], 2);
    assert_eq!(tokens["with_tools_total"], 2 + beside.map(count).iter().sum::<usize>());
}

#[test]
fn neither_batches_nor_threads_show() {
    let texts: Vec<String> =
        (0..120).map(|number| format!("mot{} eau كلمة{} the same  end\n{number}", number % 7, number % 11)).collect();
    let conversation = |at: usize| Dialogue {
        language: ["fr", "ar"][at % 2],
        turns: vec![turn(&texts[at], &texts[(at * 7) % 120], Some((at % 10) as u8)); 1 + at % 3],
        score: Some(at as f64 / 13.0),
        ..Dialogue::default()
    };
    let conversations: Vec<Dialogue<'_>> = (0..120).map(conversation).collect();
    let made = |threads: usize, batch: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let mut statistics = Statistics::default();
            conversations.chunks(batch).for_each(|batch| statistics.add(batch));
            statistics.report("a.jsonl", None).json()
        })
    };
    let expected = made(1, 120);
    for (threads, batch) in [(1, 1), (2, 7), (3, 120)] {
        assert_eq!(made(threads, batch), expected, "{threads} {batch}");
    }
}

#[test]
fn nothing_has_statistics_too() {
    let value = value(&[]);
    assert_eq!((&value["records"], &value["turn_count"]["avg"]), (&json!(0), &Value::Null));
    assert_eq!(value["text"]["word_count_distribution"], json!({}));
}
