//! What it takes to read a folder of documents and to index it by its words, on one core and on all of them, and to open the
//! index again when nothing has changed; and how fast it is searched.
//!
//! `cargo bench --bench knowledge -- [MEGABYTES]`, by default 50: files of 100 kB of prose in English and French.

use dlgforge::domain::Place;
use dlgforge::knowledge::{self, Options};
use std::fs;
use std::time::{Duration, Instant};

const FILE: usize = 100_000;

/// Searches that are timed.
const SEARCHES: usize = 1_000;

fn prose(language: &str, number: usize) -> String {
    let (subjects, verbs, objects): (&[&str], &[&str], &[&str]) = match language {
        "en" => (
            &["The keeper", "A bridge", "Our town hall", "The old boiler"],
            &["opens", "needs", "repairs"],
            &["the gate", "a new filter", "every window", "the archive"],
        ),
        _ => (
            &["Le gardien", "Un pont", "La mairie", "La vieille chaudière"],
            &["ouvre", "demande", "répare"],
            &["le portail", "un nouveau filtre", "chaque fenêtre", "les archives"],
        ),
    };
    let (mut text, mut n) = (format!("# Document {number}\n"), number * 7_919);
    while text.len() < FILE {
        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let [a, b, c] = [n >> 20, n >> 30, n >> 40];
        let of = |words: &[&str], at: usize| words[at % words.len()].to_owned();
        text += &format!("{} {} {} {} {}. ", of(subjects, a), of(verbs, b), of(objects, c), a % 9_973, b % 977);
        if n % 11 == 0 {
            text += "\n\n";
        }
    }
    text
}

fn main() {
    let megabytes: usize = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(50);
    let folder = tempfile::tempdir().expect("a folder");
    for number in 0..megabytes * 1_000_000 / FILE {
        let language = ["en", "fr"][number % 2];
        fs::write(folder.path().join(format!("{number:05}.md")), prose(language, number)).expect("a file is written");
    }
    let mut took = Vec::new();
    for threads in [1, 0] {
        let index = tempfile::tempdir().expect("a folder");
        let options = Options::of(folder.path().to_path_buf(), index.path().to_path_buf());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let open = || {
            let began = Instant::now();
            let opened = pool.install(|| runtime.block_on(knowledge::open(&options, &|_| ()))).expect("documents");
            (opened, began.elapsed())
        };
        let (built, took_to_build) = open();
        let chunks = built.catalogue.len();
        drop(built);
        let (opened, took_to_open) = open();
        let mut searches: Vec<Duration> = (0..SEARCHES)
            .map(|number| {
                let began = Instant::now();
                let query = format!("which bridge needs a new filter {number}");
                runtime.block_on(opened.retriever.search(Place::default(), &query, 4)).expect("passages");
                began.elapsed()
            })
            .collect();
        searches.sort_unstable();
        println!(
            "{} threads: {chunks} chunks read and indexed in {took_to_build:.2?}, opened again in {took_to_open:.2?}; a search \
             takes {:.2?} (median), {:.2?} (99 %)",
            pool.current_num_threads(),
            searches[SEARCHES / 2],
            searches[SEARCHES * 99 / 100],
        );
        took.push(took_to_build.as_secs_f64());
    }
    println!("{:.2} times as fast on all cores", took[0] / took[1]);
}
