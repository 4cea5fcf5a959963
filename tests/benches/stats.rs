//! Statistics and plots of conversations of three turns and 350 words each: seconds, and memory.
//!
//! `cargo bench --bench stats -- [CONVERSATIONS]`, by default 5,120, a third of them in each of English, French and Arabic. Words come
//! as often as in texts (Zipf's law over 30,000 of each language); one answer of twenty is one given before.

use dlgforge::publish::stats::Statistics;
use dlgforge::publish::{Dialogue, Exchange, plots};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};
use std::time::Instant;

const LANGUAGES: [(&str, &[&str]); 3] = [
    ("en", &["the", "wa", "ter", "ing", "so", "lar", "re", "an", "con", "tion", "ed", "pro", "ly", "mo", "ni"]),
    ("fr", &["le", "é", "tion", "qu", "eau", "ment", "ré", "sol", "à", "con", "ou", "eur", "dé", "ille", "ci"]),
    ("ar", &["ال", "ما", "ء", "كت", "ون", "ين", "سا", "عل", "حي", "ة", "مد", "را", "ست", "فا", "قو"]),
];

/// Conversations that are added together.
const BATCH: usize = 512;

fn vocabulary(syllables: &[&str], random: &mut StdRng) -> Vec<String> {
    let word = |_| (0..random.random_range(1..4)).map(|_| syllables[random.random_range(0..syllables.len())]).collect();
    (0..30_000).map(word).collect()
}

fn text(words: usize, vocabulary: &[String], random: &mut StdRng) -> String {
    let zipf = Zipf::new(vocabulary.len() as f64, 1.05).expect("a distribution");
    let drawn: Vec<&str> = (0..words).map(|_| vocabulary[zipf.sample(random) as usize - 1].as_str()).collect();
    let paragraphs: Vec<String> = drawn.chunks(40).map(|words| words.join(" ") + ".").collect();
    paragraphs.join("\n\n")
}

fn turn((at, said): (usize, &[String])) -> Exchange<'_> {
    Exchange {
        index: at as u16 + 1,
        user: &said[0],
        assistant: &said[1],
        mode: ["direct", "follow_up", "multi_hop"][at],
        difficulty: "easy",
        score: Some(5 + at as u8),
        accepted: Some(at > 0),
        sources: vec!["a.md"],
        ..Exchange::default()
    }
}

fn conversation((number, said): (usize, &[String; 6])) -> Dialogue<'_> {
    Dialogue {
        language: LANGUAGES[number % LANGUAGES.len()].0,
        status: "completed",
        turns: said.chunks(2).enumerate().map(turn).collect(),
        score: Some(4.0 + (number % 60) as f64 / 10.0),
        ..Dialogue::default()
    }
}

/// Of the process, in megabytes.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() / 1_000
}

/// Of all threads of the process, in seconds, to the hundredth.
fn processor_time() -> f64 {
    let times = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = times.rsplit(") ").next().into_iter().flat_map(|fields| fields.split(' ').skip(11).take(2));
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn main() {
    let count = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(5_120);
    let mut random = StdRng::seed_from_u64(1);
    let vocabularies = LANGUAGES.map(|(_, syllables)| vocabulary(syllables, &mut random));
    let mut texts: Vec<[String; 6]> = Vec::with_capacity(count);
    for number in 0..count {
        let vocabulary = &vocabularies[number % LANGUAGES.len()];
        let mut said = std::array::from_fn(|at| text([17, 100][at % 2], vocabulary, &mut random));
        if number % 20 == 19 {
            said[1] = texts[number - LANGUAGES.len()][1].clone();
        }
        texts.push(said);
    }
    let conversations: Vec<Dialogue<'_>> = texts.iter().enumerate().map(conversation).collect();
    let bytes: usize = texts.iter().flatten().map(String::len).sum();
    let (before, spent) = (most_memory(), processor_time());
    let began = Instant::now();
    let mut statistics = Statistics::default();
    conversations.chunks(BATCH).for_each(|batch| statistics.add(batch));
    let added = began.elapsed();
    let report = statistics.report("conversations_sharegpt.jsonl", None);
    let reported = began.elapsed();
    let plots = plots::all(&report).len();
    println!(
        "{count} conversations of {} MB: {:.0?}, of which the conversations {added:.0?}, the report {:.0?} and {plots} plots {:.0?}",
        bytes / 1_000_000,
        began.elapsed(),
        reported - added,
        began.elapsed() - reported
    );
    println!("processor: {:.2} s", processor_time() - spent);
    println!("memory: {before} MB before, {} MB at most; {} tokens", most_memory(), report.tokens.messages_total);
    println!("{}", serde_json::to_string(&report.diversity).expect("JSON"));
}
