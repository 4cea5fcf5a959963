//! Tests.
use super::*;
use crate::publish::fixtures;
#[test]
fn show() {
    for format in &FORMATS {
        let choices = format.choices(&FormatOptions::default()).unwrap();
        let mut lines = Lines::default();
        match format.rows {
            Rows::Dialogues(rows) | Rows::FileEach(rows) => for d in fixtures::dialogues() { rows(&d, &choices, &mut lines).unwrap() },
            Rows::Pairs(rows) => rows(&fixtures::pair(), &choices, &mut lines).unwrap(),
        }
        println!("== {}\n{}", format.name, String::from_utf8(lines.bytes).unwrap());
        for (n, b) in format.companions(&["train.jsonl"], &choices).unwrap() { println!("{n}: {}", String::from_utf8(b).unwrap()); }
    }
}
