//! Bodies of responses that are not as they should be: what is read of them, and that none costs more than it is worth.

use crate::endpoints::{UNDISTURBED, dropped_none, project, stops_then_survives};
use crate::support::cost::Cost;
use crate::support::endpoint::dialogue::{Latency, reply};
use crate::support::endpoint::{Behaviour, Endpoint, Reply};
use crate::support::misbehaviour::Misbehaviour::*;
use crate::support::{Ran, answering, edited, expect_same};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[test]
fn bodies_are_read_where_their_meaning_is_plain() {
    let text = |reply: &Reply| String::from_utf8(reply.body.to_vec()).expect("UTF-8");
    let with = |change: fn(String) -> String| {
        Behaviour::new(move |request, _| {
            let good = reply(request, Latency::NONE);
            Reply { body: change(text(&good)).into(), ..good }
        })
    };
    let streamed: fn(String) -> String = |body| {
        let mut chunk: Value = serde_json::from_str(&body).expect("JSON");
        let choice = &mut chunk["choices"][0];
        choice["delta"] = choice["message"].take();
        choice.as_object_mut().expect("an object").remove("message");
        format!(": waiting\n\ndata: {chunk}\n\ndata: [DONE]\n\n")
    };
    for (what, change, same) in [
        ("a byte order mark", (|body| format!("\u{feff}{body}")) as fn(String) -> String, true),
        ("more JSON", |body| format!("{body}\n{{\"usage\": null}}\n"), true),
        ("numbers that are none", |body| body.replacen('{', "{\"seed\": 1e999, \"top\": NaN, ", 1), false),
        ("a stream", streamed, false),
    ] {
        let endpoint = Endpoint::start(with(change));
        let project = project(&endpoint);
        let ran = Ran::of(project.stamped(&[])).succeeded();
        dropped_none(&project, &ran);
        assert_eq!((endpoint.requests(), project.rows("outputs/turns.jsonl").len()), (16, 4), "{what}");
        if same {
            expect_same(&UNDISTURBED, &project.outputs(), what);
        }
    }
}

#[test]
fn an_answer_among_thoughts_is_found_and_said_once() {
    let endpoint = Endpoint::start(Behaviour::altering(|choice| {
        let message = &mut choice["message"];
        message["reasoning_content"] = message["content"].take();
    }));
    let project = project(&endpoint);
    let ran = Ran::of(project.stamped(&[])).succeeded();
    dropped_none(&project, &ran);
    assert_eq!(
        ran.stderr.matches("sends its answers as thoughts; they are read from there").count(),
        1,
        "{}",
        ran.stderr
    );
}

#[test]
fn responses_without_measure_cost_no_memory() {
    for misbehaviour in [HugeAnnounced, Huge, Endless] {
        stops_then_survives(misbehaviour, "malformed response: longer than 32 MiB");
    }
}

#[test]
fn thoughts_are_kept_apart_from_what_is_said() {
    for (behaviour, thought) in
        [(Behaviour::thinks_apart(), "let me think apart"), (Behaviour::thinks_aloud(), "let me think aloud")]
    {
        let endpoint = Endpoint::start(behaviour);
        let project = project(&endpoint);
        Ran::of(project.stamped(&[])).succeeded();
        let rows = project.rows("outputs/conversations_sharegpt.jsonl");
        assert_eq!(rows.len(), 4);
        for row in rows {
            let reasoning = |of: &str| row[of][0]["model_reasoning"].as_str().unwrap_or_default().to_owned();
            assert_eq!(reasoning("user_reasoning"), thought);
            assert!(reasoning("assistant_reasoning").contains(thought), "{row}");
            for said in ["messages", "messages_with_tools"] {
                let said = row[said].to_string();
                assert!(
                    !said.contains("think apart") && !said.contains("<think>") && !said.contains("aloud"),
                    "{said}"
                );
            }
        }
    }
}

#[test]
fn bytes_that_are_no_text_become_replacement_characters() {
    let endpoint = Endpoint::start(Behaviour::broken_text());
    let project = project(&endpoint);
    let ran = Ran::of(project.stamped(&[])).succeeded();
    dropped_none(&project, &ran);
    for row in project.rows("outputs/turns.jsonl") {
        for said in ["user_message", "assistant_message"] {
            assert!(row[said].as_str().expect("text").contains('\u{fffd}'), "{row}");
        }
    }
}

#[test]
fn what_a_reply_is_called_does_not_matter() {
    let endpoint = Endpoint::start(Behaviour::wrong_type());
    let project = project(&endpoint);
    Ran::of(project.stamped(&[])).succeeded();
    expect_same(&UNDISTURBED, &project.outputs(), "called a web page");
}

