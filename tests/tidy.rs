//! Holds the house together: which room may import which, and what no file may hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// `A: B C` means that A may import B and C.
const MAY_IMPORT: &str = "
    domain:
    plan: domain
    knowledge: domain
    files: domain store
    output: domain files store
    store: domain
    llm: domain store
    traffic: domain llm store
    builtin: domain llm traffic
    providers: builtin domain llm store traffic
    tools: domain knowledge
    stages: domain plan llm tools
    operators: domain
    dataflows: domain operators
    settings: domain knowledge llm output plan providers stages store traffic
    cli: settings
    run: builtin domain plan knowledge store files output llm providers traffic tools stages operators dataflows settings
    main: cli run settings
    lib:
";

/// Rooms whose code may name timely or differential.
const TIMELY: [&str; 3] = ["operators", "dataflows", "run"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the project") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, into);
        } else {
            into.push(path);
        }
    }
}

fn sources(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let mut paths = Vec::new();
    folders.iter().for_each(|folder| files(&root().join(folder), &mut paths));
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).expect("UTF-8"))).collect()
}

fn room(path: &Path) -> String {
    let inside = path.strip_prefix(root()).expect("a path of the project");
    let mut parts = inside.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
    match (parts.next().as_deref(), parts.next()) {
        (Some("dataflows"), _) => "dataflows".into(),
        (_, Some(part)) => part.trim_end_matches(".rs").into(),
        _ => panic!("{} lies in no room", path.display()),
    }
}

/// The rooms that a file's code imports; its unit tests may import more.
fn imports(text: &str) -> BTreeSet<String> {
    let code = text
        .split("\nmod tests {")
        .next()
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let after = code.flat_map(|line| line.split("crate::").skip(1).map(str::to_owned).collect::<Vec<_>>());
    after.map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("").to_owned()).collect()
}

#[test]
fn rooms_import_only_what_they_may() {
    let may: BTreeMap<&str, BTreeSet<&str>> = MAY_IMPORT
        .lines()
        .filter_map(|line| line.trim().split_once(':'))
        .map(|(room, others)| (room, others.split_whitespace().collect()))
        .collect();
    let mut wrong = Vec::new();
    for (path, text) in sources(&["src", "dataflows"]) {
        let room = room(&path);
        let allowed = may.get(room.as_str()).unwrap_or_else(|| panic!("room `{room}` is not in the list of this test"));
        for import in imports(&text) {
            if import != room
                && !import.is_empty()
                && may.contains_key(import.as_str())
                && !allowed.contains(import.as_str())
            {
                wrong.push(format!("{} ({room}) imports {import}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_graph_names_timely() {
    for (path, text) in sources(&["src", "dataflows"]) {
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        if code.contains("timely::") || code.contains("differential_dataflow::") {
            assert!(TIMELY.contains(&room(&path).as_str()), "{} names timely", path.display());
        }
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for (path, text) in sources(&["src", "dataflows", "tests"]) {
        assert!(text.starts_with("//!"), "{} has no module documentation", path.display());
    }
}

#[test]
fn one_path_attribute_in_the_library() {
    let lib: Vec<_> =
        sources(&["src"]).into_iter().filter(|(path, _)| !path.to_string_lossy().contains("test")).collect();
    let with: Vec<_> = lib
        .iter()
        .flat_map(|(path, text)| text.lines().map(move |line| (path, line)))
        .filter(|(_, line)| line.trim_start().starts_with("#[path"))
        .filter(|(_, line)| !line.contains("tests/support"))
        .collect();
    assert_eq!(with.len(), 1, "{with:?}");
}

#[test]
fn tls_is_rustls_alone() {
    let lock = std::fs::read_to_string(crate::support::shipped("Cargo.lock")).expect("a lock file");
    let has = |package: &str| lock.contains(&format!("name = \"{package}\"\n"));
    assert!(has("rustls") && !has("openssl-sys") && !has("native-tls"));
}
