//! Tests.
use super::*;
use crate::publish::{fixtures, Said, ToolCall};
use std::fs;

const TWO_TOOLS: &str = concat!(
    r#"[{"type":"function","function":{"name":"search","description":"Finds.","parameters":{"type":"object","#,
    r#""properties":{"query":{"type":"string"}}}}},{"type":"function","function":{"name":"add","description":"Adds.","#,
    r#""parameters":{"type":"object","properties":{"numbers":{"type":"array","items":{"type":"number"}},"query":{"type":"integer"}}}}}]"#
);

fn two_calls() -> Dialogue<'static> {
    let mut d = fixtures::french();
    d.id = "run-fr-0009";
    d.tools = TWO_TOOLS;
    d.messages.splice(1..1, [
        Said { role: "assistant", agent: "answerer", turn_index: 1, calls: vec![
            ToolCall { id: "a", name: "search", arguments: r#"{"query":"été"}"# },
            ToolCall { id: "b", name: "add", arguments: r#"{"numbers":[1,2.5],"query":3}"# }], ..Said::default() },
        Said { role: "tool", content: "Juin à août", turn_index: 1, tool_call_id: "a", name: "search", ..Said::default() },
        Said { role: "tool", content: "3.5", turn_index: 1, tool_call_id: "b", name: "add", ..Said::default() },
    ]);
    d
}

#[test]
fn show() {
    let out = std::env::var("OUT").unwrap();
    for (case, options) in [
        ("plain", FormatOptions::default()),
        ("masked", FormatOptions { mask_below: Some(6.0), ..FormatOptions::default() }),
        ("system", FormatOptions { system: SystemMessage::Text("Réponds.".into()), ..FormatOptions::default() }),
        ("persona", FormatOptions { system: SystemMessage::Persona, tools: false, ..FormatOptions::default() }),
        ("think", FormatOptions { reasoning: Some(Reasoning::ThinkTags), ..FormatOptions::default() }),
        ("thinking", FormatOptions { reasoning: Some(Reasoning::Thinking), ..FormatOptions::default() }),
    ] {
    for format in &FORMATS {
        let Ok(choices) = format.choices(&options) else { continue };
        let dir = format!("{out}/{case}/{}", format.name);
        fs::create_dir_all(&dir).unwrap();
        let mut lines = Lines::default();
        let mut all = fixtures::dialogues().to_vec();
        all.push(two_calls());
        match format.rows {
            Rows::Dialogues(rows) => for d in all { rows(&d, &choices, &mut lines).unwrap() },
            Rows::FileEach(rows) => for d in all { let mut lines = Lines::default(); rows(&d, &choices, &mut lines).unwrap(); fs::write(format!("{dir}/{}.jsonl", d.id), lines.bytes).unwrap(); },
            Rows::Pairs(rows) => rows(&fixtures::pair(), &choices, &mut lines).unwrap(),
        }
        if lines.rows > 0 { fs::write(format!("{dir}/train.jsonl"), lines.bytes).unwrap(); }
        for (n, b) in format.companions(&["train.jsonl"], &choices).unwrap() { fs::write(format!("{dir}/{n}"), b).unwrap(); }
    }
    }
}
