//! Indexing many conversations for the pages, and asking for pages of them: seconds, memory, milliseconds.
//!
//! `cargo bench --bench view -- [CONVERSATIONS]`, by default 100,000, a third of them in each of English, French and Arabic. Each row is as
//! large as those of runs with four passages a turn; words come as often as in texts (Zipf's law over 30,000 of each language).

use dlgforge::view::{Filter, Index, Labels, Progress, Sort, overview};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};
use serde_json::json;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::time::Instant;

const LANGUAGES: [(&str, &[&str]); 3] = [
    ("en", &["the", "wa", "ter", "ing", "so", "lar", "re", "an", "con", "tion", "ed", "pro", "ly", "mo", "ni"]),
    ("fr", &["le", "é", "tion", "qu", "eau", "ment", "ré", "sol", "à", "con", "ou", "eur", "dé", "ille", "ci"]),
    ("ar", &["ال", "ما", "ء", "كت", "ون", "ين", "سا", "عل", "حي", "ة", "مد", "را", "ست", "فا", "قو"]),
];
const MODES: [&str; 4] = ["fresh", "followup", "adjacent", "unanswerable"];
/// Bytes of a row beside what is said: passages that searches returned, and reasoning.
const REST: usize = 16_000;

fn vocabulary(syllables: &[&str], random: &mut StdRng) -> Vec<String> {
    let word = |_| (0..random.random_range(1..4)).map(|_| syllables[random.random_range(0..syllables.len())]).collect();
    (0..30_000).map(word).collect()
}

fn text(words: usize, vocabulary: &[String], random: &mut StdRng) -> String {
    let zipf = Zipf::new(vocabulary.len() as f64, 1.05).expect("a distribution");
    let drawn: Vec<&str> = (0..words).map(|_| vocabulary[zipf.sample(random) as usize - 1].as_str()).collect();
    drawn.join(" ")
}

/// A figure of the process in megabytes, by its name in Linux.
fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok()).unwrap_or(0)
        / 1024
}

fn main() {
    let count = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(100_000_usize);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut random = StdRng::seed_from_u64(7);
    let vocabularies = LANGUAGES.map(|(_, syllables)| vocabulary(syllables, &mut random));
    let rest = text(REST / 6, &vocabularies[0], &mut random);
    let path = folder.path().join("conversations_sharegpt_judged.jsonl");
    let mut lines = BufWriter::new(File::create(&path).expect("a file"));
    for number in 0..count {
        let (language, _) = LANGUAGES[number % 3];
        let said = |turn: usize, words, random: &mut StdRng| {
            let role = ["user", "assistant"][turn % 2];
            json!({"role": role, "content": text(words, &vocabularies[number % 3], random)})
        };
        let messages: Vec<_> =
            (0..6).map(|turn| said(turn, if turn % 2 == 0 { 18 } else { 70 }, &mut random)).collect();
        let passages: Vec<_> =
            (0..6).map(|_| json!({"source": format!("{language}/{}.md", random.random_range(0..2000))})).collect();
        let row = json!({
            "messages": messages, "messages_with_tools": rest,
            "metadata": {
                "conversation_id": format!("r-{language}-{:04}", number / 3), "run_id": "r", "timestamp": "2026-11-28T03:46:32+00:00",
                "n_turns": 3, "language": language, "conversation_status": "completed",
                "personas": {"user_id": format!("persona-{}", number % 40)},
                "question_modes": [MODES[number % 4], "followup", "fresh"], "provenance": {"passages": passages},
            },
            "judge": {"per_turn": [], "avg_score": f64::from(random.random_range(0..100_u32)) / 10.0, "conversation": {}},
        });
        writeln!(lines, "{row}").expect("written");
    }
    lines.flush().expect("written");
    drop(lines);
    let bytes = fs::metadata(&path).expect("a file").len();
    let before = memory("VmHWM:");
    let began = Instant::now();
    let mut index = Index::open(folder.path(), None).expect("an index");
    let progress = Progress::default();
    index.refresh(None, &progress, &|| true).expect("indexed");
    let took = began.elapsed().as_secs_f64();
    let size = fs::metadata(index.path()).expect("a file").len();
    println!(
        "{count} conversations, {} MB: indexed in {took:.1} s ({:.0} a second), index {} MB, memory {before} MB before and {} MB at most",
        bytes >> 20,
        count as f64 / took,
        size >> 20,
        memory("VmHWM:")
    );
    let began = Instant::now();
    index.refresh(None, &progress, &|| true).expect("looked at");
    println!("looked at again in {:.1} ms", began.elapsed().as_secs_f64() * 1e3);

    let reader = index.reader().expect("a reader");
    let mut labels = Labels::of(folder.path(), &reader).expect("labels");
    labels.refresh(&reader).expect("no labels");
    let word = |rank: usize, language: usize| {
        let long = vocabularies[language][rank..].iter().find(|word| word.chars().count() > 4);
        long.expect("a long word").clone()
    };
    let by = |change: &dyn Fn(&mut Filter)| {
        let mut filter = Filter::default();
        change(&mut filter);
        filter
    };
    let asked = [
        ("the newest", by(&|_| {})),
        ("the last page", by(&|filter| filter.offset = count as u64 - 50)),
        ("a language", by(&|filter| filter.language = "fr".into())),
        (
            "a language, a mode and a score",
            by(&|filter| {
                (filter.language, filter.mode, filter.min) = ("ar".into(), "unanswerable".into(), Some(8.0));
            }),
        ),
        ("a document", by(&|filter| filter.document = "en/7.md".into())),
        ("the lowest scores", by(&|filter| filter.sort = Sort::Lowest)),
        ("the longest", by(&|filter| filter.sort = Sort::Longest)),
        ("without a label", by(&|filter| filter.label = "none".into())),
        ("a frequent word", by(&|filter| filter.q = vocabularies[0][0].clone())),
        ("a rare word of Arabic", by(&|filter| filter.q = word(20_000, 2))),
        (
            "two words and a language",
            by(&|filter| {
                (filter.q, filter.language) = (format!("{} {}", word(40, 1), word(900, 1)), "fr".into());
            }),
        ),
    ];
    for (what, filter) in asked {
        let mut times = Vec::new();
        let mut total = 0;
        for _ in 0..5 {
            let began = Instant::now();
            total = filter.list(&reader, index.path()).expect("a page").total;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        println!("{what}: {total} found, {:.1} ms at first, {:.1} ms then", times[0], times[4]);
    }
    let began = Instant::now();
    overview(&reader, index.path()).expect("figures");
    println!("figures of all in {:.0} ms", began.elapsed().as_secs_f64() * 1e3);
    println!("memory {} MB at the end", memory("VmRSS:"));
}
