//! The rules of the house, each a function from a project to what breaks it.

use super::docs;
use super::names::{Name, head, is_test};
use super::project::{Project, Source};
use quote::ToTokens;
use std::collections::{BTreeMap, BTreeSet};

/// Says what in a project breaks a rule, a line each: where, and what to do about it.
pub type Rule = fn(&Project) -> Vec<String>;

/// All of them, by name.
pub const RULES: [(&str, Rule); 8] = [
    ("imports", imports),
    ("places", places),
    ("module documentation", module_documentation),
    ("one path attribute", one_path_attribute),
    ("rustls alone", rustls_alone),
    ("lengths", lengths),
    ("sentences", docs::sentences),
    ("rooms", rooms),
];

/// `A: B C` means that A may import B and C.
const MAY_IMPORT: &str = "
    domain:
    plan: domain
    knowledge: domain store
    files: domain store
    output: domain files store
    publish: domain files output
    store: domain
    llm: domain store
    traffic: domain llm store
    builtin: domain llm traffic
    providers: builtin domain llm store tools traffic
    tools: domain knowledge store
    cluster: domain llm output store tools traffic
    stages: domain knowledge plan llm tools
    operators: domain
    dataflows: domain operators
    servers: domain
    settings: domain knowledge llm output plan providers publish servers stages store tools traffic
    cli: settings
    view: domain files output pages publish store
    run: builtin cluster domain plan knowledge store files output llm providers servers traffic tools stages operators dataflows publish settings view
    pages:
    commands: cli domain knowledge output pages publish run servers settings store
    main: cli cluster commands domain knowledge
    build:
    lib:
";

/// What only some modules (and those below them) may name.
const PLACES: [(&[&str], &str); 5] = [
    (&["timely", "differential_dataflow"], "cluster operators dataflows run"),
    (
        &["async"],
        "knowledge llm providers publish servers traffic builtin stages tools store run view::server operators::call",
    ),
    (&["tokio::runtime::Runtime", "tokio::runtime::Builder", "tokio::main"], "run store::postgres"),
    (
        &["std::thread::spawn", "std::thread::scope", "std::thread::Builder"],
        "run store::journal store::postgres output::logs traffic::budget knowledge::embeddings servers::guard cluster",
    ),
    (&["std::process::exit", "std::process::abort"], "main run::signals"),
];

/// The most lines a file of `src` may have.
const LONGEST: usize = 500;

fn may_import() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let rows = MAY_IMPORT.lines().filter_map(|line| line.trim().split_once(':'));
    rows.map(|(room, others)| (room, others.split_whitespace().collect())).collect()
}

fn rooms(project: &Project) -> Vec<String> {
    let known = may_import();
    let strangers = project.code().filter(|source| !known.contains_key(source.room()));
    strangers.map(|source| format!("{}: say in MAY_IMPORT what `{}` may import", source.path, source.room())).collect()
}

fn imports(project: &Project) -> Vec<String> {
    let may = may_import();
    let wrong = |source: &Source, name: &Name| match name.path.as_slice() {
        [first, room, ..] if first == "crate" => {
            room != source.room() && !may.get(source.room()).is_some_and(|rooms| rooms.contains(room.as_str()))
        }
        _ => false,
    };
    complaints(project, wrong, |source| format!("`{}` may not import", source.room()))
}

fn places(project: &Project) -> Vec<String> {
    let of = |(forbidden, modules): &(&[&str], &str)| {
        let wrong = |source: &Source, name: &Name| {
            let module = source.module.join("::");
            let lies_in =
                |place: &str| module.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
            forbidden.iter().any(|path| reaches(&name.path, path)) && !modules.split(' ').any(lies_in)
        };
        complaints(project, wrong, |_| format!("only {modules} may name"))
    };
    PLACES.iter().flat_map(of).collect()
}

/// Whether a named path is this one or lies below it, or a glob brings it in.
fn reaches(named: &[String], path: &str) -> bool {
    let path: Vec<&str> = path.split("::").collect();
    match named.split_last() {
        Some((last, above)) if last == "*" => path.starts_with(&above.iter().map(String::as_str).collect::<Vec<_>>()),
        _ => named.len() >= path.len() && named.iter().zip(&path).all(|(one, other)| one == other),
    }
}

fn complaints(
    project: &Project,
    wrong: impl Fn(&Source, &Name) -> bool,
    rule: impl Fn(&Source) -> String,
) -> Vec<String> {
    let of = |source: &Source| {
        let names = source.names.iter().filter(|name| wrong(source, name));
        let say = |name: &Name| format!("{}:{}: {} {}", source.path, name.line, rule(source), name.path.join("::"));
        names.map(say).collect::<Vec<_>>()
    };
    project.code().flat_map(of).collect()
}

fn module_documentation(project: &Project) -> Vec<String> {
    let without = project.sources.iter().filter(|source| !source.text.starts_with("//! "));
    without.map(|source| format!("{}:1: begin with `//!` and what the module is for", source.path)).collect()
}

fn one_path_attribute(project: &Project) -> Vec<String> {
    let places = |source: &Source| {
        let heads = source.syntax.items.iter().map(|item| head(item).0).filter(|attributes| !is_test(attributes));
        let code = heads.flatten().filter(|attribute| !attribute.path().is_ident("doc"));
        code.filter(|attribute| attribute.to_token_stream().to_string().contains("path =")).count()
    };
    let beyond = |source: &&Source| places(source) > usize::from(source.path == "src/lib.rs");
    let wrong = project.code().filter(beyond);
    wrong.map(|source| format!("{}: only `dataflows` lies elsewhere, as src/lib.rs says", source.path)).collect()
}

fn rustls_alone(project: &Project) -> Vec<String> {
    let has = |package: &str| project.lock.contains(&format!("name = \"{package}\"\n"));
    let others = ["openssl-sys", "native-tls"].into_iter().filter(|package| has(package));
    others.map(|package| format!("Cargo.lock: leave `{package}` out, rustls serves")).collect()
}

fn lengths(project: &Project) -> Vec<String> {
    let lines = |source: &Source| source.text.lines().count();
    let long = project.sources.iter().filter(|source| source.path.starts_with("src/") && lines(source) > LONGEST);
    long.map(|source| format!("{}: {} lines, split it below {LONGEST}", source.path, lines(source))).collect()
}
