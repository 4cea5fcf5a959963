//! What cards tell, and what they don't.

use super::super::stats::{RunFigures, Statistics};
use super::super::{Dialogue, Exchange};
use super::*;
use crate::domain::yaml::{self, Dialect};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn report(languages: &[&str]) -> Report {
    let turn = Exchange { user: "Où est la gare ?", assistant: "Au bout.", score: Some(7), ..Exchange::default() };
    let conversation =
        |language| Dialogue { language, turns: vec![turn.clone()], score: Some(7.0), ..Dialogue::default() };
    let mut statistics = Statistics::default();
    statistics.add(&languages.iter().map(|language| conversation(*language)).collect::<Vec<_>>());
    let dropped = BTreeMap::from([("judge".to_owned(), 3)]);
    statistics.report("a.jsonl", Some(RunFigures { dropped, duplicates_rejected: 5, ..RunFigures::default() }))
}

/// A card in which every text from outside is this one.
fn facts<'a>(text: &'a str, stats: &'a Report, configs: &'a [CardConfig<'a>]) -> CardFacts<'a> {
    let pair = Box::leak(Box::new([[text, text]]));
    CardFacts {
        pretty_name: text,
        repo_id: text,
        license: text,
        task_categories: &["question-answering"],
        tags: Box::leak(Box::new([text])),
        configs,
        contents: pair,
        columns: Box::leak(Box::new([[text, text, text]])),
        models: pair,
        prompts: pair,
        seed: text,
        settings: pair,
        is_demonstration: false,
        judge_auc: Some(0.912),
        stats,
        stats_file: text,
        plots: pair,
        secrets: &["our own secret"],
    }
}

fn config<'a>(text: &'a str) -> [CardConfig<'a>; 1] {
    [CardConfig { name: text, splits: vec![CardSplit { name: text, path: text, rows: Some(4) }] }]
}

fn front_matter(card: &str) -> Value {
    let front = card.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")).expect("front matter").0;
    yaml::read(front, Dialect::Typed).expect("YAML")
}

#[test]
fn the_front_matter_is_what_the_hub_wants() {
    let stats = report(&["en", "French", "Egypt", "العربية", "Klingon"]);
    let configs = [CardConfig {
        name: "default",
        splits: vec![
            CardSplit { name: "train", path: "data/train-*.parquet", rows: Some(4) },
            CardSplit { name: "test", path: "data/test-*.parquet", rows: Some(1) },
        ],
    }];
    let all = CardFacts {
        pretty_name: "",
        repo_id: "org/water",
        license: "cc-by-4.0",
        tags: &["rag", "eau"],
        ..facts("x", &stats, &configs)
    };
    let card = text(&all);
    let expected = json!({
        "language": ["ar", "en", "fr"],
        "multilinguality": ["multilingual"],
        "annotations_creators": ["machine-generated"],
        "language_creators": ["machine-generated"],
        "source_datasets": ["original"],
        "task_categories": ["question-answering"],
        "size_categories": ["n<1K"],
        "tags": ["synthetic", "rag", "multi-turn", "conversational", "dlgforge", "eau"],
        "pretty_name": "water",
        "license": "cc-by-4.0",
        "configs": [{"config_name": "default", "default": true, "data_files": [
            {"split": "train", "path": "data/train-*.parquet"},
            {"split": "test", "path": "data/test-*.parquet"},
        ]}],
    });
    assert_eq!(front_matter(&card), expected);
    for part in [
        "# water\n",
        "rows = load_dataset(\"org/water\", \"default\")",
        "- Questions rejected as duplicates: 5\n- Conversations dropped, `judge`: 3\n",
        "a probability of 0.91",
        "| العربية | 1 | 1 | ",
    ] {
        assert!(card.contains(part), "{part}: {card}");
    }
}

#[test]
fn no_value_is_more_than_a_text() {
    let stats = report(&["en"]);
    for (hostile, never) in [
        ("/home/anna/private/a.md", "/home"),
        ("model: /srv/llm/q.gguf", "/srv"),
        ("C:\\Users\\anna\\q.gguf", "Users"),
        ("sk-live/4f9a+77cQ", "4f9a"),
        ("key our own secret", "our own secret"),
        ("https://anna:pw@host/v1?api_key=4711", "pw"),
        ("https://anna:pw@host/v1?api_key=4711", "4711"),
        ("x\n---\nlicense: mit", "\n---\nlicense"),
        ("</div><script>x()", "<script>x()\n"),
        ("a | b ` c", "a | b ` c |"),
    ] {
        let configs = config(hostile);
        let card = text(&facts(hostile, &stats, &configs));
        assert!(!card.contains(never), "{hostile}: {card}");
        let front = front_matter(&card);
        assert_eq!(front["language"], json!(["en"]), "{card}");
        assert_eq!(front["configs"].as_array().map(Vec::len), Some(1), "{card}");
    }
}

#[test]
fn settings_that_hold_secrets_are_left_out() {
    let (stats, configs) = (report(&["fr"]), config("a"));
    let settings = [["llm.agents.user.api_key", "4711"], ["judge.granularity", "turn"]];
    let card = text(&CardFacts { settings: &settings, ..facts("a", &stats, &configs) });
    assert!(!card.contains("4711") && card.contains("| `judge.granularity` | `turn` |"), "{card}");
}

#[test]
fn a_dataset_of_which_nothing_is_known_has_a_card() {
    let stats = Statistics::default().report("a.jsonl", None);
    let facts = CardFacts {
        task_categories: &[],
        tags: &[],
        contents: &[],
        columns: &[],
        models: &[],
        prompts: &[],
        settings: &[],
        plots: &[],
        judge_auc: None,
        is_demonstration: true,
        ..facts("", &stats, &[])
    };
    let card = text(&facts);
    assert_eq!(front_matter(&card)["pretty_name"], "Synthetic QA Dataset");
    let headings: Vec<_> = card.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(headings, ["# Synthetic QA Dataset", "## Statistics", "## Limitations"]);
    assert!(card.contains("No judge has scored it.") && card.contains("demonstration model"), "{card}");
}
