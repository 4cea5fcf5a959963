//! What it costs to say what a question is about, and to hold what conversations know of each other, in a large knowledge
//! base.
//!
//! `cargo bench --bench coverage -- [DOCUMENTS CHUNKS]`, by default 100,000 documents of 10 chunks each. Linux only: memory is
//! read from `/proc`.

use dlgforge::domain::*;
use dlgforge::plan::{Asking, CoverageOptions, Distribution, MatchLanguage, Options, Plan, TopicOptions, TurnOptions};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[path = "../support/plain.rs"]
#[expect(dead_code, reason = "only the conversation is wanted")]
mod plain;

/// Conversations of a wave, and waves that they don't know of.
const BATCH: u32 = 64;
const LOOKAHEAD: u32 = 16;
const WAVES: u32 = 200;

struct Nothing(u32);

impl ChunkStore for Nothing {
    fn chunk(&self, ChunkIndex(index): ChunkIndex) -> Chunk {
        let (text, context) = ("Text.".into(), "".into());
        let source = SourceIndex(index / self.0);
        Chunk { id: String::new(), text, context, source, chunk_index: index % self.0, char_start: 0, char_end: 5 }
    }
}

/// Memory of this process, in bytes.
fn resident() -> u64 {
    const PAGE: u64 = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    PAGE * statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number of pages")
}

fn catalogue(documents: u32, each: u32) -> Catalogue {
    let source = |at: u32| Source {
        path: format!("{at:07}.md"),
        language: Some(["en", "fr"][(at % 2) as usize].into()),
        digest: "".into(),
        chunks: at * each..(at + 1) * each,
    };
    Catalogue::new((0..documents).map(source).collect(), Arc::new(Nothing(each)))
}

fn options() -> Options {
    Options {
        seed: 7,
        turns: TurnOptions { min: 1, max: 1, distribution: Distribution::Uniform, mean: None },
        question: String::new(),
        topics: TopicOptions::default(),
        languages: vec!["en".into()],
        unknown: BATCH * LOOKAHEAD - 1,
        coverage: CoverageOptions {
            balanced: true,
            epsilon: 0.15,
            fraction: 0.2,
            match_language: MatchLanguage::Prefer,
            linked: 0.0,
            dedup_retries: 3,
            normalisation: Normalisation::Full,
            near: None,
            candidates: 1,
        },
        modes: Default::default(),
        style: Default::default(),
        user_personas: Vec::new(),
        assistant_personas: Vec::new(),
    }
}

/// A run of opening questions on top of so many in every chunk; how long each took, and each wave's end, in order.
fn measure(catalogue: &Arc<Catalogue>, before: u32) {
    let held = resident();
    let mut uses = Uses::none(catalogue);
    uses.chunks.iter_mut().for_each(|count| *count = before);
    uses.sources.iter_mut().zip(&catalogue.sources).for_each(|(source, of)| {
        source.questions = before * of.chunks.len() as u32;
    });
    let began = Instant::now();
    let mut coverage = Coverage::new(catalogue, uses);
    let made = began.elapsed();
    let plan = Plan::new(options(), catalogue.clone());
    let empty = resident() - held;
    let (mut questions, mut waves, mut snapshots) = (Vec::new(), Vec::new(), VecDeque::new());
    let mut asked: VecDeque<Vec<Used>> = VecDeque::new();
    for wave in 0..WAVES {
        let known = snapshots.front().unwrap_or(&coverage).clone();
        let mut used = Vec::new();
        for index in wave * BATCH..(wave + 1) * BATCH {
            let conversation = plain::conversation(Slot { index, ..Slot::default() }, 1);
            let conversation = Conversation { wave: Wave(wave), language: "en".into(), ..conversation };
            let began = Instant::now();
            let asking = Asking { conversation: &conversation, coverage: &known };
            let brief = plan.brief(asking);
            let shown = plan.passages(asking, &brief, &[]);
            questions.push(began.elapsed());
            let chunk = shown[0].0;
            let question = format!("question {index}").into();
            let source = Some(catalogue.source_of(chunk));
            used.push(Used { chunk: Some(chunk), source, question, seed: None, linked: vec![] });
        }
        asked.push_back(used);
        let began = Instant::now();
        asked.pop_front().iter().flatten().for_each(|used| coverage.add(used));
        snapshots.push_back(coverage.clone());
        waves.push(began.elapsed());
        if snapshots.len() > LOOKAHEAD as usize {
            snapshots.pop_front();
        }
    }
    let of = |took: &mut Vec<Duration>| {
        took.sort_unstable();
        [took[took.len() / 2], took[took.len() * 99 / 100], took[took.len() - 1]]
    };
    println!(
        "{before} questions a chunk before: made in {made:.2?}, {} MB, with {LOOKAHEAD} snapshots {} MB; a question takes {:.2?}, a \
         wave of {BATCH} {:.2?} (median, 99 %, most)",
        empty / 1_000_000,
        (resident() - held) / 1_000_000,
        of(&mut questions),
        of(&mut waves),
    );
}

fn main() {
    let numbers: Vec<u32> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let [documents, chunks] = numbers.try_into().unwrap_or([100_000, 1_000_000]);
    let catalogue = Arc::new(catalogue(documents, chunks / documents));
    println!("{documents} documents, {} chunks", catalogue.len());
    (0..3).for_each(|before| measure(&catalogue, before));
}
