//! Which passages are asked about. Would catch: passages that are asked about twice while others wait, small documents that
//! run dry, seed questions that come twice, languages that mix, questions over several passages that are about one.

use crate::support::{Project, builtin};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A document of so many sections, each of them a passage of its own.
fn sections(document: usize, count: usize) -> String {
    const THINGS: [&str; 5] = ["pump", "boiler", "valve", "filter", "turbine"];
    const PLACES: [&str; 7] = ["cellar", "attic", "harbour", "workshop", "garden", "bakery", "library"];
    let section = |number: usize| {
        let (thing, place) = (THINGS[number % 5], PLACES[(number + document) % 7]);
        let sentence = |part: usize| {
            format!(
                "The {thing} number {document}{number}{part} in the old {place} needs a new gasket after {} days of work, and the \
                 keeper of the {place} notes the pressure of {} bar in the blue logbook every evening.",
                10 * part + number + 3,
                part + 2
            )
        };
        format!(
            "## The {thing} of the {place} {document}{number}\n\n{}\n",
            (0..4).map(sentence).collect::<Vec<_>>().join(" ")
        )
    };
    (0..count).map(section).collect::<Vec<_>>().join("\n")
}

fn run(total: usize, batch_size: usize, turns: usize, more: &str) -> String {
    format!(
        "  run_id: r\n  batch_size: {batch_size}\n  total_samples: {total}\n  turns: {{mode: exact, exact: {turns}}}\n{more}"
    )
}

/// How often each passage was asked about, and each document.
fn usage(project: &Project) -> [BTreeMap<String, usize>; 2] {
    let mut usage = [BTreeMap::new(), BTreeMap::new()];
    for row in project.rows("outputs/coverage_ledger.jsonl") {
        for (counts, key) in usage.iter_mut().zip(["topic_id", "source_path"]) {
            *counts.entry(row[key].as_str().expect("a text").to_owned()).or_default() += 1;
        }
    }
    usage
}

#[test]
fn one_passage_grounds_every_question_of_a_run() {
    for (total, turns) in [(20, 1), (5, 4)] {
        let project = Project::empty();
        project.write("config.yaml", builtin(&run(total, 1, turns, "  lookahead: 1"), "").as_bytes());
        project.write("knowledge/one.md", sections(1, 1).as_bytes());
        let ran = project.generate(&[]);
        let turns = project.rows("outputs/turns.jsonl");
        let [chunks, _] = usage(&project);
        assert_eq!((turns.len(), chunks.len()), (20, 1), "{}", ran.stdout);
        let grounded = |turn: &Value| turn["coverage_target"] != "" && turn["retrieved"] == true;
        assert!(turns.iter().all(grounded), "{turns:?}");
        assert!(ran.stdout.contains("0.0 % of documents and 0.0 % of passages never asked about"), "{}", ran.stdout);
    }
}

#[test]
fn passages_are_used_again_once_all_are_used() {
    let even = "coverage: {doc_coverage_epsilon: 0}";
    for (documents, total, more) in [(&[7][..], 24, ""), (&[1, 3, 5], 22, even), (&[2, 2, 2, 2], 13, even)] {
        let project = Project::empty();
        project.write("config.yaml", builtin(&run(total, 1, 1, "  lookahead: 1"), more).as_bytes());
        for (document, count) in documents.iter().enumerate() {
            project.write(&format!("knowledge/{document}.md"), sections(document, *count).as_bytes());
        }
        let ran = project.generate(&["--workers", "1"]);
        let [chunks, _] = usage(&project);
        let (least, most) = (chunks.values().min().expect("one"), chunks.values().max().expect("one"));
        assert!(chunks.len() >= documents.iter().sum() && most - least <= 1, "{documents:?}: {chunks:?}");
        assert!(ran.stdout.contains("0.0 % of documents and 0.0 % of passages never asked about"), "{}", ran.stdout);
    }
}

#[test]
fn how_even_the_use_of_documents_is_stands_in_the_summary_and_the_run_state() {
    let project = Project::with(&builtin(&run(6, 2, 1, "  target_languages: [en, fr]"), ""));
    let ran = project.generate(&[]);
    let state: Value = serde_json::from_str(&project.read("outputs/run_state/r.json")).expect("JSON");
    let figure = |name: &str| state["coverage"][name].as_f64().expect("a figure");
    let [_, documents] = usage(&project);
    // Five documents in English and three in French: those in other languages don't count.
    assert!((figure("unused_documents") - (8 - documents.len()) as f64 / 8.0).abs() < 1e-9, "{state}");
    assert!(figure("gini") < 0.4 && figure("unused_chunks") > 0.0, "{}", state["coverage"]);
    let told = format!("Gini coefficient of questions per document {:.2}", figure("gini"));
    assert!(ran.stdout.contains(&told), "{}", ran.stdout);
}

