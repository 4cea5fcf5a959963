//! Over a thousand documents that nobody wrote for us: the manual of PostgreSQL page by page, and a book as PDF in English and
//! French. They are read, indexed, searched and asked about.

use crate::parts::real;
use crate::support::{Project, copy, files};
use dlgforge::knowledge::{self, Options, Reading};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// The words of a text with how often each is there; a hyphen at the end of a line is none.
fn words(text: &str) -> BTreeMap<String, i64> {
    let mut words = BTreeMap::new();
    for word in text.replace("-\n", "").split(|letter: char| !letter.is_alphanumeric()) {
        *words.entry(word.to_lowercase()).or_default() += i64::from(word.len() > 1);
    }
    words
}

#[test]
fn a_book_as_pdf_has_the_words_of_its_text() {
    let project = Project::empty();
    copy(&real("corpus/documents"), &project.path("knowledge"));
    let reading = Reading { program: Some(env!("CARGO_BIN_EXE_dlgforge").into()), ..Reading::default() };
    let options = Options { reading, ..Options::of(project.path("knowledge"), project.path("index")) };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let opened = runtime.block_on(knowledge::open(&options, &|_| ())).expect("documents");
    let sources = &opened.catalogue.sources;
    assert!(sources.len() > 1_000 && opened.catalogue.len() > 5_000, "{} documents", sources.len());
    assert!(opened.warnings.iter().all(|warning| !warning.contains("skipped")), "{:?}", opened.warnings);
    for language in ["en", "fr"] {
        let book = sources.iter().find(|source| source.path == format!("faq.{language}.pdf")).expect("the book");
        assert_eq!(book.language.as_deref(), Some(language));
        let chunks = book.chunks.clone().map(|chunk| opened.catalogue.chunk(dlgforge::domain::ChunkIndex(chunk)));
        let texts: Vec<_> = chunks.map(|chunk| format!("{}\n{}", chunk.context, chunk.text)).collect();
        let text = fs::read_to_string(real("corpus/texts").join(format!("faq.{language}.txt"))).expect("the text");
        let (found, expected) = (words(&texts.join("\n")), words(&text));
        let common: i64 = expected.iter().map(|(word, count)| *count.min(found.get(word).unwrap_or(&0))).sum();
        let share = |of: BTreeMap<String, i64>| common as f64 / of.values().sum::<i64>() as f64;
        // The text alone has a table of contents, and the addresses of links.
        let (recall, precision) = (share(expected), share(found));
        assert!(recall > 0.94 && precision > 0.98, "{language}: {recall} {precision}");
    }
}

const CONFIG: &str = "run: {run_id: r, seed: 3, batch_size: 8, total_samples: 60, target_languages: [en, fr], turns: {mode: exact, exact: 2}}
llm: {agents: {user: {provider: builtin}, assistant: {provider: builtin}}}
coverage: {match_language: require, linked: 0.3}
";

#[test]
fn a_manual_of_a_thousand_pages_is_searched_and_asked_about() {
    let project = Project::empty();
    project.write("config.yaml", CONFIG.as_bytes());
    copy(&real("corpus/documents"), &project.path("knowledge"));
    for (query, source) in [
        ("dump the roles and tablespaces of a whole cluster", "postgresql/app-pg-dumpall.html"),
        ("reclaim storage occupied by dead tuples", "postgresql/sql-vacuum.html"),
        ("Which naming convention do Debian package files follow?", "faq.en.pdf"),
        ("Comment Debian choisit-elle les noms de ses versions ?", "faq.fr.pdf"),
    ] {
        let found = project.run(&["search", "config.yaml", query, "-k", "3"]).succeeded();
        assert!(found.stdout.contains(source), "{query}: {}", found.stdout);
    }
    project.generate(&[]);
    let turns = project.rows("outputs/turns.jsonl");
    assert!(turns.len() == 240 && project.drops().values().sum::<usize>() <= 3, "{:?}", project.drops());
    let text = |row: &Value, key: &str| row[key].as_str().expect("a text").to_owned();
    let (french, english): (Vec<_>, Vec<_>) =
        turns.iter().partition(|turn| text(turn, "conversation_id").starts_with("r-fr"));
    // A French conversation is about the French book.
    for turn in &french {
        let fact = &turn["grounding_facts"][0]["source_descriptor"];
        assert!(fact.as_str().is_some_and(|fact| fact.contains("faq.fr.pdf")), "{turn}");
    }
    // A thousand pages are there for sixty conversations: hardly a passage is asked about twice that others could stand for.
    let drawn: Vec<_> = english.iter().filter(|turn| turn["question_mode"] == "fresh").collect();
    let distinct: BTreeSet<_> = drawn.iter().map(|turn| text(turn, "coverage_target")).collect();
    assert!(drawn.len() > 30 && distinct.len() + 2 > drawn.len(), "{} of {}", distinct.len(), drawn.len());
    let linked = turns.iter().filter(|turn| turn["linked_targets"].as_array().is_some_and(|others| !others.is_empty()));
    assert!((20..=80).contains(&linked.count()));
    // The index was made once and serves all of it.
    assert!(files(&project.path("knowledge_index")).keys().any(|name| name.starts_with("lexical-")));
}
