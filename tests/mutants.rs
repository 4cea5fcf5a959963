//! What makes optimistic acceptance right, undone piece by piece: the tests of the operators or of the graph must notice
//! each.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

struct Mutant {
    /// What no longer holds.
    undone: &'static str,
    file: &'static str,
    find: &'static str,
    replace: &'static str,
}

const MUTANTS: [Mutant; 16] = [
    Mutant {
        undone: "a report comes after the verdicts of its tick",
        file: "src/operators/home.rs",
        find: "verdicts.into_iter().for_each(|(rank, fingerprint, won)| self.rule(rank, fingerprint, won));
        self.sent.retain(|(at, _)| *at > tick);",
        replace: "self.sent.retain(|(at, _)| *at > tick);
        if !verdicts.is_empty() {
            let report = self.close(tick, vec![]);
            verdicts.into_iter().for_each(|(rank, fingerprint, won)| self.rule(rank, fingerprint, won));
            return report;
        }",
    },
    Mutant {
        undone: "claims in flight are pending",
        file: "src/operators/home.rs",
        find: "self.sent.extend(self.decided.iter().map(",
        replace: "self.sent.extend(self.decided.iter().filter(|(_, diff)| *diff < 0).map(",
    },
    Mutant {
        undone: "withdrawals in flight are pending",
        file: "src/operators/home.rs",
        find: "self.sent.extend(self.decided.iter().map(",
        replace: "self.sent.extend(self.decided.iter().filter(|(_, diff)| *diff > 0).map(",
    },
    Mutant {
        undone: "withdrawals decided and not sent are pending",
        file: "src/operators/home.rs",
        find: "let pending = self.decided.iter().map(",
        replace: "let pending = self.decided.iter().filter(|(_, diff)| *diff > 0).map(",
    },
    Mutant {
        undone: "the watermark is a minimum over reports of the same tick",
        file: "src/operators/watermark.rs",
        find: "first.get().len() == self.latest.len()",
        replace: "!first.get().is_empty()",
    },
    Mutant {
        undone: "verdicts wait by their own time, not by that of their message",
        file: "src/operators/accept.rs",
        find: "verdicts.for_each(|_, batch| batch.drain(..).for_each(|verdict| ruled.stash(verdict)));",
        replace: "verdicts.for_each(|time, batch| {
                let tick = time.time().saturating_sub(1);
                batch.drain(..).for_each(|(verdict, _, diff)| ruled.stash((verdict, tick, diff)));
            });",
    },
    Mutant {
        undone: "all claims to a settled question leave in one tick",
        file: "src/operators/dedup.rs",
        find: "claimed.settle(watermark).into_iter().map(|claim| (claim, tick, -1));",
        replace: "claimed.settle(watermark).into_iter().zip(tick..).map(|(claim, tick)| (claim, tick, -1));",
    },
    Mutant {
        undone: "conversations on their way to their home count",
        file: "src/operators/watermark.rs",
        find: "reported.chain(on_their_way)",
        replace: "reported.chain(on_their_way.take(0))",
    },
    Mutant {
        undone: "waves that have not opened count",
        file: "src/operators/slots.rs",
        find: "homes.get(quota.unopened())",
        replace: "homes.get(if quota.is_met() { quota.unopened() } else { Rank { turn: crate::words::TurnIndex(9), ..quota.unopened() } })",
    },
    Mutant {
        undone: "replies to an earlier course of a conversation are dropped",
        file: "src/operators/home.rs",
        find: "path.conversation.incarnation == conversation.incarnation",
        replace: "path.conversation.slot == conversation.slot",
    },
    Mutant {
        undone: "the last course of a conversation is the one that is released",
        file: "src/operators/settle.rs",
        find: "other.incarnation.number < conversation.incarnation.number",
        replace: "other.incarnation.number > conversation.incarnation.number",
    },
    Mutant {
        undone: "a wave sees what was used as of the end of its basis wave",
        file: "src/operators/quota.rs",
        find: "let opening = batch.opening(place);",
        replace: "let opening = Opening { coverage: self.coverage.clone(), ..batch.opening(place) };",
    },
    Mutant {
        undone: "a roll-back withdraws the claims it takes back",
        file: "src/operators/home.rs",
        find: "self.decided.extend(path.roll_back(at));",
        replace: "path.roll_back(at).for_each(drop);",
    },
    Mutant {
        undone: "a verdict belongs to a question and a rank",
        file: "src/operators/home.rs",
        find: "(step.turn, step.attempt, step.fingerprint) == place",
        replace: "(step.turn, step.attempt) == (place.0, place.1)",
    },
    Mutant {
        undone: "of two claims the lower one wins",
        file: "src/operators/dedup.rs",
        find: "((**rank, place == 0), 1)",
        replace: "((**rank, place + 1 == claims.len()), 1)",
    },
    Mutant {
        undone: "settled questions are remembered",
        file: "src/operators/dedup.rs",
        find: "self.settled.insert(fingerprint);",
        replace: "",
    },
];

/// What the project needs to be built and tested.
const PARTS: [&str; 8] = ["src", "dataflows", "config", "knowledge", "tests", "Cargo.toml", "Cargo.lock", "README.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

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

impl Mutant {
    fn applied(&self, text: &str) -> String {
        assert_eq!(text.matches(self.find).count(), 1, "`{}` in {}", self.find, self.file);
        text.replacen(self.find, self.replace, 1)
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

#[test]
fn every_mutant_changes_one_place() {
    for mutant in MUTANTS {
        mutant.applied(&fs::read_to_string(root().join(mutant.file)).expect("UTF-8"));
    }
}

#[test]
#[ignore = "compiles the project once per mutant"]
fn every_mutant_is_noticed() {
    let copy = Copy::new();
    assert_eq!(copy.failing(), [""; 0], "before anything is changed");
    let mut survivors = Vec::new();
    let only = env::var("MUTANT").unwrap_or_default();
    for mutant in MUTANTS.iter().filter(|mutant| mutant.undone.contains(&only)) {
        let path = copy.project.join(mutant.file);
        let original = fs::read_to_string(&path).expect("UTF-8");
        fs::write(&path, mutant.applied(&original)).expect("a file");
        let failing = copy.failing();
        fs::write(&path, original).expect("a file");
        eprintln!("not so that {}: {failing:?}", mutant.undone);
        if failing.is_empty() {
            survivors.push(mutant.undone);
        }
    }
    assert!(survivors.is_empty(), "nobody notices when it is not so that {survivors:#?}");
}