#[test]
fn required_languages_need_documents() {
    let languages = "  target_languages: [en, fr]";
    let project = Project::empty();
    project.write("config.yaml", builtin(&run(1, 1, 1, languages), "coverage: {match_language: require}").as_bytes());
    project.write("knowledge/tea.md", sections(1, 2).as_bytes());
    let ran = project.run(&["run", "config.yaml"]);
    assert_eq!(ran.code, Some(1));
    let wanted = "coverage.match_language: `require` wants documents in every language of run.target_languages, and \
                  `knowledge/` has none in `fr`";
    assert!(ran.stderr.contains(wanted), "{}", ran.stderr);
    assert!(!project.path("outputs/turns.jsonl").exists(), "before it starts");
    // With documents in both, conversations are about those in their own.
    let project = Project::with(&builtin(&run(4, 4, 3, languages), "coverage: {match_language: require}"));
    project.generate(&[]);
    let mut rows = 0;
    for conversation in project.rows("outputs/conversations_sharegpt.jsonl") {
        let (metadata, language) = (&conversation["metadata"], conversation["metadata"]["language"].as_str());
        for target in metadata["coverage_targets"].as_array().expect("targets") {
            let ledger = project.rows("outputs/coverage_ledger.jsonl");
            let row = ledger.iter().find(|row| row["topic_id"] == *target).expect("a row");
            let path = row["source_path"].as_str().expect("a path");
            assert_eq!(path.split('/').next(), language, "{row}");
            rows += 1;
        }
    }
    assert_eq!(rows, 24);
}

#[test]
fn the_former_name_of_the_language_key_means_the_same() {
    for (former, now) in [("own", "prefer"), ("any", "off")] {
        let targets = [format!("document_language: {former}"), format!("match_language: {now}")].map(|coverage| {
            let project = Project::with(&builtin(&run(6, 2, 1, ""), &format!("coverage: {{{coverage}}}")));
            let ran = project.generate(&[]);
            let told = "DEPRECATED: `coverage.document_language` is now `coverage.match_language`.";
            assert_eq!(ran.stderr.contains(told), coverage.starts_with("document"), "{}", ran.stderr);
            usage(&project)
        });
        assert_eq!(targets[0], targets[1], "{former}");
    }
}

#[test]
fn each_seed_question_is_asked_once_and_shown_its_own_passage() {
    let seeding = "  data: {seeding: {topics: {path: topics.yaml, probability: 1}}}";
    for batch_size in [1, 6] {
        let project = Project::with(&builtin(&run(6, batch_size, 1, seeding), ""));
        let topics = "variants: {english: {Bread: [How long does a starter keep in the refrigerator?, \
                      How long does a sourdough loaf bake?], Bicycles: [How is a bicycle chain cleaned?, \
                      How are brake pads checked?], Lights: [What is a Fresnel lens?, What does a lighthouse keeper do?]}}";
        project.write("topics.yaml", topics.as_bytes());
        project.generate(&[]);
        let rows = project.rows("outputs/coverage_ledger.jsonl");
        let seeded: Vec<_> = rows.iter().filter(|row| row["seed_question"] != "").collect();
        let distinct: BTreeSet<_> = seeded.iter().map(|row| row["seed_question"].as_str()).collect();
        assert!(seeded.len() >= 4 && distinct.len() == seeded.len(), "batches of {batch_size}: {seeded:?}");
        for row in seeded {
            let document = match row["seed_topic"].as_str() {
                Some("Bread") => "en/sourdough-bread.md",
                Some("Bicycles") => "en/bicycle-maintenance.md",
                _ => "en/lighthouses.md",
            };
            assert_eq!(row["source_path"], document, "{row}");
        }
    }
}

#[test]
fn questions_over_several_passages_name_all_of_them() {
    for (share, least, most) in [("0.5", 8, 32), ("1", 25, 40), ("0", 0, 0)] {
        let project = Project::with(&builtin(&run(20, 4, 2, ""), &format!("coverage: {{linked: {share}}}")));
        project.generate(&[]);
        let turns = project.rows("outputs/turns.jsonl");
        let mut linked = 0;
        for turn in &turns {
            let (facts, targets) = (turn["grounding_facts"].as_array(), turn["linked_targets"].as_array());
            let targets = targets.expect("a list");
            if targets.is_empty() {
                continue;
            }
            let sources: BTreeSet<_> =
                facts.into_iter().flatten().map(|fact| fact["source_descriptor"].as_str()).collect();
            assert!(sources.len() == targets.len() + 1 && (2..=3).contains(&sources.len()), "{turn}");
            assert!(!targets.contains(&turn["coverage_target"]), "{turn}");
            linked += 1;
        }
        assert!((least..=most).contains(&linked), "{share}: {linked} of {}", turns.len());
        let ledger = project.rows("outputs/coverage_ledger.jsonl");
        assert_eq!(ledger.iter().filter(|row| row.get("linked").is_some()).count(), linked);
    }
}
