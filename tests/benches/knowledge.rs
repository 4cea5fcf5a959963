//! What it takes to read a folder of documents and to index it, on one core and on all of them.
//!
//! `cargo bench --bench knowledge -- [MEGABYTES]`, by default 50: files of 100 kB of prose in English and French.

use dlgforge::knowledge::{self, Index, Options, Reading, Strategy};
use std::fs;
use std::sync::Arc;
use std::time::Instant;

const FILE: usize = 100_000;

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
    let options = Options {
        folder: folder.path().to_path_buf(),
        follow_links: false,
        reading: Reading::default(),
        strategy: Strategy::Structure,
        chunk_size: 750,
        chunk_overlap: 0,
    };
    let mut took = Vec::new();
    for threads in [1, 0] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let (began, loaded) = (Instant::now(), pool.install(|| knowledge::load(&options, &|_| ())).expect("documents"));
        let read = began.elapsed();
        let chunks = loaded.catalogue.chunks.len();
        let began = Instant::now();
        pool.install(|| Index::build(Arc::new(loaded.catalogue), &|_| ())).expect("an index");
        let indexed = began.elapsed();
        println!(
            "{} threads: {chunks} chunks read in {read:.2?}, indexed in {indexed:.2?}",
            pool.current_num_threads()
        );
        took.push((read + indexed).as_secs_f64());
    }
    println!("{:.2} times as fast on all cores", took[0] / took[1]);
}
