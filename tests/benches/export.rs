//! What an export costs: a table of a million turns from Parquet to Parquet and to JSON Lines, held against pyarrow.
//!
//! `DLGFORGE_REAL=… cargo bench --bench export -- [TURNS [WORKERS…]]`, by default 1,000,000 turns, and 1 and 2 workers. The conversations
//! are 1,000 that the built-in model has made over the sample documents, again and again in another order. Every figure is the best of
//! two. pyarrow reads and writes a row group at a time with the options of exports; it is the one in `readers`, which
//! `tests/real/install` puts into `DLGFORGE_REAL`. Linux only.

#[expect(dead_code, unused_imports, reason = "a benchmark needs part of the harness")]
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use support::cost::Cost;
use support::{Project, builtin, shipped};

/// Bytes of the files below a folder.
fn bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.map(|path| if path.is_dir() { bytes(&path) } else { fs::metadata(&path).expect("a file").len() }).sum()
}

/// What the script prints.
fn python(arguments: &[&str]) -> Vec<f64> {
    let real = std::env::var("DLGFORGE_REAL").expect("DLGFORGE_REAL: the folder of tests/real/install");
    let mut command = Command::new(PathBuf::from(real).join("readers/bin/python"));
    let told = command.arg(shipped("tests/benches/export.py")).args(arguments).stderr(Stdio::inherit()).output();
    let told = told.expect("Python runs");
    assert!(told.status.success());
    String::from_utf8_lossy(&told.stdout).split_whitespace().map(|number| number.parse().expect("a number")).collect()
}

/// Seconds, CPU seconds and peak MiB of an export, and the bytes of what it wrote.
fn export(project: &Project, format: &str, workers: &str) -> (f64, Cost, u64) {
    let to = project.path("export");
    let once = || {
        let arguments = ["export", "table", "--to", "export", "--format", format, "--workers", workers];
        let mut command = project.command(&arguments);
        let began = Instant::now();
        let mut child = command.stdout(Stdio::null()).spawn().expect("the binary runs");
        let cost = Cost::to_the_end(&mut child);
        assert!(child.wait().expect("a child").success());
        let told = (began.elapsed().as_secs_f64(), cost, bytes(&to));
        fs::remove_dir_all(&to).expect("a folder");
        told
    };
    let [one, other] = [once(), once()];
    if one.0 < other.0 { one } else { other }
}

fn main() {
    let numbers: Vec<u32> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let turns = numbers.first().copied().unwrap_or(1_000_000).to_string();
    let workers = if numbers.len() > 1 { &numbers[1..] } else { &[1, 2] };
    let run = "  total_samples: 500\n  target_languages: [en, fr]\n  turns: {mode: range, min: 2, max: 4}";
    let project = Project::with(&builtin(run, ""));
    project.generate(&[]);
    let path = |inside: &str| project.path(inside).display().to_string();
    let made = python(&["make", &path("outputs"), &turns, &path("table")]);
    let (rows, turns) = (made[0], made[1]);
    println!("{rows} conversations of {turns} turns in {} MB of Parquet", bytes(&project.path("table")) / 1_000_000);

    let copies = [(); 2].map(|()| python(&["copy", &path("table"), &path("copy.parquet")]));
    let pyarrow = copies.iter().min_by(|one, other| one[0].total_cmp(&other[0])).expect("two");
    let size = fs::metadata(project.path("copy.parquet")).expect("a file").len() as f64;
    let line = |what: &str, seconds: f64, peak: f64, bytes: f64| {
        println!(
            "{what}: {seconds:.2} s, {:.0} conversations/s, {:.0} turns/s, peak {peak:.0} MiB, {:.0} bytes a turn, {:.2} of pyarrow's speed",
            rows / seconds,
            turns / seconds,
            bytes / turns,
            pyarrow[0] / seconds
        );
    };
    line("pyarrow, Parquet", pyarrow[0], pyarrow[1], size);
    for format in ["parquet", "jsonl"] {
        for workers in workers {
            let (seconds, cost, bytes) = export(&project, format, &workers.to_string());
            line(&format!("{format}, {workers} workers, {:.1} CPU s", cost.cpu), seconds, cost.peak, bytes as f64);
        }
    }
}
