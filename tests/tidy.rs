//! Holds the house together: which room may import which, and what no file may hold. A rule is proved by sources that
//! break it and by sources that only look as if they did.

mod docs;
mod mutants;
mod names;
mod project;
mod rules;

use mutants::{MUTANTS, Mutants};
use project::Project;
use rules::{RULES, Rule};
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rule(name: &str) -> Rule {
    RULES.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no rule `{name}`")).1
}

fn of_one_file(path: &str, text: &str) -> Project {
    Project::of([(path.to_owned(), text.to_owned())], String::new())
}

fn broken(project: &Project) -> Vec<String> {
    RULES.iter().flat_map(|(_, rule)| rule(project)).collect()
}

#[test]
fn every_rule_holds() {
    let broken = broken(&Project::read(root()));
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_rule_finds_what_breaks_it_and_nothing_else() {
    for Mutants { rule: name, path, broken, allowed } in MUTANTS {
        let found = |text: &str| rule(name)(&of_one_file(path, text));
        for text in *broken {
            let found = found(text);
            assert!(!found.is_empty() && found.iter().all(|line| line.starts_with(path)), "{name}: {text}: {found:?}");
        }
        for text in *allowed {
            assert_eq!(found(text), Vec::<String>::new(), "{name}: {text}");
        }
    }
}

#[test]
fn a_file_may_have_five_hundred_lines() {
    let lengths = |path, lines| rule("lengths")(&of_one_file(path, &"//\n".repeat(lines)));
    assert!(lengths("src/plan/draw.rs", 500).is_empty() && lengths("tests/graph.rs", 501).is_empty());
    assert_eq!(lengths("src/plan/draw.rs", 501), ["src/plan/draw.rs: 501 lines, split it below 500"]);
}

#[test]
fn another_tls_is_found_in_the_lock_file() {
    let with = |lock: &str| rule("rustls alone")(&Project::of([], lock.to_owned()));
    assert!(with("name = \"rustls\"\nname = \"openssl-probe\"\n").is_empty());
    assert_eq!(with("name = \"native-tls\"\n").len(), 1);
    assert_eq!(with("name = \"openssl-sys\"\nname = \"native-tls\"\n").len(), 2);
}

#[test]
fn modules_for_tests_are_left_out_wherever_they_lie() {
    let files = |gate: &str| {
        let files = [
            ("src/plan/mod.rs", format!("{gate} mod sample; mod draw;")),
            ("src/plan/sample.rs", "use crate::run;".to_owned()),
            ("src/plan/sample/turns.rs", "use crate::run;".to_owned()),
            ("src/plan/draw.rs", "use crate::domain;".to_owned()),
        ];
        Project::of(files.map(|(path, text)| (path.to_owned(), text)), String::new())
    };
    assert_eq!(rule("imports")(&files("#[cfg(test)]")), Vec::<String>::new());
    assert_eq!(rule("imports")(&files("#[cfg(unix)]")).len(), 2);
}

#[test]
fn a_checkout_in_any_folder_is_read_alike() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let copy = folder.path().join("latest/tests/src/use crate::llm");
    for inside in ["src/domain", "src/llm", "dataflows", "tests/tidy"] {
        for entry in walkdir::WalkDir::new(root().join(inside)) {
            let entry = entry.expect("a file of the project");
            let to = copy.join(entry.path().strip_prefix(root()).expect("a path below the root"));
            if entry.file_type().is_dir() {
                std::fs::create_dir_all(&to).expect("a folder");
            } else {
                std::fs::copy(entry.path(), &to).expect("a copy");
            }
        }
    }
    std::fs::copy(root().join("Cargo.lock"), copy.join("Cargo.lock")).expect("a copy");
    assert_eq!(broken(&Project::read(&copy)), Vec::<String>::new());

    std::fs::write(copy.join("src/domain/new.rs"), "//! New.\nuse crate::llm;").expect("a file");
    assert_eq!(broken(&Project::read(&copy)), ["src/domain/new.rs:2: `domain` may not import crate::llm"]);
}