#[test]
fn control_tokens_of_replies_get_blanks_in_rows_and_are_cut_off_at_the_end() {
    let endpoint = Endpoint::start(Behaviour::new(|request, number| {
        edited(reply(request, Latency::NONE), |message| {
            let text = message["content"].as_str().map(|text| {
                let begun = text.replace("It is", "<|start_header_id|>It [INST] is");
                let ended = begun.replace(").\"", ")</s>.\"").replace(")?\"", ")?<end_of_turn>\"");
                format!("<think>So <|im_start|>.</think>{}<|im_end|>", ended.replace(".\",", ".<|eot_id|>\","))
            });
            message["content"] = text.into();
            if number % 3 == 0 && message["tool_calls"].is_array() {
                message["tool_calls"][0]["function"]["arguments"] = json!({"query": "backup <｜User｜>"});
            }
        })
    }));
    let project = project(&endpoint);
    let ran = Ran::of(project.stamped(&[])).succeeded();
    dropped_none(&project, &ran);
    let told = ran.stderr.matches("writes control tokens of its chat template into replies").count();
    assert_eq!(told, 1, "{}", ran.stderr);
    assert!(project.read("logs/llm.log").contains("[llm] control tokens="));
    let rows = project.read("outputs/conversations_sharegpt.jsonl");
    assert!(
        rows.contains("< |start_header_id| >It [ INST ] is") || rows.contains("<| start_header_id |>It [ INST ] is")
    );
    for token in ["<|", "<｜", "[INST]", "</s>", "<end_of_turn>", "<think>"] {
        let at = rows.match_indices(token).find(|(at, _)| !rows[at + token.len()..].starts_with(' '));
        assert_eq!(at.map(|(at, _)| &rows[at..]), None, "{token}");
    }
    assert!(!rows.contains("eot_id"), "what ends a message is cut off");
}

#[test]
fn control_characters_of_replies_and_documents_reach_no_row_and_no_terminal() {
    const HOSTILE: &str = "\u{1b}[2J\0\u{7}\u{7f}\u{9b}\r\n\u{feff}كل\u{200c} \u{200f}يوم";
    let endpoint = Endpoint::start(Behaviour::new(|request, _| {
        let good = answering(reply(request, Latency::NONE), HOSTILE);
        edited(good, |message| message["reasoning_content"] = HOSTILE.into())
    }));
    let project = project(&endpoint);
    let document = format!("{{\"text\": {}}}\n", json!(format!("Backups are taken daily. {HOSTILE}")));
    project.write("knowledge/rows.jsonl", document.as_bytes());
    let ran = Ran::of(project.stamped(&[])).succeeded();
    dropped_none(&project, &ran);
    let shown = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
    for file in ["turns", "conversations_sharegpt"] {
        let rows = project.read(&format!("outputs/{file}.jsonl"));
        assert!(rows.contains("\u{fffd}\u{fffd}\u{fffd}\u{fffd}\\nكل\u{200c} \u{200f}يوم"), "{rows}");
        for gone in ["\\u00", "\\b", "\\f", "\\r", "\u{7f}", "\u{9b}", "\u{feff}", "[2J"] {
            assert_eq!(rows.find(gone).map(|at| &rows[at..]), None, "{gone:?} in {file}");
        }
    }
}

#[test]
fn a_reply_without_measure_costs_little() {
    for (what, expected) in [("calls", 0), ("objects", 1), ("tags", 1), ("items", 1), ("words", 1), ("long", 1)] {
        let endpoint = Endpoint::start(Behaviour::new(move |request, number| {
            edited(reply(request, Latency::NONE), |message| match (what, message["tool_calls"].is_array()) {
                ("calls", true) => {
                    let call = |at: usize| json!({"id": format!("c{at}"), "function": {"name": "vector_db_search", "arguments": "{\"query\": \"backup\"}"}});
                    message["tool_calls"] = (0..20_000).map(call).collect();
                }
                ("objects", _) if number == 0 => {
                    message["content"] = (0..60_000).map(|at| format!("{{\"{at}\": {{}}}}")).collect::<String>().into();
                }
                ("items" | "words" | "long", false) if number < 4 => {
                    let text = message["content"].as_str().unwrap_or_default();
                    let mut object: Value = serde_json::from_str(text).expect("JSON");
                    if what == "items" {
                        let item =
                            |at: usize| json!({"id": format!("E{at}"), "content": format!("quoted {at} words of it")});
                        object["evidence"] = (0..60_000).map(item).collect();
                    } else {
                        let key =
                            ["user_message", "assistant_message"].into_iter().find(|key| object.get(key).is_some());
                        let _ = key.map(|key| {
                            object[key] = "A starter is ready when it doubles. "
                                .repeat(if what == "long" { 1_500 } else { 50_000 })
                                .into()
                        });
                    }
                    message["content"] = object.to_string().into();
                }
                ("tags", true) => *message = json!({"content": "<tool_call>".repeat(100_000)}),
                _ => {}
            })
        }));
        let project = project(&endpoint);
        let began = Instant::now();
        let mut child = project.stamped(&["--set", "run.total_samples=1"]).spawn().expect("the binary runs");
        let Cost { peak, .. } = Cost::to_the_end(&mut child);
        let ran = Ran::from(child.wait_with_output().expect("it ends")).succeeded();
        let took = began.elapsed();
        println!("{what}: {peak:.0} MiB, {took:?}");
        assert!(peak < 200.0 && took < Duration::from_secs(60), "{what}: {peak} MiB, {took:?}");
        let told = ran.stderr.contains("tool calls in one reply: the first 32 count");
        assert_eq!(told, expected == 0, "{what}: {}", ran.stderr);
    }
}
