//! How well passages are found: questions of which each is answered by one passage, among thousands.
//!
//! `cargo bench --bench retrieval -- QUESTIONS.jsonl MODEL_FOLDER [PASSAGES]`: rows of `{"question", "passage"}`, and a folder
//! with an embedding model; ONNX Runtime's library is where `dlgforge fetch embeddings` puts it, or in `ORT_DYLIB_PATH`.

use dlgforge::knowledge::embeddings::{Backend, EmbeddingOptions};
use dlgforge::knowledge::{self, Anew, Knowledge, Options, Ranking, Reading, Strategy};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Questions that are asked.
const QUESTIONS: usize = 500;

/// Passages that an answer may rest on.
const SHOWN: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [rows, model, rest @ ..] = &arguments[..] else {
        eprintln!("name a file of questions and the folder of a model: QUESTIONS.jsonl MODEL_FOLDER [PASSAGES]");
        return;
    };
    let most = rest.first().and_then(|most| most.parse().ok()).unwrap_or(2_000);
    let folder = tempfile::tempdir().expect("a folder");
    let asked = write(Path::new(rows), folder.path(), most);
    let index = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let open = |ranking, backend| -> Knowledge {
        let embeddings = EmbeddingOptions { backend, model: model.clone(), ..EmbeddingOptions::lexical() };
        let options = Options {
            folder: folder.path().to_path_buf(),
            follow_links: false,
            reading: Reading::default(),
            strategy: Strategy::Structure,
            chunk_size: 5_000,
            chunk_overlap: 0,
            index_folder: index.path().to_path_buf(),
            anew: Anew::Nothing,
            embeddings,
            ranking,
            reranker: None,
        };
        runtime.block_on(knowledge::open(&options, &|_| ())).expect("an index")
    };
    let began = Instant::now();
    let chunks = open(Ranking::Hybrid, Backend::Fastembed).catalogue.len();
    println!(
        "{chunks} chunks indexed and embedded in {:.1?}: {:.1} a second",
        began.elapsed(),
        chunks as f64 / began.elapsed().as_secs_f64()
    );
    println!("{:<10} {:>9} {:>6} {:>10} {:>10}", "", "recall@5", "MRR", "median", "99 %");
    for (name, ranking, backend) in [
        ("lexical", Ranking::Hybrid, Backend::Lexical),
        ("vector", Ranking::Vector, Backend::Fastembed),
        ("hybrid", Ranking::Hybrid, Backend::Fastembed),
    ] {
        let Knowledge { catalogue, retriever, .. } = open(ranking, backend);
        let (mut found, mut reciprocal, mut times) = (0, 0.0, Vec::<Duration>::new());
        for (question, answer) in asked.iter().take(QUESTIONS) {
            let began = Instant::now();
            let hits = runtime.block_on(retriever.search(question, 10)).expect("passages");
            times.push(began.elapsed());
            let rank = hits.iter().position(|hit| catalogue.source(catalogue.source_of(hit.chunk)).path == *answer);
            found += usize::from(rank.is_some_and(|rank| rank < SHOWN));
            reciprocal += rank.map_or(0.0, |rank| 1.0 / (rank + 1) as f64);
        }
        times.sort_unstable();
        let count = times.len();
        println!(
            "{name:<10} {:>9.3} {:>6.3} {:>10.2?} {:>10.2?}",
            found as f64 / count as f64,
            reciprocal / count as f64,
            times[count / 2],
            times[count * 99 / 100],
        );
    }
}

/// Writes each passage once, as a document; the questions, each with the document that answers it, evenly from all.
fn write(rows: &Path, folder: &Path, most: usize) -> Vec<(String, String)> {
    let text = fs::read_to_string(rows).expect("a file of questions");
    let (mut documents, mut asked) = (BTreeMap::<String, String>::new(), Vec::new());
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).expect("a row of JSON");
        let (Some(question), Some(passage)) = (row["question"].as_str(), row["passage"].as_str()) else { continue };
        if !documents.contains_key(passage) && documents.len() == most {
            continue;
        }
        let number = documents.len();
        let name = documents.entry(passage.to_owned()).or_insert_with(|| format!("{number:06}.txt")).clone();
        asked.push((question.to_owned(), name));
    }
    for (passage, name) in &documents {
        fs::write(folder.join(name), passage).expect("a document is written");
    }
    let step = (asked.len() / QUESTIONS).max(1);
    asked.into_iter().step_by(step).collect()
}
