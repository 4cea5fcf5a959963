//! Documents that were changed at random, read by the program: none may bring it down, hold it up or take all memory.
//!
//! `cargo bench --bench loaders -- [CASES] [SEED]`, by default 20,000 cases over HTML, DOCX, Markdown, PDF, text, JSON lines and
//! Parquet. Each case is a file of a folder that [`knowledge::load`] reads, with readers in processes of their own as in a
//! run; a reader that crashes or is stopped is counted and its file kept.

use dlgforge::knowledge::{self, KnowledgeError, Options, Reading};
use documents::{docx, lines, paragraph, parquet, pdf, pdf_of};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

#[path = "../support/documents.rs"]
mod documents;

/// Files that are read together.
const ROUND: usize = 2_000;

/// The longest that a round may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Most memory of this process, in kilobytes, that rounds may leave behind.
const MEMORY: u64 = 500_000;

/// Small documents of each type.
fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let html = "<!doctype html><html><head><meta charset=utf-8><title>T</title><style>p{}</style></head><body><nav>n</nav><h1 \
                id=a>One<a href=#a>#</a></h1><p>Some <b>bold</b> <i>words</i> &amp; &#233; &copy;<br>more <code>x</code></p><ul><li>a<ul>\
                <li>b</ul><li>c</ul><ol start=3><li>d</ol><table><tr><th>h<td colspan=2>i<tr><td>j</table><pre>k\n l</pre>\
                <blockquote>m</blockquote><svg><path/></svg><template><p>t</template><select><option>o</select><!-- c --></body>";
    let markdown = "---\na: b\n---\n# One\n\nText *em* **st** `c` [l](u) ![i](data:image/png;base64,AAAA)\n\n- a\n  - b\n1. c\n\n| h | i |\n\
                    | --- | --- |\n| j | k |\n\n```rust\nfn x() {}\n```\n\n> q\n\n[^1]: note\n\n<div>\n<!-- c -->\n</div>\n\nTerm\n: def\n\n\
                    ## Two {#two}\n\nهذا نص.\n\n<|im_start|> [INST]\n";
    let body = [
        paragraph("<w:pStyle w:val=\"berschrift1\"/>", "One &amp; &#233;"),
        paragraph("<w:numPr><w:ilvl w:val=\"1\"/><w:numId w:val=\"1\"/></w:numPr>", "item"),
        format!("<w:tbl><w:tr><w:tc>{0}</w:tc><w:tc>{0}</w:tc></w:tr></w:tbl>", paragraph("", "cell | a")),
        "<mc:AlternateContent><mc:Fallback><w:p/></mc:Fallback></mc:AlternateContent>".to_owned(),
    ];
    let page = "BT /F1 12 Tf 14 TL 72 720 Td (One light-) Tj T* (house) Tj [(W) 80 (ord) -300 (s)] TJ ET q 1 0 0 1 5 5 cm /X0 Do Q";
    let form = "BT /F1 9 Tf 1 0 0 1 72 30 Tm (12) Tj <e9> ' ET";
    let rows = "{\"text\": \"one\", \"id\": 1}\n{\"text\": \"tw\\u00e9\", \"id\": \"b\"}\n\n{\"text\": null}\n";
    vec![
        ("html", html.into()),
        ("md", markdown.into()),
        ("docx", docx(&body.concat())),
        ("pdf", pdf_of(&[page.to_owned(), page.to_owned()], &[form.to_owned()])),
        ("pdf", pdf(&[lines(&["One line of text.", "Another one"]), lines(&["And more"])])),
        ("txt", markdown.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("jsonl", rows.into()),
        ("parquet", parquet(&[("text", &[Some("one"), None, Some("two")]), ("id", &[Some("a"), Some("b"), None])])),
    ]
}

/// How often each seed is taken: the types whose readers have most to do most often.
const WEIGHTS: [usize; 8] = [6, 5, 4, 4, 2, 1, 1, 1];

