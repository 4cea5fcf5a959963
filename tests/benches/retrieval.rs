//! How well and how fast passages are found.
//!
//! `cargo bench --bench retrieval -- QUESTIONS.jsonl MODEL_FOLDER [PASSAGES]`: how often a question finds the passage that
//! answers it, among thousands; rows of `{"question", "passage"}`, and a folder with an embedding model. ONNX Runtime's library
//! is where `dlgforge fetch embeddings` puts it, or in `ORT_DYLIB_PATH`.
//!
//! `cargo bench --bench retrieval -- [CHUNKS]...`, by default 1000 100000: what a search takes among so many chunks with vectors
//! of 384 dimensions that are made up, how long the index takes to build and to open, and the memory that it holds.

use dlgforge::domain::Place;
use dlgforge::knowledge::embeddings::{Backend, Embedder, Embedding, EmbeddingOptions, Purpose};
use dlgforge::knowledge::{self, Hit, Knowledge, Options, Ranking};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Questions that are asked.
const QUESTIONS: usize = 500;

/// Passages that an answer may rest on.
const SHOWN: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let sizes: Result<Vec<usize>, _> = arguments.iter().map(|argument| argument.parse()).collect();
    match (sizes, &arguments[..]) {
        (Ok(sizes), _) => {
            let sizes = if sizes.is_empty() { vec![1_000, 100_000] } else { sizes };
            sizes.into_iter().for_each(speed);
        }
        (Err(_), [rows, model, rest @ ..]) => quality(rows, model, rest),
        _ => eprintln!("name a file of questions and the folder of a model, or numbers of chunks"),
    }
}

/// Vectors around as many directions as there are subjects; the subject is the first word of a text.
struct MadeUp;

impl Embedder for MadeUp {
    fn name(&self) -> &str {
        "made up"
    }

    fn embed(&self, texts: Vec<String>) -> Embedding<'_> {
        let vector = |text: &String| {
            let subject = text.split_whitespace().next().unwrap_or_default();
            let (mut around, mut own) = (random(subject), random(text));
            let vector: Vec<f32> =
                (0..384).map(|_| around.random::<f32>() - 0.5 + 0.4 * (own.random::<f32>() - 0.5)).collect();
            let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
            vector.into_iter().map(|value| value / length).collect()
        };
        Box::pin(std::future::ready(Ok(texts.iter().map(vector).collect())))
    }

    fn prefix(&self, _: Purpose) -> &str {
        ""
    }
}

fn random(text: &str) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
}

/// Memory of this process, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    1_000 * line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default()
}

fn speed(chunks: usize) {
    const SUBJECTS: usize = 500;
    const WORDS: [&str; 8] = ["lantern", "harbour", "needs", "filter", "evening", "keeper", "repair", "window"];
    let folder = tempfile::tempdir().expect("a folder");
    let per_file = 1_000.min(chunks);
    for file in 0..chunks.div_ceil(per_file) {
        let chunk = |number: usize| {
            let words: Vec<_> = (0..12).map(|at| WORDS[(number * 7 + at * number / 3 + at) % WORDS.len()]).collect();
            format!("subject{} number{number} {}.", number % SUBJECTS, words.join(" "))
        };
        let text: Vec<String> = (0..per_file).map(|at| chunk(file * per_file + at)).collect();
        fs::write(folder.path().join(format!("{file:05}.txt")), text.join("\n\n")).expect("a document is written");
    }
    let index = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let options = Options::of(folder.path().to_path_buf(), index.path().to_path_buf());
    let options = Options { chunk_size: 130, ranking: Ranking::Vector, ..options };
    for (name, embedder) in [("lexical", None), ("vector", Some(Arc::new(MadeUp) as Arc<dyn Embedder>))] {
        let open = || {
            let began = Instant::now();
            let opened = runtime.block_on(knowledge::open_with(&options, embedder.clone(), &|_| ())).expect("an index");
            (opened, began.elapsed())
        };
        let (built, took_to_build) = open();
        drop(built);
        let before = resident();
        let (opened, took_to_open) = open();
        let held = resident().saturating_sub(before);
        let mut times: Vec<Duration> = (0..200)
            .map(|number| {
                let query = format!("subject{} needs a lantern keeper {number}", number % SUBJECTS);
                let began = Instant::now();
                runtime.block_on(opened.retriever.search(Place::default(), &query, 4)).expect("passages");
                began.elapsed()
            })
            .collect();
        times.sort_unstable();
        println!(
            "{name}, {} chunks: built in {took_to_build:.2?}, opened in {took_to_open:.2?} with {} MB more; a search takes {:.2?} \
             (median), {:.2?} (99 %)",
            opened.catalogue.len(),
            held / 1_000_000,
            times[100],
            times[198],
        );
        if let Some(embedder) = embedder {
            println!("    of the ten nearest chunks {:.3} are found", recall(&opened, &*embedder, &runtime));
        }
    }
}

/// The share of the ten nearest chunks to a query, by their vectors, that a search by vectors finds.
fn recall(opened: &Knowledge, embedder: &dyn Embedder, runtime: &Runtime) -> f64 {
    const NEAREST: usize = 10;
    let embed = |text: String| runtime.block_on(embedder.embed(vec![text])).expect("a vector").remove(0);
    let queries: Vec<_> = (0..20).map(|number| format!("subject{} needs a keeper", number * 7)).collect();
    let vectors: Vec<_> = queries.iter().cloned().map(embed).collect();
    let mut nearest = vec![Vec::new(); queries.len()];
    for (at, chunk) in opened.catalogue.chunks().enumerate() {
        let row = embed(chunk.text.to_string());
        for (query, nearest) in vectors.iter().zip(&mut nearest) {
            let cosine: f32 = query.iter().zip(&row).map(|(one, other)| one * other).sum();
            nearest.push((cosine, at as u32));
            if nearest.len() == 2 * NEAREST {
                nearest.sort_by(|one, other| other.0.total_cmp(&one.0));
                nearest.truncate(NEAREST);
            }
        }
    }
    let mut found = 0;
    for (query, mut nearest) in queries.iter().zip(nearest) {
        nearest.sort_by(|one, other| other.0.total_cmp(&one.0));
        let hits = runtime.block_on(opened.retriever.search(Place::default(), query, 2 * NEAREST)).expect("passages");
        let by_vectors = |hit: &&Hit| hit.vector.is_some_and(|vector| vector.rank <= NEAREST as u32);
        let hits: Vec<u32> = hits.iter().filter(by_vectors).map(|hit| hit.chunk.0).collect();
        found += nearest[..NEAREST].iter().filter(|(_, chunk)| hits.contains(chunk)).count();
    }
    found as f64 / (NEAREST * queries.len()) as f64
}

fn quality(rows: &str, model: &str, rest: &[String]) {
    let most = rest.first().and_then(|most| most.parse().ok()).unwrap_or(2_000);
    let folder = tempfile::tempdir().expect("a folder");
    let asked = write(Path::new(rows), folder.path(), most);
    let index = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let open = |ranking, backend| -> Knowledge {
        let embeddings = EmbeddingOptions { backend, model: model.to_owned(), ..EmbeddingOptions::lexical() };
        let options = Options::of(folder.path().to_path_buf(), index.path().to_path_buf());
        let options = Options { chunk_size: 5_000, embeddings, ranking, ..options };
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
            let hits = runtime.block_on(retriever.search(Place::default(), question, 10)).expect("passages");
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
