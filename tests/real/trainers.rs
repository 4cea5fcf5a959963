//! What the code of trainers makes of exports: messages, calls, tools and masks, in three languages.

use crate::parts::{python, real};
use crate::support::{Project, builtin};
use std::process::Command;

/// What is exported, in the order in which `trainers.py` tells of it.
const FORMATS: [&str; 11] = [
    "trl",
    "openai",
    "axolotl",
    "llamafactory",
    "sharegpt",
    "alpaca",
    "chatml",
    "traces",
    "trl-dpo",
    "trl-kto",
    "llamafactory-dpo",
];

/// What `trainers.py` tells of an export, a line each, where it agrees with the conversations.
fn read(project: &Project, export: &str, least: &[&str]) -> Vec<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/trainers.py");
    let mut read = Command::new(python("readers"));
    read.arg(script).args([export, "outputs/conversations_sharegpt_judged.jsonl"]).args(least);
    let read = read.env("PYTHONPATH", real("trainers")).current_dir(project.path(""));
    let read = read.output().expect("Python runs");
    let told = String::from_utf8_lossy(&read.stdout);
    assert!(read.status.success(), "{told}{}", String::from_utf8_lossy(&read.stderr));
    told.lines().map(str::to_owned).collect()
}

#[test]
fn trainers_read_what_was_said() {
    let run = "  run_id: R\n  batch_size: 8\n  total_samples: 12\n  target_languages: [en, ar, fr]";
    let accept = "judge: {mode: online, accept: {min_score: 7, on_fail: repair}}";
    let config = builtin(run, "tools: {retrieval: {mode: tool}}").replace("judge: {mode: online}", accept);
    let project = Project::with(&config);
    project.generate(&[]);
    let pairs = project.rows("outputs/preferences.jsonl").len();
    assert!(pairs > 0, "no answer was rejected");

    project.run(&["export", "outputs", "--to", "export", "--format", &FORMATS.join(",")]).succeeded();
    let expected = FORMATS.map(|format| match format {
        "trl-kto" => format!("{format} {}", 2 * pairs),
        "trl-dpo" | "llamafactory-dpo" => format!("{format} {pairs}"),
        _ => format!("{format} 36"),
    });
    assert_eq!(read(&project, "export", &[]), expected);

    let masked = ["export", "outputs", "--to", "masked", "--format", "openai,axolotl", "--mask-below", "9"];
    project.run(&masked).succeeded();
    let told = read(&project, "masked", &["9"]);
    assert!(matches!(&told[..], [openai, axolotl] if openai.starts_with("openai") && axolotl.starts_with("axolotl")));
}