/// Some bytes changed, cut out, repeated, moved or replaced by what means something to a reader.
fn mutated(seed: &[u8], random: &mut StdRng) -> Vec<u8> {
    const WORDS: [&[u8]; 24] = [
        b"<table>",
        b"<b>",
        b"<a>",
        b"</p>",
        b"<select>",
        b"<svg>",
        b"<",
        b"&#x",
        b"]]>",
        b"<!--",
        b"<w:p>",
        b"</w:tbl>",
        b"(",
        b">>",
        b"<<",
        b"endobj",
        b"/X0 Do",
        b" 0 R",
        b"99999999999",
        b"-1",
        b"\xff\xfe",
        b"\0\0",
        b"# ",
        b"| --- |",
    ];
    let mut bytes = seed.to_vec();
    for _ in 0..1 << random.random_range(0..4) {
        let at = random.random_range(0..=bytes.len());
        let end = (at + random.random_range(0..32)).min(bytes.len());
        match random.random_range(0..7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            1 if at < bytes.len() => bytes[at] = random.random(),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let copy = bytes[at..end].repeat(random.random_range(1..20));
                bytes.splice(at..at, copy);
            }
            4 => {
                let mut noise = vec![0; end - at];
                random.fill_bytes(&mut noise);
                bytes.splice(at..end, noise);
            }
            5 => {
                _ = bytes
                    .splice(at..end.min(at + 4), WORDS[random.random_range(0..WORDS.len())].iter().copied())
                    .count()
            }
            _ => bytes.truncate(at.max(bytes.len() / 2)),
        }
    }
    bytes
}

/// The parts of a DOCX changed, and packed anew: readers of archives refuse most of what is changed otherwise.
fn mutated_inside(body: &str, random: &mut StdRng) -> Vec<u8> {
    docx(&String::from_utf8_lossy(&mutated(body.as_bytes(), random)))
}

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

fn load(folder: &Path) -> Vec<String> {
    let reading = Reading {
        seconds: 5,
        memory_bytes: 1_000_000_000,
        program: Some(env!("CARGO_BIN_EXE_dlgforge").into()),
        ..Reading::default()
    };
    let index = tempfile::tempdir().expect("a folder");
    let options = Options {
        reading,
        chunk_size: 200,
        chunk_overlap: 20,
        ..Options::of(folder.to_path_buf(), index.path().to_path_buf())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    match runtime.block_on(knowledge::open(&options, &|_| ())) {
        Ok(opened) => opened.warnings,
        Err(KnowledgeError::NothingToRead(warnings)) => warnings,
        Err(error) => panic!("{error}"),
    }
}

fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<u64>().ok());
    let (cases, seed) = (numbers.next().unwrap_or(20_000) as usize, numbers.next().unwrap_or(1));
    let (seeds, mut random) = (seeds(), StdRng::seed_from_u64(seed));
    let picks: Vec<usize> = WEIGHTS.iter().enumerate().flat_map(|(at, &count)| vec![at; count]).collect();
    let body = paragraph("<w:pStyle w:val=\"Eigene\"/>", "a &amp; b") + &paragraph("", "c");
    let (mut counts, mut reasons) = (BTreeMap::<&str, usize>::new(), BTreeMap::<String, usize>::new());
    let (began, mut slowest, mut done) = (Instant::now(), Duration::ZERO, 0);
    while done < cases {
        let folder = tempfile::tempdir().expect("a folder");
        for number in 0..ROUND.min(cases - done) {
            let (ending, seed) = &seeds[picks[random.random_range(0..picks.len())]];
            let bytes = match *ending {
                "docx" if random.random_bool(0.7) => mutated_inside(&body, &mut random),
                _ => mutated(seed, &mut random),
            };
            fs::write(folder.path().join(format!("{number}.{ending}")), bytes).expect("a file");
            *counts.entry(ending).or_default() += 1;
            done += 1;
        }
        let round = Instant::now();
        let warnings = load(folder.path());
        let took = round.elapsed();
        slowest = slowest.max(took);
        assert!(took < LIMIT, "a round took {took:.1?}: {}", folder.keep().display());
        assert!(resident() < MEMORY, "{} kB after {done} cases", resident());
        let crashed = |warning: &&String| warning.contains("has crashed") || warning.contains("`knowledge.timeout_s`");
        for warning in warnings.iter().filter(crashed) {
            let (reason, file) = warning.rsplit_once(": ").unwrap_or_default();
            *reasons.entry(reason.to_owned()).or_default() += 1;
            let kept = std::env::temp_dir().join(format!("loaders-{done}-{file}"));
            fs::copy(folder.path().join(file), &kept).expect("a copy");
            println!("{}: {reason}", kept.display());
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{done} cases in {seconds:.1} s, {:.0} a second; the slowest round of {ROUND} took {slowest:.2?}",
        done as f64 / seconds
    );
    println!("cases by type: {counts:?}; resident at the end: {} MB", resident() / 1_000);
    println!("readers that were stopped or crashed, each at the cost of its file: {reasons:?}");
}
