//! Undoes what makes optimistic acceptance right, piece by piece, in a copy of the project, and expects that a test of the
//! operators or of the graph fails each time.
//!
//! `cargo test --test mutants [-- PART_OF_A_NAME]`: compiles the project once or twice per mutant, about half an hour for all.

#[path = "../mutants.rs"]
mod mutants;

use mutants::{MUTANTS, root};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

/// What the project needs to be built and tested.
const PARTS: [&str; 9] =
    ["src", "dataflows", "config", "knowledge", "tests", "Cargo.toml", "Cargo.lock", "README.md", ".env.example"];

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).expect("a folder");
        for entry in fs::read_dir(from).expect("a folder of the project") {
            let entry = entry.expect("an entry");
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).expect("a file");
    }
}

/// A copy of the project, and where it is built.
struct Copy {
    project: PathBuf,
    target: PathBuf,
}

impl Copy {
    fn new() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants");
        let (project, target) = (folder.join("project"), folder.join("target"));
        _ = fs::remove_dir_all(&project);
        fs::create_dir_all(&project).expect("a folder");
        PARTS.iter().for_each(|part| copy(&root().join(part), &project.join(part)));
        Self { project, target }
    }

    fn cargo(&self, arguments: &[&str]) -> Output {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["test", "--offline"]).args(arguments);
        command.current_dir(&self.project).env("CARGO_TARGET_DIR", &self.target).env("RUST_BACKTRACE", "0");
        command.output().expect("cargo runs")
    }

    /// The tests that fail: of the operators, or else of the graph.
    fn failing(&self) -> Vec<String> {
        let failing = self.failing_of("--lib", "operators::");
        if failing.is_empty() { self.failing_of("--test=main", "graph::") } else { failing }
    }

    fn failing_of(&self, target: &str, tests: &str) -> Vec<String> {
        let built = self.cargo(&[target, "--no-run"]);
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let tested = self.cargo(&[target, tests]);
        let text = String::from_utf8_lossy(&tested.stdout).into_owned();
        let failed = text.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
        let failed: Vec<_> = failed.map(str::to_owned).collect();
        assert_eq!(tested.status.success(), failed.is_empty(), "{text}");
        failed
    }
}

fn main() {
    let copy = Copy::new();
    assert_eq!(copy.failing(), [""; 0], "before anything is changed");
    let mut survivors = Vec::new();
    let only = env::args().nth(1).unwrap_or_default();
    for mutant in MUTANTS.iter().filter(|mutant| mutant.undone.contains(&only)) {
        let path = copy.project.join(mutant.file);
        let original = fs::read_to_string(&path).expect("UTF-8");
        fs::write(&path, mutant.changed(&original)).expect("a file");
        let failing = copy.failing();
        fs::write(&path, original).expect("a file");
        eprintln!("not so that {}: {failing:?}", mutant.undone);
        if failing.is_empty() {
            survivors.push(mutant.undone);
        }
    }
    assert!(survivors.is_empty(), "nobody notices when it is not so that {survivors:#?}");
}
